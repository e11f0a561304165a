//! A client of a server that really runs, over UDP.

use std::{
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use campana::{
    credentials::Credentials,
    stun::{Attribute, Method},
};

use super::{Client, Reply, plain};

/// Its socket. Nothing it waits for takes longer than ten seconds.
pub struct Live {
    pub socket: UdpSocket,
}

impl Live {
    pub fn new(server: SocketAddr) -> Self {
        let any = if server.is_ipv4() {
            "127.0.0.1:0"
        } else {
            "[::1]:0"
        };
        let socket = UdpSocket::bind(any).unwrap();
        socket.connect(server).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        Self { socket }
    }

    pub fn receive(&self) -> Reply {
        let mut buffer = [0; 2000];
        let length = self.socket.recv(&mut buffer).unwrap();
        Reply(buffer[..length].to_vec())
    }

    pub fn exchange(&self, bytes: &[u8]) -> Reply {
        self.socket.send(bytes).unwrap();
        self.receive()
    }

    /// Gets an allocation; answers the client that signs what is to follow.
    pub fn allocate(&self, credentials: Credentials, wanted: &[Attribute<'_>]) -> Client {
        let mut client = Client::with("127.0.0.1:1", credentials);
        let mut attributes = vec![Attribute::RequestedTransport(17)];
        attributes.extend_from_slice(wanted);
        client.learn(&self.exchange(&plain(Method::ALLOCATE, &attributes)));
        let reply = self.exchange(&client.encode(Method::ALLOCATE, &attributes));
        assert_eq!(reply.error(), None);
        client
    }
}
