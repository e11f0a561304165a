use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jid::{BareJid, FullJid};

use crate::disco::Caps;
use crate::web::{Device, Media};
use crate::xml::Element;

/// All people of whom something is known: their devices and who sees them.
#[derive(Debug)]
pub struct Registry {
    people: HashMap<BareJid, Person>,
    /// Whom each watcher sees: `watchers`, turned round.
    seen: HashMap<BareJid, BTreeSet<BareJid>>,
    /// Browser apps and other clients of all people.
    online: (usize, usize),
    devices_per_person: usize,
}

#[derive(Debug, Default)]
struct Person {
    /// Browser apps by resource.
    web: BTreeMap<String, Device>,
    /// Other clients by resource.
    clients: BTreeMap<String, Client>,
    /// Who is told when this person can be called.
    watchers: BTreeSet<BareJid>,
}

/// An IM client that is online.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// RFC 6121 §4.7.2.3.
    pub priority: i8,
    /// RFC 6121 §4.7.2.1.
    pub show: Show,
    /// What its presence says of its features.
    pub caps: Option<Arc<Caps>>,
}

/// RFC 6121 §4.7.2.1, in the order of willingness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Show {
    /// Wants to talk.
    Chat,
    /// No word of it.
    #[default]
    Available,
    /// Away for a while.
    Away,
    /// Away for long.
    Xa,
    /// Does not want to be disturbed.
    Dnd,
}

/// How a person can be called right now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Her browser apps.
    pub web: Vec<(FullJid, Device)>,
    /// Her other clients.
    pub clients: Vec<(FullJid, Client)>,
}

impl Registry {
    /// A registry that remembers at most this many devices of each person.
    #[must_use]
    pub fn new(devices_per_person: usize) -> Self {
        Self {
            people: HashMap::new(),
            seen: HashMap::new(),
            online: (0, 0),
            devices_per_person,
        }
    }

    /// A browser app announced itself. False when the person has too many devices.
    pub fn announce(&mut self, jid: &FullJid, device: Device) -> bool {
        let most = self.devices_per_person;
        let Some(person) = self.person(&jid.to_bare()) else {
            return false;
        };
        let resource = jid.resource().as_str();
        if person.web.len() >= most && !person.web.contains_key(resource) {
            return false;
        }
        let known = person.web.insert(resource.to_owned(), device);
        self.online.0 += usize::from(known.is_none());
        true
    }

    /// A browser app that announced itself.
    #[must_use]
    pub fn device(&self, jid: &FullJid) -> Option<Device> {
        self.people
            .get(&jid.to_bare())?
            .web
            .get(jid.resource().as_str())
            .copied()
    }

    /// How many browser apps, and how many other clients, are known.
    #[must_use]
    pub fn online(&self) -> (usize, usize) {
        self.online
    }

    /// All browser apps.
    pub fn devices(&self) -> impl Iterator<Item = FullJid> {
        self.people.iter().flat_map(|(person, data)| {
            data.web
                .keys()
                .filter_map(|resource| person.with_resource_str(resource).ok())
        })
    }

    /// A client is available. False when the person has too many.
    pub fn available(&mut self, jid: &FullJid, client: Client) -> bool {
        let most = self.devices_per_person;
        let Some(person) = self.person(&jid.to_bare()) else {
            return false;
        };
        let resource = jid.resource().as_str();
        if person.clients.len() >= most && !person.clients.contains_key(resource) {
            return false;
        }
        let known = person.clients.insert(resource.to_owned(), client);
        self.online.1 += usize::from(known.is_none());
        true
    }

    /// Whatever is at this address is gone.
    pub fn unavailable(&mut self, jid: &FullJid) {
        let bare = jid.to_bare();
        if let Some(person) = self.people.get_mut(&bare) {
            let web = person.web.remove(jid.resource().as_str());
            self.online.0 -= usize::from(web.is_some());
        }
        self.no_client(jid);
    }

    /// There is no client at this address; a browser app may be.
    pub fn no_client(&mut self, jid: &FullJid) {
        let bare = jid.to_bare();
        if let Some(person) = self.people.get_mut(&bare) {
            let client = person.clients.remove(jid.resource().as_str());
            self.online.1 -= usize::from(client.is_some());
        }
        self.forget_empty(&bare);
    }

    /// `watcher` sees `person`: she sends presence to his gateway address. True if that is new.
    pub fn watch(&mut self, person: &BareJid, watcher: &BareJid) -> bool {
        let Some(data) = self.person(person) else {
            return false;
        };
        let is_new = data.watchers.len() < MAX_WATCHERS && data.watchers.insert(watcher.clone());
        if is_new {
            let seen = self.seen.entry(watcher.clone()).or_default();
            seen.insert(person.clone());
        }
        is_new
    }

    /// `watcher` no longer sees `person`.
    pub fn unwatch(&mut self, person: &BareJid, watcher: &BareJid) {
        if let Some(data) = self.people.get_mut(person) {
            data.watchers.remove(watcher);
        }
        if let Some(seen) = self.seen.get_mut(watcher) {
            seen.remove(person);
            if seen.is_empty() {
                self.seen.remove(watcher);
            }
        }
        self.forget_empty(person);
    }

    /// Whom `watcher` sees.
    pub fn seen_by(&self, watcher: &BareJid) -> impl Iterator<Item = &BareJid> {
        self.seen.get(watcher).into_iter().flatten()
    }

    /// Whether `watcher` sees `person`.
    #[must_use]
    pub fn is_watched(&self, person: &BareJid, watcher: &BareJid) -> bool {
        self.people
            .get(person)
            .is_some_and(|data| data.watchers.contains(watcher))
    }

    /// Who sees `person`.
    #[must_use]
    pub fn watchers(&self, person: &BareJid) -> Vec<BareJid> {
        self.people
            .get(person)
            .map(|data| data.watchers.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Everybody who is seen by somebody, with one who sees them.
    pub fn watched(&self) -> impl Iterator<Item = (BareJid, BareJid)> {
        let people = self.people.iter();
        people.filter_map(|(person, data)| Some((person.clone(), data.watchers.first()?.clone())))
    }

    /// The clients of everybody who is seen by somebody.
    pub fn clients_of_watched(&self) -> impl Iterator<Item = FullJid> {
        let people = self.people.iter();
        let watched = people.filter(|(_, data)| !data.watchers.is_empty());
        watched.flat_map(|(person, data)| {
            data.clients
                .keys()
                .filter_map(|resource| person.with_resource_str(resource).ok())
        })
    }

    /// A client that is there.
    #[must_use]
    pub fn client(&self, jid: &FullJid) -> Option<&Client> {
        let person = self.people.get(&jid.to_bare())?;
        person.clients.get(jid.resource().as_str())
    }

    /// How `person` can be called.
    #[must_use]
    pub fn reach(&self, person: &BareJid) -> Reach {
        let Some(data) = self.people.get(person) else {
            return Reach::default();
        };
        let full = |resource: &String| person.with_resource_str(resource).ok();
        Reach {
            web: data
                .web
                .iter()
                .filter_map(|(r, device)| Some((full(r)?, *device)))
                .collect(),
            clients: data
                .clients
                .iter()
                .filter_map(|(r, client)| Some((full(r)?, client.clone())))
                .collect(),
        }
    }

    /// People of whom something is known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.people.len()
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// The person's entry, a new one if need be; none once there are too many.
    fn person(&mut self, person: &BareJid) -> Option<&mut Person> {
        if self.people.len() >= MAX_PEOPLE && !self.people.contains_key(person) {
            return None;
        }
        Some(self.people.entry(person.clone()).or_default())
    }

    fn forget_empty(&mut self, person: &BareJid) {
        let empty = |data: &Person| {
            data.web.is_empty() && data.clients.is_empty() && data.watchers.is_empty()
        };
        if self.people.get(person).is_some_and(empty) {
            self.people.remove(person);
        }
    }
}

impl Client {
    /// Reads an available presence. A priority that is no number counts as RFC 6121 §4.7.2.3's
    /// default, zero: the stanza has done no harm.
    #[must_use]
    pub fn read(presence: Element<'_>) -> Self {
        let ns = presence.ns();
        let text = |name| {
            presence
                .child(name, ns)
                .map(|child| child.text().trim().to_owned())
        };
        Self {
            priority: text("priority").and_then(|p| p.parse().ok()).unwrap_or(0),
            show: match text("show").as_deref() {
                Some("chat") => Show::Chat,
                Some("away") => Show::Away,
                Some("xa") => Show::Xa,
                Some("dnd") => Show::Dnd,
                _ => Show::Available,
            },
            caps: Caps::read(presence).map(Arc::new),
        }
    }
}

impl Show {
    /// The word for it among people: that of `<show/>`, or `available`.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.text().unwrap_or("available")
    }

    /// The text of `<show/>`; none for plain availability.
    #[must_use]
    pub fn text(self) -> Option<&'static str> {
        match self {
            Self::Chat => Some("chat"),
            Self::Available => None,
            Self::Away => Some("away"),
            Self::Xa => Some("xa"),
            Self::Dnd => Some("dnd"),
        }
    }
}

impl Reach {
    /// The media of all browser apps together.
    #[must_use]
    pub fn web_media(&self) -> Media {
        self.web
            .iter()
            .fold(Media::default(), |all, (_, device)| all.union(device.media))
    }
}

/// People of whom something is remembered.
const MAX_PEOPLE: usize = 500_000;
/// People who may see one person through the gateway.
const MAX_WATCHERS: usize = 5_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disco::Scheme;
    use crate::xml::{Document, Limits};

    fn full(jid: &str) -> FullJid {
        FullJid::new(jid).unwrap()
    }

    #[test]
    fn a_device_is_there_until_it_is_unavailable() {
        let mut registry = Registry::new(2);
        assert!(registry.announce(&full("a@b/1"), Device::default()));
        assert!(registry.announce(&full("a@b/2"), Device::default()));
        assert!(
            !registry.announce(&full("a@b/3"), Device::default()),
            "two devices at most"
        );
        registry.unavailable(&full("a@b/1"));
        assert_eq!(registry.devices().collect::<Vec<_>>(), [full("a@b/2")]);
        registry.unavailable(&full("a@b/2"));
        assert!(registry.is_empty());
    }

    #[test]
    fn presence_is_read_leniently() {
        let xml = "<presence><priority>900</priority><show>dnd</show>\
            <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/></presence>";
        let document = Document::parse(
            xml.as_bytes(),
            "jabber:component:accept",
            &Limits::default(),
        );
        let client = Client::read(document.unwrap().root());
        let caps = Arc::new(Caps::new(Scheme::V1, "n", "sha-1", "v"));
        assert_eq!(
            client,
            Client {
                priority: 0,
                show: Show::Dnd,
                caps: Some(caps)
            }
        );
    }
}
