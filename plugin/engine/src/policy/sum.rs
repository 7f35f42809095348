//! The enums of all policies, made from the list in `policy/mod.rs`: whatever is asked of a policy is asked of each type in it, so
//! that a forgotten case does not compile. Settings and state stand together ([`Active`]), so that no state can meet the
//! settings of another policy.

/// A policy's settings and what it remembers.
#[derive(Debug)]
pub(crate) struct Active<P: super::Decides> {
    settings: P,
    state: P::State,
}

/// The sums of all policies, from the names of their settings.
macro_rules! policies {
    ($($name:ident),+ $(,)?) => {
        /// What a rule decides, as read.
        #[derive(Clone, Debug, PartialEq)]
        #[expect(missing_docs, reason = "each variant is the policy of its settings")]
        pub enum Policy {
            $($name($name)),+
        }

        /// Which policy it is, without its settings: what a rule file names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant is the policy of the same name")]
        pub enum PolicyKind {
            $($name),+
        }

        impl PolicyKind {
            /// All of them, in the order in which they are listed for people.
            pub const ALL: [PolicyKind; [$(PolicyKind::$name),+].len()] = [$(PolicyKind::$name),+];

            /// Those that stand in this list of a rule file.
            pub fn of(role: Role) -> impl Iterator<Item = PolicyKind> {
                PolicyKind::ALL.into_iter().filter(move |kind| kind.role() == role)
            }

            /// The policy of a name.
            pub fn named(name: &str, role: Role) -> Option<PolicyKind> {
                PolicyKind::of(role).find(|kind| kind.name() == name)
            }

            /// Its name in rule files.
            pub const fn name(self) -> &'static str {
                match self {
                    $(PolicyKind::$name => <$name as Decides>::NAME),+
                }
            }

            /// In which list of a rule file it stands.
            pub const fn role(self) -> Role {
                match self {
                    $(PolicyKind::$name => <$name as Decides>::ROLE),+
                }
            }

            /// Reads its settings.
            pub(crate) fn read(self, node: &Node, mistakes: &mut Mistakes) -> Option<Policy> {
                match self {
                    $(PolicyKind::$name => <$name as Decides>::read(node, mistakes).map(Policy::$name)),+
                }
            }
        }

        impl Policy {
            /// Which policy it is.
            pub fn kind(&self) -> PolicyKind {
                match self {
                    $(Policy::$name(_) => PolicyKind::$name),+
                }
            }

            /// Whether what it decides counts as sampled.
            pub(crate) fn is_sampling(&self) -> bool {
                match self {
                    $(Policy::$name(_) => <$name as Decides>::IS_SAMPLING),+
                }
            }

            /// Whether a lift keeps what it would not: what it drops is a part of what it is about.
            pub(crate) fn may_be_lifted(&self) -> bool {
                match self {
                    $(Policy::$name(_) => <$name as Decides>::MAY_BE_LIFTED),+
                }
            }

            /// As [`Decides::CHARGES_UNKNOWN`].
            pub(crate) fn charges_unknown(&self) -> bool {
                match self {
                    $(Policy::$name(_) => <$name as Decides>::CHARGES_UNKNOWN),+
                }
            }

            /// As [`Decides::certain`].
            pub(crate) fn certain(&self, keys: &mut dyn KeySource) -> Option<Action> {
                match self {
                    $(Policy::$name(settings) => settings.certain(keys)),+
                }
            }

            /// As [`Decides::floor_by`].
            pub(crate) fn floor_by(&self) -> Option<&Key> {
                match self {
                    $(Policy::$name(settings) => settings.floor_by()),+
                }
            }

            /// As [`Decides::annotation`].
            pub(crate) fn annotation(&self, rule: &str) -> Option<Vec<u8>> {
                match self {
                    $(Policy::$name(settings) => settings.annotation(rule)),+
                }
            }

            /// As [`Decides::goes_on_as`].
            pub(crate) fn goes_on_as(&self, other: &Policy) -> bool {
                match (self, other) {
                    $((Policy::$name(settings), Policy::$name(others)) => settings.goes_on_as(others),)+
                    _ => false,
                }
            }

            /// The policy in force, with nothing decided yet.
            pub(crate) fn start(&self, most: usize) -> ActivePolicy {
                match self {
                    $(Policy::$name(settings) => ActivePolicy::$name(sum::Active::start(settings, most))),+
                }
            }
        }

        /// A policy in force.
        #[derive(Debug)]
        pub(crate) enum ActivePolicy {
            $($name(sum::Active<$name>)),+
        }

        impl ActivePolicy {
            /// As [`Decides::decide`].
            #[inline]
            pub(crate) fn decide(&mut self, asked: &mut Asked<'_>) -> Decision {
                match self {
                    $(ActivePolicy::$name(active) => active.decide(asked)),+
                }
            }

            /// As [`Decides::follow`].
            pub(crate) fn follow(
                &mut self,
                before: Decision,
                namespace: NamespaceId,
                bytes: u64,
                moment: &Moment,
            ) -> bool {
                match self {
                    $(ActivePolicy::$name(active) => active.follow(before, namespace, bytes, moment)),+
                }
            }

            /// As [`Decides::charge`].
            pub(crate) fn charge(&mut self, key: KeyId, bytes: u64) -> bool {
                match self {
                    $(ActivePolicy::$name(active) => active.charge(key, bytes)),+
                }
            }

            /// As [`Decides::spent`].
            pub(crate) fn spent(&self) -> Vec<Spent<'_>> {
                match self {
                    $(ActivePolicy::$name(active) => active.spent()),+
                }
            }

            /// As [`Decides::put_spent`].
            pub(crate) fn put_spent(&mut self, spent: Spent<'_>, capacity: &mut KeyCapacity) {
                match self {
                    $(ActivePolicy::$name(active) => active.put_spent(spent, capacity)),+
                }
            }
        }

        impl Tables for ActivePolicy {
            fn each(&mut self, take: &mut dyn FnMut(&mut dyn KeyTable)) {
                match self {
                    $(ActivePolicy::$name(active) => active.each(take)),+
                }
            }
        }
    };
}

use super::{Asked, Decides, Decision, KeyCapacity, KeyTable, Spent, Tables};
use crate::key::KeyId;
use crate::moment::Moment;
use crate::tag_names::NamespaceId;

impl<P: Decides> Active<P> {
    pub(super) fn start(settings: &P, most: usize) -> Active<P> {
        Active { settings: settings.clone(), state: settings.start(most) }
    }

    #[inline]
    pub(super) fn decide(&mut self, asked: &mut Asked<'_>) -> Decision {
        self.settings.decide(&mut self.state, asked)
    }

    pub(super) fn follow(
        &mut self,
        before: Decision,
        namespace: NamespaceId,
        bytes: u64,
        moment: &Moment,
    ) -> bool {
        self.settings.follow(&mut self.state, before, namespace, bytes, moment)
    }

    pub(super) fn charge(&mut self, key: KeyId, bytes: u64) -> bool {
        P::charge(&mut self.state, key, bytes)
    }

    pub(super) fn spent(&self) -> Vec<Spent<'_>> {
        P::spent(&self.state)
    }

    pub(super) fn put_spent(&mut self, spent: Spent<'_>, capacity: &mut KeyCapacity) {
        P::put_spent(&mut self.state, spent, capacity);
    }

    pub(super) fn each(&mut self, take: &mut dyn FnMut(&mut dyn KeyTable)) {
        self.state.each(take);
    }
}
