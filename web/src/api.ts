// The server's API as the console uses it: one typed function an endpoint, one kind of error. Times in nanoseconds
// are decimal text, since a JavaScript number cannot hold them.

export class ApiError extends Error {
    constructor(
        readonly status: number,
        readonly type: string,
        message: string,
    ) {
        super(message);
    }
}

export type Role = 'admin' | 'operator' | 'viewer';
export interface User {
    name: string;
    role: Role;
    must_change_password: boolean;
}
export interface Session {
    user: User;
    csrf: string;
    password_chars_min: number; // the server's rule
}
export type SourceState = 'ok' | 'silent' | 'failing' | 'new';
export interface Source {
    name: string;
    kind: string;
    state: SourceState;
    state_text: string;
    last_seen_ns: string;
    newest_event_ns: string;
    batches: number;
    records: number;
    samples: number;
    bytes: number;
    dropped: number;
    duplicates: number;
    parse_failures: number;
    clock_skew_ns: number | string;
    lag: number;
    rate_records: number;
    rate_samples: number;
    expected_every_ns: number | string;
}
export interface LogRow {
    id: string;
    time_ns: string;
    severity: string | number;
    stream: Record<string, string>;
    line: string;
    attributes: Record<string, unknown>;
}
export interface LogPage {
    rows: LogRow[];
    stats: Record<string, number>;
    more: boolean;
    warnings?: string[]; // what the answer lacks: a damaged day, for one
}
export interface LogHistogram {
    start_ns: string;
    step_ns: string | number;
    buckets: { time_ns: string; counts: Record<string, number> }[];
}
export type TemplateOrder = 'count' | 'new' | 'rate' | 'recent';
export interface Template {
    id: string;
    service: string;
    sentence: string;
    count: number;
    per_minute: number;
    first_seen_ns: string;
    last_seen_ns: string;
    levels: Record<string, number>;
    split_from?: string; // the template that its lines were of, before
    split_into?: string[];
}
export interface TemplateVariable {
    type: string;
    unit: string;
    seen: number;
    least?: number; // of numbers
    most?: number;
    p50?: number;
    p90?: number;
    p99?: number;
    values?: { value: string; count: number }[]; // of others
}
export interface TemplateList {
    templates: Template[];
    matched: number;
    programs: number;
    all: number;
    forgotten: number;
}
export type TemplateDetail = Template & { variables: TemplateVariable[]; examples: LogRow[] };
export interface Series {
    metric: Record<string, string>;
    values?: [number, string][];
    value?: [number, string];
}
export type QueryData =
    | { resultType: 'matrix'; result: Series[] }
    | { resultType: 'vector'; result: Series[] }
    | { resultType: 'scalar' | 'string'; result: [number, string] };
export interface QueryAnswer {
    data: QueryData;
    warnings?: string[];
}
export interface MetricMeaning {
    type: string;
    help: string;
    unit: string;
}
export interface Account {
    name: string;
    role: Role;
    disabled: boolean;
    last_sign_in_ns?: string;
    must_change_password?: boolean;
}
export interface Token {
    id: string;
    name: string;
    scopes: string[];
    created_ns?: string;
    last_used_ns?: string;
    expires_ns?: string;
    revoked_ns?: string;
    user?: string;
    token?: string; // only in the answer that creates it
}
export type Status = Record<string, unknown>;

let csrf = '';
/** For the few requests that carry no JSON. */
export const csrfToken = () => csrf;

async function call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
    const headers: Record<string, string> = { Accept: 'application/json' };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (method !== 'GET' && csrf) headers['X-CSRF-Token'] = csrf;
    let response: Response;
    try {
        response = await fetch(path, {
            method, headers, signal, credentials: 'same-origin',
            body: body === undefined ? undefined : JSON.stringify(body),
        });
    } catch (error) {
        if (error instanceof DOMException && error.name === 'AbortError') throw error;
        throw new ApiError(0, 'unreachable', 'Evenkeel does not answer. Is it still running? This page tries again by itself.');
    }
    const text = await response.text();
    let json: any = null;
    try {
        json = text ? JSON.parse(text) : {};
    } catch {
        throw new ApiError(response.status, 'format', `${method} ${path} answered ${response.status} with something that is not JSON.`);
    }
    if (!response.ok || json?.status === 'error') {
        if (response.status === 401 && !path.startsWith('/api/v1/session')) signedOut?.();
        throw new ApiError(response.status, json?.errorType ?? '', json?.error ?? `${method} ${path} answered ${response.status}.`);
    }
    return json as T;
}

let signedOut: (() => void) | null = null;
/** Called when a session has ended on the server's side. */
export const onSignedOut = (then: () => void) => (signedOut = then);

/** Parameters as the address has them; those without a value are left out. */
export const query = (parameters: Record<string, string | number | undefined>) => {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters)) if (value !== undefined) search.append(name, String(value));
    return search.toString();
};
export const get = <T>(path: string, signal?: AbortSignal) => call<T>('GET', path, undefined, signal);
export const remove = <T = unknown>(path: string) => call<T>('DELETE', path);
export const post = <T = unknown>(path: string, body: unknown = {}) => call<T>('POST', path, body);
const data = async <T>(answer: Promise<{ data: T }>) => (await answer).data;

async function session(answer: Promise<Session>): Promise<Session> {
    const value = await answer;
    csrf = value.csrf;
    return value;
}

export const api = {
    signIn: (name: string, password: string) => session(call<Session>('POST', '/api/v1/session', { name, password })),
    session: () => session(get<Session>('/api/v1/session')),
    signOut: () => call<unknown>('DELETE', '/api/v1/session'),
    changePassword: (old: string, fresh: string) =>
        call<Partial<Session>>('POST', '/api/v1/session/password', { old, new: fresh }),

    sources: (signal?: AbortSignal) => get<{ sources: Source[] }>('/api/v1/sources', signal),
    status: (signal?: AbortSignal) => get<Status>('/api/v1/status', signal),

    logs: (p: { query: string; start: string; end: string; limit: number; direction?: string; template?: string }, signal?: AbortSignal) =>
        get<LogPage>(`/api/v1/logs?${query(p)}`, signal),
    histogram: (p: { query: string; start: string; end: string; buckets: number; template?: string }, signal?: AbortSignal) =>
        get<LogHistogram>(`/api/v1/logs/histogram?${query(p)}`, signal),
    context: (id: string, before: number, after: number) =>
        get<LogPage>(`/api/v1/logs/context?${query({ id, before, after })}`),

    templates: (p: { sort: TemplateOrder; service?: string; limit: number }, signal?: AbortSignal) =>
        get<TemplateList>(`/api/v1/templates?${query(p)}`, signal),
    template: (id: string, signal?: AbortSignal) => get<TemplateDetail>(`/api/v1/templates/${encodeURIComponent(id)}`, signal),

    instant: (expression: string, timeS: number, signal?: AbortSignal) =>
        get<QueryAnswer>(`/api/v1/query?${query({ query: expression, time: timeS })}`, signal),
    range: (p: { query: string; start: number; end: number; step: number }, signal?: AbortSignal) =>
        get<QueryAnswer>(`/api/v1/query_range?${query(p)}`, signal),
    labels: (match?: string) => data(get<{ data: string[] }>(`/api/v1/labels?${query({ 'match[]': match })}`)),
    labelValues: (label: string, match?: string) =>
        data(get<{ data: string[] }>(`/api/v1/label/${encodeURIComponent(label)}/values?${query({ 'match[]': match })}`)),

    metadata: () => data(get<{ data: Record<string, MetricMeaning[]> }>('/api/v1/metadata')),

    users: () => get<{ users: Account[] }>('/api/v1/users'),
    addUser: (user: { name: string; role: Role; password: string }) => call<unknown>('POST', '/api/v1/users', user),
    changeUser: (name: string, change: { role?: Role; disabled?: boolean; password?: string }) =>
        call<unknown>('POST', `/api/v1/users/${encodeURIComponent(name)}`, change),
    tokens: () => get<{ tokens: Token[] }>('/api/v1/tokens'),
    addToken: (token: { name: string; scopes: string[]; expires_days?: number }) =>
        call<Token>('POST', '/api/v1/tokens', token),
    deleteToken: (id: string) => call<unknown>('DELETE', `/api/v1/tokens/${encodeURIComponent(id)}`),
    testRedaction: (text: string) => call<{ text: string; masked: number }>('POST', '/api/v1/redact/test', { text }),
    backup: (directory: string) => call<Record<string, unknown>>('POST', '/api/v1/backup', { directory }),
};

export interface Stream {
    close(): void;
}

/** Server-sent events that come back by themselves; `onState` hears whether they flow. */
export function stream(
    path: string,
    events: Record<string, (value: any) => void>,
    onState: (open: boolean) => void = () => {},
): Stream {
    let source: EventSource | null = null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let waitMs = 1000;
    const open = () => {
        source = new EventSource(path);
        source.onopen = () => {
            waitMs = 1000;
            onState(true);
        };
        source.onerror = () => {
            onState(false);
            if (source?.readyState !== EventSource.CLOSED) return; // the browser tries again itself
            timer = setTimeout(open, waitMs);
            waitMs = Math.min(waitMs * 2, 30000);
        };
        for (const [name, heard] of Object.entries(events))
            source.addEventListener(name, (event) => {
                try {
                    heard(JSON.parse((event as MessageEvent).data));
                } catch {
                    // one event that cannot be read must not end the stream
                }
            });
    };
    open();
    return {
        close() {
            clearTimeout(timer);
            source?.close();
        },
    };
}

export const tailPath = (logQuery: string) => `/api/v1/logs/tail?${query({ query: logQuery })}`;
export const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
export const isAbort = (error: unknown) => error instanceof DOMException && error.name === 'AbortError';
