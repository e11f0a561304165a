use memchr::{memchr, memchr2};
use quick_xml::events::BytesStart;

use super::{Document, Error, Limits, NS_COMPONENT, StreamError};

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
    token: Token,
    /// Open elements inside the stream element.
    depth: usize,
    /// `=` outside quotes in the start tag under way, which is its number of attributes.
    attributes: usize,
    stage: Stage,
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

/// The attributes common to all stanzas, RFC 6120 §8.1. Values are as sent, unchecked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StanzaHeader {
    /// Which stanza it is; `None` if it is none that RFC 6120 §8.2 knows.
    pub kind: Option<StanzaKind>,
    /// Sender.
    pub from: Option<String>,
    /// Receiver.
    pub to: Option<String>,
    /// Identifier.
    pub id: Option<String>,
    /// Type.
    pub kind_type: Option<String>,
}

/// The three stanzas of RFC 6120 §8.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StanzaKind {
    /// `<message/>`, push.
    Message,
    /// `<presence/>`, publish and subscribe.
    Presence,
    /// `<iq/>`, request and response.
    Iq,
}

impl StanzaKind {
    /// By element name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "message" => Some(Self::Message),
            "presence" => Some(Self::Presence),
            "iq" => Some(Self::Iq),
            _ => None,
        }
    }

    /// The element name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Presence => "presence",
            Self::Iq => "iq",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing seen yet; an XML declaration may stand here and nowhere else.
    Prolog,
    /// The XML declaration was seen.
    Header,
    /// Inside the stream element.
    Stanzas,
    /// Behind the stream's end, or behind an error.
    Over,
}

/// Where in the grammar the scanner stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// Between tags.
    Text,
    /// Behind `<`.
    Open,
    /// In a start tag; `slash` if the byte before was `/`.
    StartTag { slash: bool },
    /// In an attribute value with this quote.
    Value { quote: u8 },
    /// In an end tag.
    EndTag,
    /// In the XML declaration; `question` if the byte before was `?`.
    Declaration { question: bool },
    /// Behind `<!`, with this many bytes of `[CDATA[` seen.
    Bang { seen: usize },
    /// In a CDATA section with this many of `]]` just seen.
    CData { brackets: usize },
}

#[derive(Debug)]
struct Discarded {
    head: Vec<u8>,
    error: Error,
    bytes: usize,
}

/// What one scanned byte ended.
enum Scanned {
    /// The stream's start tag.
    Header,
    /// A stanza, complete.
    Stanza,
    /// The XML declaration.
    Declaration,
    /// The stream's end tag.
    End,
}

impl Framer {
    /// A framer for a new stream.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            input: Vec::new(),
            scanned: 0,
            start: 0,
            token: Token::Text,
            depth: 0,
            attributes: 0,
            stage: Stage::Prolog,
            prefixes: Vec::new(),
            default_ns: NS_COMPONENT.to_owned(),
            discarding: None,
        }
    }

    /// Takes bytes from the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.stage != Stage::Over {
            self.input.extend_from_slice(bytes);
        }
    }

    /// The next frame, `None` until more bytes come.
    ///
    /// # Errors
    /// The stream cannot go on; the error is repeated at no further call.
    pub fn next_frame(&mut self) -> Option<Result<Frame, StreamError>> {
        if self.stage == Stage::Over {
            return None;
        }
        let result = self.frame();
        if matches!(result, Err(_) | Ok(Some(Frame::Close))) {
            self.stage = Stage::Over;
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
            let Some(scanned) = self.scan()? else {
                self.trim()?;
                return Ok(None);
            };
            let bytes = self.start..self.scanned;
            self.start = self.scanned;
            let bytes = self.input.get(bytes).unwrap_or_default();
            let frame = match scanned {
                Scanned::Declaration => {
                    self.stage = Stage::Header;
                    None
                }
                Scanned::Header => {
                    let document = header(bytes, &self.limits)?;
                    (self.default_ns, self.prefixes) = declared(bytes);
                    self.stage = Stage::Stanzas;
                    Some(Frame::Open(document))
                }
                Scanned::End => Some(Frame::Close),
                Scanned::Stanza => Some(match self.discarding.take() {
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
    fn scan(&mut self) -> Result<Option<Scanned>, StreamError> {
        while let Some(rest) = self.input.get(self.scanned..)
            && let Some(&byte) = rest.first()
        {
            // Skip to the next byte that means anything where we are.
            let skip = match self.token {
                Token::Text if self.depth > 0 => memchr(b'<', rest),
                Token::Value { quote } => memchr2(quote, b'<', rest),
                Token::EndTag => memchr2(b'>', b'<', rest),
                _ => Some(0),
            };
            match skip {
                Some(0) => {}
                Some(n) => {
                    self.scanned += n;
                    continue;
                }
                None => {
                    self.scanned = self.input.len();
                    break;
                }
            }
            let result = self.step(byte)?;
            self.scanned += 1;
            let length = self.scanned - self.start;
            if self.discarding.is_none() && length > self.limits.stanza_bytes {
                self.discard(Error::TooLarge(self.limits.stanza_bytes))?;
            }
            if result.is_some() {
                return Ok(result);
            }
        }
        if self.discarding.is_none() && self.scanned - self.start > self.limits.stanza_bytes {
            self.discard(Error::TooLarge(self.limits.stanza_bytes))?;
        }
        Ok(None)
    }

    fn step(&mut self, byte: u8) -> Result<Option<Scanned>, StreamError> {
        match (self.token, byte) {
            (Token::Text, b'<') => {
                if self.depth == 0 && self.start < self.scanned {
                    // White space between stanzas, a keepalive.
                    self.start = self.scanned;
                }
                self.token = Token::Open;
            }
            (Token::Text, _) if self.depth > 0 => {}
            (Token::Text, b' ' | b'\t' | b'\r' | b'\n') => self.start = self.scanned + 1,
            (Token::Text, 0xEF | 0xBB | 0xBF) if self.stage == Stage::Prolog => {
                self.start = self.scanned + 1;
            }
            (Token::Text, _) => return Err(malformed("text between stanzas")),
            (Token::Open, b'/') => self.token = Token::EndTag,
            (Token::Open, b'?') if self.stage == Stage::Prolog => {
                self.token = Token::Declaration { question: false };
            }
            (Token::Open, b'?') => {
                return Err(StreamError::RestrictedXml("a processing instruction"));
            }
            (Token::Open, b'!') if self.depth > 0 => self.token = Token::Bang { seen: 0 },
            (Token::Open, b'!') => {
                return Err(StreamError::RestrictedXml("a comment or declaration"));
            }
            (Token::Open, b' ' | b'\t' | b'\r' | b'\n' | b'<' | b'>' | b'=') => {
                return Err(malformed("an illegal name"));
            }
            (Token::Open, _) => {
                self.attributes = 0;
                self.token = Token::StartTag { slash: false };
                if self.stage == Stage::Stanzas && self.depth >= self.limits.depth {
                    self.discard(Error::TooDeep(self.limits.depth))?;
                }
            }
            (Token::StartTag { .. }, b'<')
            | (Token::Value { .. }, b'<')
            | (Token::EndTag, b'<') => {
                return Err(malformed("'<' inside a tag"));
            }
            (Token::StartTag { .. }, quote @ (b'"' | b'\'')) => self.token = Token::Value { quote },
            (Token::StartTag { slash }, b'>') => {
                self.token = Token::Text;
                return Ok(self.start_tag_ended(slash));
            }
            (Token::StartTag { .. }, b'=') => {
                self.attributes += 1;
                self.token = Token::StartTag { slash: false };
                if self.attributes > self.limits.attributes {
                    if self.stage != Stage::Stanzas {
                        return Err(malformed("too many attributes in the stream header"));
                    }
                    self.discard(Error::TooManyAttributes(self.limits.attributes))?;
                }
            }
            (Token::StartTag { .. }, byte) => {
                self.token = Token::StartTag {
                    slash: byte == b'/',
                }
            }
            (Token::Value { quote }, byte) => {
                if byte == quote {
                    self.token = Token::StartTag { slash: false };
                }
            }
            (Token::EndTag, b'>') => {
                self.token = Token::Text;
                return self.end_tag_ended();
            }
            (Token::EndTag, _) => {}
            (Token::Declaration { question: true }, b'>') => {
                self.token = Token::Text;
                return Ok(Some(Scanned::Declaration));
            }
            (Token::Declaration { .. }, byte) => {
                self.token = Token::Declaration {
                    question: byte == b'?',
                };
            }
            (Token::Bang { seen }, byte) => {
                const CDATA: &[u8] = b"[CDATA[";
                if CDATA.get(seen) != Some(&byte) {
                    return Err(StreamError::RestrictedXml("a comment or declaration"));
                }
                self.token = if seen + 1 == CDATA.len() {
                    Token::CData { brackets: 0 }
                } else {
                    Token::Bang { seen: seen + 1 }
                };
            }
            (Token::CData { brackets: 2 }, b'>') => self.token = Token::Text,
            (Token::CData { brackets }, b']') => {
                self.token = Token::CData {
                    brackets: (brackets + 1).min(2),
                };
            }
            (Token::CData { .. }, _) => self.token = Token::CData { brackets: 0 },
        }
        Ok(None)
    }

    fn start_tag_ended(&mut self, empty: bool) -> Option<Scanned> {
        match self.stage {
            // An empty stream element opens a stream and ends it; its end is found missing later.
            Stage::Prolog | Stage::Header => Some(Scanned::Header),
            Stage::Stanzas | Stage::Over if empty => (self.depth == 0).then_some(Scanned::Stanza),
            Stage::Stanzas | Stage::Over => {
                self.depth += 1;
                None
            }
        }
    }

    fn end_tag_ended(&mut self) -> Result<Option<Scanned>, StreamError> {
        match self.depth {
            0 if self.stage == Stage::Stanzas => Ok(Some(Scanned::End)),
            0 => Err(malformed("an end tag before the stream began")),
            1 => {
                self.depth = 0;
                Ok(Some(Scanned::Stanza))
            }
            _ => {
                self.depth -= 1;
                Ok(None)
            }
        }
    }

    /// From here on the stanza under way is read past.
    fn discard(&mut self, error: Error) -> Result<(), StreamError> {
        if self.stage != Stage::Stanzas {
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

impl StanzaHeader {
    /// Reads what can be read of a stanza's start tag, which may be cut off.
    fn read(stanza: &[u8]) -> Self {
        let mut header = Self::default();
        let (name, tag) = start_tag(stanza);
        header.kind = StanzaKind::from_name(name);
        for attribute in BytesStart::from_content(tag, name.len())
            .attributes()
            .map_while(Result::ok)
        {
            let slot = match attribute.key.as_ref() {
                "from" => &mut header.from,
                "to" => &mut header.to,
                "id" => &mut header.id,
                "type" => &mut header.kind_type,
                _ => continue,
            };
            *slot = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .ok()
                .map(std::borrow::Cow::into_owned);
        }
        header
    }

    /// The header of a stanza that was read.
    #[must_use]
    pub fn of(stanza: super::Element<'_>) -> Self {
        let attr = |name| stanza.attr(name).map(str::to_owned);
        Self {
            kind: StanzaKind::from_name(stanza.name()),
            from: attr("from"),
            to: attr("to"),
            id: attr("id"),
            kind_type: attr("type"),
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

/// Name and content (name and attributes) of the start tag that `bytes` begin with.
fn start_tag(bytes: &[u8]) -> (&str, &str) {
    let valid = match std::str::from_utf8(bytes) {
        Ok(valid) => valid,
        Err(error) => bytes
            .get(..error.valid_up_to())
            .and_then(|valid| std::str::from_utf8(valid).ok())
            .unwrap_or_default(),
    };
    let valid = valid.strip_prefix('<').unwrap_or(valid);
    let mut quote = None;
    let end = valid.bytes().position(|b| match (quote, b) {
        (None, b'>') => true,
        (None, b'\'' | b'"') => {
            quote = Some(b);
            false
        }
        (Some(q), b) if q == b => {
            quote = None;
            false
        }
        _ => false,
    });
    let content = valid.get(..end.unwrap_or(valid.len())).unwrap_or_default();
    let content = content.strip_suffix('/').unwrap_or(content);
    let name = content
        .split([' ', '\t', '\r', '\n'])
        .next()
        .unwrap_or_default();
    (name, content)
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
