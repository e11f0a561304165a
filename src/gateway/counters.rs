//! What is counted at the XMPP face.

use std::sync::Arc;

use crate::call;
use crate::stanza::StanzaError;
use crate::telemetry::{ByLabel, Counter, Exposition, Gauge, OTHER, metric};

/// Counts of the gateway and of its calls. Whoever publishes them holds a reference.
#[derive(Debug)]
pub struct Counters {
    pub(super) calls: Arc<call::Counters>,
    pub(super) web_devices: Gauge,
    pub(super) clients: Gauge,
    pub(super) pending: Gauge,
    pub(super) unanswered: Counter,
    refused: ByLabel,
    limits: ByLabel,
}

impl Counters {
    pub(super) fn new(calls: Arc<call::Counters>) -> Self {
        Self {
            calls,
            web_devices: Gauge::default(),
            clients: Gauge::default(),
            pending: Gauge::default(),
            unanswered: Counter::default(),
            refused: ByLabel::new(CONDITIONS),
            limits: ByLabel::new(LIMITS),
        }
    }

    /// A request is answered with this error.
    pub(super) fn refuse(&self, error: &StanzaError) {
        self.refused.add(error.condition, 1u64);
        match error.cause {
            Some(key) if LIMITS.contains(&key) => self.limit(key),
            Some(refusal) => self.calls.refuse(refusal),
            None => {}
        }
    }

    /// The limit of this key was reached.
    pub(super) fn limit(&self, key: &'static str) {
        self.limits.add(key, 1u64);
    }

    /// Writes all of it.
    pub fn write(&self, out: &mut Exposition) {
        self.calls.write(out);
        let devices = [
            ("kind=\"web\"", self.web_devices.value()),
            ("kind=\"client\"", self.clients.value()),
        ];
        out.samples(&metric::DEVICES, devices);
        out.one(&metric::REQUESTS_PENDING, self.pending.value());
        out.one(&metric::REQUESTS_UNANSWERED, self.unanswered.value());
        out.by_label(&metric::REFUSED, "condition", &self.refused);
        let limits: Vec<_> = self
            .calls
            .limits()
            .chain(self.limits.counts().filter(|(key, _)| *key != OTHER))
            .map(|(key, count)| (format!("limit=\"{key}\""), count))
            .collect();
        out.samples(
            &metric::LIMITS_HIT,
            limits
                .iter()
                .map(|(labels, count)| (labels.as_str(), *count)),
        );
    }
}

/// RFC 6120 §8.3.3.
const CONDITIONS: [&str; 22] = [
    "bad-request",
    "conflict",
    "feature-not-implemented",
    "forbidden",
    "gone",
    "internal-server-error",
    "item-not-found",
    "jid-malformed",
    "not-acceptable",
    "not-allowed",
    "not-authorized",
    "policy-violation",
    "recipient-unavailable",
    "redirect",
    "registration-required",
    "remote-server-not-found",
    "remote-server-timeout",
    "resource-constraint",
    "service-unavailable",
    "subscription-required",
    "undefined-condition",
    "unexpected-request",
];
/// The keys of `[limits]`, but for those that bound calls.
const LIMITS: [&str; 13] = [
    "stanza_bytes",
    "xml_depth",
    "xml_attributes",
    "candidates",
    "devices_per_person",
    "people",
    "watchers_per_person",
    "opened",
    "parked_stanzas",
    "parked_stanzas_per_person",
    "privileged_domains",
    "pending_iqs",
    "queued_stanzas",
];
