// The keyboard, for those who do not leave it.

import { showKeys } from "./dialogs.js";
import { toggleTheme } from "./palette.js";
import { go } from "./router.js";

const PLACES = { l: "live", e: "endpoints", d: "requests", r: "routes", q: "queues", p: "playground" };
/** How long after `g` its second key may come, in milliseconds. */
const PATIENCE = 1500;

/** Listens to the keys. `view()` is the view that is shown. */
export function startKeys(view) {
    let leaderAt = -Infinity;
    addEventListener("keydown", (event) => {
        if (
            event.defaultPrevented ||
            event.ctrlKey ||
            event.metaKey ||
            event.altKey ||
            document.querySelector("dialog[open]")
        )
            return;
        const isTyping = event.target.matches("input, textarea, select");
        if (event.key === "Escape") {
            if (isTyping) event.target.blur();
            else view().close?.();
            return;
        }
        if (isTyping) return;
        if (event.timeStamp - leaderAt < PATIENCE && PLACES[event.key]) {
            leaderAt = -Infinity;
            event.preventDefault();
            go(PLACES[event.key]);
        } else if (event.key === "g") {
            leaderAt = event.timeStamp;
        } else if (event.key === "/") {
            event.preventDefault();
            view().focusFilter?.();
        } else if (event.key === "?") {
            showKeys();
        } else if (event.key === "t") {
            toggleTheme();
        }
    });
}
