//! The law `line` under libFuzzer.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(law) = nodesieve_laws::law("line") {
        (law.check)(data);
    }
});
