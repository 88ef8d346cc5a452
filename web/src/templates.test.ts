import { describe, expect, it } from 'vitest';
import { amount, levelsText, perMinute, valuesText, worstLevel } from './templates';

describe('figures of templates', () => {
    it('name the worst severity that came', () => {
        expect(worstLevel({ info: 4, warn: 1 })).toBe('warn');
        expect(worstLevel({})).toBe('');
        expect(levelsText({ info: 1234, error: 2 })).toBe('error 2, info 1,234');
    });
    it('have the unit of what is measured', () => {
        expect(amount(0.25, 's')).toBe('250 ms');
        expect(amount(2048, 'bytes')).toBe('2 KiB');
        expect(amount(undefined, '')).toBe('–');
    });
    it('say nothing of a rate that has faded', () => {
        expect(perMinute(1e-9)).toBe('0');
        expect(perMinute(12)).toBe('12');
    });
    it('list the most frequent values first', () => {
        expect(valuesText({ type: 'user', unit: '', seen: 5, values: [{ value: 'ann', count: 1 }, { value: 'bob', count: 4 }] })).toBe('bob (4), ann (1)');
    });
});
