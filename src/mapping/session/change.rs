//! What comes of an event in a session that is established.

use crate::jingle::Jingle;
use crate::mapping::{Refusal, Trickle};
use crate::sdp;

/// What to do.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Change {
    /// For the peer, in order, behind the answer to the stanza that this comes of.
    pub stanzas: Vec<Stanza>,
    /// For the browser, in order.
    pub browser: Vec<ToBrowser>,
}

/// A request to the peer.
#[derive(Clone, Debug, PartialEq)]
pub struct Stanza {
    /// What is asked.
    pub jingle: Jingle,
    /// To be given to [`super::Session::acknowledged`] or [`super::Session::declined`] with the
    /// answer to it; `None` when the answer changes nothing.
    pub receipt: Option<Receipt>,
}

/// Names a request whose answer matters. Each is good for one answer; an old one does no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Receipt(pub(super) u32);

/// Something for the browser.
#[derive(Clone, Debug, PartialEq)]
pub enum ToBrowser {
    /// Its own offer is void, for this reason. An offer comes behind this, with which it rolls back
    /// by itself.
    Void(Refusal),
    /// Its answer belongs into [`super::Session::answer_later`].
    Offer(sdp::Session),
    /// To the offer of [`super::Session::offer_later`].
    Answer(sdp::Session),
    /// Candidates for the description that it has by then.
    Candidates(Vec<Trickle>),
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The first offer is not answered yet.
    Establishing,
    /// Nothing is open.
    Stable,
    /// The browser's offer waits for the peer.
    AwaitingPeer,
    /// The browser has an offer, or gets one as soon as the peer has said all of it.
    AwaitingBrowser,
}

impl Change {
    /// Nothing is to be done.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn say(&mut self, jingle: Jingle) {
        self.stanzas.push(Stanza {
            jingle,
            receipt: None,
        });
    }

    pub(super) fn void(refusal: Refusal) -> Self {
        Self {
            browser: vec![ToBrowser::Void(refusal)],
            ..Self::default()
        }
    }

    pub(super) fn trickle(&mut self, mut trickle: Vec<Trickle>) {
        if trickle.is_empty() {
            return;
        }
        match self.browser.last_mut() {
            Some(ToBrowser::Candidates(own)) => own.append(&mut trickle),
            _ => self.browser.push(ToBrowser::Candidates(trickle)),
        }
    }

    /// Puts what comes of a later event behind.
    pub(super) fn append(&mut self, mut later: Self) {
        self.stanzas.append(&mut later.stanzas);
        self.browser.append(&mut later.browser);
    }
}
