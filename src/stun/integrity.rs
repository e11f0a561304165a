//! MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256, FINGERPRINT, and the keys of long-term credentials.

use std::fmt;

use hmac::{Hmac, Mac as _};
use md5::{Digest as _, Md5};
use ring::digest;
use sha1::Sha1;

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
pub(super) fn sha1(message: &[u8], offset: usize, key: &Key) -> [u8; 20] {
    // RFC 2104 §2: shorter keys are padded with zeros to the size of a block.
    let mut block = [0; 64];
    for (to, from) in block.iter_mut().zip(key.as_bytes()) {
        *to = *from;
    }
    let mut mac = Hmac::<Sha1>::new(&block.into());
    for part in covered(message, offset, &length(offset, 20)) {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The MESSAGE-INTEGRITY-SHA256 of `message[..offset]`.
pub(super) fn sha256(message: &[u8], offset: usize, key: &Key) -> ring::hmac::Tag {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.as_bytes());
    let mut mac = ring::hmac::Context::with_key(&key);
    for part in covered(message, offset, &length(offset, 32)) {
        mac.update(part);
    }
    mac.sign()
}

pub(super) fn verify_sha1(message: &[u8], offset: usize, key: &Key) -> bool {
    equal(value_at(message, offset, 20), &sha1(message, offset, key))
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

/// What an integrity attribute at `offset` covers, with `length` in the header.
fn covered<'a>(message: &'a [u8], offset: usize, length: &'a [u8; 2]) -> [&'a [u8]; 3] {
    let part = |range| message.get(range).unwrap_or_default();
    [part(0..2), length, part(4..offset)]
}

/// RFC 8489 §14.5: the length in the header, as the HMAC sees it, ends with this attribute.
fn length(offset: usize, size: usize) -> [u8; 2] {
    let length = (offset + 4 + size).saturating_sub(super::HEADER);
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
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
