//! One Jingle leg whose other side is SDP.

use crate::jingle::{Jingle, Role, Sid};
use crate::sdp;

use super::{Dialect, Refusal, Report, Trickle};

/// What a Jingle leg has agreed on so far.
///
/// Made by [`Session::initiate`] from the browser's offer, or by [`Session::initiated`] from the
/// peer's session-initiate; from then on every method is told one event and gives what to send to
/// the other side. A method that refuses leaves the value as it was.
#[derive(Clone, Debug)]
pub struct Session {
    sid: Sid,
    role: Role,
    dialect: &'static Dialect,
    policy: BundlePolicy,
    report: Report,
}

/// How the browser bundles; an SDP offer does not show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BundlePolicy {
    /// A transport for each kind of media, if the peer does not bundle.
    #[default]
    Balanced,
    /// One transport only: what the peer does not bundle is rejected.
    Max,
}

impl Session {
    /// The browser calls: its first offer, checked by [`super::browser::offer`], becomes
    /// session-initiate, without `initiator`.
    ///
    /// # Errors
    /// When there is nothing in it that Jingle can carry, or no DTLS.
    pub fn initiate(
        sid: Sid,
        _offer: sdp::Session,
        dialect: &'static Dialect,
    ) -> Result<(Self, Jingle), Refusal> {
        let _ = (sid, dialect);
        Err(Refusal::UnsupportedApplications)
    }

    /// The peer calls: its session-initiate.
    ///
    /// # Errors
    /// When no content can be carried to a browser, or no DTLS.
    pub fn initiated(_initiate: &Jingle, dialect: &'static Dialect) -> Result<Self, Refusal> {
        let _ = dialect;
        Err(Refusal::UnsupportedApplications)
    }

    /// The offer for the browser that comes of [`Session::initiated`]; `None` while ICE credentials
    /// or the fingerprint have yet to come by transport-info.
    pub fn remote_offer(&self) -> Option<sdp::Session> {
        None
    }

    /// The browser's answer to [`Session::remote_offer`], checked by [`super::browser::answer`],
    /// becomes session-accept, without `responder`.
    ///
    /// # Errors
    /// When it does not fit the offer.
    pub fn accept(&mut self, _answer: sdp::Session) -> Result<Jingle, Refusal> {
        Err(Refusal::UnsupportedApplications)
    }

    /// The peer's session-accept.
    ///
    /// # Errors
    /// When nothing of the offer is left, or no DTLS.
    pub fn accepted(&mut self, _accept: &Jingle) -> Result<(), Refusal> {
        Ok(())
    }

    /// The answer for the browser that comes of [`Session::accepted`]; `None` before it, and while
    /// ICE credentials or the fingerprint have yet to come by transport-info.
    pub fn remote_answer(&self) -> Option<sdp::Session> {
        None
    }

    /// The browser's candidates, as many as are at hand, become one transport-info; `None` when
    /// the peer needs none of them.
    ///
    /// # Errors
    /// When a candidate is malformed or belongs nowhere.
    pub fn local_candidates(&mut self, _trickle: &[Trickle]) -> Result<Option<Jingle>, Refusal> {
        Ok(None)
    }

    /// The peer's transport-info: candidates for the browser, to be kept until it has its
    /// description. Credentials and fingerprints in it complete [`Session::remote_offer`] and
    /// [`Session::remote_answer`].
    ///
    /// # Errors
    /// When it names an unknown content or holds malformed credentials.
    pub fn remote_candidates(&mut self, _info: &Jingle) -> Result<Vec<Trickle>, Refusal> {
        Ok(Vec::new())
    }

    /// The stanza, or several when the peer takes only one content in each.
    pub fn split(&self, jingle: Jingle) -> Vec<Jingle> {
        vec![jingle]
    }

    /// The session's name.
    pub fn sid(&self) -> &Sid {
        &self.sid
    }

    /// The role of our side, and so of the browser.
    pub fn role(&self) -> Role {
        self.role
    }

    /// How the peer speaks.
    pub fn dialect(&self) -> &'static Dialect {
        self.dialect
    }

    /// Sets how the browser bundles; before [`Session::accepted`].
    pub fn set_bundle_policy(&mut self, policy: BundlePolicy) {
        self.policy = policy;
    }

    /// The content's creator and name that stand for a section of the browser, for a mute.
    pub fn content_of(&self, _mid: &str) -> Option<(Role, &str)> {
        None
    }

    /// The section that stands for a content, for a mute.
    pub fn mid_of(&self, _name: &str) -> Option<&str> {
        None
    }

    /// What was dropped since the last time.
    pub fn take_report(&mut self) -> Report {
        std::mem::take(&mut self.report)
    }
}
