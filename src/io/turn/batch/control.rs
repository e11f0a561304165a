//! Control messages: the address that was asked (`IP_PKTINFO`), the size of segments (`UDP_GRO`,
//! `UDP_SEGMENT`), and ICMP errors (`IP_RECVERR`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{
    Reported,
    bytes::{put, take},
};

/// Control messages: each a header (length with header, level, type) and its data, both padded to
/// the size of a word.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct Control([u8; CONTROL]);

impl Control {
    pub(super) const EMPTY: Self = Self([0; CONTROL]);

    /// The address to send from and the size of segments. Answers the length.
    pub(super) fn write(&mut self, from: Option<IpAddr>, segment: u16) -> usize {
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
    pub(super) fn read(&self, length: usize) -> (Option<IpAddr>, Option<usize>) {
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
    pub(super) fn read_error(&self, length: usize, to: SocketAddr) -> Option<Reported> {
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

/// `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6`.
const ICMP: u8 = 2;
const ICMP_V6: u8 = 3;

/// Room for an IPv6 address and a size of segments.
pub(super) const CONTROL: usize = 96;

const WORD: usize = size_of::<usize>();

/// A control message's header.
const HEADER: usize = WORD + 8;
