//! What the server counts, for metrics.

/// Plain numbers: one engine runs in one thread, and whoever publishes them takes a copy.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Allocations that exist now.
    pub allocations: u64,
    /// Allocations ever made.
    pub allocations_made: u64,
    /// Requests answered with success, Binding included.
    pub requests: u64,
    /// Authenticated requests answered with an error.
    pub requests_refused: u64,
    /// From clients to peers.
    pub up: Traffic,
    /// From peers to clients.
    pub down: Traffic,
    /// Between two clients of ours, in memory; counted in neither of the above.
    pub short_cut: Traffic,
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

impl Traffic {
    pub(super) fn add(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }
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
