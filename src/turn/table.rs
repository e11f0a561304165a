//! All allocations, found by client, by relay and by deadline.

use std::{
    cell::Cell,
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    time::Instant,
};

use foldhash::quality::RandomState;

use super::{
    FiveTuple, RelayId,
    allocation::{Allocation, Relay, Side},
};

/// The allocations. Their number is bounded by the ports.
#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_client: HashMap<FiveTuple, u32, RandomState>,
    /// The client that was looked for last: datagrams of one come in a row.
    latest: Cell<Option<(FiveTuple, u32)>>,
    by_address: HashMap<SocketAddr, RelayId, RandomState>,
    deadlines: BTreeSet<(Instant, RelayId)>,
}

#[derive(Debug)]
struct Slot {
    /// Counts the allocations that lived here, so that a late answer finds none of a later one.
    generation: u32,
    allocation: Option<Box<Allocation>>,
}

impl Table {
    pub(super) fn insert(&mut self, allocation: Allocation) -> u32 {
        let five_tuple = allocation.five_tuple;
        let allocation = Some(Box::new(allocation));
        let index = match self.free.pop() {
            Some(index) => {
                if let Some(slot) = self.slot_mut(index) {
                    slot.allocation = allocation;
                }
                index
            }
            None => {
                let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
                self.slots.push(Slot {
                    generation: 0,
                    allocation,
                });
                index
            }
        };
        self.by_client.insert(five_tuple, index);
        index
    }

    /// Removes an allocation; its relays must be gone.
    pub(super) fn remove(&mut self, index: u32) -> Option<Box<Allocation>> {
        let slot = self.slot_mut(index)?;
        let allocation = slot.allocation.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(index);
        self.by_client.remove(&allocation.five_tuple);
        self.latest.set(None);
        Some(allocation)
    }

    pub(super) fn find(&self, five_tuple: &FiveTuple) -> Option<u32> {
        if let Some((latest, index)) = self.latest.get()
            && latest == *five_tuple
        {
            return Some(index);
        }
        let index = *self.by_client.get(five_tuple)?;
        self.latest.set(Some((*five_tuple, index)));
        Some(index)
    }

    pub(super) fn at(&self, index: u32) -> Option<&Allocation> {
        let slot = self.slots.get(usize::try_from(index).ok()?)?;
        slot.allocation.as_deref()
    }

    pub(super) fn at_mut(&mut self, index: u32) -> Option<&mut Allocation> {
        self.slot_mut(index)?.allocation.as_deref_mut()
    }

    /// The allocation a relay belongs to, unless it is one of the past.
    pub(super) fn of_relay(&self, relay: RelayId) -> Option<&Allocation> {
        let slot = self.slots.get(usize::try_from(relay.index).ok()?)?;
        let allocation = slot.allocation.as_deref()?;
        (slot.generation == relay.generation).then_some(allocation)
    }

    pub(super) fn relay_id(&self, index: u32, side: Side) -> Option<RelayId> {
        let slot = self.slots.get(usize::try_from(index).ok()?)?;
        Some(RelayId {
            index,
            generation: slot.generation,
            side,
        })
    }

    /// The live relay that has this address.
    pub(super) fn relay_at(&self, address: SocketAddr) -> Option<RelayId> {
        self.by_address.get(&address).copied()
    }

    /// The socket of a relay is open: its address can be sent to.
    pub(super) fn publish(&mut self, relay: RelayId, address: SocketAddr) {
        self.by_address.insert(address, relay);
    }

    /// Gives an allocation a relay, or a relay another deadline.
    pub(super) fn set_relay(&mut self, id: RelayId, relay: Relay) {
        let Some(place) = self.at_mut(id.index).map(|it| it.relays.at_mut(id.side)) else {
            return;
        };
        let before = place.replace(relay);
        if let Some(before) = before {
            self.deadlines.remove(&(before.expires, id));
        }
        self.deadlines.insert((relay.expires, id));
    }

    pub(super) fn take_relay(&mut self, id: RelayId) -> Option<Relay> {
        let relay = self.at_mut(id.index)?.relays.at_mut(id.side).take()?;
        self.deadlines.remove(&(relay.expires, id));
        if self.relay_at(relay.address) == Some(id) {
            self.by_address.remove(&relay.address);
        }
        Some(relay)
    }

    /// The first relay to expire.
    pub(super) fn next_deadline(&self) -> Option<(Instant, RelayId)> {
        self.deadlines.first().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.by_client.len()
    }

    /// The allocations of a user name, `expiry:person`; of all user names of a person where it is
    /// the person alone, whose address has no colon before its domain (RFC 7622 §3.3.1).
    pub(super) fn of_user(&self, username: &str) -> Vec<u32> {
        (0..)
            .zip(&self.slots)
            .filter(|(_, slot)| {
                let allocation = slot.allocation.as_deref();
                allocation.is_some_and(|it| is_of(&it.username, username))
            })
            .map(|(index, _)| index)
            .collect()
    }

    fn slot_mut(&mut self, index: u32) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(index).ok()?)
    }
}
/// Whether a user name is the wanted one, or of the wanted person.
fn is_of(username: &str, wanted: &str) -> bool {
    username == wanted
        || username
            .split_once(':')
            .is_some_and(|(_, person)| person == wanted)
}
