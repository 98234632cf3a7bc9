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
    apply();
}

/** Calls `listener` after every change of the theme. */
export function onTheme(listener) {
    listeners.add(listener);
}

/** The value of a colour of the style sheet, as in `colour("accent")`. */
export function colour(name) {
    if (!cache.has(name)) {
        cache.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
    }
    return cache.get(name);
}

function apply() {
    document.documentElement.dataset.theme = shownTheme();
    cache = new Map();
    for (const listener of listeners) listener();
}
