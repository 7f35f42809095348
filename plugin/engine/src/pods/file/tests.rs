//! What a pod file is, and the reader against a JSON library.

mod reference;

use super::*;
use proptest::prelude::*;
use proptest::sample::Index;
use reference::by_reference;

#[test]
fn a_file_reads_back_in_order() {
    let pairs =
        |list: &[(&str, &str)]| Pairs(list.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect());
    let file = PodFile {
        namespace: "shop".into(),
        pod: "web-1".into(),
        labels: Some(pairs(&[("z", "1"), ("a", "\"x\"\n")])),
        containers: vec![Container {
            name: "app".into(),
            id: "0a".into(),
            started: Some(7),
            restarts: Some(2),
            ..Default::default()
        }],
        ..PodFile::default()
    };
    let content = file.encode().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&content),
        "{\"version\":1,\"namespace\":\"shop\",\"pod\":\"web-1\",\"labels\":{\"z\":\"1\",\"a\":\"\\\"x\\\"\\n\"},\
         \"containers\":[{\"name\":\"app\",\"id\":\"0a\",\"started\":7,\"restarts\":2}]}\n"
    );
    assert_eq!(PodFile::decode(&content, "shop", "web-1"), Ok(file));
}

#[test]
fn refuses_what_it_did_not_write() {
    let decode =
        |content: &str| PodFile::decode(content.as_bytes(), "n", "p").map_err(|error| error.to_string());
    let error = |content: &str| decode(content).unwrap_err();
    assert_eq!(error(r#"{"version":2,"namespace":"n","pod":"p"}"#), "read pod file: version 2 is not 1");
    assert_eq!(error(r#"{"version":1,"namespace":"n","pod":"q"}"#), "read pod file: it describes n/q");
    assert_eq!(error("{}"), "read pod file: version is missing");
    assert_eq!(error(""), "read pod file: no JSON at byte 0");
    assert_eq!(error(r#"{"version":1,"pod":[1] x}"#), "read pod file: pod is not a string");
    assert_eq!(error(r#"{"version":1,"pod":[1 x]}"#), "read pod file: no JSON at byte 19");
    assert_eq!(error(r#"{"uid":null,"uid":"u"}"#), "read pod file: uid is there twice");
    assert_eq!(
        error(r#"{"containers":[{"started":0.5}]}"#),
        "read pod file: started is not a 64-bit integer"
    );
    assert!(decode(r#"{"version":1,"namespace":"n","pod":"p","new":[1]}"#).is_ok(), "later keys are skipped");
    let many: String = (0..=MAX_ENTRIES).map(|n| format!("\"{n}\":\"\",")).collect();
    let many =
        format!(r#"{{"version":1,"namespace":"n","pod":"p","labels":{{{}}}}}"#, many.trim_end_matches(','));
    assert_eq!(error(&many), "read pod file: 1025 labels, at most 1024 allowed");
    assert!(error(&" ".repeat(MAX_FILE_BYTES + 1)).contains("524289 bytes"));
}

#[test]
fn names_are_safe_and_distinct() {
    assert_eq!(file_name("shop", "web-1").as_deref(), Some("shop_web-1.json"));
    assert_eq!(
        file_name("kube-system", "etcd-a.b.internal").as_deref(),
        Some("kube-system_etcd-a.b.internal.json")
    );
    for (namespace, pod) in
        [("..", "p"), ("n", "../p"), ("n", ""), ("", "p"), ("n", "a/b"), ("N", "p"), ("n.m", "p")]
    {
        assert_eq!(file_name(namespace, pod), None, "{namespace}/{pod}");
    }
    let long = |end: char| file_name("n", &format!("{}{end}", "a".repeat(240))).unwrap();
    assert!(long('b').len() <= 230 && long('b') != long('c'));
}

#[track_caller]
fn agrees(content: &[u8]) -> bool {
    let (own, reference) = (decode::decode(content), by_reference(content));
    assert_eq!(own.clone().ok(), reference, "{own:?}: {}", String::from_utf8_lossy(content));
    own.is_ok()
}

#[test]
fn takes_and_refuses_as_a_library_does() {
    let around = |member: &str| format!(r#"{{"version":1,"namespace":"n","pod":"p",{member}}}"#);
    for member in [
        r#""uid":null,"node":null,"ip":null,"labels":null,"annotations":null,"workload":null,"owners":null"#,
        r#""owners":"[{\"kind\":\"Job\"}]""#,
        r#""labels":{"a":null,"b":"","a":"2","\u0061":"3"},"annotations":{}"#,
        r#""ui\u0064":"\ud83d\ude00\"\\\/\b\f\n\r\t\u0000é""#,
        r#""containers":[],"workload":{"name":"w","x":[{}],"kind":"k"}"#,
        r#""containers":[{"id":"1","name":"","started":-9223372036854775808,"hash":null,"image":null,"started2":1.5}]"#,
        r#""containers": [ {"id":"","name":"","started":0} , {"id":"","name":"","started":9223372036854775807}]"#,
        r#""new":[1,-0.0,1e999,{"a":{"a":[[]]}},"\ud800",true,false,null],"new":1"#,
        "\"new\" :\t[ ] \r\n,\"x\":\n{ }",
    ] {
        assert!(agrees(around(member).as_bytes()), "{member}");
        assert!(agrees(format!(" \n{}\r\n\t", around(member)).as_bytes()), "{member}");
    }
    for member in [
        "",
        r#""uid":1"#,
        r#""uid":{}"#,
        r#""uid":nul"#,
        r#""uid":nullx"#,
        r#""uid":"\ud800""#,
        r#""uid":"\ude00\ud83d""#,
        r#""uid":"\ud83d\n""#,
        "\"uid\":\"\t\"",
        r#""uid":"\x""#,
        r#""uid":"a","uid":"a""#,
        r#""uid":null,"uid":null"#,
        r#""ip":"a","\u0069p":"a""#,
        r#""version":1"#,
        r#""containers":[],"containers":[]"#,
        r#""containers":null"#,
        r#""containers":{}"#,
        r#""containers":[null]"#,
        r#""containers":[{}]"#,
        r#""containers":[{"id":"","name":""},]"#,
        r#""containers":[,{"id":"","name":""}]"#,
        r#""containers":[{"id":"","name":""}{"id":"","name":""}]"#,
        r#""containers":[{"id":"","name":"","id":""}]"#,
        r#""containers":[{"id":"","name":"","started":1.0}]"#,
        r#""containers":[{"id":"","name":"","started":1e3}]"#,
        r#""containers":[{"id":"","name":"","started":-0}]"#,
        r#""containers":[{"id":"","name":"","started":01}]"#,
        r#""containers":[{"id":"","name":"","started":+1}]"#,
        r#""containers":[{"id":"","name":"","started":"1"}]"#,
        r#""containers":[{"id":"","name":"","started":9223372036854775808}]"#,
        r#""containers":[{"id":"","name":"","started":-9223372036854775809}]"#,
        r#""containers":[["","",null,null,null]]"#,
        r#""workload":["k","n"]"#,
        r#""workload":{"kind":"k"}"#,
        r#""workload":"k""#,
        r#""labels":[]"#,
        r#""labels":{"a":1}"#,
        r#""labels":{"a":"1",}"#,
        r#""labels":{"\ud800":"1"}"#,
        r#""\ud800":1"#,
        r#""new":[1,]"#,
        r#""new":{"a"}"#,
        r#""new":tru"#,
        r#""new":1.e3"#,
        r#""new":"\u00g0""#,
    ] {
        assert!(!agrees(around(member).as_bytes()), "{member}");
    }
    for content in ["", " ", "null", "[]", "{", r#"[1,"n","p"]"#, "\u{feff}{}"] {
        assert!(!agrees(content.as_bytes()), "{content}");
    }
    for version in ["2", "0", "-1", "1.0", "1e0", "true", "null", "\"1\"", "18446744073709551617"] {
        assert!(
            !agrees(format!(r#"{{"version":{version},"namespace":"n","pod":"p"}}"#).as_bytes()),
            "{version}"
        );
    }
    assert!(
        !agrees((around("\"new\":1") + "}").as_bytes()) && !agrees((around("\"new\":1") + "x").as_bytes())
    );
    assert!(!agrees(b"{\"version\":1,\"namespace\":\"n\",\"pod\":\"p\",\"x\":\"\xff\"}"));
}

/// On purpose: a walk of bounded depth, where the library's takes memory for every level.
#[test]
fn an_unknown_member_may_be_nested_deep_but_not_without_bounds() {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"version":1,"namespace":"n","pod":"p","new":{open}{close}}}"#)
    };
    let limit = crate::json::MAX_DEPTH as usize;
    assert!(PodFile::decode(nested(limit).as_bytes(), "n", "p").is_ok());
    assert!(PodFile::decode(nested(limit + 1).as_bytes(), "n", "p").is_err());
    assert!(PodFile::decode(nested(200_000).as_bytes(), "n", "p").is_err());
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9./-]{0,12}", "\\PC{0,6}", "[\u{0}-\u{1f}\"\\\\/é😀a]{0,12}"]
}

fn any_pairs() -> impl Strategy<Value = Option<Pairs>> {
    prop::option::of(prop::collection::vec((any_text(), any_text()), 0..4).prop_map(Pairs))
}

fn any_container() -> impl Strategy<Value = Container> {
    let known = || prop::option::of(any_text());
    let number = || prop::option::of(any::<i64>());
    (any_text(), any_text(), known(), known(), number(), number()).prop_map(
        |(name, id, image, hash, started, restarts)| Container { name, id, image, hash, started, restarts },
    )
}

fn any_file() -> impl Strategy<Value = PodFile> {
    let known = || prop::option::of(any_text());
    let owner = (any_text(), any_text()).prop_map(|(kind, name)| Workload { kind, name });
    (
        (any_text(), any_text(), known(), known(), known(), known()),
        (any_pairs(), any_pairs(), prop::option::of(owner), prop::collection::vec(any_container(), 0..3)),
        prop::collection::vec(any_older(), 0..2),
    )
        .prop_map(
            |(
                (namespace, pod, uid, node, ip, owners),
                (labels, annotations, workload, containers),
                older,
            )| PodFile {
                namespace,
                pod,
                uid,
                node,
                ip,
                labels,
                annotations,
                workload,
                owners,
                containers,
                older,
            },
        )
}

fn any_older() -> impl Strategy<Value = OlderPod> {
    let known = || prop::option::of(any_text());
    let owner = (any_text(), any_text()).prop_map(|(kind, name)| Workload { kind, name });
    let ids = prop::collection::vec(any_text(), 0..3);
    (known(), known(), known(), any_pairs(), any_pairs(), prop::option::of(owner), ids).prop_map(
        |(uid, node, ip, labels, annotations, workload, ids)| OlderPod {
            uid,
            node,
            ip,
            labels,
            annotations,
            workload,
            ids,
        },
    )
}

/// Scenario: a StatefulSet's pod was replaced; both had the same name, and the older one's last lines are read now.
/// Guarantees: the container's id decides whose labels and uid a record gets.
#[test]
fn a_container_sees_the_pod_that_it_is_of() {
    let mut file = PodFile { uid: Some("new".into()), ..PodFile::new("shop", "db-0") };
    file.containers = ["0a", "0b"].map(|id| Container { id: id.into(), ..Container::default() }).to_vec();
    file.older = vec![OlderPod { uid: Some("old".into()), ids: vec!["0a".into()], ..OlderPod::default() }];
    let seen = |id: &str| file.clone().as_seen_by(id).uid.unwrap();
    assert_eq!([seen("0a"), seen("0b"), seen("0c")], ["old", "new", "new"]);
    // What it leaves to its own successor is its own.
    assert_eq!(file.into_older().ids, ["0b"]);
}

/// One thing done to the bytes of a file.
#[derive(Clone, Debug)]
enum Damage {
    Replace(Index, u8),
    Flip(Index, u8),
    Remove(Index, usize),
    Insert(Index, &'static str),
    End(Index),
    /// A piece of the file once more, somewhere in it: members there twice, values of another field.
    Copy(Index, Index, usize),
    /// A token that is there instead of the first that starts with the same character behind a place.
    Swap(Index, &'static str),
}

impl Damage {
    fn done_to(self, content: &mut Vec<u8>) {
        if content.is_empty() {
            return;
        }
        let length = content.len();
        match self {
            Damage::Replace(at, byte) => content[at.index(length)] = byte,
            Damage::Flip(at, bit) => content[at.index(length)] ^= 1 << (bit % 8),
            Damage::Remove(at, count) => {
                let at = at.index(length);
                content.drain(at..(at + count).min(length));
            }
            Damage::Insert(at, piece) => {
                let at = at.index(length);
                content.splice(at..at, piece.bytes());
            }
            Damage::End(at) => content.truncate(at.index(length)),
            Damage::Copy(from, to, count) => {
                let from = from.index(length);
                let piece = content[from..(from + count).min(length)].to_vec();
                let to = to.index(length);
                content.splice(to..to, piece);
            }
            Damage::Swap(at, value) => {
                // From behind a colon to the next comma or bracket: a value, if it is a short one.
                let at = at.index(length);
                let Some(start) = content[at..].iter().position(|&byte| byte == b':') else { return };
                let start = at + start + 1;
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']');
                let end = content[start..].iter().position(ends).map_or(length, |end| start + end);
                content.splice(start..end, value.bytes());
            }
        }
    }
}

/// What makes the difference between one JSON text and another.
const PIECES: [&str; 32] = [
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\n",
    "\t",
    " ",
    "\u{1}",
    "null",
    "true",
    "0",
    "1",
    "-",
    "-0",
    ".5",
    "e1",
    "9223372036854775808",
    "{}",
    "[]",
    "\"\"",
    "\\u0061",
    "\\ud83d",
    "\\ude00",
    "\\ud83d\\ude00",
    "\"uid\":null,",
    "\"new\":{\"a\":[1]},",
    "[\"a\",\"b\"]",
    "é",
];

fn any_damage() -> impl Strategy<Value = Damage> {
    let piece = || prop::sample::select(&PIECES[..]);
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (any::<Index>(), 1usize..9).prop_map(|(at, count)| Damage::Remove(at, count)),
        (any::<Index>(), piece()).prop_map(|(at, piece)| Damage::Insert(at, piece)),
        any::<Index>().prop_map(Damage::End),
        (any::<Index>(), any::<Index>(), 1usize..40)
            .prop_map(|(from, to, count)| Damage::Copy(from, to, count)),
        (any::<Index>(), piece()).prop_map(|(at, value)| Damage::Swap(at, value)),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(file in any_file()) {
        let content = file.encode().unwrap();
        prop_assert_eq!(PodFile::decode(&content, &file.namespace, &file.pod), Ok(file.clone()));
        prop_assert_eq!(by_reference(&content), Some(file));
    }

    #[test]
    fn a_damaged_file_is_what_a_library_says_it_is(
        file in any_file(),
        pretty in any::<bool>(),
        damages in prop::collection::vec(any_damage(), 1..4),
    ) {
        let written = if pretty { serde_json::to_vec_pretty(&file) } else { serde_json::to_vec(&file) };
        let mut content = written.unwrap();
        for damage in damages {
            damage.done_to(&mut content);
        }
        agrees(&content);
    }

    #[test]
    fn any_bytes_are_decoded_without_a_panic(content in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = PodFile::decode(&content, "n", "p");
    }
}
