// Incidents in a person's words: titles, places, what happened, how sure, how often.
import type {
    Alert, Belief, Incident, IncidentDetail, IncidentState, Judged, Noise, PlanStep, Reason, Run, ShadowIncident, Similar, Suggestion, TimelineEntry,
} from './incidentapi';
import { msOfNs, nsOf, span } from './time';

export const severityRank: Record<string, number> = { critical: 3, warning: 2, info: 1 };

/** A sentence, never a template: what stands for any value is told as "…". */
export function titleOf(incident: { title: string; signature_text?: string }): string {
    const title = incident.title.replace(/<\*>/g, '…').trim();
    return (title && title !== '…' ? title : incident.signature_text) || 'An incident without a title';
}

const isOver = (state: IncidentState) => state === 'closed' || state === 'merged';
export const isAlive = (incident: { state: IncidentState }) => !isOver(incident.state);
export const isUnseen = (incident: { state: IncidentState }) => incident.state === 'open';

/** Whom it concerns: the team it was given to, else the one its route led to. */
export const teamOf = (incident: { team: string; told?: string[] }) => incident.team || incident.told?.[0] || '';

/** "checkout on shop1, payments on pay1 and 5 more". */
export function whereOf(incident: { entities: { name: string }[] | null }, most = 2): string {
    const names = (incident.entities ?? []).map((e) => e.name);
    if (names.length === 0) return '';
    if (names.length <= most + 1) return listed(names);
    return `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}

export const listed = (names: string[]) => (names.length < 2 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`);

export const counted = (number: number, one: string, more = `${one}s`) => `${number} ${number === 1 ? one : more}`;

/** A share as people say it. */
export function chance(p: number): string {
    if (!Number.isFinite(p)) return 'nobody knows how often';
    if (p >= 0.97) return 'nearly always';
    if (p <= 0.03) return 'hardly ever';
    const tenths = Math.round(p * 10);
    if (tenths >= 10) return 'nearly always';
    return tenths < 1 ? 'less than 1 in 10 times' : `about ${tenths} in 10 times`;
}

/** "7", or "3 of 7" when some of its alerts are over. */
export const alertsOf = (incident: { firing: number; alert_count: number }) =>
    incident.firing === 0 || incident.firing >= incident.alert_count ? String(incident.alert_count) : `${incident.firing} of ${incident.alert_count}`;

/** How much one cause stands out among those ranked: they are compared with one another, not with the truth. */
export function likelihood(score: number, first: boolean): string {
    if (first && score >= 0.6) return 'likely';
    if (first || score >= 0.25) return 'possible';
    return score >= 0.1 ? 'less likely' : 'unlikely';
}

/** What speaks for it first, then against; a grain either way is left out. */
export function weighed(reasons: Reason[] | null): { sentence: string; says: string }[] {
    return (reasons ?? [])
        .filter((r) => r.sentence)
        .sort((a, b) => b.weight - a.weight)
        .map((r) => ({ sentence: r.sentence, says: r.weight >= 2 ? 'speaks strongly for it' : r.weight >= 0.3 ? 'speaks for it' : r.weight > -0.3 ? 'says little' : r.weight > -2 ? 'speaks against it' : 'speaks strongly against it' }));
}

export const noises: { kind: Noise; title: string; says: string }[] = [
    { kind: 'false', title: 'False', says: 'Nothing was wrong. What found it will be trusted less.' },
    { kind: 'true', title: 'True, nothing to do', says: 'It was right, but nobody has to do anything about it.' },
    { kind: 'planned', title: 'Planned work', says: 'Somebody worked on it, and this was to be expected.' },
];
const noiseText = (kind: string) => noises.find((n) => n.kind === kind)?.title.toLowerCase() ?? kind;

/** What happened, as a sentence; `by` stands before it where a person did it. */
export function storyOf(entry: TimelineEntry): string {
    const text = entry.text;
    const said = text ? `: ${text}` : '';
    switch (entry.kind) {
        case 'opened': return `opened by the alert ${text}`;
        case 'alert_joined': return `joined by the alert ${text}`;
        case 'alert_left': return `the alert ${text} was moved to another incident, with what came in the same moment`;
        case 'alert_fired': return `fires again: the alert ${text}`;
        case 'alert_resolved': return `the alert ${text} is resolved`;
        case 'alert_expired': return `nobody tells of the alert ${text} any more`;
        case 'acknowledged': return `acknowledged${said}`;
        case 'acting': return `acts on it${said}`;
        case 'assigned': return text ? `gave it to ${text}` : 'took its owner away';
        case 'rerouted': return `gave it to the team ${text}`;
        case 'commented': return text;
        case 'severity': return `set the severity to ${text}`;
        case 'merged': case 'merged_from': return `merged${said}`;
        case 'split': case 'split_from': return `split${said}`;
        case 'noise': return `judged it to be noise: ${noiseText(text)}`;
        case 'cause': return `said that this was the cause: ${text}`;
        case 'action': return `did this: ${text}`;
        case 'fix': return `said that this fixed it: ${text}`;
        case 'resolved': return `resolved${said}`;
        case 'closed': return `closed${said}`;
        case 'reopened': return `opened again${said}`;
        case 'notified': return `told ${text}`;
        case 'run': return text.replace(/:\s*$/, '');
        default: return `${entry.kind.replaceAll('_', ' ')}${said}`;
    }
}

export type StoryTone = 'person' | 'bad' | 'good' | 'plain';
export function toneOf(entry: TimelineEntry): StoryTone {
    if (entry.by && entry.by !== 'evenkeel') return 'person';
    if (['opened', 'alert_joined', 'alert_fired', 'reopened'].includes(entry.kind)) return 'bad';
    return ['resolved', 'alert_resolved', 'closed'].includes(entry.kind) ? 'good' : 'plain';
}

/** What, since when, how much, and where it may come from: the few sentences somebody woken at night reads first. */
export function leadOf(incident: IncidentDetail, nowMs: number): string {
    const opened = msOfNs(nsOf(incident.opened_ns));
    const ended = msOfNs(nsOf(incident.resolved_ns ?? incident.closed_ns));
    const things = incident.entities?.length ?? 0;
    const alerts = counted(incident.alert_count, 'alert');
    const place = things > 1 ? ` on ${things} things` : things === 1 ? ` on ${incident.entities![0].name}` : '';
    const still = incident.firing >= incident.alert_count ? '' : incident.firing === 0 ? ', none of them fires any more' : `, ${incident.firing} still ${incident.firing === 1 ? 'fires' : 'fire'}`;
    const cause = incident.causes?.[0];
    const length = ended ? `It lasted ${span((ended - opened) / 1e3)}` : `It has lasted ${span((nowMs - opened) / 1e3)}`;
    const from = cause && things > 1 ? ` It ${likelihood(cause.score, true) === 'likely' ? 'likely' : 'may'} ${likelihood(cause.score, true) === 'likely' ? 'comes' : 'come'} from ${cause.name}: ${cause.reason}.` : '';
    const held = incident.is_held ? ' It was held back: nobody was told.' : '';
    return `${length}: ${alerts}${place}${still}.${from}${held}`;
}

export interface Evidence {
    kind: 'metric' | 'logs';
    query: string;
    limit: number | null; // what the value is compared with
    labels: Record<string, string>; // series of others are left out
    alerts: string[]; // their names
    sinceMs: number;
}

const number = String.raw`[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?`;
const compared = new RegExp(String.raw`^([\s\S]+?)\s*(?:>=|<=|==|!=|>|<)\s*(?:bool\s+)?(${number})\s*$`, 'i');

/** Depth of brackets must be nought where an expression is cut, and no text may be open. */
function cutAtWord(expression: string): string {
    let depth = 0;
    for (let i = 0; i < expression.length; i++) {
        const c = expression[i];
        if (c === '"' || c === "'" || c === '`') {
            const end = expression.indexOf(c, i + 1);
            i = end < 0 ? expression.length : end;
        } else if ('([{'.includes(c)) depth++;
        else if (')]}'.includes(c)) depth--;
        else if (depth === 0 && /\s/.test(c)) {
            const word = /^\s+(and|or|unless)\b/i.exec(expression.slice(i));
            if (word) return expression.slice(0, i);
        }
    }
    return expression;
}

/** What a rule's expression measures, and with what it compares it: "a / b > 0.2 and c" gives "a / b" and 0.2. */
export function measuredBy(expression: string): { query: string; limit: number | null } {
    const first = cutAtWord(expression.trim()).trim();
    const found = compared.exec(first);
    if (!found || !balanced(found[1])) return { query: first, limit: null };
    return { query: found[1].trim(), limit: Number(found[2]) };
}

function balanced(text: string): boolean {
    let depth = 0;
    for (const c of text.replace(/"(\\.|[^"\\])*"|'(\\.|[^'\\])*'/g, '')) {
        if ('([{'.includes(c)) depth++;
        if (')]}'.includes(c) && --depth < 0) return false;
    }
    return depth === 0;
}

/** The expression that a Prometheus puts into the address of its graph. */
export function expressionIn(generatorUrl: string): string {
    try {
        return new URL(generatorUrl).searchParams.get('g0.expr') ?? '';
    } catch {
        return '';
    }
}

const isLogs = (text: string) => /^\s*\{/.test(text) && !text.includes('__name__');
const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`;

/** What stands behind the alerts: each series and each query for lines once, with the alerts that it belongs to. */
export function evidenceOf(alerts: Alert[], most = 6): Evidence[] {
    const found = new Map<string, Evidence>();
    const add = (alert: Alert, kind: Evidence['kind'], text: string, limit: number | null, labels: Record<string, string>) => {
        const at = `${kind} ${text}`;
        const sinceMs = msOfNs(nsOf(alert.starts_ns));
        const known = found.get(at);
        if (!known) found.set(at, { kind, query: text, limit, labels, alerts: [alert.name], sinceMs });
        else {
            if (!known.alerts.includes(alert.name)) known.alerts.push(alert.name);
            known.sinceMs = Math.min(known.sinceMs, sinceMs);
            if (kind === 'metric' && Object.entries(known.labels).some(([k, v]) => labels[k] !== v)) known.labels = shared(known.labels, labels);
        }
    };
    for (const alert of alerts) {
        const told = alert.evidence || expressionIn(alert.generator_url);
        if (isLogs(told)) add(alert, 'logs', told, null, {});
        else if (told) {
            const { query, limit } = measuredBy(told);
            add(alert, 'metric', query, limit, alert.labels);
        }
    }
    const services = new Set(alerts.map((a) => a.labels.service).filter(Boolean));
    const charted = [...found.values()];
    const logged = (service: string) => charted.some((e) => e.kind === 'logs' && e.query.includes(`service=${quoted(service)}`));
    const lines = [...services].filter((service) => !logged(service)).map((service): Evidence => {
        const own = alerts.filter((a) => a.labels.service === service);
        return { kind: 'logs', query: `{service=${quoted(service)}}`, limit: null, labels: {}, alerts: [...new Set(own.map((a) => a.name))], sinceMs: Math.min(...own.map((a) => msOfNs(nsOf(a.starts_ns)))) };
    });
    return [...charted.slice(0, most), ...lines.slice(0, 3)];
}

const shared = (a: Record<string, string>, b: Record<string, string>) => Object.fromEntries(Object.entries(a).filter(([name, value]) => b[name] === value));

/** Whether a series may be the alert's: no label that both have differs. */
export const ofAlert = (metric: Record<string, string>, labels: Record<string, string>) =>
    Object.entries(metric).every(([name, value]) => !(name in labels) || name === 'severity' || name === 'alertname' || labels[name] === value);

/** How often it helped, against how often such a fault goes by itself. */
export function beliefText(belief: Belief | undefined): string {
    if (!belief) return '';
    const tried = belief.verified + belief.failed + belief.harmful;
    const harm = belief.harmful ? `, and did harm ${belief.harmful === 1 ? 'once' : `${belief.harmful} times`}` : '';
    if (tried === 0) return 'Never tried on such a fault here.';
    return `Helped ${belief.verified} of ${counted(tried, 'time')}${harm}; such a fault goes by itself ${chance(belief.heals_by_itself)}.`;
}

export function stepText(step: PlanStep): string {
    if (step.words) return step.words.map((w) => (/^[\w@%+=:,./-]+$/.test(w) ? w : `'${w.replaceAll("'", String.raw`'\''`)}'`)).join(' ');
    if (step.kind === 'wait' && step.for_ns) return `wait ${span(step.for_ns / 1e9)}`;
    const rest = Object.entries(step).filter(([name, value]) => !['name', 'kind', 'timeout_ns', 'on_failure', 'retries', 'backoff_ns'].includes(name) && (typeof value === 'string' || typeof value === 'number') && value !== '');
    return `${step.kind}${rest.length ? ` ${rest.map(([, value]) => String(value)).join(' ')}` : ''}`;
}

export const runIsWaiting = (run: Run) => run.state === 'proposed';
export const runIsLive = (run: Run) => ['proposed', 'approved', 'running', 'verifying'].includes(run.state);

export interface Group {
    name: string;
    worst: Incident['severity'];
    incidents: Incident[];
    alerts: number;
    sinceNs: string;
}

/** By what `names` says of each incident; the worst first, then the oldest. An incident may stand in several groups. */
export function grouped(incidents: Incident[], names: (incident: Incident) => string[]): Group[] {
    const groups = new Map<string, Group>();
    for (const incident of incidents)
        for (const name of new Set(names(incident))) {
            const group = groups.get(name) ?? { name, worst: 'info', incidents: [], alerts: 0, sinceNs: incident.opened_ns };
            group.incidents.push(incident);
            group.alerts += Math.min(incident.firing, incident.alert_count);
            if (severityRank[incident.severity] > severityRank[group.worst]) group.worst = incident.severity;
            if (nsOf(incident.opened_ns) < nsOf(group.sinceNs)) group.sinceNs = incident.opened_ns;
            groups.set(name, group);
        }
    return [...groups.values()].sort((a, b) => severityRank[b.worst] - severityRank[a.worst] || Number(nsOf(a.sinceNs) - nsOf(b.sinceNs)));
}

export const nowhere = 'no known service';
/** The services it is about; where there is none, its first host or other thing. */
export function servicesOf(incident: Incident): string[] {
    const things = incident.entities ?? [];
    const services = things.filter((e) => e.kind === 'service').map((e) => e.name);
    if (services.length > 0) return services.slice(0, 3);
    return [things[0]?.name ?? nowhere];
}

/** Worst first, those that nobody has seen before the others, then the oldest. */
export const byUrgency = (incidents: Incident[]) =>
    [...incidents].sort((a, b) => Number(isUnseen(b)) - Number(isUnseen(a)) || severityRank[b.severity] - severityRank[a.severity] || a.number - b.number);

/** "Incidents such as this went to team web: 83 % sure, from 12 examples." */
export function suggestionText(suggestion: Suggestion): string {
    const known = `${Math.round(100 * suggestion.confidence)} % sure, from ${counted(suggestion.examples, 'example')}`;
    const by = suggestion.by || 'somebody';
    switch (suggestion.state) {
        case 'routed': return `Routed to team ${suggestion.team} by itself: ${known}.`;
        case 'approved': return `Team ${suggestion.team} was suggested, and ${by} agreed.`;
        case 'rejected': return `Team ${suggestion.team} was suggested; ${by} said it is not theirs.`;
        case 'overruled': return `Team ${suggestion.team} was suggested; ${by} chose another.`;
        case 'lapsed': return `Team ${suggestion.team} was suggested; it ended before anybody decided.`;
        default: return `Incidents such as this went to team ${suggestion.team}: ${known}. No route leads to a team, so nobody is told yet.`;
    }
}

/** "DiskFull on host: people said “planned work” 3 times." */
export const judgedText = (judged: Judged) =>
    `${judged.sort}: people said “${judged.kind.replace(/^noise: /, '')}” ${judged.times === 1 ? 'once' : `${judged.times} times`}.`;

/** "72 % alike: alert DiskFull, kind of thing host". */
export const likeText = (past: Similar) =>
    `${Math.round(100 * past.likeness)} % alike${past.reasons.length ? `: ${past.reasons.slice(0, 3).map((r) => `${r.kind} ${r.text}`).join(', ')}` : ''}`;

export const shadowKinds: Record<ShadowIncident['kind'], string> = { both: 'both', only_theirs: 'them only', only_ours: 'us only' };
/** How long before theirs our first message came. */
export const earlierText = (earlier: number | null) =>
    earlier === null ? '' : Math.abs(earlier) < 1 ? 'at the same time' : `${span(earlier)} ${earlier < 0 ? 'later' : 'earlier'}`;
