// What the view leaves behind: a link that shows it again, and a region that is kept in the hub.

import {sentence} from "./trackgen-live-controls.js"

const [button, line, genomes] = ["keep", "done", "genome"].map(id => document.getElementById(id))

export async function copyLink() {
    try {
        await navigator.clipboard.writeText(location.href)
        told("The link is copied: it opens this view with these changes.")
    } catch {
        told("This page may not write to the clipboard; the address of the page is the link.")
    }
}

// Writes the predictions of `place`, and the contributions of `classes`, into the hub.
export async function keepRegion(engine, {model, place, classes, locus}) {
    if (!place) {
        return
    }
    button.disabled = true
    told("Writing …")
    try {
        const region = {chr: place.chr, start: Math.max(0, Math.floor(place.start)), end: Math.ceil(place.end)}
        const {files, regions} = await engine.keep({model, ...region, contributions: classes})
        told(`Kept in ${files.length} file${files.length === 1 ? "" : "s"} of the hub, which have ${regions} region` +
            `${regions === 1 ? "" : "s"} by now. `)
        const link = document.createElement("a")
        link.href = `index.html?${new URLSearchParams({...(genomes.options.length > 1 && {genome: genomes.value}), locus})}`
        link.textContent = "The hub's page shows them"
        line.append(link)
    } catch (error) {
        told(sentence(error.text ?? error.message))
    } finally {
        button.disabled = false
    }
}

function told(text) {
    line.textContent = text
}
