//! The queries of the documents, over what a replay delivers: their numbers add up to the lines that there were.
//!
//! Athena is not here. sqlglot reads the queries as Athena's and writes them as DuckDB's, over a table with the columns that the
//! documents give it; skipped where Python has not both.

use crate::command_line::run;
use crate::support;
use host_test::cases::blocks;
use serde_json::{Map, Value, json};
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Reads the question from stdin and writes each query's rows as a line of JSON.
const SCRIPT: &str = r#"
import duckdb, json, re, sqlglot, sys
from sqlglot import exp
asked = json.load(sys.stdin)
of_duckdb = lambda hive: exp.DataType.build(hive, dialect="hive").sql(dialect="duckdb")
columns = ", ".join(f"{name}: '{of_duckdb(hive)}'" for name, hive in asked["columns"].items())
connection = duckdb.connect()
connection.execute(f"CREATE TABLE logs AS SELECT *, '2026-11-20' AS day FROM read_json('{asked['file']}', format='newline_delimited', columns={{{columns}}})")
for query in asked["queries"]:
    text = sqlglot.transpile(query, read="athena", write="duckdb", unsupported_level=sqlglot.ErrorLevel.RAISE)[0]
    # Athena spreads the fields of the rows of an array over columns.
    text = re.sub(r"UNNEST\(([\w.]+)\) AS (\w+)\(", r"LATERAL (SELECT UNNEST(\1, max_depth := 2)) AS \2(", text)
    print(json.dumps([['' if cell is None else str(cell) for cell in row] for row in connection.sql(text).fetchall()]))
"#;

fn page(name: &str) -> String {
    fs::read_to_string(support::conf().join("../docs").join(name)).unwrap()
}

/// The queries of a page, without their comments.
fn queries(page: &str) -> Vec<String> {
    let blocks = blocks(page).into_iter().filter(|block| block.info == "sql");
    let texts: Vec<String> = blocks.map(|block| block.content).collect();
    let lines = texts.iter().flat_map(|text| text.lines()).filter(|line| !line.starts_with("--"));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    text.split(";\n").map(str::trim).filter(|query| !query.is_empty()).map(str::to_owned).collect()
}

/// The type of the column `nodesieve`, with the members that other pages add.
fn column() -> String {
    let block = |page: &str, start: &str| {
        let found = blocks(page).into_iter().find(|block| block.content.starts_with(start)).unwrap();
        found.content.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let own = block(&page("counting.md"), "nodesieve struct<");
    let more = [block(&page("lift.md"), "lifted:"), block(&page("measure.md"), "volume:array")].join(", ");
    let own = own.strip_prefix("nodesieve ").unwrap().strip_suffix('>').unwrap();
    format!("{own}, {more}>")
}

/// What a replay of the samples says of itself, and what these queries find in what it has delivered.
fn found(rules: &str, queries: &[String]) -> Option<(Value, Vec<Vec<Vec<String>>>)> {
    let has_both = Command::new("python3").args(["-c", "import duckdb, sqlglot"]).output();
    if !has_both.is_ok_and(|output| output.status.success()) {
        support::skip("duckdb", "no python3 with duckdb and sqlglot");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("rules.yaml"), rules).unwrap();
    let output = run(&["replay", "--rules", &at("rules.yaml"), "--out", &at("out"), "--format", "json"], "");
    let ledger: Value = serde_json::from_slice(&output.stdout).unwrap();
    let delivered = fs::read_to_string(at("out")).unwrap();
    let records: String = delivered
        .lines()
        .map(|line| format!("{}\n", serde_json::from_str::<Value>(line).unwrap()["record"]))
        .collect();
    fs::write(at("records"), records).unwrap();
    let columns: Map<String, Value> = [
        ("nodesieve", column()),
        ("kubernetes", "struct<host:string, pod_name:string>".to_owned()),
        ("time", "string".to_owned()),
        ("log", "string".to_owned()),
    ]
    .map(|(name, kind)| (name.to_owned(), kind.into()))
    .into_iter()
    .collect();
    let asked = json!({ "file": at("records"), "columns": columns, "queries": queries });
    let mut child = Command::new("python3")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows = String::from_utf8(output.stdout).unwrap();
    Some((ledger, rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect()))
}

fn sum(rows: &[Vec<String>], column: usize) -> u64 {
    rows.iter().map(|row| row[column].parse::<u64>().unwrap()).sum()
}

fn number(ledger: &Value, name: &str) -> u64 {
    ledger[name].as_u64().unwrap_or_else(|| panic!("{name}: {ledger}"))
}

/// Guarantees: the records that the first query counts, those that the second finds dropped, and what is still open are the lines that
/// there were; by node and minute they are the same.
#[test]
fn the_queries_that_count_add_up_to_the_lines_that_there_were() {
    let rules = fs::read_to_string(support::conf().join("rules/example-cluster.yaml")).unwrap();
    let Some((ledger, found)) = found(&rules, &queries(&page("counting.md"))) else { return };
    let [records, dropped, by_minute] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(sum(records, 0), number(&ledger, "kept") + number(&ledger, "counted"));
    assert_eq!(sum(dropped, 1), number(&ledger, "summarised"));
    assert!(dropped.len() > 3 && sum(dropped, 1) > 1000, "{dropped:?}");
    let seen = number(&ledger, "seen");
    assert_eq!(sum(records, 0) + sum(dropped, 1) + number(&ledger, "open"), seen);
    assert_eq!(sum(by_minute, 2) + number(&ledger, "open"), seen);
    // Ten minutes of a node, which has another name in summaries here, and of pods that are not known.
    assert!((20..=30).contains(&by_minute.len()), "{by_minute:?}");
}

/// Guarantees: the lines that came back with an error are counted with it, and found by their pod.
#[test]
fn the_queries_about_recalled_lines_find_them_and_add_up() {
    let rules = "version: 1\nenrich: { fields: all }\n\
        guards: [{ name: errors, when: { severity: '>=error' }, recall: { lines: 5, bytes: 8KiB } }]\n\
        rules: [{ name: info, when: { severity: '<=info' }, drop: {}, reason: r }]\n";
    let [count, of_pod] = <[String; 2]>::try_from(queries(&page("lift.md"))).unwrap();
    let [_, dropped, _] = <[String; 3]>::try_from(queries(&page("counting.md"))).unwrap();
    let anywhere = of_pod.replace(" AND kubernetes.pod_name = 'web-10'", "");
    let Some((ledger, found)) = found(rules, &[count, dropped, of_pod, anywhere]) else { return };
    let [records, dropped, _, anywhere] = found.as_slice() else { panic!("{found:?}") };
    let recalled = anywhere.len() as u64;
    assert!(recalled > 20 && anywhere.iter().all(|row| row[1] == "info"), "{recalled}");
    let seen = number(&ledger, "seen");
    let open = number(&ledger, "open") + number(&ledger, "held");
    assert_eq!(sum(records, 0) + sum(dropped, 1) + open, seen, "{recalled} recalled");
    assert_eq!(recalled, number(&ledger, "recalled"));
    assert!(sum(records, 0) > recalled);
}

/// Guarantees: the bill by namespace has every record that was kept or dropped.
#[test]
fn the_query_that_charges_namespaces_has_every_record() {
    let rules = "version: 1\nvolume: { by: namespace }\n\
        rules: [{ name: info, when: { severity: '<=info' }, sample: { rate: 1/4 } }]\n";
    let [bill] = <[String; 1]>::try_from(queries(&page("measure.md"))).unwrap();
    let Some((ledger, found)) = found(rules, &[bill]) else { return };
    let [bill] = found.as_slice() else { panic!("{found:?}") };
    assert!(bill.len() > 3, "{bill:?}");
    assert_eq!(
        (sum(bill, 2), sum(bill, 3)),
        (number(&ledger, "kept"), number(&ledger, "dropped")),
        "{bill:?}"
    );
    assert!(bill.iter().all(|row| row[1].parse::<f64>().unwrap() >= 0.0));
}
