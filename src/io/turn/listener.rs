//! A UDP socket that clients send to.

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::AsFd,
};

use super::{batch, share::Share, worker::BATCH};

/// A UDP listener.
pub(super) struct Listener {
    pub(super) socket: UdpSocket,
    address: SocketAddr,
    pub(super) share: Share,
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
