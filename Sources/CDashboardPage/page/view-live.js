// The first view: what the gateway does right now, and did in the last five minutes.

import { ChartGroup, LineChart, Sparkline, firstShown } from "./chart.js";
import { fill, make, mark, setText } from "./dom.js";
import { count, counted, duration, durationParts, known, outcomeTone, share, short, titled } from "./format.js";
import { nextFrame } from "./frame.js";
import { onTheme } from "./palette.js";
import { address } from "./router.js";

/** A value and its unit, for a tile. */
const plain = (value, unit = "") => [short(value), unit];

const TILES = [
    {
        key: "requests",
        title: "Requests",
        lines: ["requests"],
        value: ({ global }) => plain(global.requests, "/s"),
        note: ({ totals }) => `${count(totals.requests)} since start`,
    },
    {
        key: "in-flight",
        title: "In flight",
        lines: ["in_flight"],
        value: ({ global }) => plain(global.in_flight),
        note: ({ pools }) => `over ${counted(sum(pools, "available"), "endpoint")}`,
    },
    {
        key: "waiting",
        title: "Waiting",
        lines: ["waiting"],
        colours: ["amber"],
        value: ({ global }) => plain(global.waiting),
        note: ({ pools }) => (pools.some((pool) => pool.queue) ? "for a turn, in the gateway" : "no flow control"),
    },
    {
        key: "ttft",
        title: "Time to first token",
        lines: ["ttft_p50", "ttft_p99"],
        value: ({ global }) => durationParts(global.ttft?.p50),
        note: ({ global }) => `p99 ${duration(global.ttft?.p99)}`,
    },
    {
        key: "itl",
        title: "Between tokens",
        lines: ["itl_p50", "itl_p99"],
        value: ({ global }) => durationParts(global.itl?.p50),
        note: ({ global }) => `p99 ${duration(global.itl?.p99)}`,
    },
    {
        key: "errors",
        title: "Errors",
        lines: ["errors"],
        colours: ["red"],
        value: ({ global }) => plain(global.errors, "/s"),
        note: ({ totals }) => `${count(totals.errors)} since start`,
    },
    {
        key: "output",
        title: "Output tokens",
        lines: ["output_tokens"],
        colours: ["green"],
        value: ({ global }) => plain(global.output_tokens, "/s"),
        note: ({ global }) => `${short(global.prompt_tokens)} /s in prompts`,
    },
    {
        key: "cache",
        title: "Prefix cache hits",
        lines: ["cache_hit"],
        colours: ["violet"],
        most: 1,
        value: ({ global }) => (known(global.cache_hit) ? [(global.cache_hit * 100).toFixed(0), "%"] : ["–", ""]),
        note: () => "of prompt tokens",
    },
    {
        key: "decision",
        title: "Decision",
        lines: ["decision_p50", "decision_p99"],
        value: ({ global }) => durationParts(micro(global.decision_us?.p50)),
        note: ({ global }) => `p99 ${duration(micro(global.decision_us?.p99))}`,
    },
    {
        key: "cpu",
        title: "CPU",
        lines: ["cpu"],
        colours: ["violet"],
        value: ({ global }) => [known(global.cpu) ? global.cpu.toFixed(2) : "–", "cores"],
        note: ({ uptime }) => `up ${duration(uptime)}`,
    },
];

const micro = (value) => (known(value) ? value / 1e6 : null);
const sum = (rows, key) => rows.reduce((total, row) => total + row[key], 0);

class Tile {
    #facts;
    #number = make("b");
    #unit = make("span.unit");
    #note = make("div.note");
    #spark;

    constructor(facts) {
        this.#facts = facts;
        this.#spark = new Sparkline(facts.most ?? null);
        const value = make("div.value", this.#number, this.#unit);
        this.node = make(
            "section.tile",
            { "data-key": facts.key },
            make("h2", facts.title),
            value,
            this.#note,
            this.#spark.node,
        );
    }

    show(store) {
        const [number, unit] = this.#facts.value(store.tick);
        setText(this.#number, number);
        setText(this.#unit, unit);
        setText(this.#note, this.#facts.note(store.tick));
        const colours = this.#facts.colours ?? ["accent", "amber"];
        this.#spark.show(
            this.#facts.lines.map((name, index) => ({ values: store.history.series[name], colour: colours[index] })),
            firstShown(store.history.times),
        );
    }
}

/** The view. */
export function createLive({ store }) {
    const tiles = TILES.map((facts) => new Tile(facts));
    const group = new ChartGroup();
    const charts = [
        new LineChart(
            group,
            "Requests per second",
            [
                { name: "requests", series: "requests", colour: "accent" },
                { name: "errors", series: "errors", colour: "red" },
            ],
            short,
        ),
        new LineChart(
            group,
            "Time to first token",
            [
                { name: "p50", series: "ttft_p50", colour: "accent" },
                { name: "p99", series: "ttft_p99", colour: "amber" },
            ],
            duration,
        ),
        new LineChart(
            group,
            "In flight and waiting",
            [
                { name: "in flight", series: "in_flight", colour: "accent" },
                { name: "waiting", series: "waiting", colour: "amber" },
            ],
            short,
        ),
        new LineChart(
            group,
            "Tokens per second",
            [
                { name: "output", series: "output_tokens", colour: "green" },
                { name: "prompt", series: "prompt_tokens", colour: "violet" },
            ],
            short,
        ),
    ];
    const outcomes = make("tbody");
    const pools = make("tbody");
    const start = make("section.card.hello", { hidden: true });
    const node = make(
        "div.view.live",
        start,
        make(
            "div.tiles",
            tiles.map((tile) => tile.node),
        ),
        make(
            "div.charts",
            charts.map((chart) => chart.node),
        ),
        make(
            "div.columns",
            make(
                "section.card",
                make("h2", "Pools"),
                make(
                    "div.scroll-x",
                    { tabindex: 0, role: "region", "aria-label": "Pools" },
                    make(
                        "table",
                        make(
                            "thead",
                            make(
                                "tr",
                                ["Pool", "Models", "Endpoints", "In flight", "Waiting", "Saturation"].map(
                                    (title, index) => make(index > 1 ? "th.number" : "th", { scope: "col" }, title),
                                ),
                            ),
                        ),
                        pools,
                    ),
                ),
            ),
            make(
                "section.card",
                make("h2", "Outcomes since start"),
                make("table.bars", { "aria-label": "Outcomes since start" }, outcomes),
                make("p.empty", "No request has ended yet."),
            ),
        ),
    );

    function update() {
        tiles.forEach((tile, index) => nextFrame(`tile ${index}`, () => tile.show(store)));
        charts.forEach((chart, index) => nextFrame(`chart ${index}`, () => chart.show(store.history)));
        nextFrame("outcomes", () => showOutcomes(outcomes, store.tick.outcomes));
        nextFrame("pools", () => showPools(pools, store));
        nextFrame("start", () => showStart(start, store));
    }
    onTheme(() => store.tick && !node.hidden && update());
    return { title: "Live", node, update, show: () => store.tick && update() };
}

/** Rows of a body as the `rows` say, reusing what is there. `write` fills the cells of a row. */
function eachRow(body, rows, cells, write) {
    while (body.rows.length > rows.length) body.lastChild.remove();
    while (body.rows.length < rows.length) body.append(make("tr", cells()));
    rows.forEach((row, index) => write(body.rows[index].cells, row));
}

function showOutcomes(body, outcomes) {
    const rows = Object.entries(outcomes)
        .filter(([, number]) => number > 0)
        .sort((left, right) => right[1] - left[1]);
    const all = rows.reduce((total, [, number]) => total + number, 0);
    const cells = () => [
        make("th", { scope: "row" }),
        make("td.bar", make("i")),
        make("td.number"),
        make("td.number.muted"),
    ];
    eachRow(body, rows, cells, ([name, bar, number, part], [outcome, times]) => {
        setText(name, titled(outcome));
        mark(name, "data-outcome", outcome);
        mark(bar.firstChild, "data-tone", outcomeTone(outcome));
        bar.firstChild.style.inlineSize = `${Math.max(0.5, (times / all) * 100)}%`;
        setText(number, count(times));
        setText(part, share(times / all));
    });
    body.parentNode.nextSibling.hidden = rows.length > 0;
}

function showPools(body, store) {
    const running = new Array(store.hello.pools.length).fill(0);
    const total = new Array(store.hello.pools.length).fill(0);
    const { facts, columns } = store.endpoints;
    for (const at of store.endpoints.positions()) {
        running[facts[at].pool] += columns.in_flight[at];
        total[facts[at].pool] += 1;
    }
    const cells = () => [
        make("th", { scope: "row" }, make("a")),
        make("td.models"),
        make("td.number"),
        make("td.number"),
        make("td.number"),
        make("td.saturation", make("span"), make("div.meter", make("i"))),
    ];
    eachRow(
        body,
        store.tick.pools.map((pool, index) => [pool, store.hello.pools[index], index]),
        cells,
        (row, [pool, told, index]) => {
            const link = row[0].firstChild;
            setText(link, told.name);
            mark(link, "href", `${address("endpoints")}?pool=${index}`);
            setText(row[1], told.models.join(", ") || "none yet");
            setText(row[2], `${count(pool.available)} of ${count(total[index])}`);
            mark(row[2], "data-tone", pool.available === 0 ? "bad" : pool.available < total[index] ? "warn" : null);
            setText(row[3], count(running[index]));
            setText(row[4], pool.queue ? count(pool.queue.requests) : "–");
            const [text, meter] = row[5].children;
            setText(text, share(pool.saturation));
            meter.firstChild.style.inlineSize = `${Math.min(1, pool.saturation ?? 0) * 100}%`;
            mark(
                meter.firstChild,
                "data-tone",
                pool.saturation >= 1 ? "bad" : pool.saturation >= 0.8 ? "warn" : "good",
            );
        },
    );
}

/** A line to try, until the first request has come. */
function showStart(card, store) {
    const isNew = store.tick.totals.requests === 0 && store.tick.global.in_flight === 0;
    const listener = store.hello.listeners[0];
    mark(card, "hidden", !isNew);
    if (!isNew || card.dataset.listener === String(listener)) return;
    card.dataset.listener = String(listener);
    const model = store.hello.pools.flatMap((pool) => pool.models)[0] ?? "MODEL";
    const body = JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }] });
    fill(
        card,
        make("h2", "No request yet"),
        make("p", listener ? "Send one, and watch it here:" : "Send one through your proxy, and watch it here."),
        listener &&
            make(
                "pre",
                { tabindex: 0 },
                `curl ${listener}/v1/chat/completions -H 'content-type: application/json' -d '${body}'`,
            ),
        store.hello.playground &&
            make("p", "Or use the ", make("a", { href: address("playground") }, "playground"), "."),
    );
}
