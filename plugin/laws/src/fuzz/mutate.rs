//! Inputs out of inputs: bits, bytes, words, numbers, parts of others.

use fastrand::Rng;

/// A generator of inputs.
pub(super) struct Mutations<'w> {
    random: Rng,
    words: &'w [&'w str],
}

impl<'w> Mutations<'w> {
    pub(super) fn new(seed: u64, words: &'w [&'w str]) -> Mutations<'w> {
        Mutations { random: Rng::with_seed(seed), words }
    }

    /// Makes an input out of one of the corpus, or of several.
    pub(super) fn mutate(&mut self, corpus: &[Vec<u8>], into: &mut Vec<u8>) {
        into.clear();
        // What was found last has been changed least.
        let from = if self.random.bool() { corpus.len().saturating_sub(32) } else { 0 };
        into.extend_from_slice(chosen(&mut self.random, corpus.get(from..).unwrap_or_default()));
        let times = 1 << self.random.u32(..4);
        for _ in 0..times {
            self.change(corpus, into);
        }
        into.truncate(MOST_BYTES);
    }

    fn change(&mut self, corpus: &[Vec<u8>], input: &mut Vec<u8>) {
        let random = &mut self.random;
        match random.u32(..16) {
            0 | 1 => {
                let mask = 1 << random.u32(..8);
                byte(random, input, |byte| byte ^ mask);
            }
            2 => {
                let to = ODD.get(random.usize(..ODD.len())).copied().unwrap_or_default();
                byte(random, input, |_| to);
            }
            3 => {
                let to = random.u8(..);
                byte(random, input, |_| to);
            }
            4..=7 => {
                let word = random.usize(..self.words.len().max(1));
                let word = self.words.get(word).copied().unwrap_or_default().as_bytes();
                let at = random.usize(..=input.len());
                // In the place of as much, or between.
                let end = if random.bool() { at } else { (at + word.len()).min(input.len()) };
                input.splice(at..end, word.iter().copied());
            }
            8 => {
                let (start, end) = range(random, input);
                input.drain(start..end);
            }
            9 => {
                let (start, end) = range(random, input);
                let part = input.get(start..end).unwrap_or_default().repeat(1 + random.usize(..4));
                let at = random.usize(..=input.len());
                input.splice(at..at, part);
            }
            10 => {
                let other = chosen(random, corpus);
                let (start, end) = range(random, other);
                let (from, to) = range(random, input);
                let part = other.get(start..end).unwrap_or_default().to_vec();
                input.splice(from..if random.bool() { from } else { to }, part);
            }
            11 => {
                let cut = random.usize(..=input.len());
                let other = chosen(random, corpus);
                input.truncate(cut);
                input.extend_from_slice(other.get(random.usize(..=other.len())..).unwrap_or_default());
            }
            12 => input.truncate(random.usize(..=input.len())),
            13 => number(random, input),
            14 => lines(random, input),
            _ => {
                let part: Vec<u8> = (0..1 + random.usize(..8)).map(|_| random.u8(..)).collect();
                let at = random.usize(..=input.len());
                input.splice(at..at, part);
            }
        }
    }
}

fn chosen<'c>(random: &mut Rng, corpus: &'c [Vec<u8>]) -> &'c [u8] {
    corpus.get(random.usize(..corpus.len().max(1))).map(Vec::as_slice).unwrap_or_default()
}

fn byte(random: &mut Rng, input: &mut [u8], change: impl Fn(u8) -> u8) {
    if let Some(byte) = input.get_mut(random.usize(..input.len().max(1))) {
        *byte = change(*byte);
    }
}

/// Mostly a short one.
fn range(random: &mut Rng, input: &[u8]) -> (usize, usize) {
    let start = random.usize(..=input.len());
    let most = if random.u32(..4) == 0 { input.len() } else { 24 };
    (start, (start + random.usize(..=most)).min(input.len()))
}

/// Another number in the place of one.
fn number(random: &mut Rng, input: &mut Vec<u8>) {
    let starts: Vec<usize> = (0..input.len())
        .filter(|at| is_digit(input, *at) && !(*at > 0 && is_digit(input, *at - 1)))
        .collect();
    let Some(&start) = starts.get(random.usize(..starts.len().max(1))) else { return };
    let digits = input.iter().skip(start).take_while(|byte| byte.is_ascii_digit()).count();
    let near = random.u64(..2000).to_string();
    let number = NUMBERS.get(random.usize(..NUMBERS.len() * 2)).copied().unwrap_or(&near);
    input.splice(start..start + digits, number.bytes());
}

fn is_digit(input: &[u8], at: usize) -> bool {
    input.get(at).is_some_and(u8::is_ascii_digit)
}

/// Lines in another order, or one of them twice.
fn lines(random: &mut Rng, input: &mut Vec<u8>) {
    let mut lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let (one, other) = (random.usize(..lines.len()), random.usize(..lines.len()));
    match lines.get(one).copied() {
        Some(line) if random.bool() => lines.insert(other, line),
        _ => lines.swap(one, other),
    }
    *input = lines.join(&b'\n');
}

const ODD: [u8; 14] = [0, 0x7f, 0x80, 0xff, b'\n', b'\r', b'\t', b' ', b'"', b'\\', b'{', b'}', b'0', b','];
const NUMBERS: [&str; 16] = [
    "0",
    "1",
    "-1",
    "00",
    "255",
    "256",
    "1023",
    "1024",
    "1025",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
];
/// An input is at most so long.
const MOST_BYTES: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_bounded_and_seldom_the_same() {
        let corpus = vec![Vec::new(), b"one 12 two\nthree".to_vec(), vec![b'x'; 5000]];
        let mut mutations = Mutations::new(3, &["word"]);
        let mut all = std::collections::BTreeSet::new();
        for _ in 0..2000 {
            let mut input = Vec::new();
            mutations.mutate(&corpus, &mut input);
            assert!(input.len() <= MOST_BYTES);
            all.insert(input);
        }
        assert!(all.len() > 1500, "{}", all.len());
        assert!(all.iter().any(|input| input.windows(4).any(|part| part == b"word")));
    }
}
