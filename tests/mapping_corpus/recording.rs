//! What programs wrote: the files of `tests/corpus`.
#![allow(dead_code, reason = "not every test program uses all of it")]

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use campana::jingle::{self, Jingle, Role, session};
use campana::mapping::Kind;
use campana::sdp;
use campana::xml::{self, Document, Element};

/// What a program wrote.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// All files with this extension, in order.
pub(crate) fn recordings(extension: &str) -> Vec<Recording> {
    let programs = fs::read_dir(root()).unwrap().map(|own| own.unwrap().path());
    let mut all: Vec<_> = programs
        .filter(|program| program.is_dir())
        .flat_map(|program| fs::read_dir(program).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|own| own == extension))
        .map(|path| Recording::read(&path))
        .collect();
    all.sort_by(|one, other| one.path.cmp(&other.path));
    all
}

/// Where they are.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

impl Recording {
    /// One of them, by its path in here.
    pub(crate) fn at(path: &str) -> Self {
        Self::read(&root().join(path))
    }

    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path);
        Self {
            path: path.to_owned(),
            text: text.unwrap_or_else(|error| panic!("{}: {error}", path.display())),
        }
    }

    /// What wrote it: the name of its folder.
    pub(crate) fn program(&self) -> &str {
        let folder = self.path.parent().unwrap();
        folder.file_name().unwrap().to_str().unwrap()
    }

    /// Whether it offers or answers, as its name says.
    pub(crate) fn kind(&self) -> Kind {
        let name = self.path.file_name().unwrap().to_str().unwrap();
        if name.contains(".answer") || name.contains("session-accept") {
            Kind::Answer
        } else {
            Kind::Offer
        }
    }

    /// The role of who wrote it.
    pub(crate) fn owner(&self) -> Role {
        match self.kind() {
            Kind::Offer => Role::Initiator,
            Kind::Answer => Role::Responder,
        }
    }

    /// The SDP in it.
    pub(crate) fn sdp(&self) -> sdp::Session {
        let read = sdp::Session::parse(&self.text, &sdp::Limits::default());
        read.unwrap_or_else(|error| panic!("{self}: {error}"))
    }

    /// The Jingle in it.
    pub(crate) fn jingle(&self) -> Jingle {
        jingle_of(&self.text).unwrap_or_else(|| panic!("{self}: no jingle"))
    }
}

impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// The outermost `<jingle/>` of a stanza.
pub(crate) fn jingle_of(stanza: &str) -> Option<Jingle> {
    let document = Document::parse(stanza.as_bytes(), "", &xml::Limits::default()).unwrap();
    let element = find(document.root())?;
    Some(Jingle::from_xml(element, &jingle::Limits::default()).unwrap())
}

fn find(element: Element<'_>) -> Option<Element<'_>> {
    if element.is("jingle", session::NS) {
        return Some(element);
    }
    element.children().find_map(find)
}
