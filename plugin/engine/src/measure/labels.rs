//! A record's values for the labels of a measure.

use crate::condition::{Condition, When};
use crate::facts::{Facts, Metadata};
use crate::measure::{Label, LabelOf, MAX_VALUE, Measure, Shown, ValueAt};

/// Writes a record's values, each ended by NUL. What it has not is empty.
pub(crate) fn write_labels(
    measure: &Measure,
    facts: &Facts<'_>,
    metadata: &mut Metadata<'_>,
    into: &mut Vec<u8>,
) {
    for label in &measure.by {
        write(label, &measure.when, facts, metadata, into);
        into.push(0);
    }
}

fn write(label: &Label, when: &When, facts: &Facts<'_>, metadata: &mut Metadata<'_>, into: &mut Vec<u8>) {
    match &label.of {
        LabelOf::Namespace => put(facts.container().map(|tag| tag.namespace.as_bytes()), into),
        LabelOf::Pod => put(facts.container().map(|tag| tag.pod.as_bytes()), into),
        LabelOf::Container => put(facts.container().map(|tag| tag.container.as_bytes()), into),
        LabelOf::Workload => {
            let meta = metadata.get();
            let workload = meta.as_ref().and_then(|meta| meta.of_pod.workload.as_ref());
            put(workload.map(|name| name.as_bytes()), into);
        }
        LabelOf::Stream => put(facts.record.stream(), into),
        LabelOf::Severity => put(facts.severity().map(|severity| severity.name().as_bytes()), into),
        LabelOf::Value(at, shown) => {
            let value = at.read(when, facts);
            match (value.as_deref(), shown) {
                (Some([first @ b'1'..=b'9', b'0'..=b'9', b'0'..=b'9']), Shown::Class) => {
                    into.extend_from_slice(&[*first, b'x', b'x']);
                }
                (Some(_), Shown::Class) => into.extend_from_slice(b"other"),
                (Some(value), Shown::Whole) => match at {
                    ValueAt::Path(path) => {
                        let shown = facts.shown_field(path, value);
                        put(Some(shown.as_deref().unwrap_or(value)), into);
                    }
                    ValueAt::Column(_) => put(Some(&facts.shown(value)), into),
                },
                (None, Shown::Whole) => {}
                (None, Shown::Class) => {}
            }
        }
    }
}

/// What stands there, as UTF-8 without NUL, cut to [`MAX_VALUE`].
fn put(value: Option<&[u8]>, into: &mut Vec<u8>) {
    let value = value.unwrap_or_default();
    let value = value.get(..MAX_VALUE).unwrap_or(value);
    for chunk in value.utf8_chunks() {
        into.extend(chunk.valid().bytes().map(|byte| if byte == 0 { b' ' } else { byte }));
    }
}

impl ValueAt {
    /// What a record has there.
    pub(crate) fn read(&self, when: &When, facts: &Facts<'_>) -> Option<Vec<u8>> {
        match self {
            ValueAt::Path(path) => {
                // Whoever asks next has its members too.
                if let Some(line) = facts.line.filter(|line| line.raw().first() == Some(&b'{')) {
                    line.outline();
                }
                facts.field(path)
            }
            ValueAt::Column(name) => {
                let line = facts.line?;
                when.conditions().iter().find_map(|condition| match condition {
                    Condition::Message(message) => message.column(name, line),
                    _ => None,
                })
            }
        }
    }
}
