#![no_main]

#[path = "../exercise/engine.rs"]
mod engine;
#[path = "../../turn_harness/mod.rs"]
mod turn_harness;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engine::exercise(bytes));
