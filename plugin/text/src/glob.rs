//! Globs over Kubernetes names: `*` is any run of characters, `?` is one; everything else is itself.
//!
//! Compiled once at load, matched in linear time for the usual shapes and in `O(text * stars)` at worst, without
//! recursion.

/// One or more globs; a name matches when any of them does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Globs(Vec<Glob>);

impl Globs {
    /// Globs from their texts; an empty list matches nothing.
    pub fn new(texts: impl IntoIterator<Item = impl Into<String>>) -> Globs {
        Globs(texts.into_iter().map(|text| Glob(text.into())).collect())
    }

    /// The globs as written.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|glob| glob.0.as_str())
    }

    /// Whether any of the globs matches the whole of `name`.
    pub fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|glob| glob.matches(name))
    }
}

/// One glob.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Glob(String);

impl Glob {
    /// Whether the glob matches the whole of `name`.
    fn matches(&self, name: &str) -> bool {
        let (glob, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut at_glob, mut at_name) = (0usize, 0usize);
        // Where to go on when the text after the last `*` does not fit: one more byte goes to the star.
        let mut retry: Option<(usize, usize)> = None;
        while let Some(&byte) = name.get(at_name) {
            match glob.get(at_glob) {
                Some(b'*') => {
                    retry = Some((at_glob.wrapping_add(1), at_name.wrapping_add(1)));
                    at_glob = at_glob.wrapping_add(1);
                }
                Some(&wanted) if wanted == b'?' || wanted == byte => {
                    at_glob = at_glob.wrapping_add(1);
                    at_name = at_name.wrapping_add(1);
                }
                _ => match retry {
                    Some((glob_again, name_again)) => {
                        at_glob = glob_again;
                        at_name = name_again;
                        retry = Some((glob_again, name_again.wrapping_add(1)));
                    }
                    None => return false,
                },
            }
        }
        glob.get(at_glob..).is_some_and(|rest| rest.iter().all(|&byte| byte == b'*'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The reference: the textbook recursion.
    fn slow(glob: &[u8], name: &[u8]) -> bool {
        match (glob.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => slow(rest, name) || (!name.is_empty() && slow(glob, &name[1..])),
            (Some((b'?', glob)), Some((_, name))) => slow(glob, name),
            (Some((a, glob)), Some((b, name))) => a == b && slow(glob, name),
            _ => false,
        }
    }

    #[test]
    fn matches_whole_names_only() {
        let globs = Globs::new(["shop-*", "api"]);
        assert!(globs.matches("shop-eu") && globs.matches("shop-") && globs.matches("api"));
        assert!(!globs.matches("shop") && !globs.matches("api2") && !globs.matches("my-shop-eu"));
        assert!(Globs::new(["web-?"]).matches("web-1") && !Globs::new(["web-?"]).matches("web-10"));
        assert!(!Globs::new(Vec::<String>::new()).matches(""));
    }

    proptest! {
        #[test]
        fn agrees_with_the_textbook_recursion(glob in "[ab*?]{0,8}", name in "[ab]{0,10}") {
            prop_assert_eq!(Globs::new([glob.clone()]).matches(&name), slow(glob.as_bytes(), name.as_bytes()));
        }
    }
}
