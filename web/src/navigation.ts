// How the rows of pages.ts are laid out: groups in the rail and the drawer, a few in a phone's bar.
import type { Page } from './pages';

type Row = Pick<Page, 'page' | 'group' | 'bar'>;

export const barMost = 5; // as many as a thumb tells apart on a phone

/** Pages by group, groups in the order in which they first appear. */
export function grouped<P extends Row>(pages: P[]): { group: string; pages: P[] }[] {
    const groups: { group: string; pages: P[] }[] = [];
    for (const page of pages) {
        const found = groups.find((g) => g.group === page.group);
        if (found) found.pages.push(page);
        else groups.push({ group: page.group, pages: [page] });
    }
    return groups;
}

/** What the bar of a phone holds: all pages when they fit, else those marked, and the way to the rest. */
export function barOf<P extends Row>(pages: P[]): { shown: P[]; more: boolean } {
    if (pages.length <= barMost) return { shown: pages, more: false };
    return { shown: pages.filter((page) => page.bar).slice(0, barMost - 1), more: true };
}
