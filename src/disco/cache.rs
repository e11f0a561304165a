use std::collections::HashMap;
use std::sync::Arc;

use super::NS_INFO;
use super::caps::{Caps, FORM_TYPE, NS_DATA};
use crate::web::Media;
use crate::xml::Element;

/// What a client can do, as far as calls are concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Media it takes in Jingle calls; none for a client that takes no calls.
    pub media: Media,
    /// Whether it speaks Jingle Message Initiation (XEP-0353).
    pub message_initiation: bool,
    /// The software's name, by which dialects are chosen: of its first identity, or of XEP-0232.
    pub name: String,
}

/// What stands behind the caps of others.
///
/// Only what was verified is in it. When it is full, what was not seen for longest makes room.
#[derive(Debug)]
pub struct Cache {
    known: HashMap<Arc<Caps>, Known>,
    most: usize,
    clock: u64,
}

#[derive(Debug)]
struct Known {
    abilities: Abilities,
    /// When it was last seen, in ticks of the cache's own clock.
    seen: u64,
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
            .filter(|child| child.is("identity", NS_INFO))
            .find_map(|identity| identity.attr("name").filter(|name| !name.is_empty()))
            .map(str::to_owned)
            .or_else(|| software(query))
            .unwrap_or_default();
        Self {
            media,
            message_initiation: has("urn:xmpp:jingle-message:0"),
            name: name.chars().take(MAX_NAME).collect(),
        }
    }
}

/// Name and version of the software, XEP-0232 §2.
fn software(query: Element<'_>) -> Option<String> {
    let field = |form: Element<'_>, var: &str| {
        let field = form
            .children()
            .find(|f| f.is("field", NS_DATA) && f.attr("var") == Some(var))?;
        Some(field.child("value", NS_DATA)?.text().into_owned())
    };
    query
        .children()
        .filter(|x| x.is("x", NS_DATA))
        .filter(|x| field(*x, FORM_TYPE).as_deref() == Some(NS_SOFTWARE))
        .find_map(|x| {
            let version = field(x, "software_version").unwrap_or_default();
            Some(
                format!("{} {version}", field(x, "software")?)
                    .trim()
                    .to_owned(),
            )
        })
}

impl Cache {
    /// An empty cache with room for so many.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            known: HashMap::new(),
            most: most.max(1),
            clock: 0,
        }
    }

    /// What stands behind these caps, if it is known.
    #[must_use]
    pub fn get(&self, caps: &Caps) -> Option<&Abilities> {
        self.known.get(caps).map(|known| &known.abilities)
    }

    /// Somebody has these caps. True if it is known what stands behind them.
    pub fn seen(&mut self, caps: &Caps) -> bool {
        self.clock += 1;
        let Some(known) = self.known.get_mut(caps) else {
            return false;
        };
        known.seen = self.clock;
        true
    }

    /// Remembers what was verified before. Returns those that had to make room.
    pub fn insert(&mut self, caps: Arc<Caps>, abilities: Abilities) -> Vec<Arc<Caps>> {
        let full = self.known.len() >= self.most && !self.known.contains_key(&caps);
        let gone = if full { self.make_room() } else { Vec::new() };
        self.clock += 1;
        let seen = self.clock;
        self.known.insert(caps, Known { abilities, seen });
        gone
    }

    /// How many are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Drops the eighth that was not seen for longest.
    fn make_room(&mut self) -> Vec<Arc<Caps>> {
        let mut ages: Vec<u64> = self.known.values().map(|known| known.seen).collect();
        let nth = (ages.len() / 8).min(ages.len().saturating_sub(1));
        let oldest = *ages.select_nth_unstable(nth).1;
        let is_old = |known: &Known| known.seen <= oldest;
        let gone = self.known.iter().filter(|(_, known)| is_old(known));
        let gone: Vec<Arc<Caps>> = gone.map(|(caps, _)| Arc::clone(caps)).collect();
        self.known.retain(|_, known| !is_old(known));
        gone
    }
}

/// XEP-0232 §2.
const NS_SOFTWARE: &str = "urn:xmpp:dataforms:softwareinfo";
/// Characters of a client's name.
const MAX_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disco::Scheme;
    use crate::xml::{Document, Limits};

    fn caps(n: usize) -> Arc<Caps> {
        Arc::new(Caps::new(Scheme::V1, "n", "sha-1", &n.to_string()))
    }

    #[test]
    fn ten_thousand_distinct_hashes_and_those_in_use_stay() {
        let mut cache = Cache::new(10_000);
        let mut gone = 0;
        for n in 0..50_000 {
            gone += cache.insert(caps(n), Abilities::default()).len();
            // A client that everybody has.
            assert!(n == 0 || cache.seen(&caps(0)), "at {n}");
            assert!(cache.len() <= 10_000);
        }
        assert_eq!(gone + cache.len(), 50_000);
        assert!(cache.get(&caps(49_999)).is_some() && cache.get(&caps(1)).is_none());
    }

    #[test]
    fn the_hash_counts_and_not_who_has_it() {
        let mut cache = Cache::new(2);
        let other = Caps::new(Scheme::V1, "other", "sha-1", "0");
        cache.insert(caps(0), Abilities::default());
        assert!(cache.seen(&other));
        assert!(!cache.seen(&Caps::new(Scheme::V2, "n", "sha-1", "0")));
        assert!(!cache.seen(&Caps::new(Scheme::V1, "n", "sha-256", "0")));
    }

    #[test]
    fn software_names_itself() {
        let xml = include_str!("../../tests/caps/xep-0115-complex.xml");
        let unnamed = xml
            .replace("name='Psi 0.11'", "")
            .replace("name='Ψ 0.11'", "");
        for xml in [xml, &unnamed] {
            let query = Document::parse(xml.as_bytes(), "", &Limits::default()).unwrap();
            assert_eq!(Abilities::read(query.root()).name, "Psi 0.11");
        }
    }
}
