//! What was dropped, and why.

use std::fmt;

/// Everything that a mapping did not carry over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order it was met.
    pub dropped: Vec<Dropped>,
}

/// One thing that was not carried over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The section's name; `None` for the session level.
    pub section: Option<String>,
    /// What: the name of an attribute or element. Never a value, which may be private.
    pub what: String,
    /// Why.
    pub why: Why,
}

/// Why something was not carried over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// It has no meaning for the other side by design.
    Meaningless,
    /// The other side has no place for it and takes no extension.
    NoPlace,
    /// The dialect of the peer can not take it.
    Dialect,
    /// It is about a payload type that the section does not list.
    Unlisted,
    /// It was not in the offer.
    NotOffered,
    /// It would break the grammar of the other side.
    Malformed,
    /// Something like it is there already.
    Duplicate,
    /// It must not be passed on for safety's sake.
    Unsafe,
}

impl Report {
    /// Notes one thing.
    pub(super) fn note(&mut self, section: Option<&str>, what: impl Into<String>, why: Why) {
        self.dropped.push(Dropped {
            section: section.map(str::to_owned),
            what: what.into(),
            why,
        });
    }

    /// Whether everything was carried over.
    pub fn is_empty(&self) -> bool {
        self.dropped.is_empty()
    }
}

/// One line.
impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.section {
            Some(section) => write!(f, "section {section}: {}: {}", self.what, self.why),
            None => write!(f, "session: {}: {}", self.what, self.why),
        }
    }
}

impl Why {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Meaningless,
        Self::NoPlace,
        Self::Dialect,
        Self::Unlisted,
        Self::NotOffered,
        Self::Malformed,
        Self::Duplicate,
        Self::Unsafe,
    ];

    /// What metrics call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Meaningless => "meaningless",
            Self::NoPlace => "no_place",
            Self::Dialect => "dialect",
            Self::Unlisted => "unlisted",
            Self::NotOffered => "not_offered",
            Self::Malformed => "malformed",
            Self::Duplicate => "duplicate",
            Self::Unsafe => "unsafe",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Meaningless => "means nothing to the other side",
            Self::NoPlace => "the other side has no place for it",
            Self::Dialect => "the peer can not take it",
            Self::Unlisted => "the section does not list its payload type",
            Self::NotOffered => "was not offered",
            Self::Malformed => "is malformed",
            Self::Duplicate => "is there twice",
            Self::Unsafe => "is not passed on for safety",
        })
    }
}
