use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use jid::{BareJid, FullJid};
use tracing::Span;

use super::index::Pair;
use super::leg::jingle::send_message;
use super::leg::{Kind, Leg, Line};
use super::signal::{Description, Ending, Signal};
use super::{CallId, Carrier, Context, Sink, What};
use crate::jingle::Sid;
use crate::jingle::message::Step;
use crate::mapping::{Refusal, Trickle};
use crate::sdp::Kept;
use crate::web::Media;

/// A caller, a callee, and the legs to their devices.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: CallId,
    pub(super) sid: Sid,
    /// Caller and callee, in order.
    pub(super) people: Arc<Pair>,
    /// The first of them calls.
    pub(super) first_calls: bool,
    pub(super) media: Media,
    pub(super) began: Instant,
    pub(super) picked_up: Option<Instant>,
    pub(super) answered: Option<Instant>,
    /// The span of its log lines.
    pub(super) span: Span,
    /// What speaks for the caller: the callee's legs do by this.
    pub(super) to_callee: Carrier,
    /// The device that carries the call.
    pub(super) through: Option<FullJid>,
    /// All devices that ever had a leg, but for those that are spoken to through another.
    pub(super) devices: Vec<Arc<FullJid>>,
    /// How many of them [`Calls`](super::Calls) has in its index.
    pub(super) indexed: usize,
    /// The caller's leg first, then one for each device of the callee; `None` where it ended.
    pub(super) legs: Vec<Option<Leg>>,
    /// The leg that took the call.
    pub(super) taken: Option<usize>,
    /// The caller has an answer.
    pub(super) established: bool,
    /// A `<propose/>` of XEP-0353 stands open with the callee.
    pub(super) proposed: bool,
    /// The call that ends once this one is taken.
    pub(super) supersedes: Option<CallId>,
    /// The caller was told that it rings.
    pub(super) rang: bool,
    /// Until a device has it.
    pub(super) waiting: Option<Box<Waiting>>,
}

/// What the caller said before a device took the call.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) offer: Option<Kept>,
    pub(super) early: Vec<Trickle>,
}

/// Whether a call goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Course {
    GoesOn,
    /// What was asked for cannot be had of the other side, and only an error to the request tells
    /// the asker; otherwise it goes on as before.
    Refused(Refusal),
    Ended(Ending),
}

impl Call {
    pub(super) fn caller(&self) -> &BareJid {
        let (first, second) = &*self.people;
        if self.first_calls { first } else { second }
    }

    pub(super) fn callee(&self) -> &BareJid {
        let (first, second) = &*self.people;
        if self.first_calls { second } else { first }
    }

    pub(super) fn leg_of(&self, peer: &FullJid) -> Option<usize> {
        self.legs
            .iter()
            .position(|leg| leg.as_ref().is_some_and(|leg| *leg.line.peer == *peer))
    }

    pub(super) fn leg(&mut self, leg: usize) -> Option<&mut Leg> {
        self.legs.get_mut(leg)?.as_mut()
    }

    /// What caller and callee speak, as metrics call it.
    pub(super) fn kind(&self) -> Option<&'static str> {
        let is_web = |leg: usize| {
            let leg = self.legs.get(leg)?.as_ref()?;
            Some(matches!(leg.kind, Kind::Web(_)))
        };
        Some(match (is_web(0)?, is_web(self.taken?)?) {
            (false, false) => "jingle_to_jingle",
            (false, true) => "jingle_to_web",
            (true, false) => "web_to_jingle",
            (true, true) => "web_to_web",
        })
    }

    /// The leg that the given one is joined to.
    pub(super) fn other(&self, leg: usize) -> Option<usize> {
        match self.taken {
            Some(taken) if leg == 0 => Some(taken),
            Some(taken) if leg == taken => Some(0),
            _ => None,
        }
    }

    /// Adds a leg towards a device of the callee.
    pub(super) fn add(&mut self, peer: FullJid, kind: Kind) -> usize {
        let leg = self.legs.len();
        let line = Line {
            call: self.id,
            leg,
            by: self.to_callee.clone(),
            peer: Arc::new(peer),
        };
        if !line.is_carried() {
            self.devices.push(Arc::clone(&line.peer));
        }
        self.legs.push(Some(Leg::new(line, kind)));
        leg
    }

    /// Says something of XEP-0353 to the callee, at her bare JID or at one of her devices.
    pub(super) fn message(&self, to: &str, what: What, step: Step, out: &mut dyn Sink) {
        // Where a device carries it, that is the caller's.
        send_message(self.about(what), &self.to_callee, to, &self.sid, step, out);
    }

    /// Whether a device may still pick up.
    pub(super) fn may_be_taken(&self) -> bool {
        self.proposed || self.legs.iter().skip(1).flatten().any(Leg::is_ringing)
    }

    /// What a client's description lacks, and so keeps the call from beginning.
    pub(super) fn missing(&self) -> Option<Refusal> {
        self.legs.iter().flatten().find_map(|leg| match &leg.kind {
            Kind::Jingle(jingle) => jingle.missing(),
            Kind::Web(_) => None,
        })
    }

    pub(super) fn keep_offer(&mut self, text: String) {
        self.waiting.get_or_insert_default().offer = Some(Kept::new(text));
    }

    /// The caller's offer, if no device has it yet.
    pub(super) fn offer(&self) -> Option<&Kept> {
        self.waiting.as_ref()?.offer.as_ref()
    }

    /// Passes on what the device of `leg` said.
    pub(super) fn relay(&mut self, cx: &mut Context<'_>, leg: usize, signal: Signal) -> Course {
        let result = match (signal, self.other(leg)) {
            (Signal::End(ending), _) => return self.hung_up(cx, leg, &ending),
            (Signal::Ringing, None) if leg > 0 => {
                self.ringing(cx.out);
                Ok(())
            }
            (Signal::Ringing, _) => Ok(()),
            (Signal::Offer(offer), None) if leg == 0 => {
                self.keep_offer(offer.text);
                self.ring_with_offer(cx)
            }
            (Signal::Trickle(trickle), None) if leg == 0 => {
                let result = self.trickle_to_ringing(cx.out, &trickle);
                self.waiting.get_or_insert_default().early.extend(trickle);
                result
            }
            (Signal::Trickle(trickle), None) => {
                if let Some(leg) = self.leg(leg) {
                    leg.early.extend(trickle);
                }
                Ok(())
            }
            (Signal::Offer(_) | Signal::Answer(_) | Signal::Info(_) | Signal::Void(_), None) => {
                Ok(())
            }
            (Signal::Offer(offer), Some(other)) if self.established => {
                return self.ask(cx.out, leg, other, offer);
            }
            (signal, Some(other)) => self.pass(cx.out, leg, other, signal),
        };
        match result {
            Ok(()) => Course::GoesOn,
            Err(refusal) => self.fail(cx.out, &refusal),
        }
    }

    /// Gives a signal to the joined leg, and what that has to say back to where it came from.
    fn pass(
        &mut self,
        out: &mut dyn Sink,
        from: usize,
        to: usize,
        signal: Signal,
    ) -> Result<(), Refusal> {
        let mut open = VecDeque::from([(from, to, signal)]);
        while let Some((from, to, signal)) = open.pop_front() {
            self.established |= to == 0 && matches!(signal, Signal::Answer(_));
            let is_change = self.established && matches!(signal, Signal::Offer(_));
            let is_void = matches!(signal, Signal::Void(_));
            let Some(leg) = self.leg(to) else { continue };
            match leg.deliver(signal, out) {
                Ok(back) => open.extend(back.into_iter().map(|signal| (to, from, signal))),
                // A client's request is acknowledged by now; see `Self::ask`.
                Err(refusal) if is_change && self.is_jingle(from) => {
                    open.push_front((to, from, Signal::Void(refusal)));
                }
                // Its restart of ICE was acknowledged, and no word takes that back. Media go on as
                // before; where they do not, its device knows best when to give up.
                Err(_) if is_void => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(())
    }

    /// The client of `leg` wants to change the call. Where the other side cannot be asked, the change
    /// is taken back, or waits until the other side has finished one of its own.
    fn ask(
        &mut self,
        out: &mut dyn Sink,
        leg: usize,
        other: usize,
        offer: Box<Description>,
    ) -> Course {
        let Some(there) = self.leg(other) else {
            return Course::GoesOn;
        };
        let (from, to, back) = match there.deliver(Signal::Offer(offer), out) {
            Ok(back) => (other, leg, back),
            Err(refusal) => {
                let void = Signal::Void(refusal.clone());
                match self.leg(leg).map(|own| own.deliver(void, out)) {
                    Some(Err(_)) => return Course::Refused(refusal),
                    // It was told in words of their own.
                    Some(Ok(back)) => (leg, other, back),
                    None => return Course::GoesOn,
                }
            }
        };
        self.pass_all(out, from, to, back)
    }

    /// Once all is said that came of an input: what had to wait for it has its turn.
    pub(super) fn resume(&mut self, out: &mut dyn Sink) -> Course {
        for leg in [Some(0), self.taken].into_iter().flatten() {
            let Some(other) = self.other(leg).filter(|_| self.established) else {
                continue;
            };
            let signals = self.leg(leg).map(|own| own.resume(out));
            let course = self.pass_all(out, leg, other, signals.unwrap_or_default());
            if course != Course::GoesOn {
                return course;
            }
        }
        Course::GoesOn
    }

    fn pass_all(
        &mut self,
        out: &mut dyn Sink,
        from: usize,
        to: usize,
        signals: Vec<Signal>,
    ) -> Course {
        for signal in signals {
            if let Err(refusal) = self.pass(out, from, to, signal) {
                return self.fail(out, &refusal);
            }
        }
        Course::GoesOn
    }

    /// Nothing was said for a while: takes as little room as it can. False if something is under
    /// way all the same.
    pub(super) fn rest(&mut self) -> bool {
        self.devices.shrink_to_fit();
        self.legs.shrink_to_fit();
        let mut rests = true;
        for leg in self.legs.iter_mut().flatten() {
            rests &= leg.rest();
        }
        rests
    }

    /// Asks both devices whether they still know of it.
    pub(super) fn ping(&self, out: &mut dyn Sink) {
        let legs = self.legs.iter().flatten();
        legs.for_each(|leg| leg.ping(out));
    }

    fn is_jingle(&self, leg: usize) -> bool {
        let leg = self.legs.get(leg).and_then(Option::as_ref);
        leg.is_some_and(Leg::is_jingle)
    }

    /// The app of `leg` wants to change the call.
    ///
    /// # Errors
    /// When the other side cannot be told, or not now. Nothing has changed then.
    pub(super) fn change(
        &mut self,
        out: &mut dyn Sink,
        leg: usize,
        offer: Box<Description>,
    ) -> Result<(), Refusal> {
        let other = self.other(leg).ok_or(Refusal::OutOfOrder)?;
        self.pass(out, leg, other, Signal::Offer(offer))
    }

    /// Something that must be said cannot be said to the other side.
    pub(super) fn fail(&mut self, out: &mut dyn Sink, refusal: &Refusal) -> Course {
        self.end(out, &Ending::from(refusal))
    }

    /// Ends the call towards everybody.
    pub(super) fn end(&mut self, out: &mut dyn Sink, ending: &Ending) -> Course {
        if let Some(mut caller) = self.legs.first_mut().and_then(Option::take) {
            caller.end(ending, out);
        }
        self.end_callee(out, None, ending);
        Course::Ended(ending.clone())
    }

    /// The device of `leg` ended the call, or declined it, or is gone.
    pub(super) fn hung_up(&mut self, cx: &mut Context<'_>, leg: usize, ending: &Ending) -> Course {
        let Some(mut own) = self.legs.get_mut(leg).and_then(Option::take) else {
            return Course::GoesOn;
        };
        if let Kind::Jingle(jingle) = &mut own.kind {
            jingle.over(&own.line, ending, cx.out);
        }
        if leg == 0 || self.taken == Some(leg) {
            return self.end(cx.out, ending);
        }
        self.declined(cx.out, ending)
    }

    /// Ends what is open towards the callee, but for one leg.
    pub(super) fn end_callee(&mut self, out: &mut dyn Sink, but: Option<usize>, ending: &Ending) {
        for (at, slot) in self.legs.iter_mut().enumerate().skip(1) {
            if Some(at) != but
                && let Some(mut leg) = slot.take()
            {
                leg.end(ending, out);
            }
        }
        self.retract(Step::Retract(ending.element().into()), out);
    }
}
