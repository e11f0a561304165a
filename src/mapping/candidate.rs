//! Candidates: XEP-0176 §5.3.

use crate::jingle::ice_udp;
use crate::sdp::{ByteString, Candidate, Related, Token, Word};

use super::{Dialect, Refusal, Report, Why};

/// What a browser's `icecandidate` event says and its `addIceCandidate` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trickle {
    /// `sdpMid`.
    pub mid: Option<String>,
    /// `sdpMLineIndex`; used where `mid` is missing.
    pub index: Option<usize>,
    /// `usernameFragment`.
    pub ufrag: Option<String>,
    /// `candidate:…`; `None` is the end of candidates: of this section, or of all when `mid` and
    /// `index` are missing too.
    pub candidate: Option<String>,
}

impl Trickle {
    /// Checks that another browser may have it as it stands: a candidate of one line (RFC 8839
    /// §5.1), and names without blanks.
    ///
    /// # Errors
    /// [`Refusal::Candidate`].
    pub fn check(&self) -> Result<(), Refusal> {
        let is_line =
            |line: &String| ByteString::new(line).is_ok() && Candidate::parse(line).is_ok();
        let is_word = |word: &String| Word::new(word).is_ok();
        let sound =
            self.candidate.iter().all(is_line) && self.mid.iter().chain(&self.ufrag).all(is_word);
        sound.then_some(()).ok_or(Refusal::Candidate)
    }
}

/// The candidate as Jingle says it, or why it is not said.
pub(super) fn to_jingle(
    candidate: &Candidate,
    ufrag: Option<&str>,
    dialect: &Dialect,
) -> Result<ice_udp::Candidate, Why> {
    if !is_lawful(candidate) {
        return Err(Why::Malformed);
    }
    // A candidate of an earlier generation, whose credentials nobody knows any more. Sent with the
    // new ones it would look like the answer to a restart.
    if let (Some(own), Some(current)) = (candidate.ufrag(), ufrag)
        && own != current
    {
        return Err(Why::Meaningless);
    }
    let protocol = candidate.transport.to_ascii_lowercase();
    let tcp_type = candidate.tcp_type().filter(|_| protocol == "tcp");
    if !is_wanted(&protocol, &candidate.address, dialect) {
        return Err(Why::Dialect);
    }
    let related = candidate
        .related
        .as_ref()
        .filter(|related| !is_hidden(&related.address));
    let mut own = ice_udp::Candidate {
        component: candidate.component,
        foundation: candidate.foundation.as_str().to_owned(),
        generation: candidate.generation().unwrap_or(0),
        id: None,
        ip: candidate.address.as_str().to_owned(),
        network: Some("0".to_owned()),
        port: candidate.port,
        priority: candidate.priority,
        protocol,
        related_address: related.map(|related| related.address.as_str().to_owned()),
        related_port: related.map(|related| related.port),
        tcp_type: tcp_type.map(|kind| kind.as_str().to_owned()),
        kind: candidate.kind.as_str().to_owned(),
    };
    own.id = Some(name(&own));
    Ok(own)
}

/// Whether XEP-0176's schema has a place for it.
pub(super) fn is_lawful(candidate: &Candidate) -> bool {
    let is = |protocol: &&str| candidate.transport.eq_ignore_ascii_case(protocol);
    let tcp_type = candidate.tcp_type().filter(|_| is(&"tcp"));
    KINDS.contains(&candidate.kind.as_str())
        && PROTOCOLS.iter().any(is)
        && is_foundation(&candidate.foundation)
        && candidate.priority != 0
        && tcp_type.is_none_or(|kind| TCP_TYPES.contains(&kind.as_str()))
}

/// The candidate as SDP says it; `None`, and told, when it is not one that a browser could take.
pub(super) fn to_sdp(
    candidate: &ice_udp::Candidate,
    section: &str,
    report: &mut Report,
) -> Option<Candidate> {
    let own = line(candidate);
    if own.is_none() {
        report.note(Some(section), "candidate", Why::Malformed);
    } else if candidate.tcp_type.is_some() && candidate.protocol != "tcp" {
        report.note(Some(section), "tcptype", Why::Meaningless);
    }
    own
}

fn line(candidate: &ice_udp::Candidate) -> Option<Candidate> {
    let protocol = candidate.protocol.as_str();
    let tcp_type = candidate.tcp_type.as_deref().filter(|_| protocol == "tcp");
    let address = Word::new(&candidate.ip).ok()?;
    let related = match candidate.related_address.as_deref() {
        Some(related) => Some(Related {
            address: Word::new(related).ok()?,
            port: candidate.related_port.unwrap_or(0),
        }),
        None if candidate.kind == "host" => None,
        // Hidden for privacy. libwebrtc and Firefox want the words to be there.
        None => {
            let hidden = if address.contains(':') {
                "::"
            } else {
                "0.0.0.0"
            };
            Some(Related {
                address: Word::literal(hidden),
                port: 0,
            })
        }
    };
    let mut extensions = Vec::new();
    if let Some(kind) = tcp_type {
        let kind = Word::new(&kind.to_ascii_lowercase()).ok()?;
        extensions.push((Word::literal(TCP_TYPE), kind));
    }
    if candidate.generation != 0 {
        let generation = Word::from(u64::from(candidate.generation));
        extensions.push((Word::literal("generation"), generation));
    }
    Some(Candidate {
        foundation: Word::new(&candidate.foundation).ok()?,
        component: candidate.component,
        transport: Token::new(protocol).ok()?,
        priority: candidate.priority,
        address,
        port: candidate.port,
        kind: Token::new(&candidate.kind).ok()?,
        related,
        extensions,
    })
    .filter(is_for_browser)
}

/// Whether browsers read it. libwebrtc refuses a whole description over a kind, a protocol or a
/// `tcptype` that it does not know, Firefox over a character that is not ASCII.
pub(super) fn is_for_browser(candidate: &Candidate) -> bool {
    let is = |protocol: &&str| candidate.transport.eq_ignore_ascii_case(protocol);
    let words = candidate.extensions.iter();
    let words = words.flat_map(|(name, value)| [name, value]);
    let related = candidate.related.iter().map(|own| &own.address);
    let mut words = words
        .chain(related)
        .chain([&candidate.foundation, &candidate.address]);
    KINDS.contains(&candidate.kind.as_str())
        && PROTOCOLS.iter().any(is)
        && candidate.foundation.len() <= 32
        && candidate
            .tcp_type()
            .is_none_or(|kind| is(&"tcp") && TCP_TYPES.contains(&kind.as_str()))
        && words.all(|word| word.is_ascii())
}

/// Says what browsers want to hear and the peer left open.
pub(super) fn complete(candidate: &mut Candidate) {
    // Conversations and the XEP-0176 of old know no `tcptype`, which RFC 6544 §4.5 requires. Who
    // only calls has port 9; libwebrtc takes all others for those that can be called, and would
    // call that one, too.
    if candidate.transport.eq_ignore_ascii_case("tcp") && candidate.tcp_type().is_none() {
        let kind = if candidate.port == DISCARD {
            "active"
        } else {
            "passive"
        };
        let own = (Word::literal(TCP_TYPE), Word::literal(kind));
        candidate.extensions.insert(0, own);
    }
    // RFC 8839 §5.1 has no 0 and nothing above.
    candidate.priority = match candidate.priority {
        0 => priority(candidate),
        own => own.min(HIGHEST),
    };
}

/// RFC 8445 §5.1.2, for a host with one address.
fn priority(candidate: &Candidate) -> u32 {
    let preference = match candidate.kind.as_str() {
        "host" => 126,
        "prflx" => 110,
        "srflx" => 100,
        _ => 0,
    };
    (preference << 24) + (65_535 << 8) + 256_u32.saturating_sub(candidate.component.into())
}

/// Whether a peer's candidate can be passed on to another.
pub(super) fn is_for(candidate: &ice_udp::Candidate, dialect: &Dialect) -> bool {
    KINDS.contains(&candidate.kind.as_str())
        && is_wanted(&candidate.protocol, &candidate.ip, dialect)
}

/// An NCName that is the same whenever the same candidate is sent, and differs from all others of
/// the section.
pub(super) fn name(candidate: &ice_udp::Candidate) -> String {
    let mut hash = super::Fnv::default();
    let related = candidate.related_address.as_deref();
    for text in [
        candidate.foundation.as_str(),
        &candidate.protocol,
        &candidate.ip,
        &candidate.kind,
        candidate.tcp_type.as_deref().unwrap_or_default(),
        related.unwrap_or_default(),
    ] {
        hash.write(text.as_bytes());
    }
    hash.write(&candidate.priority.to_be_bytes());
    hash.write(&candidate.port.to_be_bytes());
    hash.write(&candidate.component.to_be_bytes());
    hash.write(&candidate.related_port.unwrap_or(0).to_be_bytes());
    format!("c{:016x}", hash.finish())
}

/// RFC 8839 §5.1: at most 32 ice-chars.
fn is_foundation(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

fn is_wanted(protocol: &str, address: &str, dialect: &Dialect) -> bool {
    (dialect.tcp || protocol == "udp")
        && (dialect.mdns || !is_mdns(address))
        && (dialect.link_local || !is_link_local(address))
}

fn is_mdns(address: &str) -> bool {
    address.len() > 6
        && address
            .get(address.len() - 6..)
            .is_some_and(|end| end.eq_ignore_ascii_case(".local"))
}

fn is_link_local(address: &str) -> bool {
    match address.parse() {
        Ok(std::net::IpAddr::V6(address)) => address.is_unicast_link_local(),
        Ok(std::net::IpAddr::V4(address)) => address.is_link_local(),
        Err(_) => false,
    }
}

fn is_hidden(address: &str) -> bool {
    matches!(address, "0.0.0.0" | "::")
}

/// What XEP-0176's schema allows as `type`.
const KINDS: [&str; 4] = ["host", "srflx", "prflx", "relay"];

/// RFC 8839 §5.1 and RFC 6544 §4.5.
const PROTOCOLS: [&str; 2] = ["udp", "tcp"];

/// The port of a candidate that only calls (RFC 6544 §4.5).
const DISCARD: u16 = 9;

/// The greatest priority.
const HIGHEST: u32 = 0x7fff_ffff;

/// RFC 6544 §4.5.
const TCP_TYPE: &str = "tcptype";

/// RFC 6544 §4.5.
const TCP_TYPES: [&str; 3] = ["active", "passive", "so"];
