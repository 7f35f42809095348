//! The documents: links lead somewhere, and the examples of `docs/diagnostics.md` are what the code says.
//!
//! `NODESIEVE_BLESS=1 cargo test documents` writes the messages anew.

use crate::support;
use nodesieve_engine::diag::{Code, Paint, render_all};
use nodesieve_engine::rule_test;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    support::conf().join("..")
}

/// Documents for people, with their places.
fn pages() -> Vec<(PathBuf, String)> {
    let mut paths: Vec<PathBuf> =
        ["README.md", "SECURITY.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(|name| root().join(name)).into();
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    paths.extend(docs.filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).unwrap())).collect()
}

/// As GitHub and mdBook make them of headings.
fn anchors(text: &str) -> Vec<String> {
    let mut is_code = false;
    let mut found = Vec::new();
    for line in text.lines() {
        is_code ^= line.starts_with("```");
        if let Some(heading) = line.strip_prefix('#').filter(|_| !is_code) {
            let heading = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            found.push(kept.collect::<String>().replace(' ', "-"));
        }
    }
    found
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let pages = pages();
    let mut links = 0;
    for (path, text) in &pages {
        let mut is_code = false;
        for line in text.lines() {
            is_code ^= line.starts_with("```");
            for (_, behind) in
                line.match_indices("](").map(|(at, _)| line.split_at(at + 2)).filter(|_| !is_code)
            {
                let target = behind.split(')').next().unwrap();
                if target.contains("://") || target.contains('`') || target.is_empty() {
                    continue;
                }
                let (file, anchor) =
                    target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
                let named = match file {
                    "" => path.clone(),
                    file => path.parent().unwrap().join(file),
                };
                assert!(named.exists(), "{}: {target}", path.display());
                if let Some(anchor) = anchor {
                    let text = fs::read_to_string(&named).unwrap();
                    assert!(anchors(&text).iter().any(|own| own == anchor), "{}: {target}", path.display());
                }
                links += 1;
            }
        }
    }
    assert!(links > 20, "{links}");
}

#[test]
fn the_readme_is_short_and_names_every_page() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.lines().count() <= 160, "{} lines", readme.lines().count());
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    for (path, _) in pages() {
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.parent().unwrap().ends_with("docs") && name != "SUMMARY.md" {
            assert!(readme.contains(&format!("](docs/{name})")), "the README does not name docs/{name}");
            assert!(summary.contains(&format!("]({name})")), "SUMMARY.md does not name {name}");
        }
    }
}

/// Guarantees: every metric and alert that the runbook names exists.
#[test]
fn the_runbook_names_metrics_and_alerts_that_there_are() {
    let runbook = fs::read_to_string(root().join("docs/runbook.md")).unwrap();
    let metrics = fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let alerts = fs::read_to_string(root().join("conf/k8s/monitoring/alerts.yaml")).unwrap();
    let words = runbook.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let mut names = 0;
    for word in words {
        if word.starts_with("nodesieve_") && word != "nodesieve_fault_" {
            assert!(metrics.contains(&format!("| `{word}` |")), "{word} is no metric");
            names += 1;
        }
        if word.starts_with("Nodesieve") || word.starts_with("fluentbit_") {
            assert!(alerts.contains(word), "{word} is in no alert");
            names += 1;
        }
    }
    assert!(names > 15, "{names}");
}

/// The blocks of a page behind each heading: language and text.
fn blocks(page: &str) -> BTreeMap<String, Vec<(String, String)>> {
    let mut found: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for block in host_test::cases::blocks(page) {
        found.entry(block.heading).or_default().push((block.info, block.content));
    }
    found
}

/// Guarantees: each code has an example that causes it, with its message word for word, and one that is mended.
#[test]
fn each_code_has_an_example_its_message_and_how_it_is_mended() {
    let path = root().join("docs/diagnostics.md");
    let mut page = fs::read_to_string(&path).unwrap();
    let all = blocks(&page);
    for (code, name, _) in Code::ALL {
        let [(_, bad), (_, message), (_, good)] =
            all.get(name).unwrap_or_else(|| panic!("no example of {name}")).as_slice()
        else {
            panic!("{name} has not three blocks")
        };
        let mistakes = match rule_test::load_explained(bad) {
            Ok(loaded) => loaded.warnings,
            Err(mistakes) => mistakes,
        };
        let mistake = mistakes.iter().find(|mistake| mistake.code == code);
        let mistake = mistake.unwrap_or_else(|| panic!("{name}: {mistakes:?}"));
        let shown = mistake.render(bad, "rules.yaml", Paint::Plain);
        if std::env::var_os("NODESIEVE_BLESS").is_some() {
            let (before, behind) = page.split_once(&format!("### {name}\n")).unwrap();
            let old = format!("```text\n{message}```");
            page =
                format!("{before}### {name}\n{}", behind.replacen(&old, &format!("```text\n{shown}```"), 1));
        } else {
            assert_eq!(*message, shown, "{name}");
        }
        let mended = rule_test::load_explained(good).unwrap_or_else(|all| panic!("{name}: {all:?}"));
        assert_eq!(mended.warnings, [], "{name}");
    }
    if std::env::var_os("NODESIEVE_BLESS").is_some() {
        fs::write(&path, page).unwrap();
    }
}

/// The rule file with the mistakes that people make first, and what is said to them.
pub(crate) fn first_mistakes() -> (String, String) {
    let page = fs::read_to_string(root().join("docs/diagnostics.md")).unwrap();
    let [(_, rules), (_, told)] = &blocks(&page)["First mistakes"][..] else { panic!("two blocks") };
    (rules.clone(), told.clone())
}

/// Guarantees: what people write first is told, each mistake with what to write instead.
#[test]
fn what_people_write_first_is_told_word_for_word() {
    let (rules, told) = first_mistakes();
    let mistakes = rule_test::load_explained(&rules).unwrap_err();
    assert!(mistakes.len() == 10 && mistakes.iter().all(|mistake| mistake.help.is_some()), "{mistakes:?}");
    let shown = render_all(&mistakes, &rules, "rules.yaml", Paint::Plain);
    if std::env::var_os("NODESIEVE_BLESS").is_some() {
        let path = root().join("docs/diagnostics.md");
        let page = fs::read_to_string(&path).unwrap();
        let (before, behind) = page.split_once("### First mistakes\n").unwrap();
        let old = format!("```text\n{told}```");
        let new = behind.replacen(&old, &format!("```text\n{shown}```"), 1);
        fs::write(&path, format!("{before}### First mistakes\n{new}")).unwrap();
    } else {
        assert_eq!(told, shown);
    }
}

/// All documents as one text, for tests that ask whether something is written down.
pub(crate) fn all() -> String {
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    pages().iter().map(|(path, _)| read(path)).collect()
}

/// mdBook builds the same pages that a reader of the repository has.
#[test]
fn the_book_is_built_without_a_warning() {
    let output = match Command::new("mdbook")
        .arg("build")
        .arg(root())
        .arg("--dest-dir")
        .arg(tempfile::tempdir().unwrap().path().join("book"))
        .output()
    {
        Ok(output) => output,
        Err(error) => return support::skip("mdbook", &error.to_string()),
    };
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    assert!(!told.contains("WARN") && !told.contains("ERROR"), "{told}");
}
