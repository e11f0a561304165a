//! New TCP and TLS connections.

use std::{
    io::{self, ErrorKind},
    net::TcpListener,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use rustix::event::epoll;
use socket2::{SockRef, TcpKeepalive};

use super::{
    poll::{Token, watch},
    worker::Worker,
};
use crate::turn::{FiveTuple, Transport};

/// A TCP or TLS listener.
pub(super) struct Acceptor {
    pub(super) socket: TcpListener,
    pub(super) transport: Transport,
}

impl Worker {
    pub(super) fn accept(&mut self, now: Instant, index: usize) {
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
                let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
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
    pub(super) fn listen(&mut self) -> io::Result<()> {
        if self.is_deaf {
            for (index, acceptor) in self.acceptors.iter().enumerate() {
                let epoll = self.exits.epoll.as_fd();
                watch(epoll, &acceptor.socket, Token::Acceptor(index))?;
            }
            self.is_deaf = false;
        }
        Ok(())
    }
}

/// Connections accepted per round and listener.
const ACCEPTED: usize = 16;

/// Of silence, after which the kernel asks whether the client is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);
