//! Ten rules as a node has them, and a hundred.
//!
//! They are apart because a real Fluent Bit runs them too, beside a Lua filter with the same ten by hand (`ten_rules.lua`). The
//! rule they keep: each kind of condition and policy that is common is there, and about half of the workload is kept.

/// The same ten decisions in Lua, for Fluent Bit's own filter.
pub const TEN_RULES_LUA: &str = include_str!("ten_rules.lua");

/// The rule file with ten rules.
pub fn ten_rules() -> String {
    let (guards, rules) = of_team(None);
    format!("version: 1\nenrich: {{ fields: lean, labels: [app] }}\nguards:\n{guards}rules:\n{rules}")
}

/// The ten, behind ninety of other teams: half of these are about namespaces that there are not, half about lines that
/// nobody writes.
pub(super) fn hundred_rules() -> String {
    let (mut guards, mut rules) = (String::new(), String::new());
    for team in (1..10).map(Some).chain([None]) {
        let (more_guards, more_rules) = of_team(team);
        guards.push_str(&more_guards);
        rules.push_str(&more_rules);
    }
    format!("version: 1\nenrich: {{ fields: lean, labels: [app] }}\nguards:\n{guards}rules:\n{rules}")
}

/// One guard and nine rules. Those of another team have a number in their names and match nothing.
fn of_team(team: Option<u32>) -> (String, String) {
    // An even team's rules differ in what they look for, an odd team's in whose lines they are about.
    let is_by_line = team.is_some_and(|team| team % 2 == 0);
    let suffix = team.map(|team| format!("-{team}")).unwrap_or_default();
    let marked = |text: &str| match team {
        Some(team) if is_by_line => format!("{text}.t{team}"),
        _ => text.to_owned(),
    };
    let whose = |own: Option<&str>| match (team, own) {
        (Some(team), _) if !is_by_line => format!("namespace: 'team-{team}-*', "),
        (Some(team), Some(_)) => format!("namespace: 'tenant-{team}', "),
        (None, Some(own)) => format!("namespace: {own}, "),
        (_, None) => String::new(),
    };
    // Where a rule looks for nothing in the line, an even team's looks for its own lines first.
    let lines = match team {
        Some(team) if is_by_line => format!(", message: '\"by t{team}\"'"),
        _ => String::new(),
    };
    let all = whose(None);
    let guard = format!(
        "  - {{ name: errors{suffix}, when: {{ {all}severity: '>=error'{lines} }}, ceiling: {{ rate: 200/s, by: pod }} }}\n"
    );
    let rule = |name: &str, when: String, policy: &str| {
        format!("  - {{ name: {name}{suffix}, when: {{ {when} }}, {policy} }}\n")
    };
    let dropped = "drop: {}, reason: measured";
    let rules = [
        rule("probes", format!(r#"{all}message: '"{}/" "\" 200 "'"#, marked("kube-probe")), dropped),
        rule("debug", format!("{all}severity: '<=debug'{lines}"), dropped),
        rule("assets", format!(r#"{all}message: '"GET /{}/" "\" 304 "'"#, marked("assets")), dropped),
        rule("imports", format!("{}stream: stderr{lines}", whose(Some("batch"))), dropped),
        rule(
            "requests",
            format!("{}message: '{{ $.{} < 400 }}'", whose(Some("shop")), marked("status")),
            "sample: { rate: 1/10, by: trace_id }",
        ),
        rule(
            "heartbeats",
            format!("{all}message: '\"{}\"'", marked("heartbeat")),
            "first: { n: 1, per: 60s, by: container }",
        ),
        rule(
            "cache",
            format!("{all}message: '\"{}\"'", marked("cache miss")),
            "limit: { rate: 5/s, by: container }",
        ),
        rule("gateway", format!("{all}container: gateway{lines}, stream: stderr"), "sample: { rate: 1/5 }"),
        rule("slow", format!("{all}message: '{{ $.{} >= 0.9 }}'", marked("took")), "keep: {}"),
    ];
    (guard, rules.concat())
}
