// All endpoints at one look: a cell for each, coloured by one of its numbers.

import { Surface } from "./chart.js";
import { make, mark, setText } from "./dom.js";
import { nextFrame } from "./frame.js";
import { colour, onTheme } from "./palette.js";

const SHADES = 24;
const LARGEST = 30;
const SMALLEST = 7;

/**
 * A heat map. `open(i)` is called for the cell that was pressed; `describe(i)`
 * says in words what a cell shows; `mark(i)` is the colour of a mark in its corner, `null` for none.
 */
export class HeatMap {
    #surface = new Surface((context, width, height) => this.#draw(context, width, height));
    #describe;
    #mark;
    #open;
    #rows = [];
    #value = () => 0;
    #most = 1;
    #cursor = -1;
    #size = LARGEST;
    #across = 1;
    #shades = null;
    /** Says in words what is pointed at. */
    tip = make("div.heat-tip", { "aria-live": "polite", role: "status" });
    #frame;

    constructor({ describe, mark: markOf, open }) {
        this.#mark = markOf;
        this.#describe = describe;
        this.#open = open;
        this.#frame = make(
            "div.heat-frame",
            {
                tabindex: 0,
                role: "group",
                "aria-label": "Heat map of the endpoints. Arrow keys go from one to the next, Enter opens.",
                pointermove: (event) => this.#pointAt(event),
                pointerleave: () => this.#moveTo(-1),
                blur: () => this.#moveTo(-1),
                focus: () => this.#frame.matches(":focus-visible") && this.#moveTo(0),
                click: (event) => {
                    this.#pointAt(event);
                    if (this.#cursor >= 0) this.#open(this.#rows[this.#cursor]);
                },
                keydown: (event) => this.#press(event),
            },
            this.#surface.canvas,
        );
        this.node = this.#frame;
        onTheme(() => {
            this.#shades = null;
            nextFrame(this, () => this.#surface.draw());
        });
    }

    /** Shows rows by a value, on a scale from 0 to `most`; what is less than 0 is not known. */
    show(rows, value, most) {
        const isOther = rows.length !== this.#rows.length;
        this.#rows = rows;
        this.#value = value;
        this.#most = most;
        if (isOther) this.#fit();
        this.#surface.draw();
        this.#tell();
    }

    /** Chooses the size of the cells: as large as lets all of them be seen, as far as that goes. */
    #fit() {
        const width = this.#surface.width || this.#frame.clientWidth;
        const room = Math.min(innerHeight * 0.3, 300);
        let size = LARGEST;
        while (size > SMALLEST && Math.ceil(this.#rows.length / Math.max(1, Math.floor(width / size))) * size > room)
            size -= 1;
        this.#size = size;
        this.#across = Math.max(1, Math.floor(width / size));
        const height = Math.max(1, Math.ceil(this.#rows.length / this.#across)) * size;
        this.#surface.canvas.style.height = `${height}px`;
        this.#surface.height = height;
    }

    #draw(context, width) {
        if (Math.floor(width / this.#size) !== this.#across) this.#fit();
        this.#shades ??= shades();
        const gap = this.#size > 12 ? 2 : 1;
        const edge = this.#size - gap;
        const unknown = colour("grid");
        this.#rows.forEach((row, index) => {
            const value = this.#value(row);
            const shade = Math.min(SHADES - 1, Math.max(0, Math.round((value / this.#most) * (SHADES - 1))));
            context.fillStyle = value < 0 ? unknown : this.#shades[shade];
            context.fillRect(
                (index % this.#across) * this.#size,
                Math.floor(index / this.#across) * this.#size,
                edge,
                edge,
            );
        });
        this.#rows.forEach((row, index) => {
            const mark = this.#mark(row);
            if (mark === null) return;
            context.fillStyle = colour(mark);
            const dot = Math.max(2, Math.round(edge / 4));
            context.fillRect(
                (index % this.#across) * this.#size + edge - dot,
                Math.floor(index / this.#across) * this.#size,
                dot,
                dot,
            );
        });
        if (this.#cursor < 0) return;
        context.strokeStyle = colour("text");
        context.lineWidth = 2;
        context.strokeRect(
            (this.#cursor % this.#across) * this.#size + 1,
            Math.floor(this.#cursor / this.#across) * this.#size + 1,
            edge - 2,
            edge - 2,
        );
    }

    #pointAt(event) {
        const column = Math.floor(event.offsetX / this.#size);
        const at = Math.floor(event.offsetY / this.#size) * this.#across + column;
        this.#moveTo(column < this.#across && at < this.#rows.length ? at : -1);
    }

    #moveTo(at) {
        if (at === this.#cursor) return;
        this.#cursor = at;
        this.#tell();
        nextFrame(this, () => this.#surface.draw());
    }

    #tell() {
        if (this.#cursor >= this.#rows.length) this.#cursor = -1;
        setText(this.tip, this.#cursor < 0 ? "" : this.#describe(this.#rows[this.#cursor]));
        mark(this.tip, "data-shown", this.#cursor >= 0);
    }

    #press(event) {
        if (event.key === "Enter" && this.#cursor >= 0) return this.#open(this.#rows[this.#cursor]);
        const last = this.#rows.length - 1;
        const next = {
            ArrowLeft: this.#cursor - 1,
            ArrowRight: this.#cursor + 1,
            ArrowUp: this.#cursor - this.#across,
            ArrowDown: this.#cursor + this.#across,
            Home: 0,
            End: last,
        }[event.key];
        if (next === undefined) return;
        event.preventDefault();
        this.#moveTo(Math.min(last, Math.max(0, next)));
        // The frame scrolls when there are more endpoints than it shows at once.
        const top = Math.floor(this.#cursor / this.#across) * this.#size;
        if (top < this.#frame.scrollTop) this.#frame.scrollTop = top;
        const bottom = this.#frame.scrollTop + this.#frame.clientHeight - this.#size;
        if (top > bottom) this.#frame.scrollTop += top - bottom;
    }
}

/** The colours of the scale, from nothing to everything, between the four stops of the style sheet. */
function shades() {
    const stops = ["heat-0", "heat-1", "heat-2", "heat-3"].map((name) => rgb(colour(name)));
    return Array.from({ length: SHADES }, (_, index) => {
        const at = (index / (SHADES - 1)) * (stops.length - 1);
        const from = Math.min(stops.length - 2, Math.floor(at));
        const mixed = stops[from].map((part, place) =>
            Math.round(part + (stops[from + 1][place] - part) * (at - from)),
        );
        return `rgb(${mixed.join(",")})`;
    });
}

function rgb(hex) {
    return [1, 3, 5].map((from) => parseInt(hex.slice(from, from + 2), 16));
}
