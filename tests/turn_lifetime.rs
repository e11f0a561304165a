//! Lifetimes: their default, their cap, their end, and deletion.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

mod turn_harness;

use campana::stun::Attribute;
use turn_harness::{Client, World, at};

#[test]
fn they_are_between_ten_minutes_and_an_hour() {
    let mut world = World::new("");
    for (port, (asked, given)) in (1000..).zip([
        (0, 600),
        (1, 600),
        (599, 600),
        (600, 600),
        (1200, 1200),
        (3600, 3600),
        (3601, 3600),
        (99_999_999, 3600),
        (u32::MAX, 3600),
    ]) {
        let mut client = Client::new(&world, &format!("198.51.100.1:{port}"), "juliet");
        let reply = client.allocate(&mut world, &[Attribute::Lifetime(asked)]);
        assert_eq!(reply.lifetime(), Some(given), "{asked}");
        if asked > 0 {
            assert_eq!(
                client.refresh(&mut world, asked).lifetime(),
                Some(given),
                "{asked}"
            );
        }
    }
}

#[test]
fn an_allocation_ends_when_it_is_not_refreshed() {
    let mut world = World::new("");
    let (mut client, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    world.advance(599);
    assert_eq!(client.refresh(&mut world, 600).error(), None);
    world.advance(599);
    assert_eq!(world.relays.len(), 1);
    world.advance(1);
    assert_eq!(world.relays.len(), 0);
    assert_eq!(client.refresh(&mut world, 600).error(), Some(437));
    assert_eq!(world.server.counters().allocations, 0);
}

#[test]
fn it_ends_in_time_even_if_nobody_tells_the_server() {
    let mut world = World::new("");
    let (mut client, relay) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    world.oversleep(590);
    assert_eq!(client.permit(&mut world, &["198.51.100.9:1"]).error(), None);
    world.oversleep(9);
    assert_eq!(client.send(&mut world, "198.51.100.9:1", b"x").len(), 1);
    world.oversleep(1);
    assert_eq!(client.send(&mut world, "198.51.100.9:1", b"x"), []);
    assert_eq!(world.peer_sends(relay, at("198.51.100.9:1"), b"x"), []);
    assert_eq!(client.refresh(&mut world, 600).error(), Some(437));
}

#[test]
fn zero_deletes_and_frees_the_port_at_once() {
    let mut world = World::new("relay_ports = '50000-50000'");
    let (mut client, relay) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    assert_eq!(client.refresh(&mut world, 0).lifetime(), Some(0));
    assert_eq!(world.relays.len(), 0);
    assert_eq!(client.refresh(&mut world, 0).error(), Some(437));
    let (_, again) = Client::allocated(&mut world, "198.51.100.2:1000", "romeo");
    assert_eq!(again, relay);
}
