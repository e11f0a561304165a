//! Engines of two threads: one set of quotas and ports, and data from clients of one to those of the
//! other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

mod turn_harness;

use std::collections::BTreeSet;

use campana::{
    stun::{Attribute, AttributeType},
    turn::{End, RelayId, Server, Traffic},
};
use turn_harness::{Client, Sent, World, at, on_channel};

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Server>();
};

#[test]
fn quotas_are_those_of_the_person_not_of_the_thread() {
    let [mut one, mut two] = World::two("user_allocations = 2");
    let (_, _) = Client::allocated(&mut one, "198.51.100.1:1", "juliet");
    let (mut second, _) = Client::allocated(&mut two, "198.51.100.1:2", "juliet");
    let mut third = Client::new(&one, "198.51.100.1:3", "juliet");
    assert_eq!(third.allocate(&mut one, &[]).error(), Some(486));
    assert_eq!(second.refresh(&mut two, 0).error(), None);
    assert_eq!(third.allocate(&mut one, &[]).error(), None);
}

#[test]
fn a_silent_allocation_of_the_other_makes_room() {
    let [mut one, mut two] = World::two("user_allocations = 2");
    let (mut used, _) = Client::allocated(&mut two, "198.51.100.1:1", "juliet");
    let (mut silent, _) = Client::allocated(&mut two, "198.51.100.1:2", "juliet");
    for world in [&mut one, &mut two] {
        world.advance(300);
    }
    assert_eq!(used.permit(&mut two, &["198.51.100.9:1"]).error(), None);
    let mut third = Client::new(&one, "198.51.100.1:3", "juliet");
    assert_eq!(third.allocate(&mut one, &[]).error(), None);
    // Until the other engine has heard of it, the silent one is there, and is not displaced twice.
    let mut fourth = Client::new(&one, "198.51.100.1:4", "juliet");
    assert_eq!(fourth.allocate(&mut one, &[]).error(), Some(486));
    let [(1, relay)] = one.displaced[..] else {
        panic!("{:?}", one.displaced);
    };
    assert_eq!(two.server.counters().allocations, 2);
    two.displace(relay);
    assert_eq!((two.ended.len(), two.ended[0].end), (1, End::Displaced));
    assert_eq!(silent.refresh(&mut two, 600).error(), Some(437));
    // What has its place by now is another.
    let (mut romeo, _) = Client::allocated(&mut two, "198.51.100.2:1", "romeo");
    two.displace(relay);
    assert_eq!(romeo.refresh(&mut two, 600).error(), None);
    // It counts no more, but no less either.
    assert_eq!(fourth.allocate(&mut one, &[]).error(), Some(486));
    assert_eq!(used.refresh(&mut two, 0).error(), None);
    assert_eq!(fourth.allocate(&mut one, &[]).error(), None);
}

#[test]
fn no_port_is_given_twice() {
    let [mut one, mut two] = World::two("relay_ports = '50000-50009'\nuser_allocations = 0");
    let mut ports = BTreeSet::new();
    for number in 0..10 {
        let world = if number % 2 == 0 { &mut one } else { &mut two };
        let client = format!("198.51.100.1:{}", 1000 + number);
        let (_, relay) = Client::allocated(world, &client, "juliet");
        assert!(ports.insert(relay.port()));
    }
    let mut none_left = Client::new(&one, "198.51.100.1:1", "juliet");
    assert_eq!(none_left.allocate(&mut one, &[]).error(), Some(508));
}

#[test]
fn a_reserved_port_is_there_for_a_client_of_the_other() {
    let [mut one, mut two] = World::two("");
    let mut first = Client::new(&one, "198.51.100.1:1", "juliet");
    let reply = first.allocate(&mut one, &[Attribute::EvenPort { reserve: true }]);
    let Some(token) = reply.attribute(AttributeType::RESERVATION_TOKEN) else {
        panic!("{reply:?}");
    };
    let mut second = Client::new(&two, "198.51.100.1:2", "juliet");
    let odd = second.allocate(&mut two, &[token]).relayed()[0];
    assert_eq!(odd.port(), reply.relayed()[0].port() + 1);
}

#[test]
fn data_goes_from_one_to_the_other_with_permissions_on_both_sides() {
    let [mut one, mut two] = World::two("");
    let (mut juliet, hers) = Client::allocated(&mut one, "198.51.100.1:1", "juliet");
    let (mut romeo, his) = Client::allocated(&mut two, "198.51.100.2:1", "romeo");
    let bound = juliet.bind(&mut one, 0x4000, &his.to_string());
    assert_eq!(bound.error(), None);
    let (relay, from, bytes) = forwarded(&juliet.send_channel(&mut one, 0x4000, b"wherefore"));
    assert_eq!((from, &bytes[..]), (hers, &b"wherefore"[..]));
    // He has not permitted it yet.
    assert_eq!(two.forwarded(relay, from, &bytes), []);
    assert_eq!(two.server.counters().dropped.no_permission, 1);
    assert_eq!(
        romeo.bind(&mut two, 0x4001, &hers.to_string()).error(),
        None
    );
    let sent = two.forwarded(relay, from, &bytes);
    assert_eq!(
        on_channel(&sent),
        (romeo.address, 0x4001, b"wherefore".to_vec())
    );
    let expected = Traffic {
        packets: 1,
        bytes: 9,
    };
    assert_eq!(two.server.counters().short_cut, expected);
    assert_eq!(two.server.counters().to_clients.udp, expected);
    // A relay that is gone gets nothing, and is no peer any more.
    assert_eq!(romeo.refresh(&mut two, 0).error(), None);
    assert_eq!(two.forwarded(relay, from, &bytes), []);
    assert_eq!(juliet.send_channel(&mut one, 0x4000, b"art thou"), []);
}

fn forwarded(sent: &[Sent]) -> (RelayId, std::net::SocketAddr, Vec<u8>) {
    let [
        Sent::Forwarded {
            engine: 1,
            relay,
            from,
            bytes,
        },
    ] = sent
    else {
        panic!("{sent:?}");
    };
    assert_ne!(*from, at("0.0.0.0:0"));
    (*relay, *from, bytes.clone())
}
