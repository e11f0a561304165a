//! What can be wrong with a Jingle stanza, and the conditions that XEP-0166 §10 names for it.

/// A `<jingle/>` that can not be read. The answer is `bad-request`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The element is not `<jingle xmlns='urn:xmpp:jingle:1'/>`.
    #[error("not a jingle element")]
    NotJingle,
    /// `action` is missing or none of the fifteen.
    #[error("unknown or missing action")]
    Action,
    /// `sid` is missing, empty or too long.
    #[error("missing or unusable sid")]
    Sid,
    /// A content has no name.
    #[error("content without a name")]
    Name,
    /// `senders` is none of the four.
    #[error("content {0:?}: unknown senders")]
    Senders(String),
    /// More contents than [`super::Limits::contents`].
    #[error("more than {0} contents")]
    TooManyContents(usize),
    /// More payload types than [`super::Limits::payloads`] in one content.
    #[error("more than {0} payload types in one content")]
    TooManyPayloads(usize),
    /// More candidates than [`super::Limits::candidates`] in one content.
    #[error("more than {0} candidates in one content")]
    TooManyCandidates(usize),
}

/// Conditions that go into a stanza error beside the one of RFC 6120 (XEP-0166 §10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// The request can not occur in this state.
    OutOfOrder,
    /// Something must not be sent in the clear (XEP-0166 §9).
    SecurityRequired,
    /// A similar request of ours is under way and overrules this one.
    TieBreak,
    /// No such session.
    UnknownSession,
    /// The payload of a session-info is not understood.
    UnsupportedInfo,
}

impl Condition {
    /// The local name, in the namespace [`NS`].
    pub fn name(self) -> &'static str {
        match self {
            Self::OutOfOrder => "out-of-order",
            Self::SecurityRequired => "security-required",
            Self::TieBreak => "tie-break",
            Self::UnknownSession => "unknown-session",
            Self::UnsupportedInfo => "unsupported-info",
        }
    }

    /// Reads the local name.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "out-of-order" => Self::OutOfOrder,
            "security-required" => Self::SecurityRequired,
            "tie-break" => Self::TieBreak,
            "unknown-session" => Self::UnknownSession,
            "unsupported-info" => Self::UnsupportedInfo,
            _ => return None,
        })
    }

    /// The error type and the condition of RFC 6120 §8.3 that go with it.
    pub fn stanza_error(self) -> (&'static str, &'static str) {
        match self {
            Self::OutOfOrder => ("wait", "unexpected-request"),
            Self::SecurityRequired => ("cancel", "not-acceptable"),
            Self::TieBreak => ("cancel", "conflict"),
            Self::UnknownSession => ("cancel", "item-not-found"),
            Self::UnsupportedInfo => ("modify", "feature-not-implemented"),
        }
    }
}

/// The namespace of [`Condition`].
pub const NS: &str = "urn:xmpp:jingle:errors:1";
