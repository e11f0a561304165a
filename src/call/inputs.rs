//! What devices say: browser apps, Jingle clients, and the messages that go before Jingle.

use std::sync::Arc;
use std::time::Duration;

use jid::{BareJid, FullJid};
use tracing::debug;

use super::index::{Parties, pair};
use super::leg::events::Events;
use super::leg::jingle::{Jingle as JingleLeg, send, send_message};
use super::leg::web::{Event, Web, read_offer};
use super::leg::{Fault, Kind, Leg, Line, refused, tie_break, unknown_session};
use super::parties::{Call, Course};
use super::signal::{Description, Ending, Signal};
use super::timer::Timer;
use super::{Between, CallId, Calls, Carrier, Context, Devices, Request, What};
use crate::jingle::message::{Ending as MessageEnding, Message, Step};
use crate::jingle::{Action, Jingle, Reason, Sid, Transport};
use crate::mapping::{Dialect, Refusal, Session};
use crate::stanza::{ErrorKind, StanzaError};
use crate::web::{self, Media};

impl Calls {
    /// A `<session/>` from a browser app.
    ///
    /// # Errors
    /// What the IQ is answered with.
    pub fn handle_web(
        &mut self,
        between: Between<'_>,
        session: web::Session,
        cx: &mut Context<'_>,
    ) -> Result<(), StanzaError> {
        let sid = Sid::new(&session.sid)
            .ok_or_else(|| StanzaError::bad_request("sid holds blanks or is too long"))?;
        let Some((id, leg)) = self.find(between, &sid) else {
            let web::Message::Offer(text) = session.message else {
                return Err(unknown_session());
            };
            let offer = read_offer(text, &self.mapping)?;
            let media = media_of(&offer.sdp);
            let named = between.through.map(|_| between.person.clone());
            let client = session.peer.and_then(|peer| FullJid::new(&peer).ok());
            let kind = Kind::Web(Box::new(Web::calling(sid.clone(), named, &offer.sdp)));
            let id = self.begin(cx.now, between, sid, media, kind)?;
            self.with(id, cx, |call, cx| {
                call.keep_offer(offer.text);
                let mut devices = devices(call, cx);
                if let Some(client) = client {
                    devices.direct = Some(client);
                    devices.announced = false;
                }
                call.ring(cx, devices)
            });
            return Ok(());
        };
        self.heard(id, leg);
        self.about(id, cx);
        let limits = self.mapping.clone();
        let most = self.limits.candidates;
        let Some(call) = self.calls.get_mut(&id) else {
            return Err(unknown_session());
        };
        let Some(Leg {
            kind: Kind::Web(web),
            candidates,
            ..
        }) = call.leg(leg)
        else {
            return Err(unknown_session());
        };
        if let web::Message::Candidates(more, _) = &session.message {
            count(candidates, more.len(), most)?;
        }
        match web.handle(session.message, &limits)? {
            Event::PickedUp => {
                self.await_answer(cx.now, id);
                self.with(id, cx, |call, cx| call.picked_up(cx, leg));
            }
            Event::Signal(Signal::Offer(offer)) => return self.change(id, leg, offer, cx),
            Event::Signal(signal) => {
                self.with(id, cx, |call, cx| call.relay(cx, leg, signal));
            }
        }
        Ok(())
    }

    /// A `<jingle/>`.
    ///
    /// # Errors
    /// What the IQ is answered with.
    pub fn handle_jingle(
        &mut self,
        between: Between<'_>,
        payload: &Jingle,
        cx: &mut Context<'_>,
    ) -> Result<(), StanzaError> {
        let Some((id, leg)) = self.find(between, &payload.sid) else {
            if payload.action != Action::SessionInitiate {
                return Err(unknown_session());
            }
            return self.initiated(between, payload, cx);
        };
        self.heard(id, leg);
        self.about(id, cx);
        let most = self.limits.candidates;
        let Some(call) = self.calls.get_mut(&id) else {
            return Err(unknown_session());
        };
        let far = call.other(leg).and_then(|other| call.leg(other));
        let far_restarts = far.is_none_or(|far| far.can_restart());
        let Some(Leg {
            line,
            kind: Kind::Jingle(jingle),
            candidates,
            ..
        }) = call.leg(leg)
        else {
            return Err(unknown_session());
        };
        count(candidates, candidates_of(payload), most)?;
        let line = line.clone();
        match jingle.handle(payload, far_restarts) {
            Ok(events) => {
                if events.picked_up {
                    self.await_answer(cx.now, id);
                }
                match self.follow(id, &line, events, cx) {
                    Err(refusal) if payload.action == Action::TransportInfo => {
                        Err(refused(&refusal))
                    }
                    // A restart of ICE that had to wait, and was acknowledged when it came.
                    Ok(()) | Err(_) => Ok(()),
                }
            }
            Err(Fault::Stanza(error)) => {
                self.worked_on(cx.now, id);
                Err(error)
            }
            Err(Fault::Call(ending)) => {
                self.with(id, cx, |call, cx| call.end(cx.out, &ending));
                Ok(())
            }
        }
    }

    /// The app of `leg` offers a change.
    fn change(
        &mut self,
        id: CallId,
        leg: usize,
        offer: Box<Description>,
        cx: &mut Context<'_>,
    ) -> Result<(), StanzaError> {
        let mut result = Ok(());
        self.with(id, cx, |call, cx| {
            result = call.change(cx.out, leg, offer);
            if let (
                Err(_),
                Some(Leg {
                    kind: Kind::Web(web),
                    ..
                }),
            ) = (&result, call.leg(leg))
            {
                web.take_back();
            }
            Course::GoesOn
        });
        result.map_err(|refusal| refused(&refusal))
    }

    /// Does what comes of a client's words.
    ///
    /// # Errors
    /// When the other side cannot be asked for what the client wants, and it is to be told so by an
    /// error. The call goes on without it.
    pub(super) fn follow(
        &mut self,
        id: CallId,
        line: &Line,
        events: Events,
        cx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        let mut result = Ok(());
        self.with(id, cx, |call, cx| {
            for (what, reply) in &events.replies {
                send(line, *what, reply, cx.out);
            }
            let mut course = Course::GoesOn;
            if events.picked_up {
                course = call.picked_up(cx, line.leg);
            }
            for signal in events.signals {
                if course != Course::GoesOn {
                    break;
                }
                course = call.relay(cx, line.leg, signal);
            }
            match course {
                Course::GoesOn => call.resume(cx.out),
                Course::Refused(refusal) => {
                    result = Err(refusal);
                    call.resume(cx.out)
                }
                Course::Ended(_) => course,
            }
        });
        result
    }

    /// A session-initiate that no announcement went before.
    fn initiated(
        &mut self,
        between: Between<'_>,
        payload: &Jingle,
        cx: &mut Context<'_>,
    ) -> Result<(), StanzaError> {
        let dialect = cx.directory.dialect(between.from);
        let sid = payload.sid.clone();
        if self.must_yield(between, &sid) {
            return Err(tie_break());
        }
        // The session is with the address it was sent to, and clients hear no other.
        let by = match between.through {
            Some(device) => Carrier::Device(Arc::new(device.clone())),
            None => Carrier::Direct(between.to.into()),
        };
        let session = match Session::initiated(payload, dialect).map_err(Fault::from) {
            Ok(session) => session,
            Err(Fault::Stanza(error)) => return Err(error),
            Err(Fault::Call(ending)) => {
                // XEP-0166 §6.3.2: acknowledged, then terminated.
                let line = Line {
                    call: CallId(0),
                    leg: 0,
                    by,
                    peer: Arc::new(between.from.clone()),
                };
                let mut terminate = Jingle::new(Action::SessionTerminate, sid);
                terminate.reason = Some(ending.element());
                send(&line, What::End, &terminate, cx.out);
                return Ok(());
            }
        };
        let mut media = Media::default();
        session.media().iter().for_each(|kind| media.add(kind));
        let leg = JingleLeg::calling(sid.clone(), dialect, session);
        let offer = leg.first_offer();
        let id = self.begin(cx.now, between, sid, media, Kind::Jingle(Box::new(leg)))?;
        self.with(id, cx, |call, cx| {
            if let Some(caller) = call.leg(0) {
                caller.line.by = by;
            }
            if let Some(Signal::Offer(offer)) = offer {
                call.keep_offer(offer.text);
            }
            let devices = devices(call, cx);
            let course = call.ring(cx, devices);
            if course == Course::GoesOn {
                call.ringing(cx.out);
            }
            course
        });
        Ok(())
    }

    /// A message of XEP-0353, which servers held back for so long. There is no error for a
    /// message: what cannot be acted on is passed over.
    pub fn handle_message(
        &mut self,
        between: Between<'_>,
        message: &Message,
        held_back: Duration,
        cx: &mut Context<'_>,
    ) {
        let parties = between.parties(&message.sid);
        let Some(id) = self.of_parties(&parties) else {
            let over = self.past.holds(cx.now, &parties);
            match &message.step {
                Step::Propose(kinds) if !over => {
                    self.proposed(between, &message.sid, kinds, held_back, cx);
                }
                // Picked up too late: it must not wait for a session.
                Step::Proceed if over => self.too_late(between, &message.sid, cx),
                _ => {}
            }
            return;
        };
        self.about(id, cx);
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let from = between.from;
        let leg = call.leg_of(from);
        let is_callee = *call.callee() == from.to_bare() && leg != Some(0);
        let proposed = call.proposed;
        if let Some(leg) = leg {
            self.heard(id, leg);
        }
        match (&message.step, leg) {
            (Step::Ringing, _) if is_callee => self.with(id, cx, |call, cx| {
                call.ringing(cx.out);
                Course::GoesOn
            }),
            // A second `<proceed/>` of the device that has the call says nothing new.
            (Step::Proceed, None) if is_callee => {
                self.await_answer(cx.now, id);
                self.with(id, cx, |call, cx| call.proceeded(cx, from.clone()));
            }
            (Step::Reject(ending), None) if is_callee && proposed => {
                let ending = ending_of(ending, Reason::Busy);
                self.with(id, cx, |call, cx| call.rejected(cx.out, &ending));
            }
            (Step::Retract(ending), Some(0)) => {
                let ending = ending_of(ending, Reason::Cancel);
                self.with(id, cx, |call, cx| call.hung_up(cx, 0, &ending));
            }
            (Step::Finish(ending) | Step::Reject(ending), Some(leg)) => {
                let ending = ending_of(ending, Reason::Success);
                self.with(id, cx, |call, cx| call.hung_up(cx, leg, &ending));
            }
            (
                Step::Propose(_)
                | Step::Ringing
                | Step::Retract(_)
                | Step::Proceed
                | Step::Reject(_)
                | Step::Finish(_)
                | Step::Accept,
                _,
            ) => debug!("A message out of order was passed over"),
        }
    }

    /// A message of ours came back as an error from `from`.
    pub fn handle_bounce(
        &mut self,
        from: &BareJid,
        person: &BareJid,
        through: Option<&FullJid>,
        message: &Message,
        cx: &mut Context<'_>,
    ) {
        let sid = message.sid.clone();
        let parties = match through {
            Some(device) => Parties::Carried(device.clone(), from.clone(), sid),
            None => Parties::Gateway(pair(person, from), sid),
        };
        if let (Some(id), Step::Propose(_)) = (self.of_parties(&parties), &message.step) {
            self.with(id, cx, |call, cx| call.bounced(cx.out));
        }
    }

    /// It became known how a client speaks, whose calls `through` carries if that is a device.
    pub fn handle_dialect(
        &mut self,
        client: &FullJid,
        through: Option<&FullJid>,
        dialect: &'static Dialect,
    ) {
        let calls = match through {
            Some(device) => self.carried_by(device),
            None => self.by_device.get(client).cloned().unwrap_or_default(),
        };
        for id in calls {
            let Some(call) = self.calls.get_mut(&id) else {
                continue;
            };
            let legs = call.legs.iter_mut().flatten();
            for leg in legs.filter(|leg| *leg.line.peer == *client) {
                if let Kind::Jingle(jingle) = &mut leg.kind {
                    jingle.set_dialect(dialect);
                }
            }
        }
    }

    fn proposed(
        &mut self,
        between: Between<'_>,
        sid: &Sid,
        kinds: &[String],
        held_back: Duration,
        cx: &mut Context<'_>,
    ) {
        if !self.may_propose(between, sid, cx) {
            return;
        }
        let supersedes = self.superseded(between);
        let mut media = Media::default();
        kinds.iter().for_each(|kind| media.add(kind));
        let leg = JingleLeg::proposing(sid.clone(), cx.directory.dialect(between.from));
        match self.begin(
            cx.now,
            between,
            sid.clone(),
            media,
            Kind::Jingle(Box::new(leg)),
        ) {
            Ok(id) => {
                let rings_for = self.config.ring_timeout().saturating_sub(held_back);
                self.timers.set(id, Timer::Ring, cx.now + rings_for);
                self.with(id, cx, |call, cx| {
                    call.supersedes = supersedes;
                    let devices = devices(call, cx);
                    call.ring(cx, devices)
                });
            }
            // The person's other devices may still take what this one has no room for.
            Err(_) if between.through.is_some() => {}
            Err(_) => self.say(between, sid, Step::Reject(Reason::Busy.into()), cx),
        }
    }

    /// A device took a call that has ended since.
    fn too_late(&self, between: Between<'_>, sid: &Sid, cx: &mut Context<'_>) {
        self.say(between, sid, Step::Retract(Reason::Cancel.into()), cx);
    }

    /// Says something of XEP-0353 that belongs to no call, or to none yet.
    fn say(&self, between: Between<'_>, sid: &Sid, step: Step, cx: &mut Context<'_>) {
        let about = Request {
            call: CallId(0),
            leg: 0,
            what: What::Inform,
        };
        if let Some(by) = self.voice(between) {
            send_message(about, &by, between.from.as_str(), sid, step, cx.out);
        }
    }
}

/// The devices that can ring, without the caller's own.
fn devices(call: &Call, cx: &Context<'_>) -> Devices {
    if let Some(device) = &call.through {
        let called = call.owner_called().is_some();
        return Devices {
            web: called.then(|| device.clone()).into_iter().collect(),
            direct: None,
            announced: !called,
        };
    }
    let mut devices = cx.directory.devices(call.callee(), call.media);
    if let Some(caller) = call.legs.first().and_then(Option::as_ref) {
        devices.web.retain(|device| *device != *caller.line.peer);
        devices.direct = devices.direct.filter(|device| *device != *caller.line.peer);
    }
    devices
}

/// The kinds of the sections that are not rejected.
fn media_of(sdp: &crate::sdp::Session) -> Media {
    let mut media = Media::default();
    for section in sdp.media.iter().filter(|section| !section.is_rejected()) {
        media.add(section.kind.as_str());
    }
    media
}

fn candidates_of(payload: &Jingle) -> usize {
    payload
        .contents
        .iter()
        .map(|content| match &content.transport {
            Some(Transport::Ice(ice)) => ice.candidates.len(),
            Some(Transport::Unknown(_)) | None => 0,
        })
        .sum()
}

fn count(candidates: &mut usize, more: usize, most: usize) -> Result<(), StanzaError> {
    if *candidates + more > most {
        return Err(StanzaError::new(ErrorKind::Wait, "policy-violation")
            .with_text(format!("more than {most} candidates in one call"))
            .because("candidates"));
    }
    *candidates += more;
    Ok(())
}

fn ending_of(ending: &MessageEnding, default: Reason) -> Ending {
    ending
        .reason
        .as_ref()
        .map_or_else(|| default.into(), Ending::from)
}
