//! SDP of browsers: what is checked before it goes anywhere.
//!
//! Towards another browser the text itself is passed on, byte for byte.

use crate::sdp::{self, Attribute, Media};

use super::transport::is_digest;
use super::{Limits, Refusal, to_jingle};

/// Reads and checks an offer.
///
/// # Errors
/// When it does not parse, has no live section, or one without DTLS or ICE credentials.
pub fn offer(text: &str, limits: &Limits) -> Result<sdp::Session, Refusal> {
    let session = sdp::Session::parse(text, &limits.sdp)?;
    if session.media.iter().all(Media::is_rejected) {
        return Err(Refusal::Unfit("an offer has at least one live m-section"));
    }
    check(&session)?;
    Ok(session)
}

/// Reads and checks an answer to that offer.
///
/// # Errors
/// As for an offer, and when its sections are not those of the offer.
pub fn answer(text: &str, offer: &sdp::Session, limits: &Limits) -> Result<sdp::Session, Refusal> {
    let session = sdp::Session::parse(text, &limits.sdp)?;
    fits(&session, offer)?;
    check(&session)?;
    Ok(session)
}

/// RFC 3264 §6: as many sections, in the same order.
pub(super) fn fits(answer: &sdp::Session, offer: &sdp::Session) -> Result<(), Refusal> {
    if answer.media.len() != offer.media.len() {
        return Err(Refusal::Unfit(
            "an answer has as many m-sections as its offer",
        ));
    }
    for (own, offered) in answer.media.iter().zip(&offer.media) {
        if own.kind != offered.kind {
            return Err(Refusal::Unfit(
                "an m-section of the answer is of another kind",
            ));
        }
        if let (Some(own), Some(offered)) = (own.mid(), offered.mid())
            && own != offered
        {
            return Err(Refusal::Unfit("an m-section of the answer has another mid"));
        }
        if offered.is_rejected() && !own.is_rejected() {
            return Err(Refusal::Unfit(
                "a rejected m-section can not come back in the answer",
            ));
        }
    }
    Ok(())
}

pub(super) fn check(session: &sdp::Session) -> Result<(), Refusal> {
    let tags = to_jingle::tags(session);
    for (index, media) in session.media.iter().enumerate() {
        if media.is_rejected() {
            continue;
        }
        let tag = tags
            .get(index)
            .copied()
            .flatten()
            .and_then(|tag| session.media.get(tag));
        let has = |wanted: fn(&Attribute) -> bool| {
            media
                .attributes
                .iter()
                .chain(&session.attributes)
                .chain(tag.into_iter().flat_map(|tag| &tag.attributes))
                .any(wanted)
        };
        let name = || {
            media
                .mid()
                .map_or_else(|| index.to_string(), |mid| mid.as_str().to_owned())
        };
        if !has(|own| matches!(own, Attribute::Fingerprint(own) if !own.is_broken()))
            || has(|own| matches!(own, Attribute::Fingerprint(own) if !is_digest(&own.value)))
        {
            return Err(Refusal::NoDtls(name()));
        }
        if !has(|own| matches!(own, Attribute::IceUfrag(_)))
            || !has(|own| matches!(own, Attribute::IcePwd(_)))
            || has(|own| match own {
                Attribute::IceUfrag(ufrag) => !ufrag.is_lawful(),
                Attribute::IcePwd(pwd) => !pwd.is_lawful(),
                _ => false,
            })
        {
            return Err(Refusal::Credentials(name()));
        }
    }
    Ok(())
}

/// Bytes of a mid: libwebrtc takes no longer one, since it is what an element with a header of one
/// byte holds in RTP (RFC 8285 §4.2).
pub(super) const MID: usize = 16;
