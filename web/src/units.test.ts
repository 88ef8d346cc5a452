import { describe, expect, it } from 'vitest';
import { bytes, compact, measured, measureOf, rate, whole } from './units';

describe('numbers', () => {
    it('are told with three figures and a letter', () => {
        expect([0, 7, 0.25, 999, 1000, 999600, 1234567, 2e9, -1500].map(compact)).toEqual(['0', '7', '0.25', '999', '1k', '1M', '1.23M', '2G', '−1.5k']);
    });
    it('are told when they are none', () => {
        expect([NaN, Infinity, -Infinity].map(compact)).toEqual(['NaN', '+Inf', '−Inf']);
    });
    it('are rates that fade to none', () => {
        expect([0, 9.1e-11, 0.002, 33.34, -4e-9].map((r) => rate(r))).toEqual(['0/s', '0/s', '0.002/s', '33.34/s', '0/s']);
    });
    it('are grouped when all digits count', () => {
        expect(whole(1234567)).toBe('1,234,567');
        expect(whole('18446744073709551615')).toBe('18,446,744,073,709,551,615');
    });
    it('are bytes in steps of 1024', () => {
        expect([0, 1023, 1024, 1536, 1048576, 5e12].map(bytes)).toEqual(['0 B', '1023 B', '1 KiB', '1.5 KiB', '1 MiB', '4.55 TiB']);
    });
});

describe('what an expression measures', () => {
    const cases: [string, string, boolean][] = [
        ['node_memory_MemAvailable_bytes', 'bytes', false],
        ['rate(node_network_receive_bytes_total{device!="lo"}[5m])', 'bytes', true],
        ['sum by (instance) (rate(node_cpu_seconds_total[5m]))', 'seconds', true],
        ['http_request_duration_seconds_count', 'count', false],
        ['node_load1', 'count', false],
        ['up', 'count', false],
        ['100 * a_bytes / b_bytes', 'percent', false],
        ['a_bytes / b_bytes', 'count', false],
    ];
    for (const [expression, unit, perSecond] of cases)
        it(`is ${unit}${perSecond ? ' per second' : ''} for ${expression}`, () => expect(measureOf(expression)).toEqual({ unit, perSecond }));
    it('is written with its unit', () => {
        expect(measured(1536, { unit: 'bytes', perSecond: true })).toBe('1.5 KiB/s');
        expect(measured(0.0042, { unit: 'seconds', perSecond: false })).toBe('4.2 ms');
        expect(measured(12.5, { unit: 'percent', perSecond: false })).toBe('12.5 %');
    });
});
