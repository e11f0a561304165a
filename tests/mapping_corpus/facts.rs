//! What Jingle clients say of a call is in the SDP that a browser gets.
//!
//! Beside each recorded stanza in `tests/corpus` lies `NAME.facts`: what it says, read from its XML
//! by a program that knows the XEPs and nothing of Campana. The SDP is read here as text, so that no
//! mistake of our parser hides one of the mapping.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use campana::mapping::{self, Dialect};

use crate::recording::{Recording, recordings};

/// Section (empty for the session) and what is said of it.
type Facts = BTreeSet<(String, String)>;

#[test]
fn what_clients_say_is_in_the_sdp() {
    let mut said = 0;
    let mut excused: BTreeMap<&str, usize> = BTreeMap::new();
    let mut lost = Vec::new();
    let stanzas = recordings("xml");
    assert!(stanzas.len() > 100, "only {} stanzas", stanzas.len());
    for own in stanzas {
        let facts = expected(&own.path.with_extension("facts"));
        said += facts.len();
        let found = sdp_facts(&to_sdp(&own));
        for fact in facts.difference(&found) {
            match excuse(own.program(), fact, &facts) {
                Some(reason) => *excused.entry(reason).or_default() += 1,
                None => lost.push(format!("{own}: {} {}", fact.0, fact.1)),
            }
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
    assert!(said > 10_000, "only {said} facts were read");
    assert_eq!(
        excused.len(),
        3,
        "an excuse that nothing needs: {excused:?}"
    );
}

/// Why a fact cannot, or must not, be in the SDP.
fn excuse(client: &str, (section, fact): &(String, String), all: &Facts) -> Option<&'static str> {
    let says = |fact: &str| all.contains(&(section.clone(), fact.to_owned()));
    let (name, value) = fact.split_once(' ').unwrap_or((fact, ""));
    match name {
        "direction" | "extmap-allow-mixed" if says("media application") => {
            Some("an attribute of RTP, said of data channels")
        }
        "fmtp" if client == "monal" && (value.contains('_') || value.contains("encodings=")) => {
            Some("spoilt by Monal's SDP library, and repaired")
        }
        "msid" if client == "movim" => all
            .iter()
            .any(|(own, other)| own == section && other.starts_with(&format!("{fact} ")))
            .then_some("said again without its track, which old engines refuse"),
        _ => None,
    }
}

fn to_sdp(own: &Recording) -> String {
    let mapped = mapping::to_sdp(&own.jingle(), own.owner(), own.kind(), &Dialect::STRICT);
    let (sdp, _) = mapped.unwrap_or_else(|error| panic!("{own}: {error}"));
    sdp.to_string()
}

/// The facts of an SDP, in the words of `*.facts`.
fn sdp_facts(text: &str) -> Facts {
    let mut parts = text.split("\r\nm=");
    let session = parts.next().unwrap();
    let sections: Vec<_> = parts.collect();
    let mids: Vec<_> = sections
        .iter()
        .filter_map(|own| value(own, "mid"))
        .collect();
    let mut facts = Facts::new();
    facts.insert((String::new(), format!("order {}", mids.join(" "))));
    for group in session
        .lines()
        .filter_map(|own| own.strip_prefix("a=group:"))
    {
        facts.insert((String::new(), format!("group {group}")));
    }
    for (mid, section) in mids.iter().zip(&sections) {
        let mut add = |fact: String| facts.insert(((*mid).to_owned(), fact));
        section_facts(section, &mut add);
    }
    facts
}

fn section_facts(section: &str, add: &mut impl FnMut(String) -> bool) {
    let mut lines = section.lines();
    let mut words = lines.next().unwrap().split(' ');
    add(format!("media {}", words.next().unwrap()));
    if words.nth(1).unwrap().contains("SCTP") {
        add("proto SCTP".to_owned());
    }
    let formats: Vec<_> = words.collect();
    add(format!("pt-order {}", formats.join(" ")));
    for line in lines {
        if let Some(bandwidth) = line.strip_prefix("b=") {
            add(format!("b {bandwidth}"));
        }
        let Some(attribute) = line.strip_prefix("a=") else {
            continue;
        };
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        let (first, rest) = value.split_once(' ').unwrap_or((value, ""));
        match name {
            "sendrecv" | "sendonly" | "recvonly" | "inactive" => {
                add(format!("direction {name}"));
            }
            "rtpmap" => {
                let mut parts = rest.split('/');
                let encoding = parts.next().unwrap().to_lowercase();
                let (rate, channels) = (parts.next().unwrap(), parts.next().unwrap_or("1"));
                add(format!("rtpmap {first} {encoding}/{rate}/{channels}"));
            }
            "fmtp" => {
                add(format!("fmtp {first} {}", parameters(rest)));
            }
            "rtcp-fb" if first == "*" => {
                for format in &formats {
                    add(format!("rtcp-fb {format} {rest}"));
                }
            }
            "extmap" => {
                let (id, direction) = first.split_once('/').unwrap_or((first, "sendrecv"));
                add(format!("extmap {id}/{direction} {rest}"));
            }
            "fingerprint" => {
                let value = rest.to_uppercase();
                add(format!("fingerprint {} {value}", first.to_lowercase()));
            }
            "ice-options" => {
                for option in value.split(' ') {
                    add(format!("ice-options {option}"));
                }
            }
            "candidate" => candidate_facts(value, add),
            _ => {
                add(format!("{name} {value}").trim_end().to_owned());
            }
        }
    }
}

fn candidate_facts(value: &str, add: &mut impl FnMut(String) -> bool) {
    let words: Vec<_> = value.split(' ').map(str::to_lowercase).collect();
    let extension = |name: &str| {
        let at = words.iter().skip(8).position(|own| own == name)?;
        words.get(at + 9).map(String::as_str)
    };
    let mut fact = format!("candidate {} {}", words[..6].join(" "), words[7]);
    if let Some(address) = extension("raddr").filter(|own| !["0.0.0.0", "::"].contains(own)) {
        fact += &format!(" raddr {address} rport {}", extension("rport").unwrap());
    }
    if let Some(kind) = extension("tcptype") {
        fact += &format!(" tcptype {kind}");
    }
    add(fact);
    if let Some(generation) = extension("generation").filter(|own| *own != "0") {
        add(format!(
            "candidate-gen {} {} {generation}",
            words[4], words[5]
        ));
    }
}

/// Parameters in an order of their own.
fn parameters(text: &str) -> String {
    let mut all: Vec<_> = text.split(';').map(str::trim).map(str::to_owned).collect();
    for own in &mut all {
        if own.to_lowercase().starts_with("profile-level-id=") {
            *own = own.to_lowercase();
        }
    }
    all.sort_unstable();
    all.join(";")
}

fn value<'a>(section: &'a str, name: &str) -> Option<&'a str> {
    section.lines().find_map(|line| {
        line.strip_prefix("a=")?
            .strip_prefix(name)?
            .strip_prefix(':')
    })
}

fn expected(path: &Path) -> Facts {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .map(|line| line.split_once('\t').expect("a section and a fact"))
        .map(|(section, fact)| (section.to_owned(), fact.to_owned()))
        .collect()
}
