// The status' counters by name, and what follows from two of them some seconds apart.
import type { Status } from './api';

/** A counter such as "journal.bytes_on_disk"; null when this daemon does not tell it. */
export function counter(status: Status | null, path: string): number | null {
    let value: unknown = status;
    for (const part of path.split('.')) value = typeof value === 'object' && value !== null ? (value as Status)[part] : undefined;
    return typeof value === 'number' ? value : null;
}

export interface Mark {
    timeS: number;
    cpuS: number;
    bytes: number;
}

export const markOf = (status: Status): Mark => ({
    timeS: counter(status, 'process.uptime_s') ?? 0,
    cpuS: counter(status, 'process.cpu_s') ?? 0,
    bytes: counter(status, 'intake.bytes') ?? 0,
});

const windowS = 15;

/** Keeps the marks of the last seconds; a daemon that started anew begins anew. */
export function marked(marks: Mark[], next: Mark): Mark[] {
    const last = marks.at(-1);
    if (last && next.timeS < last.timeS) return [next];
    if (last && next.timeS === last.timeS) return marks;
    return [...marks.filter((m) => m.timeS >= next.timeS - windowS), next];
}

/** How many times smaller the stored form is; null before anything is stored. */
export const ratio = (raw: number | null, stored: number | null) => (raw && stored ? raw / stored : null);

/** Share of one processor and bytes a second over the marks; null until there are two. */
export function pace(marks: Mark[]): { cpu: number; bytes: number } | null {
    const first = marks[0];
    const last = marks.at(-1);
    if (!first || !last || last.timeS - first.timeS < 0.5) return null;
    const seconds = last.timeS - first.timeS;
    return { cpu: (last.cpuS - first.cpuS) / seconds, bytes: (last.bytes - first.bytes) / seconds };
}
