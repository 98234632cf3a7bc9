// Server-sent events from the body of a `fetch`, which, unlike an EventSource, can carry a token.

/** The most characters of one event: a stream that never ends its event is an error, not a reason to fill memory. */
const LONGEST = 16 << 20;

/** The events of a stream, as `{ type, data, id }`, one after the other. */
export async function* events(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    try {
        for (;;) {
            const { done, value } = await reader.read();
            if (done) return;
            rest += value.includes("\r") ? value.replaceAll("\r", "") : value;
            let end;
            while ((end = rest.indexOf("\n\n")) >= 0) {
                const event = parse(rest.slice(0, end));
                rest = rest.slice(end + 2);
                if (event.data !== null) yield event;
            }
            if (rest.length > LONGEST) throw new Error("an event of the stream has no end");
        }
    } finally {
        reader.cancel().catch(() => {});
    }
}

function parse(text) {
    const event = { type: "message", data: null, id: null };
    for (const line of text.split("\n")) {
        const colon = line.indexOf(":");
        if (colon === 0) continue;
        const name = colon < 0 ? line : line.slice(0, colon);
        let value = colon < 0 ? "" : line.slice(colon + 1);
        if (value.startsWith(" ")) value = value.slice(1);
        if (name === "data") event.data = event.data === null ? value : `${event.data}\n${value}`;
        else if (name === "event") event.type = value;
        else if (name === "id") event.id = value;
    }
    return event;
}
