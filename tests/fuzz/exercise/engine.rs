//! A script of what clients and peers do, and of time: whatever it says, the server neither panics
//! nor keeps anything in the end.

use campana::stun::{Attribute, Method};
use campana::turn::IcmpError;

use crate::turn_harness::{Client, Sent, World, at, channel_data, indication};

pub(crate) fn exercise(script: &[u8]) {
    let mut world = World::new("permissions = 3\nchannels = 3\nuser_allocations = 2");
    let mut clients = [
        Client::new(&world, "198.51.100.1:1000", "juliet"),
        Client::new(&world, "198.51.100.1:1001", "juliet"),
        Client::new(&world, "198.51.100.2:1000", "romeo"),
    ];
    let mut rest = script;
    while let Some(([action, who, much], later)) = rest.split_first_chunk() {
        rest = later;
        let client = &mut clients[usize::from(*who) % 3];
        let address = PEERS[usize::from(*who >> 2) % PEERS.len()];
        let channel = 0x3FFE + u16::from(*much);
        match action % 13 {
            0 => world.advance(u64::from(*much) * 8),
            1 => world.oversleep(u64::from(*much)),
            2 => {
                let bytes;
                (bytes, rest) = rest.split_at(rest.len().min(usize::from(*much)));
                let _ = world.datagram(client.address, bytes);
            }
            3 => {
                let mut relays: Vec<_> = world.relays.values().copied().collect();
                relays.sort_unstable();
                if let Some(relay) = relays.get(usize::from(*who) % relays.len().max(1)) {
                    let _ = world.peer_sends(*relay, at(address), &vec![1; usize::from(*much)]);
                }
            }
            4 => {
                let extra = [
                    Attribute::EvenPort { reserve: *much > 9 },
                    Attribute::Lifetime(u32::from(*much) * 100),
                ];
                let count = usize::from(*much) % 3;
                client.allocate(&mut world, &extra[..count]);
            }
            5 => {
                client.refresh(&mut world, u32::from(*much) * 20);
            }
            6 => {
                client.permit(
                    &mut world,
                    &[address, PEERS[usize::from(*much) % PEERS.len()]],
                );
            }
            7 => {
                client.bind(&mut world, channel, address);
            }
            8 => {
                let sent = client.send_channel(&mut world, channel, &vec![2; usize::from(*much)]);
                check(&sent);
            }
            9 => check(&client.send(&mut world, address, &vec![3; usize::from(*much)])),
            10 => world.disconnect(client.address),
            11 => {
                let error = IcmpError {
                    peer: at(address),
                    kind: *much,
                    code: *who,
                    mtu: u32::from(*much),
                };
                let mut relays: Vec<_> = world.relays.values().copied().collect();
                relays.sort_unstable();
                if let Some(relay) = relays.first() {
                    check(&world.icmp(*relay, error));
                }
            }
            _ => {
                let username = client.credentials.username.clone();
                world.drop_allocations(&username);
            }
        }
        let made = world.server.counters().allocations;
        assert!(made <= 3 && world.relays.len() <= 3);
    }
    let late = [
        indication(Method::SEND, &[Attribute::Data(b"x")]),
        channel_data(0x4000, b"x"),
    ];
    world.advance(2 * 3600);
    for (client, bytes) in clients.iter().zip(&late) {
        assert_eq!(world.datagram(client.address, bytes), []);
    }
    assert_eq!(world.server.counters().allocations, 0);
    assert!(world.relays.is_empty());
}

/// What goes to peers goes to such as may be.
fn check(sent: &[Sent]) {
    for sent in sent {
        if let Sent::ToPeer { peer, .. } = sent {
            assert_eq!(peer.ip(), at(PEERS[0]).ip(), "denied");
        }
    }
}

const PEERS: [&str; 4] = [
    "198.51.100.9:1",
    "198.51.100.9:2",
    "127.0.0.1:80",
    "203.0.113.7:3478",
];
