//! The compiled module as an artefact: its size, its memory, and nothing in it that WAMR would refuse.

use crate::support;
use host_test::guest::{Guest, Returned};
use host_test::node_logs;
use host_test::replay::write_pods;
use nodesieve_engine::engine::TICK_TAG;
use nodesieve_engine::pods::{Container, PodFile};
use nodesieve_preview::clock::TICK;
use nodesieve_sidecar::exposition;
use std::collections::BTreeSet;
use wasmparser::{ExternalKind, Parser, Payload, TypeRef, Validator, WasmFeatures};

fn payloads(bytes: &[u8]) -> Vec<Payload<'_>> {
    Parser::new(0).parse_all(bytes).collect::<Result<_, _>>().unwrap()
}

#[test]
fn imports_are_wasi_preview1_only() {
    let bytes = std::fs::read(support::module()).unwrap();
    for payload in payloads(&bytes) {
        if let Payload::ImportSection(reader) = payload {
            for import in reader.into_imports() {
                let import = import.unwrap();
                assert_eq!(import.module, "wasi_snapshot_preview1", "{}", import.name);
                assert!(matches!(import.ty, TypeRef::Func(_)), "{}", import.name);
            }
        }
    }
}

#[test]
fn exports_are_those_of_the_contract() {
    let bytes = std::fs::read(support::module()).unwrap();
    let mut exports = BTreeSet::new();
    for payload in payloads(&bytes) {
        if let Payload::ExportSection(reader) = payload {
            for export in reader {
                let export = export.unwrap();
                exports.insert((export.name.to_owned(), export.kind == ExternalKind::Memory));
            }
        }
    }
    let functions = ["_initialize", "filter", "free", "malloc"];
    // What the module has in the place of libc's: std calls them by name, and the linker exports what has a name.
    let own = ["aligned_alloc", "calloc", "memcmp", "posix_memalign", "realloc"];
    let names = functions.into_iter().chain(own).map(|name| (name.to_owned(), false));
    let expected: BTreeSet<_> = names.chain([("memory".to_owned(), true)]).collect();
    assert_eq!(exports, expected);
}

#[test]
fn memory_has_a_maximum() {
    let bytes = std::fs::read(support::module()).unwrap();
    let mut maximum = None;
    for payload in payloads(&bytes) {
        if let Payload::MemorySection(reader) = payload {
            for memory in reader {
                maximum = memory.unwrap().maximum;
            }
        }
    }
    assert_eq!(maximum, Some(2048), "pages of 64 KiB: 128 MiB");
}

/// No SIMD, tail calls, exceptions, extended constants, memory64: WAMR as Fluent Bit builds it has none of them.
#[test]
fn only_features_that_wamr_has_are_used() {
    let bytes = std::fs::read(support::module()).unwrap();
    let accepted = WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::CALL_INDIRECT_OVERLONG
        | WasmFeatures::BULK_MEMORY_OPT
        | WasmFeatures::FLOATS
        | WasmFeatures::GC_TYPES;
    Validator::new_with_features(accepted).validate_all(&bytes).unwrap();
}

#[test]
fn the_module_is_small() {
    let bytes = std::fs::metadata(support::module()).unwrap().len();
    assert!(bytes < 1_500_000, "{bytes} bytes");
}

/// Cargo compiles the harness's dependencies without optimisation; one that the module shares must be taken out of that.
#[test]
fn every_crate_in_the_module_is_optimised() {
    let manifest = std::fs::read_to_string(support::conf().join("../Cargo.toml")).unwrap();
    let tree = std::process::Command::new(env!("CARGO"))
        .args([
            "tree",
            "--package",
            "nodesieve",
            "--target",
            "wasm32-wasip1",
            "--edges",
            "normal,no-proc-macro",
        ])
        .args(["--prefix", "none", "--format", "{p}", "--offline", "--manifest-path"])
        .arg(support::conf().join("../Cargo.toml"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let names = String::from_utf8(tree.stdout).unwrap();
    let names: BTreeSet<&str> = names.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("nodesieve-engine"));
    for name in names {
        // For size where frames decide: with the face at level 2 the deepest call overflows the interpreter's default stack.
        let level = match name {
            "nodesieve" => "\"z\"",
            // Asked once for each tag.
            "regex-lite" => "\"s\"",
            // Asked for hits of redaction that are hashed.
            "hmac" | "sha2" | "digest" | "block-buffer" | "crypto-common" | "hybrid-array" | "typenum"
            | "cmov" | "ctutils" => "\"s\"",
            "nodesieve-text" => "3",
            _ => "2",
        };
        let heading = format!("[profile.release.package.{name}]\nopt-level = {level}\n");
        assert!(manifest.contains(&heading), "Cargo.toml lacks\n{heading}");
    }
}

/// Scenario: 100,000 records of a few containers, as one node sees them in minutes.
/// Guarantees: linear memory does not grow after the first thousand; nothing is leaked from call to call.
#[test]
fn memory_does_not_grow_with_records() {
    let (mut guest, _tree) = support::start("version: 1\n");
    guest.clock().advance_to(1_800_000_000_000_000_000);
    let mut after_a_thousand = 0;
    for n in 0..100_000u32 {
        let tag = format!("kube.var.log.containers.web-{}_shop_app-0a{:02x}.log", n % 50, n % 50);
        let text = format!(
            r#"{{"stream":"stdout","log":"GET /cart/{n} 200 in 3 ms {}"}}"#,
            "x".repeat((n % 700) as usize)
        );
        assert!(matches!(
            guest.filter(tag.as_bytes(), (1_800_000_000, 0), text.as_bytes()),
            Returned::Kept(_)
        ));
        if n == 1000 {
            after_a_thousand = guest.memory_bytes();
        }
    }
    assert_eq!(guest.memory_bytes(), after_a_thousand);
}

/// Instructions, which do not drift: what a record of about 300 bytes costs inside the guest. The bounds are 5 %
/// above what was measured when they were written; a change that breaks one should say what it buys.
#[test]
fn a_record_costs_few_instructions() {
    let rules = std::fs::read_to_string(support::conf().join("rules/example-cluster.yaml")).unwrap();
    let (mut guest, tree) = support::start(&rules);
    guest.clock().advance_to(1_800_000_000_000_000_000);
    let id = "0a".repeat(32);
    let tag = format!("kube.var.log.containers.web-1_shop-eu_app-{id}.log");
    let mut pod = PodFile::new("shop-eu", "web-1");
    pod.containers.push(Container {
        name: "app".into(),
        id,
        started: Some(1_700_000_000),
        ..Container::default()
    });
    std::fs::write(tree.pods_directory().join("shop-eu_web-1.json"), pod.encode().unwrap()).unwrap();
    let mut fuel = |line: &str| {
        let text = format!(
            r#"{{"time":"2026-11-20T10:00:00.123456789Z","stream":"stdout","_p":"F","log":"{line}"}}"#
        );
        // The first call loads rules, the second fills caches.
        (0..3)
            .map(|_| {
                guest.filter(tag.as_bytes(), (1_800_000_000, 0), text.as_bytes());
                guest.fuel_used()
            })
            .last()
            .unwrap()
    };
    let probe = r#"10.0.1.7 - - [20/Nov/2026:10:00:00 +0000] \"GET /healthz HTTP/1.1\" 200 2 \"-\" \"kube-probe/1.33\" 0.001 and some more text of the same line to make it long"#;
    let json = r#"{\"ts\":\"2026-11-20T10:00:00Z\",\"level\":\"error\",\"msg\":\"payment failed\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"status\":502,\"path\":\"/checkout/pay\"}"#;
    let (dropped, kept) = (fuel(probe), fuel(json));
    eprintln!("dropped {dropped}, kept {kept}");
    assert!(dropped < DROPPED_FUEL, "dropped: {dropped}");
    assert!(kept < KEPT_FUEL, "kept: {kept}");
}

/// Instructions for a record of conf/samples with its rules, on average, without the ticks between them.
#[test]
fn the_samples_cost_few_instructions() {
    let rules = std::fs::read_to_string(support::conf().join("rules/example-cluster.yaml")).unwrap();
    let (mut guest, tree) = support::start(&rules);
    let pods = std::fs::read(support::conf().join("samples/podlist.json")).unwrap();
    write_pods(&pods, &tree.pods_directory()).unwrap();
    let records =
        node_logs::records(&[support::conf().join("samples/containers")], "kube.var.log.containers.")
            .unwrap();
    let mut second = 0;
    let mut total = 0u64;
    for record in &records {
        let now = record.nanoseconds().max(second * 1_000_000_000);
        guest.clock().advance_to(now);
        if now / 1_000_000_000 > second {
            second = now / 1_000_000_000;
            guest.filter(TICK_TAG, (second as u32, 0), TICK);
        }
        guest.filter(record.tag.as_bytes(), record.time, record.text.as_bytes());
        total += guest.fuel_used();
    }
    let each = total / records.len() as u64;
    eprintln!("{each} instructions each of {}", records.len());
    assert!(each < SAMPLES_FUEL, "{each}");
}

const SAMPLES_FUEL: u64 = 19_350;
const DROPPED_FUEL: u64 = 7_840;
const KEPT_FUEL: u64 = 10_830;

/// Scenario: there is a tick input, and then none for long; the records all say the same second, and the clock goes on by two
/// minutes.
/// Guarantees: a reading of the clock does for 64 records of one second and not for more, and not for those of another second.
#[test]
fn the_clock_is_read_again_after_a_second_of_records_and_after_64_of_them() {
    let late = |second: &dyn Fn(u32) -> u32| {
        let (mut guest, tree) = support::start("version: 1\nmetrics: { every: 1s }\n");
        let (start, tag) = (1_800_000_000u64, b"kube.var.log.containers.p_n_c-0a.log");
        let record = |guest: &mut Guest, second: u32| {
            guest.filter(tag, (second, 0), br#"{"log":"x"}"#);
        };
        guest.clock().advance_to(start * 1_000_000_000);
        guest.filter(TICK_TAG, (start as u32, 0), TICK);
        for _ in 0..10 {
            record(&mut guest, start as u32);
        }
        guest.clock().advance_to((start + 20) * 1_000_000_000);
        guest.filter(TICK_TAG, (start as u32, 0), TICK);
        record(&mut guest, start as u32);
        guest.clock().advance_to((start + 140) * 1_000_000_000);
        for n in 0..100 {
            record(&mut guest, second(n));
        }
        // The metrics have been written by a record that found no tick for long; they are due again.
        guest.clock().advance_to((start + 142) * 1_000_000_000);
        guest.filter(TICK_TAG, (start as u32, 0), TICK);
        exposition::value(&tree.metrics().unwrap(), "nodesieve_records_late_total").unwrap() as u64
    };
    let start = 1_800_000_000;
    assert_eq!(late(&|_| start), 36, "the last of 100, behind the 64 for which the reading before them does");
    assert_eq!(late(&|n| start + 1 + n % 2), 100, "each second is a reading of its own");
}

/// Guarantees: two clean builds in different directories make the same module, byte for byte.
#[test]
fn a_clean_build_elsewhere_is_the_same_module() {
    let elsewhere = tempfile::tempdir().unwrap();
    let workspace = host_test::artefact::workspace();
    // What a manifest of the workspace names, and what the filter is made of.
    for part in ["Cargo.toml", "Cargo.lock", ".cargo", "plugin", "sidecar", "launcher", "host-test", "conf"] {
        let copied = std::process::Command::new("cp")
            .arg("-R")
            .arg(workspace.join(part))
            .arg(elsewhere.path())
            .status();
        assert!(copied.unwrap().success(), "{part}");
    }
    let other = std::fs::read(host_test::artefact::module_of(elsewhere.path()).unwrap()).unwrap();
    assert!(other == std::fs::read(crate::support::module()).unwrap(), "not the same bytes");
}
