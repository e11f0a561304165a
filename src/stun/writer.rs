//! Writing a message into the caller's buffer.

use std::net::SocketAddr;

use super::{
    Attribute, AttributeType, Class, HEADER, Key, MAGIC_COOKIE, Method, TransactionId, integrity,
};

/// Fills a buffer with one message. What does not fit is noticed at [`Writer::finish`].
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    transaction: TransactionId,
    length: usize,
    full: bool,
}

impl<'a> Writer<'a> {
    /// Begins a message.
    pub fn new(
        buffer: &'a mut [u8],
        class: Class,
        method: Method,
        transaction: TransactionId,
    ) -> Self {
        let mut writer = Self {
            buffer,
            transaction,
            length: 0,
            full: false,
        };
        writer.put(&method.to_type(class).to_be_bytes());
        writer.put(&[0, 0]);
        writer.put(&MAGIC_COOKIE.to_be_bytes());
        writer.put(&transaction.0);
        writer
    }

    /// Appends an attribute.
    pub fn attribute(&mut self, attribute: &Attribute<'_>) -> &mut Self {
        let transaction = self.transaction;
        let start = self.begin(attribute.kind());
        attribute.write(&transaction, |part| self.put(part));
        self.end(start);
        self
    }

    /// Appends an attribute of any type.
    pub fn raw(&mut self, kind: AttributeType, value: &[u8]) -> &mut Self {
        let start = self.begin(kind);
        self.put(value);
        self.end(start);
        self
    }

    /// Appends MESSAGE-INTEGRITY over what is written so far (RFC 8489 §14.5).
    pub fn integrity(&mut self, key: &Key) -> &mut Self {
        let offset = self.length;
        let tag = integrity::sha1(self.written(), offset, key);
        self.raw(AttributeType::MESSAGE_INTEGRITY, tag.as_ref())
    }

    /// Appends MESSAGE-INTEGRITY-SHA256 over what is written so far (RFC 8489 §14.6).
    pub fn integrity_sha256(&mut self, key: &Key) -> &mut Self {
        let offset = self.length;
        let tag = integrity::sha256(self.written(), offset, key);
        self.raw(AttributeType::MESSAGE_INTEGRITY_SHA256, tag.as_ref())
    }

    /// Appends FINGERPRINT, which has to come last (RFC 8489 §14.7).
    pub fn fingerprint(&mut self) -> &mut Self {
        let offset = self.length;
        self.raw(AttributeType::FINGERPRINT, &[0; 4]);
        let value = integrity::fingerprint(self.buffer.get(..offset).unwrap_or_default());
        self.put_at(offset + 4, &value.to_be_bytes());
        self
    }

    /// The length of the message.
    ///
    /// # Errors
    ///
    /// [`Full`] when the buffer was too small; its content is then no message.
    pub fn finish(&self) -> Result<usize, Full> {
        if self.full {
            Err(Full)
        } else {
            Ok(self.length)
        }
    }

    fn written(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    fn begin(&mut self, kind: AttributeType) -> usize {
        self.put(&kind.0.to_be_bytes());
        self.put(&[0, 0]);
        self.length
    }

    fn end(&mut self, start: usize) {
        let value = self.length.saturating_sub(start);
        match u16::try_from(value) {
            Ok(length) => self.put_at(start.saturating_sub(2), &length.to_be_bytes()),
            Err(_) => self.full = true,
        }
        let padding = value.next_multiple_of(4) - value;
        self.put([0; 3].get(..padding).unwrap_or_default());
        match u16::try_from(self.length.saturating_sub(HEADER)) {
            Ok(length) => self.put_at(2, &length.to_be_bytes()),
            Err(_) => self.full = true,
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.put_at(self.length, bytes);
        if !self.full {
            self.length += bytes.len();
        }
    }

    fn put_at(&mut self, offset: usize, bytes: &[u8]) {
        match self
            .buffer
            .get_mut(offset..offset.saturating_add(bytes.len()))
        {
            Some(place) => place.copy_from_slice(bytes),
            None => self.full = true,
        }
    }
}

/// The buffer is too small for the message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the buffer is too small for the message")]
pub struct Full;

/// Writes what goes before the payload in a Data indication, and the padding behind it.
///
/// `buffer[payload..payload + length]` is the payload. Answers the range of the whole message, or
/// nothing when there is no room. RFC 8656 §11.3: XOR-PEER-ADDRESS and DATA.
pub fn data_indication_header(
    buffer: &mut [u8],
    payload: usize,
    length: usize,
    peer: SocketAddr,
    transaction: TransactionId,
) -> Option<std::ops::Range<usize>> {
    let mut head = [0; HEADER + 24 + 4];
    let mut writer = Writer::new(&mut head, Class::Indication, Method::DATA, transaction);
    writer.attribute(&Attribute::XorPeerAddress(peer));
    writer.put(&AttributeType::DATA.0.to_be_bytes());
    writer.put(&u16::try_from(length).ok()?.to_be_bytes());
    let padded = length.next_multiple_of(4);
    let size = writer.finish().ok()?;
    let body = u16::try_from(size - HEADER + padded).ok()?;
    writer.put_at(2, &body.to_be_bytes());
    let start = payload.checked_sub(size)?;
    let end = payload.checked_add(padded)?;
    buffer.get_mut(payload + length..end)?.fill(0);
    buffer
        .get_mut(start..payload)?
        .copy_from_slice(head.get(..size)?);
    Some(start..end)
}
