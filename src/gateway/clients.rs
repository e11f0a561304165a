use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jid::{BareJid, FullJid};

use super::Limits;
use super::outbox::{Outbox, Purpose};
use super::records::{Change, Key, Record};
use super::software::Software;
use crate::call::{Devices, Directory};
use crate::disco::{self, Abilities, Cache, Caps, ClientType};
use crate::mapping::Dialect;
use crate::presence::{Client, Registry, Show, Withdrawn};
use crate::web::{Media, PeerDevice};
use crate::xml::Element;

/// People's devices and what they can do.
#[derive(Debug)]
pub(super) struct Clients {
    pub(super) registry: Registry,
    /// The person of the test call, of whom no XMPP server knows.
    pub(super) echo: Option<BareJid>,
    cache: Cache,
    /// Of clients whose caps could not be verified, with those caps.
    own: HashMap<FullJid, (Arc<Caps>, Abilities)>,
    most_own: usize,
    /// Caps that somebody was asked about, and others who have them.
    asking: HashMap<Arc<Caps>, BTreeSet<FullJid>>,
    /// Each caps of those that are there, once.
    shared: HashSet<Arc<Caps>>,
    /// How many of them there are when the unused are dropped next.
    sweep_at: usize,
    /// Of those who show us no presence.
    pub(super) software: Software,
}

impl Clients {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            registry: Registry::new(limits.presence()),
            echo: None,
            cache: Cache::new(limits.caps),
            own: HashMap::new(),
            asking: HashMap::new(),
            shared: HashSet::new(),
            sweep_at: MIN_SWEEP,
            most_own: limits.caps,
            software: Software::default(),
        }
    }

    /// What was verified before this start.
    pub(super) fn restore(&mut self, caps: Arc<Caps>, abilities: Abilities) {
        self.cache.insert(caps, abilities);
    }

    /// A client is available, as it says at the gateway address of `watcher`, or else at the
    /// service. What it can do is asked for unless it is known.
    pub(super) fn available(
        &mut self,
        jid: &FullJid,
        mut client: Client,
        watcher: Option<&BareJid>,
        service: &str,
        out: &mut Outbox,
    ) {
        let caps = client.caps.take().map(|caps| self.share(caps));
        client.caps.clone_from(&caps);
        if let Err(limit) = self.registry.available(jid, client, watcher) {
            out.limit(limit);
            return;
        }
        let Some(caps) = caps else { return };
        if self.cache.seen(&caps) || self.own.get(jid).is_some_and(|(of, _)| *of == caps) {
            return;
        }
        if let Some(waiting) = self.asking.get_mut(&caps) {
            waiting.insert(jid.clone());
            return;
        }
        let node = caps.is_verifiable().then(|| caps.query_node());
        ask(jid, &caps, node.as_deref(), service, out);
        self.asking.insert(caps, BTreeSet::new());
    }

    /// Whatever is at this address is no longer available to `watcher`.
    pub(super) fn withdrawn(&mut self, jid: &FullJid, watcher: &BareJid) -> Withdrawn {
        let left = self.registry.withdrawn(jid, watcher);
        if left != Withdrawn::Nothing {
            self.own.remove(jid);
        }
        left
    }

    pub(super) fn unavailable(&mut self, jid: &FullJid) {
        self.registry.unavailable(jid);
        self.own.remove(jid);
    }

    /// The answer about a client's caps, or that none came. `lang` is that of the stanza. Returns
    /// those of whom more is known now, and what is to be kept of it.
    pub(super) fn learned(
        &mut self,
        jid: &FullJid,
        caps: &Arc<Caps>,
        query: Option<(Element<'_>, Option<&str>)>,
        service: &str,
        out: &mut Outbox,
    ) -> (Vec<BareJid>, Vec<Change>) {
        let mut waiting = self.asking.remove(caps).unwrap_or_default();
        let mut known = Vec::new();
        if let Some((query, lang)) = query {
            let abilities = Abilities::read(query);
            known.push(jid.to_bare());
            if caps.is_of(query, lang) {
                let gone = self.cache.insert(Arc::clone(caps), abilities.clone());
                let mut changes: Vec<Change> = gone
                    .into_iter()
                    .map(|caps| Change::Forget(Key::Caps(caps)))
                    .collect();
                let caps = Arc::clone(caps);
                changes.push(Change::Keep(Record::Caps { caps, abilities }));
                known.extend(waiting.iter().map(|jid| jid.to_bare()));
                return (known, changes);
            }
            if self.own.len() < self.most_own {
                let own = (Arc::clone(caps), abilities);
                self.own.insert(jid.clone(), own);
            }
        }
        // It says nothing of the others, so the next one is asked.
        while let Some(next) = waiting.pop_first() {
            let client = self.registry.client(&next);
            if client.is_some_and(|client| client.caps.as_ref() == Some(caps)) {
                let node = caps.is_verifiable().then(|| caps.query_node());
                ask(&next, caps, node.as_deref(), service, out);
                self.asking.insert(Arc::clone(caps), waiting);
                break;
            }
        }
        (known, Vec::new())
    }

    /// The one copy of these caps.
    fn share(&mut self, caps: Arc<Caps>) -> Arc<Caps> {
        if let Some(known) = self.shared.get(&caps) {
            return Arc::clone(known);
        }
        if self.shared.len() >= self.sweep_at {
            self.shared.retain(|caps| Arc::strong_count(caps) > 1);
            self.sweep_at = (2 * self.shared.len()).max(MIN_SWEEP);
        }
        self.shared.insert(Arc::clone(&caps));
        caps
    }

    /// The media that a person can take on any of her devices.
    pub(super) fn media(&self, person: &BareJid) -> Media {
        let pages = self.registry.pages(person).map(|(_, device)| device.media);
        let clients = self.able(person).map(|(_, able)| able.media);
        pages.chain(clients).fold(Media::default(), Media::union)
    }

    /// What kind of client a person takes calls at: any app goes before other clients, since what it
    /// takes is known best.
    pub(super) fn client_type(&self, person: &BareJid) -> ClientType {
        let pages = &mut self.registry.pages(person);
        let takes_none = pages.all(|(_, page)| page.media.is_empty());
        if takes_none && self.able(person).any(|(_, able)| !able.media.is_empty()) {
            ClientType::Phone
        } else {
            ClientType::Web
        }
    }

    /// How willing to talk a person is on the most willing of her devices; none where she has none.
    pub(super) fn show(&self, person: &BareJid) -> Option<Show> {
        let clients = self.registry.clients(person).map(|(_, client)| client.show);
        // A page of which no other presence is known has said nothing of it.
        let is_client = |page: &str| self.registry.clients(person).any(|(of, _)| of == page);
        let pages = self
            .registry
            .pages(person)
            .filter(|(page, _)| !is_client(page));
        clients.chain(pages.map(|_| Show::Available)).min()
    }

    /// A person's devices that take calls.
    pub(super) fn peer_devices(&self, person: &BareJid) -> Vec<PeerDevice> {
        let is_page = |resource: &str| self.registry.pages(person).any(|(of, _)| of == resource);
        let clients = self
            .able(person)
            .filter(|(resource, able)| !able.media.is_empty() && !is_page(resource))
            .map(|(_, able)| PeerDevice {
                media: able.media,
                is_web: false,
                own: able.message_initiation,
            });
        let pages = self.registry.pages(person).map(|(_, device)| PeerDevice {
            media: device.media,
            is_web: true,
            own: device.carry,
        });
        pages.chain(clients).collect()
    }

    /// The clients of a person that may be sent something, and what each can do.
    fn able(&self, person: &BareJid) -> impl Iterator<Item = (&str, &Abilities)> {
        let clients = self.registry.clients(person);
        // RFC 6121 §8.5.2: one with a negative priority is not.
        let clients = clients.filter(|(_, client)| client.priority >= 0);
        clients.filter_map(move |(resource, client)| {
            let known = client.caps.as_ref().and_then(|caps| self.cache.get(caps));
            let known = known.or_else(|| {
                let is_asked = client.caps.is_some() && !self.own.is_empty();
                let jid = is_asked.then(|| person.with_resource_str(resource).ok())??;
                self.abilities(&jid, client)
            });
            Some((resource, known?))
        })
    }

    /// What a client takes, and what it is called.
    pub(super) fn describe(&self, jid: &FullJid, client: &Client) -> (Media, String) {
        self.abilities(jid, client)
            .map(|able| (able.media, able.name.clone()))
            .unwrap_or_default()
    }

    fn abilities(&self, jid: &FullJid, client: &Client) -> Option<&Abilities> {
        let caps = client.caps.as_ref()?;
        self.cache.get(caps).or_else(|| {
            let own = self.own.get(jid);
            own.filter(|(of, _)| of == caps).map(|(_, able)| able)
        })
    }
}

/// Asks a client what stands behind its caps; without a node, what it can do.
fn ask(jid: &FullJid, caps: &Arc<Caps>, node: Option<&str>, service: &str, out: &mut Outbox) {
    let purpose = Purpose::Caps(jid.clone(), Arc::clone(caps));
    // Where too much is under way already it stays unknown until its next presence.
    let _ = out.ask(purpose, "get", service, jid.as_str(), &|writer| {
        writer.open("query", disco::NS_INFO);
        writer.opt_attr("node", node).close();
    });
}

impl Directory for Clients {
    fn devices(&self, person: &BareJid, media: Media) -> Devices {
        let reach = self.registry.reach(person);
        let fits = |other: Media| media.audio && other.audio || media.video && other.video;
        let direct = reach
            .clients
            .iter()
            .filter(|(_, client)| client.priority >= 0)
            .filter(|(jid, client)| {
                self.abilities(jid, client)
                    .is_some_and(|able| fits(able.media) && !able.message_initiation)
            })
            // RFC 6121 §8.5.2: the highest priority; among equals the most willing.
            .max_by_key(|(_, client)| (client.priority, std::cmp::Reverse(client.show)))
            .map(|(jid, _)| jid.clone());
        Devices {
            web: reach
                .web
                .into_iter()
                // A device that carries calls hears of them by XEP-0353.
                .filter(|(_, device)| fits(device.media) && !device.carry)
                .map(|(jid, _)| jid)
                .collect(),
            direct,
            announced: self.echo.as_ref() != Some(person),
        }
    }

    fn dialect(&self, jid: &FullJid) -> &'static Dialect {
        let reach = self.registry.reach(&jid.to_bare());
        let by_caps = reach
            .clients
            .iter()
            .find(|(own, _)| own == jid)
            .and_then(|(jid, client)| {
                let node = client.caps.as_ref().map_or("", |caps| caps.node());
                let abilities = self.abilities(jid, client)?;
                Some(Dialect::of_client_at(&abilities.name, node))
            });
        by_caps
            .or_else(|| self.software.dialect(jid))
            .unwrap_or(&Dialect::UNKNOWN)
    }

    fn bundles_all(&self, device: &FullJid) -> bool {
        self.registry
            .device(device)
            .is_some_and(|device| device.bundle_max)
    }
}

/// Caps that are not looked through for unused ones.
const MIN_SWEEP: usize = 1_000;
