// Numbers as people read them. Every function takes `null` for what is not known.

const THIN = "\u202f";
const NOTHING = "–";
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** Whether a number is known. */
export function known(value) {
    return value !== null && value !== undefined && !Number.isNaN(value);
}

/** A count in full: `12,345`. */
export function count(value) {
    return known(value) ? whole.format(value) : NOTHING;
}

/** A count or a rate in little room: `4.2`, `870`, `12.3k`, `4.5M`. */
export function short(value) {
    if (!known(value)) return NOTHING;
    const size = Math.abs(value);
    if (size >= 999_500) return `${trim(value / 1e6)}M`;
    if (size >= 9_995) return `${trim(value / 1e3)}k`;
    if (size >= 100 || Number.isInteger(value)) return whole.format(value);
    return value.toFixed(size >= 0.095 || size === 0 ? 1 : 2);
}

function trim(value) {
    return value >= 99.95 ? value.toFixed(0) : value.toFixed(1);
}

/** A duration, given in seconds, with its unit: `85 µs`, `12.4 ms`, `1.25 s`, `3 min`. */
export function duration(seconds) {
    const [value, unit] = durationParts(seconds);
    return unit ? value + THIN + unit : value;
}

/** A duration's number and unit, apart. */
export function durationParts(seconds) {
    if (!known(seconds)) return [NOTHING, ""];
    if (seconds <= 0) return ["0", "ms"];
    if (seconds < 0.001) return [threeDigits(seconds * 1e6), "µs"];
    if (seconds < 0.9995) return [threeDigits(seconds * 1e3), "ms"];
    if (seconds < 120) return [seconds < 9.995 ? seconds.toFixed(2) : seconds.toFixed(1), "s"];
    if (seconds < 7200) return [whole.format(seconds / 60), "min"];
    if (seconds < 172_800) return [whole.format(seconds / 3600), "h"];
    return [whole.format(seconds / 86_400), "d"];
}

function threeDigits(value) {
    return value < 9.95 ? value.toFixed(1) : value.toFixed(0);
}

/** A share of 0…1 in percent. */
export function share(value) {
    return known(value) ? `${(value * 100).toFixed(value > 0 && value < 0.0995 ? 1 : 0)}${THIN}%` : NOTHING;
}

/** A size in bytes. */
export function bytes(value) {
    if (!known(value)) return NOTHING;
    if (value < 1000) return `${value}${THIN}B`;
    if (value < 1e6) return `${(value / 1e3).toFixed(1)}${THIN}kB`;
    if (value < 1e9) return `${(value / 1e6).toFixed(1)}${THIN}MB`;
    return `${(value / 1e9).toFixed(1)}${THIN}GB`;
}

/** How long ago something was, given in seconds, in words that need no second look. */
export function ago(seconds) {
    if (!known(seconds)) return NOTHING;
    if (seconds < 1) return "now";
    if (seconds < 120) return `${Math.floor(seconds)}${THIN}s ago`;
    if (seconds < 7200) return `${Math.floor(seconds / 60)}${THIN}min ago`;
    return `${Math.floor(seconds / 3600)}${THIN}h ago`;
}

/** A time of the clock, from seconds since 1970. */
export function clock(unix) {
    return new Date(unix * 1000).toLocaleTimeString("en-GB");
}

/** `one` with a number before it, and `many` for other numbers than one. */
export function counted(number, one, many = `${one}s`) {
    return `${count(number)} ${number === 1 ? one : many}`;
}

/** A word of the program, as in `evictedTTL` or `no-endpoint`, as people write it. */
export function words(text) {
    return text
        .replace(/[-_]/g, " ")
        .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
        .replace(/\b[A-Z](?=[a-z])/g, (letter) => letter.toLowerCase());
}

/** The same, as it begins a line. */
export function titled(text) {
    const plain = words(text);
    return plain.charAt(0).toUpperCase() + plain.slice(1);
}

/** Outcomes that are nobody's fault here. */
const QUIET = new Set(["clientDisconnected", "clientGone", "abandoned", "staleConnection", "servedElsewhere"]);
/** Outcomes of a gateway that protects itself, or its endpoints. */
const WARNING = new Set(["saturated", "shed", "queueFull", "queueTimeout", "evicted", "drained", "shuttingDown"]);

/** How an outcome is coloured: `good`, `warn`, `bad` or `quiet`. */
export function outcomeTone(outcome) {
    if (outcome === "completed") return "good";
    if (QUIET.has(outcome)) return "quiet";
    return WARNING.has(outcome) ? "warn" : "bad";
}
