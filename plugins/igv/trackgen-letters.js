/* Letters of DNA as outlines that fill a box, however it is stretched. MIT licence, see LICENSE.
 *
 * The same shapes as in trackgen-jbrowse.js, which JBrowse loads as one file by itself. No dependency. */

/** Colours of bases as igv.js, IGV and UCSC have them. */
export const BASE_COLORS = {A: "rgb(0,200,0)", C: "rgb(0,0,200)", G: "rgb(209,113,5)", T: "rgb(255,0,0)"}
export const OTHER_COLOR = "rgb(136,136,136)"
// Below this width an outline is a smear: the whole box is filled.
const OUTLINES_FROM_PIXELS = 3

// In a box from (0, 0), top left, to (1, 1): paths of SVG with absolute commands. The hole of A runs against its outer
// line, so that the winding rule leaves it open.
const OUTLINES = {
    A: "M0 1L.37 0L.63 0L1 1L.78 1L.7 .77L.3 .77L.22 1ZM.36 .6L.64 .6L.5 .19Z",
    C: "M1 .33C.96 .12 .78 0 .53 0C.2 0 0 .2 0 .5C0 .8 .2 1 .53 1C.78 1 .96 .88 1 .67L.78 .63C.75 .77 .66 .84 .53 .84" +
        "C.34 .84 .22 .72 .22 .5C.22 .28 .34 .16 .53 .16C.66 .16 .75 .23 .78 .37Z",
    G: "M.98 .31C.93 .11 .77 0 .53 0C.2 0 0 .2 0 .5C0 .8 .2 1 .53 1C.73 1 .89 .93 1 .81L1 .46L.54 .46L.54 .62L.79 .62" +
        "L.79 .74C.72 .81 .63 .84 .54 .84C.34 .84 .22 .72 .22 .5C.22 .28 .34 .16 .53 .16C.66 .16 .74 .22 .77 .35Z",
    T: "M0 0L1 0L1 .17L.61 .17L.61 1L.39 1L.39 .17L0 .17Z"
}

// Letter -> [[command, x1, y1, ...], ...], read once.
const PATHS = Object.fromEntries(Object.entries(OUTLINES).map(([base, text]) =>
    [base, [...text.matchAll(/([MLCZ])([^MLCZ]*)/g)].map(([, command, numbers]) =>
        [command, ...numbers.trim().split(/\s+/).filter(Boolean).map(Number)])]))

/**
 * Fills the outline of `base` into a box, in the context's fill style.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {string} base - A, C, G or T; anything else fills the box.
 * @param {number} top - Where the head of the letter goes: below `bottom`, it stands on its head.
 */
export function fillLetter(context, base, left, width, top, bottom) {
    const path = PATHS[base]
    if (!path || width < OUTLINES_FROM_PIXELS) {
        context.fillRect(left, Math.min(top, bottom), width, Math.abs(bottom - top))
        return
    }
    const x = share => left + share * width
    const y = share => top + share * (bottom - top)
    context.beginPath()
    for (const [command, ...at] of path) {
        if (command === "M") {
            context.moveTo(x(at[0]), y(at[1]))
        } else if (command === "L") {
            context.lineTo(x(at[0]), y(at[1]))
        } else if (command === "C") {
            context.bezierCurveTo(x(at[0]), y(at[1]), x(at[2]), y(at[3]), x(at[4]), y(at[5]))
        } else {
            context.closePath()
        }
    }
    context.fill()
}

/** The colour of a base; `colors` are those of a browser, where it has its own. */
export function baseColor(base, colors = BASE_COLORS) {
    return colors[base] ?? BASE_COLORS[base] ?? OTHER_COLOR
}
