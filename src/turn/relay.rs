//! The data path: ChannelData and Send one way, datagrams of peers the other way, and the short cut
//! between two relays of ours.

use std::{net::SocketAddr, ops::Range, time::Instant};

use rand::RngExt;

use super::{
    FiveTuple, RelayId, Server, Verdict,
    allocation::{Allocation, Side},
    server::HEADROOM,
};
use crate::stun::{
    Attribute, AttributeType, CHANNEL_HEADER, ChannelData, Message, TransactionId,
    data_indication_header,
};

impl Server {
    /// RFC 8656 §12.6
    pub(super) fn channel_data(
        &mut self,
        now: Instant,
        five_tuple: &FiveTuple,
        buffer: &mut [u8],
        length: usize,
    ) -> Verdict {
        let datagram = buffer.get(HEADROOM..HEADROOM + length);
        let Some(message) = datagram.and_then(ChannelData::decode) else {
            self.counters.dropped.malformed += 1;
            return Verdict::Drop;
        };
        let start = HEADROOM + CHANNEL_HEADER;
        let data = start..start + message.data.len();
        let index = self.table.find(five_tuple);
        let found = index.and_then(|index| Some((index, self.table.at(index)?)));
        let Some((index, allocation)) = found else {
            self.counters.dropped.no_allocation += 1;
            return Verdict::Drop;
        };
        let Some(peer) = allocation.peer_of(now, message.number) else {
            self.counters.dropped.channel += 1;
            return Verdict::Drop;
        };
        self.relay(now, index, peer, buffer, data)
    }

    /// RFC 8656 §11.2
    pub(super) fn send(
        &mut self,
        now: Instant,
        five_tuple: &FiveTuple,
        peer: SocketAddr,
        buffer: &mut [u8],
        data: Range<usize>,
    ) -> Verdict {
        let Some(index) = self.table.find(five_tuple) else {
            self.counters.dropped.no_allocation += 1;
            return Verdict::Drop;
        };
        // No channel is bound to port 0.
        if peer.port() == 0 {
            self.counters.dropped.denied += 1;
            return Verdict::Drop;
        }
        self.relay(now, index, peer, buffer, data)
    }

    /// From a client to a peer: `buffer[data]` is the payload.
    ///
    /// Permission and policy are asked for each datagram: a permission may have expired, and the
    /// machine may have got addresses, since the channel was bound.
    fn relay(
        &mut self,
        now: Instant,
        index: u32,
        peer: SocketAddr,
        buffer: &mut [u8],
        data: Range<usize>,
    ) -> Verdict {
        let side = Side::of(peer.ip());
        let allocation = self.table.at(index);
        let relay = allocation.and_then(|it| Some((it, it.relay_to(now, peer.ip())?)));
        let (Some((allocation, relay)), Some(socket)) = (relay, self.table.relay_id(index, side))
        else {
            self.counters.dropped.no_allocation += 1;
            return Verdict::Drop;
        };
        if !allocation.permits(now, peer.ip()) {
            self.counters.dropped.no_permission += 1;
            return Verdict::Drop;
        }
        let (user, from) = (allocation.user, relay.address);
        let target = match self.is_relay_address(peer) {
            true => self.target_at(peer),
            false => None,
        };
        if target.is_none() && !self.policy.admits(peer) {
            self.counters.dropped.denied += 1;
            return Verdict::Drop;
        }
        if self.is_metered && !self.shared.common().quotas.admits(now, user, data.len()) {
            self.counters.dropped.bandwidth += 1;
            return Verdict::Drop;
        }
        let bytes = data.len();
        match target {
            Some(Target::Here(relay)) => {
                let verdict = self.forwarded(now, relay, from, buffer, data);
                if verdict != Verdict::Drop {
                    self.came(now, index, bytes);
                }
                return verdict;
            }
            Some(Target::There(engine, relay)) => {
                self.came(now, index, bytes);
                return Verdict::Forward {
                    engine,
                    relay,
                    from,
                    range: data,
                };
            }
            None => {}
        }
        self.counters.up.add(bytes);
        self.came(now, index, bytes);
        Verdict::Relay {
            socket,
            to: peer,
            range: data,
        }
    }

    /// From another relay of ours, in memory.
    pub(super) fn forwarded(
        &mut self,
        now: Instant,
        relay: RelayId,
        from: SocketAddr,
        buffer: &mut [u8],
        data: Range<usize>,
    ) -> Verdict {
        let bytes = data.len();
        let verdict = self.deliver(now, relay, from, buffer, data);
        if verdict != Verdict::Drop {
            self.counters.short_cut.add(bytes);
        }
        verdict
    }

    /// The live relay, of this engine or another, that has this address.
    pub(super) fn target_at(&self, address: SocketAddr) -> Option<Target> {
        if let Some(relay) = self.table.relay_at(address) {
            return Some(Target::Here(relay));
        }
        let (engine, relay) = self.shared.relay_at(address)?;
        Some(Target::There(engine, relay))
    }

    /// Counts what a client sent and was passed on.
    fn came(&mut self, now: Instant, index: u32, bytes: usize) {
        if let Some(allocation) = self.used(now, index) {
            allocation.up.add(bytes);
            let transport = allocation.five_tuple.transport;
            self.counters.from_clients.add(transport, bytes);
        }
    }

    /// The allocation, which is in use.
    pub(super) fn used(&mut self, now: Instant, index: u32) -> Option<&mut Allocation> {
        let allocation = self.table.at_mut(index)?;
        if allocation.is_news(now) {
            let mut common = self.shared.common();
            common
                .quotas
                .touch(now, allocation.user, self.number, index);
        }
        Some(allocation)
    }

    /// RFC 8656 §11.3: a datagram came in at a relay socket.
    pub(super) fn peer_datagram(
        &mut self,
        now: Instant,
        relay: RelayId,
        from: SocketAddr,
        buffer: &mut [u8],
        length: usize,
    ) -> Verdict {
        // What may not be sent to may not be heard from: a permission for our own relay address is
        // for relays, not for other programs of this machine.
        if !self.policy.admits(from) && self.target_at(from).is_none() {
            self.counters.dropped.denied += 1;
            return Verdict::Drop;
        }
        let verdict = self.deliver(now, relay, from, buffer, HEADROOM..HEADROOM + length);
        if verdict != Verdict::Drop {
            self.counters.down.add(length);
        }
        verdict
    }

    /// To the client of a relay: as ChannelData if a channel is bound to the sender (RFC 8656
    /// §12.5: "The server […] MUST use the ChannelData message"), else as a Data indication.
    fn deliver(
        &mut self,
        now: Instant,
        relay: RelayId,
        from: SocketAddr,
        buffer: &mut [u8],
        data: Range<usize>,
    ) -> Verdict {
        let Some(allocation) = self.table.of_relay(relay) else {
            self.counters.dropped.no_allocation += 1;
            return Verdict::Drop;
        };
        if allocation.relay_to(now, from.ip()).is_none() {
            self.counters.dropped.no_allocation += 1;
            return Verdict::Drop;
        }
        if !allocation.permits(now, from.ip()) {
            self.counters.dropped.no_permission += 1;
            return Verdict::Drop;
        }
        let to = allocation.five_tuple;
        let channel = allocation.channel_of(now, from);
        let user = allocation.user;
        if self.is_metered && !self.shared.common().quotas.admits(now, user, data.len()) {
            self.counters.dropped.bandwidth += 1;
            return Verdict::Drop;
        }
        let bytes = data.len();
        let range = match channel {
            Some(number) => u16::try_from(data.len()).ok().and_then(|length| {
                let start = data.start.checked_sub(CHANNEL_HEADER)?;
                let place = buffer.get_mut(start..data.start)?;
                place.copy_from_slice(&number.header(length));
                Some(start..data.end)
            }),
            None => {
                let id = TransactionId(self.rng.random());
                data_indication_header(buffer, data.start, data.len(), from, id)
            }
        };
        match range {
            Some(range) => {
                self.counters.to_clients.add(to.transport, bytes);
                if let Some(allocation) = self.used(now, relay.index) {
                    allocation.down.add(bytes);
                }
                Verdict::Deliver { to, range }
            }
            None => {
                self.counters.dropped.size += 1;
                Verdict::Drop
            }
        }
    }
}

/// Where a relay of ours is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Target {
    Here(RelayId),
    /// At the engine of this number.
    There(usize, RelayId),
}

/// The peer and the place of the payload in the message, if it is a proper Send indication.
///
/// RFC 8656 §11.2; RFC 8489 §6.3.2: unknown attributes that have to be understood discard it.
pub(super) fn send_indication(message: &Message<'_>) -> Option<(SocketAddr, Range<usize>)> {
    let mut peer = None;
    let mut data = None;
    for raw in message.attributes() {
        match raw.kind {
            AttributeType::XOR_PEER_ADDRESS if peer.is_none() => {
                let Ok(Attribute::XorPeerAddress(address)) =
                    Attribute::decode(&raw, &message.transaction())
                else {
                    return None;
                };
                peer = Some(address);
            }
            AttributeType::DATA if data.is_none() => {
                let start = raw.value_offset();
                data = Some(start..start + raw.value.len());
            }
            AttributeType::DONT_FRAGMENT => return None,
            kind if kind.is_comprehension_required() && !kind.is_known() => return None,
            _ => {}
        }
    }
    Some((peer?, data?))
}
