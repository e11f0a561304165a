//! Allocate: what it answers, what it refuses, and that its retransmission changes nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

mod turn_harness;

use campana::{
    stun::{Attribute, AttributeType, Family, Method},
    turn::OpenError,
};
use turn_harness::{Client, Sent, World, at};

#[test]
fn it_answers_relayed_address_lifetime_and_mapped_address() {
    let mut world = World::new("");
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    let reply = client.allocate(&mut world, &[]);
    assert_eq!((reply.error(), reply.lifetime()), (None, Some(600)));
    assert_eq!(
        world.relays.values().copied().collect::<Vec<_>>(),
        reply.relayed()
    );
    assert_eq!(reply.relayed()[0].ip(), at("203.0.113.7:0").ip());
    let mapped = reply.attribute(AttributeType::XOR_MAPPED_ADDRESS);
    assert_eq!(mapped, Some(Attribute::XorMappedAddress(client.address)));
    assert!(reply.message().has_integrity() && !reply.message().has_fingerprint());
}

#[test]
fn behind_a_nat_the_told_address_differs_from_the_bound_one() {
    let mut world = World::new("relay_address = '203.0.113.7'\nrelay_bind = '10.0.0.7'");
    let (_, told) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    assert_eq!(told.ip(), at("203.0.113.7:0").ip());
    assert_eq!(world.asked, [at(&format!("10.0.0.7:{}", told.port()))]);
}

#[test]
fn a_second_one_is_a_mismatch_but_a_retransmission_gets_the_same_answer() {
    let mut world = World::new("");
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    client.challenge(&mut world);
    let bytes = client.encode(Method::ALLOCATE, &[Attribute::RequestedTransport(17)]);
    let first = client.exchange(&mut world, &bytes).unwrap();
    let again = client.exchange(&mut world, &bytes).unwrap();
    assert_eq!(first.0, again.0);
    assert_eq!(world.relays.len(), 1);
    assert_eq!(client.allocate(&mut world, &[]).error(), Some(437));
}

#[test]
fn other_requests_need_an_allocation() {
    let mut world = World::new("");
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    assert_eq!(client.refresh(&mut world, 600).error(), Some(437));
    assert_eq!(
        client.permit(&mut world, &["198.51.100.9:1"]).error(),
        Some(437)
    );
    assert_eq!(
        client.bind(&mut world, 0x4000, "198.51.100.9:1").error(),
        Some(437)
    );
}

#[test]
fn only_udp_is_relayed() {
    let mut world = World::new("");
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    assert_eq!(
        client.request(&mut world, Method::ALLOCATE, &[]).error(),
        Some(400)
    );
    for protocol in [0, 6, 18] {
        let attributes = [Attribute::RequestedTransport(protocol)];
        let reply = client.request(&mut world, Method::ALLOCATE, &attributes);
        assert_eq!(reply.error(), Some(442), "{protocol}");
    }
}

#[test]
fn attributes_that_contradict_each_other_are_bad_requests() {
    let mut world = World::new("");
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    let token = Attribute::ReservationToken([1; 8]);
    let even = Attribute::EvenPort { reserve: false };
    let pair = Attribute::EvenPort { reserve: true };
    let v6 = Attribute::RequestedAddressFamily(Family::IPV6);
    let both = Attribute::AdditionalAddressFamily(Family::IPV6);
    for contradiction in [
        &[even, token][..],
        &[v6, token],
        &[both, token],
        &[v6, both],
        &[pair, both],
        &[Attribute::AdditionalAddressFamily(Family::IPV4)],
        &[Attribute::AdditionalAddressFamily(Family(9))],
    ] {
        assert_eq!(
            client.allocate(&mut world, contradiction).error(),
            Some(400),
            "{contradiction:?}"
        );
    }
    assert_eq!(client.allocate(&mut world, &[token]).error(), Some(508));
    assert_eq!(world.server.counters().allocations, 0);
}

#[test]
fn families_that_are_not_served_are_refused() {
    let mut world = World::new("relay_address = '203.0.113.7'");
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    for family in [Family(0), Family(9), Family::IPV6] {
        let reply = client.allocate(&mut world, &[Attribute::RequestedAddressFamily(family)]);
        assert_eq!(reply.error(), Some(440), "{family:?}");
    }
    let mut world = World::new("relay_address = '2001:db8::7'");
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    assert_eq!(client.allocate(&mut world, &[]).error(), Some(440));
}

#[test]
fn unknown_attributes_that_must_be_understood_are_listed() {
    let mut world = World::new("");
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    client.challenge(&mut world);
    // DONT-FRAGMENT is unknown to a server that cannot set DF.
    for (kind, listed) in [(0x0003, 0x0003), (0x7FFF, 0x7FFF), (0x001A, 0x001A)] {
        let bytes = with_raw(&client, [kind]);
        let reply = client.exchange(&mut world, &bytes).unwrap();
        assert_eq!(reply.error(), Some(420));
        assert!(reply.message().has_integrity());
        let list = u16::to_be_bytes(listed);
        let unknown = reply.attribute(AttributeType::UNKNOWN_ATTRIBUTES);
        assert_eq!(unknown, Some(Attribute::UnknownAttributes(&list)));
    }
    let optional = with_raw(&client, [0xC057]);
    assert_eq!(
        client.exchange(&mut world, &optional).unwrap().error(),
        None
    );
}

#[test]
fn all_of_many_unknown_attributes_are_listed_once() {
    let mut world = World::new("");
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    client.challenge(&mut world);
    let bytes = with_raw(&client, (0x7000..0x7028).chain([0x7000, 0x7001]));
    let reply = client.exchange(&mut world, &bytes).unwrap();
    let listed: Vec<u8> = (0x7000_u16..0x7028).flat_map(u16::to_be_bytes).collect();
    let unknown = reply.attribute(AttributeType::UNKNOWN_ATTRIBUTES);
    assert_eq!(unknown, Some(Attribute::UnknownAttributes(&listed)));
}

#[test]
fn another_port_is_tried_when_one_is_in_use() {
    let mut world = World::new("");
    world.failures = [OpenError::InUse; 7].into();
    let (_, relay) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    assert_eq!(world.asked.len(), 8);
    assert_eq!(world.asked[7], relay);
    let mut ports: Vec<_> = world.asked.iter().map(|it| it.port()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 8);
}

#[test]
fn without_a_socket_there_is_no_capacity() {
    for failures in [vec![OpenError::Exhausted], vec![OpenError::InUse; 8]] {
        let mut world = World::new("user_allocations = 1");
        world.failures = failures.into();
        let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
        assert_eq!(client.allocate(&mut world, &[]).error(), Some(508));
        assert_eq!(world.server.counters().allocations, 0);
        assert_eq!(client.allocate(&mut world, &[]).error(), None);
    }
}

#[test]
fn relayed_data_comes_from_exactly_the_relayed_address() {
    let mut world = World::new("");
    let (mut one, relay1) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    let (mut two, relay2) = Client::allocated(&mut world, "198.51.100.1:1001", "juliet");
    for (client, relay) in [(&mut one, relay1), (&mut two, relay2)] {
        assert_eq!(client.permit(&mut world, &["198.51.100.9:1"]).error(), None);
        let sent = client.send(&mut world, "198.51.100.9:1", b"x");
        let peer = at("198.51.100.9:1");
        assert_eq!(
            sent,
            [Sent::ToPeer {
                relay,
                peer,
                bytes: b"x".to_vec()
            }]
        );
    }
}

/// An Allocate with an empty attribute of some type.
fn with_raw(client: &Client, kinds: impl IntoIterator<Item = u16>) -> Vec<u8> {
    use campana::stun::{Class, TransactionId, Writer};
    let mut buffer = vec![0; 1000];
    let id = TransactionId([1; 12]);
    let mut writer = Writer::new(&mut buffer, Class::Request, Method::ALLOCATE, id);
    for kind in kinds {
        writer.raw(AttributeType(kind), &[]);
    }
    let length = writer
        .attribute(&Attribute::RequestedTransport(17))
        .attribute(&Attribute::Username(&client.credentials.username))
        .attribute(&Attribute::Realm(&client.realm))
        .attribute(&Attribute::Nonce(&client.nonce))
        .integrity(&client.key())
        .finish()
        .unwrap();
    buffer.truncate(length);
    buffer
}
