//! What of a list of pods is taken. Apart from the other settings, because it is all that a projection needs to know.

use nodesieve_engine::glob::Globs;

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
    /// All of it, but the annotation that holds a whole manifest. The sidecar hands on fewer annotations by default.
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
        }
    }
}
