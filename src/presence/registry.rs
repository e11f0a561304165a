use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jid::{BareJid, FullJid};

use super::resources::Resources;
use super::{Limits, Photo};
use crate::disco::Caps;
use crate::web::Device;
use crate::xml::Element;

/// All people of whom something is known: their devices and who sees them.
#[derive(Debug)]
pub struct Registry {
    people: HashMap<BareJid, Person>,
    /// Whom each watcher sees: `watchers`, turned round.
    seen: HashMap<BareJid, BTreeSet<BareJid>>,
    /// Browser apps and other clients of all people.
    online: (usize, usize),
    limits: Limits,
}

#[derive(Debug, Default)]
struct Person {
    /// Browser apps by resource.
    web: Resources<Device>,
    /// Other clients by resource.
    clients: Resources<Client>,
    /// Who is told when this person can be called.
    watchers: BTreeSet<BareJid>,
    /// Of her vCard.
    photo: Photo,
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
    /// A registry that remembers so much.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            people: HashMap::new(),
            seen: HashMap::new(),
            online: (0, 0),
            limits,
        }
    }

    /// A browser app announced itself.
    ///
    /// # Errors
    ///
    /// The limit that was reached.
    pub fn announce(&mut self, jid: &FullJid, device: Device) -> Result<(), &'static str> {
        let most = self.limits.devices_per_person;
        let person = self.person(&jid.to_bare()).ok_or(PEOPLE)?;
        let is_new = person.web.insert(jid.resource().as_str(), device, most);
        self.online.0 += usize::from(is_new.ok_or(DEVICES)?);
        Ok(())
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
                .iter()
                .filter_map(|(resource, _)| person.with_resource_str(resource).ok())
        })
    }

    /// A client is available.
    ///
    /// # Errors
    ///
    /// The limit that was reached.
    pub fn available(&mut self, jid: &FullJid, client: Client) -> Result<(), &'static str> {
        let most = self.limits.devices_per_person;
        let person = self.person(&jid.to_bare()).ok_or(PEOPLE)?;
        let is_new = person.clients.insert(jid.resource().as_str(), client, most);
        self.online.1 += usize::from(is_new.ok_or(DEVICES)?);
        Ok(())
    }

    /// What a presence says of a person's picture, if she is known.
    pub fn pictured(&mut self, person: &BareJid, photo: Photo) {
        if photo != Photo::Unknown
            && let Some(data) = self.people.get_mut(person)
        {
            data.photo = photo;
        }
    }

    /// What is known of a person's picture.
    #[must_use]
    pub fn photo(&self, person: &BareJid) -> Photo {
        self.people
            .get(person)
            .map(|data| data.photo)
            .unwrap_or_default()
    }

    /// Whatever is at this address is gone.
    pub fn unavailable(&mut self, jid: &FullJid) {
        let bare = jid.to_bare();
        if let Some(person) = self.people.get_mut(&bare) {
            let web = person.web.remove(jid.resource().as_str());
            self.online.0 -= usize::from(web);
        }
        self.no_client(jid);
    }

    /// There is no client at this address; a browser app may be.
    pub fn no_client(&mut self, jid: &FullJid) {
        let bare = jid.to_bare();
        if let Some(person) = self.people.get_mut(&bare) {
            let client = person.clients.remove(jid.resource().as_str());
            self.online.1 -= usize::from(client);
        }
        self.forget_empty(&bare);
    }

    /// `watcher` sees `person`: she sends presence to his gateway address. True if that is new.
    ///
    /// # Errors
    ///
    /// The limit that was reached.
    pub fn watch(&mut self, person: &BareJid, watcher: &BareJid) -> Result<bool, &'static str> {
        let most = self.limits.watchers_per_person;
        let data = self.person(person).ok_or(PEOPLE)?;
        if data.watchers.contains(watcher) {
            return Ok(false);
        }
        if data.watchers.len() >= most {
            return Err(WATCHERS);
        }
        data.watchers.insert(watcher.clone());
        let seen = self.seen.entry(watcher.clone()).or_default();
        seen.insert(person.clone());
        Ok(true)
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
    pub fn watchers(&self, person: &BareJid) -> impl Iterator<Item = &BareJid> {
        let data = self.people.get(person);
        data.into_iter().flat_map(|data| &data.watchers)
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
                .iter()
                .filter_map(|(resource, _)| person.with_resource_str(resource).ok())
        })
    }

    /// A client that is there.
    #[must_use]
    pub fn client(&self, jid: &FullJid) -> Option<&Client> {
        let person = self.people.get(&jid.to_bare())?;
        person.clients.get(jid.resource().as_str())
    }

    /// The browser apps of `person`, by resource.
    pub fn pages(&self, person: &BareJid) -> impl Iterator<Item = (&str, &Device)> {
        let data = self.people.get(person);
        data.into_iter().flat_map(|data| data.web.iter())
    }

    /// The other clients of `person`, by resource.
    pub fn clients(&self, person: &BareJid) -> impl Iterator<Item = (&str, &Client)> {
        let data = self.people.get(person);
        data.into_iter().flat_map(|data| data.clients.iter())
    }

    /// How `person` can be called.
    #[must_use]
    pub fn reach(&self, person: &BareJid) -> Reach {
        let Some(data) = self.people.get(person) else {
            return Reach::default();
        };
        let full = |resource: &str| person.with_resource_str(resource).ok();
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

    /// Everybody of whom something is known.
    pub fn people(&self) -> impl Iterator<Item = &BareJid> {
        self.people.keys()
    }

    /// How many those are.
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
        if self.people.len() >= self.limits.people && !self.people.contains_key(person) {
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

/// Limits, by their keys in the configuration.
const PEOPLE: &str = "people";
const DEVICES: &str = "devices_per_person";
const WATCHERS: &str = "watchers_per_person";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disco::Scheme;
    use crate::xml::{self, Document};

    fn full(jid: &str) -> FullJid {
        FullJid::new(jid).unwrap()
    }

    #[test]
    fn a_device_is_there_until_it_is_unavailable() {
        let limits = Limits {
            devices_per_person: 2,
            ..Limits::default()
        };
        let mut registry = Registry::new(limits);
        let mut announce = |jid| registry.announce(&full(jid), Device::default());
        assert_eq!(announce("a@b/2"), Ok(()));
        assert_eq!(announce("a@b/1"), Ok(()));
        assert_eq!(announce("a@b/1"), Ok(()), "once more");
        assert_eq!(announce("a@b/3"), Err("devices_per_person"));
        let resources = |registry: &Registry| -> Vec<String> {
            let person = full("a@b/1").to_bare();
            let pages = registry.pages(&person);
            pages.map(|(resource, _)| resource.to_owned()).collect()
        };
        assert_eq!(resources(&registry), ["1", "2"]);
        assert_eq!(registry.online(), (2, 0));
        registry.unavailable(&full("a@b/1"));
        assert_eq!(registry.devices().collect::<Vec<_>>(), [full("a@b/2")]);
        registry.unavailable(&full("a@b/2"));
        assert!(registry.is_empty());
    }

    #[test]
    fn people_and_those_who_see_them_are_bounded() {
        let bare = |jid: &str| BareJid::new(jid).unwrap();
        let limits = Limits {
            people: 2,
            watchers_per_person: 2,
            ..Limits::default()
        };
        let mut registry = Registry::new(limits);
        let (a, b) = (bare("a@x"), bare("b@x"));
        assert_eq!(registry.watch(&a, &b), Ok(true));
        assert_eq!(registry.watch(&a, &b), Ok(false));
        assert_eq!(registry.watch(&a, &bare("c@x")), Ok(true));
        assert_eq!(registry.watch(&a, &bare("d@x")), Err("watchers_per_person"));
        assert!(!registry.is_watched(&a, &bare("d@x")));
        assert_eq!(registry.announce(&full("b@x/1"), Device::default()), Ok(()));
        let client = || Client {
            priority: 0,
            show: Show::Available,
            caps: None,
        };
        assert_eq!(registry.available(&full("c@x/1"), client()), Err("people"));
        assert_eq!(registry.available(&full("a@x/1"), client()), Ok(()));
        assert_eq!((registry.len(), registry.online()), (2, (1, 1)));
        registry.unwatch(&a, &b);
        registry.unwatch(&a, &bare("c@x"));
        registry.unavailable(&full("a@x/1"));
        assert_eq!(registry.available(&full("c@x/1"), client()), Ok(()));
    }

    #[test]
    fn presence_is_read_leniently() {
        let xml = "<presence><priority>900</priority><show>dnd</show>\
            <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/></presence>";
        let document = Document::parse(
            xml.as_bytes(),
            "jabber:component:accept",
            &xml::Limits::default(),
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
