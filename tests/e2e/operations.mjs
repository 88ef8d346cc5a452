// What people order, as they do it in the console: alerts and silences, on call, runbooks and runs, the register, the ledger,
// the audit log. The daemon's teams, schedules and runbooks stand in daemon.mjs.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { phone } from './browser.mjs';
import { post } from './daemon.mjs';

export const operationPages = ['alerts', 'silences', 'on-call', 'runs', 'runbooks', 'runbooks/restart-web', 'inventory', 'ledger', 'shadow', 'audit'];

const alert = (name, severity, summary, labels, ended = false) => ({
    labels: { alertname: name, severity, ...labels }, annotations: { summary }, startsAt: new Date(Date.now() - 300e3).toISOString(), ...(ended ? { endsAt: new Date().toISOString() } : {}),
});
const shop = { service: 'checkout', host: 'shop1' }; // as the traffic names it
const down = (ended) => alert('ShopDown', 'critical', 'checkout does not answer', shop, ended);

export async function operationSteps({ step, browser, page, daemon, at, shoot, password, listen, token }) {
    const tell = (...alerts) => post(daemon.address, '/api/v2/alerts', token(), alerts);
    const read = async (path) => (await fetch(at(path), { headers: { Authorization: `Bearer ${token()}` } })).json();
    const until = async (what, holds) => {
        for (let i = 0; i < 150; i++) {
            const found = await what();
            if (holds(found)) return found;
            await new Promise((done) => setTimeout(done, 100));
        }
        throw new Error(`waited 15 s in vain: ${holds}`);
    };
    const rowOf = (name) => page.getByRole('row', { name });
    const dialog = (name) => page.getByRole('dialog', { name });

    await step('teams, schedules and runbooks are in force when the configuration is read again', async () => {
        await page.goto(at('on-call'));
        await page.getByText('There is no on-call schedule').waitFor();
        await page.goto('about:blank'); // the addresses are opened anew
        await daemon.configure();
        await page.goto(at('on-call'));
        await page.getByRole('region', { name: 'Schedule web' }).waitFor();
    });

    await step('alerts are listed with labels and summary, and narrowed by text, label and severity', async () => {
        await tell(down(), alert('SlowAnswers', 'warning', 'search answers in 3.2 s', { service: 'search', host: 'web2', route: '/find' }),
            alert('DiskFull', 'critical', '/var on db1 has 2 % left', { instance: 'db1:9100', mountpoint: '/var' }));
        await page.goto(at('alerts'));
        await rowOf(/ShopDown/).getByText('checkout does not answer').waitFor();
        await page.getByRole('group', { name: 'Severity' }).getByRole('button', { name: 'warning' }).click();
        await rowOf(/ShopDown/).waitFor({ state: 'detached' });
        await rowOf(/SlowAnswers/).waitFor();
        await page.getByRole('group', { name: 'Severity' }).getByRole('button', { name: 'warning' }).click();
        await rowOf(/DiskFull/).getByRole('button', { name: 'instance db1:9100' }).click();
        await rowOf(/ShopDown/).waitFor({ state: 'detached' });
        assert.equal(await page.getByRole('searchbox').inputValue(), 'instance=db1:9100');
        await page.getByRole('searchbox').fill('');
        await shoot('alerts-listed');
        await rowOf(/ShopDown/).getByRole('link', { name: 'ShopDown' }).click();
        await page.getByRole('heading', { level: 1, name: 'ShopDown' }).waitFor();
        await page.getByRole('region', { name: 'What was decided' }).getByText(/incident/).first().waitFor();
        await page.getByRole('link', { name: /^Incident #\d+$/ }).waitFor();
        await shoot('alert');
        await page.keyboard.press('u');
    });

    await step('a silence is begun from an alert, shows what it matches before, and keeps it quiet; ended, it is told again', async () => {
        await rowOf(/SlowAnswers/).getByRole('button', { name: 'Silence SlowAnswers' }).click();
        const form = dialog('Silence');
        await form.getByText('One alert matches now').waitFor();
        assert.equal(await form.getByLabel('Value 1').inputValue(), 'SlowAnswers');
        await form.getByRole('button', { name: '8 hours' }).click();
        await form.getByLabel('Why').fill('index is being rebuilt');
        await shoot('silence-form');
        await form.getByRole('button', { name: 'Silence', exact: true }).click();
        await dialog('Silence').waitFor({ state: 'detached' });
        await rowOf(/SlowAnswers/).waitFor({ state: 'detached' });
        const made = (await read('api/v2/silences')).find((s) => s.comment === 'index is being rebuilt');
        assert.equal(made.createdBy, 'admin');
        assert.equal(made.status.state, 'active');
        assert.equal(Math.round((Date.parse(made.endsAt) - Date.parse(made.startsAt)) / 3600e3), 8);
        const quiet = (await read('api/v2/alerts')).find((a) => a.labels.alertname === 'SlowAnswers');
        assert.deepEqual(quiet.status.silencedBy, [made.id]);
        await page.getByRole('button', { name: /^Silenced/ }).click();
        await rowOf(/SlowAnswers/).getByText('Silenced').waitFor();
        await page.goto(at('silences'));
        await rowOf(/index is being rebuilt/).getByText('8 h left').waitFor();
        await shoot('silences-made');
        await rowOf(/index is being rebuilt/).getByRole('button', { name: /^End/ }).click();
        await dialog('End the silence').getByRole('button', { name: 'End it' }).click();
        await rowOf(/index is being rebuilt/).waitFor({ state: 'detached' });
        await rowOf(/new year move/).getByText('a file').waitFor();
        assert.equal(await rowOf(/new year move/).getByRole('button').count(), 0, 'what a file declares is not ended here');
        await until(() => read('api/v2/alerts'), (alerts) => alerts.find((a) => a.labels.alertname === 'SlowAnswers').status.silencedBy.length === 0);
    });

    await step('what a silence or maintenance covers is told to nobody, and the reason is kept', async () => {
        await page.goto(at('silences'));
        await page.getByRole('button', { name: 'Begin maintenance' }).click();
        const form = dialog('Begin maintenance');
        await form.getByLabel('Label 1').fill('rack');
        await form.getByLabel('Value 1').fill('r7');
        await form.getByText('Nothing that fires now matches').waitFor();
        await form.getByLabel('What is being done').fill('move to rack 8');
        await form.getByRole('button', { name: 'Begin maintenance', exact: true }).click();
        await rowOf(/move to rack 8/).getByText('Maintenance').waitFor();
        await tell(alert('HostDown', 'critical', 'the host does not answer', { host: 'rack7-4', rack: 'r7' }));
        const known = await until(() => read('api/v1/alerts/known?state=firing&name=HostDown'), (found) => found.alerts[0]?.incident_number);
        const number = known.alerts[0].incident_number;
        const told = await until(() => read(`api/v1/incidents/${number}/notifications`), (found) => found.decisions.length > 0);
        assert.match(JSON.stringify(told.decisions), /maintenance/);
        assert.deepEqual(told.notifications, []);
    });

    await step('who is on call stands over two weeks; a gap is filled by an override, which is ended again', async () => {
        await page.goto(at('on-call'));
        const night = page.getByRole('region', { name: 'Schedule database' });
        await night.getByText(/gaps? in which nobody is on call/).waitFor();
        await page.getByRole('region', { name: 'People' }).getByText('No way to be reached').waitFor();
        const shop = page.getByRole('region', { name: 'Schedule web' });
        await shop.getByText('is on call now').waitFor();
        const before = (await read('api/v1/on-call')).schedules.find((s) => s.name === 'web').now;
        const other = before === 'ann' ? 'bob' : 'ann';
        await shop.getByRole('button', { name: 'Override web' }).click();
        const form = dialog('Override web');
        await form.getByLabel('Who').selectOption(other);
        await form.getByRole('button', { name: 'Put on call' }).click();
        await until(() => read('api/v1/on-call'), (found) => found.schedules.find((s) => s.name === 'web').now === other);
        await shop.getByText(other, { exact: true }).first().waitFor();
        await shoot('on-call-override');
        await page.getByRole('button', { name: `End the override of ${other}` }).click();
        await dialog(`End the override of ${other}`).getByRole('button', { name: 'End it' }).click();
        await until(() => read('api/v1/on-call'), (found) => found.schedules.find((s) => s.name === 'web').now === before && found.overrides.length === 0);
        await page.getByText('None. Whoever the schedule names is on call.').waitFor();
    });

    await step('a dry run with typed values shows every word, and runs nothing', async () => {
        await page.goto(at('runbooks'));
        await page.getByRole('link', { name: 'restart-web' }).click();
        await page.getByRole('heading', { level: 1, name: 'restart-web' }).waitFor();
        await page.getByRole('region', { name: 'Parameters' }).getByText('soft, hard').waitFor();
        await page.keyboard.press('w');
        const form = dialog('Dry run of restart-web');
        const target = form.getByLabel('On the service');
        await target.selectOption(await target.locator('option', { hasText: 'checkout' }).first().getAttribute('value'));
        await form.getByLabel('mode').selectOption('hard');
        await form.getByLabel('keep').fill('31');
        await form.getByText('at most 30').waitFor();
        assert.equal(await form.getByRole('button', { name: 'Show what would run' }).isDisabled(), true);
        await form.getByLabel('keep').fill('9');
        await form.getByRole('button', { name: 'Show what would run' }).click();
        await page.getByRole('heading', { level: 1, name: 'Restart checkout' }).waitFor();
        await page.getByRole('region', { name: 'Steps' }).getByText('/usr/bin/echo starting checkout --keep=9 --mode=hard').waitFor();
        await page.getByText('Waits for approval').first().waitFor();
        const run = await read(`api/v1/runs/${page.url().split('/').at(-1)}`);
        assert.equal(run.state, 'proposed');
        assert.deepEqual(run.steps, []);
        await shoot('run-proposed');
        await page.keyboard.press('r');
        await dialog(/^Reject run/).getByLabel('Why').fill('only looking');
        await page.keyboard.press('Enter');
        await page.getByRole('region', { name: 'Decisions' }).getByText('admin: only looking').waitFor();
    });

    await step('all automation is stopped by one button: what is approved does not start; it is let run again', async () => {
        await page.goto(at('runs'));
        await page.getByRole('button', { name: 'Stop all automation' }).click();
        await dialog('Stop all automation').getByLabel('Why').fill('fire drill');
        await dialog('Stop all automation').getByRole('button', { name: 'Stop everything' }).click();
        const state = page.getByRole('region', { name: 'Automation' });
        await state.getByText('All automation is stopped').waitFor();
        await state.getByText(/By admin, .*fire drill/).waitFor();
        assert.equal((await read('api/v1/automation')).is_stopped, true);
        await shoot('automation-stopped');
        const waiting = page.getByRole('region', { name: 'Waits for approval' });
        await waiting.getByRole('button', { name: /^Approve run/ }).first().click();
        await dialog(/^Approve run/).getByRole('button', { name: 'Approve and run' }).click();
        await dialog(/^Approve run/).getByText(/it was not started/).waitFor();
        await page.keyboard.press('Escape');
        await state.getByRole('button', { name: 'Let automation run again' }).click();
        await dialog('Let automation run again').getByLabel('Why').fill('the drill is over');
        await dialog('Let automation run again').getByRole('button', { name: 'Let it run' }).click();
        await state.getByText('Automation may run').waitFor();
    }, [['status of 4', '/api/v1/runs/']]);

    await step('a run that is approved in the console runs, shows its output, and is verified', async () => {
        if (!daemon.runs) return; // the allow-list must be root's
        await page.goto(at('runs'));
        await page.getByRole('region', { name: 'Waits for approval' }).getByRole('link', { name: 'Restart checkout' }).click();
        await page.getByRole('heading', { level: 1, name: 'Restart checkout' }).waitFor();
        const number = page.url().split('/').at(-1);
        await page.keyboard.press('a');
        await dialog(/^Approve run/).getByLabel('Why').fill('I looked');
        await page.keyboard.press('Enter');
        await page.getByLabel('Output of start').getByText('starting checkout --keep=7 --mode=soft').waitFor();
        await tell(down(true));
        await page.getByRole('region', { name: 'Decisions' }).getByText('Helped').waitFor({ timeout: 40000 });
        await page.getByRole('region', { name: 'Verification' }).getByText(/alerts? of the incident fired/).waitFor();
        await shoot('run-succeeded');
        const run = await read(`api/v1/runs/${number}`);
        assert.equal(run.state, 'succeeded');
        assert.equal(run.story.approved_by, 'admin');
        assert.match(run.steps.map((s) => s.output).join(''), /starting checkout/);
        await page.goto(at('runbooks'));
        await rowOf(/restart-web/).getByText('1', { exact: true }).first().waitFor();
    });

    await step('the inventory shows what appeared by itself; an entity is made, changed, looked at as it was, and goes out as CSV', async () => {
        await page.goto(at('inventory'));
        await page.getByRole('heading', { level: 1, name: 'Inventory' }).waitFor();
        await page.getByRole('link', { name: 'shop1', exact: true }).waitFor();
        await page.keyboard.press('n');
        const made = dialog('New host');
        await made.getByLabel('Name', { exact: true }).fill('shelf1');
        await made.getByLabel(/^Memory/).fill('16');
        await made.getByRole('button', { name: 'Create' }).click();
        await page.getByRole('heading', { level: 1, name: 'shelf1' }).waitFor();
        const values = page.getByRole('region', { name: 'Values' });
        await values.getByText('16 GiB').waitFor();
        const created = Date.now();
        await new Promise((done) => setTimeout(done, 1100));
        await page.keyboard.press('e');
        await dialog('Change shelf1').getByLabel(/^Memory/).fill('32');
        await dialog('Change shelf1').getByRole('button', { name: 'Change' }).click();
        await values.getByText('32 GiB').waitFor();
        const history = page.getByRole('region', { name: 'History' });
        await history.getByText('Memory set to 32 GiB').waitFor();
        await shoot('entity');
        await history.getByLabel('Show it as it was at').fill(new Date(created).toISOString());
        await page.keyboard.press('Enter');
        await page.getByRole('region', { name: 'As of' }).waitFor();
        await values.getByText('16 GiB').waitFor();
        await page.getByRole('link', { name: 'Back to now' }).click();
        await values.getByText('32 GiB').waitFor();
        await page.goto(at('inventory'));
        const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Export CSV' }).click()]);
        assert.match(execFileSync('cat', [await file.path()]).toString(), /shelf1/);
        await page.getByRole('button', { name: 'Import CSV' }).click();
        await dialog('Import hosts').getByLabel('or its text').fill('name,purpose\nshelf2,spare\nshelf1,test\n');
        await dialog('Import hosts').getByRole('button', { name: 'Import 2 rows' }).click();
        await page.getByText('1 created, 1 changed, 0 as they were.').waitFor();
        await page.keyboard.press('/');
        await page.keyboard.type('shelf2');
        await page.keyboard.press('Enter');
        await page.keyboard.press('Enter');
        await page.getByRole('heading', { level: 1, name: 'shelf2' }).waitFor();
    });

    await step('what a person said stands in the model ledger with its effect, and is taken back', async () => {
        const known = (await read('api/v1/alerts/known?state=all')).alerts;
        const of = (name) => known.find((a) => a.name === name).incident_number;
        const said = await page.evaluate(async ([one, into]) => {
            const { csrf } = await (await fetch('/api/v1/session')).json();
            return (await fetch(`/api/v1/incidents/${one}/merge`, { method: 'POST', headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': csrf }, body: JSON.stringify({ into }) })).status;
        }, [of('DiskFull'), of('SlowAnswers')]);
        assert.equal(said, 200);
        await page.goto(at('ledger'));
        await rowOf(/belong together/).getByText('In force').waitFor();
        await page.getByText(/belong together once more/).waitFor();
        await shoot('ledger-entry');
        await rowOf(/belong together/).getByRole('button', { name: /^Take back/ }).click();
        await dialog('Take it back').getByRole('button', { name: 'Take back' }).click();
        await rowOf(/belong together/).getByText('Taken back').waitFor();
        const entry = (await read('api/v1/models/ledger')).entries[0];
        assert.equal(entry.reverted_by, 'admin');
    });

    await step('who ordered what stands in the audit log, and the log is verified', async () => {
        await page.goto(at('audit'));
        await page.getByRole('heading', { level: 1, name: 'Audit log' }).waitFor();
        const made = page.getByRole('row', { name: /token create/ }).filter({ hasText: 'name e2e' });
        await made.getByText('admin').first().waitFor();
        assert.equal(await page.getByRole('row', { name: /configure/ }).count(), 0, 'what Evenkeel did by itself is not mixed in');
        await page.getByRole('row', { name: /automation stop/ }).getByText('why fire drill').waitFor();
        await page.keyboard.press('v');
        const said = page.getByRole('region', { name: 'Verification' });
        await said.getByText(/All \d+ entries are as they were written/).waitFor();
        await shoot('audit-verified');
        await made.getByRole('button', { name: 'token create' }).click();
        await page.getByRole('dialog').getByText('"(not shown)"').waitFor();
        await page.keyboard.press('Escape');
        await page.evaluate(() => localStorage.setItem('audit-head', '0'.repeat(64)));
        await page.keyboard.press('v');
        await said.getByText(/does not go through the noted head/).waitFor();
        await page.evaluate(() => localStorage.removeItem('audit-head'));
    });

    await step('who only looks sees all of it and no button that orders', async () => {
        const hers = await browser.newContext({ viewport: phone });
        const view = await hers.newPage();
        view.setDefaultTimeout(15000);
        listen(view);
        await view.goto(daemon.address);
        await view.getByLabel('Name').fill('vera');
        await view.getByLabel('Password').fill(`${password} and a buoy`);
        await view.keyboard.press('Enter');
        await view.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
        const orders = /^(Silence(?!d)|Begin maintenance|Change|End|Override|Fill it|Approve|Reject|Stop|Dry run|How far it may go|Import CSV|New host|Delete|Relate|Take back|Go back|Verify)/;
        for (const name of [...operationPages, 'runs/1']) {
            await view.goto(at(name));
            await view.getByRole('heading', { level: 1 }).first().waitFor();
            await view.waitForTimeout(500);
            assert.deepEqual(await view.locator('main').getByRole('button', { name: orders }).allTextContents(), [], name);
        }
        await view.goto(at('alerts'));
        await view.getByRole('link', { name: 'DiskFull' }).waitFor();
        await hers.close();
    }, [['status of 401', '/api/v1/session']]);
}
