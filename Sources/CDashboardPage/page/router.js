// Addresses within the page: `#/requests/ID`, so that every view can be linked, and the browser's back works.

/** The parts of the current address, decoded; `["live"]` when there is none. */
export function place() {
    const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
    const parts = path
        .split("/")
        .filter((part) => part !== "")
        .map(decode);
    return { parts: parts.length ? parts : ["live"], query: new URLSearchParams(query) };
}

function decode(part) {
    try {
        return decodeURIComponent(part);
    } catch {
        return part;
    }
}

/** The address of a place, for links. */
export function address(...parts) {
    return `#/${parts.map(encodeURIComponent).join("/")}`;
}

/** Goes to a place. */
export function go(...parts) {
    location.hash = address(...parts);
}
