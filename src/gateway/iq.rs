//! Requests and replies (RFC 6120 §8.2.3).

use std::sync::Arc;
use std::time::Instant;

use jid::{BareJid, FullJid, Jid};

use super::outbox::Purpose;
use super::{Gateway, Inbound};
use crate::address::Named;
use crate::admin;
use crate::call::{self, Between, Directory, Failure};
use crate::credentials::{extdisco, username};
use crate::disco::{self, Caps, Profile};
use crate::jingle;
use crate::privilege;
use crate::stanza::{self, ErrorKind, StanzaError};
use crate::web::{self, Device, Session};
use crate::xml::{Element, Writer};

/// How a request is answered.
pub(super) enum Answer {
    /// An empty result.
    Done,
    /// A result with content.
    With(String),
    /// An error.
    Error(StanzaError),
    /// Not yet: the stanza waits for a roster.
    Later,
}

impl From<Result<(), StanzaError>> for Answer {
    fn from(result: Result<(), StanzaError>) -> Self {
        result.map_or_else(Self::Error, |()| Self::Done)
    }
}

impl Gateway {
    pub(super) fn handle_iq(&mut self, now: Instant, inbound: &Inbound<'_>) {
        let root = inbound.document.root();
        let id = root.attr("id").filter(|id| !id.is_empty());
        let set = match (root.attr("type"), id) {
            (Some("get"), Some(_)) => false,
            (Some("set"), Some(_)) => true,
            (Some("result"), Some(id)) => return self.handle_reply(now, inbound, id, None),
            (Some("error"), Some(id)) => {
                let failure = failure_of(root);
                return self.handle_reply(now, inbound, id, Some(failure));
            }
            // RFC 6120 §8.2.3: no id, or no legal type.
            (Some("result" | "error"), None) => return,
            _ => {
                let error = StanzaError::bad_request("an iq needs an id and a legal type");
                let from = inbound.from.as_str();
                return self.send(stanza::error("iq", inbound.to, from, id, &error));
            }
        };
        let id = id.unwrap_or_default();
        let key = set.then(|| self.recent.key(root));
        if let Some(reply) = key.and_then(|key| self.recent.get(now, key)) {
            let reply = reply.to_owned();
            return self.send(reply);
        }
        let mark = self.outbox.mark();
        let mut children = root.children();
        let answer = match (children.next(), children.next()) {
            (Some(payload), None) => self.request(now, inbound, set, payload),
            // RFC 6120 §8.2.3: exactly one child.
            _ => Answer::Error(StanzaError::bad_request(
                "an iq of this type holds one element",
            )),
        };
        let (own, peer) = (inbound.to, inbound.from.as_str());
        let reply = match answer {
            Answer::Done => stanza::result(own, peer, id),
            Answer::With(content) => content,
            Answer::Error(error) => {
                self.counters.refuse(&error);
                stanza::error("iq", own, peer, Some(id), &error)
            }
            Answer::Later => return,
        };
        if let Some(key) = key {
            self.recent.put(now, key, reply.clone());
        }
        self.outbox.insert(mark, reply);
    }

    fn request(
        &mut self,
        now: Instant,
        inbound: &Inbound<'_>,
        set: bool,
        payload: Element<'_>,
    ) -> Answer {
        match &inbound.named {
            Named::Service => self.request_of_service(now, inbound, set, payload),
            Named::Person(person) => {
                if !set && let Some(answer) = self.behind_caps(inbound, payload) {
                    return answer;
                }
                let asker = inbound.from.to_bare();
                if !self.calls.joins(person, &asker) {
                    match self.may_call(now, inbound, person) {
                        Some(true) => {}
                        Some(false) => return Answer::Error(StanzaError::service_unavailable()),
                        None => return Answer::Later,
                    }
                }
                self.request_of_person(inbound, person, set, payload)
            }
            Named::Reserved => Answer::Error(StanzaError::service_unavailable()),
        }
    }

    fn request_of_service(
        &mut self,
        now: Instant,
        inbound: &Inbound<'_>,
        set: bool,
        payload: Element<'_>,
    ) -> Answer {
        let result = |write: &dyn Fn(&mut Writer)| Answer::With(result_with(inbound, write));
        if !set
            && payload.name() == "query"
            && let Some(answer) = self.about_commands(inbound, payload)
        {
            return answer;
        }
        match (payload.ns(), payload.name(), set) {
            (disco::NS_INFO, "query", false) => {
                let ice = !self.config.ice.is_empty();
                match payload
                    .attr("node")
                    .filter(|node| privilege::is_disco_node(node))
                {
                    Some(node) => Answer::With(result_with(inbound, &|writer| {
                        privilege::write_features(node, ice, writer);
                    })),
                    None => info_answer(inbound, payload, &self.profiles.service),
                }
            }
            (_, "delegation", true) => self.delegated(now, inbound, payload),
            (disco::NS_ITEMS, "query", false) => result(&|writer| {
                writer.leaf("query", disco::NS_ITEMS, "");
            }),
            (NS_PING, "ping", false) => Answer::Done,
            (web::NS, "device", _) => self.device_asked(inbound, set, payload),
            (web::NS, "carried", true) => self.carried(now, inbound, payload).into(),
            (web::NS, "session", true) => self.carried_session(inbound, payload).into(),
            (web::NS, "features", false) => result(&disco::write_call_features),
            (admin::NS, "command", true) => self.command(now, inbound, payload),
            (web::NS, "peers", false) => self.peers_asked(now, inbound, payload),
            (web::NS, ..) => Answer::Error(StanzaError::not_implemented()),
            _ => match extdisco::Query::read(payload) {
                Some(query) if !set => self.ice_servers(now, inbound, &query),
                _ => Answer::Error(StanzaError::service_unavailable()),
            },
        }
    }

    /// What stands behind caps of ours. That is no secret and the same at every address, so that
    /// servers, which ask in their own name, get it as well, and who asks too late.
    fn behind_caps(&self, inbound: &Inbound<'_>, payload: Element<'_>) -> Option<Answer> {
        let query = Some(payload).filter(|payload| payload.is("query", disco::NS_INFO))?;
        let profile = self.profiles.answering(query.attr("node")?)?;
        Some(info_answer(inbound, query, profile))
    }

    /// An app asks whether it is known (get), or makes itself known (set).
    fn device_asked(&mut self, inbound: &Inbound<'_>, set: bool, payload: Element<'_>) -> Answer {
        let Ok(jid) = inbound.from.clone().try_into_full() else {
            return Answer::Error(StanzaError::bad_request("a device has a full JID"));
        };
        if set {
            return match Device::read(payload) {
                Some(device) => self.announced(&jid, device).into(),
                None => Answer::Error(StanzaError::bad_request("not a device")),
            };
        }
        match self.clients.registry.device(&jid) {
            Some(device) => Answer::With(result_with(inbound, &|writer| device.write(writer))),
            None => Answer::Error(
                StanzaError::new(ErrorKind::Cancel, "item-not-found")
                    .with_text("this device has not announced itself"),
            ),
        }
    }

    /// XEP-0215.
    fn ice_servers(
        &mut self,
        now: Instant,
        inbound: &Inbound<'_>,
        query: &extdisco::Query,
    ) -> Answer {
        if let Err(error) = self.may_have_ice(&inbound.from, query) {
            return Answer::Error(error);
        }
        if let Ok(device) = inbound.from.clone().try_into_full()
            && self.clients.registry.device(&device).is_some()
        {
            let username = username(device.to_bare().as_str(), self.expiry(now));
            let most = self.config.limits.usernames_per_device;
            self.issued.remember(&device, username, most);
        }
        Answer::With(result_with(inbound, &|writer| {
            self.write_ice(now, &inbound.from, query, writer);
        }))
    }

    /// XEP-0215, asked of a server which delegated the question to us (XEP-0355).
    fn delegated(&self, now: Instant, inbound: &Inbound<'_>, payload: Element<'_>) -> Answer {
        let Some(request) = privilege::Request::read(&inbound.from, payload) else {
            return Answer::Error(StanzaError::bad_request(
                "no request that can be delegated here",
            ));
        };
        let query = extdisco::Query::read(request.payload)
            .ok_or_else(StanzaError::service_unavailable)
            .and_then(|query| {
                self.may_have_ice(&request.from, &query)?;
                Ok(query)
            });
        Answer::With(result_with(inbound, &|writer| {
            let answer = query.as_ref().map_err(Clone::clone).map(|query| {
                |writer: &mut Writer| self.write_ice(now, &request.from, query, writer)
            });
            request.write_reply(answer, writer);
        }))
    }

    /// Only devices of people whom this server serves may.
    fn may_have_ice(&self, from: &Jid, query: &extdisco::Query) -> Result<(), StanzaError> {
        let is_served = from.node().is_some()
            && from.resource().is_some()
            && !self.config.ice.is_empty()
            && self.config.grants_credentials(from.domain().as_str());
        if !is_served {
            return Err(StanzaError::service_unavailable());
        }
        if !query.has_answer(&self.config.ice) {
            return Err(StanzaError::new(ErrorKind::Cancel, "item-not-found"));
        }
        Ok(())
    }

    fn write_ice(&self, now: Instant, from: &Jid, query: &extdisco::Query, writer: &mut Writer) {
        query.write_answer(
            &self.config.ice,
            from.to_bare().as_str(),
            self.expiry(now),
            writer,
        );
    }

    /// When credentials that are given out now expire, in seconds since 1970.
    fn expiry(&self, now: Instant) -> u64 {
        self.unix(now) + self.config.credential_ttl
    }

    fn request_of_person(
        &mut self,
        inbound: &Inbound<'_>,
        person: &BareJid,
        set: bool,
        payload: Element<'_>,
    ) -> Answer {
        match (payload.ns(), payload.name(), set) {
            (jingle::session::NS, "jingle", true) => self.jingle(inbound, person, payload).into(),
            (web::NS, "session", true) => self.session(inbound, person, payload).into(),
            (disco::NS_INFO, "query", false) => {
                // Whoever is in a call with her sees the features that it needs.
                let media = if self.calls.joins(person, &inbound.from.to_bare()) {
                    web::Media::BOTH
                } else {
                    self.clients.media(person)
                };
                let client = self.clients.client_type(person);
                info_answer(inbound, payload, self.profiles.person(media, client))
            }
            (disco::NS_ITEMS, "query", false) => Answer::With(result_with(inbound, &|writer| {
                writer.leaf("query", disco::NS_ITEMS, "");
            })),
            (NS_PING, "ping", false) => Answer::Done,
            (_, "vCard" | "pubsub", false) => self.asked_of_herself(inbound, person, payload),
            _ => Answer::Error(StanzaError::service_unavailable()),
        }
    }

    fn jingle(
        &mut self,
        inbound: &Inbound<'_>,
        person: &BareJid,
        payload: Element<'_>,
    ) -> Result<(), StanzaError> {
        let from = full(inbound)?;
        let payload = call::read(payload)?;
        if payload.action == jingle::Action::SessionInitiate
            && !self.calls.joins(person, &from.to_bare())
        {
            self.refuse_new_calls()?;
        }
        let between = Between {
            from: &from,
            to: inbound.to,
            person,
            through: None,
        };
        let (calls, mut cx) = self.calls();
        let result = calls.handle_jingle(between, &payload, &mut cx);
        self.meet(between);
        result
    }

    fn session(
        &mut self,
        inbound: &Inbound<'_>,
        person: &BareJid,
        payload: Element<'_>,
    ) -> Result<(), StanzaError> {
        let from = full(inbound)?;
        let session =
            Session::read(payload).map_err(|e| StanzaError::bad_request(e.to_string()))?;
        // Whoever speaks the protocol is a device, whether or not its announcement arrived.
        if self.clients.registry.device(&from).is_none() {
            self.announced(
                &from,
                Device {
                    media: web::Media::BOTH,
                    ..Device::default()
                },
            )?;
        }
        if matches!(session.message, web::Message::Offer(_))
            && !self.calls.joins(person, &from.to_bare())
        {
            self.refuse_new_calls()?;
        }
        let between = Between {
            from: &from,
            to: inbound.to,
            person,
            through: None,
        };
        let (calls, mut cx) = self.calls();
        calls.handle_web(between, session, &mut cx)
    }

    /// While the service stops, only calls that live go on.
    pub(super) fn refuse_new_calls(&self) -> Result<(), StanzaError> {
        if self.drain_until.is_some() {
            return Err(StanzaError::new(ErrorKind::Wait, "resource-constraint")
                .with_text("the service is being restarted"));
        }
        Ok(())
    }

    fn handle_reply(
        &mut self,
        now: Instant,
        inbound: &Inbound<'_>,
        id: &str,
        failure: Option<Failure<'_>>,
    ) {
        // ATTACKS: a reply that nobody asked for is dropped without a word.
        let Some(purpose) = self.outbox.reply(&inbound.from, id) else {
            return;
        };
        let payload = inbound
            .document
            .root()
            .children()
            .next()
            .filter(|_| failure.is_none());
        match purpose {
            Purpose::Call(request) => {
                let (calls, mut cx) = self.calls();
                calls.handle_reply(request, failure, &mut cx);
            }
            Purpose::Caps(jid, caps) => {
                let query = payload.filter(|query| query.is("query", disco::NS_INFO));
                let lang = inbound.document.root().lang();
                self.learned(&jid, &caps, query.map(|query| (query, lang)));
            }
            Purpose::Software(client, through) => {
                self.met(&client, through.as_ref(), payload);
            }
            Purpose::Roster(person) => self.roster_known(now, &person, payload),
            Purpose::Blocks(person) => self.blocks_known(now, &person, payload),
            Purpose::Herself(asked) => self.said_of_herself(&asked, payload, failure.as_ref()),
            Purpose::Device(jid) => {
                if failure.is_some_and(|failure| is_gone(&failure)) {
                    self.device_silent(&jid);
                    self.offline(&jid.into());
                } else {
                    self.device_answered(&jid);
                }
            }
            Purpose::Presence(client) => {
                if failure.is_some_and(|failure| is_gone(&failure)) {
                    self.offline(&client.into());
                }
            }
            Purpose::Peers(device) => match failure {
                // A device that cannot take it is told no more.
                Some(_) => self.stop_watching(&device.into()),
                None => self.watches.acknowledged(now, &device),
            },
        }
    }

    /// More is known of what a client can do, or it does not say.
    fn learned(
        &mut self,
        jid: &FullJid,
        caps: &Arc<Caps>,
        query: Option<(Element<'_>, Option<&str>)>,
    ) {
        let service = self.config.service.to_string();
        let learned = self
            .clients
            .learned(jid, caps, query, &service, &mut self.outbox);
        learned.1.into_iter().for_each(|change| self.keep(change));
        for person in learned.0 {
            self.tell_legs(&person);
            self.tell_watchers(&person);
        }
    }

    /// Her clients are spoken to as is known by now, also in calls under way.
    fn tell_legs(&mut self, person: &BareJid) {
        let clients = self.clients.registry.clients(person);
        let clients = clients.filter_map(|(resource, _)| person.with_resource_str(resource).ok());
        for client in clients
            .filter(|client| self.calls.is_device(client))
            .collect::<Vec<_>>()
        {
            let dialect = self.clients.dialect(&client);
            self.calls.handle_dialect(&client, None, dialect);
        }
    }

    pub(super) fn handle_no_reply(&mut self, now: Instant, purpose: Purpose) {
        match purpose {
            Purpose::Call(request) => {
                let (calls, mut cx) = self.calls();
                calls.handle_no_reply(request, &mut cx);
            }
            Purpose::Caps(jid, caps) => self.learned(&jid, &caps, None),
            Purpose::Software(..) => {}
            Purpose::Roster(person) => self.roster_known(now, &person, None),
            Purpose::Blocks(person) => self.blocks_known(now, &person, None),
            Purpose::Device(jid) => self.device_silent(&jid),
            Purpose::Herself(asked) => self.said_of_herself(&asked, None, None),
            Purpose::Presence(_) => {}
            // Its server keeps the stream for a while; whether the device is gone shows later.
            Purpose::Peers(device) => self.watches.acknowledged(now, &device),
        }
    }
}

/// Whether an error says that nobody is there.
fn is_gone(failure: &Failure<'_>) -> bool {
    matches!(
        failure.condition,
        "service-unavailable" | "recipient-unavailable" | "item-not-found"
    )
}

/// What an error says, with the condition of XEP-0166 §10 if there is one.
fn failure_of(stanza: Element<'_>) -> Failure<'_> {
    let error = stanza.children().find(|child| child.name() == "error");
    let jingle = error
        .into_iter()
        .flat_map(Element::children)
        .filter(|child| child.ns() == jingle::error::NS)
        .find_map(|child| jingle::Condition::from_name(child.name()));
    Failure {
        condition: stanza::error_condition(stanza),
        jingle,
    }
}

pub(super) fn full(inbound: &Inbound<'_>) -> Result<FullJid, StanzaError> {
    inbound
        .from
        .clone()
        .try_into_full()
        .map_err(|_| StanzaError::bad_request("calls are made from a full JID"))
}

pub(super) fn result_with(inbound: &Inbound<'_>, write: &dyn Fn(&mut Writer)) -> String {
    let id = inbound.document.root().attr("id");
    let mut writer = stanza::open("iq", Some("result"), inbound.to, inbound.from.as_str(), id);
    write(&mut writer);
    writer.finish()
}

fn info_answer(inbound: &Inbound<'_>, query: Element<'_>, profile: &Profile) -> Answer {
    let node = query.attr("node");
    if node.is_some_and(|node| !profile.answers(node)) {
        return Answer::Error(StanzaError::new(ErrorKind::Cancel, "item-not-found"));
    }
    Answer::With(result_with(inbound, &|writer| {
        writer.open("query", disco::NS_INFO).opt_attr("node", node);
        profile.write_info(writer);
        writer.close();
    }))
}

/// XEP-0199 §4.
pub(super) const NS_PING: &str = "urn:xmpp:ping";
