//! The text that Prometheus reads.

use std::fmt::Write as _;

use super::metric::{Family, Kind};
use super::{ByLabel, Histogram};

/// Metrics in Prometheus' text format, version 0.0.4.
///
/// Written by hand rather than through a metrics library: every count lives with the engine that
/// makes it (the TURN workers count without atomics), so a library would only hold copies; and
/// every series is there from the start, at zero, which a registry filled on first use cannot do.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

impl Exposition {
    /// A metric without labels.
    pub fn one(&mut self, family: &Family, value: u64) {
        self.head(family);
        self.line(family.name, "", "", value);
    }

    /// A metric with one label.
    pub fn by_label(&mut self, family: &Family, label: &str, counts: &ByLabel) {
        self.head(family);
        for (value, count) in counts.counts() {
            self.line(family.name, "", &format!("{label}=\"{value}\""), count);
        }
    }

    /// A metric whose labels are in Prometheus' form already: `key="value",key="value"`.
    pub fn samples<'a>(
        &mut self,
        family: &Family,
        samples: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        self.head(family);
        for (labels, value) in samples {
            self.line(family.name, "", labels, value);
        }
    }

    /// A metric in fractions of a unit.
    pub fn fraction(&mut self, family: &Family, value: f64) {
        self.head(family);
        self.line(family.name, "", "", value);
    }

    /// How often something took how long.
    pub fn histogram(&mut self, family: &Family, times: &Histogram) {
        self.head(family);
        let mut all = 0;
        for (bound, count) in times.buckets() {
            let le = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.to_string());
            self.line(family.name, "_bucket", &format!("le=\"{le}\""), count);
            all = count;
        }
        self.line(family.name, "_sum", "", times.sum());
        self.line(family.name, "_count", "", all);
    }

    /// Everything that was written.
    #[must_use]
    pub fn finish(self) -> String {
        self.text
    }

    fn head(&mut self, family: &Family) {
        let Family { name, help, kind } = family;
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // Writing to a String does not fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, suffix: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = if labels.is_empty() {
            writeln!(self.text, "{name}{suffix} {value}")
        } else {
            writeln!(self.text, "{name}{suffix}{{{labels}}} {value}")
        };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::telemetry::metric;

    #[test]
    fn the_form_is_that_of_prometheus() {
        let mut out = Exposition::default();
        out.one(&metric::CALLS_OPEN, 3);
        let reasons = ByLabel::new(["success"]);
        reasons.add("success", 2u64);
        out.by_label(&metric::MAPPING_DROPPED, "reason", &reasons);
        let times = Histogram::new(&[1.0, 2.5]);
        times.observe(Duration::from_secs(2));
        out.histogram(&metric::CALL_RING, &times);
        assert_eq!(
            out.finish(),
            "# HELP campana_calls_open Calls that ring or are under way.\n\
             # TYPE campana_calls_open gauge\n\
             campana_calls_open 3\n\
             # HELP campana_mapping_dropped_total What the mapping between SDP and Jingle could not carry over.\n\
             # TYPE campana_mapping_dropped_total counter\n\
             campana_mapping_dropped_total{reason=\"success\"} 2\n\
             campana_mapping_dropped_total{reason=\"other\"} 0\n\
             # HELP campana_call_ring_seconds From the beginning of a call until a device picks up.\n\
             # TYPE campana_call_ring_seconds histogram\n\
             campana_call_ring_seconds_bucket{le=\"1\"} 0\n\
             campana_call_ring_seconds_bucket{le=\"2.5\"} 1\n\
             campana_call_ring_seconds_bucket{le=\"+Inf\"} 1\n\
             campana_call_ring_seconds_sum 2\n\
             campana_call_ring_seconds_count 1\n"
        );
    }
}
