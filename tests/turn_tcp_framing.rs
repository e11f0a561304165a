//! Over TCP, where messages begin and end is the server's to find out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "integration test"
)]

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use campana::{
    credentials::{Credentials, Secret, Secrets, mint},
    io::turn::{Service, start},
    stun::{
        Algorithm, Attribute, AttributeType, Class, Key, Message, Method, TransactionId, Writer,
    },
    turn::Config,
};

#[test]
fn one_byte_at_a_time_is_a_message_all_the_same() {
    let (_service, mut client) = connect();
    for byte in request(Method::BINDING, 1, |_| {}) {
        client.write_all(&[byte]).unwrap();
    }
    assert_eq!(reply(&mut client).0, Class::Success);
}

#[test]
fn messages_in_one_segment_are_answered_one_by_one() {
    let (_service, mut client) = connect();
    let three: Vec<u8> = (1..=3)
        .flat_map(|number| request(Method::BINDING, number, |_| {}))
        .collect();
    client.write_all(&three).unwrap();
    for number in 1..=3 {
        let (class, id, _) = reply(&mut client);
        assert_eq!((class, id), (Class::Success, TransactionId([number; 12])));
    }
}

#[test]
fn channel_data_is_padded_both_ways() {
    let (_service, mut one) = connect();
    let address = one.peer_addr().unwrap();
    let mut two = TcpStream::connect(address).unwrap();
    prepare(&two);
    let credentials = mint(&Secret::new("north"), "juliet", u64::from(u32::MAX));
    let relays = [&mut one, &mut two].map(|client| allocate(client, &credentials));
    for (client, (key, nonce, _), peer) in [
        (&mut one, &relays[0], relays[1].2),
        (&mut two, &relays[1], relays[0].2),
    ] {
        let bind = signed(
            Method::CHANNEL_BIND,
            9,
            &credentials,
            key,
            nonce,
            |writer| {
                writer
                    .attribute(&Attribute::ChannelNumber(0x4001))
                    .attribute(&Attribute::XorPeerAddress(peer));
            },
        );
        client.write_all(&bind).unwrap();
        assert_eq!(reply(client).0, Class::Success);
    }
    // Padding of any content, then none, then much data; cut wherever.
    let mut stream = vec![0x40, 1, 0, 5, 1, 2, 3, 4, 5, 0xFF, 0xFF, 0xFF];
    stream.extend([0x40, 1, 0, 4, 6, 7, 8, 9]);
    stream.extend([0x40, 1, 0xEA, 0x61]);
    stream.extend(vec![0x77; 60_001 + 3]);
    for part in stream.chunks(7919) {
        one.write_all(part).unwrap();
    }
    for expected in [vec![1, 2, 3, 4, 5], vec![6, 7, 8, 9], vec![0x77; 60_001]] {
        let mut head = [0; 4];
        two.read_exact(&mut head).unwrap();
        assert_eq!(head[..2], [0x40, 1]);
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let mut data = vec![0; length.next_multiple_of(4)];
        two.read_exact(&mut data).unwrap();
        assert_eq!(data[..length], expected);
        assert!(data[length..].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn a_length_that_strangers_may_not_send_ends_the_connection() {
    for bomb in [&[0, 3, 0xFF, 0xFC][..], &[0x40, 0, 0xFF, 0xFF]] {
        let (_service, mut client) = connect();
        client.write_all(bomb).unwrap();
        assert!(is_closed(&mut client), "{bomb:?}");
    }
}

#[test]
fn other_protocols_end_the_connection() {
    for foreign in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00",
        b"SSH-2.0-x\r\n",
    ] {
        let (_service, mut client) = connect();
        client.write_all(foreign).unwrap();
        assert!(is_closed(&mut client), "{foreign:?}");
    }
}

#[test]
fn an_allocation_ends_with_its_connection() {
    let (service, mut client) = connect();
    let credentials = mint(&Secret::new("north"), "juliet", u64::from(u32::MAX));
    allocate(&mut client, &credentials);
    drop(client);
    let deadline = Instant::now() + Duration::from_secs(10);
    // Counters are published every second.
    while service.counters().allocations_made == 0 || service.counters().allocations > 0 {
        assert!(Instant::now() < deadline, "{:?}", service.counters());
        std::thread::yield_now();
    }
}

fn connect() -> (Service, TcpStream) {
    let lines = "listen = ['tcp:127.0.0.1:0']\nrealm = 'example.org'";
    let config: Config = toml::from_str(lines).unwrap();
    let service = start(&config, Secrets::new(Secret::new("north")), &[]).unwrap();
    let client = TcpStream::connect(service.listening()[0].address).unwrap();
    prepare(&client);
    (service, client)
}

fn prepare(client: &TcpStream) {
    client.set_nodelay(true).unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
}

/// Whether the server closes it, with or without a reset.
fn is_closed(client: &mut TcpStream) -> bool {
    match client.read(&mut [0; 100]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

fn request(method: Method, number: u8, fill: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buffer = vec![0; 1000];
    let id = TransactionId([number; 12]);
    let mut writer = Writer::new(&mut buffer, Class::Request, method, id);
    fill(&mut writer);
    let length = writer.finish().unwrap();
    buffer.truncate(length);
    buffer
}

fn signed(
    method: Method,
    number: u8,
    credentials: &Credentials,
    key: &Key,
    nonce: &[u8],
    fill: impl FnOnce(&mut Writer<'_>),
) -> Vec<u8> {
    request(method, number, |writer| {
        fill(writer);
        writer
            .attribute(&Attribute::Username(&credentials.username))
            .attribute(&Attribute::Realm("example.org"))
            .attribute(&Attribute::Nonce(nonce))
            .integrity(key);
    })
}

/// Answers key, nonce and relayed address.
fn allocate(
    client: &mut TcpStream,
    credentials: &Credentials,
) -> (Key, Vec<u8>, std::net::SocketAddr) {
    let udp = |writer: &mut Writer<'_>| {
        writer.attribute(&Attribute::RequestedTransport(17));
    };
    client
        .write_all(&request(Method::ALLOCATE, 1, udp))
        .unwrap();
    let (class, _, challenge) = reply(client);
    assert_eq!(class, Class::Error);
    let nonce = Message::decode(&challenge).unwrap();
    let nonce = nonce.attribute(AttributeType::NONCE).unwrap().to_vec();
    let key = Key::long_term(
        Algorithm::Md5,
        credentials.username.as_bytes(),
        b"example.org",
        credentials.password.as_bytes(),
    );
    let bytes = signed(Method::ALLOCATE, 2, credentials, &key, &nonce, udp);
    client.write_all(&bytes).unwrap();
    let (class, id, made) = reply(client);
    assert_eq!(class, Class::Success);
    let message = Message::decode(&made).unwrap();
    let relayed =
        message
            .attributes()
            .find_map(|raw| match Attribute::decode(&raw, &id).unwrap() {
                Attribute::XorRelayedAddress(address) => Some(address),
                _ => None,
            });
    (key, nonce, relayed.unwrap())
}

/// The next STUN message.
fn reply(client: &mut TcpStream) -> (Class, TransactionId, Vec<u8>) {
    let mut bytes = vec![0; 20];
    client.read_exact(&mut bytes).unwrap();
    let length = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
    bytes.resize(20 + length, 0);
    client.read_exact(&mut bytes[20..]).unwrap();
    let message = Message::decode(&bytes).unwrap();
    (message.class(), message.transaction(), bytes.clone())
}
