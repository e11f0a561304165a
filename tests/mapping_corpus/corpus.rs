//! Recorded descriptions survive the way to the other side and back.

use std::collections::BTreeSet;

use campana::jingle::{Role, Sid};
use campana::mapping::{self, Dialect, Kind};
use campana::sdp::{Attribute, ByteString, Candidate, Limits, Media, Session};

use crate::recording::{Recording, jingle_of, recordings};

#[test]
fn sdp_comes_back_from_jingle_with_every_fact() {
    let mut mappings = 0;
    for own in recordings("sdp") {
        let (original, kind) = (own.sdp(), own.kind());
        let owners: &[Role] = match kind {
            Kind::Offer => &[Role::Initiator, Role::Responder],
            Kind::Answer => &[Role::Responder],
        };
        for owner in owners {
            let sid = Sid::new("a").unwrap();
            let (jingle, _) = mapping::to_jingle(&original, sid, *owner, kind, &Dialect::STRICT)
                .unwrap_or_else(|error| panic!("{own}: {error}"));
            let xml = jingle.to_xml();
            let read = jingle_of(&xml).expect("a jingle element");
            let (back, report) = mapping::to_sdp(&read, *owner, kind, &Dialect::STRICT)
                .unwrap_or_else(|error| panic!("{own}: {error}"));
            let (before, after) = (facts(&original), facts(&back));
            let lost: Vec<_> = before.difference(&after).collect();
            let invented: Vec<_> = after.difference(&before).collect();
            assert!(lost.is_empty(), "{own}: lost {lost:#?}");
            assert!(invented.is_empty(), "{own}: invented {invented:#?}");
            assert!(report.is_empty(), "{own}: {report:?}");
            mappings += 1;
        }
    }
    assert!(mappings > 50, "only {mappings} mappings were tried");
}

#[test]
fn sdp_is_written_as_it_was_read() {
    let mut files = 0;
    for own in recordings("sdp") {
        let written = own.sdp().to_string();
        // A blank at the end of a line is layout to those that write it.
        let trimmed = |text: &str| {
            text.lines()
                .map(|line| line.trim_end().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(trimmed(&written), trimmed(&own.text), "{own}");
        files += 1;
    }
    assert!(files > 40, "only {files} files were found");
}

#[test]
fn jingle_of_every_client_is_understood_and_said_again() {
    let mut mapped = 0;
    for own in recordings("xml") {
        let jingle = own.jingle();
        // What is written once is read and written the same from then on.
        let written = jingle.to_xml();
        assert_eq!(jingle_of(&written).unwrap().to_xml(), written, "{own}");
        let (sdp, report) = mapping::to_sdp(&jingle, own.owner(), own.kind(), &Dialect::STRICT)
            .unwrap_or_else(|error| panic!("{own}: {error}"));
        assert_eq!(sdp.media.len(), jingle.contents.len(), "{own}");
        for (media, content) in sdp.media.iter().zip(&jingle.contents) {
            // Data channels have one format and no payload type.
            let payloads = content.rtp().map_or(1, |rtp| rtp.payloads.len().max(1));
            assert_eq!(media.formats.len(), payloads, "{own}: {report:?}");
            // Conversations says some twice, with another id.
            let said = content.ice().unwrap().candidates.iter();
            let said: BTreeSet<_> = said
                .map(|own| (&own.foundation, own.component, &own.ip, own.port))
                .collect();
            assert_eq!(media.candidates().count(), said.len(), "{own}");
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
    let offer = Recording::at("chrome156/audio-video-data.offer.sdp").sdp();
    for client in [
        "conversations",
        "movim",
        "jitsi",
        "stanza",
        "sdp-jingle-json",
    ] {
        let own = Recording::at(&format!("{client}/chrome156-audio-video.offer.xml"));
        let jingle = own.jingle();
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
