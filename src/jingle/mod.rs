//! Jingle payloads, one file per XEP.
//!
//! Every type reads from an [`crate::xml::Element`] leniently (unknown attributes, children,
//! namespaces and any order of children are no error) and writes strictly into a
//! [`crate::xml::Writer`], so that the caller wraps what it likes around it. Strings are what the
//! peer wrote; whoever turns them into SDP has to check them, which the types of [`crate::sdp`]
//! enforce.

pub mod category;
pub mod dtls;
pub mod error;
pub mod extra;
pub mod grouping;
pub mod hdrext;
pub mod ice_udp;
pub mod info;
pub mod message;
pub mod reason;
pub mod rtcp_fb;
pub mod rtp;
pub mod sctp;
pub mod session;
pub mod ssma;

pub use error::{Condition, Error};
pub use info::Info;
pub use reason::{Reason, ReasonElement};
pub use session::{Action, Content, Description, Jingle, Limits, Role, Senders, Sid, Transport};

/// Keeps what could be read, or the name of what could not.
fn keep<T>(
    read: Option<T>,
    into: &mut Vec<T>,
    name: &'static str,
    skipped: &mut Vec<&'static str>,
) {
    match read {
        Some(own) => into.push(own),
        None if skipped.contains(&name) => {}
        None => skipped.push(name),
    }
}
