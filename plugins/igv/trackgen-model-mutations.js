/* What every change of a single base does to a track: each base of a region made each of the others, one at a time.
 * MIT licence, see LICENSE.
 */

import {combined, predictedStrands} from "./trackgen-model-tracks.js"
import {LETTERS, UNKNOWN} from "./trackgen-model-sequence.js"

/** Bases that are changed between two looks at whether anybody still waits. */
const AT_ONCE = 8
const BASES = [0, 1, 2, 3]

/**
 * Changes of a track's value.
 *
 * @param {Windows} windows
 * @param {Sequence} sequence
 * @param {object} track - {class, strand} of the model's description.
 * @param {number|null} at - The base whose value is watched; null for the change of largest size that a base makes.
 * @param {object} options
 * @param {function} [options.progress] - Called with the share that is done.
 * @returns {Promise<object>} {reference, deltas}: as in the protocol.
 */
export async function everyChange(windows, sequence, start, end, track, at, {signal, progress}) {
    const codes = await sequence.codes(start, end)
    const deltas = Object.fromEntries(BASES.map(base => [LETTERS[base], Array.from(codes, () => null)]))
    if (at !== null && (await sequence.codes(at, at + 1))[0] === UNKNOWN) {
        return {reference: null, deltas}
    }
    const looked = at === null ? windows.grid.over(start, end, sequence.length)
        : windows.grid.standingOn(at, at + 1, sequence.length)
    const watched = await Watched.of(windows, sequence, track, looked, signal)
    for (let low = 0; low < codes.length; low += AT_ONCE) {
        signal?.throwIfAborted()
        const places = Array.from(codes.subarray(low, low + AT_ONCE), (_, offset) => low + offset)
        // One after another would leave the worker idle between two bases.
        await Promise.all(places.filter(place => codes[place] !== UNKNOWN).map(async place => {
            const found = await watched.changes(start + place, codes[place])
            BASES.forEach(base => {
                deltas[LETTERS[base]][place] = found[base]
            })
        }))
        progress?.(Math.min(1, (low + AT_ONCE) / codes.length))
    }
    return {reference: at === null ? null : watched.reference[0], deltas}
}

// The windows [first, stop) of one track, and what they predict of the genome as it is.
class Watched {
    static async of(windows, sequence, {class: className, strand}, [first, stop], signal) {
        const {output, index} = windows.placeOf(className)
        const strands = await predictedStrands(windows, sequence, first, stop, {signal, isKept: true})
        const row = found => found.get(strand)[output][index]
        const readings = windows.readings.filter(reading => reading.strand === strand)
        const counts = await standing(windows, sequence, first, stop)
        return Object.assign(new Watched(), {windows, sequence, first, stop, row, readings, counts,
            reference: row(strands)})
    }

    // The change by each of the four bases at `position`, where `code` stands: of all windows' the one of largest size.
    async changes(position, code) {
        const [from, to] = this.windows.grid.over(position, position + 1, this.sequence.length)
        const [first, stop] = [Math.max(this.first, from), Math.min(this.stop, to)]
        const found = [0, 0, 0, 0]
        if (first >= stop) {
            return found
        }
        const others = BASES.filter(base => base !== code)
        const rows = await this.#changed(position, others, first, stop)
        others.forEach((base, number) => rows[number].forEach((value, place) => {
            const difference = value - this.reference[first + place - this.first]
            if (this.counts[first + place - this.first] && Math.abs(difference) > Math.abs(found[base])) {
                found[base] = difference
            }
        }))
        return found
    }

    // Per base of `others` the values of the windows [first, stop) with that base at `position`.
    async #changed(position, others, first, stop) {
        const {grid, page} = this.windows
        const read = []
        for (const reading of this.readings) {
            const begin = grid.begin(first, reading.before)
            const codes = await this.sequence.codes(begin, grid.begin(stop - 1, reading.before) + page.window)
            const stretches = others.map(base => codes.map((code, place) => begin + place === position ? base : code))
            read.push(await this.windows.predictionsOf(stretches, reading, stop - first))
        }
        return others.map((_, number) => this.row(combined(this.readings, read.map(runs => runs[number]))))
    }
}

// Of each window whether its value stands on any base that is known.
async function standing(windows, sequence, first, stop) {
    const {grid} = windows
    const [low, high] = [grid.basesOf(first)[0], grid.basesOf(stop - 1)[1]]
    const codes = await sequence.codes(low, high)
    return Array.from({length: stop - first}, (_, number) => codes
        .subarray(number * grid.stride, (number + 1) * grid.stride).some(code => code !== UNKNOWN))
}
