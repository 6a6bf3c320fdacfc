/* Bases as numbers, and a sequence with some of them changed: what trackgen.genome.codes and trackgen.genome.edits do in
 * Python. MIT licence, see LICENSE.
 *
 * Coordinates are 0-based and half-open. No dependency.
 */

import {EngineError} from "./trackgen-engine.js"

/** The code of anything that is not A, C, G or T, and of what lies outside of a sequence. */
export const UNKNOWN = 4
export const LETTERS = "ACGTN"

const CODES = new Uint8Array(128).fill(UNKNOWN)
for (const [code, letter] of [..."ACGT"].entries()) {
    CODES[letter.charCodeAt(0)] = CODES[letter.toLowerCase().charCodeAt(0)] = code
}
const COMPLEMENTS = Uint8Array.of(3, 2, 1, 0, UNKNOWN)

/** Codes of letters: A 0, C 1, G 2, T 3, anything else 4; lower case reads like upper case. */
export function codesOf(text) {
    const codes = new Uint8Array(text.length)
    for (let place = 0; place < text.length; place++) {
        codes[place] = CODES[text.charCodeAt(place)] ?? UNKNOWN
    }
    return codes
}

/** The letters A, C, G, T, N of codes. */
export function lettersOf(codes) {
    return Array.from(codes, code => LETTERS[code]).join("")
}

/** The other strand, read from its own start; unknown stays unknown. */
export function reverseComplement(codes) {
    return codes.map((_, place) => COMPLEMENTS[codes[codes.length - 1 - place]])
}

/** One sequence of a genome, as codes. */
export class Sequence {
    /**
     * @param {function} letters - async (name, start, end) => string, called within the sequence only.
     * @param {string} name
     * @param {number} length - Bases.
     */
    constructor(letters, name, length) {
        this.letters = letters
        this.name = name
        this.length = length
    }

    /** Codes of [start, end), which may reach beyond the sequence. */
    async codes(start, end) {
        const codes = new Uint8Array(Math.max(0, end - start)).fill(UNKNOWN)
        const [low, high] = [Math.max(0, start), Math.min(this.length, end)]
        if (low < high) {
            const text = await this.letters(this.name, low, high)
            if (text?.length !== high - low) {
                throw new EngineError("the genome's sequence can't be read", {status: 500,
                    place: `${this.name}:${low + 1}-${high}`, found: `${text?.length ?? 0} bases`,
                    wanted: `${high - low} bases`})
            }
            codes.set(codesOf(text), low - start)
        }
        return codes
    }
}

/** A sequence with edits in it, in its own coordinates: `Sequence` for whoever reads it. */
export class EditedSequence {
    /**
     * @param {Sequence} sequence
     * @param {object[]} edits - {start, end, sequence}, in coordinates of `sequence`; in any order.
     * @throws {EngineError} An edit reaches beyond the sequence, overlaps another, or puts in what is no base.
     */
    constructor(sequence, edits) {
        this.original = sequence
        this.name = sequence.name
        this.edits = edits.map(edit => ({...edit, sequence: edit.sequence.toUpperCase()}))
            .sort((a, b) => a.start - b.start || a.end - b.end)
        this.edits.forEach((edit, number) => refuseUnfit(edit, this.edits[number - 1], sequence))
        this.pieces = piecesOf(this.edits, sequence.length)
        this.length = this.pieces.at(-1).end
    }

    /** Codes of [start, end) of the edited sequence. */
    async codes(start, end) {
        const codes = new Uint8Array(Math.max(0, end - start)).fill(UNKNOWN)
        for (const piece of this.pieces) {
            const [low, high] = [Math.max(start, piece.start), Math.min(end, piece.end)]
            if (low < high) {
                const [first, last] = [low - piece.start, high - piece.start]
                codes.set(piece.codes?.subarray(first, last)
                    ?? await this.original.codes(piece.source + first, piece.source + last), low - start)
            }
        }
        return codes
    }

    /** Where [start, end) of the original lies; insertions at its ends are inside. */
    span(start, end) {
        return {start: this.#at(start, false), end: this.#at(end, true)}
    }

    // The border before base `position`, before or `isAfter` what is inserted there.
    #at(position, isAfter) {
        let grown = 0
        for (const edit of this.edits) {
            const isInserted = edit.start === edit.end && edit.start < position + (isAfter ? 1 : 0)
            if (edit.start < edit.end && edit.end <= position || isInserted) {
                grown += grows(edit)
            } else if (edit.start < position && position < edit.end) {
                // Inside the edit: before the first base that stands over nothing yet, or behind what came in.
                grown += isAfter ? grows(edit) + edit.end - position
                    : Math.min(0, edit.sequence.length - (position - edit.start))
            }
        }
        return position + grown
    }

    /** [original, edited, length] of the pieces of [start, end) that have a base of the edited sequence over each. */
    aligned(start, end) {
        const found = []
        let [at, edited] = [0, 0]
        for (const edit of [...this.edits, null]) {
            const stop = edit ? edit.start : this.original.length
            found.push([at, edited, stop - at])
            if (edit) {
                edited += stop - at
                found.push([edit.start, edited, Math.min(edit.end - edit.start, edit.sequence.length)])
                at = edit.end
                edited += edit.sequence.length
            }
        }
        const cut = found.map(([reference, other, length]) => {
            const low = Math.max(reference, start)
            return [low, other + low - reference, Math.min(reference + length, end) - low]
        })
        return joined(cut.filter(([, , length]) => length > 0))
    }
}

function grows(edit) {
    return edit.sequence.length - (edit.end - edit.start)
}

function refuseUnfit(edit, before, sequence) {
    const place = editText(sequence.name, edit)
    if (!(edit.start >= 0 && edit.start <= edit.end && edit.end <= sequence.length)) {
        throw new EngineError("an edit reaches beyond its sequence",
            {status: 400, place, wanted: `${sequence.name}:1-${sequence.length}`})
    }
    if (!/^[ACGTN]*$/.test(edit.sequence)) {
        throw new EngineError("an edit puts in what is no base",
            {status: 400, place, found: edit.sequence, wanted: "A, C, G, T or N"})
    }
    if (before && (edit.start < before.end || edit.start === before.start)) {
        throw new EngineError("two edits overlap", {status: 400, place, found: editText(sequence.name, before),
            remedy: "write them as one edit"})
    }
}

function editText(name, {start, end, sequence}) {
    const place = `${name}:${start + 1}`
    return end > start ? `${place}-${end} -> ${sequence || "nothing"}` : `${place} + ${sequence}`
}

// The edited sequence, piece by piece: [start, end) of it is the original's from `source` on, or `codes`.
function piecesOf(edits, length) {
    const pieces = []
    let [source, at] = [0, 0]
    for (const edit of edits) {
        pieces.push({start: at, end: at += edit.start - source, source})
        pieces.push({start: at, end: at += edit.sequence.length, codes: codesOf(edit.sequence)})
        source = edit.end
    }
    pieces.push({start: at, end: at + length - source, source})
    return pieces
}

// Neighbours that go on where the last one ended, as one.
function joined(pieces) {
    const found = []
    for (const [reference, edited, length] of pieces) {
        const last = found.at(-1)
        if (last && last[0] + last[2] === reference && last[1] + last[2] === edited) {
            last[2] += length
        } else {
            found.push([reference, edited, length])
        }
    }
    return found
}
