//! Whatever bytes come from whomever, the server neither panics nor loses count.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

mod turn_harness;

use campana::stun::{Attribute, Method};
use proptest::{collection::vec, prelude::*};
use turn_harness::{Client, World, at, channel_data, indication, plain};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_datagrams_are_survived(datagrams in vec((0_u8..4, vec(any::<u8>(), 0..120)), 1..20)) {
        let mut world = World::new("");
        let (mut client, relay) = ready(&mut world);
        for (first, mut bytes) in datagrams {
            if let Some(byte) = bytes.first_mut() {
                *byte = [0, 1, 0x40, *byte][usize::from(first)];
            }
            let _ = world.datagram(client.address, &bytes);
            let _ = world.datagram(at("198.51.100.77:7"), &bytes);
            let _ = world.peer_sends(relay, at("198.51.100.9:1"), &bytes);
        }
        check(&mut world, &mut client);
    }

    /// Real messages with a few bytes changed reach further than random ones.
    #[test]
    fn damaged_messages_are_survived(
        kind in 0_usize..7,
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        resign in any::<bool>(),
    ) {
        let mut world = World::new("");
        let (mut client, _) = ready(&mut world);
        let peer = Attribute::XorPeerAddress(at("198.51.100.8:1"));
        let mut bytes = match kind {
            0 => client.encode(Method::ALLOCATE, &[Attribute::RequestedTransport(17)]),
            1 => client.encode(Method::REFRESH, &[Attribute::Lifetime(700)]),
            2 => client.encode(Method::CREATE_PERMISSION, &[peer, peer]),
            3 => client.encode(Method::CHANNEL_BIND, &[Attribute::ChannelNumber(0x4001), peer]),
            4 => indication(Method::SEND, &[peer, Attribute::Data(b"hello")]),
            5 => channel_data(0x4000, b"hello"),
            _ => plain(Method::BINDING, &[]),
        };
        for (place, value) in damage {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if !resign {
            bytes.truncate(cut.index(bytes.len()) + 1);
        }
        let _ = world.datagram(client.address, &bytes);
        check(&mut world, &mut client);
    }

    /// Behind good credentials any attributes may come.
    #[test]
    fn signed_nonsense_is_survived(
        method in prop::sample::select(&[3_u16, 4, 8, 9][..]),
        attributes in vec((prop::sample::select(KINDS), vec(any::<u8>(), 0..24)), 0..6),
    ) {
        use campana::stun::{AttributeType, Class, TransactionId, Writer};
        let mut world = World::new("");
        let (mut client, _) = ready(&mut world);
        let mut buffer = vec![0; 2000];
        let id = TransactionId([2; 12]);
        let mut writer = Writer::new(&mut buffer, Class::Request, Method::new(method), id);
        for (kind, value) in &attributes {
            writer.raw(AttributeType(*kind), value);
        }
        let length = writer
            .attribute(&Attribute::Username(&client.credentials.username))
            .attribute(&Attribute::Realm(&client.realm))
            .attribute(&Attribute::Nonce(&client.nonce))
            .integrity(&client.key())
            .finish()
            .unwrap();
        let reply = client.exchange(&mut world, &buffer[..length]);
        prop_assert!(reply.is_some(), "every authenticated request is answered");
        check(&mut world, &mut client);
    }
}

/// A client with an allocation, a permission and a channel.
fn ready(world: &mut World) -> (Client, std::net::SocketAddr) {
    let (mut client, relay) = Client::allocated(world, "198.51.100.1:1000", "juliet");
    assert_eq!(client.bind(world, 0x4000, "198.51.100.9:1").error(), None);
    (client, relay)
}

/// Sockets, allocations and the client's own view still agree, and all of it can be ended.
fn check(world: &mut World, client: &mut Client) {
    let allocations = world.server.counters().allocations;
    assert!(world.relays.len() as u64 >= allocations);
    let _ = client.refresh(world, 0);
    world.advance(4000);
    assert_eq!(
        (world.relays.len(), world.server.counters().allocations),
        (0, 0)
    );
    assert_eq!(client.allocate(world, &[]).error(), None);
}

const KINDS: &[u16] = &[
    0x0001, 0x0006, 0x0009, 0x000A, 0x000C, 0x000D, 0x0012, 0x0013, 0x0014, 0x0015, 0x0016, 0x0017,
    0x0018, 0x0019, 0x0019, 0x001A, 0x001E, 0x0020, 0x0022, 0x8000, 0x8022, 0x7777, 0x9999,
];
