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
