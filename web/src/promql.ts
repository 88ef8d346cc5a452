// What to offer while somebody types PromQL: looks left of the caret only, and never parses more than it must.

export const functions = (
    'abs absent absent_over_time avg_over_time ceil changes clamp clamp_max clamp_min count_over_time day_of_month ' +
    'day_of_week days_in_month delta deriv exp floor histogram_quantile hour idelta increase irate label_join ' +
    'label_replace last_over_time ln log10 log2 max_over_time min_over_time minute month predict_linear ' +
    'present_over_time quantile_over_time rate resets round scalar sgn sort sort_desc sqrt stddev_over_time ' +
    'stdvar_over_time sum_over_time time timestamp vector year'
).split(' ');
export const aggregations = 'sum avg count min max stddev stdvar topk bottomk quantile count_values group'.split(' ');

export type Wanted =
    | { kind: 'name'; prefix: string; from: number }
    | { kind: 'label'; prefix: string; from: number; metric: string }
    | { kind: 'value'; prefix: string; from: number; metric: string; label: string }
    | { kind: 'nothing' };

/** What stands at the caret: a name, a label inside braces or by (...), or a label's value. */
export function wantedAt(text: string, caret: number): Wanted {
    const left = text.slice(0, caret);
    const brace = openBrace(left);
    if (brace >= 0) {
        const metric = /([a-zA-Z_:][\w:]*)\s*$/.exec(left.slice(0, brace))?.[1] ?? '';
        const inside = left.slice(brace + 1);
        const value = /([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)\s*"((?:\\.|[^"\\])*)$/.exec(inside);
        if (value) return { kind: 'value', prefix: value[2], from: caret - value[2].length, metric, label: value[1] };
        const label = /(?:^|,)\s*([a-zA-Z_]?\w*)$/.exec(inside);
        return label ? { kind: 'label', prefix: label[1], from: caret - label[1].length, metric } : { kind: 'nothing' };
    }
    if (insideQuotes(left)) return { kind: 'nothing' };
    const grouping = /\b(?:by|without|on|ignoring)\s*\(([^()]*)$/.exec(left);
    if (grouping) {
        const label = /([a-zA-Z_]?\w*)$/.exec(grouping[1])![1];
        const behind = /([a-zA-Z_:][\w:]*)\s*[{[]/.exec(text.slice(caret))?.[1] ?? '';
        return { kind: 'label', prefix: label, from: caret - label.length, metric: behind };
    }
    const name = /(?:^|[^\w:.$])([a-zA-Z_:][\w:]*)$/.exec(left);
    if (name && !/\[[^\]]*$/.test(left)) return { kind: 'name', prefix: name[1], from: caret - name[1].length };
    return { kind: 'nothing' };
}

function openBrace(left: string): number {
    let quote = false;
    let open = -1;
    for (let i = 0; i < left.length; i++) {
        if (quote && left[i] === '\\') i++;
        else if (left[i] === '"') quote = !quote;
        else if (!quote && left[i] === '{') open = i;
        else if (!quote && left[i] === '}') open = -1;
    }
    return open;
}

const insideQuotes = (left: string) => (left.replace(/\\./g, '').match(/"/g)?.length ?? 0) % 2 === 1;

/** Those that begin with what was typed first, then those that contain it; a few only. */
export function ranked(candidates: string[], prefix: string, most = 12): string[] {
    const needle = prefix.toLowerCase();
    const starts = candidates.filter((c) => c.toLowerCase().startsWith(needle));
    const contains = needle ? candidates.filter((c) => c.toLowerCase().indexOf(needle) > 0) : [];
    return [...starts, ...contains].filter((c) => c !== prefix).slice(0, most);
}

/** {a="1", b="2"} without the name, for legends. */
export function seriesName(labels: Record<string, string>): string {
    const { __name__: name = '', ...rest } = labels;
    const pairs = Object.entries(rest).map(([label, value]) => `${label}="${value}"`);
    return pairs.length === 0 ? name || '{}' : `${name}{${pairs.join(', ')}}`;
}

/** Where the server says the mistake is: "1:5: parse error: ..." gives the offset 4. */
export function errorOffset(message: string, text: string): number | null {
    const place = /(?:^|\s|:\s)(\d+):(\d+): /.exec(message);
    if (!place) return null;
    const lines = text.split('\n');
    const line = Number(place[1]) - 1;
    if (line >= lines.length) return null;
    return Math.min(text.length, lines.slice(0, line).reduce((sum, l) => sum + l.length + 1, 0) + Number(place[2]) - 1);
}
