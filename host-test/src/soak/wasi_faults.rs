//! Files that fail: calls of WASI that answer with an error now and then, or read and write less than they were asked to.
//!
//! It exists because a disk that is full or broken is rare, and a module that meets one has to go on. A call that is to fail never
//! reaches wasmtime's WASI; any other is passed on. wasmtime's functions look for the memory of whoever calls them, which is no module
//! when the host does: so they are called by a small module in between that has the filter's memory as its own.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use wasmtime::{Caller, Extern, Func, FuncType, Linker, Memory, Module, Store, Val, ValType};
use wasmtime_wasi::p1::{WasiP1Ctx, add_to_linker_sync};

/// Where the functions of preview 1 are.
const WASI: &str = "wasi_snapshot_preview1";
/// Where the module in between finds the memory.
const HOST: &str = "host";
const I32: u8 = 0x7f;
const I64: u8 = 0x7e;

/// `io`, `nospc`, `noent`, `acces`, `intr`, `mfile`, in the numbers of preview 1.
const READING: [i32; 5] = [29, 44, 2, 27, 33];
const WRITING: [i32; 4] = [29, 51, 27, 2];

/// A function that fails, its parameters, and with what.
struct Failing {
    name: &'static str,
    parameters: &'static [u8],
    errors: &'static [i32],
    /// Whether it takes a list of buffers, of which only the start of the first may be used.
    has_buffers: bool,
}

static FAILING: [Failing; 8] = [
    Failing { name: "fd_read", parameters: &[I32; 4], errors: &READING, has_buffers: true },
    Failing { name: "fd_write", parameters: &[I32; 4], errors: &WRITING, has_buffers: true },
    Failing {
        name: "path_open",
        parameters: &[I32, I32, I32, I32, I32, I64, I64, I32, I32],
        errors: &READING,
        has_buffers: false,
    },
    Failing { name: "path_rename", parameters: &[I32; 6], errors: &WRITING, has_buffers: false },
    Failing { name: "path_filestat_get", parameters: &[I32; 5], errors: &READING, has_buffers: false },
    Failing { name: "fd_filestat_get", parameters: &[I32; 2], errors: &READING, has_buffers: false },
    Failing { name: "path_unlink_file", parameters: &[I32; 3], errors: &WRITING, has_buffers: false },
    Failing { name: "fd_seek", parameters: &[I32, I64, I32, I32], errors: &READING, has_buffers: false },
];

/// Faults for one guest after another.
#[derive(Clone)]
pub(super) struct WasiFaults(Arc<Mutex<Chance>>);

struct Chance {
    random: fastrand::Rng,
    /// Of so many calls one fails; of none if 0.
    one_of: u32,
    injected: u64,
}

/// What is done to a call.
enum Fault {
    Error(i32),
    /// At most so many bytes.
    Short(u32),
}

impl WasiFaults {
    /// None yet.
    pub(super) fn new(seed: u64) -> WasiFaults {
        let random = fastrand::Rng::with_seed(seed);
        WasiFaults(Arc::new(Mutex::new(Chance { random, one_of: 0, injected: 0 })))
    }

    /// From now on one of so many calls fails; none if 0.
    pub(super) fn set(&self, one_of: u32) {
        self.chance(|chance| chance.one_of = one_of);
    }

    /// How many calls have failed or come up short.
    pub(super) fn injected(&self) -> u64 {
        self.chance(|chance| chance.injected)
    }

    fn chance<T>(&self, with: impl FnOnce(&mut Chance) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn strike(&self, failing: &Failing) -> Option<Fault> {
        self.chance(|chance| {
            let Chance { random, one_of, injected } = chance;
            if *one_of == 0 || random.u32(..*one_of) != 0 {
                return None;
            }
            *injected = injected.saturating_add(1);
            if failing.has_buffers && random.bool() {
                return Some(Fault::Short(random.u32(..4)));
            }
            random.choice(failing.errors.iter().copied()).map(Fault::Error)
        })
    }

    /// Puts the functions in front of wasmtime's, which `linker` has; what [`Forwards::lead`] returns them to is not known yet.
    pub(super) fn put_in_front(&self, linker: &mut Linker<WasiP1Ctx>) -> wasmtime::Result<Forwards> {
        let forwards = Forwards(Arc::new(OnceLock::new()));
        linker.allow_shadowing(true);
        for (at, failing) in FAILING.iter().enumerate() {
            let parameters =
                failing.parameters.iter().map(|kind| if *kind == I64 { ValType::I64 } else { ValType::I32 });
            let kind = FuncType::new(linker.engine(), parameters.collect::<Vec<_>>(), [ValType::I32]);
            let (faults, forwards) = (self.clone(), forwards.clone());
            linker.func_new(WASI, failing.name, kind, move |caller, parameters, results| {
                match (faults.strike(failing), forwards.get(at)) {
                    (Some(Fault::Error(error)), _) => {
                        if let Some(result) = results.first_mut() {
                            *result = Val::I32(error);
                        }
                        Ok(())
                    }
                    (_, None) => Err(wasmtime::Error::msg("a call before the module in between is there")),
                    (None, Some(forward)) => forward.call(caller, parameters, results),
                    (Some(Fault::Short(bytes)), Some(forward)) => {
                        shortened(caller, &forward, bytes, parameters, results)
                    }
                }
            })?;
        }
        Ok(forwards)
    }
}

/// Where calls are passed on to.
#[derive(Clone)]
pub(super) struct Forwards(Arc<OnceLock<Vec<Func>>>);

impl Forwards {
    fn get(&self, at: usize) -> Option<Func> {
        self.0.get()?.get(at).copied()
    }

    /// Starts the module in between, with the filter's memory.
    pub(super) fn lead(&self, store: &mut Store<WasiP1Ctx>, memory: Memory) -> wasmtime::Result<()> {
        let engine = store.engine().clone();
        let mut linker: Linker<WasiP1Ctx> = Linker::new(&engine);
        add_to_linker_sync(&mut linker, |context| context)?;
        linker.define(&mut *store, HOST, "memory", memory)?;
        let module = Module::from_binary(&engine, &in_between())?;
        let instance = linker.instantiate(&mut *store, &module)?;
        let mut functions = Vec::new();
        for failing in &FAILING {
            let function = instance.get_func(&mut *store, failing.name);
            functions.push(function.ok_or_else(|| wasmtime::Error::msg(failing.name))?);
        }
        // Each guest has its own.
        let _ = self.0.set(functions);
        Ok(())
    }
}

/// Passes a call on with the first of its buffers only, and no more than the first bytes of that.
fn shortened(
    mut caller: Caller<'_, WasiP1Ctx>,
    forward: &Func,
    bytes: u32,
    parameters: &[Val],
    results: &mut [Val],
) -> wasmtime::Result<()> {
    let memory = match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => memory,
        _ => return Err(wasmtime::Error::msg("the filter has no memory")),
    };
    let mut parameters = parameters.to_vec();
    // A descriptor, the list, its length, where the number of bytes goes. An item is an address and a length.
    let (list, count) = (parameters.get(1).and_then(Val::i32), parameters.get(2).and_then(Val::i32));
    let (Some(list), Some(1..)) = (list, count) else { return forward.call(caller, &parameters, results) };
    let at = (list as u32 as usize).saturating_add(4);
    let mut asked = [0; 4];
    memory.read(&caller, at, &mut asked)?;
    let less = u32::from_le_bytes(asked).min(bytes.max(1));
    memory.write(&mut caller, at, &less.to_le_bytes())?;
    if let Some(count) = parameters.get_mut(2) {
        *count = Val::I32(1);
    }
    let called = forward.call(&mut caller, &parameters, results);
    memory.write(&mut caller, at, &asked)?;
    called
}

/// The module in between: it imports a memory and the functions, and exports the memory and a function that calls each.
fn in_between() -> Vec<u8> {
    let number = |number: usize| -> u8 { u8::try_from(number).unwrap_or_default() };
    let text = |text: &str| [&[number(text.len())][..], text.as_bytes()].concat();
    let count = FAILING.len();
    let mut types = vec![number(count)];
    let mut imports = vec![number(count + 1)];
    imports.extend([text(HOST), text("memory"), vec![0x02, 0x00, 0x00]].concat());
    let mut functions = vec![number(count)];
    let mut exports = vec![number(count + 1)];
    exports.extend([text("memory"), vec![0x02, 0x00]].concat());
    let mut code = vec![number(count)];
    for (at, Failing { name, parameters, .. }) in FAILING.iter().enumerate() {
        types.extend([&[0x60, number(parameters.len())][..], *parameters, &[1, I32][..]].concat());
        imports.extend([text(WASI), text(name), vec![0x00, number(at)]].concat());
        functions.push(number(at));
        exports.extend([text(name), vec![0x00, number(count + at)]].concat());
        // No locals; every parameter, the call, the end.
        let mut body = vec![0x00];
        (0..parameters.len()).for_each(|parameter| body.extend([0x20, number(parameter)]));
        body.extend([0x10, number(at), 0x0b]);
        code.push(number(body.len()));
        code.append(&mut body);
    }
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    for (section, mut content) in [(1, types), (2, imports), (3, functions), (7, exports), (10, code)] {
        module.push(section);
        // The length in seven bits a byte.
        let mut length = content.len();
        while length >= 0x80 {
            module.push(number(length & 0x7f) | 0x80);
            length >>= 7;
        }
        module.push(number(length));
        module.append(&mut content);
    }
    module
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::Engine;

    #[test]
    fn the_module_in_between_has_each_function_once_in_and_once_out() {
        let module = Module::from_binary(&Engine::default(), &in_between()).unwrap();
        assert_eq!(module.imports().filter(|import| import.module() == WASI).count(), FAILING.len());
        assert!(FAILING.iter().all(|failing| module.exports().any(|export| export.name() == failing.name)));
    }

    #[test]
    fn as_many_calls_fail_as_are_asked_for() {
        let faults = WasiFaults::new(1);
        let struck =
            |faults: &WasiFaults| (0..10_000).filter(|_| faults.strike(&FAILING[0]).is_some()).count();
        assert_eq!(struck(&faults), 0);
        faults.set(10);
        let found = struck(&faults);
        assert!((800..1200).contains(&found) && faults.injected() == found as u64, "{found}");
        faults.set(0);
        assert_eq!(struck(&faults), 0);
    }
}
