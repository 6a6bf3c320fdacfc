/* Runs ONNX graphs with onnxruntime-web, away from the page's own thread, so that the page answers while a graph runs.
 * MIT licence, see LICENSE.
 *
 * Started by trackgen-model-runtime.js as a module. A message {id, ask, ...} is answered by {id, result} or {id, error};
 * {loaded, total} tells of the runtime's download between. Messages are worked on one after another, in their order.
 */

let ort = null
let provider = "wasm"
const sessions = new Map()
const ASKS = {start, load, run}

let last = Promise.resolve()
addEventListener("message", ({data}) => {
    last = last.then(() => answer(data))
})

async function answer({id, ask, ...question}) {
    try {
        const {result = null, moved = []} = await ASKS[ask](question) ?? {}
        postMessage({id, result}, moved)
    } catch (error) {
        postMessage({id, error: String(error?.message ?? error)})
    }
}

// The runtime: its script, the module that loads the wasm, and the wasm itself.
async function start({runtime, wanted}) {
    provider = wanted
    const [script, module, wasm] = await Promise.all(
        [imported(runtime.script), imported(runtime.module), bytesOf(runtime.wasm, true)])
    ort = await import(script)
    // Several threads need headers that a plain file server does not send.
    Object.assign(ort.env.wasm, {numThreads: 1, proxy: false, wasmPaths: {mjs: module}, wasmBinary: wasm})
    ort.env.logLevel = "error"
}

async function load({key, address}) {
    const began = performance.now()
    const bytes = new Uint8Array(await bytesOf(address, false))
    const options = {executionProviders: [provider], logSeverityLevel: 3}
    sessions.set(key, await ort.InferenceSession.create(bytes, options))
    return {result: {milliseconds: performance.now() - began, bytes: bytes.length}}
}

// feeds: one {name: {type, data, dims}} for each run; of each run the outputs, as arrays in the order of `outputs`.
async function run({key, feeds, outputs}) {
    const session = sessions.get(key)
    const found = []
    for (const feed of feeds) {
        const tensors = Object.entries(feed).map(([name, {type, data, dims}]) => [name, new ort.Tensor(type, data, dims)])
        const made = await session.run(Object.fromEntries(tensors), outputs)
        found.push(outputs.map(name => Float32Array.from(made[name].data)))
        Object.values(made).forEach(tensor => tensor.dispose())
    }
    return {result: found, moved: found.flat().map(values => values.buffer)}
}

// An address that a module can be imported from: some servers do not say that .mjs is JavaScript.
async function imported(address) {
    try {
        await import(address)
        return address
    } catch {
        const blob = new Blob([await bytesOf(address, false)], {type: "text/javascript"})
        return URL.createObjectURL(blob)
    }
}

async function bytesOf(address, isTold) {
    const answer = await fetch(address)
    if (!answer.ok) {
        throw new Error(`${address}: status ${answer.status}`)
    }
    const total = Number(answer.headers.get("Content-Length"))
    if (!isTold || !total || answer.headers.get("Content-Encoding")) {
        return answer.arrayBuffer()
    }
    const parts = []
    let loaded = 0
    for await (const part of chunks(answer.body.getReader())) {
        parts.push(part)
        loaded += part.length
        postMessage({loaded, total})
    }
    return new Blob(parts).arrayBuffer()
}

async function* chunks(reader) {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
        yield part.value
    }
}
