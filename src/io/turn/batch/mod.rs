//! Many datagrams per system call: `recvmmsg` and `sendmmsg`, with the control messages that carry
//! the address that was asked (`IP_PKTINFO`) and the size of segments (`UDP_GRO`, `UDP_SEGMENT`).

mod bytes;
mod call;
mod control;
mod name;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::BorrowedFd,
};

use call::{Call, set};
use rustix::net::{self, SendFlags};

/// Receives into its own buffers.
pub(super) struct Receiver {
    call: Call,
    /// A slot per datagram: headroom, [`DATAGRAM`] bytes, tailroom.
    space: Vec<u8>,
    headroom: usize,
    slot: usize,
}

/// One datagram, or several of equal size from the same sender that the kernel put together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Received {
    pub(super) length: usize,
    pub(super) from: SocketAddr,
    /// Our address that it was sent to, where that was asked for.
    pub(super) to: Option<IpAddr>,
    /// The size of each but the last.
    pub(super) segment: usize,
}

impl Received {
    /// Of the whole, and of each datagram in it.
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.length, self.segment)
    }
}

impl Receiver {
    /// Room for so many datagrams, with so much free space before and behind each.
    pub(super) fn new(count: usize, headroom: usize, tailroom: usize) -> Self {
        let slot = headroom + DATAGRAM + tailroom;
        Self {
            call: Call::new(count),
            space: vec![0; count * slot],
            headroom,
            slot,
        }
    }

    /// Takes at most `most` datagrams without waiting, and says how many there were.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>, most: usize) -> io::Result<usize> {
        self.take(socket, most, libc::MSG_DONTWAIT)
    }

    /// Takes at most `most` reports of [`report_errors`] without waiting, and says how many there
    /// were.
    pub(super) fn receive_errors(
        &mut self,
        socket: BorrowedFd<'_>,
        most: usize,
    ) -> io::Result<usize> {
        self.take(socket, most, libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE)
    }

    fn take(&mut self, socket: BorrowedFd<'_>, most: usize, flags: i32) -> io::Result<usize> {
        let data = self.headroom..self.headroom + DATAGRAM;
        let slots = self.space.chunks_exact_mut(self.slot);
        let spaces = slots.map(|slot| slot.get_mut(data.clone()).unwrap_or_default());
        self.call.receive(socket, spaces.take(most), flags)
    }

    /// The datagram at this place of the last call, and its slot: headroom, data, tailroom. Nothing
    /// for what was cut off or has no sender.
    pub(super) fn get(&mut self, index: usize) -> Option<(Received, &mut [u8])> {
        let said = self.call.said(index)?;
        if said.flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0 {
            return None;
        }
        let (to, segment) = said.control.read(said.controls);
        let received = Received {
            length: said.length,
            from: said.name.decode()?,
            to,
            segment: segment.unwrap_or(said.length).max(1),
        };
        let start = index * self.slot;
        Some((received, self.space.get_mut(start..start + self.slot)?))
    }

    /// The report at this place of the last [`Self::receive_errors`].
    pub(super) fn get_error(&self, index: usize) -> Option<Reported> {
        let said = self.call.said(index)?;
        if said.flags & libc::MSG_CTRUNC != 0 {
            return None;
        }
        said.control.read_error(said.controls, said.name.decode()?)
    }
}

/// What became of a datagram: an ICMP error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Reported {
    /// Whom it was for.
    pub(super) to: SocketAddr,
    /// ICMP or, for an IPv6 address, ICMPv6 type.
    pub(super) kind: u8,
    pub(super) code: u8,
    /// The MTU, where the error tells one.
    pub(super) info: u32,
}

/// Sends what others hold.
pub(super) struct Sender {
    call: Call,
}

/// What to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outgoing<'a> {
    pub(super) data: &'a [u8],
    pub(super) to: SocketAddr,
    /// The address to send from, where the socket has several.
    pub(super) from: Option<IpAddr>,
    /// To be cut into datagrams of this size; 0 = as it is.
    pub(super) segment: u16,
}

impl Outgoing<'_> {
    /// Whether it needs no control message.
    fn is_plain(&self) -> bool {
        self.from.is_none() && self.segment == 0
    }
}

impl Sender {
    /// At most `count` datagrams per call.
    pub(super) fn new(count: usize) -> Self {
        Self {
            call: Call::new(count),
        }
    }

    /// Sends some without waiting and answers how many the kernel took. An error is about the first.
    pub(super) fn send<'a>(
        &mut self,
        socket: BorrowedFd<'_>,
        mut batch: impl Iterator<Item = Outgoing<'a>>,
    ) -> io::Result<usize> {
        match (batch.next(), batch.next()) {
            (Some(only), None) if only.is_plain() => {
                // Alone, it is cheaper this way.
                net::sendto(socket, only.data, SendFlags::DONTWAIT, &only.to)?;
                Ok(1)
            }
            (first, second) => {
                let all = first.into_iter().chain(second).chain(batch);
                self.call.send(socket, all)
            }
        }
    }
}

/// Has the kernel put datagrams of a flow together. Fails where it does not know how.
pub(super) fn coalesce(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::SOL_UDP, libc::UDP_GRO)
}

/// Has the kernel say which of our addresses a datagram was sent to.
pub(super) fn tell_destination(socket: BorrowedFd<'_>, ipv6: bool) -> io::Result<()> {
    if ipv6 {
        set(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)
    } else {
        set(socket, libc::IPPROTO_IP, libc::IP_PKTINFO)
    }
}

/// Has the kernel keep ICMP errors for [`Receiver::receive_errors`]. The next call to send or
/// receive after one fails once.
pub(super) fn report_errors(socket: BorrowedFd<'_>, ipv6: bool) -> io::Result<()> {
    if ipv6 {
        set(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
    } else {
        set(socket, libc::IPPROTO_IP, libc::IP_RECVERR)
    }
}

/// The largest UDP payload.
pub(super) const DATAGRAM: usize = 65535;

#[cfg(test)]
mod tests {
    use std::{net::UdpSocket, os::fd::AsFd, time::Duration};

    use super::*;

    fn sockets(from: &str, to: &str) -> (UdpSocket, UdpSocket) {
        let receiving = UdpSocket::bind(to).unwrap();
        receiving
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        (UdpSocket::bind(from).unwrap(), receiving)
    }

    fn send_all(socket: &UdpSocket, batch: &[Outgoing<'_>]) {
        let mut sender = Sender::new(8);
        let sent = sender.send(socket.as_fd(), batch.iter().copied()).unwrap();
        assert_eq!(sent, batch.len());
    }

    /// Waits for the first with a call that blocks.
    fn receive(receiver: &mut Receiver, socket: &UdpSocket) -> usize {
        socket.peek_from(&mut [0]).unwrap();
        receiver.receive(socket.as_fd(), 8).unwrap()
    }

    #[test]
    fn a_batch_arrives_with_senders_and_room_around() {
        for ip in ["127.0.0.1:0", "[::1]:0"] {
            let (sending, receiving) = sockets(ip, ip);
            let to = receiving.local_addr().unwrap();
            let batch = [&b"one"[..], b"", b"three"].map(|data| Outgoing {
                data,
                to,
                from: None,
                segment: 0,
            });
            send_all(&sending, &batch);
            let mut receiver = Receiver::new(4, 5, 3);
            assert_eq!(receive(&mut receiver, &receiving), 3);
            for (index, outgoing) in batch.iter().enumerate() {
                let (received, slot) = receiver.get(index).unwrap();
                assert_eq!(received.from, sending.local_addr().unwrap());
                assert_eq!((received.length, received.to), (outgoing.data.len(), None));
                assert_eq!(&slot[5..5 + received.length], outgoing.data);
                assert_eq!(slot.len(), 5 + DATAGRAM + 3);
            }
        }
    }

    #[test]
    fn no_more_are_taken_than_asked_for() {
        let (sending, receiving) = sockets("127.0.0.1:0", "127.0.0.1:0");
        let outgoing = Outgoing {
            data: b"x",
            to: receiving.local_addr().unwrap(),
            from: None,
            segment: 0,
        };
        send_all(&sending, &[outgoing; 5]);
        let mut receiver = Receiver::new(8, 0, 0);
        assert_eq!(receiver.receive(receiving.as_fd(), 2).unwrap(), 2);
        assert_eq!(receiver.receive(receiving.as_fd(), 8).unwrap(), 3);
        let error = receiver.receive(receiving.as_fd(), 8).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn wildcard_sockets_know_what_was_asked_and_answer_from_there() {
        for (wildcard, asked) in [("0.0.0.0:0", "127.0.0.2"), ("[::]:0", "::1")] {
            let ip: IpAddr = asked.parse().unwrap();
            let (server, client) = sockets(wildcard, &SocketAddr::new(ip, 0).to_string());
            tell_destination(server.as_fd(), ip.is_ipv6()).unwrap();
            let port = server.local_addr().unwrap().port();
            client.send_to(b"ask", (ip, port)).unwrap();
            let mut receiver = Receiver::new(1, 0, 0);
            assert_eq!(receive(&mut receiver, &server), 1);
            let (received, _) = receiver.get(0).unwrap();
            assert_eq!(received.to, Some(ip));
            let answer = Outgoing {
                data: b"answer",
                to: received.from,
                from: received.to,
                segment: 0,
            };
            send_all(&server, &[answer]);
            let (length, from) = client.recv_from(&mut [0; 10]).unwrap();
            assert_eq!((length, from), (6, SocketAddr::new(ip, port)));
        }
    }

    #[test]
    fn segments_arrive_one_by_one_or_together() {
        let (sending, receiving) = sockets("127.0.0.1:0", "127.0.0.1:0");
        let outgoing = Outgoing {
            data: b"onetwothree"[..8].as_ref(),
            to: receiving.local_addr().unwrap(),
            from: None,
            segment: 3,
        };
        send_all(&sending, &[outgoing]);
        let mut receiver = Receiver::new(8, 0, 0);
        assert_eq!(receive(&mut receiver, &receiving), 3);
        let lengths = [0, 1, 2].map(|index| receiver.get(index).unwrap().0.length);
        assert_eq!(lengths, [3, 3, 2]);

        coalesce(receiving.as_fd()).unwrap();
        send_all(&sending, &[outgoing]);
        assert_eq!(receive(&mut receiver, &receiving), 1);
        let (received, _) = receiver.get(0).unwrap();
        assert_eq!((received.length, received.segment), (8, 3));
    }
}
