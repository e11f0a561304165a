//! Without a permission nothing passes, and permissions last 300 seconds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

mod turn_harness;

use turn_harness::{Client, Sent, World, at, data_indication};

#[test]
fn without_a_permission_both_ways_are_silent() {
    let mut world = World::new("");
    let (client, relay) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    assert_eq!(client.send(&mut world, "198.51.100.9:5000", b"x"), []);
    assert_eq!(world.peer_sends(relay, at("198.51.100.9:5000"), b"x"), []);
    assert_eq!(world.server.counters().dropped.no_permission, 2);
}

#[test]
fn a_permission_is_for_the_address_whatever_the_port() {
    let mut world = World::new("");
    let (mut client, relay) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    assert_eq!(client.permit(&mut world, &["198.51.100.9:0"]).error(), None);
    for peer in ["198.51.100.9:5000", "198.51.100.9:1"] {
        let sent = Sent::ToPeer {
            relay,
            peer: at(peer),
            bytes: b"hello".to_vec(),
        };
        assert_eq!(client.send(&mut world, peer, b"hello"), [sent]);
        let got = world.peer_sends(relay, at(peer), b"welcome");
        assert_eq!(
            data_indication(&got),
            (client.address, at(peer), b"welcome".to_vec())
        );
    }
    assert_eq!(client.send(&mut world, "198.51.100.8:5000", b"x"), []);
    assert_eq!(world.peer_sends(relay, at("198.51.100.8:5000"), b"x"), []);
}

#[test]
fn it_ends_after_300_seconds_unless_refreshed() {
    let mut world = World::new("");
    let (mut client, relay) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    let peer = "198.51.100.9:5000";
    assert_eq!(client.permit(&mut world, &[peer]).error(), None);
    world.advance(299);
    assert_eq!(client.send(&mut world, peer, b"x").len(), 1);
    assert_eq!(client.permit(&mut world, &[peer]).error(), None);
    world.advance(299);
    // Neither Send nor what the peer sends refreshes it.
    assert_eq!(client.send(&mut world, peer, b"x").len(), 1);
    assert_eq!(world.peer_sends(relay, at(peer), b"x").len(), 1);
    world.advance(1);
    assert_eq!(client.send(&mut world, peer, b"x"), []);
    assert_eq!(world.peer_sends(relay, at(peer), b"x"), []);
}

#[test]
fn each_allocation_has_its_own() {
    let mut world = World::new("");
    let (mut one, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    let (two, relay) = Client::allocated(&mut world, "198.51.100.1:1001", "juliet");
    assert_eq!(one.permit(&mut world, &["198.51.100.9:1"]).error(), None);
    assert_eq!(two.send(&mut world, "198.51.100.9:1", b"x"), []);
    assert_eq!(world.peer_sends(relay, at("198.51.100.9:1"), b"x"), []);
}

#[test]
fn requests_need_a_peer_and_an_allocation() {
    let mut world = World::new("");
    let (mut client, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    assert_eq!(client.permit(&mut world, &[]).error(), Some(400));
    let mut stranger = Client::new(&world, "198.51.100.2:1000", "romeo");
    assert_eq!(
        stranger.permit(&mut world, &["198.51.100.9:1"]).error(),
        Some(437)
    );
    assert_eq!(stranger.send(&mut world, "198.51.100.9:1", b"x"), []);
}
