//! Addresses as the kernel writes them.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use super::bytes::{put, take};

/// A `sockaddr_in` (family, port, address) or `sockaddr_in6` (family, port, flow, address, scope).
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct Name([u8; NAME]);

impl Name {
    pub(super) const EMPTY: Self = Self([0; NAME]);

    /// Answers the length.
    pub(super) fn encode(&mut self, address: SocketAddr) -> usize {
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

    pub(super) fn decode(&self) -> Option<SocketAddr> {
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

/// `AF_INET` and `AF_INET6` as they stand in an address.
const V4: u16 = 2;
const V6: u16 = 10;

/// The length of a `sockaddr_in6`.
pub(super) const NAME: usize = 28;
