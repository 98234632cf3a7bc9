// The queues of flow control: the bands of each pool by priority, and the flows that fill them.

import { fill, make, mark, setText } from "./dom.js";
import { bytes, count, counted, share } from "./format.js";
import { nextFrame } from "./frame.js";

/** The view. */
export function createQueues({ store }) {
    const node = make("div.view.queues");
    const cards = new Map();

    function update() {
        nextFrame("queues", () => {
            const pools = store.tick.pools.map((pool, index) => [index, store.hello.pools[index].name, pool]);
            const queued = pools.filter(([, , pool]) => pool.queue);
            mark(node, "data-empty", queued.length === 0);
            if (queued.length === 0) return showNone(node, cards);
            if (cards.size === 0) fill(node);
            for (const [index, name, pool] of queued) {
                if (!cards.has(index)) {
                    cards.set(index, new PoolCard());
                    node.append(cards.get(index).node);
                }
                cards.get(index).show(name, pool);
            }
            return undefined;
        });
    }
    return { title: "Queues", node, update, show: () => store.tick && update() };
}

function showNone(node, cards) {
    cards.clear();
    if (node.firstChild?.className === "card placeholder") return;
    fill(
        node,
        make(
            "section.card.placeholder",
            make("h2", "No pool has a queue"),
            make(
                "p",
                "With flow control, requests wait here by priority and tenant while the model servers are full, " +
                    "instead of in the servers' own queues. The gate ",
                make("code", "flowControl"),
                " of the endpoint picker's configuration turns it on.",
            ),
        ),
    );
}

class PoolCard {
    #title = make("h2");
    #facts = make("p.summary");
    #saturation = make("i");
    #bands = make("div.bands");
    #none = make("p.empty", "Nothing waits.");

    constructor() {
        this.node = make(
            "section.card",
            make("header.line", this.#title, this.#facts),
            make("div.meter.wide", { role: "img" }, this.#saturation),
            this.#bands,
            this.#none,
        );
    }

    show(name, pool) {
        const { queue, saturation } = pool;
        setText(this.#title, name);
        const limit = queue.max_requests ? ` of ${count(queue.max_requests)}` : "";
        setText(
            this.#facts,
            `${count(queue.requests)}${limit} waiting, ${bytes(queue.bytes)}, ` +
                `${counted(queue.running, "request")} running, saturation ${share(saturation)}`,
        );
        const tone = saturation >= 1 ? "bad" : saturation >= 0.8 ? "warn" : "good";
        this.#saturation.style.inlineSize = `${Math.min(1, saturation ?? 0) * 100}%`;
        mark(this.#saturation, "data-tone", tone);
        mark(this.#saturation.parentNode, "aria-label", `Saturation ${share(saturation)}`);
        this.#none.hidden = queue.bands.length > 0;
        while (this.#bands.children.length > queue.bands.length) this.#bands.lastChild.remove();
        queue.bands.forEach((band, index) => {
            if (!this.#bands.children[index]) this.#bands.append(bandNode());
            showBand(this.#bands.children[index], band);
        });
    }
}

function bandNode() {
    return make(
        "section.band",
        make("header.line", make("h3"), make("p.summary")),
        make("div.meter.wide", make("i", { "data-tone": "accent" })),
        make("table.bars", { "aria-label": "Flows" }, make("tbody")),
        make("p.summary", { hidden: true }),
    );
}

function showBand(node, band) {
    const [head, meter, table, more] = node.children;
    setText(head.firstChild, `Priority ${band.priority}`);
    const limit = band.max_requests ? ` of ${count(band.max_requests)}` : "";
    setText(head.lastChild, `${count(band.requests)}${limit} waiting, ${bytes(band.bytes)}`);
    meter.hidden = !band.max_requests;
    if (band.max_requests)
        meter.firstChild.style.inlineSize = `${Math.min(1, band.requests / band.max_requests) * 100}%`;
    const body = table.firstChild;
    const most = band.flows.reduce((greatest, flow) => Math.max(greatest, flow.waiting + flow.running), 1);
    while (body.rows.length > band.flows.length) body.lastChild.remove();
    while (body.rows.length < band.flows.length) {
        body.append(
            make(
                "tr",
                make("th", { scope: "row" }),
                make("td.bar.stacked", make("i", { "data-tone": "amber" }), make("i", { "data-tone": "green" })),
                make("td.number"),
                make("td.number.muted"),
            ),
        );
    }
    band.flows.forEach((flow, index) => {
        const [name, bar, waiting, running] = body.rows[index].cells;
        setText(name, flow.fairness_id || "default");
        bar.children[0].style.inlineSize = `${(flow.waiting / most) * 100}%`;
        bar.children[1].style.inlineSize = `${(flow.running / most) * 100}%`;
        setText(waiting, `${count(flow.waiting)} waiting`);
        setText(running, `${count(flow.running)} running`);
    });
    more.hidden = !band.more_flows;
    if (band.more_flows) setText(more, `and ${counted(band.more_flows, "smaller flow")}`);
}
