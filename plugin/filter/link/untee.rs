//! Rewrites a module for the interpreter of Fluent Bit: every `local.tee` becomes `local.set` and `local.get`.
//!
//! WAMR's fast interpreter writes a result where `local.set` wants it and reads a local where it lies, so that neither is an
//! instruction there. `local.tee` is one, a copy: without it Fluent Bit takes 6 % less time for ten rules (`docs/measuring.md`).
//! The program is compiled and run by the linker script beside it, for each link, so it has no dependencies. The rules it keeps: all
//! else stays as it is, byte for byte; what it does not know to the last byte it leaves alone and says so.
//!
//! Format: WebAssembly Core Specification 2.0, 5 (Binary Format).

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: untee MODULE.wasm");
        return ExitCode::FAILURE;
    };
    let rewritten = std::fs::read(&path)
        .map_err(|reason| reason.to_string())
        .and_then(|module| rewritten(&module).ok_or_else(|| "it has what is not known here".to_owned()))
        .and_then(|module| std::fs::write(&path, module).map_err(|reason| reason.to_string()));
    match rewritten {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("rewrite {} for the interpreter: {reason}; it stays as it is", path.display());
            ExitCode::FAILURE
        }
    }
}

/// The module without `local.tee`, but for the allocator's exports, whose calls are counted by the instruction.
pub fn rewritten(module: &[u8]) -> Option<Vec<u8>> {
    let mut rest = Bytes(module);
    let mut out = rest.take(8)?.to_vec();
    if out != b"\0asm\x01\0\0\0" {
        return None;
    }
    let mut imported = 0u32;
    let mut untouched = Vec::new();
    while !rest.0.is_empty() {
        let id = rest.byte()?;
        let length = rest.unsigned()?;
        let content = rest.take(length)?;
        match id {
            IMPORTS => imported = imported_functions(content)?,
            EXPORTS => untouched = allocator(content)?,
            _ => {}
        }
        out.push(id);
        if id == CODE {
            let code = code(content, imported, &untouched)?;
            push_unsigned(&mut out, code.len());
            out.extend(code);
        } else {
            push_unsigned(&mut out, length);
            out.extend(content);
        }
    }
    Some(out)
}

/// How many functions are imported: they are numbered before all others.
fn imported_functions(content: &[u8]) -> Option<u32> {
    let mut rest = Bytes(content);
    let mut functions = 0u32;
    for _ in 0..rest.unsigned()? {
        for _ in 0..2 {
            let length = rest.unsigned()?;
            rest.take(length)?;
        }
        match rest.byte()? {
            0 => {
                rest.unsigned()?;
                functions += 1;
            }
            1 => {
                rest.byte()?;
                rest.limits()?;
            }
            2 => rest.limits()?,
            3 => _ = rest.take(2)?,
            _ => return None,
        }
    }
    Some(functions)
}

/// The numbers of the exported `malloc` and `free`.
fn allocator(content: &[u8]) -> Option<Vec<usize>> {
    let mut rest = Bytes(content);
    let mut numbers = Vec::new();
    for _ in 0..rest.unsigned()? {
        let length = rest.unsigned()?;
        let name = rest.take(length)?;
        let (kind, number) = (rest.byte()?, rest.unsigned()?);
        if kind == 0 && matches!(name, b"malloc" | b"free") {
            numbers.push(number);
        }
    }
    Some(numbers)
}

fn code(content: &[u8], imported: u32, untouched: &[usize]) -> Option<Vec<u8>> {
    let mut rest = Bytes(content);
    let count = rest.unsigned()?;
    let mut out = Vec::with_capacity(content.len());
    push_unsigned(&mut out, count);
    for number in 0..count {
        let length = rest.unsigned()?;
        let body = rest.take(length)?;
        if untouched.contains(&(number + imported as usize)) {
            push_unsigned(&mut out, length);
            out.extend(body);
        } else {
            let body = function(body)?;
            push_unsigned(&mut out, body.len());
            out.extend(body);
        }
    }
    rest.0.is_empty().then_some(out)
}

fn function(body: &[u8]) -> Option<Vec<u8>> {
    let mut rest = Bytes(body);
    for _ in 0..rest.unsigned()? {
        rest.unsigned()?;
        rest.byte()?;
    }
    let mut out = Vec::with_capacity(body.len() + body.len() / 16);
    out.extend(body.get(..body.len() - rest.0.len())?);
    while !rest.0.is_empty() {
        let before = rest.0;
        if before.first() == Some(&LOCAL_TEE) {
            rest.byte()?;
            let local = rest.unsigned()?;
            for instruction in [LOCAL_SET, LOCAL_GET] {
                out.push(instruction);
                push_unsigned(&mut out, local);
            }
        } else {
            rest.instruction()?;
            out.extend(before.get(..before.len() - rest.0.len())?);
        }
    }
    Some(out)
}

/// What is left of a module.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// A number in LEB128, of 32 bits.
    fn unsigned(&mut self) -> Option<usize> {
        let mut number = 0u64;
        for at in 0..5 {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return usize::try_from(number).ok();
            }
        }
        None
    }

    /// Passes a number in LEB128, with or without a sign.
    fn number(&mut self) -> Option<()> {
        for _ in 0..10 {
            if self.byte()? & 0x80 == 0 {
                return Some(());
            }
        }
        None
    }

    fn numbers(&mut self, count: usize) -> Option<()> {
        (0..count).try_for_each(|_| self.number())
    }

    fn limits(&mut self) -> Option<()> {
        match self.unsigned()? {
            0 => self.numbers(1),
            1 | 3 => self.numbers(2),
            _ => None,
        }
    }

    /// Passes an instruction with what belongs to it.
    fn instruction(&mut self) -> Option<()> {
        match self.byte()? {
            // Control, drop, select; comparisons, arithmetic, conversions, sign extension; ref.is_null.
            0x00 | 0x01 | 0x05 | 0x0b | 0x0f | 0x1a | 0x1b | 0x45..=0xc4 | 0xd1 => Some(()),
            // Blocks with their types, branches, calls, locals, globals, tables, memory size, constants, references.
            0x02..=0x04 | 0x0c | 0x0d | 0x10 | 0x20..=0x26 | 0x3f..=0x42 | 0xd0 | 0xd2 => self.numbers(1),
            0x0e => {
                let targets = self.unsigned()?;
                self.numbers(targets.checked_add(1)?)
            }
            // Calls by table; loads and stores with alignment and offset.
            0x11 | 0x28..=0x3e => self.numbers(2),
            0x1c => {
                let types = self.unsigned()?;
                self.numbers(types)
            }
            0x43 => self.take(4).map(|_| ()),
            0x44 => self.take(8).map(|_| ()),
            0xfc => match self.unsigned()? {
                0..=7 => Some(()),
                9 | 11 | 13 | 15..=17 => self.numbers(1),
                8 | 10 | 12 | 14 => self.numbers(2),
                _ => None,
            },
            _ => None,
        }
    }
}

fn push_unsigned(out: &mut Vec<u8>, number: usize) {
    let mut rest = number;
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

const IMPORTS: u8 = 2;
const EXPORTS: u8 = 7;
const CODE: u8 = 10;
const LOCAL_GET: u8 = 0x20;
const LOCAL_SET: u8 = 0x21;
const LOCAL_TEE: u8 = 0x22;
