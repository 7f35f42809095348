//! Whatever is pasted, typed and dropped: the page answers, and its numbers add up.

use super::*;
use proptest::prelude::*;

const RULES: [&str; 4] = [
    "version: 1\n",
    "version: 1\nguards: [{ name: errors, when: { severity: '>=error' }, ceiling: { rate: 1/s, by: pod } }]\n\
     rules: [{ name: some, when: { stream: stdout }, limit: { rate: 1/s, by: template } }, { name: rest, sample: { rate: 0.5 } }]\n",
    "version: 1\ninput: { tag_prefix: 'x.' }\nrules: [{ name: pods, when: { labels: app }, drop: {}, reason: r }]\n",
    "version: 1\nrulez: [",
];

fn line() -> impl Strategy<Value = Vec<u8>> {
    let whole = prop_oneof![
        Just("2026-11-20T10:00:00.5Z stdout F level=error at last".to_owned()),
        Just("2026-11-20T10:00:00.5Z stderr P a part".to_owned()),
        Just("9999-12-31T23:59:59Z stdout F late".to_owned()),
        Just("never stdout F no time".to_owned()),
        Just(r#"{"log":"x\n","stream":"stdout","time":"2026-11-20T10:00:00Z"}"#.to_owned()),
        Just(r#"{"tag":"kube.var.log.containers.p_n_c-0.log","time":[4294967295,4294967295],"record":{"log":1}}"#.to_owned()),
        Just(r#"{"tag":"x.p_n_c-0.log","record":{"a":[[[[]]]],"log":"\u00e9 \ud800"}}"#.to_owned()),
        Just("==> /var/log/containers/web_shop_app-1.log <==".to_owned()),
        Just("    at com.example.Main(Main.java:1)".to_owned()),
        Just(String::new()),
    ];
    let cut = (whole.clone(), any::<prop::sample::Index>()).prop_map(|(text, at)| {
        text.as_bytes().get(..at.index(text.len().max(1)).min(text.len())).unwrap().to_vec()
    });
    prop_oneof![whole.prop_map(String::into_bytes), cut, prop::collection::vec(any::<u8>(), 0..40)]
}

#[derive(Clone, Debug)]
enum Step {
    Rules(usize),
    Add(bool, Vec<Vec<u8>>),
    Pods(Vec<u8>),
    Clear,
    Run(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let pods = prop_oneof![
        Just(br#"{"items":[{"metadata":{"name":"web","namespace":"shop","labels":{"app":"a"}}}]}"#.to_vec()),
        Just(Vec::new()),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop_oneof![
        (0..RULES.len()).prop_map(Step::Rules),
        (any::<bool>(), prop::collection::vec(line(), 0..30))
            .prop_map(|(named, lines)| Step::Add(named, lines)),
        pods.prop_map(Step::Pods),
        Just(Step::Clear),
        (0usize..40).prop_map(Step::Run),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Scenario: rules good and bad, texts of every format, whole and cut, pod lists, runs that are cut short, in any order.
    /// Guarantees: nothing panics; every record has a verdict, a row that exists and an explanation; the ledger and the panel's parts
    /// add up; searching finds each record by its own place.
    #[test]
    fn whatever_a_person_does_the_page_answers_and_adds_up(steps in prop::collection::vec(step(), 0..12)) {
        let mut page = Page::default();
        let mut added = 0;
        for step in steps {
            match step {
                Step::Rules(at) => { page.load(RULES[at]); }
                Step::Add(named, lines) => {
                    let name = if named { "a/web_shop_app-0.log" } else { "" };
                    added += page.add(name, &lines.join(&b'\n')).records;
                }
                Step::Pods(list) => { let _ = page.take_pods(&list); }
                Step::Clear => { page.clear(); added = 0; }
                Step::Run(count) => { page.start(); page.advance(count); page.panel(); }
            }
        }
        let total = page.start();
        prop_assert_eq!(total, added);
        while page.advance(7) < total {}
        let rows = page.rows().len();
        prop_assert_eq!(page.verdicts(0).len(), total);
        let all: Vec<u32> = (0..total as u32).collect();
        let shown = page.lines(&all);
        for (index, line) in shown.iter().enumerate() {
            let verdict = page.verdicts(index)[0];
            let detail = page.detail(index).unwrap();
            prop_assert!(detail.row < rows && usize::from(verdict >> 1) == detail.row);
            prop_assert_eq!(detail.answer.is_none(), verdict & 1 == 1);
            if !line.pod.is_empty() {
                let place = format!("{}/{}/{}", line.namespace, line.pod, line.container);
                prop_assert!(page.search(&place).contains(&(index as u32)));
            }
        }
        let (ledger, imbalances) = page.ledger();
        prop_assert_eq!(imbalances, Vec::<String>::new());
        prop_assert_eq!(ledger.seen, total as u64);
        let parts = page.run.breakdown(&page.dimensions);
        let seen = parts.namespaces.iter().map(|named| named.volume.seen).sum::<u64>();
        let times = parts.times.iter().map(|span| span.volume.seen).sum::<u64>();
        prop_assert_eq!((seen, times), (total as u64, total as u64));
        prop_assert!(page.panel().contains("Records seen"));
    }
}
