/* UCSC track hubs in igv.js, drawn as the hub asks. MIT licence, see LICENSE.
 *
 * igv.js reads hubs by itself, but cuts fractional viewLimits to whole numbers (an empty track), and ignores `logo on`,
 * windowingFunction, yLineMark, negateValues and multiWig containers. This module reads hub.txt itself and gives igv.js
 * its own words for each: contributions of bases become letters (graphType "dynseq"). Four tracks in a multiWig with
 * `aggregate stacked` and `logo on`, of A, C, G and T as UCSC has it, get `stackedLetters`: see trackgen-stacked.js.
 *
 * No dependency: igv.js is handed in, not imported. Coordinates of defaultPos are passed on as they stand.
 */

/** A hub that cannot be read, or that lacks what was asked of it. `url` names the file. */
export class HubError extends Error {
    constructor(url, message) {
        super(`${url}: ${message}`)
        this.name = "HubError"
        this.url = url
    }
}

// Settings that hold addresses, which are relative to the file that they stand in.
const ADDRESSES = new Set([
    "bigDataUrl", "bigDataIndex", "chromAlias", "chromAliasBb", "chromSizes", "genomesFile", "groups", "html",
    "htmlPath", "descriptionUrl", "searchTrix", "trackDb", "twoBitBptUrl", "twoBitPath"
])
// What a track has for itself alone; everything else is handed down to a track from its containers.
const OWN = new Set([
    "track", "shortLabel", "longLabel", "parent", "subTrack", "superTrack", "compositeTrack", "container", "view",
    "visibility", "bigDataUrl", "bigDataIndex", "type"
])
const WINDOW_FUNCTION = {maximum: "max", minimum: "min", mean: "mean", "mean+whiskers": "mean"}
const DISPLAY_MODE = {full: "EXPANDED", pack: "EXPANDED", squish: "SQUISHED", dense: "COLLAPSED"}
// UCSC's types, in lower case -> igv.js's type and format.
const TYPES = {
    bigwig: ["wig", "bigwig"],
    bigbed: ["annotation", "bigbed"],
    biggenepred: ["annotation", "biggenepred"],
    bignarrowpeak: ["annotation", "bignarrowpeak"],
    bigpsl: ["annotation", "bigpsl"],
    biginteract: ["interact", "biginteract"],
    bam: ["alignment", "bam"],
    cram: ["alignment", "cram"],
    vcftabix: ["variant", "vcf"]
}
const INDEX = {bam: ".bai", cram: ".crai", vcf: ".tbi"}

/**
 * Reads a hub, in the one-file or the three-file form.
 *
 * @param {string} url - The address of hub.txt; a relative one is taken from the page.
 * @returns {Promise<Hub>}
 * @throws {HubError} The hub cannot be loaded, or is none.
 */
export async function readHub(url) {
    const address = new URL(url, globalThis.document?.baseURI).href
    const stanzas = await readStanzas(address)
    const hub = stanzas[0]
    if (!hub || !("hub" in hub)) {
        throw new HubError(address, "this is no hub: its first line is not `hub NAME`")
    }
    if (isOn(hub.useOneFile)) {
        const genomes = stanzas.filter(stanza => "genome" in stanza)
        return new Hub(address, hub, genomes, stanzas.filter(stanza => "track" in stanza))
    }
    if (!hub.genomesFile) {
        throw new HubError(address, "the hub names neither a genomesFile nor `useOneFile on`")
    }
    return new Hub(address, hub, await readStanzas(hub.genomesFile), null)
}

/** A hub's settings. Made by `readHub`. */
export class Hub {
    /** @hideconstructor */
    constructor(url, settings, genomes, tracks) {
        /** The address of hub.txt. */
        this.url = url
        /** The settings of the hub's own stanza: shortLabel, longLabel, email, ... */
        this.settings = settings
        this.genomes = genomes
        this.tracks = tracks
        if (genomes.length === 0) {
            throw new HubError(url, "the hub names no genome")
        }
    }

    /** The names of the hub's genomes, in its own order. */
    get genomeIds() {
        return this.genomes.map(genome => genome.genome)
    }

    /** The settings of a genome; the first one when none is named. */
    genome(id) {
        const found = id === undefined ? this.genomes[0] : this.genomes.find(genome => genome.genome === id)
        if (!found) {
            throw new HubError(this.url, `there is no genome ${id} in this hub, which has ${this.genomeIds.join(", ")}`)
        }
        return found
    }

    /**
     * What igv.js needs to show a genome: a `reference`, or its name where the hub carries no sequence.
     *
     * @param {string} [id] - The genome; else the hub's first.
     */
    genomeConfig(id) {
        const genome = this.genome(id)
        const locus = genome.defaultPos ? {locus: genome.defaultPos} : {}
        if (!genome.twoBitPath) {
            return {genome: genome.genome, ...locus}
        }
        const reference = {
            id: genome.genome,
            name: genome.description || genome.organism || genome.genome,
            twoBitURL: genome.twoBitPath,
            ...(genome.twoBitBptUrl && {twoBitBptURL: genome.twoBitBptUrl}),
            ...(genome.chromSizes ? {chromSizesURL: genome.chromSizes} : {wholeGenomeView: false}),
            ...(genome.chromAliasBb && {chromAliasBbURL: genome.chromAliasBb}),
            // igv.js does not resolve this address itself.
            ...(genome.chromAlias && {aliasURL: genome.chromAlias})
        }
        return {reference, loadDefaultGenomes: false, ...locus}
    }

    /** The stanzas of a genome's tracks, containers included. */
    async trackStanzas(id) {
        const genome = this.genome(id)
        if (this.tracks) {
            return this.tracks
        }
        return genome.trackDb ? (await readStanzas(genome.trackDb)).filter(stanza => "track" in stanza) : []
    }

    /**
     * The tracks of a genome as igv.js configurations.
     *
     * @param {string} [id] - The genome; else the hub's first.
     * @param {object} [options]
     * @param {boolean} [options.hidden=false] - Also tracks that the hub hides at first.
     * @param {boolean} [options.overlays=true] - multiWig containers as merged tracks; else their parts one by one.
     * @param {boolean} [options.autoscale=false] - Obey `autoScale on` even where the hub gives viewLimits, too. Hubs
     *     give both since igv.js's own reader cannot read fractional limits.
     */
    async trackConfigs(id, {hidden = false, overlays = true, autoscale = false} = {}) {
        const stanzas = new Map((await this.trackStanzas(id)).map(stanza => [stanza.track, stanza]))
        const configs = []
        const merged = new Map()
        for (const stanza of stanzas.values()) {
            const lineage = lineageOf(stanza, stanzas)
            const config = trackConfig(lineage, {autoscale})
            if (!config || (!hidden && isHidden(lineage))) {
                continue
            }
            const container = overlays && lineage.slice(1).find(parent => /^multiWig$/i.test(parent.container ?? ""))
            if (!container || isMixed(container, stanzas)) {
                configs.push(config)
            } else if (merged.has(container.track)) {
                merged.get(container.track).tracks.push(config)
            } else {
                const overlay = overlayConfig(container, stanzas, {autoscale})
                overlay.tracks.push(config)
                merged.set(container.track, overlay)
                configs.push(overlay)
            }
        }
        merged.forEach(stackLetters)
        return configs
    }
}

/**
 * The argument of `igv.createBrowser` that shows a hub: its genome, its place, its tracks.
 *
 * @param {string} url - The address of hub.txt.
 * @param {object} [options] - `genome`, and the options of `Hub.trackConfigs`.
 */
export async function hubConfig(url, {genome, ...options} = {}) {
    const hub = await readHub(url)
    return {...hub.genomeConfig(genome), tracks: await hub.trackConfigs(genome, options)}
}

/**
 * Shows a hub in igv.js.
 *
 * @param {object} target - A browser, whose genome stays and which gets the hub's tracks for it; or `igv` itself,
 *     which makes a new browser in `options.div`.
 * @param {string} url - The address of hub.txt.
 * @param {object} [options] - `genome` (of a browser: the one it shows; else the hub's first), `div` and `browser`
 *     (an element, and more options of `igv.createBrowser`), and the options of `Hub.trackConfigs`.
 * @returns {Promise<object>} The browser.
 * @throws {HubError} The hub cannot be read, or lacks the genome.
 */
export async function loadHub(target, url, {div, browser = {}, genome, ...options} = {}) {
    if (typeof target.loadTrackList === "function") {
        const hub = await readHub(url)
        await target.loadTrackList(await hub.trackConfigs(genome ?? target.genome?.id, options))
        return target
    }
    if (!div) {
        throw new TypeError("loadHub(igv, url, {div}): name the element that the browser is made in")
    }
    return target.createBrowser(div, {...await hubConfig(url, {genome, ...options}), ...browser})
}

async function readText(url) {
    let answer
    try {
        answer = await fetch(url)
    } catch (error) {
        throw new HubError(url, `cannot be loaded (${error.message})`)
    }
    if (!answer.ok) {
        throw new HubError(url, `cannot be loaded (the server answers ${answer.status})`)
    }
    return answer.text()
}

/* Stanzas are stood apart by empty lines; `#` begins a comment, `\` at the end of a line goes on with the next, and
 * `include FILE` stands for the stanzas of that file. `above` are the files that include this one. */
async function readStanzas(url, above = []) {
    if (above.includes(url)) {
        throw new HubError(url, "the file includes itself")
    }
    const text = (await readText(url)).replace(/^\uFEFF/, "").replace(/\\\r?\n[ \t]*/g, " ")
    const stanzas = []
    let open = null
    for (const line of text.split(/\r?\n/).map(part => part.trim())) {
        const [key] = line.split(/\s/, 1)
        const value = line.slice(key.length).trim()
        if (line === "") {
            open = null
        } else if (key === "include") {
            stanzas.push(...await readStanzas(new URL(value, url).href, [...above, url]))
            open = null
        } else if (!key.startsWith("#")) {
            if (open === null) {
                open = {}
                stanzas.push(open)
            }
            open[key] = ADDRESSES.has(key) && value ? resolved(value, url) : value
        }
    }
    return stanzas
}

function resolved(address, base) {
    try {
        return new URL(address, base).href
    } catch {
        return address
    }
}

// A track and its containers, from the inside out.
function lineageOf(stanza, stanzas) {
    const lineage = [stanza]
    let name = parentOf(stanza)
    while (stanzas.has(name) && !lineage.includes(stanzas.get(name))) {
        lineage.push(stanzas.get(name))
        name = parentOf(stanzas.get(name))
    }
    return lineage
}

// `parent NAME on`; of old also `subTrack NAME` and `superTrack NAME`, where `superTrack on` makes a container instead.
function parentOf(stanza) {
    const [name] = (stanza.parent ?? stanza.subTrack ?? "").split(/\s/, 1)
    const [old] = (stanza.superTrack ?? "on").split(/\s/, 1)
    return name || (isOn(old) ? "" : old)
}

function isHidden(lineage) {
    return lineage.some((stanza, index) => /^hide$/i.test(stanza.visibility ?? "") ||
        /\soff$/i.test(stanza.parent ?? stanza.subTrack ?? "") ||
        (index > 0 && /^on\s+hide$/i.test(stanza.superTrack ?? "")))
}

// Yes and no of hubs, in any case of letters.
function isOn(value) {
    return /^(on|true)$/i.test(value ?? "")
}

// A multiWig with some tracks turned upside down, which igv.js's merged tracks cannot do: they share one axis.
function isMixed(container, stanzas) {
    return [...stanzas.values()].some(stanza => parentOf(stanza) === container.track && isOn(stanza.negateValues))
}

// A setting of a track, or of the nearest container that has it.
function settingsOf(lineage) {
    const inherited = lineage.slice(1).reverse().map(stanza =>
        Object.fromEntries(Object.entries(stanza).filter(([key]) => !OWN.has(key))))
    const type = lineage.map(stanza => stanza.type).find(Boolean)
    return Object.assign({}, ...inherited, {type}, lineage[0])
}

function trackConfig(lineage, options) {
    const settings = settingsOf(lineage)
    const kind = TYPES[(settings.type ?? "").split(/\s/, 1)[0].toLowerCase()]
    if (!kind || !settings.bigDataUrl) {
        return null
    }
    const [type, format] = kind
    return {
        ...commonConfig(settings),
        type,
        format,
        url: settings.bigDataUrl,
        ...(format in INDEX && {indexURL: settings.bigDataIndex ?? settings.bigDataUrl + INDEX[format]}),
        ...(type === "wig" ? wigConfig(settings, parentOf(lineage[0]), options) : featureConfig(settings))
    }
}

function commonConfig(settings) {
    const label = escaped(settings.longLabel ?? "")
    const heights = (settings.maxHeightPixels ?? "").split(":").map(Number)
    const height = heights.length > 1 ? heights[1] : NaN
    return {
        id: settings.track,
        // igv.js shows a name as HTML in some places.
        name: escaped(settings.shortLabel ?? settings.track),
        // An address of another kind (javascript:, data:) would run the hub's code in the page.
        ...(label && {description: /^https?:\/\//i.test(settings.html ?? "")
            ? `<a target="_blank" rel="noopener" href="${escaped(settings.html)}">${label}</a>`
            : label}),
        ...(settings.color && {color: `rgb(${settings.color})`}),
        ...(settings.altColor && {altColor: `rgb(${settings.altColor})`}),
        ...(height > 0 && {height})
    }
}

function wigConfig(settings, parent, {autoscale}) {
    const config = axisConfig(settings, autoscale, parent)
    const line = Number.parseFloat(settings.yLineMark)
    if (isOn(settings.yLineOnOff) && Number.isFinite(line)) {
        config.guideLines = [{y: line, color: "rgb(120,120,120)", dotted: true}]
    }
    const summary = WINDOW_FUNCTION[settings.windowingFunction]
    if (summary) {
        config.windowFunction = summary
    }
    if (isOn(settings.logo)) {
        config.graphType = "dynseq"
    } else if (settings.graphTypeDefault === "points") {
        config.graphType = "points"
    }
    return config
}

function axisConfig(settings, autoscale, parent) {
    const negated = isOn(settings.negateValues)
    const flip = negated ? {flipAxis: true} : {}
    const limits = (settings.viewLimits ?? "").split(":").map(Number.parseFloat)
    const isGiven = limits.length === 2 && limits.every(Number.isFinite) && limits[0] < limits[1]
    if (/^group$/i.test(settings.autoScale ?? "") && parent) {
        return {autoscaleGroup: parent, ...flip}
    }
    if (!isGiven || (autoscale && isOn(settings.autoScale))) {
        return {autoscale: true, ...flip}
    }
    let [min, max] = limits
    if (negated && min < 0 && max <= 0) {
        // Limits of the picture; igv.js wants those of the values.
        [min, max] = [-max || 0, -min]
    }
    return {min, max, autoscale: false, ...flip}
}

function featureConfig(settings) {
    const label = (settings.defaultLabelFields ?? settings.labelFields ?? "").split(",")[0]
    return {
        ...(settings.visibility in DISPLAY_MODE && {displayMode: DISPLAY_MODE[settings.visibility]}),
        ...(settings.searchTrix && {trixURL: settings.searchTrix}),
        ...(settings.searchIndex && {searchIndex: settings.searchIndex}),
        ...(label && label !== "none" && {labelField: label})
    }
}

function overlayConfig(container, stanzas, {autoscale}) {
    const settings = settingsOf(lineageOf(container, stanzas))
    return {
        ...commonConfig(settings),
        type: "merged",
        ...axisConfig(settings, autoscale, ""),
        ...(settings.aggregate === "transparentOverlay" && {alpha: 0.5}),
        ...(settings.aggregate === "stacked" && isOn(settings.logo) && {alpha: 0.5, stackedLetters: [..."ACGT"]}),
        tracks: []
    }
}

// Letters on top of each other are those of the four parts; igv.js alone would draw the genome's own in each part.
function stackLetters(overlay) {
    if (overlay.stackedLetters) {
        overlay.tracks.forEach(part => delete part.graphType)
    }
    if (overlay.tracks.length !== overlay.stackedLetters?.length) {
        delete overlay.stackedLetters
    }
}

function escaped(text) {
    const entities = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\"": "&quot;", "'": "&#39;"}
    return text.replace(/[&<>"']/g, letter => entities[letter])
}
