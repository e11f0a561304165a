//! A client by other hands, `turn-client-proto`, against the running service: over UDP and TCP, with
//! both password algorithms, IPv4 and IPv6, in Send and channel mode, and with peers that do not
//! exist.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "integration test"
)]

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use campana::{
    credentials::{Secret, Secrets, mint},
    io::turn::{Service, start},
    turn::Config,
};
use turn_client_proto::{
    api::{DelayedMessageOrChannelSend, TransmitBuild, TurnConfig, TurnEvent, TurnRecvRet},
    prelude::*,
    stun::{agent::Transmit, types::message::IntegrityAlgorithm},
    tcp::TurnClientTcp,
    types::{AddressFamily, Instant as Since, TransportType, TurnCredentials},
    udp::TurnClientUdp,
};

#[test]
fn over_udp_data_goes_both_ways() {
    for algorithm in [IntegrityAlgorithm::Sha1, IntegrityAlgorithm::Sha256] {
        let service = service("udp:127.0.0.1:0");
        let mut client = Client::udp(&service, config(algorithm, &[AddressFamily::IPV4]));
        client.works(&[peer("127.0.0.1:0")]);
        client.ends(service);
    }
}

#[test]
fn over_tcp_data_goes_both_ways() {
    for algorithm in [IntegrityAlgorithm::Sha1, IntegrityAlgorithm::Sha256] {
        let service = service("tcp:127.0.0.1:0");
        let mut client = Client::tcp(&service, config(algorithm, &[AddressFamily::IPV4]));
        client.works(&[peer("127.0.0.1:0")]);
        client.ends(service);
    }
}

#[test]
fn a_dual_allocation_reaches_peers_of_both_families() {
    let service = service("udp:[::1]:0");
    let families = [AddressFamily::IPV4, AddressFamily::IPV6];
    let mut client = Client::udp(&service, config(IntegrityAlgorithm::Sha256, &families));
    client.until(|seen| seen.relayed.len() == families.len());
    // With indications: this client would give both the same channel number.
    for peer in [peer("127.0.0.1:0"), peer("[::1]:0")] {
        client.permit(peer.local_addr().unwrap());
        client.exchange(&peer, b"in an indication");
    }
    client.ends(service);
}

#[test]
fn it_understands_what_icmp_said() {
    let service = service("udp:127.0.0.1:0");
    let mut client = Client::udp(
        &service,
        config(IntegrityAlgorithm::Sha1, &[AddressFamily::IPV4]),
    );
    client.until(|seen| seen.relayed.len() == 1);
    let closed = peer("127.0.0.1:0").local_addr().unwrap();
    client.permit(closed);
    client.send(closed, b"anybody there?");
    client.until(|seen| !seen.icmp.is_empty());
    assert_eq!(client.seen.icmp, [(closed, 3, 3, 0)]);
    client.ends(service);
}

/// The client, and the socket it talks through.
struct Client<C> {
    turn: C,
    wire: Wire,
    local: SocketAddr,
    server: SocketAddr,
    start: Instant,
    seen: Seen,
}

enum Wire {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

#[derive(Debug, Default)]
struct Seen {
    relayed: Vec<SocketAddr>,
    permissions: usize,
    channels: usize,
    data: Vec<(SocketAddr, Vec<u8>)>,
    icmp: Vec<(SocketAddr, u8, u8, u32)>,
}

impl Client<TurnClientUdp> {
    fn udp(service: &Service, config: TurnConfig) -> Self {
        let server = service.listening()[0].address;
        let socket = UdpSocket::bind((server.ip(), 0)).unwrap();
        socket.connect(server).unwrap();
        socket.set_read_timeout(Some(TICK)).unwrap();
        let local = socket.local_addr().unwrap();
        Self {
            turn: TurnClientUdp::allocate(local, server, config),
            wire: Wire::Udp(socket),
            local,
            server,
            start: Instant::now(),
            seen: Seen::default(),
        }
    }
}

impl Client<TurnClientTcp> {
    fn tcp(service: &Service, config: TurnConfig) -> Self {
        let server = service.listening()[0].address;
        let stream = TcpStream::connect(server).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(TICK)).unwrap();
        let local = stream.local_addr().unwrap();
        Self {
            turn: TurnClientTcp::allocate(local, server, config),
            wire: Wire::Tcp(stream),
            local,
            server,
            start: Instant::now(),
            seen: Seen::default(),
        }
    }
}

impl<C: TurnClientApi> Client<C> {
    /// Allocates, and exchanges data with each peer, first with indications and then on a channel.
    fn works(&mut self, peers: &[UdpSocket]) {
        self.until(|seen| seen.relayed.len() == peers.len());
        for (number, peer) in (1..).zip(peers) {
            let address = peer.local_addr().unwrap();
            self.permit(address);
            self.exchange(peer, b"in an indication");
            let now = self.now();
            self.turn
                .bind_channel(TransportType::Udp, address, now)
                .unwrap();
            self.until(|seen| seen.channels == number);
            // Of a length that this client need not pad over TCP, which it does not do.
            self.exchange(peer, b"abcd");
            self.exchange(peer, &[7; 1200]);
        }
    }

    fn permit(&mut self, peer: SocketAddr) {
        let (before, now) = (self.seen.permissions, self.now());
        self.turn
            .create_permission(TransportType::Udp, peer.ip(), now)
            .unwrap();
        self.until(|seen| seen.permissions > before);
    }

    /// To the peer and back, from and to the relayed address.
    fn exchange(&mut self, peer: &UdpSocket, data: &[u8]) {
        let address = peer.local_addr().unwrap();
        self.send(address, data);
        let mut buffer = [0; 2000];
        let (length, from) = peer.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], data);
        assert!(self.seen.relayed.contains(&from), "{from}");
        self.seen.data.clear();
        peer.send_to(data, from).unwrap();
        self.until(|seen| !seen.data.is_empty());
        assert_eq!(self.seen.data, [(address, data.to_vec())]);
    }

    fn send(&mut self, peer: SocketAddr, data: &[u8]) {
        let now = self.now();
        let built: Option<TransmitBuild<DelayedMessageOrChannelSend<Vec<u8>>>> = self
            .turn
            .send_to(TransportType::Udp, peer, data.to_vec(), now)
            .unwrap();
        self.write(&built.unwrap().build().data);
    }

    /// Deletes the allocation, which is then no more at the server.
    fn ends(mut self, service: Service) {
        let now = self.now();
        self.turn.delete(now).unwrap();
        let deadline = Instant::now() + PATIENCE;
        // Counters are published every second.
        while service.counters().allocations_made == 0 || service.counters().allocations > 0 {
            assert!(Instant::now() < deadline, "{:?}", service.counters());
            self.step();
        }
    }

    fn until(&mut self, done: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(&self.seen) {
            assert!(Instant::now() < deadline, "{:?}", self.seen);
            self.step();
        }
    }

    fn step(&mut self) {
        let now = self.now();
        let _ = self.turn.poll(now);
        while let Some(transmit) = self.turn.poll_transmit(now) {
            self.write(&transmit.data);
        }
        while let Some(event) = self.turn.poll_event() {
            match event {
                TurnEvent::AllocationCreated(_, address) => self.seen.relayed.push(address),
                TurnEvent::PermissionCreated(..) => self.seen.permissions += 1,
                TurnEvent::ChannelCreated(..) => self.seen.channels += 1,
                failed => panic!("{failed:?}"),
            }
        }
        let Some(bytes) = self.read() else {
            return;
        };
        let (transport, from, to) = (self.turn.transport(), self.server, self.local);
        let transmit = Transmit::new(bytes, transport, from, to);
        match self.turn.recv(transmit, now) {
            TurnRecvRet::Handled => {}
            TurnRecvRet::PeerData(data) => {
                self.seen.data.push((data.peer, data.data().to_vec()));
            }
            TurnRecvRet::PeerIcmp {
                peer,
                icmp_type,
                icmp_code,
                icmp_data,
                ..
            } => self.seen.icmp.push((peer, icmp_type, icmp_code, icmp_data)),
            TurnRecvRet::Ignored(transmit) => panic!("not understood: {:?}", transmit.data),
        }
        while let Some(data) = self.turn.poll_recv(now) {
            self.seen.data.push((data.peer, data.data().to_vec()));
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        match &mut self.wire {
            Wire::Udp(socket) => assert_eq!(socket.send(bytes).unwrap(), bytes.len()),
            Wire::Tcp(stream) => stream.write_all(bytes).unwrap(),
        }
    }

    /// What came within a tick.
    fn read(&mut self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 4000];
        let read = match &mut self.wire {
            Wire::Udp(socket) => socket.recv(&mut buffer),
            Wire::Tcp(stream) => stream.read(&mut buffer),
        };
        match read {
            Ok(0) => panic!("the server closed the connection"),
            Ok(length) => {
                buffer.truncate(length);
                Some(buffer)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn now(&self) -> Since {
        Since::from_std(self.start)
    }
}

fn config(algorithm: IntegrityAlgorithm, families: &[AddressFamily]) -> TurnConfig {
    let credentials = mint(&Secret::new("north"), "juliet", u64::from(u32::MAX));
    let mut config = TurnConfig::new(TurnCredentials::new(
        &credentials.username,
        &credentials.password,
    ));
    config.set_supported_integrity(algorithm);
    config.set_address_family(families[0]);
    for family in &families[1..] {
        config.add_address_family(*family);
    }
    config
}

fn service(listen: &str) -> Service {
    let lines = format!(
        "listen = ['{listen}']
         relay_address = ['127.0.0.1', '::1']
         realm = 'example.org'
         allow_peers = ['127.0.0.0/8', '::1/128']"
    );
    let config: Config = toml::from_str(&lines).unwrap();
    start(&config, Secrets::new(Secret::new("north")), &[]).unwrap()
}

fn peer(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

const TICK: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(20);
