// The console as its users meet it: e2e.mjs PROGRAM [SCREENSHOTS]. Real program, real Chromium, real senders.
// Exit status 77: no Chromium here.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { browserOpen, desktop, phone } from './browser.mjs';
import { daemonStart, syslogSend } from './daemon.mjs';
import { trafficSend } from './traffic.mjs';

const [program, shots] = process.argv.slice(2);
const password = 'a harbour with four boats';
const pages = ['overview', 'sources', 'metrics', 'logs', 'settings'];
let browser;
try {
    browser = await browserOpen();
} catch (error) {
    console.log(`skipped: ${error.message}`);
    process.exit(77);
}
const daemon = await daemonStart(program);
const at = (page, search = '') => new URL(page.startsWith('api/') ? `/${page}${search}` : `/#/${page}${search}`, daemon.address).href;
let passed = 0;
const step = async (name, run) => {
    try {
        await run();
        passed += 1;
        console.log(`ok   ${name}`);
    } catch (error) {
        console.log(`FAIL ${name}\n${error.stack}`);
        if (shots) await page.screenshot({ path: `${shots}/failed.png` }).catch(() => {});
        await finish(1);
    }
};
const finish = async (status) => {
    await browser.close();
    await daemon.stop();
    daemon.remove();
    process.exit(status);
};
const shoot = async (name) => shots && (await page.screenshot({ path: `${shots}/${name}.png` }));

if (shots) mkdirSync(shots, { recursive: true });
const context = await browser.newContext({ viewport: desktop, colorScheme: 'light' });
const page = await context.newPage();
page.setDefaultTimeout(15000);
const complaints = [];
page.on('console', (message) => message.type() === 'error' && !/status of 40[013]/.test(message.text()) && complaints.push(message.text()));
page.on('pageerror', (error) => complaints.push(String(error)));

await step('a wrong password is refused in words', async () => {
    await page.goto(daemon.address);
    await page.getByLabel('Name').fill(daemon.name);
    await page.getByLabel('Password').fill('not this one');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('name or password is wrong').waitFor();
    await shoot('sign-in');
});

await step('the one-time password must be changed, by keyboard alone', async () => {
    await page.getByLabel('Password').fill(daemon.password);
    await page.keyboard.press('Enter');
    await page.getByLabel('New password').waitFor();
    await page.keyboard.type(password);
    await page.keyboard.press('Tab');
    await page.keyboard.type(password);
    await page.keyboard.press('Enter');
    await page.getByRole('navigation', { name: 'Pages' }).waitFor();
});

let token;
await step('a token is made, shown once, and works', async () => {
    await page.goto(at('settings'));
    const panel = page.getByRole('region', { name: 'API tokens' });
    await panel.getByLabel('Name').fill('e2e');
    await panel.getByLabel('ingest').check();
    await panel.getByRole('button', { name: 'Make token' }).click();
    token = (await panel.getByTestId('token-secret').textContent()).trim();
    const answer = await fetch(at('api/v1/sources'), { headers: { Authorization: `Bearer ${token}` } });
    assert.equal(answer.status, 200);
});

await step('telemetry that is sent shows on the sources page', async () => {
    await trafficSend(daemon, token);
    await page.goto(at('sources'));
    await page.getByText('syslog-tcp').first().waitFor();
    await page.getByText('host').first().waitFor();
    await shoot('sources');
});

await step('a metric query draws a chart and says its values', async () => {
    await page.goto(at('metrics'));
    const input = page.locator('textarea[role=combobox]').first();
    await input.fill('sum by (route) (rate(http_server_requests_total[2m]))');
    await input.press('Escape'); // closes the completions
    await input.press('Enter');
    await page.locator('.uplot canvas').waitFor();
    await page.getByText('/checkout').first().waitFor();
    await shoot('metrics');
});

await step('a wrong metric query is refused with its place', async () => {
    const input = page.locator('textarea[role=combobox]').first();
    await input.fill('rate(');
    await input.press('Escape'); // closes the completions
    await input.press('Enter');
    await page.getByText(/parse error/).first().waitFor();
});

await step('log lines are found by words, opened, and followed live', async () => {
    await page.goto(at('logs'));
    const input = page.locator('textarea[role=combobox]').first();
    await input.fill('{service="sshd"} |= "Failed password"');
    await input.press('Escape'); // closes the completions
    await input.press('Enter');
    await page.getByText('invalid user oracle').first().waitFor();
    await shoot('logs');
    await input.fill('{service="pager"}');
    await input.press('Escape'); // closes the completions
    await input.press('Enter');
    await page.getByRole('button', { name: /live|tail|follow/i }).first().click();
    await new Promise((done) => setTimeout(done, 700)); // until the stream is open on the server's side
    await syslogSend(daemon.syslogPort, [{ app: 'pager', text: 'a line that came while we looked' }]);
    await page.getByText('a line that came while we looked').first().waitFor();
});

await step('secrets are masked where they are shown', async () => {
    await page.goto(at('settings'));
    await page.getByRole('button', { name: 'Mask' }).click();
    await page.getByText('password=*******').waitFor();
});

await step('every page has named controls and fits desktop and phone, light and dark', async () => {
    for (const scheme of ['light', 'dark'])
        for (const [size, viewport] of [['desktop', desktop], ['phone', phone]]) {
            await page.emulateMedia({ colorScheme: scheme });
            await page.setViewportSize(viewport);
            for (const name of pages) {
                await page.goto(at(name));
                await page.getByRole('heading', { level: 1 }).first().waitFor();
                await page.waitForTimeout(400); // charts and the live stream draw
                const found = await page.evaluate(() => ({
                    over: document.scrollingElement.scrollWidth - innerWidth,
                    nameless: [...document.querySelectorAll('button, a[href], input:not([hidden]), select, textarea')]
                        .filter((e) => e.checkVisibility() && !(e.textContent.trim() || e.getAttribute('aria-label') || e.title || e.labels?.length || e.getAttribute('aria-labelledby')))
                        .map((e) => e.outerHTML.slice(0, 120)),
                }));
                assert.ok(found.over <= 0, `${name} is ${found.over} px too wide on a ${size}`);
                assert.deepEqual(found.nameless, [], `${name} has controls without a name`);
                await shoot(`${name}-${size}-${scheme}`);
            }
        }
    await page.setViewportSize(desktop);
});

await step('pages are reached by keys', async () => {
    await page.goto(at('overview'));
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('l');
    await page.getByRole('heading', { level: 1, name: 'Logs' }).waitFor();
    await page.keyboard.press('Escape');
});

await step('a revoked token is refused', async () => {
    await page.goto(at('settings'));
    await page.getByRole('button', { name: 'Revoke e2e' }).click();
    await page.getByRole('button', { name: /Really revoke/ }).click();
    await page.getByText('revoked', { exact: true }).waitFor();
    const answer = await fetch(at('api/v1/sources'), { headers: { Authorization: `Bearer ${token}` } });
    assert.equal(answer.status, 401);
});

await step('nothing was complained about in the browser', async () => assert.deepEqual(complaints, []));
console.log(`${passed} steps`);
await finish(0);
