//! Mistakes that many make: the help is what they should have written.

use super::*;

#[test]
fn what_people_write_first_is_answered_with_what_to_write() {
    let help = |body: &str| {
        let source = rule(body);
        let mistakes = match load(&source) {
            Ok(loaded) => loaded.warnings,
            Err(mistakes) => mistakes,
        };
        mistakes[0].help.clone().unwrap_or_default()
    };
    for (body, expected) in [
        ("when: { labels: { app: web } }, keep: {}", "labels: 'app=web'"),
        ("when: { labels: { matchLabels: { app: web, tier: x } } }, keep: {}", "labels: 'app=web,tier=x'"),
        ("when: { labels: [app=web, { tier: [a, b] }] }, keep: {}", "labels: 'app=web,tier in (a,b)'"),
        ("when: { severity: [debug, info] }, keep: {}", "'<=info'"),
        ("when: { message: [a, 'b c'] }, keep: {}", "'?a ?\"b c\"'"),
        ("when: { stream: [stdout, stderr] }, keep: {}", "leave the condition out"),
        ("when: { namespace: '!kube-system' }, keep: {}", "not: { namespace: kube-system }"),
        ("when: { namespace: 'a,b' }, keep: {}", "[a, b]"),
        ("when: { message: '!debug' }, keep: {}", "-word"),
        ("when: { message: 'a OR b' }, keep: {}", "?a ?b"),
        ("when: { message: '%(a|b)%' }, keep: {}", "%this|that%"),
        (
            "when: { message: '{ $.kubernetes.host = \"x\" }' }, keep: {}",
            "record: '{ $.kubernetes.host = \"x\" }'",
        ),
        ("when: { level: error }, keep: {}", "`severity`"),
        ("drop: true, reason: r", "`drop: {}`"),
        ("sample: 0.1", "`sample: { rate: 0.1 }`"),
        ("limit: 20/s", "`limit: { rate: 20/s }`"),
        ("sample: { rate: 1/2 }, limit: { rate: 1/s }", "first rule that matches decides"),
        ("not: { namespace: x }, keep: {}", "when: { not: ... }"),
        ("when: { any: { namespace: x } }, keep: {}", "any: [{"),
        ("when: { not: { any: [{ namespace: x }] } }, keep: {}", "a rule of its own"),
    ] {
        assert!(help(body).contains(expected), "{body}: {}", help(body));
    }
}

#[test]
fn a_tag_regex_has_its_groups_or_is_refused_with_what_is_missing() {
    let read = |text: &str| load(&format!("version: 1\ninput: {{ tag_regex: '{text}' }}\n"));
    let groups = r"(?<pod_name>[^_]+)_(?<namespace_name>[^_]+)_(?<container_name>.+)";
    assert!(read(groups).unwrap().rules.input.tag_regex.is_some());
    for (text, expected) in [
        ("(?<pod_name>.+", "`tag_regex` is refused: "),
        (r"^(?!kube)(?<pod_name>.+)", "`tag_regex` is refused: look-around"),
        ("^(?<pod_name>.+)$", "`tag_regex` has no group `namespace_name`"),
        ("(?<pod>.+)", "`tag_regex` has a group `pod`, which means nothing"),
    ] {
        let mistakes = read(text).unwrap_err();
        assert!(mistakes[0].message.starts_with(expected), "{text}: {}", mistakes[0].message);
    }
}
