/* What one model says of windows: its graphs, fed with bases and read in forward order. MIT licence, see LICENSE.
 *
 * The names of inputs and outputs are those that trackgen.live.page_model gives the graphs; see there.
 */

import {EngineError} from "./trackgen-engine.js"
import {Grid, readingsOf} from "./trackgen-model-grid.js"
import {reverseComplement} from "./trackgen-model-sequence.js"

/** Bases of one run of a graph: so many take a tenth of a second or so, after which others have their turn. */
const RUN = 2048
/** Bytes of predictions that are kept. */
const MOST_KEPT = 64e6
/** Weights are multiplied by it, so that small probabilities have digits left in the graph; it cancels out. */
const SCALE = 2 ** 30

/** One model, on a runtime. */
export class Windows {
    /**
     * @param {object} page - `page` of the model in live.json.
     * @param {Runtime} runtime
     */
    constructor(page, runtime) {
        this.page = page
        this.runtime = runtime
        this.grid = new Grid(page)
        this.readings = readingsOf(page.strands, page)
        this.kept = new Map()
        this.bytes = 0
        this.atOnce = Math.max(1, Math.ceil(RUN / page.stride))
    }

    /** {output, index} of a class, by name. */
    placeOf(name) {
        for (const [output, {classes}] of this.page.outputs.entries()) {
            const index = classes.findIndex(entry => entry.name === name)
            if (index >= 0) {
                return {output, index}
            }
        }
        throw new EngineError("there is no class of this name", {status: 404, place: "classes", found: name})
    }

    /**
     * Predictions of the windows [first, stop) of a sequence in one reading.
     *
     * @param {Sequence|EditedSequence} sequence - Only what is predicted of the genome as it is gets kept.
     * @param {object} options
     * @param {boolean} [options.isKept] - Whether to run whole tiles, and to keep what they give.
     * @returns {Promise<Float32Array[][]>} Per output, per class: a value for each window.
     */
    async predictions(sequence, reading, first, stop, {signal, isKept = false} = {}) {
        const found = this.page.outputs.map(({classes}) => classes.map(() => new Float32Array(stop - first)))
        const [low, high] = this.grid.every(sequence.length)
        for (let tile = Math.floor(first / this.atOnce); tile * this.atOnce < stop; tile++) {
            signal?.throwIfAborted()
            const ends = [tile * this.atOnce, (tile + 1) * this.atOnce]
            const [from, to] = isKept ? [Math.max(low, ends[0]), Math.min(high, ends[1])]
                : [Math.max(first, ends[0]), Math.min(stop, ends[1])]
            const values = await (isKept ? this.#tile(sequence, reading, tile, from, to)
                : this.#run(sequence, reading, from, to))
            const [begin, end] = [Math.max(first, from), Math.min(stop, to)]
            found.forEach((classes, output) => classes.forEach(
                (row, index) => row.set(values[output][index].subarray(begin - from, end - from), begin - first)))
        }
        return found
    }

    /** Predictions of one window or a few, each of `stretches` by itself: codes of as many bases as they read. */
    async predictionsOf(stretches, reading, count) {
        const feeds = stretches.map(codes => this.#codes(codes, reading))
        const names = this.page.outputs.map(output => output.name)
        const runs = await this.runtime.run(this.page.predictions.file, feeds, names)
        return runs.map(results => this.#forward(results, reading, count))
    }

    /**
     * The sum over the windows [first, stop) of what each says of each base, times its weight.
     *
     * @param {object[]} asked - {output, index, weights} of each class; weights a Float32Array, one a window.
     * @returns {Promise<Float64Array[]>} Per class, a sum for each base from the first that any window holds.
     */
    async sums(sequence, reading, first, stop, asked, signal) {
        const codes = await this.#read(sequence, reading, first, stop)
        const feed = this.#codes(codes, reading)
        const found = []
        for (const batch of this.#batches(asked)) {
            signal?.throwIfAborted()
            const names = batch.flatMap((entry, slot) => entry === null ? [] : [`contributions.${slot}`])
            const [results] = await this.runtime.run(
                this.page.contributions.file, [{...feed, ...this.#explained(batch, reading, stop - first)}], names)
            batch.filter(entry => entry !== null).forEach((entry, place) => {
                const values = Float64Array.from(results[place], value => value / SCALE)
                found[asked.indexOf(entry)] = reading.reverse ? values.reverse() : values
            })
        }
        return found
    }

    // Which of the asked each slot of the graph takes, run after run; null for none.
    * #batches(asked) {
        const left = this.page.outputs.map((_, output) => asked.filter(entry => entry.output === output))
        while (left.some(entries => entries.length)) {
            yield this.page.contributions.slots.map(name =>
                left[this.page.outputs.findIndex(output => output.name === name)].shift() ?? null)
        }
    }

    #explained(batch, {reverse}, count) {
        const classes = batch.map(entry => BigInt(entry === null ? 0 : this.#asRead(entry, reverse)))
        const weights = new Float32Array(batch.length * count)
        batch.forEach((entry, slot) => {
            const scaled = entry?.weights.map(weight => weight * SCALE)
            entry && weights.set(reverse ? scaled.reverse() : scaled, slot * count)
        })
        return {
            classes: {type: "int64", data: BigInt64Array.from(classes), dims: [batch.length]},
            weights: {type: "float32", data: weights, dims: [batch.length, count]}
        }
    }

    // The class of the graph that a class is where windows are read so.
    #asRead({output, index}, isReverse) {
        return isReverse ? this.page.outputs[output].classes[index].partner : index
    }

    // One tile of the genome as it is, once.
    #tile(sequence, reading, tile, from, to) {
        const key = [sequence.name, reading.strand, reading.reverse, tile].join(" ")
        const found = this.kept.get(key) ?? this.#run(sequence, reading, from, to)
        this.kept.delete(key)
        this.kept.set(key, found)
        found.catch(() => this.kept.delete(key))
        const size = 4 * this.page.outputs.reduce((sum, {classes}) => sum + classes.length, 0) * this.atOnce
        while (this.kept.size > 1 && this.kept.size * size > MOST_KEPT) {
            this.kept.delete(this.kept.keys().next().value)
        }
        return found
    }

    async #run(sequence, reading, first, stop) {
        const codes = await this.#read(sequence, reading, first, stop)
        const [values] = await this.predictionsOf([codes], reading, stop - first)
        return values
    }

    // Codes of the bases that windows read, in the genome's direction.
    #read(sequence, {before}, first, stop) {
        return sequence.codes(this.grid.begin(first, before), this.grid.begin(stop - 1, before) + this.page.window)
    }

    #codes(codes, {reverse}) {
        const data = reverse ? reverseComplement(codes) : codes
        return {[this.page.input]: {type: "uint8", data, dims: [1, data.length]}}
    }

    // (1, K, W) of each output as rows of classes, windows and classes in forward order.
    #forward(results, {reverse}, count) {
        return results.map((values, output) => {
            if (!values.every(Number.isFinite)) {
                throw new EngineError("the model yields what is no number, or infinite",
                    {status: 500, place: this.page.outputs[output].name})
            }
            return this.page.outputs[output].classes.map((_, index) => {
                const row = this.#asRead({output, index}, reverse)
                const found = values.subarray(row * count, (row + 1) * count)
                return reverse ? found.toReversed() : found
            })
        })
    }
}
