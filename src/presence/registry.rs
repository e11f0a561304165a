use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jid::{BareJid, FullJid};

use super::resources::Resources;
use super::sight::{Sight, Words};
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
    words: Words,
    limits: Limits,
}

#[derive(Debug, Default)]
struct Person {
    /// Browser apps by resource.
    web: Resources<App>,
    /// Other clients by resource.
    clients: Resources<Seen>,
    /// Who is told when this person can be called.
    watchers: BTreeSet<BareJid>,
    /// Of her vCard.
    photo: Photo,
}

/// A browser app.
#[derive(Debug)]
struct App {
    device: Device,
    /// The service has its presence, so that it hears when the app leaves.
    shows_itself: bool,
}

/// A client, and where it is seen.
#[derive(Debug)]
struct Seen {
    client: Client,
    sight: Sight,
}

/// What is left of whatever was at an address, when presence was withdrawn from one who saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// Others still see it.
    Nothing,
    /// Nobody sees a client there any more; the browser app says itself when it leaves.
    Client,
    /// Nothing is left.
    All,
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
            words: Words::default(),
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
        if let Some(app) = person.web.get_mut(jid.resource().as_str()) {
            app.device = device;
            return Ok(());
        }
        let app = App {
            device,
            shows_itself: false,
        };
        let is_new = person.web.insert(jid.resource().as_str(), app, most);
        self.online.0 += usize::from(is_new.ok_or(DEVICES)?);
        Ok(())
    }

    /// The service has the presence of a browser app.
    pub fn shows_itself(&mut self, jid: &FullJid) {
        let person = self.people.get_mut(&jid.to_bare());
        let app = person.and_then(|person| person.web.get_mut(jid.resource().as_str()));
        if let Some(app) = app {
            app.shows_itself = true;
        }
    }

    /// A browser app that announced itself.
    #[must_use]
    pub fn device(&self, jid: &FullJid) -> Option<Device> {
        self.people
            .get(&jid.to_bare())?
            .web
            .get(jid.resource().as_str())
            .map(|app| app.device)
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

    /// A client is available, as it says at the gateway address of `watcher`, or else at the
    /// service.
    ///
    /// # Errors
    ///
    /// The limit that was reached.
    pub fn available(
        &mut self,
        jid: &FullJid,
        client: Client,
        watcher: Option<&BareJid>,
    ) -> Result<(), &'static str> {
        let most = self.limits.devices_per_person;
        let at = watcher.map(|watcher| self.words.of(watcher));
        let person = self.person(&jid.to_bare()).ok_or(PEOPLE)?;
        let resource = jid.resource().as_str();
        if let Some(seen) = person.clients.get_mut(resource) {
            seen.client = client;
            at.into_iter().for_each(|at| seen.sight.insert(at));
            return Ok(());
        }
        let mut sight = Sight::default();
        at.into_iter().for_each(|at| sight.insert(at));
        let seen = Seen { client, sight };
        let is_new = person.clients.insert(resource, seen, most);
        self.online.1 += usize::from(is_new.ok_or(DEVICES)?);
        Ok(())
    }

    /// Whatever is at this address is no longer available to `watcher`.
    pub fn withdrawn(&mut self, jid: &FullJid, watcher: &BareJid) -> Withdrawn {
        let at = self.words.of(watcher);
        let Some(person) = self.people.get_mut(&jid.to_bare()) else {
            return Withdrawn::All;
        };
        let resource = jid.resource().as_str();
        let seen = person.clients.get_mut(resource);
        if seen.is_some_and(|seen| !seen.sight.remove(at)) {
            return Withdrawn::Nothing;
        }
        if person.web.get(resource).is_some_and(|app| app.shows_itself) {
            self.no_client(jid);
            return Withdrawn::Client;
        }
        Withdrawn::All
    }

    /// Where clients are seen counts no more: some may have left unheard.
    pub fn forget_sights(&mut self) {
        for person in self.people.values_mut() {
            person
                .clients
                .iter_mut()
                .for_each(|seen| seen.sight.clear());
        }
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

    /// The clients of `person` that are seen at no gateway address, and that do not tell the service
    /// either when they leave.
    pub fn unseen(&self, person: &BareJid) -> impl Iterator<Item = FullJid> {
        let data = self.people.get_key_value(person);
        data.into_iter().flat_map(|(person, data)| {
            let unseen = data.clients.iter().filter(|(resource, seen)| {
                seen.sight.is_empty() && data.web.get(resource).is_none()
            });
            unseen.filter_map(|(resource, _)| person.with_resource_str(resource).ok())
        })
    }

    /// A client that is there.
    #[must_use]
    pub fn client(&self, jid: &FullJid) -> Option<&Client> {
        let person = self.people.get(&jid.to_bare())?;
        let seen = person.clients.get(jid.resource().as_str())?;
        Some(&seen.client)
    }

    /// The browser apps of `person`, by resource.
    pub fn pages(&self, person: &BareJid) -> impl Iterator<Item = (&str, &Device)> {
        let data = self.people.get(person);
        let apps = data.into_iter().flat_map(|data| data.web.iter());
        apps.map(|(resource, app)| (resource, &app.device))
    }

    /// The other clients of `person`, by resource.
    pub fn clients(&self, person: &BareJid) -> impl Iterator<Item = (&str, &Client)> {
        let data = self.people.get(person);
        let clients = data.into_iter().flat_map(|data| data.clients.iter());
        clients.map(|(resource, seen)| (resource, &seen.client))
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
                .filter_map(|(r, app)| Some((full(r)?, app.device)))
                .collect(),
            clients: data
                .clients
                .iter()
                .filter_map(|(r, seen)| Some((full(r)?, seen.client.clone())))
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
        assert_eq!(
            registry.available(&full("c@x/1"), client(), None),
            Err("people")
        );
        assert_eq!(registry.available(&full("a@x/1"), client(), None), Ok(()));
        assert_eq!((registry.len(), registry.online()), (2, (1, 1)));
        registry.unwatch(&a, &b);
        registry.unwatch(&a, &bare("c@x"));
        registry.unavailable(&full("a@x/1"));
        assert_eq!(registry.available(&full("c@x/1"), client(), None), Ok(()));
    }

    #[test]
    fn who_is_withdrawn_from_one_is_there_for_the_others() {
        let bare = |jid: &str| BareJid::new(jid).unwrap();
        let (romeo, paris, juliet) = (bare("romeo@x"), bare("paris@x"), full("juliet@x/phone"));
        let client = || Client {
            priority: 0,
            show: Show::Available,
            caps: None,
        };
        let mut registry = Registry::new(Limits::default());
        for watcher in [None, Some(&romeo), Some(&paris), Some(&romeo)] {
            let available = registry.available(&juliet, client(), watcher);
            assert_eq!(available, Ok(()));
        }
        assert_eq!(registry.withdrawn(&juliet, &romeo), Withdrawn::Nothing);
        assert_eq!(registry.withdrawn(&juliet, &romeo), Withdrawn::Nothing);
        assert_eq!(registry.withdrawn(&juliet, &paris), Withdrawn::All);
        // After the link was lost one word is enough.
        let available = registry.available(&juliet, client(), Some(&paris));
        assert_eq!(available, Ok(()));
        registry.forget_sights();
        assert_eq!(registry.withdrawn(&juliet, &romeo), Withdrawn::All);
        // An app that has shown itself to the service says there when it leaves.
        assert_eq!(registry.announce(&juliet, Device::default()), Ok(()));
        assert_eq!(registry.withdrawn(&juliet, &romeo), Withdrawn::All);
        registry.shows_itself(&juliet);
        assert_eq!(registry.withdrawn(&juliet, &romeo), Withdrawn::Client);
        assert_eq!(registry.online(), (1, 0));
        assert!(registry.device(&juliet).is_some());
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
