import { expect, test } from 'vitest';
import type { HeldBack, Incident, Schedule } from './incidentapi';
import { heldReasons, isMine, nextGap } from './overview';

const incident = (owner: string, team: string) => ({ owner, team, told: [] }) as unknown as Incident;
const teams = [{ name: 'web', on_call: 'web', people: ['ann', 'bob'] }, { name: 'data', on_call: '', people: ['eve'] }];

test('an incident waits for its owner alone; without one for its team', () => {
    expect(isMine(incident('ann', 'data'), 'ann', teams)).toBe(true);
    expect(isMine(incident('bob', 'web'), 'ann', teams)).toBe(false);
    expect(isMine(incident('', 'web'), 'ann', teams)).toBe(true);
    expect(isMine(incident('', 'data'), 'ann', teams)).toBe(false);
});

test('what belongs to no team, or somebody who is in none, is not overlooked', () => {
    expect(isMine(incident('', ''), 'ann', teams)).toBe(true);
    expect(isMine(incident('', 'data'), 'admin', teams)).toBe(true);
    expect(isMine(incident('', 'web'), 'ann', [])).toBe(true);
});

test('the next gap is one that lasts and is not over', () => {
    const ns = (s: number) => `${s}000000000`;
    const schedule = { name: 'web', now: 'ann', next: null, next_ns: null, gaps: [
        { from_ns: ns(1000), to_ns: ns(2000) }, { from_ns: ns(3000), to_ns: ns(3000) }, { from_ns: ns(4000), to_ns: ns(5000) },
    ] } as Schedule;
    expect(nextGap(schedule, 1500e3)).toEqual({ fromMs: 1000e3, toMs: 2000e3 });
    expect(nextGap(schedule, 2500e3)).toEqual({ fromMs: 4000e3, toMs: 5000e3 });
    expect(nextGap(schedule, 6000e3)).toBeNull();
});

test('reasons for holding back are counted, the most frequent first', () => {
    const held = ['learning', 'budget', 'learning', ''].map((why) => ({ why }) as HeldBack);
    expect(heldReasons(held)).toEqual([{ why: 'learning', number: 2 }, { why: 'budget', number: 1 }, { why: 'no reason was told', number: 1 }]);
});
