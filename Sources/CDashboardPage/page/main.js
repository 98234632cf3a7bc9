// Joins the parts: the feed fills the store, the address chooses the view, and the view is drawn while it is seen.

import { setReadingToken } from "./access.js";
import { showKeys } from "./dialogs.js";
import { mark, setText } from "./dom.js";
import { Feed } from "./feed.js";
import { clock, counted, duration } from "./format.js";
import { startKeys } from "./keys.js";
import { onTheme, shownTheme, startTheme, toggleTheme } from "./palette.js";
import { place } from "./router.js";
import { Store } from "./store.js";
import { createEndpoints } from "./view-endpoints.js";
import { createLive } from "./view-live.js";
import { createPlayground } from "./view-playground.js";
import { createQueues } from "./view-queues.js";
import { createRequests } from "./view-requests.js";
import { createRoutes } from "./view-routes.js";

const VIEWS = {
    live: createLive,
    endpoints: createEndpoints,
    requests: createRequests,
    routes: createRoutes,
    queues: createQueues,
    playground: createPlayground,
};

const store = new Store();
const feed = new Feed(store);
const views = new Map();
const element = (id) => document.getElementById(id);
let shown = null;

function showPlace() {
    const where = place();
    const name = VIEWS[where.parts[0]] ? where.parts[0] : "live";
    if (!views.has(name)) views.set(name, VIEWS[name]({ store }));
    const view = views.get(name);
    if (shown !== view) {
        shown?.hide?.();
        if (shown) shown.node.remove();
        shown = view;
        element("view").append(view.node);
        scrollTo(0, 0);
    }
    for (const link of document.querySelectorAll("nav a"))
        mark(link, "aria-current", link.dataset.view === name ? "page" : null);
    view.show(where);
    document.title = `${view.documentTitle ?? view.title} · Martlet`;
    setText(element("title"), view.title);
}

/** Draws what a tick brought, and says how the gateway is. */
function showTick() {
    shown.update();
    const { tick, hello } = store;
    setText(element("uptime"), `up ${duration(tick.uptime)}`);
    setText(element("version"), `martlet ${hello.version}`);
    const problem = tick.draining
        ? "This gateway is draining: it ends its requests and takes no new connections."
        : tick.obstacle
          ? tick.obstacle
          : tick.ready
            ? ""
            : "This gateway is not ready.";
    setText(element("obstacle"), problem);
    element("obstacle").hidden = problem === "";
}

function showPhase() {
    const { phase, reason } = store;
    document.documentElement.dataset.phase = phase;
    const words = {
        loading: "Connecting",
        live: "Live",
        lost: "Not connected",
        refused: "Token needed",
        absent: "No live feed",
    };
    setText(element("status"), words[phase]);
    element("lost").hidden = phase !== "lost" && phase !== "absent";
    element("loading").hidden = phase !== "loading";
    element("refused").hidden = phase !== "refused";
    setText(element("refused-reason"), reason);
    if (phase === "refused" && !store.tick) element("token").focus();
    showAge();
}

/** While nothing comes: how old what is shown is, and when the next try is. */
function showAge() {
    if (store.phase !== "lost" && store.phase !== "absent") return;
    const wait = feed.nextTryAt ? Math.ceil((feed.nextTryAt - performance.now()) / 1000) : 0;
    const next = wait > 0 ? ` Trying again in ${counted(wait, "second")}.` : " Trying again.";
    const age = store.tick ? ` What is shown is of ${clock(store.tick.t)}.` : "";
    const absent =
        store.phase === "absent"
            ? "This program has no live feed: it may be started with --dashboard=false."
            : store.reason;
    setText(element("lost-reason"), absent + age + next);
}

function startHead() {
    const theme = element("theme");
    const tell = () => mark(theme, "aria-label", shownTheme() === "dark" ? "Light theme" : "Dark theme");
    theme.addEventListener("click", toggleTheme);
    onTheme(tell);
    tell();
    element("keys").addEventListener("click", showKeys);
    element("retry").addEventListener("click", () => feed.retry());
    element("skip").addEventListener("click", (event) => {
        event.preventDefault();
        element("view").focus();
    });
    element("token-form").addEventListener("submit", (event) => {
        event.preventDefault();
        setReadingToken(element("token").value.trim());
    });
}

startTheme();
startHead();
startKeys(() => shown);
store.on("tick", showTick);
store.on("hello", () => shown.show(place()));
store.on("phase", showPhase);
setInterval(() => !document.hidden && showAge(), 1000);
addEventListener("hashchange", showPlace);
document.addEventListener("visibilitychange", () => (document.hidden ? shown.hide?.() : shown.show(place())));
showPlace();
showPhase();
feed.start();
