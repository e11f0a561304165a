//! Peers that are not somebody else's public address are refused, in every form and at every step.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

mod turn_harness;

use turn_harness::{Client, Sent, World, at};

#[test]
fn local_and_private_ipv4_peers_are_forbidden() {
    let mut world = World::new("");
    let (mut client, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    for ip in [
        "127.0.0.1",
        "127.8.9.10",
        "0.0.0.0",
        "0.1.2.3",
        "169.254.169.254",
        "224.0.0.1",
        "239.1.2.3",
        "255.255.255.255",
        "240.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "100.127.0.1",
    ] {
        let peer = format!("{ip}:5000");
        assert_eq!(
            client.permit(&mut world, &[&peer]).error(),
            Some(403),
            "{ip}"
        );
        assert_eq!(
            client.bind(&mut world, 0x4000, &peer).error(),
            Some(403),
            "{ip}"
        );
    }
    assert_eq!(
        client.permit(&mut world, &["198.51.100.9:5000"]).error(),
        None
    );
}

#[test]
fn local_and_disguised_ipv6_peers_are_forbidden() {
    let mut world = World::new("");
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    let family = campana::stun::Attribute::RequestedAddressFamily(campana::stun::Family::IPV6);
    assert_eq!(client.allocate(&mut world, &[family]).error(), None);
    for ip in IPV6 {
        let peer = format!("[{ip}]:5000");
        assert_eq!(
            client.permit(&mut world, &[&peer]).error(),
            Some(403),
            "{ip}"
        );
        assert_eq!(
            client.bind(&mut world, 0x4000, &peer).error(),
            Some(403),
            "{ip}"
        );
    }
    assert_eq!(
        client.permit(&mut world, &["[2001:db8::9]:5000"]).error(),
        None
    );
}

#[test]
fn another_family_is_a_mismatch_first() {
    let mut world = World::new("");
    let (mut client, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    for ip in IPV6 {
        let peer = format!("[{ip}]:5000");
        assert_eq!(
            client.permit(&mut world, &[&peer]).error(),
            Some(443),
            "{ip}"
        );
        assert_eq!(
            client.bind(&mut world, 0x4000, &peer).error(),
            Some(443),
            "{ip}"
        );
    }
}

#[test]
fn the_servers_own_addresses_are_forbidden() {
    let mut world = World::new("");
    let (mut client, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    // The relay address itself may be permitted, for relays, but nothing else of it.
    for peer in ["203.0.113.7:50000", "203.0.113.7:0"] {
        assert_eq!(client.permit(&mut world, &[peer]).error(), None, "{peer}");
    }
    for peer in [
        "203.0.113.7:3478",
        "203.0.113.7:22",
        "203.0.113.7:5222",
        "10.0.0.7:5222",
    ] {
        assert_eq!(
            client.bind(&mut world, 0x4000, peer).error(),
            Some(403),
            "{peer}"
        );
        assert_eq!(
            client.permit(&mut world, &[peer]).error(),
            Some(403),
            "{peer}"
        );
        assert_eq!(client.send(&mut world, peer, b"x"), []);
    }
    // A port of the relay range that is no relay is nobody.
    assert_eq!(
        client.bind(&mut world, 0x4000, "203.0.113.7:50000").error(),
        None
    );
    assert_eq!(client.send_channel(&mut world, 0x4000, b"x"), []);
}

#[test]
fn allow_peers_lifts_ranges_but_never_our_listeners() {
    let mut world = World::new("allow_peers = ['10.0.0.0/8', '203.0.113.7/32']");
    let (mut client, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    assert_eq!(client.permit(&mut world, &["10.1.2.3:5000"]).error(), None);
    assert_eq!(
        client.permit(&mut world, &["192.168.1.1:5000"]).error(),
        Some(403)
    );
    assert_eq!(
        client.bind(&mut world, 0x4000, "203.0.113.7:5222").error(),
        None
    );
    assert_eq!(
        client.bind(&mut world, 0x4001, "203.0.113.7:3478").error(),
        Some(403)
    );
    assert_eq!(client.send(&mut world, "203.0.113.7:3478", b"x"), []);
    assert_eq!(client.send(&mut world, "203.0.113.7:5222", b"x").len(), 1);
}

#[test]
fn one_denied_peer_among_several_leaves_no_permission() {
    let mut world = World::new("");
    let (mut client, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    let reply = client.permit(
        &mut world,
        &["198.51.100.9:1", "127.0.0.1:1", "198.51.100.8:1"],
    );
    assert_eq!(reply.error(), Some(403));
    assert_eq!(client.send(&mut world, "198.51.100.9:1", b"x"), []);
    assert_eq!(client.send(&mut world, "198.51.100.8:1", b"x"), []);
}

#[test]
fn an_address_that_becomes_ours_is_refused_on_send_and_channel_data() {
    let mut world = World::new("");
    let (mut client, relay) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    let peer = "198.51.100.9:5000";
    assert_eq!(client.bind(&mut world, 0x4000, peer).error(), None);
    let sent = Sent::ToPeer {
        relay,
        peer: at(peer),
        bytes: b"x".to_vec(),
    };
    assert_eq!(
        client.send(&mut world, peer, b"x"),
        std::slice::from_ref(&sent)
    );
    assert_eq!(client.send_channel(&mut world, 0x4000, b"x"), [sent]);
    world
        .server
        .handle_own_addresses(&["198.51.100.9".parse().unwrap()].into());
    assert_eq!(client.send(&mut world, peer, b"x"), []);
    assert_eq!(client.send_channel(&mut world, 0x4000, b"x"), []);
    assert_eq!(world.peer_sends(relay, at(peer), b"x"), []);
    assert_eq!(world.server.counters().dropped.denied, 3);
}

#[test]
fn other_programs_of_this_machine_do_not_reach_clients() {
    let mut world = World::new("");
    let (mut client, relay) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    assert_eq!(
        client.permit(&mut world, &["203.0.113.7:50000"]).error(),
        None
    );
    assert_eq!(world.peer_sends(relay, at("203.0.113.7:5222"), b"x"), []);
}

#[test]
fn tunnelled_clients_get_no_allocation() {
    let mut world = World::new("");
    for address in ["[2002:c633:6401::1]:1000", "[2001:0:1::1]:1000"] {
        let mut client = Client::new(&world, address, "juliet");
        assert_eq!(
            client.allocate(&mut world, &[]).error(),
            Some(403),
            "{address}"
        );
    }
}

const IPV6: &[&str] = &[
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "2001::1",
    "fe80::1",
    "fc00::1",
    "fd12::1",
    "ff02::1",
    "100::1",
];
