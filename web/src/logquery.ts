// Log queries as text: what the console adds to them when a person clicks, and what it highlights in the lines.

export type Labels = Record<string, string>;

export const quoted = (text: string) => `"${text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n').replace(/\t/g, '\\t')}"`;

interface Parts {
    selector: string; // what stands between the braces
    rest: string; // the line filters behind them
}

/** Splits `{...} |= "x"`; plain words become a filter, as the server reads them. */
export function queryParts(query: string): Parts {
    const text = query.trim();
    if (text === '') return { selector: '', rest: '' };
    if (!text.startsWith('{')) return { selector: '', rest: `|= ${quoted(text)}` };
    let quote = '';
    for (let i = 1; i < text.length; i++) {
        const c = text[i];
        if (quote) {
            if (c === '\\' && quote === '"') i++;
            else if (c === quote) quote = '';
        } else if (c === '"' || c === '`') quote = c;
        else if (c === '}') return { selector: text.slice(1, i).trim(), rest: text.slice(i + 1).trim() };
    }
    return { selector: text.slice(1).trim(), rest: '' };
}

const joined = (parts: Parts) => `{${parts.selector}}${parts.rest ? ` ${parts.rest}` : ''}`;

/** Adds host="web1" or host!="web1" to the selector, once; its opposite is taken out. */
export function withLabel(query: string, name: string, value: string, operator: '=' | '!='): string {
    const parts = queryParts(query);
    const wanted = `${name}${operator}${quoted(value)}`;
    const opposite = `${name}${operator === '=' ? '!=' : '='}${quoted(value)}`;
    const matchers = splitMatchers(parts.selector).filter((m) => m !== opposite && m !== wanted);
    return joined({ selector: [...matchers, wanted].join(', '), rest: parts.rest });
}

/** Adds |= "text" or != "text" behind the selector. */
export function withText(query: string, text: string, operator: '|=' | '!='): string {
    const parts = queryParts(query);
    const filter = `${operator} ${quoted(text)}`;
    return joined({ ...parts, rest: parts.rest.includes(filter) ? parts.rest : `${parts.rest} ${filter}`.trim() });
}

function splitMatchers(selector: string): string[] {
    return (selector.match(/[a-zA-Z_][\w.]*\s*(?:=~|!~|!=|=)\s*(?:"(?:\\.|[^"\\])*"|`[^`]*`)/g) ?? []).map((m) =>
        m.replace(/\s*(=~|!~|!=|=)\s*/, '$1'),
    );
}

/** Selector of exactly this stream. */
export const streamQuery = (stream: Labels) =>
    `{${Object.entries(stream)
        .map(([name, value]) => `${name}=${quoted(value)}`)
        .join(', ')}}`;

/** What the query's positive filters look for, as one expression; null when there is none. */
export function highlighter(query: string): RegExp | null {
    const { rest } = queryParts(query);
    const sources: string[] = [];
    for (const match of rest.matchAll(/(\|=|\|~|!=|!~)\s*(?:"((?:\\.|[^"\\])*)"|`([^`]*)`)/g)) {
        const text = match[3] ?? (match[2] ?? '').replace(/\\n/g, '\n').replace(/\\t/g, '\t').replace(/\\(.)/g, '$1');
        if (match[1] === '|=' && text) sources.push(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
        if (match[1] === '|~' && text) sources.push(regexSource(text));
    }
    const usable = sources.filter((source) => source !== '');
    if (usable.length === 0) return null;
    const flags = rest.includes('(?i)') ? 'gi' : 'g';
    return new RegExp(usable.map((source) => `(?:${source})`).join('|'), flags);
}

function regexSource(text: string): string {
    const source = text.replace(/^\(\?[a-z]+\)/, '');
    try {
        return new RegExp(source).test('') ? '' : source; // one that matches nothing at all would match everywhere
    } catch {
        return '';
    }
}

export interface Piece {
    text: string;
    hit: boolean;
}

export function highlighted(line: string, expression: RegExp | null): Piece[] {
    if (!expression) return [{ text: line, hit: false }];
    const pieces: Piece[] = [];
    let at = 0;
    for (const match of line.matchAll(expression)) {
        if (match[0] === '') continue;
        if (match.index > at) pieces.push({ text: line.slice(at, match.index), hit: false });
        pieces.push({ text: match[0], hit: true });
        at = match.index + match[0].length;
        if (pieces.length > 200) break;
    }
    if (at < line.length) pieces.push({ text: line.slice(at), hit: false });
    return pieces;
}
