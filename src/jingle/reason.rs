//! `<reason/>`: XEP-0166 §7.4.

use crate::xml::{Element, Writer};

use super::session::{NS, Sid};

/// Why something ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReasonElement {
    /// One of the seventeen.
    pub condition: Reason,
    /// For people.
    pub text: Option<String>,
    /// The session that goes on, with [`Reason::AlternativeSession`].
    pub alternative: Option<Sid>,
}

/// The conditions of XEP-0166 §7.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the XEP's own words")]
pub enum Reason {
    AlternativeSession,
    Busy,
    Cancel,
    ConnectivityError,
    Decline,
    Expired,
    FailedApplication,
    FailedTransport,
    GeneralError,
    Gone,
    IncompatibleParameters,
    MediaError,
    SecurityError,
    Success,
    Timeout,
    UnsupportedApplications,
    UnsupportedTransports,
}

impl ReasonElement {
    /// Reads `<reason/>`, whose own namespace may differ (XEP-0353 re-uses it). An unknown
    /// condition counts as `general-error`, none at all as well.
    pub fn from_xml(element: Element<'_>) -> Self {
        let mut reason = Self::from(Reason::GeneralError);
        for child in element.children().filter(|child| child.ns() == NS) {
            if let Some(condition) = Reason::from_name(child.name()) {
                reason.condition = condition;
                reason.alternative = child
                    .child("sid", NS)
                    .and_then(|sid| Sid::new(sid.text().trim()));
            } else if child.name() == "text" {
                reason.text = Some(child.text().into_owned()).filter(|text| !text.is_empty());
            }
        }
        reason
    }

    /// Writes `<reason/>`.
    pub fn write(&self, out: &mut Writer) {
        out.open("reason", NS).open(self.condition.name(), NS);
        if let Some(sid) = &self.alternative {
            out.leaf("sid", NS, sid.as_str());
        }
        out.close();
        if let Some(text) = &self.text {
            out.leaf("text", NS, text);
        }
        out.close();
    }
}

impl From<Reason> for ReasonElement {
    fn from(condition: Reason) -> Self {
        Self {
            condition,
            text: None,
            alternative: None,
        }
    }
}

impl Reason {
    /// All of them, in the order of the XEP.
    pub const ALL: [Self; 17] = [
        Self::AlternativeSession,
        Self::Busy,
        Self::Cancel,
        Self::ConnectivityError,
        Self::Decline,
        Self::Expired,
        Self::FailedApplication,
        Self::FailedTransport,
        Self::GeneralError,
        Self::Gone,
        Self::IncompatibleParameters,
        Self::MediaError,
        Self::SecurityError,
        Self::Success,
        Self::Timeout,
        Self::UnsupportedApplications,
        Self::UnsupportedTransports,
    ];

    /// The local name.
    pub fn name(self) -> &'static str {
        match self {
            Self::AlternativeSession => "alternative-session",
            Self::Busy => "busy",
            Self::Cancel => "cancel",
            Self::ConnectivityError => "connectivity-error",
            Self::Decline => "decline",
            Self::Expired => "expired",
            Self::FailedApplication => "failed-application",
            Self::FailedTransport => "failed-transport",
            Self::GeneralError => "general-error",
            Self::Gone => "gone",
            Self::IncompatibleParameters => "incompatible-parameters",
            Self::MediaError => "media-error",
            Self::SecurityError => "security-error",
            Self::Success => "success",
            Self::Timeout => "timeout",
            Self::UnsupportedApplications => "unsupported-applications",
            Self::UnsupportedTransports => "unsupported-transports",
        }
    }

    /// Reads the local name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}
