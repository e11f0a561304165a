//! Our own carrier for what SDP says and no XEP has a place for. Others ignore it.
//!
//! `<sdp xmlns='urn:x-campana:sdp-extra:0'/>` stands in a `<content/>` and holds the section's
//! remaining attributes; one in `<jingle/>` holds those of the session level and the sections that
//! have no content because they are rejected.

use crate::xml::{Element, Writer};

use super::rtp::Bandwidth;

/// What is said of one section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SectionExtra {
    /// The kind of media, when there is no description to say it.
    pub media: Option<String>,
    /// The transport protocol of the m-line, when it is not the usual one.
    pub protocol: Option<String>,
    /// The formats of the m-line, separated by blanks, when there is no description to say them all.
    pub formats: Option<String>,
    /// In order.
    pub attributes: Vec<Attribute>,
    /// In order, when there is no description to say them.
    pub bandwidths: Vec<Bandwidth>,
}

/// What is said at session level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionExtra {
    /// In order.
    pub attributes: Vec<Attribute>,
    /// In order.
    pub bandwidths: Vec<Bandwidth>,
    /// Sections without a content.
    pub sections: Vec<Section>,
}

/// An SDP attribute, verbatim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Before the colon.
    pub name: String,
    /// Behind it.
    pub value: Option<String>,
}

/// A rejected section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its place among all sections.
    pub index: usize,
    /// Its `a=mid`.
    pub mid: Option<String>,
    /// `audio`, `video`, …
    pub media: String,
    /// As on its m-line.
    pub protocol: String,
    /// As on its m-line, separated by blanks.
    pub formats: String,
}

impl SectionExtra {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.media.is_none()
            && self.protocol.is_none()
            && self.formats.is_none()
            && self.attributes.is_empty()
            && self.bandwidths.is_empty()
    }

    /// Reads `<sdp/>`. More than [`CAP`] attributes or bandwidths are not read.
    pub fn from_xml(element: Element<'_>) -> Self {
        Self {
            media: element.attr("media").map(str::to_owned),
            protocol: element.attr("proto").map(str::to_owned),
            formats: element.attr("formats").map(str::to_owned),
            attributes: attributes(element),
            bandwidths: bandwidths(element),
        }
    }

    /// Writes `<sdp/>`.
    pub fn write(&self, out: &mut Writer) {
        out.open("sdp", NS).opt_attr("media", self.media.as_ref());
        out.opt_attr("proto", self.protocol.as_ref());
        out.opt_attr("formats", self.formats.as_ref());
        for attribute in &self.attributes {
            attribute.write(out);
        }
        for bandwidth in &self.bandwidths {
            bandwidth.write(NS, out);
        }
        out.close();
    }
}

impl SessionExtra {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty() && self.bandwidths.is_empty() && self.sections.is_empty()
    }

    /// Reads `<sdp/>`. More than [`CAP`] attributes, bandwidths or sections are not read.
    pub fn from_xml(element: Element<'_>) -> Self {
        Self {
            attributes: attributes(element),
            bandwidths: bandwidths(element),
            sections: element
                .children()
                .filter(|child| child.is("section", NS))
                .filter_map(Section::from_xml)
                .take(CAP)
                .collect(),
        }
    }

    /// Writes `<sdp/>`.
    pub fn write(&self, out: &mut Writer) {
        out.open("sdp", NS);
        for attribute in &self.attributes {
            attribute.write(out);
        }
        for bandwidth in &self.bandwidths {
            bandwidth.write(NS, out);
        }
        for section in &self.sections {
            section.write(out);
        }
        out.close();
    }
}

impl Attribute {
    fn write(&self, out: &mut Writer) {
        out.open("attribute", NS).attr("name", &self.name);
        out.opt_attr("value", self.value.as_ref()).close();
    }
}

impl Section {
    fn from_xml(element: Element<'_>) -> Option<Self> {
        Some(Self {
            index: element.attr("index")?.parse().ok()?,
            mid: element.attr("mid").map(str::to_owned),
            media: element.attr("media")?.to_owned(),
            protocol: element.attr("proto")?.to_owned(),
            formats: element.attr("formats")?.to_owned(),
        })
    }

    fn write(&self, out: &mut Writer) {
        out.open("section", NS)
            .attr("index", self.index.to_string());
        out.opt_attr("mid", self.mid.as_ref());
        out.attr("media", &self.media).attr("proto", &self.protocol);
        out.attr("formats", &self.formats).close();
    }
}

fn attributes(element: Element<'_>) -> Vec<Attribute> {
    element
        .children()
        .filter(|child| child.is("attribute", NS))
        .filter_map(|child| {
            Some(Attribute {
                name: child.attr("name")?.to_owned(),
                value: child.attr("value").map(str::to_owned),
            })
        })
        .take(CAP)
        .collect()
}

fn bandwidths(element: Element<'_>) -> Vec<Bandwidth> {
    element
        .children()
        .filter(|child| child.is("bandwidth", NS))
        .filter_map(Bandwidth::from_xml)
        .take(CAP)
        .collect()
}

/// Our namespace.
pub const NS: &str = "urn:x-campana:sdp-extra:0";

/// Attributes of one section, and sections.
pub const CAP: usize = 128;
