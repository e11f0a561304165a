//! Nobody on the way can take the better password algorithm out of the exchange (RFC 8489 §9.2.4).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

mod turn_harness;

use campana::stun::{
    Algorithm, Attribute, AttributeType, Class, Key, Method, TransactionId, Writer,
};
use turn_harness::{ALGORITHMS, Client, Reply, World};

/// The error of an Allocate with this list, this choice and these integrity attributes.
fn allocate(
    list: Option<&[u8]>,
    chosen: Option<&[u8]>,
    integrities: (bool, bool),
    key: Algorithm,
) -> Option<u16> {
    reply(list, chosen, integrities, key).error()
}

fn reply(
    list: Option<&[u8]>,
    chosen: Option<&[u8]>,
    (sha1, sha256): (bool, bool),
    key: Algorithm,
) -> Reply {
    let mut world = World::new("");
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    client.challenge(&mut world);
    let mut buffer = vec![0; 1000];
    let id = TransactionId([1; 12]);
    let mut writer = Writer::new(&mut buffer, Class::Request, Method::ALLOCATE, id);
    writer
        .attribute(&Attribute::RequestedTransport(17))
        .attribute(&Attribute::Username(&client.credentials.username))
        .attribute(&Attribute::Realm(&client.realm))
        .attribute(&Attribute::Nonce(&client.nonce));
    if let Some(list) = list {
        writer.raw(AttributeType::PASSWORD_ALGORITHMS, list);
    }
    if let Some(chosen) = chosen {
        writer.raw(AttributeType::PASSWORD_ALGORITHM, chosen);
    }
    let parts = [
        &client.credentials.username,
        &client.realm,
        &client.credentials.password,
    ];
    let [username, realm, password] = parts.map(|part| part.as_bytes());
    let key = Key::long_term(key, username, realm, password);
    if sha1 {
        writer.integrity(&key);
    }
    if sha256 {
        writer.integrity_sha256(&key);
    }
    let length = writer.finish().unwrap();
    client.algorithm = Algorithm::from_number(u16::from(chosen.is_some_and(|it| it == SHA256)) + 1);
    client.exchange(&mut world, &buffer[..length]).unwrap()
}

#[test]
fn the_whole_list_and_one_of_it_are_right() {
    assert_eq!(
        allocate(
            Some(ALGORITHMS),
            Some(SHA256),
            ONLY_SHA256,
            Algorithm::Sha256
        ),
        None
    );
    assert_eq!(
        allocate(Some(ALGORITHMS), Some(MD5), ONLY_SHA256, Algorithm::Md5),
        None
    );
    assert_eq!(
        allocate(Some(ALGORITHMS), Some(MD5), ONLY_SHA1, Algorithm::Md5),
        None
    );
}

#[test]
fn neither_means_md5() {
    assert_eq!(allocate(None, None, ONLY_SHA1, Algorithm::Md5), None);
    assert_eq!(
        allocate(None, None, ONLY_SHA1, Algorithm::Sha256),
        Some(401)
    );
}

/// MESSAGE-INTEGRITY-SHA256 for all who named an algorithm, and for those who did and seem not to
/// know it MESSAGE-INTEGRITY as well: librice, with its defaults.
#[test]
fn replies_have_the_integrity_that_the_client_understands() {
    let has = |reply: &Reply| {
        assert_eq!(reply.error(), None);
        // From the bytes: what is behind an integrity attribute is nothing that the parser shows.
        let mut kinds = Vec::new();
        let mut rest = &reply.0[20..];
        while let [k0, k1, l0, l1, ..] = rest {
            kinds.push(AttributeType(u16::from_be_bytes([*k0, *k1])));
            let length = usize::from(u16::from_be_bytes([*l0, *l1]));
            rest = &rest[4 + length.next_multiple_of(4)..];
        }
        let has = |kind| kinds.contains(&kind);
        (
            has(AttributeType::MESSAGE_INTEGRITY),
            has(AttributeType::MESSAGE_INTEGRITY_SHA256),
        )
    };
    let md5 = Algorithm::Md5;
    let old = reply(None, None, ONLY_SHA1, md5);
    assert_eq!(has(&old), ONLY_SHA1);
    let new = reply(Some(ALGORITHMS), Some(MD5), ONLY_SHA256, md5);
    assert_eq!(has(&new), ONLY_SHA256);
    let between = reply(Some(ALGORITHMS), Some(MD5), ONLY_SHA1, md5);
    assert_eq!(has(&between), (true, true));
}

#[test]
fn exactly_one_of_both_is_a_bad_request() {
    assert_eq!(
        allocate(Some(ALGORITHMS), None, ONLY_SHA1, Algorithm::Md5),
        Some(400)
    );
    assert_eq!(
        allocate(None, Some(MD5), ONLY_SHA1, Algorithm::Md5),
        Some(400)
    );
    assert_eq!(
        allocate(None, Some(SHA256), ONLY_SHA256, Algorithm::Sha256),
        Some(400)
    );
}

#[test]
fn a_changed_list_is_a_bad_request() {
    let shorter = &ALGORITHMS[4..];
    let turned = [&ALGORITHMS[4..], &ALGORITHMS[..4]].concat();
    let longer = [ALGORITHMS, &[0, 3, 0, 0]].concat();
    for list in [shorter, &turned, &longer, &[], &[0, 1]] {
        assert_eq!(
            allocate(Some(list), Some(MD5), ONLY_SHA1, Algorithm::Md5),
            Some(400),
            "{list:?}"
        );
    }
}

#[test]
fn an_algorithm_outside_the_list_is_a_bad_request() {
    for chosen in [
        &[0, 3, 0, 0][..],
        &[0, 0, 0, 0],
        &[0, 1],
        &[0, 1, 0, 4, 1, 2, 3, 4],
        ALGORITHMS,
    ] {
        let error = allocate(Some(ALGORITHMS), Some(chosen), ONLY_SHA1, Algorithm::Md5);
        assert_eq!(error, Some(400), "{chosen:?}");
    }
}

#[test]
fn of_two_integrities_the_better_one_counts() {
    let both = (true, true);
    assert_eq!(
        allocate(Some(ALGORITHMS), Some(SHA256), both, Algorithm::Sha256),
        None
    );
    assert_eq!(allocate(None, None, both, Algorithm::Md5), None);
}

#[test]
fn a_nonce_without_the_feature_bit_is_stale() {
    let mut world = World::new("");
    let mut client = Client::new(&world, "198.51.100.1:1000", "juliet");
    client.challenge(&mut world);
    client.nonce[9..13].copy_from_slice(b"AAAA");
    let reply = client.try_request(
        &mut world,
        Method::ALLOCATE,
        &[Attribute::RequestedTransport(17)],
    );
    assert_eq!(reply.error(), Some(438));
}

const MD5: &[u8] = &[0, 1, 0, 0];
const SHA256: &[u8] = &[0, 2, 0, 0];
const ONLY_SHA1: (bool, bool) = (true, false);
const ONLY_SHA256: (bool, bool) = (false, true);
