//! Which addresses may be peers (RFC 8656 §9, §21.2.2, §21.4).
//!
//! A TURN server is a machine inside somebody's network that sends what strangers tell it to. So
//! only global unicast addresses are peers; everything that means this machine, its neighbours, or
//! an IPv4 address in disguise is denied unless the configuration lifts it.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use ipnet::IpNet;

/// What the server knows of itself and was allowed by its administrator.
#[derive(Clone, Debug, Default)]
pub(super) struct Policy {
    allow: Vec<IpNet>,
    listening: Vec<SocketAddr>,
    own: HashSet<IpAddr>,
}

impl Policy {
    /// `listening` are our listeners, `own` all addresses of this machine that are known.
    pub(super) fn new(allow: &[IpNet], listening: Vec<SocketAddr>, own: HashSet<IpAddr>) -> Self {
        Self {
            allow: allow.to_vec(),
            listening,
            own,
        }
    }

    /// The machine got or lost addresses.
    pub(super) fn set_own(&mut self, own: HashSet<IpAddr>) {
        self.own = own;
    }

    /// Whether data may go to and come from this address and port.
    pub(super) fn admits(&self, peer: SocketAddr) -> bool {
        // Our own listeners are never peers: that is the loop of RFC 8656 §21.1.7.
        self.admits_address(peer.ip()) && !self.is_listener(peer)
    }

    /// Whether this address may be a peer, whatever the port.
    pub(super) fn admits_address(&self, peer: IpAddr) -> bool {
        if never(peer) {
            return false;
        }
        let admitted = (is_global(peer) && !self.own.contains(&peer))
            || self.allow.iter().any(|net| net.contains(&peer));
        admitted && embedded(peer).all(|ip| self.admits_address(ip.into()))
    }

    /// Whether this is one of the addresses of this machine.
    #[cfg(test)]
    fn is_own(&self, peer: IpAddr) -> bool {
        self.own.contains(&peer)
    }

    pub(super) fn is_listener(&self, peer: SocketAddr) -> bool {
        self.listens_at(peer)
            || embedded(peer.ip()).any(|ip| self.listens_at((ip, peer.port()).into()))
    }

    fn listens_at(&self, peer: SocketAddr) -> bool {
        self.listening.iter().any(|listener| {
            listener.port() == peer.port()
                && (listener.ip() == peer.ip()
                    || (listener.ip().is_unspecified()
                        && listener.is_ipv4() == peer.is_ipv4()
                        && (peer.ip().is_loopback() || self.own.contains(&peer.ip()))))
        })
    }
}

/// Whether a client behind this address may have an allocation.
///
/// RFC 8656 §21.4: "a TURN server MUST NOT accept Teredo or 6to4 addresses in these requests".
pub(super) fn is_tunnel(client: IpAddr) -> bool {
    match client {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => teredo(ip) || six_to_four(ip),
    }
}

/// Whether an address is global unicast and means nobody but its holder.
pub(super) fn is_global(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_global_v4(ip),
        IpAddr::V6(ip) => is_global_v6(ip),
    }
}

/// No single host is behind these, so no configuration lifts them; the mapped form is the address
/// of another family (0.0.0.0, ::1 and :: once went through in a widespread server, as
/// CVE-2020-26262).
fn never(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_unspecified() || ip.is_broadcast() || ip.is_multicast(),
        IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast() || ip.to_ipv4_mapped().is_some(),
    }
}

/// The IPv4 addresses that a translator or tunnel would make of an IPv6 address. Whoever lifts, say,
/// ::/0 does not mean the denied ones among them.
fn embedded(ip: IpAddr) -> impl Iterator<Item = Ipv4Addr> {
    let [first, second] = match ip {
        IpAddr::V4(_) => [None, None],
        IpAddr::V6(ip) => embedded_v4(ip),
    };
    first.into_iter().chain(second)
}

fn embedded_v4(ip: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let [a, b, c, d, e, f, high, low] = ip.segments();
    let last = v4(high, low);
    match [a, b, c, d, e, f] {
        // IPv4-mapped and, below it, IPv4-compatible, of which :: and ::1 are none.
        [0, 0, 0, 0, 0, 0xFFFF] => [Some(last), None],
        [0, 0, 0, 0, 0, 0] if last.to_bits() > 1 => [Some(last), None],
        // NAT64: RFC 6052, and RFC 8215 for local use.
        [0x64, 0xFF9B, 0, 0, 0, 0] | [0x64, 0xFF9B, 1, ..] => [Some(last), None],
        // Teredo (RFC 4380 §4): the server, and the client with its bits turned over.
        [0x2001, 0, ..] => [Some(v4(c, d)), Some(v4(!high, !low))],
        // 6to4 (RFC 3056 §2).
        [0x2002, ..] => [Some(v4(b, c)), None],
        _ => [None, None],
    }
}

fn v4(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

/// Addresses of documentation count as global: nobody is there, and nothing leads to them.
fn is_global_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !matches!(
        (a, b, c),
        (0, ..)                 // this network
        | (10, ..)              // private
        | (100, 64..=127, _)    // shared, RFC 6598
        | (127, ..)             // loopback
        | (169, 254, _)         // link-local
        | (172, 16..=31, _)     // private
        | (192, 0, 0)           // IETF protocol assignments
        | (192, 88, 99)         // 6to4 relays
        | (192, 168, _)         // private
        | (198, 18..=19, _)     // benchmarking
        | (224.., ..) // multicast, reserved, broadcast
    )
}

/// Only 2000::/3 is global unicast so far. That leaves out ::, ::1, mapped and compatible IPv4,
/// NAT64 (64:ff9b::/96, 64:ff9b:1::/48), discard (100::/64), fc00::/7, fe80::/10 and ff00::/8.
fn is_global_v6(ip: Ipv6Addr) -> bool {
    let [first, ..] = ip.segments();
    first & 0xE000 == 0x2000 && !ietf_assignment(ip) && !six_to_four(ip)
}

/// 2001::/23 (RFC 2928), where no host of anybody's is: Teredo, benchmarking, ORCHID, and anycast
/// addresses of protocols, as in 192.0.0.0/24.
fn ietf_assignment(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    first == 0x2001 && second < 0x0200
}

fn teredo(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    first == 0x2001 && second == 0
}

fn six_to_four(ip: Ipv6Addr) -> bool {
    let [first, ..] = ip.segments();
    first == 0x2002
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(allow: &[&str]) -> Policy {
        let allow: Vec<_> = allow.iter().map(|net| net.parse().unwrap()).collect();
        let listening = vec![
            "0.0.0.0:3478".parse().unwrap(),
            "[2001:db8::7]:3478".parse().unwrap(),
        ];
        let own = ["203.0.113.7", "10.0.0.7", "2001:db8::7"];
        Policy::new(&allow, listening, own.map(|ip| ip.parse().unwrap()).into())
    }

    fn admits(policy: &Policy, ip: &str) -> bool {
        let ip: IpAddr = ip.parse().unwrap();
        assert_eq!(
            policy.admits(SocketAddr::new(ip, 9)),
            policy.admits_address(ip)
        );
        policy.admits_address(ip)
    }

    #[test]
    fn only_global_unicast_is_admitted() {
        let policy = policy(&[]);
        for ip in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "203.0.113.7",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:1:2:3:4:5:6",
            "2001:1::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:1ff:ffff::1",
            "2002:7f00:1::1",
            "2001:db8::7",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!admits(&policy, ip), "{ip}");
        }
        for ip in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.0.0.1",
            "128.0.0.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.0.1",
            "192.169.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "203.0.113.8",
            "223.255.255.255",
            "2001:200::1",
            "2001:db8::8",
            "2a00:1450::1",
            "2001:4860::8888",
            "2003::1",
        ] {
            assert!(admits(&policy, ip), "{ip}");
        }
    }

    #[test]
    fn allow_lifts_ranges_and_own_addresses_but_no_listener() {
        let policy = policy(&["127.0.0.0/8", "203.0.113.7/32", "fd00::/8"]);
        assert!(admits(&policy, "127.0.0.1"));
        assert!(admits(&policy, "fd00::1"));
        assert!(admits(&policy, "203.0.113.7"));
        assert!(!admits(&policy, "10.0.0.1"));
        assert!(!admits(&policy, "::ffff:127.0.0.1"));
        for listener in ["127.0.0.1:3478", "203.0.113.7:3478", "[2001:db8::7]:3478"] {
            assert!(!policy.admits(listener.parse().unwrap()), "{listener}");
        }
        assert!(policy.admits("203.0.113.8:3478".parse().unwrap()));
    }

    #[test]
    fn allowing_everything_still_admits_no_group_and_no_disguise() {
        let policy = policy(&["0.0.0.0/0", "::/0"]);
        for ip in [
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "::",
            "ff02::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(!admits(&policy, ip), "{ip}");
        }
        assert!(admits(&policy, "64:ff9b::7f00:1"));
        // The listener is 0.0.0.0:3478.
        let disguised = "[64:ff9b::7f00:1]:3478".parse().unwrap();
        assert!(!policy.admits(disguised));
        assert!(policy.is_own("10.0.0.7".parse().unwrap()) && admits(&policy, "10.0.0.7"));
    }

    #[test]
    fn allowing_ipv6_lifts_no_ipv4_address_inside() {
        let policy = policy(&["::/0"]);
        for ip in [
            "::127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::cb00:7107", // ours
            "64:ff9b:1::a00:1",
            "2002:7f00:1::1",
            "2002:c0a8:101::1",
            "2001:0:a00:1::f7f7:f7f7",   // its server is 10.0.0.1
            "2001:0:808:808::f5ff:fffe", // its client is 10.0.0.1
        ] {
            assert!(!admits(&policy, ip), "{ip}");
        }
        for ip in [
            "::1",
            "::8.8.8.8",
            "64:ff9b::808:808",
            "64:ff9b:1::808:808",
            "2002:808:808::1",
            "2001:0:808:808::f7f7:f7f7",
            "fc00::1",
        ] {
            assert!(admits(&policy, ip), "{ip}");
        }
    }

    #[test]
    fn tunnelled_clients_are_known() {
        assert!(is_tunnel("2002::1".parse().unwrap()));
        assert!(is_tunnel("2001::1".parse().unwrap()));
        assert!(!is_tunnel("2001:db8::1".parse().unwrap()));
    }
}
