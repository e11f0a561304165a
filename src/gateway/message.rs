//! Messages: Jingle Message Initiation, privileges, and what nobody reads.

use std::time::{Duration, Instant};

use super::{Gateway, Inbound, Output};
use crate::address::Named;
use crate::call::Between;
use crate::jingle::message::{Message, Step};
use crate::stanza::{self, StanzaError};

impl Gateway {
    pub(super) fn handle_message(&mut self, now: Instant, inbound: &Inbound<'_>) {
        let root = inbound.document.root();
        let kind = root.attr("type");
        let person = match &inbound.named {
            Named::Person(person) => person,
            Named::Service => return self.privileges(inbound),
            Named::Reserved => return,
        };
        let Some(message) = Message::of(root) else {
            if kind != Some("error") {
                self.tells_of_herself(inbound, person);
            }
            // RFC 6121 §8.5.1: a chat with an address behind which nobody reads.
            let wants_answer = matches!(kind, None | Some("chat" | "normal"));
            if wants_answer && root.child("body", root.ns()).is_some() {
                let error = StanzaError::service_unavailable();
                let (own, peer) = (inbound.to, inbound.from.as_str());
                self.send(stanza::error("message", own, peer, root.attr("id"), &error));
            }
            return;
        };
        if kind == Some("error") {
            let (calls, mut cx) = self.calls();
            return calls.handle_bounce(&inbound.from.to_bare(), person, None, &message, &mut cx);
        }
        let Ok(from) = inbound.from.clone().try_into_full() else {
            return;
        };
        if matches!(message.step, Step::Propose(_)) {
            // A propose that the server kept for later is a call that is over.
            if root.child("delay", NS_DELAY).is_some() || self.drain_until.is_some() {
                return;
            }
            // Whoever may not call hears nothing.
            if !self.calls.joins(person, &from.to_bare())
                && self.may_call(now, inbound, person) != Some(true)
            {
                return;
            }
        }
        let between = Between {
            from: &from,
            to: inbound.to,
            person,
            through: None,
        };
        let (calls, mut cx) = self.calls();
        calls.handle_message(between, &message, Duration::ZERO, &mut cx);
        self.meet(between);
    }

    /// A server may tell what it lets us do for its own people.
    fn privileges(&mut self, inbound: &Inbound<'_>) {
        let message = inbound.document.root();
        let announced = self.grants.announced(&inbound.from, message);
        if announced.is_full {
            self.counters.limit("privileged_domains");
        }
        if announced.changed {
            let privileges = self.grants.list();
            self.orders.push_back(Output::Privileges(privileges));
        }
    }
}

/// XEP-0203.
pub(super) const NS_DELAY: &str = "urn:xmpp:delay";
