//! What holds for all bytes and all messages.

use std::net::{IpAddr, SocketAddr};

use proptest::{collection::vec, prelude::*};

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn decoding_never_panics(bytes in vec(any::<u8>(), 0..200)) {
        exercise(&bytes);
    }

    /// Random bytes rarely get past the header: so here it is right.
    #[test]
    fn decoding_never_panics_behind_a_right_header(
        kind in 0_u16..0x4000,
        body in vec(any::<u8>(), 0..200),
    ) {
        let body = &body[..body.len() / 4 * 4];
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        bytes.extend(MAGIC_COOKIE.to_be_bytes());
        bytes.extend([7; 12]);
        bytes.extend(body);
        exercise(&bytes);
    }

    /// Attribute headers that nearly fit reach furthest.
    #[test]
    fn decoding_never_panics_on_likely_attributes(
        attributes in vec((prop::sample::select(KINDS), vec(any::<u8>(), 0..40)), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut buffer = [0; 400];
        let mut writer = Writer::new(&mut buffer, Class::Request, Method::ALLOCATE, ID);
        for (kind, value) in &attributes {
            writer.raw(AttributeType(*kind), value);
        }
        let length = writer.finish().unwrap();
        exercise(&buffer[..length]);
        let cut = cut.index(length);
        exercise(&buffer[..cut]);
    }

    #[test]
    fn what_is_written_is_read(
        class in prop::sample::select(&[Class::Request, Class::Indication, Class::Success, Class::Error][..]),
        method in 0_u16..0x1000,
        id in any::<[u8; 12]>(),
        values in vec(value(), 0..8),
        integrity in 0..4,
        fingerprint in any::<bool>(),
    ) {
        let key = Key::short_term(b"key");
        let mut buffer = [0; 2000];
        let mut writer = Writer::new(&mut buffer, class, Method::new(method), TransactionId(id));
        for value in &values {
            writer.attribute(&value.attribute());
        }
        if integrity & 1 != 0 {
            writer.integrity(&key);
        }
        if integrity & 2 != 0 {
            writer.integrity_sha256(&key);
        }
        if fingerprint {
            writer.fingerprint();
        }
        let length = writer.finish().unwrap();
        let message = Message::decode(&buffer[..length]).unwrap();
        prop_assert_eq!(message.class(), class);
        prop_assert_eq!(message.method().number(), method);
        prop_assert_eq!(message.transaction(), TransactionId(id));
        prop_assert_eq!(message.has_fingerprint(), fingerprint);
        prop_assert_eq!(message.verify(&key), integrity != 0);
        let read: Vec<_> = message
            .attributes()
            .map(|raw| Attribute::decode(&raw, &TransactionId(id)).unwrap())
            .collect();
        let written: Vec<_> = values.iter().map(Value::attribute).collect();
        prop_assert_eq!(read, written);
    }

    #[test]
    fn what_follows_integrity_is_ignored(lifetime in any::<u32>(), sha256 in any::<bool>()) {
        let key = Key::short_term(b"key");
        let mut buffer = [0; 200];
        let mut writer = Writer::new(&mut buffer, Class::Request, Method::REFRESH, ID);
        if sha256 {
            writer.integrity_sha256(&key);
        } else {
            writer.integrity(&key);
        }
        let length = writer
            .attribute(&Attribute::Lifetime(lifetime))
            .fingerprint()
            .finish()
            .unwrap();
        let message = Message::decode(&buffer[..length]).unwrap();
        prop_assert!(message.verify(&key));
        prop_assert_eq!(message.attributes().count(), 0);
    }

    #[test]
    fn a_small_buffer_is_an_error_not_a_panic(size in 0_usize..120, data in vec(any::<u8>(), 0..60)) {
        let mut buffer = vec![0; size];
        let mut writer = Writer::new(&mut buffer, Class::Indication, Method::SEND, ID);
        let length = writer.attribute(&Attribute::Data(&data)).fingerprint().finish();
        let needed = HEADER + 4 + data.len().next_multiple_of(4) + 8;
        prop_assert_eq!(length, if size < needed { Err(Full) } else { Ok(needed) });
    }

    #[test]
    fn data_indications_are_whole_messages(
        peer in any::<(IpAddr, u16)>(),
        data in vec(any::<u8>(), 0..60),
        id in any::<[u8; 12]>(),
    ) {
        let peer = SocketAddr::from(peer);
        let mut buffer = vec![0xEE; 64];
        buffer.extend(&data);
        buffer.extend([0xEE; 8]);
        let range = data_indication_header(&mut buffer, 64, data.len(), peer, TransactionId(id)).unwrap();
        let message = Message::decode(&buffer[range]).unwrap();
        let read: Vec<_> = message
            .attributes()
            .map(|raw| Attribute::decode(&raw, &TransactionId(id)).unwrap())
            .collect();
        prop_assert_eq!(read, vec![Attribute::XorPeerAddress(peer), Attribute::Data(&data)]);
    }
}

#[test]
fn a_wrong_fingerprint_is_no_message() {
    let mut buffer = [0; 40];
    let length = Writer::new(&mut buffer, Class::Request, Method::BINDING, ID)
        .fingerprint()
        .finish()
        .unwrap();
    assert!(Message::decode(&buffer[..length]).is_ok());
    buffer[length - 1] ^= 1;
    assert_eq!(
        Message::decode(&buffer[..length]).unwrap_err(),
        DecodeError::Fingerprint
    );
}

#[test]
fn a_message_without_cookie_is_none() {
    let bytes = [0_u8; 20];
    assert_eq!(Message::decode(&bytes).unwrap_err(), DecodeError::Cookie);
}

/// Everything a reader can do with bytes from the wire.
fn exercise(bytes: &[u8]) {
    let _ = ChannelData::decode(bytes);
    let Ok(message) = Message::decode(bytes) else {
        return;
    };
    for raw in message.attributes() {
        if let Ok(Attribute::PasswordAlgorithms(list)) =
            Attribute::decode(&raw, &message.transaction())
        {
            assert!(list.iter().count() <= list.as_bytes().len() / 4);
        }
        assert_eq!(&bytes[raw.value_offset()..][..raw.value.len()], raw.value);
    }
    assert!(!message.verify(&Key::short_term(b"key")));
}

/// Owned values, so that a strategy can make them.
#[derive(Clone, Debug)]
enum Value {
    Address(u8, SocketAddr),
    Bytes(u8, Vec<u8>),
    Number(u8, u32),
    Text(u8, String),
    Error(u16, String),
}

impl Value {
    fn attribute(&self) -> Attribute<'_> {
        match self {
            Self::Address(0, address) => Attribute::MappedAddress(*address),
            Self::Address(1, address) => Attribute::XorMappedAddress(*address),
            Self::Address(2, address) => Attribute::XorPeerAddress(*address),
            Self::Address(_, address) => Attribute::XorRelayedAddress(*address),
            Self::Bytes(0, bytes) => Attribute::Data(bytes),
            Self::Bytes(1, bytes) => Attribute::Nonce(bytes),
            Self::Bytes(2, bytes) => Attribute::PasswordAlgorithm {
                number: 2,
                parameters: bytes,
            },
            Self::Bytes(_, bytes) => Attribute::UnknownAttributes(&bytes[..bytes.len() / 2 * 2]),
            Self::Number(0, number) => Attribute::Lifetime(*number),
            Self::Number(1, number) => {
                Attribute::ChannelNumber(u16::try_from(number >> 16).unwrap())
            }
            Self::Number(2, number) => Attribute::RequestedTransport(number.to_be_bytes()[0]),
            Self::Number(3, number) => {
                Attribute::RequestedAddressFamily(Family(number.to_be_bytes()[0]))
            }
            Self::Number(4, number) => {
                Attribute::AdditionalAddressFamily(Family(number.to_be_bytes()[0]))
            }
            Self::Number(5, number) => Attribute::EvenPort {
                reserve: number & 1 != 0,
            },
            Self::Number(6, _) => Attribute::DontFragment,
            Self::Number(7, number) => {
                Attribute::ReservationToken(u64::from(*number).to_be_bytes())
            }
            Self::Number(8, number) => Attribute::UserHash([number.to_be_bytes()[3]; 32]),
            Self::Number(_, number) => {
                let [kind, code, ..] = number.to_be_bytes();
                Attribute::Icmp {
                    kind,
                    code,
                    data: *number,
                }
            }
            Self::Text(0, text) => Attribute::Username(text),
            Self::Text(1, text) => Attribute::Realm(text),
            Self::Text(_, text) => Attribute::Software(text),
            Self::Error(code, reason) if code % 2 == 0 => Attribute::ErrorCode {
                code: *code,
                reason,
            },
            Self::Error(code, reason) => Attribute::AddressErrorCode {
                family: Family::IPV6,
                code: *code,
                reason,
            },
        }
    }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0_u8..4, any::<(IpAddr, u16)>())
            .prop_map(|(kind, address)| Value::Address(kind, address.into())),
        (0_u8..4, vec(any::<u8>(), 0..50)).prop_map(|(kind, bytes)| Value::Bytes(kind, bytes)),
        (0_u8..10, any::<u32>()).prop_map(|(kind, number)| Value::Number(kind, number)),
        (0_u8..3, "\\PC{0,20}").prop_map(|(kind, text)| Value::Text(kind, text)),
        (300_u16..700, "\\PC{0,20}").prop_map(|(code, reason)| Value::Error(code, reason)),
    ]
}

const ID: TransactionId = TransactionId([7; 12]);

const KINDS: &[u16] = &[
    0x0001, 0x0006, 0x0008, 0x0009, 0x000A, 0x000C, 0x000D, 0x0012, 0x0013, 0x0014, 0x0015, 0x0016,
    0x0017, 0x0018, 0x0019, 0x001A, 0x001C, 0x001D, 0x001E, 0x0020, 0x0022, 0x8000, 0x8001, 0x8002,
    0x8004, 0x8022, 0x8028, 0x7777, 0x9999,
];
