//! Channels: binding, its conflicts, its 600 seconds, and the five minutes of rest after it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

mod turn_harness;

use campana::stun::{Attribute, Method};
use turn_harness::{Client, Sent, World, at, channel_data, data_indication, on_channel};

#[test]
fn data_goes_both_ways_on_a_channel() {
    let mut world = World::new("");
    let (mut client, relay) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    let peer = at("198.51.100.9:5000");
    assert_eq!(
        client.bind(&mut world, 0x4000, "198.51.100.9:5000").error(),
        None
    );
    for data in [&b""[..], b"1", b"hello", &[7; 1400]] {
        let sent = Sent::ToPeer {
            relay,
            peer,
            bytes: data.to_vec(),
        };
        assert_eq!(client.send_channel(&mut world, 0x4000, data), [sent]);
        let got = world.peer_sends(relay, peer, data);
        assert_eq!(on_channel(&got), (client.address, 0x4000, data.to_vec()));
    }
    // The binding made a permission too: other ports of that address come as Data indications.
    let got = world.peer_sends(relay, at("198.51.100.9:5001"), b"x");
    assert_eq!(data_indication(&got).1, at("198.51.100.9:5001"));
}

#[test]
fn numbers_out_of_range_are_bad_requests() {
    let mut world = World::new("");
    let (mut client, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    for number in [0, 0x3FFF, 0x5000, 0x7FFF, 0xFFFF] {
        let reply = client.bind(&mut world, number, "198.51.100.9:5000");
        assert_eq!(reply.error(), Some(400), "{number:x}");
    }
    for number in [0x4000, 0x4FFF] {
        let peer = format!("198.51.100.9:{number}");
        assert_eq!(
            client.bind(&mut world, number, &peer).error(),
            None,
            "{number:x}"
        );
    }
}

#[test]
fn port_0_is_no_peer() {
    let mut world = World::new("");
    let (mut client, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    let peer = "198.51.100.9:0";
    assert_eq!(client.bind(&mut world, 0x4000, peer).error(), Some(403));
    // For a permission the port is no matter (RFC 8656 §9).
    assert_eq!(client.permit(&mut world, &[peer]).error(), None);
    assert_eq!(client.send(&mut world, peer, b"x"), []);
    assert_eq!(world.server.counters().dropped.denied, 1);
    assert_eq!(client.send(&mut world, "198.51.100.9:1", b"x").len(), 1);
}

#[test]
fn both_attributes_are_needed() {
    let mut world = World::new("");
    let (mut client, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    for attribute in [
        Attribute::ChannelNumber(0x4000),
        Attribute::XorPeerAddress(at("198.51.100.9:1")),
    ] {
        let reply = client.request(&mut world, Method::CHANNEL_BIND, &[attribute]);
        assert_eq!(reply.error(), Some(400));
    }
}

#[test]
fn a_channel_has_one_peer_and_a_peer_one_channel() {
    let mut world = World::new("");
    let (mut client, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    assert_eq!(
        client.bind(&mut world, 0x4000, "198.51.100.9:1").error(),
        None
    );
    assert_eq!(
        client.bind(&mut world, 0x4000, "198.51.100.9:1").error(),
        None
    );
    assert_eq!(
        client.bind(&mut world, 0x4000, "198.51.100.9:2").error(),
        Some(400)
    );
    assert_eq!(
        client.bind(&mut world, 0x4001, "198.51.100.9:1").error(),
        Some(400)
    );
    assert_eq!(
        client.bind(&mut world, 0x4001, "198.51.100.9:2").error(),
        None
    );
    // Of one allocation only.
    let (mut other, _) = Client::allocated(&mut world, "198.51.100.2:1000", "romeo");
    assert_eq!(
        other.bind(&mut world, 0x4000, "198.51.100.9:2").error(),
        None
    );
}

#[test]
fn it_ends_after_600_seconds_and_then_rests_for_300() {
    let mut world = World::new("");
    let (mut client, relay) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    let peer = "198.51.100.9:1";
    assert_eq!(client.refresh(&mut world, 3600).error(), None);
    assert_eq!(client.bind(&mut world, 0x4000, peer).error(), None);
    world.advance(299);
    assert_eq!(client.permit(&mut world, &[peer]).error(), None);
    world.advance(299);
    assert_eq!(client.permit(&mut world, &[peer]).error(), None);
    world.advance(1);
    assert_eq!(client.send_channel(&mut world, 0x4000, b"x").len(), 1);
    assert_eq!(
        on_channel(&world.peer_sends(relay, at(peer), b"x")).1,
        0x4000
    );
    world.advance(1);
    assert_eq!(client.send_channel(&mut world, 0x4000, b"x"), []);
    assert_eq!(
        data_indication(&world.peer_sends(relay, at(peer), b"x")).1,
        at(peer)
    );
    world.advance(299);
    assert_eq!(
        client.bind(&mut world, 0x4000, "198.51.100.9:2").error(),
        Some(400)
    );
    assert_eq!(client.bind(&mut world, 0x4001, peer).error(), Some(400));
    world.advance(1);
    assert_eq!(
        client.bind(&mut world, 0x4000, "198.51.100.9:2").error(),
        None
    );
    assert_eq!(client.bind(&mut world, 0x4001, peer).error(), None);
}

#[test]
fn the_same_binding_may_return_during_its_rest() {
    let mut world = World::new("");
    let (mut client, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    assert_eq!(client.refresh(&mut world, 3600).error(), None);
    assert_eq!(
        client.bind(&mut world, 0x4000, "198.51.100.9:1").error(),
        None
    );
    world.advance(700);
    assert_eq!(
        client.bind(&mut world, 0x4000, "198.51.100.9:1").error(),
        None
    );
    assert_eq!(client.send_channel(&mut world, 0x4000, b"x").len(), 1);
}

#[test]
fn its_permission_is_asked_for_each_datagram() {
    let mut world = World::new("");
    let (mut client, relay) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    assert_eq!(
        client.bind(&mut world, 0x4000, "198.51.100.9:1").error(),
        None
    );
    world.advance(300);
    assert_eq!(client.send_channel(&mut world, 0x4000, b"x"), []);
    assert_eq!(world.peer_sends(relay, at("198.51.100.9:1"), b"x"), []);
    assert_eq!(client.permit(&mut world, &["198.51.100.9:1"]).error(), None);
    assert_eq!(client.send_channel(&mut world, 0x4000, b"x").len(), 1);
}

#[test]
fn what_makes_no_sense_is_silent() {
    let mut world = World::new("");
    let (mut client, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    assert_eq!(
        client.bind(&mut world, 0x4000, "198.51.100.9:1").error(),
        None
    );
    // Not bound, and no allocation.
    assert_eq!(client.send_channel(&mut world, 0x4001, b"x"), []);
    let stranger = Client::new(&world, "198.51.100.2:1000", "romeo");
    assert_eq!(stranger.send_channel(&mut world, 0x4000, b"x"), []);
    // Longer than its datagram, shorter than a header, a number that is none.
    let mut long = channel_data(0x4000, b"hello");
    long[3] += 1;
    assert_eq!(world.datagram(client.address, &long), []);
    assert_eq!(world.datagram(client.address, &[0x40, 0, 0]), []);
    assert_eq!(
        world.datagram(client.address, &channel_data(0x5000, b"x")),
        []
    );
    let dropped = world.server.counters().dropped;
    assert_eq!(
        (dropped.channel, dropped.no_allocation, dropped.malformed),
        (1, 1, 3)
    );
    // Padding behind the data is allowed and not relayed.
    let mut padded = channel_data(0x4000, b"x");
    padded.extend([0; 3]);
    let sent = world.datagram(client.address, &padded);
    assert!(
        matches!(&sent[..], [Sent::ToPeer { bytes, .. }] if bytes == b"x"),
        "{sent:?}"
    );
}
