/* Variants as people write them, and genomes with edits in them. MIT licence, see LICENSE.
 *
 *     chrI:1,234 A>G   chrI:1234A>G   chrI:g.1234A>G   chrI:g.5_7del   chrI:g.5_7delACG   chrI:g.5_6insACG
 *     chrI:g.5_7delinsTT   chrI:g.5_7dup   chrI:g.5_7inv   chrI 1234 . A G
 *
 * Positions count from 1 in text; edits are {chr, start, end, sequence, reference}, 0-based and half-open, as those of
 * trackgen in Python (genome/variants.py, genome/edits.py), which reads the same texts: plugins/protocol/variants.json.
 * No dependency.
 */

const FORMS = "chrI:1234 A>G, chrI:g.1234A>G, g.5_7del, g.5_6insACG, g.5_7delinsTT, g.5_7dup, g.5_7inv, or a line of VCF"
const LARGEST_POSITION = 2 ** 32 - 1
const QUOTED = 60
const EDGE = /^[ \t\r\n]+|[ \t\r\n]+$/g
const BASES = /^[ACGTN]+$/i
const POSITION = /^(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)$/
const SYMBOLIC = /[<*[\]]/
const NUMBER = "(?<first>[0-9][0-9,]*)"
const SPAN = `${NUMBER}(?:_(?<last>[0-9][0-9,]*))?`
const CHANGES = [
    `${NUMBER}[ \\t]*(?<old>[a-z]+)[ \\t]*>[ \\t]*(?<new>[a-z,]+)`,
    `${SPAN}del(?<old>[a-z]*?)ins(?<new>[a-z]+)`,
    `${SPAN}(?<kind>del|dup|inv)(?<old>[a-z]*)`,
    `${SPAN}(?<kind>ins)(?<new>[a-z]+)`
].map(pattern => new RegExp(`^${pattern}$`, "i"))
const COMPLEMENT = {A: "T", C: "G", G: "C", T: "A", N: "N"}

/** A text that is no variant, or a variant that does not fit the genome. The message is for people. */
export class VariantError extends Error {
    constructor(message) {
        super(message)
        this.name = "VariantError"
    }
}

/**
 * The variant that a text means.
 *
 * @param {string} text
 * @param {object} [options]
 * @param {string} [options.chr] - The sequence that is meant where the text names none.
 * @returns {{chr, start, end, sequence, reference, operation}} `sequence` is null where it is made of the bases that
 *     stand there: twice them where `operation` is "dup", their reverse complement where it is "inv". `reference` is
 *     what the text says stands there, null where it says nothing.
 * @throws {VariantError}
 */
export function parseVariant(text, {chr = null} = {}) {
    const bare = text.replace(EDGE, "")
    if (!bare) {
        refuse("the variant is empty", "")
    }
    const strange = [...bare].find(letter => !/^[ -~\t\r\n]$/.test(letter))
    if (strange !== undefined) {
        refuse("the variant has a character that is none of a variant's",
            `U+${strange.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`)
    }
    if (/[\r\n]/.test(bare)) {
        refuse("there is more than one line", bare, "one variant at a time")
    }
    const fields = vcfFields(bare)
    return fields ? fromVcf(fields, bare) : fromWords(bare, chr)
}

/**
 * The variants of a text of several: lines, or parts set apart by `;` outside of lines of VCF. Comments of VCF (`#`) and
 * empty lines are left out.
 *
 * @throws {VariantError} The first that is none, in its own words.
 */
export function parseVariants(text, {chr = null} = {}) {
    const lines = text.split(/\r?\n/).map(line => line.replace(EDGE, "")).filter(line => line && !line.startsWith("#"))
    const parts = lines.flatMap(line => vcfFields(line) ? [line] : line.split(";"))
    return parts.filter(part => part.replace(EDGE, "")).map(part => parseVariant(part, {chr}))
}

function vcfFields(text) {
    const columns = text.split("\t").map(field => field.replace(/^ +| +$/g, ""))
    if (columns.length >= 5) {
        return columns
    }
    const words = text.split(/[ \t]+/)
    return words.length >= 5 && POSITION.test(words[1]) ? words : null
}

function fromVcf([name, position, , old, changed], text) {
    if (!name || name.startsWith("#")) {
        refuse("this line of VCF names no sequence", text)
    }
    if (!POSITION.test(position)) {
        refuse("the position is not a whole number", position)
    }
    if (changed === "" || changed === ".") {
        refuse("the line of VCF has no alternative allele", text)
    }
    return replacement(name, position, old, changed)
}

function fromWords(text, chr) {
    const colon = text.lastIndexOf(":")
    let change = text.slice(colon + 1)
    // An allele such as <INS:ME> has a colon; a sequence may have an asterisk, as those of HLA genes.
    if (SYMBOLIC.test(text.replaceAll("*", "")) || change.includes("*")) {
        refuse("the variant is symbolic", text, "bases")
    }
    const name = colon < 0 ? chr : text.slice(0, colon)
    if (!name || /[ \t]/.test(name)) {
        refuse("the variant names no sequence", text)
    }
    const prefix = /^([a-z])\./i.exec(change)
    if (prefix && !/[gm]/i.test(prefix[1])) {
        refuse("the variant is not one of genomic coordinates", text, "g.")
    }
    change = prefix ? change.slice(2) : change
    const match = CHANGES.map(pattern => pattern.exec(change)).find(Boolean)
    if (!match) {
        refuse("the variant has none of the forms that are read", text)
    }
    return changed(name, match.groups, text)
}

function changed(name, parts, text) {
    if (!("last" in parts)) {
        return replacement(name, parts.first, parts.old, parts.new)
    }
    const first = positionOf(parts.first)
    const last = parts.last ? positionOf(parts.last) : first
    if (last < first) {
        refuse("the positions are out of order", text, "first <= last")
    }
    const [old, added] = [basesOf(parts.old ?? "", text), basesOf(parts.new ?? "", text)]
    const kind = (parts.kind ?? "").toLowerCase()
    if (kind === "ins") {
        if (last !== first + 1) {
            refuse("an insertion stands between two neighbours", text, `g.${first}_${first + 1}ins${added}`)
        }
        return variant(name, first, first, added, null)
    }
    if (old && old.length !== last - first + 1) {
        refuse("the bases are not as many as the positions", text, `${last - first + 1} bases`)
    }
    const operation = kind === "dup" || kind === "inv" ? kind : ""
    if (operation && !old) {
        return variant(name, first - 1, last, null, null, operation)
    }
    const sequence = operation ? made(operation, old) : added
    if (old && old === sequence) {
        refuse("the variant changes nothing", text)
    }
    return variant(name, first - 1, last, sequence, old || null)
}

// REF and ALT at a position, as in VCF.
function replacement(name, position, oldText, newText) {
    const shown = `${oldText}>${newText}`
    if (SYMBOLIC.test(shown)) {
        refuse("the variant is symbolic", shown, "bases")
    }
    if (newText.includes(",")) {
        refuse("there are several alternatives", shown, "one allele at a time")
    }
    const start = positionOf(position) - 1
    const [old, added] = [basesOf(oldText, shown), basesOf(newText, shown)]
    if (!old || !added) {
        refuse("an allele has no bases", shown, "A, C, G, T or N")
    }
    if (old === added) {
        refuse("the variant changes nothing", shown)
    }
    return variant(name, start, start + old.length, added, old)
}

function variant(chr, start, end, sequence, reference, operation = "") {
    return {chr, start, end, sequence, reference, operation}
}

function positionOf(text) {
    if (!POSITION.test(text)) {
        refuse("the position is not a whole number", text, "digits, with commas between thousands or without")
    }
    const position = Number(text.replaceAll(",", ""))
    if (position < 1 || position > LARGEST_POSITION) {
        refuse("the position is on no sequence", text, `1 to ${LARGEST_POSITION}; positions count from 1`)
    }
    return position
}

function basesOf(text, shown) {
    if (text && !BASES.test(text)) {
        refuse("an allele has letters that are no bases", shown, "A, C, G, T or N")
    }
    return text.toUpperCase()
}

function made(operation, bases) {
    return operation === "dup" ? bases + bases : [...bases].reverse().map(base => COMPLEMENT[base]).join("")
}

function refuse(what, found, wanted = FORMS) {
    const shown = found.length <= QUOTED ? found : `${found.slice(0, QUOTED)}...`
    throw new VariantError(`${what}${shown && `: ${shown}`}. Wanted: ${wanted}`)
}

/**
 * The edit of a genome that a variant makes.
 *
 * @param {object} variant - As `parseVariant` gives it.
 * @param {object} genome - `lengths`, a Map or an object of bases by name, and `sequence`, an async function of
 *     (chr, start, end) that gives the bases there.
 * @returns {Promise<{chr, start, end, sequence, reference}>} `reference` is what stands in the genome.
 * @throws {VariantError} No such sequence, beyond its end, or other bases stand there.
 */
export async function editOf({chr, start, end, sequence, reference, operation}, {lengths, sequence: read}) {
    const length = lengths instanceof Map ? lengths.get(chr) : Object.hasOwn(lengths, chr) ? lengths[chr] : undefined
    if (length === undefined) {
        const known = [...(lengths instanceof Map ? lengths.keys() : Object.keys(lengths))]
        const some = known.slice(0, 5).join(", ")
        throw new VariantError(`no sequence is named ${chr}; this genome has ${some}${known.length > 5 ? ", …" : ""}`)
    }
    if (end > length) {
        throw new VariantError(`${chr} has ${length.toLocaleString("en")} bases, and the variant is at ` +
            (start + 1).toLocaleString("en"))
    }
    const there = end > start ? (await read(chr, start, end)).toUpperCase() : ""
    if (reference !== null && reference !== there) {
        throw new VariantError(`at ${chr}:${(start + 1).toLocaleString("en")} the genome has ${there}, not ` +
            `${reference}. Is the variant of this assembly?`)
    }
    const put = sequence ?? made(operation, there)
    if (put === there) {
        throw new VariantError(`at ${chr}:${(start + 1).toLocaleString("en")} the genome has ${there || "this"} already`)
    }
    return {chr, start, end, sequence: put, reference: there}
}

/** An edit in the shortest form that `parseVariant` reads: chrI:123A>G, chrI:g.5_7del, ... */
export function editText({chr, start, end, sequence, reference}) {
    const [first, last] = [start + 1, end]
    if (start === end) {
        return `${chr}:g.${start}_${first}ins${sequence}`
    }
    if (end - start === 1 && sequence.length === 1 && reference) {
        return `${chr}:${first}${reference}>${sequence}`
    }
    const place = first === last ? `${first}` : `${first}_${last}`
    return `${chr}:g.${place}${sequence ? `delins${sequence}` : "del"}`
}

/** The first two of edits, in order, that take the same bases or stand at the same place; null where none do. */
export function overlapping(edits) {
    const sorted = sortedEdits(edits)
    const at = sorted.findIndex((edit, index) => index > 0 && edit.chr === sorted[index - 1].chr &&
        (edit.start < sorted[index - 1].end || edit.start === sorted[index - 1].start))
    return at < 0 ? null : [sorted[at - 1], sorted[at]]
}

/** Edits by sequence and place. */
export function sortedEdits(edits) {
    return [...edits].sort((a, b) => (a.chr < b.chr ? -1 : a.chr > b.chr ? 1 : 0) || a.start - b.start || a.end - b.end)
}
