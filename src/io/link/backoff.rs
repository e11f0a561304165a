//! When to try again: delays between attempts to reach the XMPP server.
//!
//! Told the time and given its randomness, so that the policy is tested without waiting for it.

use std::time::{Duration, Instant};

use rand::{Rng, RngExt, SeedableRng, rngs::SmallRng};

/// Doubling, jittered delays with a ceiling that depends on whether calls are waiting for the link.
#[derive(Debug)]
pub(crate) struct Backoff {
    rng: SmallRng,
    /// Attempts since the last stream that lived.
    attempts: u32,
    /// When the present stream came up.
    up_since: Option<Instant>,
}

impl Backoff {
    /// A policy at its start. `seed` decides the jitter.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rng: SmallRng::seed_from_u64(seed),
            attempts: 0,
            up_since: None,
        }
    }

    /// The handshake was accepted.
    pub(crate) fn handle_up(&mut self, now: Instant) {
        self.up_since = Some(now);
    }

    /// The attempt failed or the stream ended.
    ///
    /// Only a stream that lived for [`LIVED`] starts the delays anew: two instances that throw
    /// each other out (`conflict` with a server that keeps the newest) would otherwise do so ten
    /// times a second.
    pub(crate) fn handle_down(&mut self, now: Instant) {
        let lived = self
            .up_since
            .take()
            .is_some_and(|since| now.saturating_duration_since(since) >= LIVED);
        self.attempts = if lived {
            1
        } else {
            self.attempts.saturating_add(1)
        };
    }

    /// How long to wait before the next attempt, between half the ceiling and the ceiling.
    ///
    /// The ceiling is 200 ms after the first failure, so the first delay is at least 100 ms, and
    /// doubles with each further one up to [`CEILING`], or [`CEILING_WITH_CALLS`] while a call
    /// lives.
    pub(crate) fn delay(&mut self, has_calls: bool) -> Duration {
        let doublings = self.attempts.saturating_sub(1).min(MAX_DOUBLINGS);
        let highest = if has_calls {
            CEILING_WITH_CALLS
        } else {
            CEILING
        };
        let ceiling = FIRST_CEILING.saturating_mul(1 << doublings).min(highest);
        ceiling / 2 + jitter(&mut self.rng, ceiling / 2)
    }
}

/// How long one attempt to open the connection may take before the next is made.
///
/// With a call waiting it is short: the kernel repeats a lost SYN only after one, three and seven
/// seconds, while a new attempt sends one at once.
pub(crate) fn connect_timeout(has_calls: bool) -> Duration {
    if has_calls {
        Duration::from_secs(2)
    } else {
        Duration::from_secs(10)
    }
}

fn jitter(rng: &mut impl Rng, up_to: Duration) -> Duration {
    up_to.mul_f64(rng.random::<f64>())
}

const FIRST_CEILING: Duration = Duration::from_millis(200);
const CEILING: Duration = Duration::from_secs(30);
/// Half of what a call may be asked to wait, so that a handshake fits in as well.
const CEILING_WITH_CALLS: Duration = Duration::from_millis(400);
/// 200 ms doubled eight times is beyond [`CEILING`].
const MAX_DOUBLINGS: u32 = 8;
/// A stream shorter than this counts as a failed attempt.
const LIVED: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_delay_is_100_to_200_ms_and_it_doubles_to_30_s() {
        let now = Instant::now();
        let mut backoff = Backoff::new(1);
        let mut ceiling = Duration::from_millis(200);
        for _ in 0..20 {
            backoff.handle_down(now);
            let delay = backoff.delay(false);
            assert!(
                delay >= ceiling / 2 && delay <= ceiling,
                "{delay:?} of {ceiling:?}"
            );
            ceiling = (ceiling * 2).min(Duration::from_secs(30));
        }
    }

    #[test]
    fn a_call_keeps_it_below_400_ms_however_often_it_failed() {
        let now = Instant::now();
        let mut backoff = Backoff::new(2);
        for _ in 0..100 {
            backoff.handle_down(now);
            let delay = backoff.delay(true);
            assert!(
                delay >= Duration::from_millis(100) && delay <= Duration::from_millis(400),
                "{delay:?}"
            );
        }
    }

    #[test]
    fn only_a_stream_that_lived_starts_anew() {
        let start = Instant::now();
        let mut backoff = Backoff::new(3);
        for _ in 0..10 {
            backoff.handle_down(start);
        }
        backoff.handle_up(start);
        backoff.handle_down(start + Duration::from_secs(9));
        assert!(backoff.delay(false) >= Duration::from_secs(15));

        backoff.handle_up(start);
        backoff.handle_down(start + Duration::from_secs(10));
        assert!(backoff.delay(false) <= Duration::from_millis(200));
    }

    #[test]
    fn instances_with_other_seeds_do_not_step_in_time() {
        let now = Instant::now();
        let delays: std::collections::HashSet<_> = (0..32)
            .map(|seed| {
                let mut backoff = Backoff::new(seed);
                backoff.handle_down(now);
                backoff.delay(false)
            })
            .collect();
        assert!(delays.len() > 16, "{} delays of 32 differ", delays.len());
    }

    proptest! {
        #[test]
        fn the_delay_is_never_zero_and_never_above_its_ceiling(
            seed: u64, failures in 0u32..5000, has_calls: bool,
        ) {
            let mut backoff = Backoff::new(seed);
            backoff.attempts = failures;
            let delay = backoff.delay(has_calls);
            prop_assert!(delay >= Duration::from_millis(100));
            let highest = if has_calls { CEILING_WITH_CALLS } else { CEILING };
            prop_assert!(delay <= highest);
        }
    }
}
