//! Two relays of our own reach each other in memory, with permissions on both sides.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

mod turn_harness;

use campana::stun::{Attribute, Family};
use turn_harness::{Client, World, at, data_indication, on_channel};

#[test]
fn with_permissions_on_both_sides_data_goes_from_client_to_client() {
    let mut world = World::new("");
    let (mut one, relay1) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    let (mut two, relay2) = Client::allocated(&mut world, "198.51.100.2:1000", "romeo");
    let (to1, to2) = (relay1.to_string(), relay2.to_string());
    assert_eq!(one.permit(&mut world, &[&to2]).error(), None);
    assert_eq!(
        one.send(&mut world, &to2, b"x"),
        [],
        "the other side has no permission yet"
    );
    assert_eq!(two.permit(&mut world, &[&to1]).error(), None);

    let got = one.send(&mut world, &to2, b"hello");
    assert_eq!(
        data_indication(&got),
        (two.address, relay1, b"hello".to_vec())
    );
    assert_eq!(two.bind(&mut world, 0x4321, &to1).error(), None);
    let got = one.send(&mut world, &to2, b"hello");
    assert_eq!(on_channel(&got), (two.address, 0x4321, b"hello".to_vec()));
    // From a channel to a Data indication, which needs more room before the payload.
    for data in [&b""[..], b"1", b"12", b"123", b"1234", &[7; 1400]] {
        let got = two.send_channel(&mut world, 0x4321, data);
        assert_eq!(data_indication(&got), (one.address, relay2, data.to_vec()));
    }
    assert_eq!(one.bind(&mut world, 0x4000, &to2).error(), None);
    let got = one.send_channel(&mut world, 0x4000, b"both");
    assert_eq!(on_channel(&got), (two.address, 0x4321, b"both".to_vec()));

    let counters = world.server.counters();
    assert_eq!(counters.short_cut.packets, 9);
    assert_eq!((counters.up.packets, counters.down.packets), (0, 0));
}

#[test]
fn a_channel_may_be_bound_before_the_relay_is_there() {
    let mut world = World::new("relay_ports = '50000-50001'");
    let (mut one, relay1) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    let to2 = format!("203.0.113.7:{}", 100_001 - u32::from(relay1.port()));
    assert_eq!(one.bind(&mut world, 0x4000, &to2).error(), None);
    assert_eq!(one.send_channel(&mut world, 0x4000, b"x"), []);
    let (mut two, relay2) = Client::allocated(&mut world, "198.51.100.2:1000", "romeo");
    assert_eq!(relay2, at(&to2));
    assert_eq!(two.permit(&mut world, &[&relay1.to_string()]).error(), None);
    assert_eq!(one.send_channel(&mut world, 0x4000, b"x").len(), 1);
}

#[test]
fn it_ends_with_the_other_allocation() {
    let mut world = World::new("");
    let (mut one, relay1) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    let (mut two, relay2) = Client::allocated(&mut world, "198.51.100.2:1000", "romeo");
    assert_eq!(
        one.bind(&mut world, 0x4000, &relay2.to_string()).error(),
        None
    );
    assert_eq!(
        two.bind(&mut world, 0x4000, &relay1.to_string()).error(),
        None
    );
    assert_eq!(one.send_channel(&mut world, 0x4000, b"x").len(), 1);
    assert_eq!(two.refresh(&mut world, 0).error(), None);
    assert_eq!(one.send_channel(&mut world, 0x4000, b"x"), []);
}

#[test]
fn a_denied_relay_address_is_permitted_for_relays_only() {
    let mut world = World::new("relay_address = '127.0.0.1'");
    let (mut one, relay1) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    for peer in [
        "127.0.0.1:22",
        "127.0.0.1:0",
        "127.0.0.1:3478",
        "127.0.0.1:50000",
    ] {
        assert_ne!(relay1.port(), 50000, "by the seed of the test");
        assert_eq!(one.permit(&mut world, &[peer]).error(), Some(403), "{peer}");
        assert_eq!(
            one.bind(&mut world, 0x4000, peer).error(),
            Some(403),
            "{peer}"
        );
    }
    let (mut two, relay2) = Client::allocated(&mut world, "198.51.100.2:1000", "romeo");
    assert_eq!(one.permit(&mut world, &[&relay2.to_string()]).error(), None);
    assert_eq!(two.permit(&mut world, &[&relay1.to_string()]).error(), None);
    assert_eq!(one.send(&mut world, &relay2.to_string(), b"x").len(), 1);
    assert_eq!(one.send(&mut world, "127.0.0.1:22", b"x"), []);
    assert_eq!(world.peer_sends(relay1, at("127.0.0.1:22"), b"x"), []);
}

#[test]
fn behind_a_nat_it_is_the_told_address_that_counts() {
    let mut world = World::new("relay_address = '203.0.113.7'\nrelay_bind = '10.0.0.7'");
    let (mut one, relay1) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    let (mut two, relay2) = Client::allocated(&mut world, "198.51.100.2:1000", "romeo");
    assert_eq!(one.permit(&mut world, &[&relay2.to_string()]).error(), None);
    assert_eq!(two.permit(&mut world, &[&relay1.to_string()]).error(), None);
    assert_eq!(one.send(&mut world, &relay2.to_string(), b"x").len(), 1);
    let bound = format!("10.0.0.7:{}", relay2.port());
    assert_eq!(one.permit(&mut world, &[&bound]).error(), Some(403));
}

#[test]
fn over_ipv6_too() {
    let mut world = World::new("");
    let family = [Attribute::RequestedAddressFamily(Family::IPV6)];
    let mut clients = ["198.51.100.1:1000", "198.51.100.2:1000"].map(|address| {
        let mut client = Client::new(&world, address, "juliet");
        let relay = client.allocate(&mut world, &family).relayed()[0];
        (client, relay)
    });
    let [(one, relay1), (two, relay2)] = &mut clients;
    assert_eq!(
        one.bind(&mut world, 0x4000, &relay2.to_string()).error(),
        None
    );
    assert_eq!(two.permit(&mut world, &[&relay1.to_string()]).error(), None);
    let got = one.send_channel(&mut world, 0x4000, b"six");
    assert_eq!(
        data_indication(&got),
        (two.address, *relay1, b"six".to_vec())
    );
}
