//! Parsers by other hands read the SDP that comes out of the mapping, and read the same in it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

#[path = "mapping_corpus/recording.rs"]
mod recording;

use std::io::Cursor;

use campana::jingle::Sid;
use campana::mapping::{self, Dialect};
use campana::sdp::Session;

use recording::{Recording, jingle_of, recordings};

#[test]
fn sdp_types_reads_every_line() {
    for (file, session) in mapped() {
        let text = session.to_string();
        let read = sdp_types::Session::parse(text.as_bytes())
            .unwrap_or_else(|error| panic!("{file}: {error}\n{text}"));
        assert_eq!(read.medias.len(), session.media.len(), "{file}");
        let line = |own: &sdp_types::Attribute| match &own.value {
            Some(value) => format!("a={}:{value}", own.attribute),
            None => format!("a={}", own.attribute),
        };
        let read: Vec<_> = read
            .attributes
            .iter()
            .chain(read.medias.iter().flat_map(|media| &media.attributes))
            .map(line)
            .collect();
        let own: Vec<_> = text.lines().filter(|line| line.starts_with("a=")).collect();
        assert_eq!(read, own, "{file}");
    }
}

#[test]
fn webrtc_rs_reads_it() {
    for (file, session) in mapped() {
        let text = session.to_string();
        let read = sdp::SessionDescription::unmarshal(&mut Cursor::new(text.as_bytes()))
            .unwrap_or_else(|error| panic!("{file}: {error}\n{text}"));
        assert_eq!(read.media_descriptions.len(), session.media.len(), "{file}");
        for (read, own) in read.media_descriptions.iter().zip(&session.media) {
            assert_eq!(read.attributes.len(), own.attributes.len(), "{file}");
        }
    }
}

#[test]
fn mozilla_reads_what_it_read_before() {
    let mut accepted = 0;
    for (file, session) in mapped() {
        let text = plain(&session.to_string());
        if webrtc_sdp::parse_sdp(&plain(&file.text), false).is_err() {
            continue;
        }
        let read = webrtc_sdp::parse_sdp(&text, false)
            .unwrap_or_else(|error| panic!("{file}: {error}\n{text}"));
        assert_eq!(read.media.len(), session.media.len(), "{file}");
        accepted += 1;
    }
    assert!(accepted > 30, "only {accepted} were read");
}

/// Without what this parser refuses a whole description over.
fn plain(sdp: &str) -> String {
    sdp.split_inclusive("\r\n")
        .filter(|line| !line.starts_with("a=rtcp-xr:"))
        .collect()
}

/// Each recorded description, and what comes of it by way of Jingle.
fn mapped() -> Vec<(Recording, Session)> {
    let mut mapped = Vec::new();
    for own in recordings("sdp") {
        let (owner, kind, dialect) = (own.owner(), own.kind(), &Dialect::STRICT);
        let sid = Sid::new("a").unwrap();
        let (jingle, _) = mapping::to_jingle(&own.sdp(), sid, owner, kind, dialect).unwrap();
        let jingle = jingle_of(&jingle.to_xml()).unwrap();
        let (sdp, _) = mapping::to_sdp(&jingle, owner, kind, dialect).unwrap();
        mapped.push((own, sdp));
    }
    assert!(mapped.len() > 40, "only {} were mapped", mapped.len());
    mapped
}
