// What people order, as they do it in the console: alerts and silences, on call, runbooks and runs, the register, the audit log.
import assert from 'node:assert/strict';

export const operationPages = ['alerts', 'silences', 'on-call', 'audit'];

export async function operationSteps({ step, page, at, shoot }) {
    await step('who ordered what stands in the audit log, and the log is verified', async () => {
        await page.goto(at('audit'));
        await page.getByRole('heading', { level: 1, name: 'Audit log' }).waitFor();
        const made = page.getByRole('row', { name: /token create/ }).filter({ hasText: 'name e2e' });
        await made.getByText('admin').first().waitFor();
        assert.equal(await page.getByRole('row', { name: /configure/ }).count(), 0, 'what Evenkeel did by itself is not mixed in');
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
}
