/* Values of bases from what a model says of windows: the tracks that trackgen scan writes. MIT licence, see LICENSE.
 *
 * Coordinates are those of the sequence that is read, 0-based and half-open. Values are Float32Arrays, one a base, NaN in
 * gaps: where the base is none that is known, or where no window has weight.
 */

import {weightAtBases} from "./trackgen-model-grid.js"
import {UNKNOWN} from "./trackgen-model-sequence.js"

/** Bases whose contributions one run gives. */
const AT_ONCE = 4096

/**
 * Predictions over [start, end).
 *
 * @param {Windows} windows
 * @param {object[]} tracks - {name, class, strand} of each that is wanted.
 * @param {object} options - {signal, isKept}, as of `Windows.predictions`.
 * @returns {Promise<Map<string, Float32Array>>} By the tracks' names.
 */
export async function predictedTracks(windows, sequence, start, end, tracks, options) {
    const found = new Map(tracks.map(({name}) => [name, new Float32Array(end - start).fill(NaN)]))
    const codes = await sequence.codes(start, end)
    if (codes.every(code => code === UNKNOWN)) {
        return found
    }
    const [first, stop] = windows.grid.standingOn(start, end, sequence.length)
    const strands = await predictedStrands(windows, sequence, first, stop, options)
    for (const {name, class: className, strand} of tracks) {
        const {output, index} = windows.placeOf(className)
        const row = strands.get(strand)[output][index]
        const values = found.get(name)
        codes.forEach((code, place) => {
            if (code !== UNKNOWN) {
                values[place] = row[windows.grid.of(start + place) - first]
            }
        })
    }
    return found
}

/** What each strand's track gets from the windows [first, stop): per output, per class, a value for each window. */
export async function predictedStrands(windows, sequence, first, stop, options) {
    const read = []
    for (const reading of windows.readings) {
        read.push(await windows.predictions(sequence, reading, first, stop, options))
    }
    return combined(windows.readings, read)
}

/** What each strand gets from its readings: itself, or the mean of two. */
export function combined(readings, read) {
    const found = new Map()
    readings.forEach(({strand}, number) => {
        const before = found.get(strand)
        found.set(strand, before ? before.map((classes, output) => classes.map(
            (row, index) => row.map((value, place) => value / 2 + read[number][output][index][place] / 2)))
            : read[number])
    })
    return found
}

/**
 * Contributions to the bases of [start, end): the mean of what the windows over each say, weighted.
 *
 * @param {object[]} tracks - {name, class, strand} of each that is wanted.
 * @param {string} weight - uniform; or probability: each window counts as much as it predicts.
 * @returns {Promise<Map<string, Float32Array>>} By the tracks' names.
 */
export async function explainedTracks(windows, sequence, start, end, tracks, weight, {signal, isKept}) {
    const found = new Map(tracks.map(({name}) => [name, new Float32Array(end - start).fill(NaN)]))
    for (let low = start; low < end; low += AT_ONCE) {
        const high = Math.min(end, low + AT_ONCE)
        const codes = await sequence.codes(low, high)
        if (codes.every(code => code === UNKNOWN)) {
            continue
        }
        const [first, stop] = windows.grid.over(low, high, sequence.length)
        const strands = weight === "uniform" ? null
            : await predictedStrands(windows, sequence, first, stop, {signal, isKept})
        const weights = ({strand, output, index}) => strands?.get(strand)[output][index]
            ?? new Float32Array(stop - first).fill(1)
        const placed = tracks.map(track => ({...track, ...windows.placeOf(track.class)}))
        const asked = placed.map(track => ({...track, weights: weights(track)}))
        const values = await explainedPart(windows, sequence, [first, stop], [low, high], asked, signal)
        tracks.forEach(({name}, number) => found.get(name).set(
            values[number].map((value, place) => codes[place] === UNKNOWN ? NaN : value), low - start))
    }
    return found
}

// The weighted means of the bases [low, high), which the windows [first, stop) hold: per track of `asked`.
async function explainedPart(windows, sequence, [first, stop], [low, high], asked, signal) {
    const totals = asked.map(() => new Float64Array(high - low))
    for (const reading of windows.readings) {
        const mine = asked.filter(({strand}) => strand === reading.strand)
        const begin = windows.grid.begin(first, reading.before)
        const sums = mine.length ? await windows.sums(sequence, reading, first, stop, mine, signal) : []
        mine.forEach((track, number) => {
            const weight = weightAtBases(track.weights, begin, windows.grid, low, high)
            const share = windows.readings.filter(({strand}) => strand === track.strand).length
            const total = totals[asked.indexOf(track)]
            total.forEach((value, place) => {
                // Nothing over nothing is a gap, too.
                total[place] = value + sums[number][low + place - begin] / weight[place] / share
            })
        })
    }
    return totals.map(values => Float32Array.from(values, value => Number.isFinite(value) ? value : NaN))
}
