use std::collections::HashMap;
use std::time::{Duration, Instant};

use jid::{BareJid, FullJid, Jid};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tracing::{debug, info};

use super::leg::jingle::{Jingle as JingleLeg, send, send_message};
use super::leg::web::{Event, Web, read_offer};
use super::leg::{Fault, Kind, Leg, Line, out_of_order, unknown_session};
use super::parties::{Call, Context, Course};
use super::signal::{Ending, Signal};
use super::timer::{Timer, Timers};
use super::{CallId, Config, Directory, Limits, Request, Sink, What};
use crate::address::Addresses;
use crate::jingle::message::{Ending as MessageEnding, Message, Step};
use crate::jingle::{Action, Jingle, Reason, Sid, Transport};
use crate::mapping::{self, Session};
use crate::stanza::{ErrorKind, StanzaError};
use crate::web::{self, Media};

/// All calls.
///
/// A call is found by whom our address stands for, the other party, and the sid; within it a leg by
/// the full JID of its device. A right sid from a wrong device is answered like a wrong sid.
#[derive(Debug)]
pub struct Calls {
    config: Config,
    limits: Limits,
    mapping: mapping::Limits,
    addresses: Addresses,
    rng: StdRng,
    calls: HashMap<CallId, Call>,
    by_parties: HashMap<Parties, CallId>,
    by_device: HashMap<FullJid, Vec<CallId>>,
    /// Open calls and the attempts of the minute under way, of each person.
    people: HashMap<BareJid, Usage>,
    /// How many calls join two people, in either direction.
    pairs: HashMap<(BareJid, BareJid), usize>,
    timers: Timers,
    next: u64,
    link_down: Option<Instant>,
}

/// Whom our address stands for, the other party, and the sid.
type Parties = (BareJid, BareJid, Sid);

#[derive(Debug)]
struct Usage {
    open: usize,
    attempts: u32,
    minute: Instant,
}

impl Calls {
    /// No calls yet. `seed` feeds the keys in the addresses of legs.
    #[must_use]
    pub fn new(config: Config, limits: Limits, addresses: Addresses, seed: [u8; 32]) -> Self {
        Self {
            config,
            limits,
            mapping: mapping::Limits::default(),
            addresses,
            rng: StdRng::from_seed(seed),
            calls: HashMap::new(),
            by_parties: HashMap::new(),
            by_device: HashMap::new(),
            people: HashMap::new(),
            pairs: HashMap::new(),
            timers: Timers::default(),
            next: 0,
            link_down: None,
        }
    }

    /// Open calls.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether there is no call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Whether a call joins the two people.
    #[must_use]
    pub fn joins(&self, one: &BareJid, other: &BareJid) -> bool {
        self.pairs.contains_key(&pair(one, other))
    }

    /// A `<session/>` from a browser app to the address that stands for `person`.
    ///
    /// # Errors
    /// What the IQ is answered with.
    pub fn handle_web(
        &mut self,
        now: Instant,
        from: &FullJid,
        person: &BareJid,
        session: web::Session,
        out: &mut dyn Sink,
        directory: &dyn Directory,
    ) -> Result<(), StanzaError> {
        let sid = Sid::new(&session.sid)
            .ok_or_else(|| StanzaError::bad_request("sid holds blanks or is too long"))?;
        let Some((id, leg)) = self.find(person, from, &sid) else {
            let web::Message::Offer(text) = session.message else {
                return Err(unknown_session());
            };
            let offer = read_offer(text, &self.mapping)?;
            let media = media_of(&offer.sdp);
            let kind = Kind::Web(Web::calling(sid.clone()));
            let id = self.begin(now, from, person, sid, media, kind)?;
            self.with(id, now, out, directory, |call, cx| {
                call.offer = Some(offer);
                let devices = devices(call, cx);
                call.ring(cx, devices)
            });
            return Ok(());
        };
        self.heard(id, leg);
        let limits = self.mapping.clone();
        let most = self.limits.candidates;
        let Some(call) = self.calls.get_mut(&id) else {
            return Err(unknown_session());
        };
        if let web::Message::Offer(_) = session.message
            && !call.can_renegotiate(leg)
        {
            return Err(StanzaError::not_implemented()
                .with_text("a call with a Jingle client cannot be changed yet"));
        }
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
                self.timers.stop(id, Timer::Ring);
                self.timers
                    .set(id, Timer::Offer, now + self.config.iq_timeout());
                self.with(id, now, out, directory, |call, cx| call.picked_up(cx, leg));
            }
            Event::Signal(signal) => {
                self.with(id, now, out, directory, |call, cx| {
                    call.relay(cx, leg, signal)
                });
            }
        }
        Ok(())
    }

    /// A `<jingle/>` to `to`, an address that stands for `person`.
    ///
    /// # Errors
    /// What the IQ is answered with.
    #[expect(clippy::too_many_arguments, reason = "the parts of one stanza")]
    pub fn handle_jingle(
        &mut self,
        now: Instant,
        from: &FullJid,
        person: &BareJid,
        to: &str,
        payload: &Jingle,
        out: &mut dyn Sink,
        directory: &dyn Directory,
    ) -> Result<(), StanzaError> {
        let Some((id, leg)) = self.find(person, from, &payload.sid) else {
            if payload.action != Action::SessionInitiate {
                return Err(unknown_session());
            }
            return self.initiated(now, from, person, to, payload, out, directory);
        };
        self.heard(id, leg);
        let most = self.limits.candidates;
        let Some(call) = self.calls.get_mut(&id) else {
            return Err(unknown_session());
        };
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
        match jingle.handle(payload) {
            Ok(events) => {
                if events.picked_up {
                    self.timers.stop(id, Timer::Ring);
                }
                self.with(id, now, out, directory, |call, cx| {
                    for reply in &events.replies {
                        send(&line, What::Inform, reply, cx.out);
                    }
                    let mut course = Course::GoesOn;
                    if events.picked_up {
                        course = call.picked_up(cx, leg);
                    }
                    for signal in events.signals {
                        if course != Course::GoesOn {
                            break;
                        }
                        course = call.relay(cx, leg, signal);
                    }
                    course
                });
                Ok(())
            }
            Err(Fault::Stanza(error)) => Err(error),
            Err(Fault::Call(ending)) => {
                self.with(id, now, out, directory, |call, cx| {
                    call.end(cx.out, &ending)
                });
                Ok(())
            }
        }
    }

    /// A session-initiate that no announcement went before. The session is with the address it
    /// was sent to, and clients hear no other.
    #[expect(clippy::too_many_arguments, reason = "the parts of one stanza")]
    fn initiated(
        &mut self,
        now: Instant,
        from: &FullJid,
        person: &BareJid,
        to: &str,
        payload: &Jingle,
        out: &mut dyn Sink,
        directory: &dyn Directory,
    ) -> Result<(), StanzaError> {
        let dialect = directory.dialect(from);
        let sid = payload.sid.clone();
        let session = match Session::initiated(payload, dialect).map_err(Fault::from) {
            Ok(session) => session,
            Err(Fault::Stanza(error)) => return Err(error),
            Err(Fault::Call(ending)) => {
                // XEP-0166 §6.3.2: acknowledged, then terminated.
                let line = Line {
                    call: CallId(0),
                    leg: 0,
                    own: to.to_owned(),
                    peer: from.clone(),
                };
                let mut terminate = Jingle::new(Action::SessionTerminate, sid);
                terminate.reason = Some(ending.element());
                send(&line, What::End, &terminate, out);
                return Ok(());
            }
        };
        let mut media = Media::default();
        session.media().iter().for_each(|kind| media.add(kind));
        let leg = JingleLeg::calling(sid.clone(), dialect, session);
        let offer = leg.first_offer();
        let id = self.begin(now, from, person, sid, media, Kind::Jingle(Box::new(leg)))?;
        self.with(id, now, out, directory, |call, cx| {
            if let Some(caller) = call.leg(0) {
                to.clone_into(&mut caller.line.own);
            }
            if let Some(Signal::Offer(offer)) = offer {
                call.offer = Some(offer);
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

    /// A message of XEP-0353 to the address that stands for `person`. There is no error for a
    /// message: what cannot be acted on is passed over.
    pub fn handle_message(
        &mut self,
        now: Instant,
        from: &FullJid,
        person: &BareJid,
        message: &Message,
        out: &mut dyn Sink,
        directory: &dyn Directory,
    ) {
        let parties = (person.clone(), from.to_bare(), message.sid.clone());
        let Some(&id) = self.by_parties.get(&parties) else {
            if let Step::Propose(kinds) = &message.step {
                self.proposed(now, from, person, &message.sid, kinds, out, directory);
            }
            return;
        };
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let leg = call.leg_of(from);
        let is_callee = call.callee == from.to_bare() && leg != Some(0);
        let proposed = call.proposed;
        if let Some(leg) = leg {
            self.heard(id, leg);
        }
        match (&message.step, leg) {
            (Step::Ringing, _) if is_callee => self.with(id, now, out, directory, |call, cx| {
                call.ringing(cx.out);
                Course::GoesOn
            }),
            // A second `<proceed/>` of the device that has the call says nothing new.
            (Step::Proceed, None) if is_callee => {
                self.timers.stop(id, Timer::Ring);
                let within = self.config.iq_timeout();
                self.timers.set(id, Timer::Offer, now + within);
                self.with(id, now, out, directory, |call, cx| {
                    call.proceeded(cx, from.clone())
                });
            }
            (Step::Reject(ending), None) if is_callee && proposed => {
                let ending = ending_of(ending, Reason::Busy);
                self.with(id, now, out, directory, |call, cx| {
                    call.rejected(cx.out, &ending)
                });
            }
            (Step::Retract(ending), Some(0)) => {
                let ending = ending_of(ending, Reason::Cancel);
                self.with(id, now, out, directory, |call, cx| {
                    call.hung_up(cx, 0, &ending)
                });
            }
            (Step::Finish(ending) | Step::Reject(ending), Some(leg)) => {
                let ending = ending_of(ending, Reason::Success);
                self.with(id, now, out, directory, |call, cx| {
                    call.hung_up(cx, leg, &ending)
                });
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
        now: Instant,
        from: &Jid,
        person: &BareJid,
        message: &Message,
        out: &mut dyn Sink,
        directory: &dyn Directory,
    ) {
        let parties = (person.clone(), from.to_bare(), message.sid.clone());
        if let (Some(&id), Step::Propose(_)) = (self.by_parties.get(&parties), &message.step) {
            self.with(id, now, out, directory, |call, cx| call.bounced(cx.out));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one message")]
    fn proposed(
        &mut self,
        now: Instant,
        from: &FullJid,
        person: &BareJid,
        sid: &Sid,
        kinds: &[String],
        out: &mut dyn Sink,
        directory: &dyn Directory,
    ) {
        let mut media = Media::default();
        kinds.iter().for_each(|kind| media.add(kind));
        let leg = JingleLeg::proposing(sid.clone(), directory.dialect(from));
        match self.begin(
            now,
            from,
            person,
            sid.clone(),
            media,
            Kind::Jingle(Box::new(leg)),
        ) {
            Ok(id) => self.with(id, now, out, directory, |call, cx| {
                let devices = devices(call, cx);
                call.ring(cx, devices)
            }),
            Err(_) => {
                if let Ok(own) = self.own_address(person) {
                    let step = Step::Reject(Ending::from(Reason::Busy).element().into());
                    send_message(&own, from.as_str(), sid, step, out);
                }
            }
        }
    }

    /// The reply to one of our requests: `Ok`, or the condition of its error, or `None` where none
    /// came in time.
    pub fn handle_reply(
        &mut self,
        now: Instant,
        request: Request,
        error: Option<&str>,
        out: &mut dyn Sink,
        directory: &dyn Directory,
    ) {
        let Some(call) = self.calls.get_mut(&request.call) else {
            return;
        };
        let Some(leg) = call.leg(request.leg) else {
            return;
        };
        let Some(condition) = error else {
            self.timers.stop(request.call, Timer::Offline(request.leg));
            return;
        };
        let gone = matches!(
            condition,
            "item-not-found"
                | "service-unavailable"
                | "recipient-unavailable"
                | "remote-server-not-found"
        );
        let ringing = leg.is_ringing();
        debug!(
            call.id = request.call.0,
            condition, "A request of a call failed"
        );
        match request.what {
            What::End => {}
            What::Inform if !gone => {}
            What::Inform => {
                let ending = Ending::from(Reason::Gone);
                self.with(request.call, now, out, directory, |call, cx| {
                    call.hung_up(cx, request.leg, &ending)
                });
            }
            What::Begin | What::Describe => {
                let reason = match condition {
                    TIMEOUT => Reason::Timeout,
                    _ if gone => Reason::Gone,
                    _ => Reason::FailedApplication,
                };
                let ending = Ending::from(reason);
                self.with(request.call, now, out, directory, |call, cx| {
                    if !ringing
                        && !gone
                        && let Some(leg) = call.leg(request.leg)
                    {
                        leg.end(&ending, cx.out);
                    }
                    call.hung_up(cx, request.leg, &ending)
                });
            }
        }
    }

    /// No reply came to one of our requests.
    pub fn handle_no_reply(
        &mut self,
        now: Instant,
        request: Request,
        out: &mut dyn Sink,
        directory: &dyn Directory,
    ) {
        match request.what {
            // Servers keep dead devices online for minutes; only the device itself can tell.
            What::Inform => self.offline(now, request.call, request.leg),
            What::Begin | What::Describe | What::End => {
                self.handle_reply(now, request, Some(TIMEOUT), out, directory);
            }
        }
    }

    /// A device is offline; without a resource, all devices of the person.
    pub fn handle_unavailable(
        &mut self,
        now: Instant,
        jid: &Jid,
        out: &mut dyn Sink,
        directory: &dyn Directory,
    ) {
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
                self.offline(now, id, leg);
            } else {
                let reason = if leg == 0 {
                    Reason::Cancel
                } else {
                    Reason::Gone
                };
                self.with(id, now, out, directory, |call, cx| {
                    call.hung_up(cx, leg, &reason.into())
                });
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
    pub fn handle_link_up(&mut self, now: Instant) {
        if let Some(since) = self.link_down.take()
            && now.saturating_duration_since(since) >= self.config.link_grace()
        {
            self.forget_all();
        }
        self.timers
            .postpone_offline(now + self.config.offline_grace());
    }

    /// Ends all calls, because the service stops.
    pub fn end_all(&mut self, now: Instant, out: &mut dyn Sink, directory: &dyn Directory) {
        let all: Vec<_> = self.calls.keys().copied().collect();
        for id in all {
            self.with(id, now, out, directory, |call, cx| {
                call.end(cx.out, &Reason::Gone.into())
            });
        }
    }

    /// When [`Self::handle_timeout`] wants to be called next.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let link = self
            .link_down
            .filter(|_| !self.is_empty())
            .map(|at| at + self.config.link_grace());
        [self.timers.next(), link].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut dyn Sink, directory: &dyn Directory) {
        if let Some(since) = self.link_down {
            if now.saturating_duration_since(since) >= self.config.link_grace() {
                self.forget_all();
            } else {
                // Nobody can be heard; see `handle_link_up`.
                self.timers
                    .postpone_offline(since + self.config.link_grace());
            }
        }
        while let Some((id, timer)) = self.timers.pop(now) {
            match timer {
                Timer::Ring | Timer::Offer => {
                    let ending = Ending::from(Reason::Timeout);
                    self.with(id, now, out, directory, |call, cx| {
                        // The offer came: the timer has done its work.
                        if timer == Timer::Offer && call.is_described() {
                            return Course::GoesOn;
                        }
                        call.end(cx.out, &ending)
                    });
                }
                // The device is told as well: it may be there and only not have replied.
                Timer::Offline(_) => {
                    let ending = Ending::from(Reason::Gone);
                    self.with(id, now, out, directory, |call, cx| {
                        call.end(cx.out, &ending)
                    });
                }
            }
        }
        let minute = Duration::from_secs(60);
        if self.people.len() > MAX_IDLE_PEOPLE {
            self.people.retain(|_, usage| {
                usage.open > 0 || now.saturating_duration_since(usage.minute) < minute
            });
        }
    }

    fn find(&self, person: &BareJid, from: &FullJid, sid: &Sid) -> Option<(CallId, usize)> {
        let parties = (person.clone(), from.to_bare(), sid.clone());
        let id = *self.by_parties.get(&parties)?;
        Some((id, self.calls.get(&id)?.leg_of(from)?))
    }

    /// Opens a call from `from` to `person`.
    fn begin(
        &mut self,
        now: Instant,
        from: &FullJid,
        person: &BareJid,
        sid: Sid,
        media: Media,
        kind: Kind,
    ) -> Result<CallId, StanzaError> {
        let caller = from.to_bare();
        let to_caller = (person.clone(), caller.clone(), sid.clone());
        let to_callee = (caller.clone(), person.clone(), sid.clone());
        if self.by_parties.contains_key(&to_caller) || self.by_parties.contains_key(&to_callee) {
            return Err(out_of_order());
        }
        self.admit(now, &caller)?;
        let key = self.key();
        let address = |person| self.addresses.of(person).map(|of| format!("{of}/{key}"));
        let (Some(own_to_caller), Some(own_to_callee)) = (address(person), address(&caller)) else {
            return Err(StanzaError::service_unavailable());
        };
        self.next += 1;
        let id = CallId(self.next);
        let line = Line {
            call: id,
            leg: 0,
            own: own_to_caller,
            peer: from.clone(),
        };
        let call = Call {
            id,
            sid,
            caller: caller.clone(),
            callee: person.clone(),
            media: if media.is_empty() {
                Media::AUDIO
            } else {
                media
            },
            began: now,
            to_callee: own_to_callee,
            devices: vec![from.clone()],
            indexed: 0,
            legs: vec![Some(Leg::new(line, kind))],
            taken: None,
            proposed: false,
            rang: false,
            offer: None,
            early: Vec::new(),
        };
        self.calls.insert(id, call);
        self.by_parties.insert(to_caller, id);
        self.by_parties.insert(to_callee, id);
        if let Some(usage) = self.people.get_mut(&caller) {
            usage.open += 1;
        }
        *self.pairs.entry(pair(&caller, person)).or_default() += 1;
        self.timers
            .set(id, Timer::Ring, now + self.config.ring_timeout());
        info!(call.id = id.0, "Call started");
        Ok(id)
    }

    fn admit(&mut self, now: Instant, caller: &BareJid) -> Result<(), StanzaError> {
        let usage = self.people.entry(caller.clone()).or_insert(Usage {
            open: 0,
            attempts: 0,
            minute: now,
        });
        if now.saturating_duration_since(usage.minute) >= Duration::from_secs(60) {
            usage.minute = now;
            usage.attempts = 0;
        }
        usage.attempts = usage.attempts.saturating_add(1);
        let full = usage.attempts > self.limits.attempts_per_minute
            || usage.open >= self.limits.calls_per_person
            || self.calls.len() >= self.limits.calls;
        if full {
            return Err(StanzaError::new(ErrorKind::Wait, "resource-constraint")
                .with_text("too many calls, or too many attempts within a minute"));
        }
        Ok(())
    }

    /// Works on a call, then keeps the indices true and takes note of its end.
    fn with(
        &mut self,
        id: CallId,
        now: Instant,
        out: &mut dyn Sink,
        directory: &dyn Directory,
        work: impl FnOnce(&mut Call, &mut Context<'_>) -> Course,
    ) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let course = work(call, &mut Context { out, directory });
        for device in call.devices.iter().skip(call.indexed) {
            self.by_device.entry(device.clone()).or_default().push(id);
        }
        call.indexed = call.devices.len();
        if let Course::Ended(ending) = course {
            let seconds = now.saturating_duration_since(call.began).as_secs();
            info!(
                call.id = id.0,
                reason = ending.reason.name(),
                seconds,
                "Call ended"
            );
            self.forget(id);
        }
    }

    fn forget(&mut self, id: CallId) {
        let Some(call) = self.calls.remove(&id) else {
            return;
        };
        self.timers.stop_all(id, call.legs.len());
        let pair = pair(&call.caller, &call.callee);
        if let Some(calls) = self.pairs.get_mut(&pair) {
            *calls -= 1;
            if *calls == 0 {
                self.pairs.remove(&pair);
            }
        }
        self.by_parties
            .remove(&(call.callee.clone(), call.caller.clone(), call.sid.clone()));
        self.by_parties
            .remove(&(call.caller.clone(), call.callee, call.sid));
        for device in call.devices {
            if let Some(calls) = self.by_device.get_mut(&device) {
                calls.retain(|call| *call != id);
                if calls.is_empty() {
                    self.by_device.remove(&device);
                }
            }
        }
        if let Some(usage) = self.people.get_mut(&call.caller) {
            usage.open = usage.open.saturating_sub(1);
        }
    }

    /// The link was down for too long; nobody can be told.
    fn forget_all(&mut self) {
        let all: Vec<_> = self.calls.keys().copied().collect();
        for id in all {
            info!(call.id = id.0, reason = "link", "Call ended");
            self.forget(id);
        }
    }

    fn heard(&mut self, id: CallId, leg: usize) {
        self.timers.stop(id, Timer::Offline(leg));
    }

    fn offline(&mut self, now: Instant, id: CallId, leg: usize) {
        self.timers
            .set(id, Timer::Offline(leg), now + self.config.offline_grace());
    }

    /// 128 random bits, in characters that need no escape anywhere.
    fn key(&mut self) -> String {
        let bits: [u8; 16] = self.rng.random();
        data_encoding::BASE32_NOPAD
            .encode(&bits)
            .to_ascii_lowercase()
    }

    fn own_address(&self, person: &BareJid) -> Result<String, StanzaError> {
        self.addresses
            .of(person)
            .ok_or_else(StanzaError::service_unavailable)
    }
}

impl Call {
    /// Whether the side that the leg is joined to can be offered a change.
    fn can_renegotiate(&mut self, leg: usize) -> bool {
        match self.other(leg).and_then(|other| self.leg(other)) {
            Some(other) => matches!(other.kind, Kind::Web(_)),
            // Out of order rather than not implemented: let the leg say so.
            None => true,
        }
    }

    /// Whether the device that took the call has the offer.
    fn is_described(&self) -> bool {
        let Some(taken) = self.taken else {
            return false;
        };
        self.legs
            .get(taken)
            .and_then(Option::as_ref)
            .is_some_and(|leg| match &leg.kind {
                Kind::Web(web) => web.is_described(),
                Kind::Jingle(jingle) => !jingle.is_idle(),
            })
    }
}

fn pair(one: &BareJid, other: &BareJid) -> (BareJid, BareJid) {
    if one <= other {
        (one.clone(), other.clone())
    } else {
        (other.clone(), one.clone())
    }
}

/// The devices that can ring, without the caller's own.
fn devices(call: &Call, cx: &Context<'_>) -> super::Devices {
    let mut devices = cx.directory.devices(&call.callee, call.media);
    if let Some(caller) = call.legs.first().and_then(Option::as_ref) {
        devices.web.retain(|device| *device != caller.line.peer);
        devices.direct = devices.direct.filter(|device| *device != caller.line.peer);
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
            .with_text(format!("more than {most} candidates in one call")));
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

/// Stands for the condition of an error where no reply came.
const TIMEOUT: &str = "remote-server-timeout";
/// People without a call of whom usage is remembered.
const MAX_IDLE_PEOPLE: usize = 10_000;
