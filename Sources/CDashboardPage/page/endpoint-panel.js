// One endpoint, beside the table: what it is, how it does, its last requests, and the button that drains it.

import { askJSON } from "./access.js";
import { Sparkline, firstShown } from "./chart.js";
import { actWithToken, confirm, say } from "./dialogs.js";
import { fill, icon, make, mark, setText } from "./dom.js";
import { ago, clock, count, duration, outcomeTone, titled, words } from "./format.js";
import { address } from "./router.js";
import { SECONDS, STATES, STATE_WORDS } from "./store.js";

const TONES = { available: "good", ejected: "bad", draining: "violet", stale: "warn" };
const TRACED = [
    ["waiting", "Queue", "accent"],
    ["running", "Running", "green"],
    ["kv", "KV cache", "violet"],
    ["in_flight", "In flight", "amber"],
];
/** Every how many ticks the endpoint's requests are asked for. */
const REQUESTS_EVERY = 3;

/** The panel. `close()` is called by its button. */
export class EndpointPanel {
    #store;
    #names = null;
    #at;
    #ticks = 0;
    #asking = false;
    #title = make("h2");
    #state = make("span.state");
    #ejection = make("p.notice", { hidden: true, "data-tone": "bad" });
    #facts = make("dl.facts");
    #shownFacts = "";
    #traces = TRACED.map(([key, title, colour]) => ({
        key,
        colour,
        values: new Float64Array(SECONDS),
        spark: new Sparkline(key === "kv" ? 100 : null),
        value: make("b"),
        title,
    }));
    #requests = make("ul.plain-list");
    #drain = make("button", { type: "button", hidden: true, click: () => this.#askDrain() });

    constructor(store, close) {
        this.#store = store;
        const button = make(
            "button.quiet.icon-only",
            { type: "button", "aria-label": "Close the endpoint", click: close },
            icon("close"),
        );
        this.node = make(
            "aside.panel",
            { "aria-label": "Endpoint", hidden: true },
            make("header", this.#title, button),
            make("div.line", this.#state, this.#drain),
            this.#ejection,
            make(
                "div.traces",
                this.#traces.map(({ title, value, spark }) =>
                    make("div.trace", make("span", title), value, spark.node),
                ),
            ),
            this.#facts,
            make("h3", "Last requests"),
            this.#requests,
        );
    }

    /** Shows the endpoint at a position; `names` are those of its address, `null` to close. */
    open(names, at) {
        const isOther = String(names) !== String(this.#names);
        this.#names = names;
        this.#at = at;
        this.node.hidden = names === null;
        if (names === null || !isOther) return;
        for (const trace of this.#traces) trace.values.fill(NaN);
        this.#ticks = 0;
        this.#shownFacts = "";
        fill(this.#requests);
        setText(this.#title, names[2]);
    }

    /** Shows what a tick brought. */
    update() {
        const { endpoints, hello } = this.#store;
        const pool = this.#store.pool(this.#names[0], this.#names[1]);
        this.#at = endpoints.find(pool, this.#names[1], this.#names[2]);
        const facts = this.#at === undefined ? null : endpoints.facts[this.#at];
        mark(this.node, "data-gone", facts === null);
        if (facts === null) {
            setText(this.#state, "This endpoint is not there.");
            mark(this.#state, "data-tone", "quiet");
            this.#drain.hidden = true;
            return;
        }
        const state = STATES[endpoints.columns.state[this.#at]];
        setText(this.#state, STATE_WORDS[endpoints.columns.state[this.#at]]);
        mark(this.#state, "data-tone", TONES[state] ?? "quiet");
        this.#showEjection(endpoints.ejections[this.#at]);
        this.#showTraces(endpoints.columns);
        this.#showFacts(facts, endpoints.adapters[this.#at]);
        this.#drain.hidden = !hello.actions;
        setText(this.#drain, state === "draining" ? "Take it back" : "Drain");
        if (this.#ticks % REQUESTS_EVERY === 0) this.#askRequests(facts);
        this.#ticks += 1;
    }

    #showEjection(ejection) {
        this.#ejection.hidden = !ejection;
        if (!ejection) return;
        const detail = ejection.detail ? `: ${ejection.detail}` : "";
        const until = ejection.until ? `, until ${clock(ejection.until)}` : "";
        setText(this.#ejection, `Ejected, ${words(ejection.reason)}${detail}${until}`);
    }

    #showTraces(columns) {
        for (const trace of this.#traces) {
            const value = columns[trace.key][this.#at];
            trace.values.copyWithin(0, 1);
            trace.values[SECONDS - 1] = value;
            setText(trace.value, trace.key === "kv" ? `${value} %` : count(value));
            trace.spark.show([{ values: trace.values, colour: trace.colour }], firstShown(trace.values));
        }
    }

    #showFacts(facts, adapters) {
        const rows = [
            ["Address", facts.address],
            ["Namespace", facts.namespace],
            ["Pool", this.#names[0]],
            ["Adapters", adapters.join(", ") || "none"],
            ...Object.entries(facts.labels),
        ];
        const text = JSON.stringify(rows);
        if (text === this.#shownFacts) return;
        this.#shownFacts = text;
        fill(
            this.#facts,
            rows.map(([name, value]) => make("div", make("dt", name), make("dd", value))),
        );
    }

    async #askRequests(facts) {
        if (this.#asking) return;
        this.#asking = true;
        const names = this.#names;
        try {
            const query = new URLSearchParams({ limit: "8", pool: this.#names[0], endpoint: facts.name });
            const { requests } = await askJSON(`api/requests?${query}`);
            if (names === this.#names) this.#showRequests(requests);
        } catch (error) {
            if (names === this.#names) fill(this.#requests, make("li.muted", `They cannot be shown: ${error.message}`));
        } finally {
            this.#asking = false;
        }
    }

    #showRequests(requests) {
        if (requests.length === 0) return fill(this.#requests, make("li.muted", "None that the gateway remembers."));
        // A list that is being walked through with the keyboard stays as it is.
        if (this.#requests.contains(document.activeElement)) return null;
        return fill(
            this.#requests,
            requests.map((request) =>
                make(
                    "li",
                    make("a", { href: address("requests", request.request_id) }, request.model || request.path),
                    make(
                        "span.state",
                        { "data-tone": outcomeTone(request.reason ?? request.outcome) },
                        titled(request.reason ?? request.outcome),
                    ),
                    make("span.number", duration(request.duration_seconds)),
                    make("span.muted", ago(request.age_seconds)),
                ),
            ),
        );
    }

    async #askDrain() {
        const [pool, , endpoint] = this.#names;
        const { namespace } = this.#store.hello.pools[this.#store.pool(pool, this.#names[1])];
        const draining = STATES[this.#store.endpoints.columns.state[this.#at]] !== "draining";
        const explanation = draining
            ? "It gets no new request; those that run on it end. It can be taken back; a restart takes it back, too."
            : "It gets new requests again.";
        const action = draining ? "Drain" : "Take back";
        if (!(await confirm(`${action} ${endpoint}?`, explanation, action))) return;
        try {
            const answer = await actWithToken("api/endpoints/drain", { pool, namespace, endpoint, draining });
            if (answer) say(draining ? `${endpoint} is draining.` : `${endpoint} takes requests again.`, "good");
        } catch (error) {
            say(error.message, "bad");
        }
    }
}
