//! Runs the tests that a rule file brings along: through the whole engine, with a clock, a seed and pods of their own.
//!
//! Every test starts with nothing remembered, at an instant before every `until` unless it names one: a file that is right
//! today does not break when a rule's time is over. The work is bounded when the file is read, and can be done in slices
//! ([`TestRun`]): on a node records wait for it.

use crate::config::{
    self, Expect, Fragment, Kept, Loaded, LoadedFragment, NUMBER, RANDOM_ID, RuleFile, RuleTest, Subject,
};
use crate::diag::{Code, Diagnostic, MAX_SHOWN};
use crate::engine::{Action, Engine, Input, StepResult, Verdict, Why};
use crate::metrics::Stage;
use crate::pods::{PodSource, Unavailable};
use crate::policy::nanos;
use crate::record::{Names, RecordView};
use crate::redact::Seed;
use crate::time::{EventTime, Now};
use std::rc::Rc;

/// Reads a rule file and runs its tests; one that does not hold is explained.
///
/// # Errors
/// As [`crate::config::load`]; for a file without mistakes, one diagnostic for each test that does not hold.
#[inline(never)]
pub fn load_explained(source: &str) -> Result<Loaded, Vec<Diagnostic>> {
    let mut run = TestRun { explain: Some(why_not), ..TestRun::begin(source)? };
    run.go_on(&mut || true);
    run.finish()
}

/// Reads a fragment and runs its tests, with the platform's rules and no other fragment's.
///
/// # Errors
/// As [`crate::config::load_fragment`]; for a fragment without mistakes, one diagnostic for each test that does not hold.
#[inline(never)]
pub fn load_fragment(
    source: &str,
    namespace: &str,
    platform: &RuleFile,
) -> Result<(Rc<Fragment>, Vec<Diagnostic>), Vec<Diagnostic>> {
    fragment(source, namespace, platform, None)
}

/// The same; a test that does not hold is explained.
///
/// # Errors
/// As [`load_fragment`].
#[inline(never)]
pub fn load_fragment_explained(
    source: &str,
    namespace: &str,
    platform: &RuleFile,
) -> Result<(Rc<Fragment>, Vec<Diagnostic>), Vec<Diagnostic>> {
    fragment(source, namespace, platform, Some(why_not))
}

fn fragment(
    source: &str,
    namespace: &str,
    platform: &RuleFile,
    explain: Option<WhyNot>,
) -> Result<(Rc<Fragment>, Vec<Diagnostic>), Vec<Diagnostic>> {
    let LoadedFragment { fragment, rules, tests, warnings } =
        config::load_fragment(source, namespace, platform)?;
    let loaded = Loaded { rules, tests, warnings };
    let mut run = TestRun { loaded, next: 0, under_way: None, failed: Vec::new(), explain };
    run.go_on(&mut || true);
    Ok((fragment, run.finish()?.warnings))
}

/// Why the wanted guard or rule does not apply. Not linked into the filter, which has no room to explain.
type WhyNot = fn(&mut Engine, Input<'_>, Now, &mut OnePod, &Subject) -> Option<String>;

/// A rule file whose tests run a record at a time, in between whatever else there is to do.
pub struct TestRun {
    loaded: Loaded,
    /// The test that is under way or comes next.
    next: usize,
    under_way: Option<Attempt>,
    failed: Vec<Diagnostic>,
    explain: Option<WhyNot>,
}

impl TestRun {
    /// Reads a rule file; none of its tests has run.
    ///
    /// # Errors
    /// As [`crate::config::load`].
    pub fn begin(source: &str) -> Result<TestRun, Vec<Diagnostic>> {
        let loaded = config::load(source)?;
        Ok(TestRun { loaded, next: 0, under_way: None, failed: Vec::new(), explain: None })
    }

    /// Whether the file has tests.
    pub fn has_tests(&self) -> bool {
        !self.loaded.tests.is_empty()
    }

    /// Runs tests for as long as `may_go_on` says after each record; whether all of them have run.
    pub fn go_on(&mut self, may_go_on: &mut dyn FnMut() -> bool) -> bool {
        let TestRun { loaded: Loaded { rules, tests, warnings: _ }, next, under_way, failed, explain } = self;
        while let Some(test) = tests.get(*next) {
            let attempt = under_way.get_or_insert_with(|| Attempt::begin(rules, test));
            match attempt.feed(rules, test, *explain) {
                Ok(false) => {}
                outcome => {
                    if let (Err(mistake), true) = (outcome, failed.len() < MAX_SHOWN) {
                        failed.push(mistake);
                    }
                    *under_way = None;
                    *next = next.saturating_add(1);
                }
            }
            if !may_go_on() {
                break;
            }
        }
        *next >= tests.len()
    }

    /// The file, if all its tests have run and hold.
    ///
    /// # Errors
    /// One diagnostic for each test that does not hold.
    pub fn finish(self) -> Result<Loaded, Vec<Diagnostic>> {
        if self.failed.is_empty() { Ok(self.loaded) } else { Err(self.failed) }
    }
}

/// A test under way, with an engine of its own.
struct Attempt {
    engine: Engine,
    pods: OnePod,
    ids: fastrand::Rng,
    out: Vec<u8>,
    /// When its first record comes, in nanoseconds since 1970.
    first: u64,
    /// The records so far.
    n: u32,
    kept: u32,
    shadow_dropped: u64,
}

/// A record of a test.
struct Fed {
    now: u64,
    time: EventTime,
    text: String,
    /// What each rule of redact had hit before.
    hits: Vec<u64>,
}

impl Attempt {
    #[inline(never)]
    fn begin(rules: &Rc<RuleFile>, test: &RuleTest) -> Attempt {
        let first = u64::try_from(test.at.unwrap_or_else(|| instant(rules, test))).unwrap_or_default();
        let first = first.saturating_mul(SECOND);
        let age = nanos(test.age);
        let pods = OnePod(test.pod.as_ref().map(|(front, back)| {
            let started = first.saturating_sub(age) / SECOND;
            [front, started.to_string().as_bytes(), back].concat()
        }));
        let mut engine = Engine::new(Rc::clone(rules), SEED);
        engine.set_redact_seed(Seed::to_try());
        Attempt {
            engine,
            pods,
            ids: fastrand::Rng::with_seed(SEED),
            out: Vec::new(),
            first,
            n: 0,
            kept: 0,
            shadow_dropped: 0,
        }
    }

    /// Decides the next record; whether it was the last and the test holds.
    ///
    /// What is before and behind the decision is apart: in an interpreter with a small stack it would be kept beside it.
    fn feed(
        &mut self,
        rules: &RuleFile,
        test: &RuleTest,
        explain: Option<WhyNot>,
    ) -> Result<bool, Diagnostic> {
        if self.n < test.times {
            let fed = self.next(test);
            let (pods, out) = (&mut self.pods, &mut self.out);
            let (_, verdict) = self.engine.filter(fed.input(test), &mut Now(fed.now), pods, out);
            self.check(rules, test, explain, (&fed, verdict))?;
        }
        if self.n < test.times {
            return Ok(false);
        }
        check_kept(&test.expect, self.kept, test.times)
            .map_err(|message| Diagnostic::new(Code::Test, test.span.clone(), message))?;
        Ok(true)
    }

    #[inline(never)]
    fn next(&mut self, test: &RuleTest) -> Fed {
        let Attempt { engine, ids, first, n, .. } = self;
        let now = first.saturating_add(nanos(test.every).saturating_mul(u64::from(*n)));
        let time = EventTime {
            sec: u32::try_from(now / SECOND).unwrap_or(u32::MAX),
            nsec: u32::try_from(now % SECOND).unwrap_or_default(),
        };
        let hits = engine.redactions().map(|(_, hits)| hits).collect();
        Fed { now, time, text: filled(&test.text, *n, ids), hits }
    }

    /// Whether what was decided is what should be.
    #[inline(never)]
    fn check(
        &mut self,
        rules: &RuleFile,
        test: &RuleTest,
        explain: Option<WhyNot>,
        (fed, verdict): (&Fed, Verdict),
    ) -> Result<(), Diagnostic> {
        let fails = |message: String| Diagnostic::new(Code::Test, test.span.clone(), message);
        let Attempt { engine, pods, out, n, kept, shadow_dropped, .. } = self;
        // Of a rule in shadow mode, what it would have done.
        let shadow = match &test.expect.subject {
            Some(Subject::Shadow(name)) => engine.counters().shadows().iter().find(|row| row.name == *name),
            _ => None,
        };
        let (is_shadows, action) = match shadow {
            Some(row) => {
                let would_drop = row.dropped > *shadow_dropped;
                *shadow_dropped = row.dropped;
                let is_asked = row.matched == u64::from(*n).saturating_add(1);
                (is_asked, if would_drop { Action::Drop } else { Action::Keep })
            }
            None => (false, verdict.action),
        };
        *kept = kept.saturating_add(u32::from(action == Action::Keep));
        let which = if test.times > 1 { format!(" (repetition {n})") } else { String::new() };
        if let Some(wanted) = &test.expect.subject
            && !(is_shadows || is_subject(rules, verdict.why, wanted))
        {
            let message = match wanted {
                Subject::Shadow(_) => format!("{} should meet this, it does not{which}", name(wanted)),
                _ => format!(
                    "{} should decide this, {} does{which}",
                    name(wanted),
                    decider(rules, verdict.why)
                ),
            };
            let mistake = fails(message);
            let help =
                explain.and_then(|why_not| why_not(engine, fed.input(test), Now(fed.now), pods, wanted));
            return Err(match help {
                Some(help) => mistake.with_help(help),
                None => mistake,
            });
        }
        if let Some(wanted) = test.expect.action
            && wanted != action
        {
            let (wanted, found) = match wanted {
                Action::Keep => ("kept", "drops"),
                Action::Drop => ("dropped", "keeps"),
            };
            let decider = match &test.expect.subject {
                Some(shadow @ Subject::Shadow(_)) => name(shadow),
                _ => decider(rules, verdict.why),
            };
            return Err(fails(format!("this should be {wanted}, {decider} {found} it{which}")));
        }
        if verdict.action == Action::Keep {
            let after = engine.redactions().zip(&fed.hits);
            let hit: Vec<&str> =
                after.filter(|((_, hits), before)| hits > *before).map(|((name, _), _)| name).collect();
            check_redaction(rules, &test.expect, &hit, out)
                .map_err(|message| fails(format!("{message}{which}")))?;
        }
        *n = n.saturating_add(1);
        Ok(())
    }
}

impl Fed {
    fn input<'a>(&'a self, test: &'a RuleTest) -> Input<'a> {
        Input { tag: test.tag.as_bytes(), time: self.time, text: self.text.as_bytes() }
    }
}

/// Whether a kept record was redacted as it should be. `hit` are the rules that hit it.
fn check_redaction(rules: &RuleFile, expect: &Expect, hit: &[&str], out: &[u8]) -> Result<(), String> {
    if let Some(wanted) = &expect.redacted {
        if let Some(missing) = wanted.iter().find(|name| !hit.contains(&&***name)) {
            return Err(format!("`{missing}` of redact should hit this, it does not"));
        }
        if let Some(other) = hit.iter().find(|name| !wanted.iter().any(|wanted| **wanted == ***name)) {
            return Err(format!("`{other}` of redact should not hit this, it does"));
        }
    }
    if let Some(wanted) = &expect.line {
        let names = Names::new(rules.input.message.clone(), Vec::new(), Vec::new());
        let record = RecordView::read(out, &names).ok();
        let line = record.as_ref().and_then(RecordView::line);
        let found = line.as_ref().map(|line| String::from_utf8_lossy(line.text()).into_owned());
        if found.as_deref() != Some(wanted) {
            let found = found.map_or_else(|| "there is none".to_owned(), |found| format!("it is `{found}`"));
            return Err(format!("the line should be `{wanted}`, {found}"));
        }
    }
    Ok(())
}

fn check_kept(expect: &Expect, kept: u32, times: u32) -> Result<(), String> {
    match expect.kept {
        Some(Kept::Exactly(count)) if count != kept => {
            Err(format!("{count} of {times} should be kept, {kept} are"))
        }
        Some(Kept::Share { share, z }) => {
            let n = f64::from(times);
            let allowed = z * (n * share * (1.0 - share)).sqrt();
            let (low, high) = ((n * share - allowed).ceil().max(0.0), (n * share + allowed).floor().min(n));
            if (low..=high).contains(&f64::from(kept)) {
                Ok(())
            } else {
                Err(format!("{low} to {high} of {times} should be kept, {kept} are"))
            }
        }
        _ => Ok(()),
    }
}

/// Before the end of every rule, and long enough before the next for all repetitions.
fn instant(rules: &RuleFile, test: &RuleTest) -> i64 {
    let first_end = rules.guards.iter().chain(&rules.rules).filter_map(|rule| rule.until).min();
    let lasts = test.every.as_secs().saturating_mul(u64::from(test.times)).saturating_add(DAY);
    let before = |end: i64| end.saturating_sub(i64::try_from(lasts).unwrap_or(i64::MAX)).max(0);
    first_end.map_or(USUALLY, |end| before(end).min(USUALLY))
}

/// The record with its placeholders filled in.
fn filled(text: &str, n: u32, ids: &mut fastrand::Rng) -> String {
    if !text.contains('$') {
        return text.to_owned();
    }
    let id = format!("{:016x}{:016x}", ids.u64(..), ids.u64(..));
    let text = text.replace(RANDOM_ID, &id);
    let number = n.to_string();
    let mut filled = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, behind)) = rest.split_once(NUMBER) {
        // `$name` is a name.
        let is_whole = !behind.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_');
        filled.push_str(before);
        filled.push_str(if is_whole { &number } else { NUMBER });
        rest = behind;
    }
    filled + rest
}

fn is_subject(rules: &RuleFile, why: Why, wanted: &Subject) -> bool {
    match (wanted, why.named(rules)) {
        (Subject::Guard(wanted), (Stage::Guard, name)) => **wanted == *name,
        (Subject::Rule(wanted), (Stage::Rule | Stage::Outcome, name)) => **wanted == *name,
        _ => false,
    }
}

fn name(subject: &Subject) -> String {
    match subject {
        Subject::Guard(name) => described(Stage::Guard, name),
        Subject::Rule(name) => described(Stage::Rule, name),
        Subject::Shadow(name) => format!("rule `{name}` in shadow mode"),
    }
}

/// The names of outcomes are no rule's.
fn described(stage: Stage, name: &str) -> String {
    match (stage, name) {
        (Stage::Guard, name) => format!("guard `{name}`"),
        (_, "none") => "no rule".into(),
        (_, "unknown") => "missing metadata".into(),
        (_, "exclude") => "an annotation".into(),
        (_, "fault") => "nothing (the record cannot be read)".into(),
        (_, name) => format!("rule `{name}`"),
    }
}

fn decider(rules: &RuleFile, why: Why) -> String {
    let (stage, name) = why.named(rules);
    described(stage, name)
}

fn why_not(
    engine: &mut Engine,
    input: Input<'_>,
    now: Now,
    pods: &mut OnePod,
    wanted: &Subject,
) -> Option<String> {
    let (Subject::Guard(name) | Subject::Rule(name) | Subject::Shadow(name)) = wanted;
    let explained = engine.explain(input, now, pods).ok()?;
    let step = explained.steps.into_iter().find(|step| step.name == *name)?;
    let detail = step.detail.map(|detail| format!(": {detail}")).unwrap_or_default();
    Some(match step.result {
        StepResult::Failed(key) => format!("`{key}` of `{name}` does not hold{detail}"),
        StepResult::Unknown(key) => format!("`{key}` of `{name}` cannot be known{detail}"),
        StepResult::Over => {
            format!("the time of `{name}` is over; set `at` to an instant before its `until`")
        }
        StepResult::Matched | StepResult::Shadow => return None,
    })
}

struct OnePod(Option<Vec<u8>>);

impl PodSource for OnePod {
    fn read(&mut self, _: &str, into: &mut Vec<u8>) -> Result<(), Unavailable> {
        into.extend_from_slice(self.0.as_ref().ok_or(Unavailable::Missing)?);
        Ok(())
    }
}

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400;
/// 2026-01-01T00:00:00Z.
const USUALLY: i64 = 1_767_225_600;
/// One seed for ever: a test that holds does so everywhere.
const SEED: u64 = 1;

#[cfg(test)]
mod tests;
