// The page of a hub: igv.js draws what igv.json describes, and whatever goes wrong is said on the page.

import {REGION, asked, chosenGenome, complain, flaw, keepPlace, loadCode, loadJson, panel, settle, state, tell}
    from "./trackgen-page.js"

async function loadIgv() {
    const load = async address => (await import(address)).default
    return loadCode("igv.js", panel.dataset.igv, panel.dataset.igvPublic, load)
}

// How many tracks have values in the region shown.
function countDrawn(browser, tracks) {
    const names = new Set(tracks.map(track => track.id))
    const views = browser.trackViews.filter(view => names.has(view.track.id))
    return views.filter(view => view.viewports.some(port => port.featureCache?.features?.length > 0)).length
}

// The files of a track, which a merged track has several of.
function parts(track) {
    return track.tracks ?? [track]
}

async function flawOf(track) {
    return (await Promise.all(parts(track).map(flaw))).find(Boolean) ?? null
}

// igv.js says in a window of its own that it found nothing; the page says besides what can be found.
function explainSearch(browser, searchable) {
    const search = browser.search.bind(browser)
    const names = searchable ? "the name of a gene, " : ""
    browser.search = async (text, ...rest) => {
        tell("")
        const found = await search(text, ...rest)
        if (!found) {
            tell(`There is no ${text} on this genome. Ask for ${names}the name of a sequence, or a region such as ` +
                `${browser.referenceFrameList[0].chr}:1,000-2,000.`)
        }
        // Found or not, the reader has been told.
        return true
    }
}

async function show() {
    const [config, igv] = await Promise.all([loadJson(chosenGenome().dataset.config), loadIgv()])
    const flaws = await Promise.all(config.tracks.map(flawOf))
    flaws.filter(Boolean).forEach(complain)
    const tracks = config.tracks.filter((_, index) => flaws[index] === null)
    const searchable = tracks.some(track => track.searchable)
    const locus = asked.get("locus")
    const browser = await igv.createBrowser(panel, {
        showIdeogram: Boolean(config.genome),
        showSVGButton: true,
        showCenterGuideButton: false,
        showCursorTrackingGuideButton: false,
        ...config,
        // With genes of its own the hub needs nobody else's: names that a reader looks for stay on this server.
        ...(searchable && {search: false}),
        ...(REGION.test(locus) && {locus}),
        tracks
    })
    state.browser = browser
    explainSearch(browser, searchable)
    if (locus && !REGION.test(locus)) {
        // Names are known only now that the tracks are there.
        await browser.search(locus)
    }
    state.tracks = tracks.length
    state.drawn = countDrawn(browser, tracks)
    state.locus = browser.currentLoci()
    document.documentElement.dataset.locus = state.locus
    keepPlace(() => [browser.currentLoci()].flat()[0])
    if (locus && String(state.locus).startsWith("all")) {
        complain(`there is no ${locus} on this genome, so all of it is shown`)
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
