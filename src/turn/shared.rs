//! What the engines of several threads have in common.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError, RwLock},
    time::Instant,
};

use foldhash::quality::RandomState;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    Config, RelayId,
    allocate::Reservation,
    allocation::{Side, Sides},
    limiter::Limiter,
    ports::Ports,
    quota::Quotas,
};

/// Quotas, ports, reservations and the rate of replies: one of each, however many threads there are.
///
/// A client is served by one thread from beginning to end, so allocations themselves are not here.
/// Data between clients of two threads finds its way by the addresses of the relays.
#[derive(Debug)]
pub struct Shared {
    common: Mutex<Common>,
    /// Which thread has the relay of this address. Empty where there is only one.
    relays: RwLock<HashMap<SocketAddr, (usize, RelayId), RandomState>>,
    is_alone: bool,
}

/// What is asked for when allocations come and go, not for each datagram.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) quotas: Quotas,
    /// Bindings and challenges have a budget each: those who only ask for their address, or say so
    /// in the name of others, leave their network its way to credentials.
    pub(super) bindings: Limiter,
    pub(super) challenges: Limiter,
    /// Per family, if there is a relay address of it.
    pub(super) ports: Sides<Option<Ports>>,
    pub(super) reservations: HashMap<[u8; 8], Reservation>,
    pub(super) reservation_ends: VecDeque<(Instant, [u8; 8])>,
}

impl Shared {
    /// For so many engines. What must not be foreseen is made from `seed`.
    #[must_use]
    pub fn new(config: &Config, engines: usize, now: Instant, seed: [u8; 32]) -> Self {
        let mut rng = StdRng::from_seed(seed);
        let mut ports = Sides::<Option<Ports>>::new(None, None);
        for told in config.relay_addresses() {
            *ports.at_mut(Side::of(told)) = Some(Ports::new(&config.relay_ports));
        }
        let mut limiter = || Limiter::new(now, config.replies_per_second, rng.random());
        Self {
            common: Mutex::new(Common {
                quotas: Quotas::new(
                    config.user_allocations,
                    config.address_allocations,
                    config.person_bandwidth,
                ),
                bindings: limiter(),
                challenges: limiter(),
                ports,
                reservations: HashMap::new(),
                reservation_ends: VecDeque::new(),
            }),
            relays: RwLock::default(),
            is_alone: engines < 2,
        }
    }

    pub(super) fn common(&self) -> MutexGuard<'_, Common> {
        // Counters and tables are whole between two statements, whoever panicked.
        self.common.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn publish(&self, address: SocketAddr, engine: usize, relay: RelayId) {
        if !self.is_alone {
            let mut relays = self.relays.write().unwrap_or_else(PoisonError::into_inner);
            relays.insert(address, (engine, relay));
        }
    }

    pub(super) fn withdraw(&self, address: SocketAddr) {
        if !self.is_alone {
            let mut relays = self.relays.write().unwrap_or_else(PoisonError::into_inner);
            relays.remove(&address);
        }
    }

    pub(super) fn relay_at(&self, address: SocketAddr) -> Option<(usize, RelayId)> {
        if self.is_alone {
            return None;
        }
        let relays = self.relays.read().unwrap_or_else(PoisonError::into_inner);
        relays.get(&address).copied()
    }
}
