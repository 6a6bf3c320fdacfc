/* Kinds of tracks that igv.js lacks: letters of an alternative at the reference's coordinates, the difference of two
 * predictions, and every change of a base as a heat map. MIT licence, see LICENSE.
 *
 *     import igv from "./igv.esm.min.js"
 *     registerTracks(igv)
 *     await browser.loadTrackList(whatifTracks(source, {contributions: true}))
 *
 * igv.js is handed in. Coordinates are 0-based and half-open; y runs downwards, in CSS pixels.
 */

import {alternativeFeatures, covering, differenceFeatures, summarised} from "./trackgen-live-features.js"
import {baseColor, fillLetter} from "./trackgen-letters.js"
import {contributionTrack, lookOf, predictionTrack, shown, ValuesFeatures} from "./trackgen-live.js"
import {mutagenesisClass} from "./trackgen-mutagenesis.js"

// A gain and a loss, told apart by those who see no red or no green.
export const GAIN = "rgb(213,94,0)"
export const LOSS = "rgb(0,114,178)"
// What is beyond the axis, as igv.js marks it.
const CUT = "rgb(255,32,255)"
const GAP_PAPER = "rgb(238,238,240)"
const GAP_LINE = "rgb(120,124,130)"
const CHANGED_PAPER = "rgba(255,208,0,0.28)"
const MARK = "rgb(60,64,70)"
// The share of a base's width that gives way to bases inserted beside it.
const SQUEEZE = 0.38
// A change that is none.
const UNCHANGED = 1e-9
// Below this width of a base there are bars, not letters.
const LETTERS_FROM_PIXELS = 0.5

/** Makes the kinds of tracks known to igv.js: once, before they are loaded. */
export function registerTracks(igv) {
    const Values = valuesClass(igv)
    igv.registerTrackClass("trackgen-values", Values)
    igv.registerTrackClass("trackgen-letters", Values)
    igv.registerTrackClass("trackgen-alternative", Values)
    igv.registerTrackClass("trackgen-difference", differenceClass(Values))
    igv.registerTrackClass("trackgen-mutagenesis", mutagenesisClass(igv))
}

/**
 * Configurations of the tracks that stand beside those of the reference once bases have changed: with it above each
 * other, on one scale. `registerTracks` comes first.
 *
 * @param {LiveSource} source - With edits set.
 * @param {object} [options] - `contributions`: the letters, too; `reference`: false leaves out the reference's own.
 */
export function whatifTracks(source, {contributions = false, reference = true} = {}) {
    source.explains = contributions
    const predictions = shown(source, source.model.tracks)
    const letters = contributions ? shown(source, source.model.contributions) : []
    return [
        ...predictions.flatMap(track => [...(reference ? [valuesTrack(source, track)] : []),
            alternativeTrack(source, track), differenceTrack(source, track)]),
        ...letters.flatMap(track => [...(reference ? [lettersTrack(source, track)] : []),
            alternativeLetters(source, track)])
    ]
}

/** Predictions of the reference, drawn as the alternative's are. */
export function valuesTrack(source, track) {
    return {...predictionTrack(source, track), type: "trackgen-values",
        featureSource: new ValuesFeatures(source, "predictions", track.name)}
}

/** Contributions of the reference as letters of the same shape as the alternative's. */
export function lettersTrack(source, track) {
    return {...contributionTrack(source, track), graphType: undefined, type: "trackgen-letters", height: 76,
        _letters: true, featureSource: new ValuesFeatures(source, "contributions", track.name)}
}

function alternativeTrack(source, track) {
    const look = lookOf(source, track)
    return {...predictionTrack(source, track), id: `live ${source.model.name} ${track.name} alternative`,
        type: "trackgen-alternative", name: `${look.label}, changed`, visibilityWindow: source.limits.whatif,
        featureSource: new WhatifFeatures(source, track.name, {how: look.windowFunction})}
}

function differenceTrack(source, track) {
    const look = lookOf(source, track)
    return {id: `live ${source.model.name} ${track.name} difference`, type: "trackgen-difference",
        name: `${look.label}: change`, height: 48, visibilityWindow: source.limits.whatif,
        autoscaleGroup: `live ${source.model.name} ${track.class} difference`,
        featureSource: new WhatifFeatures(source, track.name, {isDifference: true})}
}

function alternativeLetters(source, track) {
    const config = lettersTrack(source, track)
    return {...config, id: `${config.id} alternative`, type: "trackgen-alternative", visibilityWindow: source.limits.whatif,
        name: `${lookOf(source, track).label}: contributions, changed`,
        featureSource: new WhatifFeatures(source, track.name)}
}

/** One track of what-if answers, as igv.js's feature source. */
export class WhatifFeatures {
    constructor(source, name, {how = "size", isDifference = false} = {}) {
        Object.assign(this, {source, name, how, isDifference})
    }

    async getFeatures({chr, start, end, bpPerPixel = 1}) {
        const answer = await this.source.whatif({chr, start, end})
        if (!answer) {
            return undefined
        }
        const features = (this.isDifference ? differenceFeatures : alternativeFeatures)(answer, this.name)
        return covering(answer, summarised(features, 2 ** Math.floor(Math.log2(bpPerPixel)), this.how))
    }

    supportsWholeGenome() {
        return false
    }
}

/** The class of tracks of values that may be letters, with gaps and insertions. */
function valuesClass(igv) {
    return class ValuesTrack extends igv.TrackBase {
        static defaults = {height: 60, flipAxis: false, color: "rgb(80,80,80)", visibilityWindow: undefined}

        init(config) {
            super.init(config)
            this.resolutionAware = true
            this.featureSource = config.featureSource
            // It holds an engine, which no session can keep.
            delete config.featureSource
            this.letters = Boolean(config._letters)
            this.guideLines = config.guideLines ?? []
            this.dataRange = {min: config.min ?? 0, max: config.max ?? 1}
            this.autoscale = config.autoscale ?? config.max === undefined
        }

        get supportsWholeGenome() {
            return false
        }

        async getFeatures(chr, start, end, bpPerPixel) {
            const features = await this.featureSource.getFeatures({chr, start, end, bpPerPixel})
            if (this.letters && features?.length && features[0].base === undefined) {
                await this.addBases(chr, features)
            }
            return features
        }

        async addBases(chr, features) {
            const [first, last] = [features[0].start, features.at(-1).end]
            const bases = await this.browser.genome.getSequence(chr, first, last)
            for (const feature of features) {
                feature.base = feature.end - feature.start === 1 ? bases?.[feature.start - first]?.toUpperCase() : ""
            }
        }

        // The height of a value in a track of `height` pixels.
        scale(height) {
            const {min = 0, max} = this.dataRange
            const share = value => (Math.min(Math.max(value, min), max) - min) / (max - min || 1)
            return value => this.flipAxis ? share(value) * height : (1 - share(value)) * height
        }

        draw({context, features, bpStart, bpPerPixel, pixelWidth, pixelHeight}) {
            const y = this.scale(pixelHeight - 1)
            const x = place => (place - bpStart) / bpPerPixel
            const view = {context, x, y, height: pixelHeight - 1, isLettered: this.letters && 1 / bpPerPixel >= LETTERS_FROM_PIXELS}
            const seen = features.filter(({start, end}) => x(end) >= 0 && x(start) <= pixelWidth)
            const slots = new Set(seen.filter(({kind}) => kind === "insertion").map(({start}) => start))
            seen.filter(({kind}) => kind === "gap").forEach(gap => drawGap(view, gap))
            seen.filter(({isChanged}) => isChanged).forEach(change => drawChange(view, change))
            for (const feature of seen.filter(({kind}) => !kind)) {
                this.drawValue(view, feature, slots)
            }
            seen.filter(({kind}) => kind === "insertion").forEach(put => this.drawInsertion(view, put, 1 / bpPerPixel))
            this.drawLines(context, y, pixelWidth)
        }

        drawValue(view, {start, end, value, base}, slots) {
            const width = view.x(end) - view.x(start)
            const left = view.x(start) + (slots.has(start) ? SQUEEZE * width : 0)
            const right = view.x(end) - (slots.has(end) ? SQUEEZE * width : 0)
            this.drawOne(view, {base, value, left, width: right - left})
        }

        drawOne({context, y, isLettered}, {base, value, left, width}) {
            const [tip, zero] = [y(value), y(0)]
            if (isLettered && base) {
                context.fillStyle = baseColor(base, this.browser.nucleotideColors)
                fillLetter(context, base, left, width, tip, zero)
            } else {
                context.fillStyle = this.colorOf(value)
                context.fillRect(left, Math.min(tip, zero), Math.max(width, 1), Math.abs(zero - tip))
            }
            if (value > this.dataRange.max || value < this.dataRange.min) {
                context.fillStyle = CUT
                context.fillRect(left, tip < zero ? tip : tip - 3, Math.max(width, 1), 3)
            }
        }

        colorOf() {
            return this.color
        }

        // The bases that came in share the room that their neighbours leave, under a caret.
        drawInsertion(view, {start, bases, values}, width) {
            const {context, x, height} = view
            const room = Math.max(2 * SQUEEZE * width, 2)
            const left = x(start) - room / 2
            ;[...bases].forEach((base, index) => {
                const each = room / bases.length
                if (values) {
                    this.drawOne(view, {base, value: values[index], left: left + index * each, width: each})
                }
            })
            context.fillStyle = MARK
            const tip = this.flipAxis ? height : 0
            const size = Math.min(5, Math.max(3, width / 3)) * (this.flipAxis ? -1 : 1)
            context.beginPath()
            context.moveTo(x(start) - Math.abs(size), tip)
            context.lineTo(x(start) + Math.abs(size), tip)
            context.lineTo(x(start), tip + 1.6 * size)
            context.fill()
            context.fillRect(left - 0.5, 0, 1, height)
            context.fillRect(left + room - 0.5, 0, 1, height)
        }

        drawLines(context, y, width) {
            if (this.dataRange.min < 0) {
                context.fillStyle = "rgba(128,128,128,0.6)"
                context.fillRect(0, y(0) - 0.25, width, 0.5)
            }
            for (const {y: value, color} of this.guideLines) {
                context.save()
                context.strokeStyle = color
                context.setLineDash([5, 5])
                context.beginPath()
                context.moveTo(0, y(value))
                context.lineTo(width, y(value))
                context.stroke()
                context.restore()
            }
        }

        // Where nothing is shown there is no scale.
        paintAxis(context, width, height) {
            const isSeen = this.trackView?.viewports?.some(port => port.checkZoomIn() && port.featureCache?.features?.length)
            paintAxis(context, width, height, isSeen ? this.dataRange : {min: NaN, max: NaN}, this.flipAxis)
        }

        // What stands at a place, in words.
        popupData({genomicLocation, viewport}) {
            const features = (viewport.featureCache?.features ?? [])
                .filter(({start, end}) => start <= genomicLocation && genomicLocation < end)
            return features.flatMap(feature => this.words(feature))
        }

        words({chr, start, end, value, base, kind, bases}) {
            const place = `${chr}:${(start + 1).toLocaleString("en")}`
            if (kind === "gap") {
                return [{name: "Deleted", value: `${place}-${end.toLocaleString("en")}`}]
            }
            return kind === "insertion"
                ? [{name: `Inserted before ${place}`, value: bases}]
                : [{name: `${place} ${base ?? ""}`, value: numberText(value)}]
        }

        hoverText(state) {
            return this.popupData(state).map(({name, value}) => `${name}: ${value}`).join("\n")
        }

        menuItemList() {
            return this.numericDataMenuItems()
        }
    }
}

function differenceClass(Values) {
    return class DifferenceTrack extends Values {
        colorOf(value) {
            return value < 0 ? LOSS : GAIN
        }

        // As much room above zero as below, so that gains and losses compare.
        scale(height) {
            const size = Math.max(Math.abs(this.dataRange.min ?? 0), Math.abs(this.dataRange.max ?? 0), UNCHANGED)
            this.dataRange = {min: -size, max: size}
            return super.scale(height)
        }

        // Where nothing changes the axis has no ends.
        paintAxis(context, width, height) {
            if (this.dataRange.max > UNCHANGED) {
                super.paintAxis(context, width, height)
            } else {
                paintAxis(context, width, height, {min: NaN, max: NaN})
                context.fillText("0", 0.95 * width - 4, height / 2 + 4)
            }
        }

        words(feature) {
            return feature.kind ? super.words(feature) : [
                ...super.words(feature),
                ...(feature.before === undefined ? [] : [{name: "before", value: numberText(feature.before)},
                    {name: "after", value: numberText(feature.after)}])
            ]
        }
    }
}

function drawChange({context, x, height}, {start, end}) {
    context.fillStyle = CHANGED_PAPER
    context.fillRect(x(start), 0, Math.max(x(end) - x(start), 2), height)
}

function drawGap({context, x, y, height}, {start, end}) {
    context.fillStyle = GAP_PAPER
    context.fillRect(x(start), 0, x(end) - x(start), height)
    context.fillStyle = GAP_LINE
    context.fillRect(x(start), y(0) - (y(0) > height / 2 ? 3 : 0), x(end) - x(start), 3)
}

/** The axis of a track in its own column: the lowest value, the highest, and a line between. */
export function paintAxis(context, width, height, {min = 0, max = 1}, isFlipped = false) {
    context.fillStyle = "white"
    context.fillRect(0, 0, width, height)
    context.fillStyle = "black"
    context.strokeStyle = "black"
    context.font = "normal 10px Arial"
    context.textAlign = "right"
    const right = Math.round(0.95 * width) - 0.5
    context.beginPath()
    context.moveTo(right - 6, 1.5)
    context.lineTo(right, 1.5)
    context.lineTo(right, height - 1.5)
    context.lineTo(right - 6, height - 1.5)
    context.stroke()
    context.fillText(numberText(isFlipped ? min : max), right - 4, 12)
    context.fillText(numberText(isFlipped ? max : min), right - 4, height - 5)
}

/** A number for people: three digits. */
export function numberText(value) {
    if (value === null || value === undefined || !Number.isFinite(value)) {
        return ""
    }
    const size = Math.abs(value)
    return size === 0 || (size >= 0.001 && size < 10_000) ? String(Number(value.toPrecision(3))) : value.toExponential(1)
}
