/* Tracks of igv.js that are computed while one looks: predictions, contributions, and both with bases changed. MIT
 * licence, see LICENSE.
 *
 *     const engine = new ServerEngine("http://127.0.0.1:8080/api/v1/")
 *     await browser.loadTrackList(await liveTracks(engine, {model: "tss-yeast", contributions: true}))
 *
 * No dependency: igv.js is handed in where it is needed (trackgen-live-tracks.js). Coordinates are 0-based, half-open.
 */

import {isWithdrawn} from "./trackgen-engine.js"
import {covering, valueFeatures} from "./trackgen-live-features.js"

// Answers that are kept for each kind of question: enough to come back to where one was.
const KEPT = 12
// igv.js draws letters below this many bases a pixel; a summary has no letters.
const LETTERS_BELOW = 2

/**
 * What a model gives for the region in view: asks an engine, keeps answers, and withdraws questions that the view has
 * moved away from. Events: "busy" and "idle" (`detail.ms`: since the first question; `detail.bases`), "progress" (`detail`:
 * the share that is done, of an engine that tells), and "wider" (the surroundings of the view are there).
 */
export class LiveSource extends EventTarget {
    #lanes = new Map()
    #busy = 0
    #since = 0
    #asked = 0
    #took = 0

    /**
     * @param {Engine} engine
     * @param {object} description - The engine's.
     * @param {object} model - One of the description's.
     * @param {object} [options]
     * @param {function} [options.visible] - Gives, of a region that igv.js asks for, {chr, start, end} of what is in
     *     view. igv.js asks for a screen more on each side; with this the view comes first.
     * @param {function} [options.onerror] - Gets errors, which igv.js would show in a window of its own.
     */
    constructor(engine, description, model, {visible = null, onerror = null} = {}) {
        super()
        Object.assign(this, {engine, limits: description.limits, model, visible, onerror})
        this.classes = model.classes.map(({name}) => name)
        /** Changes of bases: {chr, start, end, sequence}. */
        this.edits = []
        /** Whether answers to `whatif` have contributions, too. */
        this.explains = false
    }

    /** Values of tracks, one for every `step` bases; undefined where the question was withdrawn or refused. */
    values(kind, {chr, start, end, bpPerPixel = 1}) {
        const explained = new Set(this.model.contributions.map(track => track.class))
        const classes = kind === "contributions" ? this.classes.filter(name => explained.has(name)) : this.classes
        const step = stepOf(bpPerPixel, kind === "contributions" ? LETTERS_BELOW : 1)
        return this.#answer(kind, {classes, ...(step > 1 && {step})}, {chr, start, end})
    }

    /** Reference and alternative, for the edits of that sequence. */
    whatif({chr, start, end}) {
        const edits = this.editsOn(chr).map(({start, end, sequence}) => ({start, end, sequence}))
        const explained = this.model.contributions.map(track => track.class)
        const letters = this.explains ? this.classes.filter(name => explained.includes(name)) : []
        return this.#answer("whatif", {edits, classes: this.classes, contributions: letters}, {chr, start, end})
    }

    /** Every change of a base in view; `strand` as in the description. */
    mutagenesis({chr, start, end}, name, strand) {
        return this.#answer("mutagenesis", {class: name, strand, at: null}, {chr, start, end})
    }

    editsOn(chr) {
        return this.edits.filter(edit => edit.chr === chr)
    }

    /** Forgets every answer: after the engine was lost, or where the genome is another. */
    forget() {
        for (const lane of this.#lanes.values()) {
            lane.going.forEach(({controller}) => controller.abort())
        }
        this.#lanes.clear()
    }

    async #answer(kind, parameters, wanted) {
        const limit = this.limits[kind] ?? this.limits.predictions
        const view = this.#view(wanted)
        // igv.js asks even where it shows that one has to zoom in, and of its view of everything: to scale several tracks
        // alike.
        if (wanted.chr === "all" || view.end - view.start > limit) {
            return undefined
        }
        const lane = this.#lane(kind)
        const key = JSON.stringify([wanted.chr, parameters])
        const isWide = kind !== "mutagenesis" && (this.engine.prefetches || !this.visible)
        const whole = isWide ? fit(wanted, limit) : view
        const known = lane.find(key, whole)
        if (known) {
            return known
        }
        // With nobody to say what is in view, all that igv.js asks for comes at once.
        const near = this.visible ? view : whole
        const seen = lane.find(key, near)
        if (!seen) {
            lane.withdraw(key, near)
        }
        const answer = seen ?? await this.#ask(kind, key, parameters, near)
        if (answer && !covers(near, whole)) {
            this.#widen(kind, key, parameters, whole)
        }
        return answer
    }

    // The part of what igv.js asks for that is in view: a screen on each side is not.
    #view({chr, start, end}) {
        const seen = this.visible?.({chr, start, end})
        if (seen && seen.chr === chr && seen.start < end && seen.end > start) {
            return {chr, start: Math.max(0, Math.floor(Math.max(start, seen.start))), end: Math.ceil(Math.min(end, seen.end))}
        }
        const third = (end - start) / 3
        return {chr, start: Math.max(0, Math.floor(start + third)), end: Math.ceil(end - third)}
    }

    #lane(kind) {
        if (!this.#lanes.has(kind)) {
            this.#lanes.set(kind, new Lane())
        }
        return this.#lanes.get(kind)
    }

    // One question for all tracks that want the same at a time.
    #ask(kind, key, parameters, region, isQuiet = false) {
        const lane = this.#lane(kind)
        const same = lane.going.find(going => going.key === key && covers(going.region, region))
        if (same) {
            return same.promise
        }
        const going = {key, region, controller: new AbortController()}
        going.promise = this.#run(kind, {...parameters, ...region}, going, isQuiet)
            .finally(() => lane.going.splice(lane.going.indexOf(going), 1))
        lane.going.push(going)
        return going.promise
    }

    async #run(kind, question, going, isQuiet) {
        this.#begin(isQuiet, question)
        try {
            const {signal} = going.controller
            const progress = share => this.dispatchEvent(new CustomEvent("progress", {detail: share}))
            const answer = await this.engine[kind]({model: this.model.name, ...question}, {signal, progress})
            if (!going.controller.signal.aborted) {
                this.#lane(kind).keep(going.key, answer)
                return answer
            }
        } catch (error) {
            if (!isWithdrawn(error) && !isQuiet) {
                this.#refuse(error)
            }
        } finally {
            this.#end(isQuiet, kind)
        }
        return undefined
    }

    #refuse(error) {
        if (!this.onerror) {
            throw error
        }
        this.onerror(error)
    }

    #begin(isQuiet, {start, end}) {
        if (!isQuiet && this.#busy++ === 0) {
            [this.#since, this.#took, this.#asked] = [performance.now(), 0, end - start]
            this.dispatchEvent(new Event("busy"))
        }
    }

    // Every change of a base is a thing of its own, which comes after the view: its time is not that of the view.
    #end(isQuiet, kind) {
        if (!isQuiet && kind !== "mutagenesis") {
            this.#took = performance.now() - this.#since
        }
        if (!isQuiet && --this.#busy === 0) {
            const detail = {ms: this.#took || performance.now() - this.#since, bases: this.#asked}
            this.dispatchEvent(new CustomEvent("idle", {detail}))
        }
    }

    // The surroundings, once the view itself is there and rests.
    #widen(kind, key, parameters, whole) {
        const lane = this.#lane(kind)
        clearTimeout(lane.timer)
        lane.timer = setTimeout(async () => {
            if (await this.#ask(kind, key, parameters, whole, true)) {
                this.dispatchEvent(new Event("wider"))
            }
        }, 350)
    }
}

// Questions of one kind: those that are going on, and the last answers.
class Lane {
    going = []
    #kept = []
    timer = 0

    find(key, region) {
        return this.#kept.find(({key: of, answer}) => of === key && covers(answer, region))?.answer
    }

    keep(key, answer) {
        this.#kept.unshift({key, answer})
        this.#kept.length = Math.min(this.#kept.length, KEPT)
    }

    // Ends questions that do not lead to this region any more.
    withdraw(key, region) {
        clearTimeout(this.timer)
        for (const going of this.going) {
            if (going.key !== key || !covers(going.region, region)) {
                going.controller.abort()
            }
        }
    }
}

function covers(outer, inner) {
    return outer.start <= inner.start && outer.end >= inner.end
}

// Whole bases, and no more than `limit` of them, around the middle.
function fit({chr, start, end}, limit) {
    const [first, last] = [Math.max(0, Math.floor(start)), Math.ceil(end)]
    if (last - first <= limit) {
        return {chr, start: first, end: last}
    }
    const middle = Math.floor((first + last - limit) / 2)
    return {chr, start: middle, end: middle + limit}
}

// Bases to a value: powers of two, so that small changes of the zoom find what was computed.
function stepOf(bpPerPixel, from) {
    return bpPerPixel < Math.max(from, 2) ? 1 : 2 ** Math.floor(Math.log2(bpPerPixel))
}

/**
 * Configurations of igv.js tracks that an engine fills: of each class and strand the prediction, and its contributions.
 * They are igv.js's own kinds of tracks, letters too, so nothing has to be registered.
 *
 * @param {Engine} engine
 * @param {object} [options]
 * @param {string} [options.model] - Its name; else the first.
 * @param {string[]} [options.classes] - Their names; else all.
 * @param {boolean} [options.contributions=false]
 * @param {LiveSource} [options.source] - To share one, and to set edits; else a new one.
 */
export async function liveTracks(engine, {model, classes, contributions = false, source} = {}) {
    const from = source ?? await liveSource(engine, model)
    from.classes = classes ?? from.classes
    return [
        ...shown(from, from.model.tracks).map(track => predictionTrack(from, track)),
        ...(contributions ? shown(from, from.model.contributions).map(track => contributionTrack(from, track)) : [])
    ]
}

/** A source for `liveTracks`: of the model of that name, else of the engine's first. */
export async function liveSource(engine, model, options = {}) {
    const description = await engine.describe()
    const found = model ? description.models.find(({name}) => name === model) : description.models[0]
    if (!found) {
        const known = description.models.map(({name}) => name).join(", ")
        throw new RangeError(`there is no model ${model}; there are ${known}`)
    }
    return new LiveSource(engine, description, found, options)
}

/** Those of the tracks whose class is asked for. */
export function shown(source, tracks) {
    return tracks.filter(track => source.classes.includes(track.class))
}

/** The look of a track of predictions: name, colour, axis, strand. */
export function lookOf(source, track) {
    const about = source.model.classes.find(({name}) => name === track.class)
    const strand = {"+": " +", "-": " −"}[track.strand] ?? ""
    const scale = about.max === null || about.max === undefined
        ? {autoscaleGroup: `live ${source.model.name} ${track.class}`}
        : {min: 0, max: about.max, autoscale: false}
    return {
        about,
        label: `${escaped(about.label)}${strand}`,
        color: `rgb(${about.color})`,
        flipAxis: track.strand === "-",
        scale,
        // UCSC's and igv.js's word for what stands for several bases.
        windowFunction: about.role === "probability" ? "max" : "mean",
        ...(typeof about.threshold === "number" && about.role === "probability" &&
            {guideLines: [{y: about.threshold, color: "rgb(120,120,120)", dotted: true}]})
    }
}

export function predictionTrack(source, track) {
    const {label, color, flipAxis, scale, windowFunction, guideLines} = lookOf(source, track)
    return {
        id: `live ${source.model.name} ${track.name}`, type: "wig", name: label, color, flipAxis, ...scale,
        height: 56, windowFunction, summarize: false, visibilityWindow: source.limits.predictions,
        ...(guideLines && {guideLines}),
        featureSource: new ValuesFeatures(source, "predictions", track.name)
    }
}

export function contributionTrack(source, track) {
    const {label} = lookOf(source, track)
    return {
        id: `live ${source.model.name} ${track.name}`, type: "wig", graphType: "dynseq",
        name: `${label}: contributions`, color: "rgb(80,80,80)", height: 84, summarize: false,
        autoscaleGroup: `live ${source.model.name} contributions`, visibilityWindow: source.limits.contributions,
        featureSource: new ValuesFeatures(source, "contributions", track.name)
    }
}

/** What igv.js calls a feature source: one track of the answers of a `LiveSource`. */
export class ValuesFeatures {
    constructor(source, kind, name) {
        Object.assign(this, {source, kind, name})
    }

    async getFeatures({chr, start, end, bpPerPixel}) {
        const answer = await this.source.values(this.kind, {chr, start, end, bpPerPixel})
        return answer && covering(answer, valueFeatures(answer, this.name))
    }

    // igv.js asks for whole chromosomes one by one for its view of all; nothing computes those.
    supportsWholeGenome() {
        return false
    }
}

function escaped(text) {
    const entities = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\"": "&quot;", "'": "&#39;"}
    return text.replace(/[&<>"']/g, letter => entities[letter])
}
