import { expect, test } from 'vitest';
import { boxText, boxValue, changed, relationGroups, valueText, type Edge, type EntityEvent, type Field, type Kind } from './register';

const field = (type: Field['type'], unit = ''): Field => ({ id: 'memory', title: 'Memory', type, unit, required: false, unique: false, write: [], observe: [], options: [], to: '' });

test('values are told with their units, and nothing as a dash', () => {
    expect(valueText(16, field('number', 'GiB'))).toBe('16 GiB');
    expect(valueText(['a', 'b'], field('list'))).toBe('a, b');
    expect(valueText(true, field('bool'))).toBe('yes');
    expect(valueText(null, field('text'))).toBe('–');
});

test('a box gives back what it was given', () => {
    expect(boxValue(boxText(['a', 'b'], field('list')), field('list'))).toEqual(['a', 'b']);
    expect(boxValue(boxText(16, field('number')), field('number'))).toBe(16);
    expect(boxValue('false', field('bool'))).toBe(false);
    expect(boxValue('  ', field('text'))).toBe(null);
});

test('relations read from where one stands', () => {
    const edge = { from: '1', to: '2', relation: 'calls', title: 'calls', inverse_title: 'is called by', other: { id: '2', kind: 'service', title: 'b' } } as Edge;
    expect(relationGroups('1', [edge])[0].title).toBe('calls');
    expect(relationGroups('2', [edge])[0].title).toBe('is called by');
});

test('an event says what it changed', () => {
    const held = (intended: number | null, observed: number | null) => ({ memory: { value: intended ?? observed, intended, intended_by: null, intended_ns: null, observed, observed_by: null, observed_ns: null, drifts: false } });
    const event = (fields: EntityEvent['fields'], state = 'active') => ({ event: '1', time_ns: '1', by: 'ann', verb: 'update', note: '', name: 'x', state, fields });
    const kind = { fields: [field('number', 'GiB')] } as Kind;
    expect(changed(event(held(32, 16)), event(held(null, 16)), kind)).toEqual(['Memory set to 32 GiB']);
    expect(changed(event(held(null, 16), 'retired'), event(held(32, 16)), kind)).toEqual(['Memory no longer 32 GiB', 'state active became retired']);
    expect(changed(event(held(null, 16)), undefined, kind)).toEqual(['Memory seen as 16 GiB']);
});
