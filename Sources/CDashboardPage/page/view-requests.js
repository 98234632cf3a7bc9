// The last requests, newest first, and the way to each one's decision.

import { askJSON } from "./access.js";
import { choice, icon, make, mark, setOptions, setText } from "./dom.js";
import { ago, count, counted, duration, outcomeTone, titled } from "./format.js";
import { address, go } from "./router.js";
import { RequestPage } from "./view-request.js";

const EVERY = 2000;
const LIMITS = [50, 200, 1000];

/** The view of the list, and of one request of it. */
class RequestsView {
    title = "Requests";
    documentTitle = "Requests";
    #store;
    #filter = { model: "", outcome: "", pool: "", endpoint: "", text: "", limit: "50" };
    #isPaused = false;
    #timer = 0;
    #asking = null;
    #rows = new Map();
    #isShown = false;
    #models = new Set();
    #outcomes = new Set();
    #page;
    #body = make("tbody");
    #status = make("p.summary", { role: "status", "aria-live": "off" });
    #empty = make("p.empty", { hidden: true });
    #list;
    #search;
    #endpoint;
    #selects;
    #pause;

    constructor({ store }) {
        this.#store = store;
        this.#page = new RequestPage();
        this.#search = this.#field("Filter by request id or text", "text", "search");
        this.#endpoint = this.#field("Endpoint", "endpoint");
        this.#selects = {
            model: this.#choice("Model", "model", [["", "All models"]]),
            outcome: this.#choice("Outcome", "outcome", [
                ["", "All outcomes"],
                ["completed", "Completed"],
                ["failed", "Not completed"],
            ]),
            pool: this.#choice("Pool", "pool", [["", "All pools"]]),
            limit: this.#choice(
                "How many",
                "limit",
                LIMITS.map((limit) => [String(limit), `${count(limit)} at most`]),
            ),
        };
        this.#pause = make(
            "button.quiet",
            { type: "button", "aria-pressed": "false", click: () => this.#togglePause() },
            icon("pause"),
            make("span", "Pause"),
        );
        const titles = [
            ["Time"],
            ["Request"],
            ["Model"],
            ["Outcome"],
            ["Endpoint"],
            ["Waited", true],
            ["First token", true],
            ["Duration", true],
            ["Tokens", true],
            ["Decision", true],
        ];
        this.#list = make(
            "div",
            make(
                "div.toolbar",
                make("label.search", icon("search"), this.#search),
                Object.values(this.#selects),
                this.#endpoint,
                this.#pause,
                this.#status,
            ),
            make(
                "div.card.flush.scroll-x",
                { tabindex: 0, role: "region", "aria-label": "Last requests" },
                make(
                    "table.requests",
                    { click: (event) => this.#click(event) },
                    make(
                        "thead",
                        make(
                            "tr",
                            titles.map(([title, isNumber]) =>
                                make(isNumber ? "th.number" : "th", { scope: "col" }, title),
                            ),
                        ),
                    ),
                    this.#body,
                ),
                this.#empty,
            ),
        );
        this.node = make("div.view", this.#list, this.#page.node);
        this.#list.addEventListener("keydown", (event) => this.#press(event));
    }

    show({ parts, query }) {
        this.#isShown = true;
        for (const [key, value] of query) if (key in this.#filter) this.#filter[key] = value;
        this.#list.hidden = parts.length > 1;
        this.#page.show(parts[1] ?? null);
        this.title = parts.length > 1 ? "Request" : "Requests";
        this.documentTitle = parts.length > 1 ? `Request ${parts[1]}` : "Requests";
        if (parts.length === 1) this.#poll();
    }

    hide() {
        this.#isShown = false;
        clearTimeout(this.#timer);
        this.#asking?.abort();
        this.#page.show(null);
    }

    focusFilter() {
        if (!this.#list.hidden) this.#search.focus();
    }

    close() {
        if (!this.#list.hidden) return false;
        go("requests");
        return true;
    }

    update() {
        const { pools } = this.#store.hello;
        for (const model of pools.flatMap((pool) => pool.models)) this.#models.add(model);
        setOptions(this.#selects.pool, [["", "All pools"], ...pools.map((pool) => [pool.name, pool.name])]);
        this.#selects.pool.hidden = pools.length < 2;
        setOptions(this.#selects.model, [
            ["", "All models"],
            ...[...this.#models].sort().map((model) => [model, model]),
        ]);
    }

    #field(label, key, type = "text") {
        let timer = 0;
        const field = make("input", {
            type,
            placeholder: label,
            "aria-label": label,
            input: () => {
                clearTimeout(timer);
                timer = setTimeout(() => this.#filterBy(key, field.value.trim()), 150);
            },
        });
        return field;
    }

    #choice(label, key, options) {
        return choice(label, options, (value) => this.#filterBy(key, value));
    }

    #filterBy(key, value) {
        this.#filter[key] = value;
        this.#poll();
    }

    #togglePause() {
        this.#isPaused = !this.#isPaused;
        mark(this.#pause, "aria-pressed", String(this.#isPaused));
        setText(this.#pause.lastChild, this.#isPaused ? "Go on" : "Pause");
        this.#poll();
    }

    /** Asks for the requests, now and, unless paused, every two seconds. */
    async #poll() {
        clearTimeout(this.#timer);
        this.#asking?.abort();
        const asking = new AbortController();
        this.#asking = asking;
        if (!document.hidden) {
            try {
                const query = new URLSearchParams(Object.entries(this.#filter).filter(([, value]) => value !== ""));
                const answer = await askJSON(`api/requests?${query}`, { signal: asking.signal });
                this.#showRows(answer);
            } catch (error) {
                if (error.name === "AbortError") return;
                setText(this.#status, `The requests cannot be shown: ${error.message}`);
            }
        }
        if (this.#asking === asking && this.#isShown && !this.#isPaused && !this.#list.hidden)
            this.#timer = setTimeout(() => this.#poll(), EVERY);
    }

    #showRows({ requests, running }) {
        setText(this.#status, `${counted(requests.length, "request")} shown, ${count(running)} running`);
        const isFiltered = Object.entries(this.#filter).some(([key, value]) => key !== "limit" && value !== "");
        this.#empty.hidden = requests.length > 0;
        setText(
            this.#empty,
            isFiltered
                ? "No request that the gateway remembers is like that."
                : "No request has ended yet. Send one, or use the playground.",
        );
        const seen = new Map();
        const kept = new Map();
        let before = null;
        for (const request of requests) {
            const times = seen.get(request.request_id) ?? 0;
            seen.set(request.request_id, times + 1);
            const key = `${request.request_id} ${times}`;
            const row = this.#rows.get(key) ?? rowNode();
            kept.set(key, row);
            write(row, request);
            const place = before ? before.nextSibling : this.#body.firstChild;
            if (place !== row) this.#body.insertBefore(row, place);
            before = row;
            if (request.model) this.#models.add(request.model);
            this.#outcomes.add(request.reason ?? request.outcome);
        }
        for (const [key, row] of this.#rows) if (!kept.has(key)) row.remove();
        this.#rows = kept;
        const others = [...this.#outcomes].filter((outcome) => outcome !== "completed").sort();
        setOptions(this.#selects.outcome, [
            ["", "All outcomes"],
            ["completed", "Completed"],
            ["failed", "Not completed"],
            ...others.map((outcome) => [outcome, titled(outcome)]),
        ]);
        if (this.#store.hello) this.update();
    }

    #click(event) {
        const link = event.target.closest("tr")?.querySelector("a");
        if (link?.hash && !event.target.closest("a") && getSelection().isCollapsed) location.hash = link.hash;
    }

    #press(event) {
        const step = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key];
        if (!step || event.target.matches("input, select")) return;
        event.preventDefault();
        const links = [...this.#body.querySelectorAll("a")];
        const at = links.indexOf(document.activeElement);
        links[Math.min(links.length - 1, Math.max(0, at + step))]?.focus();
    }
}

function rowNode() {
    const names = ["when", "id", "model", "outcome", "endpoint", "waited", "first", "took", "tokens", "decision"];
    const cells = names.map((name, place) => make(place < 5 ? `td.r-${name}` : `td.number.r-${name}`));
    cells[1].append(make("a"));
    cells[3].append(make("span.state"));
    return make("tr", cells);
}

function write(row, request) {
    const [time, id, model, outcome, endpoint, waited, first, took, tokens, decision] = row.cells;
    const name = request.reason ?? request.outcome;
    setText(time, ago(request.age_seconds));
    // What was refused at the door has no identifier, and nothing more to tell.
    setText(id.firstChild, request.request_id || "–");
    mark(id.firstChild, "href", request.request_id ? address("requests", request.request_id) : null);
    mark(id.firstChild, "title", request.request_id || null);
    mark(row, "data-id", request.request_id);
    const isRewritten = request.target_model && request.target_model !== request.model;
    setText(model, (request.model || "–") + (isRewritten ? ` → ${request.target_model}` : ""));
    setText(outcome.firstChild, titled(name));
    mark(outcome.firstChild, "data-tone", outcomeTone(name));
    mark(outcome, "title", request.message);
    setText(
        endpoint,
        (request.endpoint ? request.endpoint.replace(/^default\//, "") : "–") +
            (request.attempts > 1 ? `, attempt ${request.attempts}` : ""),
    );
    setText(waited, duration(request.waited_seconds));
    setText(first, duration(request.ttft_seconds));
    setText(took, duration(request.duration_seconds));
    const isCounted = request.prompt_tokens !== null || request.output_tokens !== null;
    setText(tokens, isCounted ? `${count(request.prompt_tokens)} → ${count(request.output_tokens)}` : "–");
    setText(decision, request.decision_us ? duration(request.decision_us / 1e6) : "–");
}

/** The view. */
export function createRequests(context) {
    return new RequestsView(context);
}
