//! Peers that cannot be reached: clients are told what ICMP says of them (RFC 8656 §11.5).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "integration test"
)]

mod turn_harness;

use std::{net::UdpSocket, time::Duration};

use campana::{
    credentials::{Secret, Secrets, mint},
    io::turn::start,
    stun::{Attribute, AttributeType, Class, Message, Method},
    turn::{Config, IcmpError},
};
use turn_harness::{Client, Sent, World, at, live::Live};

const PEER: &str = "198.51.100.9:9";
const PEER6: &str = "[2001:db8:9::9]:9";

#[test]
fn a_client_is_told_that_its_peer_is_unreachable() {
    let (mut world, client, relay) = permitted(PEER, &[]);
    let sent = world.icmp(relay, error(PEER, 3, 3, 0));
    assert_eq!(told(&sent, &client), (at(PEER), 3, 3, 0));
    let sent = world.icmp(relay, error(PEER, 11, 0, 0));
    assert_eq!(told(&sent, &client), (at(PEER), 11, 0, 0));
    assert_eq!(world.server.counters().icmp, 2);
}

#[test]
fn only_what_is_too_big_comes_with_the_size_that_is_not() {
    let (mut world, client, relay) = permitted(PEER, &[]);
    let sent = world.icmp(relay, error(PEER, 3, 4, 1280));
    assert_eq!(told(&sent, &client), (at(PEER), 3, 4, 1280));
    let sent = world.icmp(relay, error(PEER, 3, 1, 1280));
    assert_eq!(told(&sent, &client), (at(PEER), 3, 1, 0));
}

#[test]
fn over_ipv6_too() {
    let family = Attribute::RequestedAddressFamily(campana::stun::Family::IPV6);
    let (mut world, client, relay) = permitted(PEER6, &[family]);
    for kind in [1, 3] {
        let sent = world.icmp(relay, error(PEER6, kind, 4, 1280));
        assert_eq!(told(&sent, &client), (at(PEER6), kind, 4, 0));
    }
    let sent = world.icmp(relay, error(PEER6, 2, 0, 1280));
    assert_eq!(told(&sent, &client), (at(PEER6), 2, 0, 1280));
    assert_eq!(world.icmp(relay, error(PEER6, 4, 0, 0)), []);
}

#[test]
fn other_types_are_silent() {
    let (mut world, _, relay) = permitted(PEER, &[]);
    for kind in [0, 1, 2, 4, 5, 8, 12] {
        assert_eq!(world.icmp(relay, error(PEER, kind, 0, 0)), []);
    }
}

#[test]
fn without_a_permission_it_is_silent() {
    let (mut world, mut client, relay) = permitted(PEER, &[]);
    assert_eq!(world.icmp(relay, error("198.51.100.8:9", 3, 3, 0)), []);
    world.advance(301);
    assert_eq!(world.icmp(relay, error(PEER, 3, 3, 0)), []);
    client.permit(&mut world, &[PEER]);
    assert_eq!(world.icmp(relay, error(PEER, 3, 3, 0)).len(), 1);
    client.refresh(&mut world, 0);
    assert_eq!(world.icmp(relay, error(PEER, 3, 3, 0)), []);
}

/// With real sockets: nobody listens where the data goes, and what comes after that arrives all the
/// same.
#[test]
fn the_kernel_tells_of_closed_ports() {
    let lines = "listen = ['udp:127.0.0.1:0']
                 realm = 'example.org'
                 allow_peers = ['127.0.0.0/8']
                 workers = 1";
    let config: Config = toml::from_str(lines).unwrap();
    let service = start(&config, Secrets::new(Secret::new("north")), &[]).unwrap();
    let credentials = mint(&Secret::new("north"), "juliet", u64::from(u32::MAX));
    let live = Live::new(service.listening()[0].address);
    let mut client = live.allocate(credentials, &[]);
    let closed = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let open = UdpSocket::bind("127.0.0.1:0").unwrap();
    open.set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let peer = [Attribute::XorPeerAddress(closed)];
    let reply = live.exchange(&client.encode(Method::CREATE_PERMISSION, &peer));
    assert_eq!(reply.error(), None);

    for number in 0..20 {
        let send = |peer| {
            let attributes = [Attribute::XorPeerAddress(peer), Attribute::Data(&[number])];
            let bytes = turn_harness::indication(Method::SEND, &attributes);
            live.socket.send(&bytes).unwrap();
        };
        send(closed);
        let told = live.receive();
        let icmp = told.attribute(AttributeType::ICMP);
        let (kind, code, data) = (3, 3, 0);
        assert_eq!(icmp, Some(Attribute::Icmp { kind, code, data }));
        let peer = told.attribute(AttributeType::XOR_PEER_ADDRESS);
        assert_eq!(peer, Some(Attribute::XorPeerAddress(closed)));
        send(open.local_addr().unwrap());
        let mut buffer = [0; 10];
        assert_eq!(open.recv(&mut buffer).unwrap(), 1);
        assert_eq!(buffer[0], number);
    }
}

fn permitted(peer: &str, wanted: &[Attribute<'_>]) -> (World, Client, std::net::SocketAddr) {
    let mut world = World::new("");
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    let relay = client.allocate(&mut world, wanted).relayed()[0];
    assert_eq!(client.permit(&mut world, &[peer]).error(), None);
    (world, client, relay)
}

fn error(peer: &str, kind: u8, code: u8, mtu: u32) -> IcmpError {
    IcmpError {
        peer: at(peer),
        kind,
        code,
        mtu,
    }
}

/// The one Data indication, which holds nothing but peer and ICMP.
fn told(sent: &[Sent], to: &Client) -> (std::net::SocketAddr, u8, u8, u32) {
    let [Sent::ToClient { client, bytes }] = sent else {
        panic!("{sent:?}");
    };
    assert_eq!(*client, to.address);
    let message = Message::decode(bytes).unwrap();
    assert_eq!(
        (message.class(), message.method()),
        (Class::Indication, Method::DATA)
    );
    let id = message.transaction();
    let attributes: Vec<_> = message
        .attributes()
        .map(|raw| Attribute::decode(&raw, &id).unwrap())
        .collect();
    let [
        Attribute::XorPeerAddress(peer),
        Attribute::Icmp { kind, code, data },
    ] = attributes[..]
    else {
        panic!("{attributes:?}");
    };
    (peer, kind, code, data)
}
