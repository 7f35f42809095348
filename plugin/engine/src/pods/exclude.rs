//! Which streams of a container its pod's annotations exclude.
//!
//! Source of the names: Fluent Bit 5.1.1, plugins/filter_kubernetes/kube_property.c:
//! `fluentbit.io/exclude[_stdout|_stderr][-<container>]`, excluding when the value is `true`, `on` or `yes` in any case.
//! Where several apply, the one for this container decides, and among those the one for this stream; in the built-in
//! filter their order in the document does. Its container name is compared whole here.

use crate::pods::Pairs;

/// What is excluded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Excluded {
    /// Records of stdout.
    pub stdout: bool,
    /// Records of stderr.
    pub stderr: bool,
}

impl Excluded {
    /// What the annotations of a pod exclude of one of its containers.
    pub fn by(annotations: &Pairs, container: &str) -> Excluded {
        let mut found = [(0, false); 2];
        for (key, value) in &annotations.0 {
            let Some(rest) = key.strip_prefix("fluentbit.io/exclude") else { continue };
            let (stream, name) = match rest.split_once('-') {
                Some((stream, name)) => (stream, Some(name)),
                None => (rest, None),
            };
            let streams: &[usize] = match stream {
                "" => &[0, 1],
                "_stdout" => &[0],
                "_stderr" => &[1],
                _ => continue,
            };
            if name.is_some_and(|name| name != container) {
                continue;
            }
            let rank = match (name.is_some(), streams.len()) {
                (false, 2) => 1,
                (false, _) => 2,
                (true, 2) => 3,
                (true, _) => 4,
            };
            let is_excluded = ["true", "on", "yes"].iter().any(|word| value.eq_ignore_ascii_case(word));
            for stream in streams {
                if let Some(best) = found.get_mut(*stream)
                    && rank > best.0
                {
                    *best = (rank, is_excluded);
                }
            }
        }
        let [(_, stdout), (_, stderr)] = found;
        Excluded { stdout, stderr }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(annotations: &[(&str, &str)], stdout: bool, stderr: bool) {
        for reversed in [false, true] {
            let mut pairs: Vec<(String, String)> = annotations
                .iter()
                .map(|(key, value)| (format!("fluentbit.io/{key}"), (*value).to_owned()))
                .collect();
            if reversed {
                pairs.reverse();
            }
            let found = Excluded::by(&Pairs(pairs), "app");
            assert_eq!(found, Excluded { stdout, stderr }, "{annotations:?}");
        }
    }

    #[test]
    fn a_word_excludes_all_or_one_stream() {
        check(&[], false, false);
        check(&[("exclude", "true")], true, true);
        check(&[("exclude", "YES")], true, true);
        check(&[("exclude", "1")], false, false);
        check(&[("exclude_stderr", "on")], false, true);
        check(
            &[("parser", "true"), ("exclude_x", "true"), ("excluded", "true"), ("exclude_", "true")],
            false,
            false,
        );
    }

    #[test]
    fn the_nearest_annotation_decides_in_whatever_order() {
        check(&[("exclude", "true"), ("exclude-app", "false")], false, false);
        check(&[("exclude-app", "true")], true, true);
        check(&[("exclude-ap", "true"), ("exclude-apps", "true"), ("exclude-", "true")], false, false);
        check(&[("exclude", "false"), ("exclude_stdout", "true")], true, false);
        check(&[("exclude_stdout", "true"), ("exclude-app", "false")], false, false);
        check(&[("exclude-app", "false"), ("exclude_stdout-app", "true")], true, false);
    }
}
