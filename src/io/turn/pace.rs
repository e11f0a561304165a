//! When to let datagrams gather before the next round.

use std::time::{Duration, Instant};

/// Says how long to sleep between rounds.
///
/// A thread that wakes for each datagram spends more on waking than on the datagram. At moderate
/// rates a nap lets some gather: as long as it takes for [`GATHERED`] of them, but never so long that
/// a call would notice. Below that it would only be one more system call, and above rounds are full
/// anyway.
#[derive(Debug)]
pub(super) struct Pacer {
    window: Instant,
    datagrams: usize,
    /// While the rate is worth it.
    nap: Option<Duration>,
}

impl Pacer {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            window: now,
            datagrams: 0,
            nap: None,
        }
    }

    /// A round that began at `now` moved so many datagrams.
    pub(super) fn after(&mut self, now: Instant, moved: usize) -> Option<Duration> {
        let passed = now.saturating_duration_since(self.window);
        if passed >= WINDOW {
            // A window that was mostly slept through says what the rate is, too: low.
            let micros = u64::try_from(passed.as_micros()).unwrap_or(u64::MAX);
            let rate = (self.datagrams as u64).saturating_mul(1_000_000) / micros.max(1);
            let gathering = (GATHERED * 1_000_000).checked_div(rate);
            let micros = gathering.map_or(0, |it| it.min(LONGEST));
            self.nap = (rate >= RATE).then(|| Duration::from_micros(micros));
            self.window = now;
            self.datagrams = 0;
        }
        self.datagrams += moved;
        self.nap.filter(|_| (1..ENOUGH).contains(&moved))
    }
}

const WINDOW: Duration = Duration::from_millis(10);

/// Datagrams per second from which a nap saves more than it costs.
const RATE: u64 = 7_000;

/// How many datagrams a nap is to gather.
const GATHERED: u64 = 10;

/// A round of so many is worth its system calls.
const ENOUGH: usize = 16;

/// Microseconds that a nap lasts at most; the kernel adds some 50.
const LONGEST: u64 = 230;

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
        assert_eq!(naps(4_000, 1), 0);
        assert!(naps(20_000, 1) > 19_000);
        assert!(naps(6_000, 3) > 5_900);
        assert_eq!(naps(10_000, ENOUGH), 0);
    }

    #[test]
    fn naps_are_shorter_where_more_comes() {
        let nap = |each: u32| {
            let start = Instant::now();
            let mut pacer = Pacer::new(start);
            let step = Duration::from_micros(100);
            let rounds = (0..1000).map(|round| pacer.after(start + step * round, each as usize));
            rounds.last().flatten().unwrap()
        };
        assert_eq!(nap(2), Duration::from_micros(LONGEST));
        assert!(nap(10) < Duration::from_micros(110), "{:?}", nap(10));
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
