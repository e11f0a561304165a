//! Sources without credentials: small replies, few of them, and no memory of anybody.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

mod turn_harness;

use std::net::SocketAddr;

use campana::{
    stun::{Attribute, AttributeType, Class, Method, TransactionId, Writer},
    turn::Transport,
};
use turn_harness::{Client, World, at, indication, message, plain};

#[test]
fn a_binding_reply_has_32_bytes_and_only_the_mapped_address() {
    let mut world = World::new("");
    let client = Client::new(&world, "198.51.100.1:1000", "juliet");
    let request = plain(Method::BINDING, &[]);
    assert_eq!(request.len(), 20);
    let reply = client.exchange(&mut world, &request).unwrap();
    assert_eq!(reply.0.len(), 32);
    let mapped = reply.attribute(AttributeType::XOR_MAPPED_ADDRESS);
    assert_eq!(mapped, Some(Attribute::XorMappedAddress(client.address)));
    let client6 = Client::new(&world, "[2001:db8::1]:1000", "juliet");
    let reply = client6.exchange(&mut world, &request).unwrap();
    assert_eq!(reply.0.len(), 44);
    let mapped = reply.attribute(AttributeType::XOR_MAPPED_ADDRESS);
    assert_eq!(mapped, Some(Attribute::XorMappedAddress(client6.address)));
}

#[test]
fn fingerprint_is_there_if_it_was_asked_for() {
    let mut world = World::new("");
    let client = Client::new(&world, "198.51.100.1:1000", "juliet");
    let mut buffer = [0; 28];
    let length = Writer::new(
        &mut buffer,
        Class::Request,
        Method::BINDING,
        TransactionId([1; 12]),
    )
    .fingerprint()
    .finish()
    .unwrap();
    // The client of the harness compares.
    let reply = client.exchange(&mut world, &buffer[..length]).unwrap();
    assert_eq!(reply.0.len(), 40);
}

#[test]
fn the_first_challenge_has_at_most_96_bytes() {
    let realm = "a-realm-of-16.xy";
    assert_eq!(realm.len(), 16);
    let config = format!("relay_address = '203.0.113.7'\nrealm = '{realm}'");
    let secrets = campana::credentials::Secrets::new(campana::credentials::Secret::new("s"));
    let mut world = World::with_secrets(&config, secrets);
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    let reply = client.challenge(&mut world);
    assert_eq!(client.realm, realm);
    assert!(
        reply
            .attribute(AttributeType::PASSWORD_ALGORITHMS)
            .is_some()
    );
    assert!(reply.attribute(AttributeType::SOFTWARE).is_none());
    assert_eq!(reply.0.len(), 96);
    // It stays that small when everything else is as long as it can be.
    let mut client6 = Client::new(&world, "[2001:db8::1]:65535", "juliet");
    world.advance(100_000);
    assert_eq!(client6.challenge(&mut world).0.len(), 96);
}

#[test]
fn many_unknown_attributes_do_not_make_a_large_reply() {
    let mut world = World::new("");
    let client = Client::new(&world, "198.51.100.1:1000", "juliet");
    let mut buffer = vec![0; 2000];
    let id = TransactionId([1; 12]);
    let mut writer = Writer::new(&mut buffer, Class::Request, Method::BINDING, id);
    for kind in 0x7000..0x7100 {
        writer.raw(AttributeType(kind), &[]);
    }
    let length = writer.finish().unwrap();
    let reply = client.exchange(&mut world, &buffer[..length]).unwrap();
    assert_eq!(reply.error(), Some(420));
    assert!(reply.0.len() <= 96, "{}", reply.0.len());
}

#[test]
fn a_refused_binding_has_a_small_reply() {
    let mut world = World::new("");
    let client = Client::new(&world, "198.51.100.1:1000", "juliet");
    let mut buffer = [0; 24];
    let id = TransactionId([1; 12]);
    let mut writer = Writer::new(&mut buffer, Class::Request, Method::BINDING, id);
    writer.raw(AttributeType(0x7000), &[]).finish().unwrap();
    let reply = client.exchange(&mut world, &buffer).unwrap();
    assert_eq!(reply.error(), Some(420));
    assert_eq!(reply.0.len(), 36);
}

#[test]
fn what_is_no_request_gets_no_answer() {
    let mut world = World::new("");
    let client: SocketAddr = "198.51.100.1:1000".parse().unwrap();
    let mut without_cookie = plain(Method::BINDING, &[]);
    without_cookie[4] = 0;
    let mut longer = plain(Method::BINDING, &[]);
    longer[3] = 4;
    let mut shorter = plain(Method::BINDING, &[]);
    shorter.push(0);
    let mut wrong_fingerprint = [0; 28];
    let mut writer = Writer::new(
        &mut wrong_fingerprint,
        Class::Request,
        Method::BINDING,
        TransactionId([1; 12]),
    );
    writer
        .raw(AttributeType::FINGERPRINT, &[1, 2, 3, 4])
        .finish()
        .unwrap();
    let mapped = Attribute::XorMappedAddress(client);
    for bytes in [
        &[][..],
        b"\0",
        b"GET / HTTP/1.1\r\n\r\n",
        &[0x80; 100],
        &without_cookie,
        &longer,
        &shorter,
        &wrong_fingerprint,
        &indication(Method::BINDING, &[]),
        &indication(Method::ALLOCATE, &[]),
        &indication(Method::DATA, &[]),
        &message(Class::Success, Method::BINDING, &[mapped]),
        &message(Class::Error, Method::ALLOCATE, &[]),
        &plain(Method::SEND, &[]),
        &plain(Method::DATA, &[]),
        &plain(Method::new(0x00A), &[]),
        &plain(Method::new(0xFFF), &[]),
    ] {
        assert_eq!(world.datagram(client, bytes), [], "{bytes:x?}");
    }
}

#[test]
fn replies_to_one_network_are_limited() {
    let mut world = World::new("replies_per_second = 10");
    for request in [
        plain(Method::BINDING, &[]),
        plain(Method::ALLOCATE, &[Attribute::RequestedTransport(17)]),
    ] {
        world.advance(1);
        let replies = count(&mut world, &request, |i| {
            format!("198.51.100.{}:{}", i % 200, 1000 + i)
        });
        assert_eq!(replies, 10);
        let other = count(&mut world, &request, |i| {
            format!("198.51.101.1:{}", 1000 + i)
        });
        assert_eq!(other, 10);
        let v6 = count(&mut world, &request, |i| {
            format!("[2001:db8:0:5::{i:x}]:1000")
        });
        assert_eq!(v6, 10);
        world.advance(1);
        let later = count(&mut world, &request, |i| {
            format!("198.51.100.1:{}", 1000 + i)
        });
        assert_eq!(later, 10);
    }
    assert!(world.server.counters().dropped.replies > 0);
}

#[test]
fn bindings_take_nothing_from_challenges() {
    let mut world = World::new("replies_per_second = 10");
    let from = |i| format!("198.51.100.1:{}", 1000 + i);
    let allocate = plain(Method::ALLOCATE, &[Attribute::RequestedTransport(17)]);
    assert_eq!(count(&mut world, &plain(Method::BINDING, &[]), from), 10);
    assert_eq!(count(&mut world, &allocate, from), 10);
}

#[test]
fn those_who_have_credentials_are_not_limited() {
    let mut world = World::new("replies_per_second = 2");
    let (mut client, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    for _ in 0..100 {
        assert_eq!(client.refresh(&mut world, 600).error(), None);
    }
}

#[test]
fn those_who_are_connected_are_not_limited() {
    let mut world = World::new("replies_per_second = 10");
    for request in [
        plain(Method::BINDING, &[]),
        plain(Method::ALLOCATE, &[Attribute::RequestedTransport(17)]),
    ] {
        // Somebody asks in the name of the whole network.
        assert_eq!(
            count(&mut world, &request, |i| format!("198.51.100.{i}:1000")),
            10
        );
        let client = at("198.51.100.1:1001");
        for transport in [Transport::Tcp, Transport::Tls] {
            assert_eq!(world.message(client, transport, &request).len(), 1);
        }
    }
}

#[test]
fn an_allocation_survives_a_flood_in_the_name_of_its_network() {
    let mut world = World::new("replies_per_second = 10");
    let (mut client, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    for _ in 0..7 {
        world.advance(590);
        let allocate = plain(Method::ALLOCATE, &[Attribute::RequestedTransport(17)]);
        let replies = count(&mut world, &allocate, |i| format!("198.51.100.{i}:1001"));
        assert_eq!(replies, 10);
        // More than an hour old, the nonce is replaced by another.
        assert_eq!(client.refresh(&mut world, 600).error(), None);
    }
    // But nobody else is told that his is stale.
    let mut forger = Client::new(&world, "198.51.100.1:1000", "juliet");
    (forger.realm, forger.nonce) = (client.realm.clone(), b"obMatJos2gAAA".to_vec());
    forger.credentials.password = String::from("wrong");
    let forged = forger.encode(Method::REFRESH, &[]);
    assert!(client.exchange(&mut world, &forged).is_none());
}

#[test]
fn sources_leave_no_trace() {
    let mut world = World::new("replies_per_second = 0");
    let before = format!("{:?}", world.server).len();
    let request = plain(Method::ALLOCATE, &[Attribute::RequestedTransport(17)]);
    for i in 0..32_000_u32 {
        let [_, _, c, d] = i.to_be_bytes();
        let client = SocketAddr::from(([198, 51, c, d], 1000));
        assert_eq!(world.datagram(client, &request).len(), 1);
    }
    // Everything the server holds is in there; only numbers may have grown longer.
    let after = format!("{:?}", world.server).len();
    assert!(after < before + 100, "{before} {after}");
    assert_eq!(world.server.counters().auth.challenged, 32_000);
}

fn count(world: &mut World, request: &[u8], address: impl Fn(u32) -> String) -> usize {
    (0..50)
        .map(|i| world.datagram(address(i).parse().unwrap(), request).len())
        .sum()
}
