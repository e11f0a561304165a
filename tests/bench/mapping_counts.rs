//! What the mapping costs where clocks are unsteady: allocations, and steps for callgrind.
//!
//! `cargo bench --bench mapping_counts` prints how often and how much each step allocates.
//! With the name of a step and a number, the step is done that often and nothing is printed;
//! `tests/bench/mapping.sh` takes instruction counts from the difference of two such runs.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "bench")]
#![expect(unsafe_code, reason = "an allocator is unsafe by its nature")]

mod subject;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

use subject::{
    OFFER, callee, caller, candidate_to_transport_info, jingle_to_sdp, sdp_to_jingle,
    transport_info_to_candidate,
};

/// Does it once, and gives what was written.
type Step<'a> = Box<dyn FnMut() -> String + 'a>;

/// The system's allocator, with a count of what it was asked for.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are the same.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(size.saturating_sub(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller's promises are the same.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

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
        let before = (COUNT.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
        let out = step();
        let count = COUNT.load(Ordering::Relaxed) - before.0;
        let bytes = BYTES.load(Ordering::Relaxed) - before.1;
        println!(
            "{name}: {count} allocations, {bytes} bytes; writes {} bytes",
            out.len()
        );
    }
}
