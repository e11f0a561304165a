//! Clients that may have left unheard.
//!
//! Where a server tells us of its people's presence by itself (XEP-0356 §7), that of a connection which
//! breaks may be missing: ejabberd copies what clients send, and of what it says in their stead only
//! what somebody who is there is told. So a client that nobody sees at a gateway address is asked
//! when somebody looks.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use jid::{BareJid, FullJid};

use super::Gateway;
use super::iq::NS_PING;
use super::outbox::Purpose;

/// When each of those that were asked was asked last.
#[derive(Debug, Default)]
pub(super) struct Doubts(HashMap<FullJid, Instant>);

impl Doubts {
    /// Remembers that a client is asked. False if it was a moment ago, or too many were.
    fn insert(&mut self, now: Instant, client: &FullJid) -> bool {
        let is_recent = |asked: &Instant| now.saturating_duration_since(*asked) < PATIENCE;
        if self.0.get(client).is_some_and(is_recent) {
            return false;
        }
        if self.0.len() >= MOST {
            self.0.retain(|_, asked| is_recent(asked));
        }
        let has_room = self.0.len() < MOST;
        if has_room {
            self.0.insert(client.clone(), now);
        }
        has_room
    }
}

impl Gateway {
    /// Somebody looks whether `person` is there.
    pub(super) fn looked_at(&mut self, person: &BareJid) {
        let now = self.outbox.now;
        let unseen: Vec<FullJid> = self.clients.registry.unseen(person).collect();
        for client in unseen {
            if self.doubts.insert(now, &client) {
                let service = self.config.service.to_string();
                let (purpose, to) = (Purpose::Presence(client.clone()), client.as_str());
                // One that cannot be asked now is taken to be there.
                let _ = self.outbox.ask(purpose, "get", &service, to, &|writer| {
                    writer.leaf("ping", NS_PING, "");
                });
            }
        }
    }
}

/// A client is asked once in such a time.
const PATIENCE: Duration = Duration::from_secs(60);
/// Clients that are asked in that time.
const MOST: usize = 10_000;
