//! When to let datagrams gather before the next round.

use std::time::{Duration, Instant};

/// Says how long to sleep between rounds.
///
/// A thread that wakes for each datagram spends more on waking than on the datagram. At moderate
/// rates a short nap lets some gather; below that it would only be one more system call, and above
/// rounds are full anyway.
#[derive(Debug)]
pub(super) struct Pacer {
    window: Instant,
    datagrams: usize,
    busy: bool,
}

impl Pacer {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            window: now,
            datagrams: 0,
            busy: false,
        }
    }

    /// A round that began at `now` moved so many datagrams.
    pub(super) fn after(&mut self, now: Instant, moved: usize) -> Option<Duration> {
        let passed = now.saturating_duration_since(self.window);
        if passed >= WINDOW {
            // A window that was mostly slept through says what the rate is, too: low.
            let rate = self.datagrams as u128 * 1_000_000 / passed.as_micros().max(1);
            self.busy = rate >= RATE;
            self.window = now;
            self.datagrams = 0;
        }
        self.datagrams += moved;
        (self.busy && (1..ENOUGH).contains(&moved)).then_some(NAP)
    }
}

const WINDOW: Duration = Duration::from_millis(10);

/// Datagrams per second from which a nap saves more than it costs.
const RATE: u128 = 9_000;

/// A round of so many is worth its system calls.
const ENOUGH: usize = 16;

/// The kernel adds some 50 µs.
const NAP: Duration = Duration::from_micros(120);

#[cfg(test)]
mod tests {
    use super::*;

    /// How many naps there are in a second of rounds of `each` datagrams.
    fn naps(rounds: u32, each: usize) -> usize {
        let start = Instant::now();
        let mut pacer = Pacer::new(start);
        (0..rounds)
            .filter(|round| {
                let now = start + Duration::from_secs(1) / rounds * *round;
                pacer.after(now, each).is_some()
            })
            .count()
    }

    #[test]
    fn only_moderate_rates_are_paced() {
        assert_eq!(naps(5_000, 1), 0);
        assert!(naps(20_000, 1) > 19_000);
        assert!(naps(6_000, 3) > 5_900);
        assert_eq!(naps(10_000, ENOUGH), 0);
    }

    #[test]
    fn rounds_that_moved_nothing_are_followed_by_none() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start);
        for round in 0..1000 {
            pacer.after(start + Duration::from_micros(50) * round, 1);
        }
        assert_eq!(pacer.after(start + Duration::from_millis(50), 0), None);
    }
}
