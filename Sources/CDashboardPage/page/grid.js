// A table of any length: only the rows that are seen exist, and only the cells that changed are written.

import { make, mark, setText } from "./dom.js";
import { nextFrame } from "./frame.js";

/** The height of a row, and of the head above them, which stays while the rows scroll. */
const ROW_HEIGHT = 34;
/** Rows beyond the edges, so that scrolling shows no gaps. */
const SPARE = 4;

/**
 * `columns` are `{ key, title, hint, number, text(i), value(i), meter(i), tone(i) }`: the text of a cell, what it is
 * sorted by (a number or a text), and where wanted a bar of 0…1 below it and a tone. Rows are numbers `i` of the
 * caller's choice.
 */
export class Grid {
    #columns;
    #open;
    #rows = [];
    #order = [];
    #active = null;
    #chosen = null;
    #sortKey;
    #descending = false;
    #heads = new Map();
    #canvas = make("div.grid-rows", { role: "rowgroup" });
    #isHeld = false;
    #empty = make("p.empty", { hidden: true });

    constructor({ label, columns, sortKey, open, empty }) {
        this.#columns = columns;
        this.#open = open;
        this.#sortKey = sortKey;
        setText(this.#empty, empty);
        const head = make(
            "div.grid-row.grid-head",
            { role: "row", "aria-rowindex": 1 },
            columns.map((column) => this.#head(column)),
        );
        this.body = make(
            "div.grid-body",
            {
                scroll: () => nextFrame(this.body, () => this.#show()),
                pointerenter: () => (this.#isHeld = true),
                pointerleave: () => (this.#isHeld = false),
                click: (event) => this.#click(event),
            },
            make("div.grid-top", { role: "rowgroup" }, head),
            this.#canvas,
        );
        this.node = make(
            "div.grid",
            {
                role: "grid",
                tabindex: 0,
                "aria-label": label,
                "aria-colcount": columns.length,
                keydown: (event) => this.#press(event),
            },
            this.body,
            this.#empty,
        );
        new ResizeObserver(() => nextFrame(this.body, () => this.#show())).observe(this.body);
        this.#markSort();
    }

    /** The rows, in the order in which they are shown. */
    get order() {
        return this.#order;
    }

    /**
     * Shows these rows. While the pointer is over them their order stays as it is: what somebody is about to press does
     * not move away.
     */
    update(rows, mustSort = false) {
        if (this.#isHeld && !mustSort && rows.length === this.#order.length) {
            const kept = new Set(rows);
            if (this.#order.every((row) => kept.has(row))) return this.#show();
        }
        this.#order = rows;
        this.#sort();
        mark(this.node, "aria-rowcount", rows.length + 1);
        mark(this.#empty, "hidden", rows.length > 0);
        this.#canvas.style.height = `${rows.length * ROW_HEIGHT}px`;
        this.#show();
    }

    /** Shows which row is open elsewhere; `null` for none. */
    choose(row) {
        this.#chosen = row;
        if (row !== null) this.#active = row;
        this.#show();
    }

    // MARK: Order

    #head(column) {
        const button = make(
            "button",
            { type: "button", tabindex: -1, title: column.hint ?? null, click: () => this.sortBy(column.key) },
            make("span", column.title),
        );
        const cell = make(`div.cell.c-${column.key}`, { role: "columnheader" }, button);
        if (column.number) cell.classList.add("number");
        this.#heads.set(column.key, cell);
        return cell;
    }

    /** Sorts by a column; a second time, the other way round. Numbers begin with the greatest. */
    sortBy(key) {
        const column = this.#columns.find((one) => one.key === key);
        this.#descending = this.#sortKey === key ? !this.#descending : Boolean(column.number);
        this.#sortKey = key;
        this.#markSort();
        this.#sort();
        this.body.scrollTop = 0;
        this.#show();
    }

    #markSort() {
        for (const [key, cell] of this.#heads) {
            mark(cell, "aria-sort", key !== this.#sortKey ? null : this.#descending ? "descending" : "ascending");
        }
    }

    #sort() {
        const { value } = this.#columns.find((column) => column.key === this.#sortKey);
        const keys = new Map(this.#order.map((row) => [row, value(row)]));
        const sign = this.#descending ? -1 : 1;
        const byText = this.#order.length > 0 && typeof keys.get(this.#order[0]) === "string";
        this.#order.sort((left, right) => {
            const a = keys.get(left);
            const b = keys.get(right);
            const ways = byText ? collator.compare(a, b) : a - b;
            return ways === 0 ? left - right : sign * ways;
        });
    }

    // MARK: Rows

    /** How much of the rows is seen, in pixels. */
    get #room() {
        return this.body.clientHeight - ROW_HEIGHT;
    }

    #show() {
        const { scrollTop: top } = this.body;
        const height = this.#room;
        if (height <= 0) return;
        const first = Math.max(0, Math.floor(top / ROW_HEIGHT) - SPARE);
        const end = Math.min(this.#order.length, Math.ceil((top + height) / ROW_HEIGHT) + SPARE);
        while (this.#rows.length < end - first) this.#addRow();
        // A row element keeps its place while others scroll in, so that scrolling moves few of them.
        const count = this.#rows.length;
        const used = new Set();
        for (let place = first; place < end; place += 1) {
            this.#write(this.#rows[place % count], place);
            used.add(place % count);
        }
        this.#rows.forEach((row, index) => {
            if (!used.has(index)) this.#hide(row);
        });
        this.#markActive();
    }

    #addRow() {
        const cells = this.#columns.map((column) => {
            const cell = make(`div.cell.c-${column.key}`, { role: "gridcell" });
            if (column.number) cell.classList.add("number");
            return cell;
        });
        const node = make("div.grid-row", { role: "row", id: `row-${nextID()}` }, cells);
        this.#canvas.append(node);
        this.#rows.push({ node, cells, place: -1, row: null, texts: [], tones: [], meters: [] });
    }

    #hide(row) {
        if (row.place === -1) return;
        row.place = -1;
        row.row = null;
        row.node.hidden = true;
    }

    #write(row, place) {
        const index = this.#order[place];
        if (row.place !== place) {
            row.place = place;
            row.node.hidden = false;
            row.node.style.transform = `translateY(${place * ROW_HEIGHT}px)`;
            mark(row.node, "aria-rowindex", place + 2);
        }
        row.row = index;
        this.#columns.forEach((column, at) => {
            const text = column.text(index);
            if (row.texts[at] !== text) {
                row.texts[at] = text;
                setText(row.cells[at], text);
            }
            if (column.tone) {
                const tone = column.tone(index);
                if (row.tones[at] !== tone) {
                    row.tones[at] = tone;
                    row.cells[at].dataset.tone = tone;
                }
            }
            if (column.meter) {
                const meter = Math.round(column.meter(index) * 100);
                if (row.meters[at] !== meter) {
                    row.meters[at] = meter;
                    row.cells[at].style.backgroundSize = `${meter}% 3px`;
                }
            }
        });
    }

    #markActive() {
        let id = null;
        for (const row of this.#rows) {
            if (row.place < 0) continue;
            const isActive = row.row === this.#active;
            row.node.classList.toggle("active", isActive);
            mark(row.node, "aria-selected", row.row === this.#chosen ? "true" : "false");
            if (isActive) id = row.node.id;
        }
        mark(this.node, "aria-activedescendant", id);
    }

    // MARK: Pointer and keys

    #click(event) {
        const node = event.target.closest(".grid-row");
        const row = this.#rows.find((one) => one.node === node && one.place >= 0);
        if (!row) return;
        this.#active = row.row;
        this.#open(row.row);
    }

    #press(event) {
        if (event.target !== this.node || event.ctrlKey || event.metaKey || event.altKey || this.#order.length === 0)
            return;
        const place = this.#order.indexOf(this.#active);
        const page = Math.max(1, Math.floor(this.#room / ROW_HEIGHT) - 1);
        const last = this.#order.length - 1;
        const next = {
            ArrowDown: place + 1,
            ArrowUp: place - 1,
            PageDown: place + page,
            PageUp: place - page,
            Home: 0,
            End: last,
            j: place + 1,
            k: place - 1,
        }[event.key];
        if (next !== undefined) {
            event.preventDefault();
            this.#moveTo(Math.min(last, Math.max(0, next)));
        } else if (event.key === "Enter" && place >= 0) {
            event.preventDefault();
            this.#open(this.#active);
        } else if (/^[1-9]$/.test(event.key) && this.#columns[event.key - 1]) {
            this.sortBy(this.#columns[event.key - 1].key);
        }
    }

    #moveTo(place) {
        this.#active = this.#order[place];
        const top = place * ROW_HEIGHT;
        const { scrollTop } = this.body;
        const height = this.#room;
        if (top < scrollTop) this.body.scrollTop = top;
        else if (top + ROW_HEIGHT > scrollTop + height) this.body.scrollTop = top + ROW_HEIGHT - height;
        this.#show();
    }
}

const collator = new Intl.Collator("en", { numeric: true });
let ids = 0;

function nextID() {
    ids += 1;
    return ids;
}
