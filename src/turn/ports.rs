//! The ports of relay sockets: unpredictable, and none again soon after its last use.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use rand::{RngExt, rngs::StdRng};

use super::PortRange;

/// The ports of one relay address.
///
/// RFC 8656 §7.2 recommends the randomized assignment of RFC 6056; a port that rests cannot hand
/// the packets meant for its last holder to the next one.
#[derive(Debug)]
pub(super) struct Ports {
    free: Vec<u16>,
    /// When each may be used again, oldest first.
    resting: VecDeque<(Instant, u16)>,
}

impl Ports {
    pub(super) fn new(range: &PortRange) -> Self {
        Self {
            free: range.0.clone().collect(),
            resting: VecDeque::new(),
        }
    }

    /// Takes any port, by chance. When all free ones rest, the one that has rested longest.
    pub(super) fn take(&mut self, now: Instant, rng: &mut StdRng) -> Option<u16> {
        self.wake(now);
        if self.free.is_empty() {
            return self.resting.pop_front().map(|(_, port)| port);
        }
        let index = rng.random_range(0..self.free.len());
        Some(self.free.swap_remove(index))
    }

    /// Takes an even port; with `pair`, the odd one above it too.
    pub(super) fn take_even(&mut self, now: Instant, rng: &mut StdRng, pair: bool) -> Option<u16> {
        self.wake(now);
        self.even(rng, pair).or_else(|| {
            self.free
                .extend(self.resting.drain(..).map(|(_, port)| port));
            self.even(rng, pair)
        })
    }

    /// Gives a port back.
    pub(super) fn give(&mut self, now: Instant, port: u16) {
        self.resting.push_back((now + REST, port));
    }

    fn even(&mut self, rng: &mut StdRng, pair: bool) -> Option<u16> {
        let start = rng.random_range(0..self.free.len().max(1));
        let order = (start..self.free.len()).chain(0..start);
        let even = order.filter_map(|index| Some((index, *self.free.get(index)?)));
        let mut even = even.filter(|(_, port)| port % 2 == 0);
        let (index, port) = if pair {
            let mut tried = even.take(PAIRS_TRIED);
            tried.find(|(_, port)| self.free.contains(&(port + 1)))?
        } else {
            even.next()?
        };
        self.free.swap_remove(index);
        if pair {
            self.free.retain(|it| *it != port + 1);
        }
        Some(port)
    }

    fn wake(&mut self, now: Instant) {
        while let Some((_, port)) = self.resting.pop_front_if(|(until, _)| *until <= now) {
            self.free.push(port);
        }
    }
}

/// Longer than packets live in the network, shorter than anybody waits for a port.
const REST: Duration = Duration::from_secs(120);

/// Each try looks through all free ports.
const PAIRS_TRIED: usize = 64;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;

    use super::*;

    fn ports(first: u16, last: u16) -> Ports {
        Ports::new(&PortRange::new(first, last).unwrap())
    }

    /// Any instant will do; the tests move on from it.
    #[expect(
        clippy::disallowed_methods,
        reason = "virtual time has to begin somewhere"
    )]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn each_is_taken_once_and_by_chance() {
        let mut taken = Vec::new();
        for seed in [1, 2] {
            let mut ports = ports(50_000, 50_099);
            let mut rng = StdRng::from_seed([seed; 32]);
            let all: Vec<_> = (0..100)
                .map(|_| ports.take(start(), &mut rng).unwrap())
                .collect();
            assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 100);
            assert_eq!(ports.take(start(), &mut rng), None);
            let steps = all.windows(2).filter(|pair| pair[1] == pair[0] + 1).count();
            assert!(steps < 10, "{all:?}");
            taken.push(all);
        }
        assert_ne!(taken[0], taken[1]);
    }

    #[test]
    fn a_port_rests_unless_none_else_is_left() {
        let now = start();
        let mut rng = StdRng::from_seed([1; 32]);
        let mut ports = ports(50_000, 50_003);
        let first = ports.take(now, &mut rng).unwrap();
        ports.give(now, first);
        let next: Vec<_> = (0..3).map(|_| ports.take(now, &mut rng).unwrap()).collect();
        assert!(!next.contains(&first));
        assert_eq!(ports.take(now, &mut rng), Some(first));
        ports.give(now, first);
        ports.wake(now + REST);
        assert_eq!(ports.free, [first]);
    }

    #[test]
    fn even_ports_and_pairs() {
        let mut rng = StdRng::from_seed([1; 32]);
        let mut ports = ports(50_001, 50_005);
        let pair = ports.take_even(start(), &mut rng, true).unwrap();
        assert!(pair == 50_002 || pair == 50_004);
        assert!(!ports.free.contains(&pair) && !ports.free.contains(&(pair + 1)));
        let even = ports.take_even(start(), &mut rng, false).unwrap();
        assert!(even != pair && even.is_multiple_of(2));
        assert_eq!(ports.take_even(start(), &mut rng, false), None);
    }
}
