//! A list of pods as it streams by: one pod at a time, within limits.
//!
//! The rule it keeps: however large the answer is, one pod at a time is in memory as text, and one that is larger than Kubernetes
//! could store costs itself only. Whether the answer was a list at all is known at its end; until then nothing is removed for it.

mod splitter;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use splitter::Splitter;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, BufReader, Read};

/// Why an answer was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// It ended before the JSON did.
    #[error("read pod list: cut after {bytes} bytes")]
    Cut {
        /// What there was.
        bytes: u64,
    },
    /// Not JSON, or `items` is not a list; the reason quotes nothing of what stands there.
    #[error("read pod list: {0}")]
    Json(String),
    /// `items` is missing or `null`, as from a kubelet that is just starting, or the answer is a list itself.
    #[error("read pod list: the answer has no items")]
    NoItems,
    /// More than was allowed.
    #[error("read pod list: larger than {limit} bytes")]
    TooLarge {
        /// What is allowed.
        limit: u64,
    },
    /// The source of the bytes failed.
    #[error("read pod list: {0}")]
    Read(io::Error),
}

/// Calls `each` with the text of every pod, in their order, or with nothing for one that is too large, and returns how many bytes the
/// list had. `each` fails for a text that is no JSON.
pub(crate) fn read(
    list: impl Read,
    max_bytes: u64,
    each: impl FnMut(Option<&[u8]>) -> Result<(), serde_json::Error>,
) -> Result<u64, ListError> {
    let seen = Seen { bytes: Cell::new(0), pods: Cell::new(0), bad: RefCell::new(None) };
    let splitter = Splitter::new(list, &seen, max_bytes, each);
    let mut deserializer = serde_json::Deserializer::from_reader(BufReader::with_capacity(BUFFER, splitter));
    let mut items = None;
    let read = deserializer.deserialize_any(ListVisitor(&mut items)).and_then(|()| deserializer.end());
    let (bytes, pods) = (seen.bytes.get(), seen.pods.get());
    match read {
        Ok(()) if items == Some(pods) => Ok(bytes),
        Ok(()) if items.is_some() => Err(ListError::Json("items is written with escapes".to_owned())),
        Ok(()) => Err(ListError::NoItems),
        // What stands before a pod was read before it, so what is wrong with either is told in its order.
        Err(error) if error.is_io() => Err(match seen.bad.take() {
            Some(bad) => ListError::Json(reason(&bad)),
            None if bytes > max_bytes => ListError::TooLarge { limit: max_bytes },
            None => ListError::Read(error.into()),
        }),
        Err(error) if error.is_eof() => Err(ListError::Cut { bytes }),
        Err(error) => Err(ListError::Json(reason(&error))),
    }
}

/// A reason without what it quotes of the text: labels, annotations and tokens are not for a log. The place goes too, because it is that
/// in the list without its pods, or in a pod alone.
fn reason(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let said = said.split(" at line ").next().unwrap_or(&said);
    let quoted =
        |mark: char| Some((said.find(mark)?, said.rfind(mark)?)).filter(|(first, last)| first < last);
    let span = quoted('"').or_else(|| quoted('`'));
    match span.and_then(|(first, last)| Some((said.get(..first)?, said.get(last..)?.get(1..)?))) {
        Some((before, behind)) => format!("{}{behind}", before.trim_end()),
        None => said.to_owned(),
    }
}

/// What the splitter has seen, for who asks when reading is over.
struct Seen {
    bytes: Cell<u64>,
    pods: Cell<u64>,
    /// What is wrong with an item that is no JSON.
    bad: RefCell<Option<serde_json::Error>>,
}

/// The answer as a whole: how many items it has, if it has a list of them.
struct ListVisitor<'i>(&'i mut Option<u64>);

impl<'de> Visitor<'de> for ListVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of pods")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key != "items" {
                map.next_value::<IgnoredAny>()?;
            } else if self.0.is_some() {
                return Err(A::Error::custom("items is there twice"));
            } else {
                map.next_value_seed(Items(self.0))?;
            }
        }
        Ok(())
    }

    /// Serde would take an array for an object's fields in their order; an array is an answer without items.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// The value of `items`.
struct Items<'i>(&'i mut Option<u64>);

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of pods")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut count = 0u64;
        while list.next_element::<IgnoredAny>()?.is_some() {
            count = count.saturating_add(1);
        }
        *self.0 = Some(count);
        Ok(())
    }
}

/// How much is asked of the source at once, in bytes.
const BUFFER: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn pods(list: &[u8], max: u64) -> Result<(Vec<String>, u64), String> {
        let mut pods = Vec::new();
        let each = |pod: Option<&[u8]>| {
            let pod = pod.unwrap_or(b"too large");
            pods.push(String::from_utf8_lossy(pod).into_owned());
            if pod == b"too large" { Ok(()) } else { serde_json::from_slice::<IgnoredAny>(pod).map(drop) }
        };
        match read(list, max, each) {
            Ok(bytes) => Ok((pods, bytes)),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn pods_are_handed_on_one_by_one_as_they_stand() {
        let list = br#" {"kind":"PodList","metadata":{"a":[1]},"items":[{"x": 1}, 2 ,"three"],"z":null} "#;
        let (found, bytes) = pods(list, 1000).unwrap();
        assert_eq!(found, ["{\"x\": 1}", "2", "\"three\""]);
        assert_eq!(bytes, list.len() as u64);
        assert_eq!(pods(b"{\"items\":[]}", 100).unwrap().0, [""; 0]);
    }

    #[test]
    fn what_is_no_list_says_why() {
        let cases: [(&[u8], u64, &str); 14] = [
            (b"", 100, "read pod list: cut after 0 bytes"),
            (b"{\"items\":[{\"a\":1},{", 100, "read pod list: cut after 19 bytes"),
            (b"{\"items\":[]", 100, "read pod list: cut after 11 bytes"),
            (b"{}", 100, "read pod list: the answer has no items"),
            (b"{\"items\":null}", 100, "read pod list: the answer has no items"),
            (b"[[]]", 100, "read pod list: the answer has no items"),
            (b"<html>", 100, "read pod list: expected value"),
            (b"\"items\"", 100, "read pod list: invalid type: string, expected a list of pods"),
            (b"{\"items\":{}}", 100, "invalid type: map, expected a list of pods"),
            (b"{\"items\":[],\"items\":[]}", 100, "items is there twice"),
            (b"{\"items\":[1,2,3]}", 10, "read pod list: larger than 10 bytes"),
            (b"{\"items\":[1,{\"a\":tru}]}", 100, "read pod list: expected ident"),
            (b"{\"items\":[1,}]}", 100, "read pod list: expected value"),
            (b"{\"it\\u0065ms\":[1]}", 100, "read pod list: items is written with escapes"),
        ];
        for (list, max, expected) in cases {
            let error = pods(list, max).unwrap_err();
            assert!(
                error.contains(expected),
                "{error} for {:?}",
                String::from_utf8_lossy(&list[..list.len().min(40)])
            );
        }
        assert!(pods(b"{\"items\":[]}{}", 100).unwrap_err().contains("trailing characters"));
    }

    #[test]
    fn a_pod_that_is_too_large_costs_itself_only() {
        let list = format!("{{\"items\":[1,{{\"a\":\"{}\"}},[2]]}}", "x\\\"".repeat(4 << 20));
        assert_eq!(pods(list.as_bytes(), 20 << 20).unwrap().0, ["1", "too large", "[2]"]);
    }

    #[test]
    fn pods_are_found_wherever_the_source_stops_and_whatever_stands_around_them() {
        let list = br#"{"a":{"items":[0]},"b":["items"],"items" : [ "]\\\"" ,{"x":"}]","y":[{}]}, -1.5e3,null , [1,[2]] ],"c":"items"}"#;
        let expected = [r#""]\\\"""#, r#"{"x":"}]","y":[{}]}"#, "-1.5e3", "null", "[1,[2]]"];
        struct Drops<'l>(&'l [u8], usize);
        impl Read for Drops<'_> {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                let most = self.1.min(into.len());
                self.0.read(&mut into[..most])
            }
        }
        for step in 1..list.len() {
            let mut found = Vec::new();
            read(Drops(list, step), 1000, |pod| {
                found.push(String::from_utf8(pod.unwrap().to_vec()).unwrap());
                Ok(())
            })
            .unwrap();
            assert_eq!(found, expected, "{step}");
        }
    }

    #[test]
    fn a_list_of_exactly_the_limit_is_taken() {
        assert_eq!(pods(b"{\"items\":[1,2]}", 15).unwrap().0.len(), 2);
        assert!(pods(b"{\"items\":[1,2]}", 14).is_err());
    }

    #[test]
    fn a_source_that_fails_is_not_a_list_that_is_cut() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("gone"))
            }
        }
        let error = read((&b"{\"items\":["[..]).chain(Broken), 100, |_| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), "read pod list: gone");
        assert!(matches!(error, ListError::Read(_)));
    }
}
