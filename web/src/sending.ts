// What to paste where, so that something sends to this daemon: a row a way. Addresses are those of the daemon that
// served this page, so that nothing needs to be filled in.
import type { Source } from './api';

export interface There {
    origin: string; // http://127.0.0.1:8400
    host: string;
    loopback: boolean; // only this machine reaches it; it needs no token then
    syslogPort: number;
    listensTcp: boolean;
    tlsPort: number | null;
}

export interface Way {
    id: string;
    title: string;
    kinds: string[];
    where: string;
    note: string;
    text: (there: There) => string;
}

const port = (sources: Source[], name: string) =>
    Number(/port (\d+)/.exec(sources.find((s) => s.name === name)?.state_text ?? '')?.[1] ?? 0) || null;

export function thereOf(location: { origin: string; hostname: string }, sources: Source[]): There {
    const host = location.hostname.replace(/^\[|\]$/g, '');
    return {
        origin: location.origin,
        host,
        loopback: host === 'localhost' || host === '::1' || host.startsWith('127.'),
        syslogPort: port(sources, 'syslog-tcp') ?? 5514,
        listensTcp: sources.some((s) => s.name === 'syslog-tcp'),
        tlsPort: port(sources, 'syslog-tls'),
    };
}

const encrypted = (there: There) => !there.loopback && there.tlsPort !== null;
const target = (there: There) => `target="${there.host}" port="${encrypted(there) ? there.tlsPort : there.syslogPort}" protocol="tcp"`;
const driver = (there: There) =>
    `       StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="x509/name"\n       StreamDriverPermittedPeers="${there.host}"\n`;
const authority = '/etc/ssl/evenkeel.pem'; // where `evenkeel listen` tells senders to put the certificate

export const ways: Way[] = [
    {
        id: 'rsyslog', title: 'rsyslog', kinds: ['syslog'],
        where: '/etc/rsyslog.d/60-evenkeel.conf, then: systemctl restart rsyslog',
        note: 'Framing by length and a queue on disk: a restart of either side loses nothing that rsyslog still has.',
        text: (there) =>
            (encrypted(there) ? `global(DefaultNetstreamDriverCAFile="${authority}")\n` : '') +
            `*.* action(type="omfwd" ${target(there)}\n       TCP_Framing="octet-counted"\n` + (encrypted(there) ? driver(there) : '') +
            `       template="RSYSLOG_SyslogProtocol23Format"\n` +
            `       queue.type="LinkedList" queue.filename="evenkeel" queue.saveOnShutdown="on"\n       action.resumeRetryCount="-1")\n`,
    },
    {
        id: 'syslog-ng', title: 'syslog-ng', kinds: ['syslog'],
        where: '/etc/syslog-ng/conf.d/evenkeel.conf, then: systemctl reload syslog-ng',
        note: 'The source is called s_src on Debian; elsewhere it may be s_sys or s_local.',
        text: (there) =>
            `destination d_evenkeel {\n    syslog("${there.host}" port(${encrypted(there) ? there.tlsPort : there.syslogPort}) ` +
            `transport("${encrypted(there) ? 'tls' : 'tcp'}")${encrypted(there) ? ` tls(ca-file("${authority}"))` : ''}\n` +
            `        disk-buffer(reliable(yes) disk-buf-size(1073741824)));\n};\nlog { source(s_src); destination(d_evenkeel); };\n`,
    },
    {
        id: 'prometheus', title: 'Prometheus', kinds: ['remote_write'],
        where: 'prometheus.yml, then: kill -HUP of Prometheus',
        note: 'Remote write 1.0. Prometheus keeps what could not be sent and sends it later.',
        text: (there) =>
            `remote_write:\n  - url: ${there.origin}/api/v1/write\n` +
            (there.loopback ? '' : `    authorization: { credentials: "evk_..." }\n`) + `    queue_config: { max_samples_per_send: 10000 }\n`,
    },
    {
        id: 'otlp', title: 'OpenTelemetry', kinds: ['otlp_logs', 'otlp_logs_json', 'otlp_metrics', 'otlp_metrics_json'],
        where: 'the environment of your program (any OpenTelemetry SDK)',
        note: 'Logs and metrics by OTLP/HTTP, protobuf or JSON. The Collector\'s otlphttp exporter takes the same address as "endpoint".',
        text: (there) =>
            `OTEL_EXPORTER_OTLP_ENDPOINT=${there.origin}\nOTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n` +
            `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=cumulative\nOTEL_TRACES_EXPORTER=none\n` +
            (there.loopback ? '' : 'OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20evk_..."\n'),
    },
    {
        id: 'webhook', title: 'Webhook', kinds: ['webhook'],
        where: 'a shell, or the address of any program that posts JSON',
        note: 'The last part of the address names the source. Every object becomes a record; a mapping in evenkeel.yaml (webhooks) says which field is what.',
        text: (there) =>
            `curl ${there.origin}/api/v1/webhook/hello \\\n    -H 'Content-Type: application/json' \\\n` +
            (there.loopback ? '' : `    -H 'Authorization: Bearer evk_...' \\\n`) + `    -d '{"message": "hello from curl", "level": "info"}'\n`,
    },
    {
        id: 'files', title: 'Log files', kinds: ['file'],
        where: 'evenkeel.yaml, then: kill -HUP of Evenkeel',
        note: 'Paths on this machine; * stands for any name. Rotation is followed, stack traces stay one record.',
        text: () => `sources:\n  file:\n    files:\n      - path: /var/log/nginx/*.log\n        service: nginx\n`,
    },
    {
        id: 'scrape', title: 'Scraping', kinds: ['scrape'],
        where: 'evenkeel.yaml, then: kill -HUP of Evenkeel',
        note: 'Evenkeel asks targets that speak Prometheus\' text format or OpenMetrics. Every target is a source of its own.',
        text: () =>
            `sources:\n  scrape:\n    jobs:\n      - job: node\n        targets: ["10.0.0.1:9100", "10.0.0.2:9100"]\n        every: 15s\n`,
    },
    {
        id: 'journald', title: 'systemd journal', kinds: ['journald'],
        where: 'a shell on this machine, as root',
        note: 'The journal of this machine is read without configuration; the user that Evenkeel runs as must be in its group.',
        text: () => 'usermod --append --groups systemd-journal evenkeel\nsystemctl restart evenkeel\n',
    },
    {
        id: 'host', title: 'This machine', kinds: ['host'],
        where: 'evenkeel.yaml, then: kill -HUP of Evenkeel',
        note: 'On without configuration. These are the keys it has.',
        text: () => 'sources:\n  host:\n    every: 10        # seconds\n    processes: 10    # how many of the busiest to list\n',
    },
];

/** What to do first when senders are on other machines; empty when nothing stands in the way. */
export function reachNote(way: Way, there: There): string {
    if (['files', 'scrape', 'journald', 'host'].includes(way.id)) return '';
    const syslog = way.kinds.includes('syslog');
    if (there.loopback)
        return `This address is reached from this machine only. To let others in, run on it: evenkeel listen ${syslog ? 'syslog 0.0.0.0:6514' : 'http 0.0.0.0:8443'}. It opens the address with TLS and prints what they need.`;
    if (syslog && there.tlsPort === null)
        return 'Syslog is not open to other machines yet. On the daemon\'s machine run: evenkeel listen syslog 0.0.0.0:6514. It prints what to paste here.';
    return syslog ? `The certificate that evenkeel listen made must be on the sender as ${authority}.` : 'Put a token with the scope "ingest" in place of evk_... (Settings, Tokens).';
}

export const waysOf = (kind: string) => ways.filter((way) => way.kinds.includes(kind));
