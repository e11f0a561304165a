//! Before the server stops: nobody gets a new allocation, and nobody loses one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "integration test"
)]

mod turn_harness;

use std::time::{Duration, Instant};

use campana::{
    credentials::{Secret, Secrets, mint},
    io::turn::start,
    stun::{Attribute, Method},
    turn::Config,
};
use turn_harness::{Client, World, live::Live};

const PEER: &str = "198.51.100.9:9";

#[test]
fn allocations_live_on_and_no_new_ones_are_made() {
    let mut world = World::new("");
    let (mut client, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    world.server.drain();
    let mut late = Client::new(&world, "198.51.100.2:1000", "romeo");
    assert_eq!(late.allocate(&mut world, &[]).error(), Some(508));
    assert_eq!(client.refresh(&mut world, 600).error(), None);
    assert_eq!(client.bind(&mut world, 0x4000, PEER).error(), None);
    assert_eq!(client.send_channel(&mut world, 0x4000, b"x").len(), 1);
    assert_eq!(client.refresh(&mut world, 0).error(), None);
    assert_eq!(world.server.counters().allocations, 0);
}

#[tokio::test]
async fn the_service_waits_for_the_last_one_or_for_the_deadline() {
    let lines = "listen = ['udp:127.0.0.1:0']\nrealm = 'example.org'\nworkers = 2";
    let config: Config = toml::from_str(lines).unwrap();
    let service = start(&config, Secrets::new(Secret::new("north")), &[]).unwrap();
    let credentials = mint(&Secret::new("north"), "juliet", u64::from(u32::MAX));
    let live = Live::new(service.listening()[0].address);
    let (live, mut client) = tokio::task::spawn_blocking(move || {
        let client = live.allocate(credentials, &[]);
        (live, client)
    })
    .await
    .unwrap();

    let begun = Instant::now();
    service.drain(begun + Duration::from_millis(1500)).await;
    assert!(begun.elapsed() >= Duration::from_millis(1500));
    assert_eq!(service.counters().allocations, 1);

    let deleted = live.exchange(&client.encode(Method::REFRESH, &[Attribute::Lifetime(0)]));
    assert_eq!(deleted.error(), None);
    service.drain(begun + Duration::from_secs(600)).await;
    assert_eq!(service.stop().await.allocations, 0);
}
