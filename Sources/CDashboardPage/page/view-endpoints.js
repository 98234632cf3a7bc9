// The endpoints: a heat map of all of them, a table of those that the filter leaves, and one of them in a panel.

import { choice, icon, make, mark, setOptions, setText } from "./dom.js";
import { EndpointPanel } from "./endpoint-panel.js";
import { count, counted } from "./format.js";
import { forget, nextFrame } from "./frame.js";
import { Grid } from "./grid.js";
import { HeatMap } from "./heatmap.js";
import { address, go } from "./router.js";
import { STATE_WORDS, STATES } from "./store.js";

/** The colours of the marks in the heat map, by state. */
const MARKS = [null, "red", "violet", "amber", "muted"];

const TONES = ["good", "bad", "violet", "warn", "quiet"];

/** What the heat map can show: the column, its name, and where its scale ends (`null`: at the greatest value). */
const HEATS = {
    waiting: { title: "Queue", most: null },
    running: { title: "Running", most: null },
    kv: { title: "KV cache", most: 100 },
    hit: { title: "Cache hits", most: 100 },
    in_flight: { title: "In flight", most: null },
    age: { title: "Age of metrics", most: null },
};

function ageText(tenths) {
    return tenths < 0 ? "never" : tenths < 600 ? `${(tenths / 10).toFixed(1)} s` : `${Math.round(tenths / 600)} min`;
}

function percent(value) {
    return value < 0 ? "–" : `${value} %`;
}

/** How a column's value is written. */
function heatText(key, value) {
    if (key === "kv" || key === "hit") return percent(value);
    return key === "age" ? ageText(value) : count(value);
}

function gridColumns(store) {
    const { endpoints } = store;
    const column = (key) => (at) => endpoints.columns[key][at];
    const number = (key, title, hint, more = {}) => ({
        key,
        title,
        hint,
        number: true,
        value: column(key),
        text: (at) => count(endpoints.columns[key][at]),
        ...more,
    });
    const pool = (at) => store.hello.pools[endpoints.facts[at].pool]?.name ?? "";
    return [
        {
            key: "name",
            title: "Endpoint",
            value: (at) => endpoints.facts[at].name,
            text: (at) => endpoints.facts[at].name,
        },
        { key: "pool", title: "Pool", value: pool, text: pool },
        {
            key: "state",
            title: "State",
            value: column("state"),
            text: (at) => STATE_WORDS[endpoints.columns.state[at]],
            tone: (at) => TONES[endpoints.columns.state[at]],
        },
        number("waiting", "Queue", "Requests that wait in the engine"),
        number("running", "Running", "Requests that the engine computes"),
        number("kv", "KV", "How much of the KV cache is used", {
            text: (at) => percent(endpoints.columns.kv[at]),
            meter: (at) => endpoints.columns.kv[at] / 100,
        }),
        number("hit", "Cache hits", "Prompt tokens that were in the prefix cache", {
            text: (at) => percent(endpoints.columns.hit[at]),
            meter: (at) => Math.max(0, endpoints.columns.hit[at]) / 100,
        }),
        number("in_flight", "In flight", "Requests that the gateway sent and that have not ended"),
        number("age", "Age", "How old the engine's metrics are", { text: (at) => ageText(endpoints.columns.age[at]) }),
        {
            key: "adapters",
            title: "Adapters",
            value: (at) => endpoints.adapters[at].join(", "),
            text: (at) => endpoints.adapters[at].join(", "),
        },
    ];
}

/** The view. */
class EndpointsView {
    title = "Endpoints";
    #store;
    #heat = "running";
    #filter = { text: "", pool: "", state: "" };
    #panel;
    #open = null;
    #summary = make("p.summary", { role: "status", "aria-live": "polite" });
    #states = make("div.segments", { role: "group", "aria-label": "State" });
    #pools;
    #search;
    #scale = make("div.scale", make("span", "0"), make("i"), make("span"));
    #map;
    #grid;
    /** What is searched in for each position, by generation. */
    #words = { generation: -1, texts: [] };

    constructor({ store }) {
        this.#store = store;
        this.#map = new HeatMap({
            mark: (at) => MARKS[store.endpoints.columns.state[at]],
            describe: (at) => this.#describe(at),
            open: (at) => this.#goTo(at),
        });
        this.#grid = new Grid({
            label: "Endpoints",
            columns: gridColumns(store),
            sortKey: "name",
            open: (at) => this.#goTo(at),
            empty: "No endpoint is like that.",
        });
        this.#panel = new EndpointPanel(store, () => go("endpoints"));
        this.#pools = choice("Pool", [["", "All pools"]], (value) => this.#filterBy({ pool: value }));
        this.#search = make("input", {
            type: "search",
            placeholder: "Filter by name, address, label, adapter",
            "aria-label": "Filter endpoints",
            input: () => this.#filterBy({ text: this.#search.value.trim().toLowerCase() }),
        });
        const heats = make(
            "div.segments",
            { role: "group", "aria-label": "Colour of the heat map" },
            Object.entries(HEATS).map(([key, { title }]) =>
                make(
                    "button",
                    {
                        type: "button",
                        "aria-pressed": key === this.#heat ? "true" : "false",
                        "data-heat": key,
                        click: (event) => this.#chooseHeat(key, event.currentTarget),
                    },
                    title,
                ),
            ),
        );
        this.node = make(
            "div.view.endpoints",
            make(
                "div.main-column",
                make(
                    "section.card.heat-card",
                    { "aria-label": "Heat map" },
                    make("div.toolbar", heats, this.#map.tip, this.#scale),
                    this.#map.node,
                ),
                make(
                    "div.toolbar",
                    make("label.search", icon("search"), this.#search),
                    this.#pools,
                    this.#states,
                    this.#summary,
                ),
                this.#grid.node,
            ),
            this.#panel.node,
        );
    }

    show({ parts, query }) {
        if (query.has("pool")) this.#filter.pool = query.get("pool");
        if (!this.#store.tick) return;
        const [, pool, namespace, name] = parts;
        this.#openEndpoint(name === undefined ? null : [pool, namespace, name]);
        this.update();
    }

    /** Puts the cursor into the filter. */
    focusFilter() {
        this.#search.focus();
        this.#search.select();
    }

    /** Closes the panel; whether it was open. */
    close() {
        if (this.#open === null) return false;
        go("endpoints");
        this.#grid.node.focus();
        return true;
    }

    update() {
        const rows = this.#rows();
        nextFrame("grid", () => this.#grid.update([...rows]));
        nextFrame("heat", () => this.#showHeat(rows));
        nextFrame("endpoints", () => this.#showCounts(rows.length));
        if (this.#open !== null) nextFrame("panel", () => this.#panel.update());
    }

    #openEndpoint(names) {
        const pool = names && this.#store.pool(names[0], names[1]);
        const at = names ? this.#store.endpoints.find(pool, names[1], names[2]) : undefined;
        this.#open = names;
        this.#panel.open(names, at);
        // What a tick has asked for may be about to be drawn, and there is nothing to draw it on any more.
        if (names === null) forget("panel");
        this.#grid.choose(at ?? null);
        this.node.classList.toggle("with-panel", names !== null);
    }

    #goTo(at) {
        const facts = this.#store.endpoints.facts[at];
        location.hash = address("endpoints", this.#store.hello.pools[facts.pool].name, facts.namespace, facts.name);
    }

    #filterBy(change) {
        Object.assign(this.#filter, change);
        if (this.#store.tick) {
            this.#grid.update(this.#rows(), true);
            this.update();
        }
    }

    #chooseHeat(key, button) {
        this.#heat = key;
        for (const one of button.parentNode.children) mark(one, "aria-pressed", one === button ? "true" : "false");
        if (this.#store.tick) this.#showHeat(this.#rows());
    }

    #rows() {
        const { text, pool, state } = this.#filter;
        const { endpoints } = this.#store;
        const texts = text === "" ? null : this.#texts();
        return endpoints
            .positions()
            .filter(
                (at) =>
                    (pool === "" || endpoints.facts[at].pool === Number(pool)) &&
                    (state === "" || endpoints.columns.state[at] === Number(state)) &&
                    (texts === null ||
                        texts[at].includes(text) ||
                        endpoints.adapters[at].some((name) => name.toLowerCase().includes(text))),
            );
    }

    #texts() {
        const { endpoints } = this.#store;
        if (this.#words.generation !== endpoints.generation) {
            const texts = endpoints.facts.map(
                (facts) =>
                    facts &&
                    [
                        facts.name,
                        facts.namespace,
                        facts.address,
                        ...Object.entries(facts.labels).map(([key, value]) => `${key}=${value}`),
                    ]
                        .join("\n")
                        .toLowerCase(),
            );
            this.#words = { generation: endpoints.generation, texts };
        }
        return this.#words.texts;
    }

    #showHeat(rows) {
        const column = this.#store.endpoints.columns[this.#heat];
        const known = HEATS[this.#heat].most;
        const most = known ?? rows.reduce((greatest, at) => Math.max(greatest, column[at]), 1);
        setText(this.#scale.lastChild, heatText(this.#heat, most));
        this.#map.show(rows, (at) => column[at], most);
    }

    #describe(at) {
        const { facts, columns } = this.#store.endpoints;
        if (!facts[at]) return "";
        const { title } = HEATS[this.#heat];
        const value = heatText(this.#heat, columns[this.#heat][at]);
        return `${facts[at].name}: ${title} ${value}, ${STATE_WORDS[columns.state[at]].toLowerCase()}`;
    }

    #showCounts(shown) {
        const { endpoints, hello } = this.#store;
        const of = new Array(STATES.length).fill(0);
        for (const at of endpoints.positions()) of[endpoints.columns.state[at]] += 1;
        setOptions(this.#pools, [["", "All pools"], ...hello.pools.map((pool, index) => [String(index), pool.name])]);
        mark(this.#pools, "hidden", hello.pools.length < 2);
        this.#pools.value = this.#filter.pool;
        if (this.#states.childElementCount === 0) {
            const button = (value, title) =>
                make(
                    "button",
                    { type: "button", "data-state": value, click: () => this.#filterBy({ state: value }) },
                    title,
                    make("b"),
                );
            this.#states.append(
                button("", "All"),
                ...STATES.map((_, index) => button(String(index), STATE_WORDS[index])),
            );
        }
        for (const button of this.#states.children) {
            const number = button.dataset.state === "" ? endpoints.count : of[button.dataset.state];
            setText(button.lastChild, count(number));
            mark(button, "aria-pressed", button.dataset.state === this.#filter.state ? "true" : "false");
            mark(
                button,
                "hidden",
                number === 0 && button.dataset.state !== this.#filter.state && button.dataset.state !== "",
            );
        }
        setText(
            this.#summary,
            shown === endpoints.count
                ? counted(shown, "endpoint")
                : `${count(shown)} of ${counted(endpoints.count, "endpoint")}`,
        );
    }
}

/** The view. */
export function createEndpoints(context) {
    return new EndpointsView(context);
}
