//! Candidate lines: RFC 8839 §5.1, with `tcptype` of RFC 6544 §4.5 and extensions of any name.

use std::fmt;

use super::parse::Fault;
use super::text::{Token, Word};

/// One ICE candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Equal for candidates of one base and server; opaque.
    pub foundation: Word,
    /// 1 for RTP, 2 for RTCP.
    pub component: u16,
    /// `udp` or `tcp`, in the case it was written in.
    pub transport: Token,
    /// The greater the better.
    pub priority: u32,
    /// An IPv4 or IPv6 address, an mDNS name or another host name.
    pub address: Word,
    /// 9 for an active TCP candidate.
    pub port: u16,
    /// `host`, `srflx`, `prflx`, `relay` or something newer.
    pub kind: Token,
    /// `raddr` and `rport`.
    pub related: Option<Related>,
    /// Everything that follows, in order: `tcptype`, `generation`, `ufrag`, `network-cost`, …
    pub extensions: Vec<(Word, Word)>,
}

/// The address a candidate was derived from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// `raddr`.
    pub address: Word,
    /// `rport`.
    pub port: u16,
}

impl Candidate {
    /// Reads `candidate:…`, also with `a=` before it or without either, as browsers' `icecandidate`
    /// events and their users spell it.
    ///
    /// # Errors
    /// When a field is missing or malformed.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let text = text.trim_ascii();
        let text = text.strip_prefix("a=").unwrap_or(text);
        Self::parse_value(text.strip_prefix("candidate:").unwrap_or(text))
    }

    /// The value of an extension.
    pub fn extension(&self, name: &str) -> Option<&Word> {
        self.extensions
            .iter()
            .find(|(own, _)| own.as_str() == name)
            .map(|(_, value)| value)
    }

    /// The ICE generation, when the candidate says one.
    pub fn generation(&self) -> Option<u32> {
        self.extension("generation")?.parse().ok()
    }

    /// The username fragment that the candidate belongs to, when it says one.
    pub fn ufrag(&self) -> Option<&str> {
        self.extension("ufrag").map(Word::as_str)
    }

    /// `active`, `passive` or `so` for a TCP candidate (RFC 6544 §4.5).
    pub fn tcp_type(&self) -> Option<&Word> {
        self.extension("tcptype")
    }

    pub(super) fn parse_value(value: &str) -> Result<Self, Fault> {
        const BAD: Fault = Fault::Attribute("candidate");
        let mut words = value.split_ascii_whitespace();
        let mut next = || words.next().ok_or(BAD);
        let foundation = word(next()?)?;
        let component = next()?.parse().map_err(|_| BAD)?;
        let transport = Token::new(next()?).map_err(|_| BAD)?;
        let priority = next()?.parse().map_err(|_| BAD)?;
        let address = word(next()?)?;
        let port = next()?.parse().map_err(|_| BAD)?;
        if next()? != "typ" {
            return Err(BAD);
        }
        let kind = Token::new(next()?).map_err(|_| BAD)?;
        let mut related = None;
        let mut extensions = Vec::new();
        while let Some(name) = words.next() {
            // An extension without a value says nothing that could be kept.
            let Some(value) = words.next() else { break };
            match name {
                "raddr" => {
                    related = Some(Related {
                        address: word(value)?,
                        port: 0,
                    })
                }
                "rport" => {
                    if let Some(related) = &mut related {
                        related.port = value.parse().map_err(|_| BAD)?;
                    }
                }
                _ => extensions.push((word(name)?, word(value)?)),
            }
        }
        Ok(Self {
            foundation,
            component,
            transport,
            priority,
            address,
            port,
            kind,
            related,
            extensions,
        })
    }
}

/// Writes `candidate:…`, without `a=`.
impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "candidate:{} {} {} {} {} {} typ {}",
            self.foundation,
            self.component,
            self.transport,
            self.priority,
            self.address,
            self.port,
            self.kind
        )?;
        if let Some(related) = &self.related {
            write!(f, " raddr {} rport {}", related.address, related.port)?;
        }
        for (name, value) in &self.extensions {
            write!(f, " {name} {value}")?;
        }
        Ok(())
    }
}

fn word(text: &str) -> Result<Word, Fault> {
    Word::new(text).map_err(|_| Fault::Attribute("candidate"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_lines_come_back_as_they_were() {
        for line in [
            "candidate:296018124 1 udp 2122194687 10.77.0.2 44290 typ host generation 0 ufrag xWot network-id 1",
            "candidate:842163049 1 udp 1677729535 203.0.113.9 50000 typ srflx raddr 0.0.0.0 rport 0 generation 0",
            "candidate:1 1 TCP 2105458943 fd00::2 9 typ host tcptype active",
            "candidate:0 1 UDP 2122252543 6d3c9a8e-6d49-4bc6-9f5f-1d5dca09a9d7.local 54609 typ host",
        ] {
            assert_eq!(Candidate::parse(line).unwrap().to_string(), line);
            assert_eq!(
                Candidate::parse(&format!("a={line}\r\n"))
                    .unwrap()
                    .to_string(),
                line
            );
        }
    }

    #[test]
    fn a_value_of_other_blanks_alone_stays() {
        let line = "candidate:1 1 udp 5 192.0.2.7 9 typ host x \u{a0}";
        let candidate = Candidate::parse(line).unwrap();
        assert_eq!(candidate.extension("x").map(Word::as_str), Some("\u{a0}"));
        assert_eq!(candidate.to_string(), line);
        assert_eq!(Candidate::parse(line), Ok(candidate));
    }

    #[test]
    fn a_short_line_is_refused() {
        for line in [
            "",
            "candidate:",
            "candidate:1 1 udp 5 10.0.0.1 x typ host",
            "candidate:1 1 udp 5 10.0.0.1 1 host",
        ] {
            assert_eq!(Candidate::parse(line), Err(Fault::Attribute("candidate")));
        }
    }
}
