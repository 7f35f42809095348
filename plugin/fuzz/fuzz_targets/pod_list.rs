//! The law `pod_list` under libFuzzer.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(law) = nodesieve_laws::law("pod_list") {
        (law.check)(data);
    }
});
