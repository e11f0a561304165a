//! The reader: lenient about line ends and the order of lines, strict about everything it keeps.

use super::text::{ByteString, Token, Word};
use super::{Attribute, Bandwidth, Line, Media, Origin, Session};

/// What a description may cost to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole description.
    pub bytes: usize,
    /// Lines of the whole description.
    pub lines: usize,
    /// m-sections.
    pub media: usize,
}

/// A description that can not be read, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct Error {
    /// Counted from 1; 0 when the description as a whole is at fault.
    pub line: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// An attribute that is known breaks its own grammar.
    #[error("malformed a={0}")]
    Attribute(&'static str),
    /// The name of an attribute is no token.
    #[error("malformed attribute name")]
    AttributeName,
    /// NUL, or a bare CR inside a line.
    #[error("character that SDP forbids")]
    Characters,
    /// Not `letter=value`.
    #[error("not a line of the form letter=value")]
    Form,
    /// A known line that breaks its own grammar.
    #[error("malformed {0}= line")]
    Line(char),
    /// There is no `v=0`, with which a description begins.
    #[error("a session description begins with v=0")]
    Version,
    /// More bytes than [`Limits::bytes`].
    #[error("more than {0} bytes")]
    TooLong(usize),
    /// More lines than [`Limits::lines`].
    #[error("more than {0} lines")]
    TooManyLines(usize),
    /// More sections than [`Limits::media`].
    #[error("more than {0} m-sections")]
    TooManySections(usize),
}

impl Session {
    /// Reads a description. Line ends may be CRLF, LF or CR; `o=`, `s=` and `t=` may be missing.
    ///
    /// # Errors
    /// With the number of the first line that can not be read. What a call can do without is no
    /// error: it stays what it is, as [`Attribute::Other`].
    pub fn parse(text: &str, limits: &Limits) -> Result<Self, Error> {
        if text.len() > limits.bytes {
            return Err(Error {
                line: 0,
                fault: Fault::TooLong(limits.bytes),
            });
        }
        let mut session = Self::empty();
        let mut versioned = false;
        for (index, line) in lines(text).enumerate() {
            let number = index + 1;
            let error = |fault| Error {
                line: number,
                fault,
            };
            if index >= limits.lines {
                return Err(error(Fault::TooManyLines(limits.lines)));
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            // Text that went through a program's source may be indented.
            let line = line.trim_ascii_start();
            if !versioned {
                // What stands before it, such as notes in a log, is no part of the description.
                versioned = line
                    .strip_prefix("v=")
                    .is_some_and(|own| own.trim_ascii() == "0");
                continue;
            }
            let mut characters = line.chars();
            let (Some(kind), Some('=')) = (characters.next(), characters.next()) else {
                return Err(error(Fault::Form));
            };
            let value = characters.as_str();
            if kind == 'm' {
                if session.media.len() >= limits.media {
                    return Err(error(Fault::TooManySections(limits.media)));
                }
                session.media.push(Media::parse(value).map_err(error)?);
                continue;
            }
            match session.media.last_mut() {
                Some(media) => media.add(kind, value),
                None => session.add(kind, value),
            }
            .map_err(error)?;
        }
        if !versioned {
            return Err(Error {
                line: 1,
                fault: Fault::Version,
            });
        }
        if session.timing.is_empty() {
            session.timing.push(Line::unbounded());
        }
        Ok(session)
    }

    fn empty() -> Self {
        Self {
            origin: Origin {
                username: Word::literal("-"),
                session_id: Word::literal("0"),
                version: Word::literal("0"),
                network: Token::literal("IN"),
                address_type: Token::literal("IP4"),
                address: Word::literal("127.0.0.1"),
            },
            name: ByteString::literal("-"),
            information: Vec::new(),
            bandwidths: Vec::new(),
            timing: Vec::new(),
            attributes: Vec::new(),
            media: Vec::new(),
        }
    }

    fn add(&mut self, kind: char, value: &str) -> Result<(), Fault> {
        let line = || {
            Ok(Line {
                kind,
                value: byte_string(value)?,
            })
        };
        match kind {
            'o' => self.origin = Origin::parse(value)?,
            's' => self.name = byte_string(value)?,
            'i' | 'u' | 'e' | 'p' | 'c' => self.information.push(line()?),
            'b' => self.bandwidths.push(Bandwidth::parse(value)?),
            't' | 'r' | 'z' => self.timing.push(line()?),
            'k' => {}
            'a' => self.attributes.push(attribute(value)?),
            _ => return Err(Fault::Form),
        }
        Ok(())
    }
}

impl Media {
    fn parse(value: &str) -> Result<Self, Fault> {
        const BAD: Fault = Fault::Line('m');
        let mut words = value.split_ascii_whitespace();
        let mut next = || words.next().ok_or(BAD);
        let kind = Token::new(next()?).map_err(|_| BAD)?;
        let port = next()?;
        let (port, port_count) = match port.split_once('/') {
            Some((port, count)) => (port, Some(count.parse().map_err(|_| BAD)?)),
            None => (port, None),
        };
        let port = port.parse().map_err(|_| BAD)?;
        let protocol = Word::new(next()?).map_err(|_| BAD)?;
        let formats = words
            .map(|word| Token::new(word).map_err(|_| BAD))
            .collect::<Result<Vec<_>, _>>()?;
        if formats.is_empty() {
            return Err(BAD);
        }
        Ok(Self {
            port_count,
            ..Self::new(kind, port, protocol, formats)
        })
    }

    fn add(&mut self, kind: char, value: &str) -> Result<(), Fault> {
        match kind {
            'i' => self.title = Some(byte_string(value)?),
            'c' => self.connections.push(byte_string(value)?),
            'b' => self.bandwidths.push(Bandwidth::parse(value)?),
            'k' => {}
            'a' => self.attributes.push(attribute(value)?),
            _ => return Err(Fault::Form),
        }
        Ok(())
    }
}

impl Origin {
    fn parse(value: &str) -> Result<Self, Fault> {
        const BAD: Fault = Fault::Line('o');
        let mut words = value.split_ascii_whitespace();
        let mut next = || words.next().ok_or(BAD);
        let origin = Self {
            username: Word::new(next()?).map_err(|_| BAD)?,
            session_id: Word::new(next()?).map_err(|_| BAD)?,
            version: Word::new(next()?).map_err(|_| BAD)?,
            network: Token::new(next()?).map_err(|_| BAD)?,
            address_type: Token::new(next()?).map_err(|_| BAD)?,
            address: Word::new(next()?).map_err(|_| BAD)?,
        };
        Ok(origin)
    }
}

impl Bandwidth {
    fn parse(value: &str) -> Result<Self, Fault> {
        const BAD: Fault = Fault::Line('b');
        let (kind, value) = value.split_once(':').ok_or(BAD)?;
        Ok(Self {
            kind: Token::new(kind).map_err(|_| BAD)?,
            value: Word::new(value.trim_ascii()).map_err(|_| BAD)?,
        })
    }
}

impl Fault {
    /// The fault of an attribute that is known by name.
    pub(super) fn known(name: &str) -> Self {
        KNOWN
            .iter()
            .find(|known| **known == name)
            .map_or(Self::AttributeName, |known| Self::Attribute(known))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 131_072,
            lines: 4096,
            media: 64,
        }
    }
}

/// Splits at CRLF, LF and CR.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    // CRLF first, else its LF would count as a second, empty line.
    text.split('\n')
        .flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// An attribute that breaks its grammar is kept as it is, like one that is unknown; but not where
/// a description without it would mean something else.
fn attribute(text: &str) -> Result<Attribute, Fault> {
    match (Attribute::parse(text), text.split_once(':')) {
        (Err(fault @ Fault::Attribute(known)), Some((_, value))) if !VITAL.contains(&known) => {
            Ok(Attribute::Other {
                name: Token::literal(known),
                value: Some(ByteString::new(value).map_err(|_| fault)?),
            })
        }
        (parsed, _) => parsed,
    }
}

fn byte_string(value: &str) -> Result<ByteString, Fault> {
    ByteString::new(value).map_err(|_| Fault::Characters)
}

/// Attributes that a call fails without, or that change what others mean.
const VITAL: [&str; 9] = [
    "crypto",
    "fingerprint",
    "group",
    "ice-pwd",
    "ice-ufrag",
    "mid",
    "sctp-port",
    "sctpmap",
    "setup",
];

/// Names of the attributes that have a grammar here.
pub(super) const KNOWN: &[&str] = &[
    "candidate",
    "content",
    "crypto",
    "extmap",
    "fingerprint",
    "fmtp",
    "group",
    "ice-options",
    "ice-pwd",
    "ice-ufrag",
    "max-message-size",
    "maxptime",
    "mid",
    "msid",
    "ptime",
    "rid",
    "rtcp-fb",
    "rtpmap",
    "sctp-port",
    "sctpmap",
    "setup",
    "simulcast",
    "ssrc",
    "ssrc-group",
];
