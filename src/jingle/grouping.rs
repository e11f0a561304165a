//! `<group/>`: XEP-0338.

use crate::xml::{Element, Writer};

/// Contents that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// `BUNDLE`, `LS`, …
    pub semantics: String,
    /// Names of contents, in order: the first of a BUNDLE is its tag.
    pub contents: Vec<String>,
}

impl Group {
    /// Reads `<group/>`; `None` when it says nothing. libjingle of old wrote `type` for
    /// `semantics`.
    pub fn from_xml(element: Element<'_>) -> Option<Self> {
        let semantics = element
            .attr("semantics")
            .or_else(|| element.attr("type"))?
            .to_owned();
        let contents: Vec<_> = element
            .children()
            .filter(|child| child.is("content", NS))
            .filter_map(|child| child.attr("name").map(str::to_owned))
            .collect();
        (!contents.is_empty()).then_some(Self {
            semantics,
            contents,
        })
    }

    /// Writes `<group/>`.
    pub fn write(&self, out: &mut Writer) {
        out.open("group", NS).attr("semantics", &self.semantics);
        for name in &self.contents {
            out.open("content", NS).attr("name", name).close();
        }
        out.close();
    }
}

/// The namespace of XEP-0338.
pub const NS: &str = "urn:xmpp:jingle:apps:grouping:0";
