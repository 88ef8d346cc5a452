// What the overview makes of the answers: which incidents wait for somebody, the next gap on call, why things were held back.
import type { HeldBack, Incident, Schedule, Team } from './incidentapi';
import { teamOf } from './incidents';
import { msOfNs, nsOf } from './time';

/** Mine: I own it, or it is nobody's and its team is mine. Who is in no team, or where there are none, looks after all. */
export function isMine(incident: Incident, me: string, teams: Team[]): boolean {
    if (incident.owner) return incident.owner === me;
    const own = teams.filter((t) => t.people.includes(me)).map((t) => t.name);
    const team = teamOf(incident);
    return own.length === 0 || team === '' || own.includes(team);
}

/** The first stretch in which nobody is on call that is not over yet. */
export function nextGap(schedule: Schedule, nowMs: number): { fromMs: number; toMs: number } | null {
    const gap = schedule.gaps
        .map((g) => ({ fromMs: msOfNs(nsOf(g.from_ns)), toMs: msOfNs(nsOf(g.to_ns)) }))
        .find((g) => g.toMs > nowMs && g.toMs - g.fromMs >= 60e3);
    return gap ?? null;
}

/** Why things were held back, the most frequent reason first. */
export function heldReasons(held: HeldBack[]): { why: string; number: number }[] {
    const counts = new Map<string, number>();
    for (const one of held) counts.set(one.why || 'no reason was told', (counts.get(one.why || 'no reason was told') ?? 0) + 1);
    return [...counts].map(([why, number]) => ({ why, number })).sort((a, b) => b.number - a.number || a.why.localeCompare(b.why));
}
