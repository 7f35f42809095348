// How numbers and verdicts are written, so that the status, the list and the explanation agree.

const GROUP = /\B(?=(\d{3})+(?!\d))/g;

/** 20095 as "20 095", as the engine's panel writes it. */
export const count = (number) => String(Math.round(number)).replace(GROUP, "\u202f");

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

/** How many mistakes and warnings are told. */
export function kinds({ findings }) {
  const warnings = findings.filter(({ severity }) => severity === "warning").length;
  return { errors: findings.length - warnings, warnings };
}

/** A verdict as colour class, sign and word. Sign and word carry it alone, for who cannot tell the colours apart. */
export function verdict(row, dropped) {
  if (!row) return { kind: "pending", sign: "·", word: "not yet" };
  if (dropped) return { kind: "dropped", sign: "✕", word: "dropped" };
  if (row.stage === "guard") return { kind: "guard", sign: "◆", word: "kept" };
  if (row.stage === "outcome" && row.name === "unknown") return { kind: "unknown", sign: "?", word: "unknown" };
  if (row.stage === "outcome" && row.name === "fault") return { kind: "unknown", sign: "!", word: "kept" };
  return { kind: "kept", sign: "✓", word: "kept" };
}

/** What decided: a rule's own name, or in the engine's words what an outcome means. */
export const decider = ({ stage, name, meaning }) => (stage === "guard" ? `guard ${name}` : meaning ?? name);

/** Names a row of the run. A guard and a rule never share a name, but an outcome may be called like a rule. */
export const keyOf = ({ stage, name }) => `${stage === "outcome" ? "outcome" : "named"}/${name}`;

export const $ = (id) => document.getElementById(id);

/** An element with a class and a text; what comes from logs goes into the page by no other way. */
export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
