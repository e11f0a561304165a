//! A thread: one engine, and the sockets it serves, in rounds.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use rustix::event::{
    Timespec,
    epoll::{self, CreateFlags, Event, EventData, EventFlags},
};
use socket2::{SockRef, TcpKeepalive};

use super::{
    addresses,
    batch::{self, Receiver},
    bind,
    mailbox::{Command, Forwarded, Inbox, Mailbox},
    outbox::{Flow, Outbox},
    pace::Pacer,
    share::Share,
    streams::{Limits, Streams},
    tls::Certificates,
    unix,
};
use crate::telemetry::Pii;
use crate::turn::{
    Counters, Ended, FiveTuple, HEADROOM, OpenError, Output, RelayId, Server, TAILROOM, Transport,
    Verdict,
};

/// What the thread needs to begin.
pub(super) struct Start {
    pub(super) server: Server,
    pub(super) listeners: Vec<Listener>,
    pub(super) acceptors: Vec<Acceptor>,
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) limits: Limits,
    pub(super) inbox: Inbox,
    /// Of all threads, in the order of their numbers.
    pub(super) mailboxes: Vec<Mailbox>,
    pub(super) counters: Arc<Mutex<Counters>>,
}

/// A UDP listener.
pub(super) struct Listener {
    socket: UdpSocket,
    address: SocketAddr,
    share: Share,
}

impl Listener {
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        let address = socket.local_addr()?;
        if address.ip().is_unspecified() {
            // Else answers would come from whatever address the route prefers.
            batch::tell_destination(socket.as_fd(), address.is_ipv6())?;
        }
        // Without, there is less to gain, and nothing to lose.
        let _ = batch::coalesce(socket.as_fd());
        Ok(Self {
            socket,
            address,
            share: Share::new(BATCH),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether a client that talks to this address talks to this listener.
    fn serves(&self, asked: SocketAddr) -> bool {
        self.address == asked
            || (self.address.ip().is_unspecified()
                && self.address.port() == asked.port()
                && self.address.is_ipv4() == asked.is_ipv4())
    }

    /// The address to answer from, where the socket has to be told.
    fn source(&self, asked: SocketAddr) -> Option<IpAddr> {
        self.address.ip().is_unspecified().then_some(asked.ip())
    }
}

/// A TCP or TLS listener.
pub(super) struct Acceptor {
    pub(super) socket: TcpListener,
    pub(super) transport: Transport,
}

/// Serves until it is told to stop.
pub(super) fn run(start: Start) {
    let counters = Arc::clone(&start.counters);
    let worker = Worker::new(start);
    let end = worker.and_then(|mut worker| {
        let result = worker.serve(&counters);
        worker.publish(&counters);
        result
    });
    if let Err(error) = end {
        tracing::error!(%error, "The TURN server stopped");
    }
}

/// What epoll tells us of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Token {
    Wake,
    Listener(usize),
    Relay(usize),
    Acceptor(usize),
    Stream(usize),
}

impl Token {
    pub(super) fn encode(self) -> u64 {
        let (kind, index) = match self {
            Self::Wake => (0, 0),
            Self::Listener(index) => (1, index),
            Self::Relay(index) => (2, index),
            Self::Acceptor(index) => (3, index),
            Self::Stream(index) => (4, index),
        };
        kind << 56 | index as u64
    }

    fn decode(bits: u64) -> Self {
        let index = usize::try_from(bits & 0x00FF_FFFF_FFFF_FFFF).unwrap_or(usize::MAX);
        match bits >> 56 {
            1 => Self::Listener(index),
            2 => Self::Relay(index),
            3 => Self::Acceptor(index),
            4 => Self::Stream(index),
            _ => Self::Wake,
        }
    }
}

struct Worker {
    server: Server,
    exits: Exits,
    receiver: Receiver,
    /// For messages that did not come in a datagram.
    buffer: Vec<u8>,
    acceptors: Vec<Acceptor>,
    certificates: Option<Arc<Certificates>>,
    /// No file descriptors were left; a second later there may be.
    is_deaf: bool,
    inbox: Inbox,
    deadline: Option<Instant>,
    pacer: Pacer,
}

/// Where messages leave.
struct Exits {
    epoll: OwnedFd,
    outbox: Outbox,
    listeners: Vec<Listener>,
    relays: Vec<Option<Relay>>,
    streams: Streams,
    /// Messages that a slow TCP client, or a busy thread, had no room for.
    congested: u64,
    mailboxes: Vec<Mailbox>,
    /// Which of those got something in this round.
    to_wake: Vec<bool>,
}

struct Relay {
    id: RelayId,
    socket: UdpSocket,
    share: Share,
}

/// How a message came in, for a reply.
#[derive(Clone, Copy)]
enum Origin {
    Nowhere,
    Datagram(Flow),
    Stream(usize),
}

impl Worker {
    fn new(start: Start) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        watch(epoll.as_fd(), &start.inbox, Token::Wake)?;
        for (index, listener) in start.listeners.iter().enumerate() {
            watch(epoll.as_fd(), &listener.socket, Token::Listener(index))?;
        }
        let mut worker = Self {
            server: start.server,
            exits: Exits {
                epoll,
                outbox: Outbox::new(),
                listeners: start.listeners,
                relays: Vec::new(),
                streams: Streams::new(start.limits),
                congested: 0,
                to_wake: vec![false; start.mailboxes.len()],
                mailboxes: start.mailboxes,
            },
            receiver: Receiver::new(BATCH, HEADROOM, TAILROOM),
            buffer: vec![0; HEADROOM + MESSAGE + TAILROOM],
            acceptors: start.acceptors,
            certificates: start.certificates,
            is_deaf: true,
            inbox: start.inbox,
            deadline: None,
            pacer: Pacer::new(Instant::now()),
        };
        worker.listen()?;
        Ok(worker)
    }

    fn serve(&mut self, counters: &Mutex<Counters>) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        let start = Instant::now();
        let (mut second, mut minute) = (start + SECOND, start + MINUTE);
        loop {
            let next = self.deadline.map_or(second, |it| it.min(second));
            wait(self.exits.epoll.as_fd(), &mut events, next)?;
            let now = Instant::now();
            let mut moved = 0;
            let mut handshakes = 0;
            for event in &events {
                match Token::decode(event.data.u64()) {
                    Token::Listener(index) => moved += self.listener(now, index),
                    Token::Relay(slot) => moved += self.relay(now, slot),
                    Token::Stream(index) => self.stream(now, index, &mut handshakes),
                    Token::Acceptor(index) => self.accept(now, index),
                    Token::Wake => {
                        self.inbox.is_read();
                        if self.commands(now) {
                            return Ok(());
                        }
                        moved += self.forwarded(now);
                    }
                }
            }
            if self.deadline.is_some_and(|it| it <= now) {
                self.server.handle_timeout(now);
                self.drain(now);
            }
            if second <= now {
                second = now + SECOND;
                for five_tuple in self.exits.streams.sweep(now, &self.server) {
                    self.disconnected(now, &five_tuple);
                }
                self.listen()?;
                self.publish(counters);
            }
            if minute <= now {
                minute = now + MINUTE;
                self.server.handle_wall_clock(now, unix());
                self.server.handle_own_addresses(&addresses::own());
            }
            self.flush(now);
            if let Some(nap) = self.pacer.after(now, moved) {
                thread::sleep(nap);
            }
        }
    }

    /// A round of a UDP listener: its share, and no more.
    fn listener(&mut self, now: Instant, index: usize) -> usize {
        let Self {
            server,
            exits,
            receiver,
            buffer,
            ..
        } = self;
        let Some(listener) = exits.listeners.get_mut(index) else {
            return 0;
        };
        let (socket, address) = (listener.socket.as_fd(), listener.address);
        let count = listener.share.receive(receiver, socket);
        let mut moved = 0;
        for place in 0..count {
            let Some((received, slot)) = receiver.get(place) else {
                continue;
            };
            let ip = received.to.unwrap_or_else(|| address.ip());
            let five_tuple = FiveTuple {
                client: received.from,
                server: SocketAddr::new(ip, address.port()),
                transport: Transport::Udp,
            };
            let flow = Flow {
                socket: Token::Listener(index).encode(),
                to: received.from,
                from: received.to,
            };
            moved += each_segment(slot, buffer, received.sizes(), |part, length| {
                let verdict = server.handle_datagram(now, five_tuple, part, length);
                exits.act(verdict, part, Origin::Datagram(flow));
            });
        }
        if let Some(listener) = exits.listeners.get_mut(index) {
            listener.share.was(count, moved);
        }
        self.drain(now);
        moved
    }

    /// A round of a relay socket.
    fn relay(&mut self, now: Instant, slot: usize) -> usize {
        let Self {
            server,
            exits,
            receiver,
            buffer,
            ..
        } = self;
        let Some(relay) = exits.relays.get_mut(slot).and_then(Option::as_mut) else {
            return 0;
        };
        let id = relay.id;
        let count = relay.share.receive(receiver, relay.socket.as_fd());
        let mut moved = 0;
        for place in 0..count {
            let Some((received, space)) = receiver.get(place) else {
                continue;
            };
            let from = received.from;
            moved += each_segment(space, buffer, received.sizes(), |part, length| {
                let verdict = server.handle_peer_datagram(now, id, from, part, length);
                exits.act(verdict, part, Origin::Nowhere);
            });
        }
        if let Some(relay) = exits.relays.get_mut(slot).and_then(Option::as_mut) {
            relay.share.was(count, moved);
        }
        moved
    }

    /// A TCP or TLS client sent something, or takes more.
    fn stream(&mut self, now: Instant, index: usize, handshakes: &mut usize) {
        let streams = &mut self.exits.streams;
        let Some(stream) = streams.get_mut(index) else {
            return;
        };
        if stream.is_handshaking() {
            // Signatures take time: the rest of them has its turn in the next round.
            *handshakes += 1;
            if *handshakes > HANDSHAKES {
                return;
            }
        }
        if stream.is_waiting() {
            streams.is_pending(index);
        }
        let result = streams.read(index, &mut self.buffer);
        if result.is_err() || self.frames(now, index).is_err() {
            self.close(now, index);
        }
    }

    /// Hands the engine the messages that are complete.
    fn frames(&mut self, now: Instant, index: usize) -> Result<(), super::stream::Over> {
        loop {
            let Some(stream) = self.exits.streams.get_mut(index) else {
                return Ok(());
            };
            let five_tuple = stream.five_tuple();
            if !stream.has_allocation() {
                stream.set_has_allocation(now, self.server.has_allocation(&five_tuple));
            }
            let space = self.buffer.get_mut(HEADROOM..).unwrap_or_default();
            let Some(length) = stream.next_frame(now, space)? else {
                return Ok(());
            };
            let verdict = self
                .server
                .handle_datagram(now, five_tuple, &mut self.buffer, length);
            self.exits.act(verdict, &self.buffer, Origin::Stream(index));
            self.drain(now);
        }
    }

    fn accept(&mut self, now: Instant, index: usize) {
        let Some(acceptor) = self.acceptors.get(index) else {
            return;
        };
        let transport = acceptor.transport;
        let tls = match (transport, &self.certificates) {
            (Transport::Tls, Some(certificates)) => Some(certificates.current()),
            _ => None,
        };
        for _ in 0..ACCEPTED {
            let Some(acceptor) = self.acceptors.get(index) else {
                return;
            };
            let (socket, client) = match acceptor.socket.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => {
                    self.no_more_connections(now, &error);
                    return;
                }
            };
            let prepared = socket.set_nonblocking(true).and_then(|()| {
                socket.set_nodelay(true)?;
                let keepalive = TcpKeepalive::new().with_time(MINUTE);
                SockRef::from(&socket).set_tcp_keepalive(&keepalive)?;
                socket.local_addr()
            });
            let Ok(server) = prepared else {
                continue;
            };
            let five_tuple = FiveTuple {
                client,
                server,
                transport,
            };
            let epoll = self.exits.epoll.as_fd();
            let streams = &mut self.exits.streams;
            if let Some(gone) = streams.accept(epoll, now, socket, five_tuple, tls.clone()) {
                self.disconnected(now, &gone);
            }
        }
    }

    /// Connections wait in the kernel until there is something to hold them with.
    fn no_more_connections(&mut self, now: Instant, error: &io::Error) {
        if let Some(gone) = self.exits.streams.evict() {
            self.disconnected(now, &gone);
            return;
        }
        tracing::warn!(%error, "No TCP connections can be accepted");
        for acceptor in &self.acceptors {
            let _ = epoll::delete(&self.exits.epoll, &acceptor.socket);
        }
        self.is_deaf = true;
    }

    /// Has epoll tell of connections, again.
    fn listen(&mut self) -> io::Result<()> {
        if self.is_deaf {
            for (index, acceptor) in self.acceptors.iter().enumerate() {
                let epoll = self.exits.epoll.as_fd();
                watch(epoll, &acceptor.socket, Token::Acceptor(index))?;
            }
            self.is_deaf = false;
        }
        Ok(())
    }

    fn close(&mut self, now: Instant, index: usize) {
        if let Some(five_tuple) = self.exits.streams.close(index) {
            self.disconnected(now, &five_tuple);
        }
    }

    fn disconnected(&mut self, now: Instant, five_tuple: &FiveTuple) {
        self.server.handle_disconnect(now, five_tuple);
        self.drain(now);
    }

    /// Answers whether the server is to stop.
    fn commands(&mut self, now: Instant) -> bool {
        loop {
            match self.inbox.commands.try_recv() {
                Ok(Command::DropAllocations(username)) => {
                    self.server.drop_allocations(now, &username);
                    self.drain(now);
                }
                Ok(Command::Stop) | Err(mpsc::TryRecvError::Disconnected) => return true,
                Err(mpsc::TryRecvError::Empty) => return false,
            }
        }
    }

    /// What clients of other threads sent to ours.
    fn forwarded(&mut self, now: Instant) -> usize {
        let mut moved = 0;
        while let Ok(Forwarded { relay, from, data }) = self.inbox.forwarded.try_recv() {
            let buffer = &mut self.buffer;
            if let Some(place) = buffer.get_mut(HEADROOM..HEADROOM + data.len()) {
                place.copy_from_slice(&data);
                let length = data.len();
                let verdict = self
                    .server
                    .handle_forwarded(now, relay, from, buffer, length);
                self.exits.act(verdict, buffer, Origin::Nowhere);
            }
            moved += 1;
        }
        moved
    }

    /// Does what the engine wants done.
    fn drain(&mut self, now: Instant) {
        loop {
            match self.server.poll_output() {
                Output::OpenRelay { relay, address } => {
                    let result = self.exits.open(relay, address);
                    let buffer = &mut self.buffer;
                    let verdict = self.server.handle_relay_opened(now, relay, result, buffer);
                    self.exits.act(verdict, buffer, Origin::Nowhere);
                }
                Output::CloseRelay { relay } => self.exits.close(relay),
                Output::Ended(ended) => log(&ended),
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return;
                }
            }
        }
    }

    fn flush(&mut self, now: Instant) {
        self.exits.flush();
        self.exits.wake();
        let mut gone = Vec::new();
        let epoll = self.exits.epoll.as_fd();
        self.exits.streams.flush(epoll, now, |it| gone.push(it));
        for five_tuple in gone {
            self.disconnected(now, &five_tuple);
        }
    }

    fn publish(&self, counters: &Mutex<Counters>) {
        let mut now = self.server.counters();
        now.dropped.unsent = self.exits.outbox.lost;
        now.dropped.congestion = self.exits.congested;
        *counters.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

impl Exits {
    /// Does what the engine says of a message in `buffer`.
    fn act(&mut self, verdict: Verdict, buffer: &[u8], origin: Origin) {
        match verdict {
            Verdict::Drop => {}
            Verdict::Reply(range) => {
                let reply = buffer.get(range).unwrap_or_default();
                match origin {
                    Origin::Datagram(flow) => self.send(flow, reply),
                    Origin::Stream(index) => self.push(index, reply),
                    Origin::Nowhere => {}
                }
            }
            Verdict::Relay { socket, to, range } => {
                let flow = Flow {
                    socket: Token::Relay(socket.slot()).encode(),
                    to,
                    from: None,
                };
                self.send(flow, buffer.get(range).unwrap_or_default());
            }
            Verdict::Forward {
                engine,
                relay,
                from,
                range,
            } => {
                let data = buffer.get(range).unwrap_or_default().to_vec();
                let forwarded = Forwarded { relay, from, data };
                let mailbox = self.mailboxes.get(engine);
                if !mailbox.is_some_and(|it| it.forward(forwarded)) {
                    self.congested += 1;
                }
                if let Some(to_wake) = self.to_wake.get_mut(engine) {
                    *to_wake = true;
                }
            }
            Verdict::Deliver { to, range } => {
                let message = buffer.get(range).unwrap_or_default();
                if to.transport != Transport::Udp {
                    if let Some(index) = self.streams.find(&to) {
                        self.push(index, message);
                    }
                    return;
                }
                let mut listeners = self.listeners.iter().enumerate();
                if let Some((index, listener)) = listeners.find(|(_, it)| it.serves(to.server)) {
                    let flow = Flow {
                        socket: Token::Listener(index).encode(),
                        to: to.client,
                        from: listener.source(to.server),
                    };
                    self.send(flow, message);
                }
            }
        }
    }

    fn send(&mut self, flow: Flow, datagram: &[u8]) {
        if self.outbox.is_full() {
            self.flush();
        }
        self.outbox.push(flow, datagram);
    }

    fn push(&mut self, index: usize, message: &[u8]) {
        if !self.streams.push(index, message) {
            self.congested += 1;
        }
    }

    /// Tells the other threads what was left for them.
    fn wake(&mut self) {
        for (mailbox, to_wake) in self.mailboxes.iter().zip(&mut self.to_wake) {
            if std::mem::take(to_wake) {
                mailbox.wake();
            }
        }
    }

    fn flush(&mut self) {
        let (listeners, relays) = (&self.listeners, &self.relays);
        self.outbox.flush(|token| match Token::decode(token) {
            Token::Listener(index) => listeners.get(index).map(|it| it.socket.as_fd()),
            Token::Relay(slot) => {
                let relay = relays.get(slot).and_then(Option::as_ref);
                relay.map(|it| it.socket.as_fd())
            }
            Token::Wake | Token::Acceptor(_) | Token::Stream(_) => None,
        });
    }

    fn open(&mut self, id: RelayId, address: SocketAddr) -> Result<(), OpenError> {
        let slot = id.slot();
        let socket = bind(address).and_then(|socket| {
            let _ = batch::coalesce(socket.as_fd());
            watch(self.epoll.as_fd(), &socket, Token::Relay(slot))?;
            Ok(socket)
        });
        let socket = socket.map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => OpenError::InUse,
            _ => {
                tracing::warn!(%error, "A relay socket could not be opened");
                OpenError::Exhausted
            }
        })?;
        if slot >= self.relays.len() {
            self.relays.resize_with(slot + 1, || None);
        }
        if let Some(place) = self.relays.get_mut(slot) {
            *place = Some(Relay {
                id,
                socket,
                share: Share::new(BATCH),
            });
        }
        Ok(())
    }

    fn close(&mut self, id: RelayId) {
        // What is queued for this socket must not leave by the next one of its place.
        self.flush();
        if let Some(place) = self.relays.get_mut(id.slot()) {
            *place = None;
        }
    }
}

/// The one line of an allocation.
fn log(ended: &Ended) {
    tracing::info!(
        client.addr = %Pii(ended.client.client),
        turn.user = %Pii(&ended.username),
        turn.transport = %ended.client.transport,
        turn.seconds = ended.lasted.as_secs(),
        turn.up.packets = ended.up.packets,
        turn.up.bytes = ended.up.bytes,
        turn.down.packets = ended.down.packets,
        turn.down.bytes = ended.down.bytes,
        turn.end = %ended.end,
        "TURN allocation ended"
    );
}

/// Hands on the datagrams that the kernel put together, each with room around it. Answers their
/// number.
///
/// A reply may be longer than its request, and what is behind the request is the next one: so
/// requests that others follow are answered in `spare`.
fn each_segment(
    slot: &mut [u8],
    spare: &mut [u8],
    (length, segment): (usize, usize),
    mut handle: impl FnMut(&mut [u8], usize),
) -> usize {
    let (mut start, mut count) = (0, 0);
    loop {
        let size = segment.min(length - start);
        let rest = slot.get_mut(start..).unwrap_or_default();
        count += 1;
        start += size;
        if start >= length {
            handle(rest, size);
            return count;
        }
        let Some(part) = rest.get_mut(..HEADROOM + size + TAILROOM) else {
            return count;
        };
        if part.get(HEADROOM).is_some_and(|first| *first < 4) {
            if let Some(place) = spare.get_mut(..part.len()) {
                place.copy_from_slice(part);
                handle(spare, size);
            }
            continue;
        }
        let behind: Option<[u8; TAILROOM]> = part.last_chunk().copied();
        handle(part, size);
        if let (Some(place), Some(behind)) = (part.last_chunk_mut(), behind) {
            *place = behind;
        }
    }
}

fn watch(epoll: BorrowedFd<'_>, socket: impl AsFd, token: Token) -> io::Result<()> {
    let token = EventData::new_u64(token.encode());
    Ok(epoll::add(epoll, socket, token, EventFlags::IN)?)
}

fn wait(epoll: BorrowedFd<'_>, events: &mut Vec<Event>, until: Instant) -> io::Result<()> {
    let left = until.saturating_duration_since(Instant::now());
    // Whole milliseconds, and not before the time.
    let left = left + Duration::from_millis(1);
    let timeout = Timespec {
        tv_sec: left.as_secs().try_into().unwrap_or(1),
        tv_nsec: left.subsec_nanos().into(),
    };
    events.clear();
    match epoll::wait(
        epoll,
        rustix::buffer::spare_capacity(events),
        Some(&timeout),
    ) {
        Ok(_) => Ok(()),
        Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Datagrams per system call.
const BATCH: usize = 64;

/// Sockets per round.
const EVENTS: usize = 256;

/// Connections accepted per round and listener.
const ACCEPTED: usize = 16;

/// TLS connections in their handshake that are served per round.
const HANDSHAKES: usize = 4;

/// The longest message over TCP, padded ChannelData.
const MESSAGE: usize = 4 + 65536;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_handed_on_whole_whatever_is_written_around_them() {
        let message = [1; 10]
            .into_iter()
            .chain([0x40; 10])
            .chain([0x41; 10])
            .chain([2; 3]);
        let mut slot = vec![0xEE; HEADROOM];
        slot.extend(message);
        slot.extend([0xEE; 2000]);
        let mut spare = vec![0xEE; 2000];
        let mut seen = Vec::new();
        let count = each_segment(&mut slot, &mut spare, (33, 10), |part, length| {
            let data = part[HEADROOM..HEADROOM + length].to_vec();
            // A reply for a request, else a header before and padding behind.
            let end = HEADROOM + length + if data[0] < 4 { 500 } else { TAILROOM };
            part[..end].fill(0xFF);
            seen.push(data);
        });
        assert_eq!(count, 4);
        assert_eq!(
            seen,
            [vec![1; 10], vec![0x40; 10], vec![0x41; 10], vec![2; 3]]
        );
    }
}
