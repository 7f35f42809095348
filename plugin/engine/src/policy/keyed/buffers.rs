//! Room for the texts of keys: every record that a policy with keys decides writes one, and none has to be asked for anew.

/// Room for the texts of keys, kept from record to record.
#[derive(Debug, Default)]
pub(crate) struct KeyBuffers(Vec<Vec<u8>>);

impl KeyBuffers {
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let mut text = self.0.pop().unwrap_or_default();
        text.clear();
        text
    }

    /// Kept for the next record, unless a field of a megabyte has been here.
    pub(crate) fn give_back(&mut self, text: Vec<u8>) {
        if text.capacity() <= MAX_KEY_KEPT {
            self.0.push(text);
        }
    }
}

/// Largest room for a key's text that is kept from record to record, in bytes.
const MAX_KEY_KEPT: usize = 4096;
