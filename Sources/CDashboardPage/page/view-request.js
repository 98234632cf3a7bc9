// One request: what became of it, its time, and every decision that was made about it.

import { askJSON } from "./access.js";
import { copyButton, fill, icon, make } from "./dom.js";
import { decisionNode } from "./decision.js";
import { ago, bytes, count, duration, known, outcomeTone, titled } from "./format.js";
import { address } from "./router.js";

/** How often a request that runs is asked for, in milliseconds. */
const EVERY = 2000;
/** After how many seconds nobody waits for a request's end any more. */
const RUNNING = 600;

/** The page of a request. */
export class RequestPage {
    node = make("div.request-page", { hidden: true });
    #id = null;
    #timer = 0;
    #told = "";

    /** Shows the request with an identifier; `null` shows nothing. */
    show(id) {
        this.node.hidden = id === null;
        if (id === this.#id) return;
        this.#id = id;
        clearTimeout(this.#timer);
        if (id === null) return;
        this.#told = "";
        fill(this.node, make("p.empty", "Loading…"));
        this.#load(id);
    }

    /** Asks for what is known; until the request has ended, again and again. */
    async #load(id) {
        const found = await Promise.allSettled([
            askJSON(`api/requests?${new URLSearchParams({ text: id, limit: "1000" })}`),
            askJSON(`api/decisions/${encodeURIComponent(id)}`),
        ]);
        if (this.#id !== id) return;
        const summary = found[0].value?.requests.find((request) => request.request_id === id) ?? null;
        const decisions = found[1].value?.decisions ?? [];
        const reason = found[1].reason?.message ?? found[0].reason?.message ?? "";
        // What is the same stays: somebody may be sorting it.
        const told = `${decisions.length} ${summary !== null}`;
        if (told !== this.#told) fill(this.node, this.#content(id, summary, decisions, reason));
        this.#told = told;
        if (!summary && decisions.length > 0 && decisions[0].age_seconds < RUNNING) this.#loadLater(id);
    }

    #loadLater(id) {
        this.#timer = setTimeout(() => {
            if (this.#id !== id) return;
            if (document.hidden) this.#loadLater(id);
            else this.#load(id);
        }, EVERY);
    }

    #content(id, summary, decisions, reason) {
        // A decision is made before its request ends: the first of them is the oldest.
        const attempts = [...decisions].reverse();
        return [
            make(
                "header.request-head",
                make("a.button.quiet", { href: address("requests") }, icon("back"), "Requests"),
                make("h2.mono", id),
                copyButton("Copy id", () => id),
            ),
            summary
                ? [facts(summary), timeline(summary)]
                : decisions.length > 0 && make("p.notice", "The request is still running, or ended too long ago."),
            attempts.map((decision, index) =>
                make(
                    "section.card",
                    { "aria-label": `Attempt ${index + 1}` },
                    decisionNode(decision, attempts.length > 1 ? `Attempt ${decision.attempt + 1}` : "Decision"),
                ),
            ),
            decisions.length === 0 &&
                make(
                    "section.card.placeholder",
                    make("h2", "No decision"),
                    make(
                        "p",
                        summary?.attempts === 0
                            ? "The gateway answered this request before an endpoint was chosen."
                            : reason,
                    ),
                ),
        ];
    }
}

function tokens(request) {
    if (!known(request.prompt_tokens) && !known(request.output_tokens)) return "not reported";
    return `${count(request.prompt_tokens)} in, ${count(request.output_tokens)} out`;
}

function facts(request) {
    const name = request.reason ?? request.outcome;
    const rewritten =
        request.target_model && request.target_model !== request.model ? ` → ${request.target_model}` : "";
    const rows = [
        ["Outcome", make("span.state", { "data-tone": outcomeTone(name) }, titled(name))],
        ["Status", request.status || "none"],
        ["Model", (request.model || "–") + rewritten],
        ["Pool", request.pool ?? "–"],
        ["Endpoint", request.endpoint ?? "–"],
        ["Address", request.address || "–"],
        ["Attempts", count(request.attempts)],
        ["Priority", count(request.priority) + (request.objective ? ` (${request.objective})` : "")],
        ["Flow", request.fairness_id || "default"],
        ["Tokens", tokens(request)],
        ["From the cache", known(request.cached_tokens) ? `${count(request.cached_tokens)} tokens` : "–"],
        ["Bytes", `${bytes(request.request_bytes)} in, ${bytes(request.response_bytes)} out`],
        ["Path", request.path],
        ["Ended", ago(request.age_seconds)],
    ];
    return make(
        "section.card",
        request.message && make("p.notice", { "data-tone": outcomeTone(name) }, request.message),
        make(
            "dl.facts.grid-facts",
            rows.map(([term, value]) => make("div", make("dt", term), make("dd", value))),
        ),
    );
}

/** The request's time as one bar: waited, decided, until the first token, until its end. */
function timeline(request) {
    const waited = request.waited_seconds ?? 0;
    const decided = (request.decision_us ?? 0) / 1e6;
    const total = request.duration_seconds;
    const first = known(request.ttft_seconds) ? request.ttft_seconds : total;
    const parts = [
        ["Waited for its turn", waited, "amber"],
        ["Decided", decided, "violet"],
        [
            known(request.ttft_seconds) ? "Until the first token" : "Until its end",
            Math.max(0, first - waited - decided),
            "accent",
        ],
        ["Until its end", Math.max(0, total - first), "green"],
    ].filter(([, seconds]) => seconds > 0);
    const bar = make(
        "div.timeline",
        { "aria-hidden": "true" },
        parts.map(([, seconds, tone]) => {
            const part = make("i", { "data-tone": tone });
            part.style.flexGrow = String(seconds / (total || 1));
            return part;
        }),
    );
    return make(
        "section.card",
        { "aria-label": "Timeline" },
        make("header.line", make("h2", "Timeline"), make("p.summary", `${duration(total)} in all`)),
        bar,
        make(
            "ul.timeline-keys",
            parts.map(([name, seconds, tone]) =>
                make("li", make("i", { "data-tone": tone }), name, make("b", duration(seconds))),
            ),
        ),
    );
}
