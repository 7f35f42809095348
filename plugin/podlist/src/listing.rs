//! A list of pods as it streams by: one pod at a time, within limits.
//!
//! The rule it keeps: however large the answer is, one pod at a time is in memory as text, and none larger than Kubernetes
//! could store. Whether the answer was a list at all is known at its end; until then nothing may be done with it.

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use std::cell::Cell;
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
    /// Not JSON, or `items` is not a list; the reason names line and column, and nothing of what stands there.
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
    /// A pod that no API server would have stored.
    #[error("read pod list: a pod is larger than {MAX_POD_BYTES} bytes")]
    PodTooLarge,
    /// The source of the bytes failed.
    #[error("read pod list: {0}")]
    Read(io::Error),
}

/// Calls `each` with the text of every pod, in their order, and returns how many bytes the list had.
pub(crate) fn read(list: impl Read, max_bytes: u64, each: impl FnMut(&str)) -> Result<u64, ListError> {
    let meter = Meter { all: Cell::new(0), pod: Cell::new(0), max_all: max_bytes };
    let metered = Metered { source: list, meter: &meter };
    let mut deserializer = serde_json::Deserializer::from_reader(BufReader::with_capacity(BUFFER, metered));
    let mut items = Items { meter: &meter, each, found: false };
    let read = deserializer.deserialize_any(ListVisitor(&mut items)).and_then(|()| deserializer.end());
    let (has_items, bytes) = (items.found, meter.all.get());
    match read {
        Ok(()) if has_items => Ok(bytes),
        Ok(()) => Err(ListError::NoItems),
        Err(_) if bytes > max_bytes => Err(ListError::TooLarge { limit: max_bytes }),
        Err(_) if meter.pod.get() > MAX_POD_BYTES => Err(ListError::PodTooLarge),
        Err(error) if error.is_io() => Err(ListError::Read(error.into())),
        Err(error) if error.is_eof() => Err(ListError::Cut { bytes }),
        Err(error) => Err(ListError::Json(without_quotes(&error.to_string()))),
    }
}

/// A reason without what it quotes of the text: labels, annotations and tokens are not for a log.
fn without_quotes(reason: &str) -> String {
    let quoted =
        |mark: char| Some((reason.find(mark)?, reason.rfind(mark)?)).filter(|(first, last)| first < last);
    let span = quoted('"').or_else(|| quoted('`'));
    match span.and_then(|(first, last)| Some((reason.get(..first)?, reason.get(last..)?.get(1..)?))) {
        Some((before, behind)) => format!("{}{behind}", before.trim_end()),
        None => reason.to_owned(),
    }
}

/// How much was read, of the list and of the pod that is read just now.
struct Meter {
    all: Cell<u64>,
    pod: Cell<u64>,
    max_all: u64,
}

/// A source of bytes that ends with an error at either limit.
struct Metered<'m, R> {
    source: R,
    meter: &'m Meter,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        let Meter { all, pod, max_all } = self.meter;
        all.set(all.get().saturating_add(read as u64));
        pod.set(pod.get().saturating_add(read as u64));
        if all.get() > *max_all || pod.get() > MAX_POD_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(read)
    }
}

/// What is done with the items.
struct Items<'m, F> {
    meter: &'m Meter,
    each: F,
    /// Whether there was a list of them.
    found: bool,
}

/// The answer as a whole.
struct ListVisitor<'i, 'm, F>(&'i mut Items<'m, F>);

impl<'de, F: FnMut(&str)> Visitor<'de> for ListVisitor<'_, '_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of pods")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key != "items" {
                map.next_value::<IgnoredAny>()?;
            } else if self.0.found {
                return Err(A::Error::custom("items is there twice"));
            } else {
                map.next_value_seed(List(&mut *self.0))?;
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
struct List<'i, 'm, F>(&'i mut Items<'m, F>);

impl<'de, F: FnMut(&str)> DeserializeSeed<'de> for List<'_, '_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_option(self)
    }
}

impl<'de, F: FnMut(&str)> Visitor<'de> for List<'_, '_, F> {
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
        self.0.found = true;
        self.0.meter.pod.set(0);
        while let Some(Item(pod)) = list.next_element()? {
            (self.0.each)(pod.get());
            self.0.meter.pod.set(0);
        }
        // What comes behind the list is no pod, but has to fit as well.
        Ok(())
    }
}

/// One pod, still text, so that one of an unexpected shape does not take the others with it.
struct Item(Box<RawValue>);

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Item, D::Error> {
        Box::<RawValue>::deserialize(source).map(Item)
    }
}

/// The largest pod that is read, in bytes. etcd takes at most 1.5 MiB in one request, and kubelet's JSON writes some of these
/// bytes, such as `<` in an argument, as six.
const MAX_POD_BYTES: u64 = 10 << 20;
/// How much is asked of the source at once, in bytes.
const BUFFER: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn pods(list: &[u8], max: u64) -> Result<(Vec<String>, u64), String> {
        let mut pods = Vec::new();
        match read(list, max, |pod| pods.push(pod.to_owned())) {
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
        let long = format!("{{\"items\":[\"{}\"]}}", "x".repeat(11 << 20));
        let cases: [(&[u8], u64, &str); 12] = [
            (b"", 100, "read pod list: cut after 0 bytes"),
            (b"{\"items\":[{\"a\":1},{", 100, "read pod list: cut after 19 bytes"),
            (b"{\"items\":[]", 100, "read pod list: cut after 11 bytes"),
            (b"{}", 100, "read pod list: the answer has no items"),
            (b"{\"items\":null}", 100, "read pod list: the answer has no items"),
            (b"[[]]", 100, "read pod list: the answer has no items"),
            (b"<html>", 100, "read pod list: expected value at line 1 column 1"),
            (
                b"\"items\"",
                100,
                "read pod list: invalid type: string, expected a list of pods at line 1 column 7",
            ),
            (b"{\"items\":{}}", 100, "invalid type: map, expected a list of pods at line 1 column 10"),
            (b"{\"items\":[],\"items\":[]}", 100, "items is there twice"),
            (b"{\"items\":[1,2,3]}", 10, "read pod list: larger than 10 bytes"),
            (long.as_bytes(), 20 << 20, "read pod list: a pod is larger than 10485760 bytes"),
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
        let error = read((&b"{\"items\":["[..]).chain(Broken), 100, |_| {}).unwrap_err();
        assert_eq!(error.to_string(), "read pod list: gone");
        assert!(matches!(error, ListError::Read(_)));
    }
}
