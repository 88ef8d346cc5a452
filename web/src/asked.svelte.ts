// A question to the server that a page shows the answer to: asked when the page opens, again when something may have
// changed, and again when the server is back. While it is asked again the last answer stays.
import { isAbort, messageOf } from './api';
import { here } from './here.svelte';
import { counter } from './status';

export interface Asked<T> {
    readonly value: T | null; // null: no answer yet
    readonly problem: string; // what went wrong the last time; '' when nothing did
    readonly loading: boolean;
    again(): Promise<void>;
}

/** What changes with every command that the server has applied, whoever ordered it: the live stream tells it. */
export const commandsApplied = () => counter(here.status, 'loop.commands');

/**
 * Call it while a component is set up. `ask` may read state: when that changes it is asked anew, and an answer to the
 * question before is dropped. `changes` is read for the same purpose: it changes when the answer may have.
 */
export function asked<T>(ask: (signal: AbortSignal) => Promise<T>, changes: () => unknown = commandsApplied): Asked<T> {
    let value = $state.raw<T | null>(null);
    let problem = $state('');
    let loading = $state(false);
    let aborter = new AbortController();

    async function settle(answer: Promise<T>, signal: AbortSignal): Promise<void> {
        loading = true;
        try {
            const found = await answer;
            if (signal.aborted) return;
            value = found;
            problem = '';
        } catch (error) {
            if (signal.aborted || isAbort(error)) return;
            problem = messageOf(error);
        }
        loading = false;
    }
    function again(): Promise<void> {
        aborter.abort();
        aborter = new AbortController();
        return settle(ask(aborter.signal), aborter.signal);
    }
    const changed = $derived(changes());
    $effect(() => {
        void [changed, here.returns];
        again();
        return () => aborter.abort();
    });
    return {
        get value() { return value; },
        get problem() { return problem; },
        get loading() { return loading; },
        again,
    };
}
