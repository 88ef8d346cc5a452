import { expect, test } from 'vitest';
import { argumentsText, byItself, verbTitle } from './audit';

test('what was ordered is told in words, without what is empty', () => {
    expect(argumentsText({ name: 'ann', role: 'operator', must_change: true, note: '', password_hash: '(not shown)', expires_ns: 0 })).toBe('name ann, role operator, must change yes');
    expect(argumentsText({ matchers: [{ name: 'a' }] })).toBe('matchers [{"name":"a"}]');
    expect(argumentsText({ text: 'x'.repeat(400) }).length).toBeLessThan(170);
    expect(argumentsText('{"content": …')).toBe('{"content": …');
    expect(verbTitle('user_create')).toBe('user create');
});

test('what Evenkeel did by itself is told apart from what people did', () => {
    const entry = { sequence: '1', time_ns: '1', verb: 'x', arguments: {}, outcome: 'done' };
    expect(byItself({ ...entry, by: 'configuration' })).toBe(true);
    expect(byItself({ ...entry, by: 'ann' })).toBe(false);
});
