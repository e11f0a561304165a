//! The engine's face: what goes in, what comes out, and which handler a message is for.

use std::{
    collections::{HashSet, VecDeque},
    net::{IpAddr, SocketAddr},
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    Config, Counters, End, Ended, FiveTuple, PortRange, RelayId, Shared,
    allocation::{Side, Sides},
    auth::Authenticator,
    policy::Policy,
    table::Table,
};
use crate::{
    credentials::Secrets,
    stun::{Class, Message, Method},
};

/// A STUN and TURN server.
///
/// Every buffer handed in holds its datagram at [`HEADROOM`], and has [`TAILROOM`] behind it, so that
/// what has to go around the payload finds room where it is. After every call but
/// [`Server::poll_output`] itself, poll until it says [`Output::Timeout`].
#[derive(Debug)]
pub struct Server {
    pub(super) auth: Authenticator,
    pub(super) config: Limits,
    pub(super) policy: Policy,
    pub(super) shared: Arc<Shared>,
    /// Which of the engines this is.
    pub(super) number: usize,
    /// Whether new allocations are refused.
    pub(super) is_draining: bool,
    /// Whether each datagram has to ask how much its person may send.
    pub(super) is_metered: bool,
    pub(super) table: Table,
    pub(super) counters: Counters,
    pub(super) rng: StdRng,
    /// Per family, if there is a relay address of it.
    pub(super) relays: Sides<Option<RelayAddress>>,
    pub(super) outputs: VecDeque<Output>,
    /// The wall clock: these seconds at this instant.
    wall: (Instant, u64),
    own_always: HashSet<IpAddr>,
}

/// What the server must know of the machine it runs on.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// The addresses of the listeners, wildcards as they are.
    pub listening: Vec<SocketAddr>,
    /// All addresses of the machine; those of the configuration need not be repeated.
    pub own: HashSet<IpAddr>,
}

/// What becomes of a datagram. Ranges are of the buffer it was handed in with.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub enum Verdict {
    /// Nothing.
    Drop,
    /// Send this to the client it came from, over the listener it came to.
    Reply(Range<usize>),
    /// Send this to a peer from a relay socket.
    Relay {
        /// The socket.
        socket: RelayId,
        /// The peer.
        to: SocketAddr,
        /// The payload.
        range: Range<usize>,
    },
    /// Send this to a client.
    Deliver {
        /// The client, and the listener to use.
        to: FiveTuple,
        /// The message.
        range: Range<usize>,
    },
    /// Hand this to another engine of the same [`Shared`], with [`Server::handle_forwarded`].
    Forward {
        /// The number of that engine.
        engine: usize,
        /// The relay it is for.
        relay: RelayId,
        /// The relayed address it comes from.
        from: SocketAddr,
        /// The payload.
        range: Range<usize>,
    },
}

impl Verdict {
    /// Whether it is data under way, rather than the answer to a request or nothing.
    #[must_use]
    pub fn is_relayed(&self) -> bool {
        matches!(
            self,
            Self::Relay { .. } | Self::Deliver { .. } | Self::Forward { .. }
        )
    }
}

/// What the engine wants of its surroundings.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub enum Output {
    /// Bind a UDP socket to `address`, and say how it went with [`Server::handle_relay_opened`].
    OpenRelay {
        /// Its name from now on.
        relay: RelayId,
        /// Where; the port is the engine's choice.
        address: SocketAddr,
    },
    /// Close a relay socket.
    CloseRelay {
        /// Which.
        relay: RelayId,
    },
    /// An allocation of another engine is to end: hand this to it, with [`Server::handle_displaced`].
    Displace {
        /// The number of that engine.
        engine: usize,
        /// A name of the allocation.
        relay: RelayId,
    },
    /// An allocation is no more: for the log, and for who counts what a credential used.
    Ended(Box<Ended>),
    /// Nothing more now; call [`Server::handle_timeout`] at that instant.
    Timeout(Option<Instant>),
}

/// Why a relay socket could not be opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OpenError {
    /// Somebody else has the port: another one may do.
    #[error("the port is in use")]
    InUse,
    /// There will be no other either: no file descriptors, no such address.
    #[error("no socket can be opened")]
    Exhausted,
}

/// The numbers of the configuration that requests are measured by.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) permissions: usize,
    pub(super) channels: usize,
    pub(super) ports: PortRange,
}

/// Where the relays of one family are.
#[derive(Debug)]
pub(super) struct RelayAddress {
    /// What clients are told.
    pub(super) told: IpAddr,
    /// What is bound.
    pub(super) bound: IpAddr,
}

impl Server {
    /// A server without allocations. `unix` is the wall clock at `now`, in seconds since 1970;
    /// everything that must not be foreseen is made from `seed`.
    #[must_use]
    pub fn new(
        config: &Config,
        secrets: Secrets,
        site: Site,
        now: Instant,
        unix: u64,
        seed: [u8; 32],
    ) -> Self {
        let mut rng = StdRng::from_seed(seed);
        let shared = Shared::new(config, 1, now, rng.random());
        let seed = rng.random();
        Self::one_of_many(config, secrets, site, now, unix, seed, Arc::new(shared), 0)
    }

    /// The engine number `number` of those that share quotas and ports.
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "each is of another kind")]
    pub fn one_of_many(
        config: &Config,
        secrets: Secrets,
        site: Site,
        now: Instant,
        unix: u64,
        seed: [u8; 32],
        shared: Arc<Shared>,
        number: usize,
    ) -> Self {
        let mut rng = StdRng::from_seed(seed);
        let mut relays = Sides::<Option<RelayAddress>>::new(None, None);
        let mut own_always = HashSet::new();
        for told in config.relay_addresses() {
            let bound = config.bind_address(told);
            own_always.extend([told, bound]);
            *relays.at_mut(Side::of(told)) = Some(RelayAddress { told, bound });
        }
        own_always.extend(site.listening.iter().map(SocketAddr::ip));
        let own = own_always.union(&site.own).copied().collect();
        Self {
            auth: Authenticator::new(config.realm.clone(), secrets, rng.random(), now),
            config: Limits {
                permissions: config.permissions,
                channels: config.channels,
                ports: config.relay_ports.clone(),
            },
            policy: Policy::new(&config.allow_peers, site.listening, own),
            shared,
            number,
            is_draining: false,
            is_metered: config.person_bandwidth != 0,
            table: Table::default(),
            counters: Counters::default(),
            rng,
            relays,
            outputs: VecDeque::new(),
            wall: (now, unix),
            own_always,
        }
    }

    /// A client sent `buffer[HEADROOM..][..length]`.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        five_tuple: FiveTuple,
        buffer: &mut [u8],
        length: usize,
    ) -> Verdict {
        let Some(datagram) = buffer.get(HEADROOM..HEADROOM + length) else {
            return Verdict::Drop;
        };
        // RFC 8656 §12, table 3: the first byte tells them apart.
        match datagram.first() {
            Some(0x00..=0x03) => {}
            Some(0x40..=0x4F) => return self.channel_data(now, &five_tuple, buffer, length),
            _ => return self.malformed(),
        }
        let Ok(message) = Message::decode(datagram) else {
            return self.malformed();
        };
        match (message.class(), message.method()) {
            (Class::Indication, Method::SEND) => {
                let Some((peer, data)) = super::relay::send_indication(&message) else {
                    return self.malformed();
                };
                let data = HEADROOM + data.start..HEADROOM + data.end;
                self.send(now, &five_tuple, peer, buffer, data)
            }
            (
                Class::Request,
                method @ (Method::BINDING
                | Method::ALLOCATE
                | Method::REFRESH
                | Method::CREATE_PERMISSION
                | Method::CHANNEL_BIND),
            ) => {
                let mut space = [0; REPLY];
                let Some(length) = self.request(now, &five_tuple, &message, method, &mut space)
                else {
                    return Verdict::Drop;
                };
                into_buffer(buffer, &space, length).map_or(Verdict::Drop, Verdict::Reply)
            }
            // RFC 8489 §6.3: unknown methods, and classes a method does not have, are discarded;
            // a Binding indication has done its work by arriving.
            (Class::Indication, Method::BINDING) => Verdict::Drop,
            _ => self.malformed(),
        }
    }

    /// A peer sent `buffer[HEADROOM..][..length]` to a relay socket.
    pub fn handle_peer_datagram(
        &mut self,
        now: Instant,
        relay: RelayId,
        from: SocketAddr,
        buffer: &mut [u8],
        length: usize,
    ) -> Verdict {
        self.peer_datagram(now, relay, from, buffer, length)
    }

    /// Another engine said [`Verdict::Forward`] of `buffer[HEADROOM..][..length]`.
    pub fn handle_forwarded(
        &mut self,
        now: Instant,
        relay: RelayId,
        from: SocketAddr,
        buffer: &mut [u8],
        length: usize,
    ) -> Verdict {
        self.forwarded(now, relay, from, buffer, HEADROOM..HEADROOM + length)
    }

    /// The answer to [`Output::OpenRelay`]. `buffer` is only written to.
    pub fn handle_relay_opened(
        &mut self,
        now: Instant,
        relay: RelayId,
        result: Result<(), OpenError>,
        buffer: &mut [u8],
    ) -> Verdict {
        let mut space = [0; REPLY];
        let Some((to, length)) = self.relay_opened(now, relay, result, &mut space) else {
            return Verdict::Drop;
        };
        match into_buffer(buffer, &space, length) {
            Some(range) => Verdict::Deliver { to, range },
            None => Verdict::Drop,
        }
    }

    /// The instant named by [`Output::Timeout`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.expire(now);
    }

    /// The wall clock shows `unix`. Every minute is enough: in between, `now` counts on.
    pub fn handle_wall_clock(&mut self, now: Instant, unix: u64) {
        self.wall = (now, unix);
    }

    /// The machine's addresses are these now.
    pub fn handle_own_addresses(&mut self, own: &HashSet<IpAddr>) {
        self.policy
            .set_own(self.own_always.union(own).copied().collect());
    }

    /// Ends all allocations of a user name, as at hang-up.
    pub fn drop_allocations(&mut self, now: Instant, username: &str) {
        for index in self.table.of_user(username) {
            self.delete(now, index, Some(End::Dropped));
        }
    }

    /// Another engine of the same [`Shared`] said [`Output::Displace`].
    pub fn handle_displaced(&mut self, now: Instant, relay: RelayId) {
        if self.table.of_relay(relay).is_some() {
            self.delete(now, relay.index, Some(End::Displaced));
        }
    }

    /// The server is about to stop: from now on there are no new allocations, while those that exist
    /// are served, and refreshed, as ever.
    pub fn drain(&mut self) {
        self.is_draining = true;
    }

    /// A TCP or TLS client is gone, and its allocation with it: nothing can reach that client again.
    pub fn handle_disconnect(&mut self, now: Instant, five_tuple: &FiveTuple) {
        if let Some(index) = self.table.find(five_tuple) {
            self.delete(now, index, Some(End::Disconnected));
        }
    }

    /// Whether there is an allocation for this client.
    #[must_use]
    pub fn has_allocation(&self, five_tuple: &FiveTuple) -> bool {
        self.table.find(five_tuple).is_some()
    }

    /// What to do next. Poll until [`Output::Timeout`] after each call of another method.
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| {
            let relay = self.table.next_deadline().map(|(at, _)| at);
            let common = self.shared.common();
            let reservation = common.reservation_ends.front().map(|(at, _)| *at);
            Output::Timeout([relay, reservation].into_iter().flatten().min())
        })
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            allocations: self.table.len() as u64,
            ..self.counters
        }
    }

    fn malformed(&mut self) -> Verdict {
        self.counters.dropped.malformed += 1;
        Verdict::Drop
    }

    pub(super) fn unix(&self, now: Instant) -> u64 {
        let (then, unix) = self.wall;
        unix.saturating_add(now.saturating_duration_since(then).as_secs())
    }
}

fn into_buffer(buffer: &mut [u8], space: &[u8; REPLY], length: usize) -> Option<Range<usize>> {
    let range = HEADROOM..HEADROOM + length;
    buffer
        .get_mut(range.clone())?
        .copy_from_slice(space.get(..length)?);
    Some(range)
}

/// Room before a datagram in its buffer: a Data indication with an IPv6 peer fits.
pub const HEADROOM: usize = 48;

/// Room behind a datagram in its buffer: the padding of a DATA attribute.
pub const TAILROOM: usize = 3;

/// No reply is longer, not even with the longest realm.
pub(super) const REPLY: usize = 512;

/// RFC 8656 §7.2 recommends at most an hour.
pub(super) const MAX_LIFETIME: u32 = 3600;

/// RFC 8656 §3.2: "The default lifetime is 10 minutes".
pub(super) const DEFAULT_LIFETIME: u32 = 600;

/// RFC 8656 §7.2: a reservation is held for at least 30 seconds.
pub(super) const RESERVATION: Duration = Duration::from_secs(30);
