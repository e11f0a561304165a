//! Messages: Jingle Message Initiation, privileges, and what nobody reads.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::{Gateway, Inbound, Output};
use crate::address::Named;
use crate::call::Between;
use crate::jingle::message::{Message, Step};
use crate::presence::NS_BLOCKING;
use crate::stanza::{self, StanzaError};
use crate::xml::Element;

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

    /// XEP-0356 §4.1: a server tells what it lets us do for its own people.
    fn privileges(&mut self, inbound: &Inbound<'_>) {
        let from = &inbound.from;
        if from.node().is_some() || from.resource().is_some() {
            return;
        }
        for ns in NS_PRIVILEGE {
            let Some(privilege) = inbound.document.root().child("privilege", ns) else {
                continue;
            };
            let reads_rosters = privilege.children().any(|perm| {
                perm.attr("access") == Some("roster")
                    && matches!(perm.attr("type"), Some("get" | "both"))
            });
            // §6.2; the first version of the XEP has none.
            let reads_blocks = privilege.children().any(|perm| {
                let of_blocks = |granted: Element<'_>| {
                    granted.attr("ns") == Some(NS_BLOCKING)
                        && matches!(granted.attr("type"), Some("get" | "both"))
                };
                perm.attr("access") == Some("iq") && perm.children().any(of_blocks)
            });
            let domain = from.domain().as_str();
            let most = self.config.limits.privileged_domains;
            let mut changed = false;
            for (granted, domains) in [
                (reads_rosters, &mut self.rosters),
                (reads_blocks, &mut self.blocklists),
            ] {
                changed |= if !granted {
                    domains.remove(domain)
                } else if domains.len() < most {
                    domains.insert(domain.to_owned())
                } else {
                    if !domains.contains(domain) {
                        self.counters.limit("privileged_domains");
                    }
                    false
                };
            }
            if changed {
                let privileges = Privileges::new(&self.rosters, &self.blocklists);
                self.orders.push_back(Output::Privileges(privileges));
            }
        }
    }
}

/// What servers let us do for their own people (XEP-0356).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Privileges {
    /// The domains of those that let us read rosters, in order.
    pub rosters: Vec<String>,
    /// The domains of those that let us read whom people have blocked, in order.
    pub blocklists: Vec<String>,
}

impl Privileges {
    fn new(rosters: &HashSet<String>, blocklists: &HashSet<String>) -> Self {
        let sorted = |domains: &HashSet<String>| {
            let mut domains: Vec<_> = domains.iter().cloned().collect();
            domains.sort_unstable();
            domains
        };
        Self {
            rosters: sorted(rosters),
            blocklists: sorted(blocklists),
        }
    }
}

/// XEP-0356 in the version of ejabberd 23 and in today's.
const NS_PRIVILEGE: [&str; 2] = ["urn:xmpp:privilege:1", "urn:xmpp:privilege:2"];
/// XEP-0356 §6.
pub(super) const NS_PRIVILEGE_IQ: &str = "urn:xmpp:privilege:2";
/// XEP-0203.
pub(super) const NS_DELAY: &str = "urn:xmpp:delay";
