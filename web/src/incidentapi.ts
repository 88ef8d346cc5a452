// Incidents and what belongs to them, as the server tells it: their alerts, reasons, runs, messages, and what people order.
import { get, post, query } from './api';

export type IncidentState = 'open' | 'acknowledged' | 'acting' | 'resolved' | 'closed' | 'merged';
export type AlertSeverity = 'info' | 'warning' | 'critical';
export type Noise = 'false' | 'true' | 'planned';

export interface Thing {
    id: string;
    kind: string;
    name: string;
}
export interface Cause {
    entity: string;
    kind: string;
    name: string;
    score: number;
    reason: string;
}
export interface Incident {
    id: string;
    number: number;
    state: IncidentState;
    severity: AlertSeverity;
    is_held: boolean;
    is_storm: boolean;
    is_noise: boolean;
    title: string;
    owner: string;
    team: string; // that somebody routed it to
    told: string[]; // teams that its routes led to
    signature_text: string;
    opened_ns: string;
    changed_ns: string;
    acknowledged_ns: string | null;
    resolved_ns: string | null;
    closed_ns: string | null;
    firing: number;
    alert_count: number;
    entities: Thing[] | null;
    causes: Cause[] | null;
}
export interface Alert {
    id: string;
    name: string;
    state: 'firing' | 'resolved' | 'expired';
    severity: AlertSeverity;
    origin: string;
    is_held: boolean;
    held_why: string;
    is_flapping: boolean;
    times: number;
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
export interface TimelineEntry {
    id: string;
    alert: string | null;
    time_ns: string;
    kind: string;
    by: string;
    text: string;
}
export interface Similar {
    number: number;
    title: string;
    resolved_ns: string | null;
    fix: string;
    by: string; // who wrote the fix down
    cause: string;
    likeness: number; // 0 to 1
    reasons: { kind: string; text: string; share: number }[];
}
export interface Suggestion {
    team: string;
    state: 'suggested' | 'waiting' | 'routed' | 'approved' | 'rejected' | 'overruled' | 'lapsed';
    confidence: number; // 0 to 1
    examples: number;
    by: string;
    words: { word: string; weight: number }[];
}
export interface Judged {
    kind: string; // "noise: nothing was wrong"
    sort: string; // "DiskFull on host"
    times: number;
}
export type IncidentDetail = Incident & {
    alerts: Alert[];
    timeline: TimelineEntry[];
    merged: number[];
    similar: Similar[];
    suggestion: Suggestion | null;
    judged: Judged[];
};

export interface ShadowIncident {
    number: number;
    title: string;
    severity: AlertSeverity;
    kind: 'both' | 'only_theirs' | 'only_ours';
    theirs: number;
    theirs_first_ns: string | null;
    messages: number;
    pages: number;
    ours_first_ns: string | null;
    earlier_s: number | null;
    reason: string;
}
export interface ShadowDay {
    from_ns: string;
    theirs: number;
    messages: number;
    pages: number;
    both: number;
    only_theirs: number;
    only_ours: number;
    hours_earlier: number;
    hours_later: number;
    incidents: ShadowIncident[];
}

export interface Reason {
    kind: string;
    weight: number;
    sentence: string;
}
export interface Why {
    time_ns: string;
    decision: string;
    reasons: Reason[] | null;
}
export interface IncidentWhy {
    why: Why[];
    alerts: { id: string; name: string; why: Why[] }[];
}
export interface Told {
    id: string;
    state: string;
    is_page: boolean;
    is_repeat: boolean;
    attempts: number;
    created_ns: string;
    done_ns: string | null;
    team: string;
    receiver: string;
    to: string;
    person: string;
    occasion: string;
    error: string;
}
export interface ToldDecision {
    time_ns: string;
    is_sent: boolean;
    team: string;
    reason: string;
}
export interface Belief {
    autonomy: string;
    allowed: string;
    reason: string;
    verified: number;
    failed: number;
    harmful: number;
    mean: number;
    heals_by_itself: number;
    beats_waiting: number;
}
export interface PlanStep {
    name: string;
    kind: string;
    words?: string[];
    for_ns?: number;
    [more: string]: unknown;
}
export interface Run {
    number: number;
    state: string;
    incident_number: number;
    is_auto: boolean;
    proposed_ns: number;
    ended_ns: number;
    facts: { runbook: string; sentence: string; target_name?: string; target_kind?: string; proposed_by?: string; asks?: boolean; belief?: Belief; plan?: PlanStep[] };
    story: { history?: { state: string; by: string; text: string; time_ns: number }[] };
}
export interface Runbook {
    name: string;
    declared: { sentence: string; applies_to?: { alerts?: string[]; kinds?: string[] } };
}
export interface GraphAnswer {
    nodes: { id: string; kind: string; title: string; distance: number }[];
    edges: { from: string; to: string; relation: string; title: string; inverse_title: string; impact: string }[];
    whole: boolean;
}
export interface Forecast {
    labels: Record<string, string>;
    limit: string;
    what: string;
    value: number;
    at_ns: string;
    earliest_ns: string | null;
    latest_ns: string | null;
    told: string;
}
export interface HeldBack {
    id: string;
    labels: Record<string, string>;
    time_ns: string;
    alert: string;
    why: string;
    sentence: string;
}
export interface Schedule {
    name: string;
    now: string;
    next: string | null;
    next_ns: string | null;
    gaps: { from_ns: string; to_ns: string }[];
}
export interface Team {
    name: string;
    on_call: string;
    people: string[];
}
export interface Tally {
    incidents: number;
    messages: { all: number; pages: number };
    judged: { kind: Noise; incidents: number }[];
    missed: { number: number; title: string; opened_ns: string }[];
}
export interface IncidentFilter {
    state?: string;
    severity?: string;
    team?: string;
    owner?: string;
    text?: string;
    held?: string;
    before?: number;
    limit?: number;
}

const path = (number: number | string) => `/api/v1/incidents/${number}`;

export const incidentApi = {
    list: (p: IncidentFilter, signal?: AbortSignal) => get<{ incidents: Incident[] }>(`/api/v1/incidents?${query({ ...p })}`, signal),
    one: (number: string, signal?: AbortSignal) => get<IncidentDetail>(path(encodeURIComponent(number)), signal),
    why: (number: string, signal?: AbortSignal) => get<IncidentWhy>(`${path(encodeURIComponent(number))}/why`, signal),
    told: (number: string, signal?: AbortSignal) =>
        get<{ notifications: Told[]; decisions?: ToldDecision[] }>(`${path(encodeURIComponent(number))}/notifications`, signal),
    order: (number: number, verb: string, body: Record<string, unknown> = {}) => post<{ incident?: number }>(`${path(number)}/${verb}`, body),
    draft: (number: number) => get<{ yaml: string }>(`${path(number)}/draft`),
    report: (body: { title: string; entity?: string; severity?: string }) => post<{ incident: number }>('/api/v1/incidents', body),
    shadow: (days: number, signal?: AbortSignal) => get<{ days: ShadowDay[] }>(`/api/v1/shadow?${query({ days })}`, signal),
    tally: (hours: number, signal?: AbortSignal) => get<Tally>(`/api/v1/incidents-tally?${query({ hours })}`, signal),

    runs: (p: { incident?: number; state?: string; limit?: number }, signal?: AbortSignal) => get<{ runs: Run[] }>(`/api/v1/runs?${query(p)}`, signal),
    runbooks: (signal?: AbortSignal) => get<{ runbooks: Runbook[] }>('/api/v1/runbooks', signal),
    propose: (body: { runbook: string; incident: number; target?: string }) => post('/api/v1/runs', body),
    runOrder: (number: number, verb: 'approve' | 'reject' | 'stop' | 'judge', body: Record<string, unknown>) => post(`/api/v1/runs/${number}/${verb}`, body),

    graph: (entity: string, hops: number, signal?: AbortSignal) => get<GraphAnswer>(`/api/v1/entities/${encodeURIComponent(entity)}/graph?${query({ hops })}`, signal),
    forecasts: (hours: number, signal?: AbortSignal) => get<{ forecasts: Forecast[] }>(`/api/v1/forecasts?${query({ hours })}`, signal),
    held: (minutes: number, signal?: AbortSignal) => get<{ held: HeldBack[] }>(`/api/v1/held?${query({ minutes, limit: 1000 })}`, signal),
    onCall: (signal?: AbortSignal) => get<{ schedules: Schedule[]; teams?: Team[] }>('/api/v1/on-call', signal),
};
