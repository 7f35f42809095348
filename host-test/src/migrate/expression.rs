//! Expressions of Fluent Bit (Onigmo, as Ruby has them) to those of filter patterns, which have no groups.
//!
//! The rule it keeps: what is translated matches in the same texts; what cannot be is refused with the reason, and nothing is guessed.

/// An expression for a pattern, as alternatives, each with a text that it matches where one is easily found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expression {
    branches: Vec<String>,
    sample: Option<String>,
}

impl Expression {
    /// Translates one.
    ///
    /// # Errors
    /// What of it cannot be said, for a person.
    pub(super) fn translate(text: &str) -> Result<Expression, String> {
        // Fluent Bit takes `/.../` and letters behind it for an expression with options.
        let text = match text.strip_prefix('/').and_then(|rest| rest.rsplit_once('/')) {
            Some((inner, "" | "m" | "o")) => inner,
            Some((_, options)) if options.chars().all(|c| "imxo".contains(c)) => {
                return Err(format!("its options `{options}`"));
            }
            _ => text,
        };
        let mut walk = Walk { rest: text };
        let branches = walk.alternatives()?;
        if !walk.rest.is_empty() {
            return Err("a parenthesis that nothing opens".to_owned());
        }
        let sample = branches.first().and_then(|branch| branch.sample.clone());
        Ok(Expression { branches: branches.into_iter().map(|branch| branch.text).collect(), sample })
    }

    /// It, between percent signs.
    pub(super) fn pattern(&self) -> String {
        format!("%{}%", self.branches.join("|"))
    }

    /// A text that it matches.
    pub(super) fn sample(&self) -> Option<&str> {
        self.sample.as_deref()
    }
}

/// A way to match, and a text for it.
#[derive(Clone, Debug)]
struct Branch {
    text: String,
    sample: Option<String>,
}

struct Walk<'t> {
    rest: &'t str,
}

impl Walk<'_> {
    fn alternatives(&mut self) -> Result<Vec<Branch>, String> {
        let mut all = self.sequence()?;
        while self.take('|') {
            all.extend(self.sequence()?);
            enough(&all)?;
        }
        Ok(all)
    }

    fn sequence(&mut self) -> Result<Vec<Branch>, String> {
        let mut all = vec![Branch { text: String::new(), sample: Some(String::new()) }];
        while let Some(next) = self.rest.chars().next()
            && next != '|'
            && next != ')'
        {
            let ways = if next == '(' { self.group()? } else { vec![self.atom()?] };
            let joined = all.iter().flat_map(|before| {
                ways.iter().map(move |way| Branch {
                    text: format!("{}{}", before.text, way.text),
                    sample: before.sample.as_ref().zip(way.sample.as_ref()).map(|(a, b)| format!("{a}{b}")),
                })
            });
            all = joined.collect();
            enough(&all)?;
        }
        Ok(all)
    }

    /// A group is written out: without groups, `(GET|HEAD) x` is `GET x|HEAD x`.
    fn group(&mut self) -> Result<Vec<Branch>, String> {
        self.bump();
        if self.take('?') {
            let is_plain = self.take(':');
            let is_named = !is_plain
                && self.rest.starts_with('<')
                && !self.rest.starts_with("<=")
                && !self.rest.starts_with("<!");
            if is_named {
                let (_, behind) = self.rest.split_once('>').ok_or("a group without an end")?;
                self.rest = behind;
            } else if !is_plain {
                return Err(format!("`(?{}`", self.rest.chars().next().unwrap_or_default()));
            }
        }
        let inner = self.alternatives()?;
        if !self.take(')') {
            return Err("a group without an end".to_owned());
        }
        match self.rest.chars().next() {
            Some('?') => {
                self.bump();
                let nothing = Branch { text: String::new(), sample: Some(String::new()) };
                Ok([inner, vec![nothing]].concat())
            }
            Some(sign @ ('*' | '+')) => Err(format!("a group that repeats (`{sign}`)")),
            Some('{') if self.counts() => Err("a group that repeats (`{`)".to_owned()),
            _ => Ok(inner),
        }
    }

    fn atom(&mut self) -> Result<Branch, String> {
        let next = self.bump().unwrap_or_default();
        let (text, sample) = match next {
            '^' => return Ok(Branch { text: "^".into(), sample: Some(String::new()) }),
            // Before a newline at the end too.
            '$' => return Ok(Branch { text: "\\x0a?$".into(), sample: Some(String::new()) }),
            '.' => (".".to_owned(), Some('x')),
            '[' => self.class()?,
            '\\' => self.escape()?,
            '*' | '+' | '?' => return Err(format!("`{next}` with nothing to repeat")),
            other => (literal(other)?, Some(other)),
        };
        let (times, sample) = self.times(sample)?;
        Ok(Branch { text: format!("{text}{times}"), sample })
    }

    fn times(&mut self, sample: Option<char>) -> Result<(String, Option<String>), String> {
        let once = sample.map(String::from);
        let (times, sample) = match self.rest.chars().next() {
            Some('*') => ("*".to_owned(), Some(String::new())),
            Some('+') => ("+".to_owned(), once),
            Some('?') => ("?".to_owned(), Some(String::new())),
            Some('{') if self.counts() => {
                let (counts, _) = self.rest.split_once('}').unwrap_or_default();
                let least: usize = counts
                    .trim_start_matches('{')
                    .split(',')
                    .next()
                    .and_then(|n| n.parse().ok())
                    .unwrap_or(0);
                (format!("{counts}}}"), once.map(|one| one.repeat(least)))
            }
            _ => return Ok((String::new(), once)),
        };
        self.rest = self.rest.get(times.len()..).unwrap_or_default();
        // A lazy one matches in the same texts, a possessive one does not.
        if self.take('?') || !self.rest.starts_with('+') {
            return Ok((times, sample));
        }
        Err("a possessive repetition".to_owned())
    }

    /// Whether `{2}`, `{2,}`, `{,3}` or `{2,3}` stands here, and not a brace.
    fn counts(&self) -> bool {
        let Some((inner, _)) = self.rest.get(1..).and_then(|rest| rest.split_once('}')) else { return false };
        inner.chars().all(|c| c.is_ascii_digit() || c == ',') && inner.chars().any(|c| c.is_ascii_digit())
    }

    fn escape(&mut self) -> Result<(String, Option<char>), String> {
        match self.bump() {
            None => Err("a backslash at the end".to_owned()),
            Some(class @ ('d' | 'D' | 's' | 'S' | 'w' | 'W')) => {
                let sample = match class {
                    'd' => '7',
                    's' => ' ',
                    'w' => 'w',
                    _ => '-',
                };
                Ok((format!("\\{class}"), Some(sample)))
            }
            Some('n') => Ok(("\\x0a".into(), Some('\n'))),
            Some('t') => Ok(("\\x09".into(), Some('\t'))),
            Some('r') => Ok(("\\x0d".into(), Some('\r'))),
            Some(other) if other.is_ascii_punctuation() || other == ' ' => Ok((literal(other)?, Some(other))),
            Some(other) => Err(format!("`\\{other}`")),
        }
    }

    /// Behind `[`.
    fn class(&mut self) -> Result<(String, Option<char>), String> {
        let mut text = "[".to_owned();
        let negated = self.take('^');
        if negated {
            text.push('^');
        }
        let (mut sample, mut is_first) = (None, true);
        loop {
            let next = self.bump().ok_or("a class without an end")?;
            let (part, one) = match next {
                ']' if !is_first => break,
                '[' => return Err("a class in a class".to_owned()),
                '&' if self.rest.starts_with('&') => return Err("an intersection of classes".to_owned()),
                '-' => ("-".to_owned(), Some('-')),
                '\\' => self.escape()?,
                other => (literal(other)?, Some(other)),
            };
            is_first = false;
            sample = sample.or(one);
            text.push_str(&part);
        }
        text.push(']');
        // What a negated class takes is not looked for.
        Ok((text, sample.filter(|_| !negated)))
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = self.rest.get(next.len_utf8()..).unwrap_or_default();
        Some(next)
    }

    fn take(&mut self, expected: char) -> bool {
        let is_there = self.rest.starts_with(expected);
        if is_there {
            self.bump();
        }
        is_there
    }
}

/// A character that stands for itself, by its number where it would mean something.
fn literal(character: char) -> Result<String, String> {
    match character {
        'a'..='z'
        | 'A'..='Z'
        | '0'..='9'
        | ' '
        | '_'
        | '/'
        | ':'
        | ';'
        | ','
        | '='
        | '<'
        | '>'
        | '@'
        | '~'
        | '!'
        | '#' => Ok(character.to_string()),
        other if other.is_ascii() => Ok(format!("\\x{:02x}", u32::from(other))),
        other => Err(format!("`{other}`, which is not ASCII")),
    }
}

fn enough(branches: &[Branch]) -> Result<(), String> {
    if branches.len() > 64 {
        Err("more than 64 alternatives once its groups are written out".to_owned())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::event_matches;
    use nodesieve_engine::pattern::Pattern;

    #[test]
    fn what_can_be_said_is_said_without_groups() {
        for (from, to, sample) in [
            ("error", "%error%", "error"),
            ("GET /healthz", "%GET /healthz%", "GET /healthz"),
            ("^(GET|HEAD) x", "%^GET x|^HEAD x%", "GET x"),
            ("a(b|c)?d", "%abd|acd|ad%", "abd"),
            ("(?:a)(?<n>b)", "%ab%", "ab"),
            (r"kube-system|a\.b", r"%kube\x2dsystem|a\x2eb%", "kube-system"),
            (r"^\d{1,3}\s+x$", r"%^\d{1,3}\s+x\x0a?$%", "7 x"),
            (r"[a-c_%]*\(", r"%[a-c_\x25]*\x28%", "("),
            ("/error/", "%error%", "error"),
            (r#"{"a": ?1"#, r"%\x7b\x22a\x22: ?1%", r#"{"a":1"#),
        ] {
            let found = Expression::translate(from).unwrap();
            assert_eq!((found.pattern().as_str(), found.sample()), (to, Some(sample)), "{from}");
            let pattern = Pattern::parse(to).unwrap_or_else(|error| panic!("{to}: {error}"));
            assert!(event_matches(&pattern, sample), "{to} in {sample}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (from, reason) in [
            ("(?i)error", "`(?i`"),
            ("/error/i", "its options `i`"),
            ("(?=a)", "`(?=`"),
            ("(?<!a)b", "`(?<`"),
            ("(ab)+", "a group that repeats (`+`)"),
            ("(ab){2}", "a group that repeats (`{`)"),
            (r"\bx", "`\\b`"),
            ("[[:alpha:]]", "a class in a class"),
            ("[a&&b]", "an intersection of classes"),
            ("a++", "a possessive repetition"),
            ("é", "`é`, which is not ASCII"),
            ("a)", "a parenthesis that nothing opens"),
            ("(a", "a group without an end"),
        ] {
            assert_eq!(Expression::translate(from).unwrap_err(), reason, "{from}");
        }
    }
}
