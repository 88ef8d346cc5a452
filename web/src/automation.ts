// Runbooks and their runs: the calls, and how a person reads them. A proposed run is its own dry run.
import { get, post, query } from './api';
import { span } from './time';

export type Autonomy = 'suggest' | 'approve' | 'auto';
export interface Trust {
    autonomy: Autonomy; // what an administrator gave
    allowed: Autonomy; // what it has earned of that
    reason: string;
    verified: number;
    failed: number;
    harmful: number;
    mean: number; // of the chance that it helps, with its interval
    low: number;
    high: number;
    heals_by_itself: number;
    beats_waiting: number;
    is_demoted: boolean;
    until_trusted: number;
    is_standard_change: boolean;
}
export interface Parameter {
    type: 'entity' | 'enum' | 'number' | 'text';
    kind?: string;
    here?: boolean;
    values?: string[];
    min?: number;
    max?: number;
    pattern?: string;
    value?: string | number;
}
export type StepDeclared = Record<string, unknown> & { name?: string };
export interface Runbook {
    name: string;
    file: string;
    declared: {
        sentence: string;
        applies_to?: { alerts?: string[]; kinds?: string[] };
        target: string;
        parameters?: Record<string, Parameter>;
        guards?: Record<string, unknown>;
        steps: StepDeclared[];
        verify?: { check?: string; after?: string; within?: string; stays?: string };
    };
    trust: Trust;
    runs: Partial<Record<RunState, number>>; // how many, by state
}
export type RunState = 'proposed' | 'approved' | 'rejected' | 'running' | 'verifying' | 'succeeded' | 'failed' | 'harmful' | 'interrupted' | 'stopped' | 'withdrawn';
export interface PlanStep {
    name: string;
    kind: string;
    timeout_ns: number;
    on_failure: string;
    retries: number;
    words?: string[];
    for_ns?: number;
    [detail: string]: unknown;
}
export interface StepDone {
    step: number;
    attempt: number;
    name: string;
    kind: string;
    state: string; // "good", "bad", "begun" ...
    begun_ns: number;
    ended_ns: number;
    status: number;
    output: string;
    sentence: string;
}
export interface Run {
    id: string;
    number: number;
    state: RunState;
    incident: string;
    incident_number: number;
    is_auto: boolean;
    facts: {
        runbook: string;
        sentence: string;
        signature: string;
        target_kind: string;
        target_name: string;
        proposed_by: string;
        belief: Trust;
        plan: PlanStep[];
        values: Record<string, string>;
        verify: { check: string; after_ns: number; within_ns: number; stays_ns: number };
    };
    story: {
        history?: { state: RunState; by: string; text: string; time_ns: number }[];
        refusals?: { guard: string; reason: string; by: string; time_ns: number }[];
        approved_by?: string;
        why?: string;
        firing_before?: number;
        outcome?: string;
        [more: string]: unknown;
    };
    target: string;
    proposed_ns: number;
    decided_ns: number;
    started_ns: number;
    steps_ended_ns: number;
    ended_ns: number;
    good_since_ns: number;
    step: number;
    steps?: StepDone[]; // of one run
}
export interface Freeze {
    name: string;
    from?: string;
    to?: string;
    daily?: { from: string; to: string };
    days?: string[];
}
export interface Automation {
    is_stopped: boolean;
    stopped: { by: string; why: string; time_ns: number } | null;
    frozen_by: string | null;
    freezes: Freeze[];
}
/** What a runbook may be proposed for. */
export interface Occasion {
    number: number;
    title: string;
    entities: { id: string; kind: string; name: string }[];
}
interface Done {
    result: { run: number; state: RunState };
}

export const automation = {
    state: (signal?: AbortSignal) => get<Automation>('/api/v1/automation', signal),
    stop: (why: string) => post('/api/v1/automation/stop', { why }),
    resume: (why: string) => post('/api/v1/automation/resume', { why }),
    runbooks: (signal?: AbortSignal) => get<{ runbooks: Runbook[] }>('/api/v1/runbooks', signal),
    autonomy: (name: string, level: Autonomy, why: string) => post(`/api/v1/runbooks/${encodeURIComponent(name)}/autonomy`, { level, why }),
    runs: (p: { runbook?: string; incident?: number; state?: RunState; before?: number; limit: number }, signal?: AbortSignal) =>
        get<{ runs: Run[] }>(`/api/v1/runs?${query(p)}`, signal),
    run: (number: string, signal?: AbortSignal) => get<Run>(`/api/v1/runs/${encodeURIComponent(number)}`, signal),
    propose: (p: { runbook: string; incident: number; target?: string; values?: Record<string, string | number> }) => post<Done>('/api/v1/runs', p),
    order: (number: number, verb: 'approve' | 'reject' | 'stop' | 'judge', body: { why: string; outcome?: string }) => post(`/api/v1/runs/${number}/${verb}`, body),
    occasions: (signal?: AbortSignal) => get<{ incidents: Occasion[] }>('/api/v1/incidents?state=alive&limit=200', signal),
};

const underway: RunState[] = ['approved', 'running', 'verifying'];
export const isUnderway = (run: Run) => underway.includes(run.state);
const judged: RunState[] = ['succeeded', 'failed', 'harmful', 'interrupted'];
export const canBeJudged = (run: Run) => judged.includes(run.state);

/** A chance as people say it: "about 9 in 10"; never the digits that nobody has. */
export function chance(p: number): string {
    if (p >= 0.995) return 'nearly always';
    if (p <= 0.005) return 'nearly never';
    if (p < 0.095) return `about ${Math.max(1, Math.round(p * 100))} in 100`;
    return `about ${Math.round(p * 10)} in 10`;
}
export const between = (low: number, high: number) => `between ${Math.round(low * 100)} and ${Math.round(high * 100)} of 100`;

type Record3 = Pick<Trust, 'verified' | 'failed' | 'harmful'>;
/** What all runs of a runbook came to; what is believed is kept by signature and kind of target. */
export const recordOf = (runs: Runbook['runs']): Record3 => ({ verified: runs.succeeded ?? 0, failed: runs.failed ?? 0, harmful: runs.harmful ?? 0 });
export const hasRecord = (t: Record3) => t.verified + t.failed + t.harmful > 0;
/** "3 verified, 1 failed" */
export function recordText(t: Record3): string {
    const parts = [t.verified && `${t.verified} verified`, t.failed && `${t.failed} failed`, t.harmful && `${t.harmful} harmful`].filter(Boolean);
    return parts.length ? parts.join(', ') : 'no verified run yet';
}
export const autonomyTitles: Record<Autonomy, string> = { suggest: 'suggests', approve: 'asks for approval', auto: 'acts by itself' };

const shellPlain = /^[A-Za-z0-9_@%+=:,./-]+$/;
/** The words of a command as one would type them; no shell reads them. */
export const commandText = (words: string[]) => words.map((word) => (shellPlain.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');

const common = new Set(['name', 'kind', 'timeout_ns', 'on_failure', 'retries', 'backoff_ns', 'timeout', 'retry', 'words', 'for_ns']);
/** What a step will do, in a line. */
export function stepText(step: PlanStep): string {
    if (step.kind === 'wait') return span((step.for_ns ?? 0) / 1e9);
    if (step.words) return commandText(step.words);
    return Object.entries(step).filter(([name, value]) => !common.has(name) && value !== '' && value !== null).map(([, value]) => (typeof value === 'object' ? JSON.stringify(value) : String(value))).join(' ');
}
/** The same of a step as a runbook declares it: the key that is no common one. */
export function declaredText(step: StepDeclared): { kind: string; text: string } {
    const [kind, value] = Object.entries(step).find(([name]) => ['exec', 'ssh', 'http', 'wait', 'check', 'notify'].includes(name)) ?? ['step', ''];
    const text = Array.isArray(value) ? commandText(value.map(String)) : typeof value === 'object' && value ? JSON.stringify(value) : String(value);
    return { kind, text: step.on ? `${text}  (on ${step.on})` : text };
}
export const retryText = (step: PlanStep) => [
    `at most ${span(step.timeout_ns / 1e9)}`, step.retries ? `tried again ${step.retries === 1 ? 'once' : `${step.retries} times`}` : '',
    step.on_failure === 'stop' ? '' : step.on_failure === 'continue' ? 'goes on when it fails' : `when it fails: ${step.on_failure}`,
].filter(Boolean).join(', ');

export const freezeText = (f: Freeze) =>
    f.daily ? `${f.name}: daily ${f.daily.from} to ${f.daily.to} UTC${f.days ? `, ${f.days.join(', ')}` : ''}` : `${f.name}: ${(f.from ?? '').slice(0, 16).replace('T', ' ')} to ${(f.to ?? '').slice(0, 16).replace('T', ' ')} UTC`;

/** What makes a value of a form wrong; '' when it fits. The server checks it again. */
export function valueProblem(parameter: Parameter, value: string): string {
    if (parameter.type === 'number') {
        const number = Number(value);
        if (value.trim() === '' || !Number.isFinite(number)) return 'a number is wanted';
        if (parameter.min !== undefined && number < parameter.min) return `at least ${parameter.min}`;
        if (parameter.max !== undefined && number > parameter.max) return `at most ${parameter.max}`;
    }
    if (parameter.type === 'enum' && !(parameter.values ?? []).includes(value)) return `one of ${(parameter.values ?? []).join(', ')}`;
    return '';
}
