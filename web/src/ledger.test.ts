import { expect, test } from 'vitest';
import { countedText, effectText, replayText, type LedgerEntry } from './ledger';

test('the effect of a word on the models is a sentence', () => {
    expect(effectText([{ one: 'ReplicationLag on service', other: 'DiskFull on host', together: 1, apart: 0 }])).toBe('ReplicationLag on service and DiskFull on host: belong together once more');
    expect(effectText([{ one: 'the cause', other: 'DiskFull on host', together: 2, apart: 0 }])).toBe('DiskFull on host: named as the cause 2 times more');
    expect(effectText([{ one: 'noise: planned work', other: 'DiskFull on host', together: 1, apart: 0 }])).toBe('DiskFull on host: judged “planned work” once more');
    expect(effectText({})).toBe(''); // a model that is no table of pairs
});

test('a word that was taken back is told as one that no longer counts', () => {
    const said: LedgerEntry = { id: '1', time_ns: '1', model: 'noise', by: 'ann', what: 'incident 7 was noise: planned work', reverted_ns: '0', reverted_by: '',
        effect: [{ one: 'noise: planned work', other: 'DiskFull on host', together: 1, apart: 0 }],
        replay: { of: 3, changed: 2, incidents: [6, 7], sentence: '2 of the last 3 incidents are shown with this judgement' } };
    const gone = { ...said, reverted_ns: '2', reverted_by: 'bob' };
    expect(countedText(said)).toBe('DiskFull on host: judged “planned work” once more');
    expect(countedText(gone)).toBe('No longer counts: DiskFull on host: judged “planned work” once more');
    expect(replayText(said)).toBe('When it was said: 2 of the last 3 incidents are shown with this judgement');
    expect(replayText({ ...said, model: 'routing' })).toBe('On replay: 2 of the last 3 incidents are shown with this judgement');
    expect(replayText({ ...gone, model: 'routing' })).toBe('When it was said: 2 of the last 3 incidents are shown with this judgement');
    expect(replayText({ ...said, replay: null })).toBe('');
});
