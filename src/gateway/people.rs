//! Presence: who is there, who may see whom (RFC 6121 §3 and §4), and what gateway addresses show.

use std::time::Instant;

use jid::{BareJid, FullJid, Jid};

use super::records::{Change, Key};
use super::{Gateway, Inbound};
use crate::address::Named;
use crate::presence::{Client, Show};
use crate::stanza::{self, ErrorKind, StanzaError};
use crate::web::{Device, Media};
use crate::xml::{Element, NS_COMPONENT};

/// What a gateway address shows of its person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Callable {
    /// Nothing means unavailable.
    media: Media,
    show: Show,
}

impl Gateway {
    pub(super) fn handle_presence(&mut self, now: Instant, inbound: &Inbound<'_>) {
        let root = inbound.document.root();
        match (root.attr("type"), &inbound.named) {
            (None, Named::Service) => self.online(inbound),
            (None, Named::Person(watcher)) => {
                // She sends presence to his gateway address: he may see her.
                let person = inbound.from.to_bare();
                let is_new = self.add_watcher(&person, watcher);
                self.online(inbound);
                if is_new {
                    self.tell(&person, watcher.as_str());
                    self.sight_changed(watcher, &person);
                }
            }
            (Some("unavailable"), Named::Service | Named::Person(_)) => {
                self.offline(&inbound.from);
            }
            (Some("subscribe"), Named::Service) => {
                self.send_presence(
                    "subscribed",
                    &self.config.service.to_string(),
                    &inbound.from.to_bare(),
                );
            }
            (Some("subscribe"), Named::Person(person)) => self.subscribe(now, inbound, person),
            (Some("subscribed"), Named::Person(watcher)) => {
                let person = inbound.from.to_bare();
                self.add_watcher(&person, watcher);
                self.answer_subscription("subscribed", &person, watcher);
                self.tell(&person, watcher.as_str());
                self.sight_changed(watcher, &person);
            }
            (Some("unsubscribed"), Named::Person(watcher)) => {
                let person = inbound.from.to_bare();
                self.remove_watcher(&person, watcher);
                self.answer_subscription("unsubscribed", &person, watcher);
                self.sight_changed(watcher, &person);
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
        if !self.clients.registry.announce(jid, device) {
            self.counters.limit("devices_per_person");
            return Err(StanzaError::new(ErrorKind::Wait, "resource-constraint")
                .with_text("too many devices of one person"));
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

    fn device_gone(&mut self, device: &FullJid) {
        if self.clients.registry.device(device).is_some() {
            self.keep(Change::Forget(Key::Device(device.clone())));
        }
        self.device_silent(device);
        self.clients.unavailable(device);
        let device = device.clone();
        if !self.calls.is_device(&device) {
            self.issued.remove(&device);
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
        if before != callable {
            for watcher in self.clients.registry.watchers(person) {
                self.tell(person, watcher.as_str());
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
            let _ = self.announced(&jid, device);
        } else {
            let service = self.config.service.to_string();
            self.clients
                .available(&jid, Client::read(root), &service, &mut self.outbox);
            self.is_sure(&jid);
            self.calls.handle_available(&jid);
            self.tell_watchers(&jid.to_bare());
        }
    }

    /// A contact of hers is told at once; else the wish is carried to her, and approval is
    /// hers.
    fn subscribe(&mut self, now: Instant, inbound: &Inbound<'_>, person: &BareJid) {
        let watcher = inbound.from.to_bare();
        match self.is_contact(now, inbound, person) {
            Some(true) => {
                self.add_watcher(person, &watcher);
                self.answer_subscription("subscribed", person, &watcher);
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
        let Some(own) = self.addresses.of(asker) else {
            return;
        };
        let mut writer = stanza::open("presence", Some(kind), &own, person.as_str(), None);
        if let Some(nick) = nick {
            writer.leaf("nick", NS_NICK, nick.text());
        }
        self.send(writer.finish());
    }

    /// Sends to `watcher` what `person` says of his subscription, from her gateway address.
    fn answer_subscription(&mut self, kind: &str, person: &BareJid, watcher: &BareJid) {
        if let Some(own) = self.addresses.of(person) {
            self.send_presence(kind, &own, watcher);
        }
    }

    fn send_presence(&mut self, kind: &str, from: &str, to: &BareJid) {
        self.send(stanza::open("presence", Some(kind), from, to.as_str(), None).finish());
    }

    fn callable(&self, person: &BareJid) -> Callable {
        let media = self.clients.media(person);
        if media.is_empty() {
            return Callable::default();
        }
        Callable {
            media,
            show: self.clients.show(person).unwrap_or_default(),
        }
    }

    /// Sends the presence of a person's gateway address.
    fn tell(&mut self, person: &BareJid, to: &str) {
        let Some(own) = self.addresses.of(person) else {
            return;
        };
        let callable = self.callable(person);
        // Clients call a resource, so there is one.
        let own = format!("{own}/{RESOURCE}");
        let available = !callable.media.is_empty();
        let kind = (!available).then_some("unavailable");
        let mut writer = stanza::open("presence", kind, &own, to, None);
        if available {
            if let Some(show) = callable.show.text() {
                writer.leaf("show", NS_COMPONENT, show);
            }
            self.profiles.person(callable.media).write_caps(&mut writer);
        }
        self.send(writer.finish());
    }
}

/// The resource of gateway addresses in presence.
const RESOURCE: &str = "campana";
/// XEP-0172.
const NS_NICK: &str = "http://jabber.org/protocol/nick";
