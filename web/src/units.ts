// Units: numbers as a person reads them, always with what they count.

const trimmed = (value: number, digits: number) => String(Number(value.toPrecision(digits)));

/** 12, 1.2k, 3.4M: three figures, for tables and axes. */
export function compact(value: number): string {
    if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '−Inf';
    const magnitude = Math.abs(value);
    if (magnitude !== 0 && magnitude < 1e-4) return value.toExponential(1).replace('e-', 'e−').replace(/^-/, '−');
    const steps: [number, string][] = [[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k']];
    for (const [size, letter] of steps)
        if (magnitude >= size * 0.9995) return minus(`${trimmed(value / size, 3)}${letter}`);
    return minus(trimmed(value, magnitude < 1 ? 3 : 4));
}

const minus = (text: string) => text.replace(/^-/, '−');

/** 1,234,567 */
export const whole = (value: number | string | bigint) => {
    const digits = String(typeof value === 'number' ? Math.round(value) : value);
    return digits.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
};

/** 1.5 MiB; units as Debian's tools call them. */
export function bytes(value: number): string {
    let size = Math.abs(value);
    for (const unit of ['B', 'KiB', 'MiB', 'GiB', 'TiB']) {
        if (size < 1023.5 || unit === 'TiB') return `${value < 0 ? '−' : ''}${trimmed(size, size >= 1000 ? 4 : 3)} ${unit}`;
        size /= 1024;
    }
    return '';
}

/** Less than one in ten days is what a mean that fades has left of nothing. */
export const rate = (perSecond: number, what = '') => `${compact(Math.abs(perSecond) < 1e-6 ? 0 : perSecond)}${what ? ` ${what}` : ''}/s`;

export const percent = (part: number) => `${trimmed(part * 100, 3)} %`;

/** What a metric counts, read from its name as Prometheus' conventions have it; after rate() it is "per second". */
export type Unit = 'bytes' | 'seconds' | 'ratio' | 'percent' | 'count';
export interface Measure {
    unit: Unit;
    perSecond: boolean;
}

export function measureOf(expression: string): Measure {
    const name = /[a-zA-Z_:][a-zA-Z0-9_:]*(?=\s*[{[])|[a-zA-Z_:][a-zA-Z0-9_:]*_[a-zA-Z0-9_:]*/.exec(
        expression.replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, '').replace(
            /\b[a-z_]+(?=\s*\()/g, ''),
    )?.[0] ?? '';
    const perSecond = /\b(rate|irate|deriv)\s*\(/.test(expression);
    const divided = expression.replace(/"[^"]*"/g, '').includes('/');
    if (divided) return { unit: /100\s*\*|\*\s*100/.test(expression) ? 'percent' : 'count', perSecond: false };
    const base = name.replace(/_(total|sum|bucket|count)$/, '');
    if (/_count$/.test(name)) return { unit: 'count', perSecond };
    if (/_bytes$/.test(base)) return { unit: 'bytes', perSecond };
    if (/_seconds$/.test(base)) return { unit: 'seconds', perSecond };
    if (/_ratio$/.test(base)) return { unit: 'ratio', perSecond };
    if (/_percent$/.test(base)) return { unit: 'percent', perSecond };
    return { unit: 'count', perSecond };
}

export function measureName(measure: Measure): string {
    const per = measure.perSecond ? ' per second' : '';
    if (measure.unit === 'seconds' && measure.perSecond) return 'seconds per second';
    return { bytes: `bytes${per}`, seconds: 'seconds', ratio: `ratio${per}`, percent: `percent${per}`, count: `value${per}` }[
        measure.unit
    ];
}

export function measured(value: number, measure: Measure): string {
    const per = measure.perSecond ? '/s' : '';
    if (!Number.isFinite(value)) return compact(value);
    if (measure.unit === 'bytes') return `${bytes(value)}${per}`;
    if (measure.unit === 'seconds' && !measure.perSecond) return secondsText(value);
    if (measure.unit === 'seconds') return `${compact(value)} s/s`;
    if (measure.unit === 'percent') return `${compact(value)} %${per}`;
    return `${compact(value)}${per}`;
}

function secondsText(value: number): string {
    const size = Math.abs(value);
    if (value === 0) return '0 s';
    if (size < 1e-6) return `${compact(value * 1e9)} ns`;
    if (size < 1e-3) return `${compact(value * 1e6)} µs`;
    if (size < 1) return `${compact(value * 1e3)} ms`;
    if (size < 600) return `${compact(value)} s`;
    if (size < 36000) return `${compact(value / 60)} min`;
    return size < 172800 * 2 ? `${compact(value / 3600)} h` : `${compact(value / 86400)} d`;
}
