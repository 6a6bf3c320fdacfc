// What a change does to the region in view, in numbers: the highest value before and after, and the values at the change.

import {numberText} from "./trackgen-live-tracks.js"

// The largest of values; null where there is none.
function highest(values) {
    return values.reduce((best, value) => value !== null && (best === null || value > best) ? value : best, null)
}

// Where the edited sequence has the base `position` of the reference, or the next one that it has.
function editedAt({aligned}, position) {
    const piece = aligned.find(([reference, , length]) => position < reference + length)
    return piece ? piece[1] + Math.max(0, position - piece[0]) : null
}

// Rows for the tracks: {label, before, after, change} over [start, end) of the reference, and the same at a place.
export function summaryOf(answer, labels, {start, end}, position) {
    const from = Math.max(start, answer.start)
    const to = Math.min(end, answer.end)
    const first = from === answer.start ? answer.alternative.start : editedAt(answer, from)
    const last = to === answer.end ? answer.alternative.end : editedAt(answer, to) ?? answer.alternative.end
    const at = position >= answer.start && position < answer.end ? position : null
    return [...labels].flatMap(([name, label]) => {
        const track = answer.tracks.find(one => one.name === name)
        if (!track) {
            return []
        }
        const edited = at === null ? null : editedAt(answer, at)
        return [{
            name,
            label,
            ...compared(highest(track.reference.slice(from - answer.start, to - answer.start)),
                highest(track.alternative.slice(first - answer.alternative.start, last - answer.alternative.start))),
            at: at === null ? null : compared(track.reference[at - answer.start] ?? null,
                edited === null ? null : track.alternative[edited - answer.alternative.start] ?? null)
        }]
    })
}

// In the place of a table, or below one: nothing that is changed is in view.
export function outside() {
    const line = document.createElement("p")
    line.textContent = "No change is in view; click on one to go there."
    return line
}

function compared(before, after) {
    return {before, after, change: before === null || after === null ? null : after - before}
}

// A table of such rows; `place` is the change's, for people.
export function summaryTable(rows, place) {
    const table = document.createElement("table")
    table.className = "summary"
    table.append(section("Highest in view", rows.map(({label, before, after, change}) => [label, before, after, change])))
    if (rows.some(({at}) => at)) {
        table.append(section(`At ${place}`, rows.map(({label, at}) => [label, at.before, at.after, at.change])))
    }
    return table
}

function section(title, rows) {
    const body = document.createElement("tbody")
    body.insertRow().append(head(title, "rowgroup", 4))
    body.insertRow().append(head("", "col"), ...["before", "after", "change"].map(text => head(text, "col")))
    for (const [label, before, after, change] of rows) {
        const row = body.insertRow()
        // A strand stays beside its class.
        row.insertCell().textContent = label.replace(/ (?=[+−]$)/, "\u00a0")
        for (const value of [before, after]) {
            row.insertCell().textContent = value === null ? "–" : numberText(value)
        }
        const cell = row.insertCell()
        cell.textContent = change === null ? "–" : signed(change)
        cell.className = change > 0 ? "gain" : change < 0 ? "loss" : ""
    }
    return body
}

function head(text, scope, columns = 1) {
    const cell = document.createElement(text ? "th" : "td")
    cell.textContent = text
    cell.scope = scope
    cell.colSpan = columns
    return cell
}

function signed(value) {
    return value === 0 ? "0" : `${value < 0 ? "−" : "+"}${numberText(Math.abs(value))}`
}
