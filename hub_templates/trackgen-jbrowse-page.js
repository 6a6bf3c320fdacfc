// The page of a hub with JBrowse: it draws what config.json describes, contributions as letters by trackgen's plugin,
// and whatever goes wrong is said on the page.

import {chosenGenome, complain, flaw, keepPlace, loadCode, loadJson, locus, panel, readPlace, settle, state, tellMissing}
    from "./trackgen-page.js"

const DARK = matchMedia("(prefers-color-scheme: dark)")
const FORMAT = {BigWigAdapter: "bigwig", BigBedAdapter: "bigbed", TwoBitAdapter: "2bit"}
// JBrowse says nowhere that it has drawn everything: so its tracks are looked at, this often and at most this long.
const LOOK_EVERY = 100
const LOOK_FOR = 120000
const SEARCH_FOR = 20000

// What a page lacks without a plugin.
const LETTERS = "Trackgen"
const LIVE = "TrackgenLive"
const LOST = {[LETTERS]: "contributions are bars, not letters", [LIVE]: "live tracks are left out"}
const ANY = "what it shows is left out"

const wait = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))

function loadScript(address) {
    return new Promise((resolve, reject) => {
        const script = document.createElement("script")
        script.src = address
        script.onload = resolve
        script.onerror = () => reject(new Error("no such script"))
        document.head.append(script)
    })
}

async function loadJBrowse() {
    await loadCode("JBrowse", panel.dataset.jbrowse, panel.dataset.jbrowsePublic, loadScript)
    return window.JBrowseReactApp
}

// Addresses in config.json are relative to it: JBrowse wants to be told of each.
function withBase(value) {
    if (Array.isArray(value)) {
        return value.map(withBase)
    }
    if (value === null || typeof value !== "object") {
        return value
    }
    const entries = Object.entries(value).map(([key, inner]) => [key, withBase(inner)])
    return Object.fromEntries(typeof value.uri === "string" ? [...entries, ["baseUri", document.baseURI]] : entries)
}

// The files that an adapter reads, and those that the adapters inside it read.
function files(adapter, name) {
    const found = []
    for (const [key, inner] of Object.entries(adapter ?? {})) {
        if (/(bigWig|bigBed|twoBit)Location$/.test(key) && inner.uri) {
            found.push({name, url: inner.uri, format: FORMAT[adapter.type]})
        } else if (Array.isArray(inner) || (typeof inner === "object" && inner)) {
            found.push(...files(inner, name))
        }
    }
    return found
}

async function flawOf(track) {
    return (await Promise.all(files(track.adapter, track.name).map(flaw))).find(Boolean) ?? null
}

async function loadPlugins(jbrowse, definitions) {
    const plugins = []
    for (const definition of definitions) {
        try {
            plugins.push(...await jbrowse.loadPlugins([definition]))
        } catch (error) {
            complain(`the plugin ${definition.name} cannot be loaded (${error.message}); ${LOST[definition.name] ?? ANY}`)
        }
    }
    return plugins
}

// Whether a server computes the track; a type that JBrowse does not know would end the view.
function isLive({adapter}) {
    return [adapter, adapter?.wiggleAdapter].some(part => part?.type === "TrackgenLiveAdapter")
}

// What the plugin draws as letters, as JBrowse draws it by itself; a type that it does not know would end the view.
function asBars(track) {
    if (track.adapter?.type === "TrackgenStackedAdapter") {
        return asLines(track)
    }
    if (track.adapter?.type !== "TrackgenDynseqAdapter") {
        return track
    }
    const displays = track.displays.map(({displayId, minScore, maxScore, height}) =>
        ({type: "LinearWiggleDisplay", displayId, minScore, maxScore, height}))
    return {...track, adapter: track.adapter.wiggleAdapter, displays}
}

// The same of four tracks, one for each base.
function asLines(track) {
    const subadapters = Object.entries(track.adapter.wiggleAdapters).map(([source, adapter]) => ({...adapter, source}))
    const displays = track.displays.map(({displayId, minScore, maxScore, height}) =>
        ({type: "MultiLinearWiggleDisplay", displayId, minScore, maxScore, height, defaultRendering: "multiline"}))
    return {...track, type: "MultiQuantitativeTrack", adapter: {type: "MultiWiggleAdapter", subadapters}, displays}
}

// Where the view starts and what it shows: as the configuration's own session, for this genome and for the tracks that
// can be read. A region is gone to at once; a name is looked for when the tracks are there.
function startOf(config, genome, region, tracks) {
    const given = (config.defaultSession?.views ?? []).find(view => view.init?.assembly === genome)?.init
    const sequence = config.assemblies.find(entry => entry.name === genome)?.sequence
    const names = new Set([...tracks, sequence].map(track => track?.trackId))
    return {
        ...given,
        assembly: genome,
        tracks: (given?.tracks ?? [...names]).filter(name => names.has(name.trackId ?? name)),
        ...(region && {loc: region})
    }
}

// What is shown, as igv.js writes it, too.
function placeOf(view) {
    const {refName, start, end} = view.dynamicBlocks.contentBlocks[0]
    return `${refName}:${Math.round(start) + 1}-${Math.round(end)}`
}

// The parts of the track that are in sight.
function blocks(track) {
    const display = track.displays[0]
    return display.blockDefinitions.contentBlocks.map(block => display.blockState.get(block.key))
}

function isSettled(track) {
    const parts = blocks(track)
    return Boolean(track.displays[0].error) ||
        (parts.length > 0 && parts.every(part => part && (part.filled || part.error || part.message)))
}

// The view's tracks, once each has drawn or failed.
async function settledTracks(view, count) {
    const end = performance.now() + LOOK_FOR
    const painted = () => [...panel.querySelectorAll("canvas[data-testid^=prerendered_canvas]")]
        .every(canvas => canvas.dataset.testid.endsWith("_done"))
    while (!(view.initialized && view.tracks.length >= count && view.tracks.every(isSettled) && painted())) {
        if (performance.now() > end) {
            complain(`JBrowse has not drawn all tracks within ${LOOK_FOR / 1000} seconds`)
            break
        }
        if (panel.innerText.includes("[mobx-state-tree]")) {
            throw new Error("JBrowse cannot draw this hub; what it says stands below")
        }
        await wait(LOOK_EVERY)
    }
    return view.tracks
}

function problemsOf(track) {
    const errors = [track.displays[0].error, ...blocks(track).map(part => part?.error)].filter(Boolean)
    return errors.map(error => `${track.name}: ${error.message ?? error}`).slice(0, 1)
}

// Values are kept with a block; of genes and the like only the places that they are drawn at.
function hasValues(track) {
    return blocks(track).some(part => part?.features?.size > 0 || part?.layout?.getRectangles?.().size > 0)
}

// To a name that the hub's genes have. JBrowse throws where it finds none, and may never answer.
async function goTo(view, name, assembly) {
    const search = view.navToSearchString({input: name, assembly})
    const found = await Promise.race([search.then(() => true, () => false), wait(SEARCH_FOR)])
    if (found === undefined) {
        complain(`JBrowse has not answered within ${SEARCH_FOR / 1000} seconds where ${name} is`)
    }
    return found
}

// The tracks of the genome whose files can be read; the flaws of the others, and of the sequence, are said.
async function soundTracks(config, genome) {
    const tracks = config.tracks.filter(track => track.assemblyNames.includes(genome))
    const sequence = config.assemblies.find(entry => entry.name === genome)?.sequence
    const flaws = await Promise.all([...tracks, {...sequence, name: genome}].map(flawOf))
    flaws.filter(Boolean).forEach(complain)
    return tracks.filter((_, index) => flaws[index] === null)
}

function hasGenes(config) {
    return Boolean(config.aggregateTextSearchAdapters?.length) || config.tracks.some(track => track.textSearching)
}

async function show() {
    const genome = chosenGenome().value
    const [config, jbrowse] = await Promise.all([loadJson(panel.dataset.config), loadJBrowse()])
    const plugins = await loadPlugins(jbrowse, withBase(config.plugins ?? []))
    const has = name => plugins.some(({definition}) => definition.name === name)
    const sound = (await soundTracks(config, genome)).filter(track => has(LIVE) || !isLive(track))
    const tracks = has(LETTERS) ? sound : sound.map(asBars)
    const viewState = jbrowse.createViewState({
        config: {
            ...withBase({...config, tracks, plugins: []}),
            configuration: {
                ...config.configuration,
                theme: {...config.configuration?.theme, palette: {mode: DARK.matches ? "dark" : "light"}},
                disableAnalytics: true
            },
            defaultSession: {name: config.defaultSession?.name ?? document.title, views: []}
        },
        plugins: plugins.map(({plugin}) => plugin)
    })
    const {session} = viewState
    state.session = session
    jbrowse.createRoot(panel).render(jbrowse.React.createElement(jbrowse.JBrowseApp, {viewState}))
    const assembly = await session.assemblyManager.waitForAssembly(genome)
    const place = locus ? readPlace(locus, new Map(assembly.regions.map(({refName, end}) => [refName, end]))) : {}
    const init = startOf(config, genome, place.region, tracks)
    const view = session.addView("LinearGenomeView", {init, trackLabels: "offset"})
    let shown = await settledTracks(view, init.tracks.length)
    const found = place.name ? await goTo(view, place.name, assembly) : !place.problem
    if (place.name && found) {
        // JBrowse draws a little after the view has moved.
        await wait(10 * LOOK_EVERY)
        shown = await settledTracks(view, 0)
    }
    if (found === false) {
        tellMissing(locus, place.problem, view.dynamicBlocks.contentBlocks[0].refName, hasGenes(config))
    }
    session.snackbarMessages.forEach(({message}) => complain(message))
    shown.flatMap(problemsOf).forEach(complain)
    shown = shown.filter(track => track.type !== "ReferenceSequenceTrack")
    state.tracks = shown.length
    state.drawn = shown.filter(hasValues).length
    document.documentElement.dataset.locus = placeOf(view)
    keepPlace(() => placeOf(view))
}

// JBrowse takes its theme when it is made.
DARK.addEventListener("change", () => location.reload())
show().catch(error => complain(error.message || String(error))).finally(settle)
