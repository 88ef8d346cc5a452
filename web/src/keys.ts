// The keyboard: one table from which the keys work and the help is shown. Pages lay theirs on top while they are seen.

export interface Key {
    keys: string; // "g l", "/", "?", "Escape"
    does: string;
    run: (event: KeyboardEvent) => void;
}

const layers: { title: string; keys: Key[] }[] = [];
let begun = '';
let begunAt = 0;

/** Adds a page's keys; call what it returns when the page goes. */
export function addKeys(title: string, keys: Key[]): () => void {
    const layer = { title, keys };
    layers.push(layer);
    return () => {
        const at = layers.indexOf(layer);
        if (at >= 0) layers.splice(at, 1);
    };
}

export const keyHelp = () => layers.map((layer) => ({ ...layer, keys: layer.keys.filter((k) => k.does) }));

const typing = (target: EventTarget | null) =>
    target instanceof HTMLElement &&
    (target.isContentEditable || target.tagName === 'TEXTAREA' || target.tagName === 'SELECT' ||
        (target.tagName === 'INPUT' && !['checkbox', 'radio', 'button'].includes((target as HTMLInputElement).type)));

export function onKey(event: KeyboardEvent, singleKeys: boolean): void {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (typing(event.target) || document.querySelector('dialog[open]')) return;
    if (!singleKeys && event.key !== 'Escape' && event.key !== '?') return;
    const pressed = begun && event.timeStamp - begunAt < 1500 ? `${begun} ${event.key}` : event.key;
    begun = '';
    for (const layer of [...layers].reverse()) {
        const found = layer.keys.find((key) => key.keys === pressed);
        if (found) {
            event.preventDefault();
            return found.run(event);
        }
    }
    if (layers.some((layer) => layer.keys.some((key) => key.keys.startsWith(`${event.key} `)))) {
        begun = event.key;
        begunAt = event.timeStamp;
    }
}
