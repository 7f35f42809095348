//! The pods of a list, taken out of it as it streams by.
//!
//! The rule it keeps: it knows brackets and strings and judges nothing. What is left, the list with a number in the place of each pod, is
//! read by a JSON library, and so is each pod; what is no JSON is found there.

use super::{BUFFER, Seen};
use std::io::{self, Read};

/// Reads as the list without its pods, and gives these away.
pub(super) struct Splitter<'s, R, F> {
    source: R,
    seen: &'s Seen,
    max_bytes: u64,
    each: F,
    input: Vec<u8>,
    /// The next byte of `input`.
    at: usize,
    place: Place,
    /// The pod so far, and whether more of it was left out.
    pod: Vec<u8>,
    is_too_large: bool,
    is_bad: bool,
}

impl<'s, R, F: FnMut(Option<&[u8]>) -> Result<(), serde_json::Error>> Splitter<'s, R, F> {
    pub(super) fn new(source: R, seen: &'s Seen, max_bytes: u64, each: F) -> Self {
        let (input, pod) = (Vec::new(), Vec::new());
        Splitter {
            source,
            seen,
            max_bytes,
            each,
            input,
            at: 0,
            place: Place::default(),
            pod,
            is_too_large: false,
            is_bad: false,
        }
    }

    fn keep(&mut self, from: usize) {
        let part = self.input.get(from..self.at).unwrap_or_default();
        if self.pod.len().saturating_add(part.len()) > MAX_POD_BYTES {
            self.is_too_large = true;
        } else if !self.is_too_large {
            self.pod.extend_from_slice(part);
        }
    }

    /// Gives the pod away; when it is no JSON, reading ends before it.
    fn give(&mut self) {
        self.seen.pods.set(self.seen.pods.get().saturating_add(1));
        let given = (self.each)(Some(self.pod.as_slice()).filter(|_| !self.is_too_large));
        self.pod.clear();
        self.is_too_large = false;
        if let Err(bad) = given {
            *self.seen.bad.borrow_mut() = Some(bad);
            self.is_bad = true;
        }
    }
}

impl<R: Read, F: FnMut(Option<&[u8]>) -> Result<(), serde_json::Error>> Read for Splitter<'_, R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut out = Out { buffer: &mut *buffer, written: 0 };
            while out.has_room()
                && !self.is_bad
                && let Some(rest) = self.input.get(self.at..)
                && let Some(&byte) = rest.first()
            {
                let from = self.at;
                let plain = self.place.plain(rest);
                if plain > 0 {
                    self.at = self.at.saturating_add(plain);
                    self.keep(from);
                    continue;
                }
                self.at = self.at.saturating_add(1);
                match self.place.step(byte) {
                    Step::Skeleton => out.put(byte),
                    Step::Pod => self.keep(from),
                    Step::PodEnds => {
                        self.keep(from);
                        self.give();
                        out.put(b'0');
                    }
                    Step::PodEndedBefore => {
                        self.give();
                        out.put(b'0');
                        out.put(byte);
                    }
                }
            }
            if out.written > 0 {
                return Ok(out.written);
            }
            if self.is_bad {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.input.resize(BUFFER, 0);
            let read = self.source.read(&mut self.input)?;
            self.input.truncate(read);
            self.at = 0;
            let all = self.seen.bytes.get().saturating_add(read as u64);
            self.seen.bytes.set(all);
            if all > self.max_bytes {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            if read == 0 {
                return Ok(0);
            }
        }
    }
}

/// Room that is written to from its start.
struct Out<'b> {
    buffer: &'b mut [u8],
    written: usize,
}

impl Out<'_> {
    /// For the place of a pod and what ended it.
    fn has_room(&self) -> bool {
        self.written.saturating_add(2) <= self.buffer.len()
    }

    fn put(&mut self, byte: u8) {
        if let Some(place) = self.buffer.get_mut(self.written) {
            *place = byte;
            self.written = self.written.saturating_add(1);
        }
    }
}

/// What a byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Of what is around the pods.
    Skeleton,
    /// Of a pod.
    Pod,
    /// The last of a pod.
    PodEnds,
    /// What stands behind a pod that is a number or a word.
    PodEndedBefore,
}

/// Where in the list the next byte is.
#[derive(Default)]
struct Place {
    /// Within `items`, or around it.
    in_items: bool,
    /// Within a pod, and how deep.
    in_pod: bool,
    pod_depth: usize,
    /// Within a string, behind a backslash.
    in_string: bool,
    is_escaped: bool,
    /// How deep around the pods, and whether the outermost is an object.
    depth: usize,
    is_object: bool,
    /// A key of the outermost object comes next; what it is so far, one byte more than is sought; its value is the list.
    awaits_key: bool,
    key: Vec<u8>,
    awaits_items: bool,
}

impl Place {
    /// How many bytes are of the pod and change nothing.
    fn plain(&self, rest: &[u8]) -> usize {
        let is_plain: fn(&u8) -> bool = match (self.in_pod, self.in_string, self.is_escaped) {
            (true, true, false) => |byte| !matches!(byte, b'"' | b'\\'),
            (true, false, _) if self.pod_depth > 0 => {
                |byte| !matches!(byte, b'"' | b'{' | b'}' | b'[' | b']')
            }
            _ => return 0,
        };
        rest.iter().position(|byte| !is_plain(byte)).unwrap_or(rest.len())
    }

    fn step(&mut self, byte: u8) -> Step {
        if self.in_string {
            return self.step_in_string(byte);
        }
        match (self.in_pod, self.in_items) {
            (true, _) => self.step_in_pod(byte),
            (false, true) => self.step_in_items(byte),
            (false, false) => {
                self.step_around(byte);
                Step::Skeleton
            }
        }
    }

    fn step_in_string(&mut self, byte: u8) -> Step {
        let ends = byte == b'"' && !self.is_escaped;
        self.is_escaped = byte == b'\\' && !self.is_escaped;
        self.in_string = !ends;
        match self.in_pod {
            true if ends && self.pod_depth == 0 => self.end_pod(),
            true => Step::Pod,
            false => {
                if self.awaits_key && !ends && self.key.len() <= ITEMS.len() {
                    self.key.push(byte);
                }
                Step::Skeleton
            }
        }
    }

    fn step_in_pod(&mut self, byte: u8) -> Step {
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.pod_depth = self.pod_depth.saturating_add(1),
            b',' | b' ' | b'\t' | b'\n' | b'\r' | b']' if self.pod_depth == 0 => {
                self.in_pod = false;
                self.in_items = byte != b']';
                return Step::PodEndedBefore;
            }
            b'}' | b']' => {
                self.pod_depth = self.pod_depth.saturating_sub(1);
                if self.pod_depth == 0 {
                    return self.end_pod();
                }
            }
            _ => {}
        }
        Step::Pod
    }

    fn end_pod(&mut self) -> Step {
        self.in_pod = false;
        Step::PodEnds
    }

    fn step_in_items(&mut self, byte: u8) -> Step {
        match byte {
            b']' => self.in_items = false,
            b',' | b' ' | b'\t' | b'\n' | b'\r' | b'}' | b':' => {}
            _ => {
                (self.in_pod, self.pod_depth) = (true, 0);
                return self.step_in_pod(byte);
            }
        }
        Step::Skeleton
    }

    fn step_around(&mut self, byte: u8) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => return,
            b'"' => {
                self.in_string = true;
                self.key.clear();
            }
            b'[' if self.awaits_items => self.in_items = true,
            b'{' | b'[' => {
                if self.depth == 0 {
                    (self.is_object, self.awaits_key) = (byte == b'{', byte == b'{');
                }
                self.depth = self.depth.saturating_add(1);
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b',' => self.awaits_key = self.depth == 1 && self.is_object,
            b':' if self.depth == 1 && self.awaits_key => {
                self.awaits_key = false;
                self.awaits_items = self.key == ITEMS;
                return;
            }
            _ => {}
        }
        self.awaits_items = false;
    }
}

const ITEMS: &[u8] = b"items";
/// The largest pod that is read, in bytes. etcd takes at most 1.5 MiB in one request, and kubelet's JSON writes some of these
/// bytes, such as `<` in an argument, as six.
const MAX_POD_BYTES: usize = 10 << 20;
