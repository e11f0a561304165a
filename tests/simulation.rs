//! Random calls through the gateway, in virtual time: apps and clients of every dialect, over a
//! network with delays, with races, glare, duplicates, losses, restarts, deaths.
//!
//! `COUNT` calls beginning at `SEED`; a seed that fails is printed, and
//! `make simulation SEED=…` plays it again with all its stanzas. `DEVICES`
//! (`apps`, `clients`, `strict`) and `FAULTS` (0 to 4) narrow the field.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "integration test"
)]

#[path = "simulation/app.rs"]
mod app;
#[path = "simulation/check.rs"]
mod check;
#[path = "simulation/client.rs"]
mod client;
#[path = "simulation/device.rs"]
mod device;
#[path = "simulation/habits.rs"]
mod habits;
mod mapping_harness;
#[path = "simulation/world.rs"]
mod world;

use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

#[test]
fn random_calls() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|own| own.parse::<u64>().unwrap())
    };
    let (seed, count) = (number("SEED"), number("COUNT"));
    if let (Some(seed), None) = (seed, count) {
        world::play(seed, true);
        return;
    }
    let first = seed.unwrap_or(1);
    // The optimised run is the one that counts; see the Makefile.
    let count = count.unwrap_or(200);
    let workers =
        thread::available_parallelism().map_or(1, |own| u64::try_from(own.get()).unwrap());
    let workers = number("WORKERS").unwrap_or(workers);
    let (next, calls) = (AtomicU64::new(first), AtomicU64::new(0));
    let failed = Mutex::new(Vec::new());
    let began = Instant::now();
    panic::set_hook(Box::new(|_| {}));
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if calls.load(Ordering::Relaxed) >= count
                        || failed.lock().unwrap().len() >= MOST_FAILURES
                    {
                        return;
                    }
                    match panic::catch_unwind(AssertUnwindSafe(|| world::play(seed, false))) {
                        Ok(more) => {
                            calls.fetch_add(u64::from(more), Ordering::Relaxed);
                        }
                        Err(panic) => {
                            let text = panic.downcast_ref::<String>().cloned();
                            let text = text.unwrap_or_else(|| {
                                let text = panic.downcast_ref::<&str>();
                                text.map_or_else(String::new, |own| (*own).to_owned())
                            });
                            failed.lock().unwrap().push((seed, text));
                        }
                    }
                }
            });
        }
    });
    let _ = panic::take_hook();
    let (calls, seconds) = (calls.into_inner(), began.elapsed().as_secs_f64());
    println!("simulation: {calls} calls from seed {first} in {seconds:.1} s");
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    let failed: Vec<_> = failed
        .into_iter()
        .map(|(seed, text)| {
            format!(
                "SEED={seed}: {}",
                text.chars().take(300).collect::<String>()
            )
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

const MOST_FAILURES: usize = 40;
