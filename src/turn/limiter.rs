//! How many replies unauthenticated sources get: a fixed table, no state per source.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

/// Counts replies per /24 and /64 in windows of a second.
///
/// A sender of forged source addresses must neither make us a mirror (RFC 8489 §16.2.1) nor grow
/// our memory. So the counters are a count-min sketch of a fixed size: a network is refused only if it
/// is over its budget in each row. Its rows are hashed with keys nobody outside knows, so a network
/// cannot be silenced by others that share a place with it on purpose.
#[derive(Debug)]
pub(super) struct Limiter {
    /// Replies per second and network; 0 = no limit.
    budget: u32,
    keys: [u64; ROWS],
    counts: Vec<u32>,
    window: Instant,
}

impl Limiter {
    pub(super) fn new(now: Instant, budget: u32, keys: [u64; ROWS]) -> Self {
        Self {
            budget,
            keys,
            counts: vec![0; ROWS * WIDTH],
            window: now,
        }
    }

    /// Whether one more reply may go to this address.
    pub(super) fn admits(&mut self, now: Instant, to: IpAddr) -> bool {
        if self.budget == 0 {
            return true;
        }
        if now.saturating_duration_since(self.window) >= WINDOW {
            self.window = now;
            self.counts.fill(0);
        }
        let network = network(to);
        let mut admitted = false;
        for (row, key) in self.counts.chunks_mut(WIDTH).zip(self.keys) {
            let hash = mix(network.wrapping_add(key) ^ key.rotate_left(32));
            let index = usize::try_from(hash % WIDTH as u64).unwrap_or_default();
            if let Some(count) = row.get_mut(index) {
                admitted |= *count < self.budget;
                *count = count.saturating_add(1);
            }
        }
        admitted
    }
}

/// The /24 or /64 of an address, as a number.
pub(crate) fn network(ip: IpAddr) -> u64 {
    match ip {
        // No /64 of the IPv6 space in use has zeros here and these bits below.
        IpAddr::V4(ip) => u64::from(ip.to_bits() >> 8),
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            [a, b, c, d]
                .into_iter()
                .fold(0, |sum, part| sum << 16 | u64::from(part))
        }
    }
}

/// The finalizer of splitmix64: every bit of the input moves half of the output.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// How many rows the sketch has.
const ROWS: usize = 2;
const WIDTH: usize = 16384;
const WINDOW: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(
        clippy::disallowed_methods,
        reason = "virtual time has to begin somewhere"
    )]
    fn limiter(budget: u32) -> (Instant, Limiter) {
        let now = Instant::now();
        (now, Limiter::new(now, budget, [11, 22]))
    }

    fn admitted(limiter: &mut Limiter, now: Instant, ips: &[&str], times: usize) -> usize {
        let ips = ips.iter().cycle().take(ips.len() * times);
        ips.filter(|ip| limiter.admits(now, ip.parse().unwrap()))
            .count()
    }

    #[test]
    fn the_budget_is_that_of_the_prefix_and_the_second() {
        let (now, mut limiter) = limiter(10);
        assert_eq!(
            admitted(&mut limiter, now, &["192.0.2.1", "192.0.2.200"], 10),
            10
        );
        assert_eq!(admitted(&mut limiter, now, &["192.0.3.1"], 10), 10);
        assert_eq!(
            admitted(&mut limiter, now, &["2001:db8::1", "2001:db8::2:1"], 10),
            10
        );
        assert_eq!(admitted(&mut limiter, now, &["2001:db8:0:1::1"], 10), 10);
        assert_eq!(admitted(&mut limiter, now + WINDOW, &["192.0.2.1"], 20), 10);
    }

    #[test]
    fn zero_is_no_limit() {
        let (now, mut limiter) = limiter(0);
        assert_eq!(admitted(&mut limiter, now, &["192.0.2.1"], 1000), 1000);
    }

    #[test]
    fn a_flood_from_everywhere_silences_few_others() {
        let (now, mut limiter) = limiter(10);
        for prefix in 0..4000_u32 {
            let ip = IpAddr::from((0x0B00_0000 + (prefix << 8)).to_be_bytes());
            for _ in 0..20 {
                limiter.admits(now, ip);
            }
        }
        let others = (0..1000_u32).map(|i| IpAddr::from((0x5000_0000 + (i << 8)).to_be_bytes()));
        let silenced = others.filter(|ip| !limiter.admits(now, *ip)).count();
        assert!(silenced < 100, "{silenced}");
    }
}
