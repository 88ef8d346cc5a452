import { expect, test } from 'vitest';
import { barMost, barOf, grouped } from './navigation';

const row = (page: string, group = '', bar?: true) => ({ page, group, bar });

test('pages of a group stand together, groups where their first page stands', () => {
    const found = grouped([row('a'), row('b', 'x'), row('c', 'y'), row('d', 'x')]);
    expect(found.map((g) => [g.group, g.pages.map((p) => p.page).join('')])).toEqual([['', 'a'], ['x', 'bd'], ['y', 'c']]);
});

test('a phone shows all pages while they fit, then those marked and a way to the rest', () => {
    const few = [row('a', '', true), row('b'), row('c')];
    expect(barOf(few)).toEqual({ shown: few, more: false });
    const many = Array.from({ length: 9 }, (_, i) => row(String(i), '', i % 2 === 0 ? true : undefined));
    const bar = barOf(many);
    expect(bar.more).toBe(true);
    expect(bar.shown.map((p) => p.page)).toEqual(['0', '2', '4', '6']);
    expect(bar.shown.length).toBeLessThan(barMost);
});
