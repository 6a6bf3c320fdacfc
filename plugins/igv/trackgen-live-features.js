/* Answers of the live protocol as features of igv.js: values, and an alternative's values at the reference's coordinates.
 * MIT licence, see LICENSE. No dependency. Coordinates are 0-based and half-open. */

/** Features that know where they are from: `covers`. */
export function covering({start, end}, features) {
    return Object.assign(features, {covers: {start, end}})
}

/** An answer's values of one track as features of igv.js: {chr, start, end, value}. */
export function valueFeatures(answer, name) {
    const {chr, start, end, step} = answer
    return trackOf(answer, name).values.flatMap((value, index) => {
        const from = start + index * step
        return value === null ? [] : [{chr, start: from, end: Math.min(from + step, end), value}]
    })
}

/**
 * The alternative's values at the reference's coordinates.
 *
 * @param {object} answer - A what-if's.
 * @param {string} name - Of the track.
 * @returns {object[]} In order, features of igv.js: {start, end, value, base, isChanged} of bases that stand over one of the
 *     reference; {start, end, kind: "gap"} where bases are gone; {start, end: start + 1, kind: "insertion", bases,
 *     values, value} before the base `start`, where `value` is the one of largest size.
 */
export function alternativeFeatures(answer, name) {
    const {chr, start, end, aligned, alternative, sequence} = answer
    const values = trackOf(answer, name).alternative
    const at = edited => ({value: values[edited - alternative.start], base: sequence.alternative[edited - alternative.start]})
    const features = []
    let [next, from] = [start, alternative.start]
    for (const [reference, edited, length] of [...aligned, [end, alternative.end, 0]]) {
        addBreak(features, {chr, next, reference, from, edited}, at)
        for (let place = 0; place < length; place += 1) {
            const {value, base} = at(edited + place)
            if (value !== null && value !== undefined) {
                const isChanged = base !== sequence.reference[reference + place - start]
                features.push({chr, start: reference + place, end: reference + place + 1, value, base, isChanged})
            }
        }
        ;[next, from] = [reference + length, edited + length]
    }
    return features
}

// What lies between two pieces: bases of the reference that are gone, and bases that came in.
function addBreak(features, {chr, next, reference, from, edited}, at) {
    if (reference > next) {
        features.push({chr, start: next, end: reference, value: 0, kind: "gap"})
    }
    if (edited > from) {
        const put = Array.from({length: edited - from}, (_, index) => at(from + index))
        const values = put.map(({value}) => value ?? 0)
        const value = values.reduce((best, one) => Math.abs(one) > Math.abs(best) ? one : best, 0)
        features.push({chr, start: reference, end: reference + 1, value, kind: "insertion", values,
            bases: put.map(({base}) => base).join("")})
    }
}

/** Alternative minus reference, of bases that stand over each other; the rest as in `alternativeFeatures`. */
export function differenceFeatures(answer, name) {
    const {reference} = trackOf(answer, name)
    return alternativeFeatures(answer, name).flatMap(feature => {
        if (feature.kind) {
            return [{...feature, value: 0, values: undefined}]
        }
        const before = reference[feature.start - answer.start]
        return before === null ? [] : [{...feature, value: feature.value - before, before, after: feature.value}]
    })
}

function trackOf({tracks}, name) {
    return tracks.find(track => track.name === name) ?? {values: [], reference: [], alternative: []}
}

/**
 * Features of single bases as those of `step` bases each, for views where bases are narrower than pixels; what is no
 * value stays. `how` is "max", "mean", or "size": the value of the largest size.
 */
export function summarised(features, step, how) {
    if (step <= 1) {
        return features
    }
    const found = []
    let bin = null
    for (const feature of features) {
        const start = feature.start - feature.start % step
        if (feature.kind) {
            found.push(feature)
        } else if (bin?.start === start) {
            bin.values.push(feature.value)
            bin.isChanged ||= feature.isChanged
        } else {
            bin = {chr: feature.chr, start, end: start + step, values: [feature.value], isChanged: feature.isChanged}
            found.push(bin)
        }
    }
    return found.map(({values, ...rest}) => rest.kind ? {...rest, values} : {...rest, value: SUMMARIES[how](values)})
}

const SUMMARIES = {
    max: values => values.reduce((best, value) => Math.max(best, value)),
    mean: values => values.reduce((sum, value) => sum + value, 0) / values.length,
    size: values => values.reduce((best, value) => Math.abs(value) > Math.abs(best) ? value : best)
}
