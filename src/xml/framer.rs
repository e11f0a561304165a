use quick_xml::events::BytesStart;

use super::scanner::{Ended, Scanner, Stage, Step};
use super::stanza_header::start_tag;
use super::{Document, Error, Limits, NS_COMPONENT, StanzaHeader, StreamError};

/// Cuts the bytes of an XML stream (RFC 6120 §4) into its header, stanzas and end.
///
/// [`push`](Self::push) takes bytes as they arrive, [`next_frame`](Self::next_frame) is then
/// called until it returns `None`. Memory held is at most one stanza's bytes and what was pushed
/// last. After an error the stream is over and a new `Framer` begins the next one.
#[derive(Debug)]
pub struct Framer {
    limits: Limits,
    input: Vec<u8>,
    /// How much of `input` the scanner has seen.
    scanned: usize,
    /// Where the frame under way begins in `input`.
    start: usize,
    scanner: Scanner,
    /// Prefixes and default namespace that the stream header declared.
    prefixes: Vec<(String, String)>,
    default_ns: String,
    /// A stanza over a limit: its first bytes and what was wrong. The rest is read past.
    discarding: Option<Discarded>,
}

/// What [`Framer::next_frame`] finds.
#[derive(Clone, Debug)]
pub enum Frame {
    /// The stream header, as an element without content.
    Open(Document),
    /// A whole stanza.
    Stanza(Document),
    /// A stanza over one of the limits. The stream goes on behind it.
    Bad(BadStanza),
    /// The stream's end tag.
    Close,
}

/// A stanza that was not read because it broke a limit: enough to answer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadStanza {
    /// What could be read of its start tag.
    pub header: StanzaHeader,
    /// The broken limit.
    pub error: Error,
}

#[derive(Debug)]
struct Discarded {
    head: Vec<u8>,
    error: Error,
    bytes: usize,
}

impl Framer {
    /// A framer for a new stream.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            scanner: Scanner::new(limits),
            limits,
            input: Vec::new(),
            scanned: 0,
            start: 0,
            prefixes: Vec::new(),
            default_ns: NS_COMPONENT.to_owned(),
            discarding: None,
        }
    }

    /// Takes bytes from the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.scanner.stage != Stage::Over {
            self.input.extend_from_slice(bytes);
        }
    }

    /// The next frame, `None` until more bytes come.
    ///
    /// # Errors
    /// The stream cannot go on; the error is repeated at no further call.
    pub fn next_frame(&mut self) -> Option<Result<Frame, StreamError>> {
        if self.scanner.stage == Stage::Over {
            return None;
        }
        let result = self.frame();
        if matches!(result, Err(_) | Ok(Some(Frame::Close))) {
            self.scanner.stage = Stage::Over;
            self.input = Vec::new();
            self.scanned = 0;
            self.start = 0;
        }
        result.transpose()
    }

    /// Bytes held at present.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.input.len()
    }

    fn frame(&mut self) -> Result<Option<Frame>, StreamError> {
        loop {
            let Some(ended) = self.scan()? else {
                self.trim()?;
                return Ok(None);
            };
            let bytes = self.start..self.scanned;
            self.start = self.scanned;
            let bytes = self.input.get(bytes).unwrap_or_default();
            let frame = match ended {
                Ended::Declaration => {
                    self.scanner.stage = Stage::Header;
                    None
                }
                Ended::Header => {
                    let document = header(bytes, &self.limits)?;
                    (self.default_ns, self.prefixes) = declared(bytes);
                    self.scanner.stage = Stage::Stanzas;
                    Some(Frame::Open(document))
                }
                Ended::Stream => Some(Frame::Close),
                Ended::Stanza => Some(match self.discarding.take() {
                    Some(mut discarded) => {
                        discarded.read(bytes);
                        Frame::Bad(discarded.into())
                    }
                    None => self.stanza(bytes)?,
                }),
            };
            if frame.is_some() {
                self.drain();
                return Ok(frame);
            }
        }
    }

    fn stanza(&self, bytes: &[u8]) -> Result<Frame, StreamError> {
        match Document::parse_in_scope(bytes, &self.default_ns, &self.prefixes, &self.limits) {
            Ok(document) => Ok(Frame::Stanza(document)),
            Err(error) if error.is_over_limit() => Ok(Frame::Bad(BadStanza {
                header: StanzaHeader::read(bytes),
                error,
            })),
            Err(error) => Err(error.into()),
        }
    }

    /// Scans until a frame is complete or the input is used up.
    fn scan(&mut self) -> Result<Option<Ended>, StreamError> {
        while let Some(rest) = self.input.get(self.scanned..)
            && !rest.is_empty()
        {
            self.scanned += self.scanner.skip(rest);
            let Some(&byte) = self.input.get(self.scanned) else {
                break;
            };
            let step = self.scanner.step(byte)?;
            self.scanned += 1;
            let ended = match step {
                Step::Ended(ended) => Some(ended),
                Step::Inside => None,
                Step::Between => {
                    self.start = self.scanned;
                    None
                }
                Step::Over(error) => {
                    self.discard(error)?;
                    None
                }
            };
            self.check_length()?;
            if ended.is_some() {
                return Ok(ended);
            }
        }
        self.check_length()?;
        Ok(None)
    }

    fn check_length(&mut self) -> Result<(), StreamError> {
        let length = self.scanned - self.start;
        if self.discarding.is_none() && length > self.limits.stanza_bytes {
            self.discard(Error::TooLarge(self.limits.stanza_bytes))?;
        }
        Ok(())
    }

    /// From here on the stanza under way is read past.
    fn discard(&mut self, error: Error) -> Result<(), StreamError> {
        if self.scanner.stage != Stage::Stanzas {
            return Err(malformed("an oversize stream header"));
        }
        self.discarding.get_or_insert_with(|| Discarded {
            head: Vec::new(),
            error,
            bytes: 0,
        });
        Ok(())
    }

    /// Lets go of the bytes of finished frames.
    fn drain(&mut self) {
        // Moving the rest to the front once per push, not once per frame, keeps this linear.
        if self.start == self.input.len() {
            self.input.clear();
            self.scanned -= self.start;
            self.start = 0;
        }
    }

    /// Called when the input is used up: keeps only the frame under way.
    fn trim(&mut self) -> Result<(), StreamError> {
        if let Some(discarded) = &mut self.discarding {
            discarded.read(self.input.get(self.start..self.scanned).unwrap_or_default());
            let most = self.limits.stanza_bytes.saturating_mul(DISCARD_FACTOR);
            if discarded.bytes > most {
                return Err(StreamError::PolicyViolation(most));
            }
            self.start = self.scanned;
        }
        self.input.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        if self.input.is_empty() {
            self.input.shrink_to(KEEP_BYTES);
        }
        Ok(())
    }
}

impl Discarded {
    /// Takes the next bytes of the stanza and keeps those that may hold its start tag.
    fn read(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        let room = HEAD_BYTES.saturating_sub(self.head.len());
        self.head
            .extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or_default());
    }
}

impl From<Discarded> for BadStanza {
    fn from(discarded: Discarded) -> Self {
        Self {
            header: StanzaHeader::read(&discarded.head),
            error: discarded.error,
        }
    }
}

/// The stream's start tag as an element of its own.
fn header(tag: &[u8], limits: &Limits) -> Result<Document, StreamError> {
    let mut element = tag.strip_suffix(b">").unwrap_or(tag).to_vec();
    if element.last() != Some(&b'/') {
        element.push(b'/');
    }
    element.push(b'>');
    Ok(Document::parse(&element, "", limits)?)
}

/// The default namespace and the prefixes that a start tag declares.
fn declared(tag: &[u8]) -> (String, Vec<(String, String)>) {
    let (name, content) = start_tag(tag);
    let mut default_ns = NS_COMPONENT.to_owned();
    let mut prefixes = Vec::new();
    for attribute in BytesStart::from_content(content, name.len())
        .attributes()
        .map_while(Result::ok)
    {
        let Ok(value) = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0) else {
            continue;
        };
        match attribute.key.as_ref().split_once(':') {
            None if attribute.key.as_ref() == "xmlns" => default_ns = value.into_owned(),
            Some(("xmlns", prefix)) => prefixes.push((prefix.to_owned(), value.into_owned())),
            _ => {}
        }
    }
    (default_ns, prefixes)
}

fn malformed(what: &str) -> StreamError {
    StreamError::NotWellFormed(what.to_owned())
}

/// How much of an oversize stanza is kept to find its sender: room for four JIDs of 3,071 bytes
/// (RFC 7622 §3.1).
const HEAD_BYTES: usize = 16 * 1024;
/// How many times the limit a stanza may be read past before the stream is given up.
const DISCARD_FACTOR: usize = 64;
/// Capacity kept between stanzas.
const KEEP_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OPEN: &str = "<?xml version='1.0'?>\n<stream:stream xmlns='jabber:component:accept' \
        xmlns:stream='http://etherx.jabber.org/streams' id='3BF9' from='call.example.org'>";

    /// All frames of a stream that is pushed in pieces of `size` bytes, written as text.
    fn frames(source: &[u8], size: usize) -> Vec<String> {
        let mut framer = Framer::new(Limits {
            stanza_bytes: 2000,
            depth: 4,
            attributes: 4,
        });
        let mut found = Vec::new();
        for piece in source.chunks(size) {
            framer.push(piece);
            while let Some(frame) = framer.next_frame() {
                found.push(match frame {
                    Ok(Frame::Open(header)) => {
                        format!("open {}", header.root().attr("id").unwrap())
                    }
                    Ok(Frame::Stanza(stanza)) => stanza.root().to_xml(),
                    Ok(Frame::Bad(bad)) => format!("bad {:?} {}", bad.header.from, bad.error),
                    Ok(Frame::Close) => "close".to_owned(),
                    Err(error) => format!("error {error}"),
                });
            }
        }
        found
    }

    fn stream(stanzas: &str) -> Vec<u8> {
        format!("{OPEN}{stanzas}</stream:stream>").into_bytes()
    }

    #[test]
    fn a_stream_is_cut_the_same_at_every_piece_size() {
        let source = stream(
            "<handshake/> \n<iq id='1' from='a@b'><q xmlns='urn:q' a=\"x>'y\">t<![CDATA[</iq>]]]></q></iq>\
             <stream:error><x xmlns='u'/></stream:error>",
        );
        let whole = frames(&source, source.len());
        assert_eq!(
            whole,
            [
                "open 3BF9",
                "<handshake xmlns='jabber:component:accept'/>",
                "<iq xmlns='jabber:component:accept' id='1' from='a@b'><q xmlns='urn:q' \
                 a='x&gt;&apos;y'>t&lt;/iq&gt;]</q></iq>",
                "<error xmlns='http://etherx.jabber.org/streams'><x xmlns='u'/></error>",
                "close"
            ]
        );
        for size in 1..source.len() {
            assert_eq!(frames(&source, size), whole, "pieces of {size} bytes");
        }
    }

    #[test]
    fn a_stanza_over_a_limit_costs_itself() {
        let large = format!("<iq from='a@b/c'><q a='{}'/></iq>", "x".repeat(3000));
        let deep = format!(
            "<message from='d@e/f'>{}{}</message>",
            "<a>".repeat(30),
            "</a>".repeat(30)
        );
        let wide = "<iq a='' b='' c='' d='' e='' from='g@h/i'/>";
        let wide_child = "<iq from='j@k/l'><x a='' b='' c='' d='' e=''/></iq>";
        let source = stream(&format!("{large}{deep}{wide}{wide_child}<iq id='after'/>"));
        let expected = [
            "open 3BF9",
            "bad Some(\"a@b/c\") larger than 2000 bytes",
            "bad Some(\"d@e/f\") nested deeper than 4 levels",
            "bad Some(\"g@h/i\") more than 4 attributes on one element",
            "bad Some(\"j@k/l\") more than 4 attributes on one element",
            "<iq xmlns='jabber:component:accept' id='after'/>",
            "close",
        ];
        for size in [1, 7, 1000, source.len()] {
            assert_eq!(frames(&source, size), expected, "pieces of {size} bytes");
        }
    }

    #[test]
    fn an_endless_start_tag_still_names_its_sender() {
        let stanza = format!("<iq from='a@b/c' x='{}'/>", "x".repeat(100_000));
        let found = frames(&stream(&stanza), 4096);
        assert_eq!(found[1], "bad Some(\"a@b/c\") larger than 2000 bytes");
    }

    #[test]
    fn a_stanza_without_end_ends_the_stream() {
        let found = frames(
            format!("{OPEN}<iq>{}", "x".repeat(2000 * 65)).as_bytes(),
            1000,
        );
        assert_eq!(
            found[1],
            "error policy-violation: a stanza of more than 128000 bytes"
        );
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn memory_stays_within_a_stanza_and_a_push() {
        let mut framer = Framer::new(Limits {
            stanza_bytes: 2000,
            depth: 4,
            attributes: 4,
        });
        framer.push(OPEN.as_bytes());
        framer.push(b"<iq><q a='");
        for _ in 0..100 {
            framer.push(&[b'x'; 500]);
            while framer.next_frame().is_some() {}
            assert!(
                framer.buffered() <= 2500,
                "{} bytes held",
                framer.buffered()
            );
        }
    }

    #[test]
    fn what_breaks_the_stream() {
        for (stanza, condition) in [
            ("<!-- c --><iq/>", "restricted-xml"),
            ("<!DOCTYPE a [<!ENTITY e 'x'>]>", "restricted-xml"),
            ("<?php ?>", "restricted-xml"),
            ("<iq><!-- c --></iq>", "restricted-xml"),
            ("<iq><?p i?></iq>", "restricted-xml"),
            ("<iq>&e;</iq>", "restricted-xml"),
            ("<iq>&#0;</iq>", "not-well-formed"),
            ("<iq><a></iq></a>", "not-well-formed"),
            ("<iq a='<'/>", "not-well-formed"),
            ("text", "not-well-formed"),
            ("< iq/>", "not-well-formed"),
            ("<iq <a/>", "not-well-formed"),
            ("<q:iq/>", "not-well-formed"),
        ] {
            let found = frames(&stream(stanza), 5);
            assert!(found[1].contains(condition), "{stanza}: {found:?}");
            assert_eq!(found.len(), 2, "{stanza}: the stream is over");
        }
        let mut source = stream("");
        source.truncate(OPEN.len());
        source.extend_from_slice(b"<iq>\xff\xfe</iq><iq/>");
        assert_eq!(
            frames(&source, 3),
            ["open 3BF9", "error not-well-formed: not UTF-8"]
        );
    }

    proptest! {
        /// No bytes make the framer panic, or hold more than it may.
        #[test]
        fn byte_soup(soup in proptest::collection::vec(any::<u8>(), 0..3000), size in 1usize..500) {
            frames(&soup, size);
        }

        /// The same behind a good header, with bytes that mean something.
        #[test]
        fn markup_soup(soup in "[<>/='\"a:x!?\\[\\]CDATA &;#-]{0,400}", size in 1usize..50) {
            frames(&stream(&soup), size);
        }
    }
}
