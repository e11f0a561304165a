//! Two people who call each other at once, and one who calls again: XEP-0353 §4, XEP-0166 §7.2.16.

use std::sync::Arc;

use super::leg::jingle::send_message;
use super::parties::Call;
use super::signal::{Carrier, Ending, Sink};
use super::{Between, CallId, Calls, Context, Request, What};
use crate::jingle::message::{Ending as MessageEnding, Step};
use crate::jingle::{Reason, Sid};

impl Calls {
    /// Whether a `<propose/>` goes before ours to the same person. The lower id overrules; on a
    /// tie, the lower JID. The loser is told off both ways, so that no order of arrival matters.
    pub(super) fn may_propose(
        &mut self,
        between: Between<'_>,
        sid: &Sid,
        cx: &mut Context<'_>,
    ) -> bool {
        let from = between.from.to_bare();
        for id in self.joining(between) {
            let Some(call) = self.calls.get(&id) else {
                continue;
            };
            if call.caller() != between.person || !call.proposed || call.taken.is_some() {
                continue;
            }
            let ours = (call.sid.as_str().as_bytes(), between.person.as_str());
            if ours < (sid.as_str().as_bytes(), from.as_str()) {
                let step = Step::Reject(tie_break());
                let about = call.about(What::Inform);
                if let Some(by) = self.voice(between) {
                    send_message(about, &by, between.from.as_str(), sid, step, cx.out);
                }
                return false;
            }
            self.with(id, cx, |call, cx| {
                call.retract(Step::Retract(tie_break()), cx.out);
                call.end(cx.out, &Reason::Expired.into())
            });
        }
        true
    }

    /// XEP-0166 §7.2.16: whether a session-initiate must yield to one of ours to the same device.
    pub(super) fn must_yield(&self, between: Between<'_>, sid: &Sid) -> bool {
        self.joining(between)
            .into_iter()
            .filter_map(|id| self.calls.get(&id))
            .any(|call| {
                let asked = call
                    .leg_of(between.from)
                    .and_then(|leg| call.legs.get(leg)?.as_ref())
                    .is_some_and(|leg| leg.is_initiated());
                asked
                    && call.caller() == between.person
                    && call.taken.is_none()
                    && call.sid.as_str().as_bytes() < sid.as_str().as_bytes()
            })
    }

    /// The established call between the two that a new one from the peer supersedes, once it is
    /// taken (XEP-0353 §4.2).
    pub(super) fn superseded(&self, between: Between<'_>) -> Option<CallId> {
        self.joining(between)
            .into_iter()
            .find(|id| self.calls.get(id).is_some_and(|call| call.established))
    }

    /// Whether a call joins the two whom something is said between.
    #[must_use]
    pub fn is_party(&self, between: Between<'_>) -> bool {
        !self.joining(between).is_empty()
    }

    /// The calls between the two whom something is said between.
    fn joining(&self, between: Between<'_>) -> Vec<CallId> {
        let from = between.from.to_bare();
        match between.through {
            None => self.of_pair(between.person, &from),
            Some(device) => {
                let mut calls = self.carried_by(device);
                let with = |call: &Call| [call.caller(), call.callee()].contains(&&from);
                calls.retain(|id| self.calls.get(id).is_some_and(|call| with(call)));
                calls
            }
        }
    }

    /// What speaks for the person to whom something was said outside a call.
    pub(super) fn voice(&self, between: Between<'_>) -> Option<Carrier> {
        match between.through {
            Some(device) => Some(Carrier::Device(Arc::new(device.clone()))),
            None => self
                .own_address(between.person)
                .ok()
                .map(|own| Carrier::Direct(own.into())),
        }
    }
}

impl Call {
    pub(super) fn about(&self, what: What) -> Request {
        Request {
            call: self.id,
            leg: 0,
            what,
        }
    }

    /// Takes the open `<propose/>` back.
    pub(super) fn retract(&mut self, step: Step, out: &mut dyn Sink) {
        if std::mem::take(&mut self.proposed) {
            self.message(self.callee().as_str(), What::Inform, step, out);
        }
    }

    /// The call goes on as another one.
    pub(super) fn migrated(to: &Sid) -> Ending {
        Ending {
            migrated: Some(to.clone()),
            ..Ending::from(Reason::AlternativeSession)
        }
    }
}

fn tie_break() -> MessageEnding {
    MessageEnding {
        tie_break: true,
        ..Reason::Expired.into()
    }
}
