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
/// tell whether they arrived, and whoever got them twice sees the same id twice. Not so what a leg of
/// a call passed over, answering something later: said now, it would be out of order.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: VecDeque<Entry>,
    pending: Pending,
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
struct Asking {
    id: String,
    purpose: Purpose,
    deadline: Instant,
    text: String,
    order: u64,
    sent: bool,
    /// The leg has replied to a later one.
    overtaken: bool,
}

/// Requests whose reply is awaited, by receiver and in their order.
#[derive(Debug, Default)]
struct Pending {
    receivers: HashMap<String, Vec<Asking>>,
    len: usize,
}

impl Pending {
    fn insert(&mut self, to: &str, request: Asking) {
        self.receivers
            .entry(to.to_owned())
            .or_default()
            .push(request);
        self.len += 1;
    }

    fn get_mut(&mut self, (to, id): &Key) -> Option<&mut Asking> {
        let open = self.receivers.get_mut(to)?;
        open.iter_mut().find(|own| own.id == *id)
    }

    fn replied(&mut self, key: &Key) -> Option<Asking> {
        let request = self.remove(key)?;
        if let Purpose::Call(own) = &request.purpose {
            for earlier in self.receivers.get_mut(&key.0).into_iter().flatten() {
                earlier.overtaken |= earlier.order < request.order
                    && matches!(&earlier.purpose, Purpose::Call(other) if other.is_beside(*own));
            }
        }
        Some(request)
    }

    fn remove(&mut self, (to, id): &Key) -> Option<Asking> {
        let open = self.receivers.get_mut(to)?;
        let at = open.iter().position(|own| own.id == *id)?;
        let request = open.remove(at);
        self.len -= 1;
        if open.is_empty() {
            self.receivers.remove(to);
        }
        Some(request)
    }
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
            pending: Pending::default(),
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
        if self.pending.len >= self.limits.pending_iqs {
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
        let key = (to.to_owned(), id.clone());
        let deadline = self.now + self.timeout;
        self.next += 1;
        let request = Asking {
            id,
            purpose,
            deadline,
            text: writer.finish(),
            order: self.next,
            sent: false,
            overtaken: false,
        };
        self.deadlines.insert((deadline, key.clone()));
        self.pending.insert(to, request);
        self.push(Entry::Request(key));
        true
    }

    /// A reply arrived: what it is for, if it is one of ours.
    pub(super) fn reply(&mut self, from: &Jid, id: &str) -> Option<Purpose> {
        let key = (from.as_str().to_owned(), id.to_owned());
        let request = self.pending.replied(&key)?;
        self.deadlines.remove(&(request.deadline, key));
        Some(request.purpose)
    }

    /// A request whose reply did not come in time.
    pub(super) fn overdue(&mut self) -> Option<Purpose> {
        let (deadline, _) = self.deadlines.first()?;
        if *deadline > self.now {
            return None;
        }
        let (_, key) = self.deadlines.pop_first()?;
        self.pending.remove(&key).map(|own| own.purpose)
    }

    /// The limit of this key was reached.
    pub(super) fn limit(&self, key: &'static str) {
        self.counters.limit(key);
    }

    /// Requests that wait for a reply.
    pub(super) fn waiting(&self) -> usize {
        self.pending.len
    }

    /// Requests that wait for a reply, and stanzas that wait for the link.
    pub(super) fn load(&self) -> (usize, usize) {
        let requests = self.pending.len.max(self.deadlines.len());
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
                    if let Some(request) = self.pending.get_mut(&key) {
                        request.sent = true;
                        if let (Some(journal), Purpose::Call(own)) =
                            (&mut self.journal, &request.purpose)
                        {
                            journal.sent(now, own.call(), &key.0, &request.text);
                        }
                        return Some(request.text.clone());
                    }
                }
            }
        }
    }

    /// The link is back: what was under way is sent again, first.
    pub(super) fn resend(&mut self) {
        self.deadlines.clear();
        // Nobody could have replied meanwhile.
        let deadline = self.now + self.timeout;
        let mut again = Vec::new();
        let mut len = 0;
        self.pending.receivers.retain(|to, open| {
            // Whether a device is there is asked anew.
            open.retain(|own| !matches!(own.purpose, Purpose::Device(_)));
            for request in &mut *open {
                request.deadline = deadline;
                let key = (to.clone(), request.id.clone());
                let was_sent = std::mem::take(&mut request.sent);
                if was_sent && !request.overtaken {
                    again.push((request.order, key.clone()));
                }
                self.deadlines.insert((deadline, key));
            }
            len += open.len();
            !open.is_empty()
        });
        self.pending.len = len;
        again.sort_unstable();
        for (_, key) in again.into_iter().rev() {
            self.queue.push_front(Entry::Request(key));
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
