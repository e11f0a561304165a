//! The whole XMPP face as one engine: routes each stanza to the engine it belongs to.
//!
//! [`Gateway`] is told of stanzas and of the time, and polled for what it wants sent. It decides
//! who may ask what ([`Access`]); what a stanza means is the business of the engines
//! below it. Every answer to somebody who may not know whether there is somebody is the same
//! `service-unavailable`.
//!

mod carried;
mod clients;
mod commands;
mod config;
mod counters;
mod doubt;
mod echo;
mod iq;
mod issued;
mod message;
mod outbox;
mod peers;
mod people;
mod recent;
mod records;
mod software;
mod vcard;
mod waking;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use jid::{BareJid, FullJid, Jid};
use tracing::{debug, info};

use self::clients::Clients;
use self::doubt::Doubts;
use self::echo::Echo;
use self::issued::Issued;
use self::outbox::{Outbox, Purpose};
use self::recent::Recent;
use self::waking::Waking;
use crate::address::{Addresses, Named};
use crate::call::{self, Calls, Journal};
use crate::disco::{ClientType, Profile};
use crate::presence::{
    Access, Blocks, Decision, NS_BLOCKING, RosterEntry, Watches, roster_entries,
};
use crate::privilege::{self, Grants};
use crate::stanza::{self, StanzaError};
use crate::web::Media;
use crate::xml::{BadStanza, Document, Element, Error, StanzaHeader, StanzaKind, Writer};

pub use config::{Config, Limits};
pub use counters::Counters;
pub use records::{Change, Key, Record};

pub use crate::privilege::Privileges;

/// The XMPP face of Campana.
///
/// After every `handle_*`, [`Self::poll_output`] is called until it says [`Output::Timeout`].
#[derive(Debug)]
pub struct Gateway {
    config: Config,
    addresses: Addresses,
    calls: Calls,
    clients: Clients,
    echo: Option<Echo>,
    access: Access,
    outbox: Outbox,
    recent: Recent<String>,
    /// The same for what devices hand in, of which each hand-over has an id of its own.
    recently_carried: Recent<Result<(), StanzaError>>,
    grants: Grants,
    blocks: Blocks,
    /// What waits for a roster, or a list of the blocked.
    parked: HashMap<BareJid, Vec<Document>>,
    /// A roster that has just arrived, while what waited for it goes on.
    at_hand: Option<(BareJid, Vec<RosterEntry>)>,
    watches: Watches,
    waking: Waking,
    doubts: Doubts,
    /// What is to be kept over a restart.
    changes: VecDeque<Change>,
    /// What admins asked of the process.
    orders: VecDeque<Output>,
    /// Forms that were begun.
    command_sessions: u64,
    /// What each person's watchers were last told.
    told: HashMap<BareJid, people::Callable>,
    profiles: Profiles,
    counters: Arc<Counters>,
    issued: Issued,
    /// Those whose allocations are to be closed.
    unused: Vec<String>,
    /// A moment, and the seconds since 1970 then.
    clock: (Instant, u64),
    link_up: bool,
    drain_until: Option<Instant>,
}

/// What a [`Gateway`] asks of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Output {
    /// Send this stanza.
    Stanza(String),
    /// Close the TURN allocations made with this user name.
    DropAllocations {
        /// `expiry:person`; a person alone stands for all user names of hers.
        username: String,
    },
    /// Read certificates again.
    Reload,
    /// Begin to stop, as if the process were told so.
    Stop,
    /// What servers let us do for their people has changed.
    Privileges(Privileges),
    /// Keep this over a restart, or no longer.
    Store(Change),
    /// Give this stanza to the app that takes test calls; what it has to say comes by
    /// [`Gateway::handle_echo`].
    Echo(String),
    /// Nothing more now; call [`Gateway::handle_timeout`] at this time.
    Timeout(Option<Instant>),
}

/// How much a [`Gateway`] keeps that has an end: nothing, once all calls are over and everything is
/// answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Calls and what finds them.
    pub calls: call::Load,
    /// Requests that wait for a reply.
    pub requests: usize,
    /// Stanzas that wait for the link.
    pub queued: usize,
    /// Stanzas that wait for a roster.
    pub parked: usize,
    /// TURN user names whose allocations are to be closed.
    pub unused: usize,
}

/// A stanza of somebody at an address of ours.
struct Inbound<'a> {
    document: &'a Document,
    from: Jid,
    /// As it was written, to answer from.
    to: &'a str,
    named: Named,
}

/// What our addresses answer to disco#info.
#[derive(Debug)]
struct Profiles {
    service: Profile,
    persons: Vec<(Media, ClientType, Profile)>,
}

impl Profiles {
    fn new(ice: bool) -> Self {
        let media = [Media::default(), Media::AUDIO, Media::VIDEO, Media::BOTH];
        let each = media.map(|media| {
            [ClientType::Phone, ClientType::Web]
                .map(|client| (media, client, Profile::person(media, client)))
        });
        Self {
            service: Profile::service(ice),
            persons: each.into_iter().flatten().collect(),
        }
    }

    /// Of the gateway address of a person who can take these media, at such a client.
    fn person(&self, media: Media, client: ClientType) -> &Profile {
        let is_it = |of: &&(Media, ClientType, Profile)| (of.0, of.1) == (media, client);
        let found = self.persons.iter().find(is_it);
        found.map_or(&self.service, |(_, _, profile)| profile)
    }

    /// What stood behind caps that a person's address had, a moment ago maybe.
    fn answering(&self, node: &str) -> Option<&Profile> {
        let mut profiles = self.persons.iter().map(|(_, _, profile)| profile);
        profiles.find(|profile| profile.answers(node))
    }
}

impl Gateway {
    /// A gateway at `now`, which is `unix` seconds after 1970. All randomness comes of `seed`.
    #[must_use]
    pub fn new(config: Config, now: Instant, unix: u64, seed: [u8; 32]) -> Self {
        let addresses = if config.limits.echo_calls > 0 {
            Addresses::with_echo(config.service.clone())
        } else {
            Addresses::new(config.service.clone())
        };
        // Two generators out of one seed; they must not give the same numbers.
        let mut other_seed = seed;
        other_seed.iter_mut().for_each(|byte| *byte ^= 0x5A);
        let calls = Calls::new(
            config.call,
            config.limits.call(),
            addresses.clone(),
            other_seed,
        );
        let counters = Arc::new(Counters::new(calls.counters()));
        let journal = config.journal.then(Journal::default);
        let echo = Echo::new(&addresses);
        let mut clients = Clients::new(&config.limits);
        if let Some(echo) = &echo {
            echo.announce(&mut clients);
        }
        Self {
            calls,
            clients,
            echo,
            access: Access::new(config.access.clone(), config.limits.presence()),
            outbox: Outbox::new(
                config.service.to_string(),
                now,
                seed,
                config.limits,
                config.call.iq_timeout(),
                journal,
                Arc::clone(&counters),
            ),
            counters,
            recent: Recent::default(),
            recently_carried: Recent::default(),
            grants: Grants::new(config.limits.privileged_domains),
            blocks: Blocks::new(config.limits.blocklists, config.access.roster_age()),
            parked: HashMap::new(),
            at_hand: None,
            watches: Watches::default(),
            waking: Waking::default(),
            doubts: Doubts::default(),
            changes: VecDeque::new(),
            orders: VecDeque::new(),
            command_sessions: 0,
            told: HashMap::new(),
            profiles: Profiles::new(!config.ice.is_empty()),
            issued: Issued::default(),
            unused: Vec::new(),
            clock: (now, unix),
            link_up: false,
            drain_until: None,
            addresses,
            config,
        }
    }

    /// The component's handshake was accepted.
    pub fn handle_link_up(&mut self, now: Instant) {
        self.outbox.begin(now);
        self.link_up = true;
        let (calls, mut cx) = self.calls();
        calls.handle_link_up(&mut cx);
        self.outbox.resend();
        self.wake();
    }

    /// The stream ended. Calls go on; what is to be sent waits.
    pub fn handle_link_down(&mut self, now: Instant) {
        self.outbox.begin(now);
        self.link_up = false;
        self.calls.handle_link_down(now);
    }

    /// A stanza arrived.
    pub fn handle_stanza(&mut self, now: Instant, stanza: Document) {
        self.handle_stanza_of(now, stanza, |gateway, from| {
            !gateway.addresses.is_ours(from)
        });
    }

    /// The app that takes test calls sends a stanza.
    pub fn handle_echo(&mut self, now: Instant, stanza: Document) {
        self.handle_stanza_of(now, stanza, |gateway, from| {
            gateway.echo.as_ref().is_some_and(|echo| echo.is_at(from))
        });
    }

    fn handle_stanza_of(
        &mut self,
        now: Instant,
        stanza: Document,
        may_speak: fn(&Self, &Jid) -> bool,
    ) {
        self.outbox.begin(now);
        let root = stanza.root();
        let Some(kind) = StanzaKind::from_name(root.name()) else {
            debug!("An element that is no stanza was passed over");
            return;
        };
        // RFC 6120 §8.1.2.1: the server vouches for `from`, so without one nobody asks.
        let Some(from) = root.attr("from").and_then(|from| Jid::new(from).ok()) else {
            return;
        };
        let to = root.attr("to").unwrap_or_default();
        let named = Jid::new(to).ok().and_then(|to| self.addresses.named(&to));
        let Some(named) = named else { return };
        if !may_speak(self, &from) {
            // Servers that grant privileged presence send us our own, too.
            return;
        }
        if let Some(journal) = &mut self.outbox.journal {
            journal.hear(from.as_str(), &root.to_xml());
        }
        let inbound = Inbound {
            document: &stanza,
            from,
            to,
            named,
        };
        match kind {
            StanzaKind::Iq => self.handle_iq(now, &inbound),
            StanzaKind::Message => self.handle_message(now, &inbound),
            StanzaKind::Presence => self.handle_presence(now, &inbound),
        }
    }

    /// A stanza over a limit arrived and was not read. It is answered unless that could make a
    /// loop (RFC 6120 §8.3.1).
    pub fn handle_bad_stanza(&mut self, now: Instant, stanza: BadStanza) {
        self.outbox.begin(now);
        let StanzaHeader {
            kind,
            from,
            to,
            id,
            kind_type,
        } = stanza.header;
        let (Some(from), Some(to)) = (from, to) else {
            return;
        };
        let ours = Jid::new(&to).is_ok_and(|to| self.addresses.is_ours(&to));
        let theirs = Jid::new(&from).is_ok_and(|from| !self.addresses.is_ours(&from));
        let kind_type = kind_type.as_deref();
        let name = match kind {
            Some(StanzaKind::Iq) if matches!(kind_type, Some("get" | "set")) => "iq",
            Some(StanzaKind::Message) if kind_type != Some("error") => "message",
            _ => return,
        };
        if !ours || !theirs {
            return;
        }
        match &stanza.error {
            Error::TooLarge(_) => self.counters.limit("stanza_bytes"),
            Error::TooDeep(_) => self.counters.limit("xml_depth"),
            Error::TooManyAttributes(_) => self.counters.limit("xml_attributes"),
            Error::NotUtf8 | Error::Restricted(_) | Error::NotWellFormed(_) => {}
        }
        let error = match stanza.error {
            Error::TooDeep(_) => StanzaError::bad_request(stanza.error.to_string()),
            error => StanzaError::new(stanza::ErrorKind::Modify, "policy-violation")
                .with_text(error.to_string()),
        };
        self.send(stanza::error(name, &to, &from, id.as_deref(), &error));
    }

    /// The time of the last [`Output::Timeout`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.outbox.begin(now);
        if self.drain_until.is_some_and(|until| until <= now) {
            let (calls, mut cx) = self.calls();
            calls.end_all(&mut cx);
        }
        let (calls, mut cx) = self.calls();
        calls.handle_timeout(&mut cx);
        // Without a link nobody can reply; the clock starts anew when it is back.
        while self.link_up
            && let Some(purpose) = self.outbox.overdue()
        {
            self.counters.unanswered.add(1u64);
            self.handle_no_reply(now, purpose);
        }
        if self.link_up {
            self.go_on_waking(now);
        }
    }

    /// It is `unix` seconds since 1970. To be called now and then, since clocks are set.
    pub fn handle_wall_clock(&mut self, now: Instant, unix: u64) {
        self.clock = (now, unix);
    }

    /// Takes no new calls, and ends those that still live at `until` with the reason `gone`.
    pub fn handle_drain(&mut self, now: Instant, until: Instant) {
        self.outbox.begin(now);
        self.drain_until = Some(until);
        info!(calls = self.calls.len(), "Taking no new calls");
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Output {
        if self.link_up {
            self.push_peers();
            if let Some(stanza) = self.outbox.pop() {
                let is_echo = |echo: &Echo| echo.receives(&stanza);
                return if self.echo.as_ref().is_some_and(is_echo) {
                    Output::Echo(stanza)
                } else {
                    Output::Stanza(stanza)
                };
            }
        }
        if let Some(order) = self.orders.pop_front() {
            return order;
        }
        if let Some(change) = self.changes.pop_front() {
            return Output::Store(change);
        }
        if let Some(username) = self.unused_credential() {
            return Output::DropAllocations { username };
        }
        self.counters.pending.set(self.outbox.waiting());
        let (web, clients) = self.clients.registry.online();
        self.counters.web_devices.set(web);
        self.counters.clients.set(clients);
        let replies = self.outbox.next_deadline().filter(|_| self.link_up);
        let drain = self.drain_until.filter(|_| !self.calls.is_empty());
        let waking = self.next_waking().filter(|_| self.link_up);
        let pushes = self.watches.next_timeout().filter(|_| self.link_up);
        Output::Timeout(
            [self.calls.next_timeout(), replies, drain, pushes, waking]
                .into_iter()
                .flatten()
                .min(),
        )
    }

    /// A TURN user name of an app whose last call has ended. IM clients use theirs for calls that we
    /// know nothing of.
    fn unused_credential(&mut self) -> Option<String> {
        while let Some(device) = self.calls.poll_free() {
            self.unused.extend(self.issued.release(&device));
        }
        self.unused.pop()
    }

    /// The next step of a call, if [`Config::journal`] asked for them. To be polled when
    /// [`Self::poll_output`] has said [`Output::Timeout`].
    pub fn poll_record(&mut self) -> Option<call::journal::Record> {
        self.outbox.journal.as_mut()?.poll()
    }

    /// What is counted; it goes on being counted there.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Whether a call lives.
    #[must_use]
    pub fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// How much is kept.
    #[must_use]
    pub fn load(&self) -> Load {
        let (requests, queued) = self.outbox.load();
        Load {
            calls: self.calls.load(),
            requests,
            queued,
            parked: self.parked.values().map(Vec::len).sum(),
            unused: self.unused.len(),
        }
    }

    /// Seconds since 1970 at `now`.
    fn unix(&self, now: Instant) -> u64 {
        self.clock.1 + now.saturating_duration_since(self.clock.0).as_secs()
    }

    /// The calls, and what they are given to work with.
    fn calls(&mut self) -> (&mut Calls, call::Context<'_>) {
        let now = self.outbox.now;
        let cx = call::Context {
            now,
            out: &mut self.outbox,
            directory: &self.clients,
        };
        (&mut self.calls, cx)
    }

    fn send(&mut self, stanza: String) {
        self.outbox.send(stanza);
    }

    /// Whether the sender may see and call `person`; `None` where her roster must be asked for
    /// and the stanza is kept until it is known.
    fn may_call(&mut self, now: Instant, inbound: &Inbound<'_>, person: &BareJid) -> Option<bool> {
        self.decide(now, inbound, person, Access::decide)
    }

    /// Whether `person` already sends her presence to the sender; otherwise as
    /// [`Self::may_call`].
    fn is_contact(
        &mut self,
        now: Instant,
        inbound: &Inbound<'_>,
        person: &BareJid,
    ) -> Option<bool> {
        self.decide(now, inbound, person, Access::is_contact)
    }

    fn decide(
        &mut self,
        now: Instant,
        inbound: &Inbound<'_>,
        person: &BareJid,
        rule: fn(&Access, Instant, &BareJid, &BareJid, bool, bool) -> Decision,
    ) -> Option<bool> {
        if Some(person) == self.addresses.echo() {
            // Whoever gets TURN credentials may try them; others learn nothing.
            return Some(
                self.config
                    .grants_credentials(inbound.from.domain().as_str()),
            );
        }
        let waits = |parked: &Vec<Document>| parked.iter().any(|d| is_from(d, &inbound.from));
        if self.parked.get(person).is_some_and(waits) {
            // Behind one that waits: stanzas keep their order.
            return self.park(person, inbound.document);
        }
        let asker = inbound.from.to_bare();
        let has_list = self.grants.reads_blocklists(person.domain().as_str()) && asker != *person;
        if has_list {
            let forms = self.forms(&inbound.from);
            match self.blocks.blocks(now, person, &forms) {
                Some(true) => return Some(false),
                Some(false) => {}
                None => {
                    if !self.parked.contains_key(person) && !self.ask_blocks(person) {
                        return Some(false);
                    }
                    return self.park(person, inbound.document);
                }
            }
        }
        let is_watcher = self.clients.registry.is_watched(person, &asker);
        let readable = self.grants.reads_rosters(person.domain().as_str());
        match rule(&self.access, now, &asker, person, is_watcher, readable) {
            Decision::Allowed => Some(true),
            Decision::Refused => Some(false),
            Decision::AskRoster => {
                if !self.parked.contains_key(person) && !self.ask_roster(person) {
                    return Some(false);
                }
                self.park(person, inbound.document)
            }
        }
    }

    fn ask_roster(&mut self, person: &BareJid) -> bool {
        let service = self.config.service.to_string();
        let purpose = Purpose::Roster(person.clone());
        self.outbox
            .ask(purpose, "get", &service, person.as_str(), &|writer| {
                writer.leaf("query", NS_ROSTER, "");
            })
    }

    /// Keeps a stanza until more is known of `person`; refuses it where too many wait.
    fn park(&mut self, person: &BareJid, stanza: &Document) -> Option<bool> {
        let limits = &self.config.limits;
        let all: usize = self.parked.values().map(Vec::len).sum();
        let parked = self.parked.entry(person.clone()).or_default();
        let reached = if all >= limits.parked_stanzas {
            "parked_stanzas"
        } else if parked.len() >= limits.parked_stanzas_per_person {
            "parked_stanzas_per_person"
        } else {
            parked.push(stanza.clone());
            return None;
        };
        self.counters.limit(reached);
        Some(false)
    }

    /// A person's roster is known, or known not to be readable: what waited for it goes on.
    fn roster_known(&mut self, now: Instant, person: &BareJid, query: Option<Element<'_>>) {
        self.access.roster(now, person, query);
        self.roster_tells(now, person);
        let entries = query.map(roster_entries).unwrap_or_default();
        self.at_hand = Some((person.clone(), entries));
        let of = |device: &FullJid| device.to_bare() == *person;
        for device in self.waking.rewatch.extract_if(of).collect::<Vec<_>>() {
            self.watch_again(&device);
        }
        self.release(now, person);
        self.at_hand = None;
    }

    /// What waited for something about a person goes on.
    fn release(&mut self, now: Instant, person: &BareJid) {
        for stanza in self.parked.remove(person).unwrap_or_default() {
            self.handle_stanza(now, stanza);
        }
    }

    /// Asks whom a person has blocked, as herself (XEP-0356 §6.3).
    fn ask_blocks(&mut self, person: &BareJid) -> bool {
        let service = self.config.service.to_string();
        let purpose = Purpose::Blocks(person.clone());
        let to = person.as_str();
        self.outbox.ask(purpose, "get", &service, to, &|writer| {
            let blocklist = |writer: &mut Writer| {
                writer.leaf("blocklist", NS_BLOCKING, "");
            };
            privilege::write(to, "blocks", blocklist, writer);
        })
    }

    /// Whom a person has blocked is known, or known not to be readable.
    fn blocks_known(&mut self, now: Instant, person: &BareJid, answer: Option<Element<'_>>) {
        let list = answer
            .and_then(privilege::answer)
            .filter(|list| list.is("blocklist", NS_BLOCKING));
        self.blocks.list(now, person, list);
        self.blocks_tell(now, person);
        self.release(now, person);
    }

    /// The addresses by which somebody may be blocked: his own, and his gateway address.
    fn forms(&self, from: &Jid) -> Vec<Jid> {
        let own = self.addresses.of(&from.to_bare());
        let gateway = own.and_then(|own| Jid::new(&own).ok());
        gateway.into_iter().chain([from.clone()]).collect()
    }
}

fn is_from(stanza: &Document, from: &Jid) -> bool {
    stanza
        .root()
        .attr("from")
        .and_then(|jid| Jid::new(jid).ok())
        .is_some_and(|jid| jid == *from)
}

/// RFC 6121 §2.1.1.
const NS_ROSTER: &str = "jabber:iq:roster";
