use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::QName;
use quick_xml::reader::Reader;

use super::start_tag::{RawAttributes, split_name};
use super::{Attribute, Document, Node, Span};
use crate::xml::{Error, Limits, NS_STREAM, NS_XML, is_xml_char};

/// Builds a [`Document`] out of quick-xml's events.
pub(super) struct Parser<'s> {
    document: Document,
    limits: &'s Limits,
    /// Prefix (empty for the default namespace) and its URI, innermost last.
    scope: Vec<(Span, Span)>,
    /// The open elements: node, last child so far, length of `scope` outside it.
    open: Vec<(u32, Option<u32>, usize)>,
}

impl<'s> Parser<'s> {
    pub(super) fn new(
        source: &str,
        default_ns: &str,
        prefixes: &[(String, String)],
        limits: &'s Limits,
    ) -> Self {
        let document = Document {
            text: String::with_capacity(source.len() + 128),
            nodes: Vec::with_capacity(source.len() / 48 + 4),
            attributes: Vec::with_capacity(source.len() / 24 + 4),
        };
        let mut parser = Self {
            document,
            limits,
            scope: Vec::with_capacity(16),
            open: Vec::new(),
        };
        let known = [("", default_ns), ("xml", NS_XML), ("stream", NS_STREAM)];
        let given = prefixes
            .iter()
            .map(|(prefix, uri)| (prefix.as_str(), uri.as_str()));
        for (prefix, uri) in known.into_iter().chain(given) {
            let binding = (parser.store(prefix), parser.store(uri));
            parser.scope.push(binding);
        }
        parser
    }

    pub(super) fn run(mut self, source: &str) -> Result<Document, Error> {
        let mut reader = Reader::from_str(source);
        let mut done = false;
        loop {
            match reader.read_event().map_err(malformed)? {
                Event::Start(_) | Event::Empty(_) if done => {
                    return Err(malformed("more than one element"));
                }
                Event::Start(start) => self.start(&start)?,
                Event::Empty(start) => {
                    self.start(&start)?;
                    done = self.end();
                }
                Event::End(_) => done = self.end(),
                Event::Text(text) => self.text(&text.xml10_content())?,
                Event::CData(text) => self.text(&text.xml10_content())?,
                Event::GeneralRef(reference) => {
                    let c = match reference.resolve_char_ref().map_err(malformed)? {
                        Some(c) => c,
                        None => predefined(&reference.xml10_content())?,
                    };
                    self.text(c.encode_utf8(&mut [0; 4]))?;
                }
                Event::Comment(_) => return Err(Error::Restricted("a comment")),
                Event::PI(_) => return Err(Error::Restricted("a processing instruction")),
                Event::DocType(_) => return Err(Error::Restricted("a document type declaration")),
                Event::Decl(_) => {
                    return Err(Error::Restricted("an XML declaration inside a stream"));
                }
                Event::Eof if done => return Ok(self.document),
                Event::Eof => return Err(malformed("the element does not end")),
            }
        }
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), Error> {
        if self.open.len() >= self.limits.depth {
            return Err(Error::TooDeep(self.limits.depth));
        }
        let outer_scope = self.scope.len();
        let first = index(self.document.attributes.len());
        // Prefixes are resolved once all declarations of the element are known.
        let mut prefixed: Vec<u32> = Vec::new();
        for (count, attribute) in RawAttributes::new(start.attributes_raw()).enumerate() {
            let (name, raw) = attribute?;
            if count >= self.limits.attributes {
                return Err(Error::TooManyAttributes(self.limits.attributes));
            }
            let (prefix, local) = split_name(name)?;
            match (prefix, local) {
                (None, "xmlns") => self.declare("", raw, outer_scope)?,
                (Some("xmlns"), _) => self.declare(local, raw, outer_scope)?,
                _ => {
                    let siblings = self.document.attributes.get(first as usize..);
                    if siblings.unwrap_or_default().iter().any(|sibling| {
                        self.document.str(sibling.name) == local
                            && self.document.str(sibling.ns) == prefix.unwrap_or_default()
                    }) {
                        return Err(malformed("an attribute that is there twice"));
                    }
                    let attribute = Attribute {
                        ns: prefix.map(|prefix| self.store(prefix)).unwrap_or_default(),
                        name: self.store(local),
                        value: self.store_value(raw)?,
                    };
                    if prefix.is_some() {
                        prefixed.push(index(self.document.attributes.len()));
                    }
                    self.document.attributes.push(attribute);
                }
            }
        }
        for at in prefixed {
            let Some(prefix) = self.document.attributes.get(at as usize).map(|a| a.ns) else {
                continue;
            };
            let ns = self.resolve(self.document.str(prefix))?;
            if let Some(attribute) = self.document.attributes.get_mut(at as usize) {
                attribute.ns = ns;
            }
        }
        let (prefix, local) = split_name(start.name().into_inner())?;
        let ns = self.resolve(prefix.unwrap_or_default())?;
        let name = self.store(local);
        let attributes = first..index(self.document.attributes.len());
        let node = self.append(Node {
            name,
            ns,
            is_text: false,
            attributes,
            first_child: None,
            next_sibling: None,
        });
        self.open.push((node, None, outer_scope));
        Ok(())
    }

    /// Closes the innermost element; true if it was the outermost one.
    fn end(&mut self) -> bool {
        if let Some((_, _, outer_scope)) = self.open.pop() {
            self.scope.truncate(outer_scope);
        }
        self.open.is_empty()
    }

    fn text(&mut self, text: &str) -> Result<(), Error> {
        check_chars(text)?;
        if self.open.is_empty() {
            return if text.trim_ascii().is_empty() {
                Ok(())
            } else {
                Err(malformed("text outside the element"))
            };
        }
        if text.is_empty() {
            return Ok(());
        }
        let span = self.store(text);
        // References and CDATA cut text into pieces; they are joined while nothing stands between.
        if let Some((_, Some(last), _)) = self.open.last()
            && let Some(node) = self.document.nodes.get_mut(*last as usize)
            && node.is_text
            && node.name.end == span.start
        {
            node.name.end = span.end;
            return Ok(());
        }
        self.append(Node {
            name: span,
            ns: Span::default(),
            is_text: true,
            attributes: 0..0,
            first_child: None,
            next_sibling: None,
        });
        Ok(())
    }

    /// Adds a node as the last child of the innermost open element.
    fn append(&mut self, node: Node) -> u32 {
        let new = index(self.document.nodes.len());
        self.document.nodes.push(node);
        if let Some((parent, last, _)) = self.open.last_mut() {
            let link = last.replace(new);
            let holder = link.unwrap_or(*parent) as usize;
            if let Some(holder) = self.document.nodes.get_mut(holder) {
                match link {
                    Some(_) => holder.next_sibling = Some(new),
                    None => holder.first_child = Some(new),
                }
            }
        }
        new
    }

    /// Binds a prefix, empty for the default namespace, within the element.
    fn declare(&mut self, prefix: &str, raw: &str, outer_scope: usize) -> Result<(), Error> {
        let own = self.scope.get(outer_scope..).unwrap_or_default();
        if own
            .iter()
            .any(|(bound, _)| self.document.str(*bound) == prefix)
        {
            return Err(malformed("an attribute that is there twice"));
        }
        let binding = (self.store(prefix), self.store_value(raw)?);
        if !prefix.is_empty() && binding.1.is_empty() {
            return Err(malformed("a prefix bound to nothing"));
        }
        self.scope.push(binding);
        Ok(())
    }

    /// Stores the value of an attribute, its references resolved and its blanks normalised
    /// (XML 1.0 §3.3.3).
    fn store_value(&mut self, raw: &str) -> Result<Span, Error> {
        // Almost all values are printable ASCII that stands for itself: decide that by bytes.
        if raw
            .bytes()
            .all(|b| (0x20..0x7F).contains(&b) && !matches!(b, b'<' | b'&'))
        {
            return Ok(self.store(raw));
        }
        if raw.contains('<') {
            return Err(malformed("'<' in an attribute"));
        }
        let attribute = quick_xml::events::attributes::Attribute {
            key: QName(""),
            value: raw.into(),
        };
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(malformed)?;
        check_chars(&value)?;
        Ok(self.store(&value))
    }

    fn store(&mut self, text: &str) -> Span {
        let start = index(self.document.text.len());
        self.document.text.push_str(text);
        Span {
            start,
            end: index(self.document.text.len()),
        }
    }

    fn resolve(&self, prefix: &str) -> Result<Span, Error> {
        self.scope
            .iter()
            .rev()
            .find(|(bound, _)| self.document.str(*bound) == prefix)
            .map(|(_, uri)| *uri)
            .ok_or_else(|| malformed("a prefix that is bound to nothing"))
    }
}

/// The five entities that XML predefines (XML 1.0 §4.6), the only ones XMPP allows.
fn predefined(name: &str) -> Result<char, Error> {
    match name {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => Err(Error::Restricted("an entity reference")),
    }
}

fn check_chars(text: &str) -> Result<(), Error> {
    // Almost all text is printable ASCII: decide that by bytes.
    if text.bytes().all(|b| (0x20..0x7F).contains(&b)) || text.chars().all(is_xml_char) {
        Ok(())
    } else {
        Err(malformed("a character that XML does not allow"))
    }
}

pub(super) fn malformed(error: impl std::fmt::Display) -> Error {
    Error::NotWellFormed(error.to_string())
}

/// Lengths fit because [`Document::parse`] bounds the source and unescaping only shortens; the
/// strings in scope around it are few and short.
fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
