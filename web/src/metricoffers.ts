// Completion for PromQL, from what the store holds: names with what their senders say of them, labels, values,
// functions. Answers are kept for a minute, so that typing does not ask again and again.
import { api, type MetricMeaning } from './api';
import { quoted } from './logquery';
import type { Offer, Offers } from './parts/QueryInput.svelte';
import { aggregations, functions, ranked, wantedAt } from './promql';

const keptMs = 60e3;
const kept = new Map<string, { atMs: number; answer: Promise<unknown> }>();

function once<T>(key: string, ask: () => Promise<T>): Promise<T> {
    const found = kept.get(key);
    if (found && Date.now() - found.atMs < keptMs) return found.answer as Promise<T>;
    const answer = ask();
    kept.set(key, { atMs: Date.now(), answer });
    answer.catch(() => kept.delete(key));
    return answer;
}

export const metricNames = () => once('names', () => api.labelValues('__name__'));
export const meanings = () => once<Record<string, MetricMeaning[]>>('meanings', () => api.metadata().catch(() => ({})));

// A histogram or summary says what it means under its own name, not those of its parts.
export const meaningOf = (all: Record<string, MetricMeaning[]>, name: string): MetricMeaning | undefined =>
    (all[name] ?? all[name.replace(/_(bucket|sum|count|total)$/, '')])?.[0];

/** Counter, gauge ...; '' when the sender does not say, or says that it does not know. */
export const typeOf = (meaning: MetricMeaning | undefined) => (!meaning || meaning.type === 'unknown' || meaning.type === 'untyped' ? '' : meaning.type);

const metricSelector = (metric: string) => metric || undefined;

export async function metricOffers(text: string, caret: number): Promise<Offers | null> {
    const wanted = wantedAt(text, caret);
    if (wanted.kind === 'nothing') return null;
    if (wanted.kind === 'label') {
        const key = `labels ${wanted.metric}`;
        const labels = (await once(key, () => api.labels(metricSelector(wanted.metric)))).filter((l) => l !== '__name__');
        return { from: wanted.from, offers: ranked(labels, wanted.prefix).map((l) => ({ text: l, kind: 'label' })) };
    }
    if (wanted.kind === 'value') {
        const key = `values ${wanted.label} ${wanted.metric}`;
        const values = await once(key, () => api.labelValues(wanted.label, metricSelector(wanted.metric)));
        const closes = text[caret] === '"' ? '' : '"';
        return {
            from: wanted.from,
            offers: ranked(values, wanted.prefix).map((v) => ({ text: v, kind: wanted.label, insert: quoted(v).slice(1, -1) + closes })),
        };
    }
    return { from: wanted.from, offers: await nameOffers(wanted.prefix, text[caret] === '(' ? '' : '(') };
}

async function nameOffers(prefix: string, opens: string): Promise<Offer[]> {
    const [names, all] = await Promise.all([metricNames(), meanings()]);
    const known = new Set(names);
    const callable = new Set([...functions, ...aggregations]);
    return ranked([...callable, ...names], prefix).map((text) => {
        if (!known.has(text)) return { text, kind: aggregations.includes(text) ? 'aggregation' : 'function', insert: text + opens };
        const meaning = meaningOf(all, text);
        return { text, kind: typeOf(meaning) || 'metric', help: meaning?.help };
    });
}

/** Queries worth a look, of those whose metrics are here. */
const examples: { metric: string; query: string; shows: string }[] = [
    { metric: 'node_load1', query: 'node_load1', shows: 'Load of the last minute' },
    { metric: 'node_cpu_seconds_total', query: 'sum by (mode) (rate(node_cpu_seconds_total{mode!="idle"}[1m]))', shows: 'Processor time by what it is spent on' },
    { metric: 'node_memory_MemAvailable_bytes', query: 'node_memory_MemAvailable_bytes', shows: 'Memory that programs can still get' },
    { metric: 'node_network_receive_bytes_total', query: 'sum by (device) (rate(node_network_receive_bytes_total[1m]))', shows: 'Bytes received by each network device' },
    { metric: 'node_disk_written_bytes_total', query: 'sum by (device) (rate(node_disk_written_bytes_total[1m]))', shows: 'Bytes written to each disk' },
    { metric: 'node_filesystem_avail_bytes', query: '100 * node_filesystem_avail_bytes / node_filesystem_size_bytes', shows: 'Free space of each file system, in percent' },
    { metric: 'up', query: 'up', shows: 'Which scraped targets answer' },
    { metric: 'evenkeel_intake_samples_total', query: 'rate(evenkeel_intake_samples_total[1m])', shows: 'Samples that Evenkeel takes in' },
];

export async function examplesHere() {
    const known = new Set(await metricNames());
    const fit = examples.filter((e) => known.has(e.metric));
    if (fit.length > 0) return fit;
    return [...known].slice(0, 6).map((name) => ({ metric: name, query: name, shows: '' }));
}
