/* Where windows lie, where their values go, and what is made of them: what trackgen.genome.tiling, trackgen.scan.tile and
 * trackgen.scan.weights do in Python. Arithmetic only. MIT licence, see LICENSE.
 *
 * With L = window, b = bin, s = stride, all in bases: pad = (L - b) // 2, tail = L - pad - b, offset = max(0, (b - s) // 2).
 * Plus window i covers [i*s - pad, i*s - pad + L); minus window i is the reverse complement of [i*s - tail, i*s - tail + L).
 * The value of window i stands on [i*s + offset, (i+1)*s + offset). No dependency.
 */

/** The windows of a model: {window, stride, pad, tail, offset}, as live.json has them of each model. */
export class Grid {
    constructor({window, stride, pad, tail, offset}) {
        Object.assign(this, {window, stride, pad, tail, offset})
    }

    /** [first, stop) of all windows of a sequence of `length` bases. */
    every(length) {
        return [Math.floor(-this.offset / this.stride), Math.floor((length - 1 - this.offset) / this.stride) + 1]
    }

    /** [first, stop) of the windows whose values stand on a base of [start, end). */
    standingOn(start, end, length) {
        return this.#within(length, this.of(start), this.of(end - 1) + 1)
    }

    /** [first, stop) of the windows that hold, on any strand, a base of [start, end). */
    over(start, end, length) {
        const [less, more] = [Math.min(this.pad, this.tail), Math.max(this.pad, this.tail)]
        return this.#within(length, Math.floor((start + less - this.window) / this.stride) + 1,
            Math.ceil((end + more) / this.stride))
    }

    /** The window whose value stands on base `position`. */
    of(position) {
        return Math.floor((position - this.offset) / this.stride)
    }

    /** [start, end) of the bases that the value of window `index` stands on, which may reach beyond the sequence. */
    basesOf(index) {
        const start = index * this.stride + this.offset
        return [start, start + this.stride]
    }

    /** First base of the stretch that window `index` reads; `before` is pad, or tail for the minus strand. */
    begin(index, before) {
        return index * this.stride - before
    }

    #within(length, first, stop) {
        const [low, high] = this.every(length)
        return [Math.max(low, first), Math.max(low, Math.min(high, stop))]
    }
}

/** The ways in which windows are read: {strand, reverse, before}; several of one strand are averaged. */
export function readingsOf(strands, {pad, tail}) {
    if (strands === "both") {
        return [{strand: "+", reverse: false, before: pad}, {strand: "-", reverse: true, before: tail}]
    }
    const forward = {strand: ".", reverse: false, before: pad}
    return strands === "average" ? [forward, {...forward, reverse: true}] : [forward]
}

/**
 * The sum of the weights of the windows over each base of [low, high).
 *
 * @param {Float32Array} weights - Of neighbouring windows, the first of which begins at base `first`.
 */
export function weightAtBases(weights, first, {stride, window}, low, high) {
    const found = new Float64Array(high - low)
    // Window by window: differences of running sums would lose the digits of small weights beside large ones.
    weights.forEach((weight, index) => {
        const begin = first + index * stride
        for (let base = Math.max(low, begin); base < Math.min(high, begin + window); base++) {
            found[base - low] += weight
        }
    })
    return found
}

const SUMMARIES = {
    probability: values => values.reduce((a, b) => b > a ? b : a),
    signal: values => values.reduce((a, b) => a + b) / values.length,
    contribution: values => values.reduce((a, b) => Math.abs(b) > Math.abs(a) ? b : a)
}

/**
 * Values per base (NaN in gaps) as values of steps (null in gaps).
 *
 * @param {string} role - probability (the largest of a step), signal (the mean), contribution (the one of largest size).
 */
export function inSteps(values, step, role) {
    if (step === 1) {
        return Array.from(values, value => Number.isNaN(value) ? null : value)
    }
    const found = []
    for (let start = 0; start < values.length; start += step) {
        const known = values.subarray(start, start + step).filter(value => !Number.isNaN(value))
        found.push(known.length ? SUMMARIES[role](known) : null)
    }
    return found
}
