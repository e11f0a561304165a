//! A client of STUN over TLS, which trusts one certificate for `localhost`.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use campana::stun::{Class, Message, Method, TransactionId, Writer};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    crypto::ring,
};

pub(crate) type Tls = StreamOwned<ClientConnection, TcpStream>;

pub(crate) fn config(
    certificate: &[u8],
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.to_vec().into()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

pub(crate) fn session(config: &Arc<ClientConfig>) -> ClientConnection {
    ClientConnection::new(Arc::clone(config), "localhost".try_into().unwrap()).unwrap()
}

pub(crate) fn connect(address: SocketAddr, config: &Arc<ClientConfig>) -> Tls {
    let stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    StreamOwned::new(session(config), stream)
}

/// A Binding request.
pub(crate) fn request() -> Vec<u8> {
    let mut buffer = vec![0; 20];
    let id = TransactionId([1; 12]);
    let length = Writer::new(&mut buffer, Class::Request, Method::BINDING, id).finish();
    assert_eq!(length, Ok(20));
    buffer
}

/// Whether a Binding request is answered.
pub(crate) fn binding(client: &mut Tls) -> bool {
    client.write_all(&request()).unwrap();
    let mut bytes = [0; 32];
    client.read_exact(&mut bytes).unwrap();
    Message::decode(&bytes).unwrap().class() == Class::Success
}
