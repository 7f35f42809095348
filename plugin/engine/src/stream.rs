//! What is remembered between the records of one tag: its parts, which rules its names meet, and the line that a
//! continuation goes with.
//!
//! Records of one tag come in runs, so the last tag is compared before anything is looked up. At `MAX_TAGS` the
//! least recently used tag is forgotten: its names are read again, and a continuation line that comes after that is
//! judged by itself.

use crate::config::model::Continuation;
use crate::hash::BuildWordHasher;
use crate::line::Line;
use crate::swar;
use crate::tag::ContainerTag;
use crate::time::EventTime;
use lru::LruCache;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::rc::Rc;

/// All tags. `D` is what was decided for a line.
#[derive(Debug)]
pub struct Streams<D> {
    tags: LruCache<Box<[u8]>, TagState<D>, BuildWordHasher>,
}

/// One tag.
#[derive(Debug)]
pub struct TagState<D> {
    name: Rc<str>,
    parts: Option<[Range<usize>; 4]>,
    /// For each guard and rule, whether the tag's names meet its conditions on them.
    pub meets: Box<[bool]>,
    runs: [Option<Run<D>>; 2],
    /// By row of the counters: records and bytes dropped that no key knows of.
    dropped: Vec<(usize, u64, u64)>,
}

/// Which of a container's two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// stdout, or a record that does not say.
    Out,
    /// stderr.
    Err,
}

/// A line and those that continue it.
#[derive(Debug)]
struct Run<D> {
    decided: D,
    last: EventTime,
    lines: u32,
    body: Body,
}

/// What a crash report's unindented lines look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    /// No crash report, or Java's: its lines are blank-led or start with `Caused by:`.
    Plain,
    /// Python, inside a traceback.
    Python,
    /// Python, behind the line that names the exception: another traceback may follow.
    PythonEnd,
    /// Go, behind `panic:` or `fatal error:`.
    Go,
}

impl<D: Clone> Streams<D> {
    /// Nothing remembered.
    pub fn new() -> Streams<D> {
        let capacity = NonZeroUsize::new(MAX_TAGS).unwrap_or(NonZeroUsize::MIN);
        Streams { tags: LruCache::with_hasher(capacity, BuildWordHasher::default()) }
    }

    /// The state of a tag; `meets` is asked for a tag that is new. `None` when the tag is not UTF-8.
    pub fn tag(
        &mut self,
        tag: &[u8],
        prefix: &str,
        meets: impl FnOnce(Option<ContainerTag<'_>>) -> Box<[bool]>,
    ) -> Option<&mut TagState<D>> {
        let is_last = self.tags.peek_mru().is_some_and(|(last, _)| swar::equal(last, tag));
        if !is_last && self.tags.get(tag).is_none() {
            let key = Box::from(tag);
            let tag = std::str::from_utf8(tag).ok()?;
            let parsed = ContainerTag::parse(tag, prefix);
            let parts = parsed.map(|found| ranges(tag, &found));
            self.tags.put(
                key,
                TagState {
                    name: tag.into(),
                    parts,
                    meets: meets(parsed),
                    runs: [None, None],
                    dropped: Vec::new(),
                },
            );
        }
        // Whichever way it was found, the tag is the most recently used one now.
        self.tags.iter_mut().next().map(|(_, state)| state)
    }

    /// Takes every tag apart again, as new rules want it, and passes each remembered verdict through `renamed`.
    pub fn rejudge(
        &mut self,
        prefix: &str,
        meets: impl Fn(Option<ContainerTag<'_>>) -> Box<[bool]>,
        renamed: impl Fn(D) -> D,
    ) {
        for (_, state) in self.tags.iter_mut() {
            let name = Rc::clone(&state.name);
            let parsed = ContainerTag::parse(&name, prefix);
            state.parts = parsed.map(|found| ranges(&name, &found));
            state.meets = meets(parsed);
            for run in state.runs.iter_mut().flatten() {
                run.decided = renamed(run.decided.clone());
            }
        }
    }

    /// Hands over what each tag has noted as dropped: label, row, records, bytes. What a forgotten tag had noted is not
    /// among it.
    pub fn take_dropped(&mut self, mut take: impl FnMut(&str, usize, u64, u64)) {
        for (_, state) in self.tags.iter_mut() {
            if state.dropped.is_empty() {
                continue;
            }
            let name = Rc::clone(&state.name);
            let label = match state.container(&name) {
                Some(tag) => format!("{}/{}/{}", tag.namespace, tag.pod, tag.container),
                None => name.to_string(),
            };
            let label = label.get(..label.floor_char_boundary(MAX_LABEL)).unwrap_or_default();
            for (row, records, bytes) in state.dropped.drain(..) {
                take(label, row, records, bytes);
            }
        }
    }

    /// Tags remembered.
    pub fn len(&self) -> usize {
        self.tags.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }
}

impl<D: Clone> Default for Streams<D> {
    fn default() -> Streams<D> {
        Streams::new()
    }
}

/// Where the parts of a tag stand in it.
fn ranges(tag: &str, found: &ContainerTag<'_>) -> [Range<usize>; 4] {
    [found.pod, found.namespace, found.container, found.id].map(|part| {
        let start = (part.as_ptr() as usize).wrapping_sub(tag.as_ptr() as usize);
        start..start.wrapping_add(part.len())
    })
}

impl<D: Clone> TagState<D> {
    /// The tag itself.
    #[inline]
    pub fn name(&self) -> Rc<str> {
        Rc::clone(&self.name)
    }

    /// The container that the tag names; `tag` is [`TagState::name`].
    #[inline]
    pub fn container<'t>(&self, tag: &'t str) -> Option<ContainerTag<'t>> {
        let [pod, namespace, container, id] = self.parts.as_ref()?;
        let part = |range: &Range<usize>| tag.get(range.clone());
        Some(ContainerTag {
            pod: part(pod)?,
            namespace: part(namespace)?,
            container: part(container)?,
            id: part(id)?,
        })
    }

    /// Notes a dropped record that is counted on no key.
    #[inline]
    pub fn note_dropped(&mut self, row: usize, bytes: u64) {
        match self.dropped.iter_mut().find(|(known, ..)| *known == row) {
            Some((_, records, sum)) => {
                *records = records.wrapping_add(1);
                *sum = sum.wrapping_add(bytes);
            }
            None => self.dropped.push((row, 1, bytes)),
        }
    }

    /// What was decided for the line that this one continues, or `None` when it stands for itself.
    #[inline]
    pub fn continues(
        &mut self,
        side: Side,
        line: &Line<'_>,
        time: EventTime,
        limits: Continuation,
    ) -> Option<D> {
        let run = self.runs.get_mut(side as usize)?.as_mut()?;
        if run.lines >= limits.lines || run.last.distance(time) > limits.within {
            return None;
        }
        run.body = run.body.continued_by(line)?;
        run.lines = run.lines.wrapping_add(1);
        run.last = time;
        Some(run.decided.clone())
    }

    /// Remembers what was decided for a line that stands for itself.
    #[inline]
    pub fn begin(&mut self, side: Side, line: &Line<'_>, time: EventTime, decided: D) {
        if let Some(slot) = self.runs.get_mut(side as usize) {
            *slot = Some(Run { decided, last: time, lines: 1, body: Body::opened_by(line.raw()) });
        }
    }
}

impl Body {
    fn opened_by(line: &[u8]) -> Body {
        if line.starts_with(TRACEBACK) {
            Body::Python
        } else if [b"panic: ".as_slice(), b"fatal error: ", b"goroutine "]
            .iter()
            .any(|start| line.starts_with(start))
        {
            Body::Go
        } else {
            Body::Plain
        }
    }

    /// The body after a line that belongs to it, or `None` when the line does not.
    fn continued_by(self, line: &Line<'_>) -> Option<Body> {
        let raw = line.raw();
        if line.starts_blank() {
            // A further traceback may follow an exception's notes, which are indented.
            return Some(self);
        }
        if raw.starts_with(b"Caused by:") || raw.starts_with(b"... ") && raw.ends_with(b" more") {
            return Some(self);
        }
        match self {
            Body::Plain => None,
            Body::Python if names_exception(raw) => Some(Body::PythonEnd),
            Body::Python => None,
            Body::PythonEnd if raw.is_empty() => Some(self),
            Body::PythonEnd if CHAINED.iter().any(|text| raw.starts_with(text)) => Some(self),
            Body::PythonEnd if raw.starts_with(TRACEBACK) => Some(Body::Python),
            Body::PythonEnd => None,
            Body::Go
                if raw.is_empty() || GO.iter().any(|start| raw.starts_with(start)) || is_go_call(raw) =>
            {
                Some(self)
            }
            Body::Go => None,
        }
    }
}

/// `ValueError: bad`, `KeyboardInterrupt`, `requests.exceptions.Timeout: ...`: a dotted name, then a colon or nothing.
fn names_exception(line: &[u8]) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    let length = line.iter().take_while(|byte| is_name(byte)).count();
    length > 0 && matches!(line.get(length), None | Some(b':'))
}

/// `main.main()`, `net/http.(*conn).serve(0xc0001)`: no blank before the first parenthesis, and it closes the line.
fn is_go_call(line: &[u8]) -> bool {
    let open = line.iter().position(|&byte| byte == b'(');
    line.last() == Some(&b')') && open.is_some_and(|open| !line.iter().take(open).any(|&byte| byte == b' '))
}

const TRACEBACK: &[u8] = b"Traceback (most recent call last)";
const CHAINED: [&[u8]; 2] =
    [b"During handling of the above exception", b"The above exception was the direct cause"];
const GO: [&[u8]; 6] = [b"goroutine ", b"[signal ", b"created by ", b"exit status ", b"panic: ", b"main."];
/// Longest label of a tag, in bytes.
const MAX_LABEL: usize = 120;
/// Tags remembered: a node runs at most a few hundred containers, and each restart is a new tag.
const MAX_TAGS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::push_string;
    use std::time::Duration;

    const LIMITS: Continuation = Continuation { within: Duration::from_secs(5), lines: 500 };

    /// Feeds lines one second apart; each is `|` for one that stands for itself or `+` for one that continues.
    #[track_caller]
    fn check(limits: Continuation, lines: &[&str]) {
        let mut streams: Streams<usize> = Streams::new();
        for (index, expected) in lines.iter().enumerate() {
            let (mark, text) = expected.split_at(1);
            let mut content = Vec::new();
            push_string(&mut content, text.as_bytes());
            let line = Line::new(&content[1..content.len() - 1]);
            let time = EventTime { sec: index as u32, nsec: 0 };
            let state = streams.tag(b"t", "", |_| Box::default()).unwrap();
            let found = state.continues(Side::Out, &line, time, limits);
            assert_eq!(found.is_some(), mark == "+", "{text}");
            if found.is_none() {
                state.begin(Side::Out, &line, time, index);
            }
        }
    }

    #[test]
    fn java_traces_stay_whole() {
        check(
            LIMITS,
            &[
                "|ERROR boom",
                "+\tat a.B.c(B.java:1)",
                "+Caused by: java.io.IOException: x",
                "+\tat d.E.f(E.java:2)",
                "+... 23 more",
                "+\t... 23 more",
                "|INFO next",
            ],
        );
    }

    #[test]
    fn python_tracebacks_stay_whole_and_end() {
        check(
            LIMITS,
            &[
                "|Traceback (most recent call last):",
                "+  File \"a.py\", line 1, in f",
                "+    g()",
                "+ValueError: bad",
                "+",
                "+During handling of the above exception, another exception occurred:",
                "+",
                "+Traceback (most recent call last):",
                "+  File \"b.py\", line 2",
                "+requests.exceptions.Timeout: slow",
                "|worker: restarting",
            ],
        );
        check(LIMITS, &["|Traceback (most recent call last):", "+  File", "|not an exception line"]);
    }

    #[test]
    fn go_panics_stay_whole() {
        check(
            LIMITS,
            &[
                "|panic: runtime error: index out of range [5] with length 3",
                "+",
                "+goroutine 1 [running]:",
                "+main.main()",
                "+\t/app/main.go:42 +0x1d",
                "+net/http.(*conn).serve(0xc0001, {0x1, 0x2})",
                "+exit status 2",
                "|2026/11/20 10:00:00 started (again)",
            ],
        );
    }

    #[test]
    fn ordinary_lines_stand_for_themselves() {
        check(LIMITS, &["| leading blank with nothing before", "|a", "|", "|b", "+  c"]);
    }

    #[test]
    fn a_run_ends_after_its_lines_and_its_time() {
        let limits = Continuation { within: Duration::from_secs(5), lines: 3 };
        check(limits, &["|a", "+ 1", "+ 2", "| 3", "+ 4"]);
        let tight = Continuation { within: Duration::from_millis(999), lines: 3 };
        check(tight, &["|a", "| 1"]);
    }

    #[test]
    fn streams_of_one_tag_are_apart() {
        let mut streams: Streams<u8> = Streams::new();
        let (head, tail, time) = (Line::new(b"ERROR x"), Line::new(b"  at y"), EventTime::default());
        let state = streams.tag(b"t", "", |_| Box::default()).unwrap();
        state.begin(Side::Err, &head, time, 1);
        assert_eq!(state.continues(Side::Out, &tail, time, LIMITS), None);
        assert_eq!(state.continues(Side::Err, &tail, time, LIMITS), Some(1));
    }

    #[test]
    fn tags_are_bounded() {
        let mut streams: Streams<u8> = Streams::new();
        for n in 0..5000 {
            streams.tag(format!("t{n}").as_bytes(), "", |_| Box::default()).unwrap();
        }
        assert_eq!(streams.len(), MAX_TAGS);
        assert!(!streams.is_empty());
    }
}
