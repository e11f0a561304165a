//! What tells that devices are there, or not: replies, presence, and the link to the server.

use std::time::Instant;

use jid::{FullJid, Jid};
use tracing::debug;

use super::leg::Kind;
use super::signal::Ending;
use super::timer::Timer;
use super::{CallId, Calls, Context, Failure, Request, What};
use crate::jingle::{Condition, Reason};

impl Calls {
    /// The reply to one of our requests: a result, or what its error says.
    pub fn handle_reply(
        &mut self,
        request: Request,
        failure: Option<Failure<'_>>,
        cx: &mut Context<'_>,
    ) {
        self.about(request.call, cx);
        let Some(call) = self.calls.get_mut(&request.call) else {
            return;
        };
        let established = call.established;
        let Some(leg) = call.leg(request.leg) else {
            return;
        };
        let condition = failure.map_or("", |failure| failure.condition);
        let of_content = matches!(request.what, What::Change(_))
            && leg.is_jingle()
            && failure.is_some_and(|own| own.jingle != Some(Condition::UnknownSession));
        // XEP-0166 §10 says it of a session with `unknown-session`; without it, what we asked for
        // may be about a content that the client has removed just now.
        let gone = !(of_content && condition == "item-not-found")
            && matches!(
                condition,
                "item-not-found"
                    | "service-unavailable"
                    | "recipient-unavailable"
                    | "remote-server-not-found"
            );
        if failure.is_some() {
            debug!(
                call.id = request.call.0,
                condition, "A request of a call failed"
            );
        } else {
            self.timers.stop(request.call, Timer::Offline(request.leg));
        }
        match request.what {
            What::Change(receipt) if !gone => {
                let line = leg.line.clone();
                if let Kind::Jingle(jingle) = &mut leg.kind {
                    let events = jingle.replied(receipt, failure);
                    // What is refused now was acknowledged when it came.
                    let _ = self.follow(request.call, &line, events, cx);
                }
            }
            // Whoever is offline may come back.
            What::Inform | What::Change(_)
                if gone && condition != "item-not-found" && established =>
            {
                self.offline(cx.now, request.call, request.leg);
            }
            What::Inform | What::Change(_) if gone => {
                let ending = Ending::from(Reason::Gone);
                self.with(request.call, cx, |call, cx| {
                    call.hung_up(cx, request.leg, &ending)
                });
            }
            What::Begin | What::Describe if failure.is_some() => {
                let reason = match condition {
                    TIMEOUT => Reason::Timeout,
                    _ if gone => Reason::Gone,
                    _ => Reason::FailedApplication,
                };
                let ending = Ending::from(reason);
                let tell = !leg.is_ringing() && !gone;
                self.with(request.call, cx, |call, cx| {
                    if let Some(leg) = call.leg(request.leg).filter(|_| tell) {
                        leg.end(&ending, cx.out);
                    }
                    call.hung_up(cx, request.leg, &ending)
                });
            }
            What::Begin | What::Change(_) | What::Describe | What::End | What::Inform => {}
        }
    }

    /// No reply came to one of our requests.
    pub fn handle_no_reply(&mut self, request: Request, cx: &mut Context<'_>) {
        match request.what {
            // Servers keep dead devices online for minutes; only the device itself can tell.
            What::Change(_) | What::Inform => self.offline(cx.now, request.call, request.leg),
            What::Begin | What::Describe | What::End => {
                let timeout = Failure {
                    condition: TIMEOUT,
                    jingle: None,
                };
                self.handle_reply(request, Some(timeout), cx);
            }
        }
    }

    /// A device is offline; without a resource, all devices of the person.
    pub fn handle_unavailable(&mut self, jid: &Jid, cx: &mut Context<'_>) {
        let Ok(device) = jid.clone().try_into_full() else {
            return;
        };
        for id in self.by_device.get(&device).cloned().unwrap_or_default() {
            let Some(call) = self.calls.get(&id) else {
                continue;
            };
            let Some(leg) = call.leg_of(&device) else {
                continue;
            };
            if call.taken.is_some() && call.other(leg).is_some() {
                self.offline(cx.now, id, leg);
            } else {
                let reason = if leg == 0 {
                    Reason::Cancel
                } else {
                    Reason::Gone
                };
                self.with(id, cx, |call, cx| call.hung_up(cx, leg, &reason.into()));
            }
        }
    }

    /// A device shows itself.
    pub fn handle_available(&mut self, device: &FullJid) {
        for id in self.by_device.get(device).cloned().unwrap_or_default() {
            if let Some(leg) = self.calls.get(&id).and_then(|call| call.leg_of(device)) {
                self.heard(id, leg);
            }
        }
    }

    /// The link to the XMPP server is down.
    pub fn handle_link_down(&mut self, now: Instant) {
        self.link_down.get_or_insert(now);
    }

    /// The link is up again. Devices get time to show themselves.
    pub fn handle_link_up(&mut self, cx: &mut Context<'_>) {
        let now = cx.now;
        if let Some(since) = self.link_down.take()
            && now.saturating_duration_since(since) >= self.config.link_grace()
        {
            self.forget_all(cx);
        }
        self.timers
            .postpone_offline(now + self.config.offline_grace());
    }

    pub(super) fn heard(&mut self, id: CallId, leg: usize) {
        self.timers.stop(id, Timer::Offline(leg));
    }

    fn offline(&mut self, now: Instant, id: CallId, leg: usize) {
        self.timers
            .set(id, Timer::Offline(leg), now + self.config.offline_grace());
    }
}

/// Stands for the condition of an error where no reply came.
const TIMEOUT: &str = "remote-server-timeout";
