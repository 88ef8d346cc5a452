// The register: kinds and entities as the server declares them, and how their values are read and written.
import { ApiError, csrfToken, get, post, query, remove, type Role } from './api';
import { localStamp, msOfNs } from './time';

export type FieldType = 'text' | 'number' | 'bool' | 'time' | 'enum' | 'list' | 'reference';
export interface Field {
    id: string;
    title: string;
    type: FieldType;
    unit: string;
    required: boolean;
    unique: boolean;
    write: string[];
    observe: string[];
    options: string[];
    to: string;
}
export interface Kind {
    id: string;
    title: string;
    plural: string;
    description: string;
    states: string[];
    initial: string;
    permissions: Record<string, string[]>;
    fields: Field[];
    relations: { id: string; title: string; inverse: string; inverse_title: string; to: string[] }[];
}
export type Value = string | number | boolean | string[] | null;
export interface Held {
    value: Value;
    intended: Value;
    intended_by: string | null;
    intended_ns: string | null;
    observed: Value;
    observed_by: string | null;
    observed_ns: string | null;
    drifts: boolean;
}
export interface Entity {
    id: string;
    kind: string;
    name: string;
    title: string;
    state: string;
    version: string;
    within: string | null;
    created_ns: string;
    changed_ns: string;
    seen_ns: string | null;
    hidden_ns: string | null;
    drift: number;
    fields: Record<string, Held>;
}
export interface Edge {
    from: string;
    to: string;
    relation: string;
    title: string;
    inverse_title: string;
    impact: string;
    sources: string[];
    first_ns: string | null;
    seen_ns: string | null;
    other: { id: string; kind: string; title: string };
}
export type EntityDetail = Entity & { keys: { key: string; value: string }[]; relations: Edge[] };
export interface EntityEvent {
    event: string;
    time_ns: string;
    by: string;
    verb: string;
    note: string;
    name: string;
    state: string;
    fields: Record<string, Held>;
}
interface Concerned {
    number: number;
    title: string;
    severity: string;
    state: string;
    opened_ns: string;
    entities: { id: string }[];
}

const one = (id: string) => `/api/v1/entities/${encodeURIComponent(id)}`;

export const register = {
    kinds: (signal?: AbortSignal) => get<{ kinds: Kind[] }>('/api/v1/kinds', signal),
    list: (p: { kind: string; query?: string; drifting?: string; limit: number; after?: string; after_name?: string }, signal?: AbortSignal) =>
        get<{ entities: Entity[]; total: number; after: string | null; after_name: string | null }>(`/api/v1/entities?${query(p)}`, signal),
    show: (id: string, at?: string, signal?: AbortSignal) => get<EntityDetail>(`${one(id)}?${query({ at: at || undefined })}`, signal),
    history: (id: string, signal?: AbortSignal) => get<{ events: EntityEvent[] }>(`${one(id)}/history?limit=200`, signal),
    create: (kind: string, fields: Record<string, Value>) => post<{ id: string }>('/api/v1/entities', { kind, fields }),
    change: (id: string, change: { fields?: Record<string, Value>; state?: string; version?: string }) => post(one(id), change),
    drop: (id: string) => remove(one(id)),
    restore: (id: string) => post(`${one(id)}/restore`),
    revert: (id: string, event: string) => post(`${one(id)}/revert`, { event }),
    relate: (id: string, relation: string, to: string) => post(`${one(id)}/relate`, { relation, to }),
    unrelate: (id: string, relation: string, to: string) => post(`${one(id)}/unrelate`, { relation, to }),
    exportPath: (kind: string) => `/api/v1/entities.csv?${query({ kind })}`,
    /** All rows or none; the error names the row. */
    async import(kind: string, csv: string): Promise<{ created: number; updated: number; same: number }> {
        const answer = await fetch(register.exportPath(kind), { method: 'POST', body: csv, credentials: 'same-origin', headers: { 'Content-Type': 'text/csv', 'X-CSRF-Token': csrfToken() } });
        const json = await answer.json();
        if (!answer.ok) throw new ApiError(answer.status, json.errorType ?? '', json.error ?? `The import answered ${answer.status}.`);
        return json;
    },
    /** What is open and concerns it. */
    incidents: async (id: string, signal?: AbortSignal) =>
        (await get<{ incidents: Concerned[] }>('/api/v1/incidents?state=alive&limit=200', signal)).incidents.filter((i) => i.entities.some((e) => e.id === id)),
};

/** A value as it is read. */
export function valueText(value: Value, field?: Field): string {
    if (value === null || value === undefined || value === '') return '–';
    if (typeof value === 'boolean') return value ? 'yes' : 'no';
    if (Array.isArray(value)) return value.join(', ') || '–';
    if (field?.type === 'time') return /^\d{15,}$/.test(String(value)) ? localStamp(msOfNs(String(value))).slice(0, 10) : String(value).slice(0, 10);
    return field?.unit ? `${value} ${field.unit}` : String(value);
}
/** A value as a form's box holds it, and back; '' takes the value away. */
export const boxText = (value: Value, field: Field) =>
    value === null || value === undefined ? '' : Array.isArray(value) ? value.join('; ') : field.type === 'time' ? valueText(value, field).replace('–', '') : String(value);
export function boxValue(text: string, field: Field): Value {
    const trimmed = text.trim();
    if (trimmed === '') return null;
    if (field.type === 'number') return Number(trimmed);
    if (field.type === 'bool') return trimmed === 'true';
    if (field.type === 'list') return trimmed.split(';').map((item) => item.trim()).filter(Boolean);
    return trimmed;
}
export const mayDo = (kind: Kind, role: Role | undefined, what: string) => (kind.permissions[role ?? ''] ?? []).includes(what);
export const mayWriteField = (field: Field, role: Role | undefined) => field.write.includes(role ?? '');

/** Relations as they read from an entity: "runs on", or from the other end "runs"; each with all it leads to. */
export function relationGroups(id: string, edges: Edge[]): { title: string; edges: Edge[] }[] {
    const groups = new Map<string, Edge[]>();
    for (const edge of edges) {
        const title = edge.from === id ? edge.title : edge.inverse_title;
        groups.set(title, [...(groups.get(title) ?? []), edge]);
    }
    return [...groups].map(([title, list]) => ({ title, edges: list.sort((a, b) => a.other.title.localeCompare(b.other.title)) })).sort((a, b) => a.title.localeCompare(b.title));
}
const sourceTitles: Record<string, string> = { telemetry: 'telemetry', sockets: 'open connections', systemd: 'systemd', otlp: 'OpenTelemetry', declared: 'a file', person: 'a person' };
export const sourceText = (edge: Edge) => edge.sources.map((s) => sourceTitles[s] ?? s).join(', ');
/** Only what a person related may a person part; a file's edges go with their line in the file. */
export const byPerson = (edge: Edge) => edge.sources.includes('person');

/** Which fields an event changed, compared with the one before it. */
export function changed(event: EntityEvent, before: EntityEvent | undefined, kind: Kind | undefined): string[] {
    const texts: string[] = [];
    for (const [id, held] of Object.entries(event.fields ?? {})) {
        const field = kind?.fields.find((f) => f.id === id);
        const was = before?.fields?.[id];
        for (const part of ['intended', 'observed'] as const) {
            if (JSON.stringify(held[part] ?? null) === JSON.stringify(was?.[part] ?? null)) continue;
            texts.push(`${field?.title ?? id} ${part === 'observed' ? 'seen as' : held.intended === null ? 'no longer' : 'set to'} ${valueText(held[part] ?? was?.[part] ?? null, field)}`);
        }
    }
    if (before && before.state !== event.state) texts.push(`state ${before.state} became ${event.state}`);
    return texts;
}
/** A silence's conditions that fit what is told about an entity, to begin with. */
export function matchersOf(entity: EntityDetail): { name: string; value: string; isRegex: boolean; isEqual: boolean }[] {
    const quote = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    const host = (name: string) => ({ name: 'instance', value: `${quote(name)}(:[0-9]+)?`, isRegex: true, isEqual: true });
    const on = entity.relations.find((e) => e.from === entity.id && e.other.kind === 'host')?.other.title;
    const own = { service: 'service', filesystem: 'mountpoint' }[entity.kind];
    if (entity.kind === 'host') return [host(entity.name)];
    return [{ name: own ?? entity.kind, value: entity.name, isRegex: false, isEqual: true }, ...(on && entity.kind === 'filesystem' ? [host(on)] : [])];
}
