//! Quotas per person and per address, ports, permissions and channels; all recover.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

mod turn_harness;

use campana::stun::{Attribute, Family};
use turn_harness::{Client, World};

#[test]
fn a_person_has_so_many_allocations_whatever_the_credentials() {
    let mut world = World::new("user_allocations = 3");
    let mut clients = Vec::new();
    for port in 1..=3 {
        // Minted at another second each: the person counts, not the user name.
        world.advance(1);
        clients.push(Client::allocated(&mut world, &format!("198.51.100.{port}:1000"), "juliet").0);
    }
    let mut fourth = Client::new(&world, "198.51.100.4:1000", "juliet");
    assert_eq!(fourth.allocate(&mut world, &[]).error(), Some(486));
    let mut romeo = Client::new(&world, "198.51.100.4:1001", "romeo");
    assert_eq!(romeo.allocate(&mut world, &[]).error(), None);
    assert_eq!(clients[0].refresh(&mut world, 0).error(), None);
    assert_eq!(fourth.allocate(&mut world, &[]).error(), None);
    assert_eq!(clients[0].allocate(&mut world, &[]).error(), Some(486));
    // All expire without a word from anybody.
    world.advance(3600);
    for mut client in clients {
        assert_eq!(client.allocate(&mut world, &[]).error(), None);
    }
}

#[test]
fn an_address_has_so_many_and_an_ipv6_network_as_one() {
    let mut world = World::new("address_allocations = 2");
    for (one, two, three, other) in [
        (
            "198.51.100.1:1",
            "198.51.100.1:2",
            "198.51.100.1:3",
            "198.51.100.2:1",
        ),
        (
            "[2001:db8::1]:1",
            "[2001:db8::2]:1",
            "[2001:db8::3]:1",
            "[2001:db8:0:1::1]:1",
        ),
    ] {
        let (mut first, _) = Client::allocated(&mut world, one, "a");
        Client::allocated(&mut world, two, "b");
        let mut third = Client::new(&world, three, "c");
        assert_eq!(third.allocate(&mut world, &[]).error(), Some(486));
        Client::allocated(&mut world, other, "c");
        assert_eq!(first.refresh(&mut world, 0).error(), None);
        assert_eq!(third.allocate(&mut world, &[]).error(), None);
    }
}

#[test]
fn zero_is_no_limit() {
    let mut world =
        World::new("user_allocations = 0\naddress_allocations = 0\nreplies_per_second = 0");
    for port in 1000..1400 {
        Client::allocated(&mut world, &format!("198.51.100.1:{port}"), "juliet");
    }
    assert_eq!(world.server.counters().allocations, 400);
}

#[test]
fn ports_run_out_and_come_back() {
    let mut world = World::new("relay_ports = '50000-50001'\nuser_allocations = 0");
    let (mut one, _) = Client::allocated(&mut world, "198.51.100.1:1", "juliet");
    Client::allocated(&mut world, "198.51.100.1:2", "juliet");
    let mut three = Client::new(&world, "198.51.100.1:3", "juliet");
    assert_eq!(three.allocate(&mut world, &[]).error(), Some(508));
    assert_eq!(one.refresh(&mut world, 0).error(), None);
    assert_eq!(three.allocate(&mut world, &[]).error(), None);
    assert_eq!(one.allocate(&mut world, &[]).error(), Some(508));
    world.advance(600);
    assert_eq!(one.allocate(&mut world, &[]).error(), None);
    // The other family has ports of its own.
    let mut six = Client::new(&world, "198.51.100.1:6", "juliet");
    let reply = six.allocate(
        &mut world,
        &[Attribute::RequestedAddressFamily(Family::IPV6)],
    );
    assert_eq!(reply.error(), None);
}

#[test]
fn a_refused_allocation_counts_nowhere() {
    let mut world = World::new("relay_ports = '50000-50000'\nuser_allocations = 2");
    let (mut holder, _) = Client::allocated(&mut world, "198.51.100.1:1", "romeo");
    let mut client = Client::new(&world, "198.51.100.2:1", "juliet");
    for _ in 0..10 {
        assert_eq!(client.allocate(&mut world, &[]).error(), Some(508));
    }
    assert_eq!(holder.refresh(&mut world, 0).error(), None);
    assert_eq!(client.allocate(&mut world, &[]).error(), None);
}

#[test]
fn permissions_are_capped_and_come_back() {
    let mut world = World::new("permissions = 3");
    let (mut client, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    let peers = ["198.51.100.9:1", "198.51.100.8:1", "198.51.100.9:2"];
    assert_eq!(client.permit(&mut world, &peers).error(), None);
    let reply = client.permit(&mut world, &["198.51.100.7:1", "198.51.100.6:1"]);
    assert_eq!(reply.error(), Some(508));
    assert_eq!(
        client.send(&mut world, "198.51.100.7:1", b"x"),
        [],
        "all or none"
    );
    assert_eq!(client.permit(&mut world, &["198.51.100.7:1"]).error(), None);
    assert_eq!(
        client.permit(&mut world, &["198.51.100.6:1"]).error(),
        Some(508)
    );
    assert_eq!(
        client.bind(&mut world, 0x4000, "198.51.100.6:1").error(),
        Some(508)
    );
    assert_eq!(
        client.permit(&mut world, &peers).error(),
        None,
        "refreshing is no new one"
    );
    world.advance(300);
    assert_eq!(client.permit(&mut world, &["198.51.100.6:1"]).error(), None);
}

#[test]
fn channels_are_capped_and_come_back() {
    let mut world = World::new("channels = 2");
    let (mut client, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    assert_eq!(client.refresh(&mut world, 3600).error(), None);
    assert_eq!(
        client.bind(&mut world, 0x4000, "198.51.100.9:1").error(),
        None
    );
    assert_eq!(
        client.bind(&mut world, 0x4001, "198.51.100.9:2").error(),
        None
    );
    assert_eq!(
        client.bind(&mut world, 0x4002, "198.51.100.9:3").error(),
        Some(508)
    );
    assert_eq!(
        client.bind(&mut world, 0x4001, "198.51.100.9:2").error(),
        None
    );
    world.advance(900);
    assert_eq!(
        client.bind(&mut world, 0x4002, "198.51.100.9:3").error(),
        None
    );
}

#[test]
fn allocating_and_deleting_grows_nothing() {
    let mut world = World::new("relay_ports = '50000-50009'\nreplies_per_second = 0");
    let mut sizes = Vec::new();
    for round in 0..2000_u32 {
        let address = format!("198.51.100.1:{}", 1000 + round);
        let person = format!("person{}", 1000 + round);
        let (mut client, _) = Client::allocated(&mut world, &address, &person);
        assert_eq!(
            client.bind(&mut world, 0x4000, "198.51.100.9:1").error(),
            None
        );
        assert_eq!(client.refresh(&mut world, 0).error(), None);
        if round % 1000 == 999 {
            world.advance(1000);
            sizes.push(format!("{:?}", world.server).len());
        }
    }
    assert!(sizes[1] < sizes[0] + 100, "{sizes:?}");
}
