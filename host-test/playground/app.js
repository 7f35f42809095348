// Wires the page: the editor's text goes to the worker, what it finds into the list, the panel and the status.
// The rule it keeps: what is on view is the outcome of one rule file, or is said to be that of an older one. A newer run
// replaces the verdicts of the one before from the first record on, so that nothing flickers.

import { createClient } from "./client.js";
import { draft, keepRest, keepRules } from "./draft.js";
import { renderExplanation } from "./explanation.js";
import { $, count, decider, element, keyOf, kinds, plural } from "./format.js";
import { createInputs } from "./inputs.js";
import { createLayout } from "./layout.js";
import { createLines } from "./lines.js";
import { createPrices } from "./prices.js";
import { decode, encode } from "./share.js";

const NOTHING = { rows: [], verdicts: new Uint16Array(), done: 0, total: 0, run: 0, generation: 0 };

let generation = 0;
let run = NOTHING;
let before = NOTHING; // the run that this one replaces, of the same inputs
let rules = { usable: true, findings: [], ever: false };
let filter = { verdict: "all", by: "", text: "", found: null };
let openIndex = -1;
let editor = null;

const client = createClient({
  findings(message) {
    rules = { ...message, ever: rules.ever || message.usable };
    editor.show(message);
    tellStatus();
  },
  inputs(message) {
    generation = message.generation;
    before = run = NOTHING;
    lines.reset(0);
    inputs.arrived(message);
    closeExplanation(false);
    filter.found = null; // of the inputs before
    find();
    keep();
  },
  run: onRun,
  panel: ({ panel }) => showPanel(panel),
  failed({ message }) {
    inputs.failed();
    note(`${message}.`);
  },
  fault({ message }) {
    $("progress").hidden = true;
    $("status").textContent = `The engine stopped: ${message}. Reload the page.`;
    $("status").classList.add("bad");
  },
});

const layout = createLayout();
const lines = createLines({
  list: $("list"),
  ask: (indexes) => client.ask({ do: "lines", indexes, generation }),
  decision,
  onOpen: openExplanation,
  onMove: (index) => openIndex >= 0 && openExplanation(index, false),
});
const inputs = createInputs({
  tell: client.tell,
  note,
  onRules: (text, name) => (editor.replace(text), note(`Rules of ${name}. Undo brings back those before.`)),
  list: $("list"),
});
const prices = createPrices((given) => {
  client.tell({ do: "prices", ...given });
  keep();
});

const started = start().catch(({ message }) => {
  $("status").textContent = `The page could not be started: ${message}`;
  $("status").classList.add("bad");
});

async function start() {
  const before = draft() ?? (await decodeOrTell());
  if (!before || before.sample) client.tell({ do: "prefetch" });
  const rulesText = before ? before.rules : shippedRules();
  const { createEditor } = await import("./editor.js");
  editor = createEditor({
    parent: $("editor"),
    findings: $("findings"),
    badge: $("badge"),
    onEdit(source, edit) {
      client.tell({ do: "rules", source, edit });
      areRulesKept = keepRules(source) || edit === 1; // the first are those of a file or link
    },
  });
  restore(before ?? { rules: await rulesText, inputs: [], sample: true });
}

async function shippedRules() {
  const response = await fetch("./rules.yaml");
  if (!response.ok) throw new Error(`rules.yaml: ${response.status} ${response.statusText}`);
  return response.text();
}

function begin(rules, given) {
  editor.replace(rules);
  client.tell({ do: "prices", ...prices.set(given) });
}

/** Rules before inputs, so that the first run is of these rules. */
function restore({ rules, inputs: own, sample, pods, prices: given, lacks }) {
  const encoder = new TextEncoder();
  begin(rules, given);
  if (lacks) note("Only the rules are here: the lines were too many. These are the sample's.");
  inputs.replace({
    sample,
    inputs: own.map(({ name, text }) => ({ name, bytes: encoder.encode(text) })),
    pods: pods === undefined ? null : encoder.encode(pods),
  });
}

const state = () => ({ rules: editor.source(), ...inputs.shared(), prices: prices.given() });

let areRulesKept = true;
let areLinesKept = true;
function keep() {
  if (editor) areLinesKept = keepRest(state()) || inputs.isSample();
}
addEventListener("beforeunload", (event) => (areRulesKept && areLinesKept) || event.preventDefault());

// The run

function onRun(message) {
  if (message.generation !== generation) return;
  if (message.run !== run.run) {
    // A run that was overtaken leaves the better part of the one before it.
    if (run.done === run.total) before = run;
    run = { ...message, verdicts: new Uint16Array(message.total), done: 0 };
    if (before.total !== run.total) before = NOTHING;
  }
  run.verdicts.set(message.verdicts, message.from);
  if (message.done && !performance.getEntriesByName("verdicts").length) performance.mark("verdicts", { detail: message.done });
  Object.assign(run, { done: message.done, ms: message.ms });
  const complete = run.done >= run.total;
  if (complete) before = NOTHING;
  $("progress").hidden = complete;
  $("progress").value = run.total ? run.done / run.total : 1;
  showPanel(message.panel);
  showRows();
  select();
  if (complete) {
    tellStatus();
    tellWhatIsUnknown();
    if (openIndex >= 0) openExplanation(openIndex, false);
  }
}

function decision(index) {
  const from = index < run.done ? run : before;
  if (index >= from.done) return { row: null, dropped: false, stale: true };
  const value = from.verdicts[index];
  return { row: from.rows[value >> 1], dropped: (value & 1) === 1, stale: from !== run };
}

function tellStatus() {
  const { errors, warnings } = kinds(rules);
  const older = `${plural(errors, "mistake")}, ${rules.ever ? "showing the last usable rules" : "no usable rules yet"}`;
  const usable = warnings ? `rules usable, ${plural(warnings, "warning")}` : "rules usable";
  const parts = [rules.usable ? usable : older];
  if (run.total && run.done >= run.total) parts.unshift(`${plural(run.total, "record")} in ${count(Math.max(1, run.ms))} ms`);
  $("status").textContent = parts.join(" · ");
  announce(parts.at(-1));
  $("status").classList.toggle("bad", !rules.usable);
  $("stale").hidden = rules.usable || !rules.ever;
  document.body.classList.toggle("older", !rules.usable);
}

let announcing = 0;
/** For who does not see the status: whether the rules can be used, once a person stops typing. */
function announce(text) {
  clearTimeout(announcing);
  announcing = setTimeout(() => {
    if ($("announcement").textContent !== text) $("announcement").textContent = text;
  }, 800);
}

/** Without metadata a condition on it holds back its rule: the record is kept, and a person wonders why. */
function tellWhatIsUnknown() {
  const row = run.rows.findIndex(({ stage, name }) => stage === "outcome" && name === "unknown");
  let unknown = 0;
  for (const verdict of run.verdicts) if (verdict >> 1 === row) unknown++;
  $("hint").hidden = inputs.hasPods() || unknown === 0;
  $("hint").textContent = `${count(unknown)} of ${plural(run.total, "record")} kept for want of metadata: a rule asks for labels, owner or age. Pods… takes a pod list.`;
}

// The panel

function showPanel(html) {
  const panel = $("panel");
  const focused = panel.contains(document.activeElement) ? document.activeElement.dataset.row : undefined;
  panel.innerHTML = html; // of the engine, which escapes what is in it
  pressPanel();
  if (focused !== undefined) panel.querySelector(`button[data-row="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function pressPanel() {
  for (const button of $("panel").querySelectorAll("button[data-row]")) {
    const { row: name, stage } = button.dataset;
    button.setAttribute("aria-pressed", keyOf({ name, stage }) === filter.by);
  }
}

$("panel").addEventListener("click", (event) => {
  const button = event.target.closest("button[data-row]");
  if (!button) return;
  const key = keyOf({ name: button.dataset.row, stage: button.dataset.stage });
  filter.by = $("by").value = filter.by === key ? "" : key;
  select(true);
  pressPanel();
  if (layout.narrow()) layout.show("lines");
});

// Which records are shown

let rowNames = "";
function showRows() {
  const names = JSON.stringify(run.rows);
  if (names === rowNames) return;
  rowNames = names;
  const options = run.rows.map((row) => new Option(decider(row), keyOf(row)));
  $("by").replaceChildren(new Option("Any rule", ""), ...options);
  // The rule that is shown may be gone; its name stays, with no records, until another is chosen.
  if (filter.by && !run.rows.some((row) => keyOf(row) === filter.by)) {
    $("by").append(new Option(`${filter.by.split("/")[1]} (gone)`, filter.by));
  }
  $("by").value = filter.by;
}

for (const radio of document.getElementsByName("verdict")) {
  radio.addEventListener("change", () => {
    filter.verdict = radio.value;
    select(true);
  });
}
$("by").addEventListener("change", () => {
  filter.by = $("by").value;
  select(true);
  pressPanel();
});
let typing = 0;
$("search").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(find, 120);
});

async function find() {
  filter.text = $("search").value;
  const { text } = filter;
  const asked = generation;
  const found = text ? await client.ask({ do: "search", text, generation }) : null;
  if (text !== filter.text || asked !== generation) return;
  filter.found = found;
  select(true);
}

let shownGeneration = -1;
/** `moved` when another choice of records was asked for, not only newer verdicts. */
function select(moved) {
  if (run.generation !== generation) return;
  if (shownGeneration !== generation) lines.reset(run.total);
  shownGeneration = generation;
  const { verdict, by, found } = filter;
  let indexes = found;
  if (verdict !== "all" || by) {
    const fits = (index) => {
      const { row, dropped } = decision(index);
      return row && (verdict === "all" || dropped === (verdict === "dropped")) && (!by || keyOf(row) === by);
    };
    const from = found ?? { length: run.total };
    indexes = new Uint32Array(from.length);
    let kept = 0;
    for (let at = 0; at < from.length; at++) {
      const index = found ? found[at] : at;
      if (fits(index)) indexes[kept++] = index;
    }
    indexes = indexes.subarray(0, kept);
  }
  lines.show(indexes, moved);
  const shown = lines.length();
  $("shown").textContent = indexes ? `${count(shown)} of ${count(run.total)}` : plural(run.total, "record");
  const empty = document.querySelector(".empty");
  empty.hidden = shown > 0;
  $("list").role = shown ? "listbox" : "group"; // a listbox without options is none
  empty.textContent = run.total ? "No record fits these filters." : "No records. Open or drop log files, paste lines, or take the sample.";
}

// The explanation

let asking = false;
let shownIndex = -1; // the record that the explanation is of
async function openExplanation(index, byKey) {
  openIndex = index;
  lines.opened(index);
  if (index >= run.done) return; // it comes when the run is complete
  // One question at a time: a key that is held down asks for the last row only.
  if (asking) return;
  asking = true;
  const explained = await client.ask({ do: "explain", index, generation });
  asking = false;
  if (openIndex >= 0 && openIndex !== index) return (shownIndex = -1), openExplanation(openIndex, byKey);
  if (!explained || openIndex !== index) return;
  const root = $("explanation");
  renderExplanation(root, explained, run.rows[explained.row] ?? { stage: "rule", name: explained.explanation.rule }, shownIndex !== index);
  shownIndex = index;
  root.hidden = false;
  if (byKey || layout.narrow()) root.focus();
  requestAnimationFrame(() => lines.reveal());
}

function closeExplanation(back = true) {
  if (openIndex < 0) return;
  openIndex = shownIndex = -1;
  $("explanation").hidden = true;
  lines.opened(-1);
  if (back) lines.focus();
}

$("explanation").onclick = ({ target }) => target.closest("[data-close]") && closeExplanation();
$("lines").onkeydown = (event) => {
  if (event.key !== "Escape" || openIndex < 0 || event.target === $("search")) return;
  event.preventDefault();
  closeExplanation();
};

$("skip").onclick = (event) => {
  event.preventDefault(); // the fragment is for links
  if (layout.narrow()) layout.show("lines");
  $("list").focus();
};

// Rules as a file, and links

$("save-rules").onclick = () => {
  const href = `data:text/plain;charset=utf-8,${encodeURIComponent(editor.source())}`;
  Object.assign(element("a"), { href, download: "nodesieve.yaml" }).click();
};

let ownHash = "";
$("share").onclick = async () => {
  try {
    const { fragment, lacks } = await encode(state());
    if (location.hash !== fragment) ownHash = location.hash = fragment;
    keepRules(editor.source());
    const told = lacks ? "It holds only the rules: the lines are too many for a link, or not UTF-8." : "The link holds rules and lines.";
    try {
      await navigator.clipboard.writeText(location.href);
      note(`Link copied. ${told}`);
    } catch {
      $("share-text").textContent = `Copy this link. ${told}`;
      $("share-link").value = location.href;
      $("share-dialog").showModal();
      $("share-link").select();
    }
  } catch (error) {
    note(`There is no link: ${error.message}.`);
  }
};

addEventListener("hashchange", async () => {
  await started;
  const isOwn = location.hash === ownHash;
  ownHash = ""; // the way back to it is another matter
  const asked = location.hash;
  const shared = isOwn ? null : await decodeOrTell();
  if (asked !== location.hash) return; // another is on its way
  if (!editor) return;
  if (!shared) return keepRules(editor.source()); // what is here belongs to this address from now on
  // Lines that are kept nowhere else are not given up for a link without a word, nor for one that has none.
  const keepsLines = shared.lacks || (!areLinesKept && !confirm("Put the lines of this link in the place of yours?"));
  if (keepsLines) begin(shared.rules, shared.prices);
  else restore(shared);
});

async function decodeOrTell() {
  try {
    return location.hash ? await decode(location.hash) : null;
  } catch {
    note("The link is damaged or of another version; it was ignored.");
    return null;
  }
}

let noteTimer = 0;
function note(text) {
  clearTimeout(noteTimer);
  $("note").textContent = text;
  noteTimer = setTimeout(() => ($("note").textContent = ""), 8000);
}
