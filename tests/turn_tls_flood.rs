//! A flood of TLS handshakes: so many are under way and no more, and others are served.
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
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use campana::{
    credentials::{Secret, Secrets},
    io::turn::{Service, start},
    stun::{Class, Message},
    turn::Config,
};
use certificate::Files;
use rustls::{ClientConfig, DEFAULT_VERSIONS};
use socket2::{Domain, Socket, Type};
use tls::{binding, config, connect, request, session};

#[test]
fn no_more_handshakes_are_under_way_than_there_may_be() {
    let files = Files::new();
    let service = service(&files, "handshakes = 8");
    let (tls, _) = addresses(&service);
    let config = config(&files.certificate, DEFAULT_VERSIONS);
    // Each has had the server's signature, which is what a flood is after, and says no more.
    let mut half_open: Vec<_> = (0..100)
        .map(|_| hello(Ipv4Addr::LOCALHOST, tls, &config))
        .collect();
    await_at_most_eight(&mut half_open);
    assert!((1..=8).contains(&half_open.len()), "{}", half_open.len());
    // The latest are the ones that stay.
    let mut latest = hello(Ipv4Addr::LOCALHOST, tls, &config);
    thread::sleep(Duration::from_millis(100));
    assert!(is_open(&mut latest));
    // Whoever goes on with it gets through.
    assert!(binding(&mut connect(tls, &config)));
}

#[test]
fn room_is_made_by_the_network_that_has_most() {
    let files = Files::new();
    let service = service(&files, "handshakes = 8");
    let (tls, _) = addresses(&service);
    let config = config(&files.certificate, DEFAULT_VERSIONS);
    let mut slow = connect(tls, &config);
    while slow.conn.wants_write() {
        slow.conn.write_tls(&mut slow.sock).unwrap();
    }
    let from = Ipv4Addr::new(127, 0, 1, 1);
    let mut flood: Vec<_> = (0..100).map(|_| hello(from, tls, &config)).collect();
    await_at_most_eight(&mut flood);
    // The oldest by far, and of the network that has one.
    assert!(binding(&mut slow));
    assert!(flood.len() < 8, "{}", flood.len());
}

#[test]
fn others_are_served_during_the_flood() {
    let files = Files::new();
    let service = service(&files, "handshakes = 64");
    let (tls, udp) = addresses(&service);
    let config = config(&files.certificate, DEFAULT_VERSIONS);
    let over = Arc::new(AtomicBool::new(false));
    let hellos = Arc::new(AtomicUsize::new(0));
    let flood: Vec<_> = (0..2)
        .map(|number| {
            // A network of its own: whoever shares it has a worse time.
            let from = Ipv4Addr::new(127, 0, 1, number);
            let (over, hellos, config) =
                (Arc::clone(&over), Arc::clone(&hellos), Arc::clone(&config));
            thread::spawn(move || {
                let mut open = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    open.push(hello(from, tls, &config));
                    hellos.fetch_add(1, Ordering::Relaxed);
                    if open.len() > 50 {
                        open.clear();
                    }
                }
            })
        })
        .collect();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(udp).unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    // Until there has been a flood, which takes longer on a machine that is busy.
    let mut served = 0;
    while served < 200 || served < 10_000 && hellos.load(Ordering::Relaxed) <= 100 {
        client.send(&request()).unwrap();
        let mut reply = [0; 64];
        let length = client.recv(&mut reply).unwrap();
        let message = Message::decode(&reply[..length]).unwrap();
        assert_eq!(message.class(), Class::Success);
        served += 1;
        thread::sleep(Duration::from_millis(2));
    }
    assert!(binding(&mut connect(tls, &config)));
    over.store(true, Ordering::Relaxed);
    for thread in flood {
        thread.join().unwrap();
    }
    let hellos = hellos.load(Ordering::Relaxed);
    assert!(hellos > 100, "{hellos}");
    assert!(service.is_running());
}

fn service(files: &Files, lines: &str) -> Service {
    let listen = "listen = ['tls:127.0.0.1:0', 'udp:127.0.0.1:0']\nreplies_per_second = 0";
    let lines = format!("{listen}\nworkers = 1\n{}\n{lines}", files.lines());
    let config: Config = toml::from_str(&lines).unwrap();
    start(&config, Secrets::new(Secret::new("north")), &[]).unwrap()
}

/// TLS, then UDP.
fn addresses(service: &Service) -> (SocketAddr, SocketAddr) {
    let listening = service.listening();
    (listening[0].address, listening[1].address)
}

/// A connection whose ClientHello is under way.
fn hello(from: Ipv4Addr, address: SocketAddr, config: &Arc<ClientConfig>) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    let mut bytes = Vec::new();
    session(config).write_tls(&mut bytes).unwrap();
    // Whoever was made room for is gone already.
    let _ = stream.write_all(&bytes);
    stream.set_nonblocking(true).unwrap();
    stream
}

/// Forgets those that are closed, until no more are left than there may be.
fn await_at_most_eight(connections: &mut Vec<TcpStream>) {
    for _ in 0..1000 {
        connections.retain_mut(is_open);
        if connections.len() <= 8 {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Reads what there is.
fn is_open(stream: &mut TcpStream) -> bool {
    loop {
        match stream.read(&mut [0; 4096]) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
}
