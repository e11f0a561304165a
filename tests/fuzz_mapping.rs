//! The bodies of the fuzz targets, on stable: with the inputs that are kept, and with recorded
//! descriptions that were changed a little. What Campana would send of it is valid.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "integration test"
)]

#[path = "fuzz/exercise/mapping.rs"]
mod exercise;
mod schema;

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use schema::Emitted;

type Body = fn(&[u8]) -> Vec<String>;

const BODIES: [(&str, Body); 6] = [
    ("candidate", exercise::candidate),
    ("document", exercise::document),
    ("framer", exercise::framer),
    ("jingle", exercise::jingle),
    ("sdp", exercise::sdp),
    ("session", exercise::session),
];

#[test]
fn kept_inputs_do_no_harm() {
    let mut emitted = Emitted::default();
    for (name, body) in BODIES {
        let files = files(&root().join("fuzz/corpus").join(name));
        assert!(!files.is_empty(), "no inputs of {name}");
        for file in files {
            for sent in body(&fs::read(&file).unwrap()) {
                emitted.add(&file.display().to_string(), &sent);
            }
        }
    }
    emitted.assert_valid();
}

#[test]
fn changed_sdp_does_no_harm() {
    changed(&recorded("sdp"), exercise::sdp, 200);
}

#[test]
fn changed_jingle_does_no_harm() {
    changed(&recorded("xml"), exercise::jingle, 300);
}

#[test]
fn changed_candidates_do_no_harm() {
    changed(&kept("candidate"), exercise::candidate, 600);
}

#[test]
fn changed_streams_and_documents_do_no_harm() {
    let mut inputs = kept("framer");
    inputs.extend(kept("document"));
    changed(&inputs, exercise::framer, 400);
    inputs.extend(recorded("xml"));
    changed(&inputs, exercise::document, 400);
}

#[test]
fn changed_events_do_no_harm() {
    changed(&kept("session"), exercise::session, 150);
}

/// Changes the inputs and gives them to the body; what it sends must be valid.
fn changed(inputs: &[Vec<u8>], body: Body, cases: u32) {
    assert!(!inputs.is_empty());
    // The same in each run: what is found by chance is kept in the corpus.
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(20),
        failure_persistence: None,
        ..Config::default()
    };
    let emitted = std::cell::RefCell::new(Emitted::default());
    let mut runner = TestRunner::new(config);
    let changes = (
        prop::sample::select(inputs.to_vec()),
        prop::collection::vec(change(), 1..6),
    );
    let result = runner.run(&changes, |(mut input, changes)| {
        for change in changes {
            change.apply(&mut input);
        }
        let text = String::from_utf8_lossy(&input).into_owned();
        for sent in body(&input) {
            emitted.borrow_mut().add(&text, &sent);
        }
        Ok(())
    });
    result.unwrap();
    let violations = emitted.into_inner().violations();
    let shown: Vec<_> = violations.iter().take(5).collect();
    assert!(
        violations.is_empty(),
        "{} stanzas violate schemas/: {shown:#?}",
        violations.len()
    );
}

/// One change of some bytes.
#[derive(Clone, Debug)]
enum Change {
    /// Something else in place of one byte.
    Put(prop::sample::Index, Vec<u8>),
    /// Bytes taken away.
    Cut(prop::sample::Index, usize),
    /// A line, or what stands between blanks or quotes, is replaced.
    Word(prop::sample::Index, Vec<u8>),
    /// A part occurs twice.
    Twice(prop::sample::Index, usize),
}

impl Change {
    fn apply(&self, input: &mut Vec<u8>) {
        if input.is_empty() {
            return;
        }
        match self {
            Self::Put(at, bytes) => {
                let at = at.index(input.len());
                input.splice(at..=at, bytes.iter().copied());
            }
            Self::Cut(at, length) => {
                let at = at.index(input.len());
                let end = input.len().min(at + length);
                input.drain(at..end);
            }
            Self::Word(at, bytes) => {
                let at = at.index(input.len());
                let edge = |byte: &u8| b" \r\n'\"<>:=;,".contains(byte);
                let start = input[..at].iter().rposition(edge).map_or(0, |own| own + 1);
                let end = input[at..]
                    .iter()
                    .position(edge)
                    .map_or(input.len(), |own| at + own);
                input.splice(start..end.max(start), bytes.iter().copied());
            }
            Self::Twice(at, length) => {
                let at = at.index(input.len());
                let end = input.len().min(at + length);
                let part = input[at..end].to_vec();
                input.splice(at..at, part);
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let bytes = || {
        prop_oneof![
            prop::sample::select(WORDS).prop_map(|word| word.as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 0..8),
            "[ -~]{0,12}".prop_map(String::into_bytes),
        ]
    };
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), bytes()).prop_map(|(at, bytes)| Change::Put(at, bytes)),
        (at(), 0usize..200).prop_map(|(at, length)| Change::Cut(at, length)),
        (at(), bytes()).prop_map(|(at, bytes)| Change::Word(at, bytes)),
        (at(), bytes()).prop_map(|(at, bytes)| Change::Word(at, bytes)),
        (at(), 0usize..200).prop_map(|(at, length)| Change::Twice(at, length)),
    ]
}

/// What parsers stumble over.
const WORDS: &[&str] = &[
    "",
    " ",
    "0",
    "-1",
    "1",
    "65536",
    "4294967296",
    "99999999999999999999",
    "\r\n",
    "\n",
    "\r",
    "\0",
    "&#10;",
    "&#13;",
    "&amp;",
    "'",
    "\"",
    "<",
    ">",
    "=",
    ";",
    ":",
    "/",
    "a=",
    "m=audio 0 X 0",
    "b=AS:x",
    "::1",
    "fe80::1",
    "x.local",
    "é",
    "\u{2028}",
    "both",
    "none",
    "rejected",
    "actpass",
    "holdconn",
    "BUNDLE",
    "rtx",
    "*",
];

fn recorded(extension: &str) -> Vec<Vec<u8>> {
    fs::read_dir(root().join("corpus"))
        .unwrap()
        .map(|client| client.unwrap().path())
        .filter(|client| client.is_dir())
        .flat_map(|client| files(&client))
        .filter(|file| file.extension().is_some_and(|own| own == extension))
        .map(|file| fs::read(file).unwrap())
        .collect()
}

fn kept(target: &str) -> Vec<Vec<u8>> {
    files(&root().join("fuzz/corpus").join(target))
        .iter()
        .map(|file| fs::read(file).unwrap())
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}
