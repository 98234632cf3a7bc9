// Routes: from a listener over a match to pools, and the shares of model rewrites, configured and observed.

import { actWithToken, askForWeight, confirm, say } from "./dialogs.js";
import { fill, make, mark, setText } from "./dom.js";
import { count, share } from "./format.js";
import { nextFrame } from "./frame.js";
import { address } from "./router.js";

/** The view. */
export function createRoutes({ store }) {
    const routes = make("tbody");
    const rewrites = make("div.rewrites");
    const listeners = make("p.summary");
    const none = make("p.empty", "This program has no routes of its own: the proxy before it chooses the pool.");
    const table = make(
        "div.scroll-x",
        { tabindex: 0, role: "region", "aria-label": "Routes" },
        make(
            "table.routes",
            make(
                "thead",
                make(
                    "tr",
                    ["Listener", "Host", "Match", "Pools"].map((title) => make("th", { scope: "col" }, title)),
                ),
            ),
            routes,
        ),
    );
    const node = make(
        "div.view",
        make("section.card", make("header.line", make("h2", "Routes"), listeners), table, none),
        rewrites,
    );
    let shown = "";

    function showFacts() {
        const { hello } = store;
        const text = JSON.stringify([
            hello.routes,
            hello.listeners,
            hello.actions,
            hello.pools.map((pool) => [pool.name, pool.rewrites]),
        ]);
        if (text === shown) return;
        shown = text;
        setText(listeners, hello.listeners.join(", "));
        none.hidden = hello.routes.length > 0;
        table.hidden = hello.routes.length === 0;
        fill(
            routes,
            hello.routes.map((route) =>
                make(
                    "tr",
                    make("td", route.listener),
                    make("td", route.host),
                    make("td", match(route)),
                    make("td", backends(route.backends, hello)),
                ),
            ),
        );
        fill(
            rewrites,
            hello.pools.flatMap((pool) => pool.rewrites.map((rewrite) => rewriteCard(pool, rewrite, hello.actions))),
        );
        if (rewrites.childElementCount === 0)
            fill(
                rewrites,
                make(
                    "section.card.placeholder",
                    make("h2", "No model is rewritten"),
                    make("p", "An InferenceModelRewrite sends shares of a model's requests to others. It shows here."),
                ),
            );
    }

    function update() {
        nextFrame("routes", () => {
            showFacts();
            const observed = {};
            for (const pool of store.tick.pools) Object.assign(observed, pool.targets);
            for (const card of rewrites.querySelectorAll("[data-rewrite]")) showShares(card, observed);
        });
    }
    return { title: "Routes", node, update, show: () => store.tick && update() };
}

function match(route) {
    const kind = { prefix: "", exact: " exactly", regex: " by expression" }[route.path_kind] ?? "";
    return [
        route.method && make("span.chip", route.method),
        make("code", route.path),
        kind,
        route.headers.map((header) => make("span.chip", `${header.name}: ${header.value}`)),
    ];
}

function backends(list, hello) {
    const all = list.reduce((total, backend) => total + backend.weight, 0);
    return make(
        "div.backends",
        list.map((backend) => {
            const index = hello.pools.findIndex(
                (pool) => pool.name === backend.pool && pool.namespace === backend.namespace,
            );
            const name =
                index < 0 ? backend.pool : make("a", { href: `${address("endpoints")}?pool=${index}` }, backend.pool);
            const bar = make("i", { "data-tone": "accent" });
            bar.style.inlineSize = `${all ? (backend.weight / all) * 100 : 0}%`;
            return make(
                "div",
                name,
                make("div.meter", bar),
                make("span.number", all ? share(backend.weight / all) : "never"),
            );
        }),
    );
}

function rewriteCard(pool, rewrite, actions) {
    const all = rewrite.targets.reduce((total, target) => total + target.weight, 0);
    const models = rewrite.models.length ? rewrite.models.join(", ") : "every model";
    const sticky = rewrite.sticky_header ? `, kept by the header ${rewrite.sticky_header}` : "";
    const rows = rewrite.targets.map((target) => {
        const configured = make("i", { "data-tone": "accent" });
        configured.style.inlineSize = `${all ? (target.weight / all) * 100 : 0}%`;
        const edit =
            actions &&
            make(
                "button.quiet",
                {
                    type: "button",
                    "aria-label": `Change the weight of ${target.model}`,
                    click: () => changeWeight(pool, rewrite, target),
                },
                "Change",
            );
        return make(
            "tr",
            { "data-target": `${rewrite.name}/${target.model}` },
            make("th", { scope: "row" }, target.model),
            make("td.number", count(target.weight)),
            make("td.share", make("span", all ? share(target.weight / all) : "–"), make("div.meter", configured)),
            make("td.share.observed", make("span"), make("div.meter", make("i", { "data-tone": "green" }))),
            make("td.number.requests"),
            actions && make("td", edit),
        );
    });
    const titles = ["Target", "Weight", "Configured", "Observed", "Requests", ...(actions ? ["Rollout"] : [])];
    const head = titles.map((title) =>
        make(title === "Weight" || title === "Requests" ? "th.number" : "th", { scope: "col" }, title),
    );
    return make(
        "section.card",
        { "data-rewrite": rewrite.name },
        make("header.line", make("h2", rewrite.name), make("p.summary", `${models} in ${pool.name}${sticky}`)),
        make(
            "div.scroll-x",
            { tabindex: 0, role: "region", "aria-label": `Targets of ${rewrite.name}` },
            make("table", make("thead", make("tr", head)), make("tbody", rows)),
        ),
    );
}

function showShares(card, observed) {
    const rows = [...card.querySelectorAll("[data-target]")];
    const counts = rows.map((row) => observed[row.dataset.target] ?? 0);
    const all = counts.reduce((total, number) => total + number, 0);
    rows.forEach((row, index) => {
        const part = all ? counts[index] / all : null;
        const cell = row.querySelector(".observed");
        setText(cell.firstChild, share(part));
        cell.lastChild.firstChild.style.inlineSize = `${(part ?? 0) * 100}%`;
        setText(row.querySelector(".requests"), count(counts[index]));
        mark(row, "data-requests", counts[index]);
    });
}

async function changeWeight(pool, rewrite, target) {
    const weight = await askForWeight(rewrite, target);
    if (weight === null || weight === target.weight) return;
    const question =
        `${target.model} gets the weight ${weight} instead of ${target.weight}. ` +
        "The configuration file is changed, and loaded anew.";
    if (!(await confirm(`Change the rollout of ${rewrite.name}?`, question, "Change"))) return;
    try {
        const body = { rewrite: rewrite.name, namespace: pool.namespace, target: target.model, weight };
        if (await actWithToken("api/rewrites/weight", body)) say(`${target.model} has the weight ${weight}.`, "good");
    } catch (error) {
        say(error.message, "bad");
    }
}
