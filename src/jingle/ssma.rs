//! `<source/>` and `<ssrc-group/>`: XEP-0339.

use crate::xml::{Element, Writer};

use super::rtp::Parameter;

/// One RTP source and what is said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The SSRC.
    pub ssrc: u32,
    /// `cname`, `msid`, …
    pub parameters: Vec<Parameter>,
}

/// Sources that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceGroup {
    /// `FID`, `SIM`, …
    pub semantics: String,
    /// In order.
    pub ssrcs: Vec<u32>,
}

impl Source {
    /// Reads `<source/>`; `None` without a usable number.
    pub fn from_xml(element: Element<'_>) -> Option<Self> {
        Some(Self {
            ssrc: element.attr("ssrc")?.trim().parse().ok()?,
            parameters: element
                .children()
                .filter(|child| child.name() == "parameter")
                .map(Parameter::from_xml)
                .collect(),
        })
    }

    /// Writes `<source/>`.
    pub fn write(&self, out: &mut Writer) {
        out.open("source", NS).attr("ssrc", self.ssrc.to_string());
        for parameter in &self.parameters {
            parameter.write(NS, out);
        }
        out.close();
    }
}

impl SourceGroup {
    /// Reads `<ssrc-group/>`; `None` when it names no source.
    pub fn from_xml(element: Element<'_>) -> Option<Self> {
        let ssrcs: Vec<_> = element
            .children()
            .filter(|child| child.name() == "source")
            .filter_map(|child| child.attr("ssrc")?.trim().parse().ok())
            .collect();
        let semantics = element.attr("semantics")?.to_owned();
        (!ssrcs.is_empty()).then_some(Self { semantics, ssrcs })
    }

    /// Writes `<ssrc-group/>`.
    pub fn write(&self, out: &mut Writer) {
        out.open("ssrc-group", NS)
            .attr("semantics", &self.semantics);
        for ssrc in &self.ssrcs {
            out.open("source", NS)
                .attr("ssrc", ssrc.to_string())
                .close();
        }
        out.close();
    }
}

/// The namespace of XEP-0339.
pub const NS: &str = "urn:xmpp:jingle:apps:rtp:ssma:0";
