//! A browser app: the signalling states of JSEP (RFC 9429 §3.2), as the app sees them.

use jid::BareJid;

use super::super::signal::{Description, Ending, Signal};
use super::super::{Sink, What};
use super::{Line, out_of_order, refused, tie_break};
use crate::jingle::{Reason, Sid};
use crate::mapping::{Limits, Trickle, browser};
use crate::sdp;
use crate::stanza::StanzaError;
use crate::web::{Candidate, End, EndOfCandidates, Message, Session};

/// A leg towards a browser app.
#[derive(Debug)]
pub(in super::super) struct Web {
    sid: Sid,
    /// The other person, where the address that we speak from does not say who it is.
    named: Option<BareJid>,
    state: State,
    /// The app has a remote description, so candidates mean something to it.
    described: bool,
    /// Candidates that wait for it.
    held: Vec<Trickle>,
    /// The username fragments of the app's description in use.
    own: Vec<String>,
    /// Those of its offer under way.
    offered: Vec<String>,
    /// Those of offers that were refused.
    void: Vec<String>,
}

#[derive(Debug)]
enum State {
    /// Rings.
    Proposed,
    /// Picked up; waits for an offer.
    PickedUp,
    /// The app's offer waits for an answer.
    Offering,
    /// Our offer waits for the app's answer.
    Offered(Box<sdp::Session>),
    /// Nothing is open.
    Stable,
}

/// What an app said, once it is found to be legal.
#[derive(Debug)]
pub(in super::super) enum Event {
    /// For the other side.
    Signal(Signal),
    /// The call is taken on this device.
    PickedUp,
}

impl Web {
    /// The app calls: its first offer is under way to the other side.
    pub(in super::super) fn calling(
        sid: Sid,
        named: Option<BareJid>,
        offer: &sdp::Session,
    ) -> Self {
        Self {
            state: State::Offering,
            offered: ufrags(offer),
            ..Self::ring(sid, named)
        }
    }

    /// The app is called.
    pub(in super::super) fn ring(sid: Sid, named: Option<BareJid>) -> Self {
        Self {
            sid,
            named,
            state: State::Proposed,
            described: false,
            held: Vec::new(),
            own: Vec::new(),
            offered: Vec::new(),
            void: Vec::new(),
        }
    }

    /// Whether it rings and has not picked up.
    pub(in super::super) fn is_ringing(&self) -> bool {
        matches!(self.state, State::Proposed)
    }

    /// Nothing was said for a while. False if something is under way all the same.
    pub(in super::super) fn rest(&mut self) -> bool {
        self.held.shrink_to_fit();
        for ufrags in [&mut self.own, &mut self.offered, &mut self.void] {
            ufrags.shrink_to_fit();
        }
        matches!(self.state, State::Stable)
    }

    /// Its offer is void.
    pub(in super::super) fn take_back(&mut self) {
        if matches!(self.state, State::Offering) && self.described {
            self.state = State::Stable;
            let offered = std::mem::take(&mut self.offered);
            self.refuse(offered);
        }
    }

    pub(in super::super) fn say(
        &self,
        line: &Line,
        what: What,
        message: Message,
        out: &mut dyn Sink,
    ) {
        let session = Session {
            sid: self.sid.as_str().to_owned(),
            peer: self.named.as_ref().map(ToString::to_string),
            message,
        };
        line.request(out, what, &|writer| session.write(writer));
    }

    /// A `<session/>` that says nothing is answered as long as the app knows of it.
    pub(in super::super) fn ping(&self, line: &Line, out: &mut dyn Sink) {
        let nothing = Message::Candidates(Vec::new(), Vec::new());
        self.say(line, What::Inform, nothing, out);
    }

    pub(in super::super) fn deliver(&mut self, line: &Line, signal: Signal, out: &mut dyn Sink) {
        match signal {
            Signal::Ringing => self.say(line, What::Inform, Message::Ringing, out),
            Signal::Offer(offer) => {
                let Description { text, sdp } = *offer;
                self.state = State::Offered(Box::new(sdp));
                self.say(line, What::Describe, Message::Offer(text), out);
                self.now_described(line, out);
            }
            Signal::Answer(answer) => {
                self.state = State::Stable;
                self.own = std::mem::take(&mut self.offered);
                self.say(line, What::Describe, Message::Answer(answer.text), out);
                self.now_described(line, out);
            }
            Signal::Void(_) => self.take_back(),
            Signal::Trickle(trickle) if self.described => self.trickle(line, &trickle, out),
            Signal::Trickle(trickle) => self.held.extend(trickle),
            Signal::Info(info) => self.say(line, What::Inform, Message::Info(info), out),
            Signal::End(ending) => {
                let end = End {
                    reason: ending.reason.name().to_owned(),
                    text: ending.text,
                    answered_elsewhere: ending.elsewhere,
                };
                self.say(line, What::End, Message::End(end), out);
            }
        }
    }

    /// Takes what the app says.
    pub(in super::super) fn handle(
        &mut self,
        message: Message,
        limits: &Limits,
    ) -> Result<Event, StanzaError> {
        let event = match (message, &self.state) {
            (Message::Ringing, State::Proposed) => Event::Signal(Signal::Ringing),
            (Message::Proceed, State::Proposed) => {
                self.state = State::PickedUp;
                Event::PickedUp
            }
            (Message::Offer(text), State::Stable) => {
                let offer = read_offer(text, limits)?;
                self.state = State::Offering;
                self.offered = ufrags(&offer.sdp);
                self.void.retain(|ufrag| !self.offered.contains(ufrag));
                Event::Signal(Signal::Offer(offer))
            }
            // The app has our offer: it takes its own back (RFC 9429 §4.1.10.2, rollback).
            (Message::Offer(text), State::Offered(_)) => {
                if let Ok(offer) = read_offer(text, limits) {
                    self.refuse(ufrags(&offer.sdp));
                }
                return Err(tie_break());
            }
            (Message::Answer(text), State::Offered(offer)) => {
                let sdp = browser::answer(&text, offer, limits).map_err(|e| refused(&e))?;
                self.state = State::Stable;
                self.own = ufrags(&sdp);
                Event::Signal(Signal::Answer(Box::new(Description { text, sdp })))
            }
            (
                Message::Candidates(candidates, ends),
                State::Offering | State::Offered(_) | State::Stable,
            ) => {
                let mut trickle = trickle_of(candidates, ends);
                for one in &trickle {
                    one.check().map_err(|e| refused(&e))?;
                }
                // Candidates of an offer that was refused come behind it, and mean nothing.
                let is_void = |ufrag: &String| self.void.contains(ufrag);
                trickle.retain(|one| !one.ufrag.as_ref().is_some_and(is_void));
                Event::Signal(Signal::Trickle(trickle))
            }
            (Message::Info(info), State::Offering | State::Offered(_) | State::Stable) => {
                Event::Signal(Signal::Info(info))
            }
            (Message::End(end), state) => {
                let default = match state {
                    State::Proposed => Reason::Decline,
                    State::Offering if !self.described => Reason::Cancel,
                    _ => Reason::Success,
                };
                let reason = Reason::from_name(&end.reason).unwrap_or(default);
                Event::Signal(Signal::End(Ending {
                    text: end.text,
                    ..Ending::from(reason)
                }))
            }
            (
                Message::Propose(_)
                | Message::Ringing
                | Message::Proceed
                | Message::Offer(_)
                | Message::Answer(_)
                | Message::Candidates(..)
                | Message::Info(_),
                _,
            ) => return Err(out_of_order()),
        };
        Ok(event)
    }

    /// An offer with these is not taken. One that does not restart ICE has those in use.
    fn refuse(&mut self, ufrags: Vec<String>) {
        let fresh = ufrags.into_iter().filter(|ufrag| !self.own.contains(ufrag));
        self.void.extend(fresh);
        let surplus = self.void.len().saturating_sub(VOID);
        self.void.drain(..surplus);
    }

    fn now_described(&mut self, line: &Line, out: &mut dyn Sink) {
        self.described = true;
        let held = std::mem::take(&mut self.held);
        self.trickle(line, &held, out);
    }

    fn trickle(&self, line: &Line, trickle: &[Trickle], out: &mut dyn Sink) {
        for some in trickle.chunks(PER_STANZA) {
            let mut candidates = Vec::new();
            let mut ends = Vec::new();
            for one in some {
                match &one.candidate {
                    Some(candidate) => candidates.push(Candidate {
                        mid: one.mid.clone(),
                        index: one.index.and_then(|index| u16::try_from(index).ok()),
                        ufrag: one.ufrag.clone(),
                        candidate: candidate.clone(),
                    }),
                    None => ends.push(EndOfCandidates {
                        mid: one.mid.clone(),
                        ufrag: one.ufrag.clone(),
                    }),
                }
            }
            self.say(
                line,
                What::Inform,
                Message::Candidates(candidates, ends),
                out,
            );
        }
    }
}

/// Reads an app's offer; the error names the line.
pub(in super::super) fn read_offer(
    text: String,
    limits: &Limits,
) -> Result<Box<Description>, StanzaError> {
    let sdp = browser::offer(&text, limits).map_err(|e| refused(&e))?;
    Ok(Box::new(Description { text, sdp }))
}

fn ufrags(sdp: &sdp::Session) -> Vec<String> {
    let mut ufrags: Vec<String> = Vec::new();
    for ufrag in sdp.ufrags() {
        if !ufrags.iter().any(|own| own == ufrag) {
            ufrags.push(ufrag.to_owned());
        }
    }
    ufrags
}

fn trickle_of(candidates: Vec<Candidate>, ends: Vec<EndOfCandidates>) -> Vec<Trickle> {
    let candidates = candidates.into_iter().map(|candidate| Trickle {
        mid: candidate.mid,
        index: candidate.index.map(usize::from),
        ufrag: candidate.ufrag,
        // RTCIceCandidateInit says the end of candidates with an empty string.
        candidate: Some(candidate.candidate).filter(|line| !line.is_empty()),
    });
    let ends = ends.into_iter().map(|end| Trickle {
        mid: end.mid,
        index: None,
        ufrag: end.ufrag,
        candidate: None,
    });
    candidates.chain(ends).collect()
}

/// Username fragments of refused offers that are remembered; candidates come soon or never.
const VOID: usize = 8;
/// Candidates in one stanza.
const PER_STANZA: usize = 32;
