//! Bytes as a sequence of calls of a host: records of changing containers, ticks, clocks that jump, other rules, other pods, restarts.
//!
//! A line each, so that mutating text makes other sequences: `@1` or `@tag` is the tag of what follows, `~250` and `~-250` move the
//! clock by milliseconds, `<7200` makes what follows so many seconds late, `!2` puts other rules in force, `%3` other pods, `.` is a
//! tick, `*` a restart; any other line is a record. The rule it keeps: any bytes are a sequence, and never a long one.

use nodesieve_engine::pods::{Container, Pairs, PodFile, PodSource, Unavailable, Workload};

/// What is done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call<'d> {
    /// The tag of the records that follow.
    Tag(&'d [u8]),
    /// The clock moves by so many milliseconds.
    Clock(i64),
    /// How many seconds late the records that follow are.
    Late(u32),
    /// These rules come into force.
    Rules(usize),
    /// The pod files are those of this revision.
    Pods(usize),
    /// A tick.
    Tick,
    /// The filter ends and starts again.
    Restart,
    /// A record.
    Record(&'d [u8]),
}

/// The calls in these bytes.
pub fn calls(data: &[u8]) -> impl Iterator<Item = Call<'_>> {
    data.split(|byte| *byte == b'\n').take(MOST_CALLS).map(call)
}

fn call(line: &[u8]) -> Call<'_> {
    let Some((sign, rest)) = line.split_first() else { return Call::Tick };
    let number = || std::str::from_utf8(rest).ok()?.parse::<i64>().ok();
    let chosen = |length: usize| number().map(|at| (at.unsigned_abs() as usize) % length);
    match sign {
        b'@' => Call::Tag(
            chosen(TAGS.len()).map_or(rest, |at| TAGS.get(at).copied().unwrap_or_default().as_bytes()),
        ),
        b'~' => Call::Clock(number().unwrap_or(1000).clamp(-FARTHEST, FARTHEST)),
        b'<' => Call::Late(number().unwrap_or_default().clamp(0, 1 << 30) as u32),
        b'!' => Call::Rules(chosen(RULES.len()).unwrap_or_default()),
        b'%' => Call::Pods(chosen(POD_REVISIONS).unwrap_or_default()),
        b'.' => Call::Tick,
        b'*' => Call::Restart,
        _ => Call::Record(line),
    }
}

/// Where the clock of a sequence starts, in milliseconds since 1970: 2026-11-20T10:00:00Z.
pub const START: i64 = 1_795_168_800_000;

/// The clock after a move, which stays where records can say it.
pub fn moved(clock: i64, by: i64) -> i64 {
    clock.saturating_add(by).clamp(1000, 4_200_000_000_000)
}

/// The rule file of this number.
pub fn rules(index: usize) -> String {
    let rules = RULES.get(index).copied().unwrap_or_default();
    if rules.starts_with("enrich") || rules.starts_with("defaults") {
        return format!("version: 1\n{rules}\n");
    }
    format!("version: 1\nenrich: {{ fields: lean }}\ndefaults: {{ summary: 2s }}\n{rules}\n")
}

/// The pod files of a revision.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pods(pub usize);

/// The names of the files that there are in some revision.
pub const POD_FILES: [&str; 3] = ["shop_web-1.json", "shop_web-2.json", "batch_job-1.json"];

impl Pods {
    /// The content of a file.
    ///
    /// # Errors
    /// As [`PodSource::read`].
    pub fn content(self, name: &str) -> Result<Vec<u8>, Unavailable> {
        let Pods(revision) = self;
        let at = POD_FILES.iter().position(|known| *known == name).ok_or(Unavailable::Missing)?;
        let (namespace, pod) = name.trim_end_matches(".json").split_once('_').unwrap_or_default();
        let mut file = PodFile::new(namespace, pod);
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        file.labels = Some(Pairs(vec![pair("app", pod), pair("tier", "a \"b\"\n\u{e9}")]));
        file.annotations = Some(Pairs(vec![pair("note", "x"), pair("fluentbit.io/exclude_stdout", "true")]));
        file.containers.push(Container {
            name: "web".into(),
            id: "0a".into(),
            started: Some(START / 1000 - 30),
            ..Container::default()
        });
        match (revision, at) {
            (0, 0) | (3, _) => {}
            (0, _) | (4, _) => return Err(Unavailable::Missing),
            (1, 0) => return Ok(b"{\"version\":1,\"namespace\":\"shop\"".to_vec()),
            (1, 1) => return Err(Unavailable::Unreadable),
            (2, 0) => {
                file.labels =
                    Some(Pairs((0..1000).map(|n| pair(&format!("key-{n}"), &"v".repeat(60))).collect()))
            }
            _ => {
                file.annotations = None;
                file.workload = Some(Workload { kind: "Deployment".into(), name: "web".into() });
            }
        }
        file.encode().map_err(|_| Unavailable::Unreadable)
    }
}

impl PodSource for Pods {
    fn read(&mut self, name: &str, into: &mut Vec<u8>) -> Result<(), Unavailable> {
        into.extend_from_slice(&self.content(name)?);
        Ok(())
    }
}

/// How many revisions of pod files there are.
const POD_REVISIONS: usize = 6;

/// Tags of containers of several kinds, and others.
pub const TAGS: [&str; 6] = [
    "kube.var.log.containers.web-1_shop_web-0a.log",
    "kube.var.log.containers.web-2_shop_web-0b.log",
    "kube.var.log.containers.job-1_batch_job-0c.log",
    "kube.var.log.containers.web-1_shop_other-0d.log",
    "kube.var.log.containers.no-such-thing.log",
    "other.tag",
];

/// Rule files that go through every policy and kind of condition; those that bring a section `defaults` or `enrich` bring all.
pub const RULES: [&str; 25] = [
    "rules: [{ name: noise, when: { message: noise }, drop: {}, reason: test }, { name: half, sample: { rate: 1/2 } }]",
    "guards: [{ name: errors, when: { severity: '>=error' }, ceiling: { rate: 2/s, by: pod } }]\nrules: \
     [{ name: few, when: { namespace: shop }, limit: { rate: 1/s, burst: 3, by: container } }, { name: same, dedup: { window: 5s } }]",
    "rules: [{ name: wait, when: { message: noise }, drop: {}, reason: test, mode: shadow }, \
     { name: json, when: { message: '{ $.status = 500 }' }, keep: {} }, \
     { name: goal, target: { rate: 1/s, by: template }, floor: { per: 10s } }]",
    "rules: [{ name: batch, when: { namespace: batch }, drop: {}, reason: test }, \
     { name: rest, when: { labels: 'app=web-1' }, first: { n: 2, per: 5s, then: 1/3, by: pod } }]",
    "rules: [{ name: all, drop: {}, reason: test }]",
    "rules: [{ name: batch, when: { namespace: batch }, keep: {} }, { name: noise, when: { message: noise }, drop: {}, reason: test }]",
    "",
    "exclude_annotations: true",
    "exclude_annotations: true\nrules: [{ name: noise, when: { message: noise }, drop: {}, reason: test }, \
     { name: out, when: { stream: stderr }, keep: {} }]",
    "rules: [{ name: noise, when: { message: 'noise day' }, drop: {}, reason: test }, \
     { name: failed, when: { message: '{ $.status = 500 }' }, keep: {} }, \
     { name: bad, when: { message: '%bad$|Traceback%' }, drop: {}, reason: test }, \
     { name: quoted, when: { message: '\"a \\\"b\" \"level\"' }, sample: { rate: 1/2 } }, \
     { name: err, when: { stream: stderr, severity: '>=error' }, drop: {}, reason: test }, \
     { name: any, when: { message: '?failed ?noise' }, first: { n: 2, per: 5s } }]",
    "input: { max_record: 1024 }\nrules: [{ name: paid, budget: { spend: 2kB/day, by: $.u } }]",
    "input: { max_record: 1024 }\nrules: [{ name: soft, budget: { spend: 9kB/day, by: pod, soft: 0.1, \
     over: { rate: 1/s, by: $.u, interval: 1s } }, floor: { per: 5s } }]",
    "defaults: { summary: 2s, annotate: false, max_keys: 2, no_match: drop }\nrules: [{ name: few, limit: { rate: 200B/s, by: $.u }, floor: { per: 2s } }]",
    "defaults: { summary: 2s, max_keys: 1 }\nrules: [{ name: first, first: { n: 2, per: 5s, then: 1/7, by: [pod, $.u] } }]",
    "enrich: { fields: all, key: k8s }\nrules: [{ name: third, sample: { rate: 1/3, by: trace_id, else_by: $.u } }]",
    "enrich: { fields: all, annotations: true }\ninput: { max_record: 1024, continuation: off }\ndefaults: { summary: off }\n\
     rules: [{ name: young, when: { container_age: '<60s' }, keep: {} }, { name: goal, target: { rate: 2/s, by: $.u, interval: 1s } }]",
    "rules: [{ name: rec, when: { record: '{ $.level = \"error\" }' }, drop: {}, reason: test }, \
     { name: ip, when: { message: '[ip, ..., status=5*]' }, keep: {} }, { name: dup, dedup: { window: 4s, by: $.u } }]",
    "rules: [{ name: labelled, when: { labels: 'tier notin (a),!x' }, drop: {}, until: 2026-11-20T10:05:00Z }, \
     { name: annotated, when: { annotations: 'note=x' }, sample: { rate: 0.25 } }]",
    "guards: [{ name: g, when: { message: guard }, ceiling: { rate: 1/s, burst: 2, by: $.u } }]\n\
     rules: [{ name: w0, when: { message: w0 }, limit: { rate: 1/s, burst: 3, by: $.u }, mode: shadow }, { name: rest, dedup: { window: 4s } }]",
    "enrich: { fields: [pod_name, labels], labels: [app] }\ninput: { message: [message, log], severity: [sev], trace_id: [tid] }\n\
     defaults: { summary: 1s }\nrules: [{ name: debug, when: { severity: '<=debug' }, sample: { rate: 1/50 } }, { name: rest, first: { n: 1, per: 10s } }]",
    "exclude_annotations: true\nrules: [{ name: own, when: { labels: 'app in (web-1, other)' }, drop: {}, reason: test }, \
     { name: owned, when: { workload: web }, dedup: { window: 4s } }]",
    "enrich: off\nmetadata: { source: record }\nexclude_annotations: true\nrules: [{ name: own, when: { labels: app=other }, drop: {}, reason: test }, \
     { name: rec, when: { record: '{ $.kubernetes.labels.app = \"web-1\" }' }, sample: { rate: 1/2 } }]",
    "enrich: { merge_log: true }\nrules: [{ name: noise, when: { message: noise }, drop: {}, reason: test }, { name: same, dedup: { window: 4s } }]",
    "enrich: { fields: lean, merge_log: { keep_log: false } }\ninput: { max_record: 1024 }\ndefaults: { summary: 1s }",
    "enrich: { merge_log: { key: data, keep_log: false, trim: false } }\nrules: [{ name: third, sample: { rate: 1/3, by: trace_id, else_by: $.u } }]",
];

/// A sequence is at most so long.
const MOST_CALLS: usize = 300;
/// The farthest that the clock moves at once, in milliseconds: two years.
const FARTHEST: i64 = 63_072_000_000;

/// What sequences are made of.
pub const WORDS: &[&str] = &[
    "\n",
    "\n.\n",
    "\n@0\n",
    "\n@1\n",
    "\n@2\n",
    "\n@3\n",
    "\n@5\n",
    "\n~500\n",
    "\n~2100\n",
    "\n~61000\n",
    "\n~-3000\n",
    "\n<7200\n",
    "\n<0\n",
    "\n!0\n",
    "\n!4\n",
    "\n!10\n",
    "\n!15\n",
    "\n!20\n",
    "\n!21\n",
    "\n!22\n",
    "\"kubernetes\":{\"pod_name\":\"web-1\",\"namespace_name\":\"shop\",\"labels\":{\"app\":\"other\"}},",
    "\"kubernetes\":{\"pod_name\":\"web-1\",\"namespace_name\":\"shop\",\"annotations\":{\"fluentbit.io/exclude\":\"true\"}},",
    "\n%1\n",
    "\n%2\n",
    "\n%3\n",
    "\n*\n",
    "~90000000\n.\n",
    "{\"log\":\"noise\"}",
    "{\"log\":\"",
    "\",\"stream\":\"stdout\"",
    "\"stream\":\"stderr\"",
    "\"}",
    "{\"time\":\"2026-11-20T10:00:00.5Z\",\"stream\":\"stdout\",\"_p\":\"F\",\"log\":\"",
    "ERROR ",
    "noise",
    "guard w0",
    "  at x",
    "Traceback (most recent call last):",
    "\\\"",
    "\\n",
    "\\u00e9",
    "\\ud83d",
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "\\",
    ",\"u\":\"1\"",
    ",\"u\":2",
    ",\"nodesieve\":{\"count\":5}",
    ",\"truncated\":7",
    ",\"kubernetes\":{\"a\":1}",
    ",\"big\":1e999",
    ",\"n\":nan",
    "\"\\u006eodesieve\":{\"count\":9}",
    "\"sampling.threshold\":\"8\"",
    "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"",
    "\"level\":\"error\"",
    "{\\\"level\\\":\\\"info\\\",\\\"status\\\":500,\\\"msg\\\":\\\"all bad\\\"}",
    "\"message\":\"x\"",
    "\"k8s\":1",
    "null",
    "[[[[[[[[",
    "\0",
    "é",
    " ",
];

#[cfg(test)]
mod tests {
    use super::*;
    use nodesieve_engine::config::load;

    #[test]
    fn every_rule_file_is_one() {
        for index in 0..RULES.len() {
            assert!(load(&rules(index)).is_ok(), "{index}: {:?}", load(&rules(index)).err());
        }
    }

    #[test]
    fn any_bytes_are_calls() {
        let found: Vec<Call<'_>> = calls(b"@1\n@x\n~-5\n~\n<3\n!26\n%2\n.\n\n*\n{}\n\xff").collect();
        let expected = [
            Call::Tag(TAGS[1].as_bytes()),
            Call::Tag(b"x"),
            Call::Clock(-5),
            Call::Clock(1000),
            Call::Late(3),
            Call::Rules(1),
            Call::Pods(2),
            Call::Tick,
            Call::Tick,
            Call::Restart,
            Call::Record(b"{}"),
            Call::Record(b"\xff"),
        ];
        assert_eq!(found, expected);
        assert_eq!(calls(&[b'\n'; 10_000]).count(), MOST_CALLS);
    }
}
