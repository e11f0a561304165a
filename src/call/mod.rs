//! One call: two legs joined back to back.
//!
//! A leg is a browser app ([`web`](crate::web)) or a Jingle client ([`jingle`](crate::jingle)); all
//! four combinations work, because legs speak to each other only in signals: offer, answer,
//! candidates, ringing, information, end. A Jingle leg maps its signals with [`crate::mapping`]; a
//! web leg passes SDP on byte for byte.
//!
//! The callee's devices ring in parallel and the first to pick up wins ([`Calls`]). Candidates that
//! come before the other side has its description wait in its leg. A description or a candidate
//! reaches a device only once it has picked up, except a client without XEP-0353, which cannot ring
//! without a session-initiate.
//!
//! A call belongs to a gateway address, or a device carries it: then its Jingle leg speaks through
//! that device, in the person's own name ([`Carrier`]), and the other leg is that device.
//!
//! A call under way may be changed from both sides: a browser's later offer becomes what XEP-0166
//! has for it, and what a client asks for becomes an offer ([`crate::mapping::Session`]).

mod carried;
mod config;
mod counters;
mod glare;
mod index;
mod inputs;
pub mod journal;
mod leg;
mod parties;
mod past;
mod progress;
mod reach;
mod ringing;
mod signal;
mod table;
mod timer;
mod usage;

use crate::jingle::Jingle;
use crate::mapping;
use crate::stanza::StanzaError;
use crate::xml::Element;

pub use config::{Config, Limits};
pub use counters::Counters;
pub use journal::Journal;
pub use signal::{
    Between, CallId, Carrier, Context, Devices, Directory, Failure, Request, Sink, What,
};
pub use table::{Calls, Load, Summary};

/// Reads a `<jingle/>`.
///
/// # Errors
/// What its sender is told: `bad-request`, or `resource-constraint` for more than a call may hold.
pub fn read(payload: Element<'_>) -> Result<Jingle, StanzaError> {
    Jingle::from_xml(payload, &mapping::Limits::default().jingle)
        .map_err(|error| leg::refused(&error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{self, Document};

    /// A flood is no mistake in writing: the sender is told that it is too much.
    #[test]
    fn more_candidates_than_a_call_may_hold() {
        let candidate = "<candidate component='1' foundation='1' generation='0' id='a' \
            ip='192.0.2.1' network='0' port='9' priority='1' protocol='udp' type='host'/>";
        let most = mapping::Limits::default().jingle.candidates;
        let reading = |candidates: usize| {
            let text = format!(
                "<jingle xmlns='urn:xmpp:jingle:1' action='transport-info' sid='a'>\
                 <content creator='initiator' name='0'>\
                 <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'>{}</transport>\
                 </content></jingle>",
                candidate.repeat(candidates)
            );
            let document = Document::parse(text.as_bytes(), "", &xml::Limits::default()).unwrap();
            read(document.root())
        };
        assert!(reading(most).is_ok());
        assert_eq!(
            reading(most + 1).unwrap_err().condition,
            "resource-constraint"
        );
    }
}
