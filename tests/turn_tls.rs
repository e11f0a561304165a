//! STUN over TLS 1.2 and 1.3, with a certificate that is exchanged while the server runs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

#[path = "turn_harness/certificate.rs"]
mod certificate;
#[path = "turn_harness/tls.rs"]
mod tls;

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use campana::{
    credentials::{Secret, Secrets},
    io::turn::{Service, start},
    turn::Config,
};
use certificate::Files;
use rustls::{
    ProtocolVersion, SupportedProtocolVersion,
    version::{TLS12, TLS13},
};
use tls::{Tls, binding, request};

#[test]
fn both_versions_are_served() {
    let files = Files::new();
    let service = service(&files, "");
    for (version, expected) in [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let mut client = connect(&service, &files, version);
        assert!(binding(&mut client));
        assert_eq!(client.conn.protocol_version(), Some(expected));
    }
}

#[test]
fn a_new_certificate_is_for_new_connections() {
    let mut files = Files::new();
    let service = service(&files, "");
    let mut before = connect(&service, &files, &TLS13);
    assert!(binding(&mut before));
    files.renew();
    service.reload().unwrap();
    let mut after = connect(&service, &files, &TLS13);
    assert!(binding(&mut after));
    assert!(binding(&mut before));
    let shown = after.conn.peer_certificates().unwrap()[0].as_ref();
    assert_eq!(shown, files.certificate);
    assert_ne!(before.conn.peer_certificates().unwrap()[0].as_ref(), shown);
}

#[test]
fn a_certificate_that_is_none_leaves_the_old_one_in_use() {
    let files = Files::new();
    let service = service(&files, "");
    files.damage();
    let error = service.reload().unwrap_err().to_string();
    assert!(error.contains("turn.certificate"), "{error}");
    assert!(binding(&mut connect(&service, &files, &TLS13)));
}

#[test]
fn what_is_not_tls_ends_the_connection() {
    let files = Files::new();
    let service = service(&files, "");
    let mut plain = TcpStream::connect(service.listening()[0].address).unwrap();
    plain
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    plain.write_all(&request()).unwrap();
    assert!(is_closed(&mut plain));
}

#[test]
fn half_open_handshakes_make_room_for_others() {
    let files = Files::new();
    let service = service(&files, "handshakes = 4\nworkers = 1");
    let address = service.listening()[0].address;
    let mut half_open: Vec<_> = (0..20)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    assert!(binding(&mut connect(&service, &files, &TLS13)));
    // The oldest had to go; the latest are still waited for.
    let (old, new) = half_open.split_at_mut(16);
    for stream in old {
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        assert!(is_closed(stream));
    }
    let last = new.last_mut().unwrap();
    last.set_nonblocking(true).unwrap();
    let error = last.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

fn service(files: &Files, lines: &str) -> Service {
    let lines = format!("listen = ['tls:127.0.0.1:0']\n{}\n{lines}", files.lines());
    let config: Config = toml::from_str(&lines).unwrap();
    start(&config, Secrets::new(Secret::new("north")), &[]).unwrap()
}

fn connect(service: &Service, files: &Files, version: &'static SupportedProtocolVersion) -> Tls {
    let config = tls::config(&files.certificate, &[version]);
    tls::connect(service.listening()[0].address, &config)
}

/// Whether the server closes it, after an alert or not.
fn is_closed(stream: &mut TcpStream) -> bool {
    loop {
        match stream.read(&mut [0; 100]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::ConnectionReset,
        }
    }
}
