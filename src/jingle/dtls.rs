//! `<fingerprint/>`: XEP-0320.

use crate::xml::{Element, Writer};

/// The fingerprint of a certificate, and who starts DTLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// `sha-256`, …
    pub hash: String,
    /// `actpass`, `active`, `passive`, `holdconn`.
    pub setup: Option<String>,
    /// Pairs of hex digits with colons.
    pub value: String,
}

impl Fingerprint {
    /// Reads `<fingerprint/>`. Monal writes an empty `hash` for one it does not know; such a
    /// fingerprint counts as absent. Blanks and line ends inside the value are layout.
    pub fn from_xml(element: Element<'_>) -> Option<Self> {
        let hash = element.attr("hash")?.trim().to_ascii_lowercase();
        let mut value = element.text().into_owned();
        value.retain(|c| !c.is_whitespace());
        value.make_ascii_uppercase();
        let setup = element.attr("setup").map(str::to_owned);
        (!hash.is_empty() && !value.is_empty()).then_some(Self { hash, setup, value })
    }

    /// Writes `<fingerprint/>`.
    pub fn write(&self, out: &mut Writer) {
        out.open("fingerprint", NS).attr("hash", &self.hash);
        out.opt_attr("setup", self.setup.as_ref());
        out.text(&self.value).close();
    }
}

/// The namespace of XEP-0320.
pub const NS: &str = "urn:xmpp:jingle:apps:dtls:0";

/// A fingerprint signed with OMEMO (Conversations, Dino). Nobody but the two devices can read or
/// make one.
pub const NS_OMEMO: &str = "http://gultsch.de/xmpp/drafts/omemo/dlts-srtp-verification";
