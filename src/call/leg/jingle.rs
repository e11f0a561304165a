//! A Jingle client: the session states of XEP-0166 §5, with what XEP-0353 puts before them.

use super::super::signal::{Ending, Signal};
use super::super::{Carrier, Failure, Request, Sink, What};
use super::events::Events;
use super::{Fault, Line, out_of_order};
use crate::jingle::info::Muted;
use crate::jingle::message::{self, Message, Step};
use crate::jingle::{self, Action, Info, Jingle as Payload, Reason, Sid};
use crate::mapping::{
    BundlePolicy, Dialect, Phase, Receipt, Refusal, Report, Resting, Session, Trickle,
};
use crate::stanza::{ErrorKind, StanzaError};
use crate::{web, xml};

/// A leg towards a Jingle client.
#[derive(Debug)]
pub(in super::super) struct Jingle {
    sid: Sid,
    dialect: &'static Dialect,
    state: State,
    /// Whether messages of XEP-0353 went before, so that one must come behind (§3.7).
    announced: bool,
    /// The browser at the other side wants everything on one transport.
    bundles_all: bool,
    /// What cannot be said before the session is accepted.
    held: Vec<Trickle>,
}

#[derive(Debug)]
enum State {
    /// The client's `<propose/>` waits for an answer.
    Proposed,
    /// It was told to proceed.
    Proceeding,
    /// Its session-initiate waits for our session-accept.
    Called(Box<Session>),
    /// Nothing was sent to it yet.
    Idle,
    /// Our session-initiate waits for its session-accept.
    Calling(Box<Session>),
    /// Accepted by it, but the accept wants credentials that are still to come.
    Completing(Box<Session>),
    /// The session is active.
    Active(Box<Session>),
    /// It is, and nothing was said for a while.
    Resting(Box<Resting>),
    /// The session has ended, or never began.
    Ended,
}

impl Jingle {
    /// The client announces a call with XEP-0353.
    pub(in super::super) fn proposing(sid: Sid, dialect: &'static Dialect) -> Self {
        Self::new(sid, dialect, State::Proposed, true)
    }

    /// The client calls with session-initiate at once.
    pub(in super::super) fn calling(sid: Sid, dialect: &'static Dialect, session: Session) -> Self {
        Self::new(sid, dialect, State::Called(Box::new(session)), false)
    }

    /// The client is to be called. `announced`: it picked up by XEP-0353.
    /// `bundles_all`: the browser at the other side has the bundle policy `max-bundle`.
    pub(in super::super) fn called(
        sid: Sid,
        dialect: &'static Dialect,
        announced: bool,
        bundles_all: bool,
    ) -> Self {
        Self {
            bundles_all,
            ..Self::new(sid, dialect, State::Idle, announced)
        }
    }

    /// It became known how the client speaks.
    pub(in super::super) fn set_dialect(&mut self, dialect: &'static Dialect) {
        self.dialect = dialect;
        match &mut self.state {
            State::Called(session)
            | State::Calling(session)
            | State::Completing(session)
            | State::Active(session) => session.set_dialect(dialect),
            State::Resting(session) => session.set_dialect(dialect),
            State::Proposed | State::Proceeding | State::Idle | State::Ended => {}
        }
    }

    /// Nothing was said for a while. False if something is under way all the same.
    pub(in super::super) fn rest(&mut self) -> bool {
        let mut rests = true;
        self.state = match std::mem::replace(&mut self.state, State::Ended) {
            State::Active(session) => match session.rest() {
                Ok(session) => State::Resting(Box::new(session)),
                Err(session) => {
                    rests = false;
                    State::Active(session)
                }
            },
            other => other,
        };
        self.held.shrink_to_fit();
        rests
    }

    /// Something is asked of the session.
    fn wake(&mut self) -> Result<(), Refusal> {
        if let State::Resting(session) = &self.state {
            self.state = State::Active(session.wake()?);
        }
        Ok(())
    }

    fn new(sid: Sid, dialect: &'static Dialect, state: State, announced: bool) -> Self {
        Self {
            sid,
            dialect,
            state,
            announced,
            bundles_all: false,
            held: Vec::new(),
        }
    }

    /// Whether a session-initiate is out, or waits for the caller's offer, and is not accepted.
    pub(in super::super) fn is_ringing(&self) -> bool {
        matches!(self.state, State::Idle | State::Calling(_))
    }

    /// Whether nothing was sent to it yet.
    pub(in super::super) fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Whether the client has only announced its call.
    pub(in super::super) fn is_proposed(&self) -> bool {
        matches!(self.state, State::Proposed)
    }

    /// Tells the client that somebody picked up, so that it sends session-initiate.
    pub(in super::super) fn proceed(&mut self, line: &Line, out: &mut dyn Sink) {
        if self.is_proposed() {
            self.state = State::Proceeding;
            self.message(line, Step::Proceed, out);
        }
    }

    pub(in super::super) fn message(&self, line: &Line, step: Step, out: &mut dyn Sink) {
        let about = line.about(What::Inform);
        send_message(about, &line.by, line.peer.as_str(), &self.sid, step, out);
    }

    pub(in super::super) fn deliver(
        &mut self,
        line: &Line,
        signal: Signal,
        out: &mut dyn Sink,
    ) -> Result<Vec<Signal>, Refusal> {
        if !matches!(signal, Signal::End(_)) {
            self.wake()?;
        }
        match signal {
            Signal::Ringing => match &self.state {
                State::Proposed => self.message(line, Step::Ringing, out),
                State::Called(_) => self.inform(line, Info::Ringing, out),
                _ => {}
            },
            Signal::Offer(offer) => match &mut self.state {
                State::Idle => {
                    let (mut session, mut initiate) =
                        Session::initiate(self.sid.clone(), offer.sdp, self.dialect)?;
                    if self.bundles_all {
                        session.set_bundle_policy(BundlePolicy::Max);
                    }
                    initiate.initiator = Some(line.by.address().to_owned());
                    send(line, What::Begin, &initiate, out);
                    self.state = State::Calling(Box::new(session));
                    self.release(line, out)?;
                }
                State::Active(session) => {
                    let change = session.offer_later(offer.sdp)?;
                    return Ok(Events::of(change).send(line, out));
                }
                _ => return Err(Refusal::OutOfOrder),
            },
            Signal::Answer(answer) => match &mut self.state {
                State::Called(session) => {
                    let mut accept = session.accept(answer.sdp)?;
                    accept.responder = Some(line.by.address().to_owned());
                    send(line, What::Describe, &accept, out);
                    let called = std::mem::replace(&mut self.state, State::Ended);
                    if let State::Called(session) = called {
                        self.state = State::Active(session);
                    }
                    self.release(line, out)?;
                }
                State::Active(session) => {
                    let change = session.answer_later(answer.sdp)?;
                    return Ok(Events::of(change).send(line, out));
                }
                _ => {}
            },
            Signal::Void(refusal) => {
                if let State::Active(session) = &mut self.state {
                    if refusal == Refusal::TieBreak {
                        session.postpone();
                        return Ok(Vec::new());
                    }
                    let change = session.refuse_later()?;
                    return Ok(Events::of(change).send(line, out));
                }
            }
            Signal::Trickle(trickle) => self.trickle(line, trickle, out)?,
            Signal::Info(info) => {
                if let Some(info) = self.info_of(info) {
                    self.inform(line, info, out);
                }
            }
            Signal::End(ending) => self.end(line, &ending, out),
        }
        Ok(Vec::new())
    }

    /// Whether the client can be asked to restart ICE.
    pub(in super::super) fn can_restart(&self) -> bool {
        match &self.state {
            State::Resting(session) => session.can_restart(),
            _ => self.session().is_none_or(Session::can_restart),
        }
    }

    /// XEP-0166 §6.8: a session-info without a payload is answered as long as the session is known.
    pub(in super::super) fn ping(&self, line: &Line, out: &mut dyn Sink) {
        let payload = Payload::new(Action::SessionInfo, self.sid.clone());
        send(line, What::Inform, &payload, out);
    }

    /// Nothing of the other side's is under way: what was postponed has its turn.
    pub(in super::super) fn resume(&mut self, line: &Line, out: &mut dyn Sink) -> Vec<Signal> {
        match &mut self.state {
            State::Active(session) => Events::of(session.resume()).send(line, out),
            _ => Vec::new(),
        }
    }

    /// The client answered a change that was asked of it.
    pub(in super::super) fn replied(
        &mut self,
        receipt: Receipt,
        failure: Option<Failure<'_>>,
    ) -> Events {
        let State::Active(session) = &mut self.state else {
            return Events::default();
        };
        Events::of(match failure {
            None => session.acknowledged(receipt),
            Some(failure) => session.declined(receipt, failure.jingle),
        })
    }

    /// Something has been under way for a while.
    pub(in super::super) fn remind(&mut self) -> Option<Events> {
        match &mut self.state {
            State::Active(session) => session.remind().map(Events::of),
            _ => None,
        }
    }

    pub(in super::super) fn end(&mut self, line: &Line, ending: &Ending, out: &mut dyn Sink) {
        match std::mem::replace(&mut self.state, State::Ended) {
            // One device of several: only the person's word goes for all of them (XEP-0353 §3.5).
            State::Proposed if line.is_carried() && !speaks_for_person(ending) => {}
            State::Proposed => self.message(line, Step::Reject(ending.element().into()), out),
            State::Called(_)
            | State::Calling(_)
            | State::Completing(_)
            | State::Active(_)
            | State::Resting(_) => {
                let mut terminate = Payload::new(Action::SessionTerminate, self.sid.clone());
                let mut reason = ending.element();
                reason.condition = self.dialect.reason(reason.condition);
                if reason.condition != Reason::AlternativeSession {
                    reason.alternative = None;
                }
                terminate.reason = Some(reason);
                send(line, What::End, &terminate, out);
                self.finish(line, ending, out);
            }
            State::Proceeding => self.finish(line, ending, out),
            State::Idle | State::Ended => {}
        }
    }

    /// Takes what the client says in a `<jingle/>`. `far_restarts`: the other side can be asked to
    /// restart ICE.
    pub(in super::super) fn handle(
        &mut self,
        payload: &Payload,
        far_restarts: bool,
    ) -> Result<Events, Fault> {
        if payload.action != Action::SessionTerminate {
            self.wake()?;
        }
        if let State::Active(session) = &mut self.state {
            session.set_far_restarts(far_restarts);
        }
        let mut events = Events::default();
        let began = self.session().is_some();
        match (payload.action, &mut self.state) {
            (Action::SessionInitiate, State::Proposed | State::Proceeding) => {
                let session = Session::initiated(payload, self.dialect)?;
                events.offer(&session);
                self.state = State::Called(Box::new(session));
            }
            (Action::SessionAccept, State::Calling(session)) => {
                session.accepted(payload)?;
                events.picked_up = true;
                events.answer(session);
                let surplus = session.surplus();
                events
                    .replies
                    .extend(surplus.map(|remove| (What::Inform, remove)));
                self.accepted(&events);
            }
            (
                Action::ContentAccept
                | Action::ContentAdd
                | Action::ContentModify
                | Action::ContentReject
                | Action::ContentRemove
                | Action::DescriptionInfo
                | Action::SessionAccept
                | Action::TransportInfo,
                State::Active(session),
            ) => {
                // Movim answers content-add with session-accept; otherwise there is nothing to accept.
                if payload.action == Action::SessionAccept && session.phase() != Phase::AwaitingPeer
                {
                    return Err(out_of_order().into());
                }
                events = Events::of(session.requested(payload)?);
            }
            (
                Action::TransportInfo,
                State::Called(session) | State::Calling(session) | State::Completing(session),
            ) => {
                let open = session.remote_offer().is_none();
                let trickle = session.remote_candidates(payload)?;
                match &self.state {
                    State::Called(session) if open => events.offer(session),
                    State::Completing(session) => events.answer(session),
                    _ => {}
                }
                self.accepted(&events);
                if !trickle.is_empty() {
                    events.signals.push(Signal::Trickle(trickle));
                }
            }
            (Action::SessionInfo, _) if began => {
                for info in &payload.info {
                    let signal = self.signal_of(info).ok_or_else(unsupported_info)?;
                    events.signals.push(signal);
                }
            }
            (Action::SessionTerminate, _) => {
                let ending = payload
                    .reason
                    .as_ref()
                    .map_or_else(|| Reason::Success.into(), Ending::from);
                events.signals.push(Signal::End(ending));
            }
            // XEP-0166 §7.2.4: acknowledged, then rejected.
            (Action::ContentAdd, _) if began => {
                let reject = self.reject(Action::ContentReject, payload);
                events.replies.push((What::Inform, reject));
            }
            (Action::TransportReplace, _) if began => {
                let reject = self.reject(Action::TransportReject, payload);
                events.replies.push((What::Inform, reject));
            }
            // XEP-0166 §7.2.7: advisory.
            (Action::DescriptionInfo, _) if began => {}
            (Action::ContentModify | Action::ContentRemove | Action::SecurityInfo, _) if began => {
                return Err(StanzaError::not_implemented().into());
            }
            (
                Action::ContentAccept
                | Action::ContentAdd
                | Action::ContentModify
                | Action::ContentReject
                | Action::ContentRemove
                | Action::DescriptionInfo
                | Action::SecurityInfo
                | Action::SessionAccept
                | Action::SessionInfo
                | Action::SessionInitiate
                | Action::TransportAccept
                | Action::TransportInfo
                | Action::TransportReject
                | Action::TransportReplace,
                _,
            ) => return Err(out_of_order().into()),
        }
        Ok(events)
    }

    /// The client itself ended the session.
    pub(in super::super) fn over(&mut self, line: &Line, ending: &Ending, out: &mut dyn Sink) {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Proposed | State::Idle | State::Ended => {}
            State::Proceeding
            | State::Called(_)
            | State::Calling(_)
            | State::Completing(_)
            | State::Active(_)
            | State::Resting(_) => self.finish(line, ending, out),
        }
    }

    fn reject(&self, action: Action, payload: &Payload) -> Payload {
        let mut reject = Payload::new(action, self.sid.clone());
        reject.contents.clone_from(&payload.contents);
        if action == Action::ContentReject {
            reject.reason = Some(Reason::UnsupportedApplications.into());
            for content in &mut reject.contents {
                content.description = None;
                content.transport = None;
            }
        }
        reject
    }

    /// The offer that the client's session-initiate made, if it is complete.
    pub(in super::super) fn first_offer(&self) -> Option<Signal> {
        let State::Called(session) = &self.state else {
            return None;
        };
        session
            .remote_offer()
            .map(|offer| Signal::Offer(offer.into()))
    }

    /// What the client's description lacks, while something is still to come by transport-info.
    pub(in super::super) fn missing(&self) -> Option<Refusal> {
        match &self.state {
            State::Called(session) | State::Completing(session) => session.missing(),
            State::Proposed
            | State::Proceeding
            | State::Idle
            | State::Calling(_)
            | State::Active(_)
            | State::Resting(_)
            | State::Ended => None,
        }
    }

    /// A session that was accepted is active once the browser has its answer.
    fn accepted(&mut self, events: &Events) {
        let answered = events
            .signals
            .iter()
            .any(|signal| matches!(signal, Signal::Answer(_)));
        self.state = match std::mem::replace(&mut self.state, State::Ended) {
            State::Calling(session) if events.picked_up && answered => State::Active(session),
            State::Calling(session) if events.picked_up => State::Completing(session),
            State::Completing(session) if answered => State::Active(session),
            other => other,
        };
    }

    fn trickle(
        &mut self,
        line: &Line,
        trickle: Vec<Trickle>,
        out: &mut dyn Sink,
    ) -> Result<(), Refusal> {
        let (State::Calling(session) | State::Completing(session) | State::Active(session)) =
            &mut self.state
        else {
            self.held.extend(trickle);
            return Ok(());
        };
        if let Some(info) = session.local_candidates(&trickle)? {
            for part in session.split(info) {
                send(line, What::Inform, &part, out);
            }
        }
        Ok(())
    }

    fn release(&mut self, line: &Line, out: &mut dyn Sink) -> Result<(), Refusal> {
        let held = std::mem::take(&mut self.held);
        if held.is_empty() {
            Ok(())
        } else {
            self.trickle(line, held, out)
        }
    }

    fn inform(&self, line: &Line, info: Info, out: &mut dyn Sink) {
        let mut payload = Payload::new(Action::SessionInfo, self.sid.clone());
        payload.info.push(info);
        send(line, What::Inform, &payload, out);
    }

    /// XEP-0353 §3.7: both parties say that a session which was announced has ended.
    fn finish(&self, line: &Line, ending: &Ending, out: &mut dyn Sink) {
        if self.announced {
            let element = match &ending.migrated {
                // §4.2: not a reason of its own here.
                Some(_) => Reason::Expired.into(),
                None => ending.element(),
            };
            let finish = message::Ending {
                migrated: ending.migrated.clone(),
                ..element.into()
            };
            self.message(line, Step::Finish(finish), out);
        }
    }

    fn session(&self) -> Option<&Session> {
        match &self.state {
            State::Called(session)
            | State::Calling(session)
            | State::Completing(session)
            | State::Active(session) => Some(session),
            State::Proposed
            | State::Proceeding
            | State::Idle
            | State::Resting(_)
            | State::Ended => None,
        }
    }

    /// How the client speaks.
    pub(in super::super) fn dialect(&self) -> &'static Dialect {
        self.dialect
    }

    /// What the mapping dropped since the last time.
    pub(in super::super) fn take_report(&mut self) -> Report {
        match &mut self.state {
            State::Called(session)
            | State::Calling(session)
            | State::Completing(session)
            | State::Active(session) => session.take_report(),
            State::Proposed
            | State::Proceeding
            | State::Idle
            | State::Resting(_)
            | State::Ended => Report::default(),
        }
    }

    fn info_of(&self, info: web::Info) -> Option<Info> {
        let session = self.session()?;
        let muted = |mid: Option<String>| {
            let content = mid.and_then(|mid| session.content_of(&mid));
            Muted {
                creator: Some(content.map_or_else(|| session.role(), |(creator, _)| creator)),
                name: content.map(|(_, name)| name.to_owned()),
            }
        };
        Some(match info {
            web::Info::Active => Info::Active,
            web::Info::Hold => Info::Hold,
            web::Info::Unhold => Info::Unhold,
            web::Info::Mute(mid) => Info::Mute(muted(mid)),
            web::Info::Unmute(mid) => Info::Unmute(muted(mid)),
        })
    }

    fn signal_of(&self, info: &Info) -> Option<Signal> {
        let mid = |muted: &Muted| {
            let name = muted.name.as_deref()?;
            self.session()?.mid_of(name)
        };
        Some(match info {
            Info::Active => Signal::Info(web::Info::Active),
            Info::Hold => Signal::Info(web::Info::Hold),
            Info::Unhold => Signal::Info(web::Info::Unhold),
            Info::Mute(muted) => Signal::Info(web::Info::Mute(mid(muted))),
            Info::Unmute(muted) => Signal::Info(web::Info::Unmute(mid(muted))),
            Info::Ringing => Signal::Ringing,
            Info::Unknown => return None,
        })
    }
}

/// Sends a message of XEP-0353.
pub(in super::super) fn send_message(
    about: Request,
    by: &Carrier,
    to: &str,
    sid: &Sid,
    step: Step,
    out: &mut dyn Sink,
) {
    let message = Message {
        sid: sid.clone(),
        step,
    };
    out.message(about, by, to, &|writer| message.write(writer));
}

fn speaks_for_person(ending: &Ending) -> bool {
    ending.reason == Reason::Decline && !ending.elsewhere
}

pub(in super::super) fn send(line: &Line, what: What, payload: &Payload, out: &mut dyn Sink) {
    line.request(out, what, &|writer: &mut xml::Writer| payload.write(writer));
}

/// XEP-0166 §6.8: a session-info whose payload is not understood.
fn unsupported_info() -> StanzaError {
    StanzaError::new(ErrorKind::Cancel, "feature-not-implemented")
        .with_application("unsupported-info", jingle::error::NS)
}
