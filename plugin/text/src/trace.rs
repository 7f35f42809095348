//! Trace ids: which text is one, and which spellings are one and the same.
//!
//! Loggers write what they have where they have no trace: `-`, `N/A`, `00000000000000000000000000000000`, `${traceId}`. Taken
//! for ids, all lines without a trace would share one fate. And they write one id in many ways, next to the span or without,
//! while a sampler has to decide all of them alike. **The rule kept here:** an id is 128 bits whatever it was written as, the
//! span is never a part of it, and a text without any digit, or with nothing but zeros, is no id.
//!
//! | spelling | source | the id |
//! |---|---|---|
//! | 32 or 16 hexadecimal digits, in either case, with `0x` or not | W3C trace context, Zipkin | padded on the left |
//! | `4bf92f35-77b3-4da6-a3ce-929d0e0e4736`, in braces or not | UUIDs | without dashes |
//! | `00-<id>-<span>-01`, any version but `ff` | `traceparent` of W3C trace context | its second part |
//! | `1-67891233-abcdef012345678912345678`, `Root=...;Parent=...`, `Self=...;Root=...` | AWS X-Ray | the root without version and dashes |
//! | `projects/P/traces/<id>`, `<id>/<span>;o=1`, `<id>;o=1` | Google Cloud | the id |
//! | `<id>-<span>-1-<parent>` | `b3` of Zipkin | its first part |
//! | `<id>:<span>:<parent>:<flags>`, `%3A` for the colons or not | `uber-trace-id` of Jaeger, which leaves out leading zeros | its first part, padded |
//! | up to 20 decimal digits, in Datadog's keys only | Datadog | the low 64 bits |
//! | anything else with a digit | | the text itself |

/// A trace id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceId {
    /// One that has a place among all others.
    Bits(u128),
    /// A text of somebody's own making: a key and no more.
    Text(Vec<u8>),
}

impl TraceId {
    /// Reads an id; `is_datadog` says that its key is one of Datadog's, and is asked where that matters. `None` for a text that stands
    /// for no id.
    #[inline]
    pub fn parse(text: &[u8], is_datadog: impl FnOnce() -> bool) -> Option<TraceId> {
        // Nearly all are 32 digits, which no other spelling is.
        match (text.len(), hexadecimal(text)) {
            (32, Some(bits)) => TraceId::of_bits(text, bits),
            _ => TraceId::parse_any(text, is_datadog()),
        }
    }

    /// The id that these bits are: none of them set is no id, and letters alone are a word, even if all are hexadecimal.
    fn of_bits(text: &[u8], bits: u128) -> Option<TraceId> {
        (bits != 0 && text.iter().any(u8::is_ascii_digit)).then_some(TraceId::Bits(bits))
    }

    #[inline(never)]
    fn parse_any(text: &[u8], is_datadog: bool) -> Option<TraceId> {
        let text = text.trim_ascii();
        let text = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text);
        let text = text.strip_prefix(b"urn:uuid:").unwrap_or(text);
        if [&b"$"[..], b"%", b"{{", b"#{"].iter().any(|start| text.starts_with(start)) {
            return None;
        }
        // What the id is called decides nothing about it: a project's name may have a digit.
        let is_resource = text.starts_with(b"projects/") || text.starts_with(b"//");
        if is_resource && let Some(id) = behind_last(text, TRACES) {
            return TraceId::parse(id, || is_datadog);
        }
        if is_datadog && text.len() <= MAX_DECIMAL && text.iter().all(u8::is_ascii_digit) {
            let number: u64 = std::str::from_utf8(text).ok()?.parse().ok()?;
            return (number != 0).then_some(TraceId::Bits(number.into()));
        }
        match bits(text) {
            Some(bits) => TraceId::of_bits(text, bits),
            None => {
                let text = text.strip_prefix(b"0x").unwrap_or(text);
                let is_something = |byte: &u8| byte.is_ascii_alphanumeric() && *byte != b'0' || *byte >= 0x80;
                let has_digit = text.iter().any(u8::is_ascii_digit);
                (has_digit && text.iter().any(is_something) && !is_empty_header(text))
                    .then(|| TraceId::Text(text.to_vec()))
            }
        }
    }

    /// What it is called in keys: 32 hexadecimal digits, or the text.
    pub fn key(&self) -> Vec<u8> {
        match self {
            TraceId::Bits(bits) => format!("{bits:032x}").into_bytes(),
            TraceId::Text(text) => text.clone(),
        }
    }
}

/// The id in one of the known spellings.
fn bits(text: &[u8]) -> Option<u128> {
    if let Some(root) = root(text) {
        return bits(root);
    }
    let text = text.strip_prefix(b"{").and_then(|text| text.strip_suffix(b"}")).unwrap_or(text);
    let text = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X")).unwrap_or(text);
    if matches!(text.len(), 16 | 32)
        && let Some(bits) = hexadecimal(text)
    {
        return Some(bits);
    }
    let first = text.iter().position(|byte| !byte.is_ascii_hexdigit())?;
    let (id, behind) = text.split_at_checked(first)?;
    match behind.first()? {
        b'-' => dashed(text, id),
        b'/' | b';' if id.len() == 32 => hexadecimal(id),
        // `<id>:<span>:<parent>:<flags>`
        b':' | b'%' if (1..=32).contains(&id.len()) => {
            let colons = [&b":"[..], b"%3A", b"%3a"];
            let rest = colons.iter().find_map(|colon| behind.strip_prefix(*colon))?;
            let parts = rest.split(|byte| matches!(byte, b':' | b'%')).count();
            (parts == 3).then(|| hexadecimal(id)).flatten()
        }
        _ => None,
    }
}

/// Spellings with dashes; `first` is what stands before the first.
fn dashed(text: &[u8], first: &[u8]) -> Option<u128> {
    let mut parts = text.split(|byte| *byte == b'-');
    let lengths: Vec<usize> = parts.clone().take(6).map(<[u8]>::len).collect();
    match (first, lengths.as_slice()) {
        (_, [8, 4, 4, 4, 12]) => joined(text),
        (b"1", [1, 8, 24]) => joined(text.get(2..)?),
        ([_, _], [2, 32, 16, 2, ..]) if !first.eq_ignore_ascii_case(b"ff") => hexadecimal(parts.nth(1)?),
        (_, [16 | 32, 16] | [16 | 32, 16, 1] | [16 | 32, 16, 1, 16]) => hexadecimal(first),
        _ => None,
    }
}

/// What stands behind the last `separator`.
fn behind_last<'a>(text: &'a [u8], separator: &[u8]) -> Option<&'a [u8]> {
    let at = text.windows(separator.len()).rposition(|window| window == separator)?;
    text.get(at.wrapping_add(separator.len())..)
}

/// A header without an id: `00-null-null-00`, `1-null-null`, `0/0;o=0`.
fn is_empty_header(text: &[u8]) -> bool {
    let mut parts = text.split(|byte| matches!(byte, b'-' | b'/' | b';'));
    let first = parts.next().unwrap_or_default();
    let is_nothing = |part: &[u8]| part.iter().all(|byte| *byte == b'0' || !byte.is_ascii_digit());
    let is_version = matches!(first.len(), 1 | 2) && first.iter().all(u8::is_ascii_hexdigit);
    is_version && first.len() < text.len() && parts.take(2).all(is_nothing)
}

fn joined(text: &[u8]) -> Option<u128> {
    let digits: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'-').collect();
    hexadecimal(&digits)
}

/// The root of an X-Ray header.
fn root(text: &[u8]) -> Option<&[u8]> {
    const ROOT: &[u8] = b"Root=";
    let mut parts = text.split(|byte| *byte == b';');
    parts.find_map(|part| part.trim_ascii().strip_prefix(ROOT))
}

fn hexadecimal(text: &[u8]) -> Option<u128> {
    // Nearly all have 32 digits, and an interpreter takes its time for each byte.
    if let ([first, second, third, fourth], []) = text.as_chunks::<8>() {
        let words = [first, second, third, fourth].map(|digits| eight_digits(*digits));
        let [Some(first), Some(second), Some(third), Some(fourth)] = words else { return None };
        let high = u64::from(first).wrapping_shl(32) | u64::from(second);
        let low = u64::from(third).wrapping_shl(32) | u64::from(fourth);
        return Some(u128::from(high).wrapping_shl(64) | u128::from(low));
    }
    let is_hexadecimal = !text.is_empty() && text.len() <= 32 && text.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(text).ok().filter(|_| is_hexadecimal)?;
    u128::from_str_radix(text, 16).ok()
}

/// The number that eight hexadecimal digits are.
fn eight_digits(digits: [u8; 8]) -> Option<u32> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(digits);
    // `@` to `_` and the lower case below it have this bit, digits have not.
    let letters = word.wrapping_shr(6) & LOW;
    let nibbles = (word & LOW.wrapping_mul(15)).wrapping_add(letters.wrapping_mul(9));
    // Written again in lower case it is the same; ten and more are letters, and what is more than fifteen is neither.
    let written = nibbles.wrapping_add(LOW.wrapping_mul(0x30)).wrapping_add(letters.wrapping_mul(0x27));
    let is_same = written == word | letters.wrapping_shl(5);
    let from_ten = nibbles.wrapping_add(LOW.wrapping_mul(6)).wrapping_shr(4) & LOW;
    if !is_same || from_ten != letters || nibbles & LOW.wrapping_mul(0xf0) != 0 {
        return None;
    }
    // The first digit stands lowest and weighs most.
    let bytes = (nibbles.wrapping_shl(4) | nibbles.wrapping_shr(8)) & 0x00ff_00ff_00ff_00ff;
    let halves = (bytes.wrapping_shl(8) | bytes.wrapping_shr(16)) & 0x0000_ffff_0000_ffff;
    u32::try_from((halves.wrapping_shl(16) | halves.wrapping_shr(32)) & 0xffff_ffff).ok()
}

const TRACES: &[u8] = b"/traces/";
/// Digits of the largest number of 64 bits.
const MAX_DECIMAL: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn parse(text: &str) -> Option<TraceId> {
        TraceId::parse(text.as_bytes(), || false)
    }

    proptest! {
        #[test]
        fn digits_are_read_as_the_library_reads_them(
            text in prop_oneof!["[0-9a-fA-F]{32}", "[/-:@-G`-g]{32}", "[ -~]{32}", "[0-9a-f]{0,40}"],
            bytes in prop::collection::vec(any::<u8>(), 32),
        ) {
            let slow = |text: &[u8]| {
                let is_hexadecimal = !text.is_empty() && text.len() <= 32 && text.iter().all(u8::is_ascii_hexdigit);
                is_hexadecimal.then(|| u128::from_str_radix(std::str::from_utf8(text).unwrap(), 16).unwrap())
            };
            prop_assert_eq!(hexadecimal(text.as_bytes()), slow(text.as_bytes()), "{}", text);
            prop_assert_eq!(hexadecimal(&bytes), slow(&bytes));
        }
    }

    #[test]
    fn spellings_of_one_id_are_one_id() {
        let id = Some(TraceId::Bits(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736));
        for text in [
            ID,
            "4BF92F3577B34DA6A3CE929D0E0E4736",
            " 0x4bf92f3577b34da6a3ce929d0e0e4736 ",
            "4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b8-01-more",
            "1-4bf92f35-77b34da6a3ce929d0e0e4736",
            "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=53995c3f42cd8ad8;Sampled=1",
            "Self=1-67891234-12456789abcdef0123456789;Root=1-4bf92f35-77b34da6a3ce929d0e0e4736",
            "projects/my-project-7/traces/4bf92f3577b34da6a3ce929d0e0e4736",
            "4bf92f3577b34da6a3ce929d0e0e4736/1;o=1",
            "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1-05e3ac9a4f6e3b90",
            "4bf92f3577b34da6a3ce929d0e0e4736:00f067aa0ba902b7:0:1",
            "4bf92f3577b34da6a3ce929d0e0e4736%3A00f067aa0ba902b7%3A0%3A1",
        ] {
            assert_eq!(parse(text), id, "{text}");
        }
    }

    #[test]
    fn short_ids_are_padded_on_the_left() {
        let id = Some(TraceId::Bits(0x00f0_67aa_0ba9_02b7));
        for text in [
            "00f067aa0ba902b7",
            "000000000000000000f067aa0ba902b7",
            "f067aa0ba902b7:1:0:1",
            "00f067aa0ba902b7-05e3ac9a4f6e3b90-d",
        ] {
            assert_eq!(parse(text), id, "{text}");
        }
    }

    #[test]
    fn decimal_is_for_datadog_only() {
        let datadog = |text: &str| TraceId::parse(text.as_bytes(), || true);
        assert_eq!(datadog("1234567890123456"), Some(TraceId::Bits(1_234_567_890_123_456)));
        assert_eq!(datadog("18446744073709551615"), Some(TraceId::Bits(u64::MAX.into())));
        assert_eq!(datadog(ID), parse(ID));
        assert_eq!(parse("1234567890123456"), Some(TraceId::Bits(0x1234_5678_9012_3456)));
        assert_eq!(datadog("0"), None);
        assert_eq!(datadog("99999999999999999999"), None);
    }

    #[test]
    fn what_stands_for_no_id_is_none() {
        for text in [
            "",
            " ",
            "-",
            "N/A",
            "none",
            "None",
            "unknown",
            "nil",
            "<nil>",
            "NULL",
            "?",
            "false",
            "[]",
            "{}",
            "0x0",
            "${traceId}",
            "%X{X-B3-TraceId}",
            "{{trace_id}}",
            "NO_TRACE",
            "undefined",
            "(none)",
            "00000000000000000000000000000000",
            "0000000000000000",
            "00000000-0000-0000-0000-000000000000",
            "00-00000000000000000000000000000000-0000000000000000-00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "1-00000000-000000000000000000000000",
            "Root=1-00000000-000000000000000000000000;Sampled=0",
            "0:0:0:0",
            "0-0",
            "000.000",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_of_its_own_is_a_key() {
        for text in ["req-12ab", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "7", "req-1-12", "ff-1-2"] {
            assert_eq!(parse(text), Some(TraceId::Text(text.into())), "{text}");
        }
        assert_ne!(parse("req-1-12"), parse("req-11-2"));
        assert_eq!(parse("abcdefabcdefabcd"), None);
        assert_eq!(parse("abcdefabcdefabc1"), Some(TraceId::Bits(0xabcd_efab_cdef_abc1)));
    }

    proptest! {
        #[test]
        fn the_span_is_never_part_of_it(id in 1u128.., one in 1u64.., other in 1u64..) {
            for (spelling, span) in [
                ("00-{id}-{span}-01", [one, other]), ("{id}-{span}-1", [one, other]), ("{id}:{span}:0:1", [one, other]), ("{id}/{span};o=1", [one, other]),
            ] {
                let of = |span: u64| spelling.replace("{id}", &format!("{id:032x}")).replace("{span}", &format!("{span:016x}"));
                prop_assert_eq!(parse(&of(span[0])), Some(TraceId::Bits(id)));
                prop_assert_eq!(parse(&of(span[1])), Some(TraceId::Bits(id)));
            }
        }

        #[test]
        fn nothing_panics(text in prop::collection::vec(any::<u8>(), 0..80), is_datadog in any::<bool>()) {
            TraceId::parse(&text, || is_datadog);
        }
    }
}
