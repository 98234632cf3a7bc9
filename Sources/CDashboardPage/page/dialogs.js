// Questions that stop everything else: a token, a confirmation, the list of keys.

import { Refusal, act, hasAdminToken, setAdminToken } from "./access.js";
import { fill, icon, make, setText } from "./dom.js";

/** Shows a dialog until it is closed; gives what it was closed with, `""` when it was cancelled. */
function show(dialog) {
    const before = document.activeElement;
    document.body.append(dialog);
    dialog.showModal();
    return new Promise((resolve) => {
        dialog.addEventListener("close", () => {
            dialog.remove();
            // What had the focus may be gone, or made anew.
            if (before?.isConnected) before.focus();
            resolve(dialog.returnValue);
        });
    });
}

function dialog(title, ...content) {
    const id = "dialog-title";
    return make("dialog", { "aria-labelledby": id }, make("h2", { id }, title), content);
}

/** Asks for a token; `""` when none was given. */
export function askForToken(title, explanation) {
    const field = make("input", { type: "password", autocomplete: "off", "aria-label": "Token", required: true });
    const cancel = make("button.quiet", { type: "button", click: () => box.close("") }, "Cancel");
    const form = make(
        "form",
        {
            submit: (event) => {
                event.preventDefault();
                box.close(field.value.trim());
            },
        },
        field,
        make("div.buttons", cancel, make("button.primary", { type: "submit" }, "Use it")),
    );
    const box = dialog(title, make("p", explanation), form);
    return show(box);
}

/** Asks whether something is really to be done. */
export async function confirm(title, explanation, action) {
    const cancel = make("button.quiet", { type: "button", click: () => box.close("") }, "Cancel");
    const go = make("button.primary", { type: "button", click: () => box.close("yes") }, action);
    const box = dialog(title, make("p", explanation), make("div.buttons", cancel, go));
    return (await show(box)) === "yes";
}

/** Asks for a target's weight, 1…1,000,000; `null` when none was given. */
export async function askForWeight(rewrite, target) {
    const field = make("input", {
        type: "number",
        min: 1,
        max: 1_000_000,
        step: 1,
        required: true,
        "aria-label": "Weight",
        value: target.weight,
    });
    const cancel = make("button.quiet", { type: "button", click: () => box.close("") }, "Cancel");
    const form = make(
        "form",
        {
            submit: (event) => {
                event.preventDefault();
                box.close(field.value);
            },
        },
        field,
        make("div.buttons", cancel, make("button.primary", { type: "submit" }, "Go on")),
    );
    const box = dialog(
        `Weight of ${target.model}`,
        make("p", `Its share of ${rewrite.name} is its weight among those of all targets.`),
        form,
    );
    const given = await show(box);
    return given === "" ? null : Number(given);
}

/**
 * Does something that changes the gateway: asks for the admin token when there is none yet, or another one is needed.
 * Gives the answer, or `null` when nobody gave a token.
 */
export async function actWithToken(path, body) {
    let explanation =
        "This changes the gateway, and needs its admin token (--admin-token-file). It is kept until the tab is closed.";
    for (;;) {
        if (!hasAdminToken()) {
            const token = await askForToken("Admin token", explanation);
            if (token === "") return null;
            setAdminToken(token);
        }
        try {
            return await act(path, body);
        } catch (error) {
            if (!(error instanceof Refusal) || !error.wantsToken) throw error;
            setAdminToken(null);
            explanation = `The gateway did not take the token: ${error.message}.`;
        }
    }
}

const KEYS = [
    ["g l", "Live"],
    ["g e", "Endpoints"],
    ["g d", "Requests and decisions"],
    ["g r", "Routes"],
    ["g q", "Queues"],
    ["g p", "Playground"],
    ["/", "Filter"],
    ["↑ ↓ j k", "Next or previous row"],
    ["Enter", "Open"],
    ["Esc", "Close"],
    ["1 … 9", "Sort the endpoints by a column"],
    ["t", "Light or dark"],
    ["?", "These keys"],
];

/** Shows the keys. */
export function showKeys() {
    if (document.querySelector("dialog[open]")) return;
    const rows = KEYS.map(([keys, what]) =>
        make(
            "div",
            make(
                "dt",
                keys.split(" ").map((key) => make("kbd", key)),
            ),
            make("dd", what),
        ),
    );
    const close = make(
        "button.quiet.icon-only",
        { type: "button", "aria-label": "Close", click: () => box.close() },
        icon("close"),
    );
    const box = dialog("Keys", close, make("dl.keys", rows));
    box.classList.add("with-close");
    show(box);
}

const toasts = make("div.toasts", { role: "status", "aria-live": "polite" });

/** Says something for a few seconds. */
export function say(text, tone = "quiet") {
    if (!toasts.isConnected) document.body.append(toasts);
    const toast = make("div.toast", { "data-tone": tone });
    setText(toast, text);
    fill(toasts, toast);
    setTimeout(() => toast.remove(), 6000);
}
