//! Bytes per second and person, over all their allocations and both directions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

mod turn_harness;

use std::time::Duration;

use turn_harness::{Client, World, at};

#[test]
fn a_person_over_the_limit_loses_datagrams_and_nobody_else_does() {
    let mut world = World::new("person_bandwidth = 10000");
    let peer = "198.51.100.9:1";
    let (mut one, relay) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    let (mut two, _) = Client::allocated(&mut world, "198.51.100.1:1001", "juliet");
    let (mut other, _) = Client::allocated(&mut world, "198.51.100.1:1002", "romeo");
    for client in [&mut one, &mut two, &mut other] {
        assert_eq!(client.permit(&mut world, &[peer]).error(), None);
    }
    let data = [0; 1000];
    let sent = |client: &Client, world: &mut World| {
        (0..20)
            .map(|_| client.send(world, peer, &data).len())
            .sum::<usize>()
    };
    assert_eq!(sent(&one, &mut world), 10);
    assert_eq!(sent(&two, &mut world), 0);
    assert_eq!(world.peer_sends(relay, at(peer), &data), []);
    assert_eq!(sent(&other, &mut world), 10);
    world.now += Duration::from_millis(500);
    assert_eq!(sent(&two, &mut world), 5);
    world.advance(100);
    assert_eq!(sent(&one, &mut world), 10, "nothing is saved up");
    assert_eq!(
        world.server.counters().dropped.bandwidth,
        10 + 20 + 1 + 10 + 15 + 10
    );
}

#[test]
fn small_steps_of_time_are_not_lost() {
    let mut world = World::new("person_bandwidth = 1000");
    let peer = "198.51.100.9:1";
    let (mut client, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    assert_eq!(client.permit(&mut world, &[peer]).error(), None);
    let mut sent = 0;
    for _ in 0..100_000 {
        world.now += Duration::from_micros(100);
        sent += client.send(&mut world, peer, &[0; 10]).len();
    }
    // Ten seconds at 1000 bytes, and the second that was there at the beginning.
    assert!((1000..=1100).contains(&sent), "{sent}");
}
