// The audit log: who ordered what. Its chain is verified by the server; this browser notes the head that it was told, so
// that an end that is cut off later, or a log that is written anew, is found too.
import { get, query } from './api';
import { localStamp, msOfNs } from './time';

export interface AuditEntry {
    sequence: string;
    time_ns: string;
    by: string;
    verb: string;
    arguments: Record<string, unknown> | string; // a text: the beginning of what is too long to show
    outcome: string; // "done", or why it was refused
}
export interface AuditCheck {
    is_whole: boolean;
    entries: number;
    head: string;
    says: string;
    broken: string | null; // the first entry that does not fit
}

export const audit = {
    entries: (p: { by?: string; verb?: string; before?: string; limit: number }, signal?: AbortSignal) =>
        get<{ entries: AuditEntry[] }>(`/api/v1/audit?${query(p)}`, signal),
    verify: (head?: string) => get<AuditCheck>(`/api/v1/audit/verify?${query({ head: head || undefined })}`),
};

const titles: Record<string, string> = { false: 'no', true: 'yes' };
const word = (name: string, value: unknown): string =>
    value === '(not shown)' ? '' : /_ns$/.test(name) ? (Number(value) ? localStamp(msOfNs(value as string)) : '') :
    value === null || value === undefined || value === '' ? '' : typeof value === 'object' ? JSON.stringify(value) : titles[String(value)] ?? String(value);

/** "user_create" as it is read: "user create". */
export const verbTitle = (verb: string) => verb.replaceAll('_', ' ');

const longMost = 160;

/** What was ordered, in a line: "name ann, role operator". What is empty or secret is left out. */
export function argumentsText(args: AuditEntry['arguments']): string {
    const text = typeof args === 'string' ? args : Object.entries(args).map(([name, value]) => [name.replace(/_ns$/, ''), word(name, value)]).filter(([, value]) => value)
        .map(([name, value]) => `${name.replaceAll('_', ' ')} ${value}`).join(', ');
    return text.length > longMost ? `${text.slice(0, longMost)} …` : text;
}

const machines = new Set(['evenkeel', 'configuration']);
/** What Evenkeel ordered by itself, such as the result of a notification. */
export const byItself = (entry: AuditEntry) => machines.has(entry.by);

const place = 'audit-head';
export const notedHead = () => localStorage.getItem(place) ?? '';
export const noteHead = (head: string) => localStorage.setItem(place, head);
