//! A thread: one engine, and the sockets it serves, in rounds.

use std::{
    io,
    net::SocketAddr,
    os::fd::AsFd,
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use rustix::event::epoll::{self, CreateFlags, EventFlags};
use tokio::sync::mpsc::Sender;

use super::{
    accept::Acceptor,
    addresses,
    batch::Receiver,
    exits::{Exits, Origin},
    listener::Listener,
    mailbox::{Command, Forwarded, Inbox, Mailbox},
    outbox::Flow,
    pace::Pacer,
    poll::{Token, wait, watch},
    segments::each_segment,
    share::ROUND,
    stream::Over,
    streams::Limits,
    tls::Certificates,
    unix,
};
use crate::telemetry::Pii;
use crate::turn::{
    Counters, Ended, FiveTuple, HEADROOM, IcmpError, Output, Server, TAILROOM, Transport,
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
    pub(super) ended: Arc<OnceLock<Sender<Ended>>>,
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

/// A thread's state.
pub(super) struct Worker {
    server: Server,
    pub(super) exits: Exits,
    receiver: Receiver,
    /// For messages that did not come in a datagram.
    buffer: Vec<u8>,
    pub(super) acceptors: Vec<Acceptor>,
    pub(super) certificates: Option<Arc<Certificates>>,
    /// No file descriptors were left; a second later there may be.
    pub(super) is_deaf: bool,
    inbox: Inbox,
    deadline: Option<Instant>,
    pacer: Pacer,
    /// Datagrams of data in this round: who asks for something is not made to wait for others.
    relayed: usize,
    /// Requests that were handled and whose answers have not left.
    unanswered: usize,
    /// Whoever wants to know what is left of allocations.
    ended: Arc<OnceLock<Sender<Ended>>>,
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
            exits: Exits::new(epoll, start.listeners, start.limits, start.mailboxes),
            receiver: Receiver::new(BATCH, HEADROOM, TAILROOM),
            buffer: vec![0; HEADROOM + MESSAGE + TAILROOM],
            acceptors: start.acceptors,
            certificates: start.certificates,
            is_deaf: true,
            inbox: start.inbox,
            deadline: None,
            pacer: Pacer::new(Instant::now()),
            relayed: 0,
            unanswered: 0,
            ended: start.ended,
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
            self.relayed = 0;
            let mut handshakes = 0;
            for event in &events {
                match Token::decode(event.data.u64()) {
                    Token::Listener(index) => self.listener(now, index),
                    Token::Relay(slot) => {
                        // By value: the kernel's events are packed.
                        let flags = event.flags;
                        if flags.contains(EventFlags::ERR) {
                            self.errors(now, slot);
                        }
                        self.relay(now, slot);
                    }
                    Token::Stream(index) => self.stream(now, index, &mut handshakes),
                    Token::Acceptor(index) => self.accept(now, index),
                    Token::Wake => {
                        self.inbox.is_read();
                        if self.commands(now, counters) {
                            return Ok(());
                        }
                        self.forwarded(now);
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
            let groups = self.exits.take_groups();
            if let Some(nap) = self.pacer.after(now, self.relayed, groups) {
                thread::sleep(nap);
                self.pacer.woke(Instant::now());
            }
        }
    }

    /// A round of a UDP listener: its share, and no more. All clients are here, so what makes up the
    /// share is gathered before anything leaves: more of a flow leaves together.
    fn listener(&mut self, now: Instant, index: usize) {
        let (mut moved, mut is_full) = (0, false);
        loop {
            let listener = self.exits.listeners.get(index);
            let asked = listener.map_or(0, |it| it.share.ask(moved));
            if asked == 0 {
                break;
            }
            let (count, datagrams) = self.clients(now, index, asked);
            moved += datagrams;
            is_full = count == asked && moved >= ROUND / 2;
            let listener = self.exits.listeners.get_mut(index);
            if !listener.is_some_and(|it| it.share.was(asked, count, datagrams)) {
                break;
            }
        }
        if let Some(listener) = self.exits.listeners.get_mut(index) {
            listener.police(now, is_full);
        }
    }

    /// One call to a listener. Answers what came, and how many datagrams that were.
    fn clients(&mut self, now: Instant, index: usize, asked: usize) -> (usize, usize) {
        let Some(listener) = self.exits.listeners.get(index) else {
            return (0, 0);
        };
        // An error of the socket, such as the ICMP error of an earlier datagram, is nobody's business
        // here.
        let socket = listener.socket.as_fd();
        let count = self.receiver.receive(socket, asked).unwrap_or(0);
        let mut moved = 0;
        for place in 0..count {
            moved += self.client(now, index, place);
            if self.unanswered >= ANSWERED {
                self.drain(now);
                self.exits.flush();
                self.unanswered = 0;
            }
        }
        self.drain(now);
        (count, moved)
    }

    /// What one client sent in one piece. Answers how many datagrams that were.
    fn client(&mut self, now: Instant, index: usize, place: usize) -> usize {
        let Self {
            server,
            exits,
            receiver,
            buffer,
            relayed,
            unanswered,
            ..
        } = self;
        let Some(listener) = exits.listeners.get_mut(index) else {
            return 0;
        };
        let Some((received, slot)) = receiver.get(place) else {
            return 0;
        };
        let address = listener.address();
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
        let count = each_segment(slot, buffer, received.sizes(), |part, length| {
            let verdict = server.handle_datagram(now, five_tuple, part, length);
            if verdict.is_relayed() {
                *relayed += 1;
            } else {
                *unanswered += 1;
            }
            exits.act(verdict, part, Origin::Datagram(flow));
        });
        if let Some(listener) = exits.listeners.get_mut(index) {
            listener.policer.saw(received.from, count);
        }
        count
    }

    /// A round of a relay socket.
    fn relay(&mut self, now: Instant, slot: usize) {
        let Self {
            server,
            exits,
            receiver,
            buffer,
            relayed,
            ..
        } = self;
        let Some(relay) = exits.relays.get_mut(slot).and_then(Option::as_mut) else {
            return;
        };
        let id = relay.id;
        // One call: a second one would mostly find nothing.
        let asked = relay.share.ask(0);
        let count = receiver.receive(relay.socket.as_fd(), asked).unwrap_or(0);
        let mut moved = 0;
        for place in 0..count {
            let Some((received, space)) = receiver.get(place) else {
                continue;
            };
            let from = received.from;
            moved += each_segment(space, buffer, received.sizes(), |part, length| {
                let verdict = server.handle_peer_datagram(now, id, from, part, length);
                *relayed += usize::from(verdict.is_relayed());
                exits.act(verdict, part, Origin::Nowhere);
            });
        }
        if let Some(relay) = exits.relays.get_mut(slot).and_then(Option::as_mut) {
            relay.share.was(asked, count, moved);
            if count > 1 {
                relay.coalesce();
            }
        }
    }

    /// What became of datagrams that a relay socket had sent.
    fn errors(&mut self, now: Instant, slot: usize) {
        let Self {
            server,
            exits,
            receiver,
            buffer,
            ..
        } = self;
        let Some(relay) = exits.relays.get(slot).and_then(Option::as_ref) else {
            return;
        };
        let (id, socket) = (relay.id, relay.socket.as_fd());
        let count = receiver.receive_errors(socket, ERRORS).unwrap_or(0);
        for place in 0..count {
            let Some(reported) = receiver.get_error(place) else {
                continue;
            };
            let error = IcmpError {
                peer: reported.to,
                kind: reported.kind,
                code: reported.code,
                mtu: reported.info,
            };
            let verdict = server.handle_icmp(now, id, error, buffer);
            exits.act(verdict, buffer, Origin::Nowhere);
        }
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
    fn frames(&mut self, now: Instant, index: usize) -> Result<(), Over> {
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

    fn close(&mut self, now: Instant, index: usize) {
        if let Some(five_tuple) = self.exits.streams.close(index) {
            self.disconnected(now, &five_tuple);
        }
    }

    pub(super) fn disconnected(&mut self, now: Instant, five_tuple: &FiveTuple) {
        self.server.handle_disconnect(now, five_tuple);
        self.drain(now);
    }

    /// Answers whether the server is to stop.
    fn commands(&mut self, now: Instant, counters: &Mutex<Counters>) -> bool {
        loop {
            match self.inbox.commands.try_recv() {
                Ok(Command::DropAllocations(username)) => {
                    self.server.drop_allocations(now, &username);
                    self.drain(now);
                }
                Ok(Command::Displace(relay)) => {
                    self.server.handle_displaced(now, relay);
                    self.drain(now);
                }
                Ok(Command::Drain) => {
                    self.server.drain();
                    self.publish(counters);
                }
                Ok(Command::Stop) | Err(mpsc::TryRecvError::Disconnected) => return true,
                Err(mpsc::TryRecvError::Empty) => return false,
            }
        }
    }

    /// What clients of other threads sent to ours.
    fn forwarded(&mut self, now: Instant) {
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
            self.relayed += 1;
        }
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
                Output::Displace { engine, relay } => self.exits.displace(engine, relay),
                Output::Ended(ended) => {
                    log(&ended);
                    if let Some(told) = self.ended.get() {
                        // Never waits: relaying goes before telling.
                        told.try_send(*ended).ok();
                    }
                }
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return;
                }
            }
        }
    }

    fn flush(&mut self, now: Instant) {
        self.exits.flush();
        self.unanswered = 0;
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
        now.dropped.unsent = self.exits.lost();
        now.dropped.congestion = self.exits.congested;
        *counters.lock().unwrap_or_else(PoisonError::into_inner) = now;
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

/// Requests after which answers leave, rather than with the rest of the round: each of them takes as
/// long as many datagrams of data, and who has an answer can go on.
const ANSWERED: usize = 8;

/// Datagrams per system call.
pub(super) const BATCH: usize = 64;

/// ICMP errors per relay socket and round.
const ERRORS: usize = 8;

/// Sockets per round.
const EVENTS: usize = 256;

/// TLS connections in their handshake that are served per round.
const HANDSHAKES: usize = 4;

/// The longest message over TCP, padded ChannelData.
const MESSAGE: usize = 4 + 65536;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
