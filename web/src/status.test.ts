import { expect, test } from 'vitest';
import { counter, marked, pace, ratio, type Mark } from './status';

test('a counter is found by its path, and is null when it is not told', () => {
    expect(counter({ journal: { syncs: 3 } }, 'journal.syncs')).toBe(3);
    expect(counter({ journal: { syncs: 3 } }, 'journal.none')).toBeNull();
    expect(counter({ version: '1' }, 'version.x')).toBeNull();
    expect(counter(null, 'a.b')).toBeNull();
});

test('processor and bytes a second come from the first and the last mark', () => {
    const marks: Mark[] = [{ timeS: 10, cpuS: 1, bytes: 100 }, { timeS: 14, cpuS: 3, bytes: 500 }];
    expect(pace(marks)).toEqual({ cpu: 0.5, bytes: 100 });
    expect(pace(marks.slice(1))).toBeNull();
});

test('marks older than the window go, and a daemon that started anew begins anew', () => {
    let marks: Mark[] = [];
    for (let timeS = 0; timeS <= 60; timeS++) marks = marked(marks, { timeS, cpuS: 0, bytes: 0 });
    expect(marks[0].timeS).toBe(45);
    expect(marked(marks, { timeS: 1, cpuS: 0, bytes: 0 })).toHaveLength(1);
});

test('a ratio needs both figures', () => {
    expect(ratio(100, 10)).toBe(10);
    expect(ratio(0, 0)).toBeNull();
    expect(ratio(null, 4)).toBeNull();
});
