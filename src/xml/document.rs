use std::borrow::Cow;
use std::iter::FusedIterator;
use std::ops::Range;

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::{Error, Limits, NS_STREAM, NS_XML, Writer, is_xml_char};

/// One parsed element with all it holds.
///
/// Names, values and text are unescaped into one buffer; nodes refer to it by range, so that a
/// stanza of 9 kB is four allocations and [`Element`] is a cheap handle.
#[derive(Clone, Default)]
pub struct Document {
    text: String,
    nodes: Vec<Node>,
    attributes: Vec<Attribute>,
}

impl Document {
    /// Parses exactly one element. `default_ns` is the namespace that stands in scope around it.
    ///
    /// # Errors
    /// Over a limit, XML that XMPP forbids (RFC 6120 §11.1), or not well-formed.
    pub fn parse(bytes: &[u8], default_ns: &str, limits: &Limits) -> Result<Self, Error> {
        Self::parse_in_scope(bytes, default_ns, &[], limits)
    }

    /// Like [`Self::parse`], with the prefixes that the stream header declared.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub(super) fn parse_in_scope(
        bytes: &[u8],
        default_ns: &str,
        prefixes: &[(String, String)],
        limits: &Limits,
    ) -> Result<Self, Error> {
        if bytes.len() > limits.stanza_bytes || u32::try_from(bytes.len()).is_err() {
            return Err(Error::TooLarge(limits.stanza_bytes));
        }
        let source = std::str::from_utf8(bytes).map_err(|_| Error::NotUtf8)?;
        Parser::new(source, default_ns, prefixes, limits).run(source)
    }

    /// The element itself.
    #[must_use]
    pub fn root(&self) -> Element<'_> {
        Element {
            document: self,
            node: 0,
        }
    }

    /// Bytes of memory held, for accounting.
    #[must_use]
    pub fn heap_size(&self) -> usize {
        self.text.capacity()
            + self.nodes.capacity() * size_of::<Node>()
            + self.attributes.capacity() * size_of::<Attribute>()
    }

    fn str(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or_default()
    }
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.root().to_xml())
    }
}

/// A place in a [`Document`].
#[derive(Clone, Copy)]
pub struct Element<'a> {
    document: &'a Document,
    node: u32,
}

impl<'a> Element<'a> {
    /// The local name.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.data().map_or("", |node| self.document.str(node.name))
    }

    /// The namespace.
    #[must_use]
    pub fn ns(self) -> &'a str {
        self.data().map_or("", |node| self.document.str(node.ns))
    }

    /// Whether both name and namespace are these.
    #[must_use]
    pub fn is(self, name: &str, ns: &str) -> bool {
        self.name() == name && self.ns() == ns
    }

    /// The value of the attribute `name` that has no namespace.
    #[must_use]
    pub fn attr(self, name: &str) -> Option<&'a str> {
        self.attrs()
            .find_map(|(n, value)| (n == name).then_some(value))
    }

    /// The element's language (`xml:lang`), if it says one itself.
    #[must_use]
    pub fn lang(self) -> Option<&'a str> {
        let document = self.document;
        let found = self
            .attribute_slice()
            .iter()
            .find(|a| document.str(a.ns) == NS_XML && document.str(a.name) == "lang")?;
        Some(document.str(found.value))
    }

    /// All attributes that have no namespace, in document order.
    #[must_use]
    pub fn attrs(self) -> Attributes<'a> {
        Attributes {
            document: self.document,
            rest: self.attribute_slice().iter(),
        }
    }

    /// The child elements, in document order.
    #[must_use]
    pub fn children(self) -> Children<'a> {
        Children {
            document: self.document,
            next: self.data().and_then(|node| node.first_child),
        }
    }

    /// The first child with this name and namespace.
    #[must_use]
    pub fn child(self, name: &str, ns: &str) -> Option<Self> {
        self.children().find(|child| child.is(name, ns))
    }

    /// The text that stands directly in the element, its pieces joined.
    #[must_use]
    pub fn text(self) -> Cow<'a, str> {
        let mut pieces = Siblings {
            document: self.document,
            next: self.data().and_then(|node| node.first_child),
        }
        .filter(|(_, node)| node.is_text)
        .map(|(_, node)| self.document.str(node.name));
        let Some(first) = pieces.next() else {
            return Cow::Borrowed("");
        };
        match pieces.next() {
            None => Cow::Borrowed(first),
            Some(second) => {
                let mut all = String::from(first);
                all.push_str(second);
                all.extend(pieces);
                Cow::Owned(all)
            }
        }
    }

    /// The element as XML by itself, with its namespace declared.
    #[must_use]
    pub fn to_xml(self) -> String {
        let mut writer = Writer::new("");
        writer.element(self);
        writer.finish()
    }

    /// Children and text in document order: `Ok` for an element, `Err` for text.
    pub(super) fn content(self) -> impl Iterator<Item = Result<Self, &'a str>> {
        let document = self.document;
        Siblings {
            document,
            next: self.data().and_then(|node| node.first_child),
        }
        .map(move |(index, node)| {
            if node.is_text {
                Err(document.str(node.name))
            } else {
                Ok(Self {
                    document,
                    node: index,
                })
            }
        })
    }

    fn data(self) -> Option<&'a Node> {
        self.document.nodes.get(self.node as usize)
    }

    fn attribute_slice(self) -> &'a [Attribute] {
        self.data()
            .and_then(|node| {
                self.document
                    .attributes
                    .get(node.attributes.start as usize..node.attributes.end as usize)
            })
            .unwrap_or_default()
    }
}

impl std::fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_xml())
    }
}

/// Iterator of [`Element::attrs`].
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    document: &'a Document,
    rest: std::slice::Iter<'a, Attribute>,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let document = self.document;
        let found = self.rest.find(|attribute| attribute.ns.is_empty())?;
        Some((document.str(found.name), document.str(found.value)))
    }
}

impl FusedIterator for Attributes<'_> {}

/// Iterator of [`Element::children`].
#[derive(Clone, Debug)]
pub struct Children<'a> {
    document: &'a Document,
    next: Option<u32>,
}

impl<'a> Iterator for Children<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let index = self.next?;
            let node = self.document.nodes.get(index as usize)?;
            self.next = node.next_sibling;
            if !node.is_text {
                return Some(Element {
                    document: self.document,
                    node: index,
                });
            }
        }
    }
}

impl FusedIterator for Children<'_> {}

struct Siblings<'a> {
    document: &'a Document,
    next: Option<u32>,
}

impl<'a> Iterator for Siblings<'a> {
    type Item = (u32, &'a Node);

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.next?;
        let node = self.document.nodes.get(index as usize)?;
        self.next = node.next_sibling;
        Some((index, node))
    }
}

#[derive(Clone, Debug)]
struct Node {
    /// The name of an element, or the text itself.
    name: Span,
    ns: Span,
    is_text: bool,
    attributes: Range<u32>,
    first_child: Option<u32>,
    next_sibling: Option<u32>,
}

#[derive(Clone, Debug)]
struct Attribute {
    ns: Span,
    name: Span,
    value: Span,
}

/// A range of [`Document::text`]; `u32` because a stanza is far below 4 GiB.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    fn is_empty(self) -> bool {
        self.start == self.end
    }
}

struct Parser<'s> {
    document: Document,
    limits: &'s Limits,
    /// Prefix (empty for the default namespace) and its URI, innermost last.
    scope: Vec<(Span, Span)>,
    /// The open elements: node, last child so far, length of `scope` outside it.
    open: Vec<(u32, Option<u32>, usize)>,
}

impl<'s> Parser<'s> {
    fn new(
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

    fn run(mut self, source: &str) -> Result<Document, Error> {
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
        let mut count = 0;
        for attribute in start.attributes() {
            let attribute = attribute.map_err(malformed)?;
            count += 1;
            if count > self.limits.attributes {
                return Err(Error::TooManyAttributes(self.limits.attributes));
            }
            if attribute.value.contains('<') {
                return Err(malformed("'<' in an attribute"));
            }
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .map_err(malformed)?;
            check_chars(&value)?;
            let key = attribute.key;
            let name = key.as_ref();
            check_name(name)?;
            match name.split_once(':') {
                None if name == "xmlns" => {
                    let binding = (Span::default(), self.store(&value));
                    self.scope.push(binding);
                }
                None => {
                    let attribute = Attribute {
                        ns: Span::default(),
                        name: self.store(name),
                        value: self.store(&value),
                    };
                    self.document.attributes.push(attribute);
                }
                Some(("xmlns", prefix)) => {
                    if value.is_empty() {
                        return Err(malformed("a prefix bound to nothing"));
                    }
                    let binding = (self.store(prefix), self.store(&value));
                    self.scope.push(binding);
                }
                Some((prefix, local)) => {
                    let prefix_span = self.store(prefix);
                    let attribute = Attribute {
                        ns: prefix_span,
                        name: self.store(local),
                        value: self.store(&value),
                    };
                    prefixed.push(index(self.document.attributes.len()));
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
        let qname = start.name();
        let name = qname.as_ref();
        check_name(name)?;
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let ns = self.resolve(prefix)?;
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

/// Names as Namespaces in XML §4 has them, looking no closer than is needed for safe re-writing.
fn check_name(name: &str) -> Result<(), Error> {
    let legal = |part: &str| {
        let mut chars = part.chars();
        chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
            && chars.all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '\u{B7}'))
    };
    let well = match name.split_once(':') {
        None => legal(name),
        Some((prefix, local)) => legal(prefix) && legal(local),
    };
    if well {
        Ok(())
    } else {
        Err(malformed("an illegal name"))
    }
}

fn malformed(error: impl std::fmt::Display) -> Error {
    Error::NotWellFormed(error.to_string())
}

/// Lengths fit because [`Document::parse`] bounds the source and unescaping only shortens; the
/// strings in scope around it are few and short.
fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(source: &str) -> Result<Document, Error> {
        Document::parse(
            source.as_bytes(),
            "jabber:component:accept",
            &Limits::default(),
        )
    }

    #[test]
    fn names_are_expanded_names() {
        let document =
            parse("<iq a='1'><p:x xmlns:p='urn:p' xmlns='urn:d'><y/></p:x></iq>").unwrap();
        let root = document.root();
        assert!(root.is("iq", "jabber:component:accept"));
        let x = root.child("x", "urn:p").unwrap();
        assert!(x.child("y", "urn:d").is_some());
        assert_eq!(x.attr("xmlns"), None);
    }

    #[test]
    fn character_references_are_resolved_and_lone_newlines_normalised() {
        let document = parse("<a v='x&#10;y\nz &lt;'>1&#x263A;<b/><![CDATA[<&]]>2</a>").unwrap();
        assert_eq!(document.root().attr("v"), Some("x\ny z <"));
        assert_eq!(document.root().text(), "1☺<&2");
    }

    #[test]
    fn what_xmpp_forbids_is_refused() {
        for (source, error) in [
            ("<a><!-- c --></a>", Error::Restricted("a comment")),
            (
                "<a><?p i?></a>",
                Error::Restricted("a processing instruction"),
            ),
            ("<a>&e;</a>", Error::Restricted("an entity reference")),
        ] {
            assert_eq!(parse(source).unwrap_err(), error, "{source}");
        }
        for source in [
            "<a></b>",
            "<a>",
            "<a/><b/>",
            "<p:a/>",
            "<a p:x='1'/>",
            "<a x='1' x='2'/>",
            "<a>\u{1}</a>",
            "<a>&#0;</a>",
            "<a x='&#0;'/>",
            "<a x='&e;'/>",
            "<a x='<'/>",
            "<1/>",
            "<a/>t",
            "",
            "t",
            "<a xmlns:p=''/>",
            "<a:b:c/>",
        ] {
            assert!(
                matches!(
                    parse(source),
                    Err(Error::NotWellFormed(_) | Error::Restricted(_))
                ),
                "{source} gave {:?}",
                parse(source)
            );
        }
    }

    #[test]
    fn limits_hold() {
        let limits = Limits {
            stanza_bytes: 64,
            depth: 3,
            attributes: 2,
        };
        let parse = |source: &str| Document::parse(source.as_bytes(), "", &limits).map(drop);
        assert_eq!(parse("<a><a><a/></a></a>"), Ok(()));
        assert_eq!(parse("<a><a><a><a/></a></a></a>"), Err(Error::TooDeep(3)));
        assert_eq!(
            parse("<a x='1' y='2' z='3'/>"),
            Err(Error::TooManyAttributes(2))
        );
        assert_eq!(
            parse(&format!("<a>{}</a>", "x".repeat(64))),
            Err(Error::TooLarge(64))
        );
    }

    #[test]
    fn language_is_read() {
        let document = parse("<t xml:lang='de'>x</t>").unwrap();
        assert_eq!(document.root().lang(), Some("de"));
        assert_eq!(document.root().attrs().count(), 0);
    }
}
