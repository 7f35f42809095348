//! What the linker script does with the module: nothing but to take every `local.tee` apart.

use crate::support;
use host_test::component::component;
use std::collections::BTreeSet;
use wasmparser::{ExternalKind, Operator, Parser, Payload, TypeRef, Validator};

#[path = "../../../plugin/filter/link/untee.rs"]
#[expect(dead_code, reason = "it is a program by itself")]
mod program;

use program::rewritten;

/// A module that the linker has not rewritten: it is for another target.
fn not_rewritten() -> Vec<u8> {
    let component = component().unwrap();
    let modules = Parser::new(0).parse_all(&component).filter_map(|payload| match payload.unwrap() {
        Payload::ModuleSection { unchecked_range, .. } => Some(component[unchecked_range].to_vec()),
        _ => None,
    });
    modules.max_by_key(Vec::len).unwrap()
}

/// A function by its number, with its instructions as texts.
type Function = (u32, Vec<String>);

/// Every function, and all else byte for byte.
fn taken_apart(module: &[u8]) -> (Vec<Function>, Vec<Vec<u8>>) {
    let (mut functions, mut others, mut number) = (Vec::new(), Vec::new(), 0);
    for payload in Parser::new(0).parse_all(module) {
        match payload.unwrap() {
            Payload::CodeSectionEntry(body) => {
                let operators = body.get_operators_reader().unwrap().into_iter();
                functions.push((number, operators.map(|found| format!("{:?}", found.unwrap())).collect()));
                number += 1;
            }
            Payload::CodeSectionStart { .. } => {}
            other => {
                if let Payload::ImportSection(imports) = &other {
                    let imports = imports.clone().into_imports().map(Result::unwrap);
                    number += imports.filter(|import| matches!(import.ty, TypeRef::Func(_))).count() as u32;
                }
                others.extend(other.as_section().map(|(_, range)| module[range].to_vec()));
            }
        }
    }
    (functions, others)
}

fn allocator(module: &[u8]) -> BTreeSet<u32> {
    let exports = Parser::new(0).parse_all(module).filter_map(|payload| match payload.unwrap() {
        Payload::ExportSection(exports) => Some(exports),
        _ => None,
    });
    let exports = exports.flatten().map(Result::unwrap);
    let own = exports
        .filter(|export| export.kind == ExternalKind::Func && matches!(export.name, "malloc" | "free"));
    own.map(|export| export.index).collect()
}

/// Guarantees: what nodes interpret has no instruction that only copies, but where each one is counted.
#[test]
fn the_module_has_no_tee_but_in_the_allocator() {
    let module = std::fs::read(support::module()).unwrap();
    let kept = allocator(&module);
    assert_eq!(kept.len(), 2);
    for (number, instructions) in taken_apart(&module).0 {
        let tees = instructions.iter().filter(|text| text.starts_with("LocalTee")).count();
        assert!(tees == 0 || kept.contains(&number), "{tees} in function {number}");
    }
    assert_eq!(rewritten(&module), Some(module), "a second time there is nothing to do");
}

#[test]
fn every_tee_becomes_a_set_and_a_get_and_nothing_else_changes() {
    let before = not_rewritten();
    let after = rewritten(&before).unwrap();
    Validator::new().validate_all(&after).unwrap();
    let ((functions, others), (rewritten, same)) = (taken_apart(&before), taken_apart(&after));
    assert_eq!(others, same);
    let mut tees = 0;
    for ((number, instructions), (_, found)) in functions.iter().zip(&rewritten) {
        let expected: Vec<String> = instructions
            .iter()
            .flat_map(|text| match text.strip_prefix("LocalTee") {
                Some(local) => {
                    tees += 1;
                    vec![format!("LocalSet{local}"), format!("LocalGet{local}")]
                }
                None => vec![text.clone()],
            })
            .collect();
        assert_eq!(&expected, found, "function {number}");
    }
    assert!(tees > 1000 && functions.len() == rewritten.len(), "{tees}");
    assert_eq!(format!("{:?}", Operator::LocalTee { local_index: 7 }), "LocalTee { local_index: 7 }");
}

#[test]
fn what_is_not_known_to_the_last_byte_is_left_alone() {
    let module = not_rewritten();
    assert!(rewritten(b"").is_none() && rewritten(b"\0asm\x0d\0\x01\0").is_none());
    for end in (9..module.len()).step_by(997).chain(module.len() - 40..module.len()) {
        let cut = &module[..end];
        // A cut between two sections leaves a module.
        assert!(rewritten(cut).is_none() || Parser::new(0).parse_all(cut).all(|payload| payload.is_ok()));
    }
    // One function with a vector instruction, which is not among what the target has.
    let vector = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x07\x01\x05\0\xfd\x0c\x00\x0b";
    assert!(rewritten(vector).is_none());
}
