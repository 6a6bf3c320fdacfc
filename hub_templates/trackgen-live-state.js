// What the address of the live page says, and what it is made to say: opening it again shows the same.

import {asked} from "./trackgen-page.js"
import {editText, parseVariants} from "./trackgen-variants.js"

// Whether a switch is on: as the address has it, else as the page begins.
function switched(name, normal) {
    return asked.has(name) ? asked.get(name) !== "0" : normal
}

export function askedState() {
    return {
        model: asked.get("model"),
        classes: asked.get("classes")?.split(",").filter(Boolean) ?? null,
        contributions: switched("contributions", true),
        recorded: switched("recorded", false),
        // The track whose changes are shown, or true for the first.
        strip: switched("strip", false) && (asked.get("strip") === "1" || asked.get("strip")),
        variants: asked.get("edits") ?? ""
    }
}

// What the address names and nobody here has, in words; "" where all is there.
export function unknownNames({model, classes, strip}, models, shown) {
    const missing = (kind, names, known) => names.filter(name => name && !known.includes(name))
        .map(name => `There is no ${kind} ${name} here; there are ${known.slice(0, 5).join(", ")}${known.length > 5 ? ", …" : ""}.`)
    const isKnown = !model || models.some(({name}) => name === model)
    return [
        ...missing("model", [model], models.map(({name}) => name)),
        // Those of another model are none of this one's.
        ...isKnown ? missing("class", classes ?? [], shown.classes.map(({name}) => name)) : [],
        ...isKnown && typeof strip === "string" ? missing("track", [strip], shown.tracks.map(({name}) => name)) : []
    ].join(" ")
}

// Whether an edit is in view; what comes in at the end of a sequence is, too.
export function touches({start, end}, place) {
    return start === end ? place.start <= start && start <= place.end : start < place.end && end > place.start
}

// Variants of an address, which have been edits before.
export function variantsOf(text) {
    return parseVariants(text)
}

// Writes the state into the address, without a step in the history of the web browser.
export function rememberState({genome, locus, model, classes, contributions, recorded, strip, edits}) {
    const search = new URLSearchParams({
        ...(genome && {genome}),
        ...(locus && {locus}),
        ...(model && {model}),
        ...(classes && {classes: classes.join(",")}),
        ...(!contributions && {contributions: "0"}),
        ...(recorded && {recorded: "1"}),
        ...(strip && {strip}),
        ...(edits.length && {edits: edits.map(editText).join(";")})
    })
    // As people write them; a query may hold these.
    const text = search.toString().replaceAll("%3A", ":").replaceAll("%2C", ",").replaceAll("%3B", ";")
    history.replaceState(null, "", `${location.pathname}?${text}`)
}
