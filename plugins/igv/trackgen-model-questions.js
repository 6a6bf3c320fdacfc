/* What a question to a model asks for, or why it is refused: as trackgen.live.questions and .limits do on a server.
 * MIT licence, see LICENSE.
 */

import {EngineError} from "./trackgen-engine.js"

const PLACE = ["schema_version", "model", "chr", "start", "end"]
const KNOWN = {
    predictions: [...PLACE, "classes", "step"],
    contributions: [...PLACE, "classes", "step", "weight"],
    whatif: [...PLACE, "edits", "classes", "contributions", "weight"],
    mutagenesis: [...PLACE, "class", "strand", "at", "edits"]
}
const WEIGHTS = ["uniform", "probability"]

/**
 * The bases that a question is about.
 *
 * @param {string} kind - predictions, contributions, whatif or mutagenesis.
 * @param {object} question
 * @param {object} description - Of the models, the genome and the limits.
 * @returns {object} {model, name, start, end, length}: the model's description, whole bases within the sequence.
 * @throws {EngineError} As the protocol says.
 */
export function regionOf(kind, question, description) {
    for (const name of Object.keys(question)) {
        if (!KNOWN[kind].includes(name) && question[name] !== undefined) {
            throw refused(400, "the parameter is not known here", {place: name})
        }
    }
    const model = description.models.find(entry => entry.name === question.model)
        ?? refuse(unknown("model", "model", question.model, description.models.map(entry => entry.name)))
    const {lengths} = description.genome
    const length = Object.hasOwn(lengths, question.chr) ? lengths[question.chr]
        : refuse(unknown("sequence", "chr", question.chr, Object.keys(lengths)))
    const {start, end} = wholeBases(question, length)
    const most = description.limits[kind]
    if (end - start > most) {
        throw refused(413, `the region is too large for ${kind}`, {found: `${count(end - start)} bases`,
            wanted: `at most ${count(most)}`, remedy: "zoom in, or scan it with trackgen scan --regions"})
    }
    return {model, name: question.chr, start, end, length}
}

function wholeBases({start, end, chr}, length) {
    for (const [place, value] of Object.entries({start, end})) {
        if (!Number.isFinite(value)) {
            throw refused(400, "this is no finite number", {place, found: String(value)})
        }
    }
    if (start >= end) {
        throw refused(400, start > end ? "the region is reversed" : "the region is empty",
            {place: "start, end", found: `${start}, ${end}`})
    }
    if (start >= length || end <= 0) {
        throw refused(400, `the region lies beside ${chr}`, {found: `${start} to ${end}`, wanted: `bases of 0 to ${length}`})
    }
    return {start: Math.max(0, Math.floor(start)), end: Math.min(length, Math.ceil(end))}
}

/**
 * The classes that a question names, of those with a track; all where it names none.
 *
 * @param {object[]} tracks - Of the model's description: its `tracks`, or its `contributions`.
 */
export function classesOf(names, tracks) {
    const known = [...new Set(tracks.map(track => track.class))]
    for (const name of names ?? []) {
        if (!known.includes(name)) {
            throw unknown("class", "classes", name, known)
        }
    }
    return names ? known.filter(name => names.includes(name)) : known
}

/** The bases a value: 1 where the question says nothing. */
export function stepOf({step = 1}) {
    if (!Number.isInteger(step) || step < 1) {
        throw refused(400, "this is no number of bases", {place: "step", found: String(step), wanted: "1 or more"})
    }
    return step
}

/** How windows count in contributions: null for the usual way. */
export function weightOf({weight}) {
    if (weight === undefined || weight === null || WEIGHTS.includes(weight)) {
        return weight ?? null
    }
    throw refused(400, weight === "calls" ? "a model in a page weighs no calls" : "there is no such weight",
        {place: "weight", found: String(weight), wanted: WEIGHTS.join(" or ")})
}

/** The edits of a what-if, as they are meant. */
export function editsOf({edits}, most) {
    if (!Array.isArray(edits)) {
        throw refused(400, "this is no list", {place: "edits", found: String(edits)})
    }
    if (edits.length > most) {
        throw refused(413, "there are too many edits",
            {place: "edits", found: count(edits.length), wanted: `at most ${count(most)}`})
    }
    edits.forEach((edit, number) => {
        const place = `edits, number ${number + 1}`
        if (!isBase(edit?.start) || !isBase(edit?.end) || edit.start > edit.end) {
            throw refused(400, "these are no bases", {place, found: `${edit?.start}, ${edit?.end}`,
                wanted: "0 <= start <= end"})
        }
        if (typeof edit.sequence !== "string" || !/^[ACGTN]*$/i.test(edit.sequence)) {
            throw refused(400, "an edit puts in what is no base", {place, found: String(edit.sequence).slice(0, 100),
                wanted: "A, C, G, T or N"})
        }
    })
    return edits
}

/** The track of a mutagenesis, and the base that it watches. */
export function watchedOf(question, {model, name, length}) {
    if (question.edits?.length) {
        throw refused(400, "changes of an edited sequence are not told yet", {place: "edits", wanted: "no edits"})
    }
    classesOf([question.class], model.tracks)
    const track = model.tracks.find(entry => entry.class === question.class && entry.strand === question.strand)
    if (!track) {
        const strands = [...new Set(model.tracks.map(entry => entry.strand))]
        throw refused(404, "the model has no track of this strand", {place: "strand", found: String(question.strand),
            wanted: strands.join(" or ")})
    }
    const at = question.at ?? null
    if (at !== null && (!isBase(at) || at >= length)) {
        throw refused(400, `this is no base of ${name}`, {place: "at", found: String(at),
            wanted: `a number from 0 to ${length - 1}, or null`})
    }
    return {track, at}
}

function unknown(noun, place, found, known) {
    return refused(404, `there is no ${noun} of this name`, {place, found: String(found).slice(0, 100),
        wanted: known.slice(0, 5).join(", ") + (known.length > 5 ? ", ..." : "")})
}

function refused(status, message, places) {
    return new EngineError(message, {status, ...places})
}

function refuse(error) {
    throw error
}

function isBase(value) {
    return Number.isInteger(value) && value >= 0
}

function count(value) {
    return value.toLocaleString("en")
}
