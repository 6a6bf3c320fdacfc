/* Every change of a base in view as a heat map: four rows A, C, G, T, the change of the model's value by that base there.
 * MIT licence, see LICENSE. igv.js is handed in. Coordinates are 0-based and half-open. */

import {baseColor} from "./trackgen-letters.js"

const BASES = ["A", "C", "G", "T"]
const GAIN = [213, 94, 0]
const LOSS = [0, 114, 178]
const EMPTY = "rgb(244,244,245)"
const DOT = "rgb(70,74,80)"
// The name of the track stands above the rows.
const TOP = 24
// Waits until the view rests.
const REST_MS = 250

/** In wider views there is no such map, if nobody says otherwise. */
export const STRIP_BASES = 200

/** A configuration of that track; `trackgen-live-tracks.js` registers it. */
export function mutagenesisTrack(source, track, {limit = STRIP_BASES} = {}) {
    const about = source.model.classes.find(({name}) => name === track.class)
    const strand = {"+": " +", "-": " −"}[track.strand] ?? ""
    return {
        id: `live ${source.model.name} mutagenesis`, type: "trackgen-mutagenesis", height: 108,
        name: `${about.label}${strand}: every change of a base`.replace(/[<&]/g, ""),
        visibilityWindow: Math.min(limit, source.limits.mutagenesis),
        featureSource: {getFeatures: region => source.mutagenesis(region, track.class, track.strand)}
    }
}

/** Cells of an answer: {start, base, value, isOwn}. */
function cellsOf({chr, start, sequence, deltas}) {
    return [...sequence].flatMap((own, index) => BASES.map(base => ({chr, start: start + index, end: start + index + 1,
        base, own, value: deltas[base][index], isOwn: base === own.toUpperCase()})))
}

/** Blue for a loss over white to vermilion for a gain; `share` from -1 to 1. */
export function colorOf(share) {
    const end = share < 0 ? LOSS : GAIN
    const strength = Math.min(1, Math.abs(share)) ** 0.7
    return `rgb(${end.map(part => Math.round(255 + (part - 255) * strength)).join(",")})`
}

function signed(value, digits = 3) {
    return `${value < 0 ? "−" : "+"}${Number(Math.abs(value).toPrecision(digits))}`
}

function rowOf(height) {
    return (height - TOP) / BASES.length
}

export function mutagenesisClass(igv) {
    return class MutagenesisTrack extends igv.TrackBase {
        static defaults = {height: 108, visibilityWindow: 200}

        init(config) {
            super.init(config)
            this.featureSource = config.featureSource
            delete config.featureSource
            this.size = 0
        }

        async postInit() {
            await super.postInit()
            this.follow = () => {
                clearTimeout(this.timer)
                this.timer = setTimeout(() => this.catchUp(), REST_MS)
            }
            this.browser.on("locuschange", this.follow)
            return this
        }

        dispose() {
            clearTimeout(this.timer)
            this.browser?.off?.("locuschange", this.follow)
            super.dispose()
        }

        get supportsWholeGenome() {
            return false
        }

        // Only what is in view is computed: igv.js has the margins in its cache as if they were, too.
        async catchUp() {
            for (const port of this.trackView?.viewports ?? []) {
                const {features} = port.featureCache ?? {}
                const {start, chr} = port.referenceFrame
                const end = start + port.referenceFrame.toBP(port.getWidth())
                if (features && !(features.chr === chr && features.covers.start <= start + 1 && features.covers.end >= end - 1)) {
                    port.featureCache = undefined
                }
            }
            await this.trackView?.updateViews()
        }

        async getFeatures(chr, start, end) {
            const answer = await this.featureSource.getFeatures({chr, start, end})
            if (!answer) {
                return undefined
            }
            const cells = cellsOf(answer)
            this.size = cells.reduce((size, {value}) => Math.max(size, Math.abs(value ?? 0)), 0)
            return Object.assign(cells, {chr, covers: {start: answer.start, end: answer.end}})
        }

        draw({context, features, bpStart, bpPerPixel, pixelHeight, pixelWidth}) {
            const row = rowOf(pixelHeight)
            const width = 1 / bpPerPixel
            const line = width > 5 ? 0.5 : 0
            for (const {start, base, value, isOwn} of features) {
                const left = (start - bpStart) / bpPerPixel
                if (left + width < 0 || left > pixelWidth) {
                    continue
                }
                const top = TOP + BASES.indexOf(base) * row
                context.fillStyle = isOwn || value === null ? EMPTY : colorOf(this.size && value / this.size)
                context.fillRect(left, top, width - line, row - line)
                if (isOwn) {
                    context.fillStyle = DOT
                    context.beginPath()
                    context.arc(left + width / 2, top + row / 2, Math.min(width / 3.2, 3), 0, 2 * Math.PI)
                    context.fill()
                }
            }
            this.paintScale()
        }

        paintScale() {
            this.trackView?.paintAxis()
        }

        // Letters of the rows, and the scale: a ramp with its ends.
        paintAxis(context, width, height) {
            context.fillStyle = "white"
            context.fillRect(0, 0, width, height)
            context.font = "600 11px Arial"
            context.textAlign = "center"
            context.textBaseline = "middle"
            const row = rowOf(height)
            BASES.forEach((base, index) => {
                context.fillStyle = baseColor(base, this.browser.nucleotideColors)
                context.fillText(base, width - 7, TOP + (index + 0.5) * row)
            })
            if (!this.size || !this.trackView?.viewports.some(port => port.checkZoomIn())) {
                return
            }
            const ramp = context.createLinearGradient(0, TOP, 0, height - 12)
            for (let step = 0; step <= 16; step += 1) {
                ramp.addColorStop(step / 16, colorOf(1 - step / 8))
            }
            context.fillStyle = ramp
            context.fillRect(width - 22, TOP + 1, 7, height - TOP - 2)
            context.fillStyle = "black"
            context.font = "normal 10px Arial"
            context.textAlign = "right"
            context.fillText(signed(this.size, 2).replace("+", "±"), width - 2, 8)
            context.save()
            context.translate(width - 31, TOP + 2 * row)
            context.rotate(-Math.PI / 2)
            context.textAlign = "center"
            context.fillText("−   0   +", 0, 0)
            context.restore()
        }

        /** The cell under the mouse, or undefined. */
        cellAt({genomicLocation, y, viewport}) {
            const base = BASES[Math.floor((y - TOP) / rowOf(this.height))]
            const place = Math.floor(genomicLocation)
            return viewport.featureCache?.features?.find(cell => cell.start === place && cell.base === base)
        }

        popupData(state) {
            const cell = this.cellAt(state)
            if (!cell) {
                return []
            }
            const place = `${cell.chr}:${(cell.start + 1).toLocaleString("en")}`
            return cell.isOwn || cell.value === null
                ? [{name: `${place} ${cell.own}`, value: "stands there"}]
                : [{name: `${place} ${cell.own}>${cell.base}`, value: signed(cell.value)}]
        }

        hoverText(state) {
            return this.popupData(state).map(({name, value}) => `${name}: ${value}`).join("")
        }
    }
}
