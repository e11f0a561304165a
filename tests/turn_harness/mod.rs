//! A TURN server in virtual time, and clients that speak to it without sockets.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "integration test; no file uses all of it"
)]

pub mod live;

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use campana::{
    credentials::{Credentials, Secret, Secrets, mint},
    stun::{
        Algorithm, Attribute, AttributeType, ChannelData, ChannelNumber, Class, Key, Message,
        Method, TransactionId, Writer,
    },
    turn::{
        Config, Ended, FiveTuple, HEADROOM, IcmpError, OpenError, Output, RelayId, Server, Shared,
        Site, TAILROOM, Transport, Verdict,
    },
};

/// The server and all that surrounds it.
pub struct World {
    pub server: Server,
    pub now: Instant,
    /// The open relay sockets and where they are bound.
    pub relays: HashMap<RelayId, SocketAddr>,
    /// How the next sockets are to fail.
    pub failures: VecDeque<OpenError>,
    /// Every address that was asked for, in order.
    pub asked: Vec<SocketAddr>,
    /// The allocations that are no more.
    pub ended: Vec<Ended>,
    /// What other engines are to end.
    pub displaced: Vec<(usize, RelayId)>,
    deadline: Option<Instant>,
    buffer: Vec<u8>,
    start: Instant,
}

/// What came out of the server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Sent {
    /// To a client.
    ToClient { client: SocketAddr, bytes: Vec<u8> },
    /// From a relay socket to a peer.
    ToPeer {
        relay: SocketAddr,
        peer: SocketAddr,
        bytes: Vec<u8>,
    },
    /// To another engine.
    Forwarded {
        engine: usize,
        relay: RelayId,
        from: SocketAddr,
        bytes: Vec<u8>,
    },
}

impl World {
    /// A server on public addresses, with these lines added to its configuration.
    pub fn new(lines: &str) -> Self {
        let relay = if lines.contains("relay_address") {
            ""
        } else {
            "relay_address = ['203.0.113.7', '2001:db8::7']"
        };
        let config = format!("realm = 'example.org'\n{relay}\n{lines}");
        Self::with_secrets(&config, Secrets::new(Secret::new(SECRET)))
    }

    /// Two engines with quotas and ports in common.
    pub fn two(lines: &str) -> [Self; 2] {
        let relay = "relay_address = ['203.0.113.7', '2001:db8::7']";
        let config = format!("realm = 'example.org'\n{relay}\n{lines}");
        let config: Config = toml::from_str(&config).unwrap();
        let now = Instant::now();
        let shared = Arc::new(Shared::new(&config, 2, now, [8; 32]));
        [0, 1].map(|number| {
            let secrets = Secrets::new(Secret::new(SECRET));
            Self::in_common(&config, secrets, now, Arc::clone(&shared), number)
        })
    }

    pub fn with_secrets(config: &str, secrets: Secrets) -> Self {
        let config: Config = toml::from_str(config).unwrap();
        let now = Instant::now();
        let shared = Arc::new(Shared::new(&config, 1, now, [8; 32]));
        Self::in_common(&config, secrets, now, shared, 0)
    }

    fn in_common(
        config: &Config,
        secrets: Secrets,
        now: Instant,
        shared: Arc<Shared>,
        number: usize,
    ) -> Self {
        assert_eq!(config.problems(), []);
        let site = Site {
            listening: vec![server(), server6()],
            own: ["10.0.0.7".parse().unwrap()].into(),
        };
        let seed = [7; 32];
        let server = Server::one_of_many(config, secrets, site, now, UNIX, seed, shared, number);
        Self {
            server,
            now,
            relays: HashMap::new(),
            failures: VecDeque::new(),
            asked: Vec::new(),
            ended: Vec::new(),
            displaced: Vec::new(),
            deadline: None,
            buffer: vec![0; HEADROOM + 65535 + TAILROOM],
            start: now,
        }
    }

    /// The wall clock.
    pub fn unix(&self) -> u64 {
        UNIX + (self.now - self.start).as_secs()
    }

    /// A client sends a datagram; everything that is sent because of it.
    pub fn datagram(&mut self, client: SocketAddr, bytes: &[u8]) -> Vec<Sent> {
        self.message(client, Transport::Udp, bytes)
    }

    /// A client sends a message, over what it says.
    pub fn message(&mut self, client: SocketAddr, transport: Transport, bytes: &[u8]) -> Vec<Sent> {
        self.buffer[HEADROOM..][..bytes.len()].copy_from_slice(bytes);
        let five_tuple = FiveTuple {
            transport,
            ..five_tuple(client)
        };
        let verdict =
            self.server
                .handle_datagram(self.now, five_tuple, &mut self.buffer, bytes.len());
        self.done(verdict, Some(client))
    }

    /// A peer sends a datagram to a relay.
    pub fn peer_sends(&mut self, relay: SocketAddr, peer: SocketAddr, bytes: &[u8]) -> Vec<Sent> {
        let id = self.relays.iter().find(|(_, address)| **address == relay);
        let Some((id, _)) = id else {
            return Vec::new();
        };
        let id = *id;
        self.buffer[HEADROOM..][..bytes.len()].copy_from_slice(bytes);
        let verdict =
            self.server
                .handle_peer_datagram(self.now, id, peer, &mut self.buffer, bytes.len());
        self.done(verdict, None)
    }

    /// The kernel tells of an ICMP packet about what a relay sent.
    pub fn icmp(&mut self, relay: SocketAddr, error: IcmpError) -> Vec<Sent> {
        let id = self.relays.iter().find(|(_, address)| **address == relay);
        let Some((id, _)) = id else {
            return Vec::new();
        };
        let id = *id;
        let verdict = self
            .server
            .handle_icmp(self.now, id, error, &mut self.buffer);
        self.done(verdict, None)
    }

    /// Another engine hands on what one of its clients sent.
    pub fn forwarded(&mut self, relay: RelayId, from: SocketAddr, bytes: &[u8]) -> Vec<Sent> {
        self.buffer[HEADROOM..][..bytes.len()].copy_from_slice(bytes);
        let buffer = &mut self.buffer;
        let verdict = self
            .server
            .handle_forwarded(self.now, relay, from, buffer, bytes.len());
        self.done(verdict, None)
    }

    /// Lets time pass, from deadline to deadline.
    pub fn advance(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        self.drain();
        while let Some(deadline) = self.deadline.filter(|it| *it <= end) {
            self.now = self.now.max(deadline);
            self.server.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// Lets time pass without telling the server, as when its thread is late.
    pub fn oversleep(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    pub fn drop_allocations(&mut self, username: &str) {
        self.server.drop_allocations(self.now, username);
        self.drain();
    }

    /// Another engine has an allocation ended.
    pub fn displace(&mut self, relay: RelayId) {
        self.server.handle_displaced(self.now, relay);
        self.drain();
    }

    /// The connection of a client breaks.
    pub fn disconnect(&mut self, client: SocketAddr) {
        let five_tuple = five_tuple(client);
        self.server.handle_disconnect(self.now, &five_tuple);
        self.drain();
    }

    fn done(&mut self, verdict: Verdict, origin: Option<SocketAddr>) -> Vec<Sent> {
        let mut sent: Vec<_> = self.sent(verdict, origin).into_iter().collect();
        sent.extend(self.drain());
        sent
    }

    fn drain(&mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        loop {
            match self.server.poll_output() {
                Output::OpenRelay { relay, address } => {
                    self.asked.push(address);
                    let result = match self.failures.pop_front() {
                        Some(error) => Err(error),
                        None => {
                            let taken = self.relays.values().any(|it| *it == address);
                            assert!(!taken, "{address} is in use");
                            assert_eq!(self.relays.insert(relay, address), None);
                            Ok(())
                        }
                    };
                    let buffer = &mut self.buffer;
                    let verdict = self
                        .server
                        .handle_relay_opened(self.now, relay, result, buffer);
                    sent.extend(self.sent(verdict, None));
                }
                Output::CloseRelay { relay } => {
                    assert!(self.relays.remove(&relay).is_some(), "closed twice");
                }
                Output::Displace { engine, relay } => self.displaced.push((engine, relay)),
                Output::Ended(ended) => self.ended.push(*ended),
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return sent;
                }
            }
        }
    }

    fn sent(&self, verdict: Verdict, origin: Option<SocketAddr>) -> Option<Sent> {
        match verdict {
            Verdict::Drop => None,
            Verdict::Forward {
                engine,
                relay,
                from,
                range,
            } => Some(Sent::Forwarded {
                engine,
                relay,
                from,
                bytes: self.buffer[range].to_vec(),
            }),
            Verdict::Reply(range) => Some(Sent::ToClient {
                client: origin.expect("a reply has an origin"),
                bytes: self.buffer[range].to_vec(),
            }),
            Verdict::Deliver { to, range } => Some(Sent::ToClient {
                client: to.client,
                bytes: self.buffer[range].to_vec(),
            }),
            Verdict::Relay { socket, to, range } => Some(Sent::ToPeer {
                relay: self.relays[&socket],
                peer: to,
                bytes: self.buffer[range].to_vec(),
            }),
        }
    }
}

/// One client, at one address.
#[derive(Clone, Debug)]
pub struct Client {
    pub address: SocketAddr,
    pub credentials: Credentials,
    pub realm: String,
    pub nonce: Vec<u8>,
    /// With this PASSWORD-ALGORITHM, or with none and MD5.
    pub algorithm: Option<Algorithm>,
    pub fingerprint: bool,
    next: u32,
}

impl Client {
    /// A client of `person`, with good credentials for a day.
    pub fn new(world: &World, address: &str, person: &str) -> Self {
        let credentials = mint(&Secret::new(SECRET), person, world.unix() + 86_400);
        Self::with(address, credentials)
    }

    pub fn with(address: &str, credentials: Credentials) -> Self {
        Self {
            address: address.parse().unwrap(),
            credentials,
            realm: String::new(),
            nonce: Vec::new(),
            algorithm: None,
            fingerprint: false,
            next: 0,
        }
    }

    /// A client that has an allocation, and the relayed address.
    pub fn allocated(world: &mut World, address: &str, person: &str) -> (Self, SocketAddr) {
        let mut client = Self::new(world, address, person);
        let reply = client.allocate(world, &[]);
        assert_eq!(reply.error(), None);
        let relay = reply.relayed()[0];
        (client, relay)
    }

    /// Allocate over UDP, with these attributes added.
    pub fn allocate(&mut self, world: &mut World, attributes: &[Attribute<'_>]) -> Reply {
        let mut all = vec![Attribute::RequestedTransport(17)];
        all.extend_from_slice(attributes);
        self.request(world, Method::ALLOCATE, &all)
    }

    pub fn refresh(&mut self, world: &mut World, seconds: u32) -> Reply {
        self.request(world, Method::REFRESH, &[Attribute::Lifetime(seconds)])
    }

    pub fn permit(&mut self, world: &mut World, peers: &[&str]) -> Reply {
        let peers = peers.iter().map(|peer| Attribute::XorPeerAddress(at(peer)));
        self.request(world, Method::CREATE_PERMISSION, &peers.collect::<Vec<_>>())
    }

    pub fn bind(&mut self, world: &mut World, channel: u16, peer: &str) -> Reply {
        let attributes = [
            Attribute::ChannelNumber(channel),
            Attribute::XorPeerAddress(at(peer)),
        ];
        self.request(world, Method::CHANNEL_BIND, &attributes)
    }

    /// Sends a request with credentials, and once more when the server wants another nonce.
    pub fn request(
        &mut self,
        world: &mut World,
        method: Method,
        attributes: &[Attribute<'_>],
    ) -> Reply {
        if self.nonce.is_empty() {
            self.challenge(world);
        }
        let reply = self.try_request(world, method, attributes);
        if reply.error() != Some(438) {
            return reply;
        }
        self.learn(&reply);
        self.try_request(world, method, attributes)
    }

    pub fn try_request(
        &mut self,
        world: &mut World,
        method: Method,
        attributes: &[Attribute<'_>],
    ) -> Reply {
        let bytes = self.encode(method, attributes);
        self.exchange(world, &bytes).expect("a reply")
    }

    /// Gets realm and nonce with a request that has no credentials.
    pub fn challenge(&mut self, world: &mut World) -> Reply {
        let bytes = plain(Method::ALLOCATE, &[Attribute::RequestedTransport(17)]);
        let reply = self.exchange(world, &bytes).expect("a challenge");
        assert_eq!(reply.error(), Some(401));
        self.learn(&reply);
        reply
    }

    pub fn learn(&mut self, reply: &Reply) {
        let Some(Attribute::Realm(realm)) = reply.attribute(AttributeType::REALM) else {
            panic!("no realm");
        };
        self.realm = realm.into();
        let Some(Attribute::Nonce(nonce)) = reply.attribute(AttributeType::NONCE) else {
            panic!("no nonce");
        };
        self.nonce = nonce.to_vec();
    }

    /// A request with credentials; each has a transaction id of its own.
    pub fn encode(&mut self, method: Method, attributes: &[Attribute<'_>]) -> Vec<u8> {
        self.next += 1;
        let mut id = [9; 12];
        id[..4].copy_from_slice(&self.next.to_be_bytes());
        let mut buffer = vec![0; 4000];
        let mut writer = Writer::new(&mut buffer, Class::Request, method, TransactionId(id));
        for attribute in attributes {
            writer.attribute(attribute);
        }
        writer
            .attribute(&Attribute::Username(&self.credentials.username))
            .attribute(&Attribute::Realm(&self.realm))
            .attribute(&Attribute::Nonce(&self.nonce));
        if let Some(algorithm) = self.algorithm {
            let number = algorithm.number();
            writer
                .raw(AttributeType::PASSWORD_ALGORITHMS, ALGORITHMS)
                .attribute(&Attribute::PasswordAlgorithm {
                    number,
                    parameters: &[],
                })
                .integrity_sha256(&self.key());
        } else {
            writer.integrity(&self.key());
        }
        if self.fingerprint {
            writer.fingerprint();
        }
        let length = writer.finish().unwrap();
        buffer.truncate(length);
        buffer
    }

    pub fn key(&self) -> Key {
        Key::long_term(
            self.algorithm.unwrap_or(Algorithm::Md5),
            self.credentials.username.as_bytes(),
            self.realm.as_bytes(),
            self.credentials.password.as_bytes(),
        )
    }

    /// Sends bytes; the reply, if there is one. What an authenticated request gets back is signed.
    pub fn exchange(&self, world: &mut World, bytes: &[u8]) -> Option<Reply> {
        let mut sent = world.datagram(self.address, bytes);
        assert!(sent.len() <= 1, "{sent:?}");
        let Sent::ToClient {
            client,
            bytes: reply,
        } = sent.pop()?
        else {
            panic!("not a reply");
        };
        assert_eq!(client, self.address);
        let request = Message::decode(bytes).unwrap();
        let message = Message::decode(&reply).unwrap();
        assert_eq!(message.transaction(), request.transaction());
        assert_eq!(message.method(), request.method());
        assert_eq!(message.has_fingerprint(), request.has_fingerprint());
        if message.has_integrity() {
            assert!(
                message.verify(&self.key()),
                "a reply signed with another key"
            );
        }
        Some(Reply(reply))
    }

    /// A Send indication.
    pub fn send(&self, world: &mut World, peer: &str, data: &[u8]) -> Vec<Sent> {
        let attributes = [Attribute::XorPeerAddress(at(peer)), Attribute::Data(data)];
        world.datagram(self.address, &indication(Method::SEND, &attributes))
    }

    /// ChannelData.
    pub fn send_channel(&self, world: &mut World, channel: u16, data: &[u8]) -> Vec<Sent> {
        world.datagram(self.address, &channel_data(channel, data))
    }
}

/// A reply of the server.
#[derive(Clone, Debug)]
pub struct Reply(pub Vec<u8>);

impl Reply {
    pub fn message(&self) -> Message<'_> {
        Message::decode(&self.0).unwrap()
    }

    pub fn attribute(&self, kind: AttributeType) -> Option<Attribute<'_>> {
        let message = self.message();
        let raw = message.attributes().find(|raw| raw.kind == kind)?;
        Some(Attribute::decode(&raw, &message.transaction()).unwrap())
    }

    /// The error code; none for a success.
    pub fn error(&self) -> Option<u16> {
        match self.attribute(AttributeType::ERROR_CODE) {
            Some(Attribute::ErrorCode { code, .. }) => {
                assert_eq!(self.message().class(), Class::Error);
                Some(code)
            }
            _ => {
                assert_eq!(self.message().class(), Class::Success);
                None
            }
        }
    }

    pub fn lifetime(&self) -> Option<u32> {
        match self.attribute(AttributeType::LIFETIME) {
            Some(Attribute::Lifetime(seconds)) => Some(seconds),
            _ => None,
        }
    }

    pub fn relayed(&self) -> Vec<SocketAddr> {
        let message = self.message();
        let typed = message
            .attributes()
            .map(|raw| Attribute::decode(&raw, &message.transaction()));
        typed
            .filter_map(|it| match it.unwrap() {
                Attribute::XorRelayedAddress(address) => Some(address),
                _ => None,
            })
            .collect()
    }
}

pub fn plain(method: Method, attributes: &[Attribute<'_>]) -> Vec<u8> {
    message(Class::Request, method, attributes)
}

pub fn indication(method: Method, attributes: &[Attribute<'_>]) -> Vec<u8> {
    message(Class::Indication, method, attributes)
}

pub fn message(class: Class, method: Method, attributes: &[Attribute<'_>]) -> Vec<u8> {
    let mut buffer = vec![0; 66_000];
    let mut writer = Writer::new(&mut buffer, class, method, TransactionId([3; 12]));
    for attribute in attributes {
        writer.attribute(attribute);
    }
    let length = writer.finish().unwrap();
    buffer.truncate(length);
    buffer
}

pub fn channel_data(channel: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    [&channel.to_be_bytes()[..], &length.to_be_bytes(), data].concat()
}

/// What a client was sent by a peer: the peer and the data of a Data indication.
pub fn data_indication(sent: &[Sent]) -> (SocketAddr, SocketAddr, Vec<u8>) {
    let [Sent::ToClient { client, bytes }] = sent else {
        panic!("{sent:?}");
    };
    let message = Message::decode(bytes).unwrap();
    assert_eq!(
        (message.class(), message.method()),
        (Class::Indication, Method::DATA)
    );
    let reply = Reply(bytes.clone());
    let Some(Attribute::XorPeerAddress(peer)) = reply.attribute(AttributeType::XOR_PEER_ADDRESS)
    else {
        panic!("no peer");
    };
    let data = message.attribute(AttributeType::DATA).unwrap().to_vec();
    (*client, peer, data)
}

/// What a client was sent on a channel.
pub fn on_channel(sent: &[Sent]) -> (SocketAddr, u16, Vec<u8>) {
    let [Sent::ToClient { client, bytes }] = sent else {
        panic!("{sent:?}");
    };
    let ChannelData { number, data } = ChannelData::decode(bytes).unwrap();
    (*client, ChannelNumber::number(number), data.to_vec())
}

pub fn at(address: &str) -> SocketAddr {
    address.parse().unwrap_or_else(|_| panic!("{address}"))
}

fn five_tuple(client: SocketAddr) -> FiveTuple {
    FiveTuple {
        client,
        server: if client.is_ipv4() {
            server()
        } else {
            server6()
        },
        transport: Transport::Udp,
    }
}

fn server() -> SocketAddr {
    at("203.0.113.7:3478")
}

fn server6() -> SocketAddr {
    at("[2001:db8::7]:3478")
}

pub const SECRET: &str = "north";
pub const UNIX: u64 = 1_800_000_000;
pub const ALGORITHMS: &[u8] = &[0, 2, 0, 0, 0, 1, 0, 0];
