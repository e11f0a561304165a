use std::ops::Range;

use super::{Element, is_xml_char};

/// Writes well-formed XML.
///
/// Namespaces are declared only where they change. Text and attribute values are escaped;
/// characters that XML does not allow become U+FFFD, so that no input can break a stream.
/// Element and attribute names are the caller's: constants, or names out of a parsed
/// [`Element`].
#[derive(Clone, Debug)]
pub struct Writer {
    out: String,
    /// Namespaces seen so far; few, so that a linear search is the fastest.
    namespaces: Vec<String>,
    /// The open elements: where the name stands in `out`, and the namespace.
    open: Vec<(Range<usize>, usize)>,
    /// The start tag of the innermost element lacks its `>`.
    in_tag: bool,
}

impl Writer {
    /// A writer whose output will stand where `ns` is the default namespace.
    #[must_use]
    pub fn new(ns: &str) -> Self {
        Self {
            out: String::with_capacity(512),
            namespaces: vec![ns.to_owned()],
            open: Vec::with_capacity(8),
            in_tag: false,
        }
    }

    /// Begins an element; [`Self::close`] ends it.
    pub fn open(&mut self, name: &str, ns: &str) -> &mut Self {
        self.finish_tag();
        let parent = self.open.last().map_or(0, |(_, ns)| *ns);
        let start = self.out.len() + 1;
        self.out.push('<');
        self.out.push_str(name);
        let end = self.out.len();
        self.in_tag = true;
        let own = self
            .namespaces
            .iter()
            .position(|known| known == ns)
            .unwrap_or_else(|| {
                self.namespaces.push(ns.to_owned());
                self.namespaces.len() - 1
            });
        self.open.push((start..end, own));
        if own != parent {
            self.attr("xmlns", ns);
        }
        self
    }

    /// Adds an attribute to the element just opened. Does nothing once it has content.
    pub fn attr(&mut self, name: &str, value: impl AsRef<str>) -> &mut Self {
        if self.in_tag {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("='");
            escape_attribute(&mut self.out, value.as_ref());
            self.out.push('\'');
        }
        self
    }

    /// Adds an attribute if there is a value.
    pub fn opt_attr(&mut self, name: &str, value: Option<impl AsRef<str>>) -> &mut Self {
        if let Some(value) = value {
            self.attr(name, value);
        }
        self
    }

    /// Adds text.
    pub fn text(&mut self, text: impl AsRef<str>) -> &mut Self {
        if !text.as_ref().is_empty() {
            self.finish_tag();
            escape_text(&mut self.out, text.as_ref());
        }
        self
    }

    /// Ends the innermost open element.
    pub fn close(&mut self) -> &mut Self {
        if let Some((name, _)) = self.open.pop() {
            if self.in_tag {
                self.in_tag = false;
                self.out.push_str("/>");
            } else {
                self.out.push_str("</");
                self.out.extend_from_within(name);
                self.out.push('>');
            }
        }
        self
    }

    /// Writes an element without attributes that holds only text, or nothing.
    pub fn leaf(&mut self, name: &str, ns: &str, text: impl AsRef<str>) -> &mut Self {
        self.open(name, ns).text(text).close()
    }

    /// Writes a copy of a parsed element. Attributes of foreign namespaces but `xml:lang` are left
    /// out, see the [module](super).
    pub fn element(&mut self, element: Element<'_>) -> &mut Self {
        self.element_in(element, element.ns(), element.ns())
    }

    /// Like [`Self::element`], with every occurrence of the namespace `from` replaced by `to`:
    /// a stanza's own namespace differs between a component's stream and a client's.
    pub fn element_in(&mut self, element: Element<'_>, from: &str, to: &str) -> &mut Self {
        let ns = if element.ns() == from {
            to
        } else {
            element.ns()
        };
        self.open(element.name(), ns);
        for (name, value) in element.attrs() {
            self.attr(name, value);
        }
        if let Some(lang) = element.lang() {
            self.attr("xml:lang", lang);
        }
        for content in element.content() {
            match content {
                // The reader bounds the depth.
                Ok(child) => self.element_in(child, from, to),
                Err(text) => self.text(text),
            };
        }
        self.close()
    }

    /// Bytes written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing has been written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Closes what is open and returns the text.
    #[must_use]
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.out
    }

    fn finish_tag(&mut self) {
        if self.in_tag {
            self.in_tag = false;
            self.out.push('>');
        }
    }
}

/// Writes `text` as it stands in an attribute's value in quotes.
pub fn escape_attribute(out: &mut String, text: &str) {
    escape(out, text, true);
}

/// Writes `text` as it stands between tags.
pub fn escape_text(out: &mut String, text: &str) {
    escape(out, text, false);
}

fn escape(out: &mut String, text: &str, in_attribute: bool) {
    let plain =
        |b: u8| (0x20..0x7F).contains(&b) && !matches!(b, b'<' | b'>' | b'&' | b'\'' | b'"');
    if text.bytes().all(plain) {
        out.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\'' if in_attribute => out.push_str("&apos;"),
            '"' if in_attribute => out.push_str("&quot;"),
            // Written plainly, a reader would make a blank of them (XML 1.0 §3.3.3).
            '\n' if in_attribute => out.push_str("&#10;"),
            '\t' if in_attribute => out.push_str("&#9;"),
            // Written plainly, a reader would make a line feed of it (XML 1.0 §2.11).
            '\r' => out.push_str("&#13;"),
            c if is_xml_char(c) => out.push(c),
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Document, Limits};
    use super::*;

    #[test]
    fn namespaces_are_declared_where_they_change() {
        let mut writer = Writer::new("jabber:component:accept");
        writer
            .open("iq", "jabber:component:accept")
            .attr("type", "set");
        writer
            .open("a", "urn:a")
            .leaf("b", "urn:a", "x")
            .leaf("c", "urn:c", "")
            .close();
        assert_eq!(
            writer.finish(),
            "<iq type='set'><a xmlns='urn:a'><b>x</b><c xmlns='urn:c'/></a></iq>"
        );
    }

    #[test]
    fn a_copy_changes_the_stanza_namespace() {
        let source = "<iq><q xmlns='urn:q' a='&lt;' xml:lang='de'>t<r/>u</q></iq>";
        let document =
            Document::parse(source.as_bytes(), "jabber:client", &Limits::default()).unwrap();
        let mut writer = Writer::new("jabber:component:accept");
        writer.element_in(document.root(), "jabber:client", "jabber:component:accept");
        assert_eq!(writer.finish(), source);
    }

    proptest! {
        /// Whatever is written is read back as written, but for the characters XML cannot hold.
        #[test]
        fn what_is_written_is_read(value in any::<String>(), text in any::<String>()) {
            let mut writer = Writer::new("");
            writer.open("a", "urn:a").attr("v", &value).text(&text);
            let written = writer.finish();
            let document = Document::parse(written.as_bytes(), "", &Limits::default()).unwrap();
            let legal = |s: &str| -> String {
                s.chars().map(|c| if is_xml_char(c) { c } else { '\u{FFFD}' }).collect()
            };
            prop_assert_eq!(document.root().attr("v").unwrap(), legal(&value));
            prop_assert_eq!(document.root().text(), legal(&text));
        }
    }
}
