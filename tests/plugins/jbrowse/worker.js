// A worker as JBrowse Web has it, out of JBrowse's one-file build: the core plugins, then the plugins of the
// configuration by their addresses, then answers to what the page asks. JBrowse's own code does the rest: the page's
// side is its WebWorkerRpcDriver, and the methods that are answered are those of its plugins.
self.window = self
importScripts("jbrowse.js")

const said = error => ({ name: error.name, message: error.message, stack: error.stack })

// Tells the page where each drawing of letters was made.
function watch(renderer) {
  const render = renderer.render
  renderer.render = async function (props) {
    const done = await render.call(this, props)
    const image = done.imageData && done.imageData.constructor.name
    postMessage({ rendered: { scope: self.constructor.name, document: typeof document, image } })
    return done
  }
}

function answer(methods, { method, uid, data }) {
  const statusCallback = message => postMessage({ eventName: data.channel, data: message, libRpc: true })
  Promise.resolve(methods[method].execute({ ...data, statusCallback }, data.rpcDriverClassName))
    .then(value => (value && value.__rpcResult ? value : { value, transferables: [] }))
    .then(result => postMessage({ uid, method, data: result.value, libRpc: true }, result.transferables))
    .catch(error => postMessage({ uid, error: said(error), libRpc: true }))
}

async function start(config) {
  const library = self.JBrowseReactApp
  const loaded = await library.loadPlugins(config.plugins)
  const { pluginManager } = library.createModel({ runtimePlugins: loaded.map(each => each.plugin) })
  pluginManager.configure()
  watch(pluginManager.getRendererType("DynseqRenderer"))
  const methods = Object.fromEntries(pluginManager.getRpcElements().map(each => [each.name, each]))
  self.addEventListener("message", ({ data }) => data.libRpc && answer(methods, data))
  postMessage({ message: "ready" })
}

self.addEventListener("message", ({ data }) => {
  if (data.message === "config") {
    start(data.config).catch(error => postMessage({ message: "error", error: said(error) }))
  }
})
postMessage({ message: "readyForConfig" })
