// A decision as a table: every endpoint and every step, who was removed by what, each score as a bar, and the pick.

import { fill, make, mark } from "./dom.js";
import { count, counted, duration, words } from "./format.js";

/** How many rows are shown at first. */
const FIRST_ROWS = 50;

const stripped = (endpoint) => endpoint.replace(/^default\//, "");
const micro = (microseconds) => duration(microseconds / 1e6);
const score = (value) => value.toFixed(3);

/** The decision, under a title. */
export function decisionNode(decision, title) {
    const picked = decision.picked ?? [];
    const facts = [
        `${count(decision.endpoints.length)} candidates`,
        `decided in ${micro(decision.microseconds)}`,
        `about ${counted(decision.input_tokens, "prompt token")}`,
        decision.queue_seconds ? `waited ${duration(decision.queue_seconds)}` : null,
        decision.tried?.length ? `tried before: ${decision.tried.map(stripped).join(", ")}` : null,
    ].filter(Boolean);
    return [
        make("header.line", make("h2", title), make("p.summary", facts.join(" · "))),
        make("p.pick", { "data-picked": picked[0] ?? "" }, because(decision)),
        decision.refused && make("p.notice", { "data-tone": "bad" }, `${words(decision.refused)}: ${decision.message}`),
        decision.profiles.length !== 1 && pipeline(decision.steps),
        decision.profiles.map((profile) => profileNode(decision, profile)),
        faults(decision),
    ];
}

/** Why the pick is the pick, in one sentence: what put it ahead of the next one. */
function because(decision) {
    const pick = decision.picked?.[0];
    if (!pick) return "No endpoint was picked.";
    const profile = [...decision.profiles].reverse().find((run) => run.picked.includes(pick));
    const name = make("strong", stripped(pick));
    if (!profile || profile.scored.length === 0) return ["Picked ", name, "."];
    if (profile.scored.length === 1) return ["Picked ", name, ": the only one that the filters left."];
    const own = profile.scored.indexOf(pick);
    const others = profile.scored.map((_, place) => place).filter((place) => place !== own);
    const rival = others.reduce(
        (best, place) => (profile.totals[place] > profile.totals[best] ? place : best),
        others[0],
    );
    const ahead = profile.totals[own] - profile.totals[rival];
    const rivalName = stripped(profile.scored[rival]);
    if (Math.abs(ahead) < 0.0005)
        return ["Picked ", name, `: its total of ${score(profile.totals[own])} is as high as that of ${rivalName}.`];
    if (ahead < 0) return ["Picked ", name, ` by chance among good ones: ${rivalName} has a higher total.`];
    const gains = profile.steps
        .filter((step) => step.stage === "scorer")
        .map((step) => [step.plugin, step.weight * (step.scores[own] - step.scores[rival])])
        .sort((left, right) => right[1] - left[1]);
    const most = gains[0]?.[1] > 0 ? `, thanks to ${gains[0][0]} (+${score(gains[0][1])})` : "";
    return [
        "Picked ",
        name,
        `: its total of ${score(profile.totals[own])} is ${score(ahead)} ahead of ${rivalName}${most}.`,
    ];
}

/** The steps in their order, as a row of chips. Scorers are columns of the table instead. */
function pipeline(steps) {
    return make(
        "ol.pipeline",
        steps
            .filter((step) => step.stage !== "scorer")
            .map((step) => {
                const removed = step.removed?.length ?? 0;
                return make(
                    "li",
                    { "data-stage": step.stage },
                    make("span.stage", step.stage),
                    make("b", step.plugin),
                    removed > 0 && make("span.removed", `removed ${count(removed)}`),
                    make("span.muted", micro(step.microseconds)),
                    step.rule && make("span.rule", step.rule),
                );
            }),
    );
}

function profileNode(decision, profile) {
    return make(
        "div.profile",
        decision.profiles.length > 1 && make("h3", `Profile ${profile.profile}`),
        pipeline(decision.profiles.length > 1 ? profile.steps : [...decision.steps, ...profile.steps]),
        new DecisionTable(decision, profile).node,
    );
}

class DecisionTable {
    #decision;
    #profile;
    #scorers;
    #rows;
    #most;
    #columns;
    #sorted = "total";
    #descending = true;
    #shown = FIRST_ROWS;
    #body = make("tbody");
    #more = make("button.quiet.more", { type: "button", click: () => this.#showAll() });

    constructor(decision, profile) {
        this.#decision = decision;
        this.#profile = profile;
        this.#scorers = profile.steps.filter((step) => step.stage === "scorer");
        this.#rows = this.#makeRows();
        const weights = this.#scorers.reduce((total, step) => total + Math.max(0, step.weight), 0);
        this.#most = Math.max(weights, ...profile.totals, 0.001);
        this.#columns = this.#makeColumns();
        const heads = this.#columns.map((column) =>
            make(
                column.number ? "th.number" : "th",
                { scope: "col", "data-key": column.key },
                make(
                    "button",
                    { type: "button", click: () => this.#sortBy(column.key) },
                    make("span", column.title),
                    column.note && make("small", column.note),
                ),
            ),
        );
        this.node = make(
            "div.decision-frame",
            make(
                "div.scroll-x.decision-scroll",
                { tabindex: 0, role: "region", "aria-label": "Endpoints and their scores" },
                make("table.decision", make("thead", make("tr", heads)), this.#body),
            ),
            this.#more,
        );
        this.#show();
    }

    #makeRows() {
        const removals = new Map();
        for (const step of [...this.#decision.steps, ...this.#profile.steps]) {
            for (const endpoint of step.removed ?? []) if (!removals.has(endpoint)) removals.set(endpoint, step);
        }
        const places = new Map(this.#profile.scored.map((endpoint, place) => [endpoint, place]));
        return this.#decision.endpoints.map((endpoint) => {
            const place = places.get(endpoint.endpoint) ?? -1;
            return {
                endpoint,
                place,
                removal: removals.get(endpoint.endpoint) ?? null,
                isPicked: this.#profile.picked.includes(endpoint.endpoint),
                total: place < 0 ? null : this.#profile.totals[place],
                scores: this.#scorers.map((step) => (place < 0 ? null : step.scores[place])),
            };
        });
    }

    #makeColumns() {
        const engine = (key, title, value, text) => ({
            key,
            title,
            number: true,
            value: (row) => value(row.endpoint),
            text: (row) => text(row.endpoint),
        });
        return [
            { key: "endpoint", title: "Endpoint", value: (row) => row.endpoint.endpoint },
            engine(
                "waiting",
                "Queue",
                (one) => one.waiting,
                (one) => count(one.waiting),
            ),
            engine(
                "running",
                "Running",
                (one) => one.running,
                (one) => count(one.running),
            ),
            engine(
                "kv",
                "KV",
                (one) => one.kv_cache_usage,
                (one) => `${Math.round(one.kv_cache_usage * 100)} %`,
            ),
            engine(
                "age",
                "Age",
                (one) => one.metrics_age_seconds ?? 1e9,
                (one) => (one.metrics_age_seconds === null ? "never" : duration(one.metrics_age_seconds)),
            ),
            ...this.#scorers.map((step, index) => ({
                key: `score-${index}`,
                title: step.plugin,
                note: `×${step.weight} · ${micro(step.microseconds)}`,
                value: (row) => row.scores[index] ?? -1,
                score: (row) => row.scores[index],
            })),
            {
                key: "total",
                title: "Total",
                note: `of ${Number(this.#most.toFixed(2))}`,
                value: (row) => row.total ?? -1e9,
            },
        ];
    }

    #sortBy(key) {
        this.#descending = this.#sorted === key ? !this.#descending : key !== "endpoint";
        this.#sorted = key;
        this.#show();
    }

    #showAll() {
        this.#shown = Infinity;
        this.#show();
        this.#body.rows[FIRST_ROWS]?.querySelector("th").focus();
    }

    #show() {
        const { value } = this.#columns.find((column) => column.key === this.#sorted);
        const sign = this.#descending ? -1 : 1;
        const rows = [...this.#rows].sort((left, right) => {
            // What a filter removed stands below what was scored, however it is sorted; the pick wins a tie.
            if (left.place < 0 !== right.place < 0) return left.place < 0 ? 1 : -1;
            const a = value(left);
            const b = value(right);
            if (a !== b) return a < b ? -sign : sign;
            return right.isPicked - left.isPicked || left.place - right.place;
        });
        for (const head of this.node.querySelectorAll("th[data-key]")) {
            mark(
                head,
                "aria-sort",
                head.dataset.key !== this.#sorted ? null : this.#descending ? "descending" : "ascending",
            );
        }
        fill(
            this.#body,
            rows.slice(0, this.#shown).map((row) => this.#row(row)),
        );
        this.#more.hidden = rows.length <= this.#shown;
        this.#more.textContent = `Show all ${count(rows.length)} endpoints`;
    }

    #row(row) {
        const { endpoint } = row;
        const head = make(
            "th",
            { scope: "row", tabindex: -1, title: endpoint.address },
            row.isPicked && make("span.picked-mark", "Picked"),
            stripped(endpoint.endpoint),
        );
        const cells = this.#columns.slice(1, 5).map((column) => make("td.number", column.text(row)));
        if (row.place < 0) {
            const { removal } = row;
            const why = removal
                ? ["removed by ", make("b", removal.plugin), removal.rule && `: ${removal.rule}`]
                : "not scored";
            return make("tr.removed-row", head, cells, make("td", { colspan: this.#scorers.length + 1 }, why));
        }
        const scores = row.scores.map((value, index) =>
            make("td.score", make("span", score(value)), bar([[value, `series-${index % 6}`]], 1)),
        );
        const parts = this.#scorers.map((step, index) => [
            Math.max(0, step.weight * row.scores[index]),
            `series-${index % 6}`,
        ]);
        const node = make(
            "tr",
            head,
            cells,
            scores,
            make("td.score.total", make("span", score(row.total)), bar(parts, this.#most)),
        );
        if (row.isPicked) node.classList.add("picked");
        return node;
    }
}

/** A bar of parts, on a scale that ends at `most`. */
function bar(parts, most) {
    return make(
        "div.meter",
        parts.map(([value, tone]) => {
            const part = make("i", { "data-tone": tone });
            part.style.inlineSize = `${Math.min(1, Math.max(0, value / most)) * 100}%`;
            return part;
        }),
    );
}

/** What was wrong with metrics, of candidates and of others. */
function faults(decision) {
    const lists = [...decision.endpoints, ...(decision.other_endpoints ?? [])].filter(
        (endpoint) => endpoint.scrape_faults?.length > 0,
    );
    if (lists.length === 0) return null;
    return make(
        "details.faults",
        make("summary", `${counted(lists.length, "endpoint")} with faults in the metrics`),
        make(
            "ul",
            lists.map((endpoint) =>
                make(
                    "li",
                    make("b", stripped(endpoint.endpoint)),
                    ": ",
                    endpoint.scrape_faults.map((fault) => `${fault.field} ${words(fault.reason)}`).join(", "),
                ),
            ),
        ),
    );
}
