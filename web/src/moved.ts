// What of an incident, a host or a service moved together, and what first: the question, and the answer in words.
import { get, query } from './api';
import { msOfNs, span } from './time';

export interface Moved {
    what: string;
    sentence: string;
    query: string;
    labels: Record<string, string>;
    entity: { id: string; kind: string; name: string };
    way: 'up' | 'down' | 'stopped';
    group: number | null; // those of one number moved together
    is_little: boolean;
    onset_ns: string;
    earliest_ns: string;
    latest_ns: string;
    end_ns: string | null;
    strength: number;
    usual_text: string | null;
    level_text: string | null;
}
export interface MovedAnswer {
    sentence: string;
    from_ns: string;
    until_ns: string;
    before_ns: string;
    groups: number;
    entities_left_out: number;
    series: { looked_at: number; unknown: number; earlier: number; left_out: number; too_many_points: number; buckets: number; not_told: number };
    moved: Moved[];
    warnings?: string[]; // what the answer lacks: a damaged day, for one
}
export type MovedAbout = { incident: number } | { entity: string };

export const movedApi = (about: MovedAbout, since: string | undefined, signal?: AbortSignal) =>
    get<MovedAnswer>(`/api/v1/moved?${query({ ...about, since })}`, signal);

export interface MovedGroup {
    number: number;
    onsetNs: string; // the least of its members'
    moved: Moved[];
}

/** In order of time; those that moved a little are in none. */
export function groupsOf(answer: MovedAnswer): MovedGroup[] {
    const groups: MovedGroup[] = [];
    for (const moved of answer.moved) {
        if (moved.group === null) continue;
        if (groups.at(-1)?.number !== moved.group) groups.push({ number: moved.group, onsetNs: moved.onset_ns, moved: [] });
        const group = groups.at(-1)!;
        group.moved.push(moved);
        if (BigInt(moved.onset_ns) < BigInt(group.onsetNs)) group.onsetNs = moved.onset_ns;
    }
    return groups;
}

export const littleOf = (answer: MovedAnswer) => answer.moved.filter((m) => m.is_little);

/** "30 s later", beside the first; of one that may be as early as it, that. */
export function laterText(group: MovedGroup, first: MovedGroup): string {
    const seconds = (msOfNs(group.onsetNs) - msOfNs(first.onsetNs)) / 1e3;
    return seconds >= 1 ? `${span(seconds)} after the first` : 'right after the first';
}

export function changeText(moved: Moved): string {
    if (moved.way === 'stopped') return `stopped; it was ${moved.usual_text ?? 'unknown'}`;
    return `${moved.usual_text} → ${moved.level_text}`;
}

/** How surely a time is known, of several the surest: the points lie so far apart, or the change is slow. */
export const withinText = (...moved: Moved[]) => span(Math.min(...moved.map((m) => (msOfNs(m.latest_ns) - msOfNs(m.earliest_ns)) / 1e3)));

const series = (count: number) => (count === 1 ? 'one series' : `${count} series`);

export function summaryText(answer: MovedAnswer): string {
    const large = answer.moved.filter((m) => !m.is_little).length + answer.series.not_told;
    if (!answer.series.looked_at && !answer.series.too_many_points) return 'Nothing was measured about it in this time.';
    if (answer.series.unknown && answer.series.unknown === answer.series.looked_at) return 'Whether anything left its normal cannot be said.';
    return large ? `${large} of ${series(answer.series.looked_at)} left their normal.` : `None of ${series(answer.series.looked_at)} left its normal.`;
}

/** What the answer does not cover, a sentence each. */
export function leftOut(answer: MovedAnswer): string[] {
    const { series: s } = answer;
    return [
        s.earlier ? `${s.earlier} had left their normal before this time began.` : '',
        s.unknown ? `Of ${s.unknown} too little is known from before.` : '',
        s.left_out ? `${s.left_out} more series were not looked at: ask for one host or service.` : '',
        s.too_many_points ? `${s.too_many_points} have too many points: ask for a shorter time.` : '',
        s.not_told ? `${s.not_told} more are not listed.` : '',
        answer.entities_left_out ? `${answer.entities_left_out} more things near it were left out.` : '',
    ].filter(Boolean);
}

/** Where a movement lies in the time asked for, in parts of its width: from when it began until it ended. */
export function placeOf(moved: Moved, answer: MovedAnswer): { left: number; width: number } {
    const start = msOfNs(answer.from_ns);
    const length = Math.max(1, msOfNs(answer.until_ns) - start);
    const part = (ns: string) => Math.min(1, Math.max(0, (msOfNs(ns) - start) / length));
    const left = part(moved.onset_ns);
    return { left, width: Math.max(0.01, (moved.end_ns ? part(moved.end_ns) : 1) - left) };
}
