/* trackgen's plugin for JBrowse 2: contributions of single bases as letters, and what each of the four bases would
 * contribute as letters on top of each other. MIT licence, see LICENSE.
 *
 * No build step: JBrowse loads this file as it is, on the main thread and in its web worker, so nothing here touches
 * the document. Coordinates are 0-based and half-open; y runs downwards from the top of the track, in CSS pixels.
 */
;(function (root, factory) {
  "use strict"
  const plugin = factory(root.JBrowseExports)
  if (typeof module === "object" && module.exports) {
    module.exports = plugin
  }
  // JBrowse looks for JBrowsePlugin<name>, in a window as well as in a worker.
  root.JBrowsePluginTrackgen = plugin
})(typeof globalThis === "object" ? globalThis : self, function (jbrowse) {
  "use strict"

  const VERSION = "0.1.0"
  const ADAPTER = "TrackgenDynseqAdapter"
  const DISPLAY = "LinearDynseqDisplay"
  const RENDERER = "DynseqRenderer"
  const STACKED_ADAPTER = "TrackgenStackedAdapter"
  const STACKED_DISPLAY = "LinearStackedLettersDisplay"
  const STACKED_RENDERER = "StackedLettersRenderer"

  // Letters are drawn while a base is at least this wide; the stock bars take over below.
  const LETTERS_FROM_PIXELS = 1
  // Below this width an outline is a smear: the whole box is filled, in the colour of its base.
  const OUTLINES_FROM_PIXELS = 3
  // JBrowse leaves this many pixels free above and below the plot, for the labels of the scale.
  const LABEL_OFFSET = 5
  const CLIP_MARK_PIXELS = 2
  const COMPLEMENT = { A: "T", C: "G", G: "C", T: "A" }
  // JBrowse's own, for themes that do not name the bases.
  const COLORS = { A: "#4caf50", C: "#2196f3", G: "#ff9800", T: "#f44336" }
  const COLOR_OF_OTHERS = "#888"
  const COLOR_OF_ZERO = "rgba(128,128,128,0.6)"

  /* Outlines in a box from (0, 0), top left, to (1, 1): M and L take a point, C two control points and a point, Z
   * closes. The hole of A runs against its outer line, so that the winding rule leaves it open. */
  const OUTLINES = {
    A: [
      ["M", 0, 1], ["L", 0.37, 0], ["L", 0.63, 0], ["L", 1, 1], ["L", 0.78, 1], ["L", 0.7, 0.77], ["L", 0.3, 0.77],
      ["L", 0.22, 1], ["Z"],
      ["M", 0.36, 0.6], ["L", 0.64, 0.6], ["L", 0.5, 0.19], ["Z"],
    ],
    C: [
      ["M", 1, 0.33], ["C", 0.96, 0.12, 0.78, 0, 0.53, 0], ["C", 0.2, 0, 0, 0.2, 0, 0.5], ["C", 0, 0.8, 0.2, 1, 0.53, 1],
      ["C", 0.78, 1, 0.96, 0.88, 1, 0.67], ["L", 0.78, 0.63], ["C", 0.75, 0.77, 0.66, 0.84, 0.53, 0.84],
      ["C", 0.34, 0.84, 0.22, 0.72, 0.22, 0.5], ["C", 0.22, 0.28, 0.34, 0.16, 0.53, 0.16],
      ["C", 0.66, 0.16, 0.75, 0.23, 0.78, 0.37], ["Z"],
    ],
    G: [
      ["M", 0.98, 0.31], ["C", 0.93, 0.11, 0.77, 0, 0.53, 0], ["C", 0.2, 0, 0, 0.2, 0, 0.5],
      ["C", 0, 0.8, 0.2, 1, 0.53, 1], ["C", 0.73, 1, 0.89, 0.93, 1, 0.81], ["L", 1, 0.46], ["L", 0.54, 0.46],
      ["L", 0.54, 0.62], ["L", 0.79, 0.62], ["L", 0.79, 0.74], ["C", 0.72, 0.81, 0.63, 0.84, 0.54, 0.84],
      ["C", 0.34, 0.84, 0.22, 0.72, 0.22, 0.5], ["C", 0.22, 0.28, 0.34, 0.16, 0.53, 0.16],
      ["C", 0.66, 0.16, 0.74, 0.22, 0.77, 0.35], ["Z"],
    ],
    T: [
      ["M", 0, 0], ["L", 1, 0], ["L", 1, 0.17], ["L", 0.61, 0.17], ["L", 0.61, 1], ["L", 0.39, 1], ["L", 0.39, 0.17],
      ["L", 0, 0.17], ["Z"],
    ],
  }

  // Steps of a curve where a drawing is recorded by a JBrowse that does not record curves.
  const STEPS = 8

  /** A curve from `from` over two control points to its end: [x, y] each. */
  function curve(context, from, one, two, end) {
    if (context.bezierCurveTo) {
      context.bezierCurveTo(...one, ...two, ...end)
      return
    }
    for (let step = 1; step <= STEPS; step += 1) {
      const t = step / STEPS
      const at = axis =>
        (1 - t) ** 3 * from[axis] + 3 * t * (1 - t) ** 2 * one[axis] + 3 * t * t * (1 - t) * two[axis] + t ** 3 * end[axis]
      context.lineTo(at(0), at(1))
    }
  }

  /** Fill the outline of `base` into a box. `top` is where the head of the letter goes: below `bottom`, it stands on
   * its head. Coordinates are written out and no transformation is used, so that recorded drawings (SVG) are plain. */
  function fillLetter(context, base, left, width, top, bottom) {
    const point = (x, y) => [left + x * width, top + y * (bottom - top)]
    let last
    context.beginPath()
    for (const [command, ...at] of OUTLINES[base]) {
      const end = point(...at.slice(-2))
      if (command === "M") {
        context.moveTo(...end)
      } else if (command === "L") {
        context.lineTo(...end)
      } else if (command === "C") {
        curve(context, last, point(at[0], at[1]), point(at[2], at[3]), end)
      } else {
        context.closePath()
      }
      last = end
    }
    context.fill()
  }

  function fillBox(context, left, width, one, other) {
    context.fillRect(left, Math.min(one, other), width, Math.abs(other - one))
  }

  /** Draw features that carry `bases`, a letter for each base, on one region.
   *
   * Turned regions run from right to left and show the complement, as JBrowse's row of the sequence does. `toY` maps a
   * value to a height and `domain` holds the lowest and the highest value of the scale. */
  function drawLetters(context, { features, region, bpPerPx, toY, domain, height, colors }) {
    const width = 1 / bpPerPx
    const [lowest, highest] = domain
    const zero = toY(Math.min(Math.max(0, lowest), highest))
    let drawn = false
    for (const feature of features) {
      const score = feature.get("score")
      if (!score) {
        continue
      }
      drawn = true
      const bases = feature.get("bases") || ""
      const from = Math.max(feature.get("start"), Math.floor(region.start))
      const to = Math.min(feature.get("end"), Math.ceil(region.end))
      const tip = toY(Math.min(Math.max(score, lowest), highest))
      for (let place = from; place < to; place += 1) {
        const read = (bases[place - feature.get("start")] || "").toUpperCase()
        const base = region.reversed ? COMPLEMENT[read] : read
        const left = (region.reversed ? region.end - place - 1 : place - region.start) / bpPerPx
        context.fillStyle = colors[base] || COLOR_OF_OTHERS
        if (width >= OUTLINES_FROM_PIXELS && base in OUTLINES) {
          fillLetter(context, base, left, width, tip, zero)
        } else {
          fillBox(context, left, width, tip, zero)
        }
        if (score > highest || score < lowest) {
          context.fillStyle = colors.clip
          context.fillRect(left, tip > zero ? height - CLIP_MARK_PIXELS : 0, width, CLIP_MARK_PIXELS)
        }
      }
    }
    if (drawn && lowest < 0 && highest > 0) {
      drawZero(context, zero, (region.end - region.start) / bpPerPx)
    }
  }

  function drawZero(context, zero, width) {
    context.fillStyle = COLOR_OF_ZERO
    context.fillRect(0, zero - 0.25, width, 0.5)
  }

  /** Where the letters of one place stand: from zero upwards those above it, downwards those below, the largest
   * outermost. `values` are by base; gives {base, from, to}, `from` nearer to zero. */
  function stackOf(values) {
    const ends = { up: 0, down: 0 }
    return Object.entries(values)
      .filter(([, value]) => value)
      .sort(([, one], [, other]) => Math.abs(one) - Math.abs(other))
      .map(([base, value]) => {
        const side = value > 0 ? "up" : "down"
        const from = ends[side]
        ends[side] += value
        return { base, from, to: ends[side] }
      })
  }

  /** Draw features that carry `values` by base: a stack of letters each, or where they span several bases, a bar from
   * the lowest value to the highest. Arguments as of `drawLetters`. */
  function drawStacks(context, { features, region, bpPerPx, toY, domain, height, colors }) {
    const [lowest, highest] = domain
    const inside = value => toY(Math.min(Math.max(value, lowest), highest))
    let drawn = false
    for (const feature of features) {
      const [start, end, values] = [feature.get("start"), feature.get("end"), feature.get("values")]
      const left = (region.reversed ? region.end - end : start - region.start) / bpPerPx
      const width = (end - start) / bpPerPx
      drawn = true
      if (!values) {
        context.fillStyle = COLOR_OF_OTHERS
        fillBox(context, left, Math.max(width, 1), inside(feature.get("maxScore")), inside(feature.get("minScore")))
        continue
      }
      for (const { base: read, from, to } of stackOf(values)) {
        const base = region.reversed ? COMPLEMENT[read] : read
        context.fillStyle = colors[base]
        if (width >= OUTLINES_FROM_PIXELS) {
          fillLetter(context, base, left, width, inside(to), inside(from))
        } else {
          fillBox(context, left, width, inside(to), inside(from))
        }
        if (to > highest || to < lowest) {
          context.fillStyle = colors.clip
          const isBelow = inside(to) > inside(0)
          context.fillRect(left, isBelow ? height - CLIP_MARK_PIXELS : 0, width, CLIP_MARK_PIXELS)
        }
      }
    }
    if (drawn && lowest < 0 && highest > 0) {
      drawZero(context, inside(0), (region.end - region.start) / bpPerPx)
    }
  }

  const whole = library => library.default || library

  /** All that an observable emits. */
  function collect(observable) {
    return new Promise((resolve, reject) => {
      const found = []
      observable.subscribe({ next: item => found.push(item), error: reject, complete: () => resolve(found) })
    })
  }

  // Methods of a wiggle adapter that the display's scale and menus ask for, over all versions of JBrowse 2.
  const ASKED_OF_WIGGLE = [
    "getGlobalStats",
    "getRegionStats",
    "getMultiRegionStats",
    "getRegionQuantitativeStats",
    "getMultiRegionQuantitativeStats",
    "getMultiRegionFeatureDensityStats",
    "estimateRegionsStats",
    "getHeader",
    "getMetadata",
  ]

  /** What adapters are made of. */
  function partsOf(pm) {
    return {
      ...pm.jbrequire("@jbrowse/core/configuration"),
      ...pm.jbrequire("@jbrowse/core/data_adapters/BaseAdapter"),
      ...pm.jbrequire("@jbrowse/core/util/rxjs"),
      SimpleFeature: pm.jbrequire("@jbrowse/core/util").SimpleFeature,
    }
  }

  /** Make an adapter known to JBrowse; its `wiggle()` answers what displays ask besides features. */
  function announce(pm, Adapter, name, displayName, configSchema) {
    const AdapterType = whole(pm.jbrequire("@jbrowse/core/pluggableElementTypes/AdapterType"))
    for (const asked of ASKED_OF_WIGGLE) {
      Adapter.prototype[asked] = async function (...args) {
        return (await this.wiggle())[asked](...args)
      }
    }
    pm.addAdapterType(
      () =>
        new AdapterType({
          name,
          displayName,
          configSchema,
          adapterCapabilities: ["hasResolution", "hasLocalStats", "hasGlobalStats"],
          getAdapterClass: async () => Adapter,
        }),
    )
  }

  /** The adapter: values of one adapter, and with each the bases it stands on, of another. */
  function addAdapter(pm) {
    const { ConfigurationSchema, readConfObject, BaseFeatureDataAdapter, ObservableCreate, SimpleFeature } = partsOf(pm)
    const configSchema = ConfigurationSchema(
      ADAPTER,
      {
        wiggleAdapter: {
          type: "frozen",
          description: "the adapter that holds the values, such as a BigWigAdapter",
          defaultValue: null,
        },
        sequenceAdapter: {
          type: "frozen",
          description: "the adapter that holds the bases; without it the display takes the assembly's own",
          defaultValue: null,
        },
      },
      { explicitlyTyped: true },
    )

    class DynseqAdapter extends BaseFeatureDataAdapter {
      async part(slot) {
        const config = readConfObject(this.config, slot)
        return config ? (await this.getSubAdapter(config)).dataAdapter : undefined
      }

      async wiggle() {
        const adapter = await this.part("wiggleAdapter")
        if (!adapter) {
          throw new Error(`${ADAPTER}: wiggleAdapter is not set; give it the adapter of the track's values`)
        }
        return adapter
      }

      async getRefNames(options) {
        return (await this.wiggle()).getRefNames(options)
      }

      getFeatures(region, options = {}) {
        return ObservableCreate(async observer => {
          const wiggle = await this.wiggle()
          // Summaries have no single bases: for letters the values themselves are read, whatever the zoom.
          const reading = options.letters ? { ...options, bpPerPx: 0.001, resolution: 1 } : options
          const [values, bases] = await Promise.all([
            collect(wiggle.getFeatures(region, reading)),
            options.letters ? this.bases(region, options) : undefined,
          ])
          for (const value of values) {
            observer.next(bases ? this.lettered(value, bases, region) : value)
          }
          observer.complete()
        }, options.stopToken || options.signal)
      }

      /** A function of start and end that gives the bases between, "N" where there are none. */
      async bases(region, options) {
        const sequence = await this.part("sequenceAdapter")
        // An assembly can have lengths alone, and no bases.
        if (!sequence || !sequence.getFeatures) {
          return () => ""
        }
        const names = await this.namesOf(sequence)
        const wanted = [region.seqAdapterRefName, region.originalRefName, region.refName]
        const refName = wanted.find(name => name && names.has(name)) || region.refName
        const asked = { ...region, refName, start: Math.max(0, Math.floor(region.start)), end: Math.ceil(region.end) }
        const found = await collect(sequence.getFeatures(asked, options))
        return (start, end) => {
          const letters = new Array(Math.max(0, end - start)).fill("N")
          for (const piece of found) {
            const from = Math.max(start, piece.get("start"))
            const to = Math.min(end, piece.get("end"))
            for (let place = from; place < to; place += 1) {
              letters[place - start] = piece.get("seq")[place - piece.get("start")]
            }
          }
          return letters.join("")
        }
      }

      async namesOf(sequence) {
        if (!this.sequenceNames) {
          this.sequenceNames = sequence.getRefNames().then(names => new Set(names))
          this.sequenceNames.catch(() => {
            this.sequenceNames = undefined
          })
        }
        return this.sequenceNames
      }

      /** The part of `value` inside of `region`, with its bases: long runs of one value would carry a chromosome. */
      lettered(value, bases, region) {
        const start = Math.max(value.get("start"), Math.floor(region.start))
        const end = Math.min(value.get("end"), Math.ceil(region.end))
        return new SimpleFeature({
          id: value.id(),
          data: { refName: region.refName, start, end, score: value.get("score"), bases: bases(start, end) },
        })
      }

      freeResources() {}
    }
    announce(pm, DynseqAdapter, ADAPTER, "Values with the bases they stand on (trackgen)", configSchema)
  }

  /** The adapter of stacks: four adapters of values, one for each base, side by side. */
  function addStackedAdapter(pm) {
    const { ConfigurationSchema, readConfObject, BaseFeatureDataAdapter, ObservableCreate, SimpleFeature } = partsOf(pm)
    const configSchema = ConfigurationSchema(
      STACKED_ADAPTER,
      {
        wiggleAdapters: {
          type: "frozen",
          description: "for each of A, C, G and T the adapter of its values, such as a BigWigAdapter",
          defaultValue: null,
        },
      },
      { explicitlyTyped: true },
    )

    class StackedAdapter extends BaseFeatureDataAdapter {
      /** [base, adapter] of each base. */
      async parts() {
        const configs = Object.entries(readConfObject(this.config, "wiggleAdapters") || {})
        if (!configs.length || configs.some(([base]) => !(base in OUTLINES))) {
          throw new Error(`${STACKED_ADAPTER}: wiggleAdapters is not set; give it an adapter for each of A, C, G and T`)
        }
        return Promise.all(
          configs.map(async ([base, config]) => [base, (await this.getSubAdapter(config)).dataAdapter]),
        )
      }

      async wiggle() {
        return (await this.parts())[0][1]
      }

      async getRefNames(options) {
        return (await this.wiggle()).getRefNames(options)
      }

      getFeatures(region, options = {}) {
        return ObservableCreate(async observer => {
          const reading = options.letters ? { ...options, bpPerPx: 0.001, resolution: 1 } : options
          const read = async ([base, adapter]) => [base, await collect(adapter.getFeatures(region, reading))]
          const found = await Promise.all((await this.parts()).map(read))
          const places = options.letters ? this.letters(found, region) : this.ranges(found)
          for (const [start, data] of places) {
            const id = `${this.id}-${region.refName}-${start}`
            observer.next(new SimpleFeature({ id, data: { refName: region.refName, start, ...data } }))
          }
          observer.complete()
        }, options.stopToken || options.signal)
      }

      /** Values by base at every base of `region`; `score` is the one of largest size, for those who ask for one. */
      letters(found, region) {
        const places = new Map()
        for (const [base, features] of found) {
          for (const feature of features) {
            const from = Math.max(feature.get("start"), Math.floor(region.start))
            const to = Math.min(feature.get("end"), Math.ceil(region.end))
            const score = feature.get("score")
            for (let place = from; place < to; place += 1) {
              const known = places.get(place) || { end: place + 1, score: 0, values: {} }
              known.values[base] = score
              known.score = Math.abs(score) > Math.abs(known.score) ? score : known.score
              places.set(place, known)
            }
          }
        }
        return places
      }

      /** The lowest and the highest of all values of a stretch. */
      ranges(found) {
        const places = new Map()
        for (const feature of found.flatMap(([, features]) => features)) {
          const [start, end, score] = ["start", "end", "score"].map(name => feature.get(name))
          const [low, high] = [feature.get("minScore") ?? score, feature.get("maxScore") ?? score]
          const known = places.get(start) || { end, score, summary: true, minScore: 0, maxScore: 0 }
          known.minScore = Math.min(known.minScore, low)
          known.maxScore = Math.max(known.maxScore, high)
          known.score = Math.abs(score) > Math.abs(known.score) ? score : known.score
          places.set(start, known)
        }
        return places
      }

      freeResources() {}
    }
    announce(pm, StackedAdapter, STACKED_ADAPTER, "Values of each base at each place (trackgen)", configSchema)
  }

  /** Colours of the bases: the theme's, where it has them. */
  function themeColors(createJBrowseTheme, options) {
    const colors = { ...COLORS, clip: "red" }
    const palette = createJBrowseTheme(options || {}).palette || {}
    for (const base of Object.keys(COLORS)) {
      const color = palette.bases && palette.bases[base]
      if (color && color.main) {
        colors[base] = color.main
      }
    }
    return colors
  }

  /** The renderers: letters while a base is wide enough; otherwise the stock bars of JBrowse, of stacks their range. */
  function addRenderers(pm) {
    const { ConfigurationSchema } = pm.jbrequire("@jbrowse/core/configuration")
    const { renderToAbstractCanvas } = pm.jbrequire("@jbrowse/core/util")
    const { createJBrowseTheme } = pm.jbrequire("@jbrowse/core/ui")
    const RendererType = whole(pm.jbrequire("@jbrowse/core/pluggableElementTypes/renderers/RendererType"))
    const { XYPlotRenderer, XYPlotRendererReactComponent, xyPlotRendererConfigSchema, utils } =
      pm.getPlugin("WigglePlugin").exports

    class LettersRenderer extends XYPlotRenderer {
      isLettered({ bpPerPx, scaleOpts }) {
        return 1 / bpPerPx >= LETTERS_FROM_PIXELS && scaleOpts.scaleType !== "log"
      }

      async renderWith(draw, props, letters) {
        const { bpPerPx, height, regions, scaleOpts, theme } = props
        const region = regions[0]
        const width = (region.end - region.start) / bpPerPx
        const features = await this.getFeatures({ ...props, letters })
        const plotted = height - 2 * LABEL_OFFSET
        const scale = utils.getScale({
          ...scaleOpts,
          range: [plotted, 0],
          inverted: props.inverted === undefined ? scaleOpts.inverted : props.inverted,
        })
        const drawing = await renderToAbstractCanvas(width, height, props, context => {
          draw(context, {
            features: features.values(),
            region,
            bpPerPx,
            toY: value => scale(value) + LABEL_OFFSET,
            domain: scale.domain(),
            height,
            colors: themeColors(createJBrowseTheme, theme),
          })
        })
        // Old versions of JBrowse want the element made here, new ones make it where it is shown.
        const shown = await RendererType.prototype.render.call(this, { ...props, ...drawing, features, height, width })
        return { ...shown, ...drawing, features, height, width, containsNoTransferables: true }
      }
    }

    class DynseqRenderer extends LettersRenderer {
      async render(props) {
        return this.isLettered(props) ? this.renderWith(drawLetters, props, true) : super.render(props)
      }
    }

    class StackedLettersRenderer extends LettersRenderer {
      async render(props) {
        return this.renderWith(drawStacks, props, this.isLettered(props))
      }
    }

    for (const [name, Renderer] of [[RENDERER, DynseqRenderer], [STACKED_RENDERER, StackedLettersRenderer]]) {
      const options = { baseConfiguration: xyPlotRendererConfigSchema, explicitlyTyped: true }
      const configSchema = ConfigurationSchema(name, {}, options)
      const ReactComponent = XYPlotRendererReactComponent
      pm.addRendererType(() => new Renderer({ name, ReactComponent, configSchema, pluginManager: pm }))
    }
  }

  // Entries of the stock menu that choose between renderers or fill bars.
  const MENU_OF_BARS = new Set(["Renderer type", "Fill mode"])

  /** A display: JBrowse's wiggle display with one of this plugin's renderers; `lettered` where the letters are those of
   * the genome. */
  function addDisplay(pm, { name, renderer, displayName, lettered }) {
    const { ConfigurationSchema, getConf } = pm.jbrequire("@jbrowse/core/configuration")
    const { getSession } = pm.jbrequire("@jbrowse/core/util")
    const { types } = pm.jbrequire("mobx-state-tree")
    const DisplayType = whole(pm.jbrequire("@jbrowse/core/pluggableElementTypes/DisplayType"))
    const { LinearWiggleDisplayReactComponent, linearWiggleDisplayModelFactory } = pm.getPlugin("WigglePlugin").exports

    /** The adapter of the track, wrapped where it does not bring bases along. */
    function withBases(self) {
      const track = self.parentTrack
      const adapter = getConf(track, "adapter")
      if (adapter.type === ADAPTER && adapter.sequenceAdapter) {
        return adapter
      }
      const assembly = getSession(self).assemblyManager.get(getConf(track, "assemblyNames")[0])
      return {
        type: ADAPTER,
        wiggleAdapter: adapter.type === ADAPTER ? adapter.wiggleAdapter : adapter,
        sequenceAdapter: assembly ? getConf(assembly, ["sequence", "adapter"]) : null,
      }
    }

    pm.addDisplayType(() => {
      const configSchema = ConfigurationSchema(
        name,
        {
          renderers: ConfigurationSchema("RenderersConfiguration", {
            [renderer]: pm.getRendererType(renderer).configSchema,
          }),
        },
        { baseConfiguration: pm.getDisplayType("LinearWiggleDisplay").configSchema, explicitlyTyped: true },
      )
      const stateModel = types
        .compose(
          name,
          linearWiggleDisplayModelFactory(pm, configSchema),
          types.model({ type: types.literal(name) }),
        )
        .views(self => {
          const { trackMenuItems, renderProps } = self
          return {
            get rendererTypeName() {
              return renderer
            },
            get adapterConfig() {
              return lettered ? withBases(self) : getConf(self.parentTrack, "adapter")
            },
            // Whether the scale is shown: the name of the getter changed with JBrowse 3.
            get graphType() {
              return true
            },
            get needsScalebar() {
              return true
            },
            renderProps() {
              const props = renderProps()
              return props.theme ? props : { ...props, theme: getSession(self).theme }
            },
            trackMenuItems() {
              return trackMenuItems().filter(item => !MENU_OF_BARS.has(item.label))
            },
          }
        })
      return new DisplayType({
        name,
        displayName,
        configSchema,
        stateModel,
        trackType: "QuantitativeTrack",
        viewType: "LinearGenomeView",
        ReactComponent: LinearWiggleDisplayReactComponent,
      })
    })
  }

  // JBrowse before 2.2 knows plugins by their class; an application that bundles this file has no such exports, and
  // needs none.
  const pluginClass = jbrowse && jbrowse["@jbrowse/core/Plugin"]

  class TrackgenPlugin extends (pluginClass ? whole(pluginClass) : Object) {
    constructor() {
      super()
      this.name = "TrackgenPlugin"
      this.version = VERSION
      this.url = "https://www.npmjs.com/package/jbrowse-plugin-trackgen"
    }

    install(pm) {
      addAdapter(pm)
      addStackedAdapter(pm)
      addRenderers(pm)
      addDisplay(pm, { name: DISPLAY, renderer: RENDERER, displayName: "Letters (trackgen)", lettered: true })
      addDisplay(pm, { name: STACKED_DISPLAY, renderer: STACKED_RENDERER, displayName: "Stacked letters (trackgen)" })
    }

    configure() {}
  }

  return { default: TrackgenPlugin }
})
