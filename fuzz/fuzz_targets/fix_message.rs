#![no_main]

#[path = "../src/fix.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::fix_message(data));
