//! Records that nobody would write on purpose, of containers that come and go.
//!
//! The rule it keeps: a seed says all. No record has a NUL, which the host's cannot have, and one that is no JSON says nothing of
//! nodesieve's own, so that counts in answers are the filter's.

use fastrand::Rng;
use nodesieve_engine::pods::{Container, Pairs, PodFile, file_name};
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::Path;

/// The containers of a node, and what they say.
pub(super) struct Traffic {
    random: Rng,
    /// Numbers of the pods that live.
    pods: VecDeque<u64>,
    next: u64,
}

impl Traffic {
    /// A node without pods.
    pub(super) fn new(seed: u64) -> Traffic {
        Traffic { random: Rng::with_seed(seed), pods: VecDeque::new(), next: 0 }
    }

    /// Another pod comes; when there are [`LIVING`], the oldest goes. Now and then the file is none that can be read.
    pub(super) fn churn(&mut self, directory: &Path, started: u64) -> io::Result<()> {
        if self.pods.len() >= LIVING
            && let Some(oldest) = self.pods.pop_front()
        {
            let path = directory.join(name_of(oldest));
            if path.is_dir() { fs::remove_dir(path)? } else { fs::remove_file(path)? }
        }
        let pod = self.next;
        self.next = self.next.wrapping_add(1);
        self.pods.push_back(pod);
        let path = directory.join(name_of(pod));
        let content = self.file(pod, started);
        match self.random.u32(..16) {
            0 => fs::create_dir(path),
            1 => {
                fs::write(path, content.get(..self.random.usize(..content.len().max(1))).unwrap_or_default())
            }
            2 => fs::write(path, vec![b'x'; 600_000]),
            _ => fs::write(path, content),
        }
    }

    fn file(&mut self, pod: u64, started: u64) -> Vec<u8> {
        let mut file = PodFile::new(namespace(pod), format!("web-{pod}"));
        let pairs = match self.random.u32(..8) {
            0 => (0..200).map(|n| (format!("key-{n}"), "v\u{e9}\"\\\n".repeat(20))).collect(),
            _ => vec![("app".to_owned(), format!("web-{}", pod % 5)), ("tier".to_owned(), String::new())],
        };
        file.labels = Some(Pairs(pairs));
        if self.random.u32(..8) == 0 {
            file.annotations = Some(Pairs(vec![("fluentbit.io/exclude".to_owned(), "true".to_owned())]));
        }
        let started = i64::try_from(started).ok();
        file.containers.push(Container { name: "web".into(), id: id(pod), started, ..Container::default() });
        file.encode().unwrap_or_default()
    }

    /// The tag of a container: mostly one that lives, sometimes one that is gone, never was, or is none.
    pub(super) fn tag(&mut self) -> Vec<u8> {
        let pod = match self.random.u32(..20) {
            0 => self.random.u64(..self.next.saturating_add(5)),
            1 => {
                let odd = [
                    b"other.tag".as_slice(),
                    b"kube.var.log.containers.",
                    b"kube.var.log.containers.a_b_c.log",
                    b"\xff\xfe",
                    b"",
                ];
                return self.random.choice(odd).unwrap_or_default().to_vec();
            }
            // Two write most.
            2..=11 => self.pods.back().copied().unwrap_or_default(),
            _ => self.pods.get(self.random.usize(..self.pods.len().max(1))).copied().unwrap_or_default(),
        };
        format!("kube.var.log.containers.web-{pod}_{}_web-{}.log", namespace(pod), id(pod)).into_bytes()
    }

    /// One record.
    pub(super) fn record(&mut self) -> Vec<u8> {
        let line = self.line();
        let quoted = serde_json::to_string(&line).unwrap_or_default();
        let random = &mut self.random;
        let stream = if random.bool() { "stdout" } else { "stderr" };
        let key = match random.u32(..4) {
            // A key of its own for each: what fills tables.
            0 => format!("{:016x}", random.u64(..)),
            1 => "k\\u0001".repeat(random.usize(..40)),
            _ => random.u32(..8).to_string(),
        };
        let text = match random.u32(..24) {
            0 => format!(r#"{{"log":{quoted},"u":"{key}","nodesieve":{{"count":5}},"kubernetes":1}}"#),
            1 => format!(r#"{{"log":{quoted},"u":"{key}","big":[1e999,{{"a":-1e999}}]}}"#),
            2 => format!(r#"{{"message":{quoted},"level":"error","trace_id":"{:032x}"}}"#, random.u128(..)),
            3 => "{}".to_owned(),
            4 => format!("{{\"a\":{}1{}}}", "[".repeat(random.usize(..300)), "]".repeat(random.usize(..300))),
            5 => format!(
                r#"{{"log":{quoted},"u":"{key}","truncated":7,"k":"{}"}}"#,
                "v".repeat(random.usize(..3000))
            ),
            _ => format!(
                r#"{{"time":"2026-11-20T10:00:{:02}.5Z","stream":"{stream}","_p":"F","log":{quoted},"u":"{key}"}}"#,
                random.u32(..60)
            ),
        };
        let mut text = text.into_bytes();
        // Broken in one place, or cut.
        let is_own = text.windows(9).any(|part| part == b"nodesieve");
        if random.u32(..32) == 0 && !is_own {
            let at = random.usize(..text.len());
            match text.get_mut(at) {
                Some(byte) if random.bool() => *byte = random.u8(1..),
                _ => text.truncate(at.max(2)),
            }
        }
        text
    }

    fn line(&mut self) -> String {
        let random = &mut self.random;
        let n = random.u32(..1000);
        match random.u32(..400) {
            0 => "x".repeat(1_200_000),
            1..=4 => "\u{e9}\"\\\t ".repeat(2_000),
            5..=60 => format!("ERROR it failed {n}"),
            61..=90 => format!("  at com.x.Y{n}(Z.java:{n})"),
            91..=110 => "Traceback (most recent call last):".to_owned(),
            111..=150 => format!(r#"{{"level":"info","status":{n},"msg":"all bad","u":"{n}"}}"#),
            151..=160 => format!("level=debug msg=\"w0 {n}\" took={n}ms"),
            161..=180 => format!("guard w0 {n}"),
            181..=200 => (0..random.usize(..60)).map(|_| random.char(' '..='\u{2fff}')).collect(),
            201..=260 => "noise day".to_owned(),
            _ => format!("noise GET /cart/{n} 200 in {} ms", n % 9),
        }
    }
}

fn namespace(pod: u64) -> String {
    format!("ns-{}", pod % 7)
}

fn id(pod: u64) -> String {
    format!("{pod:064x}")
}

fn name_of(pod: u64) -> String {
    file_name(&namespace(pod), &format!("web-{pod}")).unwrap_or_default()
}

/// Pods at a time.
const LIVING: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_says_all_and_no_record_has_a_nul() {
        let directory = tempfile::tempdir().unwrap();
        let (mut one, mut other) = (Traffic::new(5), Traffic::new(5));
        for _ in 0..3000 {
            let record = one.record();
            assert_eq!(record, other.record());
            assert_eq!(one.tag(), other.tag());
            assert!(!record.contains(&0) && record.len() >= 2);
        }
        for _ in 0..200 {
            one.churn(directory.path(), 7).unwrap();
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), LIVING);
    }
}
