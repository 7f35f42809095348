//! Teams: what their fragments and annotations decide, and that neither another team nor the platform is the worse for it.

use super::traffic::{SECOND, START};
use crate::config::{Fragment, RuleFile, load, load_fragment};
use crate::engine::{Answer, Engine, Input};
use crate::pods::{Container, Pairs, PodFile, PodSource, Unavailable};
use crate::time::{EventTime, Now};
use proptest::prelude::*;
use std::rc::Rc;

/// Pods of two namespaces, those of the first with these annotations.
struct Pods(Vec<(String, String)>);

impl PodSource for Pods {
    fn read(&mut self, name: &str, into: &mut Vec<u8>) -> Result<(), Unavailable> {
        let (namespace, pod) = name.trim_end_matches(".json").split_once('_').ok_or(Unavailable::Missing)?;
        let mut file = PodFile::new(namespace, pod);
        if namespace == "loud" {
            file.annotations = Some(Pairs(self.0.clone()));
        }
        file.containers.push(Container { name: "app".into(), id: "0a".into(), ..Container::default() });
        into.extend_from_slice(&file.encode().unwrap());
        Ok(())
    }
}

fn annotations(all: &[(&str, &str)]) -> Pods {
    Pods(all.iter().map(|(key, value)| (format!("nodesieve.io/{key}"), (*value).to_owned())).collect())
}

const PLATFORM: &str = "version: 1\n\
    guards: [{ name: audit, when: { message: audit } }, { name: errors, when: { severity: '>=error' }, ceiling: { rate: 5/s } }]\n\
    rules: [{ name: debug, when: { message: debug }, drop: {}, reason: test }, { name: few, when: { message: few }, first: { n: 2, per: 1h, by: container } }]\n";

fn platform(delegate: &str) -> Rc<RuleFile> {
    load(&format!("{PLATFORM}delegate: {delegate}\n")).unwrap().rules
}

fn fragment(rules: &str, namespace: &str, platform: &RuleFile) -> Option<Rc<Fragment>> {
    load_fragment(&format!("version: 1\n{rules}"), namespace, platform).ok().map(|loaded| loaded.fragment)
}

fn feed(engine: &mut Engine, namespace: &str, line: &str, millis: u64, pods: &mut Pods) -> Option<String> {
    let tag = format!("kube.var.log.containers.web-1_{namespace}_app-0a.log");
    let now = START + millis * 1_000_000;
    let time = EventTime { sec: (now / SECOND) as u32, nsec: (now % SECOND) as u32 };
    let text = format!("{{\"log\":\"{line}\",\"stream\":\"stdout\"}}");
    let mut out = Vec::new();
    let answer = engine.filter(
        Input { tag: tag.as_bytes(), time, text: text.as_bytes() },
        &mut Now(now),
        pods,
        &mut out,
    );
    (answer.0 != Answer::Drop).then(|| String::from_utf8(out).unwrap())
}

fn kept(engine: &mut Engine, line: &str, count: u64, pods: &mut Pods) -> usize {
    (0..count).filter(|n| feed(engine, "loud", line, *n, pods).is_some()).count()
}

#[test]
fn guards_come_first_then_annotations_then_fragments_then_the_platform() {
    let platform = platform("{}");
    let rules = "rules: [{ name: noise, when: { message: '?audit ?noise ?debug' }, drop: {}, reason: test }, { name: keep-debug, when: { message: few }, keep: {} }]\n";
    let file = platform.with_fragments(&[fragment(rules, "loud", &platform).unwrap()]);
    let mut engine = Engine::new(file, 1);
    let mut none = annotations(&[]);
    assert_eq!(kept(&mut engine, "audit noise", 3, &mut none), 3, "a guard holds");
    assert_eq!(kept(&mut engine, "noise", 3, &mut none), 0);
    assert_eq!(kept(&mut engine, "ERROR noise", 3, &mut none), 3);
    assert_eq!(kept(&mut engine, "few", 5, &mut none), 5, "the fragment comes before the platform's rule");
    assert_eq!(kept(&mut engine, "debug", 3, &mut none), 0);
    // Not its namespace.
    assert!(feed(&mut engine, "quiet", "noise", 9, &mut none).is_some());
    let row = engine.counters().rules().iter().find(|row| &*row.name == "loud/noise").unwrap();
    assert_eq!((row.kept, row.dropped), (0, 6));
}

#[test]
fn errors_are_dropped_on_behalf_of_a_team_only_where_it_may() {
    // Without the guard, so that the fragment is asked.
    for (may, expected) in [("false", 4), ("true", 0)] {
        let source = format!("version: 1\ndelegate: {{ may_drop_errors: {may} }}\n");
        let platform = load(&source).unwrap().rules;
        let file = platform.with_fragments(&[fragment(
            "rules: [{ name: all, drop: {}, reason: test }]",
            "loud",
            &platform,
        )
        .unwrap()]);
        let mut engine = Engine::new(file, 1);
        let mut none = annotations(&[]);
        assert_eq!(kept(&mut engine, "ERROR boom", 4, &mut none), expected);
        assert_eq!(kept(&mut engine, "INFO fine", 4, &mut none), 0);
        assert_eq!(kept(&mut engine, "of unknown level", 4, &mut none), 0);
        let mut annotated = annotations(&[("limit", "1/m")]);
        let mut engine = Engine::new(platform, 1);
        let errors = kept(&mut engine, "ERROR boom", 4, &mut annotated);
        assert_eq!(errors, if may == "true" { 1 } else { 4 });
    }
}

#[test]
fn what_is_kept_for_a_team_is_bounded_and_the_platform_decides_beyond_it() {
    for (delegate, least, most) in [
        ("{ max_keep_rate: 5/s }", 5, 5),
        ("{ budget: 1kB/day }", 2, 20),
        ("{ max_keep_rate: 0.5 }", 70, 130),
    ] {
        let platform = platform(delegate);
        let file =
            platform
                .with_fragments(&[fragment("rules: [{ name: all, keep: {} }]", "loud", &platform).unwrap()]);
        let mut engine = Engine::new(file, 1);
        // The platform's own rule drops these.
        let found = kept(&mut engine, "debug", 200, &mut annotations(&[]));
        assert!((least..=most).contains(&found), "{delegate}: {found}");
    }
}

#[test]
fn a_share_of_what_a_team_keeps_leaves_errors_alone() {
    let source = "version: 1\ndelegate: { max_keep_rate: 0.5 }\n";
    let platform = load(source).unwrap().rules;
    let file =
        platform.with_fragments(&[fragment("rules: [{ name: all, keep: {} }]", "loud", &platform).unwrap()]);
    let mut engine = Engine::new(file, 1);
    assert_eq!(kept(&mut engine, "ERROR boom", 200, &mut annotations(&[])), 200);
    assert!((70..130).contains(&kept(&mut engine, "fine", 200, &mut annotations(&[]))));
}

#[test]
fn a_day_s_budget_outlives_the_filter() {
    let platform = platform("{ budget: 1kB/day }");
    let file =
        platform.with_fragments(&[fragment("rules: [{ name: all, keep: {} }]", "loud", &platform).unwrap()]);
    let mut first = Engine::new(file.clone(), 1);
    assert!(kept(&mut first, "debug", 100, &mut annotations(&[])) < 20);
    let state = first.state_to_save(Now(START)).unwrap();
    let mut second = Engine::new(file, 2);
    let left =
        crate::engine::Left { name: "00000000000000aa", state: &state, journal: crate::engine::Journal(b"") };
    second.restore(left, Now(START)).unwrap();
    assert_eq!(kept(&mut second, "debug", 100, &mut annotations(&[])), 0);
    assert!(state.contains("{\"account\":\"loud/all\""), "{state}");
}

#[test]
fn a_pod_s_annotations_decide_within_what_is_delegated_and_until_they_end() {
    let found = |delegate: &str, all: &[(&str, &str)]| {
        kept(&mut Engine::new(platform(delegate), 1), "fine", 400, &mut annotations(all))
    };
    assert_eq!(found("{}", &[("limit", "10/s")]), 13);
    assert_eq!(
        found("{ max_keep_rate: 4/s }", &[("limit", "10/s")]),
        400,
        "beyond it the platform keeps what it keeps"
    );
    let sampled = found("{}", &[("sample", "0.1")]);
    assert!((20..=60).contains(&sampled), "{sampled}");
    let clamped = found("{ max_keep_rate: 0.25 }", &[("sample", "1")]);
    assert!((60..=140).contains(&clamped), "{clamped}");
    assert_eq!(found("{}", &[("limit", "10/s"), ("until", "2027-01-15T07:00:00Z")]), 400, "it is over");
    assert_eq!(found("{}", &[("limit", "10/s"), ("until", "2030-01-15T07:00:00Z")]), 13);
    assert_eq!(found("{ policies: [sample] }", &[("limit", "10/s")]), 400);
    assert_eq!(found("{ annotations: false }", &[("limit", "10/s")]), 400);
    // What cannot be read asks for nothing, and an end that cannot be read has been.
    assert_eq!(found("{}", &[("sample", "much"), ("limit", "-1")]), 400);
    assert_eq!(found("{}", &[("limit", "10/s"), ("until", "tomorrow")]), 400);
}

#[test]
fn shadows_of_two_fragments_are_told_apart() {
    let platform = platform("{}");
    let rules = "rules: [{ name: try, when: { message: fine }, drop: {}, reason: test, mode: shadow }]\n";
    let fragments = ["loud", "quiet"].map(|namespace| fragment(rules, namespace, &platform).unwrap());
    let mut engine = Engine::new(platform.with_fragments(&fragments), 1);
    for n in 0..3 {
        feed(&mut engine, "quiet", "fine", n, &mut annotations(&[]));
    }
    let shadows: Vec<(String, u64)> =
        engine.counters().shadows().iter().map(|row| (row.name.to_string(), row.dropped)).collect();
    assert_eq!(shadows, [("loud/try".to_owned(), 0), ("quiet/try".to_owned(), 3)]);
}

proptest! {
    /// Guarantees: whatever a team writes into its fragment and onto its pods, another team's records come to what they come to
    /// without it, to the record, and the platform's guards hold.
    #[test]
    fn a_hostile_team_changes_nothing_for_another(
        hostile in proptest::sample::subsequence(vec![
            "rules: [{ name: all, drop: {}, reason: mine }]",
            "rules: [{ name: all, keep: {} }]",
            "rules: [{ name: a, first: { n: 1, per: 1h, by: template } }]",
            "rules: [{ name: a, when: { namespace: quiet }, drop: {}, reason: mine }]",
            "guards: [{ name: a, when: { message: few } }]",
            "rules: [{ name: a, when: { message: 'x",
            "rules: [{ name: few, target: { rate: 1/s, by: template } }]",
        ], 1),
        noted in proptest::sample::subsequence(vec![("sample", "1"), ("limit", "1000000/s"), ("until", "9999-01-01T00:00:00Z"), ("sample", "\u{0}"), ("x", "y")], 0..4),
        lines in prop::collection::vec((any::<bool>(), proptest::sample::select(vec!["few", "debug", "fine", "audit x", "ERROR boom"]), 0u64..200), 1..120),
    ) {
        let platform = platform("{ max_keep_rate: 20/s, budget: 2kB/day }");
        let own = fragment("rules: [{ name: fine, when: { message: fine }, limit: { rate: 2/s } }]", "quiet", &platform).unwrap();
        let loud = fragment(hostile[0], "loud", &platform);
        let mut with = Engine::new(platform.with_fragments(&loud.into_iter().chain([Rc::clone(&own)]).collect::<Vec<_>>()), 3);
        let mut without = Engine::new(platform.with_fragments(&[own]), 3);
        let mut pods = annotations(&noted);
        let mut at = 0;
        for (is_loud, line, pause) in lines {
            at += pause;
            let namespace = if is_loud { "loud" } else { "quiet" };
            let found = feed(&mut with, namespace, line, at, &mut pods);
            if is_loud {
                prop_assert!(!line.starts_with("audit") || found.is_some());
                continue;
            }
            prop_assert_eq!(found, feed(&mut without, namespace, line, at, &mut pods));
        }
    }
}
