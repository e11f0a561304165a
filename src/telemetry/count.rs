//! What is counted, and how: numbers that may be read by another thread at any time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

/// Counters by the value of one label. The values are told at the start, so nobody outside can
/// make them more: whatever is not among them counts as [`OTHER`].
#[derive(Debug)]
pub struct ByLabel {
    values: Vec<&'static str>,
    counts: Vec<Counter>,
}

/// How often something took how long.
#[derive(Debug)]
pub struct Histogram {
    /// Upper bounds in seconds, rising.
    bounds: &'static [f64],
    /// One for each bound, and one for what lies above all.
    counts: Vec<Counter>,
    milliseconds: Counter,
}

impl Counter {
    /// Counts `n` more.
    pub fn add(&self, n: impl TryInto<u64>) {
        self.0
            .fetch_add(n.try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The count.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Gauge {
    /// It is `n` now.
    pub fn set(&self, n: impl TryInto<u64>) {
        self.0
            .store(n.try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What it is.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl ByLabel {
    /// Nothing counted yet, of these values and [`OTHER`].
    pub fn new(values: impl IntoIterator<Item = &'static str>) -> Self {
        let mut values: Vec<_> = values.into_iter().collect();
        if !values.contains(&OTHER) {
            values.push(OTHER);
        }
        Self {
            counts: values.iter().map(|_| Counter::default()).collect(),
            values,
        }
    }

    /// Counts `n` more of this value.
    pub fn add(&self, value: &str, n: impl TryInto<u64>) {
        let at = self.values.iter().position(|known| *known == value);
        // OTHER stands last.
        let count = at.map_or_else(|| self.counts.last(), |at| self.counts.get(at));
        if let Some(count) = count {
            count.add(n);
        }
    }

    /// Every value with its count.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.values
            .iter()
            .zip(&self.counts)
            .map(|(value, count)| (*value, count.value()))
    }

    /// The count of one value.
    #[must_use]
    pub fn value(&self, value: &str) -> u64 {
        self.counts()
            .find_map(|(known, count)| (known == value).then_some(count))
            .unwrap_or_default()
    }
}

impl Histogram {
    /// With these upper bounds in seconds, which rise.
    #[must_use]
    pub fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| Counter::default()).collect(),
            milliseconds: Counter::default(),
        }
    }

    /// Something took this long.
    pub fn observe(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let at = self.bounds.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get(at) {
            count.add(1u64);
        }
        self.milliseconds.add(time.as_millis());
    }

    /// Each bound with how many were not above it; `None` is the count of all.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (Option<f64>, u64)> {
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        let mut sum = 0;
        bounds.zip(&self.counts).map(move |(bound, count)| {
            sum += count.value();
            (bound, sum)
        })
    }

    /// All times together, in seconds.
    #[expect(
        clippy::cast_precision_loss,
        reason = "half a million years of milliseconds are exact"
    )]
    pub(super) fn sum(&self) -> f64 {
        self.milliseconds.value() as f64 / 1000.0
    }
}

/// The label value of everything that has none of its own.
pub const OTHER: &str = "other";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_value_of_its_own_is_other() {
        let counts = ByLabel::new(["busy", "gone"]);
        counts.add("gone", 2u64);
        counts.add("rm -rf", 1u64);
        let all: Vec<_> = counts.counts().collect();
        assert_eq!(all, [("busy", 0), ("gone", 2), (OTHER, 1)]);
    }

    #[test]
    fn buckets_hold_all_that_is_not_above_them() {
        let times = Histogram::new(&[0.5, 1.0]);
        for milliseconds in [100, 500, 700, 5000] {
            times.observe(Duration::from_millis(milliseconds));
        }
        let buckets: Vec<_> = times.buckets().collect();
        assert_eq!(buckets, [(Some(0.5), 2), (Some(1.0), 3), (None, 4)]);
        assert!((times.sum() - 6.3).abs() < 1e-9);
    }
}
