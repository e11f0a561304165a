//! What is counted of calls.

use crate::jingle::Reason;
use crate::mapping::{Dialect, Refusal, Why};
use crate::telemetry::{ByLabel, Exposition, Gauge, Histogram, OTHER, metric};

/// Counts over all calls. Whoever publishes them holds a reference.
#[derive(Debug)]
pub struct Counters {
    pub(super) open: Gauge,
    pub(super) started: ByLabel,
    pub(super) answered: ByLabel,
    pub(super) succeeded: ByLabel,
    pub(super) failed: ByLabel,
    pub(super) legs: ByLabel,
    pub(super) ring: Histogram,
    pub(super) setup: Histogram,
    pub(super) duration: Histogram,
    pub(super) dropped: ByLabel,
    pub(super) refused: ByLabel,
    pub(super) limits: ByLabel,
}

impl Default for Counters {
    fn default() -> Self {
        let reasons = || {
            let named = Reason::ALL.map(Reason::name);
            ByLabel::new(named.into_iter().chain([LINK]))
        };
        let dialects = Dialect::ALL.iter().map(|dialect| dialect.name);
        Self {
            open: Gauge::default(),
            started: ByLabel::new(["jingle", "web"]),
            answered: ByLabel::new([
                "jingle_to_jingle",
                "jingle_to_web",
                "web_to_jingle",
                "web_to_web",
            ]),
            succeeded: reasons(),
            failed: reasons(),
            legs: ByLabel::new(dialects.chain(["web"])),
            ring: Histogram::new(&[1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0]),
            setup: Histogram::new(&[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]),
            duration: Histogram::new(&[10.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0]),
            dropped: ByLabel::new(Why::ALL.map(Why::name)),
            refused: ByLabel::new(Refusal::NAMES),
            limits: ByLabel::new(["calls_per_person", "calls", "attempts_per_minute"]),
        }
    }
}

impl Counters {
    /// A description or a change is refused, by the name of the [`Refusal`].
    pub fn refuse(&self, refusal: &str) {
        if Refusal::NAMES.contains(&refusal) {
            self.refused.add(refusal, 1u64);
        }
    }

    /// How often the limits of calls were reached, by their keys.
    pub fn limits(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.limits.counts().filter(|(key, _)| *key != OTHER)
    }

    /// Writes the rest of it.
    pub fn write(&self, out: &mut Exposition) {
        out.one(&metric::CALLS_OPEN, self.open.value());
        out.by_label(&metric::CALLS_STARTED, "caller", &self.started);
        out.by_label(&metric::CALLS_ANSWERED, "kind", &self.answered);
        let outcomes = [("answered", &self.succeeded), ("unanswered", &self.failed)];
        let ended: Vec<_> = outcomes
            .into_iter()
            .flat_map(|(outcome, reasons)| {
                reasons.counts().map(move |(reason, count)| {
                    (format!("outcome=\"{outcome}\",reason=\"{reason}\""), count)
                })
            })
            .collect();
        out.samples(
            &metric::CALLS_ENDED,
            ended
                .iter()
                .map(|(labels, count)| (labels.as_str(), *count)),
        );
        out.by_label(&metric::CALL_LEGS, "dialect", &self.legs);
        out.histogram(&metric::CALL_RING, &self.ring);
        out.histogram(&metric::CALL_SETUP, &self.setup);
        out.histogram(&metric::CALL_DURATION, &self.duration);
        out.by_label(&metric::MAPPING_DROPPED, "reason", &self.dropped);
        out.by_label(&metric::MAPPING_REFUSED, "refusal", &self.refused);
    }
}

/// The reason of calls that ended because nobody could be told any more.
pub(super) const LINK: &str = "link";
