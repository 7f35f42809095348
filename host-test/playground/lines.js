// The list of records. The rule it keeps: scrolling never waits. A row appears at once with what the page knows, its
// verdict; its text comes from the worker. One question is under way at a time, for what is on view by then, so that a
// drag of the scroll bar through 100,000 records does not queue up questions for rows that are gone.

import { decider, element, verdict } from "./format.js";

const ROW = 42; // px; page.css says the same
const BEYOND = 8; // rows drawn above and below the view
const AHEAD = 60; // rows asked for above and below it
const CACHE = 20000; // lines
const TALLEST = 8e6; // px; browsers give up on taller elements, so the scroll bar is scaled

/**
 * `ask(indexes)` promises lines or null; `decision(index)` is {row, dropped, stale}; `onOpen(index, byKey)` is told of a
 * choice, `onMove(index)` of a move of the active row.
 */
export function createLines({ list, ask, decision, onOpen, onMove }) {
  const spacer = list.querySelector(".spacer");
  const pane = list.querySelector(".window");
  const pool = [];
  let cache = new Map();
  let shown = null; // Uint32Array of indexes, or null for all
  let total = 0;
  let active = -1; // position in what is shown
  let opened = -1; // index of the record whose explanation is open
  let asking = false;
  let framed = false;
  let epoch = 0;
  let top = 0; // position of the first row drawn

  const length = () => (shown ? shown.length : total);
  const indexAt = (position) => (shown ? shown[position] : position);
  const room = () => Math.max(1, list.clientHeight);
  const scale = () => (length() * ROW > TALLEST ? (length() * ROW - room()) / (TALLEST - room()) : 1);
  const page = () => Math.max(1, Math.floor(room() / ROW) - 1);

  function schedule() {
    if (framed) return;
    framed = true;
    requestAnimationFrame(() => {
      framed = false;
      draw();
    });
  }

  function draw() {
    const offset = list.scrollTop * scale();
    const first = Math.max(0, Math.floor(offset / ROW) - BEYOND);
    const last = Math.min(length(), Math.ceil((offset + room()) / ROW) + BEYOND);
    pane.style.transform = `translateY(${list.scrollTop - (offset - first * ROW)}px)`;
    // Rows that stay on view keep their elements, in the order of the document.
    const gone = Math.min(Math.max(first - top, -pool.length), pool.length);
    const moved = gone < 0 ? pool.splice(gone) : pool.splice(0, gone);
    pool[gone < 0 ? "unshift" : "push"](...moved);
    pane[gone < 0 ? "prepend" : "append"](...moved.map(({ root }) => root));
    top = first;
    while (pool.length < last - first) pool.push(createRow(pane));
    for (let at = 0; at < pool.length; at++) fill(pool[at], first + at, first + at < last);
    if (active >= first && active < last) list.setAttribute("aria-activedescendant", `record-${active}`);
    else list.removeAttribute("aria-activedescendant");
    fetchLines(first, last);
  }

  function fill(row, position, used) {
    row.root.hidden = !used;
    if (!used) return row.root.removeAttribute("id"), (row.now = "");
    const index = indexAt(position);
    const { row: by, dropped, stale } = decision(index);
    const { kind, sign, word } = verdict(by, dropped);
    const is = [stale && "waiting", position === active && "active", index === opened && "opened"];
    const classes = ["record", kind, ...is.filter(Boolean)].join(" ");
    const line = cache.get(index);
    // A write makes the browser lay the row out again, so only where something changed.
    const now = [position, index, length(), classes, by?.name].join();
    if (row.now === now && row.line === line) return;
    Object.assign(row, { now, line });
    const { root } = row;
    root.id = `record-${position}`;
    root.className = classes;
    root.ariaPosInSet = position + 1;
    root.ariaSetSize = length();
    root.ariaSelected = index === opened;
    root.dataset.position = position;
    row.sign.textContent = sign;
    row.word.textContent = word;
    row.by.textContent = by ? decider(by) : "";
    row.time.textContent = line?.time ?? "";
    row.place.textContent = row.place.title = line ? [line.namespace, line.pod, line.container].filter(Boolean).join("/") : "";
    row.stream.textContent = line?.stream ?? "";
    row.stream.classList.toggle("stderr", line?.stream === "stderr");
    row.message.textContent = line ? line.message || "(empty)" : "…";
  }

  async function fetchLines(first, last) {
    if (asking) return;
    const wanted = [];
    const missing = (from, to) => {
      for (let at = Math.max(0, from); at < Math.min(length(), to); at++) if (!cache.has(indexAt(at))) wanted.push(indexAt(at));
    };
    missing(first, last);
    if (!wanted.length) return;
    missing(first - AHEAD, first);
    missing(last, last + AHEAD);
    asking = true;
    const mine = epoch;
    const indexes = Uint32Array.from(wanted);
    const lines = await ask(indexes);
    asking = false;
    if (mine === epoch && lines) {
      if (cache.size + lines.length > CACHE) cache.clear();
      lines.forEach((line, at) => cache.set(indexes[at], line));
    }
    if (lines) schedule();
  }

  function reveal(position) {
    const least = (position * ROW + ROW - room()) / scale();
    list.scrollTop = Math.min(Math.max(list.scrollTop, least), (position * ROW) / scale());
  }

  function move(position) {
    if (!length()) return;
    active = Math.min(Math.max(position, 0), length() - 1);
    reveal(active);
    draw();
    onMove(indexAt(active));
  }

  list.addEventListener("scroll", schedule, { passive: true });
  list.addEventListener("focus", () => {
    if (active < 0 && length() && list.matches(":focus-visible")) active = Math.ceil((list.scrollTop * scale()) / ROW);
    schedule();
  });
  list.addEventListener("click", (event) => {
    const row = event.target.closest(".record");
    // Who selects text to copy it does not want the row opened.
    if (!row || String(getSelection())) return;
    active = Number(row.dataset.position);
    draw();
    onOpen(indexAt(active), false);
  });
  list.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const to = {
      ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page(), PageUp: active - page(), Home: 0, End: length() - 1,
    }[event.key];
    if (to !== undefined) move(to);
    else if ((event.key === "Enter" || event.key === " ") && active >= 0 && length()) onOpen(indexAt(active), true);
    else return;
    event.preventDefault();
  });
  new ResizeObserver(schedule).observe(list);

  return {
    /** New inputs: what was known of the lines is void. */
    reset(records) {
      cache = new Map();
      epoch++;
      total = records;
      shown = null;
      active = opened = -1;
      spacer.style.height = list.scrollTop = 0;
      schedule();
    },
    /** Shows these indexes, in order, or all. The active record stays active where it is still among them. */
    show(indexes, moved) {
      const was = active >= 0 && active < length() ? indexAt(active) : -1;
      shown = indexes;
      active = was < 0 ? -1 : positionOf(shown, was);
      spacer.style.height = `${Math.min(length() * ROW, TALLEST)}px`;
      if (moved) reveal(Math.max(active, 0));
      schedule();
    },
    opened(index) {
      opened = index;
      schedule();
    },
    focus() {
      list.focus({ preventScroll: true });
      if (active >= 0) reveal(active);
      schedule();
    },
    reveal: () => active >= 0 && reveal(active),
    length,
  };
}

function positionOf(shown, index) {
  if (!shown) return index;
  let low = 0;
  let high = shown.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (shown[middle] < index) low = middle + 1;
    else high = middle;
  }
  return shown[low] === index ? low : -1;
}

function createRow(pane) {
  const root = element("div", "record");
  root.setAttribute("role", "option");
  const row = { root };
  const part = (parent, name) => (row[name] = parent.appendChild(element("span", name)));
  const about = root.appendChild(element("div", "about"));
  const verdict = about.appendChild(element("span", "verdict"));
  part(verdict, "sign").setAttribute("aria-hidden", "true");
  part(verdict, "word");
  for (const name of ["by", "time", "place", "stream"]) part(about, name);
  part(root, "message");
  pane.append(root);
  return row;
}
