//! A UDP socket that clients send to.

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::AsFd,
    time::Instant,
};

use super::{batch, filter, policer::Policer, share::Share, worker::BATCH};

/// A UDP listener.
pub(super) struct Listener {
    pub(super) socket: UdpSocket,
    address: SocketAddr,
    pub(super) share: Share,
    pub(super) policer: Policer,
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
            policer: Policer::new(Instant::now()),
        })
    }

    /// A round is over, and its share was used up or not.
    pub(super) fn police(&mut self, now: Instant, is_full: bool) {
        if let Some(policy) = self.policer.round(now, is_full)
            && let Err(error) = filter::apply(&self.socket, policy)
        {
            tracing::debug!(%error, "A flood cannot be kept out of the queue");
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether a client that talks to this address talks to this listener.
    pub(super) fn serves(&self, asked: SocketAddr) -> bool {
        self.address == asked
            || (self.address.ip().is_unspecified()
                && self.address.port() == asked.port()
                && self.address.is_ipv4() == asked.is_ipv4())
    }

    /// The address to answer from, where the socket has to be told.
    pub(super) fn source(&self, asked: SocketAddr) -> Option<IpAddr> {
        self.address.ip().is_unspecified().then_some(asked.ip())
    }
}
