//! What the server counts, for metrics.

use std::ops::AddAssign;

use super::{End, Transport};
use crate::telemetry::{Exposition, metric};

/// Plain numbers: one engine runs in one thread, and whoever publishes them takes a copy.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Allocations that exist now.
    pub allocations: u64,
    /// Allocations ever made.
    pub allocations_made: u64,
    /// Allocations that are no more, by the reason.
    pub ended: Ends,
    /// Requests answered with success, Binding included.
    pub requests: u64,
    /// Authenticated requests answered with an error.
    pub requests_refused: u64,
    /// The same by reason.
    pub refused: Refusals,
    /// From clients to peers.
    pub up: Traffic,
    /// From peers to clients.
    pub down: Traffic,
    /// Between two clients of ours, in memory; counted in neither of the above.
    pub short_cut: Traffic,
    /// What clients sent that was passed on, by the transport it came over.
    pub from_clients: ByTransport,
    /// What was passed on to clients.
    pub to_clients: ByTransport,
    /// ICMP errors that clients were told of.
    pub icmp: u64,
    /// Dropped datagrams.
    pub dropped: Drops,
    /// Requests that were not let in.
    pub auth: AuthFailures,
}

/// Application data.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Traffic {
    /// Datagrams.
    pub packets: u64,
    /// Bytes of payload.
    pub bytes: u64,
}

impl Counters {
    /// Writes all of it.
    pub fn write(&self, out: &mut Exposition) {
        let samples = self.samples();
        for family in metric::ALL {
            let of_family: Vec<_> = samples
                .iter()
                .filter(|sample| family.name.strip_prefix("campana_") == Some(sample.name))
                .map(|sample| (sample.labels, sample.value))
                .collect();
            if !of_family.is_empty() {
                out.samples(family, of_family);
            }
        }
    }

    /// Every number with its name, its labels in the form `key="value"`, and whether it only grows:
    /// what a scrape of metrics shows.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        let mut samples = vec![
            Sample::gauge("turn_allocations", self.allocations),
            Sample::counter("turn_allocations_made_total", "", self.allocations_made),
            Sample::counter("turn_requests_total", "", self.requests),
            Sample::counter("turn_icmp_errors_total", "", self.icmp),
        ];
        for (route, traffic) in [
            ("route=\"up\"", self.up),
            ("route=\"down\"", self.down),
            ("route=\"short_cut\"", self.short_cut),
        ] {
            samples.push(Sample::counter(
                "turn_relayed_packets_total",
                route,
                traffic.packets,
            ));
            samples.push(Sample::counter(
                "turn_relayed_bytes_total",
                route,
                traffic.bytes,
            ));
        }
        let (from, to) = (&self.from_clients, &self.to_clients);
        for (labels, traffic) in [
            ("direction=\"in\",transport=\"udp\"", from.udp),
            ("direction=\"in\",transport=\"tcp\"", from.tcp),
            ("direction=\"in\",transport=\"tls\"", from.tls),
            ("direction=\"out\",transport=\"udp\"", to.udp),
            ("direction=\"out\",transport=\"tcp\"", to.tcp),
            ("direction=\"out\",transport=\"tls\"", to.tls),
        ] {
            samples.push(Sample::counter(
                "turn_client_packets_total",
                labels,
                traffic.packets,
            ));
            samples.push(Sample::counter(
                "turn_client_bytes_total",
                labels,
                traffic.bytes,
            ));
        }
        let Ends {
            deleted,
            disconnected,
            displaced,
            dropped,
            expired,
        } = self.ended;
        let ended = [
            ("reason=\"deleted\"", deleted),
            ("reason=\"disconnected\"", disconnected),
            ("reason=\"displaced\"", displaced),
            ("reason=\"dropped\"", dropped),
            ("reason=\"expired\"", expired),
        ];
        samples.extend(
            ended.map(|(reason, count)| {
                Sample::counter("turn_allocations_ended_total", reason, count)
            }),
        );
        let Drops {
            bandwidth,
            channel,
            congestion,
            denied,
            malformed,
            no_allocation,
            no_permission,
            replies,
            size,
            unsent,
        } = self.dropped;
        let dropped = [
            ("reason=\"bandwidth\"", bandwidth),
            ("reason=\"channel\"", channel),
            ("reason=\"congestion\"", congestion),
            ("reason=\"denied\"", denied),
            ("reason=\"malformed\"", malformed),
            ("reason=\"no_allocation\"", no_allocation),
            ("reason=\"no_permission\"", no_permission),
            ("reason=\"replies\"", replies),
            ("reason=\"size\"", size),
            ("reason=\"unsent\"", unsent),
        ];
        samples.extend(
            dropped.map(|(reason, count)| {
                Sample::counter("turn_dropped_packets_total", reason, count)
            }),
        );
        let AuthFailures {
            challenged,
            bad_request,
            expired,
            stale_nonce,
            unknown_user,
            wrong_password,
        } = self.auth;
        let failures = [
            ("reason=\"challenged\"", challenged),
            ("reason=\"bad_request\"", bad_request),
            ("reason=\"expired\"", expired),
            ("reason=\"stale_nonce\"", stale_nonce),
            ("reason=\"unknown_user\"", unknown_user),
            ("reason=\"wrong_password\"", wrong_password),
        ];
        samples.extend(failures.map(|(reason, count)| {
            Sample::counter("turn_authentication_failures_total", reason, count)
        }));
        let Refusals {
            bad_request,
            forbidden,
            unknown_attribute,
            mismatch,
            family,
            wrong_credentials,
            transport,
            peer_family,
            quota,
            capacity,
        } = self.refused;
        let refused = [
            ("code=\"400\"", bad_request),
            ("code=\"403\"", forbidden),
            ("code=\"420\"", unknown_attribute),
            ("code=\"437\"", mismatch),
            ("code=\"440\"", family),
            ("code=\"441\"", wrong_credentials),
            ("code=\"442\"", transport),
            ("code=\"443\"", peer_family),
            ("code=\"486\"", quota),
            ("code=\"508\"", capacity),
        ];
        samples.extend(
            refused
                .map(|(code, count)| Sample::counter("turn_requests_refused_total", code, count)),
        );
        samples
    }
}

/// One number of [`Counters::samples`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sample {
    /// What is counted.
    pub name: &'static str,
    /// Of which kind; empty when there are no kinds.
    pub labels: &'static str,
    /// How much.
    pub value: u64,
    /// Whether it only grows.
    pub is_counter: bool,
}

impl Sample {
    fn counter(name: &'static str, labels: &'static str, value: u64) -> Self {
        Self {
            name,
            labels,
            value,
            is_counter: true,
        }
    }

    fn gauge(name: &'static str, value: u64) -> Self {
        Self {
            name,
            labels: "",
            value,
            is_counter: false,
        }
    }
}

impl Traffic {
    pub(super) fn add(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }
}

/// Application data by the transport between client and server.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ByTransport {
    /// UDP
    pub udp: Traffic,
    /// TCP
    pub tcp: Traffic,
    /// TLS over TCP
    pub tls: Traffic,
}

impl ByTransport {
    pub(super) fn add(&mut self, transport: Transport, bytes: usize) {
        match transport {
            Transport::Udp => self.udp.add(bytes),
            Transport::Tcp => self.tcp.add(bytes),
            Transport::Tls => self.tls.add(bytes),
        }
    }
}

/// Allocations that are no more, by [`End`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ends {
    /// By their clients.
    pub deleted: u64,
    /// With the connections to their clients.
    pub disconnected: u64,
    /// Silent, for another of the same person.
    pub displaced: u64,
    /// With their calls.
    pub dropped: u64,
    /// Not refreshed.
    pub expired: u64,
}

impl Ends {
    pub(super) fn count(&mut self, end: End) {
        let counter = match end {
            End::Deleted => &mut self.deleted,
            End::Disconnected => &mut self.disconnected,
            End::Displaced => &mut self.displaced,
            End::Dropped => &mut self.dropped,
            End::Expired => &mut self.expired,
        };
        *counter += 1;
    }
}

/// Authenticated requests answered with an error, by its code (RFC 8489 §14.8, RFC 8656 §19).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Refusals {
    /// 400
    pub bad_request: u64,
    /// 403
    pub forbidden: u64,
    /// 420
    pub unknown_attribute: u64,
    /// 437
    pub mismatch: u64,
    /// 440
    pub family: u64,
    /// 441
    pub wrong_credentials: u64,
    /// 442
    pub transport: u64,
    /// 443
    pub peer_family: u64,
    /// 486
    pub quota: u64,
    /// 508
    pub capacity: u64,
}

/// Dropped datagrams by reason.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Drops {
    /// Over the bandwidth of the person.
    pub bandwidth: u64,
    /// ChannelData on a channel that is not bound.
    pub channel: u64,
    /// The TCP client takes them too slowly.
    pub congestion: u64,
    /// The peer's address is denied.
    pub denied: u64,
    /// Neither a message nor ChannelData that makes sense.
    pub malformed: u64,
    /// Data for an allocation that does not exist.
    pub no_allocation: u64,
    /// No permission for the peer.
    pub no_permission: u64,
    /// Replies to unauthenticated sources over their rate.
    pub replies: u64,
    /// Too long for a Data indication, or for the caller's buffer.
    pub size: u64,
    /// The system did not take them: no buffers, no route.
    pub unsent: u64,
}

/// Requests that were not let in, by reason.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AuthFailures {
    /// 401: no credentials yet; the first request of every client.
    pub challenged: u64,
    /// 400: attributes missing, or the algorithms were tampered with.
    pub bad_request: u64,
    /// 401: the time of the user name is over.
    pub expired: u64,
    /// 438: the nonce is too old or not ours.
    pub stale_nonce: u64,
    /// 401: no such user can exist.
    pub unknown_user: u64,
    /// 401: the integrity attribute is wrong.
    pub wrong_password: u64,
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.allocations += other.allocations;
        self.allocations_made += other.allocations_made;
        self.ended += other.ended;
        self.requests += other.requests;
        self.requests_refused += other.requests_refused;
        self.refused += other.refused;
        self.up += other.up;
        self.down += other.down;
        self.short_cut += other.short_cut;
        self.from_clients += other.from_clients;
        self.to_clients += other.to_clients;
        self.icmp += other.icmp;
        self.dropped += other.dropped;
        self.auth += other.auth;
    }
}

impl AddAssign for Ends {
    fn add_assign(&mut self, other: Self) {
        self.deleted += other.deleted;
        self.disconnected += other.disconnected;
        self.displaced += other.displaced;
        self.dropped += other.dropped;
        self.expired += other.expired;
    }
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

impl AddAssign for ByTransport {
    fn add_assign(&mut self, other: Self) {
        self.udp += other.udp;
        self.tcp += other.tcp;
        self.tls += other.tls;
    }
}

impl AddAssign for Refusals {
    fn add_assign(&mut self, other: Self) {
        self.bad_request += other.bad_request;
        self.forbidden += other.forbidden;
        self.unknown_attribute += other.unknown_attribute;
        self.mismatch += other.mismatch;
        self.family += other.family;
        self.wrong_credentials += other.wrong_credentials;
        self.transport += other.transport;
        self.peer_family += other.peer_family;
        self.quota += other.quota;
        self.capacity += other.capacity;
    }
}

impl AddAssign for Drops {
    fn add_assign(&mut self, other: Self) {
        self.bandwidth += other.bandwidth;
        self.channel += other.channel;
        self.congestion += other.congestion;
        self.denied += other.denied;
        self.malformed += other.malformed;
        self.no_allocation += other.no_allocation;
        self.no_permission += other.no_permission;
        self.replies += other.replies;
        self.size += other.size;
        self.unsent += other.unsent;
    }
}

impl AddAssign for AuthFailures {
    fn add_assign(&mut self, other: Self) {
        self.challenged += other.challenged;
        self.bad_request += other.bad_request;
        self.expired += other.expired;
        self.stale_nonce += other.stale_nonce;
        self.unknown_user += other.unknown_user;
        self.wrong_password += other.wrong_password;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_written() {
        let counters = Counters::default();
        let mut out = Exposition::default();
        counters.write(&mut out);
        let text = out.finish();
        let lines = text.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(lines, counters.samples().len(), "{text}");
    }
}
