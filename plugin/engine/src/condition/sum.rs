//! The enum of all conditions, made from the list in `condition/mod.rs`: whatever is asked of a condition is asked of each type
//! in it, so that a forgotten case does not compile.

/// The sum of all conditions: `Key(Type)`, one a line.
macro_rules! conditions {
    ($($variant:ident($test:ty)),+ $(,)?) => {
        /// A condition.
        #[derive(Clone, Debug, PartialEq)]
        #[expect(missing_docs, reason = "each variant is the condition of its type")]
        pub enum Condition {
            $($variant($test)),+
        }

        impl Condition {
            /// The keys of all conditions.
            pub const KEYS: [&'static str; [$(<$test as RecordTest>::KEY),+].len()] =
                [$(<$test as RecordTest>::KEY),+];

            /// Its key in rule files.
            pub fn key(&self) -> &'static str {
                match self {
                    $(Condition::$variant(_) => <$test as RecordTest>::KEY),+
                }
            }

            fn read(key: &str, written: &WrittenCondition<'_>, mistakes: &mut Mistakes) -> Option<Condition> {
                match key {
                    $(<$test as RecordTest>::KEY => {
                        <$test as RecordTest>::read(written, mistakes).map(Condition::$variant)
                    })+
                    _ => None,
                }
            }

            fn asks(&self) -> Asks {
                match self {
                    $(Condition::$variant(test) => test.asks()),+
                }
            }

            /// Whether a record meets it.
            #[inline]
            fn met(&self, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Truth {
                match self {
                    $(Condition::$variant(test) => decide(test, facts, metadata)),+
                }
            }

            /// Whether a tag meets it; what asks for more than the tag is not decided here.
            fn is_met_by_tag(&self, container: Option<&ContainerTag<'_>>) -> bool {
                match self {
                    $(Condition::$variant(test) => test.is_met_by_tag(container)),+
                }
            }

            /// What the record has where the condition does not hold.
            pub(crate) fn found(&self, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Option<String> {
                match self {
                    $(Condition::$variant(test) => test.found(facts, metadata)),+
                }
            }

            fn needs(&self) -> Needs {
                match self {
                    $(Condition::$variant(test) => test.needs()),+
                }
            }

            fn shows(&self) -> Shows {
                match self {
                    $(Condition::$variant(test) => test.shows()),+
                }
            }

            #[inline]
            fn holds_for(&self, line: &Searched<'_>) -> bool {
                match self {
                    $(Condition::$variant(test) => test.holds_for(line)),+
                }
            }

            fn reaches_into(&self, key: &str) -> bool {
                match self {
                    $(Condition::$variant(test) => test.reaches_into(key)),+
                }
            }
        }
    };
}
