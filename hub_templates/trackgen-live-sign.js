// The line that says who computes: its name, whether it is there, whether it is at work, and how long the last view took.

import {ServerEngine} from "./trackgen-engine.js"
import {chosenGenome, loadJson, state} from "./trackgen-page.js"

const [sign, name, timing] = ["engine", "enginetext", "timing"].map(id => document.getElementById(id))
const SLOW_MS = 400

// Who computes, and what it says of itself.
export async function findEngine(sequence) {
    const token = document.querySelector("meta[name=trackgen-token]")?.content ?? ""
    const server = new ServerEngine("api/v1/", {token})
    try {
        return {engine: server, description: await server.describe(), where: "by trackgen serve"}
    } catch (error) {
        // Of a hub's other genomes the sessions and the descriptions are named alike: igv.ID.json, live.ID.json.
        const file = chosenGenome().dataset.config.replace(/^igv/, "live")
        const description = await loadJson(file).catch(() => null)
        if (!description) {
            throw new Error("nothing here computes predictions. Show the hub with: trackgen serve HUB --model MODEL " +
                "--genome GENOME, or put the model into the hub with: trackgen hub build --with-model " +
                `(${error.text ?? error.message})`)
        }
        const {PageEngine} = await import("./trackgen-model.js")
        const engine = new PageEngine({description, base: new URL(".", location).href, sequence})
        return {engine, description: await engine.describe(), where: "in this page"}
    }
}

// `changed(isLost)` is called when the engine is lost, and when it is back.
export class Sign {
    constructor(engine, where, changed) {
        Object.assign(this, {engine, where, changed})
        engine.addEventListener("state", () => this.show())
        engine.addEventListener("runtime", () => this.show())
        engine.addEventListener("progress", ({detail: {loaded, total}}) => {
            name.textContent = `Loading what runs the model${total ? `, ${Math.round(100 * loaded / total)} %` : ""} …`
            if (loaded === total) {
                this.show()
            }
        })
        this.show()
    }

    // Follows what a source asks.
    follow(source) {
        source.addEventListener("busy", () => this.busy())
        source.addEventListener("idle", ({detail}) => this.idle(detail))
        source.addEventListener("progress", ({detail}) => this.computing(detail))
    }

    show() {
        const isLost = this.engine.state === "lost"
        const was = sign.dataset.state
        sign.dataset.state = this.engine.state
        state.engine = isLost ? "lost" : this.where
        // What runs the model in the page: WebAssembly, or WebGPU.
        const runtime = this.engine.runtime ? ` (${this.engine.runtime.title})` : ""
        name.textContent = isLost ? `${this.engine.title} does not answer` : `Computed ${this.where}${runtime}`
        if (isLost) {
            timing.textContent = ""
        }
        if (was && was !== this.engine.state) {
            this.changed(isLost)
        }
    }

    busy() {
        state.busy = true
        sign.dataset.busy = ""
        // A view that is there at once needs no word.
        this.slow = setTimeout(() => this.computing(), SLOW_MS)
    }

    computing(share) {
        if (state.busy && this.engine.state === "ready") {
            timing.textContent = `computing${share ? ` ${Math.round(100 * share)} %` : ""} …`
        }
    }

    // The time is that of the view: of one that was there at once there is none.
    view(place) {
        if (!state.busy && !(place && Math.abs(place.end - place.start - this.bases) <= 2)) {
            timing.textContent = ""
        }
    }

    idle({ms, bases}) {
        this.bases = bases
        clearTimeout(this.slow)
        state.busy = false
        state.ms = ms
        state.views += 1
        delete sign.dataset.busy
        if (this.engine.state === "ready") {
            const time = ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
            timing.textContent = `${bases.toLocaleString("en")} bp in ${time}`
        }
    }
}
