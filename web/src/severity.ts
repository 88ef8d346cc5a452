// Severities as the console groups and colours them; the order is that of the histogram, worst at the bottom.

export type Severity = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'unset';

export const severities: Severity[] = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'unset'];
export const short: Record<Severity, string> = {
    fatal: 'FATAL', error: 'ERROR', warn: 'WARN', info: 'INFO', debug: 'DEBUG', trace: 'TRACE', unset: '·',
};

const synonyms: Record<string, Severity> = {
    emerg: 'fatal', emergency: 'fatal', alert: 'fatal', crit: 'fatal', critical: 'fatal', panic: 'fatal',
    err: 'error', warning: 'warn', notice: 'info', informational: 'info', '': 'unset', none: 'unset', unknown: 'unset',
};

/** From a name in any of the usual spellings, or OpenTelemetry's number 1 ... 24. */
export function severityOf(value: string | number | null | undefined): Severity {
    if (value === null || value === undefined) return 'unset';
    const number = typeof value === 'number' ? value : /^\d+$/.test(value) ? Number(value) : NaN;
    if (!Number.isNaN(number)) {
        if (number <= 0) return 'unset';
        return (['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const)[Math.min(5, Math.floor((number - 1) / 4))];
    }
    const name = String(value).toLowerCase().replace(/[0-9]+$/, '');
    return synonyms[name] ?? (severities.includes(name as Severity) ? (name as Severity) : 'unset');
}
