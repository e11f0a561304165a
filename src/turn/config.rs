//! `[turn]` of the configuration: the keys, their defaults, and what is wrong with them.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    str::FromStr,
};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de};

use super::Transport;
use crate::{credentials::Secret, stun::Family};

/// The keys of `[turn]`. Each has a default that is safe to run with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where clients reach us: `udp:`, `tcp:` or `tls:` and an address with port.
    pub listen: Vec<Listen>,
    /// The addresses that clients are told: one, or one IPv4 and one IPv6. Left out, those of
    /// `listen` that are no wildcards.
    #[serde(deserialize_with = "one_or_many")]
    pub relay_address: Vec<IpAddr>,
    /// Where relay sockets are bound when that differs (behind NAT), family by family.
    #[serde(deserialize_with = "one_or_many")]
    pub relay_bind: Vec<IpAddr>,
    /// The ports of relay sockets.
    pub relay_ports: PortRange,
    /// What clients are asked to authenticate for; at most 16 bytes keep the first reply small.
    pub realm: String,
    /// The TURN REST secret; made and kept in the state directory when absent.
    pub secret: Option<Secret>,
    /// The one before, while clients still hold credentials of it.
    pub previous_secret: Option<Secret>,
    /// Certificate chain for `tls:` listeners.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// The name in the certificate, which clients are told for `tls:` listeners; otherwise they are
    /// told the addresses, which Firefox does not take there.
    pub tls_name: Option<String>,
    /// How long minted credentials are good, in seconds.
    pub credential_ttl: u64,
    /// Domains beside the component's own whose users get credentials.
    pub credential_domains: Vec<String>,
    /// Peer addresses that are denied by default and shall not be.
    pub allow_peers: Vec<IpNet>,
    /// Allocations per person; 0 = no limit, as for the next three.
    pub user_allocations: u32,
    /// Allocations per client address (IPv6: per /64).
    pub address_allocations: u32,
    /// Bytes per second and person, both directions together.
    pub person_bandwidth: u64,
    /// Replies per second to unauthenticated sources of one /24 or /64.
    pub replies_per_second: u32,
    /// Permissions per allocation.
    pub permissions: usize,
    /// Channels per allocation.
    pub channels: usize,
    /// TCP and TLS connections; beyond that, newcomers take the places of those without allocation.
    pub connections: usize,
    /// TLS handshakes under way; beyond that, newcomers take the places of the network that has most.
    pub handshakes: usize,
    /// Threads; 0 = one per core.
    pub workers: usize,
}

impl Config {
    /// Everything that keeps the server from starting, in words for an administrator.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.listen.is_empty() {
            problems.push(Problem::NoListener);
        }
        let tls = self.listen.iter().any(|it| it.transport == Transport::Tls);
        for (key, file, other) in [
            ("certificate", &self.certificate, &self.key),
            ("key", &self.key, &self.certificate),
        ] {
            if file.is_none() && (tls || other.is_some()) {
                problems.push(Problem::NoCertificate(key));
            }
        }
        if self.tls_name.as_ref().is_some_and(|it| !is_name(it)) {
            problems.push(Problem::TlsName);
        }
        if self.relay_addresses().is_empty() {
            problems.push(Problem::NoRelayAddress);
        }
        for (key, addresses) in [
            ("relay_address", &self.relay_address),
            ("relay_bind", &self.relay_bind),
        ] {
            if too_many(addresses) {
                problems.push(Problem::TooManyAddresses(key));
            }
        }
        if let Some(address) = self.relay_address.iter().find(|it| it.is_unspecified()) {
            problems.push(Problem::UnspecifiedRelayAddress(*address));
        }
        if self.realm.is_empty() || self.realm.len() > 127 || self.realm.contains(['"', '\\']) {
            problems.push(Problem::Realm);
        }
        for (key, secret) in [
            ("secret", &self.secret),
            ("previous_secret", &self.previous_secret),
        ] {
            if secret.as_ref().is_some_and(Secret::is_empty) {
                problems.push(Problem::EmptySecret(key));
            }
        }
        for (key, number) in [
            ("permissions", self.permissions),
            ("channels", self.channels),
            ("connections", self.connections),
            ("handshakes", self.handshakes),
        ] {
            if number == 0 {
                problems.push(Problem::Zero(key));
            }
        }
        problems
    }

    /// The addresses that clients are told, one per family at most.
    #[must_use]
    pub fn relay_addresses(&self) -> Vec<IpAddr> {
        if !self.relay_address.is_empty() {
            return self.relay_address.clone();
        }
        let mut addresses: Vec<IpAddr> = Vec::new();
        for listen in &self.listen {
            let ip = listen.address.ip();
            let family = Family::of(ip);
            if !ip.is_unspecified() && !addresses.iter().any(|it| Family::of(*it) == family) {
                addresses.push(ip);
            }
        }
        addresses
    }

    /// Where relay sockets are bound.
    #[must_use]
    pub fn bound_addresses(&self) -> Vec<IpAddr> {
        let told = self.relay_addresses();
        told.into_iter()
            .map(|told| self.bind_address(told))
            .collect()
    }

    /// Where the relay sockets of `relay`, an address told to clients, are bound.
    #[must_use]
    pub fn bind_address(&self, relay: IpAddr) -> IpAddr {
        let family = Family::of(relay);
        let same = |it: &&IpAddr| Family::of(**it) == family;
        self.relay_bind.iter().find(same).copied().unwrap_or(relay)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![Listen {
                transport: Transport::Udp,
                address: SocketAddr::from(([0, 0, 0, 0], 3478)),
            }],
            relay_address: Vec::new(),
            relay_bind: Vec::new(),
            relay_ports: PortRange(49152..=65535),
            realm: "campana".into(),
            secret: None,
            previous_secret: None,
            certificate: None,
            key: None,
            tls_name: None,
            credential_ttl: 43200,
            credential_domains: Vec::new(),
            allow_peers: Vec::new(),
            user_allocations: 12,
            address_allocations: 256,
            person_bandwidth: 0,
            replies_per_second: 200,
            permissions: 128,
            channels: 64,
            connections: 10_000,
            handshakes: 256,
            workers: 0,
        }
    }
}

/// One entry of `listen`, such as `udp:0.0.0.0:3478`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Listen {
    /// Over what.
    pub transport: Transport,
    /// Where; port 0 = any.
    pub address: SocketAddr,
}

impl FromStr for Listen {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (transport, address) = text.split_once(':').ok_or(ParseError::Listen)?;
        let transport = match transport {
            "udp" => Transport::Udp,
            "tcp" => Transport::Tcp,
            "tls" => Transport::Tls,
            _ => return Err(ParseError::Listen),
        };
        let address = address.parse().map_err(|_| ParseError::Listen)?;
        Ok(Self { transport, address })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport, self.address)
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        parse(from)
    }
}

/// A range of ports, such as `49152-65535`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PortRange(pub(super) RangeInclusive<u16>);

impl PortRange {
    /// The range from `first` to `last`; nothing when there is no port in it.
    #[must_use]
    pub fn new(first: u16, last: u16) -> Option<Self> {
        (first <= last && first >= 1024).then_some(Self(first..=last))
    }

    /// How many ports there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether a port is one of them.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.0.contains(&port)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0.start(), self.0.end())
    }
}

impl FromStr for PortRange {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (first, last) = text.split_once('-').ok_or(ParseError::Ports)?;
        let port = |text: &str| text.trim().parse().map_err(|_| ParseError::Ports);
        Self::new(port(first)?, port(last)?).ok_or(ParseError::Ports)
    }
}

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        parse(from)
    }
}

/// What is wrong with one value.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// An entry of `listen`.
    #[error(
        "not of the form \"udp:ADDRESS:PORT\" (or tcp:, tls:), for example \"udp:0.0.0.0:3478\""
    )]
    Listen,
    /// `relay_ports`.
    #[error("not of the form \"FIRST-LAST\" with ports from 1024, for example \"49152-65535\"")]
    Ports,
}

/// What is wrong with the whole.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A secret that everybody knows.
    #[error("turn.{0} is empty")]
    EmptySecret(&'static str),
    /// `listen` is empty.
    #[error("turn.listen names no listener; leave out [turn] to serve none")]
    NoListener,
    /// Nothing to tell clients.
    #[error("turn.relay_address is missing: the address of this machine that clients are told")]
    NoRelayAddress,
    /// One of the two files of TLS.
    #[error("turn.{0} is missing: a file in PEM form, needed for \"tls:\" listeners")]
    NoCertificate(&'static str),
    /// Realm that cannot be sent.
    #[error("turn.realm must have 1 to 127 bytes and neither quotes nor backslashes")]
    Realm,
    /// An address, or nothing that a certificate can hold.
    #[error("turn.tls_name must be a host name, such as \"turn.example.org\"")]
    TlsName,
    /// Two of one family.
    #[error("turn.{0} takes one address, or one IPv4 and one IPv6")]
    TooManyAddresses(&'static str),
    /// A wildcard is nothing that clients can be told.
    #[error("turn.relay_address: {0} is no address that clients can be told")]
    UnspecifiedRelayAddress(IpAddr),
    /// A cap of nothing.
    #[error("turn.{0} must be at least 1")]
    Zero(&'static str),
}

/// Whether that is a host name, and no address.
fn is_name(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    !text.is_empty() && text.chars().all(legal) && text.parse::<IpAddr>().is_err()
}

fn too_many(addresses: &[IpAddr]) -> bool {
    let count = |v4| addresses.iter().filter(|it| it.is_ipv4() == v4).count();
    count(true) > 1 || count(false) > 1
}

fn parse<'de, D: Deserializer<'de>, T: FromStr<Err = ParseError>>(from: D) -> Result<T, D::Error> {
    let text = String::deserialize(from)?;
    text.parse()
        .map_err(|error| de::Error::custom(format!("\"{text}\" is {error}")))
}

fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpAddr>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "an IP address, or a list of one IPv4 and one IPv6 address"
    )]
    enum OneOrMany {
        One(IpAddr),
        Many(Vec<IpAddr>),
    }
    Ok(match OneOrMany::deserialize(from)? {
        OneOrMany::One(address) => vec![address],
        OneOrMany::Many(addresses) => addresses,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read() {
        let config: Config = toml::from_str(
            r#"
            listen = ["udp:0.0.0.0:3478", "tcp:0.0.0.0:3478", "tls:[::]:5349"]
            relay_address = ["203.0.113.7", "2001:db8::7"]
            relay_bind = "10.0.0.7"
            relay_ports = "50000-50010"
            realm = "example.org"
            secret = "s"
            previous_secret = "p"
            certificate = "c.pem"
            key = "k.pem"
            credential_ttl = 60
            credential_domains = ["example.net"]
            allow_peers = ["127.0.0.0/8", "fd00::/8"]
            user_allocations = 0
            address_allocations = 0
            person_bandwidth = 1
            replies_per_second = 0
            permissions = 2
            channels = 1
            connections = 5
            handshakes = 3
            workers = 1
            "#,
        )
        .unwrap();
        assert_eq!(config.listen[2].to_string(), "tls:[::]:5349");
        assert_eq!(config.relay_ports.count(), 11);
        let [v4, v6] = config.relay_addresses()[..] else {
            panic!("two addresses");
        };
        assert_eq!(config.bind_address(v4).to_string(), "10.0.0.7");
        assert_eq!(config.bind_address(v6), v6);
        assert_eq!(config.problems(), []);
    }

    #[test]
    fn tls_needs_both_files() {
        for (lines, missing) in [
            (
                "listen = ['tls:203.0.113.7:5349']",
                &["certificate", "key"][..],
            ),
            (
                "listen = ['tls:203.0.113.7:5349']\nkey = 'k'",
                &["certificate"],
            ),
            (
                "listen = ['udp:203.0.113.7:3478']\ncertificate = 'c'",
                &["key"],
            ),
            (
                "listen = ['udp:203.0.113.7:3478', 'tcp:203.0.113.7:3478']",
                &[],
            ),
        ] {
            let config: Config = toml::from_str(lines).unwrap();
            let missing: Vec<_> = missing
                .iter()
                .map(|it| Problem::NoCertificate(it))
                .collect();
            assert_eq!(config.problems(), missing, "{lines}");
        }
    }

    #[test]
    fn the_name_for_tls_is_no_address() {
        let problems = |name: &str| {
            let mut config: Config = toml::from_str("relay_address = '203.0.113.7'").unwrap();
            config.tls_name = Some(name.into());
            config.problems()
        };
        assert_eq!(problems("turn.example.org"), []);
        for name in [
            "",
            "203.0.113.7",
            "2001:db8::7",
            "turns:example.org",
            "*.example.org",
        ] {
            assert_eq!(problems(name), [Problem::TlsName], "{name}");
        }
    }

    #[test]
    fn only_the_relay_address_has_no_default() {
        let mut config: Config = toml::from_str("").unwrap();
        assert_eq!(config.problems(), [Problem::NoRelayAddress]);
        config.relay_address = vec!["203.0.113.7".parse().unwrap()];
        assert_eq!(config.problems(), []);
    }

    #[test]
    fn a_listener_with_an_address_is_the_relay_address_too() {
        let config: Config = toml::from_str(r#"listen = ["udp:203.0.113.7:3478"]"#).unwrap();
        assert_eq!(config.problems(), []);
        assert_eq!(config.relay_addresses()[0].to_string(), "203.0.113.7");
    }

    #[test]
    fn wrong_values_say_what_is_expected() {
        for (toml, said) in [
            (r#"listen = ["udp:3478"]"#, "udp:0.0.0.0:3478"),
            (r#"listen = ["sctp:0.0.0.0:1"]"#, "udp:0.0.0.0:3478"),
            (r#"relay_ports = "9-1""#, "49152-65535"),
            (r#"relay_ports = "80-90""#, "ports from 1024"),
            (r#"relay_address = "here""#, "an IP address"),
            ("relay_adress = 1", "relay_address"),
        ] {
            let error = toml::from_str::<Config>(toml).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let config: Config = toml::from_str(r#"secret = "north""#).unwrap();
        assert!(!format!("{config:?}").contains("north"));
    }
}
