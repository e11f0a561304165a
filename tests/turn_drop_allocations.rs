//! Hang-up ends all allocations of a user name, and of no other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

mod turn_harness;

use campana::credentials::{Secret, mint};
use turn_harness::{Client, SECRET, UNIX, World};

#[test]
fn the_allocations_of_one_user_name_end_at_once() {
    let mut world = World::new("user_allocations = 2");
    let credentials = mint(&Secret::new(SECRET), "juliet", UNIX + 1000);
    let mut call: Vec<_> = ["198.51.100.1:1000", "198.51.100.1:1001"]
        .map(|address| Client::with(address, credentials.clone()))
        .into();
    for client in &mut call {
        assert_eq!(client.allocate(&mut world, &[]).error(), None);
        assert_eq!(client.permit(&mut world, &["198.51.100.9:1"]).error(), None);
    }
    let (mut other, _) = Client::allocated(&mut world, "198.51.100.1:1002", "romeo");
    world.drop_allocations("juliet");
    assert_eq!(world.relays.len(), 3);
    world.drop_allocations(&credentials.username);
    assert_eq!(world.relays.len(), 1);
    for client in &mut call {
        assert_eq!(client.send(&mut world, "198.51.100.9:1", b"x"), []);
        assert_eq!(client.refresh(&mut world, 600).error(), Some(437));
    }
    assert_eq!(other.refresh(&mut world, 600).error(), None);
    let mut next = Client::new(&world, "198.51.100.1:1003", "juliet");
    assert_eq!(
        next.allocate(&mut world, &[]).error(),
        None,
        "the quota is free again"
    );
}
