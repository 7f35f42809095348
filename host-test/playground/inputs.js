// What the engine reads: the sample, files, pasted text, pod lists. The rules it keeps: the sample gives way to the first
// lines of one's own, and more join those; of what is small enough for a link a copy is kept for sharing.

import { gunzip } from "./bytes.js";
import { $, element, plural } from "./format.js";

const SHAREABLE = 4e6; // bytes; more would not fit into a link however well it compresses
const MOST = 256e6; // bytes of lines in all; the engine holds each three times over, in at most 4 GB

/** `tell(message, transfer)` reaches the engine; `onRules(text)` gets a dropped rule file; `note(text)` tells the reader. */
export function createInputs({ tell, note, onRules, list }) {
  let podsBefore = null;
  let held = { sample: false, inputs: [], size: 0, pods: null };
  let former = held; // what is held still when the sample does not come
  let added = [];
  let pods = null; // the engine's answer

  /** Replaces all there is. `pods` are bytes or null. */
  function replace({ sample = false, inputs = [], pods: own = null }) {
    former = held;
    held = { sample, inputs: [], size: 0, pods: own };
    send({ replace: true, sample, inputs, pods: sample && !own ? undefined : own });
  }

  function add(inputs, own) {
    if (!inputs.length && own === undefined) return;
    own ??= held.pods ?? undefined;
    // The sample goes, and its pods, which say nothing about the lines of another cluster.
    if (held.sample && inputs.length) return replace({ inputs, pods: own });
    podsBefore = held.pods;
    if (own) held.pods = own;
    send({ replace: false, sample: false, inputs, pods: own });
  }

  function send({ replace, sample, inputs, pods: own }) {
    for (const { name, bytes } of inputs) {
      held.size += bytes.length;
      if (held.inputs && held.size <= SHAREABLE) held.inputs.push({ name, bytes: bytes.slice() });
      else held.inputs = null;
    }
    tell({ do: "inputs", replace, sample, inputs, pods: own }, inputs.map(({ bytes }) => bytes.buffer));
  }

  async function take(files) {
    const inputs = [];
    let size = held.sample ? 0 : held.size;
    let own;
    for (const file of files) {
      try {
        const bytes = await inflated(file);
        const name = file.name.replace(/\.gz$/i, "");
        if (/\.ya?ml$/i.test(name)) openRules(bytes, name);
        else if (/\.json$/i.test(name) && isPodList(bytes)) own = bytes;
        else if (!bytes.length) throw new Error("it is empty");
        else if ((size += bytes.length) > MOST) throw new Error(`lines of more than ${MOST / 1e6} MB in all`);
        else inputs.push({ name, bytes });
      } catch (error) {
        note(`${file.name} could not be read: ${error.message}`);
      }
    }
    add(inputs, own);
  }

  function openRules(bytes, name) {
    const text = new TextDecoder().decode(bytes);
    if (/^\s*\{|^\s*["']?version["']?\s*:/m.test(text)) onRules(text, name);
    else note(`${name} is no rule file: it has no \`version\`.`);
  }

  function paste(text) {
    if (text.trim()) add([{ name: "", bytes: new TextEncoder().encode(text) }]);
  }

  const pick = (options, then) => {
    const input = Object.assign(document.createElement("input"), { type: "file", ...options });
    input.onchange = () => then([...input.files]);
    input.click();
  };
  $("sample").onclick = () => (held.sample || !added.length || confirm("Put the sample in the place of your lines?")) && replace({ sample: true });
  $("clear").onclick = () => replace({});
  $("open").onclick = () => pick({ multiple: true }, take);
  $("open-rules").onclick = () => pick({ accept: ".yaml,.yml" }, async ([file]) => file && openRules(await file.arrayBuffer(), file.name));
  $("pods").onclick = () =>
    pick({ accept: ".json,.gz,application/json" }, async ([file]) => {
      if (!file) return;
      const bytes = await inflated(file).catch((error) => note(`${file.name} could not be read: ${error.message}`));
      if (bytes) add([], bytes);
    });

  const dialog = $("paste-dialog");
  const area = $("paste-text");
  $("paste").onclick = () => dialog.showModal();
  dialog.querySelector("[value=cancel]").onclick = () => dialog.close("cancel");
  dialog.onclose = () => {
    // What was typed and not applied is there when the dialog is opened again.
    if (dialog.returnValue === "apply") paste(area.value), (area.value = "");
    dialog.returnValue = "";
  };
  document.addEventListener("paste", (event) => {
    // With the focus on the list or nowhere: a person who has just opened the page and presses Ctrl-V.
    if (event.target === document.body || list.contains(event.target)) pasted(event);
  });
  function pasted(event) {
    event.preventDefault();
    const { files } = event.clipboardData;
    if (files.length) take([...files]);
    else paste(event.clipboardData.getData("text/plain"));
  }

  const carries = ({ dataTransfer }) => dataTransfer?.types.includes("Files");
  const mark = (on) => ($("drop").hidden = !on);
  addEventListener("dragleave", ({ relatedTarget }) => relatedTarget || mark(false));
  // In the capture phase, before the editor takes the file's text into the rules.
  addEventListener("dragover", (event) => carries(event) && (event.preventDefault(), mark(true)), true);
  addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    event.stopPropagation();
    mark(false);
    take([...event.dataTransfer.files]);
  }, true);

  return {
    replace,
    /** The engine's answer to what was sent. */
    arrived({ replace, added: more, pods: answer }) {
      added = replace ? more : [...added, ...more];
      if (answer?.error) {
        held.pods = replace ? null : podsBefore; // the engine keeps those that it has
        note(`The pod list could not be read: ${answer.error}`);
      } else if (answer) {
        pods = answer.pods;
        if (held.pods && !pods) note("The pod list names no pod.");
      }
      $("inputs").replaceChildren(...describe(added, pods));
    },
    /** What a link can hold; `inputs` is null when it is too much. */
    shared() {
      // Bytes that are no UTF-8 would come out as others.
      const text = (bytes) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
      const { sample } = held;
      try {
        const inputs = held.inputs && held.inputs.map(({ name, bytes }) => ({ name, text: text(bytes) }));
        return { sample, inputs, ...(held.pods ? { pods: text(held.pods) } : {}) };
      } catch {
        return { sample, inputs: null };
      }
    },
    failed: () => (held = former),
    isSample: () => held.sample,
    hasPods: () => pods > 0,
  };
}

const FORMATS = { cri: "container logs", docker: "Docker JSON logs", records: "JSON records", plain: "plain text" };

function describe(added, pods) {
  if (!added.length) return [];
  const names = added.map(({ label }) => label).join(", ");
  const formats = [...new Set(added.map(({ format }) => FORMATS[format] ?? format))].join(", ");
  const source = element("span", "source", added.length > 3 ? plural(added.length, "file") : names);
  source.title = names;
  const rest = [formats, pods ? plural(pods, "pod") : "no pod list"];
  const skipped = added.reduce((sum, entry) => sum + entry.skipped, 0);
  if (skipped) rest.push(`${plural(skipped, "line")} skipped`);
  return [source, element("span", "", ` · ${rest.join(" · ")}`)];
}

function isPodList(bytes) {
  try {
    return Array.isArray(JSON.parse(new TextDecoder().decode(bytes)).items);
  } catch {
    return false; // JSON records, one on each line
  }
}

const inflated = async (file) => gunzip(new Uint8Array(await file.arrayBuffer()), MOST);
