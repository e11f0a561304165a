//! What the mapping costs where clocks are unsteady: allocations, and steps for callgrind.
//!
//! `cargo bench --bench mapping_counts` prints how often and how much each step allocates.
//! With the name of a step and a number, the step is done that often and nothing is printed;
//! `tests/bench/mapping.sh` takes instruction counts from the difference of two such runs.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "bench")]

mod meter;
mod subject;

use std::hint::black_box;

use subject::{
    OFFER, callee, caller, candidate_to_transport_info, jingle_to_sdp, sdp_to_jingle,
    transport_info_to_candidate,
};

/// Does it once, and gives what was written.
type Step<'a> = Box<dyn FnMut() -> String + 'a>;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let jingle = sdp_to_jingle(OFFER);
    let info = candidate_to_transport_info(&mut caller());
    let (mut from, mut to) = (caller(), callee());
    let mut steps: [(&str, Step<'_>); 4] = [
        (
            "sdp-to-jingle",
            Box::new(|| sdp_to_jingle(black_box(OFFER))),
        ),
        (
            "jingle-to-sdp",
            Box::new(|| jingle_to_sdp(black_box(&jingle))),
        ),
        (
            "candidate-to-transport-info",
            Box::new(|| candidate_to_transport_info(black_box(&mut from))),
        ),
        (
            "transport-info-to-candidate",
            Box::new(|| transport_info_to_candidate(black_box(&mut to), &info)),
        ),
    ];
    if let [_, name, times, ..] = arguments.as_slice()
        && let Ok(times) = times.parse::<usize>()
    {
        let step = steps.iter_mut().find(|(own, _)| own == name);
        let (_, step) = step.unwrap();
        for _ in 0..times {
            black_box(step());
        }
        return;
    }
    for (name, step) in &mut steps {
        let before = meter::asked();
        let out = step();
        let after = meter::asked();
        println!(
            "{name}: {} allocations, {} bytes; writes {} bytes",
            after.0 - before.0,
            after.1 - before.1,
            out.len()
        );
    }
}
