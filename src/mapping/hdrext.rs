//! RTP header extensions: XEP-0294.

use crate::jingle::Role;
use crate::jingle::hdrext::{HeaderExtension, Way};
use crate::jingle::rtp::Parameter;
use crate::sdp::{Attribute, ByteString, Direction, ExtMap, Word};

use super::{Report, Why, direction};

pub(super) fn to_jingle(map: &ExtMap, owner: Role) -> HeaderExtension {
    HeaderExtension {
        id: map.id,
        uri: map.uri.as_str().to_owned(),
        senders: map
            .direction
            .filter(|way| *way != Direction::SendRecv)
            .map(|way| Way::Senders(direction::senders(way, owner))),
        parameters: map
            .attributes
            .iter()
            .map(|attributes| Parameter {
                name: attributes.as_str().to_owned(),
                value: None,
            })
            .collect(),
    }
}

/// Writes the lines of all that a browser can take: ids of RFC 8285 §5, each once.
pub(super) fn to_sdp(
    extensions: &[HeaderExtension],
    owner: Role,
    section: &str,
    report: &mut Report,
    out: &mut Vec<Attribute>,
) {
    let mut seen = Vec::with_capacity(extensions.len());
    for extension in extensions {
        if !(1..=255).contains(&extension.id) || seen.contains(&extension.id) {
            report.note(
                Some(section),
                "rtp-hdrext with an unusable id",
                Why::Malformed,
            );
            continue;
        }
        match map(extension, owner) {
            Some(map) => {
                seen.push(map.id);
                out.push(Attribute::ExtMap(map));
            }
            None => report.note(Some(section), "rtp-hdrext", Why::Malformed),
        }
    }
}

fn map(extension: &HeaderExtension, owner: Role) -> Option<ExtMap> {
    let words: Vec<_> = extension.parameters.iter().map(Parameter::joined).collect();
    Some(ExtMap {
        id: extension.id,
        direction: extension
            .senders
            .map(|way| direction::of_extension(way, owner))
            .filter(|way| *way != Direction::SendRecv),
        uri: Word::new(&extension.uri).ok()?,
        attributes: match words.join(" ") {
            words if words.is_empty() => None,
            words => Some(ByteString::new(&words).ok()?),
        },
    })
}
