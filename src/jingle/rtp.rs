//! `<description/>` of RTP sessions: XEP-0167 §4.

use std::borrow::Cow;
use std::fmt;

use crate::xml::{Element, Writer};

use super::hdrext::HeaderExtension;
use super::rtcp_fb::Feedback;
use super::ssma::{Source, SourceGroup};
use super::{Error, Limits, category, hdrext, keep, rtcp_fb, ssma};

/// An RTP session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// `audio`, `video`, …
    pub media: String,
    /// A hint at the source, JSXC and stanza write it.
    pub ssrc: Option<u32>,
    /// In order of preference.
    pub payloads: Vec<Payload>,
    /// `<rtcp-mux/>` (XEP-0167 §4).
    pub rtcp_mux: bool,
    /// `<rtcp-reduced-size/>`, which stanza writes and no XEP defines.
    pub rtcp_reduced_size: bool,
    /// SDES (§7.2).
    pub encryption: Option<Encryption>,
    /// The XEP's schema allows one.
    pub bandwidths: Vec<Bandwidth>,
    /// XEP-0293, for every payload type.
    pub feedback: Vec<Feedback>,
    /// XEP-0294.
    pub header_extensions: Vec<HeaderExtension>,
    /// XEP-0294.
    pub extmap_allow_mixed: bool,
    /// XEP-0339.
    pub sources: Vec<Source>,
    /// XEP-0339.
    pub source_groups: Vec<SourceGroup>,
    /// Stream and track, as stanza writes them beside the sources.
    pub streams: Vec<Stream>,
    /// XEP-0507.
    pub categories: Vec<String>,
    /// Movim writes these here.
    pub ptime: Option<String>,
    /// Movim writes these here.
    pub max_ptime: Option<String>,
    /// Names of elements in it that could not be read, each once.
    pub skipped: Vec<&'static str>,
}

/// `<payload-type/>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// 0 to 127.
    pub id: u8,
    /// May be absent for static ids.
    pub name: Option<String>,
    /// Hz. May be absent for static ids.
    pub clock_rate: Option<u32>,
    /// 1 when absent.
    pub channels: Option<u32>,
    /// Milliseconds.
    pub ptime: Option<String>,
    /// Milliseconds.
    pub max_ptime: Option<String>,
    /// Of the format.
    pub parameters: Vec<Parameter>,
    /// XEP-0293.
    pub feedback: Vec<Feedback>,
}

/// `<parameter/>`, in several namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// May be empty.
    pub name: String,
    /// Required by XEP-0167, optional in the others and missing in the wild.
    pub value: Option<String>,
}

/// `<bandwidth/>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// `AS`, `TIAS`, …
    pub kind: String,
    /// As written.
    pub value: String,
}

/// `<encryption/>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encryption {
    /// Whether plain RTP is out of the question.
    pub required: bool,
    /// The choices.
    pub cryptos: Vec<Crypto>,
}

/// `<crypto/>`: keys in the clear. `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct Crypto {
    /// `AES_CM_128_HMAC_SHA1_80`, …
    pub suite: String,
    /// `inline:…`.
    pub key_params: String,
    /// Whatever else.
    pub session_params: Option<String>,
    /// Names the choice in the answer.
    pub tag: String,
}

/// `<stream xmlns='urn:xmpp:jingle:apps:rtp:msid:0'/>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The stream.
    pub id: String,
    /// The track.
    pub track: Option<String>,
}

impl Description {
    /// Reads `<description/>`. Payload types without a usable number are skipped.
    ///
    /// # Errors
    /// When there are too many payload types.
    pub fn from_xml(element: Element<'_>, limits: &Limits) -> Result<Self, Error> {
        let mut description = Self {
            media: element.attr("media").unwrap_or_default().to_owned(),
            ssrc: element
                .attr("ssrc")
                .and_then(|ssrc| ssrc.trim().parse().ok()),
            ptime: element.attr("ptime").map(str::to_owned),
            max_ptime: element.attr("maxptime").map(str::to_owned),
            ..Self::default()
        };
        let skipped = &mut description.skipped;
        for child in element.children() {
            match (child.name(), child.ns()) {
                ("payload-type", NS) => {
                    if description.payloads.len() >= limits.payloads {
                        return Err(Error::TooManyPayloads(limits.payloads));
                    }
                    let into = &mut description.payloads;
                    keep(Payload::from_xml(child), into, "payload-type", skipped);
                }
                ("rtcp-mux", NS) => description.rtcp_mux = true,
                ("rtcp-reduced-size", NS) => description.rtcp_reduced_size = true,
                ("encryption", NS) => description.encryption = Some(Encryption::from_xml(child)),
                ("bandwidth", NS) => {
                    let into = &mut description.bandwidths;
                    keep(Bandwidth::from_xml(child), into, "bandwidth", skipped);
                }
                ("rtp-hdrext", hdrext::NS) => {
                    let into = &mut description.header_extensions;
                    keep(
                        HeaderExtension::from_xml(child),
                        into,
                        "rtp-hdrext",
                        skipped,
                    );
                }
                // Monal writes it in XEP-0167's namespace.
                ("extmap-allow-mixed", hdrext::NS | NS) => description.extmap_allow_mixed = true,
                ("source", ssma::NS) => {
                    let into = &mut description.sources;
                    keep(Source::from_xml(child), into, "source", skipped);
                }
                ("ssrc-group", ssma::NS) => {
                    let into = &mut description.source_groups;
                    keep(SourceGroup::from_xml(child), into, "ssrc-group", skipped);
                }
                ("stream", NS_MSID) => description.streams.extend(Stream::from_xml(child)),
                ("category", category::NS) => {
                    description.categories.extend(category::from_xml(child));
                }
                (_, rtcp_fb::NS) => {
                    let into = &mut description.feedback;
                    keep(Feedback::from_xml(child), into, "rtcp-fb", skipped);
                }
                _ => {}
            }
        }
        Ok(description)
    }

    /// Writes `<description/>`, in the order of the XEP's schema.
    pub fn write(&self, out: &mut Writer) {
        out.open("description", NS).attr("media", &self.media);
        out.opt_attr("ssrc", self.ssrc.map(|ssrc| ssrc.to_string()));
        for payload in &self.payloads {
            payload.write(out);
        }
        if self.rtcp_mux {
            out.open("rtcp-mux", NS).close();
        }
        if let Some(encryption) = &self.encryption {
            encryption.write(out);
        }
        for bandwidth in &self.bandwidths {
            bandwidth.write(NS, out);
        }
        if self.rtcp_reduced_size {
            out.open("rtcp-reduced-size", NS).close();
        }
        for feedback in &self.feedback {
            feedback.write(out);
        }
        for extension in &self.header_extensions {
            extension.write(out);
        }
        if self.extmap_allow_mixed {
            out.open("extmap-allow-mixed", hdrext::NS).close();
        }
        for source in &self.sources {
            source.write(out);
        }
        for group in &self.source_groups {
            group.write(out);
        }
        for stream in &self.streams {
            out.open("stream", NS_MSID).attr("id", &stream.id);
            out.opt_attr("track", stream.track.as_ref()).close();
        }
        for name in &self.categories {
            category::write(name, out);
        }
        out.close();
    }
}

impl Payload {
    fn from_xml(element: Element<'_>) -> Option<Self> {
        let number = |name| element.attr(name).and_then(|text| text.trim().parse().ok());
        let id: u8 = element
            .attr("id")?
            .trim()
            .parse()
            .ok()
            .filter(|id| *id <= 127)?;
        let mut payload = Self {
            id,
            name: element
                .attr("name")
                .filter(|name| !name.is_empty())
                .map(str::to_owned),
            clock_rate: number("clockrate"),
            channels: number("channels"),
            ptime: element.attr("ptime").map(str::to_owned),
            max_ptime: element.attr("maxptime").map(str::to_owned),
            ..Self::default()
        };
        for child in element.children() {
            match (child.name(), child.ns()) {
                ("parameter", NS) => payload.parameters.push(Parameter::from_xml(child)),
                (_, rtcp_fb::NS) => payload.feedback.extend(Feedback::from_xml(child)),
                _ => {}
            }
        }
        Some(payload)
    }

    fn write(&self, out: &mut Writer) {
        out.open("payload-type", NS);
        // One channel is the default and goes unsaid.
        let channels = self.channels.filter(|channels| *channels != 1);
        out.opt_attr("channels", channels.map(|channels| channels.to_string()));
        out.opt_attr("clockrate", self.clock_rate.map(|rate| rate.to_string()));
        out.attr("id", self.id.to_string());
        out.opt_attr("maxptime", self.max_ptime.as_ref());
        out.opt_attr("name", self.name.as_ref());
        out.opt_attr("ptime", self.ptime.as_ref());
        for parameter in &self.parameters {
            // The schema wants both attributes, and Conversations throws without a value.
            out.open("parameter", NS).attr("name", &parameter.name);
            out.attr("value", parameter.value.as_deref().unwrap_or_default())
                .close();
        }
        for feedback in &self.feedback {
            feedback.write(out);
        }
        out.close();
    }
}

impl Parameter {
    /// A parameter with a value.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: Some(value.into()),
        }
    }

    /// As SDP joins them: `name=value`, or the name alone.
    pub fn joined(&self) -> Cow<'_, str> {
        match self.value.as_deref() {
            Some(value) if !value.is_empty() => format!("{}={value}", self.name).into(),
            _ => self.name.as_str().into(),
        }
    }

    /// Reads `<parameter/>` of any namespace.
    pub fn from_xml(element: Element<'_>) -> Self {
        Self {
            name: element.attr("name").unwrap_or_default().to_owned(),
            value: element.attr("value").map(str::to_owned),
        }
    }

    /// Writes `<parameter/>` in a namespace whose schema does not demand a value.
    pub fn write(&self, ns: &str, out: &mut Writer) {
        out.open("parameter", ns).attr("name", &self.name);
        out.opt_attr("value", self.value.as_ref()).close();
    }
}

impl Bandwidth {
    /// Reads `<bandwidth/>`; `None` when it says nothing.
    pub(super) fn from_xml(element: Element<'_>) -> Option<Self> {
        let text = element.text();
        // Movim writes an attribute.
        let value = Some(text.trim())
            .filter(|text| !text.is_empty())
            .or_else(|| element.attr("value"))?
            .to_owned();
        Some(Self {
            kind: element.attr("type")?.to_owned(),
            value,
        })
    }

    /// Writes `<bandwidth/>` in that namespace.
    pub(super) fn write(&self, ns: &str, out: &mut Writer) {
        out.open("bandwidth", ns).attr("type", &self.kind);
        out.text(&self.value).close();
    }
}

impl Encryption {
    fn from_xml(element: Element<'_>) -> Self {
        Self {
            required: matches!(element.attr("required"), Some("1" | "true")),
            cryptos: element
                .children()
                .filter(|child| child.is("crypto", NS))
                .filter_map(Crypto::from_xml)
                .collect(),
        }
    }

    fn write(&self, out: &mut Writer) {
        out.open("encryption", NS);
        out.opt_attr("required", self.required.then_some("1"));
        for crypto in &self.cryptos {
            out.open("crypto", NS).attr("crypto-suite", &crypto.suite);
            out.attr("key-params", &crypto.key_params);
            out.opt_attr("session-params", crypto.session_params.as_ref());
            out.attr("tag", &crypto.tag).close();
        }
        out.close();
    }
}

impl Crypto {
    fn from_xml(element: Element<'_>) -> Option<Self> {
        Some(Self {
            suite: element.attr("crypto-suite")?.to_owned(),
            key_params: element.attr("key-params")?.to_owned(),
            session_params: element.attr("session-params").map(str::to_owned),
            tag: element.attr("tag").unwrap_or("1").to_owned(),
        })
    }
}

impl fmt::Debug for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crypto")
            .field("tag", &self.tag)
            .field("suite", &self.suite)
            .finish()
    }
}

impl Stream {
    fn from_xml(element: Element<'_>) -> Option<Self> {
        Some(Self {
            id: element.attr("id").filter(|id| !id.is_empty())?.to_owned(),
            track: element
                .attr("track")
                .filter(|track| !track.is_empty())
                .map(str::to_owned),
        })
    }
}

/// The namespace of XEP-0167.
pub const NS: &str = "urn:xmpp:jingle:apps:rtp:1";

/// The namespace of errors that XEP-0167 adds: `<crypto-required/>`.
pub const NS_ERRORS: &str = "urn:xmpp:jingle:apps:rtp:errors:1";

const NS_MSID: &str = "urn:xmpp:jingle:apps:rtp:msid:0";
