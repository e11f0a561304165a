use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jid::{BareJid, FullJid, Jid};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tracing::warn;

use super::Counters;
use super::vcard::Asked;
use crate::call::{CallId, Carrier, Journal, Request, Sink};
use crate::disco::Caps;
use crate::stanza;
use crate::web::Carried;
use crate::xml::{NS_CLIENT, Writer};

/// Stanzas on their way out, and requests whose reply is awaited.
///
/// Requests that were under way when the link broke are sent once more when it is back: nobody can
/// tell whether they arrived, and whoever got them twice sees the same id twice.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: VecDeque<Entry>,
    pending: HashMap<Key, Pending>,
    deadlines: BTreeSet<(Instant, Key)>,
    rng: StdRng,
    /// Our own address.
    service: String,
    next: u64,
    limits: super::Limits,
    timeout: Duration,
    /// The time of the input under way.
    pub(super) now: Instant,
    /// What happens in calls, if anybody keeps it.
    pub(super) journal: Option<Journal>,
    counters: Arc<Counters>,
}

/// What a request of ours was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It belongs to a call.
    Call(Request),
    /// What stands behind a client's caps.
    Caps(FullJid, Arc<Caps>),
    /// A person's roster.
    Roster(BareJid),
    /// What software a client is, and the device that carries its call.
    Software(FullJid, Option<FullJid>),
    /// Whom a person has blocked.
    Blocks(BareJid),
    /// What a person says of herself, that somebody asks for.
    Herself(Box<Asked>),
    /// Whether a browser app is still there.
    Device(FullJid),
    /// Whether another client is.
    Presence(FullJid),
    /// News of those whom an app may call.
    Peers(FullJid),
}

#[derive(Debug)]
enum Entry {
    /// And the call it belongs to, if a journal is kept.
    Stanza(String, Option<CallId>),
    Request(Key),
}

/// Receiver and id: a reply is ours only if both are right.
type Key = (String, String);

#[derive(Debug)]
struct Pending {
    purpose: Purpose,
    deadline: Instant,
    text: String,
    order: u64,
    sent: bool,
}

impl Outbox {
    pub(super) fn new(
        service: String,
        now: Instant,
        seed: [u8; 32],
        limits: super::Limits,
        timeout: Duration,
        journal: Option<Journal>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            queue: VecDeque::new(),
            pending: HashMap::new(),
            deadlines: BTreeSet::new(),
            rng: StdRng::from_seed(seed),
            service,
            next: 0,
            limits,
            timeout,
            now,
            journal,
            counters,
        }
    }

    /// The handling of something begins.
    pub(super) fn begin(&mut self, now: Instant) {
        self.now = now;
        if let Some(journal) = &mut self.journal {
            journal.begin(now);
        }
    }

    /// Sends an IQ of this type. False when too many wait for a reply already.
    #[must_use]
    pub(super) fn ask(
        &mut self,
        purpose: Purpose,
        kind: &str,
        from: &str,
        to: &str,
        write: &dyn Fn(&mut Writer),
    ) -> bool {
        self.ask_with_id(purpose, kind, from, to, &|writer, _| write(writer))
    }

    /// The same, where what is written holds the id as well.
    fn ask_with_id(
        &mut self,
        purpose: Purpose,
        kind: &str,
        from: &str,
        to: &str,
        write: &dyn Fn(&mut Writer, &str),
    ) -> bool {
        if self.pending.len() >= self.limits.pending_iqs {
            warn!("Too many requests wait for a reply; one was not sent");
            self.counters.limit("pending_iqs");
            return false;
        }
        // Ids never repeat, also not across restarts: 128 random bits.
        let bits: [u8; 16] = self.rng.random();
        let id = data_encoding::BASE32_NOPAD
            .encode(&bits)
            .to_ascii_lowercase();
        let mut writer = stanza::open("iq", Some(kind), from, to, Some(&id));
        write(&mut writer, &id);
        let key = (to.to_owned(), id);
        let deadline = self.now + self.timeout;
        self.next += 1;
        let pending = Pending {
            purpose,
            deadline,
            text: writer.finish(),
            order: self.next,
            sent: false,
        };
        self.deadlines.insert((deadline, key.clone()));
        self.pending.insert(key.clone(), pending);
        self.push(Entry::Request(key));
        true
    }

    /// A reply arrived: what it is for, if it is one of ours.
    pub(super) fn reply(&mut self, from: &Jid, id: &str) -> Option<Purpose> {
        let key = (from.as_str().to_owned(), id.to_owned());
        let pending = self.pending.remove(&key)?;
        self.deadlines.remove(&(pending.deadline, key));
        Some(pending.purpose)
    }

    /// A request whose reply did not come in time.
    pub(super) fn overdue(&mut self) -> Option<Purpose> {
        let (deadline, _) = self.deadlines.first()?;
        if *deadline > self.now {
            return None;
        }
        let (_, key) = self.deadlines.pop_first()?;
        self.pending.remove(&key).map(|pending| pending.purpose)
    }

    /// The limit of this key was reached.
    pub(super) fn limit(&self, key: &'static str) {
        self.counters.limit(key);
    }

    /// Requests that wait for a reply.
    pub(super) fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// Requests that wait for a reply, and stanzas that wait for the link.
    pub(super) fn load(&self) -> (usize, usize) {
        let requests = self.pending.len().max(self.deadlines.len());
        (requests, self.queue.len())
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Where a stanza would stand that is sent now; see [`Self::insert`].
    pub(super) fn mark(&self) -> usize {
        self.queue.len()
    }

    /// Sends a stanza before those that were sent since the mark was taken: a request is
    /// acknowledged before anything that follows from it.
    pub(super) fn insert(&mut self, mark: usize, stanza: String) {
        let call = self.journal.as_ref().and_then(Journal::call);
        let at = mark.min(self.queue.len());
        self.queue.insert(at, Entry::Stanza(stanza, call));
    }

    /// The next stanza to be written to the link.
    pub(super) fn pop(&mut self) -> Option<String> {
        let now = self.now;
        loop {
            match self.queue.pop_front()? {
                Entry::Stanza(stanza, call) => {
                    if let (Some(journal), Some(call)) = (&mut self.journal, call) {
                        journal.sent(now, call, receiver(&stanza), &stanza);
                    }
                    return Some(stanza);
                }
                Entry::Request(key) => {
                    if let Some(pending) = self.pending.get_mut(&key) {
                        pending.sent = true;
                        if let (Some(journal), Purpose::Call(request)) =
                            (&mut self.journal, &pending.purpose)
                        {
                            journal.sent(now, request.call(), &key.0, &pending.text);
                        }
                        return Some(pending.text.clone());
                    }
                }
            }
        }
    }

    /// The link is back: what was under way is sent again, first.
    pub(super) fn resend(&mut self) {
        // Whether a device is there is asked anew.
        self.pending
            .retain(|_, pending| !matches!(pending.purpose, Purpose::Device(_)));
        let mut again: Vec<_> = self
            .pending
            .iter_mut()
            .filter_map(|(key, pending)| {
                std::mem::take(&mut pending.sent).then(|| (pending.order, key.clone()))
            })
            .collect();
        again.sort_unstable();
        for (_, key) in again.into_iter().rev() {
            self.queue.push_front(Entry::Request(key));
        }
        // Nobody could have replied meanwhile.
        self.deadlines.clear();
        for (key, pending) in &mut self.pending {
            pending.deadline = self.now + self.timeout;
            self.deadlines.insert((pending.deadline, key.clone()));
        }
    }

    /// Sends a stanza that wants no reply.
    pub(super) fn send(&mut self, stanza: String) {
        let call = self.journal.as_ref().and_then(Journal::call);
        self.push(Entry::Stanza(stanza, call));
    }

    fn push(&mut self, entry: Entry) {
        if self.queue.len() >= self.limits.queued_stanzas {
            warn!("Too many stanzas wait for the link; the oldest was dropped");
            self.counters.limit("queued_stanzas");
            self.queue.pop_front();
        }
        self.queue.push_back(entry);
    }
}

impl Sink for Outbox {
    fn message(&mut self, request: Request, by: &Carrier, to: &str, write: &dyn Fn(&mut Writer)) {
        match by {
            Carrier::Direct(own) => {
                let mut writer = stanza::open("message", Some("chat"), own, to, None);
                write(&mut writer);
                self.send(writer.finish());
            }
            Carrier::Device(device) => {
                self.carry(request, ("message", "chat"), device, to, write);
            }
        }
    }

    fn request(&mut self, request: Request, by: &Carrier, to: &str, write: &dyn Fn(&mut Writer)) {
        match by {
            Carrier::Direct(own) => {
                // A call whose request cannot be sent ends by its timers.
                let _ = self.ask(Purpose::Call(request), "set", own, to, write);
            }
            Carrier::Device(device) => self.carry(request, ("iq", "set"), device, to, write),
        }
    }

    fn journal(&mut self) -> Option<&mut Journal> {
        self.journal.as_mut()
    }
}

impl Outbox {
    /// Has a device send a stanza, of this name and type, in its own name.
    fn carry(
        &mut self,
        request: Request,
        (name, kind): (&str, &str),
        device: &FullJid,
        to: &str,
        write: &dyn Fn(&mut Writer),
    ) {
        let service = self.service.clone();
        let purpose = Purpose::Call(request);
        let _ = self.ask_with_id(purpose, "set", &service, device.as_str(), &|writer, id| {
            Carried::write(writer, &|writer| {
                writer
                    .open(name, NS_CLIENT)
                    .attr("type", kind)
                    .attr("from", device.as_str())
                    .attr("to", to)
                    .attr("id", id);
                write(writer);
                writer.close();
            });
        });
    }
}

/// To whom a stanza that we wrote goes.
pub(super) fn receiver(stanza: &str) -> &str {
    stanza
        .split_once(" to='")
        .and_then(|(_, rest)| rest.split_once('\''))
        .map_or("", |(to, _)| to)
}
