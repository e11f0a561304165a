//! Relay ports cannot be foreseen and are not used again soon.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

mod turn_harness;

use std::collections::BTreeSet;

use turn_harness::{Client, World};

#[test]
fn they_are_spread_over_the_whole_range() {
    let mut world =
        World::new("user_allocations = 0\naddress_allocations = 0\nreplies_per_second = 0");
    let ports: Vec<u16> = (1000..1500)
        .map(|port| {
            Client::allocated(&mut world, &format!("198.51.100.1:{port}"), "j")
                .1
                .port()
        })
        .collect();
    assert!(ports.iter().all(|port| *port >= 49152));
    let near = ports
        .windows(2)
        .filter(|pair| pair[0].abs_diff(pair[1]) < 16)
        .count();
    assert!(near < 10, "{near} of 499 are close to the one before");
    let eighths: BTreeSet<_> = ports.iter().map(|port| (port - 49152) / 2048).collect();
    assert_eq!(eighths.len(), 8);
    let rising = ports.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!((180..320).contains(&rising), "{rising}");
}

#[test]
fn a_port_rests_after_its_use() {
    let mut world = World::new("relay_ports = '50000-50099'");
    let (mut first, relay) = Client::allocated(&mut world, "198.51.100.1:1", "juliet");
    assert_eq!(first.refresh(&mut world, 0).error(), None);
    for port in 2..100 {
        let (mut client, again) =
            Client::allocated(&mut world, &format!("198.51.100.1:{port}"), "j");
        assert_ne!(again, relay);
        assert_eq!(client.refresh(&mut world, 0).error(), None);
    }
}

#[test]
fn another_seed_gives_other_ports() {
    use campana::{
        credentials::{Secret, Secrets},
        turn::{Config, Output, Server, Site},
    };
    let config: Config = toml::from_str("relay_address = '203.0.113.7'").unwrap();
    let now = World::new("").now;
    let mut one = World::new("relay_address = '203.0.113.7'");
    let mut two = World::new("relay_address = '203.0.113.7'");
    let secrets = Secrets::new(Secret::new(turn_harness::SECRET));
    two.server = Server::new(
        &config,
        secrets,
        Site::default(),
        now,
        turn_harness::UNIX,
        [8; 32],
    );
    assert!(matches!(two.server.poll_output(), Output::Timeout(None)));
    let relays =
        [&mut one, &mut two].map(|world| Client::allocated(world, "198.51.100.1:1", "j").1);
    assert_ne!(relays[0], relays[1]);
}
