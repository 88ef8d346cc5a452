// Where the reader is: the address behind '#', so that every view can be shared and no server rule is needed for it.

export interface Route {
    page: string;
    parameters: URLSearchParams;
}

function parsed(hash: string): Route {
    const text = hash.replace(/^#\/?/, '');
    const mark = text.indexOf('?');
    const page = mark < 0 ? text : text.slice(0, mark);
    return { page: page || 'overview', parameters: new URLSearchParams(mark < 0 ? '' : text.slice(mark + 1)) };
}

export const route = $state<{ now: Route }>({ now: parsed(location.hash) });

addEventListener('hashchange', () => (route.now = parsed(location.hash)));

export function href(page: string, parameters: Record<string, string | string[]> = {}): string {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters))
        for (const item of Array.isArray(value) ? value : [value]) search.append(name, item);
    const text = search.toString();
    return `#/${page}${text ? `?${text}` : ''}`;
}

/** Goes there; with `replace` the way back does not lead through here. */
export function go(address: string, replace = false): void {
    if (address === location.hash) return;
    if (replace) {
        history.replaceState(null, '', address);
        route.now = parsed(address);
    } else location.hash = address;
}
