// What the page knows: the last `hello`, the last tick, the numbers of each endpoint, and five minutes of history.

/** How many seconds of history are kept. */
export const SECONDS = 300;

/** The states of an endpoint, in the order of their numbers. */
export const STATES = ["available", "ejected", "draining", "stale", "unasked"];

/** What an endpoint's states are called. */
export const STATE_WORDS = ["Available", "Ejected", "Draining", "Stale", "Not asked yet"];

const SERIES = [
    "requests",
    "in_flight",
    "waiting",
    "errors",
    "ttft_p50",
    "ttft_p99",
    "itl_p50",
    "itl_p99",
    "prompt_tokens",
    "output_tokens",
    "cache_hit",
    "decision_p50",
    "decision_p99",
    "cpu",
];

const COLUMNS = ["waiting", "running", "kv", "hit", "in_flight", "age", "state"];

/**
 * The numbers of endpoints, in columns: position `i` of each belongs to the endpoint `facts[i]`. A position whose
 * endpoint is gone is `null` there until another endpoint takes it.
 */
export class Endpoints {
    facts = [];
    adapters = [];
    ejections = [];
    columns = {};
    /** Counts up whenever an endpoint came or went. */
    generation = 0;
    #position = new Map();
    #free = [];
    #room = 0;

    constructor() {
        for (const name of COLUMNS) this.columns[name] = new Int32Array(0);
    }

    /** How many endpoints there are. */
    get count() {
        return this.#position.size;
    }

    /** The position of an endpoint; `undefined` when it is not there. */
    position(id) {
        return this.#position.get(id);
    }

    /** The position of the endpoint with these names; `undefined` when it is not there. */
    find(pool, namespace, name) {
        for (const [, at] of this.#position) {
            const facts = this.facts[at];
            if (facts.name === name && facts.namespace === namespace && facts.pool === pool) return at;
        }
        return undefined;
    }

    /** The positions that have an endpoint. */
    positions() {
        return [...this.#position.values()];
    }

    /** Takes an endpoint in. */
    add(facts) {
        this.generation += 1;
        let at = this.#position.get(facts.id);
        if (at === undefined) {
            at = this.#free.pop() ?? this.facts.length;
            this.#position.set(facts.id, at);
            this.#makeRoom(at + 1);
        }
        this.facts[at] = facts;
        this.adapters[at] = [];
        this.ejections[at] = null;
        for (const name of COLUMNS)
            this.columns[name][at] = name === "state" ? 4 : name === "age" || name === "hit" ? -1 : 0;
    }

    /** Lets an endpoint go. */
    remove(id) {
        const at = this.#position.get(id);
        if (at === undefined) return;
        this.generation += 1;
        this.#position.delete(id);
        this.#free.push(at);
        this.facts[at] = null;
    }

    /** Takes the rows that changed. */
    apply(rows) {
        const ids = rows.id;
        for (const name of COLUMNS) {
            const values = rows[name];
            const column = this.columns[name];
            for (let row = 0; row < ids.length; row += 1) {
                const at = this.#position.get(ids[row]);
                if (at !== undefined) column[at] = values[row];
            }
        }
    }

    #makeRoom(room) {
        if (room <= this.#room) return;
        this.#room = Math.max(64, room * 2);
        for (const name of COLUMNS) {
            const larger = new Int32Array(this.#room);
            larger.set(this.columns[name]);
            this.columns[name] = larger;
        }
    }
}

/** Five minutes of the gateway's numbers, a value each second; NaN where nothing was seen. */
export class History {
    times = new Float64Array(SECONDS).fill(NaN);
    series = {};

    constructor() {
        for (const name of SERIES) this.series[name] = new Float64Array(SECONDS).fill(NaN);
    }

    /** Takes the history that the gateway kept. */
    load(history) {
        const count = Math.min(SECONDS, history.t.length);
        const from = history.t.length - count;
        const place = (target, values) => {
            target.fill(NaN);
            for (let index = 0; index < count; index += 1) {
                target[SECONDS - count + index] = values?.[from + index] ?? NaN;
            }
        };
        for (const name of SERIES) place(this.series[name], history[name]);
        place(this.times, history.t);
    }

    /** Takes one more second. */
    push(tick) {
        const last = this.times[SECONDS - 1];
        if (tick.t - last < 0.5) return;
        const { ttft, itl, decision_us: decision, ...global } = tick.global;
        const values = {
            ...global,
            ttft_p50: ttft?.p50,
            ttft_p99: ttft?.p99,
            itl_p50: itl?.p50,
            itl_p99: itl?.p99,
            decision_p50: decision && decision.p50 / 1e6,
            decision_p99: decision && decision.p99 / 1e6,
        };
        for (const name of SERIES) shift(this.series[name], values[name] ?? NaN);
        shift(this.times, tick.t);
    }
}

function shift(values, next) {
    values.copyWithin(0, 1);
    values[values.length - 1] = next;
}

/** Everything, and whoever wants to know of changes. */
export class Store {
    /** `loading`, `live`, `lost`, `refused` (a token is needed) or `absent` (there is no live feed). */
    phase = "loading";
    /** A sentence about the phase. */
    reason = "";
    hello = null;
    tick = null;
    /** When the last tick came, by `performance.now()`. */
    tickAt = 0;
    endpoints = new Endpoints();
    history = new History();
    #listeners = { hello: new Set(), tick: new Set(), phase: new Set() };

    /**
     * The position of a pool by its name; where several namespaces have that name, the one in `namespace`. -1 for none.
     */
    pool(name, namespace) {
        const { pools } = this.hello;
        const own = pools.findIndex((pool) => pool.name === name && pool.namespace === namespace);
        return own >= 0 ? own : pools.findIndex((pool) => pool.name === name);
    }

    /** Calls `listener` at every `hello`, `tick` or `phase`; the result ends that. */
    on(kind, listener) {
        this.#listeners[kind].add(listener);
        return () => this.#listeners[kind].delete(listener);
    }

    /** Takes an event of the feed. */
    take(type, data) {
        if (type === "hello") this.#takeHello(data);
        else if (type === "tick") this.#takeTick(data);
    }

    /** Goes to another phase. */
    setPhase(phase, reason = "") {
        if (this.phase === phase && this.reason === reason) return;
        this.phase = phase;
        this.reason = reason;
        this.#tell("phase");
    }

    #takeHello(hello) {
        this.hello = hello;
        const known = new Set(hello.endpoints.map((facts) => facts.id));
        for (const at of this.endpoints.positions()) {
            const { id } = this.endpoints.facts[at];
            if (!known.has(id)) this.endpoints.remove(id);
        }
        for (const facts of hello.endpoints) this.endpoints.add(facts);
        this.history.load(hello.history);
        this.#tell("hello");
        this.#takeTick(hello.tick);
    }

    #takeTick(tick) {
        const { endpoints } = this;
        for (const id of tick.removed ?? []) endpoints.remove(id);
        for (const facts of tick.added ?? []) endpoints.add(facts);
        if (tick.rows) endpoints.apply(tick.rows);
        for (const [id, names] of Object.entries(tick.adapters ?? {})) {
            const at = endpoints.position(Number(id));
            if (at !== undefined) endpoints.adapters[at] = names;
        }
        for (const [id, ejection] of Object.entries(tick.ejections ?? {})) {
            const at = endpoints.position(Number(id));
            if (at !== undefined) endpoints.ejections[at] = ejection;
        }
        tick.pools.forEach((pool, index) => {
            if (pool.models && this.hello.pools[index]) this.hello.pools[index].models = pool.models;
        });
        this.tick = tick;
        this.tickAt = performance.now();
        this.history.push(tick);
        this.setPhase("live");
        this.#tell("tick");
    }

    #tell(kind) {
        for (const listener of this.#listeners[kind]) listener();
    }
}
