use data_encoding::BASE64;
use xmpp_parsers::caps::{compute_disco, hash_caps};
use xmpp_parsers::disco::DiscoInfoResult;
use xmpp_parsers::hashes::Algo;
use xmpp_parsers::minidom;

use super::{NS_INFO, NS_ITEMS};
use crate::web::{self, Media};
use crate::xml::Writer;

/// What one kind of our addresses answers to disco#info.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    category: &'static str,
    kind: &'static str,
    features: Vec<&'static str>,
    ver: String,
}

impl Profile {
    /// The service itself. `ice`: it hands out STUN and TURN servers (XEP-0215).
    #[must_use]
    pub fn service(ice: bool) -> Self {
        let mut features = vec![NS_INFO, NS_ITEMS, NS_PING, web::NS];
        if ice {
            features.push(NS_EXTDISCO);
        }
        Self::new("gateway", "xmpp", features)
    }

    /// The gateway address of a person who can take these media.
    ///
    /// `urn:ietf:rfc:3264` is left out on purpose: clients that see it stop to trickle.
    #[must_use]
    pub fn person(media: Media) -> Self {
        let mut features = vec![NS_INFO, NS_PING, web::NS, NS_CAPS];
        if !media.is_empty() {
            features.extend(CALL_FEATURES);
            features.extend(media.audio.then_some(NS_RTP_AUDIO));
            features.extend(media.video.then_some(NS_RTP_VIDEO));
        }
        Self::new("client", "web", features)
    }

    /// Writes the children of the `<query/>` of a disco#info result.
    pub fn write_info(&self, writer: &mut Writer) {
        writer
            .open("identity", NS_INFO)
            .attr("category", self.category);
        writer.attr("type", self.kind).attr("name", NAME).close();
        for feature in &self.features {
            writer.open("feature", NS_INFO).attr("var", feature).close();
        }
    }

    fn new(category: &'static str, kind: &'static str, features: Vec<&'static str>) -> Self {
        let mut profile = Self {
            category,
            kind,
            features,
            ver: String::new(),
        };
        profile.ver = profile.verification();
        profile
    }

    /// The verification string of XEP-0115 §5.1, with SHA-1 as that section asks for.
    #[must_use]
    pub fn ver(&self) -> &str {
        &self.ver
    }

    fn verification(&self) -> String {
        let mut writer = Writer::new("");
        writer.open("query", NS_INFO);
        self.write_info(&mut writer);
        writer
            .finish()
            .parse::<minidom::Element>()
            .ok()
            .and_then(|query| DiscoInfoResult::try_from(query).ok())
            .and_then(|info| hash_caps(&compute_disco(&info), Algo::Sha_1).ok())
            .map(|hash| BASE64.encode(&hash.hash))
            .unwrap_or_default()
    }

    /// Writes `<c/>` for a presence.
    pub fn write_caps(&self, writer: &mut Writer) {
        writer.open("c", NS_CAPS).attr("hash", "sha-1");
        writer
            .attr("node", CAPS_NODE)
            .attr("ver", self.ver())
            .close();
    }

    /// Whether disco#info at `node` asks for what stands behind our caps.
    #[must_use]
    pub fn answers(&self, node: &str) -> bool {
        node.strip_prefix(CAPS_NODE)
            .and_then(|rest| rest.strip_prefix('#'))
            .is_some_and(|ver| ver == self.ver)
    }
}

/// Writes `<features/>`: what the caps of a device list whose calls are carried. The app leaves out
/// the media that it does not take.
pub fn write_call_features(writer: &mut Writer) {
    writer.open("features", web::NS);
    for feature in CALL_FEATURES
        .into_iter()
        .chain([NS_RTP_AUDIO, NS_RTP_VIDEO])
    {
        writer.open("feature", web::NS).attr("var", feature).close();
    }
    writer.close();
}

/// XEP-0115 §4.
const NS_CAPS: &str = "http://jabber.org/protocol/caps";
/// The name of the identities.
const NAME: &str = "Campana";
/// The URI of the software, XEP-0115 §4.
const CAPS_NODE: &str = "urn:x-campana:caps";
/// XEP-0199.
const NS_PING: &str = "urn:xmpp:ping";
/// XEP-0215.
const NS_EXTDISCO: &str = "urn:xmpp:extdisco:2";
/// XEP-0167 §11.
const NS_RTP_AUDIO: &str = "urn:xmpp:jingle:apps:rtp:audio";
const NS_RTP_VIDEO: &str = "urn:xmpp:jingle:apps:rtp:video";
/// What IM clients look for before they show a call button.
const CALL_FEATURES: [&str; 10] = [
    "urn:xmpp:jingle:1",
    "urn:xmpp:jingle:apps:rtp:1",
    "urn:xmpp:jingle:apps:rtp:rtcp-fb:0",
    "urn:xmpp:jingle:apps:rtp:rtp-hdrext:0",
    "urn:xmpp:jingle:apps:dtls:0",
    "urn:xmpp:jingle:transports:ice-udp:1",
    "urn:xmpp:jingle:apps:grouping:0",
    "urn:ietf:rfc:5888",
    "urn:ietf:rfc:5576",
    "urn:xmpp:jingle-message:0",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_differ_by_media_and_name_their_own_answer() {
        let (audio, both) = (Profile::person(Media::AUDIO), Profile::person(Media::BOTH));
        assert_ne!(audio.ver(), both.ver());
        assert!(audio.answers(&format!("{CAPS_NODE}#{}", audio.ver())));
        assert!(!audio.answers(&format!("{CAPS_NODE}#{}", both.ver())));
        assert!(!audio.answers(""));
    }

    #[test]
    fn a_person_who_can_take_nothing_is_not_callable() {
        let mut writer = Writer::new(NS_INFO);
        Profile::person(Media::default()).write_info(&mut writer);
        assert!(!writer.finish().contains("jingle"));
    }
}
