//! Conditions joined by `&&` and `||`, without recursion: neither reading nor asking nor printing them needs stack.
//!
//! The tree is kept flat. Between each two neighbours stands a joint with its *level*: the joint with the lowest level is
//! the outermost. Even levels are `||`, odd ones `&&`; each pair of parentheses adds two, so that half a level is its
//! depth in parentheses. From the levels follows for each condition which one is asked next.

use std::fmt;

/// Conditions of type `C` with their joints. There is at least one condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Logic<C> {
    conditions: Vec<Joint<C>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Joint<C> {
    condition: C,
    /// The joint behind it; `None` behind the last.
    level: Option<u8>,
    if_true: Next,
    if_false: Next,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Ask(u16),
    Answer(bool),
}

/// Whether something holds, if that can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// It depends on what is not known.
    Unknown,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Truth {
        if holds { Truth::Yes } else { Truth::No }
    }
}

impl<C> Logic<C> {
    /// Joins conditions; `levels` are the joints between them as written, one less than there are conditions.
    pub(super) fn new(conditions: Vec<C>, levels: Vec<u8>) -> Logic<C> {
        let levels = canonical(&levels);
        let count = conditions.len();
        let asked = conditions.into_iter().enumerate().map(|(at, condition)| Joint {
            condition,
            level: levels.get(at).copied(),
            if_true: next(&levels, at, true, count),
            if_false: next(&levels, at, false, count),
        });
        Logic { conditions: asked.collect() }
    }

    /// Whether they hold; asks only as many as it takes.
    #[inline]
    pub(super) fn holds<'l>(&'l self, mut ask: impl FnMut(&'l C) -> bool) -> bool {
        let mut at = 0u16;
        while let Some(asked) = self.conditions.get(usize::from(at)) {
            match if ask(&asked.condition) { asked.if_true } else { asked.if_false } {
                // Always a later one, so this ends.
                Next::Ask(next) => at = next,
                Next::Answer(answer) => return answer,
            }
        }
        false
    }

    /// The same when some cannot be known: known only if it is the same whatever those were.
    pub(super) fn truth(&self, mut ask: impl FnMut(&C) -> Truth) -> Truth {
        let mut is_open = false;
        let at_least = self.holds(|condition| {
            let truth = ask(condition);
            is_open |= truth == Truth::Unknown;
            truth == Truth::Yes
        });
        // There is no negation: what holds with every unknown taken for false holds in any case.
        match (at_least, is_open) {
            (true, _) => Truth::Yes,
            (false, false) => Truth::No,
            (false, true) if self.holds(|condition| ask(condition) != Truth::No) => Truth::Unknown,
            (false, true) => Truth::No,
        }
    }

    /// The conditions in the order written.
    pub(super) fn iter(&self) -> impl Iterator<Item = &C> {
        self.conditions.iter().map(|asked| &asked.condition)
    }

    /// Whether all conditions must hold.
    pub(super) fn is_conjunction(&self) -> bool {
        self.conditions.iter().all(|asked| asked.level.is_none_or(is_and))
    }
}

impl<C: fmt::Display> fmt::Display for Logic<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut depth = 0u8;
        for asked in &self.conditions {
            let next = asked.level.map_or(0, |level| level / 2);
            (depth..next).try_for_each(|_| f.write_str("("))?;
            write!(f, "{}", asked.condition)?;
            (next..depth).try_for_each(|_| f.write_str(")"))?;
            depth = next;
            if let Some(level) = asked.level {
                f.write_str(if is_and(level) { " && " } else { " || " })?;
            }
        }
        Ok(())
    }
}

fn is_and(level: u8) -> bool {
    level % 2 == 1
}

/// The lowest levels that mean the same: parentheses around what binds as tightly without them are gone.
fn canonical(levels: &[u8]) -> Vec<u8> {
    let mut canonical = vec![0u8; levels.len()];
    let mut ranges = vec![(0usize, levels.len(), None::<u8>)];
    while let Some((from, to, outer)) = ranges.pop() {
        let inside = || levels.iter().enumerate().take(to).skip(from);
        let Some(lowest) = inside().map(|(_, level)| *level).min() else { continue };
        let level = match outer {
            None => lowest % 2,
            Some(outer) if is_and(outer) == is_and(lowest) => outer,
            Some(outer) => outer.saturating_add(1),
        };
        let mut start = from;
        for (at, _) in inside().filter(|(_, found)| **found == lowest) {
            if let Some(slot) = canonical.get_mut(at) {
                *slot = level;
            }
            ranges.push((start, at, Some(level)));
            start = at.wrapping_add(1);
        }
        if start > from {
            ranges.push((start, to, Some(level)));
        }
    }
    canonical
}

/// What is asked behind condition `at` when it is `value`: joints outwards from it are passed as long as they do not
/// change the value.
fn next(levels: &[u8], at: usize, value: bool, count: usize) -> Next {
    let mut innermost = u8::MAX;
    for (joint, &level) in levels.iter().enumerate().skip(at) {
        if level > innermost {
            continue;
        }
        innermost = level;
        // `true &&` and `false ||` need what follows.
        if is_and(level) == value {
            let next = joint.wrapping_add(1).min(count);
            return u16::try_from(next).map_or(Next::Answer(false), Next::Ask);
        }
    }
    Next::Answer(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A tree as a person would write it.
    #[derive(Clone, Debug)]
    enum Tree {
        Leaf(usize),
        All(Vec<Tree>),
        Any(Vec<Tree>),
    }

    impl Tree {
        fn truth(&self, truths: &[Truth]) -> Truth {
            let fold = |list: &[Tree], decisive: Truth, other: Truth| {
                let answers: Vec<_> = list.iter().map(|tree| tree.truth(truths)).collect();
                if answers.contains(&decisive) {
                    decisive
                } else if answers.contains(&Truth::Unknown) {
                    Truth::Unknown
                } else {
                    other
                }
            };
            match self {
                Tree::Leaf(at) => truths[*at],
                Tree::All(list) => fold(list, Truth::No, Truth::Yes),
                Tree::Any(list) => fold(list, Truth::Yes, Truth::No),
            }
        }

        /// Fully parenthesised, so that every level is as written.
        fn flatten(&self, depth: u8, leaves: &mut Vec<usize>, levels: &mut Vec<u8>) {
            let (list, kind) = match self {
                Tree::Leaf(at) => return leaves.push(*at),
                Tree::All(list) => (list, 1),
                Tree::Any(list) => (list, 0),
            };
            for (index, tree) in list.iter().enumerate() {
                if index > 0 {
                    levels.push(depth * 2 + kind);
                }
                tree.flatten(depth + 1, leaves, levels);
            }
        }
    }

    fn tree() -> impl Strategy<Value = Tree> {
        (0usize..8).prop_map(Tree::Leaf).prop_recursive(4, 24, 4, |inner| {
            let list = prop::collection::vec(inner, 1..4);
            prop_oneof![list.clone().prop_map(Tree::All), list.prop_map(Tree::Any)]
        })
    }

    fn truth() -> impl Strategy<Value = Truth> {
        prop_oneof![Just(Truth::Yes), Just(Truth::No), Just(Truth::Unknown)]
    }

    proptest! {
        #[test]
        fn means_what_the_tree_means(tree in tree(), truths in prop::collection::vec(truth(), 8)) {
            let (mut leaves, mut levels) = (Vec::new(), Vec::new());
            tree.flatten(0, &mut leaves, &mut levels);
            let logic = Logic::new(leaves, levels);
            prop_assert_eq!(logic.truth(|leaf| truths[*leaf]), tree.truth(&truths), "{}", logic);
        }
    }

    #[test]
    fn prints_only_the_parentheses_it_needs() {
        let print = |levels: &[u8]| {
            let names = ["a", "b", "c", "d"].into_iter().take(levels.len() + 1);
            Logic::new(names.collect(), levels.to_vec()).to_string()
        };
        assert_eq!(print(&[0, 1]), "a || b && c");
        assert_eq!(print(&[2, 1]), "(a || b) && c");
        assert_eq!(print(&[2, 1, 2]), "(a || b) && (c || d)");
        assert_eq!(print(&[1, 3, 5]), "a && b && c && d");
        assert_eq!(print(&[0, 3]), "a || b && c");
        assert_eq!(print(&[1, 2, 5]), "a && (b || c && d)");
        assert_eq!(print(&[4]), "a || b");
    }
}
