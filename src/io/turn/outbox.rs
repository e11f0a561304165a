//! Datagrams on their way out, put together again by flow.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::BorrowedFd,
};

use super::{
    batch::{Outgoing, Sender},
    share::ROUND,
};

/// Collects the datagrams of a round, and hands the kernel those of one flow and size as one.
///
/// What leaves in one piece is cut by the kernel, or by the network card (UDP_SEGMENT). A kernel, or
/// a path, that refuses this gets datagrams one by one; when it refuses several times running, it is
/// not asked again for a while: the reason may be one client's path.
pub(super) struct Outbox {
    groups: Vec<Group>,
    used: usize,
    /// Where the latest group of a flow may be, by a hash of the flow.
    latest: Vec<usize>,
    sender: Sender,
    /// How often segments were refused since they were last accepted.
    refusals: u32,
    /// Datagrams since the kernel is not asked any more.
    alone: u32,
    /// Datagrams that no socket took.
    pub(super) lost: u64,
    /// Groups since the last [`Self::take_begun`].
    begun: usize,
}

/// Datagrams of one flow: all of the size of the first, but the last, which may be smaller.
#[derive(Default)]
struct Group {
    flow: Option<Flow>,
    data: Vec<u8>,
    segment: usize,
    count: usize,
    complete: bool,
}

/// A socket's token, and both ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Flow {
    pub(super) socket: u64,
    pub(super) to: SocketAddr,
    /// Set where the socket has several addresses.
    pub(super) from: Option<IpAddr>,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            groups: Vec::new(),
            used: 0,
            latest: vec![usize::MAX; BUCKETS],
            sender: Sender::new(GROUPS),
            refusals: 0,
            alone: 0,
            lost: 0,
            begun: 0,
        }
    }

    /// How many groups have been begun since this was asked for last.
    pub(super) fn take_begun(&mut self) -> usize {
        std::mem::take(&mut self.begun)
    }

    /// Whether [`Self::flush`] has to come before the next [`Self::push`].
    pub(super) fn is_full(&self) -> bool {
        self.used == GROUPS
    }

    /// Whether something waits for a socket.
    pub(super) fn holds(&self, socket: u64) -> bool {
        let mut groups = self.groups.iter().take(self.used);
        groups.any(|it| it.flow.is_some_and(|flow| flow.socket == socket))
    }

    /// One more datagram, behind those of the same flow.
    pub(super) fn push(&mut self, flow: Flow, datagram: &[u8]) {
        let bucket = bucket(&flow);
        let segments = self.may_be_segments();
        let latest = self.latest.get(bucket).copied().unwrap_or(usize::MAX);
        if segments
            && latest < self.used
            && let Some(group) = self.groups.get_mut(latest)
            && group.flow == Some(flow)
            && group.takes(datagram)
        {
            return;
        }
        if self.used == self.groups.len() {
            self.groups.push(Group::default());
        }
        if let Some(group) = self.groups.get_mut(self.used) {
            group.begin(flow, datagram);
        }
        if let Some(latest) = self.latest.get_mut(bucket) {
            *latest = self.used;
        }
        self.used += 1;
        self.begun += 1;
    }

    /// Whether the kernel is asked; once more when it has not been for long.
    fn may_be_segments(&mut self) -> bool {
        if self.refusals < GIVE_UP {
            return true;
        }
        self.alone += 1;
        if self.alone == ALONE {
            self.alone = 0;
            self.refusals = GIVE_UP - 1;
        }
        false
    }

    /// Sends everything. `socket` finds a socket by its token; a datagram of a socket that is gone,
    /// or that takes no more, is lost: that is UDP.
    pub(super) fn flush<'a>(&mut self, socket: impl Fn(u64) -> Option<BorrowedFd<'a>>) {
        let mut rest = self.groups.get(..self.used).unwrap_or_default();
        self.used = 0;
        while let Some(first) = rest.first() {
            let token = first.flow.map(|flow| flow.socket);
            let run = rest
                .iter()
                .take_while(|it| it.flow.map(|flow| flow.socket) == token)
                .count();
            let (mut batch, later) = rest.split_at(run);
            rest = later;
            let Some(socket) = token.and_then(&socket) else {
                continue;
            };
            while let Some((first, others)) = batch.split_first() {
                let mut result = self
                    .sender
                    .send(socket, batch.iter().filter_map(Group::whole));
                if result.as_ref().is_err_and(is_about_earlier) {
                    result = self
                        .sender
                        .send(socket, batch.iter().filter_map(Group::whole));
                }
                match result {
                    Ok(sent) => {
                        if batch.iter().take(sent).any(|it| it.count > 1) {
                            self.refusals = 0;
                        }
                        batch = batch.get(sent.max(1)..).unwrap_or_default();
                    }
                    Err(error) => {
                        if first.count > 1 && is_refusal(&error) {
                            let lost = first.send_singly(&mut self.sender, socket);
                            // What is refused either way, as port 0 is, says nothing of segments.
                            self.refusals += u32::from(lost < first.count as u64);
                            self.lost += lost;
                        } else {
                            self.lost += first.count as u64;
                        }
                        batch = others;
                    }
                }
            }
        }
    }
}

impl Group {
    fn begin(&mut self, flow: Flow, datagram: &[u8]) {
        self.flow = Some(flow);
        self.data.clear();
        // A large one leaves much behind that few others need.
        self.data.shrink_to(KEPT);
        self.data.extend_from_slice(datagram);
        self.segment = datagram.len();
        self.count = 1;
        self.complete = !(1..=SEGMENT).contains(&datagram.len());
    }

    /// Appends a datagram, if it may be.
    fn takes(&mut self, datagram: &[u8]) -> bool {
        let fits = !self.complete
            && (1..=self.segment).contains(&datagram.len())
            && self.data.len() + datagram.len() <= TOGETHER
            && self.count < SEGMENTS;
        if fits {
            self.data.extend_from_slice(datagram);
            self.count += 1;
            self.complete = datagram.len() < self.segment;
        }
        fits
    }

    fn whole(&self) -> Option<Outgoing<'_>> {
        let flow = self.flow?;
        let segment = if self.count > 1 { self.segment } else { 0 };
        Some(Outgoing {
            data: &self.data,
            to: flow.to,
            from: flow.from,
            segment: u16::try_from(segment).ok()?,
        })
    }

    /// Answers how many were lost.
    fn send_singly(&self, sender: &mut Sender, socket: BorrowedFd<'_>) -> u64 {
        let Some(whole) = self.whole() else {
            return 0;
        };
        let mut lost = 0;
        for data in self.data.chunks(self.segment) {
            let one = Outgoing {
                data,
                segment: 0,
                ..whole
            };
            lost += u64::from(sender.send(socket, [one].into_iter()).is_err());
        }
        lost
    }
}

/// Whether the kernel, or the path, has no use for segments: EINVAL from a kernel that knows none,
/// and for segments larger than the path takes; EIO from a card that cannot make their checksums.
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINVAL | libc::EIO | libc::ENOPROTOOPT | libc::EOPNOTSUPP | libc::EMSGSIZE)
    )
}

/// Whether an error may be the ICMP error of an earlier datagram, which the kernel tells once.
fn is_about_earlier(error: &io::Error) -> bool {
    error.kind() != io::ErrorKind::WouldBlock
}

fn bucket(flow: &Flow) -> usize {
    let ip = match flow.to.ip() {
        IpAddr::V4(ip) => u64::from(ip.to_bits()),
        IpAddr::V6(ip) => {
            let [.., a, b, c, d] = ip.segments();
            [a, b, c, d]
                .into_iter()
                .fold(0, |sum, it| sum << 16 | u64::from(it))
        }
    };
    let mixed = (ip ^ flow.socket.rotate_left(20) ^ u64::from(flow.to.port()) << 32)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15);
    usize::try_from(mixed >> 32).unwrap_or_default() % BUCKETS
}

/// As many as a socket's share of a round, so that a round rarely needs more than one flush.
const GROUPS: usize = ROUND;

const BUCKETS: usize = 4 * GROUPS;

/// Larger datagrams do not fit the paths that segments are for.
const SEGMENT: usize = 1472;

/// `UDP_MAX_SEGMENTS` of the older kernels.
const SEGMENTS: usize = 64;

/// An IP packet has no more room, headers included.
const TOGETHER: usize = 65_000;

/// The room that an unused group keeps.
const KEPT: usize = 16_384;

/// Refusals running after which the kernel is believed.
const GIVE_UP: u32 = 16;

/// Datagrams that leave one by one before it is asked again: one more failure costs them nothing.
const ALONE: u32 = 65_536;

#[cfg(test)]
mod tests {
    use std::{net::UdpSocket, os::fd::AsFd, time::Duration};

    use super::*;

    fn socket() -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        socket
    }

    fn flow(to: &UdpSocket) -> Flow {
        Flow {
            socket: 1,
            to: to.local_addr().unwrap(),
            from: None,
        }
    }

    fn received(socket: &UdpSocket, count: usize) -> Vec<Vec<u8>> {
        let one = |_| {
            let mut buffer = [0; 2000];
            let length = socket.recv(&mut buffer).unwrap();
            buffer[..length].to_vec()
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn interleaved_flows_leave_in_groups_and_in_order() {
        let (sending, a, b) = (socket(), socket(), socket());
        let mut outbox = Outbox::new();
        let sizes = [100, 100, 100, 40, 100, 200, 0, 100];
        for (number, size) in (0..).zip(sizes) {
            outbox.push(flow(&a), &vec![number; size]);
            outbox.push(flow(&b), &[number; 50]);
        }
        // A shorter one ends its group, so does a longer one; an empty one stands alone.
        let groups = &outbox.groups[..outbox.used];
        let of_a: Vec<_> = groups
            .iter()
            .filter(|it| it.flow == Some(flow(&a)))
            .map(|it| it.count)
            .collect();
        assert_eq!(of_a, [4, 1, 1, 1, 1]);
        assert_eq!(groups.len(), of_a.len() + 1);
        outbox.flush(|_| Some(sending.as_fd()));
        for (number, (datagram, size)) in (0..).zip(received(&a, sizes.len()).iter().zip(sizes)) {
            assert_eq!(*datagram, vec![number; size]);
        }
        for (number, datagram) in (0..).zip(received(&b, sizes.len())) {
            assert_eq!(datagram, vec![number; 50]);
        }
        assert_eq!((outbox.lost, outbox.refusals), (0, 0));
    }

    #[test]
    fn refused_segments_are_sent_singly_and_not_tried_again_for_a_while() {
        let (sending, receiving) = (socket(), socket());
        let mut outbox = Outbox::new();
        // No UDP at all on this descriptor would be another error; too many segments are EINVAL.
        for round in 0..GIVE_UP {
            let group = Group {
                flow: Some(flow(&receiving)),
                data: vec![1; 200],
                segment: 1,
                count: 200,
                complete: true,
            };
            outbox.groups = vec![group];
            outbox.used = 1;
            outbox.flush(|_| Some(sending.as_fd()));
            assert_eq!(outbox.refusals, round + 1);
            assert_eq!(received(&receiving, 200), vec![[1]; 200]);
        }
        outbox.push(flow(&receiving), b"x");
        outbox.push(flow(&receiving), b"y");
        assert_eq!(outbox.used, 2);
        outbox.flush(|_| Some(sending.as_fd()));
        assert_eq!(received(&receiving, 2), [b"x", b"y"]);
        assert_eq!(outbox.lost, 0);
        // Not for ever: it may have been the path of one client.
        for _ in 0..ALONE {
            outbox.push(flow(&receiving), b"z");
            outbox.used = 0;
        }
        outbox.push(flow(&receiving), b"x");
        outbox.push(flow(&receiving), b"y");
        assert_eq!(outbox.used, 1);
        outbox.flush(|_| Some(sending.as_fd()));
        assert_eq!(received(&receiving, 2), [b"x", b"y"]);
        assert_eq!(outbox.refusals, 0);
    }

    #[test]
    fn what_nobody_can_be_sent_does_not_end_segments_for_others() {
        let sending = socket();
        let mut outbox = Outbox::new();
        let nowhere = Flow {
            socket: 1,
            to: "127.0.0.1:0".parse().unwrap(),
            from: None,
        };
        for _ in 0..GIVE_UP {
            outbox.push(nowhere, b"x");
            outbox.push(nowhere, b"y");
            outbox.flush(|_| Some(sending.as_fd()));
        }
        assert_eq!(outbox.refusals, 0);
        assert_eq!(outbox.lost, u64::from(GIVE_UP) * 2);
    }

    #[test]
    fn what_is_for_a_socket_that_is_gone_is_lost_and_the_rest_is_not() {
        let (sending, receiving) = (socket(), socket());
        let mut outbox = Outbox::new();
        outbox.push(
            Flow {
                socket: 2,
                ..flow(&receiving)
            },
            b"x",
        );
        outbox.push(flow(&receiving), b"y");
        outbox.flush(|token| (token == 1).then(|| sending.as_fd()));
        assert_eq!(received(&receiving, 1), [b"y"]);
        assert!(!outbox.is_full());
    }
}
