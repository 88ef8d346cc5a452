import { describe, expect, it } from 'vitest';
import { highlighted, highlighter, queryParts, streamQuery, withLabel, withText } from './logquery';

describe('a log query', () => {
    it('is split at the brace that closes the selector, not at one inside a text', () => {
        expect(queryParts('{a="}", b=~`x}`} |= "y"')).toEqual({ selector: 'a="}", b=~`x}`', rest: '|= "y"' });
        expect(queryParts('just words')).toEqual({ selector: '', rest: '|= "just words"' });
        expect(queryParts('')).toEqual({ selector: '', rest: '' });
    });
    it('gets a label once, and its opposite goes', () => {
        expect(withLabel('', 'host', 'web1', '=')).toBe('{host="web1"}');
        expect(withLabel('{host="web1"}', 'host', 'web1', '=')).toBe('{host="web1"}');
        expect(withLabel('{host="web1", service=~"a|b"} |= "x"', 'host', 'web1', '!=')).toBe('{service=~"a|b", host!="web1"} |= "x"');
        expect(withLabel('timeout', 'host', 'a"b\\c', '=')).toBe('{host="a\\"b\\\\c"} |= "timeout"');
    });
    it('gets a text filter behind the selector', () => {
        expect(withText('{}', 'a "b"', '!=')).toBe('{} != "a \\"b\\""');
        expect(withText('{} |= "x"', 'x', '|=')).toBe('{} |= "x"');
    });
    it('names one stream exactly', () => {
        expect(streamQuery({ host: 'web1', service: 'nginx' })).toBe('{host="web1", service="nginx"}');
    });
});

describe('highlighting', () => {
    const hits = (query: string, line: string) => highlighted(line, highlighter(query)).filter((p) => p.hit).map((p) => p.text);
    it('marks what positive filters look for', () => {
        expect(hits('{} |= "a.b" != "zz" |~ "t[io]m"', 'a.b axb zz time tom')).toEqual(['a.b', 'tim', 'tom']);
        expect(hits('timeout', 'a timeout b')).toEqual(['timeout']);
        expect(hits('{} |~ "(?i)ERROR"', 'an error')).toEqual(['error']);
    });
    it('leaves alone what it cannot read', () => {
        for (const query of ['{}', '{} |~ "("', '{} |~ ".*"', '{} |= ""']) expect(hits(query, 'abc')).toEqual([]);
    });
    it('loses nothing of the line', () => {
        const line = 'one two one';
        expect(highlighted(line, highlighter('one')).map((p) => p.text).join('')).toBe(line);
    });
});
