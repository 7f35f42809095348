//! What filters leave on disk: one state and one journal for each life of a filter, in `state.dir`.
//!
//! Nobody tells a filter that it ends, and two `wasm` filters in one Fluent Bit share the directory, because they share the rule file.
//! So each has files of its own, by the number of its instance, and says in its journal every second that it lives. The rule kept here:
//! files of a filter that does not say so any more are taken over by whoever sees it first, and files of one that does are left alone.

use crate::files::{read_bytes, read_text, write_at, write_whole};
use nodesieve_engine::engine::{Journal, JournalHeader, JournalWrite};
use nodesieve_engine::time::Now;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The files of one filter, and what others have left beside them.
pub(crate) struct StateFiles {
    directory: PathBuf,
    /// This filter's.
    name: String,
    journal: Option<File>,
    /// Others of which nobody knows yet whether they live, with what their journals said, and since when.
    watched: Vec<Watched>,
    /// Whether another filter lives and has its files here too.
    is_shared: bool,
}

/// What a filter has left.
pub(crate) struct LeftBehind {
    /// Its name; empty for a filter of a version without names.
    pub(crate) name: String,
    /// Its state, or why that cannot be read.
    pub(crate) state: io::Result<String>,
    /// Its journal; empty when there is none.
    pub(crate) journal: Vec<u8>,
}

struct Watched {
    name: String,
    said: Option<JournalHeader>,
    since: Now,
}

impl StateFiles {
    /// The files of the filter `instance` in `directory`, none of which is there yet.
    pub(crate) fn new(directory: &Path, instance: u64) -> StateFiles {
        StateFiles {
            directory: directory.to_owned(),
            name: format!("{instance:016x}"),
            journal: None,
            watched: Vec::new(),
            is_shared: false,
        }
    }

    /// Where they are.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// This filter's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where a filter's state is.
    pub(crate) fn state_path(&self, name: &str) -> PathBuf {
        self.path(name, STATE)
    }

    /// Whether another filter lives and has its files here too, as far as has been seen.
    pub(crate) fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// The filters that have ended and left something, some at a time. One may have to be looked at for three seconds to know.
    pub(crate) fn left_behind(&mut self, now: Now) -> Vec<LeftBehind> {
        let Ok(entries) = fs::read_dir(&self.directory) else { return Vec::new() };
        let names = entries.filter_map(|entry| name_of(entry.ok()?.file_name().to_str()?).map(str::to_owned));
        let mut names: Vec<String> = names.take(MOST_SEEN).collect();
        names.sort_unstable();
        self.watched.retain(|watched| names.contains(&watched.name));
        self.is_shared = false;
        let mut ended = Vec::new();
        for name in names {
            let is_own = name == self.name;
            // Its own are those of a filter with the same number, as long as nothing has been written.
            if ended.len() < MOST_AT_ONCE
                && if is_own { self.journal.is_none() } else { self.has_ended(&name, now) }
            {
                ended.push(LeftBehind {
                    state: read_text(&self.state_path(&name), MAX_STATE_BYTES),
                    journal: read_bytes(&self.path(&name, JOURNAL), MAX_JOURNAL_BYTES).unwrap_or_default(),
                    name,
                });
            }
        }
        ended
    }

    /// The state of every filter that has one here but this.
    pub(crate) fn other_states(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.directory) else { return Vec::new() };
        let names = entries.filter_map(|entry| name_of(entry.ok()?.file_name().to_str()?).map(str::to_owned));
        let others = names.take(MOST_SEEN).filter(|name| *name != self.name);
        others.filter_map(|name| read_text(&self.state_path(&name), MAX_STATE_BYTES).ok()).collect()
    }

    fn has_ended(&mut self, name: &str, now: Now) -> bool {
        let journal = read_bytes(&self.path(name, JOURNAL), HEADER_BYTES).unwrap_or_default();
        let said = Journal(&journal).header();
        // A filter of a version without journals is not of this version, and so not of this process.
        if name.is_empty() || said.is_some_and(|said| now.since(said.alive).is_some_and(|age| age >= SILENT))
        {
            return true;
        }
        match self.watched.iter_mut().find(|watched| watched.name == name) {
            None => {
                self.watched.push(Watched { name: name.to_owned(), said, since: now });
                false
            }
            Some(watched) if watched.said != said => {
                (watched.said, watched.since) = (said, now);
                self.is_shared = true;
                false
            }
            // A clock that went back says nothing about how long it was.
            Some(watched) => now.since(watched.since).is_none_or(|watched| watched >= SILENT),
        }
    }

    /// Removes what a filter has left; whether it is gone.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        // The journal says nothing without its state.
        [self.state_path(name), self.path(name, JOURNAL)].iter().all(|path| match fs::remove_file(path) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        })
    }

    /// Writes this filter's state.
    ///
    /// # Errors
    /// As the host's file system has them.
    pub(crate) fn save(&mut self, state: &str) -> io::Result<()> {
        write_whole(&self.state_path(&self.name), state.as_bytes())
    }

    /// Writes into this filter's journal, which is there from the first write on.
    ///
    /// # Errors
    /// As the host's file system has them.
    pub(crate) fn write(&mut self, write: &JournalWrite) -> io::Result<()> {
        let journal = match &self.journal {
            Some(journal) => journal,
            None => {
                let path = self.path(&self.name, JOURNAL);
                let new = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
                self.journal.insert(new)
            }
        };
        write_at(journal, &write.bytes, write.offset)
    }

    /// Whether there is a journal to write into.
    pub(crate) fn has_journal(&self) -> bool {
        self.journal.is_some()
    }

    /// Gives the journal up: it could not be written, and what stands in it may be older than the state.
    pub(crate) fn give_journal_up(&mut self) {
        self.journal = None;
        let _ = fs::remove_file(self.path(&self.name, JOURNAL));
    }

    /// Removes this filter's own files: its state is kept elsewhere now, or nowhere.
    pub(crate) fn clear(&mut self) {
        self.journal = None;
        let name = self.name.clone();
        self.remove(&name);
    }

    fn path(&self, name: &str, ending: &str) -> PathBuf {
        self.directory.join(if name.is_empty() {
            format!("state{ending}")
        } else {
            format!("state-{name}{ending}")
        })
    }
}

/// The name of the filter that a state is of, by the name of its file.
fn name_of(file: &str) -> Option<&str> {
    let name = file.strip_prefix("state")?.strip_suffix(STATE)?;
    let is_hex = |name: &&str| name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if name.is_empty() { Some(name) } else { name.strip_prefix('-').filter(is_hex) }
}

const STATE: &str = ".ndjson";
const JOURNAL: &str = ".journal";
/// How long a filter that lives is silent at the most.
const SILENT: Duration = Duration::from_secs(3);
/// Largest saved state: what budgets with all keys that there can be take.
const MAX_STATE_BYTES: u64 = 16 << 20;
/// Largest journal: a place for each row that there can be.
const MAX_JOURNAL_BYTES: u64 = 1 << 20;
const HEADER_BYTES: u64 = nodesieve_engine::engine::SLOT as u64;
/// Filters that are looked at, and those that are taken over at once: the rest has its turn later.
const MOST_SEEN: usize = 256;
const MOST_AT_ONCE: usize = 4;
