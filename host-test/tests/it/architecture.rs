//! ARCHITECTURE.md against the tree: its module graph, its code map and its dependency table say what is there.

use host_test::artefact;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn architecture() -> String {
    fs::read_to_string(artefact::workspace().join("ARCHITECTURE.md")).unwrap()
}

/// The section behind a heading, to the next one.
fn section<'t>(text: &'t str, heading: &str) -> &'t str {
    let rest = text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no {heading}")).1;
    rest.split_once("\n## ").map_or(rest, |(section, _)| section)
}

/// The cells of a table's rows, its head left out.
fn rows(section: &str) -> Vec<Vec<&str>> {
    let lines = section.lines().filter(|line| line.starts_with("| "));
    lines.skip(1).map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// What stands in backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// One line of the module graph: where, and its layers from the top.
struct Layers {
    place: String,
    layers: Vec<Vec<String>>,
}

fn graph() -> Vec<Layers> {
    let text = architecture();
    let block = text.split_once("```layers\n").unwrap().1.split_once("```").unwrap().0;
    let read = |line: &str| {
        let (place, layers) = line.split_once(": ").unwrap();
        let names = |layer: &str| layer.split(',').map(|name| name.trim().to_owned()).collect();
        Layers { place: place.to_owned(), layers: layers.split(" > ").map(names).collect() }
    };
    block.lines().map(read).collect()
}

impl Layers {
    fn level(&self, name: &str) -> Option<usize> {
        self.layers.iter().position(|layer| layer.iter().any(|other| other == name))
    }

    fn names(&self) -> BTreeSet<&str> {
        self.layers.iter().flatten().map(String::as_str).collect()
    }
}

/// All Rust files below a directory.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The code of a file without its comments and tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs")
}

/// The names behind `prefix::` in a code, those in braces too.
fn used<'c>(code: &'c str, prefix: &str) -> BTreeSet<&'c str> {
    let mut found = BTreeSet::new();
    let word = |text: &'c str| {
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        &text[..end]
    };
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(list) => {
                let list = list.split_once('}').map_or(list, |(list, _)| list);
                found.extend(list.split(',').map(|item| word(item.trim_start())));
            }
            None => {
                found.insert(word(rest));
            }
        }
    }
    found
}

/// The directory of a crate, by the name that the graph has for it.
fn crate_directory(name: &str) -> &str {
    match name {
        "host-test" | "launcher" | "sidecar" => name,
        _ => match name {
            "filter" => "plugin/filter",
            "laws" => "plugin/laws",
            "preview" => "plugin/preview",
            "podlist" => "plugin/podlist",
            "engine" => "plugin/engine",
            "text" => "plugin/text",
            other => panic!("no crate {other}"),
        },
    }
}

/// The tables of dependencies of a crate: names as in Cargo.toml.
fn dependencies(directory: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(artefact::workspace().join(directory).join("Cargo.toml")).unwrap();
    let mut section = "";
    let mut found = BTreeSet::new();
    for line in manifest.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if matches!(section, "dependencies" | "dev-dependencies")
            && line.starts_with(|first: char| first.is_ascii_lowercase())
        {
            found.insert(line.split(['=', '.', ' ']).next().unwrap().to_owned());
        }
    }
    found
}

#[test]
fn no_crate_depends_on_one_above_it() {
    let graph = graph();
    let crates = graph.iter().find(|layers| layers.place == "crates").unwrap();
    let root = fs::read_to_string(artefact::workspace().join("Cargo.toml")).unwrap();
    let members = root.split_once("members = [").unwrap().1.split_once(']').unwrap().0;
    let members: BTreeSet<&str> = members.split(',').map(|name| name.trim().trim_matches('"')).collect();
    assert_eq!(crates.names().iter().map(|name| crate_directory(name)).collect::<BTreeSet<_>>(), members);
    for name in crates.names() {
        for used in
            dependencies(crate_directory(name)).iter().filter_map(|used| used.strip_prefix("nodesieve-"))
        {
            assert!(
                crates.level(used) > crates.level(name),
                "{name} depends on {used}, which is not below it"
            );
        }
    }
}

#[test]
fn no_module_uses_one_above_it() {
    for layers in graph().iter().filter(|layers| layers.place != "crates") {
        let workspace = artefact::workspace();
        // A crate's modules, or the modules inside one of them.
        let (directory, prefix) = match layers.place.split_once("/src/") {
            Some((_, module)) => {
                (workspace.join(&layers.place), format!("crate::{}::", module.replace('/', "::")))
            }
            None => (workspace.join(&layers.place).join("src"), "crate::".to_owned()),
        };
        let mut modules = BTreeSet::new();
        for path in sources(&directory).into_iter().filter(|path| !is_test(path)) {
            let inside = path.strip_prefix(&directory).unwrap();
            let module = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
            if matches!(module.as_str(), "lib" | "main" | "mod") {
                continue;
            }
            let level = layers.level(&module);
            assert!(level.is_some(), "{}: {module} is in no layer", layers.place);
            let code = code(&path);
            let mut names = used(&code, &prefix);
            if inside.components().count() == 1 && prefix != "crate::" {
                names.extend(used(&code, "super::"));
            }
            for used in names.into_iter().filter(|used| *used != module) {
                let Some(below) = layers.level(used) else { continue };
                assert!(Some(below) > level, "{}: {module} uses {used}, which is not below it", layers.place);
            }
            modules.insert(module);
        }
        assert_eq!(
            layers.names(),
            modules.iter().map(String::as_str).collect(),
            "{}: the layers and the files",
            layers.place
        );
    }
}

/// `a/{b,c}/` is `a/b/` and `a/c/`.
fn expanded(path: &str) -> Vec<String> {
    match path.split_once('{') {
        Some((before, rest)) => {
            let (list, after) = rest.split_once('}').unwrap();
            list.split(',').map(|part| format!("{before}{part}{after}")).collect()
        }
        None => vec![path.to_owned()],
    }
}

#[test]
fn the_code_map_covers_every_source_and_names_nothing_else() {
    let text = architecture();
    let workspace = artefact::workspace();
    let mapped: Vec<String> = rows(section(&text, "Code map"))
        .iter()
        .flat_map(|cells| quoted(cells[0]))
        .flat_map(expanded)
        .collect();
    for place in &mapped {
        assert!(workspace.join(place).exists(), "the code map names {place}, which is not there");
    }
    for crate_name in
        ["host-test", "launcher", "sidecar", "filter", "laws", "preview", "podlist", "engine", "text"]
    {
        for path in sources(&workspace.join(crate_directory(crate_name)).join("src")) {
            let path = path.strip_prefix(&workspace).unwrap().to_str().unwrap().to_owned();
            assert!(
                mapped.iter().any(|place| path.starts_with(place)),
                "the code map has no place for {path}"
            );
        }
    }
    // What the text below and above it names is there too: whole paths, and names of files in the map's own places.
    let all: Vec<String> = sources(&workspace.join("plugin"))
        .iter()
        .chain(&sources(&workspace.join("launcher")))
        .chain(&sources(&workspace.join("sidecar")))
        .chain(&sources(&workspace.join("host-test")))
        .map(|path| path.strip_prefix(&workspace).unwrap().to_str().unwrap().to_owned())
        .collect();
    for name in quoted(&text).into_iter().filter(|name| name.ends_with(".rs")).flat_map(expanded) {
        assert!(all.iter().any(|path| path.ends_with(&name)), "{name} is named and is not there");
    }
}

#[test]
fn the_dependency_table_has_a_line_for_each_and_says_who_uses_it() {
    let text = architecture();
    let mut told: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for cells in rows(section(&text, "Dependencies, each with its reason")) {
        assert!(cells.len() == 3 && !cells[2].is_empty(), "{cells:?} has no reason");
        for name in quoted(cells[0]) {
            told.entry(name).or_default().extend(cells[1].split(", "));
        }
    }
    let mut used: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for name in ["host-test", "launcher", "sidecar", "filter", "laws", "preview", "podlist", "engine", "text"]
    {
        for dependency in dependencies(crate_directory(name)) {
            if dependency != "host-test" && !dependency.starts_with("nodesieve") {
                used.entry(dependency).or_default().insert(name);
            }
        }
    }
    for (name, crates) in &used {
        let who = told.get(name.as_str()).unwrap_or_else(|| panic!("{name} has no line"));
        assert_eq!(who, crates, "who uses {name}");
    }
    let named: BTreeSet<&str> = used.keys().map(String::as_str).collect();
    assert_eq!(told.keys().copied().collect::<BTreeSet<_>>(), named, "lines and dependencies");
}

#[test]
fn it_is_short() {
    let lines = architecture().lines().count();
    assert!(lines < 200, "{lines} lines");
}

/// A graph that was drawn by looking the other way would pass: what is above must be found.
#[test]
fn a_use_is_found_in_every_spelling() {
    let code = "use crate::alpha::X;\nuse crate::{beta, gamma::{self, Y}};\nlet z = crate::delta::f();";
    assert!(used(code, "crate::").is_superset(&BTreeSet::from(["alpha", "beta", "gamma", "delta"])));
    assert_eq!(expanded("a/{b,c}/"), ["a/b/", "a/c/"]);
}
