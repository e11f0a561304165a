//! Any bytes as a datagram: decoded, and what was understood written again.

use campana::stun::{Algorithm, Attribute, AttributeType, ChannelData, Key, Message, Writer};

pub(crate) fn exercise(bytes: &[u8]) {
    if let Some(message) = ChannelData::decode(bytes) {
        let length = u16::try_from(message.data.len()).expect("a 16-bit length was read");
        let header = message.number.header(length);
        assert!(bytes.starts_with(&[&header[..], message.data].concat()));
    }
    let Ok(message) = Message::decode(bytes) else {
        return;
    };
    let id = message.transaction();
    let key = Key::long_term(Algorithm::Md5, b"juliet", b"example.org", b"north");
    let _ = message.verify(&key);
    let mut buffer = vec![0; bytes.len()];
    let mut writer = Writer::new(&mut buffer, message.class(), message.method(), id);
    let mut values = Vec::new();
    for raw in message.attributes() {
        if let Ok(attribute) = Attribute::decode(&raw, &id) {
            check(&attribute, raw.kind, raw.value, &message);
        }
        writer.raw(raw.kind, raw.value);
        values.push((raw.kind, raw.value.to_vec()));
    }
    let sums = [
        AttributeType::FINGERPRINT,
        AttributeType::MESSAGE_INTEGRITY,
        AttributeType::MESSAGE_INTEGRITY_SHA256,
    ];
    if values.iter().any(|(kind, _)| sums.contains(kind)) {
        return;
    }
    let length = writer.finish().expect("it had room before");
    let again = Message::decode(&buffer[..length]).expect("it was a message before");
    let again = again.attributes().map(|raw| (raw.kind, raw.value.to_vec()));
    assert_eq!(again.collect::<Vec<_>>(), values);
}

/// What was decoded from a value is written as a value that means the same.
fn check(attribute: &Attribute<'_>, kind: AttributeType, value: &[u8], message: &Message<'_>) {
    let mut buffer = vec![0; value.len() + 100];
    let id = message.transaction();
    let mut writer = Writer::new(&mut buffer, message.class(), message.method(), id);
    writer.attribute(attribute);
    let Ok(length) = writer.finish() else {
        panic!("{attribute:?} of {} bytes cannot be written", value.len());
    };
    let again = Message::decode(&buffer[..length]).expect("we wrote it");
    let raw = again.attributes().next().expect("we wrote one");
    assert_eq!(raw.kind, kind);
    assert_eq!(Attribute::decode(&raw, &id).as_ref(), Ok(attribute));
}
