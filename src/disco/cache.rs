use std::collections::HashMap;

use data_encoding::BASE64;
use xmpp_parsers::caps::{compute_disco, hash_caps};
use xmpp_parsers::disco::DiscoInfoResult;
use xmpp_parsers::hashes::Algo;
use xmpp_parsers::minidom;

use super::NS_INFO;
use crate::web::Media;
use crate::xml::Element;

/// What a client can do, as far as calls are concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Media it takes in Jingle calls; none for a client that takes no calls.
    pub media: Media,
    /// Whether it speaks Jingle Message Initiation (XEP-0353).
    pub message_initiation: bool,
    /// The name of its first identity, by which dialects are chosen.
    pub name: String,
}

/// What stands behind the caps of others, by hash function and verification string.
#[derive(Debug, Default)]
pub struct Cache {
    known: HashMap<(String, String), Abilities>,
}

impl Abilities {
    /// Reads the `<query/>` of a disco#info result.
    #[must_use]
    pub fn read(query: Element<'_>) -> Self {
        let has = |var: &str| {
            query
                .children()
                .any(|f| f.is("feature", NS_INFO) && f.attr("var") == Some(var))
        };
        let calls = has("urn:xmpp:jingle:1")
            && has("urn:xmpp:jingle:apps:rtp:1")
            && has("urn:xmpp:jingle:transports:ice-udp:1");
        let media = Media {
            audio: calls && has("urn:xmpp:jingle:apps:rtp:audio"),
            video: calls && has("urn:xmpp:jingle:apps:rtp:video"),
        };
        let name = query
            .children()
            .find(|child| child.is("identity", NS_INFO))
            .and_then(|identity| identity.attr("name"))
            .unwrap_or_default();
        Self {
            media,
            message_initiation: has("urn:xmpp:jingle-message:0"),
            name: name.chars().take(MAX_NAME).collect(),
        }
    }
}

impl Cache {
    /// What stands behind these caps, if it is known.
    #[must_use]
    pub fn get(&self, hash: &str, ver: &str) -> Option<&Abilities> {
        self.known.get(&(hash.to_owned(), ver.to_owned()))
    }

    /// Takes the answer of a client that says to have these caps, and returns what it can do.
    /// Only if the hash is right the answer is remembered for everybody with the same caps.
    pub fn learn(&mut self, hash: &str, ver: &str, query: Element<'_>) -> Abilities {
        let abilities = Abilities::read(query);
        if is_hash_of(hash, ver, query) {
            if self.known.len() >= MAX_KNOWN {
                self.known.clear();
            }
            self.known
                .insert((hash.to_owned(), ver.to_owned()), abilities.clone());
        }
        abilities
    }
}

/// XEP-0115 §5.4: whether `ver` is what the hash of the answer gives.
fn is_hash_of(hash: &str, ver: &str, query: Element<'_>) -> bool {
    let algorithm = match hash {
        "sha-1" => Algo::Sha_1,
        "sha-256" => Algo::Sha_256,
        _ => return false,
    };
    let Ok(query) = query.to_xml().parse::<minidom::Element>() else {
        return false;
    };
    let Ok(info) = DiscoInfoResult::try_from(query) else {
        return false;
    };
    hash_caps(&compute_disco(&info), algorithm)
        .is_ok_and(|computed| BASE64.encode(&computed.hash) == ver)
}

/// Distinct caps remembered; a busy server sees a few hundred.
const MAX_KNOWN: usize = 4_000;
/// Characters of a client's name.
const MAX_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disco::Profile;
    use crate::xml::{Document, Limits, Writer};

    fn answer(profile: &Profile) -> Document {
        let mut writer = Writer::new("");
        writer.open("query", NS_INFO);
        profile.write_info(&mut writer);
        Document::parse(writer.finish().as_bytes(), "", &Limits::default()).unwrap()
    }

    #[test]
    fn a_right_hash_is_remembered() {
        let profile = Profile::person(Media::AUDIO);
        let mut cache = Cache::default();
        let learned = cache.learn("sha-1", profile.ver(), answer(&profile).root());
        assert_eq!(learned.media, Media::AUDIO);
        assert!(learned.message_initiation);
        assert_eq!(cache.get("sha-1", profile.ver()), Some(&learned));
    }

    #[test]
    fn a_wrong_hash_is_believed_of_its_sender_only() {
        let mut cache = Cache::default();
        let profile = Profile::person(Media::BOTH);
        let victim = profile.ver();
        let poison = answer(&Profile::person(Media::default()));
        assert_eq!(
            cache.learn("sha-1", victim, poison.root()).media,
            Media::default()
        );
        assert_eq!(cache.get("sha-1", victim), None);
    }
}
