import { describe, expect, it } from 'vitest';
import { absoluteRange, ago, autoStepSeconds, exactStamp, instantMs, msOfNs, nsOf, nsOfMs, rangeLabel, rangeMs, span } from './time';

const now = Date.parse('2026-11-22T16:00:00Z');

describe('a time that somebody types', () => {
    it('is relative to now in seconds, minutes, hours, days and weeks', () => {
        expect(instantMs('now', now)).toBe(now);
        expect(instantMs(' now-90m ', now)).toBe(now - 5400e3);
        expect(instantMs('now-1.5h', now)).toBe(now - 5400e3);
        expect(instantMs('now-2w', now)).toBe(now - 14 * 86400e3);
    });
    it('is an instant with a zone, or in the reader\'s own', () => {
        expect(instantMs('2026-11-22T16:00:00Z', 0)).toBe(now);
        expect(instantMs('2026-11-22T17:00:00+01:00', 0)).toBe(now);
        expect(instantMs('2026-11-22 16:00', 0)).toBe(new Date(2026, 10, 22, 16, 0).getTime());
        expect(instantMs('2026-11-22', 0)).toBe(new Date(2026, 10, 22).getTime());
    });
    it('is refused when it is neither', () => {
        for (const text of ['', 'yesterday', 'now-', 'now-5y', '2026-13-45', '16:00']) expect(instantMs(text, now)).toBeNull();
    });
});

describe('a range', () => {
    it('says which end is wrong', () => {
        expect(rangeMs({ from: 'then', to: 'now' }, now)).toEqual({ problem: expect.stringContaining('"then"') });
        expect(rangeMs({ from: 'now', to: 'now-1h' }, now)).toEqual({ problem: 'The range ends before it begins.' });
        expect(rangeMs({ from: 'now-1h', to: 'now' }, now)).toEqual({ startMs: now - 3600e3, endMs: now });
    });
    it('has a name when it is usual, and its ends when it is not', () => {
        expect(rangeLabel({ from: 'now-1h', to: 'now' })).toBe('Last hour');
        expect(rangeLabel({ from: 'now-90m', to: 'now' })).toBe('Last 90m');
        expect(rangeLabel({ from: '2026-11-22 10:00', to: '2026-11-22 11:00' })).toBe('11-22 10:00 – 11-22 11:00');
    });
    it('survives the way through the address', () => {
        const range = absoluteRange(now - 1000, now);
        expect(rangeMs(range, 0)).toEqual({ startMs: now - 1000, endMs: now });
    });
    it('gets a step that people expect and not too many points', () => {
        expect(autoStepSeconds(0, 300e3)).toBe(1);
        expect(autoStepSeconds(0, 3600e3)).toBe(10);
        expect(autoStepSeconds(0, 86400e3)).toBe(300);
        for (const hours of [1, 7, 30, 700, 20000]) expect((hours * 3600) / autoStepSeconds(0, hours * 3600e3)).toBeLessThanOrEqual(360);
    });
});

describe('nanoseconds', () => {
    it('keep all their digits', () => {
        expect(nsOf('1795363200123456789')).toBe(1795363200123456789n);
        expect(exactStamp('1795363200123456789')).toMatch(/\.123456789$/);
        expect(exactStamp('1795363200120000000')).toMatch(/:\d\d\.120$/);
        expect(nsOfMs(1795363200123)).toBe('1795363200123000000');
        expect(msOfNs('1795363200123999999')).toBe(1795363200123);
    });
    it('are 0 when there are none', () => {
        for (const nothing of [null, undefined, '', 'x']) expect(nsOf(nothing)).toBe(0n);
    });
    it('are told as how long ago', () => {
        expect(ago(0, now)).toBe('never');
        expect(ago(nsOfMs(now - 500), now)).toBe('now');
        expect(ago(nsOfMs(now - 12000), now)).toBe('12 s ago');
        expect(ago(nsOfMs(now + 60000), now)).toBe('in 60 s');
    });
    it('are told as a span with one or two figures', () => {
        expect([0, 0.0004, 0.85, 4.25, 75, 600, 7500, 90000, 400000].map(span)).toEqual([
            '0 s', '400 µs', '850 ms', '4.3 s', '75 s', '10 min', '2 h 5 min', '25 h', '5 d',
        ]);
    });
});
