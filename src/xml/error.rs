use thiserror::Error;

/// Why a stanza, or a document, was not parsed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// More bytes than [`Limits::stanza_bytes`](super::Limits::stanza_bytes).
    #[error("larger than {0} bytes")]
    TooLarge(usize),
    /// Deeper than [`Limits::depth`](super::Limits::depth).
    #[error("nested deeper than {0} levels")]
    TooDeep(usize),
    /// More attributes than [`Limits::attributes`](super::Limits::attributes) on one element.
    #[error("more than {0} attributes on one element")]
    TooManyAttributes(usize),
    /// Not UTF-8, which RFC 6120 §11.6 demands.
    #[error("not UTF-8")]
    NotUtf8,
    /// Legal XML that RFC 6120 §11.1 forbids, such as a comment.
    #[error("{0} is not allowed in XMPP")]
    Restricted(&'static str),
    /// Not well-formed (XML 1.0 §2.1) or not namespace-well-formed.
    #[error("not well-formed: {0}")]
    NotWellFormed(String),
}

impl Error {
    /// Whether the sender broke one of our bounds rather than the rules of XML: such a stanza
    /// costs itself, while broken XML costs the stream.
    #[must_use]
    pub fn is_over_limit(&self) -> bool {
        matches!(
            self,
            Self::TooLarge(_) | Self::TooDeep(_) | Self::TooManyAttributes(_)
        )
    }
}

/// Why a stream cannot go on. Each is answered by closing the stream and reconnecting.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamError {
    /// RFC 6120 §4.9.3.13 `not-well-formed`.
    #[error("not-well-formed: {0}")]
    NotWellFormed(String),
    /// RFC 6120 §4.9.3.18 `restricted-xml`.
    #[error("restricted-xml: {0}")]
    RestrictedXml(&'static str),
    /// RFC 6120 §4.9.3.14 `policy-violation`: a single stanza without an end in sight.
    #[error("policy-violation: a stanza of more than {0} bytes")]
    PolicyViolation(usize),
}

impl StreamError {
    /// The condition element's name, RFC 6120 §4.9.3.
    #[must_use]
    pub fn condition(&self) -> &'static str {
        match self {
            Self::NotWellFormed(_) => "not-well-formed",
            Self::RestrictedXml(_) => "restricted-xml",
            Self::PolicyViolation(_) => "policy-violation",
        }
    }
}

impl From<Error> for StreamError {
    fn from(error: Error) -> Self {
        match error {
            Error::Restricted(what) => Self::RestrictedXml(what),
            other => Self::NotWellFormed(other.to_string()),
        }
    }
}
