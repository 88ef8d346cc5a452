import { expect, test } from 'vitest';
import { chance, commandText, declaredText, freezeText, recordOf, recordText, retryText, stepText, valueProblem, type PlanStep, type Trust } from './automation';

test('a chance is said as people say it', () => {
    expect(chance(0.333)).toBe('about 3 in 10');
    expect(chance(0.9999)).toBe('nearly always');
    expect(chance(3e-9)).toBe('nearly never');
    expect(chance(0.03)).toBe('about 3 in 100');
});

test('the words of a command are told apart', () => {
    expect(commandText(['/usr/bin/echo', 'a b', "it's"])).toBe("/usr/bin/echo 'a b' 'it'\\''s'");
});

test('a step says what it will do', () => {
    const base: PlanStep = { name: 'x', kind: 'exec', timeout_ns: 30e9, on_failure: 'continue', retries: 2, backoff_ns: 5e9 };
    expect(stepText({ ...base, words: ['/bin/true'] })).toBe('/bin/true');
    expect(stepText({ ...base, kind: 'wait', for_ns: 2e9 })).toBe('2 s');
    expect(stepText({ ...base, kind: 'check', expression: 'up == 1' })).toBe('up == 1');
    expect(retryText(base)).toBe('at most 30 s, tried again 2 times, goes on when it fails');
    expect(declaredText({ name: 'stop', ssh: ['/usr/bin/sudo', '${service}'], on: '${host}' })).toEqual({ kind: 'ssh', text: "/usr/bin/sudo '${service}'  (on ${host})" });
});

test('what a runbook has earned is told by its numbers', () => {
    expect(recordText({ verified: 3, failed: 1, harmful: 0 } as Trust)).toBe('3 verified, 1 failed');
    expect(recordText({ verified: 0, failed: 0, harmful: 0 } as Trust)).toBe('no verified run yet');
    expect(recordOf({ succeeded: 2, proposed: 4 })).toEqual({ verified: 2, failed: 0, harmful: 0 });
});

test('values are checked by type before they are sent', () => {
    expect(valueProblem({ type: 'number', min: 1, max: 30 }, '31')).toBe('at most 30');
    expect(valueProblem({ type: 'number' }, '')).toBe('a number is wanted');
    expect(valueProblem({ type: 'enum', values: ['soft', 'hard'] }, 'soft')).toBe('');
    expect(valueProblem({ type: 'enum', values: ['soft', 'hard'] }, 'loud')).toBe('one of soft, hard');
});

test('a freeze says when it holds', () => {
    expect(freezeText({ name: 'year end', from: '2026-12-20T00:00:00Z', to: '2027-01-04T00:00:00Z' })).toBe('year end: 2026-12-20 00:00 to 2027-01-04 00:00 UTC');
    expect(freezeText({ name: 'nights', daily: { from: '22:00', to: '06:00' }, days: ['mon'] })).toBe('nights: daily 22:00 to 06:00 UTC, mon');
});
