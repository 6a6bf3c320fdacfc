// The page of a hub: igv.js draws what igv.json describes, and whatever goes wrong is said on the page.
//
// window.trackgenReady tells tests and scripts how it went: {done, tracks, drawn, errors}. The same numbers stand as
// data-* attributes on <html>, where a saved page keeps them.

const panel = document.getElementById("browser")
const messages = document.getElementById("messages")
const state = {done: false, tracks: 0, drawn: 0, errors: []}
window.trackgenReady = state

const MAGIC = {bigwig: [0x888ffc26, 0x26fc8f88], bigbed: [0x8789f2eb, 0xebf28987]}
const FORMAT = {bigwig: "BigWig", bigbed: "bigBed"}

function complain(text) {
    state.errors.push(text)
    const item = document.createElement("li")
    item.textContent = text
    messages.append(item)
    messages.hidden = false
    console.error(text)
}

function settle() {
    state.done = true
    panel.setAttribute("aria-busy", "false")
    const data = document.documentElement.dataset
    data.state = state.errors.length ? "incomplete" : "ready"
    data.tracks = state.tracks
    data.drawn = state.drawn
    data.errors = state.errors.length
}

// The reason why igv.js could not read a track's file, or null. Four bytes tell: is it there, is it of its format, and
// does the server send parts of files? igv.js by itself would show an empty track.
async function flaw(track) {
    const stop = new AbortController()
    try {
        const answer = await fetch(track.url, {headers: {Range: "bytes=0-3"}, signal: stop.signal, cache: "no-store"})
        if (!answer.ok) {
            return `${track.name}: ${track.url} cannot be loaded (the server answers ${answer.status})`
        }
        if (answer.status !== 206) {
            return `${track.name}: this web server does not send parts of files (byte ranges), which a genome browser ` +
                "needs. Show the hub with: trackgen serve HUB"
        }
        const bytes = new DataView(await answer.arrayBuffer())
        if (bytes.byteLength < 4 || !MAGIC[track.format].includes(bytes.getUint32(0))) {
            return `${track.name}: ${track.url} is not a ${FORMAT[track.format]} file`
        }
        return null
    } catch (error) {
        return `${track.name}: ${track.url} cannot be loaded (${error.message})`
    } finally {
        stop.abort()
    }
}

async function loadConfig() {
    const answer = await fetch(panel.dataset.config, {cache: "no-cache"})
    if (!answer.ok) {
        throw new Error(`${panel.dataset.config} cannot be loaded (the server answers ${answer.status})`)
    }
    const config = await answer.json()
    const locus = new URLSearchParams(location.search).get("locus")
    return locus ? {...config, locus} : config
}

async function loadIgv() {
    try {
        return (await import(new URL(panel.dataset.igv, document.baseURI))).default
    } catch (error) {
        throw new Error(`igv.js cannot be loaded from ${panel.dataset.igv}; without a network, build the hub where ` +
            "trackgen has its browser assets (make assets)")
    }
}

// How many tracks have values in the region shown.
function countDrawn(browser, tracks) {
    const names = new Set(tracks.map(track => track.id))
    const views = browser.trackViews.filter(view => names.has(view.track.id))
    return views.filter(view => view.viewports.some(port => port.featureCache?.features?.length > 0)).length
}

async function show() {
    const [config, igv] = await Promise.all([loadConfig(), loadIgv()])
    const flaws = await Promise.all(config.tracks.map(flaw))
    flaws.filter(Boolean).forEach(complain)
    const tracks = config.tracks.filter((_, index) => flaws[index] === null)
    const browser = await igv.createBrowser(panel, {
        showIdeogram: Boolean(config.genome),
        showSVGButton: true,
        showCenterGuideButton: false,
        showCursorTrackingGuideButton: false,
        ...config,
        tracks
    })
    state.tracks = tracks.length
    state.drawn = countDrawn(browser, tracks)
    state.locus = browser.currentLoci()
    const asked = new URLSearchParams(location.search).get("locus")
    if (asked && String(state.locus).startsWith("all")) {
        complain(`there is no ${asked} on this genome, so all of it is shown`)
    }
}

// igv.js gets a genome that the hub does not carry from igv.org, and says little when it can't.
function explain(error) {
    const text = error.message || String(error)
    return /unknown genome/i.test(text)
        ? `${text}. igv.js gets this genome from igv.org, which did not answer; build the hub with --genome FILE to ` +
            "have the sequence in it"
        : text
}

show().catch(error => complain(explain(error))).finally(settle)
