//! Which clients send more than a thread can take, and how much of it is let in.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Watches the rounds of a listener, which all UDP clients share.
///
/// While rounds end with the share used up, the socket's queue grows, and what the kernel drops in the
/// end are everybody's datagrams. Who sends most of them is then thinned out before the queue, so that
/// it empties again and the others neither wait nor lose.
#[derive(Debug)]
pub(super) struct Policer {
    /// Datagrams by client since the first full round, as Misra and Gries count: who sends more than
    /// one in [`PLACES`] + 1 is among them.
    counts: Vec<(SocketAddr, usize)>,
    datagrams: usize,
    full_rounds: usize,
    policy: Policy,
    changed: Instant,
}

/// What the kernel is to let in.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Policy {
    /// Whose datagrams are thinned out; all others come through.
    pub(super) clients: Vec<SocketAddr>,
    /// How many of 2^32 are kept.
    pub(super) keep: u32,
}

impl Policer {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            counts: Vec::with_capacity(PLACES),
            datagrams: 0,
            full_rounds: 0,
            policy: Policy::default(),
            changed: now,
        }
    }

    /// So many datagrams of this client are in the round.
    pub(super) fn saw(&mut self, client: SocketAddr, datagrams: usize) {
        if self.full_rounds == 0 {
            return;
        }
        self.datagrams += datagrams;
        if let Some((_, count)) = self.counts.iter_mut().find(|it| it.0 == client) {
            *count += datagrams;
        } else if self.counts.len() < PLACES {
            self.counts.push((client, datagrams));
        } else {
            for (_, count) in &mut self.counts {
                *count = count.saturating_sub(datagrams);
            }
            self.counts.retain(|it| it.1 > 0);
        }
    }

    /// The round is over; whether the share was used up. Answers the policy when it is a new one;
    /// without clients there is none.
    pub(super) fn round(&mut self, now: Instant, is_full: bool) -> Option<&Policy> {
        if is_full {
            self.full_rounds += 1;
            if self.full_rounds < PATIENCE {
                return None;
            }
            let changed = self.tighten();
            self.forget();
            if changed {
                self.changed = now;
                return Some(&self.policy);
            }
            return None;
        }
        self.forget();
        if self.policy.clients.is_empty() || now < self.changed + EASING {
            return None;
        }
        self.changed = now;
        self.policy.keep = self.policy.keep.saturating_add(self.policy.keep / 8);
        if self.policy.keep == u32::MAX {
            self.policy.clients.clear();
        }
        Some(&self.policy)
    }

    /// Answers whether there is anybody to thin out, and somebody to do it for.
    fn tighten(&mut self) -> bool {
        let heavy = self.counts.iter();
        let heavy: Vec<_> = heavy
            .filter(|it| it.1 * HEAVY >= self.datagrams)
            .copied()
            .collect();
        let theirs: usize = heavy.iter().map(|it| it.1).sum();
        if heavy.is_empty() || theirs == self.datagrams {
            return false;
        }
        if self.policy.clients.is_empty() {
            self.policy.keep = u32::MAX;
        }
        for (client, _) in heavy {
            if !self.policy.clients.contains(&client) {
                self.policy.clients.push(client);
            }
        }
        let excess = self.policy.clients.len().saturating_sub(PLACES);
        self.policy.clients.drain(..excess);
        self.policy.keep = (self.policy.keep / 2).max(LEAST);
        true
    }

    fn forget(&mut self) {
        self.counts.clear();
        self.datagrams = 0;
        self.full_rounds = 0;
    }
}

/// Clients that are counted, and thinned out, at a time.
pub(super) const PLACES: usize = 8;

/// Whoever sends less than one in so many is not to blame.
const HEAVY: usize = 8;

/// Rounds running: a thread that was kept from running has one or two.
const PATIENCE: usize = 4;

/// After so long without a full round a little more is let in.
const EASING: Duration = Duration::from_millis(100);

/// One in 256.
const LEAST: u32 = 1 << 24;

#[cfg(test)]
mod tests {
    use super::*;

    fn client(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    /// A round with so many datagrams of each of these.
    fn round(
        policer: &mut Policer,
        now: Instant,
        datagrams: &[(u16, usize)],
        full: bool,
    ) -> Policy {
        for (port, count) in datagrams {
            policer.saw(client(*port), *count);
        }
        policer.round(now, full);
        policer.policy.clone()
    }

    #[test]
    fn only_the_flow_that_fills_the_rounds_is_thinned_out() {
        let now = Instant::now();
        let mut policer = Policer::new(now);
        for _ in 1..PATIENCE {
            let policy = round(&mut policer, now, &[(1, 255), (2, 1)], true);
            assert!(policy.clients.is_empty());
        }
        let policy = round(&mut policer, now, &[(1, 255), (2, 1)], true);
        assert_eq!(
            (policy.clients, policy.keep),
            (vec![client(1)], u32::MAX / 2)
        );
        for _ in 0..100 {
            round(&mut policer, now, &[(1, 255), (2, 1)], true);
        }
        assert_eq!(policer.policy.clients, [client(1)]);
        assert_eq!(policer.policy.keep, LEAST);
    }

    #[test]
    fn many_who_send_little_each_are_not_thinned_out() {
        let now = Instant::now();
        let mut policer = Policer::new(now);
        let all: Vec<_> = (0..256).map(|port| (port, 1)).collect();
        for _ in 0..100 {
            assert!(round(&mut policer, now, &all, true).clients.is_empty());
        }
    }

    #[test]
    fn a_flow_that_is_alone_is_in_nobodys_way() {
        let now = Instant::now();
        let mut policer = Policer::new(now);
        for _ in 0..100 {
            let policy = round(&mut policer, now, &[(1, 256)], true);
            assert!(policy.clients.is_empty());
        }
    }

    #[test]
    fn several_floods_are_found_among_many_others() {
        let now = Instant::now();
        let mut policer = Policer::new(now);
        let others: Vec<_> = (100..140).map(|port| (port, 1)).collect();
        for _ in 0..PATIENCE {
            for part in others.chunks(10) {
                for (port, count) in part.iter().chain(&[(1, 27), (2, 27)]) {
                    policer.saw(client(*port), *count);
                }
            }
            policer.round(now, true);
        }
        assert_eq!(policer.policy.clients, [client(1), client(2)]);
    }

    #[test]
    fn a_queue_that_was_emptied_is_nobodys_fault() {
        let now = Instant::now();
        let mut policer = Policer::new(now);
        for number in 0..100 {
            let full = number % PATIENCE != 0;
            assert!(
                round(&mut policer, now, &[(1, 256)], full)
                    .clients
                    .is_empty()
            );
        }
    }

    #[test]
    fn it_ends_some_time_after_the_flood() {
        let start = Instant::now();
        let mut policer = Policer::new(start);
        for _ in 0..2 * PATIENCE {
            round(&mut policer, start, &[(1, 255), (2, 1)], true);
        }
        assert_eq!(policer.policy.keep, u32::MAX / 4);
        let quiet = |policer: &mut Policer, after| round(policer, start + after, &[(1, 9)], false);
        assert_eq!(quiet(&mut policer, EASING / 2).keep, u32::MAX / 4);
        assert!(quiet(&mut policer, EASING).keep > u32::MAX / 4);
        let after = (2..50).find(|it| quiet(&mut policer, EASING * *it).clients.is_empty());
        assert!(after.is_some_and(|it| it > 10), "{after:?}");
    }
}
