/* The model in the page: answers what a trackgen server answers, with graphs that onnxruntime-web runs. MIT licence, see
 * LICENSE.
 *
 * A hub that was built --with-model has the graphs, and live.json, which says how to feed them. Nothing but files is asked
 * of whoever serves the hub.
 */

import {Engine} from "./trackgen-engine.js"
import {inSteps} from "./trackgen-model-grid.js"
import {everyChange} from "./trackgen-model-mutations.js"
import {classesOf, editsOf, regionOf, stepOf, watchedOf, weightOf} from "./trackgen-model-questions.js"
import {Runtime} from "./trackgen-model-runtime.js"
import {EditedSequence, lettersOf, Sequence} from "./trackgen-model-sequence.js"
import {explainedTracks, predictedTracks} from "./trackgen-model-tracks.js"
import {Windows} from "./trackgen-model-windows.js"

const VERSION = 1
// Bases of the genome that are asked for at a time.
const AHEAD = 8192
// Answers of contributions that are kept: of the views between which somebody goes back and forth, changing bases.
const MOST_KEPT = 16

/**
 * Runs the models of a hub in the page. Beside those of an `Engine` it has the events "runtime" (`title` has changed) and
 * "progress" (of the runtime's download: {detail: {loaded, total}}, bytes).
 */
export class PageEngine extends Engine {
    /**
     * @param {object} options
     * @param {object} options.description - live.json, parsed.
     * @param {string} options.base - The address of the folder that it is in; a relative one is taken from the page.
     * @param {function} options.sequence - async (chr, start, end) => string: the genome's letters.
     * @param {string} [options.device] - auto; wasm; or webgpu, see `Runtime`.
     */
    constructor({description, base, sequence, device = "auto"}) {
        super()
        this.description = description
        this.base = new URL(base.replace(/\/?$/, "/"), globalThis.document?.baseURI).href
        this.letters = ahead(sequence, description.genome.lengths)
        this.runtime = new Runtime(description.runtime, this.base, device)
        this.models = new Map()
        this.explained = new Map()
        this.#tell()
        this.runtime.addEventListener("runtime", () => this.#tell())
        this.runtime.addEventListener("progress", ({detail}) => this.dispatchEvent(new CustomEvent("progress", {detail})))
    }

    async describe() {
        return this.description
    }

    async predictions(question, {signal} = {}) {
        const region = regionOf("predictions", question, this.description)
        const {model} = region
        const classes = classesOf(question.classes, model.tracks)
        const tracks = model.tracks.filter(track => classes.includes(track.class))
        const step = stepOf(question)
        const values = await predictedTracks(this.#windows(model), this.#sequence(region), region.start, region.end,
            tracks, {signal, isKept: true})
        const role = name => roleOf(model, name)
        return {...head("predictions", region), step, mode: "dense", tracks: tracks.map(({name, class: className}) =>
            ({name, values: inSteps(values.get(name), step, role(className))}))}
    }

    async contributions(question, {signal} = {}) {
        const region = regionOf("contributions", question, this.description)
        const {model} = region
        const classes = classesOf(question.classes, model.contributions)
        const tracks = model.contributions.filter(track => classes.includes(track.class))
        const step = stepOf(question)
        const values = await this.#explained(region, this.#sequence(region), region, tracks, weightOf(question), signal, true)
        return {...head("contributions", region), step, mode: "dense", tracks: tracks.map(({name}) =>
            ({name, values: inSteps(values.get(name), step, "contribution")}))}
    }

    async whatif(question, {signal} = {}) {
        const region = regionOf("whatif", question, this.description)
        const {model, start, end} = region
        const reference = this.#sequence(region)
        const edited = new EditedSequence(reference, editsOf(question, this.description.limits.edits))
        const alternative = edited.span(start, end)
        const wanted = classesOf(question.classes, model.tracks)
        const explained = classesOf(question.contributions ?? [], model.contributions)
        const predicted = model.tracks.filter(track => wanted.includes(track.class))
        const contributed = model.contributions.filter(track => explained.includes(track.class))
        const weight = weightOf(question)
        const of = async (sequence, place, isKept) => new Map([
            ...await predictedTracks(this.#windows(model), sequence, place.start, place.end, predicted, {signal, isKept}),
            ...await this.#explained(region, sequence, place, contributed, weight, signal, isKept)])
        const [there, here] = [await of(reference, region, true), await of(edited, alternative, false)]
        return {
            ...head("whatif", region), mode: "dense",
            edits: await Promise.all(edited.edits.map(async edit => ({start: edit.start, end: edit.end,
                sequence: edit.sequence, reference: lettersOf(await reference.codes(edit.start, edit.end))}))),
            alternative,
            sequence: {
                reference: lettersOf(await reference.codes(start, end)),
                alternative: lettersOf(await edited.codes(alternative.start, alternative.end))
            },
            aligned: edited.aligned(start, end),
            tracks: [...predicted, ...contributed].map(({name}) => ({name,
                reference: inSteps(there.get(name), 1), alternative: inSteps(here.get(name), 1)}))
        }
    }

    async mutagenesis(question, {signal, progress} = {}) {
        const region = regionOf("mutagenesis", question, this.description)
        const {track, at} = watchedOf(question, region)
        const sequence = this.#sequence(region)
        const {reference, deltas} = await everyChange(this.#windows(region.model), sequence, region.start, region.end,
            track, at, {signal, progress})
        return {...head("mutagenesis", region), class: track.class, strand: track.strand, at,
            sequence: lettersOf(await sequence.codes(region.start, region.end)), reference, deltas}
    }

    /** Ends the work, and gives its memory back; the engine answers no more. */
    close() {
        this.runtime.close()
        this.models.clear()
        this.explained.clear()
    }

    // Per track, of a reference or an edited sequence; windows of one role count in its usual way.
    async #explained({model}, sequence, {start, end}, tracks, weight, signal, isKept) {
        const key = JSON.stringify([model.name, sequence.name, start, end, tracks, weight])
        const kept = isKept && this.explained.get(key)
        if (kept) {
            return kept
        }
        const found = new Map()
        for (const kind of ["probability", "uniform"]) {
            const mine = tracks.filter(track =>
                (weight ?? (roleOf(model, track.class) === "probability" ? "probability" : "uniform")) === kind)
            if (mine.length) {
                const values = await explainedTracks(
                    this.#windows(model), sequence, start, end, mine, kind, {signal, isKept})
                values.forEach((row, name) => found.set(name, row))
            }
        }
        if (isKept) {
            this.explained.set(key, found)
            this.explained.size > MOST_KEPT && this.explained.delete(this.explained.keys().next().value)
        }
        return found
    }

    #tell() {
        this.title = `this page, ${this.runtime.title}`
        this.dispatchEvent(new Event("runtime"))
    }

    #windows(model) {
        if (!this.models.has(model.name)) {
            this.models.set(model.name, new Windows(model.page, this.runtime))
        }
        return this.models.get(model.name)
    }

    #sequence({name, length}) {
        return new Sequence(this.letters, name, length)
    }
}

function head(kind, {model, name, start, end}) {
    return {schema_version: VERSION, kind, model: model.name, chr: name, start, end}
}

function roleOf(model, className) {
    return model.classes.find(entry => entry.name === className).role
}

// The genome's letters, in blocks that are kept: windows of neighbouring runs overlap, and a file is not asked twice.
function ahead(letters, lengths) {
    const blocks = new Map()
    const block = (name, number) => {
        const key = `${name} ${number}`
        if (!blocks.has(key)) {
            const [start, end] = [number * AHEAD, Math.min(lengths[name], (number + 1) * AHEAD)]
            const asked = Promise.resolve(letters(name, start, end)).then(text => {
                // One of the wrong length is not worth keeping: whoever asked says so.
                text?.length === end - start || blocks.delete(key)
                return text ?? ""
            })
            asked.catch(() => blocks.delete(key))
            blocks.set(key, asked)
            blocks.size > 64 && blocks.delete(blocks.keys().next().value)
        }
        return blocks.get(key)
    }
    return async (name, start, end) => {
        const first = Math.floor(start / AHEAD)
        const asked = Array.from({length: Math.ceil(end / AHEAD) - first}, (_, offset) => block(name, first + offset))
        return (await Promise.all(asked)).join("").slice(start - first * AHEAD, end - first * AHEAD)
    }
}
