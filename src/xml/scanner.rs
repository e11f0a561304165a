//! Where in the grammar of a stream its bytes stand, one after the other.

use memchr::{memchr, memchr2};

use super::{Error, Limits, StreamError};

/// Goes through the bytes of a stream and knows what each of them means. It holds none of them.
#[derive(Debug)]
pub(super) struct Scanner {
    limits: Limits,
    token: Token,
    /// Open elements inside the stream element.
    depth: usize,
    /// `=` outside quotes in the start tag under way, which is its number of attributes.
    attributes: usize,
    pub(super) stage: Stage,
}

/// How far a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
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

/// What one byte means.
#[derive(Debug)]
pub(super) enum Step {
    /// It belongs to the frame under way.
    Inside,
    /// It stands between frames.
    Between,
    /// It ends a frame.
    Ended(Ended),
    /// It brings the stanza under way over a limit.
    Over(Error),
}

/// What a byte ends.
#[derive(Debug)]
pub(super) enum Ended {
    /// The stream's start tag.
    Header,
    /// A stanza, complete.
    Stanza,
    /// The XML declaration.
    Declaration,
    /// The stream's end tag.
    Stream,
}

impl Scanner {
    /// At the beginning of a stream.
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            token: Token::Text,
            depth: 0,
            attributes: 0,
            stage: Stage::Prolog,
        }
    }

    /// How many of these bytes mean nothing where they stand.
    pub(super) fn skip(&self, bytes: &[u8]) -> usize {
        let next = match self.token {
            Token::Text if self.depth > 0 => memchr(b'<', bytes),
            Token::Value { quote } => memchr2(quote, b'<', bytes),
            Token::EndTag => memchr2(b'>', b'<', bytes),
            _ => return 0,
        };
        next.unwrap_or(bytes.len())
    }

    /// Takes the next byte.
    ///
    /// # Errors
    /// When the stream cannot go on.
    pub(super) fn step(&mut self, byte: u8) -> Result<Step, StreamError> {
        match (self.token, byte) {
            (Token::Text, b'<') => self.token = Token::Open,
            (Token::Text, _) if self.depth > 0 => {}
            // White space between stanzas, a keepalive; and the mark of UTF-8.
            (Token::Text, b' ' | b'\t' | b'\r' | b'\n') => return Ok(Step::Between),
            (Token::Text, 0xEF | 0xBB | 0xBF) if self.stage == Stage::Prolog => {
                return Ok(Step::Between);
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
                    return Ok(Step::Over(Error::TooDeep(self.limits.depth)));
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
                    return Ok(Step::Over(Error::TooManyAttributes(self.limits.attributes)));
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
                return Ok(Step::Ended(Ended::Declaration));
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
        Ok(Step::Inside)
    }

    fn start_tag_ended(&mut self, empty: bool) -> Step {
        match self.stage {
            // An empty stream element opens a stream and ends it; its end is found missing later.
            Stage::Prolog | Stage::Header => Step::Ended(Ended::Header),
            Stage::Stanzas | Stage::Over if empty && self.depth == 0 => Step::Ended(Ended::Stanza),
            Stage::Stanzas | Stage::Over if empty => Step::Inside,
            Stage::Stanzas | Stage::Over => {
                self.depth += 1;
                Step::Inside
            }
        }
    }

    fn end_tag_ended(&mut self) -> Result<Step, StreamError> {
        match self.depth {
            0 if self.stage == Stage::Stanzas => Ok(Step::Ended(Ended::Stream)),
            0 => Err(malformed("an end tag before the stream began")),
            1 => {
                self.depth = 0;
                Ok(Step::Ended(Ended::Stanza))
            }
            _ => {
                self.depth -= 1;
                Ok(Step::Inside)
            }
        }
    }
}

fn malformed(what: &str) -> StreamError {
    StreamError::NotWellFormed(what.to_owned())
}
