//! What happens in each call, told step by step to whoever keeps it for the operator.
//!
//! The journal is off unless somebody keeps what it tells; then nothing is copied. Stanzas stand in
//! it as they are on the wire but for what would let a reader take part in the call: passwords of
//! ICE and keys of SDES are blotted out, their length is left.

use std::collections::VecDeque;
use std::time::Instant;

use super::CallId;
use crate::mapping::Dropped;

/// One step of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Of which call.
    pub call: CallId,
    /// When.
    pub at: Instant,
    /// What happened.
    pub event: Event,
}

/// What happens in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It began.
    Began {
        /// The session id, the same on all legs.
        sid: String,
        /// The device that calls.
        caller: String,
        /// The person who is called.
        callee: String,
        /// `audio`, `video` or both.
        media: String,
    },
    /// A device takes part, or it became known how it speaks.
    Leg {
        /// Its address.
        device: String,
        /// The dialect of Jingle that is spoken to it, or `web`.
        dialect: &'static str,
    },
    /// A stanza came in.
    Received {
        /// The sender.
        from: String,
        /// The stanza.
        stanza: String,
    },
    /// A stanza went out.
    Sent {
        /// The receiver.
        to: String,
        /// The stanza.
        stanza: String,
    },
    /// The mapping could not carry something over from or to this device.
    Dropped {
        /// The device.
        device: String,
        /// What, and why.
        what: Vec<Dropped>,
    },
    /// A device picked up.
    PickedUp {
        /// Its address.
        device: String,
    },
    /// The caller has the answer.
    Answered,
    /// It ended.
    Ended {
        /// The condition of XEP-0166 §7.4; `link` if nobody could be told.
        reason: &'static str,
        /// In words.
        text: Option<String>,
    },
}

/// Steps that wait to be polled.
#[derive(Debug, Default)]
pub struct Journal {
    now: Option<Instant>,
    /// The stanza that is being handled, until it is known which call it is about.
    heard: Option<(String, String)>,
    about: Option<CallId>,
    records: VecDeque<Record>,
}

impl Journal {
    /// The handling of something begins.
    pub fn begin(&mut self, now: Instant) {
        self.now = Some(now);
        self.heard = None;
        self.about = None;
    }

    /// What is handled is this stanza.
    pub fn hear(&mut self, from: &str, stanza: &str) {
        self.heard = Some((from.to_owned(), blot(stanza)));
    }

    /// What is handled is about this call.
    pub(super) fn about(&mut self, call: CallId) {
        self.about = Some(call);
        if let Some((from, stanza)) = self.heard.take() {
            self.note(call, Event::Received { from, stanza });
        }
    }

    /// The call that what is handled is about.
    #[must_use]
    pub fn call(&self) -> Option<CallId> {
        self.about
    }

    /// A stanza of a call leaves.
    pub fn sent(&mut self, now: Instant, call: CallId, to: &str, stanza: &str) {
        self.now = Some(now);
        let (to, stanza) = (to.to_owned(), blot(stanza));
        self.note(call, Event::Sent { to, stanza });
    }

    pub(super) fn note(&mut self, call: CallId, event: Event) {
        let Some(at) = self.now else { return };
        // Polled after every input; this bound is only for whoever forgets to.
        if self.records.len() < MAX_WAITING {
            self.records.push_back(Record { call, at, event });
        }
    }

    /// The next step.
    pub fn poll(&mut self) -> Option<Record> {
        self.records.pop_front()
    }
}

/// Replaces passwords of ICE (RFC 8839 §5.4, XEP-0176 §5.3) and keys of SDES (RFC 4568 §6.1,
/// XEP-0167 §5) by as many dots.
fn blot(stanza: &str) -> String {
    let mut out = String::with_capacity(stanza.len());
    let mut rest = stanza;
    loop {
        let next = SECRETS
            .iter()
            .filter_map(|lead| Some((rest.find(lead)? + lead.len(), *lead)))
            .min_by_key(|(at, lead)| at - lead.len());
        let Some((at, _)) = next else {
            out.push_str(rest);
            return out;
        };
        let (before, behind) = rest.split_at(at);
        out.push_str(before);
        let end = behind
            .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '/' | '='))
            .unwrap_or(behind.len());
        out.extend(std::iter::repeat_n('•', end));
        rest = behind.split_at(end).1;
    }
}

/// What stands before a secret.
const SECRETS: [&str; 4] = [" pwd='", " pwd=\"", "ice-pwd:", "inline:"];
const MAX_WAITING: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_blotted_out_wherever_they_stand() {
        let stanza = "<transport ufrag='8hhy' pwd='asd88fgpdd777uzjYhagZg'/>\
                      <offer>a=ice-pwd:asd88fgpdd777uzjYhagZg&#xD;\na=ice-ufrag:8hhy\r\n\
                      a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20</offer>";
        let blotted = blot(stanza);
        assert!(
            !blotted.contains("asd88") && !blotted.contains("d0Rm"),
            "{blotted}"
        );
        assert!(
            blotted.contains("ufrag='8hhy' pwd='••••••••••••••••••••••'/>"),
            "{blotted}"
        );
        assert!(blotted.contains("••&#xD;\na=ice-ufrag:8hhy"), "{blotted}");
        assert!(blotted.contains("•|2^20</offer>"), "{blotted}");
        assert_eq!(blot("nothing pwdx='a'"), "nothing pwdx='a'");
    }
}
