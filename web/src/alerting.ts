// Alerts, silences and maintenance, who is on call: the calls, and how a person reads them.
import { get, post, query, remove } from './api';
import { localStamp, msOfNs, nsOf, span } from './time';

export interface KnownAlert {
    id: string;
    name: string;
    incident: string | null;
    incident_number: number | null;
    state: 'firing' | 'resolved' | 'expired';
    severity: string;
    origin: string;
    is_held: boolean;
    held_why: string;
    is_flapping: boolean;
    times: number;
    flaps: number;
    starts_ns: string | null;
    ends_ns: string | null;
    changed_ns: string | null;
    value: number | null;
    labels: Record<string, string>;
    annotations: Record<string, string>;
    source: string;
    evidence: string;
    generator_url: string;
}
export interface Why {
    time_ns: string;
    decision: string;
    reasons: { kind: string; weight?: number; sentence: string }[];
}
export interface Matcher {
    name: string;
    value: string;
    isRegex: boolean;
    isEqual: boolean;
}
export interface Silence {
    id: string;
    status: { state: 'active' | 'pending' | 'expired' };
    comment: string;
    createdBy: string;
    startsAt: string;
    endsAt: string;
    matchers: Matcher[];
    maintenance: boolean;
    is_declared?: boolean;
}
interface Declared {
    name: string;
    comment: string;
    matchers: Matcher[];
    from_ns: string;
    to_ns: string;
}
/** Maintenance of a file, as a silence that nobody here can end. */
export const declared = (d: Declared): Silence => ({
    id: `file ${d.name}`, status: { state: 'active' }, comment: d.comment ? `${d.name}: ${d.comment}` : d.name, createdBy: 'a file', is_declared: true,
    startsAt: new Date(msOfNs(d.from_ns)).toISOString(), endsAt: new Date(msOfNs(d.to_ns)).toISOString(), matchers: d.matchers, maintenance: true,
});
/** As Alertmanager tells them: only those that fire. */
export interface FiringAlert {
    labels: Record<string, string>;
    annotations: Record<string, string>;
    startsAt: string;
    status: { state: string; silencedBy: string[]; inhibitedBy: string[] };
}

export const alerting = {
    alerts: (p: { state: 'firing' | 'resolved' | 'all'; limit: number }, signal?: AbortSignal) =>
        get<{ alerts: KnownAlert[] }>(`/api/v1/alerts/known?${query(p)}`, signal),
    why: (id: string, signal?: AbortSignal) => get<{ alert: KnownAlert; why: Why[] }>(`/api/v1/alerts/${encodeURIComponent(id)}/why`, signal),
    /** Those that fire and match all of the matchers. */
    firing: (matchers: Matcher[], signal?: AbortSignal) => {
        const search = new URLSearchParams(matchers.map((m) => ['filter', matcherText(m)]));
        return get<FiringAlert[]>(`/api/v2/alerts?${search}`, signal);
    },
    /** Those that people made, and the maintenance that files declare. */
    async silences(signal?: AbortSignal): Promise<Silence[]> {
        const [made, files] = await Promise.all([get<Silence[]>('/api/v2/silences', signal), get<{ maintenance: Declared[] }>('/api/v1/maintenance', signal)]);
        return [...made, ...files.maintenance.map(declared)];
    },
    silence: (s: { id?: string; matchers: Matcher[]; startsAt: string; endsAt: string; createdBy: string; comment: string }) =>
        post<{ silenceID: string }>('/api/v2/silences', s),
    maintain: (m: { matchers: Matcher[]; starts_ns: number; ends_ns: number; comment: string }) => post('/api/v1/maintenance', m),
    expire: (id: string) => remove(`/api/v2/silence/${encodeURIComponent(id)}`),
};

/* --- labels and matchers ------------------------------------------------------------------------------------------------- */

/** What an alert is told apart by, for people: its name and severity stand elsewhere. */
export const chipsOf = (labels: Record<string, string>) =>
    Object.entries(labels).filter(([name]) => name !== 'alertname' && name !== 'severity').sort(([a], [b]) => a.localeCompare(b));

const operators: [string, boolean, boolean][] = [['=', false, true], ['!=', false, false], ['=~', true, true], ['!~', true, false]];
export const operatorTexts = operators.map(([text]) => text);
export const operatorOf = (m: Matcher) => operators.find(([, isRegex, isEqual]) => isRegex === m.isRegex && isEqual === m.isEqual)![0];
export const withOperator = (m: Matcher, text: string): Matcher => {
    const [, isRegex, isEqual] = operators.find(([t]) => t === text) ?? operators[0];
    return { ...m, isRegex, isEqual };
};
const quoted = (value: string) => `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
/** host=~"web.*", as Alertmanager's own tools write it. */
export const matcherText = (m: Matcher) => `${m.name}${operatorOf(m)}${quoted(m.value)}`;

// What changes from one firing of the same trouble to the next would make a silence that never matches again.
const passing = new Set(['severity', 'pod', 'pod_uid', 'container_id', 'uid', 'value']);
/** A silence for this alert, to begin with: its labels that last. */
export const matchersFor = (labels: Record<string, string>): Matcher[] =>
    Object.entries(labels).filter(([name]) => !passing.has(name)).sort(([a], [b]) => (a === 'alertname' ? -1 : b === 'alertname' ? 1 : a.localeCompare(b)))
        .map(([name, value]) => ({ name, value, isRegex: false, isEqual: true }));

/* --- the state of an alert ----------------------------------------------------------------------------------------------- */

export type AlertState = 'firing' | 'silenced' | 'held' | 'resolved';
const identity = (labels: Record<string, string>) => JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Which alerts are kept quiet now, by a silence or by another alert. */
export function quietOnes(firing: FiringAlert[]): Map<string, FiringAlert['status']> {
    return new Map(firing.filter((a) => a.status.silencedBy.length || a.status.inhibitedBy.length).map((a) => [identity(a.labels), a.status]));
}
export const quietOf = (alert: KnownAlert, quiet: ReturnType<typeof quietOnes>) => quiet.get(identity(alert.labels)) ?? null;

export function stateOf(alert: KnownAlert, quiet: ReturnType<typeof quietOnes>): AlertState {
    if (alert.state !== 'firing') return 'resolved';
    if (alert.is_held) return 'held';
    return quietOf(alert, quiet) ? 'silenced' : 'firing';
}

export const summaryOf = (alert: { annotations: Record<string, string>; name?: string }) =>
    alert.annotations.summary || alert.annotations.description || alert.annotations.message || '';

/** All words of the filter stand somewhere in it; name=value finds a label. */
export function alertMatches(alert: KnownAlert, filter: string): boolean {
    const text = `${alert.name} ${alert.severity} ${summaryOf(alert)} ${Object.entries(alert.labels).map(([n, v]) => `${n}=${v}`).join(' ')} #${alert.incident_number ?? ''}`.toLowerCase();
    return filter.toLowerCase().split(/\s+/).every((word) => text.includes(word.replaceAll('"', '')));
}

const ranks: Record<string, number> = { critical: 0, error: 1, warning: 2, info: 3 };
export const severityRank = (severity: string) => ranks[severity] ?? 4;

/* --- lengths of time ------------------------------------------------------------------------------------------------------ */

export const durations: { label: string; seconds: number }[] = [
    { label: '1 hour', seconds: 3600 }, { label: '4 hours', seconds: 4 * 3600 }, { label: '8 hours', seconds: 8 * 3600 },
    { label: '1 day', seconds: 86400 }, { label: '3 days', seconds: 3 * 86400 }, { label: '1 week', seconds: 7 * 86400 },
];
/** "2 h left", "begins in 3 h", "ended 20 min ago". */
export function silenceTimes(s: Silence, nowMs: number): string {
    const from = Date.parse(s.startsAt);
    const to = Date.parse(s.endsAt);
    if (to <= nowMs) return `ended ${span((nowMs - to) / 1e3)} ago`;
    if (from > nowMs) return `begins in ${span((from - nowMs) / 1e3)}, for ${span((to - from) / 1e3)}`;
    return `${span((to - nowMs) / 1e3)} left`;
}
/** What <input type="datetime-local"> takes. */
export const inputStamp = (ms: number) => localStamp(ms).slice(0, 16).replace(' ', 'T');

/* --- on call -------------------------------------------------------------------------------------------------------------- */

export interface Shift {
    from_ns: string;
    to_ns: string;
    person: string; // '': nobody
    is_override: boolean;
}
export interface Schedule {
    name: string;
    now: string;
    next: string | null;
    next_ns: string | null;
    gaps: { from_ns: string; to_ns: string }[];
    shifts: Shift[];
}
export interface Override {
    id: string;
    schedule: string;
    person: string;
    from_ns: string;
    to_ns: string;
    by: string;
}
export interface OnCall {
    schedules: Schedule[];
    overrides: Override[];
    teams: { name: string; on_call: string; people: string[] }[];
    people: { name: string; contacts: { receiver: string; to: string }[] }[];
}
export const onCall = {
    show: (signal?: AbortSignal) => get<OnCall>('/api/v1/on-call', signal),
    override: (schedule: string, o: { person: string; from_ns: number; to_ns: number }) => post(`/api/v1/on-call/${encodeURIComponent(schedule)}/override`, o),
    endOverride: (schedule: string, id: string) => remove(`/api/v1/on-call/${encodeURIComponent(schedule)}/override/${encodeURIComponent(id)}`),
};

export interface Stretch extends Shift {
    left: number; // in percent of the strip
    width: number;
}
/** Shifts laid out over a strip of days that begins at local midnight. */
export function stretches(shifts: Shift[], fromMs: number, days: number): Stretch[] {
    const whole = days * 86400e3;
    return shifts.map((shift) => {
        const from = Math.max(msOfNs(shift.from_ns), fromMs);
        const to = Math.min(msOfNs(shift.to_ns), fromMs + whole);
        return { ...shift, left: ((from - fromMs) / whole) * 100, width: ((to - from) / whole) * 100 };
    }).filter((s) => s.width > 0);
}
export const localMidnight = (ms: number) => new Date(new Date(ms).setHours(0, 0, 0, 0)).getTime();

/** A tone of the palette for a person, the same wherever the person stands. */
export const toneOf = (person: string, people: string[]) => Math.max(0, people.indexOf(person)) % 6;

export const shiftText = (s: { from_ns: string; to_ns: string }) => `${localStamp(msOfNs(s.from_ns)).slice(5, 16)} – ${localStamp(msOfNs(s.to_ns)).slice(5, 16)}`;
export const lengthText = (s: { from_ns: string; to_ns: string }) => span(Number((nsOf(s.to_ns) - nsOf(s.from_ns)) / 1000000000n));
