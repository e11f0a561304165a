//! The addresses of this machine, which are never peers.

use std::{
    collections::HashSet,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// All addresses of all interfaces, as Linux lists them; none elsewhere.
///
/// They change while we run, so this is read again and again.
pub(super) fn own() -> HashSet<IpAddr> {
    let v4 = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    let v6 = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let v4 = parse_fib_trie(&v4).map(IpAddr::V4);
    v4.chain(parse_if_inet6(&v6).map(IpAddr::V6)).collect()
}

/// A line with the address, and under it one that says `/32 host LOCAL`.
fn parse_fib_trie(text: &str) -> impl Iterator<Item = Ipv4Addr> {
    let mut address = None;
    text.lines().filter_map(move |line| {
        let line = line.trim();
        if let Some(text) = line.strip_prefix("|-- ") {
            address = text.parse().ok();
            return None;
        }
        let local = line.starts_with("/32 ") && line.ends_with(" LOCAL");
        local.then_some(address).flatten()
    })
}

/// One interface address per line, first the 32 hexadecimal digits.
fn parse_if_inet6(text: &str) -> impl Iterator<Item = Ipv6Addr> {
    text.lines().filter_map(|line| {
        let digits = line.split_whitespace().next()?;
        let bits = u128::from_str_radix(digits, 16).ok()?;
        Some(Ipv6Addr::from_bits(bits))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_addresses_are_found() {
        let trie = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     |-- 203.0.113.7
        /32 host LOCAL
";
        let found: Vec<_> = parse_fib_trie(trie).map(|ip| ip.to_string()).collect();
        assert_eq!(found, ["127.0.0.1", "203.0.113.7"]);
        let inet6 = "20010db8000000000000000000000007 02 40 00 80 eth0\n";
        let found: Vec<_> = parse_if_inet6(inet6).map(|ip| ip.to_string()).collect();
        assert_eq!(found, ["2001:db8::7"]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn loopback_is_one_of_ours() {
        assert!(own().contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
}
