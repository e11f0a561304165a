//! What a person says of herself, passed through her gateway address: vCard (XEP-0054), avatar
//! (XEP-0084) and nickname (XEP-0172).
//!
//! Her server is asked in the name of the asker's gateway address, so that it decides by her own
//! rules what he may see.

use jid::{BareJid, Jid};

use super::iq::Answer;
use super::outbox::Purpose;
use super::{Gateway, Inbound};
use crate::call::Failure;
use crate::stanza::{self, ErrorKind, StanzaError};
use crate::xml::{Element, Writer};

/// A question that waits for what the person's server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    what: What,
    asker: Jid,
    /// The gateway address as the asker wrote it.
    address: String,
    id: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Vcard,
    /// Items of one of [`NODES`] (XEP-0060 §6.5), or one of them.
    Items {
        node: &'static str,
        item: Option<String>,
    },
}

impl What {
    fn read(payload: Element<'_>) -> Option<Self> {
        if payload.is("vCard", NS_VCARD) {
            return Some(Self::Vcard);
        }
        let items = Some(payload)
            .filter(|payload| payload.is("pubsub", NS_PUBSUB))?
            .child("items", NS_PUBSUB)?;
        let node = NODES
            .into_iter()
            .find(|node| items.attr("node") == Some(node))?;
        let item = items
            .child("item", NS_PUBSUB)
            .and_then(|item| item.attr("id"));
        Some(Self::Items {
            node,
            item: item.map(str::to_owned),
        })
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Vcard => {
                writer.leaf("vCard", NS_VCARD, "");
            }
            Self::Items { node, item } => {
                writer.open("pubsub", NS_PUBSUB);
                writer.open("items", NS_PUBSUB).attr("node", node);
                match item {
                    Some(id) => {
                        writer.open("item", NS_PUBSUB).attr("id", id).close();
                    }
                    // The last one is what counts.
                    None => {
                        writer.attr("max_items", "1");
                    }
                }
                writer.close().close();
            }
        }
    }

    fn is_answered_by(&self, payload: Element<'_>) -> bool {
        match self {
            Self::Vcard => payload.is("vCard", NS_VCARD),
            Self::Items { node, .. } => {
                let items = payload.child("items", NS_PUBSUB);
                payload.is("pubsub", NS_PUBSUB)
                    && items.is_some_and(|items| items.attr("node") == Some(node))
            }
        }
    }
}

impl Gateway {
    /// Somebody who may see her asks what she says of herself.
    pub(super) fn asked_of_herself(
        &mut self,
        inbound: &Inbound<'_>,
        person: &BareJid,
        payload: Element<'_>,
    ) -> Answer {
        let refusal = || Answer::Error(StanzaError::service_unavailable());
        let own = self.addresses.of(&inbound.from.to_bare());
        let id = inbound.document.root().attr("id");
        let (Some(what), Some(own), Some(id)) = (What::read(payload), own, id) else {
            return refusal();
        };
        if Some(person) == self.addresses.echo() {
            return refusal();
        }
        let asked = Asked {
            what: what.clone(),
            asker: inbound.from.clone(),
            address: inbound.to.to_owned(),
            id: id.to_owned(),
        };
        let purpose = Purpose::Herself(Box::new(asked));
        let to = person.as_str();
        if !self
            .outbox
            .ask(purpose, "get", &own, to, &|writer| what.write(writer))
        {
            let error = StanzaError::new(ErrorKind::Wait, "resource-constraint");
            return Answer::Error(error);
        }
        Answer::Later
    }

    /// Her server has answered; without `payload` and `failure`, it has not.
    pub(super) fn said_of_herself(
        &mut self,
        asked: &Asked,
        payload: Option<Element<'_>>,
        failure: Option<&Failure<'_>>,
    ) {
        let (own, to) = (asked.address.as_str(), asked.asker.as_str());
        let error = match (payload, failure) {
            (Some(payload), None) if asked.what.is_answered_by(payload) => {
                let id = Some(asked.id.as_str());
                let mut writer = stanza::open("iq", Some("result"), own, to, id);
                writer.element(payload);
                return self.send(writer.finish());
            }
            // XEP-0054 §3.3: an empty answer is one of the ways to say that there is none.
            (Some(_), None) => StanzaError::new(ErrorKind::Cancel, "item-not-found"),
            (_, Some(failure)) if failure.condition == "item-not-found" => {
                StanzaError::new(ErrorKind::Cancel, "item-not-found")
            }
            _ => StanzaError::service_unavailable(),
        };
        self.counters.refuse(&error);
        self.send(stanza::error("iq", own, to, Some(&asked.id), &error));
    }

    /// Her server tells `watcher`'s gateway address what she has changed (XEP-0163 §4.3). He is told
    /// if he sees her.
    pub(super) fn tells_of_herself(&mut self, inbound: &Inbound<'_>, watcher: &BareJid) {
        // Servers speak for an account, as RFC 6121 §8.1.1.1 has it.
        let Err(person) = inbound.from.clone().try_into_full() else {
            return;
        };
        let event = inbound.document.root().child("event", NS_PUBSUB_EVENT);
        let is_hers = |event: &Element<'_>| {
            let items = event.child("items", NS_PUBSUB_EVENT);
            let node = items.and_then(|items| items.attr("node"));
            node.is_some_and(|node| NODES.contains(&node))
        };
        let (Some(event), Some(own)) = (event.filter(is_hers), self.addresses.of(&person)) else {
            return;
        };
        if self.clients.registry.is_watched(&person, watcher) {
            let mut writer =
                stanza::open("message", Some("headline"), &own, watcher.as_str(), None);
            writer.element(event);
            self.send(writer.finish());
        }
    }
}

/// XEP-0054 §7.1.
const NS_VCARD: &str = "vcard-temp";
/// XEP-0060 §6.5 and §12.
const NS_PUBSUB: &str = "http://jabber.org/protocol/pubsub";
const NS_PUBSUB_EVENT: &str = "http://jabber.org/protocol/pubsub#event";
/// XEP-0084 §4 and §5, XEP-0172 §4.3, XEP-0292 §4.1.
const NODES: [&str; 4] = [
    "urn:xmpp:avatar:metadata",
    "urn:xmpp:avatar:data",
    "http://jabber.org/protocol/nick",
    "urn:xmpp:vcard4",
];
