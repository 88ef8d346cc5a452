import { describe, expect, it } from 'vitest';
import { piecesOf, plainSentence } from './sentence';

describe('sentences of programs', () => {
    it('tell words from places of values', () => {
        expect(piecesOf('order <number> placed by <*>')).toEqual([
            { text: 'order ', value: false }, { text: 'number', value: true }, { text: ' placed by ', value: false }, { text: '…', value: true },
        ]);
    });
    it('never show a star in brackets', () => {
        expect(plainSentence('user <*> left after <duration>')).toBe('user … left after …');
        expect(plainSentence('<*>')).toBe('Lines without a common wording');
        expect(plainSentence('<*> <number>')).toBe('Lines without a common wording');
    });
    it('leave other brackets alone', () => {
        expect(plainSentence('a < b and List<String>')).toBe('a < b and List<String>');
    });
});
