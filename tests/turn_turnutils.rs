//! coturn's test client, `turnutils_uclient`, against the running service: send and channel modes,
//! to an echo peer and between two relays of our own, with and without reserved ports, IPv6 too, over
//! UDP, TCP and TLS.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "integration test"
)]

use std::{
    io::ErrorKind,
    net::UdpSocket,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

#[path = "turn_harness/certificate.rs"]
mod certificate;

use certificate::Files;

use campana::{
    credentials::{Secret, Secrets},
    io::turn::start,
    turn::{Config, Counters},
};

#[test]
fn send_indications_reach_a_peer_and_come_back() {
    let (counters, seen) = run("127.0.0.1", &["-s", "-c"], Peer::Echo, 4);
    assert_eq!(
        seen,
        Seen {
            sent: MESSAGES,
            lost: 0
        }
    );
    assert_eq!(
        (counters.up.packets, counters.down.packets),
        (MESSAGES, MESSAGES)
    );
}

#[test]
fn channel_data_reaches_a_peer_and_comes_back() {
    let (counters, seen) = run("127.0.0.1", &["-c"], Peer::Echo, 1);
    assert_eq!(
        seen,
        Seen {
            sent: MESSAGES,
            lost: 0
        }
    );
    assert_eq!(
        (counters.up.packets, counters.down.packets),
        (MESSAGES, MESSAGES)
    );
}

#[test]
fn channel_data_goes_from_relay_to_relay_in_memory() {
    let (counters, seen) = run("127.0.0.1", &["-y", "-c"], Peer::Relay, 2);
    assert_eq!(
        seen,
        Seen {
            sent: MESSAGES,
            lost: 0
        }
    );
    assert!(counters.short_cut.packets >= MESSAGES, "{counters:?}");
    assert_eq!((counters.up.packets, counters.down.packets), (0, 0));
}

#[test]
fn send_indications_go_from_relay_to_relay_in_memory() {
    let (counters, seen) = run("127.0.0.1", &["-y", "-s", "-c"], Peer::Relay, 4);
    assert_eq!(
        seen,
        Seen {
            sent: MESSAGES,
            lost: 0
        }
    );
    assert!(counters.short_cut.packets >= MESSAGES, "{counters:?}");
    assert_eq!((counters.up.packets, counters.down.packets), (0, 0));
}

#[test]
fn reserved_ports_serve_rtcp() {
    let (counters, seen) = run("127.0.0.1", &["-y", "-s"], Peer::Relay, 2);
    assert_eq!(seen.lost, 0);
    // Each client has an allocation with an even port and one with the odd one reserved by it.
    assert!(seen.sent >= 2 * MESSAGES, "{seen:?}");
    assert!(counters.short_cut.packets >= 2 * MESSAGES, "{counters:?}");
}

#[test]
fn ipv6_relays_serve_ipv6_clients() {
    let (counters, seen) = run("::1", &["-x", "-c"], Peer::Echo, 1);
    assert_eq!(
        seen,
        Seen {
            sent: MESSAGES,
            lost: 0
        }
    );
    assert_eq!(
        (counters.up.packets, counters.down.packets),
        (MESSAGES, MESSAGES)
    );
}

#[test]
fn tcp_clients_send_and_receive() {
    for options in [&["-t", "-c"][..], &["-t", "-s", "-c"]] {
        let (counters, seen) = run("127.0.0.1", options, Peer::Echo, 2);
        assert_eq!(
            seen,
            Seen {
                sent: MESSAGES,
                lost: 0
            }
        );
        assert_eq!(counters.down.packets, MESSAGES);
    }
}

#[test]
fn tcp_clients_reach_each_other_in_memory() {
    let (counters, seen) = run("127.0.0.1", &["-t", "-y", "-c"], Peer::Relay, 2);
    assert_eq!(seen.lost, 0);
    assert!(counters.short_cut.packets >= MESSAGES, "{counters:?}");
}

#[test]
fn tls_clients_send_and_receive() {
    for options in [&["-t", "-S", "-c"][..], &["-t", "-S", "-s", "-c"]] {
        let (counters, seen) = run("127.0.0.1", options, Peer::Echo, 2);
        assert_eq!(
            seen,
            Seen {
                sent: MESSAGES,
                lost: 0
            }
        );
        assert_eq!(counters.down.packets, MESSAGES);
    }
}

const MESSAGES: u64 = 400;

enum Peer {
    Echo,
    Relay,
}

#[derive(Debug, Eq, PartialEq)]
struct Seen {
    sent: u64,
    lost: u64,
}

/// Runs so many clients, with messages of 160 bytes.
fn run(ip: &str, options: &[&str], peer: Peer, clients: u32) -> (Counters, Seen) {
    let address = if ip.contains(':') {
        format!("[{ip}]")
    } else {
        ip.to_owned()
    };
    let transport = match (options.contains(&"-t"), options.contains(&"-S")) {
        (true, true) => "tls",
        (true, false) => "tcp",
        _ => "udp",
    };
    let files = Files::new();
    let config = format!(
        "{}
         listen = ['{transport}:{address}:0']
         relay_address = '{ip}'
         realm = 'example.org'
         allow_peers = ['127.0.0.0/8', '::1/128']
         user_allocations = 0
         address_allocations = 0
         replies_per_second = 0",
        files.lines()
    );
    let config: Config = toml::from_str(&config).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let service = start(&config, Secrets::new(Secret::new("north")), &[]).unwrap();
    let port = service.listening()[0].address.port().to_string();
    let echo = Echo::start(ip);

    let mut command = Command::new("turnutils_uclient");
    command.args(["-l", "160", "-z", "5", "-m", &clients.to_string()]);
    command.args(["-n", &(MESSAGES / u64::from(clients)).to_string()]);
    command.args(["-u", "juliet", "-W", "north", "-p", &port]);
    if matches!(peer, Peer::Echo) {
        command.args(["-e", ip, "-r", &echo.port.to_string()]);
    }
    command.args(options).arg(ip);
    // coturn 4.6 picks channel numbers by chance up to 0x7FFF, as RFC 5766 had it; since RFC 8656 §12
    // those from 0x5000 are refused, which ends the client within milliseconds. So let it try again.
    let output = (0..5000).map(|_| attempt(&mut command)).find(|output| {
        let text = String::from_utf8_lossy(&output.stdout);
        !text.contains("channel bind: error 400")
    });
    let output = output.expect("a channel number below 0x5000");
    let counters = runtime.block_on(service.stop());
    assert!(output.status.success(), "{output:?}");
    let seen = seen(&output);
    eprintln!("{ip} {options:?}: {seen:?} {counters:?}");
    (counters, seen)
}

fn attempt(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| match error.kind() {
        ErrorKind::NotFound => panic!("turnutils_uclient is missing: install Debian's coturn"),
        _ => panic!("turnutils_uclient: {error}"),
    })
}

/// From the client's last summary: `tot_send_msgs=…, tot_recv_msgs=…` and `Total lost packets …`.
fn seen(output: &Output) -> Seen {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8_lossy(&text);
    let number = |label: &str| -> u64 {
        let (_, rest) = text
            .rsplit_once(label)
            .unwrap_or_else(|| panic!("{label}: {text}"));
        let digits: String = rest
            .trim_start()
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        digits.parse().unwrap_or_else(|_| panic!("{label}: {text}"))
    };
    Seen {
        sent: number("tot_send_msgs="),
        lost: number("Total lost packets"),
    }
}

/// A peer that sends back what it gets.
struct Echo {
    port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Echo {
    fn start(ip: &str) -> Self {
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        socket
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut buffer = [0; 2000];
            while !stopped.load(Ordering::Relaxed) {
                if let Ok((length, from)) = socket.recv_from(&mut buffer) {
                    socket.send_to(&buffer[..length], from).unwrap();
                }
            }
        });
        Self {
            port,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}
