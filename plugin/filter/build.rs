//! Link arguments of the Fluent Bit module.
//!
//! WAMR passes records of any size through the guest's own memory when the module exports libc's `malloc` and `free`;
//! without them a 200 kB record does not fit into its 64 kB application heap. The memory maximum keeps a fault from
//! taking the node's memory. `_initialize` is defined by us only where rustc does not link a start file that defines
//! it (rust-lang/rust#161421, rustc 1.100 and later do).

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(own_initialize)");
    let target = std::env::var("TARGET").unwrap_or_default();
    if target != "wasm32-wasip1" {
        return;
    }
    // The profile's `strip` leaves the name section, a tenth of the file, which no host of ours reads. A profile by function does.
    println!("cargo::rerun-if-env-changed=NODESIEVE_KEEP_NAMES");
    let strip = std::env::var_os("NODESIEVE_KEEP_NAMES").is_none().then_some("--strip-all");
    for argument in ["--export=malloc", "--export=free", "--max-memory=134217728"].into_iter().chain(strip) {
        println!("cargo::rustc-link-arg-cdylib={argument}");
    }
    if !rustc_links_a_start_file(&target) {
        println!("cargo::rustc-cfg=own_initialize");
    }
}

fn rustc_links_a_start_file(target: &str) -> bool {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let ask = |arguments: &[&str]| {
        let output = Command::new(&rustc).args(arguments).output().ok()?;
        String::from_utf8(output.stdout).ok()
    };
    let minor = ask(&["--version"])
        .and_then(|version| version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok()))
        .unwrap_or_default();
    let libdir = ask(&["--print", "target-libdir", "--target", target]).unwrap_or_default();
    minor >= 100 && Path::new(libdir.trim()).join("self-contained/crt1-reactor.o").exists()
}
