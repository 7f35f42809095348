//! What must not leave a node, found in text: addresses, card numbers, keys and tokens.
//!
//! Each kind says what it is by its form alone ([`Kind`]), so it also finds what only looks like one. The rule kept here: a search
//! is linear in the text, since no byte is looked at more than a few times whatever stands around it, and a text in which
//! [`Sieve`] sees nothing has no hit.

mod address;
mod card;
mod credential;
mod sieve;

pub use sieve::{Sieve, Sign, has_hidden};

use std::ops::Range;

/// A kind of secret, known by its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `user@host.tld`: a local part, and a domain of two labels or more of which the last is a word.
    Email,
    /// Four numbers from 0 to 255, not part of a longer row of numbers and not glued to a letter.
    Ipv4,
    /// Eight groups of hexadecimal digits, or fewer with a `::`.
    Ipv6,
    /// 13 to 19 digits that begin as an issuer's do and whose check digit is right (Luhn), in one row or in the groups of a card.
    CreditCard,
    /// An access key id (`AKIA...`, `ASIA...`), and the 40 characters behind a name like `aws_secret_access_key`.
    AwsKey,
    /// Three parts of base64url of which the first two are JSON objects.
    Jwt,
    /// What stands behind the word `bearer`: eight characters or more.
    BearerToken,
    /// From `-----BEGIN ... PRIVATE KEY-----` to its end, or to the end of the text.
    PrivateKey,
}

impl Kind {
    /// All kinds with their names in rule files, and what else is hit for its form; `None` where little is.
    pub const ALL: [(Kind, &'static str, Option<&'static str>); 8] = [
        (Kind::Email, "email", None),
        (
            Kind::Ipv4,
            "ipv4",
            Some("version numbers of four parts, and the addresses of pods and nodes that searches go by"),
        ),
        (
            Kind::Ipv6,
            "ipv6",
            Some("names like `fade::bead` in code, and the addresses of pods and nodes that searches go by"),
        ),
        (Kind::CreditCard, "credit_card", Some("one in ten decimal ids of 16 digits that begin with 4 or 5")),
        (Kind::AwsKey, "aws_key", None),
        (Kind::Jwt, "jwt", None),
        (
            Kind::BearerToken,
            "bearer_token",
            Some("the next long word of a sentence: `bearer authentication failed`"),
        ),
        (Kind::PrivateKey, "private_key", None),
    ];

    /// The kind of a name.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.iter().find(|(_, known, _)| *known == name).map(|(kind, ..)| *kind)
    }

    /// Its name in rule files.
    pub fn name(self) -> &'static str {
        Kind::ALL.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, name, _)| name)
    }

    /// What else it hits, where that is much.
    pub fn false_hits(self) -> Option<&'static str> {
        Kind::ALL.iter().find(|(kind, ..)| *kind == self).and_then(|(.., hits)| *hits)
    }

    /// Adds the places of all hits in a text, those of most kinds in order. `name` is what the text is called where it is a value by itself.
    #[inline(never)]
    pub fn find(self, text: &[u8], name: Option<&[u8]>, hits: &mut Vec<Range<usize>>) {
        match self {
            Kind::Email => address::emails(text, hits),
            Kind::Ipv4 => address::ipv4(text, hits),
            Kind::Ipv6 => address::ipv6(text, hits),
            Kind::CreditCard => card::cards(text, hits),
            Kind::AwsKey => credential::aws_keys(text, name, hits),
            Kind::Jwt => credential::jwts(text, hits),
            Kind::BearerToken => credential::bearer_tokens(text, hits),
            Kind::PrivateKey => credential::private_keys(text, hits),
        }
    }

    /// What a text has in which there is a hit.
    pub fn signs(self) -> Vec<Sign> {
        match self {
            Kind::Email => vec![Sign::Byte(b'@')],
            Kind::Ipv4 => vec![Sign::DottedDigits],
            Kind::Ipv6 => vec![Sign::Colons],
            Kind::CreditCard => vec![Sign::Digits],
            Kind::AwsKey => vec![Sign::text(b"AKIA"), Sign::text(b"ASIA"), Sign::word(b"secret")],
            Kind::Jwt => vec![Sign::text(b"eyJ")],
            Kind::BearerToken => vec![Sign::word(b"bearer")],
            Kind::PrivateKey => vec![Sign::text(b"PRIVATE KEY")],
        }
    }
}

/// Whether a text ends inside a private key, of which more may come with the next line.
pub fn ends_in_private_key(text: &[u8]) -> bool {
    credential::open_private_key(text)
}

/// Whether a line can be one of a private key that an earlier line began: nothing but base64, or the header of one; and if it ends
/// the key, where.
pub fn continues_private_key(line: &[u8]) -> Option<InPrivateKey> {
    credential::continues(line)
}

/// What a line is to the private key before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InPrivateKey {
    /// A part of it.
    Part,
    /// Its last line.
    End,
}

/// Whether a byte can be part of a word that a number or address must not be glued to.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The byte before a place.
fn before(text: &[u8], at: usize) -> Option<u8> {
    at.checked_sub(1).and_then(|at| text.get(at)).copied()
}

/// How many bytes from a place on are such.
fn run(text: &[u8], at: usize, is: impl Fn(u8) -> bool) -> usize {
    text.get(at..).unwrap_or_default().iter().take_while(|byte| is(**byte)).count()
}

/// Where a word in small letters stands next, whatever its case.
fn find_word(text: &[u8], from: usize, word: &[u8]) -> Option<usize> {
    let first = *word.first()?;
    let mut at = from;
    loop {
        let found = crate::swar::find_either(text, at, first, first.to_ascii_uppercase())?;
        let there = text.get(found..found.wrapping_add(word.len()));
        if there.is_some_and(|there| there.eq_ignore_ascii_case(word)) {
            return Some(found);
        }
        at = found.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests;
