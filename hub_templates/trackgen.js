// The page of a hub: igv.js draws what igv.json describes, and whatever goes wrong is said on the page.

import {explain, listedLengths, loadIgv, openBrowser, shownLoci, soundTracks} from "./trackgen-igv-page.js"
import {chosenGenome, complain, keepPlace, loadJson, settle, state} from "./trackgen-page.js"

// Whether there are values; a merged track has those of its parts side by side.
function hasValues(features) {
    return (features?.featureArrays ?? [features]).some(part => part?.length > 0)
}

// How many tracks have values in the region shown.
function countDrawn(browser, tracks) {
    const names = new Set(tracks.map(track => track.id))
    const views = browser.trackViews.filter(view => names.has(view.track.id))
    return views.filter(view => view.viewports.some(port => hasValues(port.featureCache?.features))).length
}

async function show() {
    const [config, igv] = await Promise.all([loadJson(chosenGenome().dataset.config), loadIgv()])
    const tracks = await soundTracks(config.tracks)
    const browser = await openBrowser(igv, {...config, tracks}, await listedLengths(config.reference))
    state.tracks = tracks.length
    state.drawn = countDrawn(browser, tracks)
    state.locus = browser.currentLoci()
    document.documentElement.dataset.locus = state.locus
    // JBrowse has no view of all sequences.
    keepPlace(() => shownLoci(browser).find(shown => !shown.startsWith("all")))
}

show().catch(error => complain(explain(error))).finally(settle)
