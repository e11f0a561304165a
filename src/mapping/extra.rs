//! Attributes that no XEP has a place for, on their way through our own element.

use crate::jingle::extra;
use crate::sdp::Attribute;

use super::{Dialect, Report, Why, candidate};

/// Where attributes stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At the session level.
    Session,
    /// In a section of RTP, about which Jingle says nearly everything itself.
    Rtp,
    /// In another section, about which it says hardly anything.
    Other,
}

impl Place {
    /// A section, by whether it is one of RTP.
    pub(super) fn of(rtp: bool) -> Self {
        if rtp { Self::Rtp } else { Self::Other }
    }
}

/// Puts the attribute into the element, if it is one of those that may go there and short enough,
/// and the peer reads the element.
pub(super) fn push(
    attribute: &Attribute,
    place: Place,
    dialect: &Dialect,
    into: &mut Vec<extra::Attribute>,
    section: Option<&str>,
    report: &mut Report,
) {
    if !may_travel(attribute, place) {
        let why = if attribute.is_malformed() {
            Why::Malformed
        } else {
            Why::Meaningless
        };
        report.note(section, attribute.name(), why);
        return;
    }
    let value = attribute.value();
    if !dialect.extension
        || into.len() >= extra::CAP
        || value.as_ref().is_some_and(|value| value.len() > LONGEST)
    {
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
    place: Place,
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
            Some(attribute) if attribute.name() == own.name && may_travel(&attribute, place) => {
                taken.push(attribute);
            }
            Some(_) => report.note(section, "extension attribute", Why::Unsafe),
            None => report.note(section, "extension attribute", Why::Malformed),
        }
    }
    taken
}

/// Everything that is unknown, and of the known what only our own element can carry.
fn may_travel(attribute: &Attribute, place: Place) -> bool {
    match attribute {
        Attribute::BundleOnly
        | Attribute::EndOfCandidates
        | Attribute::IceLite
        | Attribute::IceOptions(_)
        | Attribute::MaxMessageSize(_)
        | Attribute::Rid(_)
        | Attribute::Simulcast(_) => true,
        Attribute::Other { name, .. } => {
            !attribute.is_malformed() && !MEANINGLESS.contains(&name.as_str())
        }
        Attribute::Fmtp(own) if place == Place::Rtp => own.has_ptime(),
        // Chrome says it also where there are only data channels.
        Attribute::ExtMapAllowMixed => place != Place::Rtp,
        Attribute::Content(_)
        | Attribute::ExtMap(_)
        | Attribute::Feedback(_)
        | Attribute::Fmtp(_)
        | Attribute::MaxPtime(_)
        | Attribute::Msid(_)
        | Attribute::Ptime(_)
        | Attribute::RtcpMux
        | Attribute::RtcpRsize
        | Attribute::RtpMap(_)
        | Attribute::Setup(_)
        | Attribute::Ssrc(_)
        | Attribute::SsrcGroup(_) => place == Place::Other,
        Attribute::Candidate(own) => !candidate::is_lawful(own),
        Attribute::Crypto(_)
        | Attribute::Direction(_)
        | Attribute::Fingerprint(_)
        | Attribute::Group(_)
        | Attribute::IcePwd(_)
        | Attribute::IceUfrag(_)
        | Attribute::Mid(_)
        | Attribute::SctpMap(_)
        | Attribute::SctpPort(_) => false,
    }
}

/// What Jingle's description of RTP has a place for, and no other description has.
pub(super) fn is_of_rtp(attribute: &Attribute) -> bool {
    match attribute {
        Attribute::Fmtp(_) => true,
        Attribute::Setup(_) => false,
        own => may_travel(own, Place::Other) && !may_travel(own, Place::Rtp),
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
pub(super) const LONGEST: usize = 2048;
