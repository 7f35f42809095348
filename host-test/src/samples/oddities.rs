//! Lines that break naive parsers: text in many scripts, escapes in every layer, and lines far longer than
//! containerd keeps in one piece.

use serde_json::json;

use super::cri::{CriLine, MAX_CONTENT};
use super::dice::Dice;
use super::moment::SampleTime;
use super::workload::SampleWorkload;

/// A chat gateway.
pub struct Chat;

const SAYINGS: &[&str] = &[
    "こんにちは、注文の状況を教えてください。",
    "配送は明日になりますか？",
    "Grüße aus München – schöne Straße, übrigens!",
    "Das Paket ist angekommen, größer als gedacht 📦😀",
    "👩‍👩‍👧‍👦 family order 🎉🎉",
    "مرحبا، أين طلبي رقم 1207؟",
    "שלום, מתי זה מגיע?",
    "où est mon café crème ?",
    "Здравствуйте, нужен счёт",
    "ok",
    "he said \"never\\ever\" and left\ta tab",
    "line one\nline two\r\nline three",
    "สวัสดี 한국어 中文 ελληνικά",
    "zero\u{200b}width, bom\u{feff}, nbsp\u{a0}, nul \u{0}, bell \u{7}",
];

impl SampleWorkload for Chat {
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        let (room, saying) = (format!("room-{}", dice.between(1, 40)), dice.pick(SAYINGS));
        let record = json!({
            "ts": now.rfc3339_millis(), "level": "info", "room": room, "user": dice.hex(8),
            "bytes": saying.len(), "text": saying,
        });
        vec![CriLine::out(match dice.between(0, 9) {
            0..=4 => record.to_string(),
            5..=6 => ascii_only(&record.to_string()),
            7 => format!("{} chat WARN\tspool C:\\spool\\{room}\\new.txt is \"nearly full\"", now.clock()),
            8 => format!("{} chat INFO {room}: {}", now.clock(), saying.escape_debug()),
            _ => format!("{} chat INFO typing… «{room}» – ½ s später", now.clock()),
        })]
    }
}

/// JSON as Python's `json.dumps` writes it: everything beyond ASCII as `\u` escapes of UTF-16 units.
fn ascii_only(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            escaped.push(character);
        } else {
            let mut units = [0_u16; 2];
            for unit in character.encode_utf16(&mut units) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    escaped
}

/// An exporter that logs what it exports, whole.
#[derive(Default)]
pub struct LongLines {
    bursts: u64,
}

impl LongLines {
    fn payload(now: SampleTime, size: usize, dice: &mut Dice) -> String {
        let mut record = json!({
            "ts": now.rfc3339_millis(), "level": "info", "msg": "export batch", "batch": dice.uuid(),
            "payload": "",
        });
        let frame = record.to_string().len();
        record["payload"] = dice.base64(size.saturating_sub(frame)).into();
        record.to_string()
    }

    /// Nothing but characters of four bytes after a head whose length four divides: 16384 bytes are then
    /// always whole characters, so that no piece of the line is broken UTF-8.
    fn emoji_payload(dice: &mut Dice) -> String {
        let mut line = "{\"level\":\"info\",\"msg\":\"export stickers\",\"pad\":\"".to_owned();
        let tail = "\",\"payload\":\"";
        while !(line.len() + tail.len()).is_multiple_of(4) {
            line.push('.');
        }
        line.push_str(tail);
        line.extend((0..6_000).map(|_| dice.pick(&['😀', '📦', '🎉', '🚚', '𝄞'])));
        line.push_str("\"}");
        line
    }

    fn statement(size: usize, dice: &mut Dice) -> String {
        let mut line = "slow statement: SELECT id, sku FROM parcels WHERE id IN (0".to_owned();
        while line.len() < size {
            line.push_str(&format!(", {}", dice.between(1, 9_999_999)));
        }
        line.push(')');
        line
    }
}

impl SampleWorkload for LongLines {
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        self.bursts += 1;
        let text = match self.bursts {
            4 => Self::payload(now, 21_500, dice),
            9 => Self::payload(now, MAX_CONTENT, dice),
            14 => Self::statement(38_000, dice),
            21 => Self::payload(now, 200_000, dice),
            28 => Self::emoji_payload(dice),
            33 => Self::payload(now, MAX_CONTENT * 2, dice),
            38 => Self::payload(now, MAX_CONTENT + 1, dice),
            44 => Self::statement(29_700, dice),
            50 => Self::payload(now, 40_000, dice),
            _ => {
                let (batch, rows) = (dice.uuid(), dice.between(10, 9_000));
                json!({
                    "ts": now.rfc3339_millis(), "level": "info", "msg": "exported",
                    "batch": batch, "rows": rows,
                })
                .to_string()
            }
        };
        vec![CriLine::out(text)]
    }
}
