use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jid::{BareJid, FullJid};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tracing::info_span;

use super::index::{Pair, one, pair, trim};
use super::leg::{Kind, Leg, Line, out_of_order, unknown_session};
use super::parties::{Call, Course};
use super::past::Past;
use super::signal::Ending;
use super::timer::{Timer, Timers};
use super::usage::Usage;
use super::{Between, CallId, Carrier, Config, Context, Counters, Limits};
use crate::address::Addresses;
use crate::jingle::{Reason, Sid};
use crate::mapping;
use crate::stanza::StanzaError;
use crate::telemetry::{OTHER, Pii};
use crate::web::Media;

/// All calls.
///
/// A call is found by whom our address stands for, the other party, and the sid; within it a leg by
/// the full JID of its device. A right sid from a wrong device is answered like a wrong sid.
#[derive(Debug)]
pub struct Calls {
    pub(super) config: Config,
    pub(super) limits: Limits,
    pub(super) mapping: mapping::Limits,
    addresses: Addresses,
    rng: StdRng,
    pub(super) calls: HashMap<CallId, Box<Call>>,
    pub(super) by_device: HashMap<Arc<FullJid>, Vec<CallId>>,
    usage: Usage,
    /// The calls that join two people, in either direction, at their gateway addresses.
    pub(super) pairs: HashMap<Arc<Pair>, Vec<CallId>>,
    pub(super) timers: Timers,
    counters: Arc<Counters>,
    next: u64,
    pub(super) link_down: Option<Instant>,
    /// Calls that are over.
    pub(super) past: Past,
    /// Devices whose last call has ended, until somebody asks.
    free: Vec<FullJid>,
}

/// How much [`Calls`] keeps that ends with calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Open calls.
    pub open: usize,
    /// Entries by which they are found: by device, by people, by caller.
    pub indexed: usize,
    /// Timers that are set.
    pub timers: usize,
}

/// A call as admins see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its number in this process.
    pub number: u64,
    /// Who calls.
    pub caller: BareJid,
    /// Who is called.
    pub callee: BareJid,
    /// What was offered.
    pub media: Media,
    /// `ringing` or `talking`.
    pub state: &'static str,
    /// How long ago it began.
    pub age: Duration,
}

impl Calls {
    /// No calls yet. `seed` feeds the keys in the addresses of legs.
    #[must_use]
    pub fn new(config: Config, limits: Limits, addresses: Addresses, seed: [u8; 32]) -> Self {
        Self {
            config,
            limits,
            mapping: mapping::Limits::default(),
            addresses,
            rng: StdRng::from_seed(seed),
            calls: HashMap::new(),
            by_device: HashMap::new(),
            usage: Usage::default(),
            pairs: HashMap::new(),
            timers: Timers::default(),
            counters: Arc::default(),
            next: 0,
            link_down: None,
            past: Past::default(),
            free: Vec::new(),
        }
    }

    /// Open calls.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether there is no call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// What is counted of them.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// How much is kept.
    #[must_use]
    pub fn load(&self) -> Load {
        Load {
            open: self.calls.len(),
            indexed: self.by_device.len() + self.pairs.len() + self.usage.open(),
            timers: self.timers.len(),
        }
    }

    /// A device whose last call has ended; each is named once.
    pub fn poll_free(&mut self) -> Option<FullJid> {
        self.free.pop()
    }

    /// All calls, by their numbers.
    #[must_use]
    pub fn list(&self, now: Instant) -> Vec<Summary> {
        let mut all: Vec<_> = self
            .calls
            .values()
            .map(|call| Summary {
                number: call.id.number(),
                caller: call.caller().clone(),
                callee: call.callee().clone(),
                media: call.media,
                state: if call.established {
                    "talking"
                } else {
                    "ringing"
                },
                age: now.saturating_duration_since(call.began),
            })
            .collect();
        all.sort_unstable_by_key(|call| call.number);
        all
    }

    /// Ends the call of a number. False if there is none.
    pub fn end(&mut self, number: u64, cx: &mut Context<'_>) -> bool {
        let id = CallId(number);
        let there = self.calls.contains_key(&id);
        if there {
            self.with(id, cx, |call, cx| call.end(cx.out, &Reason::Gone.into()));
        }
        there
    }

    /// Ends all calls, because the service stops.
    pub fn end_all(&mut self, cx: &mut Context<'_>) {
        let all: Vec<_> = self.calls.keys().copied().collect();
        for id in all {
            self.with(id, cx, |call, cx| call.end(cx.out, &Reason::Gone.into()));
        }
    }

    /// When [`Self::handle_timeout`] wants to be called next.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let link = self
            .link_down
            .filter(|_| !self.is_empty())
            .map(|at| at + self.config.link_grace());
        [self.timers.next(), link].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, cx: &mut Context<'_>) {
        let now = cx.now;
        if let Some(since) = self.link_down {
            if now.saturating_duration_since(since) >= self.config.link_grace() {
                self.forget_all(cx);
            } else {
                // Nobody can be heard; see `handle_link_up`.
                self.timers
                    .postpone_offline(since + self.config.link_grace());
            }
        }
        while let Some((id, timer)) = self.timers.pop(now) {
            match timer {
                Timer::Ring => self.with(id, cx, |call, cx| {
                    let missing = call.missing();
                    let ending =
                        missing.map_or_else(|| Reason::Timeout.into(), |m| Ending::from(&m));
                    call.end(cx.out, &ending)
                }),
                Timer::Ping => {
                    let at = now + self.config.ping_interval();
                    self.timers.set(id, Timer::Ping, at);
                    self.with(id, cx, |call, cx| {
                        call.ping(cx.out);
                        Course::GoesOn
                    });
                }
                Timer::Rest => {
                    let rests = self.calls.get_mut(&id).is_none_or(|call| call.rest());
                    if !rests {
                        self.timers.set(id, Timer::Rest, now + UNTIL_REST);
                        self.remind(id, cx);
                    }
                }
                // The device is told as well: it may be there and only not have replied.
                Timer::Offline(_) => {
                    let ending = Ending::from(Reason::Gone);
                    self.with(id, cx, |call, cx| call.end(cx.out, &ending));
                }
            }
        }
        self.usage.sweep(now);
    }

    /// Something has been under way in a call for a while.
    fn remind(&mut self, id: CallId, cx: &mut Context<'_>) {
        let legs = self.calls.get(&id).map_or(0, |call| call.legs.len());
        for leg in 0..legs {
            let leg = self.calls.get_mut(&id).and_then(|call| call.leg(leg));
            if let Some(Leg {
                line,
                kind: Kind::Jingle(jingle),
                ..
            }) = leg
                && let Some(events) = jingle.remind()
            {
                let line = line.clone();
                // What is refused now was acknowledged when it came.
                let _ = self.follow(id, &line, events, cx);
            }
        }
    }

    /// Opens a call from `from` to `person`.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        between: Between<'_>,
        sid: Sid,
        media: Media,
        kind: Kind,
    ) -> Result<CallId, StanzaError> {
        let Between {
            from,
            person,
            through,
            ..
        } = between;
        // What is still said of a call that has just ended begins no other.
        if self.past.holds(now, &between.parties(&sid)) {
            return Err(unknown_session());
        }
        let caller = from.to_bare();
        let people = pair(&caller, person);
        let (to_caller, to_callee) = self.carriers(between)?;
        self.next += 1;
        let id = CallId(self.next);
        let line = Line {
            call: id,
            leg: 0,
            by: to_caller,
            peer: Arc::new(from.clone()),
        };
        let devices = if line.is_carried() {
            Vec::new()
        } else {
            vec![Arc::clone(&line.peer)]
        };
        let call = Call {
            id,
            sid,
            first_calls: people.0 == caller,
            people: Arc::clone(&people),
            media: if media.is_empty() {
                Media::AUDIO
            } else {
                media
            },
            began: now,
            to_callee,
            through: through.cloned(),
            devices,
            picked_up: None,
            answered: None,
            span: info_span!(
                "call",
                call.id = id.0,
                from.jid = %Pii(from),
                to.jid = %Pii(person),
            ),
            indexed: 0,
            legs: vec![Some(Leg::new(line, kind))],
            taken: None,
            established: false,
            proposed: false,
            supersedes: None,
            rang: false,
            waiting: None,
        };
        if self.of_parties(&between.parties(&call.sid)).is_some() {
            return Err(out_of_order());
        }
        let all = self.calls.len();
        let owner = call.owner_called();
        self.usage
            .admit(now, &caller, all, &self.limits)
            .and_then(|()| match &owner {
                Some(owner) => self.usage.admit_called(&caller, owner, &self.limits),
                None => Ok(()),
            })
            .inspect_err(|error| self.counters.limits.add(error.cause.unwrap_or(OTHER), 1u64))?;
        if let Some(owner) = owner {
            self.usage.opened(&owner, now);
        }
        self.usage.opened(&caller, now);
        if call.through.is_none() {
            let joined = self.pairs.entry(people).or_insert_with(one);
            joined.push(id);
        }
        self.calls.insert(id, Box::new(call));
        self.timers
            .set(id, Timer::Ring, now + self.config.ring_timeout());
        self.counters.open.set(self.calls.len());
        Ok(id)
    }

    /// What is handled is about this call.
    pub(super) fn about(&self, id: CallId, cx: &mut Context<'_>) {
        if self.calls.contains_key(&id)
            && let Some(journal) = cx.out.journal()
        {
            journal.about(id);
        }
    }

    /// Works on a call, then keeps the indices true and takes note of what came of it.
    pub(super) fn with(
        &mut self,
        id: CallId,
        cx: &mut Context<'_>,
        work: impl FnOnce(&mut Call, &mut Context<'_>) -> Course,
    ) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let span = call.span.clone();
        let _entered = span.enter();
        if call.indexed == 0 {
            call.tell_begin(&self.counters, cx);
        }
        if let Some(journal) = cx.out.journal() {
            journal.about(id);
        }
        let answered = call.answered;
        let course = work(call, cx);
        call.tell_progress(&self.counters, cx);
        for device in call.devices.iter().skip(call.indexed) {
            let of_device = self.by_device.entry(Arc::clone(device));
            of_device.or_insert_with(one).push(id);
        }
        call.indexed = call.devices.len();
        if call.established {
            self.timers.stop(id, Timer::Ring);
        }
        if call.answered != answered {
            let at = cx.now + self.config.ping_interval();
            self.timers.set(id, Timer::Ping, at);
        }
        let old = call.taken.and_then(|_| call.supersedes.take());
        let migrated = Call::migrated(&call.sid);
        if let Course::Ended(ending) = course {
            call.tell_end(&self.counters, &ending, cx);
            self.forget(cx.now, id);
        } else {
            self.worked_on(cx.now, id);
        }
        if let Some(old) = old {
            self.supersede(old, &migrated, cx);
        }
    }

    /// A call under way is at hand for a while.
    pub(super) fn worked_on(&mut self, now: Instant, id: CallId) {
        if self.calls.get(&id).is_some_and(|call| call.established) {
            self.timers.set_once(id, Timer::Rest, now + UNTIL_REST);
        }
    }

    fn supersede(&mut self, old: CallId, ending: &Ending, cx: &mut Context<'_>) {
        self.with(old, cx, |call, cx| call.end(cx.out, ending));
    }

    fn forget(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.remove(&id) else {
            return;
        };
        self.timers.stop_all(id, call.legs.len());
        if call.through.is_none()
            && let Some(calls) = self.pairs.get_mut(&call.people)
        {
            calls.retain(|call| *call != id);
            if calls.is_empty() {
                self.pairs.remove(&call.people);
            }
        }
        self.past.put(now, call.parties());
        if let Some(owner) = call.owner_called() {
            self.usage.closed(&owner);
        }
        self.usage.closed(call.caller());
        for device in call.devices {
            if let Some(calls) = self.by_device.get_mut(&device) {
                calls.retain(|call| *call != id);
                if calls.is_empty() {
                    self.by_device.remove(&device);
                    self.free.push(Arc::unwrap_or_clone(device));
                }
            }
        }
        trim(&mut self.calls);
        trim(&mut self.by_device);
        trim(&mut self.pairs);
        self.counters.open.set(self.calls.len());
    }

    /// The link was down for too long; nobody can be told.
    pub(super) fn forget_all(&mut self, cx: &mut Context<'_>) {
        let all: Vec<_> = self.calls.keys().copied().collect();
        for id in all {
            if let Some(call) = self.calls.get(&id) {
                call.tell_loss(&self.counters, cx);
            }
            self.forget(cx.now, id);
        }
    }

    /// Somebody picked up. Between that and the answer a person may be asked for her camera.
    pub(super) fn await_answer(&mut self, now: Instant, id: CallId) {
        let until = now + self.config.ring_timeout();
        self.timers.set(id, Timer::Ring, until);
    }

    /// How the caller's and the callee's legs speak.
    fn carriers(&mut self, between: Between<'_>) -> Result<(Carrier, Carrier), StanzaError> {
        if let Some(device) = between.through {
            // Its calls are named by their sid and the other person, not by an address.
            let service = Carrier::Direct(self.addresses.service().as_str().into());
            let device_speaks = Carrier::Device(Arc::new(device.clone()));
            return Ok(if between.from == device {
                (service, device_speaks)
            } else {
                (device_speaks, service)
            });
        }
        let key = self.key();
        let address = |person| {
            let of = self.addresses.of(person)?;
            Some(Carrier::Direct(format!("{of}/{key}").into()))
        };
        address(between.person)
            .zip(address(&between.from.to_bare()))
            .ok_or_else(StanzaError::service_unavailable)
    }

    /// 128 random bits, in characters that need no escape anywhere.
    fn key(&mut self) -> String {
        let bits: [u8; 16] = self.rng.random();
        data_encoding::BASE32_NOPAD
            .encode(&bits)
            .to_ascii_lowercase()
    }

    pub(super) fn own_address(&self, person: &BareJid) -> Result<String, StanzaError> {
        self.addresses
            .of(person)
            .ok_or_else(StanzaError::service_unavailable)
    }
}

/// How long a call under way is kept at hand before it rests: most that is said in it comes at once.
const UNTIL_REST: Duration = Duration::from_secs(10);
