//! Chains as charts ship them, and what becomes of them.

use super::plan::glob_matches;
use super::*;
use std::fs;

fn migrated(name: &str, text: &str) -> Migration {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), text).unwrap();
    migrate(&folder.path().join(name)).unwrap()
}

fn file<'m>(migration: &'m Migration, name: &str) -> &'m str {
    &migration.files.iter().find(|(own, _)| own == name).unwrap().1
}

fn fates(migration: &Migration, what: &str) -> Vec<Fate> {
    migration.report.iter().filter(|line| line.what.starts_with(what)).map(|line| line.fate).collect()
}

const HELM: &str = "[SERVICE]\n    Flush 1\n[INPUT]\n    Name tail\n    Path /var/log/containers/*.log\n    Tag kube.*\n\
    [FILTER]\n    Name kubernetes\n    Match kube.*\n    Merge_Log On\n    Keep_Log Off\n    K8S-Logging.Parser On\n    K8S-Logging.Exclude On\n\
    [OUTPUT]\n    Name es\n    Match kube.*\n";

#[test]
fn the_charts_default_becomes_the_module_in_its_place() {
    let found = migrated("fluent-bit.conf", HELM);
    let rules = file(&found, "nodesieve.yaml");
    assert!(
        rules.contains("merge_log: { keep_log: false }") && rules.contains("exclude_annotations: true"),
        "{rules}"
    );
    let pipeline = file(&found, "fluent-bit.conf");
    assert!(
        pipeline.contains("    match_regex ^kube\\..*$|^nodesieve\\.tick$\n")
            && !pipeline.contains("kubernetes"),
        "{pipeline}"
    );
    assert!(pipeline.contains("[OUTPUT]\n    Name es\n"), "{pipeline}");
    assert_eq!(file(&found, "sidecar.env"), "NODESIEVE_ANNOTATIONS=*\n");
    assert_eq!(fates(&found, "K8S-Logging.Parser"), [Fate::Impossible]);
    assert_eq!(fates(&found, "K8S-Logging.Exclude"), [Fate::Differs]);
    assert!(file(&found, "REPORT.md").contains("rewrite_tag"));
}

#[test]
fn filters_are_translated_up_to_the_first_that_stays() {
    let chain = HELM.replace(
        "[OUTPUT]",
        "[FILTER]\n    Name grep\n    Match kube.*\n    Exclude $kubernetes['namespace_name'] ^kube-(system|public)$\n\
         [FILTER]\n    Name nest\n    Match kube.*\n    Operation lift\n    Nested_under kubernetes\n\
         [FILTER]\n    Name grep\n    Match kube.*\n    Exclude pod_name ^test-\n[OUTPUT]",
    );
    let chain = chain.replace("[FILTER]\n    Name kubernetes", "[FILTER]\n    Name grep\n    Match kube.*\n    Exclude log GET /healthz\n[FILTER]\n    Name kubernetes");
    let found = migrated("fluent-bit.conf", &chain);
    let rules = file(&found, "nodesieve.yaml");
    assert!(
        rules.contains(
            "record: '{ $.kubernetes.namespace_name = %^kube\\x2dsystem\\x0a?$|^kube\\x2dpublic\\x0a?$% }'"
        ),
        "{rules}"
    );
    assert!(rules.contains("record: '{ $.log = %GET /healthz% }'"), "{rules}");
    assert_eq!(rules.matches("    expect: ").count(), 2, "a test for each: {rules}");
    let pipeline = file(&found, "fluent-bit.conf");
    assert_eq!(pipeline.matches("[FILTER]").count(), 3, "{pipeline}");
    assert!(
        pipeline.find("wasm") < pipeline.find("nest")
            && pipeline.find("nest") < pipeline.find("Exclude pod_name"),
        "{pipeline}"
    );
    assert_eq!(fates(&found, "FILTER grep"), [Fate::Translated, Fate::Translated, Fate::Kept]);
    assert_eq!(fates(&found, "FILTER nest"), [Fate::Kept]);
}

#[test]
fn what_would_drop_other_records_stays() {
    for (filter, why) in [
        ("    Exclude stream (?i)debug\n", "which a pattern cannot say"),
        ("    Exclude log debug\n", "Keep_Log Off"),
        ("    Exclude level debug\n", "rules see the record before that"),
        ("    Exclude $a['b\"'] x\n", "is no field"),
        ("    Exclude stream ${WHICH}\n", "variable"),
    ] {
        let chain =
            HELM.replace("[OUTPUT]", &format!("[FILTER]\n    Name grep\n    Match kube.*\n{filter}[OUTPUT]"));
        let found = migrated("fluent-bit.conf", &chain);
        let line = found.report.iter().find(|line| line.what == "FILTER grep").unwrap();
        assert!(line.fate == Fate::Kept && line.how.contains(why), "{filter}: {line:?}");
        assert!(file(&found, "fluent-bit.conf").contains(filter));
    }
}

#[test]
fn a_grep_is_asked_as_fluent_bit_asks_it() {
    let conditions = |filter: &str| {
        let chain = format!(
            "pipeline:\n  inputs: [{{ name: tail, tag: kube.x }}]\n  filters:\n    - name: grep\n      match: '*'\n{filter}"
        );
        let found = migrated("f.yaml", &chain);
        let lines = file(&found, "nodesieve.yaml")
            .lines()
            .filter(|line| line.contains("record: '"))
            .map(|line| line.trim().to_owned());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(
        conditions("      regex: stream ^stderr$\n"),
        ["when: { record: '{ $.stream NOT EXISTS || $.stream != %^stderr\\x0a?$% }' }"]
    );
    assert_eq!(conditions("      exclude: [log a, log b]\n").len(), 2);
    assert_eq!(conditions("      regex: [log a, log b]\n").len(), 1, "the first decides");
    assert_eq!(
        conditions("      logical_op: and\n      exclude: [log a, stream b]\n"),
        ["when: { record: '{ ($.log = %a%) && ($.stream = %b%) }' }"]
    );
    assert_eq!(
        conditions("      logical_op: or\n      regex: [log a, stream b]\n"),
        [
            "when: { record: '{ ($.log NOT EXISTS || $.log != %a%) && ($.stream NOT EXISTS || $.stream != %b%) }' }"
        ]
    );
}

#[test]
fn a_throttle_is_a_limit_behind_all_rules() {
    let chain = "[INPUT]\n  Name tail\n[FILTER]\n  Name throttle\n  Match *\n  Rate 800\n  Window 300\n  Interval 1s\n\
                 [FILTER]\n  Name grep\n  Match *\n  Exclude log noise\n";
    let found = migrated("f.conf", chain);
    let rules = file(&found, "nodesieve.yaml");
    assert!(rules.contains("limit: { rate: 800/s, burst: 240000 }"), "{rules}");
    assert!(rules.find("grep-2") < rules.find("throttle-1"), "{rules}");
    assert!(rules.contains("enrich: off\nmetadata: { source: record }"), "{rules}");
    assert!(fates(&found, "FILTER throttle").contains(&Fate::Differs));
    let options = found.report.iter().filter(|line| line.what.to_ascii_lowercase().starts_with("rate "));
    assert_eq!(options.map(|line| line.fate).collect::<Vec<_>>(), [Fate::Translated]);
}

#[test]
fn a_part_of_a_configuration_is_said_to_be_one() {
    let found = migrated(
        "filters.conf",
        "[FILTER]\n    Name parser\n    Match *\n    Key_name log\n    Parser crio\n",
    );
    assert_eq!(fates(&found, "no input"), [Fate::Impossible]);
}

#[test]
fn variables_are_those_of_the_file_then_those_of_the_environment() {
    let chain = HELM
        .replace("[SERVICE]", "@SET merge=Off\n[SERVICE]")
        .replace("Merge_Log On", "Merge_Log ${merge}")
        .replace("    Keep_Log Off\n", "    Kube_Tag_Prefix ${SET_NOWHERE}.\n");
    let found = migrated("fluent-bit.conf", &chain);
    assert!(!file(&found, "nodesieve.yaml").contains("merge_log"));
    assert_eq!(fates(&found, "Kube_Tag_Prefix"), [Fate::Differs, Fate::Translated]);
    assert!(file(&found, "fluent-bit.conf").starts_with("@SET merge=Off\n"));
}

#[test]
fn what_is_not_understood_is_written_as_it_was() {
    let source = "env:\n  A: b\nservice:\n  flush: 1\nparsers:\n- name: p\n  format: regex\n  regex: ^(?<a>.*)$\npipeline:\n  inputs:\n  - name: tail\n    tag: kube.x\n    processors:\n      logs:\n      - name: content_modifier\n        action: insert\n  filters: []\n  outputs:\n  - name: http\n    header: [a b, c d]\n";
    let found = migrated("f.yaml", source);
    let (old, mut new): (serde_json::Value, serde_json::Value) =
        (yaml_serde::from_str(source).unwrap(), yaml_serde::from_str(file(&found, "f.yaml")).unwrap());
    assert_eq!(new["pipeline"]["filters"][0]["name"], "wasm");
    let inputs = new["pipeline"]["inputs"].as_array_mut().unwrap();
    assert_eq!(inputs.pop().unwrap()["tag"], "nodesieve.tick");
    new["pipeline"]["filters"] = serde_json::json!([]);
    assert_eq!(new, old);
}

#[test]
fn files_beside_the_configuration_go_along() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    put("parsers.conf", "[PARSER]\n    Name p\n");
    put("f.lua", "function f() end\n");
    put(
        "main.conf",
        &HELM.replace("    Flush 1\n", "    Flush 1\n    Parsers_File parsers.conf\n").replace(
            "[OUTPUT]",
            "[FILTER]\n    Name lua\n    Match *\n    script f.lua\n    call f\n[OUTPUT]",
        ),
    );
    let found = migrate(&folder.path().join("main.conf")).unwrap();
    assert_eq!(file(&found, "parsers.conf"), "[PARSER]\n    Name p\n");
    assert_eq!(file(&found, "f.lua"), "function f() end\n");
}

#[test]
fn what_takes_all_records_takes_the_same_where_there_are_no_others() {
    let grep =
        "[FILTER]\n    Name grep\n    Match *\n    Exclude stream ^stderr$\n[FILTER]\n    Name kubernetes";
    let alone = HELM.replace("[FILTER]\n    Name kubernetes", grep);
    assert_eq!(fates(&migrated("f.conf", &alone), "FILTER grep"), [Fate::Translated]);
    let more = alone.replace(
        "[FILTER]\n    Name grep",
        "[INPUT]\n    Name systemd\n    Tag host.*\n[FILTER]\n    Name grep",
    );
    assert_eq!(fates(&migrated("f.conf", &more), "FILTER grep"), [Fate::Kept]);
    for (glob, tag, expected) in [
        ("kube.*", "kube.*", true),
        ("*", "x", true),
        ("a*b", "axxb", true),
        ("a*b", "axxc", false),
        ("kube", "kube.x", false),
    ] {
        assert_eq!(glob_matches(glob, tag), expected, "{glob} {tag}");
    }
}

#[test]
fn a_regex_parser_becomes_an_expression_for_the_whole_tag() {
    let by = |regex: &str| {
        let chain = HELM.replace("    Merge_Log On\n", "    Kube_Tag_Prefix app.x.\n    Regex_Parser own\n");
        let parser = format!("[PARSER]\n    Name own\n    Format regex\n    Regex {regex}\n");
        migrated("fluent-bit.conf", &format!("{parser}{chain}"))
    };
    let groups = r"(?<namespace_name>[^.]+)\.(?<pod_name>[^.]+)\.(?<container_name>[^.]+)";
    for (regex, expected) in [
        (format!("^{groups}$"), format!(r"tag_regex: '^app\.x\.{groups}$'")),
        (format!("/{groups}/"), format!(r"tag_regex: '^app\.x\..*?(?:{groups})'")),
    ] {
        let found = by(&regex);
        assert!(file(&found, "nodesieve.yaml").contains(&expected), "{}", file(&found, "nodesieve.yaml"));
        assert_eq!(fates(&found, "Regex_Parser"), [Fate::Translated]);
    }
    for refused in ["(?=a)", "(?<pod_name>.+)", &format!("^{groups}$|^a")] {
        let found = by(refused);
        assert!(!file(&found, "nodesieve.yaml").contains("tag_regex"), "{refused}");
        assert_eq!(fates(&found, "Regex_Parser"), [Fate::Impossible], "{refused}");
    }
    let none = migrated("fluent-bit.conf", &HELM.replace("    Merge_Log On\n", "    Regex_Parser own\n"));
    assert_eq!(fates(&none, "Regex_Parser"), [Fate::Impossible]);
}
