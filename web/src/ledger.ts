// The model ledger: what people's words changed in what Evenkeel has learned.
import { get, post, query } from './api';
import { nsOf } from './time';

export interface Effect {
    one: string; // sorts of alerts: "DiskFull on host"
    other: string;
    together: number;
    apart: number;
}
export interface LedgerEntry {
    id: string;
    time_ns: string;
    model: string;
    by: string;
    what: string;
    effect: Effect[] | Record<string, never>; // a model that is no table of pairs has none
    replay: { of: number; changed: number; incidents: number[]; sentence: string } | null; // what it would have changed of the newest incidents
    reverted_ns: string | null;
    reverted_by: string | null;
}
export const ledger = {
    entries: (p: { before?: string; limit: number }, signal?: AbortSignal) => get<{ entries: LedgerEntry[] }>(`/api/v1/models/ledger?${query(p)}`, signal),
    revert: (id: string) => post(`/api/v1/models/ledger/${encodeURIComponent(id)}/revert`),
};

export const isTakenBack = (e: LedgerEntry) => nsOf(e.reverted_ns) !== 0n;

/** What it would have changed: of a judgement, whom it is shown with, which is no replay; of a word taken back, what held then. */
export function replayText(e: LedgerEntry): string {
    if (!e.replay) return '';
    return `${isTakenBack(e) || e.model === 'noise' ? 'When it was said' : 'On replay'}: ${e.replay.sentence}`;
}

/** What it counts as; of a word taken back, what it no longer does. */
export const countedText = (e: LedgerEntry) => {
    const text = effectText(e.effect);
    return text && isTakenBack(e) ? `No longer counts: ${text}` : text;
};

const often = (n: number) => (n === 1 ? 'once' : `${n} times`);
/** "counts once as together: DiskFull on host, WebDown on service" */
export function effectText(effect: LedgerEntry['effect']): string {
    return (Array.isArray(effect) ? effect : []).map((e) => {
        if (e.one.startsWith('noise: ')) return `${e.other}: judged “${e.one.slice(7)}” ${often(e.together)} more`;
        const pair = e.one === 'the cause' ? e.other : `${e.one} and ${e.other}`;
        const counts = [
            e.together && (e.one === 'the cause' ? `named as the cause ${often(e.together)} more` : `belong together ${often(e.together)} more`),
            e.apart && (e.one === 'the cause' ? `not the cause ${often(e.apart)} more` : `do not belong together ${often(e.apart)} more`),
        ].filter(Boolean);
        return `${pair}: ${counts.join(', ') || 'no change'}`;
    }).join('; ');
}
