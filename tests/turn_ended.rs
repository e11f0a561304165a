//! What remains of an allocation: why it ended, how long it lasted, what went through it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

mod turn_harness;

use std::{collections::BTreeSet, time::Duration};

use campana::turn::{End, Ends, Traffic};
use turn_harness::{Client, World, at};

#[test]
fn the_bytes_of_both_directions_are_on_the_credential() {
    let mut world = World::new("");
    let (mut client, relay) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    assert_eq!(
        client.bind(&mut world, 0x4000, "198.51.100.9:1").error(),
        None
    );
    for _ in 0..3 {
        let _ = client.send_channel(&mut world, 0x4000, &[0; 100]);
    }
    let _ = world.peer_sends(relay, at("198.51.100.9:1"), &[0; 70]);
    // Neither of these is passed on.
    let _ = world.peer_sends(relay, at("198.51.100.10:1"), &[0; 70]);
    let _ = client.send_channel(&mut world, 0x4001, &[0; 100]);
    world.advance(30);
    assert_eq!(client.refresh(&mut world, 0).error(), None);
    let [ended] = &world.ended[..] else {
        panic!("{:?}", world.ended);
    };
    assert_eq!(*ended.username, *client.credentials.username);
    assert_eq!(ended.client.client, client.address);
    assert_eq!(ended.lasted, Duration::from_secs(30));
    assert_eq!(
        (ended.up, ended.down),
        (
            Traffic {
                packets: 3,
                bytes: 300
            },
            Traffic {
                packets: 1,
                bytes: 70
            }
        )
    );
    assert_eq!(ended.end, End::Deleted);
}

#[test]
fn each_end_has_its_reason() {
    let mut world = World::new("");
    let (dropped, _) = Client::allocated(&mut world, "198.51.100.1:1", "juliet");
    world.drop_allocations(&dropped.credentials.username);
    let _ = Client::allocated(&mut world, "198.51.100.1:2", "romeo");
    world.advance(601);
    let (gone, _) = Client::allocated(&mut world, "198.51.100.1:3", "nurse");
    world.disconnect(gone.address);
    let ends: Vec<_> = world.ended.iter().map(|it| it.end).collect();
    assert_eq!(ends, [End::Dropped, End::Expired, End::Disconnected]);
    let counters = world.server.counters();
    assert_eq!(counters.allocations, 0);
    let Ends {
        dropped,
        expired,
        disconnected,
        ..
    } = counters.ended;
    assert_eq!((dropped, expired, disconnected), (1, 1, 1));
    assert!(world.relays.is_empty());
}

#[test]
fn what_never_came_to_be_does_not_end() {
    let mut world = World::new("user_allocations = 1");
    let (mut client, _) = Client::allocated(&mut world, "198.51.100.1:1", "juliet");
    let mut other = Client::new(&world, "198.51.100.1:2", "juliet");
    assert_eq!(other.allocate(&mut world, &[]).error(), Some(486));
    assert_eq!(world.ended, []);
    assert_eq!(client.refresh(&mut world, 0).error(), None);
    assert_eq!(world.ended.len(), 1);
}

#[test]
fn the_counters_say_what_went_where_and_what_was_refused() {
    let mut world = World::new("user_allocations = 1");
    let (mut client, relay) = Client::allocated(&mut world, "198.51.100.1:1", "juliet");
    let mut other = Client::new(&world, "198.51.100.1:2", "juliet");
    assert_eq!(other.allocate(&mut world, &[]).error(), Some(486));
    assert_eq!(
        client.permit(&mut world, &["127.0.0.1:1"]).error(),
        Some(403)
    );
    assert_eq!(client.permit(&mut world, &["198.51.100.9:1"]).error(), None);
    let _ = client.send(&mut world, "198.51.100.9:1", &[0; 10]);
    let _ = world.peer_sends(relay, at("198.51.100.9:1"), &[0; 20]);
    let counters = world.server.counters();
    assert_eq!(
        counters.from_clients.udp,
        Traffic {
            packets: 1,
            bytes: 10
        }
    );
    assert_eq!(
        counters.to_clients.udp,
        Traffic {
            packets: 1,
            bytes: 20
        }
    );
    assert_eq!(counters.to_clients.tcp, Traffic::default());
    assert_eq!((counters.refused.quota, counters.refused.forbidden), (1, 1));
    let samples = counters.samples();
    let value = |name: &str, labels: &str| {
        let found = samples
            .iter()
            .find(|it| (it.name, it.labels) == (name, labels));
        found.map(|it| it.value)
    };
    assert_eq!(
        value("turn_requests_refused_total", "code=\"486\""),
        Some(1)
    );
    assert_eq!(
        value("turn_relayed_bytes_total", "route=\"down\""),
        Some(20)
    );
    assert_eq!(value("turn_allocations", ""), Some(1));
    let names: BTreeSet<_> = samples.iter().map(|it| (it.name, it.labels)).collect();
    assert_eq!(names.len(), samples.len(), "each is there once");
}
