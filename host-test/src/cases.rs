//! Literate cases: a Markdown file is a test. Prose explains the behaviour; fenced blocks are the files.
//!
//! | block | content |
//! |---|---|
//! | `yaml rules` | the rule file; a later one replaces it while the filter runs |
//! | `json pod <namespace>/<pod>` | a pod file as the sidecar writes it; `removed` in its place removes it |
//! | `records <tag>` | one record a line, as the host's JSON text; `@<seconds>` in front sets the time |
//! | `answers` | for each record before it: `drop`, `echo`, or the text of the kept record |
//! | `metrics` | `<name> <value>`, of the filter's own numbers so far |
//!
//! The rule kept here: a case says everything in the file, so it runs the same through every face.

use std::fmt;

/// A section of a case file: from one heading to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its heading.
    pub title: String,
    /// Its blocks, in order; in front of them the rules and pod files that the sections before left in place, so that each can run
    /// alone.
    pub steps: Vec<CaseStep>,
}

impl Case {
    /// Its heading as a name: `Keys that are asked for` is `keys_that_are_asked_for`.
    pub fn name(&self) -> String {
        let words = self.title.split(|character: char| !character.is_ascii_alphanumeric());
        words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect::<Vec<_>>().join("_")
    }
}

/// One block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseStep {
    /// Put this rule file in place.
    Rules(String),
    /// Put this pod file in place; `None` removes it.
    Pod {
        /// Namespace.
        namespace: String,
        /// Pod name.
        pod: String,
        /// Content.
        content: Option<String>,
    },
    /// Feed these records and compare the answers.
    Records(Vec<Fed>),
    /// Compare these numbers.
    Metrics(Vec<(String, u64)>),
}

/// One record and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fed {
    /// The tag.
    pub tag: String,
    /// Nanoseconds since 1970; `None` is the time of the record before.
    pub time: Option<u64>,
    /// The record.
    pub text: String,
    /// What comes back.
    pub answer: Expected,
}

/// What comes back for a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Drop,
    /// The record as it was.
    Echo,
    /// This text.
    Keep(String),
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::Drop => f.write_str("drop"),
            Expected::Echo => f.write_str("echo"),
            Expected::Keep(text) => f.write_str(text),
        }
    }
}

/// Reads a case file, section by section; what is wrong with it is said with its line.
///
/// # Errors
/// A block that is not known, answers that do not match their records in number, a value that is no number.
pub fn read(source: &str) -> Result<Vec<Case>, String> {
    let mut cases: Vec<Case> = Vec::new();
    let mut blocks = blocks(source).into_iter().peekable();
    let headings: Vec<(usize, &str)> = headings(source).collect();
    for (at, (_, title)) in headings.iter().enumerate() {
        let end = headings.get(at.saturating_add(1)).map_or(usize::MAX, |(line, _)| *line);
        let own: Vec<Block> = std::iter::from_fn(|| blocks.next_if(|block| block.line < end)).collect();
        let mut steps = cases.last().map(|before| left_in_place(&before.steps)).unwrap_or_default();
        steps.extend(read_steps(own)?);
        cases.push(Case { title: (*title).to_owned(), steps });
    }
    match blocks.next() {
        Some(block) => Err(format!("line {}: a block without a heading", block.line)),
        None => Ok(cases),
    }
}

/// The headings outside of blocks: a line's number and its words.
fn headings(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_inside = false;
    source.lines().enumerate().filter_map(move |(index, line)| {
        is_inside ^= line.starts_with("```");
        let title = line.strip_prefix("# ").or_else(|| line.strip_prefix("## ")).filter(|_| !is_inside)?;
        Some((index.saturating_add(1), title))
    })
}

/// The rules and pod files that are in place after these steps.
fn left_in_place(steps: &[CaseStep]) -> Vec<CaseStep> {
    let mut left: Vec<CaseStep> = Vec::new();
    for step in steps {
        match step {
            CaseStep::Rules(_) => left.retain(|earlier| !matches!(earlier, CaseStep::Rules(_))),
            CaseStep::Pod { namespace, pod, .. } => left.retain(
                |earlier| !matches!(earlier, CaseStep::Pod { namespace: n, pod: p, .. } if (n, p) == (namespace, pod)),
            ),
            CaseStep::Records(_) | CaseStep::Metrics(_) => continue,
        }
        if !matches!(step, CaseStep::Pod { content: None, .. }) {
            left.push(step.clone());
        }
    }
    left
}

fn read_steps(blocks: Vec<Block>) -> Result<Vec<CaseStep>, String> {
    let mut steps = Vec::new();
    let mut pending: Option<(usize, Vec<Unanswered>)> = None;
    for block in blocks {
        let at = block.line;
        let mut words = block.info.split_whitespace();
        let kind: Vec<&str> = words.by_ref().take(2).collect();
        match kind.as_slice() {
            ["yaml", "rules"] => steps.push(CaseStep::Rules(block.content)),
            ["json", "pod"] => {
                let name = words.next().and_then(|name| name.split_once('/'));
                let (namespace, pod) =
                    name.ok_or_else(|| format!("line {at}: write `json pod namespace/pod`"))?;
                let content = (block.content.trim() != "removed").then_some(block.content);
                steps.push(CaseStep::Pod { namespace: namespace.into(), pod: pod.into(), content });
            }
            ["records", tag] => {
                let records: Result<Vec<_>, String> = block
                    .content
                    .lines()
                    .map(|line| record(line, tag).ok_or(format!("line {at}: a bad time in `{line}`")))
                    .collect();
                pending = Some((at, records?));
            }
            ["answers"] => {
                let (_, records) =
                    pending.take().ok_or_else(|| format!("line {at}: answers without records"))?;
                let answers: Vec<&str> = block.content.lines().collect();
                if answers.len() != records.len() {
                    return Err(format!(
                        "line {at}: {} answers for {} records",
                        answers.len(),
                        records.len()
                    ));
                }
                let fed = records.into_iter().zip(answers).map(|((tag, time, text), answer)| Fed {
                    tag,
                    time,
                    text,
                    answer: match answer {
                        "drop" => Expected::Drop,
                        "echo" => Expected::Echo,
                        text => Expected::Keep(text.to_owned()),
                    },
                });
                steps.push(CaseStep::Records(fed.collect()));
            }
            ["metrics"] => {
                let number = |line: &str| {
                    let (name, value) = line.rsplit_once(' ')?;
                    Some((name.to_owned(), value.parse().ok()?))
                };
                let numbers: Option<Vec<_>> = block.content.lines().map(number).collect();
                steps.push(CaseStep::Metrics(
                    numbers.ok_or_else(|| format!("line {at}: write `name value`"))?,
                ));
            }
            _ => return Err(format!("line {at}: unknown block `{}`", block.info)),
        }
    }
    match pending {
        Some((at, _)) => Err(format!("line {at}: records without answers")),
        None => Ok(steps),
    }
}

/// Tag, time and text of a record whose answer has not been read yet.
type Unanswered = (String, Option<u64>, String);

fn record(line: &str, tag: &str) -> Option<Unanswered> {
    match line.strip_prefix('@') {
        Some(rest) => {
            let (time, text) = rest.split_once(' ')?;
            let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
            let nanoseconds: u64 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
            let seconds: u64 = seconds.parse().ok()?;
            let time = seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)?;
            Some((tag.to_owned(), Some(time), text.to_owned()))
        }
        None => Some((tag.to_owned(), None, line.to_owned())),
    }
}

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What stands behind the opening fence.
    pub info: String,
    /// The number of that line, from 1.
    pub line: usize,
    /// The heading that it stands under, whatever its level; empty in front of the first.
    pub heading: String,
    /// Its lines, each with its newline.
    pub content: String,
}

/// The fenced blocks of a Markdown file, in order: all case files, and the documents that are tested, are read by this.
pub fn blocks(source: &str) -> Vec<Block> {
    let mut found = Vec::new();
    rewritten(source, &mut |block| {
        found.push(block.clone());
        None
    });
    found
}

/// The file with other content in its blocks; `None` leaves one as it is, and so is one that does not end.
pub fn rewritten(source: &str, content: &mut dyn FnMut(&Block) -> Option<String>) -> String {
    let (mut text, mut heading, mut open) = (String::new(), String::new(), None::<Block>);
    for (index, line) in source.lines().enumerate() {
        let fence = line.strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(info)) => {
                open = Some(Block {
                    info: info.trim().to_owned(),
                    line: index.saturating_add(1),
                    heading: heading.clone(),
                    content: String::new(),
                });
            }
            (Some(block), Some("")) => {
                text.push_str(&content(block).unwrap_or_else(|| std::mem::take(&mut block.content)));
                open = None;
            }
            (Some(block), _) => {
                block.content.push_str(line);
                block.content.push('\n');
                continue;
            }
            (None, None) => {
                if let Some(words) = heading_of(line) {
                    words.clone_into(&mut heading);
                }
            }
        }
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(&open.map(|block| block.content).unwrap_or_default());
    text
}

fn heading_of(line: &str) -> Option<&str> {
    let words = line.trim_start_matches('#');
    let is_one = (1..=6).contains(&line.len().saturating_sub(words.len()));
    words.strip_prefix(' ').filter(|_| is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_get_other_content_and_all_else_stays() {
        let source = "# One\n\n```a b\n# no heading\n```\n### Two\n#hash\n```c\n```\ntext\n```open\nrest\n";
        let found: Vec<_> =
            blocks(source).into_iter().map(|block| (block.heading, block.info, block.line)).collect();
        assert_eq!(found, [("One".into(), "a b".into(), 3), ("Two".to_owned(), "c".to_owned(), 8)]);
        assert_eq!(rewritten(source, &mut |_| None), source);
        let other = rewritten(source, &mut |block| (block.info == "c").then(|| "new\n".into()));
        assert_eq!(other, source.replace("```c\n", "```c\nnew\n"));
    }

    #[test]
    fn reads_every_block() {
        let source = "# Title\n\nprose\n```yaml rules\nversion: 1\n```\n```json pod n/p\nremoved\n```\n\
            ```records t\n@1.5 {\"a\":1}\n{}\n```\n```answers\ndrop\n{\"b\":2}\n```\n```metrics\nseen 2\n```\n";
        let case = &read(source).unwrap()[0];
        assert_eq!((case.title.as_str(), case.name().as_str()), ("Title", "title"));
        let fed = |time, text: &str, answer| Fed { tag: "t".into(), time, text: text.into(), answer };
        assert_eq!(
            case.steps,
            [
                CaseStep::Rules("version: 1\n".into()),
                CaseStep::Pod { namespace: "n".into(), pod: "p".into(), content: None },
                CaseStep::Records(vec![
                    fed(Some(1_500_000_000), "{\"a\":1}", Expected::Drop),
                    fed(None, "{}", Expected::Keep("{\"b\":2}".into())),
                ]),
                CaseStep::Metrics(vec![("seen".into(), 2)]),
            ]
        );
    }

    #[test]
    fn a_section_begins_with_the_rules_and_pods_of_those_before_and_without_their_records() {
        let source = "# One\n```yaml rules\nold\n```\n```json pod n/p\nremoved\n```\n```json pod n/q\n{}\n```\n\
            ```records t\n# no heading\n```\n```answers\ndrop\n```\n```yaml rules\nnew\n```\n## Two, and more\n\
            ```metrics\nseen 0\n```\n";
        let cases = read(source).unwrap();
        assert_eq!(cases.iter().map(Case::name).collect::<Vec<_>>(), ["one", "two_and_more"]);
        let pod = CaseStep::Pod { namespace: "n".into(), pod: "q".into(), content: Some("{}\n".into()) };
        let metrics = CaseStep::Metrics(vec![("seen".into(), 0)]);
        assert_eq!(cases[1].steps, [pod, CaseStep::Rules("new\n".into()), metrics]);
    }

    #[test]
    fn says_what_is_wrong_with_a_case() {
        assert_eq!(read("# A\n```records t\n{}\n```\n"), Err("line 2: records without answers".into()));
        assert_eq!(
            read("# A\n```records t\n{}\n```\n```answers\n```\n"),
            Err("line 5: 0 answers for 1 records".into())
        );
        assert_eq!(read("# A\n```what\n```\n"), Err("line 2: unknown block `what`".into()));
        assert_eq!(read("```metrics\n```\n"), Err("line 1: a block without a heading".into()));
    }
}
