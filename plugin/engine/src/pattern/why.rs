//! Why a line does not match: the term, selector or field that decides it, for a person to read.

use crate::fields::Fields;
use crate::line::Line;
use crate::pattern::fields::FieldEntry;
use crate::pattern::object::{Document, PropertyCondition};
use crate::pattern::terms::TermSign;
use crate::pattern::{Form, Pattern};
use crate::search::Searched;

impl Pattern {
    /// What in the pattern the line does not meet; `None` when it matches.
    pub fn why_not(&self, line: &Line<'_>) -> Option<String> {
        let searched = Searched::alone(line);
        if self.matches(&searched) {
            return None;
        }
        Some(match &self.form {
            Form::Terms(terms) => match terms.failed(&searched) {
                Some((TermSign::Plain, text)) => format!("{text:?} does not occur"),
                Some((_, text)) => format!("{text:?} occurs"),
                None => "none of the optional terms occurs".into(),
            },
            Form::Regex(regex) => format!("%{}% is not found", regex.source()),
            Form::Object(_) => self.why_not_document(&Document::Line(line))?,
            Form::Fields(pattern, _) => {
                let mut fields = Fields::of(line.text());
                let last = pattern.left.len().saturating_sub(usize::from(pattern.right.is_none()));
                let mut count = 0usize;
                for (index, entry) in pattern.left.iter().enumerate() {
                    let field = if index == last { fields.clone().rest() } else { fields.next() };
                    let Some(field) = field else { return Some(too_few(count, pattern.entries().count())) };
                    count = count.saturating_add(1);
                    if !entry.holds(field) {
                        return Some(differs(entry, field));
                    }
                }
                let right = pattern.right.as_deref().unwrap_or_default();
                let tail = fields.last(right.len());
                if tail.len() < right.len() {
                    return Some(too_few(count.saturating_add(tail.len()), pattern.entries().count()));
                }
                let failed = right.iter().zip(tail).find(|(entry, field)| !entry.holds(field));
                failed.map_or_else(String::new, |(entry, field)| differs(entry, field))
            }
        })
    }

    /// What in a JSON pattern a document does not meet; `None` for another form.
    pub fn why_not_document(&self, document: &Document<'_>) -> Option<String> {
        let Form::Object(object) = &self.form else { return None };
        if let Document::Line(line) = document
            && line.outline().is_none()
        {
            return Some("the line is not one JSON object".into());
        }
        // All that were asked and do not hold: of alternatives, each of them.
        let mut failed: Vec<&PropertyCondition> = Vec::new();
        object.logic.holds(|condition| {
            let holds = condition.holds(document);
            if !holds {
                failed.push(condition);
            }
            holds
        });
        if failed.is_empty() {
            return None;
        }
        let told = failed.iter().map(|condition| format!("{condition}: {}", condition.finding(document)));
        Some(told.collect::<Vec<_>>().join("; "))
    }
}

fn differs(entry: &FieldEntry, field: &[u8]) -> String {
    let name = entry.name().unwrap_or("the field");
    let text = String::from_utf8_lossy(field);
    let short = text.char_indices().nth(80).and_then(|(end, _)| text.get(..end)).unwrap_or(&text);
    format!("{entry}: {name} is {short:?}")
}

fn too_few(found: usize, wanted: usize) -> String {
    format!("the line has {found} fields, the pattern needs {wanted}")
}
