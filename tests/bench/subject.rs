//! What is measured: Chrome's offer of audio and video, and one candidate of it.

use std::fmt::Write as _;

use campana::jingle::{self, Jingle, Role, Sid};
use campana::mapping::{self, Dialect, Kind, Session, Trickle};
use campana::sdp;
use campana::xml::{self, Document};

/// Chrome 156's offer, as `setLocalDescription` had it.
pub(crate) const OFFER: &str = include_str!("../corpus/chrome156/audio-video.offer.sdp");

/// One of the relay candidates of the same call.
pub(crate) const CANDIDATE: &str = "candidate:3745641921 1 udp 33562623 198.51.100.9 61021 typ relay \
    raddr 203.0.113.7 rport 55447 generation 0 ufrag 86Ov network-cost 999";

/// SDP to the bytes of a `<jingle/>`.
pub(crate) fn sdp_to_jingle(sdp: &str) -> String {
    let offer = sdp::Session::parse(sdp, &sdp::Limits::default()).unwrap();
    let sid = Sid::new("a73sjjvkla37jfea").unwrap();
    let mapped = mapping::to_jingle(&offer, sid, Role::Initiator, Kind::Offer, &Dialect::STRICT);
    mapped.unwrap().0.to_xml()
}

/// The bytes of a `<jingle/>` to SDP.
pub(crate) fn jingle_to_sdp(xml: &str) -> String {
    let mapped = mapping::to_sdp(&read(xml), Role::Initiator, Kind::Offer, &Dialect::STRICT);
    mapped.unwrap().0.to_string()
}

/// A leg whose browser has offered.
pub(crate) fn caller() -> Session {
    let offer = sdp::Session::parse(OFFER, &sdp::Limits::default()).unwrap();
    let sid = Sid::new("a73sjjvkla37jfea").unwrap();
    Session::initiate(sid, offer, &Dialect::STRICT).unwrap().0
}

/// A leg whose browser is offered the same.
pub(crate) fn callee() -> Session {
    Session::initiated(&read(&sdp_to_jingle(OFFER)), &Dialect::STRICT).unwrap()
}

/// A browser's candidate to the bytes of a transport-info.
pub(crate) fn candidate_to_transport_info(session: &mut Session) -> String {
    let candidate = Trickle {
        mid: Some("0".to_owned()),
        index: Some(0),
        ufrag: Some("86Ov".to_owned()),
        candidate: Some(CANDIDATE.to_owned()),
    };
    let info = session.local_candidates(&[candidate]).unwrap();
    info.unwrap().to_xml()
}

/// The bytes of a transport-info to a browser's candidate.
pub(crate) fn transport_info_to_candidate(session: &mut Session, xml: &str) -> String {
    let mut lines = String::new();
    for own in session.remote_candidates(&read(xml)).unwrap() {
        writeln!(lines, "{:?} {:?} {:?}", own.mid, own.index, own.candidate).unwrap();
    }
    lines
}

fn read(xml: &str) -> Jingle {
    let document = Document::parse(xml.as_bytes(), "", &xml::Limits::default()).unwrap();
    Jingle::from_xml(document.root(), &jingle::Limits::default()).unwrap()
}
