//! The answer that a browser gets: what the peer accepted, brought back into the frame of the offer
//! (RFC 3264 §6).

use crate::sdp::{Attribute, Direction, FeedbackTarget, Media, RtpMap, SctpMap, Token};

use super::payload::{self, static_payload};
use super::{Refusal, Report, Why, direction};

/// Cuts an accepted section down to what was offered; the offer's section holds what its session
/// level said for it.
///
/// # Errors
/// When no codec is left, or the browser demands rtcp-mux and the peer does not do it.
pub(super) fn fit(
    answer: &mut Media,
    offer: &Media,
    bundled: bool,
    section: &str,
    report: &mut Report,
) -> Result<(), Refusal> {
    if offer.is_rtp() {
        answer.protocol = offer.protocol.clone();
        fit_payloads(answer, offer, section, report)?;
        fit_feedback(answer, offer, section, report);
        fit_extensions(answer, offer, section, report);
        let offered = offer.direction().unwrap_or(Direction::SendRecv);
        for attribute in &mut answer.attributes {
            if let Attribute::Direction(own) = attribute {
                *own = direction::answered(*own, offered);
            }
        }
        fit_mux(answer, offer, bundled, section, report)?;
    } else {
        fit_data(answer, offer);
    }
    for attribute in [Attribute::ExtMapAllowMixed, Attribute::RtcpRsize] {
        if !offer.attributes.contains(&attribute) {
            answer.attributes.retain(|own| *own != attribute);
        }
    }
    // An answered section has a port (RFC 9143 §7.3).
    answer
        .attributes
        .retain(|own| *own != Attribute::BundleOnly);
    answer.port = 9;
    Ok(())
}

/// A section that the peer left out: the m-line of the offer with port 0 at the same place.
pub(super) fn rejected(offer: &Media) -> Media {
    let mut media = Media::new(
        offer.kind.clone(),
        0,
        offer.protocol.clone(),
        offer.formats.clone(),
    );
    media.connections.clone_from(&offer.connections);
    media
        .attributes
        .extend(offer.mid().cloned().map(Attribute::Mid));
    media
        .attributes
        .push(Attribute::Direction(Direction::Inactive));
    media
}

fn fit_payloads(
    answer: &mut Media,
    offer: &Media,
    section: &str,
    report: &mut Report,
) -> Result<(), Refusal> {
    let offered: Vec<Codec<'_>> = codecs(offer);
    let kept: Vec<u8> = codecs(answer)
        .iter()
        .filter(|codec| offered.iter().any(|own| own.is_same(codec)))
        .map(|codec| codec.id)
        .collect();
    let before = answer.formats.len();
    payload::retain(answer, |id| kept.contains(&id));
    for _ in answer.formats.len()..before {
        report.note(Some(section), "payload-type", Why::NotOffered);
    }
    // What repairs a codec that is gone, goes too.
    payload::drop_orphans(answer, section, report);
    let media_codec = codecs(answer).iter().any(|codec| !codec.is_auxiliary());
    if media_codec {
        Ok(())
    } else {
        Err(Refusal::NoCommonCodec(section.to_owned()))
    }
}

/// XEP-0293: the responder must not add feedback. What it says for all payload types is said for
/// those that were offered with it.
fn fit_feedback(answer: &mut Media, offer: &Media, section: &str, report: &mut Report) {
    let offered: Vec<_> = offer
        .attributes
        .iter()
        .filter_map(|attribute| match attribute {
            Attribute::Feedback(feedback) => Some(feedback),
            _ => None,
        })
        .collect();
    let mut attributes = Vec::with_capacity(answer.attributes.len());
    for attribute in std::mem::take(&mut answer.attributes) {
        let Attribute::Feedback(feedback) = attribute else {
            attributes.push(attribute);
            continue;
        };
        let is_offered = |id: u8| {
            offered.iter().any(|own| {
                own.kind == feedback.kind
                    && (own.subtype == feedback.subtype || feedback.kind.as_str() == "trr-int")
                    && matches!(own.target, FeedbackTarget::Every)
                    || own.target == FeedbackTarget::Payload(id)
                        && own.kind == feedback.kind
                        && (own.subtype == feedback.subtype || feedback.kind.as_str() == "trr-int")
            })
        };
        match feedback.target {
            FeedbackTarget::Payload(id) if is_offered(id) => {
                attributes.push(Attribute::Feedback(feedback));
            }
            FeedbackTarget::Payload(_) => {
                report.note(Some(section), "rtcp-fb", Why::NotOffered);
            }
            FeedbackTarget::Every => {
                for id in answer
                    .formats
                    .iter()
                    .filter_map(|format| format.parse().ok())
                {
                    let target = FeedbackTarget::Payload(id);
                    let said = attributes.iter().any(|own| {
                        matches!(own, Attribute::Feedback(own) if own.target == target
                            && own.kind == feedback.kind && own.subtype == feedback.subtype)
                    });
                    if is_offered(id) && !said {
                        let mut own = feedback.clone();
                        own.target = target;
                        attributes.push(Attribute::Feedback(own));
                    }
                }
            }
        }
    }
    answer.attributes = attributes;
}

/// XEP-0294: neither the extensions nor who may send them can grow in an answer.
fn fit_extensions(answer: &mut Media, offer: &Media, section: &str, report: &mut Report) {
    answer.attributes.retain_mut(|attribute| {
        let Attribute::ExtMap(own) = attribute else {
            return true;
        };
        let offered = offer
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                Attribute::ExtMap(map) if map.uri == own.uri => Some(map),
                _ => None,
            });
        let Some(offered) = offered else {
            report.note(Some(section), "rtp-hdrext", Why::NotOffered);
            return false;
        };
        let all = Direction::SendRecv;
        let agreed = direction::answered(
            own.direction.unwrap_or(all),
            offered.direction.unwrap_or(all),
        );
        own.direction = Some(agreed).filter(|agreed| *agreed != all);
        true
    });
}

/// Sections of a BUNDLE group are multiplexed, said or not (RFC 9143 §9.3).
fn fit_mux(
    answer: &mut Media,
    offer: &Media,
    bundled: bool,
    section: &str,
    report: &mut Report,
) -> Result<(), Refusal> {
    let offered = offer.attributes.contains(&Attribute::RtcpMux);
    let muxed = answer.attributes.contains(&Attribute::RtcpMux);
    if offered && bundled && !muxed {
        answer.attributes.push(Attribute::RtcpMux);
    }
    if !offered {
        answer.attributes.retain(|own| *own != Attribute::RtcpMux);
    }
    let demanded = offer.attributes.iter().any(
        |own| matches!(own, Attribute::Other { name, .. } if name.as_str() == "rtcp-mux-only"),
    );
    if demanded && !muxed && !bundled {
        return Err(Refusal::NoRtcpMux(section.to_owned()));
    }
    if answer.attributes.contains(&Attribute::RtcpMux) {
        // Dino sends candidates for RTCP next to its rtcp-mux.
        answer.attributes.retain(|own| match own {
            Attribute::Candidate(candidate) if candidate.component != 1 => {
                report.note(Some(section), "candidate for RTCP", Why::Meaningless);
                false
            }
            _ => true,
        });
    }
    Ok(())
}

/// The form of the offer: modern (RFC 8841) or the one before it.
fn fit_data(answer: &mut Media, offer: &Media) {
    answer.protocol = offer.protocol.clone();
    answer.formats.clone_from(&offer.formats);
    let legacy = offer
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            Attribute::SctpMap(map) => Some(map),
            _ => None,
        });
    let Some(legacy) = legacy else { return };
    for attribute in &mut answer.attributes {
        if let Attribute::SctpPort(port) = attribute {
            answer.formats = Token::new(&port.to_string()).into_iter().collect();
            *attribute = Attribute::SctpMap(SctpMap {
                port: *port,
                ..legacy.clone()
            });
        }
    }
}

/// A payload type by what it means.
#[derive(Debug)]
struct Codec<'a> {
    id: u8,
    name: &'a str,
    clock_rate: u32,
    channels: u32,
}

impl Codec<'_> {
    fn is_same(&self, other: &Self) -> bool {
        self.name.eq_ignore_ascii_case(other.name)
            && self.clock_rate == other.clock_rate
            && self.channels == other.channels
    }

    /// Carries no media by itself.
    fn is_auxiliary(&self) -> bool {
        [
            "rtx",
            "red",
            "ulpfec",
            "flexfec-03",
            "CN",
            "telephone-event",
        ]
        .iter()
        .any(|name| self.name.eq_ignore_ascii_case(name))
    }
}

fn codecs(media: &Media) -> Vec<Codec<'_>> {
    let map = |id: u8| -> Option<&RtpMap> {
        media
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                Attribute::RtpMap(map) if map.payload == id => Some(map),
                _ => None,
            })
    };
    media
        .formats
        .iter()
        .filter_map(|format| {
            let id: u8 = format.parse().ok()?;
            let (name, clock_rate, channels) = match map(id) {
                Some(map) => (map.encoding.as_str(), map.clock_rate, map.channels()),
                None => static_payload(id)?,
            };
            Some(Codec {
                id,
                name,
                clock_rate,
                channels,
            })
        })
        .collect()
}
