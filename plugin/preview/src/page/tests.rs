use super::*;

const RULES: &str = "version: 1\nrules:\n  - name: probes\n    when: { message: '\"GET /healthz\"' }\n    drop: {}\n    reason: noise\n";

fn page(rules: &str, lines: &str) -> Page {
    let mut page = Page::default();
    assert!(page.load(rules).usable);
    page.add("", lines.as_bytes());
    page.start();
    page.advance(usize::MAX);
    page
}

#[test]
fn a_rule_drops_and_the_explanation_says_which() {
    let mut page = page(RULES, "GET /healthz 200\nGET /cart 200\n");
    assert_eq!(page.verdicts(0), [1, 2]);
    let names: Vec<_> = page.rows().into_iter().map(|row| row.name).collect();
    assert_eq!(names, ["probes", "none", "unknown", "fault", "exclude"]);
    let dropped = page.detail(0).unwrap();
    assert_eq!((dropped.action, dropped.answer, &*dropped.explanation.rule), ("drop", None, "probes"));
    let kept = page.detail(1).unwrap();
    assert_eq!((kept.action, kept.row, kept.explanation.steps[0].condition), ("keep", 1, Some("message")));
    assert!(kept.answer.unwrap().contains("\"kubernetes\""));
    assert_eq!(page.detail(2), None);
}

#[test]
fn the_ledger_of_a_run_adds_up() {
    let mut page = page(RULES, &"GET /healthz 200\nGET /cart 200\n".repeat(500));
    let (ledger, imbalances) = page.ledger();
    assert_eq!((ledger.seen, ledger.kept, ledger.dropped), (1000, 500, 500));
    assert_eq!(imbalances, Vec::<String>::new());
    assert!(page.panel().contains("data-row=\"probes\""));
}

/// Guarantees: what a rule file measures is on the page, as text and not as markup; without measures there is no such section.
#[test]
fn what_is_measured_is_shown() {
    let rules = format!("{RULES}measure:\n  - {{ name: requests, counter: {{}}, by: $.path }}\n");
    let mut measuring = page(&rules, "{\"path\":\"<blink>\"}\nGET /healthz 200\n");
    let panel = measuring.panel();
    assert!(
        panel.contains("nodesieve_measure_requests_total{path=\"&lt;blink&gt;\"}")
            || panel.contains("{path=&quot;&lt;blink&gt;&quot;}"),
        "{panel}"
    );
    assert!(panel.contains("id=\"measured\"") && !panel.contains("<blink>"));
    assert!(!page(RULES, "GET /healthz 200\n").panel().contains("measured"));
}

/// Guarantees: a fragment behind its line decides on the page as on a node, one with mistakes is refused alone and shown at its place; and
/// what is redacted and recalled is among the numbers.
#[test]
fn fragments_redaction_and_recalls_are_on_the_page() {
    let platform = "version: 1\ndelegate: {}\nredact: [{ name: mail, kind: email }]\nguards: [{ name: errors, when: { message: ERROR }, recall: {} }]\n\
        rules: [{ name: noise, when: { message: noise }, drop: {}, reason: x }]\n";
    let fragment =
        "version: 1\nrules: [{ name: quiet, when: { message: chatty }, drop: {}, reason: ours }]\n";
    let rules = Bundle::joined(platform, [("bad", "version: 1\nguards: []\n"), ("shop", fragment)]);
    let mut page = Page::default();
    let loaded = page.load(&rules);
    assert!(loaded.usable && loaded.findings.len() == 1, "a bad fragment costs itself only");
    assert_eq!(rules.get(loaded.findings[0].from..loaded.findings[0].to), Some("guards"));
    let record = |log: &str| {
        format!(
            "{{\"tag\":\"kube.var.log.containers.web-1_shop_app-{}.log\",\"time\":[100,0],\"record\":{{\"log\":\"{log}\"}}}}\n",
            "0a".repeat(32)
        )
    };
    page.add("r.ndjson", ["chatty", "noise", "ERROR of a@example.com"].map(record).concat().as_bytes());
    page.start();
    page.advance(usize::MAX);
    let names: Vec<String> = page.rows().into_iter().map(|row| row.name).collect();
    let row = |name: &str| names.iter().position(|known| known == name).unwrap() as u16;
    assert_eq!(page.verdicts(0), [row("shop/quiet") << 1 | 1, row("noise") << 1 | 1, row("errors") << 1]);
    let answer = page.detail(2).unwrap().answer.unwrap();
    assert!(
        answer.contains("[redacted:mail]")
            && answer.contains("\"recalled\":[")
            && !answer.contains("a@example.com"),
        "{answer}"
    );
    let panel = page.panel();
    for name in ["nodesieve_redacted_total", "nodesieve_records_recalled_total", "shop/quiet"] {
        assert!(panel.contains(name), "{name}");
    }
    assert_eq!(page.ledger().1, Vec::<String>::new());
}

#[test]
fn rules_that_cannot_be_used_leave_those_before_them() {
    let mut page = page(RULES, "GET /healthz 200\n");
    let loaded = page.load("version: 1\nrulez: []\n");
    assert!(!loaded.usable);
    let found = &loaded.findings[0];
    assert_eq!((found.finding.line, found.finding.code, found.from, found.to), (2, "NS201", 11, 16));
    page.start();
    page.advance(1);
    assert_eq!(page.verdicts(0), [1]);
}

#[test]
fn thousands_of_mistakes_are_counted_and_the_first_are_told() {
    let loaded = Page::default().load(&format!("version: 1\nrules: [{}]\n", "{nmae: x}, ".repeat(400)));
    let last = &loaded.findings.last().unwrap().finding;
    assert!(!loaded.usable && loaded.findings.len() < 150, "{}", loaded.findings.len());
    assert_eq!((last.code, &*last.message), ("NS104", "1100 more mistakes are not shown"));
}

#[test]
fn what_is_not_remembered_is_run_again() {
    let mut page =
        page("version: 1\nrules: [{ name: some, sample: { rate: 0.5 } }]\n", &"x\ny\nz\n".repeat(50));
    let remembered: Vec<_> = (0..150).map(|index| page.detail(index).unwrap().answer).collect();
    assert!(remembered.iter().any(Option::is_some) && remembered.iter().any(Option::is_none));
    page.remembered.clear();
    page.ends.clear();
    let again: Vec<_> = (0..150).map(|index| page.detail(index).unwrap().answer).collect();
    assert_eq!(remembered, again);
}

#[test]
fn a_tag_prefix_of_the_rules_own_renames_what_is_there() {
    let mut page = page(RULES, "x\n");
    assert_eq!(page.lines(&[0])[0].container, "lines");
    assert!(page.load(&RULES.replace("rules:", "input: { tag_prefix: own. }\nrules:")).usable);
    page.start();
    assert_eq!((page.lines(&[0, 7]).len(), &*page.lines(&[0])[0].namespace), (1, "default"));
}

#[test]
fn tags_of_written_records_are_their_own() {
    let mut page =
        page(RULES, r#"{"tag":"kube.var.log.containers.p_n_c-0.log","time":[5,0],"record":{"log":"x"}}"#);
    assert!(page.load(&RULES.replace("rules:", "input: { tag_prefix: own. }\nrules:")).usable);
    page.start();
    assert_eq!(page.lines(&[0])[0].namespace, "");
}

#[test]
fn texts_without_times_follow_each_other() {
    let mut page = page(RULES, "first\n    at a\n");
    page.add("other.txt", b"second\n");
    assert_eq!((page.start(), page.advance(9)), (3, 3));
    let shown: Vec<_> = page.lines(&[0, 1, 2]).into_iter().map(|line| line.message).collect();
    assert_eq!(shown, ["first", "    at a", "second"]);
    assert!(page.detail(1).unwrap().is_continued && !page.detail(2).unwrap().is_continued);
}

#[test]
fn texts_without_times_come_after_all_that_have_one_and_say_nothing_of_a_month() {
    let mut page = page(RULES, "banner\nGET /healthz 200\n");
    assert_eq!(page.ledger().0.span_seconds, 0.0);
    assert!(page.panel().contains("Nothing is known of a month"));
    page.add("a.log", b"2026-11-20T10:00:00Z stdout F timed\n2026-11-20T10:00:08Z stdout F more\n2026-11-20T10:00:15Z stdout F later\n");
    page.add("b.log", b"and more\n");
    page.start();
    page.advance(9);
    let shown: Vec<_> =
        page.lines(&[0, 1, 2, 3, 4, 5]).into_iter().map(|line| (line.time, line.message)).collect();
    let shown: Vec<_> = shown.iter().map(|(time, message)| (&time[..8], &**message)).collect();
    assert_eq!(
        shown,
        [
            ("10:00:00", "timed"),
            ("10:00:08", "more"),
            ("10:00:15", "later"),
            ("10:00:16", "banner"),
            ("10:00:16", "GET /healthz 200"),
            ("10:00:17", "and more")
        ]
    );
    assert!((page.ledger().0.span_seconds - 15.0).abs() < 1e-9);
    assert!(page.panel().contains("30 days of this node"));
}

#[test]
fn long_gaps_end_a_slice_early_and_change_nothing() {
    let hourly: String = (0..24).map(|hour| format!("2026-11-20T{hour:02}:00:00Z stdout F x\n")).collect();
    let mut page = page("version: 1\n", "");
    page.add("", hourly.as_bytes());
    assert_eq!(page.start(), 24);
    let first = page.advance(usize::MAX);
    assert!((2..12).contains(&first), "{first}");
    while page.advance(usize::MAX) < 24 {}
    let (ledger, imbalances) = page.ledger();
    assert_eq!((ledger.seen, ledger.kept, imbalances), (24, 24, Vec::new()));
    assert_eq!(page.lines(&[23])[0].time, "23:00:00.000");
    page.add("", b"2026-11-21T01:00:00Z stdout F x\n");
    page.start();
    assert_eq!(page.lines(&[23])[0].time, "11-20 23:00:00.000");
}

#[test]
fn a_clock_that_was_wrong_for_a_moment_does_not_change_the_bill() {
    let bill = |odd: Option<usize>| {
        let line = |n: usize| {
            let year = if odd == Some(n) { 2033 } else { 2026 };
            format!("{year}-11-20T10:{:02}:{:02}Z stdout F x\n", n / 60, n % 60)
        };
        let mut page = page("version: 1\n", "");
        page.add("", (0..600).map(line).collect::<String>().as_bytes());
        page.start();
        while page.advance(600) < 600 {}
        let ledger = page.ledger().0;
        (ledger.billed.firehose_aggregated.raw, ledger.span_seconds)
    };
    assert_eq!(bill(None), (120 * 5120, 599.0));
    assert_eq!([bill(Some(2)), bill(Some(300))], [bill(None); 2]);
    // It is read before all others.
    assert_eq!(bill(Some(0)), (121 * 5120, 598.0));
}

#[test]
fn lines_that_are_no_record_are_told() {
    let added = Page::default().add("x", b"{\"tag\":\"t\",\"time\":[5,0],\"record\":{}}\n{\"tag\":\n");
    assert_eq!((added.records, added.format, added.skipped), (1, "records", 1));
}

#[test]
fn searches_text_and_tag_in_either_case() {
    let mut page = page(RULES, "One ü \"q\"\ntwo\n");
    assert_eq!(page.search("oNE"), [0]);
    assert_eq!(page.search("Ü \"Q\""), [0]);
    assert_eq!(page.search("Default/pasted/"), [0, 1]);
    // Keys that nobody sees, and what is nowhere.
    assert_eq!([page.search("stdout"), page.search("log"), page.search("three")], [[0; 0]; 3]);
    page.add("", br#"{"tag":"app.x","time":[1,0],"record":{"order":"K-17"}}"#);
    page.start();
    assert_eq!([page.search("k-17"), page.search("APP.x")], [[0], [0]]);
}

#[test]
fn pods_give_labels_and_a_bad_list_leaves_them() {
    let mut page =
        page("version: 1\nrules: [{ name: web, when: { labels: app=web }, drop: {}, reason: r }]\n", "x\n");
    assert_eq!(page.rows()[usize::from(page.verdicts(0)[0] >> 1)].name, "unknown");
    let list = br#"{"items":[{"metadata":{"name":"pasted","namespace":"default","labels":{"app":"web"}}}]}"#;
    assert_eq!(page.take_pods(list), Ok(1));
    assert!(page.take_pods(b"{}").is_err());
    page.start();
    page.advance(1);
    assert_eq!(page.verdicts(0), [1]);
}

#[test]
fn nothing_at_all_is_no_trouble() {
    let mut page = Page::default();
    assert_eq!((page.start(), page.advance(10), page.rows().len()), (0, 0, 4));
    assert!(page.panel().contains("Records seen"));
}
