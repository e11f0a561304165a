mod parser;
mod start_tag;

use std::borrow::Cow;
use std::iter::FusedIterator;
use std::ops::Range;

use self::parser::Parser;
use super::{Error, Limits, NS_XML, Writer};

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
    fn attributes_may_stand_in_any_lawful_way() {
        let document = parse("<a\tx = \"1'\"\r\n  y\n='2\"' é='' ></a>").unwrap();
        let attrs: Vec<_> = document.root().attrs().collect();
        assert_eq!(attrs, [("x", "1'"), ("y", "2\""), ("é", "")]);
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
            "<a xmlns='urn:a' xmlns='urn:a'/>",
            "<a xmlns:p='urn:a' p:x='1' p:x='2'/>",
            "<a x='1'y='2'/>",
            "<a x/>",
            "<a x=1/>",
            "<a x='1/>",
            "<a ='1'/>",
            "<a x=\u{C}'1'/>",
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
