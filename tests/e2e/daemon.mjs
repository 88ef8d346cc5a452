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

// Teams, schedules and runbooks as operators would write them. Nobody listens at the receivers.
const shift = { starts: '2026-01-05T09:00', every: '1w' };
const content = {
    receivers: [{ name: 'mail', webhook: { url: 'http://127.0.0.1:9/mail' } }, { name: 'chat', webhook: { url: 'http://127.0.0.1:9/chat' } }],
    people: [{ name: 'ann', contacts: [{ receiver: 'mail', to: 'ann@example.org' }] }, { name: 'bob', contacts: ['chat'] }, { name: 'cem' }],
    on_call: [
        { name: 'web', time_zone: 'UTC', rotations: [{ people: ['ann', 'bob'], ...shift }] },
        { name: 'database', time_zone: 'UTC', rotations: [{ people: ['cem'], ...shift, hours: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '08:00', to: '18:00' }] }] },
    ],
    teams: [{ name: 'web', on_call: 'web', receivers: ['chat'] }, { name: 'database', on_call: 'database', receivers: ['mail'] }],
    routes: [{ match: ['service=~"postgresql|redis"'], team: 'database' }, { match: [], team: 'web', group_wait: '1s' }],
    runbooks: [{
        name: 'restart-web', sentence: 'Restart ${service}', applies_to: { alerts: ['ShopDown'], kinds: ['service'] }, target: 'service',
        parameters: {
            service: { type: 'entity', kind: 'service' }, mode: { type: 'enum', values: ['soft', 'hard'], value: 'soft' }, keep: { type: 'number', min: 1, max: 30, value: 7 },
        },
        steps: [
            { name: 'stop', exec: ['/usr/bin/echo', 'stopping', '${service}'] }, { name: 'rest', wait: '1s' },
            { name: 'start', exec: ['/usr/bin/echo', 'starting', '${service}', '--keep=${keep}', '--mode=${mode}'] },
        ],
        verify: { after: '1s', within: '30s', stays: '2s' },
    }],
    maintenance: [{ name: 'new year move', match: ['rack=r9'], from: '2030-01-01T00:00', to: '2030-01-01T06:00', time_zone: 'UTC' }],
    freezes: [{ name: 'year end', from: '2030-12-20T00:00:00Z', to: '2031-01-04T00:00:00Z' }],
};

export async function daemonStart(program) {
    const folder = mkdtempSync(join(tmpdir(), 'evenkeel-e2e-'));
    const syslogPort = await freePort();
    const config = join(folder, 'evenkeel.yaml');
    const sources = {
        syslog: { listen: [{ tcp: `127.0.0.1:${syslogPort}` }] }, journald: { directory: join(folder, 'no-journal') },
        file: { files: [] }, scrape: { jobs: [] }, host: { every: 1 },
    };
    writeFileSync(join(folder, 'content.yaml'), '{}');
    writeFileSync(join(folder, 'allow'), '/usr/bin/echo ...\n', { mode: 0o644 });
    const runs = process.getuid() === 0; // the allow-list must be root's
    writeFileSync(config, JSON.stringify({ sources, content: [join(folder, 'content.yaml')], ...(runs ? { launcher: { allow: join(folder, 'allow') } } : {}) }));
    const user = process.getuid() === 0 ? ['--user', 'root'] : [];
    const begin = (http) => launch(program, ['run', '--data', join(folder, 'data'), '--config', config, '--http', http, ...user]);
    const remove = () => rmSync(folder, { recursive: true, force: true });
    // Port 0 would be drawn anew when the configuration is read again.
    let running = await begin(`127.0.0.1:${await freePort()}`).catch((error) => {
        remove();
        throw error;
    });
    const { address, said } = running;
    const first = /First sign-in: (\S+) \/ (\S+)/.exec(said());
    return {
        runs, address, name: first[1], password: first[2], syslogPort, remove,
        stop: () => running.stop(),
        /** Teams, schedules and runbooks from now on: their gaps would be incidents to the steps before. */
        configure: async () => {
            writeFileSync(join(folder, 'content.yaml'), JSON.stringify(content)); // JSON is YAML
            running.reload();
            while (!running.said().includes('follow the new configuration')) await new Promise((done) => setTimeout(done, 100)); // its last word
        },
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
    return { address, stop, reload: () => child.kill('SIGHUP'), said: () => said };
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
