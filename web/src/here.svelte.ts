// What belongs to the whole window: who is signed in, the live stream, the shared time range, theme, the clock. It is
// the only state that pages share.
import { api, ApiError, onSignedOut, stream, type Session, type Source, type Status, type Stream } from './api';
import { marked, markOf, type Mark } from './status';
import type { TimeRange } from './time';

export type Theme = 'system' | 'light' | 'dark';

export const here = $state({
    session: null as Session | null,
    nowMs: Date.now(),
    live: false, // the stream flows
    lostMs: 0, // since when it does not; 0 while it does, and before it first did
    returns: 0, // how often it came back: what is shown may be old then
    sources: null as Source[] | null,
    status: null as Status | null,
    range: { from: 'now-1h', to: 'now' } as TimeRange,
    theme: (localStorage.getItem('theme') ?? 'system') as Theme,
    dark: false,
    singleKeys: localStorage.getItem('single-keys') !== 'off',
    showKeys: false,
});

// Rates of the last five minutes, a point a second, for sparklines; kept while the window is open.
export const historySeconds = 300;
export const rates = $state<{ bySource: Record<string, number[]>; records: number[]; samples: number[]; marks: Mark[] }>({
    bySource: {},
    records: [],
    samples: [],
    marks: [],
});

const pushed = (list: number[] | undefined, value: number) => [...(list ?? []).slice(1 - historySeconds), value];

function heardSources(value: { sources: Source[] } | Source[]): void {
    const sources = Array.isArray(value) ? value : value.sources;
    here.sources = sources;
    rates.records = pushed(rates.records, sources.reduce((sum, s) => sum + (s.rate_records || 0), 0));
    rates.samples = pushed(rates.samples, sources.reduce((sum, s) => sum + (s.rate_samples || 0), 0));
    const next: Record<string, number[]> = {};
    for (const s of sources) next[s.name] = pushed(rates.bySource[s.name], (s.rate_records || 0) + (s.rate_samples || 0));
    rates.bySource = next;
}

function heardStatus(status: Status): void {
    here.status = status;
    rates.marks = marked(rates.marks, markOf(status));
}

let live: Stream | null = null;

export function goLive(): void {
    live?.close();
    live = stream(
        '/api/v1/live',
        { sources: heardSources, status: heardStatus },
        heardLive,
    );
}

function heardLive(open: boolean): void {
    if (open && here.lostMs > 0) here.returns++;
    if (!open && here.live) here.lostMs = Date.now();
    if (open) here.lostMs = 0;
    here.live = open;
    if (!open) api.session().then((session) => (here.session = session), leaveWhenSignedOut);
}

// The stream ends in the same way when the server is gone and when the session is.
function leaveWhenSignedOut(error: unknown): void {
    if (error instanceof ApiError && error.status === 401) leave();
}

export function leave(): void {
    live?.close();
    live = null;
    here.session = null;
    here.sources = null;
    here.status = null;
    here.live = false;
    here.lostMs = 0;
}
onSignedOut(leave);

export async function signOut(): Promise<void> {
    try {
        await api.signOut();
    } finally {
        leave();
    }
}

const systemDark = matchMedia('(prefers-color-scheme: dark)');

function applyTheme(): void {
    here.dark = here.theme === 'system' ? systemDark.matches : here.theme === 'dark';
    document.documentElement.dataset.theme = here.dark ? 'dark' : 'light';
}
systemDark.addEventListener('change', applyTheme);
applyTheme();

export function setTheme(theme: Theme): void {
    here.theme = theme;
    localStorage.setItem('theme', theme);
    applyTheme();
}

export function setSingleKeys(on: boolean): void {
    here.singleKeys = on;
    localStorage.setItem('single-keys', on ? 'on' : 'off');
}

setInterval(() => (here.nowMs = Date.now()), 1000);

export const mayWrite = () => here.session?.user.role === 'admin';
export const mayOperate = () => mayWrite() || here.session?.user.role === 'operator'; // acknowledge, silence, approve ...

/** Changes every so many seconds: for answers of stages that decide by themselves and that no command tells of. */
export const everySeconds = (seconds: number) => Math.floor(here.nowMs / (seconds * 1e3));
