//! Compared with a library on what both understand.

use super::*;
use proptest::prelude::*;

#[track_caller]
fn found(body: &str, text: &str) -> bool {
    Regex::new(body, 0).unwrap_or_else(|error| panic!("{body}: {error}")).matches_text(text.as_bytes())
}

/// The same expression in the library's syntax.
fn library(body: &str) -> regex::Regex {
    let mut out = String::new();
    let mut characters = body.chars().peekable();
    let mut class = None::<usize>;
    while let Some(next) = characters.next() {
        match (next, class) {
            ('\\', _) => {
                let escaped = characters.next().unwrap();
                match escaped {
                    'd' => out.push_str("[0-9]"),
                    'D' => out.push_str("[^0-9]"),
                    's' => out.push_str("[ \\t-\\r]"),
                    'S' => out.push_str("[^ \\t-\\r]"),
                    'w' => out.push_str("[0-9A-Za-z_]"),
                    'W' => out.push_str("[^0-9A-Za-z_]"),
                    'x' => {
                        let hex: String = characters.by_ref().take(2).collect();
                        out.push_str(&format!("\\x{hex}"));
                    }
                    symbol => out.push_str(&regex::escape(&symbol.to_string())),
                }
            }
            ('[', None) => {
                out.push('[');
                if characters.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                class = Some(0);
            }
            (']', Some(members)) if members > 0 => {
                out.push(']');
                class = None;
            }
            ('-', Some(members)) if members > 0 && characters.peek() != Some(&']') => {
                out.push('-');
                class = Some(0);
            }
            (member, Some(members)) => {
                out.push_str(&format!("\\x{:02x}", member as u32));
                class = Some(members + 1);
            }
            ('{', None) if characters.peek() == Some(&',') => out.push_str("{0"),
            ('}', None)
                if !out.rsplit('{').next().is_some_and(|times| {
                    out.contains('{') && times.chars().all(|c| c.is_ascii_digit() || c == ',')
                }) =>
            {
                out.push_str("\\}");
            }
            (']', None) => out.push_str("\\]"),
            (other, None) => out.push(other),
        }
    }
    regex::Regex::new(&out).unwrap_or_else(|error| panic!("{body} as {out}: {error}"))
}

fn body() -> impl Strategy<Value = String> {
    let atom = "(a|b|é|c|\\.|\\\\d|\\\\S|\\\\W|\\\\x61|\\\\\\.|\\[ab\\]|\\[\\^a\\]|\\[a-c1\\]|\\[\\]a\\]|\\[\\[b-\\]|\\[\\\\d_\\]| |-|\\^|\\$)";
    let times = "(\\*|\\+|\\?|\\{2\\}|\\{1,\\}|\\{,2\\}|\\{1,3\\}|\\*\\?|\\{0\\})?";
    let branches = format!("({atom}{times}){{0,5}}(\\|({atom}{times}){{0,4}}){{0,2}}");
    proptest::string::string_regex(&branches).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]
    #[test]
    fn agrees_with_a_regex_library(body in body(), text in "[abc1é.\n _^-]{0,12}") {
        if let Ok(regex) = Regex::new(&body, 0) {
            prop_assert_eq!(regex.matches_text(text.as_bytes()), library(&body).is_match(&text), "{} on {:?}", body, text);
        }
    }

    #[test]
    fn long_expressions_agree_with_a_regex_library(body in "([ab]\\{[0-9]{1,2}\\}|[ab]\\{[0-9]{1,2},\\}|c\\?|c\\*|\\[ab\\]\\{,[0-9]{2}\\}|\\|){1,9}", text in "[abc]{0,200}") {
        if let Ok(regex) = Regex::new(&body, 0) {
            prop_assert_eq!(regex.matches_text(text.as_bytes()), library(&body).is_match(&text), "{} on {}", body, text);
        }
    }
}

#[test]
fn a_class_takes_operators_as_they_are() {
    assert!(found("[[]x", "[x") && found("[]]", "]") && found("[a.]", ".") && !found("[a.]", "b"));
    assert!(found("[a-]", "-") && found("[-a]", "-") && found("[a^]", "^") && found("[^^]", "a"));
    assert!(found(r"[\]]", "]") && found(r"[\d-]", "-") && found(r"[\x41-\x43]", "B"));
}

#[test]
fn the_ends_of_the_text_bind_what_stands_there() {
    assert!(!found("a$b", "ab") && !found("a^b", "ab") && found("a*^b", "b") && !found("a*^b", "ab"));
    assert!(found("^$", "") && !found("^$", "x") && found("$^", "") && found("a$|b", "xb"));
    assert!(found("^*b", "ab") && !found("^+b", "ab") && found("a$?b", "ab") && found("^{2}a", "a"));
    assert!(found("x|", "") && found("^", "x") && found("$", "x") && found("a?", "zzz"));
}

#[test]
fn many_positions_take_many_words() {
    assert!(found(r"\w{1000}", &"x".repeat(1000)) && !found(r"\w{1000}", &"x".repeat(999)));
    assert!(found("^a{0,200}b$", &format!("{}b", "a".repeat(200))));
    assert!(!found("^a{0,200}b$", &format!("{}b", "a".repeat(201))));
    assert!(found("^a{64}$", &"a".repeat(64)) && !found("^a{64}$", &"a".repeat(65)));
}
