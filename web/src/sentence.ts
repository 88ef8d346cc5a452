// What programs say, as templates have it: words, and what stands for a value ("<number>"). A place that held anything
// ("<*>") is told as "…": nobody reads a star as a word.

export interface Piece {
    text: string;
    value: boolean; // stands for a value
}

/** The words and the places of a sentence, in order. Brackets that a program itself writes stay words. */
export function piecesOf(sentence: string): Piece[] {
    const pieces: Piece[] = [];
    let end = 0;
    for (const found of sentence.matchAll(/<(\*|[a-z]+)>/g)) {
        if (found.index > end) pieces.push({ text: sentence.slice(end, found.index), value: false });
        pieces.push({ text: found[1] === '*' ? '…' : found[1], value: true });
        end = found.index + found[0].length;
    }
    if (end < sentence.length) pieces.push({ text: sentence.slice(end), value: false });
    return pieces;
}

/** For headings and other places without markup: every value is "…". */
export function plainSentence(sentence: string): string {
    const text = piecesOf(sentence).map((piece) => (piece.value ? '…' : piece.text)).join('').trim();
    return /[^…\s]/.test(text) ? text : 'Lines without a common wording';
}
