//! ICMP errors about what a relay sent (RFC 8656 §11.5).

use std::{net::SocketAddr, time::Instant};

use rand::RngExt;

use super::{HEADROOM, RelayId, Server, Verdict};
use crate::stun::{Attribute, Class, Method, TransactionId, Writer};

/// What an ICMP packet said of a datagram that a relay socket had sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IcmpError {
    /// Whom the datagram was for.
    pub peer: SocketAddr,
    /// ICMP type, of ICMPv6 where the peer has an IPv6 address.
    pub kind: u8,
    /// ICMP code.
    pub code: u8,
    /// The size of packets that the path takes, in bytes, if that is what it was about.
    pub mtu: u32,
}

impl IcmpError {
    /// RFC 8656 §11.5: only destination unreachable and time exceeded are passed on, and with ICMPv6
    /// packet too big.
    fn is_for_clients(self) -> bool {
        match self.peer {
            SocketAddr::V4(_) => matches!(self.kind, 3 | 11),
            SocketAddr::V6(_) => matches!(self.kind, 1..=3),
        }
    }

    /// RFC 8656 §18.13: zero unless the packet was too large.
    fn data(self) -> u32 {
        match (self.peer, self.kind, self.code) {
            (SocketAddr::V4(_), 3, 4) | (SocketAddr::V6(_), 2, _) => self.mtu,
            _ => 0,
        }
    }
}

impl Server {
    /// The kernel reported an ICMP error about what this relay socket had sent. `buffer` is only
    /// written to.
    ///
    /// Told are clients that have a permission for the peer, since others have sent it nothing.
    pub fn handle_icmp(
        &mut self,
        now: Instant,
        relay: RelayId,
        error: IcmpError,
        buffer: &mut [u8],
    ) -> Verdict {
        let peer = error.peer;
        let allocation = self.table.of_relay(relay);
        let allowed = allocation
            .filter(|it| it.relay_to(now, peer.ip()).is_some() && it.permits(now, peer.ip()));
        let Some(to) = allowed.map(|it| it.five_tuple) else {
            return Verdict::Drop;
        };
        if !error.is_for_clients() || !self.policy.admits(peer) {
            return Verdict::Drop;
        }
        let id = TransactionId(self.rng.random());
        let place = buffer.get_mut(HEADROOM..).unwrap_or_default();
        let mut writer = Writer::new(place, Class::Indication, Method::DATA, id);
        writer
            .attribute(&Attribute::XorPeerAddress(peer))
            .attribute(&Attribute::Icmp {
                kind: error.kind,
                code: error.code,
                data: error.data(),
            });
        let Ok(length) = writer.finish() else {
            return Verdict::Drop;
        };
        self.counters.icmp += 1;
        let range = HEADROOM..HEADROOM + length;
        Verdict::Deliver { to, range }
    }
}
