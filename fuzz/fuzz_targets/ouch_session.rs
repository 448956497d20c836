#![no_main]

#[path = "../src/ouch.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::ouch_session(data));
