#![no_main]

#[path = "../exercise/codec.rs"]
mod codec;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| codec::exercise(bytes));
