use super::caps::{Caps, NS_CAPS, NS_ECAPS2, NS_HASHES, Scheme};
use super::{NS_INFO, NS_ITEMS};
use crate::web::{self, Media};
use crate::xml::{Document, Limits, Writer};

/// What kind of client a person is called at, by its name in the registry of disco identities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientType {
    /// An IM client.
    Phone,
    /// A browser app, or nothing yet.
    #[default]
    Web,
}

impl ClientType {
    fn name(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Web => "web",
        }
    }
}

/// What one kind of our addresses answers to disco#info.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    category: &'static str,
    kind: &'static str,
    features: Vec<&'static str>,
    /// By XEP-0115, with SHA-1 as its §5.1 asks for, and by XEP-0390.
    caps: Vec<Caps>,
}

impl Profile {
    /// The service itself. `ice`: it hands out STUN and TURN servers (XEP-0215).
    #[must_use]
    pub fn service(ice: bool) -> Self {
        let mut features = vec![NS_INFO, NS_ITEMS, NS_PING, NS_COMMANDS, web::NS];
        if ice {
            features.extend([NS_EXTDISCO, NS_EXTDISCO_OLD]);
        }
        Self::new("gateway", "xmpp", features)
    }

    /// The gateway address of a person who can take these media, at such a client.
    ///
    /// `urn:ietf:rfc:3264` is left out on purpose: clients that see it stop to trickle.
    #[must_use]
    pub fn person(media: Media, client: ClientType) -> Self {
        let mut features = vec![NS_INFO, NS_PING, web::NS, NS_CAPS, NS_ECAPS2, NS_VCARD];
        features.extend(NOTIFIED);
        if !media.is_empty() {
            features.extend(CALL_FEATURES);
            features.extend(media.audio.then_some(NS_RTP_AUDIO));
            features.extend(media.video.then_some(NS_RTP_VIDEO));
        }
        Self::new("client", client.name(), features)
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
            caps: Vec::new(),
        };
        let mut writer = Writer::new("");
        writer.open("query", NS_INFO);
        profile.write_info(&mut writer);
        if let Ok(query) = Document::parse(writer.finish().as_bytes(), "", &Limits::default()) {
            let of = |scheme, algorithm| Caps::of(scheme, CAPS_NODE, algorithm, query.root());
            profile.caps = vec![of(Scheme::V1, "sha-1"), of(Scheme::V2, "sha-256")];
        }
        profile
    }

    /// Writes the `<c/>` of both XEPs for a presence.
    pub fn write_caps(&self, writer: &mut Writer) {
        for caps in &self.caps {
            match caps.scheme {
                Scheme::V1 => {
                    writer.open("c", NS_CAPS).attr("hash", caps.algorithm());
                    writer.attr("node", CAPS_NODE).attr("ver", caps.hash());
                }
                Scheme::V2 => {
                    writer.open("c", NS_ECAPS2).open("hash", NS_HASHES);
                    writer.attr("algo", caps.algorithm());
                    writer.text(caps.hash()).close();
                }
            }
            writer.close();
        }
    }

    /// Whether disco#info at `node` asks for what stands behind our caps.
    #[must_use]
    pub fn answers(&self, node: &str) -> bool {
        self.caps.iter().any(|caps| caps.query_node() == node)
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

/// The name of the identities.
const NAME: &str = "Campana";
/// The URI of the software, XEP-0115 §4.
const CAPS_NODE: &str = "urn:x-campana:caps";
/// XEP-0199.
const NS_PING: &str = "urn:xmpp:ping";
/// XEP-0050 §2.
const NS_COMMANDS: &str = "http://jabber.org/protocol/commands";
/// XEP-0215, and its first namespace.
const NS_EXTDISCO: &str = "urn:xmpp:extdisco:2";
const NS_EXTDISCO_OLD: &str = "urn:xmpp:extdisco:1";
/// XEP-0054 §4.
const NS_VCARD: &str = "vcard-temp";
/// XEP-0163 §4.2: what servers are to tell a person's gateway address of her contacts, which is passed
/// on to her.
const NOTIFIED: [&str; 2] = [
    "urn:xmpp:avatar:metadata+notify",
    "http://jabber.org/protocol/nick+notify",
];
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
        let person = |media| Profile::person(media, ClientType::Web);
        let (audio, both) = (person(Media::AUDIO), person(Media::BOTH));
        assert_ne!(audio.caps, both.caps);
        assert_eq!(audio.caps.len(), 2);
        for (own, other) in audio.caps.iter().zip(&both.caps) {
            assert!(audio.answers(&own.query_node()));
            assert!(!audio.answers(&other.query_node()));
        }
        assert!(!audio.answers(""));
    }

    #[test]
    fn a_person_who_can_take_nothing_is_not_callable() {
        let mut writer = Writer::new(NS_INFO);
        Profile::person(Media::default(), ClientType::Web).write_info(&mut writer);
        assert!(!writer.finish().contains("jingle"));
    }
}
