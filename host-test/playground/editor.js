// The editor of the rule file, and the list of its mistakes below. The rule it keeps: a mistake is shown where it is, in
// the text and in words; findings of an older edit are not drawn into a text that has moved on.

import {
  Decoration, EditorState, EditorView, HighlightStyle, ViewPlugin, bracketMatching, defaultKeymap, drawSelection, highlightActiveLine,
  highlightActiveLineGutter, highlightSelectionMatches, highlightSpecialChars, history, historyKeymap, indentOnInput,
  indentUnit, keymap, lineNumbers, lintGutter, lintKeymap, search, searchKeymap, setDiagnostics, syntaxHighlighting, tags,
  yaml,
} from "./vendor/codemirror.js";
import { element, kinds, plural } from "./format.js";

const PAUSE = 30; // ms without a keystroke

/** `onEdit(source, edit)` is told of the text after a pause, and at once when it was replaced. */
export function createEditor({ parent, findings, badge, onEdit }) {
  let edit = 0;
  let timer = 0;
  let shown = [];

  const changed = EditorView.updateListener.of((update) => {
    if (!update.docChanged) return;
    edit++;
    clearTimeout(timer);
    timer = setTimeout(() => onEdit(source(), edit), PAUSE);
  });
  const view = new EditorView({ parent, state: stateOf("") });
  const source = () => view.state.doc.toString();

  function stateOf(doc) {
    return EditorState.create({
      doc,
      extensions: [
        lineNumbers(), lintGutter(), history(), drawSelection(), highlightSpecialChars(), highlightActiveLine(),
        highlightActiveLineGutter(), highlightSelectionMatches(), bracketMatching(), indentOnInput(), indentUnit.of("  "),
        yaml(), syntaxHighlighting(COLOURS), LOOK, search({ top: true }), EditorView.lineWrapping, HANGING,
        // Not Tab, which moves the focus on; Ctrl-] and Ctrl-[ indent.
        keymap.of([...defaultKeymap, ...searchKeymap, ...historyKeymap, ...lintKeymap]),
        EditorView.contentAttributes.of({ "aria-label": "Rule file", "aria-describedby": "findings-title", spellcheck: "false", tabindex: "0" }),
        changed,
      ],
    });
  }

  function jump({ from, to }) {
    const size = view.state.doc.length;
    const selection = { anchor: Math.min(from, size), head: Math.min(Math.max(to, from), size) };
    view.dispatch({ selection, effects: EditorView.scrollIntoView(selection.anchor, { y: "center" }) });
    view.focus();
  }

  findings.onclick = ({ target }) => {
    const at = target.closest("button")?.dataset.at;
    if (at !== undefined) jump(shown[at]);
  };

  return {
    source,
    /** Another file; undo brings the one before back, but for the first. Its event is none that joins what was typed just before. */
    replace(text) {
      if (edit === 0) view.setState(stateOf(text));
      else view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text }, selection: { anchor: 0 }, scrollIntoView: true, userEvent: "input.replace" });
      clearTimeout(timer);
      onEdit(source(), ++edit);
    },
    show({ edit: of, findings: found }) {
      if (of !== edit) return;
      shown = found;
      const size = view.state.doc.length;
      const diagnostics = found.map(({ from, to, severity, code, message, help }) => ({
        from: Math.min(from, size), to: Math.min(Math.max(to, from), size), severity, source: code,
        message: help ? `${message}\n${help}` : message,
      }));
      view.dispatch(setDiagnostics(view.state, diagnostics));
      list(found, view.state.doc);
    },
  };

  function list(found, doc) {
    const { errors, warnings } = kinds({ findings: found });
    const title = [errors && plural(errors, "mistake"), warnings && plural(warnings, "warning")].filter(Boolean).join(", ");
    findings.hidden = !found.length;
    findings.querySelector("h3").textContent = title;
    badge.hidden = !found.length;
    badge.textContent = found.length;
    findings.querySelector("ol").replaceChildren(...found.map((finding, at) => item(finding, at, doc)));
  }
}

function item({ line, column, from, to, code, severity, message, help }, at, doc) {
  const button = element("button", `finding ${severity}`);
  button.type = "button";
  button.dataset.at = at;
  const head = element("span", "what");
  head.append(element("span", "place", `${line}:${column}`), element("span", "code", code), element("span", "message", message));
  button.append(head);
  if (line >= 1 && line <= doc.lines && from >= doc.line(line).from) {
    const { text, from: start, to: end } = doc.line(line);
    // A long line begins shortly before the place, so that the caret is on view.
    const before = from - start;
    // And a long line ends soon behind it.
    const shown = text.slice(0, before + 160);
    const cut = before > 36 ? before - 16 : Math.min(before, text.length - text.trimStart().length);
    const source = element("span", "source", `${shown.slice(cut)}\n${" ".repeat(before - cut)}`);
    source.append(element("span", "caret", "^".repeat(Math.max(1, Math.min(to, end, start + shown.length) - from))));
    source.setAttribute("aria-hidden", "true");
    button.append(source);
  }
  if (help) button.append(element("span", "help", help));
  const entry = element("li");
  entry.append(button);
  return entry;
}

/** Wrapped lines go on below their own beginning: where a line begins is what YAML is about. */
const HANGING = ViewPlugin.define(
  (view) => ({
    lines: hanging(view),
    update(change) {
      if (change.docChanged || change.viewportChanged) this.lines = hanging(view);
    },
  }),
  { decorations: (plugin) => plugin.lines },
);

function hanging({ viewport, state }) {
  const lines = [];
  for (let line = state.doc.lineAt(viewport.from); ; line = state.doc.line(line.number + 1)) {
    const deep = line.text.match(/^ *([-#] )?/)[0].length;
    const style = `text-indent: -${deep}ch; padding-left: calc(6px + ${deep}ch)`;
    if (deep) lines.push(Decoration.line({ attributes: { style } }).range(line.from));
    if (line.to >= viewport.to) return Decoration.set(lines);
  }
}

const COLOURS = HighlightStyle.define([
  { tag: [tags.definition(tags.propertyName), tags.propertyName], color: "var(--code-key)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--code-string)" },
  { tag: [tags.content, tags.atom, tags.bool, tags.number], color: "var(--code-value)" },
  { tag: tags.comment, color: "var(--quiet)" },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace], color: "var(--quiet)" },
  { tag: [tags.typeName, tags.labelName, tags.keyword, tags.meta], color: "var(--guard)" },
]);

// Variables of the page, so that a change of the theme needs nothing here.
const SELECTED = { background: "var(--selection)" };
const FIELD = { background: "var(--pane)", borderColor: "var(--edge)" };
const wavy = (colour) => ({ backgroundImage: "none", textDecoration: `underline wavy ${colour} 1.5px`, textUnderlineOffset: "3px" });
const LOOK = EditorView.theme({
  "&": { height: "100%", fontSize: "12.5px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--text)", padding: "8px 0" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": { background: "none", color: "var(--quiet)", border: "0" },
  ".cm-activeLine": { background: "var(--row)" },
  ".cm-activeLineGutter": { background: "var(--row)", color: "var(--text)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": SELECTED,
  ".cm-selectionMatch, .cm-searchMatch, &.cm-focused .cm-matchingBracket": SELECTED,
  ".cm-panels": { background: "var(--ground)", color: "var(--text)", borderColor: "var(--line)" },
  ".cm-textfield, .cm-button": FIELD,
  ".cm-tooltip": { ...FIELD, color: "var(--text)", maxWidth: "min(480px, 90vw)" },
  ".cm-diagnostic": { whiteSpace: "pre-wrap", fontFamily: "var(--sans)" },
  ".cm-lintRange-error": wavy("var(--error)"),
  ".cm-lintRange-warning": wavy("var(--unknown)"),
});
