// What happened to one record: the verdict, every guard and rule in order, the record as it came and as it goes on.
// Records are laid out from their JSON text, not parsed into numbers and back: a 64-bit id that the page rounded would be
// a lie about the filter. Everything is set as text, since what is in a log is anybody's.

import { decider, element, verdict } from "./format.js";

const SIGNS = { matched: "✓", failed: "–", unknown: "?", over: "▲", "matched in shadow mode": "◌" };
const WORDS = { over: "over: its until is past" };

/** `isOther` when another record was shown before: one that is decided anew stays where a reader has scrolled to. */
export function renderExplanation(root, { tag, time, record, answer, action, continued, explanation }, row, isOther) {
  const dropped = action === "drop";
  const { kind, sign } = verdict(row, dropped);
  const head = element("header");
  const title = element("h3", `verdict ${kind}`);
  title.id = "explanation-title";
  title.append(element("span", "sign", sign), ` ${sentence(row, dropped)}`);
  title.firstChild.setAttribute("aria-hidden", "true");
  const close = element("button", "close", "Close");
  close.type = "button";
  close.dataset.close = "";
  head.append(title, close);

  const facts = element("p", "facts");
  facts.append(element("time", "", time.replace("T", " ")));
  if (explanation.severity) facts.append(element("span", "", `severity ${explanation.severity}`));

  if (continued) facts.append(element("span", "", "continues the line before it and has its verdict; below as if it stood alone"));
  const columns = element("div", "columns");
  columns.append(stepsOf(explanation.steps), recordsOf(tag, record, answer));
  root.replaceChildren(head, facts, columns);
  if (isOther) root.scrollTop = 0;
}

/** A rule's policy is named where it weighs, for then the same rule keeps some records and drops others. */
function sentence(row, dropped) {
  const verb = dropped ? "Dropped" : "Kept";
  if (row.stage === "outcome") return `${verb}: ${decider(row)}`;
  return `${verb} by the ${row.weighs ? `${row.weighs} of the ` : ""}${row.stage} ${row.name}`;
}

function stepsOf(steps) {
  const block = element("div", "block");
  block.append(element("h4", "", "Guards and rules, in their order"));
  const list = block.appendChild(element("ol", "steps"));
  for (const { stage, name, result, condition, detail } of steps) {
    const item = element("li", `step ${result.replaceAll(" ", "-")}`);
    const sign = item.appendChild(element("span", "sign", SIGNS[result] ?? "·"));
    sign.setAttribute("aria-hidden", "true");
    const text = item.appendChild(element("div"));
    text.append(element("span", "name", name), element("span", "stage", ` ${stage} `));
    text.append(element("span", "result", condition ? `${WORDS[result] ?? result}: ${condition}` : WORDS[result] ?? result));
    if (detail) text.append(element("span", "detail", ` · ${detail}`));
    list.append(item);
  }
  if (!steps.length) list.append("No guard and no rule was asked.");
  return block;
}

function recordsOf(tag, record, answer) {
  const block = element("div", "block");
  block.append(element("h4", "", "The record as it came"), json(members(record)), element("p", "tag", tag));
  if (answer === null) return block;
  const before = new Map(members(record).map(({ key, value }) => [key, value]));
  const after = members(answer).map((member) => ({
    ...member,
    mark: !before.has(member.key) ? "added" : before.get(member.key) !== member.value ? "changed" : "",
  }));
  const marked = after.filter(({ mark }) => mark).length;
  block.append(element("h4", "", "The record as it goes on"), json(after));
  if (!marked) block.append(element("p", "quiet", "Nothing was added."));
  return block;
}

function json(list) {
  const pre = element("pre");
  pre.append("{\n");
  list.forEach(({ key, value, mark }, at) => {
    const line = element(mark === "added" ? "ins" : "span", `member ${mark ?? ""}`);
    if (mark) line.append(element("span", "unseen", `${mark}: `));
    line.append("  ", element("span", "key", key), ": ", laidOut(value, "  "), at + 1 < list.length ? ",\n" : "\n");
    pre.append(line);
  });
  pre.append("}");
  return pre;
}

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** The members of a JSON object's text, each value as its text. One that is no object is one member without a name. */
export function members(text) {
  const tokens = text.match(TOKEN) ?? [];
  if (tokens[0] !== "{") return [{ key: "", value: text }];
  const list = [];
  let depth = 0;
  let member = null;
  for (const token of tokens.slice(1, -1)) {
    if (depth === 0 && token === ",") member = null;
    else if (!member) list.push((member = { key: token, value: "" }));
    else if (depth > 0 || token !== ":") member.value += token;
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
  }
  return list;
}

function laidOut(value, indent) {
  let text = "";
  const tokens = value.match(TOKEN) ?? [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    const empty = (token === "{" && tokens[at + 1] === "}") || (token === "[" && tokens[at + 1] === "]");
    if (empty) text += token + tokens[++at];
    else if (token === "{" || token === "[") text += `${token}\n${(indent += "  ")}`;
    else if (token === "}" || token === "]") text += `\n${(indent = indent.slice(2))}${token}`;
    else if (token === ",") text += `,\n${indent}`;
    else text += token === ":" ? ": " : token;
  }
  return text;
}
