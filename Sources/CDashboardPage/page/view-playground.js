// The playground: sends a request through the gateway, shows the answer as it comes, and why it came from where it did.

import { ask, askJSON, hasAdminToken, refusal, setAdminToken } from "./access.js";
import { decisionNode } from "./decision.js";
import { askForToken } from "./dialogs.js";
import { choice, copyButton, fill, make, mark, setOptions, setText } from "./dom.js";
import { events } from "./events.js";
import { count, durationParts, short } from "./format.js";
import { address } from "./router.js";
import { asCurl, asPython } from "./snippets.js";

const PATH = "v1/chat/completions";

class PlaygroundView {
    title = "Playground";
    #store;
    #sending = null;
    #isRaw = false;
    #fields;
    #raw = make("textarea.mono", {
        "aria-label": "Body of the request, as JSON",
        rows: 16,
        spellcheck: "false",
        hidden: true,
    });
    #form;
    #send = make("button.primary", { type: "submit" }, "Send");
    #rawToggle;
    #answer = make("div.answer", { tabindex: 0, role: "region", "aria-label": "Answer", "aria-live": "off" });
    #status = make("p.summary", { role: "status", "aria-live": "polite" });
    #numbers = make("dl.numbers", { hidden: true });
    #headers = make("details.headers", { hidden: true }, make("summary", "Headers of the answer"), make("dl.facts"));
    #decision = make("section.card.decision-card", { hidden: true, "aria-label": "Where it went" });
    #listener;
    #models = make("datalist", { id: "playground-models" });
    #note = make("p.notice", { hidden: true });

    constructor({ store }) {
        this.#store = store;
        this.#listener = choice("Listener", [["", "First listener"]], () => {});
        this.#fields = {
            model: make("input", {
                id: "playground-model",
                list: "playground-models",
                placeholder: "MODEL",
                required: true,
                autocomplete: "off",
            }),
            system: make("textarea", { id: "playground-system", rows: 2, placeholder: "Optional" }),
            prompt: make(
                "textarea",
                { id: "playground-prompt", rows: 6, required: true },
                "Why does a swift never land?",
            ),
            tokens: make("input", { id: "playground-tokens", type: "number", min: 1, max: 100_000, value: 128 }),
            temperature: make("input", {
                id: "playground-temperature",
                type: "number",
                min: 0,
                max: 2,
                step: 0.1,
                value: 0.7,
            }),
            stream: make("input", { id: "playground-stream", type: "checkbox", checked: true }),
        };
        this.#rawToggle = make(
            "button.quiet",
            { type: "button", "aria-pressed": "false", click: () => this.#toggleRaw() },
            "Edit JSON",
        );
        this.#form = this.#makeForm();
        this.node = make(
            "div.view.playground",
            make(
                "div.play-columns",
                this.#form,
                make(
                    "section.card.play-answer",
                    make("header.line", make("h2", "Answer"), this.#status),
                    this.#numbers,
                    this.#answer,
                    this.#headers,
                ),
            ),
            this.#decision,
        );
    }

    show() {
        if (this.#store.hello) this.update();
    }

    hide() {
        this.#sending?.abort();
    }

    update() {
        const { hello } = this.#store;
        const names = hello.pools.flatMap((pool) => pool.models);
        if (names.join() !== this.#models.dataset.names) {
            this.#models.dataset.names = names.join();
            fill(
                this.#models,
                names.map((value) => make("option", { value })),
            );
        }
        if (this.#fields.model.value === "" && names[0]) this.#fields.model.value = names[0];
        setOptions(
            this.#listener,
            hello.listeners.map((listener) => [listener, listener]),
        );
        this.#listener.hidden = hello.listeners.length < 2;
        if (!this.#sending) setText(this.#send, hello.playground ? "Send" : "Explain");
        this.#note.hidden = hello.playground;
        setText(
            this.#note,
            "This program only picks endpoints; the proxy before it sends. Here it tells where a request would go.",
        );
    }

    /** Puts the cursor into the prompt. */
    focusFilter() {
        (this.#isRaw ? this.#raw : this.#fields.prompt).focus();
    }

    close() {
        if (!this.#sending) return false;
        this.#sending.abort();
        return true;
    }

    #makeForm() {
        const { model, system, prompt, tokens, temperature, stream } = this.#fields;
        const labelled = (text, field) => make("div.field", make("label", { for: field.id }, text), field);
        this.#parts = make(
            "div.parts",
            labelled("Model", model),
            this.#models,
            labelled("System", system),
            labelled("Prompt", prompt),
            make(
                "div.row",
                labelled("Max tokens", tokens),
                labelled("Temperature", temperature),
                make("label.check", stream, "Stream"),
            ),
        );
        const copies = make(
            "div.row.copies",
            copyButton("Copy as curl", () => asCurl(this.#url(), this.#body())),
            copyButton("Copy as Python", () => asPython(this.#base(), this.#body())),
        );
        return make(
            "form.card",
            {
                submit: (event) => this.#submit(event),
                keydown: (event) => {
                    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#form.requestSubmit();
                },
            },
            make("header.line", make("h2", "Request"), this.#listener, this.#rawToggle),
            this.#note,
            this.#parts,
            this.#raw,
            make(
                "div.row.send-row",
                this.#send,
                make("span.muted.hint", make("kbd", "Ctrl"), " ", make("kbd", "Enter")),
            ),
            copies,
        );
    }

    #parts;

    #toggleRaw() {
        if (!this.#isRaw) this.#raw.value = JSON.stringify(this.#body(), null, 2);
        this.#isRaw = !this.#isRaw;
        mark(this.#rawToggle, "aria-pressed", String(this.#isRaw));
        this.#raw.hidden = !this.#isRaw;
        this.#parts.hidden = this.#isRaw;
        this.#fields.prompt.required = this.#fields.model.required = !this.#isRaw;
    }

    #base() {
        return this.#listener.value || this.#store.hello?.listeners[0] || "http://GATEWAY";
    }

    #url() {
        return `${this.#base()}/${PATH}`;
    }

    /** The body; throws when the JSON that was written is none. */
    #body() {
        if (this.#isRaw) return JSON.parse(this.#raw.value);
        const { model, system, prompt, tokens, temperature, stream } = this.#fields;
        const messages = [{ role: "user", content: prompt.value }];
        if (system.value.trim()) messages.unshift({ role: "system", content: system.value });
        return {
            model: model.value,
            messages,
            max_tokens: Number(tokens.value) || 128,
            temperature: Number(temperature.value),
            stream: stream.checked,
            ...(stream.checked ? { stream_options: { include_usage: true } } : {}),
        };
    }

    async #submit(event) {
        event.preventDefault();
        if (this.#sending) return this.#sending.abort();
        if (!this.#store.hello) return this.#fail("The gateway is not connected.");
        let body;
        try {
            body = this.#body();
        } catch (error) {
            return this.#fail(`This is no JSON: ${error.message}`);
        }
        this.#begin();
        const own = this.#sending;
        const round = { id: null };
        try {
            if (this.#store.hello.playground) await this.#sendBody(body, round);
            else await this.#explain(body);
        } catch (error) {
            this.#fail(error.name === "AbortError" ? "Stopped." : error.message);
        }
        this.#sending = null;
        mark(this.#answer, "aria-busy", null);
        setText(this.#send, this.#store.hello.playground ? "Send" : "Explain");
        if (round.id !== null) await this.#askDecision(round.id, own.signal);
        return undefined;
    }

    #begin() {
        this.#sending = new AbortController();
        setText(this.#send, "Stop");
        setText(this.#status, "Waiting for the answer…");
        mark(this.#answer, "aria-busy", "true");
        mark(this.#answer, "data-tone", null);
        fill(this.#answer);
        this.#numbers.hidden = this.#headers.hidden = this.#decision.hidden = true;
    }

    #fail(text) {
        setText(this.#status, text === "Stopped." ? text : "It failed.");
        if (text === "Stopped.") return;
        mark(this.#answer, "data-tone", "bad");
        setText(this.#answer, text);
    }

    async #explain(body) {
        const decision = await askJSON("api/explain", {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify(body),
            signal: this.#sending.signal,
        });
        setText(this.#status, "Nothing was sent.");
        this.#showDecision([decision], "Where it would go");
    }

    /** Sends, and shows the answer. The round gets the request's identifier as soon as it is known. */
    async #sendBody(body, round) {
        const begun = performance.now();
        const answer = await this.#play({
            listener: this.#listener.value || null,
            path: `/${PATH}`,
            headers: {},
            body,
        });
        const status = Number(answer.headers.get("x-playground-status") ?? answer.status);
        round.id = answer.headers.get("x-request-id");
        this.#showHeaders(answer.headers.get("x-playground-headers"));
        if (!answer.ok || status >= 400) {
            const why = await refusal(answer);
            this.#fail(`${status}: ${why.message}`);
        } else if ((answer.headers.get("content-type") ?? "").startsWith("text/event-stream")) {
            await this.#stream(answer, begun, status);
        } else {
            this.#showWhole(await answer.json(), begun, status);
        }
    }

    /** Asks for the answer; with the admin token, where the gateway wants it for this. */
    async #play(wish) {
        for (;;) {
            const answer = await ask("api/playground", {
                method: "POST",
                headers: { "content-type": "application/json" },
                signal: this.#sending.signal,
                acting: hasAdminToken(),
                body: JSON.stringify(wish),
            });
            const isRefused = answer.status === 403 && !answer.headers.has("x-playground-status");
            if (!isRefused || !this.#store.hello.actions) return answer;
            const why = await refusal(answer);
            const token = await askForToken("Admin token", `The gateway says: ${why.message}.`);
            if (token === "") throw why;
            setAdminToken(token);
        }
    }

    async #stream(answer, begun, status) {
        let first = null;
        let pieces = 0;
        let usage = null;
        // One text node grows: the answer is not laid out anew with every piece.
        const text = document.createTextNode("");
        fill(this.#answer, text);
        for await (const { data } of events(answer.body)) {
            if (data === "[DONE]") break;
            const chunk = JSON.parse(data);
            if (chunk.error) throw new Error(chunk.error.message ?? "the stream ended with an error");
            const piece = chunk.choices?.[0]?.delta?.content ?? "";
            usage = chunk.usage ?? usage;
            if (piece === "") continue;
            first ??= performance.now();
            pieces += 1;
            text.appendData(piece);
            this.#answer.scrollTop = this.#answer.scrollHeight;
            this.#showNumbers(begun, first, performance.now(), usage?.completion_tokens ?? pieces, usage);
        }
        this.#showNumbers(begun, first, performance.now(), usage?.completion_tokens ?? pieces, usage);
        setText(this.#status, `Status ${status}, complete.`);
    }

    #showWhole(answer, begun, status) {
        setText(this.#answer, answer.choices?.[0]?.message?.content ?? JSON.stringify(answer, null, 2));
        this.#showNumbers(begun, null, performance.now(), answer.usage?.completion_tokens ?? null, answer.usage);
        setText(this.#status, `Status ${status}, complete.`);
    }

    #showNumbers(begun, first, now, tokens, usage) {
        const since = first === null ? begun : first;
        const speed = tokens > 1 && now > since ? (tokens - (first === null ? 0 : 1)) / ((now - since) / 1000) : null;
        const cached = usage?.prompt_tokens_details?.cached_tokens;
        const rows = [
            ["First token", first === null ? ["–", ""] : durationParts((first - begun) / 1000)],
            ["In all", durationParts((now - begun) / 1000)],
            ["Speed", speed === null ? ["–", ""] : [short(speed), "tokens/s"]],
            [
                "Tokens",
                [
                    usage ? `${count(usage.prompt_tokens)} → ${count(tokens)}` : count(tokens),
                    cached ? `${count(cached)} cached` : "",
                ],
            ],
        ];
        this.#numbers.hidden = false;
        fill(
            this.#numbers,
            rows.map(([name, [value, unit]]) =>
                make("div", make("dt", name), make("dd", value, unit && make("span.unit", unit))),
            ),
        );
    }

    #showHeaders(text) {
        if (!text) return;
        const headers = Object.entries(JSON.parse(text));
        this.#headers.hidden = headers.length === 0;
        fill(
            this.#headers.lastChild,
            headers.map(([name, value]) => make("div", make("dt", name), make("dd", String(value)))),
        );
    }

    /** Shows why the request went where it went, unless the next one is on its way by then. */
    async #askDecision(id, signal) {
        const isOver = () => this.#sending !== null || signal.aborted;
        try {
            const { decisions } = await askJSON(`api/decisions/${encodeURIComponent(id)}`);
            if (!isOver()) this.#showDecision(decisions, "Where it went", id);
        } catch (error) {
            if (isOver()) return;
            this.#decision.hidden = false;
            fill(this.#decision, make("p.empty", `Its decision cannot be shown: ${error.message}`));
        }
    }

    #showDecision(decisions, title, id = null) {
        this.#decision.hidden = false;
        fill(
            this.#decision,
            decisionNode(decisions[0], title),
            id && make("p", make("a", { href: address("requests", id) }, "Its timeline and all attempts")),
        );
    }
}

/** The view. */
export function createPlayground(context) {
    return new PlaygroundView(context);
}
