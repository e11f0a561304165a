//! Who may have no more allocations gets one in exchange for the one of hers that is silent for
//! longest: there are clients that never delete what they allocate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

mod turn_harness;

use std::net::SocketAddr;

use campana::stun::{Attribute, AttributeType, Family, Method};
use campana::turn::End;
use turn_harness::{Client, Sent, World, at};

#[test]
fn the_one_that_is_silent_for_longest_makes_room() {
    let mut world = World::new("user_allocations = 2");
    let (mut first, _) = Client::allocated(&mut world, "198.51.100.1:1", "juliet");
    world.advance(10);
    let (mut second, _) = Client::allocated(&mut world, "198.51.100.1:2", "juliet");
    let mut third = Client::new(&world, "198.51.100.1:3", "juliet");
    // The time that a call may ring, and as long again.
    world.advance(109);
    assert_eq!(third.allocate(&mut world, &[]).error(), Some(486));
    world.advance(1);
    assert_eq!(third.allocate(&mut world, &[]).error(), None);
    let ended: Vec<_> = world
        .ended
        .iter()
        .map(|it| (it.client.client, it.end))
        .collect();
    assert_eq!(ended, [(first.address, End::Displaced)]);
    assert_eq!(first.refresh(&mut world, 600).error(), Some(437));
    assert_eq!(second.refresh(&mut world, 600).error(), None);
    // Both that are left are in use.
    assert_eq!(first.allocate(&mut world, &[]).error(), Some(486));
    let counters = world.server.counters();
    assert_eq!((counters.allocations, counters.ended.displaced), (2, 1));
    let samples = counters.samples();
    let labels = "reason=\"displaced\"";
    let counted = samples.iter().find(|it| it.labels == labels).unwrap();
    assert_eq!(
        (counted.name, counted.value),
        ("turn_allocations_ended_total", 1)
    );
}

#[test]
fn a_call_after_the_other_goes_on_for_ever() {
    let mut world = World::new("relay_ports = '50000-50011'");
    for call in 0..100_u16 {
        for port in 0..4 {
            let address = format!("198.51.100.1:{}", 1000 + 4 * call + port);
            Client::allocated(&mut world, &address, "juliet");
        }
        world.advance(60);
    }
    let counters = world.server.counters();
    assert_eq!(counters.allocations, 12);
    assert_eq!(counters.ended.displaced, 400 - 12);
    assert_eq!(counters.refused.quota, 0);
}

#[test]
fn whatever_is_done_with_it_keeps_it() {
    let peer = "198.51.100.9:1";
    type Use = fn(&mut World, &mut Client, SocketAddr);
    let uses: [(&str, Use); 7] = [
        ("channel", |world, client, _| {
            assert_eq!(client.send_channel(world, 0x4000, b"x").len(), 1);
        }),
        ("send", |world, client, _| {
            assert_eq!(client.send(world, "198.51.100.9:1", b"x").len(), 1);
        }),
        ("peer", |world, _, relay| {
            assert_eq!(world.peer_sends(relay, at("198.51.100.9:1"), b"x").len(), 1);
        }),
        ("refresh", |world, client, _| {
            assert_eq!(client.refresh(world, 600).error(), None);
        }),
        ("permission", |world, client, _| {
            assert_eq!(client.permit(world, &["198.51.100.8:1"]).error(), None);
        }),
        ("channel bind", |world, client, _| {
            let reply = client.bind(world, 0x4001, "198.51.100.8:1");
            assert_eq!(reply.error(), None);
        }),
        ("short cut", |world, client, relay| {
            let (mut romeo, his) = Client::allocated(world, "198.51.100.2:1", "romeo");
            romeo.permit(world, &[&relay.to_string()]);
            client.permit(world, &[&his.to_string()]);
            world.advance(60);
            assert_eq!(romeo.send(world, &relay.to_string(), b"x").len(), 1);
        }),
    ];
    for (name, r#use) in uses {
        let mut world = World::new("user_allocations = 1");
        let (mut client, relay) = Client::allocated(&mut world, "198.51.100.1:1", "juliet");
        assert_eq!(client.bind(&mut world, 0x4000, peer).error(), None);
        world.advance(100);
        r#use(&mut world, &mut client, relay);
        let mut second = Client::new(&world, "198.51.100.1:2", "juliet");
        world.advance(119);
        assert_eq!(
            second.allocate(&mut world, &[]).error(),
            Some(486),
            "{name}"
        );
        world.advance(1);
        assert_eq!(second.allocate(&mut world, &[]).error(), None, "{name}");
    }
}

#[test]
fn what_is_not_passed_on_does_not_keep_it() {
    let mut world = World::new("user_allocations = 1");
    let (client, relay) = Client::allocated(&mut world, "198.51.100.1:1", "juliet");
    world.advance(100);
    let sent = [
        client.send(&mut world, "198.51.100.9:1", b"x"),
        client.send_channel(&mut world, 0x4000, b"x"),
        world.peer_sends(relay, at("198.51.100.9:1"), b"x"),
    ];
    assert_eq!(sent, [const { Vec::<Sent>::new() }; 3]);
    // Nor does somebody else who speaks from her address.
    let mut romeo = Client::new(&world, "198.51.100.1:1", "romeo");
    assert_eq!(romeo.refresh(&mut world, 600).error(), Some(441));
    let mut second = Client::new(&world, "198.51.100.1:2", "juliet");
    world.advance(20);
    assert_eq!(second.allocate(&mut world, &[]).error(), None);
}

#[test]
fn nobody_takes_from_another() {
    let mut world = World::new("user_allocations = 1\naddress_allocations = 2");
    let (_, _) = Client::allocated(&mut world, "198.51.100.1:1", "romeo");
    world.advance(300);
    let (mut hers, _) = Client::allocated(&mut world, "198.51.100.1:2", "juliet");
    let mut second = Client::new(&world, "198.51.100.9:3", "juliet");
    assert_eq!(second.allocate(&mut world, &[]).error(), Some(486));
    // His address, which has enough, is no reason either.
    let mut nurse = Client::new(&world, "198.51.100.1:3", "nurse");
    assert_eq!(nurse.allocate(&mut world, &[]).error(), Some(486));
    assert_eq!(world.ended, []);
    assert_eq!(hers.refresh(&mut world, 0).error(), None);
}

#[test]
fn an_address_that_has_enough_displaces_nothing() {
    let mut world = World::new("user_allocations = 1\naddress_allocations = 1");
    let (_, _) = Client::allocated(&mut world, "198.51.100.1:1", "romeo");
    let (_, _) = Client::allocated(&mut world, "198.51.100.2:1", "juliet");
    world.advance(300);
    let mut second = Client::new(&world, "198.51.100.1:2", "juliet");
    assert_eq!(second.allocate(&mut world, &[]).error(), Some(486));
    assert_eq!(world.ended, []);
}

#[test]
fn a_request_that_is_no_good_displaces_nothing() {
    let mut world = World::new("user_allocations = 1\nrelay_address = '203.0.113.7'");
    let (mut first, _) = Client::allocated(&mut world, "198.51.100.1:1", "juliet");
    world.advance(300);
    let mut second = Client::new(&world, "198.51.100.1:2", "juliet");
    for (attribute, code) in [
        (Attribute::RequestedAddressFamily(Family::IPV6), 440),
        (Attribute::ReservationToken([1; 8]), 508),
        (Attribute::AdditionalAddressFamily(Family::IPV4), 400),
    ] {
        let reply = second.allocate(&mut world, &[attribute]);
        assert_eq!(reply.error(), Some(code));
    }
    let without = second.request(&mut world, Method::ALLOCATE, &[]);
    assert_eq!(without.error(), Some(400));
    assert_eq!(world.ended, []);
    assert_eq!(first.refresh(&mut world, 600).error(), None);
}

#[test]
fn where_there_is_no_limit_nothing_is_displaced() {
    let mut world = World::new("user_allocations = 0");
    for port in 1000..1050 {
        Client::allocated(&mut world, &format!("198.51.100.1:{port}"), "juliet");
        world.advance(10);
    }
    assert_eq!(world.server.counters().allocations, 50);
}

#[test]
fn a_port_that_is_to_be_reserved_needs_a_place_too() {
    let mut world = World::new("user_allocations = 3");
    for port in 1..=3 {
        Client::allocated(&mut world, &format!("198.51.100.1:{port}"), "juliet");
    }
    world.advance(120);
    let mut client = Client::new(&world, "198.51.100.1:4", "juliet");
    let reply = client.allocate(&mut world, &[Attribute::EvenPort { reserve: true }]);
    let token = reply.attribute(AttributeType::RESERVATION_TOKEN).unwrap();
    assert_eq!(world.server.counters().ended.displaced, 2);
    // Which is that of the allocation it becomes.
    let mut second = Client::new(&world, "198.51.100.1:5", "juliet");
    assert_eq!(second.allocate(&mut world, &[token]).error(), None);
    assert_eq!(world.server.counters().ended.displaced, 2);
}
