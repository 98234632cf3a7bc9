// The live feed: keeps one stream open while the page is looked at, and comes back by itself.

import { ask, onReadingToken, refusal } from "./access.js";
import { events } from "./events.js";

const SHORTEST_WAIT = 500;
const LONGEST_WAIT = 10_000;
/** A stream that says nothing for so many milliseconds is taken for dead: it ticks every second. */
const SILENCE = 6_000;

/** Reads `/api/live` into a store. A page that nobody sees reads nothing. */
export class Feed {
    #store;
    #running = null;
    #attempt = 0;
    #wake = null;
    /** When the next try is, by `performance.now()`; 0 when none is waited for. */
    nextTryAt = 0;

    constructor(store) {
        this.#store = store;
        document.addEventListener("visibilitychange", () => (document.hidden ? this.stop() : this.start()));
        addEventListener("online", () => this.retry());
        onReadingToken(() => this.retry());
    }

    /** Opens the stream, unless it is open. */
    start() {
        if (this.#running || document.hidden) return;
        this.#running = new AbortController();
        this.#run(this.#running.signal);
    }

    /** Closes the stream. */
    stop() {
        this.#running?.abort();
        this.#running = null;
        this.#wake?.();
    }

    /** Tries again at once. */
    retry() {
        this.#attempt = 0;
        if (this.#wake) this.#wake();
        else this.start();
    }

    async #run(signal) {
        while (!signal.aborted) {
            try {
                await this.#read(signal);
                this.#store.setPhase("lost", "The gateway ended the stream.");
            } catch (error) {
                if (signal.aborted) return;
                this.#tellWhy(error);
            }
            if (this.#store.phase === "refused") await this.#pause(signal, Infinity);
            else await this.#pause(signal, this.#delay());
        }
    }

    async #read(signal) {
        const connection = new AbortController();
        const abort = () => connection.abort();
        signal.addEventListener("abort", abort);
        let watch = setTimeout(abort, SILENCE);
        try {
            const answer = await ask("api/live", {
                signal: connection.signal,
                headers: { accept: "text/event-stream" },
            });
            if (!answer.ok) throw await refusal(answer);
            for await (const event of events(answer.body)) {
                clearTimeout(watch);
                if (signal.aborted) return;
                this.#store.take(event.type, JSON.parse(event.data));
                this.#attempt = 0;
                watch = setTimeout(abort, SILENCE);
            }
        } finally {
            clearTimeout(watch);
            signal.removeEventListener("abort", abort);
            abort();
        }
    }

    #tellWhy(error) {
        if (error.wantsToken) this.#store.setPhase("refused", error.message);
        else if (error.status === 404) this.#store.setPhase("absent", error.message);
        else if (error.status) this.#store.setPhase("lost", error.message);
        else if (error.name === "AbortError") this.#store.setPhase("lost", "The gateway has gone silent.");
        else this.#store.setPhase("lost", "The gateway cannot be reached.");
    }

    /** Longer after every failure, and never the same for two pages: a gateway that comes back is not overrun. */
    #delay() {
        const wait = Math.min(LONGEST_WAIT, SHORTEST_WAIT * 2 ** this.#attempt);
        this.#attempt += 1;
        return wait * (0.5 + Math.random() / 2);
    }

    async #pause(signal, milliseconds) {
        if (signal.aborted) return;
        this.nextTryAt = Number.isFinite(milliseconds) ? performance.now() + milliseconds : 0;
        await new Promise((resolve) => {
            this.#wake = resolve;
            if (Number.isFinite(milliseconds)) setTimeout(resolve, milliseconds);
        });
        this.#wake = null;
        this.nextTryAt = 0;
    }
}
