/* What computes predictions for a page: a server that speaks trackgen's protocol, or, by the same methods, the model in
 * the page itself (trackgen-model.js). MIT licence, see LICENSE.
 *
 * Questions and answers are those of plugins/protocol: the parameters of an address are properties here, and `classes` is
 * an array. Coordinates are 0-based and half-open. No dependency.
 */

const VERSION = 1
const POLL_MS = 2000
// A server that says nothing more exact: seconds.
const RETRY_AFTER = 1

/** Why there is no answer: the protocol's error. `status` is 0 where there was no server to answer. */
export class EngineError extends Error {
    constructor(message, {status = 0, place = "", found = "", wanted = "", remedy = ""} = {}) {
        super(message)
        this.name = "EngineError"
        Object.assign(this, {status, place, found, wanted, remedy})
    }

    /** The whole of it, in one line for people. */
    get text() {
        const parts = [this.place && `${this.place}: `, this.message, this.found && `; found ${this.found}`,
            this.wanted && `; wanted ${this.wanted}`, this.remedy && `; ${this.remedy}`]
        return parts.filter(Boolean).join("")
    }
}

/** Whether an error says that a question was withdrawn, which is none. */
export function isWithdrawn(error) {
    return error?.name === "AbortError"
}

/**
 * What answers questions. The event "state" tells that `state` has changed between "ready" and "lost".
 */
export class Engine extends EventTarget {
    /** Who computes, for people. */
    title = ""
    /** "ready", or "lost" while nobody answers. */
    state = "ready"
    /** Whether what lies beside the view may be asked for, too, before it is needed. */
    prefetches = false

    /** The models, the genome and the limits: the protocol's description. */
    async describe() {
        throw new EngineError("this engine does not describe itself", {status: 404})
    }

    /** Values of tracks: {model, chr, start, end, classes?, step?}. */
    async predictions(question, {signal} = {}) {
        throw new EngineError("this engine does not predict", {status: 404})
    }

    /** Contributions of bases: {model, chr, start, end, classes?, weight?, step?}. */
    async contributions(question, {signal} = {}) {
        throw new EngineError("this engine has no contributions", {status: 404})
    }

    /** Reference and alternative: {model, chr, start, end, edits, classes?, contributions?, weight?}. */
    async whatif(question, {signal} = {}) {
        throw new EngineError("this engine does not change bases", {status: 404})
    }

    /** Every change of a single base: {model, chr, start, end, class, strand, at}. */
    async mutagenesis(question, {signal, progress} = {}) {
        throw new EngineError("this engine does not try out every base", {status: 404})
    }

    /** Writes what was seen into the hub: {model, chr, start, end, contributions}. */
    async keep(question) {
        throw new EngineError("this engine writes no files", {status: 404})
    }

    /** For those that extend it: sets `state`, and tells. */
    become(state) {
        if (state !== this.state) {
            this.state = state
            this.dispatchEvent(new Event("state"))
        }
    }
}

/** A `trackgen serve` that has a model. */
export class ServerEngine extends Engine {
    /**
     * @param {string} base - The address of api/v1/; a relative one is taken from the page.
     * @param {object} [options]
     * @param {string} [options.token] - The server's word that lets its own page keep regions.
     */
    constructor(base, {token = ""} = {}) {
        super()
        this.title = "trackgen serve"
        this.prefetches = true
        this.base = new URL(base.replace(/\/?$/, "/"), globalThis.document?.baseURI).href
        this.token = token
    }

    describe({signal} = {}) {
        return this.#ask("description", {signal})
    }

    predictions(question, {signal} = {}) {
        return this.#ask(`predictions?${search(question)}`, {signal})
    }

    contributions(question, {signal} = {}) {
        return this.#ask(`contributions?${search(question)}`, {signal})
    }

    whatif(question, {signal} = {}) {
        return this.#ask("whatif", {signal, ...posted(question)})
    }

    mutagenesis(question, {signal} = {}) {
        return this.#ask("mutagenesis", {signal, ...posted(question)})
    }

    keep(question) {
        const {method, headers, body} = posted(question)
        return this.#ask("keep", {method, body, headers: {...headers, "X-Trackgen-Token": this.token}})
    }

    async #ask(path, options, isAgain = false) {
        const answer = await this.#fetch(path, options)
        if (answer.status === 503 && !isAgain) {
            await answer.body?.cancel()
            await pause(1000 * (Number(answer.headers.get("Retry-After")) || RETRY_AFTER), options.signal)
            return this.#ask(path, options, true)
        }
        if (!answer.ok) {
            throw await refusal(answer)
        }
        const said = await this.#read(answer)
        if (said.schema_version !== VERSION) {
            throw new EngineError("the server speaks another version of the protocol", {status: answer.status,
                found: String(said.schema_version), wanted: String(VERSION), remedy: "load the page again"})
        }
        return said
    }

    async #fetch(path, options) {
        try {
            const answer = await fetch(this.base + path, {cache: "no-store", ...options})
            this.become("ready")
            return answer
        } catch (error) {
            throw this.#lost(error)
        }
    }

    async #read(answer) {
        try {
            return await answer.json()
        } catch (error) {
            throw error instanceof SyntaxError
                ? new EngineError("the server's answer is not JSON", {status: answer.status, found: error.message})
                : this.#lost(error)
        }
    }

    // What to throw where the connection broke: the question may have been withdrawn by the page itself.
    #lost(error) {
        if (isWithdrawn(error)) {
            return error
        }
        if (this.state !== "lost") {
            this.become("lost")
            this.#lookOut()
        }
        return new EngineError("the server does not answer", {found: error.message,
            remedy: "the page goes on by itself when it is back"})
    }

    async #lookOut() {
        while (this.state === "lost") {
            await pause(POLL_MS)
            // An answer of any kind sets the state.
            await this.describe().catch(() => {})
        }
    }
}

function search(question) {
    const given = Object.entries(question).filter(([, value]) => value !== undefined && value !== null)
    return new URLSearchParams(given.map(([key, value]) => [key, Array.isArray(value) ? value.join(",") : value]))
}

function posted(question) {
    return {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(question)}
}

async function refusal(answer) {
    const said = await answer.json().catch(() => null)
    const {message, ...rest} = said?.error ?? {}
    return new EngineError(message ?? `the server answers ${answer.status}`, {...rest, status: answer.status})
}

function pause(milliseconds, signal) {
    return new Promise((resolve, reject) => {
        const stop = () => {
            clearTimeout(timer)
            reject(new DOMException("withdrawn", "AbortError"))
        }
        const timer = setTimeout(() => {
            signal?.removeEventListener("abort", stop)
            resolve()
        }, milliseconds)
        if (signal?.aborted) {
            stop()
        }
        signal?.addEventListener("abort", stop, {once: true})
    })
}
