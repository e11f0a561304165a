//! How much one person, and one client address, may have.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

use super::RelayId;

/// Counts allocations per person and per address, and meters each person's bytes.
///
/// An entry lives as long as there is an allocation behind it, so nobody grows the tables without
/// credentials.
#[derive(Debug)]
pub(super) struct Quotas {
    /// 0 = no limit, for all three.
    per_person: u32,
    per_address: u32,
    bandwidth: u64,
    people: Vec<Person>,
    free: Vec<usize>,
    by_name: HashMap<Box<str>, usize>,
    addresses: HashMap<IpAddr, u32>,
}

#[derive(Debug)]
struct Person {
    name: Box<str>,
    allocations: u32,
    /// Bytes that may pass at once.
    tokens: u64,
    filled: Instant,
    /// Her allocations, by engine and index, unless their number is no matter or they are about to
    /// end.
    held: HashMap<(usize, u32), Held>,
}

#[derive(Debug)]
struct Held {
    /// Names the allocation.
    relay: RelayId,
    /// When it was last used.
    active: Instant,
}

/// A place among the allocations of a person.
#[derive(Debug)]
pub(super) struct Place {
    /// Index of the person.
    pub(super) user: usize,
    /// The engine and the allocation that have to make it.
    pub(super) instead_of: Option<(usize, RelayId)>,
}

impl Quotas {
    pub(super) fn new(per_person: u32, per_address: u32, bandwidth: u64) -> Self {
        Self {
            per_person,
            per_address,
            bandwidth,
            people: Vec::new(),
            free: Vec::new(),
            by_name: HashMap::new(),
            addresses: HashMap::new(),
        }
    }

    /// Counts one more allocation; nothing when the address has enough, or the person has and uses
    /// them all. `reserved` is whom the port is reserved for, and counted already.
    ///
    /// There are clients that never delete what they allocate. So who has enough gets a place in
    /// exchange for the allocation of hers that has been silent for longest. For the moment until
    /// that ends both are counted.
    pub(super) fn take(
        &mut self,
        now: Instant,
        name: &str,
        client: IpAddr,
        reserved: Option<usize>,
    ) -> Option<Place> {
        let address = host(client);
        let from_address = self.addresses.get(&address).copied().unwrap_or(0);
        if self.per_address != 0 && from_address >= self.per_address {
            return None;
        }
        let place = match self.by_name.get(name) {
            None => Place {
                user: self.add(now, name),
                instead_of: None,
            },
            Some(&user) => self.one_more(now, user, u32::from(reserved == Some(user)))?,
        };
        *self.addresses.entry(address).or_default() += 1;
        Some(place)
    }

    /// Counts one more for a person who is counted already, not minding so many of hers.
    fn one_more(&mut self, now: Instant, user: usize, but: u32) -> Option<Place> {
        let person = self.people.get_mut(user)?;
        let is_full = person.allocations.saturating_sub(but) >= self.per_person;
        let instead_of = match self.per_person != 0 && is_full {
            true => Some(person.displace(now)?),
            false => None,
        };
        person.allocations += 1;
        Some(Place { user, instead_of })
    }

    /// What [`Self::take`] counted has become this allocation.
    pub(super) fn hold(&mut self, now: Instant, user: usize, engine: usize, relay: RelayId) {
        if self.per_person != 0
            && let Some(person) = self.people.get_mut(user)
        {
            let held = Held { relay, active: now };
            person.held.insert((engine, relay.index), held);
        }
    }

    /// An allocation is in use.
    pub(super) fn touch(&mut self, now: Instant, user: usize, engine: usize, index: u32) {
        let person = self.people.get_mut(user);
        if let Some(held) = person.and_then(|it| it.held.get_mut(&(engine, index))) {
            held.active = now;
        }
    }

    /// Takes back what [`Self::take`] counted.
    pub(super) fn give(&mut self, user: usize, client: IpAddr, engine: usize, index: u32) {
        if let Some(person) = self.people.get_mut(user) {
            person.held.remove(&(engine, index));
        }
        let address = host(client);
        if let Some(count) = self.addresses.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.addresses.remove(&address);
            }
        }
        self.release(user);
    }

    /// Takes back what [`Self::reserve`] counted.
    pub(super) fn release(&mut self, user: usize) {
        let Some(person) = self.people.get_mut(user) else {
            return;
        };
        person.allocations = person.allocations.saturating_sub(1);
        if person.allocations == 0 {
            let name = std::mem::take(&mut person.name);
            self.by_name.remove(&name);
            self.free.push(user);
        }
    }

    /// As [`Self::take`] does, for a port that is reserved (RFC 8656 §7.2, EVEN-PORT).
    pub(super) fn reserve(&mut self, now: Instant, user: usize) -> Option<Place> {
        self.one_more(now, user, 0)
    }

    /// Whether so many bytes of this person may pass: a token bucket that holds one second.
    pub(super) fn admits(&mut self, now: Instant, user: usize, bytes: usize) -> bool {
        if self.bandwidth == 0 {
            return true;
        }
        let Some(person) = self.people.get_mut(user) else {
            return false;
        };
        let micros = now.saturating_duration_since(person.filled).as_micros();
        let micros = u64::try_from(micros).unwrap_or(u64::MAX);
        let gained = self.bandwidth.saturating_mul(micros.min(1_000_000)) / 1_000_000;
        if gained > 0 {
            person.tokens = person.tokens.saturating_add(gained).min(self.bandwidth);
            person.filled = now;
        }
        match person.tokens.checked_sub(bytes as u64) {
            Some(rest) => {
                person.tokens = rest;
                true
            }
            None => false,
        }
    }

    fn add(&mut self, now: Instant, name: &str) -> usize {
        let person = Person {
            name: name.into(),
            allocations: 1,
            tokens: self.bandwidth,
            filled: now,
            held: HashMap::new(),
        };
        let user = match self.free.pop() {
            Some(user) => {
                if let Some(place) = self.people.get_mut(user) {
                    *place = person;
                }
                user
            }
            None => {
                self.people.push(person);
                self.people.len() - 1
            }
        };
        self.by_name.insert(name.into(), user);
        user
    }
}

impl Person {
    /// Gives up the allocation that has been silent for longest, if it has been for long.
    fn displace(&mut self, now: Instant) -> Option<(usize, RelayId)> {
        let last_used = |(_, it): &(&(usize, u32), &Held)| (it.active, it.relay);
        let (key, held) = self.held.iter().min_by_key(last_used)?;
        let (key, active) = (*key, held.active);
        if now < active + SILENCE {
            return None;
        }
        let held = self.held.remove(&key)?;
        Some((key.0, held.relay))
    }
}

/// An IPv6 host has a whole /64 to itself.
fn host(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
    }
}

/// Twice as long as a call rings, unless the configuration says otherwise: a relay that waits for the
/// answer is not taken away, and one that carries a call never is.
const SILENCE: Duration = Duration::from_secs(120);
