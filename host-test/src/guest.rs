//! The compiled filter, called as Fluent Bit calls it.
//!
//! Source: Fluent Bit 5.1, src/wasm/flb_wasm.c and plugins/filter_wasm/filter_wasm.c. For each record, tag and text are
//! copied into memory from the guest's own `malloc`, each with a NUL behind it; the answer must be a NUL-terminated
//! text; an empty one drops the record; a trap or anything that is not one JSON object loses it. The engine accepts
//! only what WAMR accepts as Fluent Bit builds it: no SIMD, tail calls, memory64, exceptions or extended constants.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use thiserror::Error;
use wasmtime::{Config, Engine, Linker, Memory, Module, Store, TypedFunc};
use wasmtime_wasi::p1::{WasiP1Ctx, add_to_linker_sync};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{Deterministic, FsPerms, HostMonotonicClock, HostWallClock, WasiCtxBuilder};

type FilterArguments = (u32, u32, u32, u32, u32, u32);

/// A directory that the guest sees.
#[derive(Clone, Debug)]
pub struct Preopen {
    /// Where it is.
    pub host: PathBuf,
    /// What the guest calls it, as in `accessible_paths`.
    pub guest: String,
}

/// What a guest is started with.
#[derive(Clone, Debug)]
pub struct GuestSettings {
    /// The directories of `accessible_paths`, in order.
    pub preopens: Vec<Preopen>,
    /// The engine's seed: what its random numbers start from.
    pub seed: u64,
}

/// A module that was compiled once, for any number of guests.
#[derive(Clone)]
pub struct CompiledModule {
    engine: Engine,
    module: Module,
    path: PathBuf,
}

/// A running filter.
pub struct Guest {
    store: Store<WasiP1Ctx>,
    memory: Memory,
    filter: TypedFunc<FilterArguments, u32>,
    malloc: TypedFunc<u32, u32>,
    free: TypedFunc<u32, ()>,
    clock: Clock,
    stderr: MemoryOutputPipe,
    start_fuel: u64,
    fuel_used: u64,
    copying_fuel: u64,
    fuel_limit: u64,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Returned {
    /// It was kept, with this text.
    Kept(Vec<u8>),
    /// It was dropped on purpose.
    Dropped,
    /// Fluent Bit would have lost it.
    Lost(Loss),
}

/// How Fluent Bit loses a record.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Loss {
    /// The guest trapped.
    #[error("the filter trapped: {0}")]
    Trap(String),
    /// The answer is no text inside the guest's memory.
    #[error("the filter answered with the invalid pointer {0:#x}")]
    Pointer(u32),
    /// The answer is not one JSON object.
    #[error("the filter answered with what is not one JSON object: {reason}")]
    Json {
        /// The answer.
        text: Vec<u8>,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why a guest could not be started.
#[derive(Debug, Error)]
pub enum GuestError {
    /// WAMR would not load it, or an import is missing.
    #[error("load filter module {path}: {reason}")]
    Load {
        /// The module.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A directory could not be opened for it.
    #[error("open directory {path} for the filter: {reason}")]
    Preopen {
        /// The directory.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// The guest's clock, turned by the harness. Nanoseconds since 1970.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    /// Sets the time; a time before the present one is ignored, so that the clock never goes back.
    pub fn advance_to(&self, nanoseconds: u64) {
        self.0.fetch_max(nanoseconds, Ordering::Relaxed);
    }

    /// Sets the time, whatever it is now: a node's clock may be set back.
    pub fn set_to(&self, nanoseconds: u64) {
        self.0.store(nanoseconds, Ordering::Relaxed);
    }

    /// The time.
    pub fn nanoseconds(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds())
    }
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.nanoseconds()
    }
}

impl CompiledModule {
    /// Compiles the module in a file, unless it is the one that was loaded last: that takes longer than most of what is done with it.
    ///
    /// # Errors
    /// [`GuestError::Load`] for what WAMR would not load.
    pub fn load(path: &Path) -> Result<CompiledModule, GuestError> {
        static LAST: Mutex<Option<(CompiledModule, Vec<u8>)>> = Mutex::new(None);
        let bytes = std::fs::read(path).map_err(|reason| load_error(path, &reason.into()))?;
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((module, known)) = &*last
            && *known == bytes
        {
            return Ok(CompiledModule { path: path.to_owned(), ..module.clone() });
        }
        let module = CompiledModule::compile(path, |engine, _| Module::new(engine, &bytes))?;
        *last = Some((module.clone(), bytes));
        Ok(module)
    }

    /// Compiles a module out of memory. `path` is where it came from.
    #[cfg(feature = "playground")]
    pub(crate) fn of_bytes(path: &Path, bytes: &[u8]) -> Result<CompiledModule, GuestError> {
        CompiledModule::compile(path, |engine, _| Module::new(engine, bytes))
    }

    fn compile(
        path: &Path,
        compile: impl FnOnce(&Engine, &Path) -> wasmtime::Result<Module>,
    ) -> Result<CompiledModule, GuestError> {
        let load = |reason| load_error(path, &reason);
        let engine = Engine::new(&accepted_by_wamr()).map_err(load)?;
        let module = compile(&engine, path).map_err(load)?;
        Ok(CompiledModule { engine, module, path: path.to_owned() })
    }

    /// Starts a guest and runs its `_initialize`.
    ///
    /// # Errors
    /// As [`Guest::start`].
    pub fn start(&self, settings: &GuestSettings) -> Result<Guest, GuestError> {
        self.start_with(settings, |_| Ok(()))
    }

    /// The same for a module with imports of its own, which `import` defines.
    pub(crate) fn start_with(
        &self,
        settings: &GuestSettings,
        import: impl FnOnce(&mut Linker<WasiP1Ctx>) -> wasmtime::Result<()>,
    ) -> Result<Guest, GuestError> {
        self.start_around(settings, import, |(), _, _| Ok(()))
    }

    /// The same; what `import` returns is given to `ready` with the guest's memory, before any code of the guest runs.
    pub(crate) fn start_around<I>(
        &self,
        settings: &GuestSettings,
        import: impl FnOnce(&mut Linker<WasiP1Ctx>) -> wasmtime::Result<I>,
        ready: impl FnOnce(I, &mut Store<WasiP1Ctx>, Memory) -> wasmtime::Result<()>,
    ) -> Result<Guest, GuestError> {
        let CompiledModule { engine, module, path } = self;
        let load = |reason| load_error(path, &reason);
        let mut linker: Linker<WasiP1Ctx> = Linker::new(engine);
        add_to_linker_sync(&mut linker, |context| context).map_err(load)?;
        let imported = import(&mut linker).map_err(load)?;

        let clock = Clock::default();
        let stderr = MemoryOutputPipe::new(MAX_STDERR);
        let mut context = WasiCtxBuilder::new();
        context
            .wall_clock(clock.clone())
            .monotonic_clock(clock.clone())
            .secure_random(Deterministic::new(drawn_as(settings.seed)))
            .stderr(stderr.clone());
        for preopen in &settings.preopens {
            context.preopened_dir(&preopen.host, &preopen.guest, FsPerms::ReadWrite).map_err(|reason| {
                GuestError::Preopen { path: preopen.host.clone(), reason: format!("{reason:#}") }
            })?;
        }
        let mut store = Store::new(engine, context.build_p1());
        store.set_fuel(u64::MAX).map_err(load)?;
        let instance = linker.instantiate(&mut store, module).map_err(load)?;
        let memory = instance.get_memory(&mut store, "memory").ok_or_else(|| GuestError::Load {
            path: path.to_owned(),
            reason: "it does not export `memory`".into(),
        })?;
        ready(imported, &mut store, memory).map_err(load)?;
        if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut store, "_initialize") {
            initialize.call(&mut store, ()).map_err(load)?;
        }
        let start_fuel = u64::MAX.saturating_sub(store.get_fuel().map_err(load)?);
        let filter = instance.get_typed_func(&mut store, "filter").map_err(load)?;
        let malloc = instance.get_typed_func(&mut store, "malloc").map_err(load)?;
        let free = instance.get_typed_func(&mut store, "free").map_err(load)?;
        Ok(Guest {
            store,
            memory,
            filter,
            malloc,
            free,
            clock,
            stderr,
            start_fuel,
            fuel_used: 0,
            copying_fuel: 0,
            fuel_limit: u64::MAX,
        })
    }
}

impl Guest {
    /// Loads a module and runs its `_initialize`.
    ///
    /// # Errors
    /// [`GuestError`] for a module that WAMR would not load, that lacks an export, or a directory that is not there.
    pub fn start(module: &Path, settings: &GuestSettings) -> Result<Guest, GuestError> {
        CompiledModule::load(module)?.start(settings)
    }

    /// The guest's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Hands over one record. `time` is in seconds and nanoseconds since 1970.
    pub fn filter(&mut self, tag: &[u8], time: (u32, u32), text: &[u8]) -> Returned {
        let before = self.fuel_left();
        let tag_at = self.duplicate(tag);
        let text_at = self.duplicate(text);
        let copying = before.saturating_sub(self.fuel_left());
        let returned = self.call(tag_at, tag.len(), time, text_at, text.len());
        for pointer in [tag_at, text_at] {
            // After a trap the guest's allocator may trap too; Fluent Bit continues all the same.
            let _ = self.free.call(&mut self.store, pointer);
        }
        // `call` has left the fuel full.
        self.copying_fuel = copying.saturating_add(u64::MAX.saturating_sub(self.fuel_left()));
        returned
    }

    /// As [`Guest::filter`], but the record could not be copied into the guest: the host then passes a null pointer
    /// with the real length.
    pub fn filter_without_memory(&mut self, tag: &[u8], time: (u32, u32), length: usize) -> Returned {
        let tag_at = self.duplicate(tag);
        let returned = self.call(tag_at, tag.len(), time, 0, length);
        let _ = self.free.call(&mut self.store, tag_at);
        returned
    }

    /// As [`Guest::filter`], but the guest traps after so many instructions: what a fault in the middle of a call does.
    pub fn filter_interrupted(&mut self, tag: &[u8], time: (u32, u32), text: &[u8], fuel: u64) -> Returned {
        self.fuel_limit = fuel;
        let returned = self.filter(tag, time, text);
        self.fuel_limit = u64::MAX;
        returned
    }

    /// Instructions of `_initialize`, and of what else runs before the first record.
    pub fn start_fuel(&self) -> u64 {
        self.start_fuel
    }

    /// Instructions of the last call of `filter`, without those of [`Guest::copying_fuel`].
    pub fn fuel_used(&self) -> u64 {
        self.fuel_used
    }

    /// Instructions of the guest's `malloc` and `free` that handing over the last record took.
    pub fn copying_fuel(&self) -> u64 {
        self.copying_fuel
    }

    /// Bytes of linear memory.
    pub fn memory_bytes(&self) -> usize {
        self.memory.data_size(&self.store)
    }

    /// What the guest has written to stderr so far.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.contents()).into_owned()
    }

    /// Reading cannot fail: fuel is switched on for this engine.
    fn fuel_left(&self) -> u64 {
        self.store.get_fuel().unwrap_or_default()
    }

    fn call(&mut self, tag: u32, tag_length: usize, time: (u32, u32), text: u32, length: usize) -> Returned {
        let arguments = (tag, clamp(tag_length), time.0, time.1, text, clamp(length));
        // Refilling cannot fail: fuel is switched on for this engine.
        let _ = self.store.set_fuel(self.fuel_limit);
        let answer = self.filter.call(&mut self.store, arguments);
        self.fuel_used = self.fuel_limit.saturating_sub(self.store.get_fuel().unwrap_or(u64::MAX));
        let _ = self.store.set_fuel(u64::MAX);
        match answer {
            Err(trap) => Returned::Lost(Loss::Trap(trap.root_cause().to_string())),
            Ok(pointer) => self.read(pointer),
        }
    }

    /// The host's `module_dup_data`: a copy with a NUL, or a null pointer when the guest's memory is full.
    fn duplicate(&mut self, bytes: &[u8]) -> u32 {
        let Ok(pointer) = self.malloc.call(&mut self.store, clamp(bytes.len().saturating_add(1))) else {
            return 0;
        };
        let copied = pointer != 0
            && self.memory.write(&mut self.store, pointer as usize, bytes).is_ok()
            && self
                .memory
                .write(&mut self.store, (pointer as usize).saturating_add(bytes.len()), &[0])
                .is_ok();
        if copied { pointer } else { 0 }
    }

    fn read(&self, pointer: u32) -> Returned {
        let rest = self.memory.data(&self.store).get(pointer as usize..).unwrap_or_default();
        let Some(end) = rest.iter().position(|&byte| byte == 0) else {
            return Returned::Lost(Loss::Pointer(pointer));
        };
        let text = rest.get(..end).unwrap_or_default();
        if text.is_empty() {
            return Returned::Dropped;
        }
        let not_json = |reason: String| Returned::Lost(Loss::Json { text: text.to_vec(), reason });
        if let Err(error) = std::str::from_utf8(text) {
            return not_json(error.to_string());
        }
        match serde_json::from_slice::<serde::de::IgnoredAny>(text) {
            Ok(_) if text.trim_ascii_start().starts_with(b"{") => Returned::Kept(text.to_vec()),
            Ok(_) => not_json("not an object".into()),
            Err(error) => not_json(error.to_string()),
        }
    }
}

fn load_error(path: &Path, reason: &wasmtime::Error) -> GuestError {
    GuestError::Load { path: path.to_owned(), reason: format!("{reason:#}") }
}

/// What WAMR 2.4 as built into Fluent Bit loads, and not more. Garbage collection, threads and exceptions are off
/// because wasmtime is built without them.
fn accepted_by_wamr() -> Config {
    let mut config = Config::new();
    config
        .wasm_simd(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_extended_const(false)
        .consume_fuel(true);
    config
}

/// What the guest draws from, over and over, so that each eight bytes are the seed: the filter's engine starts from the very number
/// that it starts from elsewhere. Every byte that a guest asks for takes four.
fn drawn_as(seed: u64) -> Vec<u8> {
    seed.to_le_bytes().into_iter().flat_map(|byte| [byte; 4]).collect()
}

fn clamp(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// How much of the guest's stderr is kept, in bytes.
const MAX_STDERR: usize = 1 << 20;
