#![no_main]

#[path = "../exercise/framing.rs"]
mod framing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| framing::exercise(bytes));
