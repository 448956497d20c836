#![no_main]

#[path = "../src/recording.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::recording(data));
