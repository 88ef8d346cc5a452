import { describe, expect, it } from 'vitest';
import { alertMatches, declared, matchersFor, matcherText, operatorOf, quietOnes, silenceTimes, stateOf, stretches, withOperator, type KnownAlert, type Silence } from './alerting';

const alert: KnownAlert = {
    id: '7', name: 'WebDown', incident: '9', incident_number: 3, state: 'firing', severity: 'critical', origin: 'rule', is_held: false, held_why: '', is_flapping: false, times: 1,
    flaps: 0, starts_ns: '1', ends_ns: null, changed_ns: '1', value: null, labels: { alertname: 'WebDown', service: 'nginx', severity: 'critical' }, annotations: { summary: 'nginx is down' },
    source: '', evidence: '', generator_url: '',
};

describe('matchers', () => {
    it('are written as Alertmanager reads them', () => {
        const m = { name: 'path', value: 'C:\\x "y"', isRegex: false, isEqual: true };
        expect(matcherText(m)).toBe('path="C:\\\\x \\"y\\""');
        expect(operatorOf(withOperator(m, '!~'))).toBe('!~');
    });
    it('for an alert begin with its name and leave out what does not last', () => {
        expect(matchersFor({ severity: 'critical', service: 'nginx', alertname: 'WebDown', pod: 'web-1-x' }).map(matcherText)).toEqual(['alertname="WebDown"', 'service="nginx"']);
    });
});

describe('an alert', () => {
    it('is silenced when Alertmanager says so of the same labels', () => {
        const status = { state: 'suppressed', silencedBy: ['1'], inhibitedBy: [] };
        const firing = [{ labels: { severity: 'critical', service: 'nginx', alertname: 'WebDown' }, annotations: {}, startsAt: '', status }];
        expect(stateOf(alert, quietOnes(firing))).toBe('silenced');
        expect(stateOf(alert, quietOnes([]))).toBe('firing');
        expect(stateOf({ ...alert, is_held: true }, quietOnes(firing))).toBe('held');
        expect(stateOf({ ...alert, state: 'expired' }, quietOnes(firing))).toBe('resolved');
    });
    it('is found by words, labels and the number of its incident', () => {
        expect(alertMatches(alert, 'nginx DOWN')).toBe(true);
        expect(alertMatches(alert, 'service="nginx"')).toBe(true);
        expect(alertMatches(alert, '#3')).toBe(true);
        expect(alertMatches(alert, 'nginx apache')).toBe(false);
    });
});

it('a silence says how long it still lasts', () => {
    const silence = { startsAt: '2026-01-01T00:00:00Z', endsAt: '2026-01-01T04:00:00Z' } as Silence;
    expect(silenceTimes(silence, Date.parse('2026-01-01T02:00:00Z'))).toBe('2 h left');
    expect(silenceTimes(silence, Date.parse('2025-12-31T23:00:00Z'))).toBe('begins in 60 min, for 4 h');
    expect(silenceTimes(silence, Date.parse('2026-01-01T05:00:00Z'))).toBe('ended 60 min ago');
});

it('shifts are laid over the days of a strip, cut where it begins and ends', () => {
    const day = 86400n * 1000000000n;
    const shifts = [
        { from_ns: '0', to_ns: String(2n * day), person: 'ann', is_override: false },
        { from_ns: String(2n * day), to_ns: String(40n * day), person: '', is_override: false },
    ];
    expect(stretches(shifts, 86400e3, 10).map((s) => [s.person, s.left, s.width])).toEqual([['ann', 0, 10], ['', 10, 90]]);
});

it('maintenance of a file stands among the silences, and says where it is from', () => {
    const shown = declared({ name: 'move', comment: '', matchers: [], from_ns: '1000000000', to_ns: '3600000000000' });
    expect(shown).toMatchObject({ comment: 'move', createdBy: 'a file', maintenance: true, is_declared: true, startsAt: '1970-01-01T00:00:01.000Z' });
});
