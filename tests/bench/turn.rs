//! Load for a STUN/TURN server on this machine: one line with what a workload cost the server.
//!
//! `turn SERVER PID SECRET WORKLOAD SECONDS`; `tests/bench/turn.sh` runs all of it. One thread is all
//! clients and all peers: its socket is bound to no address, and each datagram says which 127.x.y.z it
//! is from. What is measured is the server's CPU time, which a busy machine changes less than rates.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "a tool for developers"
)]

#[path = "../../src/io/turn/batch/mod.rs"]
#[allow(dead_code, reason = "its tests are run where it belongs")]
mod batch;

use std::{
    collections::HashMap,
    env, fs,
    io::{Read, Write},
    iter,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    os::fd::AsFd,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use batch::{Outgoing, Receiver, Sender};
use campana::{
    credentials::{Credentials, Secret, mint},
    stun::{
        Algorithm, Attribute, AttributeType, Class, Key, Message, Method, TransactionId, Writer,
    },
};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|it| it != "--bench").collect();
    let [server, pid, secret, workload, seconds] = &arguments[..] else {
        // `cargo bench` without arguments: there is no server to measure.
        println!("usage: turn SERVER PID SECRET WORKLOAD SECONDS");
        return;
    };
    let mut load = Load::new(server.parse().unwrap(), pid.parse().unwrap(), secret);
    let time = Duration::from_secs_f64(seconds.parse().unwrap());
    let data = |size, burst| Data {
        size,
        burst,
        coalesced: false,
        rate: None,
    };
    let coalesced = Data {
        coalesced: true,
        ..data(1200, 8)
    };
    let paced = Data {
        rate: Some(20_000),
        ..data(160, 1)
    };
    match workload.as_str() {
        "audio-up" => load.peers(100, Way::Up, data(160, 1), time),
        "audio-down" => load.peers(100, Way::Down, data(160, 1), time),
        "burst-up" => load.peers(100, Way::Up, data(1200, 8), time),
        "burst-down" => load.peers(100, Way::Down, data(1200, 8), time),
        "coalesced-up" => load.peers(100, Way::Up, coalesced, time),
        "coalesced-down" => load.peers(100, Way::Down, coalesced, time),
        "pair-audio" => load.pairs(100, data(160, 1), time),
        "pair-burst" => load.pairs(100, data(1200, 8), time),
        "paced-up" => load.peers(100, Way::Up, paced, time),
        "paced-down" => load.peers(100, Way::Down, paced, time),
        "binding" => load.bindings(time),
        "allocations" => load.allocations(5_000),
        "strangers" => load.strangers(32_000),
        "fair-up" => load.fairness(secret, Way::Up, time),
        "fair-down" => load.fairness(secret, Way::Down, time),
        "cycles" => load.cycles(env::var("CYCLES").map_or(1_000_000, |it| it.parse().unwrap())),
        "slow-tcp" => load.slow_tcp(5_000, Duration::from_secs(60)),
        other => panic!("no workload {other}"),
    }
}

/// All clients in one socket, all peers in another.
struct Load {
    server: SocketAddr,
    pid: u32,
    credentials: Credentials,
    clients: UdpSocket,
    peers: UdpSocket,
    receiver: Receiver,
    sender: Sender,
    /// How long answers took, while the server had something to do.
    waited: Duration,
}

#[derive(Clone, Copy)]
enum Way {
    Up,
    Down,
}

#[derive(Clone, Copy)]
struct Data {
    size: usize,
    /// Datagrams of a flow in a row.
    burst: usize,
    /// Whether those are handed to the kernel, and taken from it, in one piece.
    coalesced: bool,
    /// Datagrams per second; else as many as come through.
    rate: Option<u64>,
}

struct Flow {
    client: IpAddr,
    relay: SocketAddr,
}

/// Whom a flow's datagrams go to, and from where.
struct Path {
    from: Option<IpAddr>,
    to: SocketAddr,
    head: Vec<u8>,
}

impl Load {
    fn new(server: SocketAddr, pid: u32, secret: &str) -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let until = unix.as_secs() + 86_400;
        let bind = |ip: Ipv4Addr| {
            let socket = UdpSocket::bind((ip, 0)).unwrap();
            let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20);
            socket.set_nonblocking(true).unwrap();
            socket
        };
        let clients = bind(Ipv4Addr::UNSPECIFIED);
        batch::tell_destination(clients.as_fd(), false).unwrap();
        Self {
            server,
            pid,
            credentials: mint(&Secret::new(secret), "bench", until),
            clients,
            peers: bind(Ipv4Addr::LOCALHOST),
            receiver: Receiver::new(64, 0, 0),
            sender: Sender::new(64),
            waited: Duration::ZERO,
        }
    }

    /// Clients that send to a peer, or get from it.
    fn peers(&mut self, count: u32, way: Way, data: Data, time: Duration) {
        let peer = self.peers.local_addr().unwrap();
        let flows = self.allocate(count);
        self.bind(flows.iter().map(|it| (it.client, peer)));
        let length = u16::try_from(data.size).unwrap().to_be_bytes();
        let channel = [0x40, 0, length[0], length[1]];
        let paths = flows.iter().map(|flow| match way {
            Way::Up => Path {
                from: Some(flow.client),
                to: self.server,
                head: channel.to_vec(),
            },
            Way::Down => Path {
                from: None,
                to: flow.relay,
                head: Vec::new(),
            },
        });
        let paths: Vec<_> = paths.collect();
        self.transfer(&paths, way, data, time);
        self.delete(&flows);
    }

    /// Clients that send to each other, both through the server.
    fn pairs(&mut self, count: u32, data: Data, time: Duration) {
        let flows = self.allocate(count);
        let partner = |index: usize| flows[index ^ 1].relay;
        self.bind(
            flows
                .iter()
                .enumerate()
                .map(|(index, it)| (it.client, partner(index))),
        );
        let length = u16::try_from(data.size).unwrap().to_be_bytes();
        let paths = flows.iter().map(|flow| Path {
            from: Some(flow.client),
            to: self.server,
            head: vec![0x40, 0, length[0], length[1]],
        });
        let paths: Vec<_> = paths.collect();
        self.transfer(&paths, Way::Down, data, time);
        self.delete(&flows);
    }

    fn transfer(&mut self, paths: &[Path], way: Way, data: Data, time: Duration) {
        let (Ok(out), Ok(into)) = (match way {
            Way::Up => (self.clients.try_clone(), self.peers.try_clone()),
            // Both ends of a pair are clients: what goes out has a source of its own.
            Way::Down if paths[0].from.is_some() => {
                (self.clients.try_clone(), self.clients.try_clone())
            }
            Way::Down => (self.peers.try_clone(), self.clients.try_clone()),
        }) else {
            panic!("no descriptors");
        };
        if data.coalesced {
            batch::coalesce(into.as_fd()).unwrap();
        }
        let start = Instant::now();
        let (warm, end) = (start + time / 8, start + time / 8 + time);
        let (mut sent, mut arrived, mut lost) = (0_u64, 0_u64, 0_u64);
        let mut progress = start;
        let mut measured = None;
        let mut delays = Vec::new();
        let mut next = 0;
        loop {
            let now = Instant::now();
            if measured.is_none() && now >= warm {
                measured = Some((cpu(self.pid), arrived));
                delays.clear();
            }
            if now >= end {
                break;
            }
            let room = match data.rate {
                Some(rate) => {
                    let due = (now - start).as_micros() as u64 * rate / 1_000_000;
                    due.saturating_sub(sent)
                }
                None => WINDOW.saturating_sub(sent.saturating_sub(arrived + lost)),
            };
            let mut batch = Vec::new();
            for _ in 0..room / data.burst as u64 {
                let path = &paths[next % paths.len()];
                next += 1;
                let mut one = path.head.clone();
                one.extend((now - start).as_nanos().to_be_bytes());
                one.resize(path.head.len() + data.size, 0);
                for _ in 0..if data.coalesced { 1 } else { data.burst } {
                    let repeated = if data.coalesced { data.burst } else { 1 };
                    batch.push((one.repeat(repeated), path, one.len()));
                }
                sent += data.burst as u64;
            }
            let outgoing = |(bytes, path, size): &(Vec<u8>, &Path, usize)| {
                (bytes.len(), *size, path.to, path.from)
            };
            for part in batch.chunks(64) {
                let mut rest = part;
                while !rest.is_empty() {
                    let all = rest.iter().map(|it| {
                        let (length, size, to, from) = outgoing(it);
                        Outgoing {
                            data: &it.0,
                            to,
                            from,
                            segment: if length > size { size as u16 } else { 0 },
                        }
                    });
                    let taken = self.sender.send(out.as_fd(), all).unwrap_or(0);
                    rest = &rest[taken..];
                }
            }
            let came = self.receiver.receive(into.as_fd(), 64).unwrap_or(0);
            let now = Instant::now();
            for index in 0..came {
                let Some((received, bytes)) = self.receiver.get(index) else {
                    continue;
                };
                arrived += received.length.div_ceil(received.segment) as u64;
                if data.rate.is_some() {
                    let head = received.length - data.size;
                    let stamp = *bytes[head..].first_chunk().unwrap();
                    let then = Duration::from_nanos(u128::from_be_bytes(stamp) as u64);
                    delays.push((now - start).saturating_sub(then));
                }
                progress = now;
            }
            if now - progress > Duration::from_millis(100) {
                lost = sent.saturating_sub(arrived);
                progress = now;
            }
        }
        let (cpu_before, before) = measured.expect("a second at least");
        let packets = arrived - before;
        let spent = (cpu(self.pid) - cpu_before).as_secs_f64();
        let cost = spent * 1e6 / packets.max(1) as f64;
        delays.sort_unstable();
        let at = |part: usize| delays.get(delays.len() * part / 100);
        match (at(50), at(99)) {
            (Some(p50), Some(p99)) => println!(
                "cpu_s_per_million={cost:.3} p50_us={} p99_us={}",
                p50.as_micros(),
                p99.as_micros()
            ),
            _ => println!("cpu_s_per_million={cost:.3} packets={packets} lost={lost}"),
        }
    }

    fn bindings(&mut self, time: Duration) {
        let request = request(Method::BINDING, 1, |_| {});
        let end = Instant::now() + time;
        let before = cpu(self.pid);
        let (mut answered, mut client) = (0_u64, 0);
        while Instant::now() < end {
            client = (client + 1) % 1000;
            let requests: Vec<_> = (0..64)
                .map(|at| (address(client + at), request.clone()))
                .collect();
            answered += self.exchange(&requests).len() as u64;
        }
        let spent = (cpu(self.pid) - before).as_secs_f64();
        println!(
            "cpu_s_per_million={:.3}",
            spent * 1e6 / answered.max(1) as f64
        );
    }

    fn allocations(&mut self, count: u32) {
        let (memory, before) = (rss(self.pid), cpu(self.pid));
        self.waited = Duration::ZERO;
        let flows = self.allocate(count);
        let (spent, took) = (cpu(self.pid) - before, self.waited);
        let peer = self.peers.local_addr().unwrap();
        self.bind(flows.iter().map(|it| (it.client, peer)));
        let bytes = (rss(self.pid) - memory) * 1024 / u64::from(count);
        println!(
            "cpu_s_per_million={:.3} per_second={:.0} bytes_each={bytes}",
            spent.as_secs_f64() * 1e6 / f64::from(count),
            f64::from(count) / took.as_secs_f64()
        );
        self.delete(&flows);
    }

    /// Sources without credentials.
    fn strangers(&mut self, count: u32) {
        let memory = rss(self.pid);
        let request = allocate_request(1);
        let all: Vec<_> = (0..count).collect();
        for part in all.chunks(64) {
            let requests: Vec<_> = part
                .iter()
                .map(|it| (address(*it), request.clone()))
                .collect();
            self.exchange(&requests);
        }
        let bytes = rss(self.pid).saturating_sub(memory) * 1024 / u64::from(count);
        println!("bytes_each={bytes}");
    }

    /// Somebody else's flow at line rate, and a thousand datagrams a second of ours: how long those
    /// take, and how many arrive.
    fn fairness(&mut self, secret: &str, way: Way, time: Duration) {
        let mut flood = Self::new(self.server, self.pid, secret);
        let paths = [&mut *self, &mut flood].map(|load| {
            let peer = load.peers.local_addr().unwrap();
            let flow = load.allocate(1).remove(0);
            load.bind(iter::once((flow.client, peer)));
            match way {
                Way::Up => Path {
                    from: Some(flow.client),
                    to: load.server,
                    head: vec![0x40, 0, 0, 160],
                },
                Way::Down => Path {
                    from: None,
                    to: flow.relay,
                    head: Vec::new(),
                },
            }
        });
        let [quiet, line] = paths;
        let (out, into, flooded) = match way {
            Way::Up => (&self.clients, &self.peers, &flood.clients),
            Way::Down => (&self.peers, &self.clients, &flood.peers),
        };
        let datagram = |path: &Path, stamp: Duration| {
            let mut bytes = path.head.clone();
            bytes.extend(stamp.as_nanos().to_be_bytes());
            bytes.resize(path.head.len() + 160, 0);
            bytes
        };
        let noise = datagram(&line, Duration::ZERO);
        let start = Instant::now();
        let (mut sent, mut line_sent, mut delays) = (0_u64, 0_u64, Vec::new());
        loop {
            let now = start.elapsed();
            // What is under way at the end has its time, too.
            let over = now >= time;
            if now >= time + Duration::from_millis(200) {
                break;
            }
            if !over && now.as_millis() as u64 >= sent {
                let bytes = datagram(&quiet, now);
                let one = Outgoing {
                    data: &bytes,
                    to: quiet.to,
                    from: quiet.from,
                    segment: 0,
                };
                let taken = self.sender.send(out.as_fd(), iter::once(one));
                sent += taken.unwrap_or(0) as u64;
            }
            if !over {
                let one = Outgoing {
                    data: &noise,
                    to: line.to,
                    from: line.from,
                    segment: 0,
                };
                let many = iter::repeat_n(one, 32);
                line_sent += self.sender.send(flooded.as_fd(), many).unwrap_or(0) as u64;
            }
            let came = self.receiver.receive(into.as_fd(), 64).unwrap_or(0);
            let now = start.elapsed();
            for index in 0..came {
                if let Some((received, bytes)) = self.receiver.get(index)
                    && let Some(head) = received.length.checked_sub(160)
                    && let Some(stamp) = bytes[head..].first_chunk()
                {
                    let then = Duration::from_nanos(u128::from_be_bytes(*stamp) as u64);
                    delays.push(now.saturating_sub(then));
                }
            }
        }
        delays.sort_unstable();
        let at = |part: usize| {
            delays
                .get(delays.len() * part / 100)
                .map_or(0, Duration::as_micros)
        };
        println!(
            "p50_us={} p99_us={} arrived_percent={:.1} line_per_second={:.0}",
            at(50),
            at(99),
            delays.len() as f64 * 100.0 / sent.max(1) as f64,
            line_sent as f64 / time.as_secs_f64()
        );
    }

    /// Allocations made and deleted again: memory after the first tenth, and at the end.
    fn cycles(&mut self, count: u32) {
        let clients: Vec<_> = (0..64).map(address).collect();
        let plain: Vec<_> = clients
            .iter()
            .map(|it| (*it, allocate_request(1)))
            .collect();
        let challenges = self.exchange(&plain);
        let mut steps = [Method::ALLOCATE, Method::REFRESH].map(|method| {
            let requests = clients.iter().map(|client| {
                let bytes = self.signed(method, 2, &nonce(&challenges[client]), |writer| {
                    if method == Method::ALLOCATE {
                        writer.attribute(&Attribute::RequestedTransport(17));
                    } else {
                        writer.attribute(&Attribute::Lifetime(0));
                    }
                });
                (*client, bytes)
            });
            requests.collect::<Vec<_>>()
        });
        let start = Instant::now();
        let mut early = 0;
        for done in 0..count.div_ceil(64) {
            if done == count.div_ceil(640) {
                early = rss(self.pid);
            }
            for step in &mut steps {
                for reply in self.exchange(step).values() {
                    assert_eq!(Message::decode(reply).unwrap().class(), Class::Success);
                }
            }
        }
        println!(
            "rss_kib_after_a_tenth={early} rss_kib_at_the_end={} per_second={:.0}",
            rss(self.pid),
            f64::from(count) / start.elapsed().as_secs_f64()
        );
    }

    /// TCP clients that send half a message, a byte now and then: what each costs, whether somebody
    /// else is served meanwhile, and how long until all of them are gone.
    fn slow_tcp(&mut self, count: usize, time: Duration) {
        let memory = rss(self.pid);
        let before = cpu(self.pid);
        let start = Instant::now();
        let message = request(Method::BINDING, 1, |_| {});
        let connect = |_| {
            let stream = TcpStream::connect(self.server).unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        };
        let mut clients: Vec<_> = (0..count).map(connect).collect();
        let binding = iter::once((address(1), message.clone())).collect::<Vec<_>>();
        let (mut delays, mut most) = (Vec::new(), 0);
        for byte in message.iter().take(message.len() - 1).cycle() {
            clients.retain_mut(|it| {
                let sent = it.write(&[*byte]).is_ok();
                let closed = matches!(it.read(&mut [0; 8]), Ok(0));
                let broken = it.take_error().is_ok_and(|it| it.is_some());
                sent && !closed && !broken
            });
            most = most.max(rss(self.pid).saturating_sub(memory));
            let until = Instant::now() + Duration::from_secs(1);
            while Instant::now() < until {
                let asked = Instant::now();
                self.exchange(&binding);
                delays.push(asked.elapsed());
                thread::sleep(Duration::from_millis(2));
            }
            if clients.is_empty() || start.elapsed() >= time {
                break;
            }
        }
        delays.sort_unstable();
        println!(
            "bytes_each={} left={} gone_after_s={:.0} cpu_s={:.2} p99_us_of_others={}",
            most * 1024 / count as u64,
            clients.len(),
            start.elapsed().as_secs_f64(),
            (cpu(self.pid) - before).as_secs_f64(),
            delays[delays.len() * 99 / 100].as_micros()
        );
    }

    /// An allocation for each client. So many are under way at a time that the server always has
    /// something to do.
    fn allocate(&mut self, count: u32) -> Vec<Flow> {
        let start = Instant::now();
        let plain = allocate_request(1);
        let mut clients = (0..count).map(address);
        let (mut flows, mut open, mut new) = (Vec::new(), HashMap::new(), Vec::new());
        let mut progress = start;
        loop {
            for client in clients.by_ref().take(UNDER_WAY - open.len()) {
                open.insert(client, plain.clone());
                new.push((client, plain.clone()));
            }
            if open.is_empty() {
                break;
            }
            self.send(&new);
            new.clear();
            let came = self.receiver.receive(self.clients.as_fd(), 64).unwrap_or(0);
            for index in 0..came {
                let Some((received, bytes)) = self.receiver.get(index) else {
                    continue;
                };
                let reply = bytes[..received.length].to_vec();
                let Some(client) = received.to else {
                    continue;
                };
                if !(open.get(&client)).is_some_and(|request| answers(&reply, request)) {
                    continue;
                }
                if Message::decode(&reply).unwrap().class() == Class::Success {
                    open.remove(&client);
                    let relay = relayed(&reply);
                    flows.push(Flow { client, relay });
                } else {
                    let again = self.signed(Method::ALLOCATE, 2, &nonce(&reply), |writer| {
                        writer.attribute(&Attribute::RequestedTransport(17));
                    });
                    open.insert(client, again.clone());
                    new.push((client, again));
                }
                progress = Instant::now();
            }
            if progress.elapsed() > PATIENCE {
                new = open.clone().into_iter().collect();
                progress = Instant::now();
            }
        }
        self.waited += start.elapsed();
        flows
    }

    /// A channel from each client to a peer.
    fn bind(&mut self, pairs: impl Iterator<Item = (IpAddr, SocketAddr)>) {
        let pairs: Vec<_> = pairs.collect();
        for part in pairs.chunks(32) {
            self.with_nonces(part, Method::CHANNEL_BIND, |writer, peer| {
                writer
                    .attribute(&Attribute::ChannelNumber(0x4000))
                    .attribute(&Attribute::XorPeerAddress(*peer));
            });
        }
    }

    fn delete(&mut self, flows: &[Flow]) {
        let clients: Vec<_> = flows.iter().map(|it| (it.client, ())).collect();
        for part in clients.chunks(32) {
            self.with_nonces(part, Method::REFRESH, |writer, ()| {
                writer.attribute(&Attribute::Lifetime(0));
            });
        }
    }

    /// A request for each, after one that gets a nonce.
    fn with_nonces<T>(
        &mut self,
        clients: &[(IpAddr, T)],
        method: Method,
        fill: impl Fn(&mut Writer<'_>, &T),
    ) {
        let requests: Vec<_> = clients
            .iter()
            .map(|(client, what)| (*client, request(method, 3, |writer| fill(writer, what))))
            .collect();
        let challenges = self.exchange(&requests);
        let requests: Vec<_> = clients
            .iter()
            .map(|(client, what)| {
                let nonce = nonce(&challenges[client]);
                let bytes = self.signed(method, 4, &nonce, |writer| fill(writer, what));
                (*client, bytes)
            })
            .collect();
        for reply in self.exchange(&requests).values() {
            assert_eq!(Message::decode(reply).unwrap().class(), Class::Success);
        }
    }

    /// Sends each client's request until it is answered.
    fn exchange(&mut self, requests: &[(IpAddr, Vec<u8>)]) -> HashMap<IpAddr, Vec<u8>> {
        let mut replies = HashMap::new();
        let start = Instant::now();
        for _ in 0..50 {
            let open = requests.iter().filter(|it| !replies.contains_key(&it.0));
            let open: Vec<_> = open.cloned().collect();
            if open.is_empty() {
                self.waited += start.elapsed();
                return replies;
            }
            self.send(&open);
            let patience = Instant::now() + PATIENCE;
            while replies.len() < requests.len() && Instant::now() < patience {
                let came = self.receiver.receive(self.clients.as_fd(), 64).unwrap_or(0);
                for index in 0..came {
                    let Some((received, bytes)) = self.receiver.get(index) else {
                        continue;
                    };
                    if let Some(client) = received.to
                        && answers(bytes, &requests[0].1)
                    {
                        replies.insert(client, bytes[..received.length].to_vec());
                    }
                }
            }
        }
        panic!("no answer to {} requests", requests.len() - replies.len());
    }

    /// Each from its client.
    fn send(&mut self, mut requests: &[(IpAddr, Vec<u8>)]) {
        while !requests.is_empty() {
            let batch = requests.iter().map(|(client, bytes)| Outgoing {
                data: bytes,
                to: self.server,
                from: Some(*client),
                segment: 0,
            });
            let taken = self.sender.send(self.clients.as_fd(), batch).unwrap_or(0);
            requests = &requests[taken..];
        }
    }

    fn signed(
        &self,
        method: Method,
        number: u8,
        nonce: &[u8],
        fill: impl FnOnce(&mut Writer<'_>),
    ) -> Vec<u8> {
        let Credentials { username, password } = &self.credentials;
        let (name, password) = (username.as_bytes(), password.as_bytes());
        let key = Key::long_term(Algorithm::Md5, name, REALM.as_bytes(), password);
        request(method, number, |writer| {
            fill(writer);
            writer
                .attribute(&Attribute::Username(username))
                .attribute(&Attribute::Realm(REALM))
                .attribute(&Attribute::Nonce(nonce))
                .integrity(&key);
        })
    }
}

/// Whether this is the reply to such a request; answers to the last one's repetitions come late.
fn answers(reply: &[u8], request: &[u8]) -> bool {
    let method = |bytes: &[u8]| bytes[0] & 0x3E == 0 && bytes[1] & 0xEF == request[1];
    method(reply) && reply[8..20] == request[8..20]
}

fn request(method: Method, number: u8, fill: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buffer = vec![0; 600];
    let id = TransactionId([number; 12]);
    let mut writer = Writer::new(&mut buffer, Class::Request, method, id);
    fill(&mut writer);
    let length = writer.finish().unwrap();
    buffer.truncate(length);
    buffer
}

fn allocate_request(number: u8) -> Vec<u8> {
    request(Method::ALLOCATE, number, |writer| {
        writer.attribute(&Attribute::RequestedTransport(17));
    })
}

fn nonce(reply: &[u8]) -> Vec<u8> {
    let message = Message::decode(reply).unwrap();
    message.attribute(AttributeType::NONCE).unwrap().to_vec()
}

fn relayed(reply: &[u8]) -> SocketAddr {
    let message = Message::decode(reply).unwrap();
    let relayed = message.attributes().find_map(|raw| {
        match Attribute::decode(&raw, &message.transaction()).ok()? {
            Attribute::XorRelayedAddress(address) => Some(address),
            _ => None,
        }
    });
    relayed.expect("an allocation")
}

fn address(index: u32) -> IpAddr {
    Ipv4Addr::from_bits(u32::from_be_bytes([127, 1, 0, 1]) + index).into()
}

/// The CPU time of all threads of a process.
fn cpu(pid: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let nanos = tasks.map(|task| {
        let path = task.unwrap().path().join("schedstat");
        let text = fs::read_to_string(path).unwrap_or_default();
        let first = text.split_whitespace().next();
        first.map_or(0, |it| it.parse::<u64>().unwrap())
    });
    Duration::from_nanos(nanos.sum())
}

/// Resident memory in KiB.
fn rss(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find(|it| it.starts_with("VmRSS:")).unwrap();
    let number = line.split_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}

/// Datagrams under way.
const WINDOW: u64 = 192;

/// Allocations under way.
const UNDER_WAY: usize = 64;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_millis(200);

const REALM: &str = "bench";
