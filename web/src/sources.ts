// What a source's counters mean to a person: which come first, what its state says, in which unit it lags.
import type { Source, SourceState } from './api';
import { ago, localStamp, msOfNs, nsOf, span } from './time';
import { bytes, whole } from './units';

const rank: Record<SourceState, number> = { failing: 0, silent: 1, new: 2, ok: 3 };

export const needsCare = (source: Source) => source.state === 'failing' || source.state === 'silent';

/** Failing first, then silent, then those that never sent; within each by name. */
export const inOrder = (sources: Source[]) =>
    [...sources].sort((a, b) => (rank[a.state] ?? 0) - (rank[b.state] ?? 0) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));

/** Every word must be somewhere in name, kind, state or what the source says of itself. */
export function matches(source: Source, filter: string): boolean {
    const text = `${source.name} ${source.kind} ${source.state} ${source.state_text}`.toLowerCase();
    return filter.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

const seconds = (ns: string | number) => Number(nsOf(ns)) / 1e9;

export function stateSentence(source: Source, nowMs: number): string {
    const every = seconds(source.expected_every_ns);
    const usual = every > 0 ? `about every ${span(every)}` : '';
    const said = source.state_text ? ` Last said: ${source.state_text}.` : '';
    if (source.state === 'silent') {
        const quiet = span(Math.max(0, (nowMs - msOfNs(nsOf(source.last_seen_ns))) / 1e3));
        return `Nothing for ${quiet}${usual ? `; it used to send ${usual}` : ''}.${said}`;
    }
    if (source.state_text) return source.state_text;
    if (source.state === 'failing') return 'The last attempt failed.';
    if (source.state === 'new') return 'Nothing has come from it yet.';
    return usual ? `Sends ${usual}.` : 'It sends.';
}

/** Followed files lag in bytes not yet read, everything else in time. */
export const lagText = (source: Source) => (source.kind === 'file' ? bytes(source.lag) : span(source.lag));

/** How far the sender's clock is from this one's; less than a second is no difference worth a thought. */
export function skewText(ns: string | number): string {
    const s = seconds(ns);
    if (Math.abs(s) < 1) return '0 s';
    return s > 0 ? `${span(s)} behind` : `${span(s)} ahead`;
}

/** Everything that is known about a source, for its own page. */
export function factsOf(source: Source, nowMs: number): { name: string; value: string; bad?: boolean }[] {
    const instant = (ns: string) => (nsOf(ns) === 0n ? 'never' : `${ago(ns, nowMs)} · ${localStamp(msOfNs(nsOf(ns)))}`);
    const every = seconds(source.expected_every_ns);
    return [
        { name: 'Kind', value: source.kind },
        { name: 'Last seen', value: instant(source.last_seen_ns) },
        { name: 'Newest event', value: instant(source.newest_event_ns) },
        { name: 'Usually sends', value: every > 0 ? `about every ${span(every)}` : 'not known yet' },
        { name: 'Records', value: whole(source.records) },
        { name: 'Samples', value: whole(source.samples) },
        { name: 'Received', value: `${bytes(source.bytes)} in ${whole(source.batches)} batches` },
        { name: 'Lag', value: lagText(source) },
        { name: 'Clock skew', value: skewText(source.clock_skew_ns) },
        { name: 'Dropped', value: whole(source.dropped), bad: source.dropped > 0 },
        { name: 'Duplicates', value: `${whole(source.duplicates)} batches sent again` },
        { name: 'Parse failures', value: whole(source.parse_failures), bad: source.parse_failures > 0 },
    ];
}

const quoted = (value: string) => JSON.stringify(value);

/** Where its records or samples are looked at: a page and the query for it. */
export function exploreOf(source: Source): { page: 'logs' | 'metrics'; query: string } | null {
    const scraped = /^scrape:(.+?)\/(.+)$/.exec(source.name);
    if (scraped) return { page: 'metrics', query: `up{job=${quoted(scraped[1])},instance=${quoted(scraped[2])}}` };
    if (source.kind === 'host') return { page: 'metrics', query: 'node_load1' };
    if (source.kind === 'file' && source.name.startsWith('file:')) return { page: 'logs', query: `{path=${quoted(source.name.slice(5))}}` };
    if (source.kind.startsWith('otlp_logs')) return { page: 'logs', query: '{source="otlp"}' };
    if (['syslog', 'journald', 'webhook', 'file'].includes(source.kind)) return { page: 'logs', query: `{source=${quoted(source.kind)}}` };
    return null;
}

/** Only this machine tells about itself so far: nobody was asked to send yet. */
export const onlyThisMachine = (sources: Source[]) =>
    sources.every((s) => s.state === 'new' || ['host', 'journald', 'file'].includes(s.kind));
