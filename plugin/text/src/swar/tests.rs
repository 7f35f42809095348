use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn digits_at_the_start_of_a_word_are_counted(word in prop::array::uniform8(prop_oneof![4 => b'0'..=b'9', 1 => any::<u8>()])) {
        let expected = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
        prop_assert_eq!(leading_digits(word), expected);
    }

    #[test]
    fn finds_what_a_byte_loop_finds(text in prop::collection::vec(any::<u8>(), 0..80), from in 0usize..90) {
        let slow = |wanted: &dyn Fn(u8) -> bool| (from..text.len()).find(|&at| wanted(text[at]));
        for byte in [0u8, 1, b'"', b'\\', 0x7f, 0x80, 0xff] {
            prop_assert_eq!(find_byte(&text, from, byte), slow(&|b| b == byte));
        }
        prop_assert_eq!(find_either(&text, from, b'"', 0x80), slow(&|b| b == b'"' || b == 0x80));
    }

    #[test]
    fn quotes_nearby_are_those_that_a_byte_loop_finds(text in "[a\"\\\\!#\\[\\]]{0,24}|[a-z]{0,14}[\"\\\\]{0,3}[a-z]{0,9}", digits in "[/-:0-9]{8}|[ -~]{8}") {
        let text = text.as_bytes();
        let special = text.iter().position(|byte| matches!(byte, b'"' | b'\\')).filter(|at| *at < 16 && text.len() >= 16);
        prop_assert_eq!(near_quote(text), special.filter(|at| text[*at] == b'"'));
        let is_escaped = |at: &usize| text[*at] == b'\\' && text.get(at + 1) == Some(&b'"');
        prop_assert_eq!(near_escaped_quote(text), special.filter(is_escaped));
        prop_assert_eq!(are_digits(*digits.as_bytes().first_chunk().unwrap()), digits.bytes().all(|byte| byte.is_ascii_digit()));
    }

    #[test]
    fn three_bytes_are_found_where_a_byte_loop_finds_them(text in "[{\\\\x]{0,60}|[x{]{0,30}[{\\\\]{0,4}x{0,12}") {
        let text = text.as_bytes();
        prop_assert_eq!(has_three(text, [b'{', b'\\', b'\\']), text.windows(3).any(|three| three == br"{\\"));
    }

    #[test]
    fn runs_are_counted_as_a_byte_loop_does(before in "[ab]{0,30}", run in 0usize..40, behind in "[ab]{0,30}") {
        let text = format!("{before}{}{behind}", "a".repeat(run)).into_bytes();
        prop_assert_eq!(trailing(&text, b'a'), text.iter().rev().take_while(|byte| **byte == b'a').count());
        prop_assert_eq!(leading(&text, b'a'), text.iter().take_while(|byte| **byte == b'a').count());
    }

    #[test]
    fn equal_texts_are_those_that_a_comparison_finds_equal(
        text in prop::collection::vec(any::<u8>(), 0..120), change in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut other = text.clone();
        if let Some(change) = change && !text.is_empty() {
            other[change.index(text.len())] ^= 1;
        }
        prop_assert_eq!(equal(&text, &other), text == other);
        prop_assert!(!equal(&text, &[&text[..], b"x"].concat()));
    }

    #[test]
    fn a_text_is_closed_as_a_byte_loop_says(
        text in prop::collection::vec(prop_oneof![
            8 => b' '..0x7f, 2 => Just(b'"'), 2 => Just(b'\\'), 1 => any::<u8>()], 0..60),
        quoted in any::<bool>(), from in 0usize..20,
    ) {
        // Most random texts are not closed: some are made so.
        let text: Vec<u8> = if quoted {
            text.iter().filter(|b| **b != b'\\' && b.is_ascii())
                .flat_map(|b| if *b == b'"' { vec![b'\\', b'"'] } else { vec![*b] }).collect()
        } else { text };
        let slow = |text: &[u8]| {
            let mut at = 0;
            let mut has = false;
            while at < text.len() {
                match (text[at], text.get(at + 1)) {
                    (b'\\', Some(b'"')) => { has = true; at += 2; }
                    (b'\\' | b'"' | 0x80.., _) => return None,
                    _ => at += 1,
                }
            }
            Some(has)
        };
        let text = [b"\"".as_slice(), &text].concat();
        let (from, length) = (from + 1, text.len());
        if text.get(from - 1).is_some_and(|before| *before != b'\\' && before.is_ascii()) && from + 8 <= length {
            let expected = slow(&text[from..]);
            prop_assert_eq!(closed_with_quotes(&text, from), expected);
            prop_assert_eq!(is_closed(&text, from), expected.is_some());
        } else if from + 8 > length {
            prop_assert!(!is_closed(&text, from));
        }
    }

    #[test]
    fn finds_the_pair_that_a_byte_loop_finds(
        text in prop::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), Just(0x80u8), Just(0x81), Just(b'`'), any::<u8>()], 0..150),
        from in 0usize..160,
        offsets in (0usize..40, 0usize..40),
    ) {
        for (first, second) in [(b'a', b'b'), (b'b', b'a'), (0x80, b'a'), (b'a', b'a'), (1, 0)] {
            let (rare, other) = ((offsets.0, first), (offsets.1, second));
            let length = offsets.0.max(offsets.1) + 1;
            let is_pair = |at: &usize| {
                text.get(at + rare.0) == Some(&rare.1) && text.get(at + other.0) == Some(&other.1)
            };
            let expected = (from..text.len()).find(is_pair);
            prop_assert_eq!(find_pair(&text, from, rare, other, length), expected);
            prop_assert_eq!(find_common_pair(&text, from, rare, other, length), expected);
        }
    }

    #[test]
    fn a_pair_is_found_behind_any_text_beyond_ascii(
        before in "[aé😀\"\u{81}]{0,80}", has_pair in any::<bool>(), after in "[aé1\"]{0,40}",
    ) {
        let pair = if has_pair { "b-1" } else { "b1-" };
        let text = [&before, pair, &after].concat().into_bytes();
        let expected = has_pair.then_some(before.len());
        prop_assert_eq!(find_common_pair(&text, 0, (0, b'b'), (2, b'1'), 3), expected);
    }

    #[test]
    fn escaped_quotes_are_passed_and_nothing_else(
        row in prop::collection::vec(prop_oneof![Just(&b"a"[..]), Just(&b"\\\""[..])], 0..100),
        text in prop::collection::vec(prop_oneof![3 => Just(b"a".to_vec()), 3 => Just(b"\\\"".to_vec()), 1 => Just(b"\"".to_vec()), 1 => Just(b"\\\\".to_vec()), 1 => Just(b"\\n".to_vec()), 1 => Just(vec![0x81])], 0..60),
    ) {
        // Blocks are passed where there is nothing else for long, so the start is such a row.
        let text = [row.concat(), text.concat()].concat();
        let passed = pass_quoted(&[b"\"", &text[..]].concat(), 1);
        // Byte by byte: every quote behind a backslash, every backslash before a quote.
        let mut at = 0;
        while at < passed {
            match text[at] {
                b'"' => prop_assert!(false, "a quote of its own at {at}"),
                b'\\' => {
                    prop_assert_eq!(text.get(at + 1), Some(&b'"'));
                    at += 2;
                }
                _ => at += 1,
            }
        }
        prop_assert_eq!(at, passed, "the end is inside no escape");
    }

    #[test]
    fn equality_and_ascii_agree_with_std(text in prop::collection::vec(any::<u8>(), 0..80), flip in 0usize..80) {
        prop_assert_eq!(is_ascii(&text), text.is_ascii());
        let mut other = text.clone();
        prop_assert!(equal(&text, &other));
        if let Some(byte) = other.get_mut(flip) {
            *byte ^= 1;
            prop_assert!(!equal(&text, &other));
        }
    }
}
