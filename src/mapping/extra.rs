//! Attributes that no XEP has a place for, on their way through our own element.

use crate::jingle::extra;
use crate::sdp::Attribute;

use super::{Report, Why};

/// Puts the attribute into the element, if it is one of those that may go there and short enough.
pub(super) fn push(
    attribute: &Attribute,
    into: &mut Vec<extra::Attribute>,
    section: Option<&str>,
    report: &mut Report,
) {
    if !may_travel(attribute) {
        report.note(section, attribute.name(), Why::Meaningless);
        return;
    }
    let value = attribute.value();
    if into.len() >= extra::CAP || value.as_ref().is_some_and(|value| value.len() > LONGEST) {
        report.note(section, attribute.name(), Why::NoPlace);
        return;
    }
    into.push(extra::Attribute {
        name: attribute.name().to_owned(),
        value,
    });
}

/// Takes the attributes out again. Only those come through that could have been put in: nothing
/// that would change the transport, the keys or the codecs.
pub(super) fn take(
    attributes: &[extra::Attribute],
    section: Option<&str>,
    report: &mut Report,
) -> Vec<Attribute> {
    let mut taken = Vec::with_capacity(attributes.len());
    for own in attributes {
        let parsed = match &own.value {
            Some(value) if value.len() > LONGEST => None,
            Some(value) => Attribute::parse(&format!("{}:{value}", own.name)).ok(),
            None => Attribute::parse(&own.name).ok(),
        };
        match parsed {
            // A colon in the name would make it another attribute.
            Some(attribute) if attribute.name() == own.name && may_travel(&attribute) => {
                taken.push(attribute);
            }
            Some(_) => report.note(section, "extension attribute", Why::Unsafe),
            None => report.note(section, "extension attribute", Why::Malformed),
        }
    }
    taken
}

/// Everything that is unknown, and of the known what only our own element can carry.
fn may_travel(attribute: &Attribute) -> bool {
    match attribute {
        Attribute::BundleOnly
        | Attribute::EndOfCandidates
        | Attribute::IceLite
        | Attribute::IceOptions(_)
        | Attribute::MaxMessageSize(_)
        | Attribute::Msid(_)
        | Attribute::Rid(_)
        | Attribute::Simulcast(_) => true,
        Attribute::Other { name, .. } => !MEANINGLESS.contains(&name.as_str()),
        Attribute::Candidate(_)
        | Attribute::Content(_)
        | Attribute::Crypto(_)
        | Attribute::Direction(_)
        | Attribute::ExtMap(_)
        | Attribute::ExtMapAllowMixed
        | Attribute::Feedback(_)
        | Attribute::Fingerprint(_)
        | Attribute::Fmtp(_)
        | Attribute::Group(_)
        | Attribute::IcePwd(_)
        | Attribute::IceUfrag(_)
        | Attribute::MaxPtime(_)
        | Attribute::Mid(_)
        | Attribute::Ptime(_)
        | Attribute::RtcpMux
        | Attribute::RtcpRsize
        | Attribute::RtpMap(_)
        | Attribute::SctpMap(_)
        | Attribute::SctpPort(_)
        | Attribute::Setup(_)
        | Attribute::Ssrc(_)
        | Attribute::SsrcGroup(_) => false,
    }
}

/// Means nothing on the other side, or is an assertion that holds on this side only.
const MEANINGLESS: [&str; 5] = [
    "rtcp",
    "msid-semantic",
    "remote-candidates",
    "ice-mismatch",
    "identity",
];

/// Bytes of a value.
const LONGEST: usize = 2048;
