//! Hang-up ends all allocations of a user name, and of no other; an admin ends those of all user
//! names of a person.
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
    for other_name in ["julie", "uliet", ":juliet", "1:juliet", ""] {
        world.drop_allocations(other_name);
        assert_eq!(world.relays.len(), 3, "{other_name}");
    }
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

#[test]
fn a_person_stands_for_all_her_user_names() {
    let mut world = World::new("");
    for (port, expiry) in [(1000, UNIX + 1000), (1001, UNIX + 2000)] {
        let credentials = mint(&Secret::new(SECRET), "juliet", expiry);
        let mut client = Client::with(&format!("198.51.100.1:{port}"), credentials);
        assert_eq!(client.allocate(&mut world, &[]).error(), None);
    }
    let (mut other, _) = Client::allocated(&mut world, "198.51.100.1:1002", "romeo");
    assert_eq!(world.relays.len(), 3);
    world.drop_allocations("juliet");
    assert_eq!(world.relays.len(), 1);
    assert_eq!(other.refresh(&mut world, 600).error(), None);
}
