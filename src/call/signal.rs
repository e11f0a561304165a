use std::fmt;
use std::time::Instant;

use std::sync::Arc;

use jid::{BareJid, FullJid};

use super::Journal;
use crate::jingle::{Condition, Reason, ReasonElement, Sid};
use crate::mapping::{Dialect, Receipt, Refusal, Trickle};
use crate::sdp;
use crate::web::{self, Media};
use crate::xml::Writer;

/// Names a call inside this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub(super) u64);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl CallId {
    /// The number: 1 for the first call of this process.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

/// What legs say to each other.
#[derive(Clone, Debug)]
pub(super) enum Signal {
    /// A device rings.
    Ringing,
    /// A session description that wants an answer.
    Offer(Box<Description>),
    /// The offer of the receiver is void. With [`Refusal::TieBreak`], one of the sender's comes
    /// next, and the receiver's may have its turn behind that.
    Void(Refusal),
    /// The answer.
    Answer(Box<Description>),
    /// Candidates, and ends of them.
    Trickle(Vec<Trickle>),
    /// Hold, mute and their like.
    Info(web::Info),
    /// The call is over.
    End(Ending),
}

/// A session description: its text and what it says.
#[derive(Clone, Debug)]
pub(super) struct Description {
    pub(super) text: String,
    pub(super) sdp: sdp::Session,
}

/// Why a call, or the ringing of a device, ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) reason: Reason,
    pub(super) text: Option<String>,
    /// Another device took or refused the call.
    pub(super) elsewhere: bool,
    /// The call that it goes on as.
    pub(super) migrated: Option<Sid>,
    /// The name of the mapping's refusal that ends it, for metrics.
    pub(super) cause: Option<&'static str>,
}

impl Description {
    /// # Errors
    /// None; see [`sdp::Kept::read`].
    pub(super) fn read(kept: sdp::Kept) -> Result<Box<Self>, Refusal> {
        let sdp = kept.read()?;
        let text = kept.into_text();
        Ok(Box::new(Self { text, sdp }))
    }
}

impl From<sdp::Session> for Box<Description> {
    fn from(sdp: sdp::Session) -> Self {
        Self::new(Description {
            text: sdp.to_string(),
            sdp,
        })
    }
}

impl From<Reason> for Ending {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            text: None,
            elsewhere: false,
            migrated: None,
            cause: None,
        }
    }
}

impl Ending {
    /// For the devices that ring in vain.
    pub(super) fn elsewhere(reason: Reason) -> Self {
        Self {
            elsewhere: true,
            ..Self::from(reason)
        }
    }

    pub(super) fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    pub(super) fn element(&self) -> ReasonElement {
        let mut element = ReasonElement::from(self.reason);
        element.text.clone_from(&self.text);
        element.alternative.clone_from(&self.migrated);
        element
    }
}

impl From<&ReasonElement> for Ending {
    fn from(element: &ReasonElement) -> Self {
        Self {
            text: element.text.clone(),
            ..Self::from(element.condition)
        }
    }
}

/// What an input is handled with.
pub struct Context<'a> {
    /// The time.
    pub now: Instant,
    /// Where stanzas go.
    pub out: &'a mut dyn Sink,
    /// Who knows about people.
    pub directory: &'a dyn Directory,
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// Between whom something is said: a device, and an address of ours.
#[derive(Clone, Copy, Debug)]
pub struct Between<'a> {
    /// The device that speaks.
    pub from: &'a FullJid,
    /// The address it speaks to, as written.
    pub to: &'a str,
    /// The person whom that address stands for.
    pub person: &'a BareJid,
    /// The device that carries the call, at whichever end of it; `None` at a gateway address.
    pub through: Option<&'a FullJid>,
}

/// How stanzas get to a device, and whom it sees as their sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// From this address of ours.
    Direct(Arc<str>),
    /// From this device of the person's own, which we ask to send them.
    Device(Arc<FullJid>),
}

impl Carrier {
    /// The sender.
    #[must_use]
    pub fn address(&self) -> &str {
        match self {
            Self::Direct(own) => own,
            Self::Device(device) => device.as_str(),
        }
    }
}

/// Where the engine's stanzas go.
pub trait Sink {
    /// Sends a message of type `chat` with what `write` writes in it. A device that carries it
    /// says with `request` that it did.
    fn message(&mut self, request: Request, by: &Carrier, to: &str, write: &dyn Fn(&mut Writer));

    /// Sends an IQ of type `set` with the payload that `write` writes; the reply comes back with
    /// `request`.
    fn request(&mut self, request: Request, by: &Carrier, to: &str, write: &dyn Fn(&mut Writer));

    /// Where steps of calls are noted, if anybody keeps them.
    fn journal(&mut self) -> Option<&mut Journal> {
        None
    }
}

/// Which of our requests a reply belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    pub(super) call: CallId,
    pub(super) leg: usize,
    /// What was asked.
    pub what: What,
}

impl Request {
    /// The call it belongs to.
    #[must_use]
    pub fn call(self) -> CallId {
        self.call
    }

    /// Whether both belong to the same leg of the same call.
    #[must_use]
    pub fn is_beside(self, other: Self) -> bool {
        (self.call, self.leg) == (other.call, other.leg)
    }
}

/// What was asked with a [`Request`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// To ring, or a session-initiate.
    Begin,
    /// An offer, an answer or a session-accept.
    Describe,
    /// Candidates or information, without which the call goes on.
    Inform,
    /// A change of a running session, whose answer the mapping waits for.
    Change(Receipt),
    /// To end.
    End,
}

/// What a peer's error says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure<'a> {
    /// The defined condition, RFC 6120 §8.3.3.
    pub condition: &'a str,
    /// The condition of XEP-0166 §10 beside it.
    pub jingle: Option<Condition>,
}

/// What the engine asks about people.
pub trait Directory {
    /// How a person can be called.
    fn devices(&self, person: &BareJid, media: Media) -> Devices;

    /// How a client speaks Jingle.
    fn dialect(&self, client: &FullJid) -> &'static Dialect;

    /// Whether a browser app's bundle policy is `max-bundle`.
    fn bundles_all(&self, device: &FullJid) -> bool;
}

/// The devices of a person that can ring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    /// Browser apps.
    pub web: Vec<FullJid>,
    /// The best client that does not speak XEP-0353.
    pub direct: Option<FullJid>,
    /// Whoever else there is hears of the call by XEP-0353.
    pub announced: bool,
}
