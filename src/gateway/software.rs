use std::collections::{HashMap, VecDeque};

use jid::FullJid;

use super::Gateway;
use super::outbox::Purpose;
use crate::call::Between;
use crate::disco::{self, Abilities};
use crate::mapping::Dialect;
use crate::xml::Element;

/// What software clients are that take part in calls and do not show us their presence.
#[derive(Debug, Default)]
pub(super) struct Software {
    /// `None` while the answer is awaited.
    known: HashMap<FullJid, Option<&'static Dialect>>,
    order: VecDeque<FullJid>,
}

impl Software {
    pub(super) fn dialect(&self, client: &FullJid) -> Option<&'static Dialect> {
        *self.known.get(client)?
    }

    /// Remembers that a client is asked. False if it was before.
    fn ask(&mut self, client: &FullJid) -> bool {
        if self.known.contains_key(client) {
            return false;
        }
        if self.order.len() >= MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(client.clone());
        self.known.insert(client.clone(), None);
        true
    }

    fn learn(&mut self, client: &FullJid, dialect: &'static Dialect) {
        if let Some(known) = self.known.get_mut(client) {
            *known = Some(dialect);
        }
    }
}

impl Gateway {
    /// A client speaks that takes part in a call, and whose ways depend on what software it is: it
    /// is asked once, unless its caps have told.
    pub(super) fn meet(&mut self, between: Between<'_>) {
        let client = between.from;
        if !self.calls.is_party(between)
            || self.clients.registry.client(client).is_some()
            || self.clients.registry.device(client).is_some()
            || !self.clients.software.ask(client)
        {
            return;
        }
        let purpose = Purpose::Software(client.clone(), between.through.cloned());
        let service = self.config.service.to_string();
        let _ = self
            .outbox
            .ask(purpose, "get", &service, client.as_str(), &|writer| {
                writer.leaf("query", disco::NS_INFO, "");
            });
    }

    /// What a client answered to that, if it did.
    pub(super) fn met(
        &mut self,
        client: &FullJid,
        through: Option<&FullJid>,
        query: Option<Element<'_>>,
    ) {
        let query = query.filter(|query| query.is("query", disco::NS_INFO));
        let Some(query) = query else { return };
        let dialect = Dialect::of_client(&Abilities::read(query).name);
        self.clients.software.learn(client, dialect);
        self.calls.handle_dialect(client, through, dialect);
    }
}

/// Clients remembered; those met first make room.
const MOST: usize = 10_000;
