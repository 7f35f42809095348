//! Whatever is known, an outline is what the walk makes it; and what is known has its caps.

use super::*;
use crate::json::{Level, push_string};
use proptest::prelude::*;

fn written(text: &str) -> Vec<u8> {
    let mut written = Vec::new();
    push_string(&mut written, text.as_bytes());
    written[1..written.len() - 1].to_vec()
}

/// Whether all of a text was known before.
#[track_caller]
fn passes_as_walked(known: &mut Separators, text: &[u8]) -> bool {
    let mut passed = Outline::empty();
    let is_known = known.members(text, &mut passed).is_some_and(|(rest, at)| at != 0 && rest == b"}");
    let (found, expected) = (Outline::with_known(text, known), Outline::walked(text, Level::Quoted));
    let said = |outline: &Option<Outline>| {
        let outline = outline.as_ref()?;
        Some((outline.places.clone(), outline.is_whole(), outline.key_bits(text)))
    };
    assert_eq!(said(&found), said(&expected), "{}", String::from_utf8_lossy(text));
    assert!(!is_known || found.is_some());
    is_known
}

#[test]
fn the_second_of_two_lines_with_the_same_keys_is_known() {
    for (first, second) in [
        (r#"{"a":1,"b":2}"#, r#"{"a":22,"b":0}"#),
        (
            r#"{"level": "info", "a_long_name_of_a_field": "x"}"#,
            r#"{"level": "", "a_long_name_of_a_field": "\"q\""}"#,
        ),
        (r#"{"a" : [1, {"a": 2}] , "b":"x"}"#, r#"{"a" :  null , "b":"\n"}"#),
        (r#"{"a":"x","b":-0.5e3}"#, r#"{"a":"one word and more than one","b":[]}"#),
    ] {
        let mut known = Separators::default();
        assert!(!passes_as_walked(&mut known, &written(first)), "{first}");
        assert!(passes_as_walked(&mut known, &written(second)), "{second}");
    }
}

#[test]
fn what_begins_like_a_known_line_is_walked_from_where_it_differs() {
    let mut known = Separators::default();
    passes_as_walked(&mut known, &written(r#"{"level":"info","status":200,"user":"x"}"#));
    for other in [
        r#"{"level":"info","status":200,"other":"x"}"#,
        r#"{"level":"info","status":200}"#,
        r#"{"level":"info","status":200,"user":"x","more":[1]}"#,
        r#"{"level":"info" ,"status":"x","user":{}}"#,
        r#"{"level":"info","status": 200,"user":"x"}  "#,
    ] {
        passes_as_walked(&mut known, &written(other));
        assert!(passes_as_walked(&mut known, &written(other)) || other.ends_with(' '), "{other}");
    }
    for no_object in [
        r#"{"level":"info","status":200,"user":"x}"#,
        r#"{"level":"info","status":0200,"user":"x"}"#,
        r#"{"level":"info","status":,"user":"x"}"#,
        r#"{"level":"info","status":200,"user":"x"}}"#,
        r#"{"level":"info"#,
        r#"{"level":1nfo","status":200}"#,
    ] {
        assert!(!passes_as_walked(&mut known, &written(no_object)), "{no_object}");
    }
}

#[test]
fn every_byte_of_a_separator_counts() {
    for key in ["a", "a name", "the name of a member", "the name of a member that is longer than any"] {
        let line = written(&format!(r#"{{"first":1,"{key}":"value","{key}":2}}"#));
        for (at, other) in (0..line.len()).flat_map(|at| [(at, b'\\'), (at, b'"'), (at, b'x')]) {
            let mut known = Separators::default();
            passes_as_walked(&mut known, &line);
            let mut changed = line.clone();
            changed[at] = other;
            passes_as_walked(&mut known, &changed);
        }
    }
}

#[test]
fn lines_that_are_never_the_same_are_seldom_learned_from_and_have_a_cap() {
    let mut known = Separators::default();
    let (mut learned, mut before) = (0, known.tree.len());
    for line in 0..4000 {
        let members: Vec<String> = (0..70).map(|at| format!("\"key{line}_{at}\":{at}")).collect();
        let text = written(&format!("{{\"first\":1,{}}}", members.join(",")));
        passes_as_walked(&mut known, &text);
        // What stands in the middle of an object does not start one.
        passes_as_walked(&mut known, &text[text.iter().position(|byte| *byte == b',').unwrap()..]);
        learned += u32::from(known.tree.len() != before);
        before = known.tree.len();
        assert!(known.tree.len() <= MOST_SEPARATORS);
        let mut first = known.tree[0].behind.get();
        let mut alternatives = 0;
        while first != 0 {
            (first, alternatives) = (known.tree[first].other.get(), alternatives + 1);
        }
        assert!(alternatives <= MOST_ALTERNATIVES);
    }
    assert!(learned <= (MOST_CREDIT + 4000) / A_LINE, "{learned}");
}

#[test]
fn programs_that_write_by_turns_are_all_known() {
    let mut known = Separators::default();
    let line = |program: usize, value: usize| {
        written(&format!(r#"{{"ts":{value},"p{program}":"{value}","msg":"m"}}"#))
    };
    (0..6).for_each(|program| _ = passes_as_walked(&mut known, &line(program, 1)));
    for turn in 0..30 {
        assert!(passes_as_walked(&mut known, &line(turn % 6, turn)), "{turn}");
    }
    // Others come and go, which takes the room of those that do not write any more.
    for other in 10..40 {
        passes_as_walked(&mut known, &line(other, other));
        assert!(passes_as_walked(&mut known, &line(0, other)), "{other}");
    }
    assert!(!passes_as_walked(&mut known, &line(1, 1)));
}

/// Lines whose keys are few, so that separators are met again, in every way to write them, right or wrong.
fn lines() -> impl Strategy<Value = Vec<String>> {
    let blank = prop_oneof![4 => Just(""), 3 => Just(" "), 1 => Just("  "), 1 => Just("\n")];
    let key = prop_oneof![
        4 => Just("\"level\""), 4 => Just("\"a\""), 2 => Just("\"the name of a member\""), 1 => Just("\"k\\\"\""),
        1 => Just("\"the name of a member that is longer than any\""),
        1 => Just("\"the name of a member THAT is longer than any\""), 1 => Just("\"\""), 1 => Just("level"),
    ];
    let value = prop_oneof![
        4 => "\"[a-z ]{0,20}\"", 3 => "[0-9]{1,9}", 2 => "-?[0-9]{1,3}(\\.[0-9]{1,9})?",
        2 => prop::sample::select(vec!["null", "true", "{}", "[1,\"a\"]", "{\"level\":\"x\"}", "\"a\\nb\"", "\"\\\\\"", "\"é\""])
            .prop_map(str::to_owned),
        1 => "[ \"\\\\{}\\[\\],:a1]{0,6}",
    ];
    let member = (blank.clone(), key, blank.clone(), blank.clone(), value, blank)
        .prop_map(|(a, key, b, c, value, d)| format!("{a}{key}{b}:{c}{value}{d}"));
    let end = prop_oneof![8 => Just("}"), 1 => Just("} "), 1 => Just(""), 1 => Just("}}")];
    let line = (prop::collection::vec(member, 0..5), end)
        .prop_map(|(members, end)| format!("{{{}{end}", members.join(",")));
    prop::collection::vec(line, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// What is known changes nothing of what an outline says, whatever was seen before.
    #[test]
    fn what_is_known_changes_no_outline(lines in lines(), cut in any::<prop::sample::Index>()) {
        let mut known = Separators::default();
        for line in lines.iter().chain(&lines) {
            let text = written(line);
            passes_as_walked(&mut known, &text);
            passes_as_walked(&mut known, &text[..cut.index(text.len() + 1)]);
        }
    }

    #[test]
    fn any_bytes_are_walked_or_refused(texts in prop::collection::vec(prop::collection::vec(
        prop_oneof![6 => prop::sample::select(b"{}\\\",: a1".to_vec()), 1 => any::<u8>()], 0..40), 1..6)) {
        let mut known = Separators::default();
        for text in texts.iter().chain(&texts) {
            passes_as_walked(&mut known, &[&b"{\\\"a\\\":"[..], text].concat());
            passes_as_walked(&mut known, text);
        }
    }
}
