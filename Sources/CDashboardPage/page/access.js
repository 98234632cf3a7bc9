// Questions to the gateway, with the token of whoever asks. Tokens live as long as the tab.

const READING = "martlet.token";
const ACTING = "martlet.admin-token";
const listeners = new Set();

/** An answer that is no success: its status, and the gateway's own sentence. */
export class Refusal extends Error {
    constructor(status, sentence) {
        super(sentence || `the gateway answered ${status}`);
        this.status = status;
    }

    /** Whether another token would help. */
    get wantsToken() {
        return this.status === 401 || this.status === 403;
    }
}

/** Keeps the token that reading needs, and tries again what waited for it. */
export function setReadingToken(token) {
    sessionStorage.setItem(READING, token);
    for (const listener of listeners) listener();
}

/** Calls `listener` when another token for reading was given. */
export function onReadingToken(listener) {
    listeners.add(listener);
}

/** Whether a token for acting was given. */
export function hasAdminToken() {
    return sessionStorage.getItem(ACTING) !== null;
}

/** Keeps the token that acting needs; `null` forgets it. */
export function setAdminToken(token) {
    if (token === null) sessionStorage.removeItem(ACTING);
    else sessionStorage.setItem(ACTING, token);
}

/** The answer to a question, whatever its status. `path` is relative to the page. */
export async function ask(path, options = {}) {
    const headers = new Headers(options.headers);
    const token = sessionStorage.getItem(options.acting ? ACTING : READING);
    if (token) headers.set("authorization", `Bearer ${token}`);
    return fetch(path, { ...options, headers, cache: "no-store", credentials: "same-origin" });
}

/** The JSON that a question is answered with; everything but success is a ``Refusal``. */
export async function askJSON(path, options = {}) {
    const answer = await ask(path, options);
    if (!answer.ok) throw await refusal(answer);
    return answer.json();
}

/** What an answer that is no success says. */
export async function refusal(answer) {
    const text = (await answer.text().catch(() => "")).trim();
    return new Refusal(answer.status, sentence(text));
}

/** The sentence of an error's body: text as it is, or the message of an OpenAI-style error. */
function sentence(text) {
    try {
        const parsed = JSON.parse(text);
        return parsed.error?.message ?? parsed.message ?? text;
    } catch {
        return text.slice(0, 500);
    }
}

/** Does something that changes the gateway, with the admin token. */
export function act(path, body) {
    return askJSON(path, {
        method: "POST",
        acting: true,
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
    });
}
