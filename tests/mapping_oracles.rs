//! Parsers by other hands read the SDP that comes out of the mapping, and read the same in it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use campana::jingle::{self, Jingle, Role, Sid};
use campana::mapping::{self, Dialect, Kind};
use campana::sdp::{Limits, Session};
use campana::xml::{self, Document};

#[test]
fn sdp_types_reads_every_line() {
    for (path, _, session) in mapped() {
        let text = session.to_string();
        let read = sdp_types::Session::parse(text.as_bytes())
            .unwrap_or_else(|error| panic!("{}: {error}\n{text}", path.display()));
        assert_eq!(read.medias.len(), session.media.len(), "{}", path.display());
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
        assert_eq!(read, own, "{}", path.display());
    }
}

#[test]
fn webrtc_rs_reads_it() {
    for (path, _, session) in mapped() {
        let text = session.to_string();
        let read = sdp::SessionDescription::unmarshal(&mut Cursor::new(text.as_bytes()))
            .unwrap_or_else(|error| panic!("{}: {error}\n{text}", path.display()));
        assert_eq!(
            read.media_descriptions.len(),
            session.media.len(),
            "{}",
            path.display()
        );
        for (read, own) in read.media_descriptions.iter().zip(&session.media) {
            assert_eq!(
                read.attributes.len(),
                own.attributes.len(),
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn mozilla_reads_what_it_read_before() {
    let mut accepted = 0;
    for (path, original, session) in mapped() {
        let text = plain(&session.to_string());
        if webrtc_sdp::parse_sdp(&plain(&original), false).is_err() {
            continue;
        }
        let read = webrtc_sdp::parse_sdp(&text, false)
            .unwrap_or_else(|error| panic!("{}: {error}\n{text}", path.display()));
        assert_eq!(read.media.len(), session.media.len(), "{}", path.display());
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
fn mapped() -> Vec<(PathBuf, String, Session)> {
    let mut mapped = Vec::new();
    for (path, text) in corpus() {
        let original = Session::parse(&text, &Limits::default()).unwrap();
        let (owner, kind) = if path.to_string_lossy().contains(".answer.") {
            (Role::Responder, Kind::Answer)
        } else {
            (Role::Initiator, Kind::Offer)
        };
        let sid = Sid::new("a").unwrap();
        let (jingle, _) =
            mapping::to_jingle(&original, sid, owner, kind, &Dialect::STRICT).unwrap();
        let xml = jingle.to_xml();
        let document = Document::parse(xml.as_bytes(), "", &xml::Limits::default()).unwrap();
        let jingle = Jingle::from_xml(document.root(), &jingle::Limits::default()).unwrap();
        let (sdp, _) = mapping::to_sdp(&jingle, owner, kind, &Dialect::STRICT).unwrap();
        mapped.push((path, text, sdp));
    }
    assert!(mapped.len() > 40, "only {} were mapped", mapped.len());
    mapped
}

fn corpus() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<_> = fs::read_dir(root)
        .unwrap()
        .map(|client| client.unwrap().path())
        .filter(|client| client.is_dir())
        .flat_map(|client| fs::read_dir(client).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|own| own == "sdp"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path, text)
        })
        .collect();
    files.sort();
    files
}
