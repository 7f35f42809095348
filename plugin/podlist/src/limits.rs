//! What of a list of pods is taken. Apart from the other settings, because it is all that a projection needs to know.

use nodesieve_engine::glob::Globs;
use nodesieve_engine::pods::MAX_FILE_BYTES;

/// What of a list is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest list, in bytes.
    pub max_list: u64,
    /// Which labels.
    pub labels: KeyFilter,
    /// Which annotations.
    pub annotations: KeyFilter,
    /// The longest label or annotation, in bytes.
    pub max_value: u64,
    /// Labels and annotations of one pod together, in bytes: beyond that its longest annotations go, then its longest labels.
    pub max_pod: u64,
    /// All pods together, in bytes as they are held and as their files have: beyond that pods have less room each, in halves of
    /// [`Limits::max_pod`], and pods that have no room without labels and annotations either are left out.
    pub max_total: u64,
}

/// Keys of labels or annotations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFilter {
    /// These.
    pub allow: Globs,
    /// But not these.
    pub deny: Globs,
}

impl Default for Limits {
    /// All of it, but the annotation that holds a whole manifest. The sidecar hands on fewer annotations by default, and has room for
    /// less.
    fn default() -> Limits {
        let everything = || Globs::new(["*"]);
        Limits {
            max_list: 64 << 20,
            labels: KeyFilter { allow: everything(), deny: Globs::new([""; 0]) },
            annotations: KeyFilter {
                allow: everything(),
                deny: Globs::new(["kubectl.kubernetes.io/last-applied-configuration"]),
            },
            max_value: 16 << 10,
            max_pod: MAX_FILE_BYTES as u64,
            max_total: 1 << 30,
        }
    }
}

impl KeyFilter {
    pub(crate) fn wants(&self, key: &str) -> bool {
        self.allow.matches(key) && !self.deny.matches(key)
    }
}

/// What was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Items that are not a pod with a usable name, and pods for which there is no room.
    pub skipped: u64,
    /// Pods that lost labels or annotations, because they have too many.
    pub shortened: u64,
    /// Labels and annotations that are no strings or longer than [`Limits::max_value`].
    pub omitted: u64,
}
