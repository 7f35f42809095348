//! Selectors, the pods that they select, and every mistake word for word.
//!
//! The expected answers are those of the Go code: its `selector_test.go`, and the cases of our own were run on it.

use super::*;
use proptest::prelude::*;

/// Checks a selector against sets of labels (`x=a y=`); `+` before a set that must match, `-` before one that must not.
#[track_caller]
fn check(selector: &str, pods: &[&str]) {
    let parsed = Selector::parse(selector).unwrap();
    for pod in pods {
        let (expected, pod) = pod.split_at(1);
        let labels: Vec<_> = pod.split(' ').filter_map(|label| label.split_once('=')).collect();
        assert_eq!(parsed.matches(|key| last(&labels, key)), expected == "+", "{selector:?} on {pod:?}");
    }
}

/// Checks what a selector prints.
#[track_caller]
fn prints(selector: &str, normal: &str) {
    let parsed = Selector::parse(selector).unwrap();
    assert_eq!(parsed.to_string(), normal, "{selector:?}");
    assert_eq!(Selector::parse(normal).unwrap(), parsed, "{selector:?}");
}

#[track_caller]
fn refused(selector: &str, message: &str, span: std::ops::Range<usize>) {
    let error = Selector::parse(selector).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.span), (message, span), "{selector:?}");
}

#[track_caller]
fn helps(selector: &str, help: &str) {
    assert_eq!(Selector::parse(selector).unwrap_err().help(), help, "{selector:?}");
}

fn last<'a>(labels: &[(&'a str, &'a str)], key: &str) -> Option<&'a str> {
    labels.iter().rev().find(|(name, _)| *name == key).map(|(_, value)| *value)
}

#[test]
fn selects_what_apimachinery_tests() {
    check("", &["+x=y", "+"]);
    check("x=y", &["+x=y", "-x=z", "-"]);
    check("x=z", &["-"]);
    check("x=y,z=w", &["+x=y z=w", "-x=w z=w"]);
    check("x!=y,z!=w", &["+x=z z=a", "-x=z z=w"]);
    check("notin=in", &["+notin=in"]);
    check("x", &["+x=z", "-y=z"]);
    check("!x", &["+y=z", "-x=z"]);
    check("x>1", &["+x=2", "-x=0"]);
    check("x<1", &["+x=0", "-x=2"]);
    check("foo=bar,baz=blah", &["+foo=bar baz=blah"]);
    check("foo=blah", &["-foo=bar baz=blah"]);
    check("foo=bar,foobar=bar,baz=blah", &["-foo=bar baz=blah"]);
    check("x in (foo),y notin (alpha)", &["+x=foo y=baz"]);
    check("x in (foo),y in (alpha)", &["-x=foo y=baz"]);
    check("x notin (),y", &["+y="]);
    check("x notin (),!y", &["-y="]);
    check("x in ()", &["-y=baz"]);
    check("z>1", &["+z=2", "-z=v2"]);
}

#[test]
fn a_missing_label_is_not_an_empty_one() {
    check("x", &["+x=", "-"]);
    check("!x", &["-x=", "+"]);
    check("x=", &["+x=", "-", "-x=a"]);
    check("x==", &["+x=", "-"]);
    check("x!=", &["-x=", "+", "+x=a"]);
    check("x in ()", &["+x=", "-", "-x=a"]);
    check("x notin (,a)", &["-x=", "+", "-x=a", "+x=b"]);
    check("x!=a", &["+", "+x=b", "-x=a", "+x=A"]);
    check("x>0", &["-x=", "-"]);
    check("x=a,x=b", &["-x=a", "-x=b"]);
    check("x=b", &["+x=a x=b", "-x=b x=a"]);
}

#[test]
fn integers_are_those_of_strconv_parse_int() {
    check(
        "x>0",
        &["+x=1", "-x=0", "+x=+1", "-x=-1", "+x=007", "-x=1_0", "-x=0x1", "-x=1.5", "-x=v2", "-x=+", "-x=-"],
    );
    check(
        "x<1",
        &["+x=-1", "+x=-9223372036854775808", "-x=-9223372036854775809", "+x=-0", "-x=+-1", "-x=\u{661}"],
    );
    check("x>00000000000000000000000000000001", &["+x=2", "-x=1"]);
    check("x>9223372036854775806", &["+x=9223372036854775807", "-x=9223372036854775808"]);
    check("x<9223372036854775807", &["+x=9223372036854775806", "-x=9223372036854775807"]);
    check(&format!("x>{}", "0".repeat(63)), &["+x=1"]);
}

#[test]
fn reads_what_apimachinery_reads_and_prints_it_so() {
    for normal in
        ["x=a,y=b,z=c", "", "x!=a,y=b", "x=", "!x", "x>1", "x>1,z<5", "x in (abc,def),y notin (jkl),z"]
    {
        prints(normal, normal);
    }
    prints("x= ,z= ", "x=,z=");
    prints("\rx", "x");
    prints("x,a=x", "x,a=x");
    prints("this-is-another-dns.domain.com/key-with-dash", "this-is-another-dns.domain.com/key-with-dash");
    prints("0.1.2.domain/99 notin (tick.tack, 10.10.100.1)", "0.1.2.domain/99 notin (10.10.100.1,tick.tack)");
    prints("foo  in\t (abc)", "foo in (abc)");
    prints("x notin\n (abc)", "x notin (abc)");
    prints("x  notin\t\t\t(abc,def)", "x notin (abc,def)");
    prints("x in (abc,)", "x in (,abc)");
    prints("x in (abc,abc)", "x in (abc)");
    prints("x in (,)", "x in ()");
    prints("x in (a,,a,,a,,a,,)", "x in (,a)");
    prints("x notin (abc,,def),bar,z in (),w", "x notin (,abc,def),bar,z in (),w");
    prints("x notin ( )", "x notin ()");
    prints("x notin (, a)", "x notin (,a)");
    prints("a in (x,y,notin, z,in)", "a in (in,notin,x,y,z)");
    prints("x=abc,y==jkl,z!=a,z", "x=abc,y==jkl,z!=a,z");
}

#[test]
fn operators_are_keys_and_values_where_those_stand() {
    prints("notin = in", "notin=in");
    prints("in in(in)", "in in (in)");
    prints("notin notin (notin),in", "notin notin (notin),in");
    prints("!in,! notin", "!in,!notin");
    prints("x>01,x<\t9", "x>01,x<9");
    prints("\r\n\t x\r=\na \t", "x=a");
    assert!(Selector::parse(" \t\r\n").unwrap().is_empty() && !Selector::parse("!x").unwrap().is_empty());
}

#[test]
fn a_nul_is_the_end_or_nothing_as_in_go() {
    prints("\0x", "");
    prints("x=a \0junk", "x=a");
    prints("x\0=\0a\0", "x=a");
    prints("!\0x,\0y", "!x,y");
    prints("x=a,\0y\0\0z,", "x=a,y");
    refused("x=a,\0\0y", "found the end after ','; expected a key or '!'", 5..5);
}

#[test]
fn misplaced_tokens_are_named_with_their_place() {
    refused(",x,y", "found ',' at the start; expected a key or '!'", 0..1);
    refused("(", "found '(' at the start; expected a key or '!'", 0..1);
    refused("x=a,", "found the end after ','; expected a key or '!'", 4..4);
    refused("a in (xyz), ", "found the end after ','; expected a key or '!'", 12..12);
    refused("x,,y", "found ',' after ','; expected a key or '!'", 2..3);
    refused("x=a,,y", "found ',' after ','; expected a key or '!'", 4..5);
    refused("!!x", "found '!' after '!'; expected a key", 1..2);
    refused("!", "found the end after '!'; expected a key", 1..1);
    refused("!x=a", "found '=' after '!' and a key; expected ',' or the end", 2..3);
    refused("x exists", "found 'exists' after the key; expected an operator, ',' or the end", 2..8);
    refused("x IN (a)", "found 'IN' after the key; expected an operator, ',' or the end", 2..4);
    refused("x nott in (y)", "found 'nott' after the key; expected an operator, ',' or the end", 2..6);
    refused("a (", "found '(' after the key; expected an operator, ',' or the end", 2..3);
    refused("x! =a", "found '!' after the key; expected an operator, ',' or the end", 1..2);
    refused("x===a", "found '=' after the operator; expected a value, ',' or the end", 3..4);
    refused("x=(a)", "found '(' after the operator; expected a value, ',' or the end", 2..3);
    refused("x>=1", "found '=' after '>' or '<'; expected an integer", 2..3);
    refused("x>", "found the end after '>' or '<'; expected an integer", 2..2);
    refused("x>,y", "found ',' after '>' or '<'; expected an integer", 2..3);
    refused("x in a", "found 'a' after 'in' or 'notin'; expected '('", 5..6);
    refused("a notin(", "found the end in the set; expected a value, ',' or ')'", 8..8);
    refused("x in (a,(b))", "found '(' in the set; expected a value, ',' or ')'", 8..9);
    refused("x in (a", "found the end after a value of the set; expected ',' or ')'", 7..7);
    refused("a in (xyz abc)", "found 'abc' after a value of the set; expected ',' or ')'", 10..13);
    refused("x==a==b", "found '==' after the requirement; expected ',' or the end", 4..6);
    refused("a in (xyz)b notin ()", "found 'b' after the requirement; expected ',' or the end", 10..11);
}

#[test]
fn invalid_keys_and_values_are_named_with_their_place() {
    refused("x=a||y=b", "invalid character '|' in the value", 3..4);
    refused("x=*", "invalid character '*' in the value", 2..3);
    refused("x=\"a\"", "invalid character '\"' in the value", 2..3);
    refused("x=a/b", "invalid character '/' in the value", 3..4);
    refused("x=é", "invalid character 'é' in the value", 2..4);
    refused("x\u{a0}=a", "invalid character U+00A0 in the key's name", 1..3);
    refused("x\u{b}", "invalid character U+000B in the key's name", 1..2);
    refused("~", "invalid character '~' in the key's name", 0..1);
    refused("Example.com/x", "invalid character 'E' in the key's prefix", 0..1);
    refused("a_b/x", "invalid character '_' in the key's prefix", 1..2);
    refused("_x", "the key's name may not start or end with '_'", 0..1);
    refused("a/x.", "the key's name may not start or end with '.'", 3..4);
    refused("x in ( a, -b)", "the value may not start or end with '-'", 10..11);
    for (key, found, at) in [("a..b/x", '.', 2), (".a/x", '.', 0), ("a./x", '.', 1), ("a.-b/x", '-', 2)] {
        refused(key, &format!("no part of the key's prefix may start or end with '{found}'"), at..at + 1);
    }
    for (key, at) in [("a-.b/x", 1), ("-a/x", 0), ("a-/x", 1), ("-/x", 0)] {
        refused(key, "no part of the key's prefix may start or end with '-'", at..at + 1);
    }
    refused("/x", "nothing stands before the '/' of the key", 0..1);
    refused("!x/", "nothing stands behind the '/' of the key", 2..3);
    refused("a/b/c", "found a second '/' in the key", 3..4);
    for (selector, end) in [("x>-1", 4), ("x>+1", 4), ("x<1.5", 5), ("x>1_0", 5), ("x<a", 3)] {
        let message = format!("'{}' is not an integer from 0 to 9223372036854775807", &selector[2..]);
        refused(selector, &message, 2..end);
    }
    refused(
        "x>9223372036854775808",
        "'9223372036854775808' is not an integer from 0 to 9223372036854775807",
        2..21,
    );
}

#[test]
fn lengths_are_limited() {
    let names = |length: usize| "n".repeat(length);
    prints(&names(63), &names(63));
    prints(&format!("{}/x={}", names(253), names(63)), &format!("{}/x={}", names(253), names(63)));
    refused(&names(64), "the key's name has 64 bytes; at most 63 are allowed", 0..64);
    refused(&format!("a/{}", names(64)), "the key's name has 64 bytes; at most 63 are allowed", 2..66);
    refused(&format!("x={}", names(64)), "the value has 64 bytes; at most 63 are allowed", 2..66);
    refused(&format!("x>{}", "0".repeat(64)), "the value has 64 bytes; at most 63 are allowed", 2..66);
    refused(&format!("{}/x", names(254)), "the key's prefix has 254 bytes; at most 253 are allowed", 0..254);
    assert!(Selector::parse(&" ".repeat(4096)).unwrap().is_empty());
    assert!(Selector::parse(&format!("x in ({})", ",".repeat(4089))).is_ok());
    refused(&" ".repeat(4097), "the selector has 4097 bytes; at most 4096 are allowed", 0..4097);
}

#[test]
fn help_says_what_to_write() {
    helps("x=a,", "remove the ',' or write a requirement behind it");
    helps("=a", "start with the key of a label, as in app=web");
    helps("!!x", "!key means that the pod has no such label");
    helps("!x=a", "!key stands alone; to compare, write key!=value");
    helps("x exists", "key alone means that the label exists");
    helps("x IN (a)", "write in with small letters");
    helps("x NotIn (a)", "write notin with small letters");
    helps("x like a", "use one of = == != in notin > <, or put ',' between two requirements");
    helps("x=(a,b)", "for several values write key in (a,b)");
    helps("x=>a", "write one value, or none for the empty one");
    helps("x>=1", "there is no >= and no <=; compare with the next integer");
    helps("x>", "write an integer behind it");
    helps("x in a", "put the values into parentheses: key in (a,b)");
    helps("x in (a b)", "put ',' between the values and ')' behind the last");
    helps("x=a y=b", "put ',' between requirements; all of them must hold");
    helps(
        "x=a||y=b",
        "all requirements must hold, with ',' between them; for either value write key in (a,b)",
    );
    helps("x='a'", "leave the quotes out");
    helps("x=a*", "there are no wildcards; key alone takes any value");
    helps("A.b/x", "use lower case letters, digits, '-' and '.'");
    helps("x=a:b", "use letters, digits, '-', '_' and '.'");
    helps("-x", "put a letter or a digit at both ends");
    helps("a..b/x", "put a lower case letter or a digit at both ends and around every '.'");
    helps("x<1.5", "write digits only; text is compared by =, !=, in and notin");
    helps("/x", "leave the '/' out, or write a domain before it");
    helps("x/", "write a name behind the '/'");
    helps("a/b/c", "a key is a name, or a prefix, '/' and a name: example.com/app");
    helps(&"n".repeat(64), "Kubernetes allows no such label, so no pod has it");
    helps(&" ".repeat(5000), "split it into several rules");
}

#[test]
fn the_first_requirement_that_fails_is_the_authors_first() {
    let selector = Selector::parse("z=1,b notin (c,a),a").unwrap();
    let failed = |labels: &[(&'static str, &'static str)]| {
        selector
            .first_failed(|key| last(labels, key))
            .map(|failed| (failed.key().to_owned(), failed.to_string()))
    };
    assert_eq!(failed(&[]), Some(("z".into(), "z=1".into())));
    assert_eq!(failed(&[("z", "1"), ("b", "a")]), Some(("b".into(), "b notin (a,c)".into())));
    assert_eq!(failed(&[("z", "1")]), Some(("a".into(), "a".into())));
    assert_eq!(failed(&[("z", "1"), ("a", "")]), None);
}

/// The language once more, slow and without tokens: split at commas, look for the shape of each piece, compare.
/// `None` for what is no selector.
fn reference(text: &str, labels: &[(&str, &str)]) -> Option<bool> {
    if text.trim_matches(BLANK).is_empty() {
        return Some(true);
    }
    let mut pieces = vec![String::new()];
    let mut is_open = false;
    for character in text.chars() {
        is_open = (is_open || character == '(') && character != ')';
        match character {
            ',' if !is_open => pieces.push(String::new()),
            _ => pieces.last_mut()?.push(character),
        }
    }
    let answers: Option<Vec<bool>> =
        pieces.iter().map(|piece| reference_requirement(piece.trim_matches(BLANK), labels)).collect();
    answers.map(|answers| !answers.contains(&false))
}

fn reference_requirement(piece: &str, labels: &[(&str, &str)]) -> Option<bool> {
    if let Some(key) = piece.strip_prefix('!') {
        return reference_key(key).map(|key| last(labels, key).is_none());
    }
    if let Some(key) = reference_key(piece) {
        return Some(last(labels, key).is_some());
    }
    if let Some((head, values)) = piece.strip_suffix(')').and_then(|open| open.split_once('(')) {
        let (key, operator) = head.trim_matches(BLANK).rsplit_once(BLANK)?;
        let (key, values) = (reference_key(key)?, values.split(',').map(|value| value.trim_matches(BLANK)));
        let values: Vec<&str> =
            values.map(|value| is_value(value).then_some(value)).collect::<Option<_>>()?;
        let is_in = last(labels, key).is_some_and(|label| values.contains(&label));
        return [("in", is_in), ("notin", !is_in)]
            .into_iter()
            .find(|(name, _)| *name == operator)
            .map(|(_, is)| is);
    }
    let (key, rest) = piece.split_at(piece.find(['=', '!', '<', '>'])?);
    let (key, symbol) =
        (reference_key(key)?, ["==", "!=", "=", ">", "<"].iter().find(|it| rest.starts_with(**it))?);
    let value = rest[symbol.len()..].trim_matches(BLANK);
    let label = last(labels, key);
    let order = label.and_then(decimal).zip(decimal(value)).map(|(label, value)| label.cmp(&value));
    match *symbol {
        _ if !is_value(value) => None,
        "!=" => Some(label != Some(value)),
        "=" | "==" => Some(label == Some(value)),
        _ if decimal(value).is_none() => None,
        ">" => Some(order == Some(std::cmp::Ordering::Greater)),
        _ => Some(order == Some(std::cmp::Ordering::Less)),
    }
}

fn reference_key(text: &str) -> Option<&str> {
    let key = text.trim_matches(BLANK);
    let parts: Vec<&str> = key.split('/').collect();
    let is_label = |label: &str| is_value(label) && !label.is_empty() && !label.contains(['_', '.']);
    let is_prefix = |prefix: &str| prefix.to_lowercase() == *prefix && prefix.split('.').all(is_label);
    match parts[..] {
        [name] => is_value(name) && !name.is_empty(),
        [prefix, name] => is_prefix(prefix) && is_value(name) && !name.is_empty(),
        _ => false,
    }
    .then_some(key)
}

/// Only for short texts: the laws below generate no long ones.
fn is_value(text: &str) -> bool {
    let inner = text.trim_matches(|end: char| !end.is_ascii_alphanumeric());
    inner == text && !text.contains(|found: char| !found.is_ascii_alphanumeric() && !"-_.".contains(found))
}

fn decimal(text: &str) -> Option<i128> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_decimal = !digits.is_empty() && digits.chars().all(|digit| digit.is_ascii_digit());
    let size =
        digits.chars().fold(0, |sum: i128, digit| (sum * 10 + digit as i128 - '0' as i128).min(1 << 100));
    let number = if text.starts_with('-') { -size } else { size };
    (is_decimal && (-(1 << 63)..1 << 63).contains(&number)).then_some(number)
}

const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];

/// Selectors, most of them valid.
const SELECTORS: &str = "(!? ?(x|y|in|a\\.b/x),|(x|y|notin|a/x)[ \t]?(=|==|!=|>|<) ?(a|b|in|1|07|-1|)\n?,|\
    (x|y|in) (in|notin) ?\\(( ?(a|b|notin|1|),){0,3}(a|)\\),){0,3}(x|!y|y>0|x in \\(a,b\\)|)";

/// What the lexer can meet, in any order.
const SOUP: &str = "(x|y|in|notin|a/x|/|-|\\.|é|\"|=|==|!=|!|,|\\(|\\)|>|<|1|07|a| |\t|\u{a0}){0,9}";

/// The values of the labels `x`, `y`, `in` and `a.b/x`, where `~` is a missing label.
const PODS: &str = "((~|a|b|1|0|7|) ){2}(~|a|2|07|-1|\\+5|9223372036854775808) (~|in|notin|1)";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_reference_agrees(selector in prop_oneof![SELECTORS, SOUP], pod in PODS) {
        let selector = selector.strip_suffix(',').unwrap_or(&selector);
        let labels = ["x", "y", "a.b/x", "in"].into_iter().zip(pod.split(' '));
        let labels: Vec<_> = labels.filter(|(_, value)| *value != "~").collect();
        let answer = Selector::parse(selector).ok().map(|selector| selector.matches(|key| last(&labels, key)));
        prop_assert_eq!(answer, reference(selector, &labels));
    }

    #[test]
    fn what_is_printed_reads_back(text in prop_oneof![SELECTORS, SOUP]) {
        if let Ok(selector) = Selector::parse(&text) {
            prop_assert_eq!(Selector::parse(&selector.to_string()).unwrap(), selector);
        }
    }

    #[test]
    fn no_text_panics_and_errors_lie_within(text in prop_oneof![".{0,40}", SOUP, "[\0 x=,!é]{0,12}"]) {
        if let Err(error) = Selector::parse(&text) {
            prop_assert!(text.get(error.span.clone()).is_some() && !error.help().is_empty());
        }
    }
}
