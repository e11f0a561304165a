//! Names for those who must not be named.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use jid::{BareJid, Jid};

use crate::address::{Addresses, Named};

/// Gives the people and network addresses of one call names, always the same to the same.
#[derive(Debug)]
pub(super) struct Mask {
    pii: bool,
    addresses: Option<Addresses>,
    /// Of people and hosts, each counted by itself.
    names: HashMap<String, String>,
    counts: HashMap<&'static str, u32>,
}

impl Mask {
    /// `people` are the one who calls and the one who is called.
    pub(super) fn new(pii: bool, service: &str, [caller, callee]: &[String; 2]) -> Self {
        let mut names = HashMap::new();
        if !pii {
            names.insert(callee.clone(), "callee".to_owned());
            names.insert(caller.clone(), "caller".to_owned());
        }
        Self {
            pii,
            addresses: BareJid::new(service).ok().map(Addresses::new),
            names,
            counts: HashMap::new(),
        }
    }

    /// Whether everything is shown.
    pub(super) fn is_open(&self) -> bool {
        self.pii
    }

    /// A JID: `caller/device-1` for `juliet@example.org/balcony`, `callee@gateway/leg-1` for a
    /// gateway address that stands for somebody.
    pub(super) fn jid(&mut self, text: &str) -> String {
        if self.pii {
            return text.to_owned();
        }
        let Ok(jid) = Jid::new(text) else {
            return HIDDEN.to_owned();
        };
        let bare = jid.to_bare();
        let named = self.addresses.as_ref().and_then(|it| it.named(&jid));
        let (person, of_device) = match named {
            Some(Named::Service) => ("service".to_owned(), "leg"),
            Some(Named::Person(person)) => {
                let person = self.name("person", person.as_str());
                (format!("{person}@gateway"), "leg")
            }
            Some(Named::Reserved) => (self.name("address", bare.as_str()), "leg"),
            None if bare.node().is_none() => (self.name("server", bare.as_str()), "device"),
            None => (self.name("person", bare.as_str()), "device"),
        };
        match jid.resource() {
            None => person,
            // Numbered for each person, as people count their devices.
            Some(resource) => {
                let key = format!("{bare}/{resource}");
                let known = self.names.get(&key).cloned();
                known.unwrap_or_else(|| {
                    let others = format!("{bare}/");
                    let taken = self.names.keys().filter(|it| it.starts_with(&others));
                    let name = format!("{person}/{of_device}-{}", taken.count() + 1);
                    self.remember(key, &name);
                    name
                })
            }
        }
    }

    /// An IP address, or the name of a host: `private-ipv4-1` for `192.168.1.7`.
    pub(super) fn host(&mut self, text: &str) -> String {
        if self.pii {
            return text.to_owned();
        }
        match text.parse::<IpAddr>() {
            Ok(ip) if ip.is_unspecified() => text.to_owned(),
            Ok(ip) => self.name(kind(ip), &ip.to_string()),
            Err(_) if text.is_empty() => String::new(),
            Err(_) if text.ends_with(".local") => self.name("mdns", text),
            Err(_) => self.name("host", text),
        }
    }

    /// Any text: what looks like an address in it is named or hidden.
    pub(super) fn text(&mut self, text: &str) -> String {
        if self.pii {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        let delimits = |c: char| c.is_whitespace() || "<>\"'()[]{},;|=".contains(c);
        for piece in text.split_inclusive(delimits) {
            let end = piece
                .char_indices()
                .next_back()
                .filter(|(_, c)| delimits(*c));
            let (word, end) = piece.split_at(end.map_or(piece.len(), |(at, _)| at));
            if word.contains(['@', '\u{ff20}', '\u{fe6b}'])
                || word.contains("\\40")
                || word.contains("%40")
            {
                out.push_str(HIDDEN);
            } else if word.ends_with(".local") {
                out.push_str(&self.host(word));
            } else {
                self.word(word, &mut out);
            }
            out.push_str(end);
        }
        out
    }

    /// A word without blanks, in which an IP address may stand.
    fn word(&mut self, word: &str, out: &mut String) {
        let digit = |c: char| c.is_ascii_hexdigit() || c == ':' || c == '.';
        let mut rest = word;
        while let Some(start) = rest.find(digit) {
            let (before, from) = rest.split_at(start);
            out.push_str(before);
            let end = from.find(|c| !digit(c)).unwrap_or(from.len());
            let (run, behind) = from.split_at(end);
            rest = behind;
            let bare = run.trim_matches('.');
            let ip = bare.parse::<IpAddr>();
            if let Ok(ip) = ip.or_else(|_| bare.trim_matches(':').parse()) {
                out.push_str(&self.host(&ip.to_string()));
            } else if let Ok(socket) = run.parse::<SocketAddr>() {
                let host = self.host(&socket.ip().to_string());
                out.push_str(&format!("{host}:{}", socket.port()));
            } else {
                four_numbers(run, out);
            }
        }
        out.push_str(rest);
    }

    fn name(&mut self, kind: &'static str, of: &str) -> String {
        if let Some(name) = self.names.get(of) {
            return name.clone();
        }
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let name = format!("{kind}-{count}");
        self.remember(of.to_owned(), &name);
        name
    }

    /// A call with more names than this is no call, and may lose track of who is who.
    fn remember(&mut self, of: String, name: &str) {
        if self.names.len() < NAMES && of.len() <= NAME_BYTES {
            self.names.insert(of, name.to_owned());
        }
    }
}

/// Digits, letters up to f, colons and dots that are no address as a whole: four numbers and
/// three dots anywhere in it are one.
fn four_numbers(run: &str, out: &mut String) {
    let dotted = |c: char| c.is_ascii_digit() || c == '.';
    let mut rest = run;
    while let Some(start) = rest.find(dotted) {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let end = from.find(|c| !dotted(c)).unwrap_or(from.len());
        let (numbers, behind) = from.split_at(end);
        rest = behind;
        let bytes = numbers.split('.').filter(|part| part.parse::<u8>().is_ok());
        if numbers.matches('.').count() >= 3 && bytes.count() >= 4 {
            out.push_str(HIDDEN);
        } else {
            out.push_str(numbers);
        }
    }
    out.push_str(rest);
}

fn kind(ip: IpAddr) -> &'static str {
    match ip.to_canonical() {
        IpAddr::V4(ip) => kind_v4(ip),
        IpAddr::V6(ip) => kind_v6(ip),
    }
}

fn kind_v4(ip: Ipv4Addr) -> &'static str {
    let shared = matches!(ip.octets(), [100, 64..=127, ..]);
    if ip.is_loopback() {
        "loopback-ipv4"
    } else if ip.is_private() {
        "private-ipv4"
    } else if shared {
        "shared-ipv4"
    } else if ip.is_link_local() {
        "link-local-ipv4"
    } else {
        "public-ipv4"
    }
}

fn kind_v6(ip: Ipv6Addr) -> &'static str {
    if ip.is_loopback() {
        "loopback-ipv6"
    } else if ip.is_unique_local() {
        "private-ipv6"
    } else if ip.is_unicast_link_local() {
        "link-local-ipv6"
    } else {
        "public-ipv6"
    }
}

/// In the place of what must not be shown and needs no name.
pub(super) const HIDDEN: &str = "…";
const NAMES: usize = 1000;
const NAME_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn mask() -> Mask {
        let people = [
            "romeo@example.net".to_owned(),
            "juliet@example.org".to_owned(),
        ];
        Mask::new(false, "call.example.org", &people)
    }

    #[test]
    fn people_are_caller_and_callee_and_their_devices_are_numbered() {
        let mut mask = mask();
        for (jid, name) in [
            ("romeo@example.net/orchard", "caller/device-1"),
            ("romeo@example.net", "caller"),
            ("Romeo@EXAMPLE.net/street", "caller/device-2"),
            ("romeo@example.net/orchard", "caller/device-1"),
            (
                "juliet\\40example.org@call.example.org/k1",
                "callee@gateway/leg-1",
            ),
            ("juliet\\40example.org@call.example.org", "callee@gateway"),
            ("call.example.org", "service"),
            ("nurse@example.org/a@b", "person-1/device-1"),
            ("example.org", "server-1"),
            ("not a jid@", "…"),
        ] {
            assert_eq!(mask.jid(jid), name, "{jid}");
        }
    }

    #[test]
    fn what_looks_like_an_address_is_hidden_in_any_text() {
        let mut mask = mask();
        for (text, masked) in [
            ("gone: juliet@example.org/x (bye)", "gone: … (bye)"),
            (
                "candidate:1 1 udp 2 192.168.1.7 5000 typ srflx raddr 192.168.1.7",
                "candidate:1 1 udp 2 private-ipv4-1 5000 typ srflx raddr private-ipv4-1",
            ),
            (
                "[2001:db8::1]:80 fe80::1",
                "[public-ipv6-1]:80 link-local-ipv6-1",
            ),
            ("203.0.113.9:3478.", "…:3478."),
            ("x203.0.113.9y 1.2.3.4.5", "xpublic-ipv4-1y …"),
            ("c=IN IP4 0.0.0.0", "c=IN IP4 0.0.0.0"),
            ("x:2001:db8::2: y", "xpublic-ipv6-2 y"),
            ("a1b2.local", "mdns-1"),
            ("cname:user%40host", "…"),
            (
                "a=fingerprint:sha-256 AA:BB:CC:DD:EE:FF",
                "a=fingerprint:sha-256 AA:BB:CC:DD:EE:FF",
            ),
            ("a=ssrc-group:FID 1 2", "a=ssrc-group:FID 1 2"),
        ] {
            assert_eq!(mask.text(text), masked);
        }
    }

    #[test]
    fn nobody_makes_it_grow_without_bound() {
        let mut mask = mask();
        for n in 0..3 * NAMES {
            mask.jid(&format!("p{n}@example.com/x"));
        }
        assert!(mask.names.len() <= NAMES);
    }
}
