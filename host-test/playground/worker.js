// All work on records, off the page's thread. The rule it keeps: a run never decides more than one slice without listening. A newer
// rule file or newer inputs end the run under way; lines that the page asks for are answered between slices.

import init, { Preview } from "./engine.js";
import { gunzip } from "./bytes.js";

const SLICE = 2000;
const POST_EVERY = 100; // ms

let preview;
let current = 0; // the run that may go on; a newer one has a higher number
let generation = 0; // of the inputs: indexes of one mean nothing in another
let decided = 0; // records of the run so far

const files = new Map(); // the sample's files, fetched while the engine compiles
const fetched = (name) => {
  if (!files.has(name)) files.set(name, inflate(name).catch((error) => (files.delete(name), Promise.reject(error))));
  return files.get(name);
};

const ready = (async () => {
  await init({ module_or_path: new URL("./engine_bg.wasm", import.meta.url) });
  preview = new Preview();
})();

const DO = {
  /** `inputs` replace or join what is there; `pods` is absent (as before), null (forget them) or bytes. */
  async inputs({ replace, sample, inputs, pods }) {
    const added = [];
    let list = pods;
    if (sample) {
      const files = await Promise.all([fetched("sample.gz"), fetched("pods.gz")]).catch(({ message }) => {
        postMessage({ event: "failed", message: `The sample could not be loaded: ${message}` });
      });
      if (!files) return;
      const [records, samplePods] = files;
      inputs = [{ name: "", label: "sample", bytes: records }];
      list ??= samplePods;
    }
    current++; // a run under way is of what was there
    if (replace) preview.clear();
    // Pods of other records are none of these, also when the new list is refused.
    if (replace && list !== undefined) preview.pods(new Uint8Array());
    generation++;
    for (const { name, label, bytes } of inputs) {
      added.push({ label: label || name || "pasted", ...JSON.parse(preview.add(name, bytes)) });
    }
    const answer = list === undefined ? undefined : JSON.parse(preview.pods(list ?? new Uint8Array()));
    postMessage({ event: "inputs", generation, replace, added, pods: answer });
    run().catch(fault);
  },

  rules({ source, edit }) {
    const { usable, findings, more } = JSON.parse(preview.load(source));
    postMessage({ event: "findings", edit, usable, findings, more });
    if (usable) run().catch(fault);
  },

  prices({ firehose, cloudwatch, nodes }) {
    preview.prices(firehose, cloudwatch, nodes);
    postMessage({ event: "panel", panel: preview.panel() });
  },

  lines({ id, indexes, generation: asked }) {
    answer(id, asked === generation ? JSON.parse(preview.lines(indexes)) : null);
  },

  explain({ id, index, generation: asked }) {
    answer(id, asked === generation && index < decided ? JSON.parse(preview.explain(index)) : null);
  },

  search({ id, text, generation: asked }) {
    answer(id, asked === generation ? preview.search(text) : null);
  },

  prefetch() {
    for (const name of ["sample.gz", "pods.gz"]) fetched(name).catch(() => {}); // told when they are wanted
  },
};

// In their order, one after the other: an input that is still read comes before the rules that were changed after it.
let queue = Promise.resolve();
onmessage = ({ data }) => {
  if (data.do === "prefetch") return DO.prefetch();
  queue = queue
    .then(async () => {
      await ready;
      await DO[data.do](data);
    })
    .catch((error) => {
      fault(error);
      if (data.id) answer(data.id, null); // who has asked waits no longer
    });
};

async function run() {
  const mine = ++current;
  const began = performance.now();
  const total = preview.start();
  const rows = JSON.parse(preview.rows());
  let posted = (decided = 0);
  let last = -Infinity;
  for (;;) {
    const done = (decided = preview.advance(SLICE));
    const now = performance.now();
    if (done >= total || now - last >= POST_EVERY) {
      const verdicts = preview.verdicts(posted).slice();
      postMessage(
        { event: "run", run: mine, generation, rows, total, done, from: posted, verdicts, panel: preview.panel(), ms: now - began },
        [verdicts.buffer],
      );
      posted = done;
      last = now;
    }
    if (done >= total) return;
    await breath();
    if (mine !== current) return;
  }
}

const channel = new MessageChannel();
const waiting = [];
channel.port1.onmessage = () => waiting.shift()?.();
/** Lets waiting messages in. Not setTimeout, which browsers stretch to 4 ms when nested. */
function breath() {
  return new Promise((resolve) => {
    waiting.push(resolve);
    channel.port2.postMessage(0);
  });
}

async function inflate(name) {
  const response = await fetch(new URL(`./${name}`, import.meta.url));
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
  return gunzip(new Uint8Array(await response.arrayBuffer()));
}

function answer(id, value) {
  postMessage({ event: "answer", id, value }, value instanceof Uint32Array ? [value.buffer] : []);
}

let hasFault = false;
/** Only the first says what happened; those after it are its consequences. */
function fault(error) {
  if (!hasFault) postMessage({ event: "fault", message: String(error?.message ?? error) });
  hasFault = true;
}
