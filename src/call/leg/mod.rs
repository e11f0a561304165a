//! The two kinds of leg. Each takes what its device says and gives signals, and turns the other
//! side's signals into stanzas; the two files mirror each other.

pub(super) mod events;
pub(super) mod jingle;
pub(super) mod web;

use std::sync::Arc;

use jid::FullJid;

use super::signal::{Ending, Signal};
use super::{CallId, Carrier, Request, Sink, What};
use crate::mapping::{Dropped, Refusal, Trickle};
use crate::stanza::{ErrorKind, StanzaError};
use crate::xml::Writer;

/// One side of a call.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) line: Line,
    pub(super) kind: Kind,
    /// Candidates it has sent.
    pub(super) candidates: usize,
    /// What it trickled before it was the one that takes the call.
    pub(super) early: Vec<Trickle>,
    /// The dialect that the counters and the journal know of.
    pub(super) told: Option<&'static str>,
}

#[derive(Debug)]
pub(super) enum Kind {
    Web(Box<web::Web>),
    Jingle(Box<jingle::Jingle>),
}

/// The addresses a leg speaks between.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) call: CallId,
    pub(super) leg: usize,
    /// Ours, with the call's key, or the device that speaks for us.
    pub(super) by: Carrier,
    /// The device's.
    pub(super) peer: Arc<FullJid>,
}

impl Line {
    pub(super) fn request(&self, out: &mut dyn Sink, what: What, write: &dyn Fn(&mut Writer)) {
        out.request(self.about(what), &self.by, self.peer.as_str(), write);
    }

    pub(super) fn about(&self, what: What) -> Request {
        Request {
            call: self.call,
            leg: self.leg,
            what,
        }
    }

    /// Whether a device of the person's own speaks for us.
    pub(super) fn is_carried(&self) -> bool {
        matches!(self.by, Carrier::Device(_))
    }
}

impl Leg {
    /// Takes a signal of the other side, and gives what is to be said back at once.
    ///
    /// # Errors
    /// When this side cannot be told, because its protocol has no way to say it.
    pub(super) fn deliver(
        &mut self,
        signal: Signal,
        out: &mut dyn Sink,
    ) -> Result<Vec<Signal>, Refusal> {
        match &mut self.kind {
            Kind::Web(web) => {
                web.deliver(&self.line, signal, out);
                Ok(Vec::new())
            }
            Kind::Jingle(jingle) => jingle.deliver(&self.line, signal, out),
        }
    }

    /// Whether its device can be asked to restart ICE.
    pub(super) fn can_restart(&self) -> bool {
        match &self.kind {
            Kind::Web(_) => true,
            Kind::Jingle(jingle) => jingle.can_restart(),
        }
    }

    /// Asks its device whether it still knows of the call.
    pub(super) fn ping(&self, out: &mut dyn Sink) {
        match &self.kind {
            Kind::Web(web) => web.ping(&self.line, out),
            Kind::Jingle(jingle) => jingle.ping(&self.line, out),
        }
    }

    /// Nothing was said for a while: takes as little room as it can. False if something is under
    /// way all the same.
    pub(super) fn rest(&mut self) -> bool {
        self.early.shrink_to_fit();
        match &mut self.kind {
            Kind::Web(web) => web.rest(),
            Kind::Jingle(jingle) => jingle.rest(),
        }
    }

    /// Says what was postponed.
    pub(super) fn resume(&mut self, out: &mut dyn Sink) -> Vec<Signal> {
        match &mut self.kind {
            Kind::Web(_) => Vec::new(),
            Kind::Jingle(jingle) => jingle.resume(&self.line, out),
        }
    }

    /// Whether its device is a Jingle client.
    pub(super) fn is_jingle(&self) -> bool {
        matches!(self.kind, Kind::Jingle(_))
    }

    pub(super) fn new(line: Line, kind: Kind) -> Self {
        Self {
            line,
            kind,
            candidates: 0,
            early: Vec::new(),
            told: None,
        }
    }

    /// Whether the client has announced its call and waits to be told.
    pub(super) fn is_proposed(&self) -> bool {
        matches!(&self.kind, Kind::Jingle(jingle) if jingle.is_proposed())
    }

    /// Whether our session-initiate is out and not accepted.
    pub(super) fn is_initiated(&self) -> bool {
        matches!(&self.kind, Kind::Jingle(jingle) if jingle.is_ringing() && !jingle.is_idle())
    }

    /// Whether it rings.
    pub(super) fn is_ringing(&self) -> bool {
        match &self.kind {
            Kind::Web(web) => web.is_ringing(),
            Kind::Jingle(jingle) => jingle.is_ringing(),
        }
    }

    /// What is spoken to its device.
    pub(super) fn dialect(&self) -> &'static str {
        match &self.kind {
            Kind::Web(_) => "web",
            Kind::Jingle(jingle) => jingle.dialect().name,
        }
    }

    /// What the mapping dropped since the last time.
    pub(super) fn take_report(&mut self) -> Vec<Dropped> {
        match &mut self.kind {
            Kind::Web(_) => Vec::new(),
            Kind::Jingle(jingle) => jingle.take_report().dropped,
        }
    }

    /// Ends the leg.
    pub(super) fn end(&mut self, ending: &Ending, out: &mut dyn Sink) {
        match &mut self.kind {
            Kind::Web(web) => web.deliver(&self.line, Signal::End(ending.clone()), out),
            Kind::Jingle(jingle) => jingle.end(&self.line, ending, out),
        }
    }
}

/// What is wrong with something that a device said.
#[derive(Debug)]
pub(super) enum Fault {
    /// The stanza: it is answered with this error.
    Stanza(StanzaError),
    /// What it asks for: it is acknowledged and the call ends.
    Call(Ending),
}

impl From<StanzaError> for Fault {
    fn from(error: StanzaError) -> Self {
        Self::Stanza(error)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        if refusal.is_stanza_error() {
            Self::Stanza(refused(&refusal))
        } else {
            Self::Call(Ending::from(&refusal))
        }
    }
}

impl From<&Refusal> for Ending {
    fn from(refusal: &Refusal) -> Self {
        Self {
            cause: Some(refusal.name()),
            ..Self::from(refusal.reason()).with_text(refusal.to_string())
        }
    }
}

/// XEP-0166 §10 and the answer to whoever is not a party: `unknown-session`.
pub(super) fn unknown_session() -> StanzaError {
    StanzaError::new(ErrorKind::Cancel, "item-not-found")
        .with_application("unknown-session", crate::jingle::error::NS)
}

/// XEP-0166 §10: legal in itself, but not now.
pub(super) fn out_of_order() -> StanzaError {
    StanzaError::new(ErrorKind::Wait, "unexpected-request")
        .with_application("out-of-order", crate::jingle::error::NS)
}

/// XEP-0166 §7.2.16: a request of ours is under way, and goes first.
pub(super) fn tie_break() -> StanzaError {
    StanzaError::new(ErrorKind::Cancel, "conflict")
        .with_application("tie-break", crate::jingle::error::NS)
}

/// A description that cannot be taken, in words for a developer.
pub(super) fn refused(refusal: &Refusal) -> StanzaError {
    let (kind, condition) = refusal.stanza_error();
    let kind = match kind {
        "auth" => ErrorKind::Auth,
        "cancel" => ErrorKind::Cancel,
        "wait" => ErrorKind::Wait,
        _ => ErrorKind::Modify,
    };
    let error = StanzaError::new(kind, condition)
        .with_text(refusal.to_string())
        .because(refusal.name());
    match refusal.condition() {
        Some(condition) => error.with_application(condition.name(), crate::jingle::error::NS),
        None => error,
    }
}
