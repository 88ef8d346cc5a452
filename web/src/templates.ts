// How templates' figures are told.
import type { TemplateVariable } from './api';
import { span } from './time';
import { bytes, compact, whole } from './units';

const levels = ['error', 'warn', 'info', 'debug'];

/** The worst severity with which a sentence came; '' when its lines have none. */
export const worstLevel = (counts: Record<string, number>) => levels.find((level) => counts[level] > 0) ?? '';

export const levelsText = (counts: Record<string, number>) =>
    levels.filter((level) => counts[level] > 0).map((level) => `${level} ${whole(counts[level])}`).join(', ') || 'none told';

/** A rate that fades is not told to the last digit. */
export const perMinute = (rate: number) => (rate < 0.01 ? '0' : compact(rate));

/** A number of a variable with its unit; "–" where the variable holds no numbers. */
export function amount(value: number | undefined, unit: string): string {
    if (value === undefined) return '–';
    if (unit === 's') return span(value);
    return unit === 'bytes' ? bytes(value) : compact(value);
}

export const valuesText = (variable: TemplateVariable) =>
    (variable.values ?? []).slice().sort((a, b) => b.count - a.count).map((v) => `${v.value} (${whole(v.count)})`).join(', ') || '–';
