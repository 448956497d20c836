#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| spindle_fuzz::mold_packet(data));
