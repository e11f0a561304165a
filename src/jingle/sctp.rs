//! `<sctpmap/>`: XEP-0343.

use crate::xml::{Element, Writer};

/// SCTP over the DTLS of a transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SctpMap {
    /// 5000 in practice. The XEP's table calls it `port`, its schema `number`, and the schema's
    /// type could not hold it.
    pub port: u16,
    /// `webrtc-datachannel`.
    pub protocol: String,
    /// How many streams are wanted.
    pub streams: Option<u32>,
}

impl SctpMap {
    /// Reads `<sctpmap/>`.
    pub fn from_xml(element: Element<'_>) -> Self {
        let number = element.attr("number").or_else(|| element.attr("port"));
        Self {
            port: number
                .and_then(|port| port.trim().parse().ok())
                .unwrap_or(5000),
            protocol: element
                .attr("protocol")
                .unwrap_or("webrtc-datachannel")
                .to_owned(),
            streams: element
                .attr("streams")
                .and_then(|streams| streams.trim().parse().ok())
                // Jitsi's; the schema wants a positive number.
                .filter(|streams| *streams > 0),
        }
    }

    /// Reads what [`NS_NESTED`] says of it.
    pub(super) fn from_nested(transport: Element<'_>) -> Self {
        Self {
            port: transport
                .attr("sctp-port")
                .and_then(|port| port.trim().parse().ok())
                .unwrap_or(5000),
            protocol: "webrtc-datachannel".to_owned(),
            streams: None,
        }
    }

    /// Writes `<sctpmap/>`.
    pub fn write(&self, out: &mut Writer) {
        out.open("sctpmap", NS)
            .attr("number", self.port.to_string());
        out.attr("protocol", &self.protocol);
        out.opt_attr("streams", self.streams.map(|streams| streams.to_string()));
        out.close();
    }
}

/// The namespace of XEP-0343's `<sctpmap/>`.
pub const NS: &str = "urn:xmpp:jingle:transports:dtls-sctp:1";

/// The namespace of the transport that Conversations wraps another in, for its file transfers.
pub(super) const NS_NESTED: &str = "urn:xmpp:jingle:transports:webrtc-datachannel:1";
