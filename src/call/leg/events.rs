//! What comes of a client's words.

use super::super::signal::Signal;
use super::super::{Sink, What};
use super::Line;
use super::jingle::send;
use crate::jingle::Jingle as Payload;
use crate::mapping::{Change, Session, ToBrowser};

/// What a client said, once it is found to be legal.
#[derive(Debug, Default)]
pub(in super::super) struct Events {
    /// The session was accepted, so the call is taken on this device.
    pub(in super::super) picked_up: bool,
    /// For the other side, in order.
    pub(in super::super) signals: Vec<Signal>,
    /// To be sent back behind the result.
    pub(in super::super) replies: Vec<(What, Payload)>,
}

impl Events {
    pub(super) fn of(change: Change) -> Self {
        let replies = change.stanzas.into_iter().map(|stanza| {
            (
                stanza.receipt.map_or(What::Inform, What::Change),
                stanza.jingle,
            )
        });
        let signals = change.browser.into_iter().map(|said| match said {
            ToBrowser::Void(refusal) => Signal::Void(refusal),
            ToBrowser::Offer(offer) => Signal::Offer(offer.into()),
            ToBrowser::Answer(answer) => Signal::Answer(answer.into()),
            ToBrowser::Candidates(trickle) => Signal::Trickle(trickle),
        });
        Self {
            picked_up: false,
            replies: replies.collect(),
            signals: signals.collect(),
        }
    }

    /// Sends what is for the client, and gives what is for the other side.
    pub(super) fn send(self, line: &Line, out: &mut dyn Sink) -> Vec<Signal> {
        for (what, reply) in &self.replies {
            send(line, *what, reply, out);
        }
        self.signals
    }

    pub(super) fn offer(&mut self, session: &Session) {
        self.signals.extend(
            session
                .remote_offer()
                .map(|offer| Signal::Offer(offer.into())),
        );
    }

    pub(super) fn answer(&mut self, session: &Session) {
        self.signals.extend(
            session
                .remote_answer()
                .map(|answer| Signal::Answer(answer.into())),
        );
    }
}
