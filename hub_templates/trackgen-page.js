// What the pages of a hub share: how they tell how it went, which genome and place are asked for, and why a file
// cannot be read.
//
// window.trackgenReady tells tests and scripts: {done, tracks, drawn, errors}. The same numbers stand as data-*
// attributes on <html>, where a saved page keeps them.

const messages = document.getElementById("messages")
const chooser = document.getElementById("genome")

export const panel = document.getElementById("browser")
export const asked = new URLSearchParams(location.search)
// The place asked for, as it was written; "" where none is.
export const locus = asked.get("locus")?.trim() ?? ""
export const state = {done: false, tracks: 0, drawn: 0, errors: []}
window.trackgenReady = state

// chrI:1,000-2,000 or chrI:1000, both ends included, counted from 1; JBrowse writes two dots.
const REGION = /^(\S+):([\d,]+)(?:(?:-|\.\.)([\d,]+))?$/

const MAGIC = {bigwig: [0x888ffc26, 0x26fc8f88], bigbed: [0x8789f2eb, 0xebf28987], "2bit": [0x1a412743, 0x4327411a]}
// Why a track of files cannot be shown by a web server that sends files only whole.
export const NO_RANGES = "this web server does not send parts of files (byte ranges)"
const FORMAT = {bigwig: "BigWig", bigbed: "bigBed", "2bit": "2bit"}

function show(text) {
    const item = document.createElement("li")
    item.textContent = text
    messages.append(item)
    messages.hidden = false
    return item
}

// Something is wrong with the hub or the server: it stays on the page, and counts.
export function complain(text) {
    state.errors.push(text)
    show(text)
    console.error(text)
}

// A word to the reader, who asked for something that is not there; the next one takes its place.
export function tell(text) {
    document.getElementById("told")?.remove()
    if (text) {
        show(text).id = "told"
    }
    messages.hidden = messages.childElementCount === 0
}

// The browsers read faulty places each in its own way, and some silently as something else: so the pages read them.
// `lengths` has the bases of each sequence of the genome; it may be empty, where the genome does not list them.
// Gives {region} as both browsers understand it, or {name} (of a gene, perhaps), or {problem}.
export function readPlace(text, lengths) {
    const whole = sequenceOf(text, lengths)
    if (whole) {
        return {region: `${whole}:1-${lengths.get(whole)}`}
    }
    const match = REGION.exec(text)
    if (!match) {
        return readName(text)
    }
    const sequence = lengths.size ? sequenceOf(match[1], lengths) : match[1]
    const [start, end] = [match[2], match[3] ?? match[2]].map(digits => Number(digits.replaceAll(",", "")))
    if (!sequence) {
        return {problem: `no sequence is named ${match[1]}`}
    }
    if (start < 1 || end < start) {
        return {problem: start < 1 ? "bases count from 1" : "its end lies before its start"}
    }
    const length = lengths.get(sequence) ?? Infinity
    if (start > length) {
        return {problem: `${sequence} has ${length.toLocaleString("en")} bases`}
    }
    return {region: `${sequence}:${start}-${Math.min(end, length)}`}
}

export function isRegion(text) {
    return REGION.test(text)
}

function readName(text) {
    if (/\s/.test(text)) {
        return {problem: "one place can be asked for, without blanks"}
    }
    if (text.includes(":")) {
        return {problem: "a region has whole numbers, from 1 on"}
    }
    // igv.js has a view of everything by this name, and JBrowse has none.
    return /^(all|\*)$/i.test(text) ? {problem: "one place can be asked for, not all"} : {name: text}
}

// The genome's own name of a sequence, which may be written without chr or with it, small or large; null for others.
export function sequenceOf(name, lengths) {
    if (lengths.has(name)) {
        return name
    }
    const bare = text => text.toLowerCase().replace(/^chr/, "").replace(/^mt$/, "m")
    const alike = [...lengths.keys()].filter(known => bare(known) === bare(name))
    return alike.length === 1 ? alike[0] : null
}

// What is asked for is not there: that is no fault of the hub.
export function tellMissing(text, problem, example, hasGenes) {
    const why = problem ? ` (${problem})` : ""
    const names = hasGenes ? "the name of a gene, " : ""
    tell(`There is no ${text} on this genome${why}. Ask for ${names}the name of a sequence, or a region such as ` +
        `${example}:1,000-2,000.`)
}

export function settle() {
    state.done = true
    panel.setAttribute("aria-busy", "false")
    const data = document.documentElement.dataset
    data.state = state.errors.length ? "incomplete" : "ready"
    data.tracks = state.tracks
    data.drawn = state.drawn
    data.errors = state.errors.length
}

// The genome that the page shows: its option, with the names of its files. A hub of one genome has one option.
export function chosenGenome() {
    const options = [...chooser.options]
    const wanted = asked.get("genome")
    const found = options.find(option => option.value === wanted)
    if (wanted && !found) {
        const known = options.map(option => option.value).join(", ")
        complain(`there is no genome ${wanted} in this hub, which has ${known}`)
    }
    const chosen = found ?? options[0]
    chooser.value = chosen.value
    chooser.parentElement.hidden = options.length < 2
    chooser.addEventListener("change", () => {
        location.search = new URLSearchParams({genome: chooser.value})
    })
    return chosen
}

// Links to the hub's other page lead to the same genome and place. `place` gives the locus shown at that moment.
export function keepPlace(place) {
    for (const link of document.querySelectorAll("a[data-page]")) {
        link.addEventListener("click", () => {
            const search = new URLSearchParams({...(chooser.options.length > 1 && {genome: chooser.value})})
            const locus = place()
            if (locus) {
                search.set("locus", locus)
            }
            link.href = `${link.dataset.page}?${search}`.replace(/\?$/, "")
        })
    }
}

export async function loadJson(address) {
    const answer = await fetch(address, {cache: "no-cache"})
    if (!answer.ok) {
        throw new Error(`${address} cannot be loaded (the server answers ${answer.status})`)
    }
    try {
        return await answer.json()
    } catch (error) {
        throw new Error(`${address} is not JSON: ${error.message}`)
    }
}

// Loads code with `load` from the address that the page names, else from its public one.
export async function loadCode(title, named, publicly, load) {
    for (const address of new Set([named, publicly].filter(Boolean))) {
        try {
            return await load(new URL(address, document.baseURI).href)
        } catch (error) {
            console.warn(`${title} cannot be loaded from ${address}: ${error?.message ?? error}`)
        }
    }
    throw new Error(`${title} cannot be loaded, neither from the hub nor from ${publicly}; without a network, show ` +
        "the hub with trackgen serve where trackgen has its browser assets (make assets)")
}

// The reason why a browser could not read a file, or null. Four bytes tell: is it there, is it of its format, and does
// the server send parts of files? A browser by itself would show an empty track.
export async function flaw({name, url, format}) {
    const stop = new AbortController()
    try {
        const answer = await fetch(url, {headers: {Range: "bytes=0-3"}, signal: stop.signal, cache: "no-store"})
        if (!answer.ok) {
            return `${name}: ${url} cannot be loaded (the server answers ${answer.status})`
        }
        if (!(format in MAGIC)) {
            return null
        }
        if (answer.status !== 206) {
            return `${name}: ${NO_RANGES}, which a genome browser needs. Show the hub with: trackgen serve HUB`
        }
        const bytes = new DataView(await answer.arrayBuffer())
        if (bytes.byteLength < 4 || !MAGIC[format].includes(bytes.getUint32(0))) {
            return `${name}: ${url} is not a ${FORMAT[format]} file`
        }
        return null
    } catch (error) {
        return `${name}: ${url} cannot be loaded (${error.message})`
    } finally {
        stop.abort()
    }
}
