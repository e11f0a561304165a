#![no_main]

#[path = "../exercise/mapping.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    exercise::jingle(data);
});
