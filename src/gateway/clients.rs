use std::collections::{HashMap, HashSet};

use jid::{BareJid, FullJid, Jid};

use super::outbox::{Outbox, Purpose};
use crate::call::{Devices, Directory};
use crate::disco::{self, Abilities, Cache};
use crate::mapping::Dialect;
use crate::presence::{CapsRef, Client, Registry, Show};
use crate::web::{Media, PeerDevice};
use crate::xml::Element;

/// People's devices and what they can do.
#[derive(Debug)]
pub(super) struct Clients {
    pub(super) registry: Registry,
    cache: Cache,
    /// Of clients whose caps say nothing that can be verified.
    own: HashMap<FullJid, Abilities>,
    /// Caps that somebody was asked about.
    asking: HashSet<CapsRef>,
}

impl Clients {
    pub(super) fn new(devices_per_person: usize) -> Self {
        Self {
            registry: Registry::new(devices_per_person),
            cache: Cache::default(),
            own: HashMap::new(),
            asking: HashSet::new(),
        }
    }

    /// A client is available. What it can do is asked for unless it is known.
    pub(super) fn available(
        &mut self,
        jid: &FullJid,
        client: Client,
        service: &str,
        out: &mut Outbox,
    ) {
        let caps = client.caps.clone();
        if !self.registry.available(jid, client) {
            out.limit("devices_per_person");
            return;
        }
        let Some(caps) = caps else { return };
        if self.cache.get(&caps.hash, &caps.ver).is_some() || self.asking.contains(&caps) {
            return;
        }
        let node = format!("{}#{}", caps.node, caps.ver);
        let purpose = Purpose::Caps(jid.clone(), caps.clone());
        let asked = out.ask(purpose, "get", service, jid.as_str(), &|writer| {
            writer
                .open("query", disco::NS_INFO)
                .attr("node", &node)
                .close();
        });
        if asked {
            self.asking.insert(caps);
        }
    }

    pub(super) fn unavailable(&mut self, jid: &Jid) {
        self.registry.unavailable(jid);
        match jid.clone().try_into_full() {
            Ok(full) => {
                self.own.remove(&full);
            }
            Err(bare) => self.own.retain(|full, _| full.to_bare() != bare),
        }
    }

    /// The answer about a client's caps, or that none came.
    pub(super) fn learned(&mut self, jid: &FullJid, caps: &CapsRef, query: Option<Element<'_>>) {
        self.asking.remove(caps);
        let Some(query) = query else { return };
        let abilities = self.cache.learn(&caps.hash, &caps.ver, query);
        if self.cache.get(&caps.hash, &caps.ver).is_none() && self.own.len() < MAX_OWN {
            self.own.insert(jid.clone(), abilities);
        }
    }

    /// The media that a person can take on any of her devices.
    pub(super) fn media(&self, person: &BareJid) -> Media {
        let reach = self.registry.reach(person);
        reach
            .clients
            .iter()
            .filter(|(_, client)| client.priority >= 0)
            .filter_map(|(jid, client)| self.abilities(jid, client))
            .fold(reach.web_media(), |all, abilities| {
                all.union(abilities.media)
            })
    }

    /// How willing to talk a person is on the most willing of her devices; none where she has none.
    pub(super) fn show(&self, person: &BareJid) -> Option<Show> {
        let reach = self.registry.reach(person);
        let clients = reach.clients.iter().map(|(_, client)| client.show);
        // A page of which no other presence is known has said nothing of it.
        let is_client = |page: &FullJid| reach.clients.iter().any(|(jid, _)| jid == page);
        let pages = reach.web.iter().filter(|(page, _)| !is_client(page));
        clients.chain(pages.map(|_| Show::Available)).min()
    }

    /// A person's devices that take calls.
    pub(super) fn peer_devices(&self, person: &BareJid) -> Vec<PeerDevice> {
        let reach = self.registry.reach(person);
        let is_page = |jid: &FullJid| reach.web.iter().any(|(page, _)| page == jid);
        let clients = reach
            .clients
            .iter()
            .filter(|(jid, client)| client.priority >= 0 && !is_page(jid))
            .filter_map(|(jid, client)| self.abilities(jid, client))
            .filter(|abilities| !abilities.media.is_empty())
            .map(|abilities| PeerDevice {
                media: abilities.media,
                is_web: false,
            });
        let pages = reach.web.iter().map(|(_, device)| PeerDevice {
            media: device.media,
            is_web: true,
        });
        pages.chain(clients).collect()
    }

    fn abilities(&self, jid: &FullJid, client: &Client) -> Option<&Abilities> {
        client
            .caps
            .as_ref()
            .and_then(|caps| self.cache.get(&caps.hash, &caps.ver))
            .or_else(|| self.own.get(jid))
    }
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
            announced: true,
        }
    }

    fn dialect(&self, jid: &FullJid) -> &'static Dialect {
        let reach = self.registry.reach(&jid.to_bare());
        let name = reach
            .clients
            .iter()
            .find(|(own, _)| own == jid)
            .and_then(|(jid, client)| self.abilities(jid, client))
            .map_or("", |abilities| abilities.name.as_str());
        Dialect::of_client(name)
    }

    fn bundles_all(&self, device: &FullJid) -> bool {
        self.registry
            .device(device)
            .is_some_and(|device| device.bundle_max)
    }
}

/// Clients whose abilities are remembered one by one.
const MAX_OWN: usize = 10_000;
