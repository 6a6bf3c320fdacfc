// The changes of bases: the box they are written in, the menu of a base, the list, and going back.

import {editOf, editText, overlapping, parseVariants, sortedEdits, VariantError} from "./trackgen-variants.js"
import {variantsOf} from "./trackgen-live-state.js"
import {sequenceOf} from "./trackgen-page.js"

const [box, form, list, refused, undo, clear, menu] = ["variants", "editor", "edits", "refused", "undo", "clear", "basemenu"]
    .map(id => document.getElementById(id))

const LIMIT = 100
const BASES = ["A", "C", "G", "T"]

// Event "change": the edits are others.
export class Edits extends EventTarget {
    #past = []

    // `genome`: {lengths, sequence}; `place` gives {chr, start, end} in view; `go` shows a place.
    constructor({genome, place, go, limit = LIMIT}) {
        super()
        Object.assign(this, {genome, place, go, limit})
        this.all = []
        form.addEventListener("submit", event => {
            event.preventDefault()
            this.#told(() => this.write(box.value))
        })
        box.addEventListener("keydown", event => {
            if (event.key === "Enter" && !event.shiftKey) {
                event.preventDefault()
                form.requestSubmit()
            }
        })
        undo.addEventListener("click", () => this.#set(this.#past.pop() ?? [], {isBack: true}))
        clear.addEventListener("click", () => this.#set([]))
    }

    // Those of the address, when the page opens; nothing to go back to.
    async restore(text) {
        await this.#told(async () => {
            const edits = await this.#fitted(variantsOf(text), [])
            this.#set(edits, {isBack: true})
        })
    }

    // Adds the variants of a text, all or none.
    async write(text) {
        const variants = parseVariants(text, {chr: this.place()?.chr ?? null})
        if (!variants.length) {
            throw new VariantError("write a variant first, such as chrI:1234A>G")
        }
        const edits = await this.#fitted(variants, this.all)
        box.value = ""
        this.#set(edits)
        const [{chr, start}] = edits.slice(-variants.length)
        const seen = this.place()
        if (seen && !(seen.chr === chr && seen.start <= start && start < seen.end)) {
            await this.go(chr, start)
        }
    }

    // Puts a base in the place of another: what was changed there before is changed again.
    change(chr, position, base, there) {
        const others = this.all.filter(edit => !(edit.chr === chr && edit.start === position && edit.end === position + 1))
        const edit = {chr, start: position, end: position + 1, sequence: base, reference: there}
        return this.#told(() => this.#set(base === there ? others : this.#apart([...others, edit])))
    }

    insert(chr, position, bases) {
        return this.#told(() => {
            if (!/^[ACGTN]+$/i.test(bases)) {
                throw new VariantError(`${bases || "nothing"} cannot be inserted: write bases, A, C, G, T or N`)
            }
            const edit = {chr, start: position, end: position, sequence: bases.toUpperCase(), reference: ""}
            this.#set(this.#apart([...this.all, edit]))
        })
    }

    // The menu for the base at a place of the page.
    async open(chr, position, {x, y}) {
        const there = (await this.genome.sequence(chr, position, position + 1).catch(() => ""))?.toUpperCase()
        if (!there) {
            return
        }
        const now = this.all.find(edit => edit.chr === chr && edit.start === position && edit.end === position + 1)
        menu.replaceChildren(heading(`${chr}:${(position + 1).toLocaleString("en")}`, there),
            this.#bases(chr, position, there, now), this.#insertion(chr, position))
        menu.showPopover()
        const box = menu.getBoundingClientRect()
        menu.style.left = `${Math.max(8, Math.min(x - box.width / 2, innerWidth - box.width - 8))}px`
        menu.style.top = `${Math.max(8, y + 14 + box.height > innerHeight ? y - box.height - 14 : y + 14)}px`
        menu.querySelector("button:not([disabled])")?.focus()
    }

    #bases(chr, position, there, now) {
        const row = document.createElement("div")
        row.className = "bases"
        const shown = now ? now.sequence : there
        for (const base of BASES) {
            const one = button(base, () => this.change(chr, position, base, there))
            one.className = `base ${base}`
            one.disabled = base === shown
            one.title = base === there ? "as in the genome" : `${there} to ${base}`
            row.append(one)
        }
        const gone = button("Delete", () => this.change(chr, position, "", there))
        gone.disabled = shown === ""
        row.append(gone)
        return row
    }

    #insertion(chr, position) {
        const row = document.createElement("form")
        row.className = "insert"
        const field = document.createElement("input")
        Object.assign(field, {placeholder: "ACGT", size: 8, spellcheck: false, autocomplete: "off", ariaLabel: "Bases to insert"})
        const put = document.createElement("button")
        put.textContent = "Insert before"
        row.append(field, put)
        row.addEventListener("submit", event => {
            event.preventDefault()
            menu.hidePopover()
            this.insert(chr, position, field.value.trim())
        })
        return row
    }

    // Edits of variants, beside others: each is of the genome, and none takes another's bases.
    async #fitted(variants, others) {
        const edits = []
        for (const variant of variants) {
            // What no name fits is refused by its own name.
            edits.push(await editOf({...variant, chr: sequenceOf(variant.chr, this.genome.lengths) ?? variant.chr}, this.genome))
        }
        return this.#apart([...others, ...edits])
    }

    #apart(edits) {
        const pair = overlapping(edits)
        if (pair) {
            throw new VariantError(`${editText(pair[0])} and ${editText(pair[1])} change the same bases: write them as one`)
        }
        if (edits.length > this.limit) {
            throw new VariantError(`${edits.length} changes are too many at once; up to ${this.limit} are computed`)
        }
        return edits
    }

    #set(edits, {isBack = false} = {}) {
        if (!isBack) {
            this.#past.push(this.all)
        }
        this.all = sortedEdits(edits)
        this.say("")
        this.#list()
        undo.disabled = this.#past.length === 0
        clear.disabled = this.all.length === 0
        this.dispatchEvent(new Event("change"))
    }

    #list() {
        list.replaceChildren(...this.all.map(edit => {
            const item = document.createElement("li")
            const text = editText(edit)
            const place = button(text, () => this.go(edit.chr, edit.start))
            place.className = "place"
            place.title = "Show this place"
            const gone = button("×", () => this.#set(this.all.filter(one => one !== edit)))
            gone.className = "remove"
            gone.ariaLabel = `Remove ${text}`
            item.append(place, gone)
            return item
        }))
    }

    async #told(act) {
        try {
            await act()
        } catch (error) {
            this.say(error instanceof VariantError ? error.message : `The genome cannot be read: ${error?.message ?? error}`)
        }
    }

    // A word under the box; "" takes it away.
    say(text) {
        refused.textContent = text
        refused.hidden = !text
    }
}

function heading(place, there) {
    const line = document.createElement("p")
    line.textContent = `${place} ${there}`
    return line
}

function button(text, act) {
    const made = document.createElement("button")
    made.type = "button"
    made.textContent = text
    made.addEventListener("click", () => {
        if (menu.matches(":popover-open")) {
            menu.hidePopover()
        }
        act()
    })
    return made
}
