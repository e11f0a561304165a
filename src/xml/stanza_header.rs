//! Who sent a stanza, to whom and which: what its start tag says.

use quick_xml::events::BytesStart;

use super::Element;

/// The attributes common to all stanzas, RFC 6120 §8.1. Values are as sent, unchecked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StanzaHeader {
    /// Which stanza it is; `None` if it is none that RFC 6120 §8.2 knows.
    pub kind: Option<StanzaKind>,
    /// Sender.
    pub from: Option<String>,
    /// Receiver.
    pub to: Option<String>,
    /// Identifier.
    pub id: Option<String>,
    /// Type.
    pub kind_type: Option<String>,
}

/// The three stanzas of RFC 6120 §8.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StanzaKind {
    /// `<message/>`, push.
    Message,
    /// `<presence/>`, publish and subscribe.
    Presence,
    /// `<iq/>`, request and response.
    Iq,
}

impl StanzaKind {
    /// By element name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "message" => Some(Self::Message),
            "presence" => Some(Self::Presence),
            "iq" => Some(Self::Iq),
            _ => None,
        }
    }

    /// The element name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Presence => "presence",
            Self::Iq => "iq",
        }
    }
}

impl StanzaHeader {
    /// Reads what can be read of a stanza's start tag, which may be cut off.
    pub(super) fn read(stanza: &[u8]) -> Self {
        let mut header = Self::default();
        let (name, tag) = start_tag(stanza);
        header.kind = StanzaKind::from_name(name);
        for attribute in BytesStart::from_content(tag, name.len())
            .attributes()
            .map_while(Result::ok)
        {
            let slot = match attribute.key.as_ref() {
                "from" => &mut header.from,
                "to" => &mut header.to,
                "id" => &mut header.id,
                "type" => &mut header.kind_type,
                _ => continue,
            };
            *slot = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .ok()
                .map(std::borrow::Cow::into_owned);
        }
        header
    }

    /// The header of a stanza that was read.
    #[must_use]
    pub fn of(stanza: Element<'_>) -> Self {
        let attr = |name| stanza.attr(name).map(str::to_owned);
        Self {
            kind: StanzaKind::from_name(stanza.name()),
            from: attr("from"),
            to: attr("to"),
            id: attr("id"),
            kind_type: attr("type"),
        }
    }
}

/// Name and content (name and attributes) of the start tag that `bytes` begin with.
pub(super) fn start_tag(bytes: &[u8]) -> (&str, &str) {
    let valid = match std::str::from_utf8(bytes) {
        Ok(valid) => valid,
        Err(error) => bytes
            .get(..error.valid_up_to())
            .and_then(|valid| std::str::from_utf8(valid).ok())
            .unwrap_or_default(),
    };
    let valid = valid.strip_prefix('<').unwrap_or(valid);
    let mut quote = None;
    let end = valid.bytes().position(|b| match (quote, b) {
        (None, b'>') => true,
        (None, b'\'' | b'"') => {
            quote = Some(b);
            false
        }
        (Some(q), b) if q == b => {
            quote = None;
            false
        }
        _ => false,
    });
    let content = valid.get(..end.unwrap_or(valid.len())).unwrap_or_default();
    let content = content.strip_suffix('/').unwrap_or(content);
    let name = content
        .split([' ', '\t', '\r', '\n'])
        .next()
        .unwrap_or_default();
    (name, content)
}
