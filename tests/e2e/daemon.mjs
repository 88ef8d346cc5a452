// One Evenkeel for the browser to meet: its own folder, free ports, and senders that speak to it as real ones do.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const freePort = () =>
    new Promise((resolve, reject) => {
        const probe = createServer().once('error', reject).listen(0, '127.0.0.1', () => {
            const { port } = probe.address();
            probe.close(() => resolve(port));
        });
    });

export async function daemonStart(program) {
    const folder = mkdtempSync(join(tmpdir(), 'evenkeel-e2e-'));
    const syslogPort = await freePort();
    const config = join(folder, 'evenkeel.yaml');
    const sources = {
        syslog: { listen: [{ tcp: `127.0.0.1:${syslogPort}` }] }, journald: { directory: join(folder, 'no-journal') },
        file: { files: [] }, scrape: { jobs: [] }, host: { every: 1 },
    };
    writeFileSync(config, JSON.stringify({ sources })); // JSON is YAML
    const user = process.getuid() === 0 ? ['--user', 'root'] : [];
    const begin = (http) => launch(program, ['run', '--data', join(folder, 'data'), '--config', config, '--http', http, ...user]);
    const remove = () => rmSync(folder, { recursive: true, force: true });
    let running = await begin('127.0.0.1:0').catch((error) => {
        remove();
        throw error;
    });
    const { address, said } = running;
    const first = /First sign-in: (\S+) \/ (\S+)/.exec(said());
    return {
        address, name: first[1], password: first[2], syslogPort, remove,
        stop: () => running.stop(),
        /** Again after stop, at the same address. */
        start: async () => { running = await begin(new URL(address).host); },
    };
}

// Resolves once the program has told where it listens; what it says last is the first sign-in, where there is one.
async function launch(program, options) {
    const child = spawn(program, options, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const stop = async () => {
        child.kill('SIGTERM');
        const late = setTimeout(() => child.kill('SIGKILL'), 10000);
        await ended;
        clearTimeout(late);
    };
    const address = await new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`the program did not print its address in 20 s:\n${said}`)), 20000);
        const heard = (bytes) => {
            said += bytes;
            const found = /Console: (http:\S+)[^]*\n\n/.exec(said)?.[1]; // an empty line ends what it says at first
            if (!found) return;
            clearTimeout(late);
            resolve(found);
        };
        child.stdout.on('data', heard);
        child.stderr.on('data', heard);
        ended.then((code) => reject(new Error(`the program ended with ${code}:\n${said}`)));
    }).catch(async (error) => {
        await stop();
        throw error;
    });
    return { address, stop, said: () => said };
}

/** Sends RFC 5424 lines over TCP, counted, as rsyslog would. */
export function syslogSend(port, messages) {
    const framed = messages.map(({ severity = 6, host = 'web1', app = 'sshd', time = new Date(), text }) => {
        const line = `<${8 + severity}>1 ${time.toISOString()} ${host} ${app} 4711 - - ${text}`;
        return `${Buffer.byteLength(line)} ${line}`;
    });
    return new Promise((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () => socket.end(framed.join('')));
        socket.once('close', resolve).once('error', reject);
    });
}

export async function post(address, path, token, body) {
    const answer = await fetch(new URL(path, address), {
        method: 'POST', headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` }, body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`POST ${path} answered ${answer.status}: ${await answer.text()}`);
}

const ns = (ms) => (BigInt(Math.round(ms)) * 1000000n).toString();
const named = (values) => Object.entries(values).map(([key, value]) => ({ key, value: { stringValue: String(value) } }));
const resource = (service, host) => ({ attributes: named({ 'service.name': service, 'host.name': host }) });

/** OTLP/HTTP JSON: log records { ms, severity, text, attributes }. */
export const otlpLogs = (service, host, records) => ({
    resourceLogs: [{
        resource: resource(service, host),
        scopeLogs: [{
            logRecords: records.map((r) => ({
                timeUnixNano: ns(r.ms), severityNumber: r.severity, body: { stringValue: r.text }, attributes: named(r.attributes ?? {}),
            })),
        }],
    }],
});

/** OTLP/HTTP JSON: one counter a row of { name, unit, attributes, points: [[ms, value]] }. */
export const otlpCounters = (service, host, counters) => ({
    resourceMetrics: [{
        resource: resource(service, host),
        scopeMetrics: [{
            metrics: counters.map((c) => ({
                name: c.name, description: c.help ?? '', unit: c.unit ?? '1',
                sum: {
                    aggregationTemporality: 2, isMonotonic: true,
                    dataPoints: c.points.map(([ms, value]) => ({ timeUnixNano: ns(ms), asDouble: value, attributes: named(c.attributes ?? {}) })),
                },
            })),
        }],
    }],
});
