//! The message: header, class, method, and a borrowed walk over the attributes.

use super::{
    AttributeType, HEADER, Key, MAGIC_COOKIE,
    integrity::{self, fingerprint},
};

/// A well-formed STUN message, borrowing the datagram it came in.
///
/// [`Message::decode`] has checked the framing of every attribute and the FINGERPRINT if there is
/// one, so nothing read from it later can be out of bounds.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    class: Class,
    method: Method,
    transaction: TransactionId,
    /// Where the attributes that count end: at the first integrity attribute or FINGERPRINT.
    end: usize,
    /// Offset of the MESSAGE-INTEGRITY attribute.
    integrity: Option<usize>,
    /// Offset of the MESSAGE-INTEGRITY-SHA256 attribute.
    integrity_sha256: Option<usize>,
    fingerprint: bool,
}

impl<'a> Message<'a> {
    /// Decodes one whole message: `bytes` is the datagram, no more and no less.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the framing. RFC 8489 §6.3: such a message "is silently discarded".
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let header = bytes
            .first_chunk::<HEADER>()
            .ok_or(DecodeError::Truncated)?;
        let [t0, t1, l0, l1, c0, c1, c2, c3, transaction @ ..] = *header;
        let kind = u16::from_be_bytes([t0, t1]);
        // RFC 8489 §5: the two most significant bits are zero, the cookie fixed.
        if kind & 0xC000 != 0 {
            return Err(DecodeError::NotStun);
        }
        if u32::from_be_bytes([c0, c1, c2, c3]) != MAGIC_COOKIE {
            return Err(DecodeError::Cookie);
        }
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if length % 4 != 0 || bytes.len() != HEADER + length {
            return Err(DecodeError::Length);
        }
        let mut message = Self {
            bytes,
            class: Class::from_type(kind),
            method: Method::from_type(kind),
            transaction: TransactionId(transaction),
            end: bytes.len(),
            integrity: None,
            integrity_sha256: None,
            fingerprint: false,
        };
        message.walk()?;
        Ok(message)
    }

    /// The class: request, indication, success or error response.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// The method, such as [`Method::ALLOCATE`].
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// The transaction id that a reply repeats.
    #[must_use]
    pub fn transaction(&self) -> TransactionId {
        self.transaction
    }

    /// The attributes that count, in order.
    ///
    /// RFC 8489 §14.5 and §14.6: what follows an integrity attribute is not protected, so the walk
    /// ends there; the integrity attributes and FINGERPRINT themselves are not yielded.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        let body = self.bytes.get(HEADER..self.end).unwrap_or_default();
        Attributes {
            rest: body,
            offset: HEADER,
        }
    }

    /// The value of the first attribute of this type.
    ///
    /// RFC 8489 §14: "only the first occurrence needs to be processed by a receiver".
    #[must_use]
    pub fn attribute(&self, kind: AttributeType) -> Option<&'a [u8]> {
        self.attributes()
            .find(|raw| raw.kind == kind)
            .map(|raw| raw.value)
    }

    /// Whether the sender wants FINGERPRINT: it put a right one into its own message.
    #[must_use]
    pub fn has_fingerprint(&self) -> bool {
        self.fingerprint
    }

    /// Whether there is a MESSAGE-INTEGRITY or a MESSAGE-INTEGRITY-SHA256.
    #[must_use]
    pub fn has_integrity(&self) -> bool {
        self.integrity.is_some() || self.integrity_sha256.is_some()
    }

    /// Whether there is a MESSAGE-INTEGRITY-SHA256, which then is the one that counts.
    #[must_use]
    pub fn has_integrity_sha256(&self) -> bool {
        self.integrity_sha256.is_some()
    }

    /// Checks the integrity attribute in constant time; without one the answer is no.
    ///
    /// RFC 8489 §9.2.4: when MESSAGE-INTEGRITY-SHA256 is present it is the one that counts.
    #[must_use]
    pub fn verify(&self, key: &Key) -> bool {
        if let Some(offset) = self.integrity_sha256 {
            integrity::verify_sha256(self.bytes, offset, key)
        } else if let Some(offset) = self.integrity {
            integrity::verify_sha1(self.bytes, offset, key)
        } else {
            false
        }
    }

    fn walk(&mut self) -> Result<(), DecodeError> {
        let mut all = Attributes {
            rest: self.bytes.get(HEADER..).unwrap_or_default(),
            offset: HEADER,
        };
        for raw in all.by_ref() {
            if self.fingerprint {
                // RFC 8489 §14.7: "the FINGERPRINT attribute MUST be the last attribute".
                return Err(DecodeError::AfterFingerprint);
            }
            let offset = raw.offset;
            match raw.kind {
                AttributeType::MESSAGE_INTEGRITY if !self.has_integrity() => {
                    if raw.value.len() != 20 {
                        return Err(DecodeError::Integrity);
                    }
                    self.integrity = Some(offset);
                }
                AttributeType::MESSAGE_INTEGRITY_SHA256 if self.integrity_sha256.is_none() => {
                    // RFC 8489 §14.6: all 32 bytes unless the usage allows truncation; TURN
                    // (RFC 8656) does not.
                    if raw.value.len() != 32 {
                        return Err(DecodeError::Integrity);
                    }
                    self.integrity_sha256 = Some(offset);
                }
                AttributeType::FINGERPRINT => {
                    let covered = self.bytes.get(..offset).unwrap_or_default();
                    if raw.value != fingerprint(covered).to_be_bytes() {
                        return Err(DecodeError::Fingerprint);
                    }
                    self.fingerprint = true;
                }
                _ => continue,
            }
            self.end = self.end.min(offset);
        }
        if all.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Attribute)
        }
    }
}

/// The class of a message (RFC 8489 §5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// 0b00
    Request,
    /// 0b01
    Indication,
    /// 0b10
    Success,
    /// 0b11
    Error,
}

impl Class {
    fn from_type(kind: u16) -> Self {
        match (kind & 0x0100 != 0, kind & 0x0010 != 0) {
            (false, false) => Self::Request,
            (false, true) => Self::Indication,
            (true, false) => Self::Success,
            (true, true) => Self::Error,
        }
    }

    fn bits(self) -> u16 {
        match self {
            Self::Request => 0x0000,
            Self::Indication => 0x0010,
            Self::Success => 0x0100,
            Self::Error => 0x0110,
        }
    }
}

/// The 12-bit method of a message. Unknown ones decode too.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Method(u16);

impl Method {
    /// RFC 8489 §18.2
    pub const BINDING: Self = Self(0x001);
    /// RFC 8656 §17
    pub const ALLOCATE: Self = Self(0x003);
    /// RFC 8656 §17
    pub const REFRESH: Self = Self(0x004);
    /// RFC 8656 §17
    pub const SEND: Self = Self(0x006);
    /// RFC 8656 §17
    pub const DATA: Self = Self(0x007);
    /// RFC 8656 §17
    pub const CREATE_PERMISSION: Self = Self(0x008);
    /// RFC 8656 §17
    pub const CHANNEL_BIND: Self = Self(0x009);

    /// A method by its number; only the lower 12 bits exist.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number & 0x0FFF)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// RFC 8489 appendix A: the method bits are spread around the two class bits.
    fn from_type(kind: u16) -> Self {
        Self((kind & 0x3E00) >> 2 | (kind & 0x00E0) >> 1 | (kind & 0x000F))
    }

    /// The message type of this method in `class`.
    pub(super) fn to_type(self, class: Class) -> u16 {
        (self.0 & 0x0F80) << 2 | (self.0 & 0x0070) << 1 | (self.0 & 0x000F) | class.bits()
    }
}

/// The 96-bit transaction id.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct TransactionId(pub [u8; 12]);

/// One attribute, not yet typed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Raw<'a> {
    /// Its type.
    pub kind: AttributeType,
    /// Its value without padding.
    pub value: &'a [u8],
    /// Where its header begins in the message.
    offset: usize,
}

impl Raw<'_> {
    /// Where in the message the value begins.
    #[must_use]
    pub fn value_offset(&self) -> usize {
        self.offset + 4
    }
}

/// A walk over attributes; see [`Message::attributes`].
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Raw<'a>> {
        let [t0, t1, l0, l1] = *self.rest.first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let value = self.rest.get(4..4 + length)?;
        // RFC 8489 §14: values are padded to four bytes, the padding ignored.
        let whole = 4 + length.next_multiple_of(4);
        let rest = self.rest.get(whole..)?;
        let raw = Raw {
            kind: AttributeType(u16::from_be_bytes([t0, t1])),
            value,
            offset: self.offset,
        };
        self.rest = rest;
        self.offset += whole;
        Some(raw)
    }
}

/// Why bytes are not a STUN message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// An attribute follows FINGERPRINT.
    #[error("attribute after FINGERPRINT")]
    AfterFingerprint,
    /// An attribute is longer than the message.
    #[error("attribute does not fit into the message")]
    Attribute,
    /// No magic cookie: RFC 3489 or another protocol.
    #[error("wrong magic cookie")]
    Cookie,
    /// FINGERPRINT has the wrong length or value.
    #[error("wrong FINGERPRINT")]
    Fingerprint,
    /// An integrity attribute has the wrong length.
    #[error("integrity attribute of a wrong length")]
    Integrity,
    /// The length field is not the length of the datagram.
    #[error("wrong message length")]
    Length,
    /// The first two bits are not zero.
    #[error("not a stun message")]
    NotStun,
    /// Shorter than a header.
    #[error("shorter than a header")]
    Truncated,
}
