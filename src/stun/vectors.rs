//! The published test vectors: RFC 5769 §2.1 to §2.4 and RFC 8489 appendix B.1.

use std::net::SocketAddr;

use data_encoding::HEXLOWER;
use ring::hmac;

use super::*;

#[test]
fn rfc5769_request() {
    let bytes = hex(REQUEST);
    let message = Message::decode(&bytes).unwrap();
    assert_eq!(
        (message.class(), message.method()),
        (Class::Request, Method::BINDING)
    );
    assert_eq!(
        typed(&message, AttributeType::USERNAME),
        Attribute::Username("evtj:h6vY")
    );
    assert_eq!(
        typed(&message, AttributeType::SOFTWARE),
        Attribute::Software("STUN test client")
    );
    assert!(message.has_fingerprint());
    assert!(message.verify(&short()));
    assert!(!message.verify(&Key::short_term(b"another")));
}

#[test]
fn rfc5769_ipv4_response() {
    check_response(IPV4_RESPONSE, "192.0.2.1:32853");
}

#[test]
fn rfc5769_ipv6_response() {
    check_response(
        IPV6_RESPONSE,
        "[2001:db8:1234:5678:11:2233:4455:6677]:32853",
    );
}

#[test]
fn rfc5769_long_term_request() {
    let bytes = hex(LONG_TERM_REQUEST);
    let message = Message::decode(&bytes).unwrap();
    assert!(!message.has_fingerprint());
    assert!(message.verify(&long(Algorithm::Md5)));
    let mut buffer = [0; 200];
    let mut writer = Writer::new(
        &mut buffer,
        Class::Request,
        Method::BINDING,
        message.transaction(),
    );
    for raw in message.attributes() {
        writer.attribute(&Attribute::decode(&raw, &message.transaction()).unwrap());
    }
    let length = writer.integrity(&long(Algorithm::Md5)).finish().unwrap();
    assert_eq!(&buffer[..length], bytes);
}

/// The vector of appendix B.1 gives 0x9c as its message length, which counts the header too: §5 wants
/// 0x88. Its HMAC was made over that length. So the message as printed is refused, its key and
/// USERHASH are checked against the printed values, and the message with a right length round-trips.
#[test]
fn rfc8489_sha256_request_with_userhash() {
    let mut bytes = hex(SHA256_REQUEST);
    assert_eq!(Message::decode(&bytes).unwrap_err(), DecodeError::Length);

    let key = long(Algorithm::Sha256);
    let tag = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()),
        &bytes[..120],
    );
    assert_eq!(tag.as_ref(), &bytes[124..]);

    bytes[3] = 0x88;
    let message = Message::decode(&bytes).unwrap();
    assert!(!message.verify(&key));
    let hash = user_hash(USERNAME.as_bytes(), b"example.org");
    assert_eq!(
        typed(&message, AttributeType::USERHASH),
        Attribute::UserHash(hash)
    );
    let mut buffer = [0; 200];
    let mut writer = Writer::new(
        &mut buffer,
        Class::Request,
        Method::BINDING,
        message.transaction(),
    );
    for raw in message.attributes() {
        writer.attribute(&Attribute::decode(&raw, &message.transaction()).unwrap());
    }
    let length = writer.integrity_sha256(&key).finish().unwrap();
    assert_eq!(&buffer[..120], &bytes[..120]);
    assert!(Message::decode(&buffer[..length]).unwrap().verify(&key));
}

#[test]
fn one_flipped_bit_is_noticed() {
    let whole = hex(LONG_TERM_REQUEST);
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        // Padding is part of the text under the HMAC, so there is no harmless bit.
        let unharmed = Message::decode(&bytes).is_ok_and(|it| it.verify(&long(Algorithm::Md5)));
        assert!(!unharmed, "bit {bit}");
    }
}

fn check_response(text: &str, address: &str) {
    let bytes = hex(text);
    let message = Message::decode(&bytes).unwrap();
    assert_eq!(
        (message.class(), message.method()),
        (Class::Success, Method::BINDING)
    );
    let address: SocketAddr = address.parse().unwrap();
    assert_eq!(
        typed(&message, AttributeType::XOR_MAPPED_ADDRESS),
        Attribute::XorMappedAddress(address)
    );
    assert_eq!(
        typed(&message, AttributeType::SOFTWARE),
        Attribute::Software("test vector")
    );
    assert!(message.has_fingerprint());
    assert!(message.verify(&short()));
}

fn typed<'a>(message: &Message<'a>, kind: AttributeType) -> Attribute<'a> {
    let raw = message.attributes().find(|raw| raw.kind == kind).unwrap();
    Attribute::decode(&raw, &message.transaction()).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER
        .decode(text.replace([' ', '\n'], "").as_bytes())
        .unwrap()
}

fn short() -> Key {
    Key::short_term(b"VOkJxbRl1RmTxUk/WvJxBt")
}

fn long(algorithm: Algorithm) -> Key {
    // The password after preparation, as both texts give it.
    Key::long_term(algorithm, USERNAME.as_bytes(), b"example.org", b"TheMatrIX")
}

const USERNAME: &str = "\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}";

const REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae
    802200105354554e207465737420636c69656e74 002400046e0001ff 80290008932ff9b151263b36
    000600096576746a3a68367659202020 000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2
    80280004e57a3bcf";

const IPV4_RESPONSE: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae
    8022000b7465737420766563746f7220 002000080001a147e112a643
    000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004c07d4c96";

const IPV6_RESPONSE: &str = "010100482112a442b7e7a701bc34d686fa87dfae
    8022000b7465737420766563746f7220 002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9
    00080014a382954e4be67bf11784c97c8292c275bfe3ed41 80280004c8fb0b4c";

const LONG_TERM_REQUEST: &str = "000100602112a44278ad3433c6ad72c029da412e
    00060012e3839ee38388e383aae38383e382afe382b90000
    0015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341
    0014000b6578616d706c652e6f726700 00080014f67024656dd64a3e02b8e0712e85c9a28ca89666";

const SHA256_REQUEST: &str = "0001009c2112a44278ad3433c6ad72c029da412e
    001e00204a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704
    001500296f624d61744a6f733241414143662f2f3439396b39353464364f4c33346f4c3946535476793634
    7341000000 0014000b6578616d706c652e6f726700
    001c0020e4686c8f0edeb59013e07090010a93efccbccc544c0a45d9f830aa6d6f735a01";
