//! One allocation: its relays, permissions and channels.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use super::{Traffic, auth::Signer};
use crate::stun::{ChannelNumber, Family, TransactionId};

/// What identifies a client: RFC 8656 §2, "5-tuple".
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct FiveTuple {
    /// Where the client is, as we see it.
    pub client: SocketAddr,
    /// The listener it talks to.
    pub server: SocketAddr,
    /// Over what.
    pub transport: Transport,
}

/// Between client and server.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Transport {
    /// UDP
    Udp,
    /// TCP
    Tcp,
    /// TLS over TCP
    Tls,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        })
    }
}

/// Names a relay socket, once and never again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RelayId {
    pub(super) index: u32,
    pub(super) generation: u32,
    pub(super) side: Side,
}

impl RelayId {
    /// A small number, for tables: no other relay that is open has it.
    #[must_use]
    pub fn slot(self) -> usize {
        let index = usize::try_from(self.index).unwrap_or(usize::MAX / 2);
        match self.side {
            Side::V4 => 2 * index,
            Side::V6 => 2 * index + 1,
        }
    }
}

/// Which of the two relays of a dual allocation.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Side {
    V4,
    V6,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    pub(super) fn of(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    pub(super) fn from_family(family: Family) -> Option<Self> {
        match family {
            Family::IPV4 => Some(Self::V4),
            Family::IPV6 => Some(Self::V6),
            _ => None,
        }
    }

    pub(super) fn family(self) -> Family {
        match self {
            Self::V4 => Family::IPV4,
            Self::V6 => Family::IPV6,
        }
    }
}

/// One value per family.
#[derive(Clone, Debug, Default)]
pub(super) struct Sides<T> {
    v4: T,
    v6: T,
}

impl<T> Sides<T> {
    pub(super) fn new(v4: T, v6: T) -> Self {
        Self { v4, v6 }
    }

    pub(super) fn at(&self, side: Side) -> &T {
        match side {
            Side::V4 => &self.v4,
            Side::V6 => &self.v6,
        }
    }

    pub(super) fn at_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::V4 => &mut self.v4,
            Side::V6 => &mut self.v6,
        }
    }
}

/// What remains of an allocation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ended {
    /// Whose it was.
    pub client: FiveTuple,
    /// The whole user name: the credential that the traffic is on.
    pub username: Box<str>,
    /// How long it was there.
    pub lasted: Duration,
    /// From the client.
    pub up: Traffic,
    /// To the client.
    pub down: Traffic,
    /// Why it is no more.
    pub end: End,
}

/// Why an allocation is no more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// Its client deleted it.
    Deleted,
    /// The connection to its client is gone.
    Disconnected,
    /// It had been silent when its person, who may have no more of them, asked for another.
    Displaced,
    /// Its call is over.
    Dropped,
    /// It was not refreshed.
    Expired,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deleted => "deleted",
            Self::Disconnected => "disconnected",
            Self::Displaced => "displaced",
            Self::Dropped => "dropped",
            Self::Expired => "expired",
        })
    }
}

/// RFC 8656 §6
#[derive(Debug)]
pub(super) struct Allocation {
    pub(super) five_tuple: FiveTuple,
    /// The request that made it, so that its retransmission is known.
    pub(super) transaction: TransactionId,
    pub(super) username: Box<str>,
    /// Index of the person in the quotas.
    pub(super) user: usize,
    pub(super) relays: Sides<Option<Relay>>,
    /// Until the relays are open: what the reply needs.
    pub(super) pending: Option<Pending>,
    /// For the reply and its repetition.
    pub(super) token: Option<[u8; 8]>,
    /// A family that was asked for and not given, with the reason.
    pub(super) failed: Option<(Family, u16)>,
    pub(super) made: Instant,
    /// From the client and to it.
    pub(super) up: Traffic,
    pub(super) down: Traffic,
    /// From then on, use is worth telling.
    tell: Instant,
    permissions: Vec<Permission>,
    channels: Vec<Channel>,
}

/// A relayed transport address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relay {
    /// As clients and peers know it.
    pub(super) address: SocketAddr,
    pub(super) expires: Instant,
    pub(super) state: RelayState,
}

/// Whether its socket is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum RelayState {
    /// Asked for; so many ports were in use already.
    Opening { attempts: u8 },
    /// Data flows.
    Open,
}

/// What the reply to an Allocate request needs once the relays are open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) signer: Signer,
    pub(super) fingerprint: bool,
    pub(super) parity: Parity,
}

/// Which port is wanted: EVEN-PORT and RESERVATION-TOKEN (RFC 8656 §18.7, §18.10).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Parity {
    Any,
    Even,
    /// Even, and the odd one above it is kept for later.
    Pair,
    /// The odd one that was kept.
    Reserved,
}

#[derive(Clone, Copy, Debug)]
struct Permission {
    ip: IpAddr,
    expires: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Channel {
    number: ChannelNumber,
    peer: SocketAddr,
    /// Bound until then, and for [`CHANNEL_REST`] after it kept from any other binding.
    expires: Instant,
}

impl Allocation {
    pub(super) fn new(
        now: Instant,
        five_tuple: FiveTuple,
        transaction: TransactionId,
        username: &str,
        user: usize,
        pending: Pending,
    ) -> Self {
        Self {
            five_tuple,
            transaction,
            username: username.into(),
            user,
            relays: Sides::default(),
            pending: Some(pending),
            token: None,
            failed: None,
            made: now,
            up: Traffic::default(),
            down: Traffic::default(),
            tell: now + TOLD,
            permissions: Vec::new(),
            channels: Vec::new(),
        }
    }

    /// It is in use. Answers whether that is to be told, which is not for each datagram.
    pub(super) fn is_news(&mut self, now: Instant) -> bool {
        let is_news = now >= self.tell;
        if is_news {
            self.tell = now + TOLD;
        }
        is_news
    }

    /// The open, unexpired relay of the family of `peer`.
    pub(super) fn relay_to(&self, now: Instant, peer: IpAddr) -> Option<&Relay> {
        let relay = self.relays.at(Side::of(peer)).as_ref()?;
        (relay.state == RelayState::Open && relay.expires > now).then_some(relay)
    }

    /// RFC 8656 §9: only addresses are compared.
    pub(super) fn permits(&self, now: Instant, peer: IpAddr) -> bool {
        let permission = self.permissions.iter().find(|it| it.ip == peer);
        permission.is_some_and(|it| it.expires > now)
    }

    /// Whether so many permissions fit, those of `ips` that exist already included.
    pub(super) fn has_room_for(&mut self, now: Instant, ips: &[IpAddr], cap: usize) -> bool {
        self.permissions.retain(|it| it.expires > now);
        let mut new: Vec<_> = ips
            .iter()
            .filter(|ip| !self.permissions.iter().any(|it| it.ip == **ip))
            .collect();
        new.sort_unstable();
        new.dedup();
        self.permissions.len() + new.len() <= cap
    }

    /// Installs or refreshes a permission.
    pub(super) fn permit(&mut self, now: Instant, peer: IpAddr) {
        let expires = now + PERMISSION_LIFETIME;
        match self.permissions.iter_mut().find(|it| it.ip == peer) {
            Some(permission) => permission.expires = expires,
            None => self.permissions.push(Permission { ip: peer, expires }),
        }
    }

    /// The peer a channel is bound to.
    pub(super) fn peer_of(&self, now: Instant, number: ChannelNumber) -> Option<SocketAddr> {
        let channel = self.channels.iter().find(|it| it.number == number)?;
        (channel.expires > now).then_some(channel.peer)
    }

    /// The channel bound to a peer.
    pub(super) fn channel_of(&self, now: Instant, peer: SocketAddr) -> Option<ChannelNumber> {
        let channel = self.channels.iter().find(|it| it.peer == peer)?;
        (channel.expires > now).then_some(channel.number)
    }

    /// What binding this channel to this peer would be.
    pub(super) fn binding(
        &mut self,
        now: Instant,
        number: ChannelNumber,
        peer: SocketAddr,
        cap: usize,
    ) -> Binding {
        self.channels.retain(|it| it.expires + CHANNEL_REST > now);
        let mut related = self
            .channels
            .iter()
            .filter(|it| it.number == number || it.peer == peer);
        match related.next() {
            Some(it) if it.number == number && it.peer == peer => Binding::Allowed,
            Some(_) => Binding::Conflict,
            None if self.channels.len() < cap => Binding::Allowed,
            None => Binding::NoRoom,
        }
    }

    /// Binds a channel, after [`Self::binding`] allowed it.
    pub(super) fn bind(&mut self, now: Instant, number: ChannelNumber, peer: SocketAddr) {
        let expires = now + CHANNEL_LIFETIME;
        match self.channels.iter_mut().find(|it| it.number == number) {
            Some(channel) => channel.expires = expires,
            None => self.channels.push(Channel {
                number,
                peer,
                expires,
            }),
        }
    }

    /// RFC 8656 §8.1: deleting one relay of a dual allocation takes its permissions and channels
    /// with it and leaves those of the other family alone.
    pub(super) fn forget_peers(&mut self, side: Side) {
        self.permissions.retain(|it| Side::of(it.ip) != side);
        self.channels.retain(|it| Side::of(it.peer.ip()) != side);
    }
}

/// What a ChannelBind would be (RFC 8656 §12.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Binding {
    Allowed,
    Conflict,
    NoRoom,
}

/// How often use is told.
const TOLD: Duration = Duration::from_secs(1);

/// RFC 8656 §9: "The Permission Lifetime MUST be 300 seconds".
const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);

/// RFC 8656 §12: "A channel binding lasts for 10 minutes unless refreshed."
const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);

/// RFC 8656 §12: the 5 minutes a client must wait before it binds channel or peer anew. A server
/// that keeps them free too is safe from clients that do not.
const CHANNEL_REST: Duration = Duration::from_secs(300);
