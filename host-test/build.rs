//! With the feature `embedded` the program has the filter inside, so that it runs where there is nothing else: the module that
//! `NODESIEVE_WASM` names, else one that is built here, beside everything else so that no lock is waited for.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-env-changed=NODESIEVE_WASM");
    println!("cargo:rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_EMBEDDED").is_none() {
        return;
    }
    println!("cargo:rerun-if-changed=../plugin");
    let module = env::var_os("NODESIEVE_WASM").map_or_else(built, PathBuf::from);
    match fs::canonicalize(&module) {
        Ok(path) => println!("cargo:rustc-env=NODESIEVE_EMBEDDED={}", path.display()),
        Err(reason) => println!("cargo:error=embed {}: {reason}", module.display()),
    }
}

fn built() -> PathBuf {
    let target_dir = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("module");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What this build was told is about the machine that it is for.
    for variable in [
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTFLAGS",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "CARGO_BUILD_TARGET",
    ] {
        cargo.env_remove(variable);
    }
    let arguments =
        ["build", "--package", "nodesieve", "--profile", "module", "--target", TARGET, "--target-dir"];
    let status = cargo.args(arguments).arg(&target_dir).current_dir("..").status();
    if !status.is_ok_and(|status| status.success()) {
        println!(
            "cargo:error=build the filter for {TARGET}: run `rustup target add {TARGET}`, or name a module in NODESIEVE_WASM"
        );
    }
    target_dir.join(TARGET).join("module/nodesieve.wasm")
}

const TARGET: &str = "wasm32-wasip1";
