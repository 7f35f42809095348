//! A Fluent Bit configuration as its sections, whatever format it was written in.
//!
//! The rule it keeps: what is not understood is kept as it was written, to be written out again.

use serde_json::{Map, Value};

/// How a configuration is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainFormat {
    /// `[SECTION]` and `Key value`.
    Classic,
    /// YAML.
    Yaml,
}

/// A configuration.
#[derive(Clone, Debug)]
pub struct Chain {
    pub(super) format: ChainFormat,
    /// `@SET` and `env`, in their order.
    pub(super) variables: Vec<(String, String)>,
    /// All sections in their order, what was included among them.
    pub(super) sections: Vec<Section>,
    /// Top-level keys of YAML that are none of ours.
    pub(super) others: Map<String, Value>,
    /// Parsers of the files that the service names, as far as they can be read.
    pub(super) parsers: Vec<Section>,
}

/// A section.
#[derive(Clone, Debug)]
pub struct Section {
    pub(super) kind: SectionKind,
    pub(super) properties: Vec<(String, Value)>,
    /// File and line, or where in the YAML.
    pub(super) place: String,
}

/// What a section is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SectionKind {
    /// The service.
    Service,
    /// An input.
    Input,
    /// A filter.
    Filter,
    /// An output.
    Output,
    /// Anything else, under its name.
    Other(String),
}

impl SectionKind {
    pub(super) fn of(name: &str) -> SectionKind {
        match name.to_ascii_lowercase().as_str() {
            "service" => SectionKind::Service,
            "input" => SectionKind::Input,
            "filter" => SectionKind::Filter,
            "output" => SectionKind::Output,
            _ => SectionKind::Other(name.to_owned()),
        }
    }

    pub(super) fn name(&self) -> &str {
        match self {
            SectionKind::Service => "SERVICE",
            SectionKind::Input => "INPUT",
            SectionKind::Filter => "FILTER",
            SectionKind::Output => "OUTPUT",
            SectionKind::Other(name) => name,
        }
    }
}

impl Section {
    pub(super) fn new(kind: SectionKind, place: impl Into<String>, properties: &[(&str, &str)]) -> Section {
        let text = |(key, value): &(&str, &str)| ((*key).to_owned(), Value::from(*value));
        Section { kind, properties: properties.iter().map(text).collect(), place: place.into() }
    }

    /// The plugin's name, in lower case.
    pub(super) fn name(&self) -> String {
        self.text("name").unwrap_or_default().to_ascii_lowercase()
    }

    /// The last value of a property; keys are the same in any case.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.texts(key).pop()
    }

    /// All values of a property.
    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        let mut found = Vec::new();
        for (_, value) in self.properties.iter().filter(|(own, _)| own.eq_ignore_ascii_case(key)) {
            match value {
                Value::Array(items) => found.extend(items.iter().map(written)),
                value => found.push(written(value)),
            }
        }
        found
    }

    /// A switch as Fluent Bit reads it.
    pub(super) fn is_on(&self, key: &str, default: bool) -> bool {
        match self.text(key).map(|text| text.to_ascii_lowercase()).as_deref() {
            Some("on" | "true" | "yes" | "1") => true,
            Some(_) => false,
            None => default,
        }
    }

    /// What it takes: `match` or `match_regex`, as written.
    pub(super) fn takes(&self) -> super::plan::Takes {
        (self.text("match"), self.text("match_regex"))
    }
}

/// A scalar as it would be written in the classic format.
pub(super) fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

impl Chain {
    /// The expression of a parser, if there is one of this name.
    pub(super) fn expression_of(&self, parser: &str) -> Option<String> {
        let is_parser = |section: &&Section| section.kind.name().eq_ignore_ascii_case("parser");
        let in_sections = self.sections.iter().chain(&self.parsers).filter(is_parser);
        let in_sections = in_sections.filter(|section| section.text("name").as_deref() == Some(parser));
        let in_yaml = self.others.get("parsers").and_then(Value::as_array).into_iter().flatten();
        let in_yaml = in_yaml.filter(|own| own.get("name").and_then(Value::as_str) == Some(parser));
        let in_yaml = in_yaml.filter_map(|own| own.get("regex")?.as_str().map(str::to_owned));
        in_sections.filter_map(|section| section.text("regex")).chain(in_yaml).next()
    }

    /// A value with its variables: those that the configuration sets itself, then those of the environment. What is set nowhere stays.
    pub(super) fn resolved(&self, text: &str) -> String {
        let (mut out, mut rest) = (String::new(), text);
        while let Some((before, behind)) = rest.split_once("${") {
            out.push_str(before);
            let Some((name, after)) = behind.split_once('}') else {
                out.push_str("${");
                rest = behind;
                continue;
            };
            let own =
                self.variables.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.clone());
            match own.or_else(|| std::env::var(name).ok()) {
                Some(value) => out.push_str(&value),
                None => out.push_str(&format!("${{{name}}}")),
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// A section with its variables resolved.
    pub(super) fn with_variables(&self, section: &Section) -> Section {
        let mut section = section.clone();
        for (_, value) in &mut section.properties {
            if let Value::String(text) = value {
                *text = self.resolved(text);
            }
        }
        section
    }

    pub(super) fn of_kind(&self, kind: &SectionKind) -> impl Iterator<Item = &Section> {
        let kind = kind.clone();
        self.sections.iter().filter(move |section| section.kind == kind)
    }
}
