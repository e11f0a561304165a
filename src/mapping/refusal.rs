//! Why something can not be mapped, and how to tell the peer.

use crate::jingle::{self, Reason};
use crate::sdp;

/// A description or stanza that can not be mapped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// SDP that does not parse.
    #[error("the SDP can not be read: {0}")]
    Sdp(#[from] sdp::Error),
    /// Jingle that does not parse.
    #[error("the Jingle can not be read: {0}")]
    Jingle(#[from] jingle::Error),
    /// An answer whose sections are not those of the offer, or a description without any.
    #[error("the description does not fit: {0}")]
    Unfit(&'static str),
    /// A section without DTLS, in words for a developer.
    #[error("{0}: no usable DTLS fingerprint, and media without DTLS-SRTP is not carried")]
    NoDtls(String),
    /// The only fingerprint is one that OMEMO signed for somebody else.
    #[error("{0}: the fingerprint is readable with OMEMO only, which no gateway has")]
    OmemoOnly(String),
    /// ICE credentials that are missing or malformed.
    #[error("{0}: missing or malformed ICE credentials")]
    Credentials(String),
    /// No codec in common.
    #[error("{0}: no codec in common")]
    NoCommonCodec(String),
    /// The peer does not multiplex RTP and RTCP, and the browser must.
    #[error("{0}: the peer does not do rtcp-mux, the browser demands it")]
    NoRtcpMux(String),
    /// No content whose application is known.
    #[error("no application that is understood")]
    UnsupportedApplications,
    /// A content whose transport is not ICE.
    #[error("no transport that is understood")]
    UnsupportedTransports,
    /// The same name twice by one creator.
    #[error("two contents are called {0:?}")]
    DuplicateContent(String),
    /// A content that does not exist.
    #[error("no content is called {0:?}")]
    UnknownContent(String),
    /// A value that would break the SDP it goes into.
    #[error("{0}: {1} is malformed")]
    Value(String, &'static str),
    /// A candidate that can not be read.
    #[error("the candidate can not be read")]
    Candidate,
    /// A candidate whose section is unknown.
    #[error("the candidate's section is unknown")]
    UnknownSection,
    /// Too much of something.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// Legal in itself, but not now.
    #[error("this can not be asked for now")]
    OutOfOrder,
    /// Both sides asked for a change at once, and the other's goes first (XEP-0166 §7.2.16).
    #[error("the other side asked for a change at the same time")]
    TieBreak,
    /// The peer has no way to do what the browser wants.
    #[error("the peer can not {0}")]
    NotForPeer(&'static str),
    /// No content is left.
    #[error("nothing is left of the session")]
    NothingLeft,
}

impl Refusal {
    /// What [`Self::name`] may say.
    pub const NAMES: [&'static str; 20] = [
        "sdp",
        "jingle",
        "unfit",
        "no_dtls",
        "omemo_only",
        "credentials",
        "no_common_codec",
        "no_rtcp_mux",
        "unsupported_applications",
        "unsupported_transports",
        "duplicate_content",
        "unknown_content",
        "value",
        "candidate",
        "unknown_section",
        "too_many",
        "out_of_order",
        "tie_break",
        "not_for_peer",
        "nothing_left",
    ];

    /// What metrics call it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sdp(_) => "sdp",
            Self::Jingle(_) => "jingle",
            Self::Unfit(_) => "unfit",
            Self::NoDtls(_) => "no_dtls",
            Self::OmemoOnly(_) => "omemo_only",
            Self::Credentials(_) => "credentials",
            Self::NoCommonCodec(_) => "no_common_codec",
            Self::NoRtcpMux(_) => "no_rtcp_mux",
            Self::UnsupportedApplications => "unsupported_applications",
            Self::UnsupportedTransports => "unsupported_transports",
            Self::DuplicateContent(_) => "duplicate_content",
            Self::UnknownContent(_) => "unknown_content",
            Self::Value(..) => "value",
            Self::Candidate => "candidate",
            Self::UnknownSection => "unknown_section",
            Self::TooMany(_) => "too_many",
            Self::OutOfOrder => "out_of_order",
            Self::TieBreak => "tie_break",
            Self::NotForPeer(_) => "not_for_peer",
            Self::NothingLeft => "nothing_left",
        }
    }

    /// What a session-terminate gives as its reason (XEP-0166 §7.4).
    pub fn reason(&self) -> Reason {
        match self {
            Self::NoDtls(_) | Self::OmemoOnly(_) => Reason::SecurityError,
            Self::NoCommonCodec(_) | Self::NoRtcpMux(_) => Reason::FailedApplication,
            Self::UnsupportedApplications => Reason::UnsupportedApplications,
            Self::UnsupportedTransports => Reason::UnsupportedTransports,
            Self::Credentials(_) => Reason::FailedTransport,
            Self::NothingLeft => Reason::Success,
            Self::OutOfOrder
            | Self::TieBreak
            | Self::NotForPeer(_)
            | Self::Sdp(_)
            | Self::Jingle(_)
            | Self::Unfit(_)
            | Self::DuplicateContent(_)
            | Self::UnknownContent(_)
            | Self::Value(..)
            | Self::Candidate
            | Self::UnknownSection
            | Self::TooMany(_) => Reason::FailedApplication,
        }
    }

    /// Whether the stanza itself is at fault and is answered with an error, in contrast to one that
    /// is fine, is acknowledged, and ends the session.
    pub fn is_stanza_error(&self) -> bool {
        match self {
            Self::OutOfOrder
            | Self::TieBreak
            | Self::NotForPeer(_)
            | Self::Sdp(_)
            | Self::Jingle(_)
            | Self::Unfit(_)
            | Self::DuplicateContent(_)
            | Self::UnknownContent(_)
            | Self::Value(..)
            | Self::Candidate
            | Self::UnknownSection
            | Self::TooMany(_) => true,
            Self::NothingLeft
            | Self::NoDtls(_)
            | Self::OmemoOnly(_)
            | Self::Credentials(_)
            | Self::NoCommonCodec(_)
            | Self::NoRtcpMux(_)
            | Self::UnsupportedApplications
            | Self::UnsupportedTransports => false,
        }
    }

    /// The error type and condition (RFC 6120 §8.3) that say it in a stanza error; its text is this
    /// error's `Display`.
    pub fn stanza_error(&self) -> (&'static str, &'static str) {
        match self {
            Self::UnknownContent(_) | Self::UnknownSection => ("cancel", "item-not-found"),
            Self::TooMany(_) => ("wait", "resource-constraint"),
            Self::OutOfOrder => jingle::Condition::OutOfOrder.stanza_error(),
            Self::TieBreak => jingle::Condition::TieBreak.stanza_error(),
            Self::NotForPeer(_) => ("cancel", "feature-not-implemented"),
            Self::Jingle(
                jingle::Error::TooManyContents(_)
                | jingle::Error::TooManyPayloads(_)
                | jingle::Error::TooManyCandidates(_),
            )
            | Self::Sdp(sdp::Error {
                fault:
                    sdp::Fault::TooLong(_)
                    | sdp::Fault::TooManyLines(_)
                    | sdp::Fault::TooManySections(_),
                ..
            }) => ("wait", "resource-constraint"),
            Self::Sdp(_)
            | Self::Jingle(_)
            | Self::Unfit(_)
            | Self::DuplicateContent(_)
            | Self::Value(..)
            | Self::Candidate => ("modify", "bad-request"),
            Self::NothingLeft
            | Self::NoDtls(_)
            | Self::OmemoOnly(_)
            | Self::Credentials(_)
            | Self::NoCommonCodec(_)
            | Self::NoRtcpMux(_)
            | Self::UnsupportedApplications
            | Self::UnsupportedTransports => ("modify", "not-acceptable"),
        }
    }

    /// The condition of XEP-0166 §10 that goes into the stanza error beside that of RFC 6120.
    pub fn condition(&self) -> Option<jingle::Condition> {
        match self {
            Self::OutOfOrder => Some(jingle::Condition::OutOfOrder),
            Self::TieBreak => Some(jingle::Condition::TieBreak),
            _ => None,
        }
    }

    /// Whether `<crypto-required xmlns='urn:xmpp:jingle:apps:rtp:errors:1'/>` goes along
    /// (XEP-0167 §7).
    pub fn is_crypto_required(&self) -> bool {
        matches!(self, Self::NoDtls(_) | Self::OmemoOnly(_))
    }
}
