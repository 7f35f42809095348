//! docs/security.md names a test for each limit: each of them exists.

use crate::support;
use std::fs;
use std::path::Path;

/// The sources of all crates, as one text.
fn sources(directory: &Path, into: &mut String) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&path, into);
        } else if name.ends_with(".rs") {
            into.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_test_that_the_page_names_exists() {
    let root = support::conf().join("..");
    let mut all = String::new();
    ["plugin", "sidecar", "launcher", "host-test"]
        .iter()
        .for_each(|place| sources(&root.join(place), &mut all));
    let page = fs::read_to_string(root.join("docs/security.md")).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.matches(" | ").count() == 3).collect();
    let mut named = 0;
    for row in &rows {
        let column = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let names = column.split('`').skip(1).step_by(2).filter(|name| {
            name.len() > 12
                && name
                    .chars()
                    .all(|letter| letter.is_ascii_lowercase() || letter == '_' || letter.is_ascii_digit())
        });
        for name in names {
            named += 1;
            assert!(all.contains(&format!("fn {name}(")), "{name}, in {row}");
        }
    }
    assert!(rows.len() > 40 && named > 80, "{} rows, {named} tests", rows.len());
}
