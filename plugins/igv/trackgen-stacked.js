/* Stacked letters for igv.js: four tracks of values, one for each base, as letters on top of each other; what is below
 * zero hangs down. MIT licence, see LICENSE.
 *
 *     import igv from "./igv.esm.min.js"
 *     registerStacked(igv)
 *     await igv.createBrowser(div, withStacked(config))
 *
 * A merged track says `stackedLetters: ["A", "C", "G", "T"]`, the bases of its parts in their order; igv.js by itself
 * draws the parts over each other. igv.js is handed in. Coordinates are 0-based and half-open; y runs downwards, in CSS
 * pixels.
 */

import {baseColor, fillLetter} from "./trackgen-letters.js"

/** The type of such tracks, once they are known to igv.js. */
export const STACKED = "trackgen-stacked"
const ZERO_COLOR = "rgba(128,128,128,0.6)"
const OVERFLOW_COLOR = "rgb(255,32,255)"
const OVERFLOW_PIXELS = 3

/** Makes the kind of tracks known to igv.js: once, before they are loaded. */
export function registerStacked(igv) {
    igv.registerTrackClass(STACKED, stackedClass(igv))
}

/** A configuration of a browser, with every merged track that asks for stacked letters as such a track. */
export function withStacked(config) {
    return config.tracks ? {...config, tracks: config.tracks.map(stackedTrack)} : config
}

/** The same for the configuration of a track; others are given back as they are. */
export function stackedTrack(track) {
    const bases = track.stackedLetters
    if (track.type !== "merged" || !Array.isArray(bases) || bases.length !== track.tracks?.length) {
        return track
    }
    const {alpha, ...rest} = track
    return {...rest, type: STACKED}
}

/**
 * Where the letters of one place stand: from zero upwards those above it, downwards those below, the largest outermost.
 *
 * @param {number[]} values - One for each base; NaN or undefined where there is none.
 * @returns {{index: number, from: number, to: number}[]} `from` is the side of the letter that is nearer to zero.
 */
export function stack(values) {
    const order = values.map((_, index) => index).filter(index => values[index])
        .sort((one, other) => Math.abs(values[one]) - Math.abs(values[other]))
    let [above, below] = [0, 0]
    return order.map(index => {
        const from = values[index] > 0 ? above : below
        const to = from + values[index]
        if (values[index] > 0) {
            above = to
        } else {
            below = to
        }
        return {index, from, to}
    })
}

/** The lowest and the highest end of all stacks in [start, end). */
export function extent(columns, start, end) {
    const seen = [...columns].filter(column => column.end > start && column.start < end)
    const ends = seen.flatMap(({values}) => stack(values).map(({to}) => to))
    return [Math.min(0, ...ends), Math.max(0, ...ends)]
}

/**
 * Features of several tracks side by side: {start, end, values} by place, base for base where a base is a pixel wide.
 *
 * @param {object[][]} arrays - The features of each track.
 */
export function columnsOf(arrays, bpPerPixel, first = -Infinity, last = Infinity) {
    const found = new Map()
    const add = (start, end, index, value) => {
        if (!found.has(start)) {
            found.set(start, {start, end, values: new Array(arrays.length).fill(NaN)})
        }
        found.get(start).values[index] = value
    }
    arrays.forEach((features, index) => {
        for (const {start, end, value} of features ?? []) {
            if (end <= first || start >= last) {
                continue
            }
            // A run of one value is one feature, and as many letters.
            const isRun = bpPerPixel < 1 && end - start > 1
            if (!isRun) {
                add(start, end, index, value)
                continue
            }
            for (let place = Math.max(start, Math.floor(first)); place < Math.min(end, last); place += 1) {
                add(place, place + 1, index, value)
            }
        }
    })
    return [...found.values()]
}

/** What igv.js keeps of a view: it knows `featureArrays` of merged tracks, and asks for extremes to scale by. */
class Stacks {
    constructor(featureArrays, bpPerPixel) {
        Object.assign(this, {featureArrays, bpPerPixel})
    }

    columns(start, end) {
        return columnsOf(this.featureArrays, this.bpPerPixel, start, end)
    }

    getMax(start, end) {
        return extent(this.columns(start, end), start, end)[1]
    }

    getMin(start, end) {
        return extent(this.columns(start, end), start, end)[0]
    }
}

function stackedClass(igv) {
    return class StackedTrack extends igv.TrackBase {
        static defaults = {height: 100, flipAxis: false, visibilityWindow: undefined}

        init(config) {
            super.init(config)
            this.type = STACKED
            this.featureType = "numeric"
            this.resolutionAware = true
            this.bases = config.stackedLetters
            this.parts = []
            this.dataRange = {min: config.min ?? 0, max: config.max ?? 1}
            this.autoscale = config.autoscale || config.max === undefined
        }

        async postInit() {
            for (const config of this.config.tracks) {
                const part = await this.browser.createTrack({...config})
                await part.postInit?.()
                this.parts.push(part)
            }
        }

        get supportsWholeGenome() {
            return false
        }

        async getFeatures(chr, start, end, bpPerPixel) {
            const arrays = await Promise.all(this.parts.map(part => part.getFeatures(chr, start, end, bpPerPixel)))
            return new Stacks(arrays, bpPerPixel)
        }

        draw({context, features, bpStart, bpPerPixel, pixelWidth, pixelHeight}) {
            const height = pixelHeight - 1
            const {min = 0, max = 1} = this.dataRange
            const y = value => (this.flipAxis ? value - min : max - value) * height / (max - min || 1)
            for (const {start, end, values} of features.columns(bpStart, bpStart + pixelWidth * bpPerPixel)) {
                const left = (start - bpStart) / bpPerPixel
                const width = Math.max((end - start) / bpPerPixel, 1)
                let [low, high] = [0, 0]
                for (const {index, from, to} of stack(values)) {
                    const base = this.bases[index]
                    context.fillStyle = baseColor(base, this.browser.nucleotideColors)
                    fillLetter(context, base, left, width, y(to), y(from))
                    low = Math.min(low, to)
                    high = Math.max(high, to)
                }
                this.markOverflow(context, left, width, height, high > max, low < min)
            }
            if (min < 0) {
                context.fillStyle = ZERO_COLOR
                context.fillRect(0, y(0) - 0.25, pixelWidth, 0.5)
            }
        }

        // As igv.js's own tracks do: a stripe where the picture is cut off.
        markOverflow(context, left, width, height, isAbove, isBelow) {
            context.fillStyle = OVERFLOW_COLOR
            if (this.flipAxis ? isBelow : isAbove) {
                context.fillRect(left, 0, width, OVERFLOW_PIXELS)
            }
            if (this.flipAxis ? isAbove : isBelow) {
                context.fillRect(left, height - OVERFLOW_PIXELS, width, OVERFLOW_PIXELS)
            }
        }

        paintAxis(context, width, height) {
            const [part] = this.parts
            if (part) {
                Object.assign(part, {dataRange: this.dataRange, flipAxis: this.flipAxis})
                part.paintAxis(context, width, height)
            }
        }

        // What each base would contribute at a place, in words.
        popupData({genomicLocation, viewport}) {
            const place = Math.floor(genomicLocation)
            const [column] = viewport.featureCache?.features?.columns?.(place, place + 1) ?? []
            const where = `${viewport.referenceFrame?.chr ?? ""}:${(place + 1).toLocaleString("en")}`
            return column ? [{name: "Position", value: where}, ...this.bases.map((base, index) =>
                ({name: base, value: Number.isFinite(column.values[index])
                    ? String(Number(column.values[index].toPrecision(3))) : "none"}))] : []
        }

        menuItemList() {
            return this.numericDataMenuItems()
        }
    }
}
