import { expect, test } from 'vitest';
import { effectText } from './ledger';

test('the effect of a word on the models is a sentence', () => {
    expect(effectText([{ one: 'ReplicationLag on service', other: 'DiskFull on host', together: 1, apart: 0 }])).toBe('ReplicationLag on service and DiskFull on host: belong together once more');
    expect(effectText([{ one: 'the cause', other: 'DiskFull on host', together: 2, apart: 0 }])).toBe('DiskFull on host: named as the cause 2 times more');
    expect(effectText([{ one: 'noise: planned', other: 'DiskFull on host', together: 1, apart: 0 }])).toBe('DiskFull on host: judged “planned” once more');
    expect(effectText({})).toBe(''); // a model that is no table of pairs
});
