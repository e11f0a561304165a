//! `<rtp-hdrext/>`: XEP-0294.

use crate::xml::{Element, Writer};

use super::Senders;
use super::rtp::Parameter;

/// One RTP header extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderExtension {
    /// The local identifier.
    pub id: u16,
    /// Names the extension.
    pub uri: String,
    /// Which party may send it.
    pub senders: Option<Way>,
    /// Attributes of the extension.
    pub parameters: Vec<Parameter>,
}

/// How the direction of an extension is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As the XEP says it.
    Senders(Senders),
    /// As SDP says it, which old Movim does: seen from the writer.
    Direction(SdpWord),
}

/// The words of SDP for a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "SDP's own words")]
pub enum SdpWord {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl HeaderExtension {
    /// Reads `<rtp-hdrext/>`; `None` without id or uri.
    pub fn from_xml(element: Element<'_>) -> Option<Self> {
        Some(Self {
            id: element.attr("id")?.trim().parse().ok()?,
            uri: element
                .attr("uri")
                .filter(|uri| !uri.is_empty())?
                .to_owned(),
            senders: element.attr("senders").and_then(Way::from_name),
            parameters: element
                .children()
                .filter(|child| child.name() == "parameter")
                .map(Parameter::from_xml)
                .collect(),
        })
    }

    /// Writes `<rtp-hdrext/>`.
    pub fn write(&self, out: &mut Writer) {
        out.open("rtp-hdrext", NS)
            .attr("id", self.id.to_string())
            .attr("uri", &self.uri);
        if let Some(Way::Senders(senders)) = self.senders {
            out.attr("senders", senders.name());
        }
        for parameter in &self.parameters {
            parameter.write(NS, out);
        }
        out.close();
    }
}

impl Way {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "sendrecv" => Self::Direction(SdpWord::SendRecv),
            "sendonly" => Self::Direction(SdpWord::SendOnly),
            "recvonly" => Self::Direction(SdpWord::RecvOnly),
            "inactive" => Self::Direction(SdpWord::Inactive),
            _ => Self::Senders(Senders::from_name(name)?),
        })
    }
}

/// The namespace of XEP-0294.
pub const NS: &str = "urn:xmpp:jingle:apps:rtp:rtp-hdrext:0";
