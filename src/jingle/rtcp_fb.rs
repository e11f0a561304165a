//! `<rtcp-fb/>` and `<rtcp-fb-trr-int/>`: XEP-0293.

use crate::xml::{Element, Writer};

use super::rtp::{self, Parameter};

/// One kind of RTCP feedback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Feedback {
    /// `<rtcp-fb/>`.
    Kind {
        /// `nack`, `ccm`, `transport-cc`, …
        kind: String,
        /// `pli`, `fir`, …
        subtype: Option<String>,
        /// Further words.
        parameters: Vec<Parameter>,
    },
    /// `<rtcp-fb-trr-int/>`: milliseconds between regular reports.
    TrrInt(String),
}

impl Feedback {
    /// Reads either element; `None` when it is neither or says nothing.
    pub fn from_xml(element: Element<'_>) -> Option<Self> {
        match element.name() {
            "rtcp-fb" => Some(Self::Kind {
                kind: element
                    .attr("type")
                    .filter(|kind| !kind.is_empty())?
                    .to_owned(),
                subtype: element
                    .attr("subtype")
                    .filter(|subtype| !subtype.is_empty())
                    .map(str::to_owned),
                parameters: element
                    .children()
                    .filter(|child| child.is("parameter", NS) || child.is("parameter", rtp::NS))
                    .map(Parameter::from_xml)
                    .collect(),
            }),
            "rtcp-fb-trr-int" => Some(Self::TrrInt(
                element.attr("value").unwrap_or("0").to_owned(),
            )),
            _ => None,
        }
    }

    /// Writes the element.
    pub fn write(&self, out: &mut Writer) {
        match self {
            Self::Kind {
                kind,
                subtype,
                parameters,
            } => {
                out.open("rtcp-fb", NS).attr("type", kind);
                out.opt_attr("subtype", subtype.as_ref());
                for parameter in parameters {
                    parameter.write(NS, out);
                }
                out.close();
            }
            Self::TrrInt(value) => {
                out.open("rtcp-fb-trr-int", NS).attr("value", value).close();
            }
        }
    }
}

/// The namespace of XEP-0293.
pub const NS: &str = "urn:xmpp:jingle:apps:rtp:rtcp-fb:0";
