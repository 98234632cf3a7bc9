// Elements, made without a line of markup: what comes from the gateway is only ever text.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an element. `selector` is a tag with classes, as in `div.tile.wide`. Then come, in any order, attributes as an
 * object (a function is an event's listener, `false` and `null` leave an attribute out) and children: nodes, texts and
 * arrays of both; `null` and `false` are no child.
 */
export function make(selector, ...parts) {
    const [tag, ...classes] = selector.split(".");
    const node = document.createElement(tag);
    if (classes.length) node.className = classes.join(" ");
    for (const part of parts) {
        if (part !== null && typeof part === "object" && !(part instanceof Node) && !Array.isArray(part)) {
            for (const [name, value] of Object.entries(part)) setAttribute(node, name, value);
        } else {
            append(node, part);
        }
    }
    return node;
}

function setAttribute(node, name, value) {
    if (value === false || value === null || value === undefined) return;
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : value);
}

function append(node, child) {
    if (child === null || child === undefined || child === false) return;
    if (Array.isArray(child)) for (const one of child) append(node, one);
    else node.append(child);
}

/** Puts `children` in the place of all that `node` holds. */
export function fill(node, ...children) {
    node.replaceChildren();
    append(node, children);
    return node;
}

/** Sets a node's text, unless it is that already: an unchanged text costs no layout, and a changed one no new node. */
export function setText(node, text) {
    const child = node.firstChild;
    if (child === null) node.append(text);
    else if (child !== node.lastChild || child.nodeType !== Node.TEXT_NODE) node.textContent = text;
    else if (child.data !== text) child.data = text;
}

/** Sets or removes an attribute, unless it is so already. */
export function mark(node, name, value) {
    if (value === null || value === false) {
        if (node.hasAttribute(name)) node.removeAttribute(name);
    } else {
        const text = value === true ? "" : String(value);
        if (node.getAttribute(name) !== text) node.setAttribute(name, text);
    }
}

/** An icon: paths on a field of 20 by 20, drawn with the colour of the text. */
export function icon(name) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 20 20");
    svg.setAttribute("aria-hidden", "true");
    svg.setAttribute("class", "icon");
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", ICONS[name]);
    svg.append(path);
    return svg;
}

const ICONS = {
    live: "M2 11h3.5l2-6 4 11 2.5-7 1 2H18",
    endpoints: "M3 3.5h14v5H3zM3 11.5h14v5H3zM6 6h.01M6 14h.01M9 6h5M9 14h5",
    requests: "M3 5h14M3 10h9M3 15h11M15 9l2.5 2-2.5 2",
    routes: "M4 5h3c4 0 3 10 7 10h2M4 15h3c4 0 3-10 7-10h2M14 3l2.5 2L14 7M14 13l2.5 2-2.5 2",
    queues: "M3 4v12M7 6v8M11 6v8M15 8.5v3M18 10h.01",
    playground: "M6 4l9 6-9 6z",
    theme: "M10 3a7 7 0 1 0 7 7 5.5 5.5 0 0 1-7-7z",
    keys: "M2.5 5.5h15v9h-15zM5.5 8.5h.01M8.5 8.5h.01M11.5 8.5h.01M14.5 8.5h.01M6.5 11.5h7",
    close: "M5 5l10 10M15 5L5 15",
    back: "M12 4l-6 6 6 6",
    search: "M9 3.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM13 13l4 4",
    pause: "M7 4v12M13 4v12",
    copy: "M7 7h9v9H7zM4 13V4h9",
};

/** A drop-down with a label that only screen readers see, unless `shown`. */
export function choice(label, options, onChange) {
    const select = make("select", { "aria-label": label, change: () => onChange(select.value) });
    setOptions(select, options);
    return select;
}

/** Gives a drop-down other options, `[value, text]` each, and keeps what is chosen where it is still there. */
export function setOptions(select, options) {
    const wanted = options.map(([value, text]) => `${value}\n${text}`).join("\n\n");
    if (select.dataset.options === wanted) return;
    const chosen = select.value;
    select.dataset.options = wanted;
    fill(
        select,
        options.map(([value, text]) => make("option", { value }, text)),
    );
    if (options.some(([value]) => value === chosen)) select.value = chosen;
}

/** A button that copies what `text()` gives, and says so for a moment. */
export function copyButton(label, text) {
    const word = make("span", label);
    let timer = 0;
    const button = make("button.quiet", { type: "button", click: copy }, icon("copy"), word);
    async function copy() {
        let said = "Copied";
        try {
            await navigator.clipboard.writeText(text());
        } catch {
            said = "Copying is not allowed";
        }
        setText(word, said);
        clearTimeout(timer);
        timer = setTimeout(() => setText(word, label), 1500);
    }
    return button;
}
