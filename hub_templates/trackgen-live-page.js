// The live page: what is in view is computed while it is looked at, and bases can be changed.
//
// Computed by `trackgen serve`, where that shows the hub and has the model, else by the model in this page, where the hub
// holds it (live.json). window.trackgenReady has, besides what trackgen-page.js tells, {engine, model, busy, views, ms,
// edits, summary, refused, whatif}.

import {explain, knownLengths, listedLengths, loadIgv, openBrowser, shownLoci, soundTracks} from "./trackgen-igv-page.js"
import {checkedClasses, fillClasses, fillSelect, plain, sentence} from "./trackgen-live-controls.js"
import {Edits} from "./trackgen-live-edits.js"
import {copyLink, keepRegion} from "./trackgen-live-keep.js"
import {findEngine, Sign} from "./trackgen-live-sign.js"
import {askedState, rememberState, touches, unknownNames} from "./trackgen-live-state.js"
import {outside, summaryOf, summaryTable} from "./trackgen-live-summary.js"
import {LiveSource, lookOf, shown} from "./trackgen-live.js"
import {lettersTrack, registerTracks, valuesTrack, whatifTracks} from "./trackgen-live-tracks.js"
import {mutagenesisTrack, STRIP_BASES} from "./trackgen-mutagenesis.js"
import {chosenGenome, complain, keepPlace, loadJson, NO_RANGES, settle, state, tell} from "./trackgen-page.js"
import {editText} from "./trackgen-variants.js"

const part = id => document.getElementById(id)
const wanted = askedState()
// At first, of a model that has many: more would not fit on a screen.
const CLASSES_AT_FIRST = 3
const GENES_ORDER = 1
const LIVE_ORDER = 10
const RECORDED_ORDER = 200
const REST_MS = 200
const LOST = "The server does not answer, so nothing new is computed. This page goes on by itself when it is back."

Object.assign(state, {engine: "", model: "", busy: false, views: 0, ms: 0, edits: [], summary: [], refused: ""})

class LivePage {
    constructor({engine, description, where, browser, tracks}) {
        Object.assign(this, {engine, description, where, browser, recorded: tracks})
        this.edits = new Edits({genome: genomeOf(browser), place: () => this.place(), limit: description.limits.edits,
            go: (chr, position) => this.go(chr, position)})
        this.source = null
        this.sign = new Sign(engine, where, isLost => this.engineChanged(isLost))
        // What the tracks are of, changed one after the other.
        this.arranging = Promise.resolve()
    }

    async start() {
        fillSelect(part("model"), this.description.models.map(({name, title}) => [name, title || name]))
        const known = this.description.models.some(({name}) => name === wanted.model)
        part("model").value = known ? wanted.model : this.description.models[0].name
        part("model").disabled = this.description.models.length < 2
        part("contributions").checked = wanted.contributions
        part("recorded").checked = wanted.recorded
        part("recordedlabel").hidden = this.recorded.length === 0
        part("keep").hidden = !this.description.keep
        this.choose(wanted.classes, wanted.strip)
        const unknown = unknownNames(wanted, this.description.models, this.source.model)
        if (unknown) {
            tell(unknown)
        }
        this.listen()
        if (wanted.variants) {
            await this.edits.restore(wanted.variants)
        }
        await this.arrange()
        this.edits.addEventListener("change", () => this.arrange())
    }

    // Another model: its classes, its source.
    choose(classes = null, strip = part("strip").checked) {
        const model = this.description.models.find(({name}) => name === part("model").value)
        this.source?.forget()
        this.source = new LiveSource(this.engine, this.description, model, {
            visible: wanted => this.seen(wanted), onerror: error => this.refuse(error)})
        this.sign.follow(this.source)
        // A picture that somebody drags stays until it is let go of.
        this.source.addEventListener("wider", () => this.browser.dragObject || this.reload(true))
        const names = model.classes.map(({name}) => name)
        const fit = classes?.filter(name => names.includes(name)) ?? []
        const first = names.length > CLASSES_AT_FIRST + 1 ? names.slice(0, CLASSES_AT_FIRST) : names
        fillClasses(model.classes, fit.length ? fit : first, () => this.arrange())
        fillSelect(part("stripof"), model.tracks.map(track => [track.name, plain(lookOf(this.source, track).label)]))
        if (model.tracks.some(({name}) => name === strip)) {
            part("stripof").value = strip
        }
        part("strip").checked = Boolean(strip)
        part("contributions").disabled = model.contributions.length === 0
        part("note").textContent = model.note ?? ""
        state.model = model.name
    }

    listen() {
        part("model").addEventListener("change", () => {
            this.choose()
            this.arrange()
        })
        for (const id of ["contributions", "strip", "stripof", "recorded"]) {
            part(id).addEventListener("change", () => this.arrange())
        }
        part("copy").addEventListener("click", copyLink)
        part("keep").addEventListener("click", () => keepRegion(this.engine, {model: this.source.model.name,
            place: this.place(), classes: part("contributions").checked ? this.source.classes : [],
            locus: shownLoci(this.browser)[0]}))
        this.browser.on("locuschange", () => {
            clearTimeout(this.timer)
            this.timer = setTimeout(() => this.moved(), REST_MS)
        })
        // The margins of what igv.js asks for are left out at first: then its cache must not hold them.
        this.browser.on("featuresloaded", port => {
            trim(port)
            this.count()
        })
        // Before igv.js's own, which would open a window.
        this.browser.root.addEventListener("click", event => this.clicked(event), {capture: true})
        this.browser.root.addEventListener("mousedown", ({clientX, clientY}) => {
            this.pressed = {x: clientX, y: clientY}
        }, {capture: true})
    }

    place() {
        const frame = this.browser.referenceFrameList?.[0]
        return frame && frame.chr !== "all" ? {chr: frame.chr, start: frame.start, end: frame.end} : null
    }

    // What is in view of a region; igv.js may show several at once.
    seen({chr, start, end}) {
        return this.browser.referenceFrameList?.find(frame => frame.chr === chr && frame.start < end && frame.end > start)
    }

    async go(chr, position) {
        const seen = this.place()
        const width = Math.min(seen ? seen.end - seen.start : 200, 2000)
        const start = Math.max(0, Math.round(position - width / 2))
        await this.browser.search(`${chr}:${start + 1}-${start + Math.round(width)}`)
    }

    // The tracks that are wanted now, one above the other.
    configs() {
        const {source} = this
        const contributions = part("contributions").checked
        const predictions = shown(source, source.model.tracks)
        const letters = contributions ? shown(source, source.model.contributions) : []
        const live = this.edits.all.length
            ? whatifTracks(source, {contributions})
            : [...predictions.map(track => valuesTrack(source, track)), ...letters.map(track => lettersTrack(source, track))]
        const strip = part("strip").checked && source.model.tracks.find(({name}) => name === part("stripof").value)
        // Under the bases, where it stays when a click on it brings tracks.
        if (strip) {
            live.unshift({...mutagenesisTrack(source, strip), id: `live mutagenesis ${source.model.name} ${strip.name}`})
        }
        return [
            ...live.map((config, index) => ({...config, order: LIVE_ORDER + index, removable: false})),
            ...(part("recorded").checked ? this.recorded.map((config, index) => ({...config, name: `${config.name}, recorded`,
                order: RECORDED_ORDER + index})) : [])
        ]
    }

    // What waits for its turn sees all that was asked for until then: many clicks are one arrangement.
    arrange() {
        if (!this.isWaiting) {
            this.isWaiting = true
            this.arranging = this.arranging.then(() => {
                this.isWaiting = false
                return this.arranged()
            }).catch(error => complain(explain(error)))
        }
        return this.arranging
    }

    async arranged() {
        const {source, browser} = this
        source.classes = checkedClasses()
        source.edits = this.edits.all
        part("stripof").hidden = !part("strip").checked
        const configs = this.configs()
        const ids = new Set(configs.map(({id}) => id))
        const ours = view => view.track.id?.startsWith?.("live ") || this.recorded.some(({id}) => id === view.track.id)
        for (const view of browser.trackViews.filter(view => ours(view) && !ids.has(view.track.id))) {
            browser.removeTrack(view.track)
        }
        const there = new Map(browser.trackViews.map(view => [view.track.id, view]))
        configs.filter(({id}) => there.has(id)).forEach(({id, order}) => {
            there.get(id).track.order = order
            there.get(id).order = order
        })
        await this.reload(false)
        await browser.loadTrackList(configs.filter(({id}) => !there.has(id)))
        browser.reorderTracks?.()
        await browser.updateViews()
        await this.moved()
    }

    views() {
        return this.browser.trackViews.filter(view => view.track.id?.startsWith?.("live "))
    }

    // Fills tracks again: those of the alternative where bases have changed, or all where more is known.
    async reload(isAll) {
        const views = this.views().filter(({track}) => isAll || / (alternative|difference)$/.test(track.id))
        const ready = port => port.isVisible() && port.checkZoomIn()
        // Regions one after the other: of each all tracks ask the same, at once.
        await Promise.all(views.map(async ({viewports}) => {
            for (const port of viewports.filter(ready)) {
                port.featureCache = undefined
                await port.loadFeatures()
            }
        }))
        await this.browser.updateViews()
        views.forEach(({viewports}) => viewports.filter(ready).forEach(repaint))
    }

    // The view is another, or what it shows is.
    async moved() {
        const place = this.place()
        this.sign.view(place)
        part("stripnote").hidden = !(part("strip").checked && place && place.end - place.start > this.stripLimit() + 1)
        part("stripnote").textContent = `zoom in to ${this.stripLimit()} bp`
        if (this.engine.state === "lost") {
            // A search has taken it away.
            this.tell(LOST)
        } else {
            this.tooLarge(place)
        }
        await this.summarise(place)
        state.locus = shownLoci(this.browser)
        document.documentElement.dataset.locus = state.locus
        state.edits = this.edits.all.map(editText)
        this.count()
        const {model} = this.source
        rememberState({
            genome: part("genome").options.length > 1 ? part("genome").value : "",
            // igv.js's view of everything is no place that can be asked for.
            locus: state.locus.filter(seen => !seen.startsWith("all")).join(" "),
            model: this.description.models.length > 1 ? model.name : "",
            classes: this.source.classes.length < model.classes.length ? this.source.classes : null,
            contributions: part("contributions").checked,
            recorded: part("recorded").checked,
            strip: part("strip").checked && part("stripof").value,
            edits: this.edits.all
        })
    }

    // How many live tracks there are, and how many have values.
    count() {
        const views = this.views()
        state.tracks = views.length
        state.drawn = views.filter(({viewports}) => viewports.some(port => port.featureCache?.features?.length)).length
    }

    tooLarge(place) {
        const bases = place ? Math.round(place.end - place.start) : Infinity
        const {predictions, whatif} = this.description.limits
        const limit = this.edits.all.length ? Math.min(whatif, predictions) : predictions
        const text = bases > limit
            ? `This view is too wide: ${this.edits.all.length ? "changed bases" : "predictions"} are computed for up to ` +
                `${limit.toLocaleString("en")} bases at once. Zoom in.`
            : ""
        if (text || this.wasTooLarge) {
            this.tell(text)
        }
        this.wasTooLarge = Boolean(text)
    }

    async summarise(place) {
        const changed = place && this.edits.all.some(({chr}) => chr === place.chr)
        const answer = changed && !this.wasTooLarge && await this.source.whatif(place)
        if (!answer) {
            part("summary").replaceChildren(...(place && this.edits.all.length && !changed ? [outside()] : []))
            Object.assign(state, {summary: [], whatif: null})
            return
        }
        const middle = (place.start + place.end) / 2
        const near = this.source.editsOn(place.chr).filter(edit => touches(edit, place))
            .reduce((best, edit) => !best || Math.abs(edit.start - middle) < Math.abs(best.start - middle) ? edit : best, null)
        const tracks = shown(this.source, this.source.model.tracks)
        const labels = new Map(tracks.map(track => [track.name, plain(lookOf(this.source, track).label)]))
        const region = {start: Math.max(0, Math.floor(place.start)), end: Math.ceil(place.end)}
        const rows = summaryOf(answer, labels, region, near ? near.start : -1)
        part("summary").replaceChildren(summaryTable(rows, near && editText(near)), ...(near ? [] : [outside()]))
        Object.assign(state, {summary: rows, whatif: answer})
    }

    refuse(error) {
        // A lost server is told by its state.
        if (error.status !== 0) {
            this.tell(sentence(error.text ?? error.message))
        }
    }

    tell(text) {
        state.refused = text
        tell(text)
    }

    engineChanged(isLost) {
        this.tell(isLost ? LOST : "")
        if (!isLost) {
            this.source.forget()
            this.reload(true).then(() => this.moved())
        }
    }

    stripLimit() {
        return Math.min(STRIP_BASES, this.description.limits.mutagenesis)
    }

    // A click on a base: its menu. On the heat map: that change.
    clicked(event) {
        const moved = this.pressed && Math.hypot(event.clientX - this.pressed.x, event.clientY - this.pressed.y) > 4
        const path = event.composedPath()
        const view = this.browser.trackViews.find(({viewports}) => viewports.some(port => path.includes(port.viewportElement)))
        const port = view?.viewports.find(one => path.includes(one.viewportElement))
        if (!port || moved || path.some(node => node.classList?.contains("igv-track-label"))) {
            return
        }
        const {track} = view
        const isStrip = track.type === "trackgen-mutagenesis"
        const isBases = track.type === "sequence" || track.letters
        const frame = port.referenceFrame
        // A base of less than three pixels is not what somebody points at.
        if (!(isStrip || isBases) || frame.bpPerPixel > 1 / 3) {
            return
        }
        event.stopPropagation()
        const box = port.viewportElement.getBoundingClientRect()
        const position = Math.floor(frame.start + frame.toBP(event.clientX - box.left))
        if (!isStrip) {
            this.edits.open(frame.chr, position, {x: event.clientX, y: event.clientY})
            return
        }
        const cell = track.cellAt({genomicLocation: position, y: event.clientY - box.top, viewport: port})
        if (cell && !cell.isOwn) {
            this.edits.change(frame.chr, position, cell.base, cell.own.toUpperCase())
        }
    }

}

// What is drawn anew, or taken away where there is no answer: igv.js leaves the picture of what was there before.
function repaint(port) {
    if (!port.featureCache?.features) {
        port.canvas?.remove()
        port.canvas = undefined
    }
    port.repaint()
}

// igv.js's cache says that it holds what was asked for; it holds what came.
function trim(port) {
    const covers = port.featureCache?.features?.covers
    if (covers) {
        port.featureCache.bpStart = Math.max(port.featureCache.bpStart, covers.start)
        port.featureCache.bpEnd = Math.min(port.featureCache.bpEnd, covers.end)
    }
}

function genomeOf(browser) {
    return {
        get lengths() {
            return knownLengths(browser.genome)
        },
        sequence: (chr, start, end) => browser.genome.getSequence(chr, start, end)
    }
}

// A server that does not send parts of files can't show recorded tracks: said once, and only to who asks for them.
function tellFlaws(flaws) {
    const others = flaws.filter(text => !text.includes(NO_RANGES))
    others.forEach(complain)
    if (wanted.recorded && others.length < flaws.length) {
        tell(sentence(`${NO_RANGES}: recorded tracks are left out, live ones work`))
    }
}

async function show() {
    let browser = null
    const flaws = []
    const [found, igv] = await Promise.all([
        findEngine((chr, start, end) => browser.genome.getSequence(chr, start, end)), loadIgv()])
    const genomes = [...part("genome").options]
    const option = genomes.find(({value}) => value === found.description.genome?.id) ?? chosenGenome()
    part("genome").value = option.value
    const config = await loadJson(option.dataset.config)
    const tracks = await soundTracks(config.tracks, flaw => flaws.push(flaw))
    tellFlaws(flaws)
    const isGenes = track => track.searchable || track.id === "genes"
    registerTracks(igv)
    const genes = tracks.filter(isGenes).map(track => ({...track, order: GENES_ORDER}))
    browser = await openBrowser(igv, {...config, tracks: genes}, await listedLengths(config.reference))
    const page = new LivePage({...found, browser, tracks: tracks.filter(track => !isGenes(track))})
    state.page = page
    await page.start()
    keepPlace(() => shownLoci(browser).find(seen => !seen.startsWith("all")))
}

show().catch(error => complain(explain(error))).finally(settle)
