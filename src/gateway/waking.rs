//! Who is there, after a start or a loss of the link: servers replay nothing to a component, so
//! those who were known are asked.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use jid::{BareJid, FullJid};

use super::Gateway;
use super::outbox::Purpose;
use super::records::{Change, Key, Record};
use crate::web::{self, Device};
use crate::xml::{Document, Limits, Writer};

/// Those who are to be asked, a few at a time.
#[derive(Debug, Default)]
pub(super) struct Waking {
    /// Apps that were there before the start, and whether they watched. They count as there when
    /// they have answered.
    before: HashMap<FullJid, (Device, bool)>,
    devices: VecDeque<FullJid>,
    /// People, and one who sees each: in his name her server is asked.
    probes: VecDeque<(BareJid, BareJid)>,
    /// Clients that were there before the link was lost, of people who are probed.
    unsure: HashSet<FullJid>,
    next: Option<Instant>,
    /// When clients of whom nothing was heard are gone.
    sweep: Option<Instant>,
    /// Apps that go on to watch once the roster of their person is known.
    pub(super) rewatch: HashSet<FullJid>,
}

impl Gateway {
    /// What was kept before this start. To be called before anything else.
    pub fn restore(&mut self, records: impl IntoIterator<Item = Record>) {
        for record in records {
            match record {
                Record::Subscription { person, watcher } => {
                    // With a lower limit than before the start, some are left out.
                    let _ = self.clients.registry.watch(&person, &watcher);
                }
                Record::Device {
                    jid,
                    announcement,
                    watches,
                } => {
                    let text = Document::parse(announcement.as_bytes(), "", &Limits::default());
                    if let Some(device) = text.ok().and_then(|text| Device::read(text.root())) {
                        self.waking.before.insert(jid, (device, watches));
                    }
                }
                Record::Caps { caps, abilities } => self.clients.restore(caps, abilities),
                Record::Opened { person } => {
                    self.access.open(person);
                }
            }
        }
    }

    /// The link is up: whoever may be there is asked.
    pub(super) fn wake(&mut self) {
        let now = self.outbox.now;
        self.clients.registry.forget_sights();
        let registry = &self.clients.registry;
        // The test call's own app has not gone.
        let echo = self.addresses.echo();
        let known = registry.devices().filter(|device| {
            // One and the same app is asked once.
            !self.waking.before.contains_key(device) && Some(&device.to_bare()) != echo
        });
        self.waking.devices = known.chain(self.waking.before.keys().cloned()).collect();
        self.waking.probes = registry
            .watched()
            .filter(|(person, _)| Some(person) != echo)
            .collect();
        self.waking.unsure = registry.clients_of_watched().collect();
        let idle = self.waking.devices.is_empty() && self.waking.probes.is_empty();
        self.waking.next = (!idle).then_some(now);
        self.waking.sweep = None;
        self.go_on_waking(now);
    }

    /// When [`Self::go_on_waking`] has something to do.
    pub(super) fn next_waking(&self) -> Option<Instant> {
        [self.waking.next, self.waking.sweep]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn go_on_waking(&mut self, now: Instant) {
        if self.waking.sweep.is_some_and(|at| at <= now) {
            self.waking.sweep = None;
            for gone in std::mem::take(&mut self.waking.unsure) {
                self.offline(&gone.into());
            }
        }
        if self.waking.next.is_none_or(|at| at > now) {
            return;
        }
        for _ in 0..BATCH {
            if let Some(device) = self.waking.devices.pop_front() {
                self.ask_device(device);
            } else if let Some((person, watcher)) = self.waking.probes.pop_front() {
                self.forward("probe", &watcher, &person, None);
            } else {
                self.waking.next = None;
                self.waking.sweep = Some(now + PATIENCE);
                return;
            }
        }
        self.waking.next = Some(now + PACE);
    }

    fn ask_device(&mut self, device: FullJid) {
        let service = self.config.service.to_string();
        let purpose = Purpose::Device(device.clone());
        // One that cannot be asked now is taken to be there until something else is heard.
        let _ = self
            .outbox
            .ask(purpose, "get", &service, device.as_str(), &|writer| {
                writer.leaf("device", web::NS, "");
            });
    }

    /// An app said that it is there.
    pub(super) fn device_answered(&mut self, jid: &FullJid) {
        let Some((device, watches)) = self.waking.before.remove(jid) else {
            return;
        };
        if self.announced(jid, device).is_ok() && watches {
            let person = jid.to_bare();
            if self.grants.reads_rosters(person.domain().as_str()) && self.ask_roster(&person) {
                self.waking.rewatch.insert(jid.clone());
            } else {
                self.watch_again(jid);
            }
        }
    }

    /// An app that was there before the start is not there, or does not say.
    pub(super) fn device_silent(&mut self, jid: &FullJid) {
        if self.waking.before.remove(jid).is_some() {
            self.keep(Change::Forget(Key::Device(jid.clone())));
        }
    }

    /// A client is there.
    pub(super) fn is_sure(&mut self, jid: &FullJid) {
        self.waking.unsure.remove(jid);
    }

    /// An app announced itself anew: what was known of it before counts no more.
    pub(super) fn is_new(&mut self, jid: &FullJid) {
        self.waking.before.remove(jid);
    }

    /// A change to what is kept over a restart.
    pub(super) fn keep(&mut self, change: Change) {
        self.changes.push_back(change);
    }

    /// Keeps what is known of an app.
    pub(super) fn keep_device(&mut self, jid: &FullJid) {
        if let Some(device) = self.clients.registry.device(jid) {
            let mut writer = Writer::new("");
            device.write(&mut writer);
            self.keep(Change::Keep(Record::Device {
                jid: jid.clone(),
                announcement: writer.finish(),
                watches: self.watches.contacts(jid).is_some(),
            }));
        }
    }

    /// `watcher` sees `person` from now on. True if that is new.
    pub(super) fn add_watcher(&mut self, person: &BareJid, watcher: &BareJid) -> bool {
        let watched = self.clients.registry.watch(person, watcher);
        if let Err(limit) = watched {
            self.counters.limit(limit);
        }
        let is_new = watched == Ok(true);
        if is_new {
            let (person, watcher) = (person.clone(), watcher.clone());
            self.keep(Change::Keep(Record::Subscription { person, watcher }));
        }
        is_new
    }

    /// `watcher` sees `person` no more.
    pub(super) fn remove_watcher(&mut self, person: &BareJid, watcher: &BareJid) {
        if self.clients.registry.is_watched(person, watcher) {
            self.clients.registry.unwatch(person, watcher);
            let key = Key::Subscription(person.clone(), watcher.clone());
            self.keep(Change::Forget(key));
        }
    }
}

/// So many are asked at once, and then it is waited for so long.
const BATCH: usize = 500;
const PACE: Duration = Duration::from_millis(50);
/// How long the answers to probes may take.
const PATIENCE: Duration = Duration::from_secs(30);
