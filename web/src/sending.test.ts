import { expect, test } from 'vitest';
import type { Source } from './api';
import { reachNote, thereOf, ways, waysOf } from './sending';

const listener = (name: string, port: number) => ({ name, kind: 'syslog', state: 'new', state_text: `listens on port ${port}` }) as Source;
const way = (id: string) => ways.find((w) => w.id === id)!;
const local = thereOf({ origin: 'http://127.0.0.1:8400', hostname: '127.0.0.1' }, [listener('syslog-tcp', 6000)]);
const far = thereOf({ origin: 'https://logs.example:8443', hostname: 'logs.example' }, [listener('syslog-tls', 6514)]);

test('what is pasted has the address and the port of this daemon', () => {
    expect(way('rsyslog').text(local)).toContain('target="127.0.0.1" port="6000"');
    expect(way('prometheus').text(local)).toContain('url: http://127.0.0.1:8400/api/v1/write');
    expect(way('otlp').text(far)).toContain('OTEL_EXPORTER_OTLP_ENDPOINT=https://logs.example:8443');
    expect(way('webhook').text(local)).toContain('http://127.0.0.1:8400/api/v1/webhook/');
});

test('from other machines syslog is encrypted and HTTP needs a token; from this one neither', () => {
    expect(way('rsyslog').text(far)).toContain('port="6514"');
    expect(way('rsyslog').text(far)).toContain('StreamDriver="gtls"');
    expect(way('syslog-ng').text(far)).toContain('transport("tls")');
    for (const id of ['prometheus', 'otlp', 'webhook']) {
        expect(way(id).text(far)).toContain('evk_');
        expect(way(id).text(local)).not.toContain('evk_');
    }
});

test('brackets of an IPv6 address are of the address bar only', () => {
    expect(thereOf({ origin: 'http://[::1]:8400', hostname: '[::1]' }, [])).toMatchObject({ host: '::1', loopback: true, syslogPort: 5514 });
});

test('a closed door is told, with the key to it', () => {
    expect(reachNote(way('rsyslog'), local)).toContain('evenkeel listen syslog');
    expect(reachNote(way('webhook'), local)).toContain('evenkeel listen http');
    expect(reachNote(way('rsyslog'), { ...far, tlsPort: null })).toContain('not open');
    expect(reachNote(way('files'), far)).toBe('');
});

test('every kind of source has a way', () => {
    for (const kind of ['syslog', 'file', 'journald', 'otlp_logs', 'otlp_metrics_json', 'webhook', 'remote_write', 'scrape', 'host'])
        expect(waysOf(kind), kind).not.toEqual([]);
});
