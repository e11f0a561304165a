//! Recorded descriptions survive the way to the other side and back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use campana::jingle::{Action, Jingle, Role, Sid, session};
use campana::mapping::{self, Dialect, Kind};
use campana::sdp::{Attribute, ByteString, Candidate, Limits, Media, Session};
use campana::xml::{self, Document, Element};

#[test]
fn sdp_comes_back_from_jingle_with_every_fact() {
    let mut mappings = 0;
    for (path, text) in corpus("sdp") {
        let original = Session::parse(&text, &Limits::default())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let kind = if path.to_string_lossy().contains(".answer.") {
            Kind::Answer
        } else {
            Kind::Offer
        };
        let owners: &[Role] = match kind {
            Kind::Offer => &[Role::Initiator, Role::Responder],
            Kind::Answer => &[Role::Responder],
        };
        for owner in owners {
            let sid = Sid::new("a").unwrap();
            let (jingle, _) = mapping::to_jingle(&original, sid, *owner, kind, &Dialect::STRICT)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let xml = jingle.to_xml();
            let read = parse(&xml).expect("a jingle element");
            let (back, report) = mapping::to_sdp(&read, *owner, kind, &Dialect::STRICT)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let (before, after) = (facts(&original), facts(&back));
            let lost: Vec<_> = before.difference(&after).collect();
            let invented: Vec<_> = after.difference(&before).collect();
            assert!(lost.is_empty(), "{}: lost {lost:#?}", path.display());
            assert!(
                invented.is_empty(),
                "{}: invented {invented:#?}",
                path.display()
            );
            assert!(report.is_empty(), "{}: {report:?}", path.display());
            mappings += 1;
        }
    }
    assert!(mappings > 50, "only {mappings} mappings were tried");
}

#[test]
fn sdp_is_written_as_it_was_read() {
    let mut files = 0;
    for (path, text) in corpus("sdp") {
        let session = Session::parse(&text, &Limits::default()).unwrap();
        let written = session.to_string();
        // A blank at the end of a line is layout to those that write it.
        let trimmed = |text: &str| {
            text.lines()
                .map(|line| line.trim_end().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(trimmed(&written), trimmed(&text), "{}", path.display());
        files += 1;
    }
    assert!(files > 40, "only {files} files were found");
}

#[test]
fn jingle_of_every_client_is_understood_and_said_again() {
    let mut mapped = 0;
    for (path, text) in corpus("xml") {
        let jingle = parse(&text).unwrap_or_else(|| panic!("{}: no jingle", path.display()));
        // What is written once is read and written the same from then on.
        let written = jingle.to_xml();
        assert_eq!(
            parse(&written).unwrap().to_xml(),
            written,
            "{}",
            path.display()
        );
        let (owner, kind) = match jingle.action {
            Action::SessionInitiate => (Role::Initiator, Kind::Offer),
            Action::SessionAccept => (Role::Responder, Kind::Answer),
            _ => continue,
        };
        let (sdp, report) = mapping::to_sdp(&jingle, owner, kind, &Dialect::STRICT)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // sdp-jingle-json's data channels say neither what they are nor that they are SCTP.
        let contents: Vec<_> = jingle
            .contents
            .iter()
            .filter(|own| own.description.is_some() || own.ice().unwrap().sctp.is_some())
            .collect();
        assert_eq!(sdp.media.len(), contents.len(), "{}", path.display());
        for (media, content) in sdp.media.iter().zip(contents) {
            // Data channels have one format and no payload type.
            let payloads = content.rtp().map_or(1, |rtp| rtp.payloads.len().max(1));
            assert_eq!(
                media.formats.len(),
                payloads,
                "{}: {report:?}",
                path.display()
            );
            let candidates = content.ice().unwrap().candidates.len();
            assert_eq!(media.candidates().count(), candidates, "{}", path.display());
        }
        let text = sdp.to_string();
        assert_eq!(
            Session::parse(&text, &Limits::default())
                .unwrap()
                .to_string(),
            text
        );
        mapped += 1;
    }
    assert!(mapped > 20, "only {mapped} stanzas were mapped");
}

#[test]
fn clients_agree_on_what_chrome_said() {
    let text = read("chrome156/audio-video-data.offer.sdp");
    let offer = Session::parse(&text, &Limits::default()).unwrap();
    for client in [
        "conversations",
        "movim",
        "jitsi",
        "stanza",
        "sdp-jingle-json",
    ] {
        let jingle = parse(&read(&format!("{client}/chrome156-audio-video.offer.xml"))).unwrap();
        let (sdp, _) =
            mapping::to_sdp(&jingle, Role::Initiator, Kind::Offer, &Dialect::STRICT).unwrap();
        // lib-jitsi-meet, sdp-jingle-json and Movim mistake a payload type for another, or drop one.
        let exact = matches!(client, "conversations" | "stanza");
        for (own, original) in sdp.media.iter().zip(&offer.media) {
            assert_eq!(own.kind, original.kind, "{client}");
            assert_eq!(own.direction(), original.direction(), "{client}");
            if exact {
                assert_eq!(own.formats, original.formats, "{client}");
            }
        }
    }
}

/// What a description says, without what need not survive: order, layout, session level.
fn facts(session: &Session) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    let rejected: Vec<_> = session
        .media
        .iter()
        .filter(|media| media.is_rejected())
        .filter_map(|media| media.mid().map(|mid| mid.as_str().to_owned()))
        .collect();
    for group in session.groups() {
        let mids: Vec<_> = group
            .mids
            .iter()
            .map(|mid| mid.as_str().to_owned())
            .filter(|mid| !rejected.contains(mid))
            .collect();
        if !mids.is_empty() {
            facts.insert(format!("group {} {mids:?}", group.semantics));
        }
    }
    for (index, media) in session.media.iter().enumerate() {
        let mid = media
            .mid()
            .map_or_else(|| index.to_string(), |mid| mid.as_str().to_owned());
        let mut add = |fact: String| facts.insert(format!("{index} {mid} {}", fact.trim()));
        add(format!("{} rejected: {}", media.kind, media.is_rejected()));
        if media.is_rejected() {
            continue;
        }
        if media.is_rtp() {
            add(format!("{} {:?}", media.protocol, media.formats));
        }
        for bandwidth in &media.bandwidths {
            add(bandwidth.to_string());
        }
        let inherited = session.attributes.iter().filter(|own| {
            matches!(
                own,
                Attribute::Fingerprint(_)
                    | Attribute::Setup(_)
                    | Attribute::IceUfrag(_)
                    | Attribute::IcePwd(_)
                    | Attribute::ExtMapAllowMixed
            ) && (media.is_rtp() || **own != Attribute::ExtMapAllowMixed)
                && !media.attributes.iter().any(|one| one.name() == own.name())
        });
        for attribute in media.attributes.iter().chain(inherited) {
            if let Some(fact) = fact(attribute, media) {
                add(fact);
            }
        }
        if media.is_rtp() && media.direction().is_none() {
            add("sendrecv".to_owned());
        }
        if !media
            .attributes
            .iter()
            .any(|own| matches!(own, Attribute::Msid(_)))
        {
            for attribute in &media.attributes {
                if let Attribute::Ssrc(ssrc) = attribute
                    && ssrc.name.as_str() == "msid"
                {
                    add(format!(
                        "msid {}",
                        ssrc.value.as_deref().unwrap_or_default()
                    ));
                }
            }
        }
    }
    facts
}

fn fact(attribute: &Attribute, media: &Media) -> Option<String> {
    Some(match attribute {
        Attribute::Mid(_) | Attribute::IceOptions(_) => return None,
        Attribute::Other { name, .. } if ["rtcp", "msid-semantic"].contains(&name.as_str()) => {
            return None;
        }
        Attribute::Direction(_) if !media.is_rtp() => return None,
        Attribute::Ssrc(ssrc) if ["msid", "mslabel", "label"].contains(&ssrc.name.as_str()) => {
            return None;
        }
        Attribute::Msid(msid) => format!("msid {msid}"),
        Attribute::Candidate(candidate) => plain(candidate),
        Attribute::RtpMap(map) => {
            let (name, rate) = (map.encoding.to_ascii_lowercase(), map.clock_rate);
            format!("rtpmap {} {name} {rate} {}", map.payload, map.channels())
        }
        Attribute::Fmtp(fmtp) if !media.formats.contains(&fmtp.format) => return None,
        Attribute::Fmtp(fmtp) => {
            let mut parts: Vec<_> = fmtp.parameters.split(';').map(str::trim).collect();
            parts.sort_unstable();
            format!("fmtp {} {}", fmtp.format, parts.join(";"))
        }
        // The form before RFC 8841 comes back in the form of it.
        Attribute::SctpMap(map) => format!("a=sctp-port:{}", map.port),
        other => other.to_string(),
    })
}

fn plain(candidate: &Candidate) -> String {
    let mut own = candidate.clone();
    own.transport = campana::sdp::Token::new(&own.transport.to_ascii_lowercase()).unwrap();
    own.related = own
        .related
        .filter(|related| !["0.0.0.0", "::"].contains(&related.address.as_str()));
    own.extensions.retain(|(name, value)| match name.as_str() {
        "generation" => value.as_str() != "0",
        "network-id" | "network-cost" | "ufrag" => false,
        _ => true,
    });
    ByteString::new(&own.to_string()).unwrap().to_string()
}

fn parse(text: &str) -> Option<Jingle> {
    let document = Document::parse(text.as_bytes(), "", &xml::Limits::default()).unwrap();
    let element = find(document.root())?;
    Some(Jingle::from_xml(element, &campana::jingle::Limits::default()).unwrap())
}

fn find(element: Element<'_>) -> Option<Element<'_>> {
    if element.is("jingle", session::NS) {
        return Some(element);
    }
    element.children().find_map(find)
}

fn corpus(extension: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for client in fs::read_dir(root()).unwrap().filter_map(Result::ok) {
        if !client.path().is_dir() {
            continue;
        }
        for file in fs::read_dir(client.path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|own| own == extension) {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    files.sort();
    files
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}
