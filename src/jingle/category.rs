//! `<category/>`: XEP-0507.

use crate::xml::{Element, Writer};

/// Reads the name of a `<category/>`: `main`, `slides`, `speaker`, `sl`, …
pub fn from_xml(element: Element<'_>) -> Option<String> {
    element
        .attr("name")
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
}

/// Writes `<category/>`.
pub fn write(name: &str, out: &mut Writer) {
    out.open("category", NS).attr("name", name).close();
}

/// The namespace of XEP-0507.
pub const NS: &str = "urn:xmpp:jingle:apps:category:0";
