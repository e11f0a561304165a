//! All TCP and TLS clients of a thread, and which has to go when there are too many.

use std::{
    collections::{HashMap, VecDeque},
    net::TcpStream,
    os::fd::BorrowedFd,
    sync::Arc,
    time::Instant,
};

use foldhash::quality::RandomState;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustls::ServerConfig;

use super::{
    poll::Token,
    stream::{Over, Stream},
};
use crate::turn::{FiveTuple, Server, network};

/// The connections. Their number, and that of TLS handshakes under way, is bounded: when there is
/// no room for a new one, the oldest without an allocation makes it. Who has credentials needs less
/// than a second to get one; who has none loses the race to newcomers. Handshakes are dearer, and
/// fewer: room for one is made by the network that has most of them, so that whoever sends them in
/// numbers has that race with himself.
pub(super) struct Streams {
    slots: Vec<Slot>,
    free: Vec<usize>,
    by_client: HashMap<FiveTuple, usize, RandomState>,
    /// In the order they came; some are gone or have become clients.
    waiting: VecDeque<(usize, u64)>,
    handshaking: VecDeque<(usize, u64)>,
    handshakes: usize,
    limits: Limits,
    /// Those with something to send.
    pending: Vec<usize>,
}

/// How many there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) connections: usize,
    pub(super) handshakes: usize,
}

#[derive(Default)]
struct Slot {
    /// Counts the connections that were here.
    generation: u64,
    stream: Option<Stream>,
    is_pending: bool,
    /// Whether epoll tells when the socket takes more.
    is_watched: bool,
    is_handshaking: bool,
}

impl Streams {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_client: HashMap::default(),
            waiting: VecDeque::new(),
            handshaking: VecDeque::new(),
            handshakes: 0,
            limits,
            pending: Vec::new(),
        }
    }

    /// A new connection. Answers the client that had to go for it, if one had to.
    pub(super) fn accept(
        &mut self,
        epoll: BorrowedFd<'_>,
        now: Instant,
        socket: TcpStream,
        five_tuple: FiveTuple,
        tls: Option<Arc<ServerConfig>>,
    ) -> Option<FiveTuple> {
        let is_tls = tls.is_some();
        let mut gone = None;
        if is_tls && self.handshakes >= self.limits.handshakes {
            gone = self.evict_handshaking();
        }
        if self.by_client.len() >= self.limits.connections {
            gone = Some(match gone {
                Some(gone) => gone,
                None => self.evict()?,
            });
        }
        let Ok(stream) = Stream::new(now, socket, five_tuple, tls) else {
            return gone;
        };
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() - 1
        });
        let token = EventData::new_u64(Token::Stream(index).encode());
        if epoll::add(epoll, &stream, token, EventFlags::IN).is_err() {
            self.free.push(index);
            return gone;
        }
        if let Some(slot) = self.slots.get_mut(index) {
            slot.stream = Some(stream);
            slot.is_handshaking = is_tls;
            self.by_client.insert(five_tuple, index);
            self.waiting.push_back((index, slot.generation));
            if is_tls {
                self.handshakes += 1;
                self.handshaking.push_back((index, slot.generation));
            }
        }
        gone
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Stream> {
        self.slots.get_mut(index)?.stream.as_mut()
    }

    pub(super) fn find(&self, five_tuple: &FiveTuple) -> Option<usize> {
        self.by_client.get(five_tuple).copied()
    }

    /// Reads from a connection. The handshake may have come to its end with that.
    pub(super) fn read(&mut self, index: usize, space: &mut [u8]) -> Result<(), Over> {
        let slot = self.slots.get_mut(index).ok_or(Over)?;
        let stream = slot.stream.as_mut().ok_or(Over)?;
        stream.read(space)?;
        if slot.is_handshaking && !stream.is_handshaking() {
            slot.is_handshaking = false;
            self.handshakes -= 1;
        }
        if stream.is_waiting() {
            self.is_pending(index);
        }
        Ok(())
    }

    /// Queues a message for a client. Answers whether there was room.
    pub(super) fn push(&mut self, index: usize, message: &[u8]) -> bool {
        let queued = self.get_mut(index).is_some_and(|it| it.push(message));
        if queued {
            self.is_pending(index);
        }
        queued
    }

    /// Something is to be written, now or as soon as the socket takes it.
    pub(super) fn is_pending(&mut self, index: usize) {
        if let Some(slot) = self.slots.get_mut(index)
            && !slot.is_pending
        {
            slot.is_pending = true;
            self.pending.push(index);
        }
    }

    /// Writes what is queued; `over` is told of connections that broke.
    pub(super) fn flush(
        &mut self,
        epoll: BorrowedFd<'_>,
        now: Instant,
        mut over: impl FnMut(FiveTuple),
    ) {
        let mut pending = std::mem::take(&mut self.pending);
        for index in pending.drain(..) {
            let Some(slot) = self.slots.get_mut(index) else {
                continue;
            };
            slot.is_pending = false;
            let Some(stream) = &mut slot.stream else {
                continue;
            };
            let mut result = stream.flush(now);
            let watch = stream.is_waiting();
            if result.is_ok() && watch != slot.is_watched {
                let token = EventData::new_u64(Token::Stream(index).encode());
                let flags = match watch {
                    true => EventFlags::IN | EventFlags::OUT,
                    false => EventFlags::IN,
                };
                result = epoll::modify(epoll, &*stream, token, flags).map_err(|_| Over);
                slot.is_watched = watch;
            }
            if result.is_err()
                && let Some(five_tuple) = self.close(index)
            {
                over(five_tuple);
            }
        }
        self.pending = pending;
    }

    pub(super) fn close(&mut self, index: usize) -> Option<FiveTuple> {
        let slot = self.slots.get_mut(index)?;
        let stream = slot.stream.take()?;
        if slot.is_handshaking {
            self.handshakes -= 1;
        }
        *slot = Slot {
            generation: slot.generation + 1,
            // Its place in the list of pending ones stays.
            is_pending: slot.is_pending,
            ..Slot::default()
        };
        self.free.push(index);
        let five_tuple = stream.five_tuple();
        self.by_client.remove(&five_tuple);
        Some(five_tuple)
    }

    /// Closes those who used up their time; `over` is told of each.
    pub(super) fn sweep(&mut self, now: Instant, server: &Server) -> Vec<FiveTuple> {
        let mut overdue = Vec::new();
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let Some(stream) = &mut slot.stream else {
                continue;
            };
            stream.set_has_allocation(now, server.has_allocation(&stream.five_tuple()));
            if stream.is_overdue(now) {
                overdue.push(index);
            }
        }
        let gone = overdue
            .into_iter()
            .filter_map(|it| self.close(it))
            .collect();
        let slots = &self.slots;
        self.waiting.retain(|it| is_stranger(slots, *it));
        self.handshaking.retain(|it| is_handshaking(slots, *it));
        gone
    }

    /// Closes the oldest connection that has no allocation.
    pub(super) fn evict(&mut self) -> Option<FiveTuple> {
        while let Some(entry) = self.waiting.pop_front() {
            if is_stranger(&self.slots, entry) {
                return self.close(entry.0);
            }
        }
        None
    }

    /// Closes the oldest handshake of the network that has most of them.
    fn evict_handshaking(&mut self) -> Option<FiveTuple> {
        let slots = &self.slots;
        self.handshaking.retain(|it| is_handshaking(slots, *it));
        let network_of = |(index, _): &(usize, u64)| {
            let stream = slots.get(*index)?.stream.as_ref()?;
            Some(network(stream.five_tuple().client.ip()))
        };
        let mut counts: HashMap<_, usize> = HashMap::new();
        for entry in &self.handshaking {
            *counts.entry(network_of(entry)).or_default() += 1;
        }
        let most = counts.values().max()?;
        let mut entries = self.handshaking.iter();
        let (index, _) = *entries.find(|it| counts.get(&network_of(it)) == Some(most))?;
        self.close(index)
    }
}

fn is_stranger(slots: &[Slot], (index, generation): (usize, u64)) -> bool {
    let slot = slots.get(index).filter(|it| it.generation == generation);
    let stream = slot.and_then(|it| it.stream.as_ref());
    stream.is_some_and(|it| !it.has_allocation())
}

fn is_handshaking(slots: &[Slot], (index, generation): (usize, u64)) -> bool {
    let slot = slots.get(index).filter(|it| it.generation == generation);
    slot.is_some_and(|it| it.is_handshaking)
}
