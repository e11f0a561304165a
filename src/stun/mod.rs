//! STUN and TURN on the wire: RFC 8489 messages, RFC 8656 attributes and ChannelData.
//!
//! Values only: nothing here knows a socket, a clock or a credential. A [`Message`] borrows the
//! datagram it was decoded from and allocates nothing; a [`Writer`] fills the caller's buffer.
//!
//! Left out on purpose: RFC 3489 (messages without the magic cookie are an error), short-term
//! credentials' procedures, OpaqueString preparation (TURN REST names and passwords are ASCII),
//! ICE attributes, ALTERNATE-SERVER.

mod attribute;
mod channel_data;
mod framer;
mod integrity;
mod message;
mod writer;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod vectors;

pub use attribute::{Algorithms, Attribute, AttributeError, AttributeType, Family};
pub use channel_data::{CHANNEL_HEADER, ChannelData, ChannelNumber};
pub use framer::{FrameError, Framer};
pub use integrity::{Algorithm, Key, user_hash};
pub use message::{Attributes, Class, DecodeError, Message, Method, Raw, TransactionId};
pub use writer::{Full, Writer, data_indication_header};

/// Length of a STUN header.
///
/// RFC 8489 §5: "All STUN messages comprise a 20-byte header followed by zero or more attributes."
pub const HEADER: usize = 20;

/// RFC 8489 §5: the magic cookie, in the base the text prints.
pub const MAGIC_COOKIE: u32 = 0x2112_A442;
