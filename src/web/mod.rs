//! The browser protocol, `urn:x-campana:sdp:0`: a browser app deals with SDP only.
//!
//! Carried in IQ, so that every step is acknowledged. One element, [`Session`], holds one
//! [`Message`]. Words are those of JSEP (RFC 9429): offer, answer, candidate. [`Device`] in a
//! directed presence to the service announces an app that can be called. One that announces `carry`
//! lends the service its voice, so that people are called at their own address: [`Carried`].
//! [`PeersRequest`] asks whom the app may call, [`Peer`] is one of the answer.
//!
//! `schemas/` holds the XSD of this namespace. Reading ignores what it does not know, so that
//! apps and services of different age understand each other.

mod carried;
mod device;
mod media;
mod peers;
mod session;

pub use carried::{Carried, Copy};
pub use device::Device;
pub use media::Media;
pub use peers::{PageRequest, Peer, PeerDevice, PeersRequest};
pub use session::{Candidate, End, EndOfCandidates, Info, Message, ParseError, Session};

/// The namespace of everything here.
pub const NS: &str = "urn:x-campana:sdp:0";
