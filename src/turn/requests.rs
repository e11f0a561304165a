//! Refresh, CreatePermission and ChannelBind, and the errors of all requests.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{
    End, FiveTuple, Refusals, Server,
    allocation::{Binding, RelayState, Side},
    answer::unknown_attributes,
    auth::Identity,
    policy::is_global,
    server::{DEFAULT_LIFETIME, MAX_LIFETIME},
};
use crate::stun::{Attribute, AttributeType, ChannelNumber, Message, Writer};

/// The errors of RFC 8489 §14.8 and RFC 8656 §19, to a sender who is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    BadRequest,
    Forbidden,
    Unknown,
    Mismatch,
    Family,
    WrongCredentials,
    Transport,
    PeerFamily,
    Quota,
    Capacity,
}

impl Refusal {
    fn code(self) -> (u16, &'static str) {
        match self {
            Self::BadRequest => (400, "Bad Request"),
            Self::Forbidden => (403, "Forbidden"),
            Self::Unknown => (420, "Unknown Attribute"),
            Self::Mismatch => (437, "Allocation Mismatch"),
            Self::Family => (440, "Address Family not Supported"),
            Self::WrongCredentials => (441, "Wrong Credentials"),
            Self::Transport => (442, "Unsupported Transport Protocol"),
            Self::PeerFamily => (443, "Peer Address Family Mismatch"),
            Self::Quota => (486, "Allocation Quota Reached"),
            Self::Capacity => (508, "Insufficient Capacity"),
        }
    }

    pub(super) fn error_code(self) -> Attribute<'static> {
        let (code, reason) = self.code();
        Attribute::ErrorCode { code, reason }
    }

    pub(super) fn count(self, refused: &mut Refusals) {
        let counter = match self {
            Self::BadRequest => &mut refused.bad_request,
            Self::Forbidden => &mut refused.forbidden,
            Self::Unknown => &mut refused.unknown_attribute,
            Self::Mismatch => &mut refused.mismatch,
            Self::Family => &mut refused.family,
            Self::WrongCredentials => &mut refused.wrong_credentials,
            Self::Transport => &mut refused.transport,
            Self::PeerFamily => &mut refused.peer_family,
            Self::Quota => &mut refused.quota,
            Self::Capacity => &mut refused.capacity,
        };
        *counter += 1;
    }

    /// To a stranger without the reason phrase: it would make the reply larger than it need be.
    pub(super) fn write(self, request: &Message<'_>, is_stranger: bool, reply: &mut Writer<'_>) {
        let (code, reason) = self.code();
        let reason = if is_stranger { "" } else { reason };
        reply.attribute(&Attribute::ErrorCode { code, reason });
        if self == Self::Unknown {
            let most = if is_stranger {
                LISTED_TO_STRANGERS
            } else {
                LISTED
            };
            let types = unknown_attributes(request, most);
            let bytes: Vec<u8> = types.iter().flat_map(|it| it.0.to_be_bytes()).collect();
            reply.attribute(&Attribute::UnknownAttributes(&bytes));
        }
    }
}

impl Server {
    /// RFC 8656 §8.2. Answers the lifetime.
    pub(super) fn refresh(
        &mut self,
        now: Instant,
        five_tuple: &FiveTuple,
        message: &Message<'_>,
        identity: &Identity<'_>,
    ) -> Result<u32, Refusal> {
        let index = self.allocation_of(now, five_tuple, identity)?;
        let only = match typed(message, AttributeType::REQUESTED_ADDRESS_FAMILY)? {
            Some(Attribute::RequestedAddressFamily(family)) => {
                Some(Side::from_family(family).ok_or(Refusal::PeerFamily)?)
            }
            _ => None,
        };
        let lifetime = lifetime(message)?;
        let mut found = false;
        for side in Side::BOTH {
            if only.is_some_and(|only| only != side) {
                continue;
            }
            let Some(id) = self.table.relay_id(index, side) else {
                continue;
            };
            let allocation = self.table.at(index);
            let Some(mut relay) = allocation.and_then(|it| *it.relays.at(side)) else {
                continue;
            };
            found = true;
            if lifetime == 0 {
                self.close(now, id, End::Deleted);
            } else {
                relay.expires = now + Duration::from_secs(lifetime.into());
                self.table.set_relay(id, relay);
            }
        }
        if found {
            Ok(lifetime)
        } else {
            Err(Refusal::PeerFamily)
        }
    }

    /// RFC 8656 §10.2. Either all permissions are installed or none.
    pub(super) fn create_permission(
        &mut self,
        now: Instant,
        five_tuple: &FiveTuple,
        message: &Message<'_>,
        identity: &Identity<'_>,
    ) -> Result<(), Refusal> {
        let index = self.allocation_of(now, five_tuple, identity)?;
        let mut peers = Vec::new();
        for raw in message.attributes() {
            if raw.kind == AttributeType::XOR_PEER_ADDRESS {
                let Ok(Attribute::XorPeerAddress(peer)) =
                    Attribute::decode(&raw, &message.transaction())
                else {
                    return Err(Refusal::BadRequest);
                };
                peers.push(peer);
            }
        }
        if peers.is_empty() {
            return Err(Refusal::BadRequest);
        }
        for peer in &peers {
            self.check_family(index, *peer)?;
        }
        if !peers.iter().all(|peer| self.may_be_permitted(*peer)) {
            return Err(Refusal::Forbidden);
        }
        let cap = self.config.permissions;
        let allocation = self.table.at_mut(index).ok_or(Refusal::Mismatch)?;
        let ips: Vec<_> = peers.iter().map(SocketAddr::ip).collect();
        if !allocation.has_room_for(now, &ips, cap) {
            return Err(Refusal::Capacity);
        }
        for ip in ips {
            allocation.permit(now, ip);
        }
        Ok(())
    }

    /// RFC 8656 §12.2
    pub(super) fn channel_bind(
        &mut self,
        now: Instant,
        five_tuple: &FiveTuple,
        message: &Message<'_>,
        identity: &Identity<'_>,
    ) -> Result<(), Refusal> {
        let index = self.allocation_of(now, five_tuple, identity)?;
        let number = typed(message, AttributeType::CHANNEL_NUMBER)?;
        let peer = typed(message, AttributeType::XOR_PEER_ADDRESS)?;
        let (Some(Attribute::ChannelNumber(number)), Some(Attribute::XorPeerAddress(peer))) =
            (number, peer)
        else {
            return Err(Refusal::BadRequest);
        };
        let number = ChannelNumber::new(number).ok_or(Refusal::BadRequest)?;
        self.check_family(index, peer)?;
        // Nothing can be sent to port 0.
        if peer.port() == 0 || !self.may_be_bound(peer) {
            return Err(Refusal::Forbidden);
        }
        let (channels, permissions) = (self.config.channels, self.config.permissions);
        let allocation = self.table.at_mut(index).ok_or(Refusal::Mismatch)?;
        match allocation.binding(now, number, peer, channels) {
            Binding::Allowed => {}
            Binding::Conflict => return Err(Refusal::BadRequest),
            Binding::NoRoom => return Err(Refusal::Capacity),
        }
        if !allocation.has_room_for(now, &[peer.ip()], permissions) {
            return Err(Refusal::Capacity);
        }
        allocation.bind(now, number, peer);
        allocation.permit(now, peer.ip());
        Ok(())
    }

    /// RFC 8656 §5: 437 without an allocation, 441 for another user name than the one it was made
    /// with.
    fn allocation_of(
        &mut self,
        now: Instant,
        five_tuple: &FiveTuple,
        identity: &Identity<'_>,
    ) -> Result<u32, Refusal> {
        let index = self.table.find(five_tuple).ok_or(Refusal::Mismatch)?;
        let allocation = self.table.at(index).ok_or(Refusal::Mismatch)?;
        if *allocation.username != *identity.username {
            return Err(Refusal::WrongCredentials);
        }
        if allocation.pending.is_some() {
            return Err(Refusal::Mismatch);
        }
        self.used(now, index);
        Ok(index)
    }

    fn check_family(&self, index: u32, peer: SocketAddr) -> Result<(), Refusal> {
        let allocation = self.table.at(index).ok_or(Refusal::Mismatch)?;
        let relay = allocation.relays.at(Side::of(peer.ip()));
        match relay.as_ref().map(|it| it.state) {
            Some(RelayState::Open) => Ok(()),
            Some(RelayState::Opening { .. }) | None => Err(Refusal::PeerFamily),
        }
    }

    /// Whether a permission for this address may be installed.
    ///
    /// Our own relay address may be permitted although it is an address of this machine: the data
    /// then only ever goes from relay to relay in memory. Where that address is a denied one (a test
    /// on loopback, a LAN) the port has to name a relay that exists, so that a permission for, say,
    /// 127.0.0.1 is not to be had for nothing.
    ///
    /// RFC 8656 §10.2 has the port ignored, and so it is for what a permission allows. But who names
    /// one of our listeners, or a service beside us, is told at once that it will not be reached.
    fn may_be_permitted(&self, peer: SocketAddr) -> bool {
        let is_nameless = peer.port() == 0 && self.is_relay_address(peer) && is_global(peer.ip());
        is_nameless || self.may_be_bound(peer)
    }

    /// Whether a channel may be bound to this address and port.
    fn may_be_bound(&self, peer: SocketAddr) -> bool {
        self.policy.admits(peer)
            || (self.is_relay_address(peer)
                && is_global(peer.ip())
                && self.config.ports.contains(peer.port())
                && !self.policy.is_listener(peer))
            || self.target_at(peer).is_some()
    }

    pub(super) fn is_relay_address(&self, peer: SocketAddr) -> bool {
        let relays = self.relays.at(Side::of(peer.ip()));
        relays.as_ref().is_some_and(|it| it.told == peer.ip())
    }
}

/// The first attribute of a type; a malformed one is a bad request.
pub(super) fn typed<'a>(
    message: &Message<'a>,
    kind: AttributeType,
) -> Result<Option<Attribute<'a>>, Refusal> {
    message
        .attributes()
        .find(|raw| raw.kind == kind)
        .map(|raw| Attribute::decode(&raw, &message.transaction()))
        .transpose()
        .map_err(|_| Refusal::BadRequest)
}

/// RFC 8656 §8.2: what was asked for, between the default and the maximum, or 0.
pub(super) fn lifetime(message: &Message<'_>) -> Result<u32, Refusal> {
    Ok(match typed(message, AttributeType::LIFETIME)? {
        Some(Attribute::Lifetime(0)) => 0,
        Some(Attribute::Lifetime(seconds)) => seconds.clamp(DEFAULT_LIFETIME, MAX_LIFETIME),
        _ => DEFAULT_LIFETIME,
    })
}

/// How many unknown attributes a reply names.
const LISTED: usize = 128;

/// A stranger's request full of them must not get a reply of its own size.
const LISTED_TO_STRANGERS: usize = 8;
