/* trackgen's plugin for live tracks in JBrowse 2: what a model predicts of the region in view, computed by a server as the
 * view moves (`trackgen serve --model`; the protocol is that of plugins/protocol). MIT licence, see LICENSE.
 *
 * No build step: JBrowse loads this file as it is, on the main thread and in its web worker, so nothing here touches
 * the document. Coordinates are 0-based and half-open.
 */
;(function (root, factory) {
  "use strict"
  const plugin = factory(root.JBrowseExports)
  if (typeof module === "object" && module.exports) {
    module.exports = plugin
  }
  // JBrowse looks for JBrowsePlugin<name>, in a window as well as in a worker.
  root.JBrowsePluginTrackgenLive = plugin
})(typeof globalThis === "object" ? globalThis : self, function (jbrowse) {
  "use strict"

  const VERSION = "0.1.0"
  const ADAPTER = "TrackgenLiveAdapter"
  const PROTOCOL = 1
  // A busy server is asked again: a page of JBrowse asks for every block of every track at once.
  const MOST_TRIES = 60
  const RETRY_AFTER_SECONDS = 1
  // A browser opens six connections to a server; the rest are for tracks of files, which come at once.
  const MOST_AT_ONCE = 3
  // How often it is looked at whether JBrowse still wants what it asked for.
  const LOOK_EVERY_MS = 200
  // Stretches that a range of values is taken from, as JBrowse's BigWigAdapter does.
  const BINS_OF_STATISTICS = 1000

  const whole = library => library.default || library

  /** The address of the server's questions: a text, or a location as JBrowse writes it, relative to the configuration. */
  function addressOf(url) {
    const { uri, baseUri } = typeof url === "string" ? { uri: url } : url || {}
    if (!uri) {
      throw new Error(`${ADAPTER}: url is not set; give it the address of a trackgen server's api/v1/`)
    }
    return new URL(uri.replace(/\/?$/, "/"), baseUri || self.location.href).href
  }

  /** Whether the token, which JBrowse gives with a question since 3.0, has been taken back. */
  async function isStopped(token) {
    if (typeof token !== "string") {
      return Atomics.load(new Int32Array(token), 0) === 1
    }
    // The address of an empty blob; where there are no blobs, JBrowse makes a token that says nothing.
    return token.startsWith("blob:") && fetch(token).then(() => false, () => true)
  }

  /** Run `work` with a signal that is aborted when JBrowse no longer wants the answer. */
  async function whileWanted({ stopToken, signal }, work) {
    const controller = new AbortController()
    const abort = () => controller.abort()
    const look = async () => (await isStopped(stopToken)) && abort()
    const timer = stopToken ? setInterval(look, LOOK_EVERY_MS) : undefined
    if (signal) {
      signal.addEventListener("abort", abort)
    }
    try {
      return await work(controller.signal)
    } finally {
      clearInterval(timer)
      if (signal) {
        signal.removeEventListener("abort", abort)
      }
    }
  }

  function pause(seconds, signal) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, 1000 * seconds)
      signal.addEventListener("abort", () => {
        clearTimeout(timer)
        reject(new DOMException("aborted", "AbortError"))
      })
    })
  }

  let running = 0
  const waiting = []

  /** Do `work` when fewer than MOST_AT_ONCE others are at it. */
  async function inTurn(signal, work) {
    while (running >= MOST_AT_ONCE) {
      await new Promise(resolve => waiting.push(resolve))
    }
    running += 1
    try {
      if (signal.aborted) {
        throw new DOMException("aborted", "AbortError")
      }
      return await work()
    } finally {
      running -= 1
      waiting.splice(0, 1).forEach(next => next())
    }
  }

  /** What the server says to a question. Errors have a sentence for people. */
  function ask(address, signal) {
    return inTurn(signal, () => askNow(address, signal))
  }

  async function askNow(address, signal) {
    for (let tries = 1; ; tries += 1) {
      let answer
      try {
        answer = await fetch(address, { signal, cache: "no-store" })
      } catch (error) {
        throw error.name === "AbortError"
          ? error
          : new Error("The live server does not answer. Is trackgen serve still running?")
      }
      if (answer.status === 503 && tries < MOST_TRIES) {
        await pause(Number(answer.headers.get("Retry-After")) || RETRY_AFTER_SECONDS, signal)
        continue
      }
      if (!answer.ok) {
        throw new Error(await sentence(answer))
      }
      const said = await answer.json()
      if (said.schema_version !== PROTOCOL) {
        throw new Error(`The live server speaks version ${said.schema_version} of the protocol, not ${PROTOCOL}.`)
      }
      return said
    }
  }

  /** The protocol's error as one line. */
  async function sentence(answer) {
    const said = await answer.json().catch(() => null)
    if (!said || !said.error) {
      return `The live server answers with status ${answer.status}.`
    }
    const { message, found, wanted, remedy } = said.error
    const parts = [message, found && `found ${found}`, wanted && `wanted ${wanted}`, remedy]
    return parts.filter(Boolean).join("; ")
  }

  /** Stretches of one value, {start, end, score}, of a track in an answer; gaps are left out. */
  function stretches({ start, end, step, tracks }, name) {
    const found = []
    const track = tracks.find(each => each.name === name)
    if (!track) {
      throw new Error(`The live server's answer has no track ${name}.`)
    }
    track.values.forEach((score, place) => {
      const from = start + place * step
      const last = found[found.length - 1]
      if (score === null) {
        return
      }
      if (last && last.end === from && last.score === score) {
        last.end = Math.min(end, from + step)
      } else {
        found.push({ start: from, end: Math.min(end, from + step), score })
      }
    })
    return found
  }

  /** The adapter: values of one track of a live server. */
  function addAdapter(pm) {
    const { ConfigurationSchema, readConfObject } = pm.jbrequire("@jbrowse/core/configuration")
    const { BaseFeatureDataAdapter } = pm.jbrequire("@jbrowse/core/data_adapters/BaseAdapter")
    const { ObservableCreate } = pm.jbrequire("@jbrowse/core/util/rxjs")
    const { SimpleFeature } = pm.jbrequire("@jbrowse/core/util")
    const AdapterType = whole(pm.jbrequire("@jbrowse/core/pluggableElementTypes/AdapterType"))

    const text = (description, defaultValue = "") => ({ type: "string", description, defaultValue })
    const configSchema = ConfigurationSchema(
      ADAPTER,
      {
        url: {
          type: "frozen",
          description: "the address of a trackgen server's api/v1/, a text or a location",
          defaultValue: null,
        },
        model: text("the model's name"),
        track: text("the track's name, as the server's description lists it: CLASS.plus, CLASS.plus.contrib, ..."),
        kind: text("predictions or contributions", "predictions"),
        weight: text("uniform, probability or calls; empty for the server's usual one"),
      },
      { explicitlyTyped: true },
    )

    class LiveAdapter extends BaseFeatureDataAdapter {
      setting(name) {
        return readConfObject(this.config, name)
      }

      /** The server's description; asked for once. */
      description() {
        if (!this.described) {
          this.described = ask(`${addressOf(this.setting("url"))}description`, new AbortController().signal)
          this.described.catch(() => {
            this.described = undefined
          })
        }
        return this.described
      }

      async getRefNames() {
        return Object.keys((await this.description()).genome.lengths)
      }

      /** The class that the track is of. */
      async className() {
        const { models } = await this.description()
        const [model, track] = [this.setting("model"), this.setting("track")]
        const known = models.find(each => each.name === model)
        if (!known) {
          throw new Error(`The live server has no model ${model}; it has ${models.map(each => each.name).join(", ")}.`)
        }
        const found = [...known.tracks, ...known.contributions].find(each => each.name === track)
        if (!found) {
          throw new Error(`The live server's model ${model} has no track ${track}.`)
        }
        return found.class
      }

      /** Refuses what the server would, before it is asked. */
      async refuseLarge({ start, end }) {
        const kind = this.setting("kind")
        const most = (await this.description()).limits[kind]
        const bases = Math.ceil(end) - Math.floor(start)
        if (bases > most) {
          const numbers = [bases, most].map(number => number.toLocaleString("en"))
          throw new Error(`Zoom in: live ${kind} are of at most ${numbers[1]} bases at once, and these are ${numbers[0]}.`)
        }
      }

      async question(region, bpPerPx) {
        const { refName, start, end } = region
        const step = Math.max(1, Math.floor(bpPerPx || 1))
        const [model, kind, weight] = ["model", "kind", "weight"].map(name => this.setting(name))
        const asked = { model, chr: refName, start, end, classes: await this.className(), step }
        const parameters = new URLSearchParams(weight && kind === "contributions" ? { ...asked, weight } : asked)
        return `${addressOf(this.setting("url"))}${kind}?${parameters}`
      }

      getFeatures(region, options = {}) {
        return ObservableCreate(async observer => {
          await this.refuseLarge(region)
          const address = await this.question(region, (options.bpPerPx || 1) / (options.resolution || 1))
          const said = await whileWanted(options, signal => ask(address, signal))
          for (const { start, end, score } of stretches(said, this.setting("track"))) {
            const data = { refName: region.refName, start, end, score, source: this.setting("track") }
            observer.next(new SimpleFeature({ id: `${this.id}-${region.refName}-${start}-${end}`, data }))
          }
          observer.complete()
        })
      }

      /** The range of values: of a thousand stretches, as of a file. */
      getRegionQuantitativeStats(region, options = {}) {
        const bpPerPx = Math.max(1, (region.end - region.start) / BINS_OF_STATISTICS)
        return super.getRegionQuantitativeStats(region, { ...options, bpPerPx, resolution: 1 })
      }

      freeResources() {}
    }

    pm.addAdapterType(
      () =>
        new AdapterType({
          name: ADAPTER,
          displayName: "Values computed as the view moves (trackgen)",
          configSchema,
          adapterCapabilities: ["hasResolution", "hasLocalStats"],
          getAdapterClass: async () => LiveAdapter,
        }),
    )
  }

  // JBrowse before 2.2 knows plugins by their class; an application that bundles this file has no such exports, and
  // needs none.
  const pluginClass = jbrowse && jbrowse["@jbrowse/core/Plugin"]

  class TrackgenLivePlugin extends (pluginClass ? whole(pluginClass) : Object) {
    constructor() {
      super()
      this.name = "TrackgenLivePlugin"
      this.version = VERSION
    }

    install(pm) {
      addAdapter(pm)
    }

    configure() {}
  }

  return { default: TrackgenLivePlugin }
})
