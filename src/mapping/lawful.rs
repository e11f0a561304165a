//! What browsers refuse a whole description over is left out, or said as they want to hear it.
//!
//! Each was tried with Chromium 156 and Firefox 153.

use std::collections::BTreeSet;

use crate::sdp::{self, Attribute, Bandwidth, Media, RtpMap, Setup, Ssrc, SsrcGroup, Word};

use super::to_jingle::RTP;
use super::{Kind, Report, Why, candidate, payload};

/// What an m-section says.
pub(super) fn section(media: &mut Media, kind: Kind, name: &str, report: &mut Report) {
    candidates(media, name, report);
    setup(media, kind);
    bandwidths(&mut media.bandwidths, Some(name), report);
    ascii(&mut media.attributes, Some(name), report);
    if media.is_rtp() {
        protocol(media, name, report);
        sources(media, name, report);
        tracks(media, name, report);
        groups(media, name, report);
        payload_types(media, name, report);
        // In an answer they are the browser's own.
        if kind == Kind::Offer {
            header_extensions(media, name, report);
        }
    }
}

/// What the session level says.
pub(super) fn session(session: &mut sdp::Session, report: &mut Report) {
    bandwidths(&mut session.bandwidths, None, report);
    ascii(&mut session.attributes, None, report);
}

/// One that came in our own element may be none.
fn candidates(media: &mut Media, section: &str, report: &mut Report) {
    media.attributes.retain_mut(|own| {
        let Attribute::Candidate(own) = own else {
            return true;
        };
        candidate::complete(own);
        let lawful = candidate::is_for_browser(own);
        if !lawful {
            report.note(Some(section), "candidate", Why::Unsafe);
        }
        lawful
    });
}

/// Firefox: `holdconn`, of which RFC 8842 §5.2 knows nothing.
fn setup(media: &mut Media, kind: Kind) {
    for own in &mut media.attributes {
        if let Attribute::Setup(own @ Setup::Holdconn) = own {
            *own = match kind {
                Kind::Offer => Setup::Actpass,
                Kind::Answer => Setup::Active,
            };
        }
    }
}

/// libwebrtc: a bandwidth that is no whole number.
fn bandwidths(own: &mut Vec<Bandwidth>, section: Option<&str>, report: &mut Report) {
    own.retain(|own| {
        let lawful = own.is_lawful();
        if !lawful {
            report.note(section, "bandwidth", Why::Malformed);
        }
        lawful
    });
}

/// Firefox: a character that is not ASCII.
fn ascii(own: &mut Vec<Attribute>, section: Option<&str>, report: &mut Report) {
    own.retain(|own| {
        let ascii = own.is_ascii();
        if !ascii {
            report.note(section, own.name(), Why::NoPlace);
        }
        ascii
    });
}

/// Firefox: one that came in our own element and is none.
fn protocol(media: &mut Media, section: &str, report: &mut Report) {
    if !PROTOCOLS.contains(&media.protocol.as_str()) {
        report.note(Some(section), "proto", Why::Unsafe);
        media.protocol = Word::literal(RTP);
    }
}

/// libwebrtc: sources of which something is said without a value.
fn sources(media: &mut Media, section: &str, report: &mut Report) {
    media.attributes.retain(|own| {
        let Attribute::Ssrc(own) = own else {
            return true;
        };
        if own.value.is_none() {
            report.note(Some(section), format!("ssrc {}", own.name), Why::NoPlace);
        }
        own.value.is_some()
    });
}

/// libwebrtc: more than one track in a section, and in audio more than one source. The first is
/// kept; Plan B had them all in one.
fn tracks(media: &mut Media, section: &str, report: &mut Report) {
    let first = media.attributes.iter().find_map(|own| match own {
        Attribute::Msid(own) => own.track.as_deref(),
        Attribute::Ssrc(own) => track(own),
        _ => None,
    });
    let first = first.map(str::to_owned);
    let is_first = |track: &str| first.as_deref() == Some(track);
    let (mut ours, mut others) = (BTreeSet::new(), BTreeSet::new());
    for own in media.attributes.iter().filter_map(source) {
        match track(own) {
            Some(track) if is_first(track) => ours.insert(own.id),
            Some(_) => others.insert(own.id),
            None => false,
        };
    }
    // One that is of both is taken for ours.
    others.retain(|id| !ours.contains(id));
    let audio = media.kind.as_str() == "audio";
    let mut only = None;
    let mut left_out = BTreeSet::new();
    media.attributes.retain(|own| match own {
        Attribute::Msid(own) => {
            let kept = own.track.as_deref().is_none_or(is_first);
            if !kept {
                report.note(Some(section), "msid of another track", Why::NoPlace);
            }
            kept
        }
        Attribute::Ssrc(own) => {
            let kept =
                !others.contains(&own.id) && (!audio || *only.get_or_insert(own.id) == own.id);
            if !kept {
                left_out.insert(own.id);
            }
            kept
        }
        _ => true,
    });
    for _ in left_out {
        report.note(Some(section), "source of another track", Why::NoPlace);
    }
}

fn source(attribute: &Attribute) -> Option<&Ssrc> {
    match attribute {
        Attribute::Ssrc(own) => Some(own),
        _ => None,
    }
}

/// The track that a source says it is of.
fn track(own: &Ssrc) -> Option<&str> {
    let msid = own.value.as_ref().filter(|_| own.name.as_str() == "msid")?;
    msid.split_ascii_whitespace().nth(1)
}

/// libwebrtc: groups of which not every member is described, and pairs that are none.
fn groups(media: &mut Media, section: &str, report: &mut Report) {
    let described = media.attributes.iter().filter_map(source);
    let described: BTreeSet<_> = described.map(|own| own.id).collect();
    let mut paired: Vec<SsrcGroup> = Vec::new();
    media.attributes.retain(|attribute| {
        let Attribute::SsrcGroup(own) = attribute else {
            return true;
        };
        let members: BTreeSet<_> = own.ssrcs.iter().collect();
        let pair = PAIRS.contains(&own.semantics.as_str());
        let again = |other: &SsrcGroup| {
            other.semantics == own.semantics && other.ssrcs.first() == own.ssrcs.first()
        };
        let why = if !own.ssrcs.iter().all(|member| described.contains(member)) {
            Why::Meaningless
        } else if pair && paired.iter().any(again) {
            Why::Duplicate
        } else if members.len() != own.ssrcs.len() || pair && members.len() != 2 {
            Why::Malformed
        } else {
            if pair {
                paired.push(own.clone());
            }
            return true;
        };
        report.note(Some(section), "ssrc-group", why);
        false
    });
}

/// Payload types that both know for something else: those that would be taken for RTCP (RFC 5761
/// §4) and those that are reserved (RFC 3551 §6); libwebrtc: those of another name than theirs.
fn payload_types(media: &mut Media, section: &str, report: &mut Report) {
    let audio = media.kind.as_str() == "audio";
    let is_other = |own: &RtpMap| {
        let known = payload::static_payload(own.payload).filter(|_| audio && own.payload <= 18);
        known.is_some_and(|(name, ..)| !own.encoding.eq_ignore_ascii_case(name))
    };
    let maps = media.attributes.iter().filter_map(|own| match own {
        Attribute::RtpMap(own) if is_other(own) => Some(own.payload),
        _ => None,
    });
    let others: Vec<_> = maps.collect();
    let before = media.formats.len();
    payload::retain(media, |id| {
        !matches!(id, 1 | 2 | 19 | 64..96) && !others.contains(&id)
    });
    for _ in media.formats.len()..before {
        report.note(
            Some(section),
            "payload-type of something else",
            Why::NoPlace,
        );
    }
}

/// Firefox: header extensions whose ids do not fit a header of one byte (RFC 8285 §4.2).
fn header_extensions(media: &mut Media, section: &str, report: &mut Report) {
    media.attributes.retain(|own| {
        let long = matches!(own, Attribute::ExtMap(own) if own.id > 14);
        if long {
            report.note(Some(section), "rtp-hdrext with a long id", Why::NoPlace);
        }
        !long
    });
}

/// What a source is repaired by: RFC 4588 §8.3, RFC 5956 §4.3.
const PAIRS: [&str; 2] = ["FID", "FEC-FR"];

/// Those that every browser takes for what it does (RFC 9429 §5.1.2).
const PROTOCOLS: [&str; 8] = [
    RTP,
    "UDP/TLS/RTP/SAVP",
    "TCP/DTLS/RTP/SAVP",
    "TCP/DTLS/RTP/SAVPF",
    "RTP/SAVPF",
    "RTP/SAVP",
    "RTP/AVPF",
    "RTP/AVP",
];
