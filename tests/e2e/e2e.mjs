// The console as its users meet it: e2e.mjs PROGRAM [SCREENSHOTS]. Real program, real Chromium, real senders.
// Exit status 77: no Chromium here.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { browserOpen, desktop, phone } from './browser.mjs';
import { daemonStart, post, syslogSend } from './daemon.mjs';
import { operationPages, operationSteps } from './operations.mjs';
import { trafficSend } from './traffic.mjs';

const [program, shots] = process.argv.slice(2);
const password = 'a harbour with four boats';
const pages = ['overview', 'incidents', 'metrics', 'logs', 'templates', 'sources', 'sources/host', ...operationPages, 'settings'];
const routes = 'sum by (route) (rate(http_server_requests_total[2m]))';
let browser;
try {
    browser = await browserOpen();
} catch (error) {
    console.log(`skipped: ${error.message}`);
    process.exit(77);
}
const daemon = await daemonStart(program);
const at = (page, search = '') => new URL(page.startsWith('api/') ? `/${page}${search}` : `/#/${page}${search}`, daemon.address).href;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
let passed = 0;

// What the browser complains about ends the step in which it does so, except for what the step says it provokes:
// [part of the text, part of the address].
let complaints = [];
const listen = (seen) => {
    seen.on('console', (message) => message.type() === 'error' && complaints.push({ text: message.text(), url: message.location().url }));
    seen.on('pageerror', (error) => complaints.push({ text: String(error), url: '' }));
};
const step = async (name, run, expected = []) => {
    try {
        complaints = [];
        await run();
        const left = complaints.filter((c) => !expected.some(([text, url]) => c.text.includes(text) && c.url.includes(url)));
        assert.deepEqual(left, [], 'the browser complained');
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
listen(page);

const queryBox = () => page.locator('textarea[role=combobox]').first();
const ask = async (query) => {
    await queryBox().fill(query);
    await queryBox().press('Enter');
};
const legendRow = (text) => page.locator('.legend tbody tr', { hasText: text });
const parameters = () => new URL(page.url()).hash.replace(/^[^?]*\??/, '');
const from = () => new URLSearchParams(parameters()).get('from');

await step('a wrong password is refused in words', async () => {
    await page.goto(daemon.address);
    await page.getByLabel('Name').fill(daemon.name);
    await page.getByLabel('Password').fill('not this one');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('name or password is wrong').waitFor();
    await shoot('sign-in');
}, [['status of 401', '/api/v1/session']]);

await step('the one-time password must be changed, by keyboard alone, to one that is long enough', async () => {
    await page.getByLabel('Password').fill(daemon.password);
    await page.keyboard.press('Enter');
    await page.getByLabel('New password').waitFor();
    await page.getByText('At least 12 characters').waitFor();
    await page.keyboard.type('eleven char');
    await page.keyboard.press('Tab');
    await page.keyboard.type('eleven char');
    await page.keyboard.press('Enter');
    assert.equal(await page.getByRole('navigation', { name: 'Pages' }).count(), 0);
    await page.getByLabel('New password').fill(password);
    await page.getByLabel('New password').press('Tab');
    await page.keyboard.press('Control+a');
    await page.keyboard.type(password);
    await page.keyboard.press('Enter');
    await page.getByRole('navigation', { name: 'Pages' }).waitFor();
});

let token;
await step('a token is made, shown once, and works', async () => {
    await page.goto(at('settings'));
    const panel = page.getByRole('region', { name: 'API tokens' });
    await panel.getByRole('button', { name: 'Make a token' }).click();
    const form = page.getByRole('dialog', { name: 'Make a token' });
    await form.getByLabel('Name').fill('e2e');
    await form.getByLabel('ingest').check();
    await form.getByRole('button', { name: 'Make', exact: true }).click();
    token = (await panel.getByTestId('token-secret').textContent()).trim();
    const answer = await fetch(at('api/v1/sources'), { headers: { Authorization: `Bearer ${token}` } });
    assert.equal(answer.status, 200);
});

await step('telemetry that is sent shows on the sources page, and each source has a page of its own', async () => {
    await trafficSend(daemon, token);
    await page.goto(at('sources'));
    await page.getByText('syslog-tcp').first().waitFor();
    await page.getByRole('link', { name: 'host', exact: true }).waitFor();
    await shoot('sources');
    await page.getByRole('link', { name: 'syslog-tcp' }).click();
    await page.getByRole('heading', { level: 1, name: 'syslog-tcp' }).waitFor();
    await page.getByText('240').first().waitFor();
    await page.keyboard.press('u');
    await page.getByRole('heading', { level: 1, name: 'Sources' }).waitFor();
});

const alarm = (name, labels, summary) => post(daemon.address, '/api/v2/alerts', token, [{ labels: { alertname: name, ...labels }, annotations: { summary }, startsAt: new Date(Date.now() - 60e3).toISOString() }]);
const told = async (path) => (await page.request.get(at(`api/v1/${path}`))).json();
const numberHere = () => Number(/incidents\/(\d+)/.exec(page.url())[1]);
let slow; // the number of the incident that was posted
let missed; // and of the one that a person reports
const waiting = () => page.getByRole('region', { name: 'Waiting for me' });

await step('an alert that is posted stands on the list as an incident, and waits on the overview', async () => {
    await page.goto(at('overview'));
    await page.getByRole('heading', { name: 'Nothing waits for me' }).waitFor();
    await alarm('CheckoutSlow', { service: 'checkout', host: 'shop1', severity: 'critical' }, 'Half of all orders take longer than 6 s');
    await waiting().getByRole('link', { name: 'Half of all orders take longer than 6 s' }).waitFor();
    await page.getByRole('region', { name: 'Open incidents by service' }).getByRole('link', { name: /checkout/ }).waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('i');
    const row = page.getByRole('row', { name: /Half of all orders/ });
    await row.getByText('critical').waitFor();
    await row.getByText('Open', { exact: true }).waitFor();
    await row.getByText('nobody').waitFor();
    await page.getByLabel('Severity').selectOption('info');
    await page.getByText('Nothing matches').waitFor();
    await page.getByRole('button', { name: 'Show all' }).click();
    await row.waitFor();
});

await step('its page says which alert it is, why it is there, and what was said meanwhile', async () => {
    await page.keyboard.press('/');
    await page.keyboard.type('orders');
    await page.waitForFunction(() => location.hash.includes('text=orders'));
    await page.keyboard.press('Enter'); // to the first row
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Half of all orders take longer than 6 s' }).waitFor();
    slow = numberHere();
    const alerts = page.getByRole('region', { name: 'Alerts and reasons' });
    await alerts.getByText('CheckoutSlow').waitFor();
    await alerts.getByText(`opened incident ${slow}: no open incident has enough evidence in common with it`).waitFor();
    await page.getByRole('region', { name: 'Likely causes' }).getByRole('link', { name: /checkout/ }).waitFor();
    await page.getByRole('region', { name: 'Evidence' }).getByText(/cart is closed|limit is 2 s/).first().waitFor();
    await shoot('incident');
});

await step('what moved first is told on the page of an incident, and of a service where somebody looks', async () => {
    const panel = page.getByRole('region', { name: 'What moved together' });
    const first = panel.getByRole('list', { name: 'What moved, in order' }).getByRole('listitem').first();
    await first.getByRole('link', { name: 'payment_retries_total per second' }).waitFor();
    const { entities } = await told('entities?kind=service&query=checkout');
    await page.goto(at(`inventory/${entities[0].id}`));
    await panel.getByText('What moved, and what first').waitFor();
    assert.equal(await panel.getByRole('listitem').count(), 0, 'nothing is asked for before somebody looks');
    await panel.getByRole('button', { name: 'Look' }).click();
    await panel.getByText('too little is known from before').waitFor(); // an hour is all there is
    await panel.getByLabel('In which time').selectOption('15m');
    await first.getByRole('link', { name: 'payment_retries_total per second' }).waitFor();
    await panel.getByText(/left (its|their) normal/).first().waitFor();
    await shoot('moved');
    await page.goto(at(`incidents/${slow}`));
    await page.getByRole('heading', { level: 1, name: 'Half of all orders take longer than 6 s' }).waitFor();
});

await step('an incident is acknowledged, commented and its cause named by keyboard, as timeline and API tell', async () => {
    await page.keyboard.press('a');
    const story = page.getByRole('list', { name: 'Timeline' });
    await story.getByText(`${daemon.name} acknowledged`).waitFor();
    await page.getByRole('region', { name: 'Facts' }).getByText(daemon.name).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Acknowledge' }).count(), 0, 'once is enough');
    let one = await told(`incidents/${slow}`);
    assert.deepEqual([one.state, one.owner], ['acknowledged', daemon.name]);
    await page.keyboard.press('c');
    await page.getByRole('dialog', { name: 'Comment' }).getByRole('textbox').waitFor();
    await page.keyboard.type('the provider is slow again');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await story.getByText('the provider is slow again').waitFor();
    await page.getByRole('button', { name: 'checkout on shop1 was the cause' }).focus();
    await page.keyboard.press('Enter');
    await page.getByText('This was the cause, somebody said.').waitFor();
    one = await told(`incidents/${slow}`);
    assert.deepEqual(one.timeline.filter((e) => e.by === daemon.name).map((e) => [e.kind, e.text]), [['acknowledged', ''], ['commented', 'the provider is slow again'], ['cause', 'checkout on shop1']]);
});

await step('noise of three kinds is told apart, and counted on the overview beside what was missed', async () => {
    await page.keyboard.press('n');
    const form = page.getByRole('dialog', { name: 'This is noise' });
    await form.getByLabel(/Planned work/).check();
    await form.getByRole('button', { name: 'Close as noise' }).click();
    await form.waitFor({ state: 'detached' });
    const one = await told(`incidents/${slow}`);
    assert.deepEqual([one.state, one.is_noise, one.timeline.at(-1).text], ['closed', true, 'planned']);
    await page.goto(at('incidents'));
    await page.getByRole('heading', { name: 'No incident is open' }).waitFor();
    await page.keyboard.press('n');
    await page.getByRole('dialog', { name: 'Report an incident' }).getByLabel('What is wrong').fill('A customer sees the prices of yesterday');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'A customer sees the prices of yesterday' }).waitFor();
    missed = numberHere();
    await page.goto(at('overview'));
    const panel = page.getByRole('region', { name: 'Noise and misses' });
    await panel.getByText('1 planned work').waitFor();
    await panel.getByRole('link', { name: 'A customer sees the prices of yesterday' }).waitFor();
    await waiting().getByRole('button', { name: `Acknowledge incident ${missed}` }).click();
    await page.getByRole('heading', { name: 'Nothing waits for me' }).waitFor();
    assert.equal((await told(`incidents/${missed}`)).state, 'acknowledged');
});

await step('what a program says is listed by sentence, with its values, and leads to its lines, by keyboard alone', async () => {
    await page.keyboard.press('g');
    await page.keyboard.press('p');
    await page.getByRole('heading', { level: 1, name: 'Templates' }).waitFor();
    await page.getByRole('link', { name: /order .* placed/ }).waitFor();
    assert.equal(await page.getByText('<*>').count(), 0, 'no star stands for a value');
    await page.keyboard.press('/');
    await page.keyboard.type('payment provider');
    await page.keyboard.press('Enter'); // to the first row
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: /^payment provider answered after …/ }).waitFor();
    await page.getByRole('region', { name: 'Facts' }).getByText('checkout').waitFor();
    await page.getByRole('region', { name: 'Values' }).getByText('1. number').waitFor();
    await page.getByRole('feed').getByText(/payment provider answered after \d s, limit is 2 s/).first().waitFor();
    await shoot('template');
    await page.keyboard.press('l');
    await page.getByText(/lines, newest first/).waitFor();
    const lines = await page.locator('article').allTextContents();
    assert.ok(lines.length > 3 && lines.every((line) => line.includes('payment provider answered')), 'only its lines');
    await page.getByRole('button', { name: 'Show all lines' }).click();
    await page.locator('article', { hasText: 'GET /api/cart' }).first().waitFor();
});

await step('a metric query draws a chart and says its values', async () => {
    await page.goto(at('metrics'));
    await ask(routes);
    await page.locator('.uplot canvas').waitFor();
    const cell = legendRow('/checkout').locator('[data-last]');
    await cell.waitFor();
    const last = Number(await cell.getAttribute('data-last'));
    assert.ok(Number.isFinite(last) && last > 0.1 && last < 100, `the last value is ${last}`);
    assert.ok(Math.abs(parseFloat(await cell.textContent()) - last) < 0.01 * last + 0.001, 'what is read is what is drawn');
    const answer = await (await fetch(at('api/v1/query_range', `?query=${encodeURIComponent(routes)}&start=${Date.now() / 1e3 - 3600}&end=${Date.now() / 1e3}&step=10`), { headers: { Authorization: `Bearer ${token}` } })).json();
    const near = answer.data.result.find((s) => s.metric.route === '/checkout').values.slice(-4).map((v) => Number(v[1]));
    assert.ok(last >= Math.min(...near) * 0.9 && last <= Math.max(...near) * 1.1, `${last} is none of ${near}`);
    await shoot('metrics');
});

await step('a chart is read by arrow keys, its lines are hidden by a click, alone with Shift', async () => {
    await page.locator('.chart').focus();
    await page.keyboard.press('End');
    await page.locator('.tip').waitFor();
    const first = await page.locator('.tip b').textContent();
    await page.keyboard.press('ArrowLeft');
    assert.notEqual(await page.locator('.tip b').textContent(), first);
    assert.equal(await page.locator('.legend th', { hasText: 'Here' }).count(), 1);
    const cart = legendRow('/cart').getByRole('button');
    const pressed = () => page.locator('.legend button[aria-pressed=true]').count();
    assert.equal(await pressed(), 4);
    await cart.click();
    assert.equal(await pressed(), 3);
    assert.equal(await cart.getAttribute('aria-pressed'), 'false');
    await page.getByRole('button', { name: 'Show all' }).click();
    await cart.click({ modifiers: ['Shift'] });
    assert.equal(await pressed(), 1);
    await cart.click({ modifiers: ['Shift'] });
    assert.equal(await pressed(), 4);
    const names = () => page.locator('.legend tbody tr .name span').allTextContents();
    await page.getByRole('button', { name: 'Series' }).click();
    const up = await names();
    assert.deepEqual(up, [...up].sort());
    await page.getByRole('button', { name: 'Series' }).click();
    assert.deepEqual(await names(), [...up].reverse());
});

await step('dragging over a chart looks closer, and the way back leads back', async () => {
    assert.ok(from() === null || from() === 'now-1h');
    const box = await page.locator('.u-over').boundingBox();
    await page.mouse.move(box.x + box.width * 0.4, box.y + 60);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + 80, { steps: 6 });
    await page.mouse.up();
    await page.waitForFunction(() => /from=\d{4}-/.test(location.hash));
    const range = new URLSearchParams(parameters());
    const minutes = (Date.parse(range.get('to')) - Date.parse(range.get('from'))) / 60e3;
    assert.ok(minutes > 10 && minutes < 14, `${minutes} minutes of the hour were dragged over`);
    await legendRow('/checkout').waitFor();
    await page.goBack();
    await page.waitForFunction(() => !/from=\d{4}-/.test(location.hash));
});

await step('the table of values is sorted by its heads', async () => {
    await page.getByRole('button', { name: 'Table' }).click();
    const table = page.getByRole('table', { name: /Values at/ });
    const values = async () => (await table.locator('tbody tr td:last-child').allTextContents()).map(Number);
    await table.waitFor();
    await table.getByRole('button', { name: /Value at/ }).click();
    const down = await values();
    assert.equal(down.length, 4);
    assert.deepEqual(down, [...down].sort((a, b) => b - a));
    await table.getByRole('button', { name: /Value at/ }).click();
    assert.deepEqual(await values(), [...down].reverse());
    await page.getByRole('button', { name: 'Chart', exact: true }).click();
});

await step('a chart refreshes by itself when it is told to', async () => {
    let asked = 0;
    const count = (request) => { asked += request.url().includes('/api/v1/query_range'); };
    await page.getByLabel('Refresh by itself').selectOption('5');
    await wait(500); // whatever choosing itself asks
    page.on('request', count);
    await wait(6500);
    page.off('request', count);
    assert.ok(asked >= 1 && asked <= 2, `asked ${asked} times in 6.5 s`);
    await page.getByLabel('Refresh by itself').selectOption('0');
});

await step('a wrong metric query is refused with its place', async () => {
    await ask('rate(');
    await page.getByText(/parse error/).first().waitFor();
}, [['status of 400', '/api/v1/query_range']]);

await step('a query box is as tall as its text', async () => {
    const height = async () => (await queryBox().boundingBox()).height;
    await queryBox().fill('up');
    const low = await height();
    await page.setViewportSize(phone);
    await queryBox().fill(`${routes} / ignoring (route) group_left () sum (rate(http_server_requests_total[2m]))`);
    assert.ok((await height()) > low + 40, 'it grows');
    assert.equal(await queryBox().evaluate((e) => e.scrollHeight > e.clientHeight + 1 || e.scrollWidth > e.clientWidth + 1), false);
    await page.setViewportSize(desktop);
    await queryBox().fill('up');
    assert.ok((await height()) <= low, 'and shrinks again');
});

await step('log lines are found by words and followed live', async () => {
    await page.goto(at('logs'));
    await ask('{service="sshd"} |= "Failed password"');
    await page.getByText('invalid user oracle').first().waitFor();
    await shoot('logs');
    await ask('{service="pager"}');
    await page.getByRole('button', { name: /live|tail|follow/i }).first().click();
    await page.getByText('Following: lines appear').waitFor();
    const came = page.getByText('a line that came while we looked').first();
    for (let tries = 0; tries < 20 && !(await came.isVisible()); tries++) { // the stream opens on the server's side in its own time
        await syslogSend(daemon.syslogPort, [{ app: 'pager', text: 'a line that came while we looked' }]);
        await wait(1000);
    }
    await came.waitFor();
});

await step('a log line opens, filters, and shows what stood around it', async () => {
    await page.goto(at('logs'));
    await ask('cart is closed');
    const line = page.locator('article', { hasText: 'cart is closed' }).first();
    await line.locator('button.head').click();
    await line.getByText('trace_id').waitFor();
    await line.getByText('at shop.Checkout.run(Checkout.java:42)').last().waitFor();
    await shoot('log-line');
    await line.getByRole('button', { name: 'Context around this line' }).click();
    const around = page.getByRole('dialog', { name: 'Context around the line' });
    await around.locator('article').nth(20).waitFor();
    assert.ok((await around.locator('.marked').count()) === 1, 'the line itself is marked');
    await shoot('log-context');
    await page.keyboard.press('Escape');
    await line.getByRole('button', { name: 'Only service checkout' }).click();
    await page.waitForFunction(() => decodeURIComponent(location.hash).includes('service="checkout"'));
});

await step('what an answer lacks stands above its results', async () => {
    const lacking = 'the day 2026-01-31 is damaged and left out';
    const doubt = async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, json: { ...(await response.json()), warnings: [lacking] } });
    };
    await page.route(/\/api\/v1\/(logs|query_range)\?/, doubt);
    await page.goto(at('overview'));
    await page.goto(at('logs'));
    await page.getByText(lacking).waitFor();
    await page.goto(at('metrics', `?q=${encodeURIComponent(routes)}`));
    await page.getByText(lacking).waitFor();
    await page.unroute(/\/api\/v1\/(logs|query_range)\?/, doubt);
});

await step('secrets are masked where they are shown', async () => {
    await page.goto(at('settings'));
    await page.getByRole('button', { name: 'Mask' }).click();
    await page.getByText('password=*******').waitFor();
});

await step('what somebody else changes appears by itself; what is refused keeps the form', async () => {
    const users = page.getByRole('region', { name: 'Users' });
    const { csrf } = await (await page.request.get(at('api/v1/session'))).json();
    await page.request.post(at('api/v1/users'), { headers: { 'X-CSRF-Token': csrf }, data: { name: 'otto', role: 'operator', password } });
    await users.getByRole('button', { name: 'Lock out otto' }).waitFor();
    await users.getByRole('button', { name: 'Add a user' }).click();
    const form = page.getByRole('dialog', { name: 'Add a user' });
    await form.getByLabel('Name').fill('otto');
    await form.getByLabel(/First password/).fill(password);
    await form.getByRole('button', { name: 'Add', exact: true }).click();
    await form.getByRole('alert').waitFor();
    await form.getByLabel('Name').fill('vera');
    await form.getByRole('button', { name: 'Add', exact: true }).click();
    await form.waitFor({ state: 'detached' });
    await users.getByRole('button', { name: 'Lock out vera' }).waitFor();
    await users.getByRole('button', { name: 'Lock out otto' }).click();
    await page.getByRole('dialog', { name: 'Lock out otto' }).getByRole('button', { name: 'Lock out', exact: true }).click();
    await users.getByText('otto (locked out)').waitFor();
}, [['status of 409', '/api/v1/users']]);

await step('who only looks is offered nothing else', async () => {
    const hers = await browser.newContext({ viewport: phone });
    const view = await hers.newPage();
    view.setDefaultTimeout(15000);
    listen(view);
    await view.goto(daemon.address);
    await view.getByLabel('Name').fill('vera');
    await view.getByLabel('Password').fill(password);
    await view.keyboard.press('Enter');
    await view.getByLabel('New password').fill(`${password} and a buoy`);
    await view.getByLabel('Once more').fill(`${password} and a buoy`);
    await view.keyboard.press('Enter');
    await view.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    await view.goto(at('settings'));
    await view.getByRole('region', { name: 'Own password' }).waitFor();
    for (const name of ['Users', 'API tokens', 'Backup', 'Masking of secrets']) assert.equal(await view.getByRole('region', { name }).count(), 0, name);
    await view.goto(at(`incidents/${missed}`));
    await view.getByRole('region', { name: 'Alerts and reasons' }).getByText('Reported').waitFor();
    assert.equal(await view.getByRole('group', { name: 'What to do' }).count(), 0);
    assert.equal(await view.getByRole('button', { name: /Acknowledge|Resolve|Comment|cause|Approve/ }).count(), 0, 'no command is offered');
    for (const title of await view.locator('.rail a span').allTextContents()) {
        const link = view.locator('.bar').getByRole('link', { name: title });
        if ((await link.count()) === 0) await view.getByRole('button', { name: 'More' }).click();
        await view.locator('.bar, dialog').getByRole('link', { name: title }).first().click();
        await view.getByRole('heading', { level: 1 }).first().waitFor();
    }
    await hers.close();
}, [['status of 401', '/api/v1/session']]);

await operationSteps({ step, browser, page, daemon, at, shoot, password, listen, token: () => token });

await step('every page has named controls and fits desktop and phone, light and dark', async () => {
    for (const scheme of ['light', 'dark'])
        for (const [size, viewport] of [['desktop', desktop], ['phone', phone]]) {
            await page.emulateMedia({ colorScheme: scheme });
            await page.setViewportSize(viewport);
            for (const name of [...pages, `incidents/${slow}`, 'chart']) {
                await page.goto(name === 'chart' ? at('metrics', `?q=${encodeURIComponent(routes)}`) : at(name));
                await page.getByRole('heading', { level: 1 }).first().waitFor();
                await page.waitForTimeout(400); // charts and the live stream draw
                const found = await page.evaluate(() => {
                    const main = document.getElementById('main');
                    return {
                        over: document.scrollingElement.scrollWidth - innerWidth,
                        clipped: main.scrollWidth - main.clientWidth, // it hides what does not fit
                        nameless: [...document.querySelectorAll('button, a[href], input:not([hidden]), select, textarea')]
                            .filter((e) => e.checkVisibility() && !(e.textContent.trim() || e.getAttribute('aria-label') || e.title || e.labels?.length || e.getAttribute('aria-labelledby')))
                            .map((e) => e.outerHTML.slice(0, 120)),
                    };
                });
                assert.ok(found.over <= 0, `${name} is ${found.over} px too wide on a ${size}`);
                assert.ok(found.clipped <= 0, `${found.clipped} px of ${name} are cut off on a ${size}`);
                assert.deepEqual(found.nameless, [], `${name} has controls without a name`);
                await shoot(`${name.replace(/\/\d*/, '-')}-${size}-${scheme}`);
            }
        }
    await page.setViewportSize(desktop);
    await page.emulateMedia({ colorScheme: 'light' });
});

await step('when Evenkeel stops the open console says so, and goes on by itself when it is back', async () => {
    await page.goto(at('metrics', `?q=${encodeURIComponent(routes)}`));
    await legendRow('/checkout').waitFor();
    await daemon.stop();
    await page.getByText('Evenkeel does not answer.', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await page.getByText('Evenkeel does not answer. Is it still running?').waitFor();
    await legendRow('/checkout').waitFor(); // what was drawn stays
    await shoot('stopped');
    await daemon.start();
    await page.getByText('Evenkeel does not answer.', { exact: true }).waitFor({ state: 'detached', timeout: 30000 });
    await page.getByText('Is it still running?').waitFor({ state: 'detached' });
    await legendRow('/checkout').waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    await page.route(/\/api\/v1\/session$/, (route) => route.abort('connectionrefused'), { times: 1 });
    await page.goto('about:blank');
    await page.goto(at('logs'));
    await page.getByText('Is it still running?').waitFor();
    await page.getByText(/lines, newest first/).waitFor();
}, [['ERR_CONNECTION_REFUSED', ''], ['ERR_INCOMPLETE_CHUNKED_ENCODING', '/api/v1/live'], ['ERR_CONNECTION_RESET', '/api/v1/'], ['ERR_EMPTY_RESPONSE', '/api/v1/'], ['status of 503', '/api/v1/']]);

await step('from sign-in to a found line by keyboard alone', async () => {
    await page.goto(at('overview'));
    await page.getByRole('button', { name: /^Sign out/ }).focus();
    await page.keyboard.press('Enter');
    await page.getByLabel('Name').waitFor();
    await page.keyboard.type(daemon.name);
    await page.keyboard.press('Tab');
    await page.keyboard.type(password);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('l');
    await page.getByRole('heading', { level: 1, name: 'Logs' }).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('{service="sshd"} |= "oracle"');
    await page.keyboard.press('Enter');
    await page.locator('article', { hasText: 'user oracle' }).first().waitFor();
    await page.locator('article', { hasNotText: 'oracle' }).first().waitFor({ state: 'detached' }); // the answer to this query, not the lines before it
    await page.keyboard.press('Escape'); // leaves the query
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.locator('article:focus').getByText('severity').waitFor();
    await page.keyboard.press('c');
    await page.getByRole('dialog', { name: 'Context around the line' }).locator('article').first().waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard' }).getByText('Context around the line').waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('g');
    await page.keyboard.press('s');
    await page.getByRole('heading', { level: 1, name: 'Sources' }).waitFor();
    await page.getByRole('link', { name: 'syslog-tcp' }).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('syslog-tcp');
    await page.keyboard.press('Enter'); // to the first row
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'syslog-tcp' }).waitFor();
}, [['status of 401', '/api/v1/']]); // what the overview was asking for as somebody signed out

await step('a revoked token is refused', async () => {
    await page.goto(at('settings'));
    await page.getByRole('button', { name: 'Revoke e2e' }).click();
    await page.getByRole('dialog', { name: 'Revoke e2e' }).getByRole('button', { name: 'Revoke', exact: true }).click();
    await page.getByText('revoked', { exact: true }).waitFor();
    const answer = await fetch(at('api/v1/sources'), { headers: { Authorization: `Bearer ${token}` } });
    assert.equal(answer.status, 401);
});

await step('who is told to go from elsewhere sees the sign-in, not an old page', async () => {
    await page.goto(at('overview'));
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    await context.clearCookies();
    await page.goto(at('logs'));
    await page.getByLabel('Password').waitFor();
}, [['status of 401', '/api/v1/']]);

console.log(`${passed} steps`);
await finish(0);
