import { expect, test } from 'vitest';
import type { Alert, Incident, IncidentDetail } from './incidentapi';
import { alertsOf, beliefText, byUrgency, chance, earlierText, evidenceOf, expressionIn, grouped, judgedText, leadOf, likeText, likelihood, measuredBy, ofAlert, servicesOf, stepText, storyOf, suggestionText, teamOf, titleOf, weighed, whereOf } from './incidents';

const incident = (change: Partial<Incident>): Incident => ({
    id: '1', number: 1, state: 'open', severity: 'warning', is_held: false, is_storm: false, is_noise: false, title: 'The disk is full', owner: '', team: '', told: [],
    signature_text: 'DiskFull on host', opened_ns: '1000000000000000000', changed_ns: '0', acknowledged_ns: null, resolved_ns: null, closed_ns: null, firing: 1, alert_count: 1,
    entities: [], causes: [], ...change,
});
const alert = (change: Partial<Alert>): Alert => ({
    id: '1', name: 'DiskFull', state: 'firing', severity: 'warning', origin: 'rule', is_held: false, held_why: '', is_flapping: false, times: 1, starts_ns: '1000000000000000000',
    ends_ns: null, changed_ns: null, value: null, labels: {}, annotations: {}, source: '', evidence: '', generator_url: '', ...change,
});
const thing = (name: string, kind = 'service') => ({ id: name, kind, name });

test('a title is a sentence: no star, never empty', () => {
    expect(titleOf({ title: 'shop: says something new: lost <*> of <*>' })).toBe('shop: says something new: lost … of …');
    expect(titleOf({ title: '<*>', signature_text: 'DiskFull on host' })).toBe('DiskFull on host');
    expect(titleOf({ title: ' ' })).toBe('An incident without a title');
});

test('many places are told as a few and a number', () => {
    expect(whereOf(incident({}))).toBe('');
    expect(whereOf(incident({ entities: [thing('a'), thing('b'), thing('c')] }))).toBe('a, b and c');
    expect(whereOf(incident({ entities: ['a', 'b', 'c', 'd'].map((n) => thing(n)) }))).toBe('a, b and 2 more');
});

test('a team that somebody chose goes before the one its route led to', () => {
    expect(teamOf({ team: '', told: ['web', 'data'] })).toBe('web');
    expect(teamOf({ team: 'data', told: ['web'] })).toBe('data');
    expect(teamOf({ team: '' })).toBe('');
});

test('alerts are counted with those that are over, never more firing than there are', () => {
    expect(alertsOf({ firing: 3, alert_count: 7 })).toBe('3 of 7');
    expect(alertsOf({ firing: 0, alert_count: 7 })).toBe('7');
    expect(alertsOf({ firing: 2, alert_count: 1 })).toBe('1');
});

test('a share is told in tenths, never as a number with an exponent', () => {
    expect(chance(0.33)).toBe('about 3 in 10 times');
    expect(chance(3e-9)).toBe('hardly ever');
    expect(chance(0.995)).toBe('nearly always');
    expect(chance(0.04)).toBe('less than 1 in 10 times');
    expect(chance(NaN)).toBe('nobody knows how often');
});

test('only a first cause that stands out is called likely', () => {
    expect(likelihood(0.8, true)).toBe('likely');
    expect(likelihood(0.28, true)).toBe('possible');
    expect(likelihood(0.04, false)).toBe('unlikely');
});

test('reasons come by weight, in words', () => {
    const said = weighed([{ kind: 'a', weight: -0.03, sentence: 'little' }, { kind: 'b', weight: 2.5, sentence: 'much' }, { kind: 'c', weight: -3, sentence: 'against' }]);
    expect(said.map((r) => [r.sentence, r.says])).toEqual([['much', 'speaks strongly for it'], ['little', 'says little'], ['against', 'speaks strongly against it']]);
});

test('the story of an incident is told in sentences, also of kinds that come later', () => {
    const entry = (kind: string, text = '') => ({ id: '1', alert: null, time_ns: '0', kind, by: '', text });
    expect(storyOf(entry('noise', 'planned'))).toBe('judged it to be noise: planned work');
    expect(storyOf(entry('alert_joined', 'DiskFull: /data is 91 % full on host db1'))).toBe('joined by the alert DiskFull: /data is 91 % full on host db1');
    expect(storyOf(entry('assigned'))).toBe('took its owner away');
    expect(storyOf(entry('something_new', 'x'))).toBe('something new: x');
});

test('the lead says how long, how much, where and what may be behind it', () => {
    const detail = { ...incident({ entities: [thing('checkout'), thing('payments')], firing: 1, alert_count: 3, causes: [{ entity: '1', kind: 'service', name: 'payments', score: 0.7, reason: 'it was first' }] }), alerts: [], timeline: [], merged: [], similar: [], suggestion: null, judged: [] } as IncidentDetail;
    expect(leadOf(detail, 1000000000000 + 120e3)).toBe('It has lasted 2 min: 3 alerts on 2 things, 1 still fires. It likely comes from payments: it was first.');
    expect(leadOf({ ...detail, resolved_ns: '1000000060000000000', firing: 0 }, 0)).toMatch(/^It lasted 60 s: 3 alerts on 2 things, none of them fires any more\./);
});

test('a rule measures what stands before its comparison', () => {
    expect(measuredBy('disk_used_ratio > 0.9')).toEqual({ query: 'disk_used_ratio', limit: 0.9 });
    expect(measuredBy('sum(rate(a{b=">1"}[1m])) / sum(rate(c[1m])) > 0.2\nand sum(rate(a[1m])) > 0.1')).toEqual({ query: 'sum(rate(a{b=">1"}[1m])) / sum(rate(c[1m]))', limit: 0.2 });
    expect(measuredBy('up == 0')).toEqual({ query: 'up', limit: 0 });
    expect(measuredBy('count(up == 0)')).toEqual({ query: 'count(up == 0)', limit: null });
    expect(measuredBy('absent(up)')).toEqual({ query: 'absent(up)', limit: null });
    expect(measuredBy('a > on (host) b')).toEqual({ query: 'a > on (host) b', limit: null });
});

test('what a Prometheus evaluated is in the address of its graph', () => {
    expect(expressionIn('http://p:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1')).toBe('up == 0');
    expect(expressionIn('not an address')).toBe('');
});

test('each series and each query for lines is evidence once; services that only others know are searched for lines', () => {
    const found = evidenceOf([
        alert({ evidence: 'disk_used_ratio > 0.9', labels: { host: 'db1', job: 'x' } }),
        alert({ evidence: 'disk_used_ratio > 0.9', labels: { host: 'db2', job: 'x' }, name: 'DiskFuller' }),
        alert({ evidence: '{service="shop"} |= `lost`', labels: { service: 'shop' } }),
        alert({ origin: 'external', labels: { service: 'pay "x"' } }),
    ]);
    expect(found.map((e) => [e.kind, e.query, e.alerts])).toEqual([
        ['metric', 'disk_used_ratio', ['DiskFull', 'DiskFuller']],
        ['logs', '{service="shop"} |= `lost`', ['DiskFull']],
        ['logs', '{service="pay \\"x\\""}', ['DiskFull']],
    ]);
    expect(found[0].labels).toEqual({ job: 'x' });
    expect(evidenceOf([alert({ origin: 'external' })])).toEqual([]);
});

test('a series belongs to an alert unless a label that both have differs', () => {
    expect(ofAlert({ job: 'shop', route: '/a' }, { job: 'shop', severity: 'critical' })).toBe(true);
    expect(ofAlert({ job: 'shop' }, { job: 'pay' })).toBe(false);
});

test('how often a runbook helped is told in counts', () => {
    const belief = { autonomy: 'suggest', allowed: 'suggest', reason: '', verified: 3, failed: 1, harmful: 0, mean: 0.7, heals_by_itself: 0.21, beats_waiting: 0.9 };
    expect(beliefText(belief)).toBe('Helped 3 of 4 times; such a fault goes by itself about 2 in 10 times.');
    expect(beliefText({ ...belief, verified: 0, failed: 0 })).toBe('Never tried on such a fault here.');
    expect(beliefText({ ...belief, harmful: 1 })).toContain('did harm once');
});

test('a step is shown as it would run, quoted where a word has more than plain letters', () => {
    expect(stepText({ name: 'a', kind: 'exec', words: ['/bin/echo', "it's", ''] })).toBe(`/bin/echo 'it'\\''s' ''`);
    expect(stepText({ name: 'b', kind: 'wait', for_ns: 2e9 })).toBe('wait 2 s');
});

test('incidents are grouped by service, the worst group first, and listed by urgency', () => {
    const list = [
        incident({ number: 1, severity: 'info', entities: [thing('mail')] }),
        incident({ number: 2, severity: 'critical', state: 'acknowledged', entities: [thing('shop'), thing('mail'), thing('h', 'host')], firing: 4, alert_count: 4 }),
        incident({ number: 3, severity: 'warning', entities: [thing('h', 'host')] }),
    ];
    const groups = grouped(list, servicesOf);
    expect(groups.map((g) => [g.name, g.worst, g.incidents.length, g.alerts])).toEqual([['mail', 'critical', 2, 5], ['shop', 'critical', 1, 4], ['h', 'warning', 1, 1]]);
    expect(byUrgency(list).map((i) => i.number)).toEqual([3, 1, 2]);
});

test('a suggested team says how sure it is, and what became of it', () => {
    const one = { team: 'web', state: 'waiting', confidence: 0.834, examples: 12, by: '', words: [] } as const;
    expect(suggestionText({ ...one, words: [] })).toBe('Incidents such as this went to team web: 83 % sure, from 12 examples. No route leads to a team, so nobody is told yet.');
    expect(suggestionText({ ...one, words: [], state: 'overruled', by: 'ann' })).toBe('Team web was suggested; ann chose another.');
});

test('what people said before is told with how often', () => {
    expect(judgedText({ kind: 'noise: planned work', sort: 'DiskFull on host', times: 3 })).toBe('DiskFull on host: people said “planned work” 3 times.');
    expect(likeText({ number: 1, title: '', resolved_ns: null, fix: '', by: '', cause: '', likeness: 0.716, reasons: [{ kind: 'alert', text: 'DiskFull', share: 1 }] })).toBe('72 % alike: alert DiskFull');
});

test('earlier and later are told apart', () => {
    expect(earlierText(730)).toBe('12 min earlier');
    expect(earlierText(-2)).toBe('2 s later');
    expect(earlierText(null)).toBe('');
});
