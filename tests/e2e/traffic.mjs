// A small shop's last hour, for the console to show: lines and counters that rise and fall as real ones do.
import { otlpCounters, otlpLogs, post, syslogSend } from './daemon.mjs';

let seed = 7;
const random = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
const pick = (list) => list[Math.floor(random() * list.length)];

const hourMs = 3600e3;
const swell = (ms) => 1 + 0.45 * Math.sin(ms / 700e3) + 0.25 * Math.sin(ms / 170e3);

const shopLines = [
    [9, () => `order ${100000 + Math.floor(random() * 9e5)} placed, ${1 + Math.floor(random() * 6)} items, EUR ${(random() * 200).toFixed(2)}`],
    [9, () => `GET /api/cart/${Math.floor(random() * 9e4)} 200 ${Math.floor(random() * 90)} ms`],
    [9, () => `GET /api/articles?page=${Math.floor(random() * 40)} 200 ${Math.floor(random() * 120)} ms`],
    [5, () => `cache miss for article ${Math.floor(random() * 9e4)}, filled in ${Math.floor(random() * 30)} ms`],
    [13, () => `payment provider answered after ${2 + Math.floor(random() * 6)} s, limit is 2 s`],
    [17, () => 'java.lang.IllegalStateException: cart is closed\n\tat shop.Cart.add(Cart.java:117)\n\tat shop.Checkout.run(Checkout.java:42)'],
];

export async function trafficSend(daemon, token) {
    const now = Date.now();
    const records = (count, lines, bias) =>
        Array.from({ length: count }, () => {
            let ms = now - random() * hourMs;
            if (random() > swell(ms) / 1.7) ms = now - random() * hourMs * 0.6;
            const [severity, text] = random() < bias ? pick(lines.slice(0, 4)) : pick(lines);
            return { ms, severity, text: text(), attributes: { trace_id: Math.floor(random() * 2 ** 48).toString(16), region: pick(['eu-1', 'eu-2']) } };
        }).sort((a, b) => a.ms - b.ms);
    await post(daemon.address, '/v1/logs', token, otlpLogs('checkout', 'shop1', records(900, shopLines, 0.8)));
    await post(daemon.address, '/v1/logs', token, otlpLogs('catalogue', 'shop2', records(700, shopLines.slice(1, 4), 1)));

    const counters = ['/cart', '/checkout', '/articles', '/login'].map((route, i) => {
        let total = 1000 * (i + 1);
        const points = [];
        for (let ms = now - hourMs; ms <= now; ms += 15e3) points.push([ms, (total += Math.round((4 + i * 3) * 15 * swell(ms + i * 400e3) * (0.9 + 0.2 * random())))]);
        return { name: 'http_server_requests', help: 'Requests answered', attributes: { route }, points };
    });
    let sent = 5e8;
    const bytes = { name: 'http_server_sent', unit: 'By', help: 'Bytes sent to clients', attributes: {}, points: [] };
    for (let ms = now - hourMs; ms <= now; ms += 15e3) if (ms < now - 0.55 * hourMs || ms > now - 0.42 * hourMs) bytes.points.push([ms, (sent += Math.round(3e6 * 15 * swell(ms)))]);
    let retries = 100;
    const retried = { name: 'payment_retries', help: 'Payments tried again', attributes: {}, points: [] };
    for (let ms = now - hourMs; ms <= now; ms += 15e3) retried.points.push([ms, (retries += ms < now - 0.15 * hourMs ? 7 + Math.round(2 * random()) : 300)]);
    await post(daemon.address, '/v1/metrics', token, otlpCounters('checkout', 'shop1', [...counters, bytes, retried]));

    await post(daemon.address, '/api/v1/webhook/deploys', token, [
        { event: 'deployment', version: '4.2.0', by: 'nina', state: 'succeeded' }, { event: 'deployment', version: '4.2.1', by: 'omar', state: 'failed' },
    ]);
    await syslogSend(daemon.syslogPort, Array.from({ length: 240 }, (_, i) => ({
        time: new Date(now - (240 - i) * 14e3), host: pick(['web1', 'web2', 'fw-berlin']), app: pick(['sshd', 'nginx', 'kernel']), severity: pick([6, 6, 6, 5, 4, 3]),
        text: pick(['Accepted publickey for deploy from 10.9.0.4 port 50122 ssh2', '10.2.7.17 "GET /api/cart HTTP/1.1" 200 512', 'Failed password for invalid user oracle from 203.0.113.9 port 39022 ssh2',
            'upstream timed out (110: Connection timed out) while connecting to upstream', 'nf_conntrack: table full, dropping packet']),
    })));
}
