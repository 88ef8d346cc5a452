import { describe, expect, it } from 'vitest';
import { changeText, groupsOf, laterText, leftOut, littleOf, placeOf, summaryText, withinText, type Moved, type MovedAnswer } from './moved';

const ns = (seconds: number) => String(BigInt(seconds) * 1000000000n);
const one = (what: string, group: number | null, onset: number, more: Partial<Moved> = {}): Moved => ({
    what, sentence: '', query: what, labels: {}, entity: { id: '1', kind: 'host', name: 'web1' }, way: 'up', group, is_little: group === null, onset_ns: ns(onset),
    earliest_ns: ns(onset - 10), latest_ns: ns(onset), end_ns: null, strength: 0.5, usual_text: '0.4', level_text: '7.2', ...more,
});
const answer: MovedAnswer = {
    sentence: '', from_ns: ns(1000), until_ns: ns(2000), before_ns: ns(0), groups: 2, entities_left_out: 0,
    series: { looked_at: 40, unknown: 2, earlier: 0, left_out: 0, too_many_points: 0, buckets: 0, not_told: 0 },
    moved: [one('disk', 0, 1500), one('load', 0, 1500), one('errors', 1, 1530, { way: 'stopped' }), one('small', null, 1100, { end_ns: ns(1200) })],
};

describe('what moved together', () => {
    it('stands in groups in order of time, and what moved a little apart', () => {
        expect(groupsOf(answer).map((g) => g.moved.map((m) => m.what))).toEqual([['disk', 'load'], ['errors']]);
        expect(littleOf(answer).map((m) => m.what)).toEqual(['small']);
        const [first, second] = groupsOf(answer);
        expect(laterText(second, first)).toBe('30 s after the first');
        expect(laterText(first, first)).toBe('right after the first');
    });
    it('is said in words, with what the answer lacks', () => {
        expect(summaryText(answer)).toBe('3 of 40 series left their normal.');
        expect(leftOut(answer)).toEqual(['Of 2 too little is known from before.']);
        expect(summaryText({ ...answer, moved: [] })).toBe('None of 40 series left its normal.');
        expect(summaryText({ ...answer, moved: [], series: { ...answer.series, looked_at: 0 } })).toBe('Nothing was measured about it in this time.');
        expect(summaryText({ ...answer, moved: [], series: { ...answer.series, unknown: 40 } })).toBe('Whether anything left its normal cannot be said.');
        expect(changeText(answer.moved[0])).toBe('0.4 → 7.2');
        expect(changeText(answer.moved[2])).toBe('stopped; it was 0.4');
        expect(withinText(answer.moved[0])).toBe('10 s');
        expect(withinText(answer.moved[0], one('sharp', 0, 1499, { earliest_ns: ns(1498) }))).toBe('1 s');
        expect(groupsOf({ ...answer, moved: [one('slow', 0, 1503), one('sharp', 0, 1500)] })[0].onsetNs).toBe(ns(1500));
    });
    it('lies where it was in the time asked for', () => {
        expect(placeOf(answer.moved[0], answer)).toEqual({ left: 0.5, width: 0.5 });
        expect(placeOf(answer.moved[3], answer).left).toBeCloseTo(0.1);
        expect(placeOf(answer.moved[3], answer).width).toBeCloseTo(0.1);
    });
});
