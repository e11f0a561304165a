//! `campana map`: the mapping by itself, from stdin to stdout.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use super::fail;
use crate::jingle::{Jingle, Role, Sid};
use crate::mapping::{self, Dialect, Kind, Limits, Report};
use crate::sdp;
use crate::xml::{self, Document, Element};

/// What is mapped into what.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    way: Way,
}

#[derive(Debug, Subcommand)]
enum Way {
    /// Reads SDP, writes one jingle element
    SdpToJingle(Options),
    /// Reads a jingle element, or an iq that holds it, and writes SDP
    JingleToSdp(Options),
}

#[derive(Debug, Args)]
struct Options {
    /// Whose description it is: the role of that party in the Jingle session
    #[arg(long)]
    role: RoleName,
    /// Whether it is an offer or an answer
    #[arg(long = "type")]
    kind: KindName,
    /// How the peer speaks; without it the peer is Campana itself and everything is kept
    #[arg(long, value_parser = dialect)]
    dialect: Option<&'static Dialect>,
    /// List on stderr what was dropped and why
    #[arg(long)]
    explain: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleName {
    Initiator,
    Responder,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KindName {
    Offer,
    Answer,
}

/// Why the input was not mapped.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the input is larger than {0} bytes")]
    TooLong(usize),
    #[error("the input is not UTF-8")]
    Utf8,
    #[error("the XML can not be read: {0}")]
    Xml(#[from] xml::Error),
    #[error("there is no <jingle xmlns='urn:xmpp:jingle:1'/> in the input")]
    NoJingle,
    #[error("{0}")]
    Refused(#[from] mapping::Refusal),
}

/// Maps stdin to stdout.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let (mut out, mut explain) = (io::stdout(), io::stderr());
    match arguments
        .way
        .run(io::stdin().lock(), &mut out, &mut explain)
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error),
    }
}

impl Way {
    fn run(
        &self,
        input: impl Read,
        out: &mut impl Write,
        explain: &mut impl Write,
    ) -> Result<(), Error> {
        let (Self::SdpToJingle(options) | Self::JingleToSdp(options)) = self;
        let limits = Limits::default();
        let (text, report) = match self {
            Self::SdpToJingle(_) => {
                let text = text(read(input, limits.sdp.bytes)?)?;
                options.to_jingle(without_mark(&text), &limits)?
            }
            Self::JingleToSdp(_) => {
                let xml_limits = xml::Limits::default();
                let text = text(read(input, xml_limits.stanza_bytes)?)?;
                let text = without_layout(&text);
                let document = Document::parse(text.as_bytes(), "", &xml_limits)?;
                options.to_sdp(&document, &limits)?
            }
        };
        out.write_all(text.as_bytes())?;
        out.flush()?;
        if options.explain {
            for dropped in &report.dropped {
                writeln!(explain, "{dropped}")?;
            }
        }
        Ok(())
    }
}

impl Options {
    fn to_jingle(&self, text: &str, limits: &Limits) -> Result<(String, Report), Error> {
        let session = sdp::Session::parse(text, &limits.sdp).map_err(mapping::Refusal::from)?;
        let sid = Sid::new(session.origin.session_id.as_str()).ok_or(Error::NoJingle)?;
        let (jingle, report) =
            mapping::to_jingle(&session, sid, self.role(), self.kind(), self.dialect())?;
        Ok((jingle.to_xml() + "\n", report))
    }

    fn to_sdp(&self, document: &Document, limits: &Limits) -> Result<(String, Report), Error> {
        let element = find(document.root()).ok_or(Error::NoJingle)?;
        let jingle = Jingle::from_xml(element, &limits.jingle).map_err(mapping::Refusal::from)?;
        let (session, report) = mapping::to_sdp(&jingle, self.role(), self.kind(), self.dialect())?;
        Ok((session.to_string(), report))
    }

    fn role(&self) -> Role {
        match self.role {
            RoleName::Initiator => Role::Initiator,
            RoleName::Responder => Role::Responder,
        }
    }

    fn kind(&self) -> Kind {
        match self.kind {
            KindName::Offer => Kind::Offer,
            KindName::Answer => Kind::Answer,
        }
    }

    fn dialect(&self) -> &'static Dialect {
        self.dialect.unwrap_or(&Dialect::STRICT)
    }
}

/// The outermost `<jingle/>`.
fn find(element: Element<'_>) -> Option<Element<'_>> {
    if element.is("jingle", crate::jingle::session::NS) {
        return Some(element);
    }
    element.children().find_map(find)
}

fn text(bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|_| Error::Utf8)
}

/// Without the byte order mark that editors put before a text.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Without what a file may hold and XMPP forbids (RFC 6120 §11.1): the declaration, and comments.
fn without_layout(text: &str) -> String {
    let mut rest = without_mark(text).trim_start();
    let mut bare = String::with_capacity(rest.len());
    while let Some((before, at)) = rest.find('<').and_then(|at| rest.split_at_checked(at)) {
        bare.push_str(before);
        let end = match at {
            own if own.starts_with("<!--") => "-->",
            own if own.starts_with("<?") => "?>",
            _ => "<",
        };
        let Some((_, behind)) = at.split_once(end) else {
            break;
        };
        if end == "<" {
            bare.push('<');
        }
        rest = behind;
    }
    bare.push_str(rest);
    bare.trim_start().to_owned()
}

/// Everything there is to read, unless it is too much.
fn read(input: impl Read, most: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let cap = u64::try_from(most).unwrap_or(u64::MAX);
    input.take(cap.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        Err(Error::TooLong(most))
    } else {
        Ok(bytes)
    }
}

fn dialect(name: &str) -> Result<&'static Dialect, String> {
    Dialect::named(name).ok_or_else(|| {
        let known: Vec<_> = Dialect::ALL.iter().map(|dialect| dialect.name).collect();
        format!("one of {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn map(line: &str, input: &str) -> Result<(String, String), Error> {
        let words = ["map"].into_iter().chain(line.split(' '));
        let Line { arguments } = Line::try_parse_from(words).unwrap();
        let (mut out, mut explain) = (Vec::new(), Vec::new());
        arguments
            .way
            .run(input.as_bytes(), &mut out, &mut explain)?;
        Ok((
            String::from_utf8(out).unwrap(),
            String::from_utf8(explain).unwrap(),
        ))
    }

    #[test]
    fn an_iq_with_jingle_is_as_good_as_jingle() {
        let (xml, _) = map("sdp-to-jingle --role initiator --type offer", OFFER).unwrap();
        let iq = format!("<iq xmlns='jabber:client' type='set'>{xml}</iq>");
        let (sdp, _) = map("jingle-to-sdp --role initiator --type offer", &iq).unwrap();
        assert!(sdp.contains("a=ice-ufrag:abcd\r\n"));
        let again = map("jingle-to-sdp --role initiator --type offer", &xml).unwrap();
        assert_eq!(again.0, sdp);
    }

    #[test]
    fn what_editors_and_files_add_is_read_over() {
        let line = "sdp-to-jingle --role initiator --type offer";
        let (xml, _) = map(line, OFFER).unwrap();
        assert_eq!(map(line, &format!("\u{feff}{OFFER}")).unwrap().0, xml);
        let line = "jingle-to-sdp --role initiator --type offer";
        let (sdp, _) = map(line, &xml).unwrap();
        let (start, rest) = xml.split_once('>').unwrap();
        let file = format!(
            "\u{feff}<?xml version='1.0' encoding='UTF-8'?>\n<!-- <iq/> -->\n{start}>\n  <!-- -- a > b -->{rest}"
        );
        assert_eq!(map(line, &file).unwrap().0, sdp);
        assert!(map(line, &format!("<!-- {xml}")).is_err());
    }

    #[test]
    fn a_dialect_drops_what_it_must_and_explains_it() {
        let line = "sdp-to-jingle --role initiator --type offer --explain --dialect";
        let (xml, explained) = map(&format!("{line} dino"), OFFER).unwrap();
        assert!(!xml.contains("sdp-extra") && !xml.contains("protocol='tcp'"));
        assert_eq!(
            explained,
            "section 0: x-unknown: the other side has no place for it\n\
             section 0: candidate: the peer can not take it\n"
        );
        let (xml, explained) = map(&format!("{line} strict"), OFFER).unwrap();
        assert!(xml.contains("x-unknown") && xml.contains("protocol='tcp'"));
        assert_eq!(explained, "");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let wrong = OFFER.replace("a=setup:actpass", "a=setup:maybe");
        let error = map("sdp-to-jingle --role initiator --type offer", &wrong).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the SDP can not be read: line 6: malformed a=setup"
        );
        let error = map("jingle-to-sdp --role initiator --type offer", "<iq/>").unwrap_err();
        assert!(matches!(error, Error::NoJingle));
    }

    const OFFER: &str = "v=0\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n\
        a=ice-ufrag:abcd\r\n\
        a=ice-pwd:0123456789012345678901\r\n\
        a=fingerprint:sha-256 AA:BB\r\n\
        a=setup:actpass\r\n\
        a=x-unknown:1\r\n\
        a=candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active\r\n";
}
