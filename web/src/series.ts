// From the answers of a range query to what a chart draws: one grid of times for all series, nothing where nothing was
// measured, and only as many lines as can be told apart.
import type { QueryData, Series } from './api';
import { seriesName } from './promql';
import { measureOf, type Measure } from './units';

export const linesMost = 60;

export interface Line {
    key: string;
    name: string;
    query: number;
    measure: Measure;
    values: (number | null)[];
    last: number | null;
    max: number;
    color: number;
}

/** Times of the grid, in seconds. Both ends lie on whole steps, so that a refreshed chart does not jitter. */
export function grid(startMs: number, endMs: number, stepS: number): number[] {
    const first = Math.ceil(startMs / 1e3 / stepS);
    const last = Math.floor(endMs / 1e3 / stepS);
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * stepS);
}

function valuesOn(times: number[], stepS: number, points: [number, string][]): (number | null)[] {
    const values: (number | null)[] = Array(times.length).fill(null);
    for (const [time, text] of points) {
        const at = Math.round((time - times[0]) / stepS);
        const value = numberOf(text);
        if (at >= 0 && at < values.length && Number.isFinite(value)) values[at] = value;
    }
    return values;
}

export const numberOf = (text: string) => (text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text));

const asSeries = (data: QueryData): Series[] =>
    data.resultType === 'matrix' || data.resultType === 'vector' ? data.result : [{ metric: {}, value: data.result }];

/** The lines of one query, the largest first; those beyond `linesMost` are left out and counted. */
export function linesOf(data: QueryData, query: number, text: string, times: number[], stepS: number): { lines: Line[]; left: number } {
    const measure = measureOf(text);
    const all = asSeries(data).map((series) => {
        const name = seriesName(series.metric);
        const values = valuesOn(times, stepS, series.values ?? []);
        let max = -Infinity;
        let last: number | null = null;
        for (const value of values) {
            if (value === null) continue;
            max = Math.max(max, value);
            last = value;
        }
        return { key: `${query} ${name}`, name: name === '{}' ? text : name, query, measure, values, last, max, color: 0 };
    });
    if (all.length > linesMost) all.sort((a, b) => b.max - a.max);
    return { lines: all.slice(0, linesMost), left: Math.max(0, all.length - linesMost) };
}

/** Points with nothing measured on either side: a line alone would not show them. */
export function lonely(values: (number | null | undefined)[]): number[] {
    const found: number[] = [];
    for (let i = 0; i < values.length; i++) if (values[i] != null && values[i - 1] == null && values[i + 1] == null) found.push(i);
    return found;
}

export interface InstantRow {
    query: number;
    name: string;
    value: number;
    text: string;
    measure: Measure;
}

export function rowsOf(data: QueryData, query: number, text: string): InstantRow[] {
    return asSeries(data).map((series) => {
        const raw = series.value?.[1] ?? '';
        const name = seriesName(series.metric);
        return { query, name: name === '{}' ? text : name, value: numberOf(raw), text: raw, measure: measureOf(text) };
    });
}
