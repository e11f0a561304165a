//! Many datagrams per system call: `recvmmsg` and `sendmmsg`, with the control messages that carry
//! the address that was asked (`IP_PKTINFO`) and the size of segments (`UDP_GRO`, `UDP_SEGMENT`).
//!
//! The only unsafe code of the crate. Addresses and control messages are written and read as bytes
//! in the layout of Linux, so that four system calls are all that is unsafe.
#![expect(
    unsafe_code,
    reason = "no safe wrapper has recvmmsg, or control messages of UDP segments"
)]

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

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
        let slots = self.space.chunks_exact_mut(self.slot);
        let mut count = 0;
        for (place, slot) in self.call.places().zip(slots).take(most) {
            let data = slot.get_mut(self.headroom..).unwrap_or_default();
            *place.vector = libc::iovec {
                iov_base: data.as_mut_ptr().cast(),
                iov_len: data.len().min(DATAGRAM),
            };
            place.join(NAME, CONTROL);
            count += 1;
        }
        // SAFETY: the first `count` headers were joined to a name, a control buffer and a vector each,
        // which live as long as `self.call` and are borrowed by nothing now; each vector is a part of
        // `self.space`, its length that of the part.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.call.headers.as_mut_ptr(),
                count,
                flags,
                ptr::null_mut(),
            )
        };
        usize::try_from(received).map_err(|_| io::Error::last_os_error())
    }

    /// The datagram at this place of the last call, and its slot: headroom, data, tailroom. Nothing
    /// for what was cut off or has no sender.
    pub(super) fn get(&mut self, index: usize) -> Option<(Received, &mut [u8])> {
        let said = self.call.headers.get(index)?;
        if said.msg_hdr.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0 {
            return None;
        }
        let length = usize::try_from(said.msg_len).ok()?;
        let (to, segment) = self
            .call
            .controls
            .get(index)?
            .read(said.msg_hdr.msg_controllen);
        let received = Received {
            length,
            from: self.call.names.get(index)?.decode()?,
            to,
            segment: segment.unwrap_or(length).max(1),
        };
        let start = index * self.slot;
        Some((received, self.space.get_mut(start..start + self.slot)?))
    }
}

impl Receiver {
    /// The report at this place of the last [`Self::receive_errors`].
    pub(super) fn get_error(&self, index: usize) -> Option<Reported> {
        let said = self.call.headers.get(index)?;
        if said.msg_hdr.msg_flags & libc::MSG_CTRUNC != 0 {
            return None;
        }
        let to = self.call.names.get(index)?.decode()?;
        let control = self.call.controls.get(index)?;
        control.read_error(said.msg_hdr.msg_controllen, to)
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
        batch: impl Iterator<Item = Outgoing<'a>>,
    ) -> io::Result<usize> {
        let mut count = 0;
        for (place, outgoing) in self.call.places().zip(batch) {
            *place.vector = libc::iovec {
                // The kernel does not write to it.
                iov_base: outgoing.data.as_ptr().cast_mut().cast(),
                iov_len: outgoing.data.len(),
            };
            let name = place.name.encode(outgoing.to);
            let control = place.control.write(outgoing.from, outgoing.segment);
            place.join(name, control);
            count += 1;
        }
        if count == 1
            && let Some(only) = self.call.headers.first().map(|it| &it.msg_hdr)
            && let Some(vector) = self.call.vectors.first()
            && only.msg_controllen == 0
        {
            // Alone, it is cheaper this way.
            // SAFETY: name and vector are those that were written above: the name is in `self.call`,
            // its length that of the address, and the vector is a slice that lives for 'a.
            let sent = unsafe {
                libc::sendto(
                    socket.as_raw_fd(),
                    vector.iov_base,
                    vector.iov_len,
                    libc::MSG_DONTWAIT,
                    only.msg_name.cast(),
                    only.msg_namelen,
                )
            };
            return usize::try_from(sent)
                .map(|_| 1)
                .map_err(|_| io::Error::last_os_error());
        }
        // SAFETY: the first `count` headers were joined to a name, a control buffer and a vector each,
        // which live as long as `self.call` and are borrowed by nothing now; each vector is a slice
        // that lives for 'a.
        let sent = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                self.call.headers.as_mut_ptr(),
                count,
                libc::MSG_DONTWAIT,
            )
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
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

fn set(socket: BorrowedFd<'_>, level: i32, name: i32) -> io::Result<()> {
    let on: i32 = 1;
    // SAFETY: the option is an int of four bytes, and so is what is pointed to during the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            ptr::from_ref(&on).cast(),
            4,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// What the two system calls take, kept from call to call.
struct Call {
    names: Vec<Name>,
    controls: Vec<Control>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

struct Place<'a> {
    name: &'a mut Name,
    control: &'a mut Control,
    vector: &'a mut libc::iovec,
    header: &'a mut libc::mmsghdr,
}

impl Call {
    fn new(count: usize) -> Self {
        let vector = libc::iovec {
            iov_base: ptr::null_mut(),
            iov_len: 0,
        };
        // SAFETY: integers and pointers, for all of which zero is a value.
        let header: libc::mmsghdr = unsafe { std::mem::zeroed() };
        Self {
            names: vec![Name([0; NAME]); count],
            controls: vec![Control([0; CONTROL]); count],
            vectors: vec![vector; count],
            headers: vec![header; count],
        }
    }

    fn places(&mut self) -> impl Iterator<Item = Place<'_>> {
        let left = self.names.iter_mut().zip(&mut self.controls);
        let right = self.vectors.iter_mut().zip(&mut self.headers);
        left.zip(right)
            .map(|((name, control), (vector, header))| Place {
                name,
                control,
                vector,
                header,
            })
    }
}

impl Place<'_> {
    /// Points the header to the rest.
    fn join(self, name: usize, control: usize) {
        let header = &mut self.header.msg_hdr;
        header.msg_name = ptr::from_mut(self.name).cast();
        header.msg_namelen = u32::try_from(name).unwrap_or_default();
        header.msg_iov = self.vector;
        header.msg_iovlen = 1;
        header.msg_control = ptr::from_mut(self.control).cast();
        header.msg_controllen = control;
    }
}

/// A `sockaddr_in` (family, port, address) or `sockaddr_in6` (family, port, flow, address, scope).
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Name([u8; NAME]);

impl Name {
    /// Answers the length.
    fn encode(&mut self, address: SocketAddr) -> usize {
        put(&mut self.0, 2, &address.port().to_be_bytes());
        match address {
            SocketAddr::V4(address) => {
                put(&mut self.0, 0, &V4.to_ne_bytes());
                put(&mut self.0, 4, &address.ip().octets());
                16
            }
            SocketAddr::V6(address) => {
                put(&mut self.0, 0, &V6.to_ne_bytes());
                put(&mut self.0, 4, &[0; 4]);
                put(&mut self.0, 8, &address.ip().octets());
                put(&mut self.0, 24, &address.scope_id().to_ne_bytes());
                NAME
            }
        }
    }

    fn decode(&self) -> Option<SocketAddr> {
        let port = u16::from_be_bytes(take(&self.0, 2)?);
        match u16::from_ne_bytes(take(&self.0, 0)?) {
            V4 => {
                let ip = Ipv4Addr::from(take::<4>(&self.0, 4)?);
                Some(SocketAddr::from((ip, port)))
            }
            V6 => {
                let ip = Ipv6Addr::from(take::<16>(&self.0, 8)?);
                let scope = u32::from_ne_bytes(take(&self.0, 24)?);
                Some(SocketAddrV6::new(ip, port, 0, scope).into())
            }
            _ => None,
        }
    }
}

/// Control messages: each a header (length with header, level, type) and its data, both padded to
/// the size of a word.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

impl Control {
    /// Answers the length.
    fn write(&mut self, from: Option<IpAddr>, segment: u16) -> usize {
        let mut length = 0;
        match from {
            // `in_pktinfo`: interface, the address to send from, one that is not used.
            Some(IpAddr::V4(ip)) => {
                let mut data = [0; 12];
                put(&mut data, 4, &ip.octets());
                length = self.append(length, libc::IPPROTO_IP, libc::IP_PKTINFO, &data);
            }
            // `in6_pktinfo`: address, interface.
            Some(IpAddr::V6(ip)) => {
                let mut data = [0; 20];
                put(&mut data, 0, &ip.octets());
                length = self.append(length, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &data);
            }
            None => {}
        }
        if segment > 0 {
            let data = segment.to_ne_bytes();
            length = self.append(length, libc::SOL_UDP, libc::UDP_SEGMENT, &data);
        }
        length
    }

    fn append(&mut self, at: usize, level: i32, kind: i32, data: &[u8]) -> usize {
        put(&mut self.0, at, &(HEADER + data.len()).to_ne_bytes());
        put(&mut self.0, at + WORD, &level.to_ne_bytes());
        put(&mut self.0, at + WORD + 4, &kind.to_ne_bytes());
        put(&mut self.0, at + HEADER, data);
        at + HEADER + data.len().next_multiple_of(WORD)
    }

    /// The destination and the size of segments, where they are said.
    fn read(&self, length: usize) -> (Option<IpAddr>, Option<usize>) {
        let (mut to, mut segment) = (None, None);
        self.each(length, |level, kind, data| match (level, kind) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                to = take::<4>(data, 8).map(|it| IpAddr::from(Ipv4Addr::from(it)));
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                to = take::<16>(data, 0).map(|it| IpAddr::from(Ipv6Addr::from(it)));
            }
            (libc::SOL_UDP, libc::UDP_GRO) => {
                let size = take(data, 0).map(i32::from_ne_bytes);
                segment = size.and_then(|size| usize::try_from(size).ok());
            }
            _ => {}
        });
        (to, segment)
    }

    /// The `sock_extended_err` about a datagram to `to`: number, origin, type, code, padding, info.
    fn read_error(&self, length: usize, to: SocketAddr) -> Option<Reported> {
        let mut reported = None;
        self.each(length, |level, kind, data| {
            let origin = match (level, kind) {
                (libc::IPPROTO_IP, libc::IP_RECVERR) => ICMP,
                (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) => ICMP_V6,
                _ => return,
            };
            if let (Some([from, kind, code]), Some(info)) = (take(data, 4), take(data, 8))
                && from == origin
            {
                reported = Some(Reported {
                    to,
                    kind,
                    code,
                    info: u32::from_ne_bytes(info),
                });
            }
        });
        reported
    }

    /// Every control message: its level, type and data.
    fn each(&self, length: usize, mut see: impl FnMut(i32, i32, &[u8])) {
        let mut rest = self.0.get(..length).unwrap_or_default();
        while let Some(size) = take(rest, 0).map(usize::from_ne_bytes) {
            let (Some(level), Some(kind)) = (take(rest, WORD), take(rest, WORD + 4)) else {
                break;
            };
            let Some(data) = rest.get(HEADER..size) else {
                break;
            };
            see(i32::from_ne_bytes(level), i32::from_ne_bytes(kind), data);
            rest = rest.get(size.next_multiple_of(WORD)..).unwrap_or_default();
        }
    }
}

fn put(place: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = place.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

fn take<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// `AF_INET` and `AF_INET6` as they stand in an address.
const V4: u16 = 2;
const V6: u16 = 10;

/// `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6`.
const ICMP: u8 = 2;
const ICMP_V6: u8 = 3;

/// The length of a `sockaddr_in6`.
const NAME: usize = 28;

/// Room for an IPv6 address and a size of segments.
const CONTROL: usize = 96;

const WORD: usize = size_of::<usize>();

/// A control message's header.
const HEADER: usize = WORD + 8;

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
