/* What graphs run on: onnxruntime-web in a worker, on wasm first, and on WebGPU where that proves right and faster.
 * MIT licence, see LICENSE.
 */

import {EngineError} from "./trackgen-engine.js"

/** What WebGPU gives may differ by so much from what wasm gives, as a share of the largest value. */
const ALIKE = 1e-4
const NAMES = {wasm: "WebAssembly", webgpu: "WebGPU"}

/**
 * Runs the graphs of a hub. The event "runtime" tells that `title` has changed, "progress" of the download ({detail:
 * {loaded, total}}, bytes).
 */
export class Runtime extends EventTarget {
    /**
     * @param {object} places - `runtime` of live.json: for wasm, and perhaps webgpu, {script, module, wasm, address}.
     * @param {string} base - The hub's address.
     * @param {string} [device] - auto; wasm; or webgpu, which is then taken though it be slower or made in software.
     */
    constructor(places, base, device = "auto") {
        super()
        this.places = places
        this.base = base
        this.device = device
        this.hosts = new Map()
        this.hasGpu = device === "wasm" || !places.webgpu ? Promise.resolve(false) : hasGpu(device)
        // Graphs that were tried on WebGPU, and those of them that it runs right and faster.
        this.tried = new Set()
        this.proved = new Set()
    }

    /** What runs, for people. */
    get title() {
        return `onnxruntime-web ${this.places.version} on ${NAMES[this.proved.size ? "webgpu" : "wasm"]}`
    }

    /**
     * Runs a graph, once for each of `feeds`.
     *
     * @param {string} file - The graph's name in the hub.
     * @param {object[]} feeds - Per run {name: {type, data, dims}}.
     * @param {string[]} outputs
     * @returns {Promise<Float32Array[][]>} Per run, per output.
     * @throws {EngineError} The runtime or the graph can't be loaded, or fails.
     */
    async run(file, feeds, outputs) {
        if (this.proved.has(file)) {
            try {
                return await this.#runOn("webgpu", file, feeds, outputs)
            } catch {
                // What wasm can do must not fail because a GPU can't.
                this.#giveUpGpu()
            }
        }
        const found = await this.#runOn("wasm", file, feeds, outputs)
        this.#prove(file, feeds.slice(0, 1), outputs)
        return found
    }

    /** Ends the workers. */
    close() {
        this.hasGpu = Promise.resolve(false)
        this.hosts.forEach(host => host.close())
        this.hosts.clear()
    }

    async #runOn(provider, file, feeds, outputs) {
        if (!this.hosts.has(provider)) {
            const tell = detail => this.dispatchEvent(new CustomEvent("progress", {detail}))
            const made = new Host(this.places, provider, this.base, tell)
            this.hosts.set(provider, made)
            // What could not be had now may be there when it is asked for again.
            made.started.catch(() => this.hosts.delete(provider))
        }
        const host = this.hosts.get(provider)
        await host.load(file)
        return host.ask("run", {key: file, feeds, outputs})
    }

    // Takes WebGPU for a graph that it runs as wasm does, and faster; nobody waits for that.
    async #prove(file, feeds, outputs) {
        if (this.tried.has(file)) {
            return
        }
        this.tried.add(file)
        try {
            if (!await this.hasGpu) {
                return
            }
            await this.#runOn("webgpu", file, feeds, outputs)
            const [wasm, webgpu] = [await this.#timed("wasm", file, feeds, outputs),
                await this.#timed("webgpu", file, feeds, outputs)]
            const isFaster = webgpu.milliseconds < wasm.milliseconds || this.device === "webgpu"
            if (isFaster && areAlike(wasm.found, webgpu.found)) {
                this.proved.add(file)
                this.dispatchEvent(new Event("runtime"))
            }
        } catch (error) {
            console.debug(`WebGPU does not run ${file}: ${error.text ?? error.message}`)
            this.#giveUpGpu()
        }
    }

    async #timed(provider, file, feeds, outputs) {
        const began = performance.now()
        const found = await this.#runOn(provider, file, feeds, outputs)
        return {found, milliseconds: performance.now() - began}
    }

    #giveUpGpu() {
        this.hasGpu = Promise.resolve(false)
        this.proved.clear()
        this.hosts.get("webgpu")?.close()
        this.hosts.delete("webgpu")
        this.dispatchEvent(new Event("runtime"))
    }
}

async function hasGpu(device) {
    try {
        const adapter = await globalThis.navigator?.gpu?.requestAdapter()
        const isSoftware = adapter?.info?.isFallbackAdapter || adapter?.isFallbackAdapter
        return Boolean(adapter) && (!isSoftware || device === "webgpu")
    } catch {
        return false
    }
}

function areAlike(one, other) {
    const others = other.flat()
    return one.flat().every((values, number) => {
        const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
        // Written so that what is no number is not alike.
        return values.every((value, place) => Math.abs(value - others[number][place]) <= ALIKE * largest)
    })
}

// One worker with one runtime, from the hub or, where the hub does not have it, from its public address.
class Host {
    constructor(places, provider, base, tell) {
        this.base = base
        this.waiting = new Map()
        this.loading = new Map()
        this.worker = startWorker()
        this.worker.onmessage = ({data}) => "id" in data ? this.#settle(data) : tell(data)
        this.worker.onerror = event => this.#fail(event.message || "the worker can't be started")
        this.started = this.#start(places, provider)
    }

    /** Loads a graph once. */
    load(file) {
        if (!this.loading.has(file)) {
            const loading = this.started.then(() => this.ask("load", {key: file, address: new URL(file, this.base).href}))
            loading.catch(() => this.loading.delete(file))
            this.loading.set(file, loading)
        }
        return this.loading.get(file)
    }

    ask(ask, question) {
        const id = this.waiting.size ? Math.max(...this.waiting.keys()) + 1 : 0
        return new Promise((resolve, reject) => {
            this.waiting.set(id, {resolve, reject})
            this.worker.postMessage({id, ask, ...question})
        })
    }

    close() {
        this.worker.terminate()
        this.#fail("it was closed")
    }

    async #start(places, provider) {
        const {script, module, wasm, address} = places[provider]
        const named = base => Object.fromEntries(
            Object.entries({script, module, wasm}).map(([key, name]) => [key, new URL(name, base).href]))
        const bases = [...new Set([places[provider].base ?? this.base, address])].map(base => new URL(base, this.base))
        for (const [number, base] of bases.entries()) {
            try {
                return await this.ask("start", {runtime: named(base), wanted: provider})
            } catch (error) {
                if (number === bases.length - 1) {
                    throw error
                }
            }
        }
    }

    #settle({id, result, error}) {
        const {resolve, reject} = this.waiting.get(id)
        this.waiting.delete(id)
        error === undefined ? resolve(result) : reject(refusal(error))
    }

    #fail(message) {
        const waiting = [...this.waiting.values()]
        this.waiting.clear()
        waiting.forEach(({reject}) => reject(refusal(message)))
    }
}

function refusal(found) {
    return new EngineError("the model can't be run in this page", {found,
        remedy: "load the page again; a browser with WebAssembly is needed, or `trackgen serve` with --model"})
}

// A worker's script must be of the page's own origin; another's is imported by one that is made here.
function startWorker() {
    const address = new URL("./trackgen-model-worker.js", import.meta.url)
    if (address.origin === globalThis.location?.origin) {
        return new Worker(address, {type: "module"})
    }
    const script = new Blob([`import ${JSON.stringify(address.href)}`], {type: "text/javascript"})
    return new Worker(URL.createObjectURL(script), {type: "module"})
}
