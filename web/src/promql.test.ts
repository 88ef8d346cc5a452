import { describe, expect, it } from 'vitest';
import { errorOffset, ranked, seriesName, wantedAt } from './promql';

const at = (text: string) => wantedAt(text.replace('|', ''), text.indexOf('|'));

describe('what is wanted at the caret', () => {
    it('is a name of a metric or function', () => {
        expect(at('|')).toEqual({ kind: 'nothing' });
        expect(at('node_|')).toMatchObject({ kind: 'name', prefix: 'node_', from: 0 });
        expect(at('sum(ra|')).toMatchObject({ kind: 'name', prefix: 'ra', from: 4 });
        expect(at('rate(x[5m|])')).toEqual({ kind: 'nothing' });
    });
    it('is a label of the metric before the brace', () => {
        expect(at('up{|}')).toMatchObject({ kind: 'label', prefix: '', metric: 'up' });
        expect(at('up{job="a", in|}')).toMatchObject({ kind: 'label', prefix: 'in', from: 12, metric: 'up' });
    });
    it('is a value of the label', () => {
        expect(at('up{job="pro|"}')).toMatchObject({ kind: 'value', label: 'job', prefix: 'pro', from: 8, metric: 'up' });
        expect(at('up{job="a}b|"}')).toMatchObject({ kind: 'value', prefix: 'a}b' });
    });
    it('is a label inside by (...)', () => {
        expect(at('sum by (in|) (rate(http_requests_total[5m]))')).toMatchObject({ kind: 'label', prefix: 'in', metric: 'http_requests_total' });
    });
    it('is nothing inside a text', () => {
        expect(at('label_replace(up, "fo|')).toEqual({ kind: 'nothing' });
    });
});

describe('offers', () => {
    it('begin with what begins so, then what contains it', () => {
        expect(ranked(['xload', 'load1', 'node_load5', 'up'], 'load')).toEqual(['load1', 'xload', 'node_load5']);
    });
});

describe('a series', () => {
    it('is written as it is selected', () => {
        expect(seriesName({ __name__: 'up', job: 'a' })).toBe('up{job="a"}');
        expect(seriesName({ __name__: 'up' })).toBe('up');
        expect(seriesName({})).toBe('{}');
    });
});

describe('the place of a mistake', () => {
    it('is read from the message', () => {
        expect(errorOffset('1:5: parse error: unexpected ")"', 'sum())')).toBe(4);
        expect(errorOffset('invalid parameter "query": 2:1: parse error: x', 'a\nb')).toBe(2);
    });
    it('is unknown when there is none or it is outside', () => {
        expect(errorOffset('too many samples', 'a')).toBeNull();
        expect(errorOffset('7:1: x', 'a')).toBeNull();
    });
});
