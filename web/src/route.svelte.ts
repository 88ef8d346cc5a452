// Where the reader is: the address behind '#', so that every view can be shared and no server rule is needed for it.

export interface Route {
    page: string;
    id: string; // of #/page/id; '' for the page itself
    parameters: URLSearchParams;
}

export function parsed(hash: string): Route {
    const text = hash.replace(/^#\/?/, '');
    const mark = text.indexOf('?');
    const path = mark < 0 ? text : text.slice(0, mark);
    const slash = path.indexOf('/');
    return {
        page: (slash < 0 ? path : path.slice(0, slash)) || 'overview',
        id: slash < 0 ? '' : decoded(path.slice(slash + 1)),
        parameters: new URLSearchParams(mark < 0 ? '' : text.slice(mark + 1)),
    };
}

function decoded(text: string): string {
    try {
        return decodeURIComponent(text);
    } catch {
        return text; // a stray '%', typed by hand
    }
}

export const route = $state<{ now: Route }>({ now: parsed(location.hash) });

addEventListener('hashchange', () => (route.now = parsed(location.hash)));

export function href(page: string, parameters: Record<string, string | string[]> = {}, id = ''): string {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters))
        for (const item of Array.isArray(value) ? value : [value]) search.append(name, item);
    const text = search.toString();
    return `#/${page}${id ? `/${encodeURIComponent(id)}` : ''}${text ? `?${text}` : ''}`;
}

export const hrefOf = (page: string, id: string) => href(page, {}, id);

/** Goes there; with `replace` the way back does not lead through here. */
export function go(address: string, replace = false): void {
    if (address === location.hash) return;
    if (replace) {
        history.replaceState(null, '', address);
        route.now = parsed(address);
    } else location.hash = address;
}
