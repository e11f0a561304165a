//! SDP (RFC 8866) as typed values that lose nothing.
//!
//! [`Session::parse`] reads what browsers and other WebRTC engines write; `Display` writes it back.
//! Attributes that this module knows are typed, all others stay [`Attribute::Other`] verbatim, so
//! an unknown attribute is never an error. A known one that breaks its grammar is, with the number
//! of its line.
//!
//! Every string in here is one of the types of [`text`], none of which can hold CR, LF or NUL:
//! what is written can not contain a line that nobody meant to write.
//!
//! Left out: `k=` lines, which RFC 8866 §5.12 calls obsolete, are read and discarded. Lines that
//! stand in an unusual order come back in the order of §5.

mod attribute;
mod candidate;
mod kept;
mod parse;
pub mod text;
mod value;
mod write;

pub use attribute::Attribute;
pub use candidate::{Candidate, Related};
pub use kept::Kept;
pub use parse::{Error, Fault, Limits};
pub use text::{ByteString, IcePwd, IceUfrag, Token, Word};
pub use value::{
    Crypto, Direction, ExtMap, Feedback, FeedbackTarget, Fingerprint, Fmtp, Group, Msid, Rid,
    RidDirection, RtpMap, SctpMap, Setup, Ssrc, SsrcGroup,
};

/// A session description (RFC 8866 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// `o=` (§5.2).
    pub origin: Origin,
    /// `s=` (§5.3).
    pub name: ByteString,
    /// `i=`, `u=`, `e=`, `p=`, `c=` in their order (§5.4 to §5.7).
    pub information: Vec<Line>,
    /// `b=` (§5.8).
    pub bandwidths: Vec<Bandwidth>,
    /// `t=`, `r=`, `z=` in their order (§5.9 to §5.11).
    pub timing: Vec<Line>,
    /// `a=` of the session level (§5.13).
    pub attributes: Vec<Attribute>,
    /// The m-sections (§5.14).
    pub media: Vec<Media>,
}

/// One m-section (RFC 8866 §5.14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// `audio`, `video`, `application`, …
    pub kind: Token,
    /// 0 means rejected, or bundle-only where that attribute stands.
    pub port: u16,
    /// The number of ports behind the slash.
    pub port_count: Option<u16>,
    /// `UDP/TLS/RTP/SAVPF`, `UDP/DTLS/SCTP`, …
    pub protocol: Word,
    /// Payload types, or `webrtc-datachannel`.
    pub formats: Vec<Token>,
    /// `i=`.
    pub title: Option<ByteString>,
    /// `c=`.
    pub connections: Vec<ByteString>,
    /// `b=`.
    pub bandwidths: Vec<Bandwidth>,
    /// `a=`.
    pub attributes: Vec<Attribute>,
}

/// `o=` (RFC 8866 §5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `-` in WebRTC.
    pub username: Word,
    /// Numeric, the same for the life of the session.
    pub session_id: Word,
    /// Numeric, one more with each changed description.
    pub version: Word,
    /// `IN`.
    pub network: Token,
    /// `IP4` or `IP6`.
    pub address_type: Token,
    /// Where the session was made; meaningless in WebRTC.
    pub address: Word,
}

/// `b=` (RFC 8866 §5.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// `AS`, `TIAS`, `CT`, …
    pub kind: Token,
    /// kbit/s, for `TIAS` bit/s; not always a whole number.
    pub value: Word,
}

/// A line that is kept but not interpreted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    kind: char,
    value: ByteString,
}

impl Bandwidth {
    /// Whether it is a number that all browsers take: libwebrtc refuses a whole description over
    /// another.
    pub fn is_lawful(&self) -> bool {
        self.value
            .parse::<u32>()
            .is_ok_and(|own| own <= 0x7fff_ffff)
    }
}

impl Line {
    /// `t=0 0`: the session is not bounded in time (RFC 8866 §5.9).
    pub fn unbounded() -> Self {
        Self {
            kind: 't',
            value: ByteString::literal("0 0"),
        }
    }

    /// The letter before `=`.
    pub fn kind(&self) -> char {
        self.kind
    }

    /// What follows it.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl Session {
    /// The groups (RFC 5888) of the session level.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.attributes
            .iter()
            .filter_map(|attribute| match attribute {
                Attribute::Group(group) => Some(group),
                _ => None,
            })
    }

    /// All `a=ice-ufrag` (RFC 8839 §5.4), of the session and of its m-sections.
    pub fn ufrags(&self) -> impl Iterator<Item = &str> {
        let sections = self.media.iter().map(|media| &media.attributes);
        std::iter::once(&self.attributes)
            .chain(sections)
            .flatten()
            .filter_map(|attribute| match attribute {
                Attribute::IceUfrag(ufrag) => Some(ufrag.as_str()),
                _ => None,
            })
    }

    /// The m-section with this `a=mid`.
    pub fn section(&self, mid: &str) -> Option<&Media> {
        self.media
            .iter()
            .find(|media| media.mid().is_some_and(|own| own.as_str() == mid))
    }
}

impl Media {
    /// An empty section.
    pub fn new(kind: Token, port: u16, protocol: Word, formats: Vec<Token>) -> Self {
        Self {
            kind,
            port,
            port_count: None,
            protocol,
            formats,
            title: None,
            connections: Vec::new(),
            bandwidths: Vec::new(),
            attributes: Vec::new(),
        }
    }

    /// `a=mid` (RFC 5888 §4).
    pub fn mid(&self) -> Option<&Token> {
        self.attributes
            .iter()
            .find_map(|attribute| match attribute {
                Attribute::Mid(mid) => Some(mid),
                _ => None,
            })
    }

    /// The direction said in this section, if one is said.
    pub fn direction(&self) -> Option<Direction> {
        self.attributes
            .iter()
            .find_map(|attribute| match attribute {
                Attribute::Direction(direction) => Some(*direction),
                _ => None,
            })
    }

    /// Port 0 without `a=bundle-only` (RFC 3264 §6, RFC 9143 §6).
    pub fn is_rejected(&self) -> bool {
        self.port == 0 && !self.attributes.contains(&Attribute::BundleOnly)
    }

    /// Whether the section carries RTP.
    pub fn is_rtp(&self) -> bool {
        self.protocol.contains("RTP/")
    }

    /// Whether the section is a WebRTC data channel transport (RFC 8841), modern or legacy.
    pub fn is_sctp(&self) -> bool {
        self.protocol.contains("SCTP")
    }

    /// The candidates of the section.
    pub fn candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.attributes
            .iter()
            .filter_map(|attribute| match attribute {
                Attribute::Candidate(candidate) => Some(candidate),
                _ => None,
            })
    }
}
