//! MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256, FINGERPRINT, and the keys of long-term credentials.

use std::fmt;

use md5::{Digest, Md5};
use ring::{digest, hmac};

/// How a long-term password becomes a key (RFC 8489 §18.5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    /// 0x0001, for clients that do not know PASSWORD-ALGORITHMS.
    Md5,
    /// 0x0002
    Sha256,
}

impl Algorithm {
    /// The number of the IANA registry.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Md5 => 0x0001,
            Self::Sha256 => 0x0002,
        }
    }

    /// The algorithm with this number, if we know it.
    #[must_use]
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            0x0001 => Some(Self::Md5),
            0x0002 => Some(Self::Sha256),
            _ => None,
        }
    }
}

/// The key of both integrity attributes.
#[derive(Clone, Copy)]
pub struct Key {
    bytes: [u8; 32],
    length: usize,
}

impl Key {
    /// The key of a long-term credential.
    ///
    /// RFC 8489 §18.5.1: the hash of username ":" realm ":" password.
    #[must_use]
    pub fn long_term(algorithm: Algorithm, username: &[u8], realm: &[u8], password: &[u8]) -> Self {
        let parts = [username, b":", realm, b":", password];
        match algorithm {
            Algorithm::Md5 => {
                let mut hash = Md5::new();
                for part in parts {
                    hash.update(part);
                }
                Self::from_hash(&hash.finalize())
            }
            Algorithm::Sha256 => {
                let mut hash = digest::Context::new(&digest::SHA256);
                for part in parts {
                    hash.update(part);
                }
                Self::from_hash(hash.finish().as_ref())
            }
        }
    }

    /// The key of a short-term credential: the password itself (RFC 8489 §9.1.1).
    #[cfg(test)]
    pub(super) fn short_term(password: &[u8]) -> Self {
        Self::from_hash(password)
    }

    fn from_hash(hash: &[u8]) -> Self {
        let mut bytes = [0; 32];
        let length = hash.len().min(32);
        for (to, from) in bytes.iter_mut().zip(hash) {
            *to = *from;
        }
        Self { bytes, length }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// USERHASH: SHA-256 of username ":" realm (RFC 8489 §14.4).
#[must_use]
pub fn user_hash(username: &[u8], realm: &[u8]) -> [u8; 32] {
    let mut hash = digest::Context::new(&digest::SHA256);
    for part in [username, b":", realm] {
        hash.update(part);
    }
    let mut value = [0; 32];
    for (to, from) in value.iter_mut().zip(hash.finish().as_ref()) {
        *to = *from;
    }
    value
}

/// The MESSAGE-INTEGRITY of `message[..offset]`, where `offset` is the place of the attribute.
pub(super) fn sha1(message: &[u8], offset: usize, key: &Key) -> hmac::Tag {
    tag(
        hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        message,
        offset,
        20,
        key,
    )
}

/// The MESSAGE-INTEGRITY-SHA256 of `message[..offset]`.
pub(super) fn sha256(message: &[u8], offset: usize, key: &Key) -> hmac::Tag {
    tag(hmac::HMAC_SHA256, message, offset, 32, key)
}

pub(super) fn verify_sha1(message: &[u8], offset: usize, key: &Key) -> bool {
    equal(
        value_at(message, offset, 20),
        sha1(message, offset, key).as_ref(),
    )
}

pub(super) fn verify_sha256(message: &[u8], offset: usize, key: &Key) -> bool {
    equal(
        value_at(message, offset, 32),
        sha256(message, offset, key).as_ref(),
    )
}

/// The FINGERPRINT of a message whose bytes before the attribute are `covered`.
///
/// The length in the header already counts the attribute (RFC 8489 §14.7).
pub(super) fn fingerprint(covered: &[u8]) -> u32 {
    crc32fast::hash(covered) ^ 0x5354_554E
}

/// RFC 8489 §14.5: the length in the header, as the HMAC sees it, ends with this attribute.
fn tag(
    algorithm: hmac::Algorithm,
    message: &[u8],
    offset: usize,
    size: usize,
    key: &Key,
) -> hmac::Tag {
    let length =
        u16::try_from((offset + 4 + size).saturating_sub(super::HEADER)).unwrap_or(u16::MAX);
    let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, key.as_bytes()));
    context.update(message.get(..2).unwrap_or_default());
    context.update(&length.to_be_bytes());
    context.update(message.get(4..offset).unwrap_or_default());
    context.sign()
}

fn value_at(message: &[u8], offset: usize, size: usize) -> &[u8] {
    message
        .get(offset + 4..offset + 4 + size)
        .unwrap_or_default()
}

/// Compares in constant time: how many bytes match must not show in how long a refusal takes.
fn equal(a: &[u8], b: &[u8]) -> bool {
    let difference = a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && std::hint::black_box(difference) == 0
}
