// What the modules of live tracks do without a web browser: asked by test_live.py, answers with JSON on stdout.
//
//     node live_checks.mjs variants CORPUS.json | edits LENGTHS BASES | features ANSWERS.json NAME | source | errors

import {readFileSync} from "node:fs"
import {Engine, EngineError} from "../../../plugins/igv/trackgen-engine.js"
import {alternativeFeatures, differenceFeatures, summarised} from "../../../plugins/igv/trackgen-live-features.js"
import {LiveSource} from "../../../plugins/igv/trackgen-live.js"
import {editOf, editText, overlapping, parseVariant, parseVariants} from "../../../plugins/igv/trackgen-variants.js"

const LIMITS = {predictions: 1000, contributions: 1000, whatif: 1000, mutagenesis: 400, edits: 100}
const MODEL = {name: "small", classes: [{name: "a", label: "a", role: "signal", color: "0,0,0", max: null, threshold: null}],
    tracks: [{name: "a", class: "a", strand: ".", resolution: 1}], contributions: [{name: "a.contrib", class: "a", strand: "."}]}

/** Answers by the protocol when it is told to: every value is its position. */
class FakeEngine extends Engine {
    asked = []
    prefetches = false

    async predictions(question, {signal}) {
        const {start, end, step = 1} = question
        this.asked.push(`${start}-${end}`)
        await new Promise((resolve, reject) => {
            signal.addEventListener("abort", () => {
                this.asked.push(`gone ${start}-${end}`)
                reject(new DOMException("withdrawn", "AbortError"))
            })
            setTimeout(resolve, 20)
        })
        if (this.fault) {
            throw this.fault
        }
        const values = Array.from({length: Math.ceil((end - start) / step)}, (_, index) => start + index * step)
        return {...question, step, tracks: [{name: "a", values}]}
    }
}

function source(visible) {
    const engine = new FakeEngine()
    return {engine, live: new LiveSource(engine, {limits: LIMITS}, MODEL, {visible})}
}

const at = (start, end, bpPerPixel = 1) => ({chr: "c", start, end, bpPerPixel})
const rest = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))

const checks = {
    variants(corpus) {
        return JSON.parse(readFileSync(corpus)).map(({text, chr = null}) => {
            try {
                return {edit: parseVariant(text, {chr})}
            } catch (error) {
                return {refused: error.message, kind: error.name}
            }
        })
    },

    async edits(lengths, bases) {
        const genome = {lengths: JSON.parse(lengths), sequence: async (chr, start, end) => bases.slice(start, end)}
        const of = async text => Promise.all(parseVariants(text).map(variant => editOf(variant, genome)))
        const found = await of("c:2C>T; c:g.3_4del\nc 5 . A AGG\n#comment\n\nc:g.7_8dup;c:g.9_10inv")
        const again = await of(found.map(editText).join(";"))
        return {found, again, texts: found.map(editText), apart: overlapping(found),
            clash: overlapping([...found, {...found[0], sequence: "G"}]).map(editText)}
    },

    features(file, name) {
        return JSON.parse(readFileSync(file)).map(answer => ({
            alternative: alternativeFeatures(answer, name),
            difference: differenceFeatures(answer, name),
            steps: summarised(alternativeFeatures(answer, name), 4, "max")
        }))
    },

    async source() {
        let seen = {chr: "c", start: 100, end: 200}
        const {engine, live} = source(() => seen)
        const told = []
        live.addEventListener("busy", () => told.push("busy"))
        live.addEventListener("idle", () => told.push("idle"))
        live.addEventListener("wider", () => told.push("wider"))
        const same = await Promise.all([1, 2, 3].map(() => live.values("predictions", at(0, 300))))
        const once = [...engine.asked]
        seen = {chr: "c", start: 400, end: 500}
        const left = live.values("predictions", at(300, 600))
        await rest(5)
        seen = {chr: "c", start: 700.4, end: 800.6}
        const kept = await live.values("predictions", at(600, 900))
        const gone = await left
        engine.prefetches = true
        await live.values("predictions", at(600, 900))
        await rest(600)
        const wide = await live.values("predictions", at(600, 900))
        seen = {chr: "c", start: 0, end: 2000}
        const tooWide = await live.values("predictions", at(0, 4000, 4))
        engine.asked.push("steps")
        seen = {chr: "c", start: 0, end: 900}
        const {step} = await live.values("predictions", at(0, 900, 5.7))
        return {once, isShared: same[0] === same[2], gone: gone ?? null, kept: [kept.start, kept.end],
            wide: [wide.start, wide.end], tooWide: tooWide ?? null, step, asked: engine.asked, told}
    },

    async errors() {
        const {engine, live} = source(null)
        engine.fault = new EngineError("no", {status: 404})
        const thrown = await live.values("predictions", at(0, 300)).catch(error => error.message)
        const heard = []
        live.onerror = error => heard.push(error.status)
        const answer = await live.values("predictions", at(0, 300))
        engine.fault = null
        const later = await live.values("predictions", at(0, 300))
        return {thrown, heard, answer: answer ?? null, later: [later.start, later.end]}
    }
}

const [name, ...given] = process.argv.slice(2)
process.stdout.write(JSON.stringify(await checks[name](...given)))
