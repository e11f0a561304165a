//! Attributes: the ones that a WebRTC endpoint acts on, typed, and all others as they are.

use std::fmt::{self, Display};

use super::Candidate;
use super::parse::{Fault, KNOWN};
use super::text::{ByteString, IcePwd, IceUfrag, Token, Word};
use super::value::{
    Crypto, Direction, ExtMap, Feedback, Fingerprint, Fmtp, Group, Msid, Rid, RtpMap, SctpMap,
    Setup, Ssrc, SsrcGroup, number, token, two, word,
};

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

impl Attribute {
    /// Reads what follows `a=`.
    ///
    /// # Errors
    /// When the attribute is one of those this module knows and breaks its grammar, or its name is
    /// no token.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        match text.split_once(':') {
            Some((name, value)) => Self::parse_value(name, value),
            None => Self::parse_flag(text.trim_ascii_end()),
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

    /// Whether this is one of the attributes that have a grammar, and breaks it.
    pub fn is_malformed(&self) -> bool {
        matches!(self, Self::Other { name, .. } if KNOWN.contains(&name.as_str()))
    }

    /// Whether it is ASCII: Firefox refuses a whole description over any other character.
    pub fn is_ascii(&self) -> bool {
        struct Ascii;
        impl fmt::Write for Ascii {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                text.is_ascii().then_some(()).ok_or(fmt::Error)
            }
        }
        fmt::write(&mut Ascii, format_args!("{self}")).is_ok()
    }

    /// What stands behind the colon, if anything does.
    pub fn value(&self) -> Option<String> {
        // Writing `a=name:value` and cutting keeps one writer for both forms.
        let line = self.to_string();
        line.trim_end_matches(['\r', '\n'])
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
            "ice-options" => {
                // libdatachannel and SIPSorcery write commas.
                let options = value.split(|c: char| c.is_ascii_whitespace() || c == ',');
                let options = options.filter(|option| !option.is_empty());
                let options: Vec<_> = options
                    .map(|option| word(name, option))
                    .collect::<Result<_, _>>()?;
                if options.is_empty() {
                    return Err(Fault::Attribute("ice-options"));
                }
                Self::IceOptions(options)
            }
            "ice-pwd" => Self::IcePwd(IcePwd::new(value.trim_ascii()).map_err(fault)?),
            "ice-ufrag" => Self::IceUfrag(IceUfrag::new(value.trim_ascii()).map_err(fault)?),
            "max-message-size" => Self::MaxMessageSize(number(name, value)?),
            "maxptime" => Self::MaxPtime(word(name, value.trim_ascii())?),
            "mid" => Self::Mid(token(name, value.trim_ascii())?),
            "msid" => {
                let mut words = value.split_ascii_whitespace();
                let stream = words.next().ok_or(Fault::Attribute("msid"))?;
                Self::Msid(Msid {
                    stream: word(name, stream)?,
                    track: words.next().map(|track| word(name, track)).transpose()?,
                })
            }
            "ptime" => Self::Ptime(word(name, value.trim_ascii())?),
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
            "setup" => {
                Self::Setup(Setup::parse(value.trim_ascii()).ok_or(Fault::Attribute("setup"))?)
            }
            "simulcast" => {
                let words: Vec<_> = value.split_ascii_whitespace().collect();
                // RFC 8853 §5.1: one or two lists, each behind its direction.
                if !matches!(
                    words[..],
                    ["send" | "recv", _] | ["send" | "recv", _, "send" | "recv", _]
                ) {
                    return Err(Fault::Attribute("simulcast"));
                }
                Self::Simulcast(ByteString::new(value.trim_ascii()).map_err(fault)?)
            }
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
        f.write_str("a=")?;
        f.write_str(self.name())?;
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
            Self::Crypto(crypto) => behind_colon(f, crypto),
            Self::ExtMap(map) => behind_colon(f, map),
            Self::Feedback(feedback) => behind_colon(f, feedback),
            Self::Fingerprint(own) => write!(f, ":{} {}", own.hash, own.value),
            Self::Fmtp(fmtp) => write!(f, ":{} {}", fmtp.format, fmtp.parameters),
            Self::Group(group) => {
                write!(f, ":{}", group.semantics)?;
                group.mids.iter().try_for_each(|mid| write!(f, " {mid}"))
            }
            Self::IceOptions(options) => separated(f, ":", " ", options),
            Self::IcePwd(pwd) => behind_colon(f, pwd),
            Self::IceUfrag(ufrag) => behind_colon(f, ufrag),
            Self::MaxMessageSize(size) => behind_colon(f, size),
            Self::MaxPtime(time) | Self::Ptime(time) => behind_colon(f, time),
            Self::Mid(mid) => behind_colon(f, mid),
            Self::Msid(msid) => behind_colon(f, msid),
            Self::Rid(rid) => behind_colon(f, rid),
            Self::RtpMap(map) => behind_colon(f, map),
            Self::SctpMap(map) => {
                write!(f, ":{} {}", map.port, map.application)?;
                map.streams
                    .iter()
                    .try_for_each(|streams| write!(f, " {streams}"))
            }
            Self::SctpPort(port) => behind_colon(f, port),
            Self::Setup(setup) => behind_colon(f, setup.as_str()),
            Self::Simulcast(value)
            | Self::Other {
                value: Some(value), ..
            } => behind_colon(f, value),
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

fn behind_colon(f: &mut fmt::Formatter<'_>, value: impl Display) -> fmt::Result {
    f.write_str(":")?;
    value.fmt(f)
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

fn name_token(name: &str) -> Result<Token, Fault> {
    Token::new(name).map_err(|_| Fault::AttributeName)
}
