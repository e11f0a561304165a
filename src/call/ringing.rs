//! The callee's devices ring in parallel; the first to pick up takes the call.

use jid::FullJid;

use super::leg::jingle::Jingle;
use super::leg::web::Web;
use super::leg::{Kind, Leg};
use super::parties::{Call, Course, Waiting};
use super::signal::{Description, Devices, Ending, Signal, Sink};
use super::{Context, What};
use crate::jingle::Reason;
use crate::jingle::message::Step;
use crate::mapping::{Refusal, Trickle};
use crate::web::Message;

impl Call {
    /// Rings all devices.
    pub(super) fn ring(&mut self, cx: &mut Context<'_>, devices: Devices) -> Course {
        let media = self.media;
        for device in devices.web {
            let named = self.through.as_ref().map(|_| self.caller().clone());
            let web = Web::ring(self.sid.clone(), named);
            let leg = self.add(device, Kind::Web(Box::new(web)));
            if let Some(Leg {
                line,
                kind: Kind::Web(web),
                ..
            }) = self.leg(leg)
            {
                web.say(line, What::Begin, Message::Propose(media), cx.out);
            }
        }
        if devices.announced {
            // To the bare JID: the server hands it to every device, and keeps it for those that
            // are woken by it (XEP-0353 §3.1).
            let step = Step::Propose(media.names().map(str::to_owned).collect());
            self.message(self.callee().as_str(), What::Begin, step, cx.out);
            self.proposed = true;
        }
        let rings = self.legs.len() > 1;
        if let Some(direct) = devices.direct {
            self.add_client(cx, direct, false);
            // Such a device rings by an offer, which a caller who only announced the call has yet
            // to make. If nobody else is known to ring, it is asked for now.
            if !rings && self.offer().is_none() {
                self.ask_for_offer(cx.out);
            }
        }
        self.ring_with_offer(cx)
            .map_or_else(|e| self.fail(cx.out, &e), |()| Course::GoesOn)
    }

    /// Rings the devices that ring by an offer, now that there is one, or gives it to the device
    /// that picked up already.
    pub(super) fn ring_with_offer(&mut self, cx: &mut Context<'_>) -> Result<(), Refusal> {
        if let Some(taken) = self.taken {
            return self.describe(cx, taken);
        }
        let Some(offer) = self.offer().cloned() else {
            return Ok(());
        };
        for leg in self.legs.iter_mut().skip(1).flatten() {
            if let Kind::Jingle(jingle) = &leg.kind
                && jingle.is_idle()
            {
                let offer = Description::read(offer.clone())?;
                leg.deliver(Signal::Offer(offer), cx.out)?;
            }
        }
        Ok(())
    }

    pub(super) fn trickle_to_ringing(
        &mut self,
        out: &mut dyn Sink,
        trickle: &[Trickle],
    ) -> Result<(), Refusal> {
        for leg in self.legs.iter_mut().skip(1).flatten() {
            if let Kind::Jingle(jingle) = &leg.kind
                && jingle.is_ringing()
            {
                leg.deliver(Signal::Trickle(trickle.to_vec()), out)?;
            }
        }
        Ok(())
    }

    /// Tells the caller, once, that it rings.
    pub(super) fn ringing(&mut self, out: &mut dyn Sink) {
        if !std::mem::replace(&mut self.rang, true)
            && let Some(caller) = self.leg(0)
        {
            // No leg refuses to be told that it rings.
            let _ = caller.deliver(Signal::Ringing, out);
        }
    }

    /// A device picked up by XEP-0353.
    pub(super) fn proceeded(&mut self, cx: &mut Context<'_>, device: FullJid) -> Course {
        if self.taken.is_some() {
            let step = Step::Retract(Ending::elsewhere(Reason::Cancel).element().into());
            self.message(device.as_str(), What::Inform, step, cx.out);
            return Course::GoesOn;
        }
        // The other devices of the person learn of the `<proceed/>` from their server.
        self.proposed = false;
        let leg = self.add_client(cx, device, true);
        self.picked_up(cx, leg)
    }

    fn add_client(&mut self, cx: &Context<'_>, client: FullJid, announced: bool) -> usize {
        let dialect = cx.directory.dialect(&client);
        let bundles_all = self
            .legs
            .first()
            .and_then(Option::as_ref)
            .is_some_and(|caller| cx.directory.bundles_all(&caller.line.peer));
        let jingle = Jingle::called(self.sid.clone(), dialect, announced, bundles_all);
        self.add(client, Kind::Jingle(Box::new(jingle)))
    }

    /// The device of `leg` takes the call.
    pub(super) fn picked_up(&mut self, cx: &mut Context<'_>, leg: usize) -> Course {
        self.taken = Some(leg);
        self.end_callee(cx.out, Some(leg), &Ending::elsewhere(Reason::Cancel));
        self.ask_for_offer(cx.out);
        let result = self.describe(cx, leg).and_then(|()| {
            let early = self
                .leg(leg)
                .map(|leg| std::mem::take(&mut leg.early))
                .unwrap_or_default();
            match self.leg(0) {
                Some(caller) if !early.is_empty() => {
                    caller.deliver(Signal::Trickle(early), cx.out).map(drop)
                }
                _ => Ok(()),
            }
        });
        result.map_or_else(|e| self.fail(cx.out, &e), |()| Course::GoesOn)
    }

    /// Gives the offer, and the candidates so far, to the device that picked up, unless it has them.
    fn describe(&mut self, cx: &mut Context<'_>, leg: usize) -> Result<(), Refusal> {
        let waiting = self.waiting.take_if(|own| own.offer.is_some());
        let Some(Waiting {
            offer: Some(offer),
            early,
        }) = waiting.map(|own| *own)
        else {
            return Ok(());
        };
        let Some(leg) = self.leg(leg) else {
            return Ok(());
        };
        if matches!(&leg.kind, Kind::Jingle(jingle) if !jingle.is_idle()) {
            return Ok(());
        }
        leg.deliver(Signal::Offer(Description::read(offer)?), cx.out)?;
        if early.is_empty() {
            Ok(())
        } else {
            leg.deliver(Signal::Trickle(early), cx.out).map(drop)
        }
    }

    fn ask_for_offer(&mut self, out: &mut dyn Sink) {
        if let Some(Leg {
            line,
            kind: Kind::Jingle(jingle),
            ..
        }) = self.leg(0)
        {
            jingle.proceed(line, out);
        }
    }

    /// A device does not take the call. `decline` speaks for the person; anything else, such as
    /// `busy`, for that device alone.
    pub(super) fn declined(&mut self, out: &mut dyn Sink, ending: &Ending) -> Course {
        if ending.reason == Reason::Decline {
            if let Some(mut caller) = self.legs.first_mut().and_then(Option::take) {
                caller.end(ending, out);
            }
            self.end_callee(out, None, &Ending::elsewhere(Reason::Decline));
            Course::Ended(ending.clone())
        } else if self.may_be_taken() {
            Course::GoesOn
        } else {
            self.end(out, ending)
        }
    }

    /// XEP-0353 §3.5: a device rejected the call for all devices of the person.
    pub(super) fn rejected(&mut self, out: &mut dyn Sink, ending: &Ending) -> Course {
        self.proposed = false;
        if let Some(mut caller) = self.legs.first_mut().and_then(Option::take) {
            caller.end(ending, out);
        }
        self.end_callee(out, None, &Ending::elsewhere(ending.reason));
        Course::Ended(ending.clone())
    }

    /// The propose of XEP-0353 came back.
    pub(super) fn bounced(&mut self, out: &mut dyn Sink) -> Course {
        self.proposed = false;
        if self.taken.is_some() || self.may_be_taken() {
            Course::GoesOn
        } else {
            self.end(out, &Reason::Gone.into())
        }
    }
}
