//! The list of those who may be called, `<peers/>`, and its changes.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

use jid::{BareJid, FullJid, Jid};

use super::iq::{Answer, result_with};
use super::outbox::Purpose;
use super::{Gateway, Inbound};
use crate::address::Named;
use crate::presence::{Contact, Contacts, Decision, Vouched};
use crate::stanza::{ErrorKind, StanzaError};
use crate::web::{self, Peer, PeerDevice, PeersRequest};
use crate::xml::Element;

/// What is seen of a person on the lists of others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Shown {
    /// Nothing when she is not there.
    show: Option<&'static str>,
    devices: Vec<PeerDevice>,
}

impl Gateway {
    /// An app asks whom it may call.
    pub(super) fn peers_asked(
        &mut self,
        now: Instant,
        inbound: &Inbound<'_>,
        payload: Element<'_>,
    ) -> Answer {
        let Ok(device) = inbound.from.clone().try_into_full() else {
            return Answer::Error(StanzaError::bad_request("the list is for a full JID"));
        };
        let request = PeersRequest::read(payload);
        if request.watch == Some(false) {
            self.stop_watching(&inbound.from);
        }
        let is_later_page = request.page.after.is_some() || request.page.before.is_some();
        let watched = self.watches.contacts(&device);
        let contacts = match watched.filter(|_| is_later_page && request.watch != Some(true)) {
            Some(contacts) => contacts.clone(),
            None => {
                if self.needs_roster(&device.to_bare(), inbound) {
                    return Answer::Later;
                }
                self.contacts_of(&device.to_bare())
            }
        };
        if request.watch == Some(true) && !self.watch(&device, contacts.clone()) {
            return Answer::Error(
                StanzaError::new(ErrorKind::Wait, "resource-constraint")
                    .with_text("too many devices watch"),
            );
        }
        let peers = self.peers(now, &device.to_bare(), &contacts);
        if !is_later_page {
            contacts.keys().for_each(|person| self.looked_at(person));
        }
        Answer::With(result_with(inbound, &|writer| {
            writer.open("peers", web::NS);
            request.page.write(&peers, MAX_BYTES, writer);
            writer.close();
        }))
    }

    /// Whether a request waits for the asker's own roster.
    fn needs_roster(&mut self, asker: &BareJid, inbound: &Inbound<'_>) -> bool {
        let at_hand = self.at_hand.as_ref().is_some_and(|(of, _)| of == asker);
        if at_hand || !self.grants.reads_rosters(asker.domain().as_str()) {
            return false;
        }
        let asked = self.parked.contains_key(asker) || self.ask_roster(asker);
        asked && self.park(asker, inbound.document).is_none()
    }

    /// Everybody of whom it is known that `asker` may know them.
    fn contacts_of(&self, asker: &BareJid) -> Contacts {
        let most = self.config.limits.peers;
        let at_hand = self.at_hand.as_ref().filter(|(of, _)| of == asker);
        let entries = at_hand.into_iter().flat_map(|(_, entries)| entries);
        let mut contacts: Contacts = BTreeMap::new();
        for (jid, name) in entries.take(most) {
            let name = name.as_deref().filter(|name| !name.is_empty());
            let (person, vouched) = match self.addresses.named(&Jid::from(jid.clone())) {
                Some(Named::Person(person)) => (person, Vouched::Unknown),
                Some(Named::Service | Named::Reserved) => continue,
                None if jid.node().is_none() => continue,
                // One server keeps both rosters, so they say the same of each other. What a
                // server says of another's people is nothing.
                None if jid.domain() == asker.domain() => (jid.clone(), Vouched::Yes),
                None => (jid.clone(), Vouched::Unknown),
            };
            let contact = contacts.entry(Arc::new(person)).or_default();
            if vouched == Vouched::Yes {
                contact.vouched = vouched;
            }
            if let Some(name) = name {
                contact.name.get_or_insert_with(|| name.into());
            }
        }
        for person in self.clients.registry.seen_by(asker) {
            if contacts.len() < most && !contacts.contains_key(person) {
                contacts.insert(Arc::new(person.clone()), Contact::default());
            }
        }
        contacts.remove(asker);
        contacts
    }

    /// A device watches these from now on. False when too many do.
    fn watch(&mut self, device: &FullJid, contacts: Contacts) -> bool {
        let is_new = self.watches.contacts(device).is_none();
        if is_new && self.watches.len() >= self.config.limits.watches {
            return false;
        }
        let clients = &self.clients;
        self.watches
            .start(device, contacts, |person| hash(&shown(clients, person)));
        if is_new {
            self.keep_device(device);
        }
        true
    }

    /// An app that watched before the start goes on: it is told of everybody.
    pub(super) fn watch_again(&mut self, device: &FullJid) {
        let contacts = self.contacts_of(&device.to_bare());
        if !self.watch(device, contacts.clone()) {
            return;
        }
        contacts.keys().for_each(|person| self.looked_at(person));
        let now = self.outbox.now;
        for peer in self.peers(now, &device.to_bare(), &contacts) {
            if let Ok(person) = BareJid::new(&peer.jid) {
                self.watches.mark(now, device, &person);
            }
        }
    }

    /// The list, by JID.
    fn peers(&mut self, now: Instant, asker: &BareJid, contacts: &Contacts) -> Vec<Peer> {
        let mut peers = BTreeMap::new();
        for (person, contact) in contacts {
            if let Some(peer) = self.peer(now, asker, person, Some(contact)) {
                peers.insert(peer.jid.clone(), peer);
            }
        }
        // Where a rule opens people to him, those who can be called now.
        let open = self
            .told
            .keys()
            .filter(|person| *person != asker && !contacts.contains_key(*person))
            .filter(|person| self.access.is_open(asker, person));
        let open: Vec<BareJid> = open.take(self.config.limits.peers).cloned().collect();
        for person in open {
            if let Some(peer) = self.peer(now, asker, &person, None) {
                peers.insert(peer.jid.clone(), peer);
            }
        }
        peers.into_values().collect()
    }

    /// What `asker` may see of `person`.
    fn peer(
        &mut self,
        now: Instant,
        asker: &BareJid,
        person: &BareJid,
        contact: Option<&Contact>,
    ) -> Option<Peer> {
        let address = self.addresses.of(person)?;
        let state = shown(&self.clients, person);
        let vouched = contact.map(|c| c.vouched).unwrap_or_default();
        // Of one who shows nothing there is nothing to ask.
        let visible = state != Shown::default() && self.may_see(now, asker, person, vouched);
        let state = if visible { state } else { Shown::default() };
        Some(Peer {
            jid: person.to_string(),
            address,
            name: contact.and_then(|c| c.name.as_deref()).map(str::to_owned),
            show: state.show.unwrap_or("unavailable"),
            devices: state.devices,
        })
    }

    /// Whether `asker` may see `person` as far as is known. Where her roster must say it, that is
    /// asked for, and [`Self::roster_tells`] goes on.
    fn may_see(
        &mut self,
        now: Instant,
        asker: &BareJid,
        person: &BareJid,
        vouched: Vouched,
    ) -> bool {
        if self.grants.reads_blocklists(person.domain().as_str()) {
            let forms = self.forms(&asker.clone().into());
            // An old list will do until the new one is there: nobody is to flicker.
            if self.blocks.blocks(now, person, &forms).is_none()
                && !self.parked.contains_key(person)
                && self.ask_blocks(person)
            {
                self.parked.entry(person.clone()).or_default();
            }
            if self.blocks.blocked_once(person, &forms) != Some(false) {
                return false;
            }
        }
        if vouched == Vouched::Yes {
            return true;
        }
        let is_watcher = self.clients.registry.is_watched(person, asker);
        let readable =
            vouched != Vouched::No && self.grants.reads_rosters(person.domain().as_str());
        let decision = self.access.decide(now, asker, person, is_watcher, readable);
        if decision == Decision::AskRoster && !self.parked.contains_key(person) {
            // An empty entry: asked for, and nothing waits but lists.
            self.parked.entry(person.clone()).or_default();
            if !self.ask_roster(person) {
                self.parked.remove(person);
            }
        }
        decision == Decision::Allowed
    }

    /// A person's roster is known: those on whose lists she is learn whether they may see her.
    pub(super) fn roster_tells(&mut self, now: Instant, person: &BareJid) {
        let readable = self.grants.reads_rosters(person.domain().as_str());
        let devices: Vec<FullJid> = self.watches.of(person).cloned().collect();
        for device in devices {
            let says = self
                .access
                .is_contact(now, &device.to_bare(), person, false, readable);
            let Some(contact) = self.watches.contact(&device, person) else {
                continue;
            };
            if contact.vouched == Vouched::Unknown && says != Decision::AskRoster {
                let yes = says == Decision::Allowed;
                contact.vouched = if yes { Vouched::Yes } else { Vouched::No };
                if yes {
                    self.watches.mark(now, &device, person);
                }
            }
        }
    }

    /// Whom a person has blocked is known: those on whose lists she is learn what they may.
    pub(super) fn blocks_tell(&mut self, now: Instant, person: &BareJid) {
        let devices: Vec<FullJid> = self.watches.of(person).cloned().collect();
        for device in devices.into_iter().chain(self.open_to(person)) {
            let forms = self.forms(&device.to_bare().into());
            let blocked = self.blocks.blocked_once(person, &forms);
            if self
                .watches
                .sees_blocked(&device, person, blocked == Some(true))
            {
                self.watches.mark(now, &device, person);
            }
        }
    }

    /// What can be called of a person may have changed.
    pub(super) fn peers_changed(&mut self, person: &BareJid) {
        if self.watches.is_empty() {
            return;
        }
        let now = self.outbox.now;
        let state = hash(&shown(&self.clients, person));
        let open = self.open_to(person);
        if !self.watches.sees(person, state, !open.is_empty()) {
            return;
        }
        let listed: Vec<FullJid> = self.watches.of(person).cloned().collect();
        for device in listed {
            let contact = self.watches.contact(&device, person);
            let vouched = contact.map(|c| c.vouched).unwrap_or_default();
            // Even that something has changed is not for everybody who wrote her on a list.
            if self.may_see(now, &device.to_bare(), person, vouched) {
                self.watches.mark(now, &device, person);
            }
        }
        for device in &open {
            self.watches.mark(now, device, person);
        }
    }

    /// The devices that watch and to whose people a rule opens `person`.
    fn open_to(&self, person: &BareJid) -> Vec<FullJid> {
        let askers = self.watches.askers().filter(|(asker, _)| *asker != person);
        askers
            .filter(|(asker, _)| self.access.is_open(asker, person))
            .flat_map(|(_, devices)| devices.iter().cloned())
            .collect()
    }

    /// `asker` may see `person` from now on, or no more.
    pub(super) fn sight_changed(&mut self, asker: &BareJid, person: &BareJid) {
        let now = self.outbox.now;
        let devices: Vec<FullJid> = self.watches.devices_of(asker).cloned().collect();
        let state = hash(&shown(&self.clients, person));
        for device in devices {
            self.watches
                .add(&device, person, self.config.limits.peers, state);
            self.watches.mark(now, &device, person);
        }
    }

    /// Whatever is at this address is gone, and watches no more.
    pub(super) fn stop_watching(&mut self, jid: &Jid) {
        let gone: Vec<FullJid> = match jid.clone().try_into_full() {
            Ok(device) => vec![device],
            Err(bare) => self.watches.devices_of(&bare).cloned().collect(),
        };
        for device in gone {
            if self.watches.contacts(&device).is_some() {
                self.watches.stop(&device);
                self.keep_device(&device);
            }
        }
    }

    /// Sends the changes that are due.
    pub(super) fn push_peers(&mut self) {
        let now = self.outbox.now;
        while let Some((device, people)) = self.watches.pop_due(now) {
            let asker = device.to_bare();
            let (mut bytes, mut peers) = (0, Vec::new());
            for person in people {
                let contact = self.watches.contact(&device, &person).cloned();
                let Some(peer) = self.peer(now, &asker, &person, contact.as_ref()) else {
                    continue;
                };
                bytes += peer.most_bytes();
                if bytes > MAX_BYTES {
                    self.watches.mark(now, &device, &person);
                } else {
                    peers.push(peer);
                }
            }
            let service = self.config.service.to_string();
            let purpose = Purpose::Peers(device.clone());
            let asked = self
                .outbox
                .ask(purpose, "set", &service, device.as_str(), &|writer| {
                    writer.open("peers", web::NS);
                    peers.iter().for_each(|peer| peer.write(writer));
                    writer.close();
                });
            if !asked {
                // Too much is under way; an app that misses something asks anew.
                self.watches.acknowledged(now, &device);
            }
        }
    }
}

/// What is seen of `person` by those who may.
fn shown(clients: &super::clients::Clients, person: &BareJid) -> Shown {
    Shown {
        show: clients.show(person).map(crate::presence::Show::word),
        devices: clients.peer_devices(person),
    }
}

/// Zero of one of whom nothing is seen.
fn hash(state: &Shown) -> u64 {
    if *state == Shown::default() {
        return 0;
    }
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish().max(1)
}

/// Bytes of one list or push: beyond that it comes in pages.
const MAX_BYTES: usize = 128 * 1_024;
