import { expect, test } from 'vitest';
import type { Source } from './api';
import { exploreOf, inOrder, lagText, matches, needsCare, onlyThisMachine, skewText, stateSentence } from './sources';

const source = (change: Partial<Source>): Source => ({
    name: 'a', kind: 'syslog', state: 'ok', state_text: '', last_seen_ns: '0', newest_event_ns: '0', batches: 0, records: 0, samples: 0,
    bytes: 0, dropped: 0, duplicates: 0, parse_failures: 0, clock_skew_ns: '0', lag: 0, rate_records: 0, rate_samples: 0,
    expected_every_ns: '0', ...change,
});

test('failing stands first, then silent, then new, then what is well', () => {
    const states = (['ok', 'new', 'silent', 'failing'] as const).map((state) => source({ name: state, state }));
    expect(inOrder(states).map((s) => s.name)).toEqual(['failing', 'silent', 'new', 'ok']);
    expect(states.filter(needsCare).map((s) => s.name)).toEqual(['silent', 'failing']);
});

test('within a state names are in order, and the list given is left as it was', () => {
    const list = [source({ name: 'b' }), source({ name: 'a' })];
    expect(inOrder(list).map((s) => s.name)).toEqual(['a', 'b']);
    expect(list[0].name).toBe('b');
});

test('every word of the filter must be found somewhere', () => {
    const list = [source({ name: 'file:/var/log/x.log', kind: 'file' }), source({ name: 'host', kind: 'host', state: 'silent' })];
    const matching = (filter: string) => list.filter((s) => matches(s, filter)).map((s) => s.name);
    expect(matching('FILE x.log')).toEqual(['file:/var/log/x.log']);
    expect(matching('silent')).toEqual(['host']);
    expect(matching('silent file')).toEqual([]);
    expect(matching('  ')).toHaveLength(2);
});

test('a silent source says for how long and how often it used to send', () => {
    const s = source({ state: 'silent', last_seen_ns: '1000000000', expected_every_ns: '10000000000' });
    expect(stateSentence(s, 61_000)).toBe('Nothing for 1 min; it used to send about every 10 s.'.replace('1 min', '60 s'));
});

test('what a source says of itself is told as it is', () => {
    expect(stateSentence(source({ state: 'failing', state_text: 'connection refused' }), 0)).toBe('connection refused');
    expect(stateSentence(source({ state: 'failing' }), 0)).toBe('The last attempt failed.');
    expect(stateSentence(source({ state: 'new' }), 0)).toBe('Nothing has come from it yet.');
    expect(stateSentence(source({ expected_every_ns: '2000000000' }), 0)).toBe('Sends about every 2 s.');
});

test('files lag in bytes, others in time', () => {
    expect(lagText(source({ kind: 'file', lag: 2048 }))).toBe('2 KiB');
    expect(lagText(source({ kind: 'journald', lag: 120 }))).toBe('2 min');
});

test('a clock is behind, ahead, or right', () => {
    expect(skewText('5000000000')).toBe('5 s behind');
    expect(skewText('-120000000000')).toBe('2 min ahead');
    expect(skewText('900000000')).toBe('0 s');
});

test('a source leads to the query that shows it', () => {
    expect(exploreOf(source({ kind: 'scrape', name: 'scrape:node/10.0.0.1:9100' }))).toEqual({ page: 'metrics', query: 'up{job="node",instance="10.0.0.1:9100"}' });
    expect(exploreOf(source({ kind: 'file', name: 'file:/var/log/a"b' }))?.query).toBe('{path="/var/log/a\\"b"}');
    expect(exploreOf(source({ kind: 'otlp_logs_json' }))?.query).toBe('{source="otlp"}');
    expect(exploreOf(source({ kind: 'remote_write' }))).toBeNull();
});

test('listeners that never heard anything do not count as senders', () => {
    expect(onlyThisMachine([source({ kind: 'host' }), source({ state: 'new' })])).toBe(true);
    expect(onlyThisMachine([source({ kind: 'host' }), source({ kind: 'webhook' })])).toBe(false);
});
