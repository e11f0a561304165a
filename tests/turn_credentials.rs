//! Who gets in: long-term credentials in the TURN REST form, with nonces that need no memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

mod turn_harness;

use campana::{
    credentials::{Credentials, Secret, Secrets, mint},
    stun::{Algorithm, Attribute, AttributeType, Class, Method, TransactionId, Writer},
};
use turn_harness::{Client, Reply, SECRET, UNIX, World, plain};

#[test]
fn without_credentials_there_is_a_challenge() {
    let mut world = World::new("");
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    let reply = client.challenge(&mut world);
    assert_eq!(client.realm, "example.org");
    assert!(client.nonce.starts_with(b"obMatJos2gAAA"));
    let Some(Attribute::PasswordAlgorithms(list)) =
        reply.attribute(AttributeType::PASSWORD_ALGORITHMS)
    else {
        panic!("no algorithms");
    };
    assert_eq!(
        list.iter().map(|(number, _)| number).collect::<Vec<_>>(),
        [2, 1]
    );
    for method in [
        Method::REFRESH,
        Method::CREATE_PERMISSION,
        Method::CHANNEL_BIND,
    ] {
        let reply = client.exchange(&mut world, &plain(method, &[])).unwrap();
        assert_eq!(reply.error(), Some(401));
    }
}

#[test]
fn both_algorithms_let_in() {
    let mut world = World::new("");
    for (port, algorithm) in [
        (1, None),
        (2, Some(Algorithm::Md5)),
        (3, Some(Algorithm::Sha256)),
    ] {
        let mut client = Client::new(&world, &format!("198.51.100.1:{port}"), "juliet");
        client.algorithm = algorithm;
        let reply = client.allocate(&mut world, &[]);
        assert_eq!(reply.error(), None, "{algorithm:?}");
        // The client of the harness has checked the signature of the reply.
        assert!(reply.message().has_integrity());
    }
}

#[test]
fn a_wrong_password_and_an_impossible_user_look_the_same() {
    let mut world = World::new("");
    let good = mint(&Secret::new(SECRET), "juliet", UNIX + 60);
    let wrong = Credentials {
        password: mint(&Secret::new("south"), "juliet", UNIX + 60).password,
        ..good
    };
    let unknown = credentials("juliet");
    let sizes = [wrong, unknown].map(|credentials| {
        let mut client = Client::with("198.51.100.1:1000", credentials);
        let reply = client.allocate(&mut world, &[]);
        assert_eq!(reply.error(), Some(401));
        assert!(!reply.message().has_integrity());
        reply.0.len()
    });
    assert_eq!(sizes[0], sizes[1]);
    let auth = world.server.counters().auth;
    assert_eq!((auth.wrong_password, auth.unknown_user), (1, 1));
}

#[test]
fn user_names_that_nobody_minted_are_refused() {
    let mut world = World::new("replies_per_second = 0");
    let past = UNIX - 1;
    let names = [
        "",
        ":",
        "juliet",
        ":juliet",
        "-1:juliet",
        "+1900000000:juliet",
        " 1900000000:juliet",
        "1900000000",
        "1900000000:",
        "1.9e9:juliet",
        "01900000000:juliet",
        "4294967297:juliet",
        "18446744073709551616:juliet",
        "99999999999999999999:juliet",
        &format!("{past}:juliet"),
        &format!("{UNIX}:juliet"),
        "0:juliet",
    ];
    for name in names {
        let mut client = Client::with("198.51.100.1:1000", credentials(name));
        assert_eq!(
            client.allocate(&mut world, &[]).error(),
            Some(401),
            "{name}"
        );
    }
    for name in ["4294967296:juliet", &format!("{}:a:b", UNIX + 1)] {
        let mut client = Client::with("198.51.100.1:1000", credentials(name));
        assert_eq!(client.allocate(&mut world, &[]).error(), None, "{name}");
        assert_eq!(client.refresh(&mut world, 0).error(), None);
    }
}

#[test]
fn they_end_at_their_second_for_everything() {
    let mut world = World::new("");
    let short = mint(&Secret::new(SECRET), "juliet", UNIX + 100);
    let mut client = Client::with("198.51.100.1:1000", short.clone());
    assert_eq!(client.allocate(&mut world, &[]).error(), None);
    world.advance(99);
    let mut late = Client::with("198.51.100.1:1001", short.clone());
    assert_eq!(late.allocate(&mut world, &[]).error(), None);
    assert_eq!(client.permit(&mut world, &["198.51.100.9:1"]).error(), None);
    world.advance(1);
    let mut later = Client::with("198.51.100.1:1002", short);
    assert_eq!(later.allocate(&mut world, &[]).error(), Some(401));
    let peer = "198.51.100.9:1";
    let refused = [
        client.refresh(&mut world, 600),
        client.permit(&mut world, &[peer]),
        client.bind(&mut world, 0x4000, peer),
        client.refresh(&mut world, 0),
    ];
    assert_eq!(refused.map(|reply| reply.error()), [Some(401); 4]);
    assert_eq!(world.server.counters().auth.expired, 5);
    // What was allowed before lasts as long as it was said to.
    assert_eq!(client.send(&mut world, peer, b"x").len(), 1);
    world.advance(600);
    assert_eq!(client.send(&mut world, peer, b"x"), []);
    assert_eq!(world.server.counters().allocations, 0);
}

#[test]
fn the_wall_clock_may_be_set() {
    let mut world = World::new("");
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    world.server.handle_wall_clock(world.now, UNIX + 86_400);
    assert_eq!(client.allocate(&mut world, &[]).error(), Some(401));
}

#[test]
fn a_nonce_is_for_one_client_and_one_hour() {
    let mut world = World::new("");
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    client.challenge(&mut world);
    let nonce = client.nonce.clone();
    let mut forged = nonce.clone();
    *forged.last_mut().unwrap() ^= 1;
    let mut older = nonce.clone();
    older[14] ^= 1;
    let mut other = Client::new(&world, "198.51.100.1:1001", "juliet");
    other.challenge(&mut world);
    assert_ne!(other.nonce, nonce);
    let bad: [&[u8]; 8] = [
        &forged,
        &older,
        &nonce[..31],
        &nonce[..13],
        &[],
        b"x",
        &other.nonce,
        &[&nonce[..], b"A"].concat(),
    ];
    let algorithms = [None, Some(Algorithm::Md5), Some(Algorithm::Sha256)];
    for (bad, algorithm) in bad.iter().flat_map(|bad| algorithms.map(|it| (bad, it))) {
        client.nonce = bad.to_vec();
        client.algorithm = algorithm;
        let reply = refresh(&mut client, &mut world);
        assert_eq!(reply.error(), Some(438), "{bad:?} {algorithm:?}");
        for kind in [
            AttributeType::REALM,
            AttributeType::NONCE,
            AttributeType::PASSWORD_ALGORITHMS,
        ] {
            assert!(reply.attribute(kind).is_some(), "{kind:?}");
        }
    }
    client.nonce.clone_from(&nonce);
    client.algorithm = None;
    world.advance(3599);
    assert_eq!(refresh(&mut client, &mut world).error(), Some(437));
    world.advance(1);
    assert_eq!(refresh(&mut client, &mut world).error(), Some(438));
}

#[test]
fn incomplete_credentials_are_bad_requests() {
    let mut world = World::new("");
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    client.challenge(&mut world);
    let all = [
        Attribute::Username(&client.credentials.username),
        Attribute::Realm(&client.realm),
        Attribute::Nonce(&client.nonce),
    ];
    for left_out in 0..3 {
        let mut attributes = all.to_vec();
        attributes.remove(left_out);
        let reply = client
            .exchange(&mut world, &signed(&client, Method::REFRESH, &attributes))
            .unwrap();
        assert_eq!(reply.error(), Some(400), "{left_out}");
        assert!(reply.attribute(AttributeType::NONCE).is_none());
    }
    let hash = Attribute::UserHash(campana::stun::user_hash(
        client.credentials.username.as_bytes(),
        client.realm.as_bytes(),
    ));
    let attributes = [hash, all[1], all[2]];
    let reply = client
        .exchange(&mut world, &signed(&client, Method::REFRESH, &attributes))
        .unwrap();
    assert_eq!(reply.error(), Some(401), "USERHASH");
    let both = [hash, all[0], all[1], all[2]];
    let reply = client
        .exchange(&mut world, &signed(&client, Method::REFRESH, &both))
        .unwrap();
    assert_eq!(reply.error(), Some(401), "USERHASH beside USERNAME");
}

#[test]
fn what_follows_the_signature_is_ignored() {
    let mut world = World::new("");
    let (mut client, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    let mut bytes = client.encode(Method::REFRESH, &[Attribute::Lifetime(1200)]);
    // LIFETIME = 0, appended by somebody on the way, with the length put right.
    bytes.extend([0x00, 0x0D, 0x00, 0x04, 0, 0, 0, 0]);
    let length = u16::try_from(bytes.len() - 20).unwrap();
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
    let reply = client.exchange(&mut world, &bytes).unwrap();
    assert_eq!((reply.error(), reply.lifetime()), (None, Some(1200)));
}

#[test]
fn an_allocation_obeys_only_the_user_who_made_it() {
    let mut world = World::new("");
    let (mut juliet, _) = Client::allocated(&mut world, "198.51.100.1:1000", "juliet");
    let mut romeo = Client::new(&world, "198.51.100.1:1000", "romeo");
    assert_eq!(romeo.refresh(&mut world, 0).error(), Some(441));
    assert_eq!(
        romeo.permit(&mut world, &["198.51.100.9:1"]).error(),
        Some(441)
    );
    assert_eq!(
        romeo.bind(&mut world, 0x4000, "198.51.100.9:1").error(),
        Some(441)
    );
    assert_eq!(romeo.allocate(&mut world, &[]).error(), Some(437));
    assert_eq!(juliet.refresh(&mut world, 600).error(), None);
}

#[test]
fn two_secrets_are_taken_while_one_replaces_the_other() {
    let secrets = Secrets {
        current: Secret::new("new"),
        previous: Some(Secret::new("old")),
    };
    let config = "realm = 'example.org'\nrelay_address = '203.0.113.7'";
    let mut world = World::with_secrets(config, secrets);
    for (port, secret, error) in [(1, "new", None), (2, "old", None), (3, "older", Some(401))] {
        let credentials = mint(&Secret::new(secret), "juliet", UNIX + 60);
        let mut client = Client::with(&format!("198.51.100.1:{port}"), credentials);
        assert_eq!(client.allocate(&mut world, &[]).error(), error, "{secret}");
    }
}

/// With the right password for any user name.
fn credentials(username: &str) -> Credentials {
    Credentials {
        username: username.into(),
        password: Secret::new(SECRET).password(username),
    }
}

fn refresh(client: &mut Client, world: &mut World) -> Reply {
    client.try_request(world, Method::REFRESH, &[])
}

fn signed(client: &Client, method: Method, attributes: &[Attribute<'_>]) -> Vec<u8> {
    let mut buffer = vec![0; 1000];
    let mut writer = Writer::new(&mut buffer, Class::Request, method, TransactionId([1; 12]));
    for attribute in attributes {
        writer.attribute(attribute);
    }
    let length = writer.integrity(&client.key()).finish().unwrap();
    buffer.truncate(length);
    buffer
}
