//! Attributes: the ones that a WebRTC endpoint acts on, typed, and all others as they are.

use std::fmt::{self, Display};

use super::Candidate;
use super::parse::Fault;
use super::text::{ByteString, IcePwd, IceUfrag, Token, Word};

/// One `a=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attribute {
    /// `a=bundle-only` (RFC 9143 §6).
    BundleOnly,
    /// `a=candidate` (RFC 8839 §5.1).
    Candidate(Candidate),
    /// `a=content` (RFC 4796 §5).
    Content(Vec<Token>),
    /// `a=crypto` (RFC 4568 §9.1).
    Crypto(Crypto),
    /// `a=sendrecv`, `a=sendonly`, `a=recvonly`, `a=inactive` (RFC 8866 §6.7).
    Direction(Direction),
    /// `a=end-of-candidates` (RFC 8840 §8.2).
    EndOfCandidates,
    /// `a=extmap` (RFC 8285 §8).
    ExtMap(ExtMap),
    /// `a=extmap-allow-mixed` (RFC 8285 §6).
    ExtMapAllowMixed,
    /// `a=fingerprint` (RFC 8122 §5).
    Fingerprint(Fingerprint),
    /// `a=fmtp` (RFC 8866 §6.15).
    Fmtp(Fmtp),
    /// `a=group` (RFC 5888 §5).
    Group(Group),
    /// `a=ice-lite` (RFC 8839 §5.3).
    IceLite,
    /// `a=ice-options` (RFC 8839 §5.6).
    IceOptions(Vec<Word>),
    /// `a=ice-pwd` (RFC 8839 §5.4).
    IcePwd(IcePwd),
    /// `a=ice-ufrag` (RFC 8839 §5.4).
    IceUfrag(IceUfrag),
    /// `a=max-message-size` (RFC 8841 §6).
    MaxMessageSize(u64),
    /// `a=maxptime` (RFC 8866 §6.5), milliseconds.
    MaxPtime(Word),
    /// `a=mid` (RFC 5888 §4).
    Mid(Token),
    /// `a=msid` (RFC 8830 §2).
    Msid(Msid),
    /// `a=ptime` (RFC 8866 §6.4), milliseconds.
    Ptime(Word),
    /// `a=rid` (RFC 8851 §10).
    Rid(Rid),
    /// `a=rtcp-fb` (RFC 4585 §4.2).
    Feedback(Feedback),
    /// `a=rtcp-mux` (RFC 5761 §5.1.1).
    RtcpMux,
    /// `a=rtcp-rsize` (RFC 5506 §5).
    RtcpRsize,
    /// `a=rtpmap` (RFC 8866 §6.6).
    RtpMap(RtpMap),
    /// `a=sctpmap` (draft-ietf-mmusic-sctp-sdp-05), before RFC 8841.
    SctpMap(SctpMap),
    /// `a=sctp-port` (RFC 8841 §5).
    SctpPort(u16),
    /// `a=setup` (RFC 4145 §4, RFC 8842 §5).
    Setup(Setup),
    /// `a=simulcast` (RFC 8853 §5.1), not taken apart.
    Simulcast(ByteString),
    /// `a=ssrc` (RFC 5576 §4.1).
    Ssrc(Ssrc),
    /// `a=ssrc-group` (RFC 5576 §4.2).
    SsrcGroup(SsrcGroup),
    /// Any other attribute, as it is.
    Other {
        /// Before the colon.
        name: Token,
        /// Behind it.
        value: Option<ByteString>,
    },
}

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both.
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

impl Attribute {
    /// Reads what follows `a=`.
    ///
    /// # Errors
    /// When the attribute is one of those this module knows and breaks its grammar, or its name is
    /// no token.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        match text.split_once(':') {
            Some((name, value)) => Self::parse_value(name, value),
            None => Self::parse_flag(text),
        }
    }

    /// The name before the colon.
    pub fn name(&self) -> &str {
        match self {
            Self::BundleOnly => "bundle-only",
            Self::Candidate(_) => "candidate",
            Self::Content(_) => "content",
            Self::Crypto(_) => "crypto",
            Self::Direction(direction) => direction.as_str(),
            Self::EndOfCandidates => "end-of-candidates",
            Self::ExtMap(_) => "extmap",
            Self::ExtMapAllowMixed => "extmap-allow-mixed",
            Self::Feedback(_) => "rtcp-fb",
            Self::Fingerprint(_) => "fingerprint",
            Self::Fmtp(_) => "fmtp",
            Self::Group(_) => "group",
            Self::IceLite => "ice-lite",
            Self::IceOptions(_) => "ice-options",
            Self::IcePwd(_) => "ice-pwd",
            Self::IceUfrag(_) => "ice-ufrag",
            Self::MaxMessageSize(_) => "max-message-size",
            Self::MaxPtime(_) => "maxptime",
            Self::Mid(_) => "mid",
            Self::Msid(_) => "msid",
            Self::Other { name, .. } => name,
            Self::Ptime(_) => "ptime",
            Self::Rid(_) => "rid",
            Self::RtcpMux => "rtcp-mux",
            Self::RtcpRsize => "rtcp-rsize",
            Self::RtpMap(_) => "rtpmap",
            Self::SctpMap(_) => "sctpmap",
            Self::SctpPort(_) => "sctp-port",
            Self::Setup(_) => "setup",
            Self::Simulcast(_) => "simulcast",
            Self::Ssrc(_) => "ssrc",
            Self::SsrcGroup(_) => "ssrc-group",
        }
    }

    /// What stands behind the colon, if anything does.
    pub fn value(&self) -> Option<String> {
        // Writing `a=name:value` and cutting keeps one writer for both forms.
        let line = self.to_string();
        line.trim_end()
            .split_once(':')
            .map(|(_, value)| value.to_owned())
    }

    fn parse_flag(name: &str) -> Result<Self, Fault> {
        if let Some(direction) = Direction::parse(name) {
            return Ok(Self::Direction(direction));
        }
        Ok(match name {
            "bundle-only" => Self::BundleOnly,
            "end-of-candidates" => Self::EndOfCandidates,
            "extmap-allow-mixed" => Self::ExtMapAllowMixed,
            "ice-lite" => Self::IceLite,
            "rtcp-mux" => Self::RtcpMux,
            "rtcp-rsize" => Self::RtcpRsize,
            _ => Self::Other {
                name: name_token(name)?,
                value: None,
            },
        })
    }

    fn parse_value(name: &str, value: &str) -> Result<Self, Fault> {
        let fault = |_| Fault::known(name);
        Ok(match name {
            "candidate" => Self::Candidate(Candidate::parse_value(value)?),
            "content" => Self::Content(
                value
                    .split(',')
                    .map(|word| token(name, word))
                    .collect::<Result<_, _>>()?,
            ),
            "crypto" => Self::Crypto(Crypto::parse(value)?),
            "extmap" => Self::ExtMap(ExtMap::parse(value)?),
            "fingerprint" => {
                let (hash, value) = two(name, value)?;
                Self::Fingerprint(Fingerprint {
                    hash: token(name, hash)?,
                    value: word(name, value)?,
                })
            }
            "fmtp" => {
                let (format, parameters) = two(name, value)?;
                Self::Fmtp(Fmtp {
                    format: token(name, format)?,
                    parameters: ByteString::new(parameters).map_err(fault)?,
                })
            }
            "group" => {
                let mut words = value.split_ascii_whitespace().map(|word| token(name, word));
                let semantics = words.next().ok_or(Fault::Attribute("group"))??;
                Self::Group(Group {
                    semantics,
                    mids: words.collect::<Result<_, _>>()?,
                })
            }
            "ice-options" => Self::IceOptions(
                value
                    .split_ascii_whitespace()
                    .map(|option| word(name, option))
                    .collect::<Result<_, _>>()?,
            ),
            "ice-pwd" => Self::IcePwd(IcePwd::new(value.trim()).map_err(fault)?),
            "ice-ufrag" => Self::IceUfrag(IceUfrag::new(value.trim()).map_err(fault)?),
            "max-message-size" => Self::MaxMessageSize(number(name, value)?),
            "maxptime" => Self::MaxPtime(word(name, value.trim())?),
            "mid" => Self::Mid(token(name, value.trim())?),
            "msid" => {
                let mut words = value.split_ascii_whitespace();
                let stream = words.next().ok_or(Fault::Attribute("msid"))?;
                Self::Msid(Msid {
                    stream: word(name, stream)?,
                    track: words.next().map(|track| word(name, track)).transpose()?,
                })
            }
            "ptime" => Self::Ptime(word(name, value.trim())?),
            "rid" => Self::Rid(Rid::parse(value)?),
            "rtcp-fb" => Self::Feedback(Feedback::parse(value)?),
            "rtpmap" => Self::RtpMap(RtpMap::parse(value)?),
            "sctp-port" => Self::SctpPort(number(name, value)?),
            "sctpmap" => {
                let mut words = value.split_ascii_whitespace();
                Self::SctpMap(SctpMap {
                    port: number(name, words.next().unwrap_or_default())?,
                    application: token(name, words.next().unwrap_or_default())?,
                    streams: words
                        .next()
                        .map(|streams| number(name, streams))
                        .transpose()?,
                })
            }
            "setup" => Self::Setup(Setup::parse(value.trim()).ok_or(Fault::Attribute("setup"))?),
            "simulcast" => Self::Simulcast(ByteString::new(value.trim()).map_err(fault)?),
            "ssrc" => {
                let (id, rest) = two(name, value)?;
                let (attribute, value) = match rest.split_once(':') {
                    Some((attribute, value)) => {
                        (attribute, Some(ByteString::new(value).map_err(fault)?))
                    }
                    None => (rest, None),
                };
                Self::Ssrc(Ssrc {
                    id: number(name, id)?,
                    name: token(name, attribute)?,
                    value,
                })
            }
            "ssrc-group" => {
                let mut words = value.split_ascii_whitespace();
                Self::SsrcGroup(SsrcGroup {
                    semantics: token(name, words.next().unwrap_or_default())?,
                    ssrcs: words
                        .map(|ssrc| number(name, ssrc))
                        .collect::<Result<_, _>>()?,
                })
            }
            _ => Self::Other {
                name: name_token(name)?,
                value: Some(ByteString::new(value).map_err(|_| Fault::Characters)?),
            },
        })
    }
}

/// Writes the whole line.
impl Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `Candidate` writes its own name, since it also stands alone.
        if let Self::Candidate(candidate) = self {
            return write!(f, "a={candidate}\r\n");
        }
        write!(f, "a={}", self.name())?;
        match self {
            Self::BundleOnly
            | Self::Candidate(_)
            | Self::Direction(_)
            | Self::EndOfCandidates
            | Self::ExtMapAllowMixed
            | Self::IceLite
            | Self::RtcpMux
            | Self::RtcpRsize
            | Self::Other { value: None, .. } => Ok(()),
            Self::Content(names) => separated(f, ":", ",", names),
            Self::Crypto(crypto) => write!(f, ":{crypto}"),
            Self::ExtMap(map) => write!(f, ":{map}"),
            Self::Feedback(feedback) => write!(f, ":{feedback}"),
            Self::Fingerprint(own) => write!(f, ":{} {}", own.hash, own.value),
            Self::Fmtp(fmtp) => write!(f, ":{} {}", fmtp.format, fmtp.parameters),
            Self::Group(group) => {
                write!(f, ":{}", group.semantics)?;
                group.mids.iter().try_for_each(|mid| write!(f, " {mid}"))
            }
            Self::IceOptions(options) => separated(f, ":", " ", options),
            Self::IcePwd(pwd) => write!(f, ":{pwd}"),
            Self::IceUfrag(ufrag) => write!(f, ":{ufrag}"),
            Self::MaxMessageSize(size) => write!(f, ":{size}"),
            Self::MaxPtime(time) | Self::Ptime(time) => write!(f, ":{time}"),
            Self::Mid(mid) => write!(f, ":{mid}"),
            Self::Msid(msid) => write!(f, ":{msid}"),
            Self::Rid(rid) => write!(f, ":{rid}"),
            Self::RtpMap(map) => write!(f, ":{map}"),
            Self::SctpMap(map) => {
                write!(f, ":{} {}", map.port, map.application)?;
                map.streams
                    .iter()
                    .try_for_each(|streams| write!(f, " {streams}"))
            }
            Self::SctpPort(port) => write!(f, ":{port}"),
            Self::Setup(setup) => write!(f, ":{}", setup.as_str()),
            Self::Simulcast(value)
            | Self::Other {
                value: Some(value), ..
            } => {
                write!(f, ":{value}")
            }
            Self::Ssrc(ssrc) => {
                write!(f, ":{} {}", ssrc.id, ssrc.name)?;
                ssrc.value
                    .iter()
                    .try_for_each(|value| write!(f, ":{value}"))
            }
            Self::SsrcGroup(group) => {
                write!(f, ":{}", group.semantics)?;
                group.ssrcs.iter().try_for_each(|ssrc| write!(f, " {ssrc}"))
            }
        }?;
        f.write_str("\r\n")
    }
}

impl Crypto {
    fn parse(value: &str) -> Result<Self, Fault> {
        let mut words = value.trim().splitn(4, ' ');
        Ok(Self {
            tag: number("crypto", words.next().unwrap_or_default())?,
            suite: token("crypto", words.next().unwrap_or_default())?,
            key_params: word("crypto", words.next().unwrap_or_default())?,
            session_params: words
                .next()
                .map(ByteString::new)
                .transpose()
                .map_err(|_| Fault::Attribute("crypto"))?,
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
    fn parse(value: &str) -> Result<Self, Fault> {
        const BAD: Fault = Fault::Attribute("extmap");
        let (id, rest) = two("extmap", value)?;
        let (id, direction) = match id.split_once('/') {
            Some((id, direction)) => (id, Some(Direction::parse(direction).ok_or(BAD)?)),
            None => (id, None),
        };
        let (uri, attributes) = match rest.trim_end().split_once(' ') {
            Some((uri, attributes)) => (
                uri,
                Some(ByteString::new(attributes.trim_start()).map_err(|_| BAD)?),
            ),
            None => (rest.trim_end(), None),
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

impl Feedback {
    fn parse(value: &str) -> Result<Self, Fault> {
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
    fn parse(value: &str) -> Result<Self, Fault> {
        const BAD: Fault = Fault::Attribute("rid");
        let mut words = value.splitn(3, ' ');
        Ok(Self {
            id: token("rid", words.next().unwrap_or_default())?,
            direction: match words.next() {
                Some("send") => RidDirection::Send,
                Some("recv") => RidDirection::Recv,
                _ => return Err(BAD),
            },
            restrictions: words
                .next()
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

    fn parse(value: &str) -> Result<Self, Fault> {
        let (payload, encoding) = two("rtpmap", value)?;
        let mut parts = encoding.trim_end().splitn(3, '/');
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

fn separated(
    f: &mut fmt::Formatter<'_>,
    first: &str,
    between: &str,
    items: &[impl Display],
) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if index == 0 { first } else { between })?;
    }
    Ok(())
}

fn two<'a>(name: &str, value: &'a str) -> Result<(&'a str, &'a str), Fault> {
    let (first, rest) = value
        .trim_start()
        .split_once(' ')
        .ok_or_else(|| Fault::known(name))?;
    Ok((first, rest.trim_start()))
}

fn number<N: std::str::FromStr>(name: &str, text: &str) -> Result<N, Fault> {
    text.trim().parse().map_err(|_| Fault::known(name))
}

fn token(name: &str, text: &str) -> Result<Token, Fault> {
    Token::new(text).map_err(|_| Fault::known(name))
}

fn word(name: &str, text: &str) -> Result<Word, Fault> {
    Word::new(text).map_err(|_| Fault::known(name))
}

fn name_token(name: &str) -> Result<Token, Fault> {
    Token::new(name).map_err(|_| Fault::AttributeName)
}
