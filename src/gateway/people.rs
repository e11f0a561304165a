//! Presence: who is there, who may see whom (RFC 6121 §3 and §4), and what gateway addresses show.

use std::time::Instant;

use jid::{BareJid, FullJid, Jid};

use super::records::{Change, Key};
use super::{Gateway, Inbound};
use crate::address::Named;
use crate::disco::ClientType;
use crate::presence::{Client, Photo, Show, Withdrawn};
use crate::stanza::{self, Circular, ErrorKind, StanzaError};
use crate::web::{Device, Media};
use crate::xml::{Element, NS_COMPONENT};

/// What a gateway address shows of its person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Callable {
    /// Nothing means unavailable.
    media: Media,
    show: Show,
    client: ClientType,
    photo: Photo,
}

impl Gateway {
    pub(super) fn handle_presence(&mut self, now: Instant, inbound: &Inbound<'_>) {
        let root = inbound.document.root();
        match (root.attr("type"), &inbound.named) {
            (None, Named::Service) => self.online(inbound),
            (None, Named::Person(watcher)) => {
                // She sends presence to his gateway address: he may see her.
                let person = inbound.from.to_bare();
                self.online(inbound);
                // Only now: he is told once.
                if self.add_watcher(&person, watcher) {
                    self.tell(&person, watcher.as_str());
                    self.sight_changed(watcher, &person);
                }
            }
            (Some("unavailable"), Named::Service) => self.offline(&inbound.from),
            (Some("unavailable"), Named::Person(watcher)) => {
                self.withdrawn(&inbound.from, watcher);
            }
            (Some("subscribe"), Named::Service) => {
                self.send_presence(
                    "subscribed",
                    &self.config.service.to_string(),
                    &inbound.from.to_bare(),
                    None,
                );
            }
            (Some("subscribe"), Named::Person(person)) => self.subscribe(now, inbound, person),
            (Some("subscribed"), Named::Person(watcher)) => {
                let person = inbound.from.to_bare();
                self.add_watcher(&person, watcher);
                let nick = root.child("nick", NS_NICK);
                self.answer_subscription("subscribed", &person, watcher, nick);
                self.tell(&person, watcher.as_str());
                self.sight_changed(watcher, &person);
                // Servers look at what presence says of features (XEP-0163 §4.2) only if the one who
                // sends it sees their own user, as he does from now on: they hear it again.
                if self.clients.registry.is_watched(watcher, &person) {
                    self.tell(watcher, person.as_str());
                }
            }
            (Some("unsubscribed"), Named::Person(watcher)) => {
                let person = inbound.from.to_bare();
                self.remove_watcher(&person, watcher);
                self.answer_subscription("unsubscribed", &person, watcher, None);
                self.sight_changed(watcher, &person);
                // Of her clients it may have been known only where he saw them.
                let other = self.clients.registry.watchers(&person).next().cloned();
                if let Some(other) = other {
                    self.forward("probe", &other, &person, None);
                }
            }
            (Some("unsubscribe"), Named::Person(person)) => {
                let watcher = inbound.from.to_bare();
                self.remove_watcher(person, &watcher);
                self.sight_changed(&watcher, person);
                self.forward("unsubscribe", &watcher, person, None);
            }
            (Some("probe"), Named::Person(person)) => self.probe(now, inbound, person),
            // An error is no answer to be answered, and other types say nothing to us.
            _ => {}
        }
    }

    /// An app announced itself.
    pub(super) fn announced(&mut self, jid: &FullJid, device: Device) -> Result<(), StanzaError> {
        let before = self.clients.registry.device(jid);
        if let Err(limit) = self.clients.registry.announce(jid, device) {
            return Err(StanzaError::new(ErrorKind::Wait, "resource-constraint")
                .because(limit)
                .with_text("too many devices"));
        }
        self.is_new(jid);
        if before != Some(device) {
            self.keep_device(jid);
        }
        self.calls.handle_available(jid);
        self.tell_watchers(&jid.to_bare());
        Ok(())
    }

    /// Whatever is at this address is gone; without a resource, all of a person's clients that are
    /// no browser apps.
    pub(super) fn offline(&mut self, jid: &Jid) {
        match jid.clone().try_into_full() {
            Ok(device) => self.device_gone(&device),
            Err(person) => {
                let reach = self.clients.registry.reach(&person);
                for (client, _) in reach.clients {
                    if self.clients.registry.device(&client).is_some() {
                        self.clients.registry.no_client(&client);
                    } else {
                        self.device_gone(&client);
                    }
                }
            }
        }
        self.tell_watchers(&jid.to_bare());
    }

    /// Whatever is at this address, without a resource each client of a person (RFC 6121 §4.3.2), no
    /// longer shows itself to `watcher`.
    fn withdrawn(&mut self, from: &Jid, watcher: &BareJid) {
        let person = from.to_bare();
        let clients = match from.clone().try_into_full() {
            Ok(client) => vec![client],
            Err(_) => {
                let clients = self.clients.registry.reach(&person).clients;
                clients.into_iter().map(|(client, _)| client).collect()
            }
        };
        for client in clients {
            if self.clients.withdrawn(&client, watcher) == Withdrawn::All {
                self.device_gone(&client);
            }
        }
        self.tell_watchers(&person);
    }

    fn device_gone(&mut self, device: &FullJid) {
        if self.clients.registry.device(device).is_some() {
            self.keep(Change::Forget(Key::Device(device.clone())));
        }
        self.device_silent(device);
        self.clients.unavailable(device);
        let device = device.clone();
        if !self.calls.is_device(&device) {
            self.issued.release(&device);
        }
        let jid = Jid::from(device);
        self.stop_watching(&jid);
        let (calls, mut cx) = self.calls();
        calls.handle_unavailable(&jid, &mut cx);
    }

    /// Tells everybody who sees the person what can be called, if that has changed.
    pub(super) fn tell_watchers(&mut self, person: &BareJid) {
        self.peers_changed(person);
        let callable = self.callable(person);
        let before = if callable == Callable::default() {
            self.told.remove(person).unwrap_or_default()
        } else {
            self.told
                .insert(person.clone(), callable)
                .unwrap_or_default()
        };
        if before != callable
            && let Some(presence) = self.presence_of(person, callable)
        {
            for watcher in self.clients.registry.watchers(person) {
                self.outbox.send(presence.to(watcher.as_str()));
            }
        }
    }

    fn online(&mut self, inbound: &Inbound<'_>) {
        let Ok(jid) = inbound.from.clone().try_into_full() else {
            return;
        };
        let root = inbound.document.root();
        let device = root.children().find_map(Device::read);
        if let (Some(device), Named::Service) = (device, &inbound.named) {
            // There is no reply to a presence; an app that must know asks.
            match self.announced(&jid, device) {
                Ok(()) => self.clients.registry.shows_itself(&jid),
                Err(error) => {
                    if let Some(limit) = error.cause {
                        self.counters.limit(limit);
                    }
                }
            }
        } else {
            let service = self.config.service.to_string();
            let watcher = match &inbound.named {
                Named::Person(watcher) => Some(watcher),
                Named::Service | Named::Reserved => None,
            };
            let client = Client::read(root);
            self.clients
                .available(&jid, client, watcher, &service, &mut self.outbox);
            let person = jid.to_bare();
            self.clients.registry.pictured(&person, Photo::read(root));
            self.is_sure(&jid);
            self.calls.handle_available(&jid);
            self.tell_watchers(&person);
        }
    }

    /// A contact of hers is told at once; else the wish is carried to her, and approval is
    /// hers.
    fn subscribe(&mut self, now: Instant, inbound: &Inbound<'_>, person: &BareJid) {
        let watcher = inbound.from.to_bare();
        match self.is_contact(now, inbound, person) {
            Some(true) => {
                self.add_watcher(person, &watcher);
                self.answer_subscription("subscribed", person, &watcher, None);
                self.tell(person, watcher.as_str());
            }
            Some(false) => {
                let nick = inbound.document.root().child("nick", NS_NICK);
                self.forward("subscribe", &watcher, person, nick);
            }
            None => {}
        }
    }

    /// His server asks whether she is there. If we do not know that he may see her, hers is asked
    /// in turn: it answers only if he may.
    fn probe(&mut self, now: Instant, inbound: &Inbound<'_>, person: &BareJid) {
        let watcher = inbound.from.to_bare();
        match self.may_call(now, inbound, person) {
            Some(true) => {
                self.add_watcher(person, &watcher);
                self.tell(person, inbound.from.as_str());
                self.looked_at(person);
            }
            Some(false) => self.forward("probe", &watcher, person, None),
            None => {}
        }
    }

    /// Sends to `person` what `asker` wants of her, from his gateway address.
    pub(super) fn forward(
        &mut self,
        kind: &str,
        asker: &BareJid,
        person: &BareJid,
        nick: Option<Element<'_>>,
    ) {
        if let Some(own) = self.addresses.of(asker) {
            self.send_presence(kind, &own, person, nick);
        }
    }

    /// Sends to `watcher` what `person` says of his subscription, from her gateway address.
    fn answer_subscription(
        &mut self,
        kind: &str,
        person: &BareJid,
        watcher: &BareJid,
        nick: Option<Element<'_>>,
    ) {
        if let Some(own) = self.addresses.of(person) {
            self.send_presence(kind, &own, watcher, nick);
        }
    }

    fn send_presence(&mut self, kind: &str, from: &str, to: &BareJid, nick: Option<Element<'_>>) {
        let mut writer = stanza::open("presence", Some(kind), from, to.as_str(), None);
        if let Some(nick) = nick {
            writer.leaf("nick", NS_NICK, nick.text());
        }
        self.send(writer.finish());
    }

    fn callable(&self, person: &BareJid) -> Callable {
        let media = self.clients.media(person);
        if media.is_empty() {
            return Callable::default();
        }
        Callable {
            media,
            show: self.clients.show(person).unwrap_or_default(),
            client: self.clients.client_type(person),
            photo: self.clients.registry.photo(person),
        }
    }

    /// Sends the presence of a person's gateway address.
    fn tell(&mut self, person: &BareJid, to: &str) {
        if let Some(presence) = self.presence_of(person, self.callable(person)) {
            self.send(presence.to(to));
        }
    }

    /// The presence of a person's gateway address.
    fn presence_of(&self, person: &BareJid, callable: Callable) -> Option<Circular> {
        // Clients call a resource, so there is one.
        let own = format!("{}/{RESOURCE}", self.addresses.of(person)?);
        let Callable {
            media,
            show,
            client,
            photo,
        } = callable;
        let available = !media.is_empty();
        let kind = (!available).then_some("unavailable");
        Some(Circular::new("presence", kind, &own, |writer| {
            if !available {
                return;
            }
            if let Some(show) = show.text() {
                writer.leaf("show", NS_COMPONENT, show);
            }
            self.profiles.person(media, client).write_caps(writer);
            photo.write(writer);
        }))
    }
}

/// The resource of gateway addresses in presence.
const RESOURCE: &str = "campana";
/// XEP-0172.
const NS_NICK: &str = "http://jabber.org/protocol/nick";
