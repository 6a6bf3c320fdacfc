// The controls of the live page: what they offer, what is chosen.

export function fillSelect(select, options) {
    select.replaceChildren(...options.map(([value, text]) => new Option(text, value)))
}

export function fillClasses(classes, checked, act) {
    const field = document.getElementById("classes")
    field.hidden = classes.length < 2
    field.replaceChildren(field.querySelector("legend"), ...classes.map(({name, label, color}) => {
        const line = document.createElement("label")
        const box = document.createElement("input")
        Object.assign(box, {type: "checkbox", value: name, checked: checked.includes(name)})
        box.addEventListener("change", () => {
            // Without any there is nothing to look at.
            box.checked ||= checkedClasses().length === 0
            act()
        })
        const swatch = document.createElement("span")
        swatch.className = "chip"
        swatch.style.background = `rgb(${color})`
        line.append(box, swatch, ` ${label}`)
        return line
    }))
}

export function checkedClasses() {
    return [...document.getElementById("classes").querySelectorAll("input:checked")].map(({value}) => value)
}

export function plain(html) {
    return new DOMParser().parseFromString(html, "text/html").body.textContent
}

export function sentence(text) {
    return text.charAt(0).toUpperCase() + text.slice(1).replace(/([^.])$/, "$1.")
}
