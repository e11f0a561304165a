//! One client with an IPv4 and an IPv6 relay; and ports reserved in pairs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

mod turn_harness;

use campana::{
    stun::{Attribute, AttributeType, Family, Method},
    turn::OpenError,
};
use turn_harness::{Client, Sent, World, at, data_indication};

#[test]
fn one_request_makes_both() {
    let mut world = World::new("");
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    let reply = client.allocate(&mut world, &[BOTH]);
    let [v4, v6] = reply.relayed()[..] else {
        panic!("{reply:?}");
    };
    assert!(v4.is_ipv4() && v6.is_ipv6());
    assert_eq!(world.server.counters().allocations, 1);
    assert_eq!(
        client
            .permit(&mut world, &["198.51.100.9:1", "[2001:db8::9]:1"])
            .error(),
        None
    );
    for (peer, relay) in [("198.51.100.9:1", v4), ("[2001:db8::9]:1", v6)] {
        let sent = client.send(&mut world, peer, b"x");
        assert_eq!(
            sent,
            [Sent::ToPeer {
                relay,
                peer: at(peer),
                bytes: b"x".to_vec()
            }]
        );
        let got = world.peer_sends(relay, at(peer), b"y");
        assert_eq!(
            data_indication(&got),
            (client.address, at(peer), b"y".to_vec())
        );
    }
}

#[test]
fn half_of_it_is_given_with_the_reason_for_the_other_half() {
    let mut world = World::new("relay_address = '203.0.113.7'");
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    let reply = client.allocate(&mut world, &[BOTH]);
    assert_eq!((reply.error(), reply.relayed().len()), (None, 1));
    assert_eq!(failure(&reply), Some((Family::IPV6, 440)));

    let mut world = World::new("");
    world.failures = [OpenError::Exhausted].into();
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    let reply = client.allocate(&mut world, &[BOTH]);
    assert_eq!((reply.error(), reply.relayed().len()), (None, 1));
    assert_eq!(failure(&reply), Some((Family::IPV4, 508)));
    assert!(reply.relayed()[0].is_ipv6());
}

#[test]
fn each_half_lives_and_ends_by_itself() {
    let mut world = World::new("");
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    assert_eq!(client.allocate(&mut world, &[BOTH]).error(), None);
    assert_eq!(
        client
            .permit(&mut world, &["198.51.100.9:1", "[2001:db8::9]:1"])
            .error(),
        None
    );
    let mut refresh = |world: &mut World, family, seconds| {
        let family = Attribute::RequestedAddressFamily(family);
        client.request(
            world,
            Method::REFRESH,
            &[Attribute::Lifetime(seconds), family],
        )
    };
    assert_eq!(refresh(&mut world, Family(9), 600).error(), Some(443));
    assert_eq!(refresh(&mut world, Family::IPV6, 0).lifetime(), Some(0));
    assert_eq!(refresh(&mut world, Family::IPV6, 600).error(), Some(443));
    assert_eq!(refresh(&mut world, Family::IPV4, 600).lifetime(), Some(600));
    assert_eq!(world.relays.len(), 1);
    assert_eq!(client.send(&mut world, "198.51.100.9:1", b"x").len(), 1);
    assert_eq!(client.send(&mut world, "[2001:db8::9]:1", b"x"), []);
    assert_eq!(
        client.permit(&mut world, &["[2001:db8::9]:1"]).error(),
        Some(443)
    );
    assert_eq!(client.refresh(&mut world, 0).error(), None);
    assert_eq!(world.server.counters().allocations, 0);
}

#[test]
fn an_even_port_can_be_had_and_the_next_one_reserved() {
    let mut world = World::new("relay_ports = '50001-50005'\nuser_allocations = 0");
    let mut rtp = Client::new(&world, "198.51.100.1:1000", "juliet");
    let reply = rtp.allocate(&mut world, &[Attribute::EvenPort { reserve: true }]);
    let port = reply.relayed()[0].port();
    assert_eq!(port % 2, 0);
    let Some(token @ Attribute::ReservationToken(_)) =
        reply.attribute(AttributeType::RESERVATION_TOKEN)
    else {
        panic!("no token");
    };
    let mut even = Client::new(&world, "198.51.100.1:1001", "juliet");
    let reply = even.allocate(&mut world, &[Attribute::EvenPort { reserve: false }]);
    assert_eq!(reply.relayed()[0].port() % 2, 0);
    // The reserved port goes to nobody else.
    for port in [2, 3] {
        Client::allocated(&mut world, &format!("198.51.100.1:{port}"), "juliet");
    }
    let mut none = Client::new(&world, "198.51.100.1:4", "juliet");
    assert_eq!(none.allocate(&mut world, &[]).error(), Some(508));
    let mut rtcp = Client::new(&world, "198.51.100.1:1002", "juliet");
    let reply = rtcp.allocate(&mut world, &[token]);
    assert_eq!(reply.relayed()[0].port(), port + 1);
    // A token is good once.
    let mut again = Client::new(&world, "198.51.100.1:1003", "juliet");
    assert_eq!(again.allocate(&mut world, &[token]).error(), Some(508));
}

#[test]
fn a_token_is_for_its_port_or_for_none() {
    let mut world = World::new("");
    let mut rtp = Client::new(&world, "198.51.100.1:1000", "juliet");
    let reply = rtp.allocate(&mut world, &[Attribute::EvenPort { reserve: true }]);
    let token = reply.attribute(AttributeType::RESERVATION_TOKEN).unwrap();
    // Some other program of this machine has it.
    world.failures = [OpenError::InUse].into();
    let mut rtcp = Client::new(&world, "198.51.100.1:1001", "juliet");
    assert_eq!(rtcp.allocate(&mut world, &[token]).error(), Some(508));
    assert_eq!(world.server.counters().allocations, 1);
    assert_eq!(rtcp.allocate(&mut world, &[]).error(), None);
}

#[test]
fn a_reservation_counts_for_the_person_and_ends_after_30_seconds() {
    let mut world = World::new("user_allocations = 2");
    let mut rtp = Client::new(&world, "198.51.100.1:1000", "juliet");
    let reply = rtp.allocate(&mut world, &[Attribute::EvenPort { reserve: true }]);
    let token = reply.attribute(AttributeType::RESERVATION_TOKEN).unwrap();
    let mut other = Client::new(&world, "198.51.100.1:1001", "juliet");
    assert_eq!(other.allocate(&mut world, &[]).error(), Some(486));
    world.advance(30);
    assert_eq!(other.allocate(&mut world, &[token]).error(), Some(508));
    assert_eq!(other.allocate(&mut world, &[]).error(), None);
}

#[test]
fn a_port_that_may_not_be_reserved_is_refused_with_what_goes_before_it() {
    let mut world = World::new("user_allocations = 2");
    Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    let mut rtp = Client::new(&world, "198.51.100.1:1001", "juliet");
    let pair = [Attribute::EvenPort { reserve: true }];
    assert_eq!(rtp.allocate(&mut world, &pair).error(), Some(486));
    let even = rtp.allocate(&mut world, &[Attribute::EvenPort { reserve: false }]);
    assert_eq!(even.error(), None);
    assert_eq!(world.relays.len(), 2);
}

#[test]
fn a_reserved_port_is_not_counted_twice_when_it_is_taken() {
    let mut world = World::new("user_allocations = 2");
    let mut rtp = Client::new(&world, "198.51.100.1:1000", "juliet");
    let reply = rtp.allocate(&mut world, &[Attribute::EvenPort { reserve: true }]);
    let token = reply.attribute(AttributeType::RESERVATION_TOKEN).unwrap();
    let mut rtcp = Client::new(&world, "198.51.100.1:1001", "juliet");
    let odd = rtcp.allocate(&mut world, &[token]);
    assert_eq!(odd.relayed()[0].port(), reply.relayed()[0].port() + 1);
    let mut third = Client::new(&world, "198.51.100.1:1002", "juliet");
    assert_eq!(third.allocate(&mut world, &[]).error(), Some(486));
    for client in [&mut rtp, &mut rtcp] {
        assert_eq!(client.refresh(&mut world, 0).error(), None);
        assert_eq!(client.allocate(&mut world, &[]).error(), None);
    }
    assert_eq!(third.allocate(&mut world, &[]).error(), Some(486));
}

fn failure(reply: &turn_harness::Reply) -> Option<(Family, u16)> {
    match reply.attribute(AttributeType::ADDRESS_ERROR_CODE) {
        Some(Attribute::AddressErrorCode { family, code, .. }) => Some((family, code)),
        _ => None,
    }
}

const BOTH: Attribute<'static> = Attribute::AdditionalAddressFamily(Family::IPV6);
