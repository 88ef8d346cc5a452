import { expect, it } from 'vitest';
import { severityOf } from './severity';

it('reads severities by name, number and nothing', () => {
    expect(['err', 'WARNING', 'crit', 'notice', 'Info', 'error2', '', 'odd'].map(severityOf)).toEqual(['error', 'warn', 'fatal', 'info', 'info', 'error', 'unset', 'unset']);
    expect([0, 1, 8, 9, 13, '17', 21, 24].map(severityOf)).toEqual(['unset', 'trace', 'debug', 'info', 'warn', 'error', 'fatal', 'fatal']);
    expect(severityOf(null)).toBe('unset');
});
