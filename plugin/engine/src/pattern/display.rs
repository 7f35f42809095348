//! A pattern printed so that it reads back as itself.

use crate::pattern::Pattern;
use crate::pattern::parse::is_bare;
use crate::pattern::terms::Sign;
use std::fmt;

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (sign, term)) in self.terms.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            match sign {
                Sign::Plain => {}
                Sign::Excluded => f.write_str("-")?,
                Sign::Optional => f.write_str("?")?,
            }
            if term.chars().all(is_bare) {
                f.write_str(term)?;
            } else {
                write!(f, "\"{}\"", term.replace('\\', "\\\\").replace('"', "\\\""))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_printed_reads_back(text in "[-?a1 _.\"\\\\é:]{0,16}") {
            if let Ok(pattern) = Pattern::parse(&text) {
                prop_assert_eq!(Pattern::parse(&pattern.to_string()).unwrap(), pattern);
            }
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC{0,40}") {
            let _ = Pattern::parse(&text).map(|pattern| pattern.warnings(&text));
        }
    }
}
