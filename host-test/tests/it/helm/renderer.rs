//! The subset of Helm's template language that conf/helm keeps to, so that the chart is tested where there is no Helm.
//!
//! Actions are `{{ pipeline }}`, `{{ if pipeline }}`, `{{ else }}`, `{{ range .Values... }}` with `.` for the element and `$` for the root, and `{{ end }}`, with `{{-` and `-}}` taking blanks away. A pipeline is
//! commands with `|` between them, the last value of each the last argument of the next. Arguments are texts in quotes, numbers, pipelines in
//! parentheses, `.Values...`, `.Release.Name`, `.Release.Namespace`, `.Chart.AppVersion` and `.Files.Get "..."`; functions are `default`,
//! `eq`, `not`, `quote`, `replace`, `printf` with one `%v`, `indent`, `nindent`, `toYaml` and `sha256sum`, whose sum is another hash here. Anything else is a panic.

use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

/// A chart and what a release of it says.
pub(super) struct Renderer {
    chart: PathBuf,
    root: Value,
    /// What `.` is inside of a range.
    element: Option<Value>,
}

enum Node {
    Text(String),
    Action(String),
    If { condition: String, then: Vec<Node>, otherwise: Vec<Node> },
    Range { over: String, each: Vec<Node> },
}

impl Renderer {
    /// A release with these values on top of the chart's.
    pub(super) fn new(chart: &Path, release: &str, namespace: &str, values: &Value) -> Renderer {
        let read = |name: &str| -> Value {
            yaml_serde::from_str(&std::fs::read_to_string(chart.join(name)).unwrap()).unwrap()
        };
        let mut all = read("values.yaml");
        merge(&mut all, values);
        let root = json!({
            "Values": all, "Release": { "Name": release, "Namespace": namespace },
            "Chart": { "AppVersion": read("Chart.yaml")["appVersion"] },
        });
        Renderer::of(chart, &root)
    }

    fn of(chart: &Path, root: &Value) -> Renderer {
        Renderer { chart: chart.to_owned(), root: root.clone(), element: None }
    }

    /// All templates in the order of their names, each a document of its own or several.
    pub(super) fn render(&self) -> String {
        let directory = self.chart.join("templates").read_dir().unwrap();
        let mut files: Vec<PathBuf> = directory.map(|file| file.unwrap().path()).collect();
        files.sort();
        let mut out = String::new();
        for file in files {
            let tokens = tokens(&std::fs::read_to_string(&file).unwrap());
            let mut tokens = tokens.into_iter();
            let (nodes, end) = nodes(&mut tokens);
            assert!(end.is_none(), "{}: {end:?} without an if", file.display());
            out.push_str("---\n");
            self.write(&nodes, &mut out);
            out.push('\n');
        }
        out
    }

    fn write(&self, nodes: &[Node], out: &mut String) {
        for node in nodes {
            match node {
                Node::Text(text) => out.push_str(text),
                Node::Action(pipeline) => out.push_str(&shown(&self.pipeline(pipeline))),
                Node::If { condition, then, otherwise } => {
                    self.write(if is_true(&self.pipeline(condition)) { then } else { otherwise }, out);
                }
                Node::Range { over, each } => {
                    for element in self.pipeline(over).as_array().unwrap() {
                        let inner = Renderer {
                            element: Some(element.clone()),
                            ..Renderer::of(&self.chart, &self.root)
                        };
                        inner.write(each, out);
                    }
                }
            }
        }
    }

    fn pipeline(&self, text: &str) -> Value {
        let mut last = None;
        for command in split(text, '|') {
            last = Some(self.command(&command, last));
        }
        last.unwrap_or_else(|| panic!("an empty action"))
    }

    fn command(&self, text: &str, piped: Option<Value>) -> Value {
        let mut words = split(text, ' ').into_iter().filter(|word| !word.is_empty());
        let first = words.next().unwrap_or_else(|| panic!("an empty command"));
        let mut arguments: Vec<Value> = Vec::new();
        if first == ".Files.Get" {
            let name = self.argument(&words.next().unwrap());
            let path = self.chart.join(name.as_str().unwrap());
            return json!(
                std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
            );
        }
        arguments.extend(words.map(|word| self.argument(&word)));
        arguments.extend(piped);
        let text = |at: usize| shown(&arguments[at]);
        let indent = || {
            let blanks = " ".repeat(arguments[0].as_u64().unwrap() as usize);
            text(1).split('\n').map(|line| format!("{blanks}{line}")).collect::<Vec<_>>().join("\n")
        };
        match first.as_str() {
            "default" => arguments.iter().rev().find(|value| is_true(value)).unwrap_or(&arguments[0]).clone(),
            "eq" => json!(arguments[0] == arguments[1]),
            "not" => json!(!is_true(&arguments[0])),
            "replace" => json!(text(2).replace(&text(0), &text(1))),
            "printf" => json!(text(0).replacen("%v", &text(1), 1)),
            "quote" => json!(json!(text(0)).to_string()),
            "indent" => json!(indent()),
            "nindent" => json!(format!("\n{}", indent())),
            "toYaml" => json!(yaml_serde::to_string(&arguments[0]).unwrap().trim_end()),
            "sha256sum" => {
                let mut hasher = DefaultHasher::new();
                text(0).hash(&mut hasher);
                json!(format!("{:064x}", hasher.finish()))
            }
            _ => {
                assert!(arguments.is_empty(), "`{text}` is not in the subset", text = first);
                self.argument(&first)
            }
        }
    }

    fn argument(&self, word: &str) -> Value {
        if let Some(inner) = word.strip_prefix('(').and_then(|word| word.strip_suffix(')')) {
            return self.pipeline(inner);
        }
        if word.starts_with('"') || word.parse::<u64>().is_ok() {
            return serde_json::from_str(word).unwrap();
        }
        if let (".", Some(element)) = (word, &self.element) {
            return element.clone();
        }
        let word = word.strip_prefix('$').unwrap_or(word);
        let path = word.strip_prefix('.').unwrap_or_else(|| panic!("`{word}` is not in the subset"));
        path.split('.')
            .fold(&self.root, |value, key| value.get(key).unwrap_or_else(|| panic!("`{word}` is no value")))
            .clone()
    }
}

fn merge(into: &mut Value, other: &Value) {
    match (into, other) {
        (Value::Object(into), Value::Object(other)) => {
            for (key, value) in other {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, other) => *into = other.clone(),
    }
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// At a character outside of quotes and parentheses.
fn split(text: &str, at: char) -> Vec<String> {
    let (mut parts, mut part, mut depth, mut quoted) = (Vec::new(), String::new(), 0, false);
    for one in text.chars() {
        match one {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        if one == at && depth == 0 && !quoted {
            parts.push(std::mem::take(&mut part).trim().to_owned());
        } else {
            part.push(one);
        }
    }
    parts.push(part.trim().to_owned());
    parts
}

enum Token {
    Text(String),
    Action(String),
}

fn tokens(template: &str) -> Vec<Token> {
    let (mut found, mut rest, mut trims) = (Vec::new(), template, false);
    loop {
        let (text, behind) = match rest.split_once("{{") {
            Some((text, behind)) => (text, Some(behind)),
            None => (rest, None),
        };
        let mut text = if trims { text.trim_start() } else { text };
        let Some(behind) = behind else {
            found.push(Token::Text(text.to_owned()));
            return found;
        };
        let (action, after) = behind.split_once("}}").unwrap_or_else(|| panic!("an action without an end"));
        let action = match action.strip_prefix("- ") {
            Some(action) => {
                text = text.trim_end();
                action
            }
            None => action,
        };
        trims = action.ends_with(" -");
        found.push(Token::Text(text.to_owned()));
        found.push(Token::Action(action.trim_end_matches(" -").trim().to_owned()));
        rest = after;
    }
}

/// Nodes up to an `else` or `end`, which is the second.
fn nodes(tokens: &mut impl Iterator<Item = Token>) -> (Vec<Node>, Option<String>) {
    let mut found = Vec::new();
    while let Some(token) = tokens.next() {
        match token {
            Token::Text(text) => found.push(Node::Text(text)),
            Token::Action(action) if action == "else" || action == "end" => return (found, Some(action)),
            Token::Action(action) if action.starts_with("range ") => {
                let over = action.trim_start_matches("range ").to_owned();
                let (each, end) = nodes(tokens);
                assert_eq!(end.as_deref(), Some("end"), "a range without an end");
                found.push(Node::Range { over, each });
            }
            Token::Action(action) => match action.strip_prefix("if ") {
                Some(condition) => {
                    let (then, end) = nodes(tokens);
                    let otherwise = match end.as_deref() {
                        Some("else") => {
                            let (otherwise, end) = nodes(tokens);
                            assert_eq!(end.as_deref(), Some("end"));
                            otherwise
                        }
                        end => {
                            assert_eq!(end, Some("end"), "an if without an end");
                            Vec::new()
                        }
                    };
                    found.push(Node::If { condition: condition.to_owned(), then, otherwise });
                }
                None => found.push(Node::Action(action)),
            },
        }
    }
    (found, None)
}

#[test]
fn the_subset_is_what_helm_makes_of_it() {
    let chart = tempfile::tempdir().unwrap();
    let at = |name: &str| chart.path().join(name);
    std::fs::create_dir(at("templates")).unwrap();
    std::fs::write(at("Chart.yaml"), "appVersion: 1.2.3\n").unwrap();
    std::fs::write(at("values.yaml"), "a: ''\nb: { c: [1, 2] }\nd: 'x \"y\"'\n").unwrap();
    std::fs::write(at("f"), "one\ntwo\n").unwrap();
    let template = "n: {{ .Release.Name }}-x\nv: {{ .Chart.AppVersion }}\n{{- if .Values.a }}\nno\n{{- else }}\nyes: {{ .Values.d | quote }}\n{{- end }}\n\
        list:\n  {{- toYaml .Values.b.c | nindent 2 }}\ntext: |\n  {{- .Values.a | default (.Files.Get \"f\") | nindent 2 }}\n{{- if eq .Values.b.c .Values.b.c }}\nsame{{ if not .Values.d }}!{{ end }}\n{{- end }}\n{{- range .Values.b.c }}\n- {{ $.Release.Name }}-{{ . }}\n{{- end }}\n";
    std::fs::write(at("templates/t.yaml"), template).unwrap();
    let rendered = Renderer::new(chart.path(), "r", "n", &json!({})).render();
    let expected = "---\nn: r-x\nv: 1.2.3\nyes: \"x \\\"y\\\"\"\nlist:\n  - 1\n  - 2\ntext: |\n  one\n  two\n  \nsame\n- r-1\n- r-2\n\n";
    assert_eq!(rendered, expected);
}
