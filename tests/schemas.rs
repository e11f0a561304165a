//! `schemas/` says what Campana writes: the samples, and what the mapping makes of every recorded
//! description. `tests/flows.rs` checks the stanzas of whole calls.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

mod schema;

use std::fs;
use std::path::{Path, PathBuf};

use campana::jingle::{self, Action, Jingle, Role, Sid};
use campana::mapping::{self, Dialect, Kind, Session, Trickle};
use campana::sdp;
use campana::xml::{self, Document, Element};
use schema::Emitted;

#[test]
fn each_sample_is_what_it_is_said_to_be() {
    for (kind, least) in [("valid", 40), ("invalid", 60)] {
        let mut emitted = Emitted::default();
        let files = files(&schema::schemas().join("samples").join(kind), "xml");
        assert!(files.len() >= least, "{} {kind} samples", files.len());
        for (path, text) in &files {
            let name = path.file_name().unwrap().to_string_lossy();
            emitted.add(&name, text.trim_end());
        }
        assert_eq!(emitted.len(), files.len(), "a sample is there twice");
        let violations = emitted.violations();
        if kind == "valid" {
            assert!(violations.is_empty(), "{}", violations.join("\n"));
        } else {
            let passed: Vec<_> = files
                .iter()
                .map(|(path, _)| path.file_name().unwrap().to_string_lossy())
                .filter(|name| {
                    !violations
                        .iter()
                        .any(|v| v.starts_with(&format!("{name}:")))
                })
                .collect();
            assert!(passed.is_empty(), "no fault was found in {passed:?}");
        }
    }
}

#[test]
fn jingle_made_of_recorded_sdp_is_valid() {
    let mut emitted = Emitted::default();
    for (path, text) in corpus("sdp") {
        let sdp = sdp::Session::parse(&text, &sdp::Limits::default()).unwrap();
        let answer = path.to_string_lossy().contains(".answer.");
        let kind = if answer { Kind::Answer } else { Kind::Offer };
        for owner in [Role::Initiator, Role::Responder] {
            for dialect in Dialect::ALL {
                let sid = Sid::new("a73sjjvkla37jfea").unwrap();
                let mapped = mapping::to_jingle(&sdp, sid, owner, kind, dialect);
                // A dialect may have no place for anything of it.
                if let Ok((jingle, _)) = mapped
                    && !jingle.contents.is_empty()
                {
                    let label = format!("{} {owner:?} {}", path.display(), dialect.name);
                    emitted.add(&label, &jingle.to_xml());
                }
            }
        }
    }
    assert!(emitted.len() > 300, "only {} were made", emitted.len());
    emitted.assert_valid();
}

#[test]
fn candidates_of_recorded_sdp_are_valid() {
    let mut emitted = Emitted::default();
    for (path, text) in corpus("sdp") {
        if path.to_string_lossy().contains(".answer.") {
            continue;
        }
        for dialect in Dialect::ALL {
            let offer = sdp::Session::parse(&text, &sdp::Limits::default()).unwrap();
            let lines = candidates(&offer);
            let sid = Sid::new("a73sjjvkla37jfea").unwrap();
            let Ok((mut session, _)) = Session::initiate(sid, offer, dialect) else {
                continue;
            };
            let all = session.local_candidates(&lines).unwrap();
            for stanza in all.map(|all| session.split(all)).into_iter().flatten() {
                let label = format!("{} {}", path.display(), dialect.name);
                emitted.add(&label, &stanza.to_xml());
            }
        }
    }
    assert!(emitted.len() > 20, "only {} were made", emitted.len());
    emitted.assert_valid();
}

#[test]
fn jingle_of_every_client_is_passed_on_as_valid() {
    let mut emitted = Emitted::default();
    for (path, text) in corpus("xml") {
        let jingle = parse(&text).unwrap_or_else(|| panic!("{}: no jingle", path.display()));
        let owner = match jingle.action {
            Action::SessionAccept => Role::Responder,
            _ => Role::Initiator,
        };
        for dialect in Dialect::ALL {
            if let Ok((stanzas, _)) = mapping::relay(&jingle, owner, dialect) {
                for stanza in stanzas {
                    let label = format!("{} to {}", path.display(), dialect.name);
                    emitted.add(&label, &stanza.to_xml());
                }
            }
        }
    }
    assert!(emitted.len() > 60, "only {} were made", emitted.len());
    emitted.assert_valid();
}

fn candidates(sdp: &sdp::Session) -> Vec<Trickle> {
    let mut lines = Vec::new();
    for (index, media) in sdp.media.iter().enumerate() {
        let line = |candidate| Trickle {
            mid: media.mid().map(|mid| mid.as_str().to_owned()),
            index: Some(index),
            ufrag: None,
            candidate,
        };
        lines.extend(media.candidates().map(|own| line(Some(own.to_string()))));
        lines.push(line(None));
    }
    lines
}

fn parse(text: &str) -> Option<Jingle> {
    let document = Document::parse(text.as_bytes(), "", &xml::Limits::default()).unwrap();
    let element = find(document.root())?;
    Some(Jingle::from_xml(element, &jingle::Limits::default()).unwrap())
}

fn find(element: Element<'_>) -> Option<Element<'_>> {
    if element.is("jingle", jingle::session::NS) {
        return Some(element);
    }
    element.children().find_map(find)
}

fn corpus(extension: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    fs::read_dir(root)
        .unwrap()
        .map(|client| client.unwrap().path())
        .filter(|client| client.is_dir())
        .flat_map(|client| files(&client, extension))
        .collect()
}

fn files(folder: &Path, extension: &str) -> Vec<(PathBuf, String)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|own| own == extension))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path, text)
        })
        .collect();
    files.sort();
    files
}
