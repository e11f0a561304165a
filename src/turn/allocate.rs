//! Allocate: checks, ports, and the wait for sockets (RFC 8656 §7.2).

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use rand::RngExt;

use super::{
    End, Ended, FiveTuple, OpenError, Output, RelayId, Server,
    allocation::{Allocation, Parity, Pending, Relay, RelayState, Side},
    auth::Identity,
    policy::is_tunnel,
    quota::Place,
    requests::{Refusal, lifetime, typed},
    server::{DEFAULT_LIFETIME, REPLY, RESERVATION},
    shared::Common,
};
use crate::stun::{Attribute, AttributeType, Family, Message, Writer};

/// What an Allocate request asks for.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    sides: [Option<Side>; 2],
    lifetime: u32,
    parity: Parity,
    token: Option<[u8; 8]>,
}

/// What an Allocate success response says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    relays: [Option<SocketAddr>; 2],
    lifetime: u32,
    client: SocketAddr,
    token: Option<[u8; 8]>,
    failed: Option<(Family, u16)>,
}

impl Made {
    pub(super) fn write(&self, reply: &mut Writer<'_>) {
        for relay in self.relays.into_iter().flatten() {
            reply.attribute(&Attribute::XorRelayedAddress(relay));
        }
        reply
            .attribute(&Attribute::Lifetime(self.lifetime))
            .attribute(&Attribute::XorMappedAddress(self.client));
        if let Some(token) = self.token {
            reply.attribute(&Attribute::ReservationToken(token));
        }
        if let Some((family, code)) = self.failed {
            reply.attribute(&Attribute::AddressErrorCode {
                family,
                code,
                reason: "",
            });
        }
    }
}

/// A port kept for whoever shows the token (RFC 8656 §7.2, EVEN-PORT with the R bit).
#[derive(Clone, Copy, Debug)]
pub(super) struct Reservation {
    side: Side,
    port: u16,
    /// On whose quota it is.
    user: usize,
}

impl Server {
    /// RFC 8656 §7.2. Answers nothing when the reply has to wait for sockets.
    pub(super) fn allocate(
        &mut self,
        now: Instant,
        five_tuple: &FiveTuple,
        message: &Message<'_>,
        identity: &Identity<'_>,
    ) -> Result<Option<Made>, Refusal> {
        if let Some(index) = self.table.find(five_tuple) {
            return self.repeated(now, index, message, identity);
        }
        // RFC 8656 §19 has no word for it; after a 508 clients look elsewhere, or come back in a minute.
        if self.is_draining {
            return Err(Refusal::Capacity);
        }
        if is_tunnel(five_tuple.client.ip()) {
            return Err(Refusal::Forbidden);
        }
        let wanted = self.wanted(message)?;
        // Before the quota: what cannot be given displaces nothing.
        let mut sides = wanted.sides.iter().flatten();
        if sides.all(|side| self.relays.at(*side).is_none()) {
            return Err(Refusal::Family);
        }
        let (user, port) = self.place(now, five_tuple, identity, wanted.token)?;
        let pending = Pending {
            signer: identity.signer,
            fingerprint: message.has_fingerprint(),
            parity: wanted.parity,
        };
        let id = message.transaction();
        let allocation = Allocation::new(now, *five_tuple, id, identity.username, user, pending);
        let index = self.table.insert(allocation);
        if let Some(id) = self.table.relay_id(index, Side::V4) {
            let mut common = self.shared.common();
            common.quotas.hold(now, user, self.number, id);
        }
        let expires = now + Duration::from_secs(wanted.lifetime.into());
        let mut opening = false;
        for side in wanted.sides.into_iter().flatten() {
            opening |= self.open(now, index, side, expires, port).is_ok();
        }
        if opening {
            return Ok(None);
        }
        self.delete(now, index, None);
        Err(Refusal::Capacity)
    }

    /// Makes room for one more allocation. Answers the index of the person, and the port that the
    /// token was for.
    fn place(
        &mut self,
        now: Instant,
        five_tuple: &FiveTuple,
        identity: &Identity<'_>,
        token: Option<[u8; 8]>,
    ) -> Result<(usize, Option<u16>), Refusal> {
        let mut common = self.shared.common();
        let reservation = match token {
            // Another engine may have been faster.
            Some(token) => Some(*common.reservations.get(&token).ok_or(Refusal::Capacity)?),
            None => None,
        };
        let (reserved, port) = reservation.map(|it| (it.user, it.port)).unzip();
        let client = five_tuple.client.ip();
        let place = common
            .quotas
            .take(now, identity.person, client, reserved)
            .ok_or(Refusal::Quota)?;
        if let Some(reservation) = token.and_then(|it| common.reservations.remove(&it)) {
            common.quotas.release(reservation.user);
        }
        drop(common);
        self.make_room(now, &place);
        Ok((place.user, port))
    }

    /// Ends the allocation that a place is in exchange for.
    fn make_room(&mut self, now: Instant, place: &Place) {
        match place.instead_of {
            Some((engine, relay)) if engine == self.number => self.handle_displaced(now, relay),
            Some((engine, relay)) => {
                self.outputs.push_back(Output::Displace { engine, relay });
            }
            None => {}
        }
    }

    /// The socket of a relay is there, or not. Answers what to tell whom once none is awaited.
    pub(super) fn relay_opened(
        &mut self,
        now: Instant,
        id: RelayId,
        result: Result<(), OpenError>,
        space: &mut [u8; REPLY],
    ) -> Option<(FiveTuple, usize)> {
        let allocation = self.table.of_relay(id);
        let relay = allocation.and_then(|it| *it.relays.at(id.side));
        let Some(mut relay) = relay else {
            // Deleted in the meantime.
            if result.is_ok() {
                self.outputs.push_back(Output::CloseRelay { relay: id });
            }
            return None;
        };
        let RelayState::Opening { attempts } = relay.state else {
            return None;
        };
        match result {
            Ok(()) => {
                relay.state = RelayState::Open;
                self.table.set_relay(id, relay);
                self.table.publish(id, relay.address);
                self.shared.publish(relay.address, self.number, id);
            }
            Err(OpenError::InUse) if attempts < ATTEMPTS && self.reopen(now, id, attempts) => {
                return None;
            }
            Err(OpenError::InUse | OpenError::Exhausted) => self.fail(now, id, 508),
        }
        self.settle(now, id.index, space)
    }

    /// Ends an allocation with all it has; without a reason, one that never came to be.
    pub(super) fn delete(&mut self, now: Instant, index: u32, end: Option<End>) {
        for side in Side::BOTH {
            if let Some(id) = self.table.relay_id(index, side) {
                self.take_relay(now, id);
            }
        }
        if let Some(allocation) = self.table.remove(index) {
            let client = allocation.five_tuple.client.ip();
            let mut common = self.shared.common();
            common
                .quotas
                .give(allocation.user, client, self.number, index);
            drop(common);
            if let Some(end) = end.filter(|_| allocation.pending.is_none()) {
                self.counters.ended.count(end);
                self.outputs.push_back(Output::Ended(Box::new(Ended {
                    client: allocation.five_tuple,
                    username: allocation.username,
                    lasted: now.saturating_duration_since(allocation.made),
                    up: allocation.up,
                    down: allocation.down,
                    end,
                })));
            }
        }
    }

    /// Ends one relay, and the allocation with its last one.
    pub(super) fn close(&mut self, now: Instant, id: RelayId, end: End) {
        self.take_relay(now, id);
        let Some(allocation) = self.table.at_mut(id.index) else {
            return;
        };
        allocation.forget_peers(id.side);
        if Side::BOTH
            .iter()
            .all(|side| allocation.relays.at(*side).is_none())
        {
            self.delete(now, id.index, Some(end));
        }
    }

    /// Ends what has expired.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((at, id)) = self.table.next_deadline() {
            if at > now {
                break;
            }
            self.close(now, id, End::Expired);
        }
        let common = &mut *self.shared.common();
        while let Some((_, token)) = common.reservation_ends.pop_front_if(|(at, _)| *at <= now) {
            if let Some(reservation) = common.reservations.remove(&token) {
                common.quotas.release(reservation.user);
                common.give_port(now, reservation.side, reservation.port);
            }
        }
    }

    /// There is an allocation already: a retransmission gets the same answer again (RFC 8489
    /// §6.3.1), anything else 437.
    fn repeated(
        &mut self,
        now: Instant,
        index: u32,
        message: &Message<'_>,
        identity: &Identity<'_>,
    ) -> Result<Option<Made>, Refusal> {
        let allocation = self.table.at(index).ok_or(Refusal::Mismatch)?;
        let same = allocation.transaction == message.transaction()
            && *allocation.username == *identity.username;
        if !same {
            return Err(Refusal::Mismatch);
        }
        if allocation.pending.is_some() {
            return Ok(None);
        }
        let allocation = self.used(now, index).ok_or(Refusal::Mismatch)?;
        Ok(Some(made(allocation, now)))
    }

    /// The checks of §7.2 that need no quota.
    fn wanted(&self, message: &Message<'_>) -> Result<Wanted, Refusal> {
        type T = AttributeType;
        match typed(message, T::REQUESTED_TRANSPORT)? {
            Some(Attribute::RequestedTransport(UDP)) => {}
            Some(_) => return Err(Refusal::Transport),
            None => return Err(Refusal::BadRequest),
        }
        let even = typed(message, T::EVEN_PORT)?;
        let requested = typed(message, T::REQUESTED_ADDRESS_FAMILY)?;
        let additional = typed(message, T::ADDITIONAL_ADDRESS_FAMILY)?;
        let token = match typed(message, T::RESERVATION_TOKEN)? {
            Some(Attribute::ReservationToken(token)) => Some(token),
            _ => None,
        };
        if token.is_some() && (even.is_some() || requested.is_some() || additional.is_some()) {
            return Err(Refusal::BadRequest);
        }
        if requested.is_some() && additional.is_some() {
            return Err(Refusal::BadRequest);
        }
        let parity = match even {
            Some(Attribute::EvenPort { reserve: true }) if additional.is_some() => {
                return Err(Refusal::BadRequest);
            }
            Some(Attribute::EvenPort { reserve: true }) => Parity::Pair,
            Some(_) => Parity::Even,
            None if token.is_some() => Parity::Reserved,
            None => Parity::Any,
        };
        let reserved = token.map(|token| self.shared.common().reservations.get(&token).copied());
        let sides = match (reserved, requested, additional) {
            (Some(None), ..) => return Err(Refusal::Capacity),
            (Some(Some(reservation)), ..) => [Some(reservation.side), None],
            (None, Some(Attribute::RequestedAddressFamily(family)), _) => {
                let side = Side::from_family(family).ok_or(Refusal::Family)?;
                [Some(side), None]
            }
            (None, _, Some(Attribute::AdditionalAddressFamily(Family::IPV6))) => {
                Side::BOTH.map(Some)
            }
            (None, _, Some(_)) => return Err(Refusal::BadRequest),
            (None, ..) => [Some(Side::V4), None],
        };
        let lifetime = match lifetime(message)? {
            0 => DEFAULT_LIFETIME,
            seconds => seconds,
        };
        Ok(Wanted {
            sides,
            lifetime,
            parity,
            token,
        })
    }

    /// Takes a port for one relay, unless it has one, and asks for its socket.
    fn open(
        &mut self,
        now: Instant,
        index: u32,
        side: Side,
        expires: Instant,
        port: Option<u16>,
    ) -> Result<(), ()> {
        let Some(id) = self.table.relay_id(index, side) else {
            return Err(());
        };
        let parity = self.parity_of(index);
        let mut common = self.shared.common();
        let (Some(relays), Some(ports)) = (self.relays.at(side), common.ports.at_mut(side)) else {
            drop(common);
            self.note_failure(index, side, 440);
            return Err(());
        };
        let port = match (port, parity) {
            (Some(port), _) => Some(port),
            (None, Some(Parity::Even)) => ports.take_even(now, &mut self.rng, false),
            (None, Some(Parity::Pair)) => ports.take_even(now, &mut self.rng, true),
            (None, _) => ports.take(now, &mut self.rng),
        };
        drop(common);
        let Some(port) = port else {
            self.note_failure(index, side, 508);
            return Err(());
        };
        let bound = SocketAddr::new(relays.bound, port);
        let relay = Relay {
            address: SocketAddr::new(relays.told, port),
            expires,
            state: RelayState::Opening { attempts: 1 },
        };
        self.table.set_relay(id, relay);
        self.outputs.push_back(Output::OpenRelay {
            relay: id,
            address: bound,
        });
        Ok(())
    }

    /// The port was in use by somebody else: tries another, unless it was reserved (RFC 8656 §7.2
    /// item 5: a token is for its port or for none).
    fn reopen(&mut self, now: Instant, id: RelayId, attempts: u8) -> bool {
        if self.parity_of(id.index) == Some(Parity::Reserved) {
            return false;
        }
        let Some(before) = self.take_relay(now, id) else {
            return false;
        };
        if self
            .open(now, id.index, id.side, before.expires, None)
            .is_err()
        {
            return false;
        }
        let relay = self
            .table
            .at(id.index)
            .and_then(|it| *it.relays.at(id.side));
        if let Some(mut relay) = relay {
            relay.state = RelayState::Opening {
                attempts: attempts + 1,
            };
            self.table.set_relay(id, relay);
        }
        true
    }

    fn fail(&mut self, now: Instant, id: RelayId, code: u16) {
        self.take_relay(now, id);
        self.note_failure(id.index, id.side, code);
    }

    fn note_failure(&mut self, index: u32, side: Side, code: u16) {
        if let Some(allocation) = self.table.at_mut(index) {
            allocation.failed = Some((side.family(), code));
        }
    }

    /// Once no socket is awaited: the allocation stands or falls.
    fn settle(
        &mut self,
        now: Instant,
        index: u32,
        space: &mut [u8; REPLY],
    ) -> Option<(FiveTuple, usize)> {
        let allocation = self.table.at(index)?;
        let relays = Side::BOTH.map(|side| *allocation.relays.at(side));
        let mut states = relays.iter().flatten().map(|it| it.state);
        if states.any(|state| state != RelayState::Open) {
            return None;
        }
        let pending = allocation.pending?;
        let (to, transaction) = (allocation.five_tuple, allocation.transaction);
        let result = if relays.iter().flatten().count() == 0 {
            self.delete(now, index, None);
            Err(Refusal::Capacity)
        } else if pending.parity == Parity::Pair && !self.reserve_pair(now, index) {
            // RFC 8656 §7.2: an R bit that cannot be satisfied is not passed over.
            self.delete(now, index, None);
            Err(Refusal::Quota)
        } else {
            self.counters.allocations_made += 1;
            let allocation = self.table.at_mut(index)?;
            allocation.pending = None;
            Ok(made(allocation, now))
        };
        let (signer, fingerprint) = (pending.signer, pending.fingerprint);
        let length = self.late_answer(transaction, &signer, fingerprint, space, result)?;
        Some((to, length))
    }

    /// Keeps the port above that of the relay for whoever shows the token, if its person may have it.
    fn reserve_pair(&mut self, now: Instant, index: u32) -> bool {
        let Some(allocation) = self.table.at(index) else {
            return false;
        };
        let user = allocation.user;
        let relay = Side::BOTH
            .iter()
            .find_map(|side| *allocation.relays.at(*side));
        let Some(relay) = relay else {
            return false;
        };
        let (side, port) = (Side::of(relay.address.ip()), relay.address.port() + 1);
        let mut common = self.shared.common();
        let Some(place) = common.quotas.reserve(now, user) else {
            common.give_port(now, side, port);
            return false;
        };
        let token: [u8; 8] = self.rng.random();
        let reservation = Reservation { side, port, user };
        common.reservations.insert(token, reservation);
        let end = (now + RESERVATION, token);
        common.reservation_ends.push_back(end);
        drop(common);
        self.make_room(now, &place);
        if let Some(allocation) = self.table.at_mut(index) {
            allocation.token = Some(token);
        }
        true
    }

    /// Which port an allocation wants, while its reply waits for sockets.
    fn parity_of(&self, index: u32) -> Option<Parity> {
        let pending = self.table.at(index)?.pending?;
        Some(pending.parity)
    }

    /// Takes a relay from its allocation, gives its port back, and has its socket closed.
    fn take_relay(&mut self, now: Instant, id: RelayId) -> Option<Relay> {
        let parity = self.parity_of(id.index);
        let relay = self.table.take_relay(id)?;
        if relay.state == RelayState::Open {
            self.shared.withdraw(relay.address);
        }
        let mut common = self.shared.common();
        common.give_port(now, id.side, relay.address.port());
        match relay.state {
            RelayState::Open => self.outputs.push_back(Output::CloseRelay { relay: id }),
            // The odd port of a pair was taken along with the even one.
            RelayState::Opening { .. } if parity == Some(Parity::Pair) => {
                common.give_port(now, id.side, relay.address.port() + 1);
            }
            RelayState::Opening { .. } => {}
        }
        Some(relay)
    }
}

impl Common {
    fn give_port(&mut self, now: Instant, side: Side, port: u16) {
        if let Some(ports) = self.ports.at_mut(side) {
            ports.give(now, port);
        }
    }
}

fn made(allocation: &Allocation, now: Instant) -> Made {
    let relays = Side::BOTH.map(|side| *allocation.relays.at(side));
    let expires = relays.iter().flatten().map(|it| it.expires).max();
    let left = expires.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
    Made {
        relays: relays.map(|relay| relay.map(|it| it.address)),
        lifetime: u32::try_from(left.as_secs()).unwrap_or(u32::MAX),
        client: allocation.five_tuple.client,
        token: allocation.token,
        failed: allocation.failed,
    }
}

/// How many ports are tried before a request is refused.
const ATTEMPTS: u8 = 8;

/// The protocol number that RFC 8656 §18.8 allows.
const UDP: u8 = 17;
