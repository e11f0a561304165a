//! What stands behind the colon of the attributes that are typed.

use std::fmt::{self, Display};

use super::parse::Fault;
use super::text::{ByteString, Token, Word};

/// `a=crypto`: the keys of SRTP in the clear. `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct Crypto {
    /// Names the line in answers.
    pub tag: u32,
    /// `AES_CM_128_HMAC_SHA1_80`, …
    pub suite: Token,
    /// `inline:…`.
    pub key_params: Word,
    /// Whatever follows.
    pub session_params: Option<ByteString>,
}

/// Who sends, seen from the one whose description it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both; what holds when nothing is said (RFC 8866 §6.7).
    #[default]
    SendRecv,
    /// Only the owner of the description.
    SendOnly,
    /// Only the other.
    RecvOnly,
    /// Nobody.
    Inactive,
}

/// `a=extmap`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtMap {
    /// 1 to 255 on the wire, 4096 and above in offers that leave the choice open (RFC 8285 §7).
    pub id: u16,
    /// Said when it is not that of the section.
    pub direction: Option<Direction>,
    /// Names the extension.
    pub uri: Word,
    /// Whatever follows.
    pub attributes: Option<ByteString>,
}

/// `a=fingerprint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// `sha-256`, in the case it was written in.
    pub hash: Token,
    /// Pairs of hex digits with colons.
    pub value: Word,
}

/// `a=fmtp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fmtp {
    /// The payload type.
    pub format: Token,
    /// Opaque.
    pub parameters: ByteString,
}

/// `a=group`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// `BUNDLE`, `LS`, …
    pub semantics: Token,
    /// In order: the first of a BUNDLE group is its tag (RFC 9143 §7.2.1).
    pub mids: Vec<Token>,
}

/// `a=msid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Msid {
    /// `-` for no stream.
    pub stream: Word,
    /// The track.
    pub track: Option<Word>,
}

/// `a=rid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rid {
    /// Names the layer.
    pub id: Token,
    /// Of the stream, seen from the owner of the description.
    pub direction: RidDirection,
    /// `pt=…;max-width=…`.
    pub restrictions: Option<ByteString>,
}

/// The direction of a [`Rid`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RidDirection {
    /// From the owner of the description.
    Send,
    /// To it.
    Recv,
}

/// `a=rtcp-fb`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// Which payload types.
    pub target: FeedbackTarget,
    /// `nack`, `ccm`, `transport-cc`, `trr-int`, …
    pub kind: Word,
    /// `pli`, `fir`, … or the number of `trr-int`.
    pub subtype: Option<Word>,
    /// Further words.
    pub parameters: Vec<Word>,
}

/// What a [`Feedback`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedbackTarget {
    /// `*`: every payload type of the section.
    Every,
    /// One payload type.
    Payload(u8),
}

/// `a=rtpmap`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpMap {
    /// 0 to 127.
    pub payload: u8,
    /// Compared without case.
    pub encoding: Word,
    /// Hz.
    pub clock_rate: u32,
    /// The number of channels, for audio.
    pub parameters: Option<Word>,
}

/// `a=sctpmap`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SctpMap {
    /// 5000 in practice.
    pub port: u16,
    /// `webrtc-datachannel`.
    pub application: Token,
    /// How many streams are wanted.
    pub streams: Option<u32>,
}

/// `a=setup`: who starts DTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setup {
    /// Either; only in offers.
    Actpass,
    /// The owner of the description.
    Active,
    /// The other.
    Passive,
    /// Nobody for now.
    Holdconn,
}

/// `a=ssrc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssrc {
    /// The source.
    pub id: u32,
    /// `cname`, `msid`, …
    pub name: Token,
    /// May hold blanks.
    pub value: Option<ByteString>,
}

/// `a=ssrc-group`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsrcGroup {
    /// `FID`, `SIM`, `FEC-FR`, …
    pub semantics: Token,
    /// In order.
    pub ssrcs: Vec<u32>,
}

impl Crypto {
    pub(super) fn parse(value: &str) -> Result<Self, Fault> {
        const BAD: Fault = Fault::Attribute("crypto");
        let (tag, rest) = two("crypto", value)?;
        let (suite, rest) = two("crypto", rest)?;
        let (key_params, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let params = Some(rest.trim_ascii()).filter(|params| !params.is_empty());
        Ok(Self {
            tag: number("crypto", tag)?,
            suite: token("crypto", suite)?,
            key_params: word("crypto", key_params)?,
            session_params: params.map(ByteString::new).transpose().map_err(|_| BAD)?,
        })
    }
}

impl fmt::Debug for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crypto")
            .field("tag", &self.tag)
            .field("suite", &self.suite)
            .finish()
    }
}

impl Display for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.tag, self.suite, self.key_params)?;
        self.session_params
            .iter()
            .try_for_each(|params| write!(f, " {params}"))
    }
}

impl Direction {
    /// The attribute's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// Reads the attribute's name.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "sendrecv" => Self::SendRecv,
            "sendonly" => Self::SendOnly,
            "recvonly" => Self::RecvOnly,
            "inactive" => Self::Inactive,
            _ => return None,
        })
    }
}

impl ExtMap {
    pub(super) fn parse(value: &str) -> Result<Self, Fault> {
        const BAD: Fault = Fault::Attribute("extmap");
        let (id, rest) = two("extmap", value)?;
        let (id, direction) = match id.split_once('/') {
            Some((id, direction)) => (id, Some(Direction::parse(direction).ok_or(BAD)?)),
            None => (id, None),
        };
        let (uri, attributes) = match rest.trim_end_matches(BLANKS).split_once(' ') {
            Some((uri, attributes)) => (
                uri,
                Some(ByteString::new(attributes.trim_start_matches(BLANKS)).map_err(|_| BAD)?),
            ),
            None => (rest.trim_end_matches(BLANKS), None),
        };
        Ok(Self {
            id: number("extmap", id)?,
            direction,
            uri: word("extmap", uri)?,
            attributes,
        })
    }
}

impl Display for ExtMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        if let Some(direction) = self.direction {
            write!(f, "/{}", direction.as_str())?;
        }
        write!(f, " {}", self.uri)?;
        self.attributes
            .iter()
            .try_for_each(|attributes| write!(f, " {attributes}"))
    }
}

impl Fingerprint {
    /// Whether its hash function is one that nobody may trust: "implementations compliant with this
    /// specification MUST NOT use the MD2 and MD5 hash functions" (RFC 8122 §5).
    pub fn is_broken(&self) -> bool {
        ["md2", "md5"]
            .iter()
            .any(|broken| self.hash.as_str().eq_ignore_ascii_case(broken))
    }
}

impl Feedback {
    pub(super) fn parse(value: &str) -> Result<Self, Fault> {
        let mut words = value.split_ascii_whitespace();
        let target = match words.next() {
            Some("*") => FeedbackTarget::Every,
            payload => FeedbackTarget::Payload(number("rtcp-fb", payload.unwrap_or_default())?),
        };
        Ok(Self {
            target,
            kind: word("rtcp-fb", words.next().unwrap_or_default())?,
            subtype: words
                .next()
                .map(|subtype| word("rtcp-fb", subtype))
                .transpose()?,
            parameters: words
                .map(|more| word("rtcp-fb", more))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Display for Feedback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.target {
            FeedbackTarget::Every => f.write_str("*")?,
            FeedbackTarget::Payload(payload) => write!(f, "{payload}")?,
        }
        write!(f, " {}", self.kind)?;
        self.subtype
            .iter()
            .chain(&self.parameters)
            .try_for_each(|word| write!(f, " {word}"))
    }
}

impl Display for Msid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.stream)?;
        self.track
            .iter()
            .try_for_each(|track| write!(f, " {track}"))
    }
}

impl Rid {
    pub(super) fn parse(value: &str) -> Result<Self, Fault> {
        const BAD: Fault = Fault::Attribute("rid");
        let (id, rest) = two("rid", value)?;
        let (direction, restrictions) = match rest.trim_end_matches(BLANKS).split_once(' ') {
            Some((direction, more)) => (direction, Some(more.trim_start_matches(BLANKS))),
            None => (rest.trim_end_matches(BLANKS), None),
        };
        Ok(Self {
            id: token("rid", id)?,
            direction: match direction {
                "send" => RidDirection::Send,
                "recv" => RidDirection::Recv,
                _ => return Err(BAD),
            },
            restrictions: restrictions
                .map(ByteString::new)
                .transpose()
                .map_err(|_| BAD)?,
        })
    }
}

impl Display for Rid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = match self.direction {
            RidDirection::Send => "send",
            RidDirection::Recv => "recv",
        };
        write!(f, "{} {direction}", self.id)?;
        self.restrictions
            .iter()
            .try_for_each(|restrictions| write!(f, " {restrictions}"))
    }
}

impl RtpMap {
    /// The number of channels: 1 unless something else is said.
    pub fn channels(&self) -> u32 {
        self.parameters
            .as_ref()
            .and_then(|channels| channels.parse().ok())
            .unwrap_or(1)
    }

    pub(super) fn parse(value: &str) -> Result<Self, Fault> {
        let (payload, encoding) = two("rtpmap", value)?;
        let mut parts = encoding.trim_ascii_end().splitn(3, '/');
        let payload = number("rtpmap", payload)?;
        if payload > 127 {
            return Err(Fault::Attribute("rtpmap"));
        }
        Ok(Self {
            payload,
            encoding: word("rtpmap", parts.next().unwrap_or_default())?,
            clock_rate: number("rtpmap", parts.next().unwrap_or_default())?,
            parameters: parts
                .next()
                .map(|parameters| word("rtpmap", parameters))
                .transpose()?,
        })
    }
}

impl Display for RtpMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.payload, self.encoding, self.clock_rate)?;
        self.parameters
            .iter()
            .try_for_each(|parameters| write!(f, "/{parameters}"))
    }
}

impl Fmtp {
    /// The parameters, those of the form `a=1;b=2`.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        let parts = self.parameters.split(';').map(str::trim);
        parts.filter(|part| !part.is_empty())
    }

    /// Whether one of them is called as `a=ptime` is, which some mean by it.
    pub fn has_ptime(&self) -> bool {
        self.parts().any(|part| part.starts_with("ptime="))
    }
}

impl Setup {
    /// The attribute's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Actpass => "actpass",
            Self::Active => "active",
            Self::Passive => "passive",
            Self::Holdconn => "holdconn",
        }
    }

    /// Reads the attribute's value.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "actpass" => Self::Actpass,
            "active" => Self::Active,
            "passive" => Self::Passive,
            "holdconn" => Self::Holdconn,
            _ => return None,
        })
    }
}

pub(super) fn two<'a>(name: &str, value: &'a str) -> Result<(&'a str, &'a str), Fault> {
    let (first, rest) = value
        .trim_start_matches(BLANKS)
        .split_once(' ')
        .ok_or_else(|| Fault::known(name))?;
    Ok((first, rest.trim_start_matches(BLANKS)))
}

pub(super) fn number<N: std::str::FromStr>(name: &str, text: &str) -> Result<N, Fault> {
    text.trim_ascii().parse().map_err(|_| Fault::known(name))
}

pub(super) fn token(name: &str, text: &str) -> Result<Token, Fault> {
    Token::new(text).map_err(|_| Fault::known(name))
}

pub(super) fn word(name: &str, text: &str) -> Result<Word, Fault> {
    Word::new(text).map_err(|_| Fault::known(name))
}

/// What may stand at the ends of values as layout. Blanks of Unicode are no layout.
const BLANKS: [char; 2] = [' ', '\t'];
