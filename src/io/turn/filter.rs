//! What a socket lets in: a program of the classic BPF for the kernel.
//!
//! No privilege is needed for it, and a kernel that knows none leaves things as they are.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::AsFd,
};

use socket2::{SockFilter, SockRef};

use super::policer::Policy;

/// Has the kernel apply a policy to what comes in at a UDP socket.
pub(super) fn apply(socket: &impl AsFd, policy: &Policy) -> io::Result<()> {
    let socket = SockRef::from(socket);
    if policy.clients.is_empty() {
        return socket.detach_filter();
    }
    socket.attach_filter(&program(policy))
}

/// Compares each client in turn; behind them is the end for those that are none of them.
fn program(policy: &Policy) -> Vec<SockFilter> {
    let mut program: Vec<_> = policy
        .clients
        .iter()
        .flat_map(|it| client(*it, policy.keep))
        .collect();
    program.push(give(u32::MAX));
    program
}

/// Decides about a datagram of this client; that of another goes on behind.
fn client(client: SocketAddr, keep: u32) -> Vec<SockFilter> {
    // Source addresses: RFC 791 §3.1, RFC 8200 §3. Source ports: the first thing in a UDP header, which
    // is where a UDP socket's filter begins to count.
    let (start, address) = match client.ip() {
        IpAddr::V4(ip) => (12, ip.octets().to_vec()),
        IpAddr::V6(ip) => (8, ip.octets().to_vec()),
    };
    let words = address
        .as_chunks()
        .0
        .iter()
        .map(|it| u32::from_be_bytes(*it));
    let mut tests: Vec<_> = (start..)
        .step_by(4)
        .zip(words)
        .map(|(at, word)| (load(WORD, NETWORK + at), word))
        .collect();
    tests.push((load(HALF, 0), client.port().into()));
    let mut rest = tests.len();
    let mut program = Vec::new();
    for (load, value) in tests {
        rest -= 1;
        program.push(load);
        // Past the other tests, two instructions each, and the four of the decision.
        let other = u8::try_from(2 * rest + 4).unwrap_or(u8::MAX);
        program.push(SockFilter::new(JUMP_IF_EQUAL, 0, other, value));
    }
    program.push(load(WORD, RANDOM));
    program.push(SockFilter::new(JUMP_IF_GREATER, 0, 1, keep));
    program.push(give(0));
    program.push(give(u32::MAX));
    program
}

fn load(size: u16, from: u32) -> SockFilter {
    SockFilter::new(LOAD | size, 0, 0, from)
}

/// So many bytes of the datagram are taken.
fn give(bytes: u32) -> SockFilter {
    SockFilter::new(RETURN, 0, 0, bytes)
}

// As <linux/bpf_common.h> has them: BPF_LD | BPF_ABS, BPF_W, BPF_H, BPF_JMP | BPF_JEQ, BPF_JMP |
// BPF_JGT, BPF_RET.
const LOAD: u16 = 0x20;
const WORD: u16 = 0x00;
const HALF: u16 = 0x08;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_GREATER: u16 = 0x25;
const RETURN: u16 = 0x06;

/// The IP header. What is negative is not a place in the datagram but one of these.
const NETWORK: u32 = libc::SKF_NET_OFF.cast_unsigned();

/// A number by chance, anew each time.
const RANDOM: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_RANDOM).cast_unsigned();

#[cfg(test)]
mod tests {
    use std::{net::UdpSocket, time::Duration};

    use super::*;

    /// Of two clients that send `count` each, one of them named in the policy: how many arrive.
    fn arrived(ip: &str, count: usize, keep: u32) -> (usize, usize) {
        let socket = || UdpSocket::bind((ip, 0)).unwrap();
        let (server, [named, other]) = (socket(), [socket(), socket()]);
        server
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        let strangers = (1..).map(|port| SocketAddr::new("192.0.2.1".parse().unwrap(), port));
        let mut clients: Vec<_> = strangers.take(7).collect();
        clients.push(named.local_addr().unwrap());
        apply(&server, &Policy { clients, keep }).unwrap();
        let to = server.local_addr().unwrap();
        let mut counts = (0, 0);
        for number in 0..count {
            named.send_to(b"x", to).unwrap();
            other.send_to(b"x", to).unwrap();
            if number % 50 == 49 || number + 1 == count {
                let mut idle = false;
                server.set_nonblocking(true).unwrap();
                while !idle {
                    match server.recv_from(&mut [0]) {
                        Ok((_, from)) if from == named.local_addr().unwrap() => counts.0 += 1,
                        Ok(_) => counts.1 += 1,
                        Err(_) => idle = true,
                    }
                }
            }
        }
        counts
    }

    #[test]
    fn only_who_is_named_is_thinned_out() {
        for ip in ["127.0.0.1", "::1"] {
            assert_eq!(arrived(ip, 100, 0), (0, 100));
            let (named, other) = arrived(ip, 1000, u32::MAX / 4);
            assert!((150..350).contains(&named), "{named}");
            assert_eq!(other, 1000);
        }
    }

    #[test]
    fn without_clients_all_come_through() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        let clients = vec![client.local_addr().unwrap()];
        apply(&server, &Policy { clients, keep: 0 }).unwrap();
        client.send_to(b"x", server.local_addr().unwrap()).unwrap();
        apply(&server, &Policy::default()).unwrap();
        client.send_to(b"y", server.local_addr().unwrap()).unwrap();
        let mut buffer = [0];
        server
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        server.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer, b"y");
    }
}
