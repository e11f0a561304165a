//! The ladder of each call, for operators: who sent what when, and what became of it.
//!
//! Made of what the gateway's journal tells, kept in memory for the last calls and nowhere else. Of
//! people it says nothing unless the configuration allows it (`log.pii`): they are `caller` and
//! `callee`, their devices and network addresses are numbered, so that a reader sees what is the same
//! and what is not. What would let a reader into a call, passwords of ICE and keys of SDES, is never
//! kept at all.

mod config;
mod mask;
mod reading;
mod visible;

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use jid::Jid;
use serde::Serialize;

use self::mask::Mask;
use self::reading::Reading;
use crate::call::journal::Event;

pub use crate::call::journal::Record;
pub use config::Config;
pub use visible::visible;

/// The last calls.
#[derive(Debug)]
pub struct Ladders {
    config: Config,
    /// The component, whose own address is nobody's secret.
    service: String,
    calls: BTreeMap<u64, Ladder>,
    bytes: usize,
    /// What the clock of the engine and the one on the wall said at the same time, in milliseconds.
    clock: (Instant, u64),
}

/// One call.
#[derive(Debug)]
pub struct Ladder {
    number: u64,
    began: Instant,
    began_unix: u64,
    sid: String,
    media: String,
    /// Who calls, and who is called, as an operator who knows a name may ask for them.
    people: [String; 2],
    parties: Vec<Party>,
    steps: Vec<Step>,
    answered: Option<u64>,
    ended: Option<(u64, &'static str)>,
    left_out: u64,
    bytes: usize,
    mask: Mask,
}

/// Who takes part, one column of the ladder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Party {
    /// What it is called.
    pub name: String,
    /// The dialect of Jingle that is spoken to it, or `web`, once that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<&'static str>,
    /// What candidates it has sent.
    pub candidates: Candidates,
    /// Bytes that TURN has relayed for it, told when an allocation ends.
    pub relayed_bytes: u64,
    #[serde(skip)]
    address: String,
    #[serde(skip)]
    seen: HashSet<String>,
}

/// Candidates by type (RFC 8839 §5.1), each counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Candidates {
    /// Of an interface.
    pub host: u32,
    /// Server-reflexive.
    pub srflx: u32,
    /// Peer-reflexive.
    pub prflx: u32,
    /// Relayed.
    pub relay: u32,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Milliseconds since the call began.
    pub at: u64,
    /// Whom it is about: an index into [`Ladder::parties`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<usize>,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// A device takes part, and speaks this dialect.
    Joined {
        /// The dialect.
        dialect: &'static str,
    },
    /// The party sent a stanza.
    Received {
        /// In a few words.
        title: String,
        /// The stanza, indented.
        stanza: String,
    },
    /// The party was sent a stanza.
    Sent {
        /// In a few words.
        title: String,
        /// The stanza, indented.
        stanza: String,
    },
    /// The mapping left something out of what the step before brought.
    Dropped {
        /// Each thing, and why.
        facts: Vec<String>,
    },
    /// The party picked up.
    PickedUp,
    /// The caller has the answer.
    Answered,
    /// TURN relayed this much for the party, by an allocation that ended.
    Relayed {
        /// From the party.
        up_bytes: u64,
        /// To the party.
        down_bytes: u64,
        /// How long the allocation was there.
        seconds: u64,
        /// How the party reached the server.
        transport: String,
    },
    /// The call ended.
    Ended {
        /// The condition of XEP-0166 §7.4; `link` if nobody could be told.
        reason: &'static str,
        /// In words.
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
}

/// A TURN allocation that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relayed {
    /// Whose it was.
    pub person: String,
    /// How long it was there.
    pub seconds: u64,
    /// From the client.
    pub up_bytes: u64,
    /// To the client.
    pub down_bytes: u64,
    /// How the client reached the server.
    pub transport: String,
}

/// A call in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its number in this process.
    pub call: u64,
    /// When it began, in milliseconds since 1970.
    pub began: u64,
    /// The dialects that were spoken, the caller's first.
    pub dialects: Vec<&'static str>,
    /// `audio`, `video` or both.
    pub media: String,
    /// Milliseconds until the caller had the answer.
    pub answered: Option<u64>,
    /// Milliseconds until it ended.
    pub ended: Option<u64>,
    /// Why it ended.
    pub reason: Option<&'static str>,
    /// How many facts the mapping left out.
    pub dropped: usize,
    /// Who calls; only if people may be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// Who is called; only if people may be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callee: Option<String>,
}

impl Ladders {
    /// None yet. `service` is the component's address; it is `unix` milliseconds since 1970.
    #[must_use]
    pub fn new(config: Config, service: &str, now: Instant, unix: u64) -> Self {
        Self {
            config,
            service: service.to_owned(),
            calls: BTreeMap::new(),
            bytes: 0,
            clock: (now, unix),
        }
    }

    /// Keeps one step of one call.
    pub fn record(&mut self, record: Record) {
        let Record { call, at, event } = record;
        let number = call.number();
        if let Event::Began {
            sid,
            caller,
            callee,
            media,
        } = event
        {
            let people = [bare(&caller), callee];
            let mut mask = Mask::new(self.config.pii, &self.service, &people);
            let mut ladder = Ladder {
                number,
                began: at,
                began_unix: self.unix(at),
                sid: mask.text(&cut(&sid)),
                media,
                people,
                parties: Vec::new(),
                steps: Vec::new(),
                answered: None,
                ended: None,
                left_out: 0,
                bytes: SOME,
                mask,
            };
            ladder.party(&caller);
            self.bytes += SOME;
            if let Some(before) = self.calls.insert(number, ladder) {
                self.bytes -= before.bytes;
            }
        } else if let Some(ladder) = self.calls.get_mut(&number) {
            let before = ladder.bytes;
            ladder.add(at, event, self.config.call_bytes);
            self.bytes += ladder.bytes - before;
        }
        self.make_room(number);
    }

    /// Adds what TURN relayed to the calls that the person had meanwhile.
    pub fn relayed(&mut self, now: Instant, relayed: &Relayed) {
        let cap = self.config.call_bytes;
        let person = bare(&relayed.person);
        let mut grown = 0;
        for ladder in self.calls.values_mut() {
            if !ladder.people.contains(&person) {
                continue;
            }
            let at = millis(ladder.began, now);
            // A call that was over when the allocation was made did not use it.
            let made = at.saturating_sub(relayed.seconds.saturating_add(1).saturating_mul(1000));
            if ladder.ended.is_some_and(|(ended, _)| ended < made) {
                continue;
            }
            let before = ladder.bytes;
            ladder.relayed(at, &person, relayed, cap);
            grown += ladder.bytes - before;
        }
        self.bytes += grown;
        self.make_room(u64::MAX);
    }

    /// The calls, the latest first; only those of `person` if one is named.
    #[must_use]
    pub fn list(&self, person: Option<&str>) -> Vec<Line> {
        let person = person.map(bare);
        let asked = |ladder: &&Ladder| {
            person
                .as_ref()
                .is_none_or(|person| ladder.people.contains(person))
        };
        let named = |name: &String| self.config.pii.then(|| name.clone());
        self.calls
            .values()
            .rev()
            .filter(asked)
            .map(|ladder| {
                let [caller, callee] = &ladder.people;
                Line {
                    caller: named(caller),
                    callee: named(callee),
                    ..ladder.line()
                }
            })
            .collect()
    }

    /// A call.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Ladder> {
        self.calls.get(&number)
    }

    /// Forgets the oldest calls, those that are over before those that live, but never `but`.
    fn make_room(&mut self, but: u64) {
        while self.calls.len() > self.config.calls.max(1) || self.bytes > self.config.calls_bytes {
            let other = |number: &&u64| **number != but;
            let over = self.calls.iter().filter(|(_, it)| it.ended.is_some());
            let oldest = over.map(|(number, _)| number).find(other);
            let Some(oldest) = oldest.or_else(|| self.calls.keys().find(other)).copied() else {
                return;
            };
            if let Some(gone) = self.calls.remove(&oldest) {
                self.bytes -= gone.bytes;
            }
        }
    }

    fn unix(&self, at: Instant) -> u64 {
        let (then, unix) = self.clock;
        match at.checked_duration_since(then) {
            Some(since) => unix.saturating_add(whole(since)),
            None => unix.saturating_sub(whole(then.saturating_duration_since(at))),
        }
    }
}

impl Ladder {
    /// Its number in this process.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// When it began, in milliseconds since 1970.
    #[must_use]
    pub fn began(&self) -> u64 {
        self.began_unix
    }

    /// The session id.
    #[must_use]
    pub fn sid(&self) -> &str {
        &self.sid
    }

    /// Who takes part, the caller first.
    #[must_use]
    pub fn parties(&self) -> &[Party] {
        &self.parties
    }

    /// What happened, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Steps that were not kept, since the call was over its bound.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// All of it in one line.
    #[must_use]
    pub fn line(&self) -> Line {
        let dropped = |step: &Step| match &step.what {
            What::Dropped { facts } => facts.len(),
            _ => 0,
        };
        Line {
            call: self.number,
            began: self.began_unix,
            dialects: self.parties.iter().filter_map(|it| it.dialect).collect(),
            media: self.media.clone(),
            answered: self.answered,
            ended: self.ended.map(|(at, _)| at),
            reason: self.ended.map(|(_, reason)| reason),
            dropped: self.steps.iter().map(dropped).sum(),
            caller: None,
            callee: None,
        }
    }

    fn add(&mut self, at: Instant, event: Event, cap: usize) {
        let at = millis(self.began, at);
        let (party, what) = match event {
            Event::Began { .. } => return,
            Event::Leg { device, dialect } => {
                let party = self.party(&device);
                if let Some(party) = party.and_then(|at| self.parties.get_mut(at)) {
                    party.dialect = Some(dialect);
                }
                (party, What::Joined { dialect })
            }
            Event::Received { from, stanza } => {
                let party = self.party(&from);
                let Reading {
                    title,
                    text,
                    candidates,
                    carried_from,
                } = Reading::of(&stanza, &mut self.mask);
                let speaker = match carried_from {
                    Some(peer) if !candidates.is_empty() => self.party(&peer),
                    _ => party,
                };
                for (kind, what) in candidates {
                    self.candidate(speaker, &kind, what);
                }
                (
                    party,
                    What::Received {
                        title,
                        stanza: text,
                    },
                )
            }
            Event::Sent { to, stanza } => {
                let Reading { title, text, .. } = Reading::of(&stanza, &mut self.mask);
                (
                    self.party(&to),
                    What::Sent {
                        title,
                        stanza: text,
                    },
                )
            }
            Event::Dropped { device, what } => {
                let facts = what.iter().take(FACTS).map(|one| {
                    // Names of attributes and sections come from peers.
                    self.mask.text(&cut(&one.to_string()))
                });
                let facts = facts.collect();
                (self.party(&device), What::Dropped { facts })
            }
            Event::PickedUp { device } => (self.party(&device), What::PickedUp),
            Event::Answered => {
                self.answered = Some(at);
                (None, What::Answered)
            }
            Event::Ended { reason, text } => {
                self.ended = Some((at, reason));
                let text = text.map(|text| self.mask.text(&cut(&text)));
                (None, What::Ended { reason, text })
            }
        };
        self.push(Step { at, party, what }, cap);
    }

    fn relayed(&mut self, at: u64, person: &str, relayed: &Relayed, cap: usize) {
        let of_person = |party: &Party| bare(&party.address) == *person;
        let party = self.parties.iter().position(of_person);
        let bytes = relayed.up_bytes.saturating_add(relayed.down_bytes);
        if let Some(party) = party.and_then(|at| self.parties.get_mut(at)) {
            party.relayed_bytes = party.relayed_bytes.saturating_add(bytes);
        }
        let what = What::Relayed {
            up_bytes: relayed.up_bytes,
            down_bytes: relayed.down_bytes,
            seconds: relayed.seconds,
            transport: relayed.transport.clone(),
        };
        self.push(Step { at, party, what }, cap);
    }

    /// The column of an address, made if it is new; none when there are enough.
    fn party(&mut self, address: &str) -> Option<usize> {
        let known = self.parties.iter().position(|it| it.address == address);
        if known.is_some() || self.parties.len() >= PARTIES {
            return known;
        }
        self.parties.push(Party {
            name: self.mask.jid(address),
            address: address.to_owned(),
            ..Party::default()
        });
        self.bytes += 2 * address.len() + SOME;
        Some(self.parties.len() - 1)
    }

    fn candidate(&mut self, party: Option<usize>, kind: &str, what: String) {
        let Some(party) = party.and_then(|at| self.parties.get_mut(at)) else {
            return;
        };
        let counted = &mut party.candidates;
        let count = match kind {
            "host" => &mut counted.host,
            "srflx" => &mut counted.srflx,
            "prflx" => &mut counted.prflx,
            "relay" => &mut counted.relay,
            _ => return,
        };
        if party.seen.len() < CANDIDATES && !party.seen.contains(&what) {
            self.bytes += what.len() + SOME;
            party.seen.insert(what);
            *count += 1;
        }
    }

    /// Keeps a step. Over the bound only what a call cannot be understood without is kept.
    fn push(&mut self, step: Step, cap: usize) {
        let needed = matches!(step.what, What::Answered | What::Ended { .. });
        let size = step.size();
        if self.bytes.saturating_add(size) > cap && !needed {
            self.left_out += 1;
            return;
        }
        self.bytes += size;
        self.steps.push(step);
    }
}

impl Step {
    fn size(&self) -> usize {
        let texts = match &self.what {
            What::Received { title, stanza } | What::Sent { title, stanza } => {
                title.len() + stanza.len()
            }
            What::Dropped { facts } => facts.iter().map(|fact| fact.len() + SOME).sum(),
            What::Ended { text, .. } => text.as_ref().map_or(0, String::len),
            What::Relayed { transport, .. } => transport.len(),
            What::Joined { .. } | What::PickedUp | What::Answered => 0,
        };
        texts + SOME
    }
}

/// The address without its resource; text that is no address stays as it is.
fn bare(address: &str) -> String {
    Jid::new(address).map_or_else(
        |_| address.to_owned(),
        |jid| jid.into_bare().as_str().to_owned(),
    )
}

/// Text of a peer that needs no great length to be understood.
fn cut(text: &str) -> String {
    text.chars().take(WORDS).collect()
}

fn millis(since: Instant, at: Instant) -> u64 {
    whole(at.saturating_duration_since(since))
}

fn whole(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// About what a step, a party or an entry of a table takes beside its texts.
const SOME: usize = 128;
/// Columns; a person has no more devices than that as a rule, and a page no more room.
const PARTIES: usize = 12;
const CANDIDATES: usize = 400;
const FACTS: usize = 100;
const WORDS: usize = 300;
