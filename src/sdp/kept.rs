use std::fmt;

use super::{Error, Limits, Session};

/// A description that nobody works with now: its text alone, a quarter of what [`Session`] takes.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept(Box<str>);

impl Kept {
    /// Keeps a text that was read before; [`Self::text`] gives it back byte for byte.
    pub fn new(text: String) -> Self {
        Self(text.into_boxed_str())
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.0.into_string()
    }

    /// What it says.
    ///
    /// # Errors
    /// Never for a text that was read before, or written by us.
    pub fn read(&self) -> Result<Session, Error> {
        // What came in was measured then; what we wrote may be more.
        let limits = Limits {
            bytes: usize::MAX,
            lines: usize::MAX,
            media: usize::MAX,
        };
        Session::parse(&self.0, &limits)
    }
}

impl From<&Session> for Kept {
    fn from(session: &Session) -> Self {
        let kept = Self::new(session.to_string());
        debug_assert_eq!(kept.read().as_ref(), Ok(session), "nothing is lost");
        kept
    }
}

/// Without the text, which holds passwords.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({} bytes)", self.0.len())
    }
}
