//! What people are told of our own STUN and TURN server.

use std::net::IpAddr;

use crate::credentials::Secret;
use crate::credentials::extdisco::{Kind, Service, Transport};
use crate::turn::{self, Config, Listen};

/// Each listener at each address of its family that clients are told; where there is TLS, by the name
/// in the certificate if that is known.
///
/// STUN only over UDP: a `stun:` URI has no transport (RFC 7064 §3.1), so that clients would take one
/// over TCP for one more over UDP, and ask it in vain.
pub(super) fn told(listening: &[Listen], config: &Config, secret: &Secret) -> Vec<Service> {
    let addresses = config.relay_addresses();
    let mut services = Vec::new();
    for listen in listening {
        let (turn, transport) = match listen.transport {
            turn::Transport::Udp => (Kind::Turn, Transport::Udp),
            turn::Transport::Tcp => (Kind::Turn, Transport::Tcp),
            turn::Transport::Tls => (Kind::Turns, Transport::Tcp),
        };
        let same_family = |address: &&IpAddr| address.is_ipv4() == listen.address.is_ipv4();
        let name = (config.tls_name.as_ref()).filter(|_| turn == Kind::Turns);
        for address in addresses.iter().filter(same_family) {
            let service = |kind, secret| Service {
                kind,
                host: name.map_or_else(|| address.to_string(), Clone::clone),
                port: listen.address.port(),
                transport,
                secret,
            };
            if transport == Transport::Udp {
                services.push(service(Kind::Stun, None));
            }
            let service = service(turn, Some(secret.clone()));
            // One name may be that of both families.
            if !services.contains(&service) {
                services.push(service);
            }
        }
    }
    services
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESSES: &str = "relay_address = ['203.0.113.7', '2001:db8::7']";

    /// Type, host, port and transport of what is told.
    fn told(listen: &[&str], config: &str) -> Vec<(Kind, String, u16, Transport)> {
        let listening: Vec<Listen> = listen.iter().map(|text| text.parse().unwrap()).collect();
        let config = toml::from_str(config).unwrap();
        let told = super::told(&listening, &config, &Secret::new("north"));
        let with_secret = told.iter().filter(|service| service.secret.is_some());
        assert!(with_secret.eq(told.iter().filter(|service| service.kind != Kind::Stun)));
        let seen = told
            .into_iter()
            .map(|it| (it.kind, it.host, it.port, it.transport));
        seen.collect()
    }

    #[test]
    fn a_listener_is_told_at_the_addresses_of_its_family() {
        assert_eq!(
            told(&["udp:0.0.0.0:3478", "tcp:[::]:3479"], ADDRESSES),
            [
                (Kind::Stun, "203.0.113.7".into(), 3478, Transport::Udp),
                (Kind::Turn, "203.0.113.7".into(), 3478, Transport::Udp),
                (Kind::Turn, "2001:db8::7".into(), 3479, Transport::Tcp),
            ]
        );
    }

    #[test]
    fn tls_is_told_once_by_the_name_in_the_certificate() {
        let listen = [
            "tcp:0.0.0.0:3478",
            "tls:0.0.0.0:5349",
            "tls:[::]:5349",
            "tls:[::]:443",
        ];
        let name = "turn.example.org";
        assert_eq!(
            told(&listen, &format!("{ADDRESSES}\ntls_name = '{name}'")),
            [
                (Kind::Turn, "203.0.113.7".into(), 3478, Transport::Tcp),
                (Kind::Turns, name.into(), 5349, Transport::Tcp),
                (Kind::Turns, name.into(), 443, Transport::Tcp),
            ]
        );
        assert_eq!(
            told(&listen[1..2], ADDRESSES),
            [(Kind::Turns, "203.0.113.7".into(), 5349, Transport::Tcp)]
        );
    }
}
