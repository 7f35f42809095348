//! What each form matches, and how each mistake is told. The documented cases are in host-test/cases/patterns.

use super::*;
use crate::json::push_string;
use crate::line::Line;
use proptest::prelude::*;

fn matches(pattern: &Pattern, event: &str) -> bool {
    let mut written = Vec::new();
    push_string(&mut written, event.as_bytes());
    let line = Line::new(&written[1..written.len() - 1]);
    pattern.matches(&Searched::alone(&line))
}

/// Checks a pattern against events; `+` before an event that must match, `-` before one that must not.
#[track_caller]
fn check(pattern: &str, events: &[&str]) {
    let compiled = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    for event in events {
        let (expected, event) = event.split_at(1);
        assert_eq!(matches(&compiled, event), expected == "+", "{pattern} on {event}");
        let line = Line::new(event.as_bytes());
        if !event.contains(['"', '\\', '\n', '\t']) {
            assert_eq!(compiled.why_not(&line).is_none(), expected == "+", "{pattern} on {event}");
        }
    }
}

#[track_caller]
fn refused(pattern: &str, message: &str, span: std::ops::Range<usize>) {
    let error = Pattern::parse(pattern).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.span), (message, span), "{pattern}");
}

#[test]
fn terms_are_substrings_and_all_must_occur() {
    check("ERROR", &["+[ERROR 400] BAD REQUEST", "+a1ERRORCODE: -1", "-[Error] x", "-"]);
    check("\"INTERNAL SERVER ERROR\"", &["+[ERROR 500] INTERNAL SERVER ERROR", "-INTERNAL ERROR SERVER"]);
    check("ERROR\u{b}WARN", &["+ERROR WARN", "-ERROR"]);
}

#[test]
fn excluded_terms_must_not_occur() {
    check("ERROR -ARGUMENTS", &["+[ERROR 400] BAD REQUEST", "-[ERROR 419] MISSING ARGUMENTS", "-INFO"]);
    check("-ERROR", &["+all fine", "-[ERROR 400]", "+"]);
    check("\"ERROR\" - \"Exiting\"", &["-Exiting with ERRORCODE: -1", "+[ERROR] A fatal exception"]);
    check("a-b", &["+a", "-a-b", "-ab"]);
}

#[test]
fn optional_terms_count_only_among_themselves() {
    check("?ERROR ?ARGUMENTS", &["+[ERROR 400]", "+[INFO] INVALID ARGUMENTS PROVIDED", "-[INFO] 200 OK"]);
    check("?ERROR ?ARGUMENTS REQUEST", &["+[INFO] REQUEST FAILED", "-[ERROR 419] MISSING ARGUMENTS"]);
    check("?ERROR -x", &["+nothing", "-ERROR x"]);
}

#[test]
fn empty_patterns_match_everything() {
    check("", &["+anything", "+"]);
    check(" \n ", &["+anything"]);
    check("\" \"", &["+x", "+a b", "+"]);
    check("\" \" a", &["+a b", "-a"]);
    check("-\" \"", &["+ab", "-a b"]);
    check("[]", &["+", "+x"]);
}

#[test]
fn a_phrase_may_hold_what_json_escapes() {
    check("\"\\\"GET\"", &["+10.0.0.1 \"GET / HTTP/1.1\"", "-GET /"]);
    check("\"C:\\\\temp\"", &["+in C:\\temp\\x", "-in C:/temp"]);
    check("nERROR", &["-a\nERROR", "+nERROR", "+a\nnERROR"]);
    check("größe", &["+die größe", "-die grosse"]);
    check("\"\u{1b}[31m\"", &["+\u{1b}[31mred"]);
    check("ERR", &["+ERR\n"]);
}

#[test]
fn regular_expressions_are_found_anywhere() {
    check("%user-[0-9]+%", &["+the user-17 left", "-user-x"]);
    check("%^a$%", &["+a", "+a\n", "-ba", "-a\nb"]);
    check("%^starting|^stopping%", &["+stopping now", "-not stopping"]);
    check("%a.c%", &["+aéc", "-a\nc"]);
    check("%Task timed out%", &["+x Task timed out after", "-Task"]);
}

#[test]
fn conditions_are_true_of_nodes_that_exist() {
    check(
        "{ $.a != 1 }",
        &["+{\"a\":2}", "+{\"a\":\"01\"}", "-{\"a\":\"1\"}", "-{}", "-{\"a\":null}", "-{\"a\":[2]}"],
    );
    check(
        "{ $.a[*] != 2 }",
        &["+{\"a\":[]}", "+{\"a\":null}", "+{\"a\":1}", "-{}", "-{\"a\":[1,2]}", "+{\"a\":[1,[2]]}"],
    );
    check("{ $.* != 2 }", &["+{}", "-{\"a\":1,\"b\":2}", "+{\"a\":2,\"a\":1}"]);
    check("{ $.a IS NULL }", &["+{\"a\":null}", "+{\"a\":[1,null]}", "-{\"a\":[[null]]}", "-{}"]);
    check("{ $.a[*] is null }", &["+{\"a\":[null]}", "-{\"a\":[[null]]}"]);
    check(
        "{ $.a.b NOT EXISTS }",
        &["+{}", "+{\"a\":1}", "+{\"a\":[]}", "-{\"a\":{\"b\":null}}", "-not json", "-[1]"],
    );
    check("{ $.a = true }", &["+{\"a\":\"true\"}", "-{\"a\":true}"]);
    check("{ $.a[1].b = x }", &["+{\"a\":[0,{\"b\":\"x\"}]}", "-{\"a\":[{\"b\":\"x\"}]}"]);
    check("{ $.[','] = 1 }", &["+{\"x\":\"y\",\",\":1}", "-{\"x\":\"y\",\"z\":1}"]);
    check("{ $.['a.b'] = 1 }", &["+{\"a.b\":1}", "+{\"a\\u002eb\":1}", "-{\"a\":{\"b\":1}}"]);
}

/// Guarantees: a line that is passed by without a walk is none that a walk finds.
#[test]
fn members_are_found_beside_strings_with_escapes() {
    check(
        "{ $.ab = 1 }",
        &[
            r#"+{"b":"x\ny","ab":1}"#,
            r#"+{"b":"x\"y","a\u0062":1}"#,
            r#"+{"b":"\\u","ab":1}"#,
            r#"-{"b":"\"ab\":1"}"#,
            r#"-{"b":"\n","ab":2}"#,
        ],
    );
    check(r#"{ $.ab = "*y" }"#, &[r#"+{"ab":"x\ny"}"#, r#"-{"ab":"x\nz"}"#, r#"-{"ab":"z","b":"\n"}"#]);
    check("{ $.['a/b'] = 1 }", &[r#"+{"a\/b":1,"c":"\n"}"#, r#"+{"a/b":1,"c":"\n"}"#, r#"-{"c":"\n"}"#]);
}

#[test]
fn values_are_compared_by_their_kind() {
    check(
        "{ $.a = 1 }",
        &["+{\"a\":1}", "+{\"a\":1.0}", "+{\"a\":10e-1}", "+{\"a\":\"1\"}", "-{\"a\":\"1.0\"}"],
    );
    check("{ $.a = \"1\" }", &["+{\"a\":1}", "+{\"a\":\"1\"}", "-{\"a\":1.0}"]);
    check("{ $.a = * }", &["+{\"a\":\"\"}", "+{\"a\":0}", "-{\"a\":null}", "-{\"a\":true}", "-{\"a\":{}}"]);
    check("{ $.a > 1 }", &["+{\"a\":1.5}", "-{\"a\":\"5\"}", "-{\"a\":1e309}"]);
    check("{ $.a = \"\\\"q\\\\\" }", &["+{\"a\":\"\\\"q\\\\\"}", "-{\"a\":\"q\"}"]);
    check("{ $.a = %^b+$% }", &["+{\"a\":\"bb\"}", "-{\"a\":\"abb\"}"]);
    check("{ $.a = größe }", &["+{\"a\":\"größe\"}", "+{\"a\":\"gr\\u00f6\\u00dfe\"}"]);
}

#[test]
fn fields_are_counted_from_both_ends() {
    check("[a, b]", &["+x y", "+x y z", "-x"]);
    check("[w1=ERROR]", &["+ERROR", "-ERROR one"]);
    check("[..., code=4*, size]", &["+GET / 404 12", "-GET / 200 12", "-12"]);
    check("[a, ..., b=x]", &["+1 2 x", "+1 x", "-x", "-1 2 y"]);
    check("[a,]", &["+1 2", "-1"]);
    check("[(a=1 || a=2) && a!=\"2\", ...]", &["+1", "+2.0", "-2", "-3"]);
    check("[code!=200, msg]", &["+abc x", "-200.0 x", "+1e400 x"]);
}

#[test]
fn every_mistake_is_named_with_its_place() {
    refused("a:b", "invalid character ':' in a term without quotes", 1..2);
    refused("a\u{a0}b", "invalid character U+00A0 in a term without quotes", 1..3);
    refused("{ $.[''] = 1 }", "a name may not be empty", 4..7);
    refused("ERROR \"open", "nothing closes this quote", 6..7);
    refused("\"\"", "a phrase may not be empty", 0..2);
    refused("\"A\"B", "a phrase must be followed by a blank, '-', '?' or the end, found 'B'", 3..4);
    refused("a -", "no term follows this '-'", 2..3);
    refused("--a", "no term follows this '-'", 0..1);
    refused(&"a".repeat(1025), "the pattern has 1025 characters; at most 1024 are allowed", 0..1025);
    assert!(Pattern::parse(&"a".repeat(1024)).is_ok());
    refused(" { $.a = 1", "a pattern that starts with '{' must end with '}'", 1..2);
    refused("%", "a pattern that starts with '%' must end with '%'", 0..1);
    refused("%a(b%", "'(' is not supported in a regular expression", 2..3);
    refused("%a{3,2}%", "`{3,2}` is not a repetition", 2..7);
    refused("%a{5000}%", "the regular expression is too large: at most 4096 positions", 1..8);
    refused("%é%", "'é' is not supported in a regular expression", 1..3);
    refused("{ $.a == 1 }", "`==` is not an operator", 6..8);
    refused("{ $.a = 1 &&|| $.b = 1 }", "expected a selector like $.name, found `|`", 12..13);
    refused("{ $.a }", "expected an operator, found `}`", 6..7);
    refused("{ $.é[x] = 1 }", "expected an index, * or a name in single quotes, found `x`", 7..8);
    refused(&format!("{{ {}$.a = 1 }}", "(".repeat(65)), "parentheses nest deeper than 64 levels", 66..67);
    refused("[a, b = 1 && c = 2]", "a condition on `b` may not ask for `c`", 13..14);
}

#[test]
fn surely_unintended_patterns_are_warned_about() {
    let warnings = |text: &str| {
        let found = Pattern::parse(text).unwrap().warnings(text);
        found.into_iter().map(|warning| warning.message).collect::<Vec<_>>()
    };
    assert_eq!(warnings("ERROR abc-123"), ["`abc-123` is two terms: `abc`, and one that excludes `123`"]);
    assert_eq!(warnings("?a b"), ["the ?optional terms are ignored because the pattern has other terms"]);
    assert_eq!(
        warnings("[ERROR]"),
        ["`[ERROR]` matches every line: it is a row of fields, and names no condition"]
    );
    assert_eq!(
        warnings("{ $.a = true }"),
        ["`= true` compares with the text \"true\", never with the boolean"]
    );
    assert!(warnings(r#""\"path\":\"/health-check\"""#).is_empty() && warnings(r#""a\\" "b-c""#).is_empty());
    assert_eq!(warnings(r#""a\"b-c" d-e"#).len(), 1);
    assert!(warnings("ERROR \"abc-123\" -x ").is_empty() && warnings("?a ?b").is_empty());
    assert!(warnings("[a, b]").is_empty() && warnings("{ $.a = \"true\" }").is_empty());
    let differs = Pattern::parse("{ $.a != x && ($.b NOT EXISTS || $.b != y) }").unwrap();
    let told: Vec<_> =
        differs.differs_only_where_present().into_iter().map(|warning| warning.message).collect();
    assert_eq!(told, ["`$.a != x` is false for records without $.a"]);
    for fine in ["{ $.a = * && $.a != 3 }", "{ $.kubernetes.pod_name != x }", "{ $.a[*] != 1 }"] {
        assert!(Pattern::parse(fine).unwrap().differs_only_where_present().is_empty(), "{fine}");
    }
}

#[test]
fn what_decides_is_told() {
    let why = |pattern: &str, event: &str| {
        let mut written = Vec::new();
        push_string(&mut written, event.as_bytes());
        Pattern::parse(pattern)
            .unwrap()
            .why_not(&Line::new(&written[1..written.len() - 1]))
            .unwrap_or_default()
    };
    assert_eq!(why("a b", "a"), "\"b\" does not occur");
    assert_eq!(why("a -b", "ab"), "\"b\" occurs");
    assert_eq!(why("?a ?b", "x"), "none of the optional terms occurs");
    assert_eq!(why("%a+%", "x"), "%a+% is not found");
    assert_eq!(why("{ $.a = 1 }", "x"), "the line is not one JSON object");
    assert_eq!(
        why("{ $.a = 1 || $.b > 2 }", "{\"b\":\"x\"}"),
        "$.a = 1: $.a is not there; $.b > 2: $.b is \"x\""
    );
    assert_eq!(why("{ $.a[*] = 1 }", "{\"a\":[2,3]}"), "$.a[*] = 1: $.a[*] are 2, 3");
    assert_eq!(why("[a, b=404, c]", "x 200 y"), "b = 404: b is \"200\"");
    assert_eq!(why("[a, ..., b=404]", "x 200 y"), "b = 404: b is \"y\"");
    assert_eq!(why("[a, b, c]", "x y"), "the line has 2 fields, the pattern needs 3");
    assert_eq!(why("a", "a"), "");
}

fn pattern_text() -> impl Strategy<Value = String> {
    let values = r#"("[a*\\é]{0,4}"|-?[0-9]{1,3}(\.[0-9])?|[a-z*]{1,3}|%a[b-d]?%)"#;
    let made = |text: String| proptest::string::string_regex(&text).unwrap();
    let json = r"\{ ?\(?\$\.[ab](\[[0-9*]\])? ?(=|!=|<|>=) ?VALUE( (&&|\|\|) \(*\$\.\* IS NULL\)*)*\)? ?\}";
    let fields = r"\[(a|\.\.\.| |b ?= ?VALUE|\(?c (!=|>) VALUE && c = 1\)?)(,[d-f]?){0,3}\]";
    prop_oneof![
        "[-?a1 _.\"\\\\é:]{0,16}",
        made(json.replace("VALUE", values)),
        made(fields.replace("VALUE", values)),
        "%[a-c^$.*+?|{}0-9\\[\\]\\\\ds-]{1,10}%",
        "\\PC{0,40}",
        "[{\\[%][^a]{0,30}[%}\\]]",
    ]
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(text in pattern_text()) {
        if let Ok(pattern) = Pattern::parse(&text) {
            let printed = pattern.to_string();
            prop_assert_eq!(Pattern::parse(&printed).map_err(|error| error.to_string()), Ok(pattern), "{}", printed);
        }
    }

    #[test]
    fn any_text_is_read_and_any_event_is_asked_without_a_panic(text in pattern_text(), event in "\\PC{0,40}|[ab\"{}:\\[\\],0-9\\\\]{0,40}") {
        match Pattern::parse(&text) {
            Ok(pattern) => {
                let _ = pattern.warnings(&text);
                let _ = matches(&pattern, &event);
                // Whatever a host may send between quotes.
                let line = Line::new(event.as_bytes());
                let found = pattern.matches(&Searched::alone(&line));
                prop_assert_eq!(pattern.why_not(&line).is_none(), found);
            }
            Err(error) => {
                prop_assert!(text.get(error.span.clone()).is_some(), "{:?}", error);
                prop_assert!(!error.to_string().is_empty() && !error.help().is_empty());
            }
        }
    }

    /// Hosts write a line in different ways; what it says is the same.
    #[test]
    fn spelling_does_not_matter(
        text in pattern_text(),
        event in "[ab\"{}:\\[\\], 0-9\\\\é\n]{0,40}|\\{ ?\"[ab]\" ?: ?(\"[abé/\\\\n]{0,3}\"|[0-9]{1,2}|null|\\[1,2\\]) ?(,\"a\":\"b\"|,\n\"b\":12)?\\}",
    ) {
        let Ok(pattern) = Pattern::parse(&text) else { return Ok(()) };
        let spell = |must_escape: &dyn Fn(char) -> bool| {
            let units = |character: char| {
                let units = character.encode_utf16(&mut [0; 2]).to_vec();
                units.into_iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>()
            };
            let plain = |character: char| {
                let mut written = Vec::new();
                push_string(&mut written, character.to_string().as_bytes());
                String::from_utf8(written[1..written.len() - 1].to_vec()).unwrap()
            };
            event.chars().map(|character| if must_escape(character) { units(character) } else { plain(character) })
                .collect::<String>()
        };
        let found = |written: String| pattern.matches(&Searched::alone(&Line::exactly(written.as_bytes())));
        let expected = found(spell(&|_| false));
        prop_assert_eq!(found(spell(&|character| !character.is_ascii())), expected, "as \\u beyond ASCII");
        prop_assert_eq!(found(spell(&|_| true)), expected, "all as \\u");
        prop_assert_eq!(found(spell(&|character| character == 'a')), expected, "one letter as \\u");
    }
}
