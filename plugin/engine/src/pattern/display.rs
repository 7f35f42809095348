//! A pattern printed so that it reads back as itself.

use crate::pattern::parse::is_bare;
use crate::pattern::terms::{TermSign, Terms};
use crate::pattern::value::write_quoted;
use crate::pattern::{Form, Pattern};
use std::fmt;

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.form {
            Form::Terms(terms) => terms.fmt(f),
            Form::Regex(regex) => write!(f, "%{}%", regex.source()),
            Form::Object(object) => object.fmt(f),
            Form::Fields(fields, _) => fields.fmt(f),
        }
    }
}

impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (sign, term)) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            match sign {
                TermSign::Plain => {}
                TermSign::Excluded => f.write_str("-")?,
                TermSign::Optional => f.write_str("?")?,
            }
            if term.chars().all(is_bare) { f.write_str(term)? } else { write_quoted(f, term)? }
        }
        Ok(())
    }
}
