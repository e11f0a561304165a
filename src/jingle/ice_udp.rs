//! `<transport/>` of ICE: XEP-0176, and XEP-0371 as far as it is the same.

use std::fmt;

use crate::xml::{Element, Writer};

use super::dtls::Fingerprint;
use super::sctp::SctpMap;
use super::{Error, Limits, dtls, keep, sctp};

/// An ICE transport.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Transport {
    /// Which of the two XEPs the transport is written in.
    pub flavour: Flavour,
    /// The username fragment.
    pub ufrag: Option<String>,
    /// The password. `Debug` does not show it.
    pub pwd: Option<String>,
    /// `trickle`, `renomination`, `ice2`, …
    pub options: Vec<String>,
    /// XEP-0320.
    pub fingerprints: Vec<Fingerprint>,
    /// A fingerprint signed with OMEMO was there.
    pub omemo: bool,
    /// In order.
    pub candidates: Vec<Candidate>,
    /// `<gathering-complete/>` (XEP-0371 §6.4).
    pub gathering_complete: bool,
    /// XEP-0343.
    pub sctp: Option<SctpMap>,
    /// Names of elements in it that could not be read, each once.
    pub skipped: Vec<&'static str>,
}

/// The XEP of a transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavour {
    /// XEP-0176.
    #[default]
    IceUdp,
    /// XEP-0371.
    Ice,
}

/// `<candidate/>` (XEP-0176 §5.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// 1 for RTP, 2 for RTCP.
    pub component: u16,
    /// Opaque.
    pub foundation: String,
    /// 0 when absent.
    pub generation: u32,
    /// Required by XEP-0176, missing in the wild.
    pub id: Option<String>,
    /// An address or a name.
    pub ip: String,
    /// Which network interface.
    pub network: Option<String>,
    /// The port.
    pub port: u16,
    /// The XEP's example has one that is too great for ICE; it is cut to what fits.
    pub priority: u32,
    /// `udp` or `tcp`.
    pub protocol: String,
    /// `rel-addr`.
    pub related_address: Option<String>,
    /// `rel-port`.
    pub related_port: Option<u16>,
    /// `tcptype` (XEP-0371 §6.3).
    pub tcp_type: Option<String>,
    /// `host`, `prflx`, `relay`, `srflx`.
    pub kind: String,
}

impl Transport {
    /// Reads `<transport/>`. Candidates that lack a field are skipped.
    ///
    /// # Errors
    /// When there are too many candidates.
    pub fn from_xml(element: Element<'_>, limits: &Limits) -> Result<Self, Error> {
        let flavour = if element.ns() == NS_ICE {
            Flavour::Ice
        } else {
            Flavour::IceUdp
        };
        let text = |name| {
            element
                .attr(name)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let mut transport = Self {
            flavour,
            ufrag: text("ufrag"),
            pwd: text("pwd"),
            ..Self::default()
        };
        if matches!(element.attr("ice2"), Some("1" | "true")) {
            transport.options.push("ice2".to_owned());
        }
        for child in element.children() {
            match (child.name(), child.ns()) {
                ("candidate", NS | NS_ICE) => {
                    if transport.candidates.len() >= limits.candidates {
                        return Err(Error::TooManyCandidates(limits.candidates));
                    }
                    let read = Candidate::from_xml(child);
                    let into = &mut transport.candidates;
                    keep(read, into, "candidate", &mut transport.skipped);
                }
                ("gathering-complete", NS | NS_ICE) => transport.gathering_complete = true,
                ("fingerprint", dtls::NS) => {
                    let read = Fingerprint::from_xml(child);
                    let into = &mut transport.fingerprints;
                    keep(read, into, "fingerprint", &mut transport.skipped);
                }
                ("fingerprint", dtls::NS_OMEMO) => transport.omemo = true,
                ("sctpmap", sctp::NS) => transport.sctp = Some(SctpMap::from_xml(child)),
                (name, NS_OPTION) if !transport.options.iter().any(|own| own == name) => {
                    transport.options.push(name.to_owned());
                }
                _ => {}
            }
        }
        Ok(transport)
    }

    /// Writes `<transport/>`.
    pub fn write(&self, out: &mut Writer) {
        let ns = match self.flavour {
            Flavour::IceUdp => NS,
            Flavour::Ice => NS_ICE,
        };
        out.open("transport", ns);
        if self.flavour == Flavour::Ice && self.options.iter().any(|option| option == "ice2") {
            out.attr("ice2", "true");
        }
        out.opt_attr("pwd", self.pwd.as_ref())
            .opt_attr("ufrag", self.ufrag.as_ref());
        for fingerprint in &self.fingerprints {
            fingerprint.write(out);
        }
        for option in OPTIONS
            .iter()
            .filter(|known| self.options.iter().any(|own| own == *known))
        {
            out.open(option, NS_OPTION).close();
        }
        if let Some(sctp) = &self.sctp {
            sctp.write(out);
        }
        for candidate in &self.candidates {
            candidate.write(ns, out);
        }
        if self.gathering_complete && self.flavour == Flavour::Ice {
            out.open("gathering-complete", ns).close();
        }
        out.close();
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("flavour", &self.flavour)
            .field("ufrag", &self.ufrag)
            .field("options", &self.options)
            .field("fingerprints", &self.fingerprints)
            .field("candidates", &self.candidates)
            .field("gathering_complete", &self.gathering_complete)
            .field("sctp", &self.sctp)
            .finish_non_exhaustive()
    }
}

impl Candidate {
    fn from_xml(element: Element<'_>) -> Option<Self> {
        let text = |name| {
            element
                .attr(name)
                .map(str::trim)
                .filter(|text| !text.is_empty())
        };
        let number = |name| text(name).and_then(|text| text.parse().ok());
        Some(Self {
            component: number("component").unwrap_or(1),
            foundation: text("foundation")?.to_owned(),
            generation: text("generation")
                .and_then(|text| text.parse().ok())
                .unwrap_or(0),
            id: text("id").map(str::to_owned),
            ip: text("ip")?.to_owned(),
            network: text("network").map(str::to_owned),
            port: number("port")?,
            priority: text("priority")
                .and_then(|text| text.parse::<u64>().ok())
                .map_or(0, |priority| u32::try_from(priority).unwrap_or(u32::MAX)),
            protocol: text("protocol").unwrap_or("udp").to_ascii_lowercase(),
            related_address: text("rel-addr").map(str::to_owned),
            // Monal's library spells it as Rust does.
            related_port: number("rel-port").or_else(|| number("rel_port")),
            tcp_type: text("tcptype").map(str::to_owned),
            kind: text("type").unwrap_or("host").to_owned(),
        })
    }

    fn write(&self, ns: &str, out: &mut Writer) {
        out.open("candidate", ns)
            .attr("component", self.component.to_string());
        out.attr("foundation", &self.foundation);
        out.attr("generation", self.generation.to_string());
        out.opt_attr("id", self.id.as_ref());
        out.attr("ip", &self.ip)
            .opt_attr("network", self.network.as_ref());
        out.attr("port", self.port.to_string())
            .attr("priority", self.priority.to_string());
        out.attr("protocol", &self.protocol)
            .opt_attr("rel-addr", self.related_address.as_ref());
        out.opt_attr("rel-port", self.related_port.map(|port| port.to_string()));
        out.opt_attr("tcptype", self.tcp_type.as_ref())
            .attr("type", &self.kind);
        out.close();
    }
}

/// The namespace of XEP-0176.
pub const NS: &str = "urn:xmpp:jingle:transports:ice-udp:1";

/// The namespace of XEP-0371.
pub const NS_ICE: &str = "urn:xmpp:jingle:transports:ice:0";

/// Conversations' way to say `a=ice-options`: an empty element named after each.
pub const NS_OPTION: &str = "http://gultsch.de/xmpp/drafts/jingle/transports/ice-udp/option";

/// Options that are written: element names must be ours.
const OPTIONS: &[&str] = &["trickle", "renomination", "ice2"];
