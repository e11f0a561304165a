//! The names of all metrics, with their units, as Prometheus' conventions have them.
//!
//! Label values are fixed words of this program and of the standards, never a JID or an address.

/// One metric: the series of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// With the unit, and `_total` if it only grows.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// How it behaves.
    pub kind: Kind,
}

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

macro_rules! families {
    ($($(#[$doc:meta])* $constant:ident = $kind:ident $name:literal $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: Family = Family {
                name: concat!("campana_", $name),
                help: $help,
                kind: Kind::$kind,
            };
        )*

        /// All of them.
        pub const ALL: &[Family] = &[$($constant),*];
    };
}

families! {
    BUILD = Gauge "build_info" "Always 1; the version is a label.";
    STARTED = Gauge "start_time_seconds" "When the process started, in seconds since 1970.";
    MEMORY = Gauge "resident_memory_bytes" "Memory of the process that is in RAM.";
    CPU = Counter "cpu_seconds_total" "CPU time of the process.";
    DESCRIPTORS = Gauge "open_fds" "File descriptors that the process holds.";
    DRAINING = Gauge "draining" "Whether the process waits for its last calls to end.";

    LINK_UP = Gauge "link_up" "Whether the link to the XMPP server is up.";
    LINK_OPENED = Counter "link_opened_total" "Streams that the XMPP server accepted; all but the first are reconnects.";
    LINK_LOST = Counter "link_lost_total" "Streams that were up and ended.";
    LINK_ERRORS = Counter "link_errors_total" "Why streams ended or were not made.";
    LINK_STANZAS_IN = Counter "link_stanzas_received_total" "Stanzas from the XMPP server.";
    LINK_STANZAS_OUT = Counter "link_stanzas_sent_total" "Stanzas to the XMPP server.";
    LINK_STANZAS_BAD = Counter "link_stanzas_bad_total" "Stanzas over a limit, which were not read.";
    LINK_STANZAS_DROPPED = Counter "link_stanzas_dropped_total" "Stanzas that never left: no room, or no link in time.";
    LINK_BYTES_IN = Counter "link_received_bytes_total" "Bytes from the XMPP server.";
    LINK_BYTES_OUT = Counter "link_sent_bytes_total" "Bytes to the XMPP server.";
    LINK_WRITES = Counter "link_writes_total" "Writes to the XMPP server; several stanzas share one.";
    LINK_PINGS = Counter "link_pings_total" "Pings sent because the XMPP server was silent.";

    CALLS_OPEN = Gauge "calls_open" "Calls that ring or are under way.";
    CALLS_STARTED = Counter "calls_started_total" "Calls by what the caller speaks.";
    CALLS_ANSWERED = Counter "calls_answered_total" "Calls that a device picked up, by what caller and callee speak.";
    CALLS_ENDED = Counter "calls_ended_total" "Calls by whether they came about, and by the reason of their end (XEP-0166 7.4).";
    CALL_LEGS = Counter "call_legs_total" "Legs of calls by the dialect that is spoken to the device.";
    CALL_RING = Histogram "call_ring_seconds" "From the beginning of a call until a device picks up.";
    CALL_SETUP = Histogram "call_setup_seconds" "From the pick-up until the caller has the answer.";
    CALL_DURATION = Histogram "call_duration_seconds" "From the answer until the end, of calls that came about.";

    DEVICES = Gauge "devices" "Devices that are known to be online: browser apps and IM clients.";
    REQUESTS_PENDING = Gauge "requests_pending" "Requests to devices and servers that wait for a reply.";
    REQUESTS_UNANSWERED = Counter "requests_unanswered_total" "Requests that were never answered.";
    REFUSED = Counter "requests_refused_total" "Requests answered with an error, by its condition (RFC 6120 8.3.3).";
    LIMITS_HIT = Counter "limits_hit_total" "How often a limit was reached, by its key in the configuration.";

    MAPPING_DROPPED = Counter "mapping_dropped_total" "What the mapping between SDP and Jingle could not carry over.";
    MAPPING_REFUSED = Counter "mapping_refused_total" "Descriptions and changes that could not be mapped at all.";

    TURN_ALLOCATIONS = Gauge "turn_allocations" "TURN allocations that exist.";
    TURN_ALLOCATIONS_MADE = Counter "turn_allocations_made_total" "TURN allocations ever made.";
    TURN_ALLOCATIONS_ENDED = Counter "turn_allocations_ended_total" "TURN allocations that are no more, by the reason.";
    TURN_REQUESTS = Counter "turn_requests_total" "STUN and TURN requests answered with success.";
    TURN_ICMP = Counter "turn_icmp_errors_total" "ICMP errors that clients were told of.";
    TURN_RELAYED_PACKETS = Counter "turn_relayed_packets_total" "Datagrams that were relayed.";
    TURN_RELAYED_BYTES = Counter "turn_relayed_bytes_total" "Bytes that were relayed.";
    TURN_CLIENT_PACKETS = Counter "turn_client_packets_total" "Datagrams from and to clients by transport.";
    TURN_CLIENT_BYTES = Counter "turn_client_bytes_total" "Bytes from and to clients by transport.";
    TURN_DROPPED = Counter "turn_dropped_packets_total" "Datagrams that were not relayed.";
    TURN_AUTH_FAILURES = Counter "turn_authentication_failures_total" "Requests that were not let in.";
    TURN_REFUSED = Counter "turn_requests_refused_total" "Authenticated requests answered with an error, by its code.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_follow_the_conventions() {
        let names: BTreeSet<_> = ALL.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), ALL.len(), "a name stands twice");
        for Family { name, help, kind } in ALL {
            let counts = name.ends_with("_total");
            assert_eq!(counts, *kind == Kind::Counter, "{name}");
            assert!(
                help.ends_with('.') && !help.contains(['\n', '\\']),
                "{name}"
            );
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{name}"
            );
        }
    }
}
