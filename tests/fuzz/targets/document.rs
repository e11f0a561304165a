#![no_main]

#[path = "../bodies/mapping.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    bodies::document(data);
});
