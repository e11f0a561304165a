//! When to let datagrams gather before the next round.

use std::time::{Duration, Instant};

/// Says how long to sleep between rounds.
///
/// A thread that wakes for each datagram spends more on waking than on the datagram. At moderate
/// rates a nap lets some gather: as long as it takes for [`GATHERED`] of them, but never so long that
/// a call would notice. Below that it would only be one more system call, and above rounds are full
/// anyway.
///
/// Where flows send in bursts, a nap pays at any rate that leaves a round small: whoever is woken by
/// the first datagram of a burst sends it alone, and the rest in other rounds, or alone, too.
///
/// What datagrams wait for is the whole period, from round to round. The round itself and the
/// kernel's delay in waking up, which depends on the machine, are taken off the nap.
#[derive(Debug)]
pub(super) struct Pacer {
    window: Instant,
    datagrams: usize,
    /// What they left in.
    groups: usize,
    /// Whether they mostly left with others of their flow.
    in_bursts: bool,
    /// While the rate is worth it.
    period: Option<Duration>,
    /// When the last round began, and the nap behind it.
    latest: Option<(Instant, Duration)>,
    /// How much longer than naps periods are, on average.
    beyond: Duration,
}

impl Pacer {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            window: now,
            datagrams: 0,
            groups: 0,
            in_bursts: false,
            period: None,
            latest: None,
            beyond: Duration::ZERO,
        }
    }

    /// A round that began at `now` moved so many datagrams, in so many groups of a flow.
    pub(super) fn after(&mut self, now: Instant, moved: usize, groups: usize) -> Option<Duration> {
        let passed = now.saturating_duration_since(self.window);
        if passed >= WINDOW {
            // A window that was mostly slept through says what the rate is, too: low.
            let micros = u64::try_from(passed.as_micros()).unwrap_or(u64::MAX);
            let rate = (self.datagrams as u64).saturating_mul(1_000_000) / micros.max(1);
            let gathering = (GATHERED * 1_000_000).checked_div(rate);
            let gathering = gathering.map_or(Duration::ZERO, Duration::from_micros);
            self.period = (rate >= RATE).then(|| gathering.min(LONGEST));
            self.in_bursts = self.datagrams * 2 >= self.groups * 3;
            self.window = now;
            (self.datagrams, self.groups) = (0, 0);
            // Else a bad moment would end all naps, and with them what shows that it is over.
            self.beyond -= self.beyond / 16;
        }
        self.datagrams += moved;
        self.groups += groups;
        let nap = self.period?.saturating_sub(self.beyond);
        let nap = if self.in_bursts {
            nap.max(SHORTEST)
        } else {
            nap
        };
        if nap < SHORTEST || !(1..ENOUGH).contains(&moved) {
            return None;
        }
        self.latest = Some((now, nap));
        Some(nap)
    }

    /// The nap is over.
    pub(super) fn woke(&mut self, now: Instant) {
        if let Some((then, nap)) = self.latest.take() {
            let beyond = now.saturating_duration_since(then).saturating_sub(nap);
            self.beyond = (self.beyond * 15 + beyond.min(LONGEST)) / 16;
        }
    }
}

const WINDOW: Duration = Duration::from_millis(10);

/// Datagrams per second from which a nap saves more than it costs.
const RATE: u64 = 7_000;

/// How many datagrams a nap is to gather.
const GATHERED: u64 = 10;

/// A round of so many is worth its system calls.
const ENOUGH: usize = 16;

/// From round to round at most: half of that is what datagrams wait for on average.
const LONGEST: Duration = Duration::from_micros(265);

/// With less the thread is back before anything has come.
const SHORTEST: Duration = Duration::from_micros(20);

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
                pacer.after(now, each, each).is_some()
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
    fn bursts_are_waited_for_at_any_rate_that_leaves_rounds_small() {
        let rounds = 20_000;
        let naps = |groups| {
            let start = Instant::now();
            let mut pacer = Pacer::new(start);
            let nap = (0..rounds).map(|round| {
                let now = start + Duration::from_secs(1) / rounds * round;
                // 300,000 a second, for which the period is next to nothing.
                let nap = pacer.after(now, ENOUGH - 1, groups);
                pacer.woke(now + Duration::from_micros(100));
                usize::from(nap.is_some())
            });
            nap.sum::<usize>()
        };
        assert!(naps(ENOUGH - 1) < 1_000);
        assert!(naps(2) > 19_000);
    }

    /// The nap after a second at a rate, in which each round takes so much beside its nap.
    fn settled(beyond: Duration, rate: u128) -> Option<Duration> {
        let mut now = Instant::now();
        let end = now + Duration::from_secs(1);
        let mut pacer = Pacer::new(now);
        let mut nap = None;
        // Billionths of a datagram.
        let mut waiting = 0;
        while now < end {
            let moved = waiting / 1_000_000_000;
            waiting %= 1_000_000_000;
            let moved = usize::try_from(moved).unwrap();
            nap = pacer.after(now, moved, moved).or(nap);
            let period = nap.unwrap_or_default() + beyond;
            now += period;
            pacer.woke(now);
            waiting += rate * period.as_nanos();
        }
        nap
    }

    #[test]
    fn naps_are_shorter_where_more_comes() {
        let nap = |rate| settled(Duration::from_micros(10), rate).unwrap();
        assert!(nap(20_000) > LONGEST - Duration::from_micros(30));
        assert!(nap(100_000) < Duration::from_micros(110));
    }

    #[test]
    fn what_a_round_and_waking_up_take_is_taken_off_the_nap() {
        let micros = Duration::from_micros;
        let nap = settled(micros(120), 20_000).unwrap();
        let expected = LONGEST - micros(120);
        assert!((expected..expected + micros(20)).contains(&nap), "{nap:?}");
    }

    #[test]
    fn naps_come_back_when_a_bad_moment_is_over() {
        let mut now = Instant::now();
        let mut pacer = Pacer::new(now);
        let mut naps = |pacer: &mut Pacer, beyond: u64, rounds: usize| {
            let naps = (0..rounds).filter(|_| {
                let nap = pacer.after(now, 6, 6);
                let took = nap.unwrap_or_default() + Duration::from_micros(beyond);
                pacer.woke(now + took);
                // Whatever is waited for after that is no fault of the nap.
                now += took.max(Duration::from_micros(300));
                nap.is_some()
            });
            naps.count()
        };
        naps(&mut pacer, 50, 1000);
        let in_a_bad_moment = naps(&mut pacer, 3000, 1000);
        assert!(in_a_bad_moment < 500, "{in_a_bad_moment}");
        naps(&mut pacer, 50, 3000);
        let afterwards = naps(&mut pacer, 50, 1000);
        assert!(afterwards > 900, "{afterwards}");
    }

    #[test]
    fn rounds_that_moved_nothing_are_followed_by_none() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start);
        for round in 0..1000 {
            pacer.after(start + Duration::from_micros(50) * round, 1, 1);
        }
        assert_eq!(pacer.after(start + Duration::from_millis(50), 0, 0), None);
    }
}
