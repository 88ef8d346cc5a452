// A stand-in for the daemon while the console is worked on: invented data in the API's shapes, nothing stored, nobody
// kept out. Development only: `node tests/e2e/mock/server.mjs [port]`, sign in as admin / first-sign-in.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../../../web/dist/', import.meta.url));
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

let seed = 7;
const random = () => ((seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff);
const pick = (list) => list[Math.floor(random() * list.length)];
const nowNs = () => BigInt(Date.now()) * 1000000n;

const hosts = ['web1', 'web2', 'db1', 'mail', 'fw-berlin'];
const services = ['nginx', 'postgres', 'sshd', 'postfix', 'kernel', 'checkout'];
const lines = [
    ['info', () => `10.2.${Math.floor(random() * 255)}.17 - - "GET /api/cart/${Math.floor(random() * 90000)} HTTP/1.1" 200 ${Math.floor(random() * 9000)} "-" "Mozilla/5.0"`],
    ['warn', () => `upstream response is buffered to a temporary file while reading upstream, timeout ${Math.floor(random() * 30)} s`],
    ['error', () => `connect() failed (110: Connection timed out) while connecting to upstream, client: 10.2.0.${Math.floor(random() * 255)}`],
    ['debug', () => `checkpoint complete: wrote ${Math.floor(random() * 4000)} buffers (2.4%); 0 WAL file(s) added, 0 removed, 3 recycled`],
    ['info', () => 'Accepted publickey for deploy from 10.9.0.4 port 50122 ssh2: ED25519 SHA256:Vd0[masked]'],
    ['fatal', () => 'PANIC: could not write to file "pg_wal/xlogtemp.4711": No space left on device'],
    ['error', () => 'java.lang.IllegalStateException: cart is closed\n\tat shop.Cart.add(Cart.java:117)\n\tat shop.Checkout.run(Checkout.java:42)\n\tat java.base/java.lang.Thread.run(Thread.java:840)'],
];
let rowNumber = 0;
function row(timeNs) {
    const [severity, text] = random() < 0.6 ? lines[0] : pick(lines);
    return {
        id: `${++rowNumber}.0`, time_ns: timeNs.toString(), severity,
        stream: { host: pick(hosts), service: pick(services), source: pick(['syslog', 'otlp', 'file']) },
        line: text(), attributes: random() < 0.4 ? { pid: String(Math.floor(random() * 30000)), trace_id: 'af9c2e77d0b14c1f' } : {},
    };
}

const users = [{ name: 'admin', role: 'admin', disabled: false }, { name: 'nina', role: 'viewer', disabled: false }];
let tokens = [];
let mustChange = process.env.MOCK_CHANGE === '1';
let signedIn = false;
const empty = process.env.MOCK_EMPTY === '1';

const kinds = [
    ['syslog', 'syslog', 'ok'], ['web1 /var/log/nginx/access.log', 'file', 'ok'], ['journald', 'journald', 'ok'],
    ['node db1:9100', 'scrape', 'failing'], ['prometheus', 'remote_write', 'ok'], ['otlp checkout', 'otlp_logs', 'silent'],
    ['host', 'host', 'ok'], ['deploys', 'webhook', 'new'],
];
let ticks = 0;
function sources() {
    if (empty) return { sources: [] };
    ticks++;
    return {
        sources: kinds.map(([name, kind, state], i) => {
            const metric = ['scrape', 'remote_write', 'host'].includes(kind);
            const flows = state === 'ok';
            const rate = flows ? Math.round((60 + i * 400) * (1 + 0.4 * Math.sin(ticks / 7 + i) + 0.2 * Math.random())) : 0;
            return {
                name, kind, state,
                state_text: { ok: '', silent: 'Nothing for 14 min; it usually speaks every 10 s.', failing: 'connect to db1:9100: Connection refused. Is node_exporter running there?', new: 'Waiting for the first delivery.' }[state],
                last_seen_ns: state === 'new' ? '0' : (nowNs() - (flows ? 300000000n : 840000000000n)).toString(),
                newest_event_ns: (nowNs() - 900000000n).toString(),
                batches: 1200 + ticks, records: metric || state === 'new' ? 0 : 182030 + ticks * rate, samples: metric ? 99123 + ticks * rate : 0,
                bytes: 9123456 + ticks * 4000, dropped: i === 0 ? 12 : 0, duplicates: i === 4 ? 3 : 0, parse_failures: i === 1 ? 41 : 0,
                clock_skew_ns: i === 5 ? '95000000000' : '1200000', lag: i === 1 ? 0.4 : 0,
                rate_records: metric ? 0 : rate, rate_samples: metric ? rate : 0, expected_every_ns: '10000000000',
            };
        }),
    };
}
const status = () => ({
    version: '0.1.0', started_ns: (nowNs() - 7200000000000n).toString(), ready: true,
    journal: { bytes: 52428800, segments: 2, committed_sequence: 182030, state: 'ok' },
    store: { bytes: 734003200, blocks: 2210, days: 3, oldest_ns: (nowNs() - 2n * 86400000000000n).toString(), state: 'ok' },
    disk: { free_bytes: 81604378624, total_bytes: 107374182400 },
    retention: { days: 30, bytes: 21474836480 }, memory_bytes: 41943040, series: 12034, streams: 77,
});

const answers = {
    'POST /api/v1/session': async (q, body) => {
        if (!body.password || body.password === 'wrong') return [401, { status: 'error', errorType: 'unauthorized', error: 'Name or password is wrong. After ten wrong attempts sign-in pauses for a minute.' }];
        signedIn = true;
        return [200, session()];
    },
    'GET /api/v1/session': async () => (signedIn ? [200, session()] : [401, { status: 'error', errorType: 'unauthorized', error: 'Not signed in.' }]),
    'DELETE /api/v1/session': async () => ((signedIn = false), [200, {}]),
    'POST /api/v1/session/password': async () => ((mustChange = false), [200, {}]),
    'GET /api/v1/sources': async () => [200, sources()],
    'GET /api/v1/status': async () => [200, status()],
    'GET /api/v1/logs': async (q) => {
        await new Promise((r) => setTimeout(r, 120));
        if (q.get('query').includes('error{')) return [400, { status: 'error', errorType: 'bad_data', error: '1:6: parse error: a stream selector begins with "{"' }];
        if (empty || q.get('query').includes('nothing')) return [200, { rows: [], stats: {}, more: false }];
        const end = BigInt(q.get('end'));
        const span = end - BigInt(q.get('start'));
        const limit = Number(q.get('limit'));
        return [200, { rows: Array.from({ length: limit }, (_, i) => row(end - (span * BigInt(i)) / BigInt(limit * 20) - 1n)), stats: {}, more: true }];
    },
    'GET /api/v1/logs/histogram': async (q) => {
        const [start, end, n] = [BigInt(q.get('start')), BigInt(q.get('end')), Number(q.get('buckets'))];
        const step = (end - start) / BigInt(n);
        return [200, {
            start_ns: start.toString(), step_ns: step.toString(),
            buckets: empty ? [] : Array.from({ length: n }, (_, i) => ({
                time_ns: (start + step * BigInt(i)).toString(),
                counts: { info: Math.round(200 + 90 * Math.sin(i / 6) + 30 * random()), warn: Math.round(20 * random()), error: i > n * 0.7 && i < n * 0.8 ? 160 : Math.round(4 * random()), debug: 30 },
            })),
        }];
    },
    'GET /api/v1/logs/context': async (q) => {
        const centre = row(nowNs());
        centre.id = q.get('id');
        const n = Number(q.get('before')), m = Number(q.get('after'));
        return [200, { rows: [...Array.from({ length: n }, () => row(nowNs() - 1000000n)), centre, ...Array.from({ length: m }, () => row(nowNs() + 1000000n))], more: true }];
    },
    'GET /api/v1/labels': async () => [200, { status: 'success', data: ['__name__', 'cpu', 'device', 'host', 'instance', 'job', 'mode', 'mountpoint'] }],
    'GET /api/v1/query_range': async (q) => {
        await new Promise((r) => setTimeout(r, 80));
        if (empty) return [200, { status: 'success', data: { resultType: 'matrix', result: [] } }];
        const bad = q.get('query').indexOf('((');
        if (bad >= 0) return [400, { status: 'error', errorType: 'bad_data', error: `1:${bad + 2}: parse error: unexpected "("` }];
        const [start, end, step] = ['start', 'end', 'step'].map((k) => Number(q.get(k)));
        const bytesLike = q.get('query').includes('bytes');
        return [200, {
            status: 'success',
            data: { resultType: 'matrix', result: hosts.slice(0, q.get('query').startsWith('sum') ? 1 : 5).map((host, h) => ({
                metric: { __name__: 'node_load1', instance: `${host}:9100`, job: 'node' },
                values: Array.from({ length: Math.floor((end - start) / step) + 1 }, (_, i) => [start + i * step, String((bytesLike ? 4e9 : 1) * (2 + h + Math.sin((start + i * step) / 700 + h) + 0.3 * random()))]).filter((_, i) => h !== 2 || i % 90 > 12),
            })) },
        }];
    },
    'GET /api/v1/query': async () => [200, { status: 'success', data: { resultType: 'vector', result: hosts.map((host, h) => ({ metric: { __name__: 'node_load1', instance: `${host}:9100`, job: 'node' }, value: [Date.now() / 1e3, String(h + 0.25)] })) } }],
    'GET /api/v1/users': async () => [200, { users }],
    'POST /api/v1/users': async (q, body) => (users.push({ ...body, password: undefined, disabled: false }), [200, {}]),
    'GET /api/v1/tokens': async () => [200, { tokens: tokens.map(({ token, ...t }) => t) }],
    'POST /api/v1/tokens': async (q, body) => {
        const token = { id: String(tokens.length + 1), ...body, created_ns: nowNs().toString(), token: 'ek_3f9a0c7712b84e15a6d0' };
        tokens.push(token);
        return [200, token];
    },
    'POST /api/v1/redact/test': async (q, body) => [200, { text: body.text.replace(/(password[=: ]+)\S+/gi, '$1[masked]'), masked: (body.text.match(/password[=: ]+\S+/gi) ?? []).length }],
    'POST /api/v1/backup': async (q, body) => [200, { directory: body.directory, bytes: 734003200, seconds: 3.1 }],
};
const session = () => ({ user: { name: 'admin', role: 'admin', must_change_password: mustChange }, csrf: 'c5' });

const names = ['node_cpu_seconds_total', 'node_load1', 'node_load5', 'node_memory_MemAvailable_bytes', 'node_network_receive_bytes_total', 'node_filesystem_avail_bytes', 'http_request_duration_seconds_bucket', 'up'];

function events(response, every, make) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    const timer = setInterval(() => make((name, value) => response.write(`event: ${name}\ndata: ${JSON.stringify(value)}\n\n`)), every);
    response.on('close', () => clearInterval(timer));
}

async function api(request, response, url) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = chunks.length ? JSON.parse(Buffer.concat(chunks)) : {};
    if (url.pathname === '/api/v1/live') return events(response, 1000, (send) => { send('sources', sources()); send('status', status()); });
    if (url.pathname === '/api/v1/logs/tail') return events(response, 300, (send) => { if (!empty) for (let i = 0; i < 3; i++) send('row', row(nowNs())); });
    let found = answers[`${request.method} ${url.pathname}`];
    if (/^\/api\/v1\/label\/.+\/values$/.test(url.pathname)) found = async () => [200, { status: 'success', data: url.pathname.includes('__name__') ? names : hosts.map((h) => `${h}:9100`) }];
    if (request.method === 'DELETE' && url.pathname.startsWith('/api/v1/tokens/')) found = async () => ((tokens = tokens.filter((t) => t.id !== url.pathname.split('/').pop())), [200, {}]);
    if (request.method === 'POST' && url.pathname.startsWith('/api/v1/users/')) found = async () => (Object.assign(users.find((u) => u.name === url.pathname.split('/').pop()), body), [200, {}]);
    const [code, answer] = found ? await found(url.searchParams, body) : [404, { status: 'error', errorType: 'not_found', error: `There is nothing at ${url.pathname}.` }];
    response.writeHead(code, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
}

createServer(async (request, response) => {
    const url = new URL(request.url, 'http://mock');
    try {
        if (url.pathname.startsWith('/api/')) return await api(request, response, url);
        const path = join(dist, normalize(url.pathname === '/' ? '/index.html' : url.pathname));
        const text = await readFile(path);
        response.writeHead(200, { 'Content-Type': types[extname(path)] ?? 'application/octet-stream', 'Content-Security-Policy': csp }).end(text);
    } catch (error) {
        response.writeHead(404).end(String(error));
    }
}).listen(Number(process.argv[2] ?? 0), '127.0.0.1', function () {
    console.log(`http://127.0.0.1:${this.address().port}`);
});
