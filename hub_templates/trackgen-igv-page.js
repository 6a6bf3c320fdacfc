// What the pages with igv.js share: its code, the files of its tracks, places that readers write, narrow screens.

import {registerStacked, withStacked} from "./trackgen-stacked.js"
import {complain, flaw, isRegion, loadCode, locus, panel, readPlace, state, tell, tellMissing} from "./trackgen-page.js"

// igv.js keeps its style from the page's. On a narrow screen its bar takes more rows, not more width.
const NARROW = `@media (max-width: 700px) {
    .igv-navbar, .igv-navbar .igv-navbar-left-container {
        flex-wrap: wrap; height: auto; justify-content: flex-start;
    }
    .igv-navbar .igv-navbar-left-container .igv-navbar-genomic-location { display: contents; }
}`

export async function loadIgv() {
    const load = async address => (await import(address)).default
    return loadCode("igv.js", panel.dataset.igv, panel.dataset.igvPublic, load)
}

// The files of a track, which a merged track has several of.
function parts(track) {
    return track.tracks ?? [track]
}

async function flawOf(track) {
    return (await Promise.all(parts(track).map(flaw))).find(Boolean) ?? null
}

// The tracks whose files can be read; of the others the page says why not, or `report` does.
export async function soundTracks(tracks, report = complain) {
    const flaws = await Promise.all(tracks.map(flawOf))
    flaws.filter(Boolean).forEach(report)
    return tracks.filter((_, index) => flaws[index] === null)
}

// The bases of each sequence, before igv.js is there; empty where the hub leaves the genome to igv.js.
export async function listedLengths(reference) {
    const answer = reference?.chromSizesURL && await fetch(reference.chromSizesURL).catch(() => null)
    const lines = answer?.ok ? (await answer.text()).split(/\r?\n/) : []
    const rows = lines.map(line => line.split("\t")).filter(([, length]) => length > 0)
    return new Map(rows.map(([name, length]) => [name, Number(length)]))
}

export function knownLengths(genome) {
    const rows = [...genome.chromosomes].filter(([name, sequence]) => name !== "all" && sequence?.bpLength > 0)
    return new Map(rows.map(([name, sequence]) => [name, sequence.bpLength]))
}

// igv.js says in a window of its own that it found nothing; the page says besides what can be found.
function explainSearch(browser, hasGenes) {
    const search = browser.search.bind(browser)
    const find = async (text, {problem, region, name}, ...rest) => {
        const found = !problem && await search(region ?? name, ...rest)
        if (!found) {
            tellMissing(text, problem, browser.referenceFrameList.find(({chr}) => chr !== "all")?.chr ?? "chrI", hasGenes)
        }
    }
    browser.search = async (text, ...rest) => {
        tell("")
        // Besides regions igv.js understands several places at once, and "all"; the name of a sequence it would look up
        // elsewhere.
        const place = readPlace(text, knownLengths(browser.genome))
        await find(text, isRegion(text) || place.region ? place : {name: text}, ...rest)
        // Found or not, the reader has been told.
        return true
    }
    return find
}

function fitNarrowScreens() {
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(NARROW)
    panel.shadowRoot?.adoptedStyleSheets.push(sheet)
}

// igv.js at the place that the address asks for. `lengths` are those of `listedLengths`.
export async function openBrowser(igv, config, lengths) {
    const searchable = config.tracks.some(track => track.searchable)
    const place = locus && lengths.size ? readPlace(locus, lengths) : {}
    registerStacked(igv)
    const browser = await igv.createBrowser(panel, {
        showIdeogram: Boolean(config.genome),
        showSVGButton: true,
        showCenterGuideButton: false,
        showCursorTrackingGuideButton: false,
        ...withStacked(config),
        // With genes of its own the hub needs nobody else's: names that a reader looks for stay on this server.
        ...(searchable && {search: false}),
        ...(place.region && {locus: place.region})
    })
    state.browser = browser
    fitNarrowScreens()
    const find = explainSearch(browser, searchable)
    if (locus && !place.region) {
        // Names of genes are known only now that the tracks are there, and those of some genomes' sequences, too.
        await find(locus, readPlace(locus, knownLengths(browser.genome)))
    }
    return browser
}

// The places shown, as a reader would write them: after a drag igv.js's begin within a base, and a whole number may come
// as 229999.99999999997.
export function shownLoci(browser) {
    const whole = number => Math.floor(Number(number) + 1e-3)
    return [browser.currentLoci()].flat()
        .map(locus => locus.replace(/:[\d.]+-[\d.]+$/, region => region.replace(/\d+\.\d+/g, whole)))
}

// igv.js gets a genome that the hub does not carry from igv.org, and says little when it can't.
export function explain(error) {
    const text = error.message || String(error)
    return /unknown genome/i.test(text)
        ? `${text}. igv.js gets this genome from igv.org, which did not answer; build the hub with --genome FILE to ` +
            "have the sequence in it"
        : text
}
