//! What the fuzz targets of SDP, XML, Jingle and the mapping do with one input.
//!
//! `tests/fuzz_mapping.rs` does the same with what is kept in `tests/fuzz/corpus` and with changed
//! copies of the recorded descriptions. Each returns the XML that Campana would send, so that a
//! test can hold it against `schemas/`.

use campana::jingle::{self, Action, Jingle, Role, Sid};
use campana::mapping::{self, Dialect, Kind, Limits, Session, Trickle, browser};
use campana::sdp;
use campana::xml::{self, Document, Element, Framer};

/// SDP: what is read is written so that it is read again as the same, and so is its Jingle.
pub fn sdp(data: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(data);
    let Ok(session) = sdp::Session::parse(&text, &sdp::Limits::default()) else {
        return Vec::new();
    };
    assert_same_sdp(&session);
    let mut sent = Vec::new();
    // Of what a browser may not say, nothing is sent.
    let lawful = browser::offer(&text, &Limits::default()).is_ok();
    for (owner, kind) in SIDES {
        for dialect in Dialect::ALL {
            let sid = Sid::new("a").unwrap();
            let Ok((own, _)) = mapping::to_jingle(&session, sid, owner, kind, dialect) else {
                continue;
            };
            let xml = own.to_xml();
            let read = read_jingle(&xml).expect("its own XML is read");
            assert_eq!(read.to_xml(), xml, "written once, it is written the same");
            if let Ok((back, _)) = mapping::to_sdp(&read, owner, kind, dialect) {
                assert_same_sdp(&back);
            }
            if lawful && !own.contents.is_empty() {
                sent.push(xml);
            }
        }
    }
    sent
}

/// Jingle: what is read becomes sound SDP, and sound Jingle for other clients.
pub fn jingle(data: &[u8]) -> Vec<String> {
    let Some(jingle) = std::str::from_utf8(data).ok().and_then(read_jingle) else {
        return Vec::new();
    };
    let xml = jingle.to_xml();
    let again = read_jingle(&xml).expect("its own XML is read");
    assert_eq!(again.to_xml(), xml, "written once, it is written the same");
    for (owner, kind) in SIDES {
        if let Ok((session, _)) = mapping::to_sdp(&jingle, owner, kind, &Dialect::STRICT) {
            assert_same_sdp(&session);
        }
    }
    for dialect in Dialect::ALL {
        for owner in [Role::Initiator, Role::Responder] {
            let _ = mapping::relay(&jingle, owner, dialect);
        }
    }
    Vec::new()
}

/// A line of a candidate: written as read, and trickled only as one line.
pub fn candidate(data: &[u8]) -> Vec<String> {
    let line = String::from_utf8_lossy(data);
    if let Ok(own) = sdp::Candidate::parse(&line) {
        let written = own.to_string();
        assert_one_line(&written);
        assert_eq!(sdp::Candidate::parse(&written).unwrap(), own);
    }
    let mut sent = Vec::new();
    let offer = sdp::Session::parse(OFFER, &sdp::Limits::default()).unwrap();
    let sid = Sid::new("a").unwrap();
    let (mut session, initiate) = Session::initiate(sid, offer, &Dialect::STRICT).unwrap();
    let trickle = Trickle {
        mid: Some("0".to_owned()),
        index: None,
        ufrag: None,
        candidate: Some(line.into_owned()),
    };
    if let Ok(Some(info)) = session.local_candidates(&[trickle]) {
        let xml = info.to_xml();
        let info = read_jingle(&xml).expect("its own XML is read");
        let mut peer = Session::initiated(&initiate, &Dialect::STRICT).unwrap();
        for own in peer.remote_candidates(&info).unwrap() {
            assert_one_line(own.candidate.as_deref().unwrap_or_default());
        }
        sent.push(xml);
    }
    sent
}

/// The framer: how bytes are cut into pieces makes no difference, and what waits is bounded.
pub fn framer(data: &[u8]) -> Vec<String> {
    let (seed, data) = data.split_first().unwrap_or((&0, &[]));
    let whole = frames(data, data.len().max(1));
    assert_eq!(whole, frames(data, 1), "byte by byte");
    assert_eq!(whole, frames(data, usize::from(*seed) + 1), "in pieces");
    Vec::new()
}

/// A document: what is read is written so that it is read again as the same.
pub fn document(data: &[u8]) -> Vec<String> {
    if let Ok(document) = Document::parse(data, "jabber:component:accept", &limits()) {
        let xml = document.root().to_xml();
        // Written with escapes and namespaces of its own it may be longer than it came.
        let roomy = xml::Limits {
            stanza_bytes: usize::MAX,
            ..limits()
        };
        let again = Document::parse(xml.as_bytes(), "", &roomy).expect("its own XML is read");
        assert_eq!(again.root().to_xml(), xml);
    }
    Vec::new()
}

/// A leg that is told two things, one after the other; a line of three dashes is between them.
pub fn session(data: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(data);
    let (first, second) = text.split_once("\n---\n").unwrap_or((&text, ""));
    let mut sent = Vec::new();
    for dialect in Dialect::ALL {
        if let Ok(offer) = browser::offer(first, &Limits::default()) {
            let sid = Sid::new("a").unwrap();
            let Ok((mut session, initiate)) = Session::initiate(sid, offer, dialect) else {
                continue;
            };
            sent.push(initiate.to_xml());
            told(&mut session, second, &mut sent);
        }
        if let Some(initiate) = read_jingle(first)
            && initiate.action == Action::SessionInitiate
            && let Ok(mut session) = Session::initiated(&initiate, dialect)
        {
            told(&mut session, second, &mut sent);
        }
    }
    sent
}

fn told(session: &mut Session, event: &str, sent: &mut Vec<String>) {
    for sdp in [session.remote_offer(), session.remote_answer()]
        .iter()
        .flatten()
    {
        assert_same_sdp(sdp);
    }
    if let Some(jingle) = read_jingle(event) {
        match jingle.action {
            Action::SessionAccept => {
                let _ = session.accepted(&jingle);
            }
            _ => {
                for own in session.remote_candidates(&jingle).unwrap_or_default() {
                    assert_one_line(own.candidate.as_deref().unwrap_or_default());
                }
            }
        }
    } else if let Some(offer) = session.remote_offer()
        && let Ok(answer) = browser::answer(event, &offer, &Limits::default())
    {
        sent.extend(session.accept(answer).map(|accept| accept.to_xml()));
    } else {
        let trickle = Trickle {
            mid: None,
            index: Some(0),
            ufrag: None,
            candidate: Some(event.to_owned()),
        };
        if let Ok(Some(info)) = session.local_candidates(&[trickle]) {
            sent.extend(session.split(info).iter().map(Jingle::to_xml));
        }
    }
    if let Some(answer) = session.remote_answer() {
        assert_same_sdp(&answer);
    }
}

fn assert_same_sdp(session: &sdp::Session) {
    let text = session.to_string();
    for line in text.split("\r\n") {
        assert_one_line(line);
    }
    // What was read may hold more than a reader takes only where the mapping adds to it.
    if let Ok(again) = sdp::Session::parse(&text, &sdp::Limits::default()) {
        assert_eq!(
            again.to_string(),
            text,
            "written once, it is written the same"
        );
    } else {
        panic!("its own SDP is not read: {text}");
    }
}

fn assert_one_line(line: &str) {
    assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
}

fn frames(data: &[u8], size: usize) -> Vec<String> {
    let mut framer = Framer::new(limits());
    let mut frames = Vec::new();
    for piece in data.chunks(size) {
        framer.push(piece);
        while let Some(frame) = framer.next_frame() {
            frames.push(format!("{frame:?}"));
        }
    }
    frames
}

fn read_jingle(text: &str) -> Option<Jingle> {
    let document = Document::parse(text.as_bytes(), "", &xml::Limits::default()).ok()?;
    Jingle::from_xml(find(document.root())?, &jingle::Limits::default()).ok()
}

fn find(element: Element<'_>) -> Option<Element<'_>> {
    if element.is("jingle", jingle::session::NS) {
        return Some(element);
    }
    element.children().find_map(find)
}

/// Small, so that limits are met.
fn limits() -> xml::Limits {
    xml::Limits {
        stanza_bytes: 4_096,
        depth: 16,
        attributes: 16,
    }
}

const SIDES: [(Role, Kind); 4] = [
    (Role::Initiator, Kind::Offer),
    (Role::Initiator, Kind::Answer),
    (Role::Responder, Kind::Offer),
    (Role::Responder, Kind::Answer),
];

/// One section of sound.
const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:gKa0\r\n\
    a=ice-pwd:asd88fgpdd777uzjYhagZg12\r\na=setup:actpass\r\na=fingerprint:sha-256 \
    02:1A:CC:54:27:AB:EB:9C:53:3F:3E:4B:65:2E:7D:46:3F:54:42:CD:54:F1:7A:03:A2:7D:F9:B0:7F:46:19:B2\
    \r\na=rtcp-mux\r\na=sendrecv\r\na=rtpmap:111 opus/48000/2\r\n";
