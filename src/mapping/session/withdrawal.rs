//! Requests that the browser took back, or that lost against the peer's, before they were answered.

use crate::jingle::{Action, Jingle};

use super::agreed::bundle;
use super::local::{Asked, LocalChange, Sent};
use super::{Change, Name, Pending, Receipt, Session};

/// A request that was taken back, in as many stanzas as it has receipts.
#[derive(Clone, Debug)]
pub(super) struct Withdrawn {
    receipts: Vec<Receipt>,
    /// To be said once the peer has taken it; `None` for a restart, which the peer answers.
    undo: Option<Jingle>,
}

impl Session {
    /// Takes back what the browser's offer asked for.
    pub(super) fn withdraw(&mut self, change: &mut Change) {
        let mut own = match self.pending.take() {
            Some(Pending::Local(own)) => own,
            other => {
                self.pending = other;
                return;
            }
        };
        for request in own.folded.drain(..).rev() {
            self.queue.push_front(request);
        }
        for add in &own.adds {
            if let Some(section) = own.sections.get(add.index) {
                self.parked.push(section.name.clone());
            }
        }
        // The peer's new credentials are of no use without ours.
        let ready = own.restart.iter().flat_map(|own| &own.transports);
        for (_, ready) in ready {
            if let Some(ufrag) = ready.as_ref().and_then(|ready| ready.ufrag.as_ref()) {
                self.retire(ufrag);
            }
        }
        self.withdraw_restart(&own);
        for sent in own.sent {
            let contents = sent.jingle.contents.iter();
            let undo = contents.filter_map(|content| match sent.asked {
                Asked::Add => Some(self.removal(&Name::of(content), content.senders())),
                Asked::Modify(before) => Some(self.modification(&Name::of(content), before)),
                // What was removed is known to nobody on this side until it is added again, and a
                // restart ends with the next one.
                Asked::Restart | Asked::Describe | Asked::Remove => None,
            });
            let Some(undo) = undo.reduce(|mut all, one| {
                all.contents.extend(one.contents);
                all
            }) else {
                continue;
            };
            if sent.acknowledged {
                self.say(undo, change);
            } else {
                self.withdrawn.push(Withdrawn {
                    receipts: vec![sent.receipt],
                    undo: Some(undo),
                });
            }
        }
    }

    /// A peer that has taken a restart answers it, and means no other. One that was said in several
    /// stanzas, since the peer takes one content in each, has one answer if they share a transport.
    fn withdraw_restart(&mut self, own: &LocalChange) {
        let is_restart = |sent: &&Sent| matches!(sent.asked, Asked::Restart);
        self.stale |= own.sent.iter().any(|sent| is_restart(&sent));
        // Of what it has removed itself it takes anything, and answers nothing.
        let counts = |sent: &&Sent| {
            let mut contents = sent.jingle.contents.iter().map(Name::of);
            contents.any(|name| !self.is_leaving(&name))
        };
        let members = self.peer.as_ref().map(bundle).unwrap_or_default();
        let mut restart = own.restart.iter().flat_map(|own| &own.transports);
        let shared = restart.all(|(own, _)| members.contains(own));
        let parts = own.sent.iter().filter(is_restart).filter(counts);
        let parts: Vec<_> = parts.collect();
        let size = if shared { parts.len().max(1) } else { 1 };
        for parts in parts.chunks(size) {
            if !parts.iter().any(|sent| sent.acknowledged) {
                self.withdrawn.push(Withdrawn {
                    receipts: parts.iter().map(|sent| sent.receipt).collect(),
                    undo: None,
                });
            } else if own.restarts_open() {
                self.unwanted = self.unwanted.saturating_add(1);
            }
        }
    }

    /// Who sends is said anew: what would undo an earlier request comes too late.
    pub(super) fn supersede(&mut self, name: &Name) {
        let undone = self.withdrawn.iter_mut();
        for undo in undone.filter_map(|own| own.undo.as_mut()) {
            undo.contents
                .retain(|own| own.senders.is_none() || Name::of(own) != *name);
        }
        // To the peer, ours is the later word, unless it goes on saying what it sends itself.
        if self.dialect.own_senders_only {
            return;
        }
        for request in &mut self.queue {
            if request.action == Action::ContentModify {
                request.contents.retain(|own| own.name != name.name);
            }
        }
    }

    /// The peer has acknowledged a request. False unless it was taken back.
    pub(super) fn withdrawn_was_taken(&mut self, receipt: Receipt, change: &mut Change) -> bool {
        let is_it = |own: &Withdrawn| own.receipts.contains(&receipt);
        let Some(place) = self.withdrawn.iter().position(is_it) else {
            return false;
        };
        match self.withdrawn.swap_remove(place).undo {
            None => self.unwanted = self.unwanted.saturating_add(1),
            Some(undo) if !undo.contents.is_empty() => self.say(undo, change),
            Some(_) => {}
        }
        true
    }

    /// The peer has answered a request with an error: if it was taken back, there is nothing to undo.
    pub(super) fn withdrawn_was_refused(&mut self, receipt: Receipt) {
        for own in &mut self.withdrawn {
            own.receipts.retain(|own| *own != receipt);
        }
        let mut refused = self.withdrawn.extract_if(.., |own| own.receipts.is_empty());
        if refused.any(|own| own.undo.is_none()) {
            self.stale = false;
        }
    }
}
