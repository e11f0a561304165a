//! By what calls are found.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use jid::{BareJid, FullJid};

use super::parties::Call;
use super::{Between, CallId, Calls};
use crate::jingle::Sid;

/// By whom a call is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Parties {
    /// The two people, whoever calls, and the sid.
    Gateway(Arc<Pair>, Sid),
    /// The device that carries it, the other party, and the sid.
    Carried(FullJid, BareJid, Sid),
}

impl Calls {
    pub(super) fn find(&self, between: Between<'_>, sid: &Sid) -> Option<(CallId, usize)> {
        let id = self.of_parties(&between.parties(sid))?;
        Some((id, self.calls.get(&id)?.leg_of(between.from)?))
    }

    /// The call that is known by this.
    pub(super) fn of_parties(&self, parties: &Parties) -> Option<CallId> {
        let near = match parties {
            Parties::Gateway(pair, _) => self.pairs.get(pair)?,
            Parties::Carried(device, ..) => self.by_device.get(device)?,
        };
        let is_it = |call: &Call| call.parties() == *parties;
        let is_known = |id: &&CallId| self.calls.get(id).is_some_and(|call| is_it(call));
        near.iter().find(is_known).copied()
    }

    /// Whether a call joins the two people.
    #[must_use]
    pub fn joins(&self, one: &BareJid, other: &BareJid) -> bool {
        self.pairs.contains_key(&pair(one, other))
    }

    /// The calls that join two people at their gateway addresses.
    pub(super) fn of_pair(&self, one: &BareJid, other: &BareJid) -> Vec<CallId> {
        self.pairs
            .get(&pair(one, other))
            .cloned()
            .unwrap_or_default()
    }

    /// Whether a device is in a call.
    #[must_use]
    pub fn is_device(&self, device: &FullJid) -> bool {
        self.by_device.contains_key(device)
    }
}

impl Between<'_> {
    pub(super) fn parties(&self, sid: &Sid) -> Parties {
        let from = self.from.to_bare();
        match self.through {
            None => Parties::Gateway(pair(self.person, &from), sid.clone()),
            Some(device) => {
                let other = if self.from == device {
                    self.person.clone()
                } else {
                    from
                };
                Parties::Carried(device.clone(), other, sid.clone())
            }
        }
    }
}

impl Call {
    /// Under what it is known.
    pub(super) fn parties(&self) -> Parties {
        let (caller, callee, sid) = (self.caller(), self.callee(), &self.sid);
        match &self.through {
            None => Parties::Gateway(Arc::clone(&self.people), sid.clone()),
            Some(device) => {
                let other = if *caller == device.to_bare() {
                    callee
                } else {
                    caller
                };
                Parties::Carried(device.clone(), other.clone(), sid.clone())
            }
        }
    }
}

/// Two people in order, whoever calls.
pub(super) type Pair = (BareJid, BareJid);

pub(super) fn pair(one: &BareJid, other: &BareJid) -> Arc<Pair> {
    Arc::new(if one <= other {
        (one.clone(), other.clone())
    } else {
        (other.clone(), one.clone())
    })
}

/// Most people and devices have one call at a time.
pub(super) fn one() -> Vec<CallId> {
    Vec::with_capacity(1)
}

/// Gives back the room of what is gone by now.
pub(super) fn trim<K: Eq + Hash, V>(map: &mut HashMap<K, V>) {
    if map.capacity() > MOST_ROOM.max(8 * map.len()) {
        map.shrink_to(2 * map.len());
    }
}

/// Entries for which there may always be room.
const MOST_ROOM: usize = 1_024;
