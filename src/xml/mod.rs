//! Bounded XML: a reader for the streams of XMPP servers and a strict writer.
//!
//! XMPP uses a restricted XML (RFC 6120 §11): no comments, processing instructions, document type
//! declarations or entities of one's own. Everything here is bounded by [`Limits`], because any
//! user of any server can have a stanza of any shape delivered to a component.
//!
//! - [`Framer`] cuts a byte stream into the stream header, stanzas and the stream's end. It costs a
//!   stanza that is too big, too deep or too wide, and only that stanza.
//! - [`Document`] is one parsed stanza, [`Element`] a place in it.
//! - [`Writer`] writes elements; it cannot write anything that is not well-formed.
//!
//! Left out on purpose: namespaced attributes other than `xml:lang` (no payload we read has them),
//! mixed content order (the text of an element is what stands directly in it).

mod document;
mod error;
mod framer;
mod limits;
mod scanner;
mod stanza_header;
mod writer;

pub use document::{Attributes, Children, Document, Element};
pub use error::{Error, StreamError};
pub use framer::{BadStanza, Frame, Framer};
pub use limits::Limits;
pub use stanza_header::{StanzaHeader, StanzaKind};
pub use writer::{Writer, escape_attribute, escape_text};

/// Namespace of stream-level elements (RFC 6120 §4.8.1).
pub const NS_STREAM: &str = "http://etherx.jabber.org/streams";
/// Default namespace of a component's stream (XEP-0114 §3).
pub const NS_COMPONENT: &str = "jabber:component:accept";
/// Default namespace of a client's stream (RFC 6120 §4.8.2).
pub const NS_CLIENT: &str = "jabber:client";
/// Namespace of the element that holds a stanza sent on to somebody else (XEP-0297 §3).
pub const NS_FORWARD: &str = "urn:xmpp:forward:0";
/// Namespace of stanza error conditions (RFC 6120 §8.3.2).
pub const NS_STANZA_ERROR: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// The namespace that the prefix `xml` is bound to (Namespaces in XML §3).
pub const NS_XML: &str = "http://www.w3.org/XML/1998/namespace";

/// Whether XML 1.0 §2.2 allows `c` in a document.
#[must_use]
pub fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}
