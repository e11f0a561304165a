//! How much one person, and one client address, may have.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::Instant,
};

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

    /// Counts one more allocation and answers the index of the person; nothing when either has
    /// enough.
    pub(super) fn take(&mut self, now: Instant, person: &str, client: IpAddr) -> Option<usize> {
        let address = network(client);
        let from_address = self.addresses.get(&address).copied().unwrap_or(0);
        if self.per_address != 0 && from_address >= self.per_address {
            return None;
        }
        let user = self.reserve(now, person)?;
        *self.addresses.entry(address).or_default() += 1;
        Some(user)
    }

    /// Takes back what [`Self::take`] counted.
    pub(super) fn give(&mut self, user: usize, client: IpAddr) {
        let address = network(client);
        if let Some(count) = self.addresses.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.addresses.remove(&address);
            }
        }
        self.release(user);
    }

    /// Counts for the person only: a reserved port (RFC 8656 §7.2, EVEN-PORT).
    pub(super) fn reserve(&mut self, now: Instant, name: &str) -> Option<usize> {
        let Some(&user) = self.by_name.get(name) else {
            return Some(self.add(now, name));
        };
        let person = self.people.get_mut(user)?;
        if self.per_person != 0 && person.allocations >= self.per_person {
            return None;
        }
        person.allocations += 1;
        Some(user)
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

    /// Once more for a person who is counted already.
    pub(super) fn reserve_again(&mut self, user: usize) -> bool {
        let Some(person) = self.people.get_mut(user) else {
            return false;
        };
        if self.per_person != 0 && person.allocations >= self.per_person {
            return false;
        }
        person.allocations += 1;
        true
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

/// An IPv6 host has a whole /64 to itself.
fn network(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
    }
}
