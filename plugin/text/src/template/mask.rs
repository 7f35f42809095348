//! One pass over a text that replaces what is variable; the rules are in [`super`].
//!
//! The filter is interpreted, so a byte of a word costs one look into a table and text that stays is copied in long runs.
//! Whatever looks ahead is bounded or remembers that it failed: the time is linear in the text.

use super::shape::{self, BLANK, DIGIT, HEX, JOINT, LETTER, NAMED, SPECIAL, WORD, byte_at, class};
use crate::swar;

mod special;

/// How much of a text is read.
pub(super) const MAX_TEXT: usize = 2048;
/// How much of the masked text counts.
const MAX_MASKED: usize = 1024;
/// What stands for a value.
const VALUE: &[u8] = b"<*>";
/// How many values and classes of statuses a template has at most; what is behind them is not in it.
const MAX_VALUES: u32 = 48;
/// How much text between two values lets them count as one.
const MAX_GAP: usize = 3;

/// Appends the masked text to `out`, which is at most 1024 bytes.
pub(super) fn mask_into(text: &[u8], out: &mut Vec<u8>) {
    let base = out.len();
    let start = text.get(..boundary(text, MAX_TEXT)).unwrap_or_default();
    let is_cut = start.len() < text.len();
    let lead = start.iter().take_while(|&&byte| class(byte) & BLANK != 0 || byte == b'\n').count();
    let start = start.get(lead..).unwrap_or_default();
    out.reserve(start.len().min(MAX_MASKED));
    let line_end = swar::find_byte(start, 0, b'\n');
    let text = start.get(..line_end.unwrap_or(start.len())).unwrap_or_default();
    Mask {
        text,
        out,
        copied: 0,
        value_end: 0,
        visible_from: 0,
        message_end: None,
        unclosed: [0; 3],
        is_cut: is_cut && line_end.is_none(),
        is_klog: false,
        has_at: swar::find_byte(text, 0, b'@').is_some(),
        awaits_status: false,
        values: 0,
        base,
    }
    .run();
    let masked = out.get(base..).unwrap_or_default();
    let masked = masked.get(..boundary(masked, MAX_MASKED)).unwrap_or_default();
    let blanks = masked.iter().rev().take_while(|&&byte| class(byte) & BLANK != 0).count();
    out.truncate(base.wrapping_add(masked.len().wrapping_sub(blanks)));
}

/// Whether masking leaves `text` as it is for certain: letters, `_` and `.` only.
#[inline]
pub(super) fn is_constant(text: &[u8]) -> bool {
    let is_constant = |&byte: &u8| class(byte) & (HEX | LETTER) != 0 || matches!(byte, b'_' | b'.');
    text.len() <= MAX_MASKED && text.iter().all(is_constant)
}

/// `limit`, or less by what is needed not to cut a UTF-8 character.
fn boundary(text: &[u8], limit: usize) -> usize {
    let is_inside = |at: &usize| text.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let back = (0..3).find(|back| !is_inside(&limit.saturating_sub(*back))).unwrap_or(3);
    limit.saturating_sub(back).min(text.len())
}

struct Mask<'a, 'b> {
    /// One line.
    text: &'a [u8],
    out: &'b mut Vec<u8>,
    /// Where the text starts that is neither written nor replaced yet.
    copied: usize,
    /// Where the last value ends in `out`; 0 before the first.
    value_end: usize,
    /// Behind the last ANSI sequence, whose bytes are no context for what follows.
    visible_from: usize,
    /// The closing quote of a message whose words are kept.
    message_end: Option<usize>,
    /// For `"`, `'` and the backtick: how far the text is known to have no closing one.
    unclosed: [usize; 3],
    is_cut: bool,
    is_klog: bool,
    /// Whether a mail address may be in the text.
    has_at: bool,
    /// Whether a request has been passed whose status has not.
    awaits_status: bool,
    /// How many values and statuses have been passed.
    values: u32,
    /// What `out` held before.
    base: usize,
}

impl Mask<'_, '_> {
    fn run(&mut self) {
        let full_at = self.base.wrapping_add(MAX_MASKED);
        let mut at = self.klog();
        while let Some(&byte) = self.text.get(at)
            && self.value_end < full_at
        {
            if self.values >= MAX_VALUES {
                self.copy(at, self.text.len());
                return;
            }
            let class = class(byte);
            at = if class & WORD != 0 {
                self.piece(at, at)
            } else if class & BLANK != 0 {
                self.blank(at, byte)
            } else if class & SPECIAL != 0 {
                self.special(at, byte)
            } else {
                at.wrapping_add(1)
            };
        }
        self.copy(self.text.len(), self.text.len());
    }

    /// Replaces the text from `start` to `end` by a value, or takes it as a part of the value before.
    fn value(&mut self, start: usize, end: usize) {
        let pending = self.text.get(self.copied..start).unwrap_or_default();
        let written = self.out.get(self.value_end..).unwrap_or_default();
        if self.value_end > 0
            && written.len().wrapping_add(pending.len()) <= MAX_GAP
            && written.iter().chain(pending).all(|&byte| class(byte) & JOINT != 0)
        {
            self.out.truncate(self.value_end);
        } else {
            self.out.extend_from_slice(pending);
            self.out.extend_from_slice(VALUE);
            self.value_end = self.out.len();
            self.values = self.values.saturating_add(1);
        }
        self.copied = end;
    }

    /// Keeps the text up to `start` and leaves it out up to `end`.
    fn copy(&mut self, start: usize, end: usize) {
        self.out.extend_from_slice(self.text.get(self.copied..start).unwrap_or_default());
        self.copied = end;
    }

    fn peek(&self, at: usize) -> u8 {
        byte_at(self.text, at)
    }

    /// The byte before, or a blank where a token starts.
    fn before(&self, at: usize) -> u8 {
        if at == self.visible_from { b' ' } else { self.peek(at.wrapping_sub(1)) }
    }

    /// Blanks count as one.
    #[inline(always)]
    fn blank(&mut self, at: usize, byte: u8) -> usize {
        let mut next = at.wrapping_add(1);
        if byte == b' ' && class(self.peek(next)) & BLANK == 0 && at != self.visible_from {
            return next;
        }
        while class(self.peek(next)) & BLANK != 0 {
            next = next.wrapping_add(1);
        }
        self.copy(at, next);
        // A colour between two blanks does not make them two.
        if self.out.len() > self.base && self.out.last() != Some(&b' ') {
            self.out.push(b' ');
        }
        next
    }

    /// A letter or digit at `from`, with its sign from `start` on; returns where to go on.
    #[inline(always)]
    fn piece(&mut self, start: usize, from: usize) -> usize {
        let mut seen = 0u8;
        let mut at = from;
        while let Some(&byte) = self.text.get(at)
            && class(byte) & WORD != 0
        {
            seen |= class(byte);
            at = at.wrapping_add(1);
        }
        let length = at.wrapping_sub(from);
        if self.has_at
            && let Some(end) = self.mail(from)
        {
            self.value(from, end);
            return end;
        }
        if seen & LETTER == 0
            && length <= 8
            && let Some(end) = self.address(from, at, seen)
        {
            self.value(start, end);
            return end;
        }
        match seen & WORD {
            DIGIT if length == 3 && self.is_status(from, at) => {
                // Its class stays.
                self.copy(from.wrapping_add(1), at);
                self.out.extend_from_slice(b"xx");
                self.values = self.values.saturating_add(1);
                self.awaits_status = false;
                at
            }
            DIGIT => {
                let end = self.behind_number(self.behind_joined(at));
                self.value(start, end);
                end
            }
            seen_in_word if seen_in_word & DIGIT != 0 => self.mixed(start, from, at, seen),
            _ if length == 2 && self.is_half_of_day(from) => {
                self.value(start, at);
                at
            }
            _ if length == 3 && shape::is_calendar(self.text, from) => {
                self.value(start, at);
                at
            }
            // Hexadecimal without a digit by chance.
            HEX if length >= 8 => {
                self.value(start, at);
                at
            }
            _ if length >= 5 && seen & NAMED == 0 && self.is_suffix(from) => {
                self.value(start, at);
                at
            }
            _ => at,
        }
    }

    /// Where digits end that are joined to the number that ends at `at`. They would become one value by themselves; dates,
    /// times and addresses are quicker in one go. What may be more than a number is left to [`Mask::piece`].
    #[inline(always)]
    fn behind_joined(&self, mut at: usize) -> usize {
        while class(self.peek(at)) & (JOINT | BLANK) == JOINT {
            let from = at.wrapping_add(1);
            let mut end = from;
            while class(self.peek(end)) & DIGIT != 0 {
                end = end.wrapping_add(1);
            }
            let next = self.peek(end);
            match end.wrapping_sub(from) {
                0 => break,
                3 | 4 if next == b':' => break,
                8 if next == b'-' => break,
                _ if class(next) & WORD != 0 => break,
                _ => at = end,
            }
        }
        at
    }

    /// Where a percent sign or the rest of `µs` behind a number ends.
    fn behind_number(&self, at: usize) -> usize {
        match self.peek(at) {
            b'%' => at.wrapping_add(1),
            b' ' if self.peek(at.wrapping_add(1)) == b'%'
                && class(self.peek(at.wrapping_add(2))) & WORD == 0 =>
            {
                at.wrapping_add(2)
            }
            0xc2 | 0xce => match self.text.get(at..at.wrapping_add(3)) {
                Some([0xc2, 0xb5, b's'] | [0xce, 0xbc, b's'])
                    if class(self.peek(at.wrapping_add(3))) & WORD == 0 =>
                {
                    at.wrapping_add(3)
                }
                _ => at,
            },
            _ => at,
        }
    }

    /// A piece of letters and digits.
    #[inline(never)]
    fn mixed(&mut self, start: usize, from: usize, end: usize, seen: u8) -> usize {
        let piece = self.text.get(from..end).unwrap_or_default();
        let is_digit = |byte: &&u8| class(**byte) & DIGIT != 0;
        let head = piece.iter().take_while(|byte| !is_digit(byte)).count();
        let digits = piece.iter().skip(head).take_while(is_digit).count();
        let tail = piece.get(head.wrapping_add(digits)..).unwrap_or_default();
        let letters = head.wrapping_add(tail.len());
        let is_zero_x = || {
            matches!(tail, [b'x' | b'X', hex @ ..] if hex.iter().all(|&byte| class(byte) & HEX != 0))
                && digits == 1
                && head == 0
        };
        // ISO 8601: `PT0.5S`, `P3D`.
        let is_duration = || matches!(piece, [b'P', rest @ ..] if rest.iter().all(|byte| is_digit(&byte) || matches!(byte, b'T' | b'D' | b'H' | b'M' | b'S' | b'W' | b'Y')));
        let is_value = seen & LETTER == 0
            || is_duration()
            || (head == 0 && letters <= 4)
            || tail.iter().any(|byte| is_digit(&byte))
            || (seen & NAMED == 0 && letters >= 3 && self.is_suffix(from))
            || is_zero_x();
        if is_value {
            let end =
                if tail.last().is_some_and(|byte| !is_digit(&byte)) { end } else { self.behind_number(end) };
            self.value(start, end);
            return end;
        }
        let number = from.wrapping_add(head);
        let behind = number.wrapping_add(digits);
        let end = if tail.is_empty() { self.behind_number(end) } else { end };
        self.value(if head == 0 { start } else { number }, if tail.is_empty() { end } else { behind });
        end
    }

    /// Whether `AM` or `PM` stands behind a value.
    fn is_half_of_day(&self, from: usize) -> bool {
        let half = self.text.get(from..from.wrapping_add(2)).unwrap_or_default();
        self.value_end > 0
            && self.copied.wrapping_add(1) == from
            && self.peek(self.copied) == b' '
            && matches!(half, [b'A' | b'P', b'M'] | [b'a' | b'p', b'm'])
    }

    /// Whether the piece at `from` stands behind a letter or digit and a `-`.
    fn is_suffix(&self, from: usize) -> bool {
        from.wrapping_sub(self.visible_from) >= 2
            && self.peek(from.wrapping_sub(1)) == b'-'
            && class(self.peek(from.wrapping_sub(2))) & WORD != 0
    }

    /// The end of a UUID or an IPv6 address whose first piece goes from `from` to `end`.
    #[inline(always)]
    fn address(&self, from: usize, end: usize, seen: u8) -> Option<usize> {
        let length = end.wrapping_sub(from);
        match self.peek(end) {
            b'-' if length == 8 => shape::uuid(self.text, from),
            b':' | b'-' if length == 2 && shape::mac(self.text, from) => Some(from.wrapping_add(17)),
            // Not for each hour and minute of a time.
            b':' if length <= 4 && (length >= 3 || seen & HEX != 0) => shape::ipv6(self.text, from),
            _ => None,
        }
    }

    /// klog's letter and date at the start of the line.
    fn klog(&mut self) -> usize {
        let (letter, date) = (self.peek(0), self.text.get(1..8).unwrap_or_default());
        let is_digit = |byte: &u8| class(*byte) & DIGIT != 0;
        if !matches!(letter, b'I' | b'W' | b'E' | b'F')
            || !matches!(date, [m, n, d, e, b' ', h, i] if [m, n, d, e, h, i].iter().all(|byte| is_digit(byte)))
            || self.peek(8) != b':'
        {
            return 0;
        }
        self.is_klog = true;
        self.value(1, 5);
        5
    }
}
