//! Where messages leave: listeners, relay sockets, connections, and the other threads.

use std::{
    io::ErrorKind,
    net::{SocketAddr, UdpSocket},
    os::fd::{AsFd, OwnedFd},
};

use super::{
    batch, bind,
    listener::Listener,
    mailbox::{Command, Forwarded, Mailbox},
    outbox::{Flow, Outbox},
    poll::{Token, watch},
    share::Share,
    streams::{Limits, Streams},
    worker::BATCH,
};
use crate::turn::{OpenError, RelayId, Transport, Verdict};

/// Where messages leave.
pub(super) struct Exits {
    pub(super) epoll: OwnedFd,
    outbox: Outbox,
    pub(super) listeners: Vec<Listener>,
    pub(super) relays: Vec<Option<Relay>>,
    pub(super) streams: Streams,
    /// Messages that a slow TCP client, or a busy thread, had no room for.
    pub(super) congested: u64,
    mailboxes: Vec<Mailbox>,
    /// Which of those got something in this round.
    to_wake: Vec<bool>,
}

/// A socket that peers send to.
pub(super) struct Relay {
    pub(super) id: RelayId,
    pub(super) socket: UdpSocket,
    pub(super) share: Share,
    /// What costs a system call is done when it is of use: many relays never carry anything.
    coalesces: bool,
    reports_errors: bool,
}

impl Relay {
    /// Datagrams may come in bursts: the kernel is to put them together.
    pub(super) fn coalesce(&mut self) {
        if !std::mem::replace(&mut self.coalesces, true) {
            let _ = batch::coalesce(self.socket.as_fd());
        }
    }

    /// Something is sent: else clients would not be told of peers that nobody reaches.
    fn report_errors(&mut self, is_ipv6: bool) {
        if !std::mem::replace(&mut self.reports_errors, true) {
            let _ = batch::report_errors(self.socket.as_fd(), is_ipv6);
        }
    }
}

/// How a message came in, for a reply.
#[derive(Clone, Copy)]
pub(super) enum Origin {
    Nowhere,
    Datagram(Flow),
    Stream(usize),
}

impl Exits {
    pub(super) fn new(
        epoll: OwnedFd,
        listeners: Vec<Listener>,
        limits: Limits,
        mailboxes: Vec<Mailbox>,
    ) -> Self {
        Self {
            epoll,
            outbox: Outbox::new(),
            listeners,
            relays: Vec::new(),
            streams: Streams::new(limits),
            congested: 0,
            to_wake: vec![false; mailboxes.len()],
            mailboxes,
        }
    }

    /// Datagrams that the kernel did not take.
    pub(super) fn lost(&self) -> u64 {
        self.outbox.lost
    }

    /// How many groups of a flow have left, or will with the next flush, since this was asked last.
    pub(super) fn take_groups(&mut self) -> usize {
        self.outbox.take_begun()
    }

    /// Does what the engine says of a message in `buffer`.
    pub(super) fn act(&mut self, verdict: Verdict, buffer: &[u8], origin: Origin) {
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
                if let Some(Some(relay)) = self.relays.get_mut(socket.slot()) {
                    relay.report_errors(to.is_ipv6());
                }
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

    /// Tells another thread that an allocation of its is to end.
    pub(super) fn displace(&self, engine: usize, relay: RelayId) {
        if let Some(mailbox) = self.mailboxes.get(engine) {
            mailbox.command(Command::Displace(relay));
        }
    }

    /// Tells the other threads what was left for them.
    pub(super) fn wake(&mut self) {
        for (mailbox, to_wake) in self.mailboxes.iter().zip(&mut self.to_wake) {
            if std::mem::take(to_wake) {
                mailbox.wake();
            }
        }
    }

    pub(super) fn flush(&mut self) {
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

    pub(super) fn open(&mut self, id: RelayId, address: SocketAddr) -> Result<(), OpenError> {
        let slot = id.slot();
        let socket = bind(address).and_then(|socket| {
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
                coalesces: false,
                reports_errors: false,
            });
        }
        Ok(())
    }

    pub(super) fn close(&mut self, id: RelayId) {
        // What is queued for this socket must not leave by the next one of its place.
        if self.outbox.holds(Token::Relay(id.slot()).encode()) {
            self.flush();
        }
        if let Some(place) = self.relays.get_mut(id.slot()) {
            *place = None;
        }
    }
}
