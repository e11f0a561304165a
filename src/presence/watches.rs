use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jid::{BareJid, FullJid};

/// Apps that watch the people whom they may call: who is on whose list, and who is to be told of
/// what.
///
/// A device is told of many changes at once, at most every 250 ms, and not before it has
/// acknowledged what it was told last.
#[derive(Debug, Default)]
pub struct Watches {
    devices: HashMap<FullJid, Watch>,
    askers: HashMap<BareJid, BTreeSet<FullJid>>,
    /// Whose changes matter to whom.
    people: HashMap<Arc<BareJid>, Interest>,
    due: BTreeSet<(Instant, FullJid)>,
}

/// Somebody on a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// What the list's owner calls her.
    pub name: Option<Box<str>>,
    /// Whether a server has said that she sends him her presence.
    pub vouched: Vouched,
}

/// Whether a server has said that a person sends her presence to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vouched {
    /// Nothing was heard of it.
    #[default]
    Unknown,
    /// It has.
    Yes,
    /// It has said the opposite.
    No,
}

/// Those on a list, in the order of their JIDs.
pub type Contacts = BTreeMap<Arc<BareJid>, Contact>;

#[derive(Debug, Default)]
struct Watch {
    contacts: Contacts,
    /// Those of whom something new is to be told.
    changed: BTreeSet<Arc<BareJid>>,
    /// When the next push may go.
    next: Option<Instant>,
    /// A push is not acknowledged yet.
    in_flight: bool,
}

#[derive(Debug, Default)]
struct Interest {
    devices: BTreeSet<FullJid>,
    /// What was last seen of the person, as a hash.
    shown: u64,
}

impl Watches {
    /// A device watches these people from now on, whatever it did before. `shown` says what is
    /// seen of each.
    pub fn start(&mut self, device: &FullJid, contacts: Contacts, shown: impl Fn(&BareJid) -> u64) {
        self.stop(device);
        for person in contacts.keys() {
            let fresh = || Interest {
                devices: BTreeSet::new(),
                shown: shown(person),
            };
            self.people
                .entry(Arc::clone(person))
                .or_insert_with(fresh)
                .devices
                .insert(device.clone());
        }
        let watch = Watch {
            contacts,
            ..Watch::default()
        };
        self.devices.insert(device.clone(), watch);
        let own = self.askers.entry(device.to_bare()).or_default();
        own.insert(device.clone());
    }

    /// A device watches no more.
    pub fn stop(&mut self, device: &FullJid) {
        let Some(watch) = self.devices.remove(device) else {
            return;
        };
        let asker = device.to_bare();
        if let Some(own) = self.askers.get_mut(&asker) {
            own.remove(device);
            if own.is_empty() {
                self.askers.remove(&asker);
            }
        }
        if let Some(next) = watch.next {
            self.due.remove(&(next, device.clone()));
        }
        for person in watch.contacts.keys() {
            if let Some(interest) = self.people.get_mut(person) {
                interest.devices.remove(device);
                if interest.devices.is_empty() {
                    self.people.remove(person);
                }
            }
        }
    }

    /// The list of a device that watches.
    #[must_use]
    pub fn contacts(&self, device: &FullJid) -> Option<&Contacts> {
        Some(&self.devices.get(device)?.contacts)
    }

    /// The entry of `person` on the list of a device that watches.
    pub fn contact(&mut self, device: &FullJid, person: &BareJid) -> Option<&mut Contact> {
        self.devices.get_mut(device)?.contacts.get_mut(person)
    }

    /// The devices of one person that watch.
    pub fn devices_of(&self, asker: &BareJid) -> impl Iterator<Item = &FullJid> {
        self.askers.get(asker).into_iter().flatten()
    }

    /// The people whose devices watch, with those.
    pub fn askers(&self) -> impl Iterator<Item = (&BareJid, &BTreeSet<FullJid>)> {
        self.askers.iter()
    }

    /// How many watch.
    #[must_use]
    pub fn len(&self) -> usize {
        self.devices.len()
    }

    /// Whether nobody watches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// The devices that have `person` on their list.
    pub fn of(&self, person: &BareJid) -> impl Iterator<Item = &FullJid> {
        self.people
            .get(person)
            .into_iter()
            .flat_map(|interest| &interest.devices)
    }

    /// Puts `person` on the list of a device that watches, unless she is there or it is full.
    pub fn add(&mut self, device: &FullJid, person: &BareJid, most: usize, shown: u64) {
        let Some(watch) = self.devices.get_mut(device) else {
            return;
        };
        if watch.contacts.contains_key(person) || watch.contacts.len() >= most {
            return;
        }
        let person = Arc::new(person.clone());
        watch
            .contacts
            .insert(Arc::clone(&person), Contact::default());
        let interest = self.people.entry(person).or_default();
        interest.devices.insert(device.clone());
        interest.shown = shown;
    }

    /// What is seen of a person may have changed, to `shown`; 0 is nothing. True if it has and
    /// matters to somebody. `is_open`: it matters beyond the lists that she is on.
    pub fn sees(&mut self, person: &BareJid, shown: u64, is_open: bool) -> bool {
        if is_open && shown != 0 && !self.people.contains_key(person) {
            let person = Arc::new(person.clone());
            self.people.insert(person, Interest::default());
        }
        let Some(interest) = self.people.get_mut(person) else {
            return is_open;
        };
        let changed = std::mem::replace(&mut interest.shown, shown) != shown;
        if shown == 0 && interest.devices.is_empty() {
            self.people.remove(person);
        }
        changed
    }

    /// A device is to be told of a person.
    pub fn mark(&mut self, now: Instant, device: &FullJid, person: &BareJid) {
        let Some(watch) = self.devices.get_mut(device) else {
            return;
        };
        let person = watch
            .contacts
            .get_key_value(person)
            .map_or_else(|| Arc::new(person.clone()), |(known, _)| Arc::clone(known));
        let was_quiet = watch.changed.is_empty();
        watch.changed.insert(person);
        if was_quiet && !watch.in_flight {
            // At once, unless a push went within the last 250 ms.
            let at = watch.next.map_or(now, |next| next.max(now));
            watch.next = Some(at);
            self.due.insert((at, device.clone()));
        }
    }

    /// When [`Self::pop_due`] has something.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// A device that is to be told something now, and of whom. [`Self::acknowledged`] is to be
    /// called when it knows.
    pub fn pop_due(&mut self, now: Instant) -> Option<(FullJid, BTreeSet<Arc<BareJid>>)> {
        while self.due.first().is_some_and(|(at, _)| *at <= now) {
            let (_, device) = self.due.pop_first()?;
            if let Some(watch) = self.devices.get_mut(&device) {
                watch.next = Some(now + PACE);
                watch.in_flight = true;
                return Some((device, std::mem::take(&mut watch.changed)));
            }
        }
        None
    }

    /// A device knows what it was told last, or will never answer.
    pub fn acknowledged(&mut self, now: Instant, device: &FullJid) {
        let Some(watch) = self.devices.get_mut(device) else {
            return;
        };
        watch.in_flight = false;
        if !watch.changed.is_empty() {
            let at = watch.next.map_or(now, |next| next.max(now));
            watch.next = Some(at);
            self.due.insert((at, device.clone()));
        }
    }
}

/// Pushes to one device are so far apart at least.
const PACE: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "any moment serves as the start")]
    fn start() -> Instant {
        Instant::now()
    }

    fn watches(people: &[&str]) -> (Watches, FullJid) {
        let device = FullJid::new("juliet@example.org/page").unwrap();
        let mut watches = Watches::default();
        let contacts = people
            .iter()
            .map(|p| (Arc::new(BareJid::new(p).unwrap()), Contact::default()));
        watches.start(&device, contacts.collect(), |_| 0);
        (watches, device)
    }

    fn names(told: Option<(FullJid, BTreeSet<Arc<BareJid>>)>) -> Vec<String> {
        told.into_iter()
            .flat_map(|(_, people)| people)
            .map(|p| p.to_string())
            .collect()
    }

    #[test]
    fn one_push_in_250_ms() {
        let (mut watches, device) = watches(&["a@x", "b@x"]);
        let (now, a, b) = (
            start(),
            BareJid::new("a@x").unwrap(),
            BareJid::new("b@x").unwrap(),
        );
        watches.mark(now, &device, &a);
        assert_eq!(
            names(watches.pop_due(now)),
            ["a@x"],
            "the first goes at once"
        );
        watches.acknowledged(now, &device);
        watches.mark(now, &device, &a);
        watches.mark(now, &device, &b);
        assert_eq!(watches.next_timeout(), Some(now + PACE));
        assert!(watches.pop_due(now + PACE / 2).is_none());
        assert_eq!(names(watches.pop_due(now + PACE)), ["a@x", "b@x"]);
        watches.acknowledged(now + PACE, &device);
        assert_eq!(watches.next_timeout(), None, "no change, no push");
    }

    #[test]
    fn the_next_push_waits_for_the_acknowledgement() {
        let (mut watches, device) = watches(&["a@x"]);
        let (now, a) = (start(), BareJid::new("a@x").unwrap());
        watches.mark(now, &device, &a);
        assert!(watches.pop_due(now).is_some());
        watches.mark(now + 2 * PACE, &device, &a);
        assert_eq!(watches.next_timeout(), None);
        watches.acknowledged(now + 3 * PACE, &device);
        assert_eq!(names(watches.pop_due(now + 3 * PACE)), ["a@x"]);
    }

    #[test]
    fn nothing_is_left_of_a_device_that_has_gone() {
        let (mut watches, device) = watches(&["a@x"]);
        watches.mark(start(), &device, &BareJid::new("a@x").unwrap());
        watches.stop(&device);
        assert!(watches.is_empty() && watches.people.is_empty() && watches.due.is_empty());
        assert_eq!(watches.next_timeout(), None);
    }

    #[test]
    fn what_is_seen_already_is_no_change() {
        let (mut watches, _) = watches(&["a@x"]);
        let a = BareJid::new("a@x").unwrap();
        assert!(!watches.sees(&a, 0, false));
        assert!(watches.sees(&a, 1, false));
        assert!(!watches.sees(&a, 1, false));
    }
}
