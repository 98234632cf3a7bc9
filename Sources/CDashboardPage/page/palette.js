// The theme, and its colours for what is drawn on a canvas.

const KEY = "martlet.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set();
let cache = new Map();

/** The theme that somebody chose: `light`, `dark`, or `auto` for the system's. */
export function chosenTheme() {
    const stored = localStorage.getItem(KEY);
    return stored === "light" || stored === "dark" ? stored : "auto";
}

/** The theme that is shown. */
export function shownTheme() {
    const chosen = chosenTheme();
    return chosen === "auto" ? (dark.matches ? "dark" : "light") : chosen;
}

/** Goes to the other theme, and keeps it; the system's own theme is kept as `auto`, so that the page follows it. */
export function toggleTheme() {
    const next = shownTheme() === "dark" ? "light" : "dark";
    if ((next === "dark") === dark.matches) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
    apply();
}

/** Shows the theme, now and whenever the system's changes. */
export function startTheme() {
    dark.addEventListener("change", apply);
    addEventListener("resize", () => cache.delete("letter size"));
    apply();
}

/** Calls `listener` after every change of the theme. */
export function onTheme(listener) {
    listeners.add(listener);
}

/** The value of a colour of the style sheet, as in `colour("accent")`. */
export function colour(name) {
    return fromCache(name, () => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
}

/** The size of the page's letters in pixels: more on a wall, or where the reader wants larger ones. */
export function letterSize() {
    return fromCache("letter size", () => parseFloat(getComputedStyle(document.documentElement).fontSize));
}

/** The font of the page. */
export function letterFamily() {
    return fromCache("letter family", () => getComputedStyle(document.body).fontFamily);
}

function fromCache(key, read) {
    if (!cache.has(key)) cache.set(key, read());
    return cache.get(key);
}

function apply() {
    document.documentElement.dataset.theme = shownTheme();
    cache = new Map();
    for (const listener of listeners) listener();
}
