//! The running service: what keeps it from starting, and that stopping ends it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

use std::{
    net::{IpAddr, UdpSocket},
    time::Duration,
};

use campana::{
    credentials::{Secret, Secrets},
    io::turn::{Error, Service, start},
    stun::{Attribute, Class, Message, Method, TransactionId, Writer},
    turn::Config,
};

#[test]
fn tls_without_a_certificate_is_an_error_that_names_the_key() {
    let error = service("listen = ['tls:127.0.0.1:0']").unwrap_err();
    assert!(error.to_string().contains("turn.certificate"), "{error}");
    let files = "listen = ['tls:127.0.0.1:0']\ncertificate = '/nowhere'\nkey = '/nowhere'";
    let error = service(files).unwrap_err();
    assert!(matches!(error, Error::Certificate(_)));
    assert!(
        error.to_string().contains("turn.certificate: /nowhere"),
        "{error}"
    );
}

#[test]
fn an_address_that_is_not_ours_is_an_error_that_names_the_key() {
    let lines = "listen = ['udp:127.0.0.1:0']\nrelay_address = '203.0.113.7'";
    let error = service(lines).unwrap_err();
    assert!(matches!(error, Error::Relay { .. }));
    assert!(error.to_string().contains("turn.relay_bind"), "{error}");
    let error = service("listen = ['udp:203.0.113.7:0']\nrelay_bind = '127.0.0.1'").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("turn.listen: \"udp:203.0.113.7:0\""),
        "{error}"
    );
}

#[test]
fn a_port_in_use_is_an_error() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = service(&format!("listen = ['udp:127.0.0.1:{port}']")).unwrap_err();
    assert!(matches!(error, Error::Listen { .. }), "{error}");
}

#[test]
fn a_secret_that_everybody_knows_is_an_error() {
    let config: Config = toml::from_str("listen = ['udp:127.0.0.1:0']").unwrap();
    let error = start(&config, Secrets::new(Secret::new("")), &[]).unwrap_err();
    assert!(error.to_string().contains("turn.secret"), "{error}");
}

/// Else it would stand still whenever the kernel's table of them grows.
#[test]
fn there_is_room_for_the_descriptors_of_all_relays_from_the_start() {
    let lines = "listen = ['udp:127.0.0.1:0']\nrelay_ports = '30000-30499'\nconnections = 100";
    let _service = service(lines).unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("FDSize:"));
    let size: usize = line.unwrap()["FDSize:".len()..].trim().parse().unwrap();
    assert!(size >= 600, "{size}");
}

#[tokio::test]
async fn it_answers_on_every_listener_until_it_is_stopped() {
    let lines = "listen = ['udp:127.0.0.1:0', 'udp:0.0.0.0:0', 'udp:[::1]:0', 'udp:[::]:0']
                 relay_address = '127.0.0.1'";
    let service = service(lines).unwrap();
    let listening = service.listening().to_vec();
    assert_eq!(listening.len(), 4);
    let asked = tokio::task::spawn_blocking(move || {
        let ips: [IpAddr; 2] = ["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
        for (listen, ip) in listening.iter().zip([ips[0], ips[0], ips[1], ips[1]]) {
            assert_ne!(listen.address.port(), 0);
            let socket = UdpSocket::bind((ip, 0)).unwrap();
            socket
                .set_read_timeout(Some(Duration::from_secs(10)))
                .unwrap();
            let mut buffer = [0; 100];
            let id = TransactionId([1; 12]);
            let length = Writer::new(&mut buffer, Class::Request, Method::BINDING, id).finish();
            let server = (ip, listen.address.port());
            socket.send_to(&buffer[..length.unwrap()], server).unwrap();
            let (length, from) = socket.recv_from(&mut buffer).unwrap();
            assert_eq!((from.ip(), from.port()), server);
            let message = Message::decode(&buffer[..length]).unwrap();
            let raw = message.attributes().next().unwrap();
            let mapped = Attribute::decode(&raw, &id).unwrap();
            assert_eq!(
                mapped,
                Attribute::XorMappedAddress(socket.local_addr().unwrap())
            );
        }
        listening
    });
    let listening = asked.await.unwrap();
    assert!(service.is_running());
    service.drop_allocations("1:nobody");
    let counters = service.stop().await;
    assert_eq!(counters.requests, 4);
    for listen in listening {
        assert!(
            UdpSocket::bind(listen.address).is_ok(),
            "{listen} is still bound"
        );
    }
}

fn service(lines: &str) -> Result<Service, Error> {
    let config: Config = toml::from_str(lines).unwrap();
    start(&config, Secrets::new(Secret::new("north")), &[])
}
