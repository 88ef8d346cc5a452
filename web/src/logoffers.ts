// Completion for log queries, from the labels that the lines seen so far carry: what is there is what can be asked for.
import type { LogRow } from './api';
import type { Offers } from './parts/QueryInput.svelte';
import { quoted } from './logquery';
import { ranked } from './promql';

const valuesSeen = new Map<string, Set<string>>([
    ['host', new Set()], ['service', new Set()], ['source', new Set()], ['unit', new Set()], ['path', new Set()],
]);
const valuesMost = 2000;

export function learnLabels(rows: LogRow[]): void {
    for (const row of rows)
        for (const [name, value] of Object.entries(row.stream)) {
            const values = valuesSeen.get(name) ?? new Set<string>();
            if (values.size < valuesMost) values.add(value);
            valuesSeen.set(name, values);
        }
}

export function logOffers(text: string, caret: number): Offers | null {
    const left = text.slice(0, caret);
    if (left.trim() === '') return { from: caret, offers: [{ text: '{}', kind: 'all lines' }, ...starts()] };
    const inside = /^\s*\{([^}]*)$/.exec(left)?.[1];
    if (inside === undefined) return null;
    const value = /([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)\s*"([^"]*)$/.exec(inside);
    if (value) {
        const closes = text[caret] === '"' ? '' : '"';
        const values = [...(valuesSeen.get(value[1]) ?? [])].sort();
        return {
            from: caret - value[2].length,
            offers: ranked(values, value[2]).map((v) => ({ text: v, kind: value[1], insert: quoted(v).slice(1, -1) + closes })),
        };
    }
    const label = /(?:^|,)\s*([a-zA-Z_]?\w*)$/.exec(inside);
    if (!label) return null;
    return {
        from: caret - label[1].length,
        offers: ranked([...valuesSeen.keys()], label[1]).map((name) => ({ text: name, kind: 'label', insert: `${name}="` })),
    };
}

const starts = () =>
    ['host', 'service', 'source'].flatMap((name) =>
        [...(valuesSeen.get(name) ?? [])].slice(0, 4).map((v) => ({ text: `{${name}=${quoted(v)}}`, kind: 'stream' })),
    );
