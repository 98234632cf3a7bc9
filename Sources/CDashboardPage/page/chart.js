// Lines over time on a canvas: small ones in tiles, and large ones with axes and a crosshair that all of them share.

import { make, setText } from "./dom.js";
import { clock, known } from "./format.js";
import { nextFrame } from "./frame.js";
import { colour, letterFamily, letterSize } from "./palette.js";
import { SECONDS } from "./store.js";

/** A canvas that is as sharp as the screen, and draws again when its size changes. */
export class Surface {
    canvas = make("canvas", { "aria-hidden": "true" });
    width = 0;
    height = 0;
    #draw;

    constructor(draw) {
        this.#draw = draw;
        new ResizeObserver(([entry]) => {
            const { inlineSize, blockSize } = entry.contentBoxSize[0];
            this.width = inlineSize;
            this.height = blockSize;
            nextFrame(this, () => this.draw());
        }).observe(this.canvas);
    }

    /** Draws, where there is something to draw on. */
    draw() {
        if (this.width < 2 || this.height < 2) return;
        const scale = devicePixelRatio || 1;
        const width = Math.round(this.width * scale);
        const height = Math.round(this.height * scale);
        if (this.canvas.width !== width) this.canvas.width = width;
        if (this.canvas.height !== height) this.canvas.height = height;
        const context = this.canvas.getContext("2d");
        context.setTransform(scale, 0, 0, scale, 0, 0);
        context.clearRect(0, 0, this.width, this.height);
        this.#draw(context, this.width, this.height);
    }
}

/** A rounded number at or above `value`: where an axis ends. */
export function axisEnd(value) {
    if (!(value > 0)) return 1;
    const power = 10 ** Math.floor(Math.log10(value));
    for (const step of [1, 1.5, 2, 3, 4, 5, 6, 8, 10]) if (value <= step * power * 1.0001) return step * power;
    return value;
}

/** The place of the oldest second that is shown: whole minutes, as many as anything is known of. */
export function firstShown(values) {
    const first = values.findIndex(known);
    const seconds = first < 0 ? 60 : Math.ceil((SECONDS - first) / 60) * 60;
    return Math.max(0, SECONDS - seconds);
}

function greatest(series) {
    let most = 0;
    for (const values of series) for (const value of values) if (value > most) most = value;
    return most;
}

/** Traces values as a line; a gap where nothing is known. Returns whether there was anything to trace. */
function trace(context, values, x, y) {
    let last = -1;
    context.beginPath();
    for (let index = 0; index < values.length; index += 1) {
        if (!known(values[index])) continue;
        if (last >= 0 && index - last <= 3) context.lineTo(x(index), y(values[index]));
        else context.moveTo(x(index), y(values[index]));
        last = index;
    }
    return last >= 0;
}

/** A line without axes. `lines` are `{ values, colour }`, the first one filled. */
export class Sparkline {
    #surface = new Surface((context, width, height) => this.#draw(context, width, height));
    #lines = [];
    #from = 0;
    #most;

    /** `most` is where the scale ends; without it the greatest value. */
    constructor(most = null) {
        this.#most = most;
    }

    get node() {
        return this.#surface.canvas;
    }

    /** Shows lines, beginning at a place of their values. */
    show(lines, from) {
        this.#lines = lines;
        this.#from = from;
        this.#surface.draw();
    }

    #draw(context, width, height) {
        const most = this.#most ?? (greatest(this.#lines.map((line) => line.values)) || 1);
        const y = (value) => height - 1.5 - (value / most) * (height - 4);
        this.#lines.forEach((line, place) => {
            const x = (index) => ((index - this.#from) / (line.values.length - 1 - this.#from)) * width;
            const stroke = colour(line.colour);
            context.strokeStyle = stroke;
            context.lineWidth = 1.5;
            context.lineJoin = "round";
            if (!trace(context, line.values, x, y)) return;
            context.stroke();
            if (place > 0) return;
            context.globalAlpha = 0.12;
            context.fillStyle = stroke;
            area(context, line.values, x, y, height);
            context.globalAlpha = 1;
        });
    }
}

/** Fills what is below a line, piece by piece. */
function area(context, values, x, y, bottom) {
    let first = -1;
    const end = (last) => {
        if (first < 0 || last <= first) return;
        context.beginPath();
        context.moveTo(x(first), bottom);
        for (let index = first; index <= last; index += 1)
            if (known(values[index])) context.lineTo(x(index), y(values[index]));
        context.lineTo(x(last), bottom);
        context.fill();
    };
    let last = -1;
    for (let index = 0; index < values.length; index += 1) {
        if (!known(values[index])) continue;
        if (first >= 0 && index - last > 3) {
            end(last);
            first = index;
        } else if (first < 0) {
            first = index;
        }
        last = index;
    }
    end(last);
}

/** The room of the axes, and the size of their letters, in letters of the page. */
const LEFT = 3.2;
const BOTTOM = 1.3;
const LETTERS = 0.79;
const TOP = 6;

/** Charts that stand side by side, and point at the same moment. */
export class ChartGroup {
    /** The place that is pointed at, counted in seconds from the oldest; -1 when none is. */
    at = -1;
    charts = [];

    /** Points at another place, in all charts. */
    point(at) {
        if (at === this.at) return;
        this.at = at;
        for (const chart of this.charts) nextFrame(chart, () => chart.draw());
    }
}

/** A chart with axes. `lines` are `{ name, series, colour }`; `text` writes a value. */
export class LineChart {
    #surface = new Surface((context, width, height) => this.#draw(context, width, height));
    #lines;
    #text;
    #group;
    #history = null;
    #from = 0;
    #time = make("span.when");

    constructor(group, title, lines, text) {
        this.#group = group;
        this.#text = text;
        group.charts.push(this);
        this.#lines = lines.map((line) => ({ ...line, value: make("b") }));
        const field = make(
            "div.chart-field",
            {
                tabindex: 0,
                role: "group",
                "aria-label": `${title}, the last five minutes. Arrow keys point at a moment.`,
                pointermove: (event) => this.#pointAt(event.offsetX),
                pointerleave: () => group.point(-1),
                blur: () => group.point(-1),
                keydown: (event) => this.#press(event),
            },
            this.#surface.canvas,
        );
        const legend = this.#lines.map((line) =>
            make("span.key", { "data-colour": line.colour }, make("i"), line.name, line.value),
        );
        this.node = make(
            "figure.card.chart",
            make("figcaption", make("h2", title), make("div.legend", this.#time, legend)),
            field,
        );
    }

    /** Shows a history. */
    show(history) {
        this.#history = history;
        this.#from = firstShown(history.times);
        this.draw();
    }

    /** Draws what was shown last. */
    draw() {
        if (!this.#history) return;
        const at = this.#group.at < 0 ? SECONDS - 1 : this.#group.at;
        for (const line of this.#lines) setText(line.value, this.#text(this.#history.series[line.series][at]));
        setText(this.#time, this.#group.at < 0 ? "" : clock(this.#history.times[at]));
        this.#surface.draw();
    }

    get #left() {
        return LEFT * letterSize();
    }

    get #bottom() {
        return BOTTOM * letterSize();
    }

    #x(index, width) {
        return this.#left + ((index - this.#from) / (SECONDS - 1 - this.#from)) * (width - this.#left - 4);
    }

    #pointAt(offset) {
        const { width } = this.#surface;
        const part = (offset - this.#left) / (width - this.#left - 4);
        const at = this.#from + Math.round(part * (SECONDS - 1 - this.#from));
        this.#group.point(part >= 0 && at < SECONDS && known(this.#history?.times[at]) ? at : -1);
    }

    #press(event) {
        const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30 }[event.key];
        if (!step) return;
        event.preventDefault();
        const from = this.#group.at < 0 ? SECONDS - 1 : this.#group.at;
        const first = this.#history?.times.findIndex(known) ?? -1;
        if (first >= 0) this.#group.point(Math.min(SECONDS - 1, Math.max(first, from + step)));
    }

    #draw(context, width, height) {
        if (!this.#history) return;
        const values = this.#lines.map((line) => this.#history.series[line.series]);
        const most = axisEnd(greatest(values));
        const y = (value) => height - this.#bottom - (value / most) * (height - this.#bottom - TOP);
        const x = (index) => this.#x(index, width);
        this.#drawAxes(context, width, height, most, x, y);
        this.#lines.forEach((line, place) => {
            context.strokeStyle = colour(line.colour);
            context.fillStyle = context.strokeStyle;
            context.lineWidth = 1.75;
            context.lineJoin = "round";
            if (!trace(context, values[place], x, y)) return;
            context.stroke();
            context.globalAlpha = 0.08;
            area(context, values[place], x, y, height - this.#bottom);
            context.globalAlpha = 1;
        });
        if (this.#group.at >= 0) this.#drawCrosshair(context, height, values, x, y);
    }

    #drawAxes(context, width, height, most, x, y) {
        context.font = `${LETTERS * letterSize()}px ${letterFamily()}`;
        context.fillStyle = colour("muted");
        context.strokeStyle = colour("grid");
        context.lineWidth = 1;
        context.textAlign = "right";
        context.textBaseline = "middle";
        for (const part of [0, 0.5, 1]) {
            const line = Math.round(y(most * part)) + 0.5;
            context.beginPath();
            context.moveTo(this.#left, line);
            context.lineTo(width - 4, line);
            context.stroke();
            context.fillText(this.#text(most * part), this.#left - 8, line);
        }
        context.textBaseline = "alphabetic";
        const seconds = SECONDS - this.#from;
        const step = seconds > 60 ? 60 : 15;
        for (let ago = 0; ago <= seconds; ago += step) {
            context.textAlign = ago === 0 ? "right" : ago === seconds ? "left" : "center";
            const text = ago === 0 ? "now" : step === 60 ? `−${ago / 60} min` : `−${ago} s`;
            context.fillText(text, x(Math.max(this.#from, SECONDS - 1 - ago)), height - 3);
        }
    }

    #drawCrosshair(context, height, values, x, y) {
        const { at } = this.#group;
        context.strokeStyle = colour("muted");
        context.setLineDash([3, 3]);
        context.beginPath();
        context.moveTo(x(at), TOP);
        context.lineTo(x(at), height - this.#bottom);
        context.stroke();
        context.setLineDash([]);
        this.#lines.forEach((line, place) => {
            if (!known(values[place][at])) return;
            context.fillStyle = colour(line.colour);
            context.beginPath();
            context.arc(x(at), y(values[place][at]), 3.5, 0, 2 * Math.PI);
            context.fill();
        });
    }
}
