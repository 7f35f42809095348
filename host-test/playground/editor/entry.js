// What the playground uses of CodeMirror, and nothing else: what is not named here is not in the bundle.

export { EditorState } from "@codemirror/state";
export {
  Decoration, EditorView, ViewPlugin, keymap, lineNumbers, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, drawSelection,
} from "@codemirror/view";
export { HighlightStyle, syntaxHighlighting, indentUnit, bracketMatching, indentOnInput } from "@codemirror/language";
export { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
export { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
export { search, searchKeymap, highlightSelectionMatches } from "@codemirror/search";
export { yaml } from "@codemirror/lang-yaml";
export { tags } from "@lezer/highlight";
