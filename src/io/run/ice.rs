//! What people are told of our own STUN and TURN server.

use std::net::IpAddr;

use crate::credentials::Secret;
use crate::credentials::extdisco::{Kind, Service, Transport};
use crate::turn::{self, Listen};

/// Each listener at each address of its family that clients are told.
///
/// STUN only over UDP: a `stun:` URI has no transport (RFC 7064 §3.1), so that clients would take one
/// over TCP for one more over UDP, and ask it in vain.
pub(super) fn told(listening: &[Listen], addresses: &[IpAddr], secret: &Secret) -> Vec<Service> {
    let mut services = Vec::new();
    for listen in listening {
        let (turn, transport) = match listen.transport {
            turn::Transport::Udp => (Kind::Turn, Transport::Udp),
            turn::Transport::Tcp => (Kind::Turn, Transport::Tcp),
            turn::Transport::Tls => (Kind::Turns, Transport::Tcp),
        };
        let same_family = |address: &&IpAddr| address.is_ipv4() == listen.address.is_ipv4();
        for address in addresses.iter().filter(same_family) {
            let service = |kind, secret| Service {
                kind,
                host: address.to_string(),
                port: listen.address.port(),
                transport,
                secret,
            };
            if transport == Transport::Udp {
                services.push(service(Kind::Stun, None));
            }
            services.push(service(turn, Some(secret.clone())));
        }
    }
    services
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_told_at_the_addresses_of_its_family() {
        let listening: Vec<Listen> = ["udp:0.0.0.0:3478", "tcp:[::]:3479"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let addresses = [
            "203.0.113.7".parse().unwrap(),
            "2001:db8::7".parse().unwrap(),
        ];
        let secret = Secret::new("north");
        let told = told(&listening, &addresses, &secret);
        let seen: Vec<_> = told
            .iter()
            .map(|service| {
                (
                    service.kind,
                    service.host.as_str(),
                    service.port,
                    service.transport,
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                (Kind::Stun, "203.0.113.7", 3478, Transport::Udp),
                (Kind::Turn, "203.0.113.7", 3478, Transport::Udp),
                (Kind::Turn, "2001:db8::7", 3479, Transport::Tcp),
            ]
        );
        let with_secret = told.iter().filter(|service| service.secret.is_some());
        assert!(with_secret.eq(told.iter().filter(|service| service.kind == Kind::Turn)));
    }
}
