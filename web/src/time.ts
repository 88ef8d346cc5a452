// Time: ranges a person can type and share, and instants as people read them. Nanoseconds are BigInt or decimal text
// throughout: a number would lose the last digits.

export interface TimeRange {
    from: string; // "now-1h", "now", or an instant as RFC 3339
    to: string;
}

export const presets: { range: TimeRange; label: string }[] = [
    { range: { from: 'now-5m', to: 'now' }, label: 'Last 5 minutes' },
    { range: { from: 'now-15m', to: 'now' }, label: 'Last 15 minutes' },
    { range: { from: 'now-1h', to: 'now' }, label: 'Last hour' },
    { range: { from: 'now-3h', to: 'now' }, label: 'Last 3 hours' },
    { range: { from: 'now-6h', to: 'now' }, label: 'Last 6 hours' },
    { range: { from: 'now-12h', to: 'now' }, label: 'Last 12 hours' },
    { range: { from: 'now-1d', to: 'now' }, label: 'Last 24 hours' },
    { range: { from: 'now-2d', to: 'now' }, label: 'Last 2 days' },
    { range: { from: 'now-7d', to: 'now' }, label: 'Last 7 days' },
    { range: { from: 'now-30d', to: 'now' }, label: 'Last 30 days' },
];

const unitMs: Record<string, number> = { s: 1e3, m: 60e3, h: 3600e3, d: 86400e3, w: 604800e3 };

/** Milliseconds of "now", "now-90m", "2026-11-22 16:05", RFC 3339; null when it is none of them. */
export function instantMs(text: string, nowMs: number): number | null {
    const trimmed = text.trim();
    if (trimmed === 'now') return nowMs;
    const relative = /^now-(\d+(?:\.\d+)?)([smhdw])$/.exec(trimmed);
    if (relative) return nowMs - Number(relative[1]) * unitMs[relative[2]];
    if (!/^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/.test(trimmed)) return null;
    const local = trimmed.length === 10 ? `${trimmed}T00:00` : trimmed.replace(' ', 'T');
    const ms = Date.parse(local);
    return Number.isNaN(ms) ? null : ms;
}

/** Both ends, or the sentence that says what is wrong with them. */
export function rangeMs(range: TimeRange, nowMs: number): { startMs: number; endMs: number } | { problem: string } {
    const startMs = instantMs(range.from, nowMs);
    const endMs = instantMs(range.to, nowMs);
    if (startMs === null) return { problem: `"${range.from}" is not a time. Write now-1h or 2026-11-22 16:05.` };
    if (endMs === null) return { problem: `"${range.to}" is not a time. Write now or 2026-11-22 17:05.` };
    if (startMs >= endMs) return { problem: 'The range ends before it begins.' };
    return { startMs, endMs };
}

export function rangeLabel(range: TimeRange): string {
    const preset = presets.find((p) => p.range.from === range.from && p.range.to === range.to);
    if (preset) return preset.label;
    const relative = /^now-(.+)$/.exec(range.from);
    if (relative && range.to === 'now') return `Last ${relative[1]}`;
    return `${shortInstant(range.from)} – ${shortInstant(range.to)}`;
}

function shortInstant(text: string): string {
    if (text.startsWith('now')) return text;
    const ms = instantMs(text, 0);
    if (ms === null) return text;
    return localStamp(ms).slice(5, 16);
}

/** A range of instants, as a drag over a chart makes it. */
export function absoluteRange(startMs: number, endMs: number): TimeRange {
    return { from: new Date(Math.round(startMs)).toISOString(), to: new Date(Math.round(endMs)).toISOString() };
}

/** Steps that people expect on an axis, so that at most `points` are asked for. */
export function autoStepSeconds(startMs: number, endMs: number, points = 360): number {
    const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400];
    const wanted = (endMs - startMs) / 1e3 / points;
    return steps.find((step) => step >= wanted) ?? Math.ceil(wanted / 86400) * 86400;
}

const two = (n: number) => String(n).padStart(2, '0');

/** 2026-11-22 16:05:57 in the reader's own time zone. */
export function localStamp(ms: number): string {
    const d = new Date(ms);
    return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

export function nsOf(value: string | number | bigint | null | undefined): bigint {
    if (value === null || value === undefined || value === '') return 0n;
    try {
        return BigInt(typeof value === 'number' ? Math.round(value) : value);
    } catch {
        return 0n;
    }
}

export const msOfNs = (ns: string | number | bigint) => Number(nsOf(ns) / 1000000n);
export const nsOfMs = (ms: number) => (BigInt(Math.round(ms)) * 1000000n).toString();

/** 2026-11-22 16:05:57.123456789, all digits that are not zero in groups of three. */
export function exactStamp(ns: string | number | bigint): string {
    const value = nsOf(ns);
    const fraction = String(((value % 1000000000n) + 1000000000n) % 1000000000n).padStart(9, '0');
    return `${localStamp(msOfNs(value))}.${fraction.replace(/(000){1,2}$/, '')}`;
}

/** The stamp of a log line: with the day only when it is not today's. */
export function lineStamp(ns: string | bigint, nowMs: number): string {
    const ms = msOfNs(ns);
    const stamp = localStamp(ms);
    const clock = `${stamp.slice(11)}.${String(((ms % 1000) + 1000) % 1000).padStart(3, '0')}`;
    return stamp.slice(0, 10) === localStamp(nowMs).slice(0, 10) ? clock : `${stamp.slice(5, 10)} ${clock}`;
}

/** "now", "12 s ago", "3 min ago"; "never" for 0. */
export function ago(ns: string | number | bigint, nowMs: number): string {
    const value = nsOf(ns);
    if (value === 0n) return 'never';
    const seconds = (nowMs - msOfNs(value)) / 1e3;
    if (seconds < -2) return `in ${span(-seconds)}`;
    return seconds < 2 ? 'now' : `${span(seconds)} ago`;
}

/** One or two figures of a length of time: "850 ms", "12 s", "3 min", "2 h 5 min", "4 d". */
export function span(seconds: number): string {
    const s = Math.abs(seconds);
    if (s < 1e-3) return s === 0 ? '0 s' : `${Math.round(s * 1e6)} µs`;
    if (s < 1) return `${Math.round(s * 1e3)} ms`;
    if (s < 10) return `${Number(s.toFixed(1))} s`;
    if (s < 90) return `${Math.round(s)} s`;
    if (s < 5400) return `${Math.round(s / 60)} min`;
    if (s < 172800) {
        const hours = Math.floor(s / 3600);
        const minutes = Math.round((s % 3600) / 60);
        return s < 36000 && minutes > 0 && minutes < 60 ? `${hours} h ${minutes} min` : `${Math.round(s / 3600)} h`;
    }
    return `${Math.round(s / 86400)} d`;
}
