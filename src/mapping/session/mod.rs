//! One Jingle leg whose other side is SDP.

mod agreed;
mod asked;
mod change;
mod describe;
mod difference;
mod local;
mod remote;
mod reply;
mod rest;
mod restart;
mod trickle;
mod withdrawal;

pub use change::{Change, Phase, Receipt, Stanza, ToBrowser};
pub use rest::Resting;

use std::collections::VecDeque;

use crate::jingle::ice_udp::Flavour;
use crate::jingle::{Action, Content, Description, Jingle, Role, Senders, Sid};
use crate::sdp::{self, Setup, Token};

use super::to_jingle::{Name, names, push_down, sections};
use super::to_sdp::{mids, usable};
use super::{Dialect, Kind, Refusal, Report, Why, browser, transport};

/// What a Jingle leg has agreed on so far.
///
/// Made by [`Session::initiate`] from the browser's offer, or by [`Session::initiated`] from the
/// peer's session-initiate; from then on every method is told one event and gives what to send to
/// the other side. A method that refuses leaves the value as it was.
///
/// Once the first offer is answered, each event gives a [`Change`]. What the browser says goes to
/// [`Session::offer_later`], [`Session::answer_later`] and [`Session::roll_back`]; what the peer
/// asks for goes to [`Session::requested`], and what it answers to [`Session::acknowledged`] and
/// [`Session::declined`]. [`Session::phase`] tells whose turn it is.
#[derive(Clone, Debug)]
pub struct Session {
    sid: Sid,
    role: Role,
    dialect: &'static Dialect,
    policy: BundlePolicy,
    /// In the order of the m-lines, which never changes.
    sections: Vec<Section>,
    /// What the browser said last.
    local: Option<sdp::Session>,
    /// What the peer said last, completed by its transport-infos.
    remote: Option<Jingle>,
    /// Transports of transport-infos that came before the peer's description.
    early: Vec<Content>,
    flavour: Flavour,
    report: Report,
    /// What the peer said last, as the browser knows it: there once the first offer is answered.
    peer: Option<sdp::Session>,
    /// How many descriptions the browser was given.
    version: u64,
    pending: Option<Pending>,
    /// Requests of the peer that wait until the browser has answered.
    queue: VecDeque<Jingle>,
    /// Requests that were taken back before they were answered, and what undoes them.
    withdrawn: Vec<withdrawal::Withdrawn>,
    /// Contents that the peer may still know, and that have no section any more.
    parked: Vec<Name>,
    /// Username fragments of the peer that are out of use.
    retired: VecDeque<String>,
    receipts: u32,
    /// Contents of each content-modify that is not answered yet.
    modifying: Vec<(Receipt, Vec<Name>)>,
    /// How often our side restarted ICE.
    generation: u32,
    /// Answers that are still to come to restarts that were taken back.
    unwanted: u32,
    /// The peer was told of credentials that the browser does not use.
    stale: bool,
    /// Whether the peer is known to restart ICE, or not known to refuse.
    restarts: bool,
    /// Whether the other side can be asked to.
    far_restarts: bool,
}

/// A change that is not agreed on yet.
#[derive(Clone, Debug)]
enum Pending {
    /// The browser's offer waits for the peer.
    Local(Box<local::LocalChange>),
    /// The peer's request waits for the browser.
    Remote(Box<remote::RemoteChange>),
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

/// One m-line and its content.
#[derive(Clone, Debug)]
struct Section {
    /// `a=mid`, if the browser writes one.
    mid: Option<Token>,
    name: Name,
    /// Whether there is a content for it.
    live: bool,
    /// Who sends, as it was agreed on.
    senders: Senders,
    /// The peer's part in the DTLS association, which stays (RFC 8842 §5.5).
    setup: Option<Setup>,
}

impl Session {
    /// The browser calls: its first offer, checked by [`super::browser::offer`], becomes
    /// session-initiate, without `initiator`.
    ///
    /// # Errors
    /// When there is nothing in it that Jingle can carry, or no DTLS.
    pub fn initiate(
        sid: Sid,
        mut offer: sdp::Session,
        dialect: &'static Dialect,
    ) -> Result<(Self, Jingle), Refusal> {
        let role = Role::Initiator;
        let mut report = Report::default();
        let names = names(&offer, role, dialect);
        let mapped = sections(&offer, &names, role, Kind::Offer, dialect, &mut report)?;
        if mapped.contents.is_empty() {
            return Err(Refusal::UnsupportedApplications);
        }
        let sections = offer
            .media
            .iter()
            .zip(names)
            .enumerate()
            .map(|(index, (media, name))| Section {
                live: mapped.contents.iter().any(|(own, _)| *own == index),
                ..Section::new(media.mid().cloned(), name)
            })
            .collect();
        let mut jingle = Jingle::new(Action::SessionInitiate, sid.clone());
        jingle.contents = mapped
            .contents
            .into_iter()
            .map(|(_, content)| content)
            .collect();
        jingle.groups = mapped.groups;
        jingle.extra = mapped.extra;
        push_down(&mut offer);
        let session = Self {
            sections,
            local: Some(offer),
            report,
            ..Self::new(sid, role, dialect)
        };
        Ok((session, jingle))
    }

    /// The peer calls: its session-initiate.
    ///
    /// # Errors
    /// When no content can be carried to a browser, or no DTLS.
    pub fn initiated(initiate: &Jingle, dialect: &'static Dialect) -> Result<Self, Refusal> {
        let mut report = Report::default();
        let contents = usable(initiate, &mut report)?;
        if contents.iter().any(|content| content.transport.is_none()) {
            return Err(Refusal::UnsupportedTransports);
        }
        let mids = mids(&contents, browser::MID);
        let flavour = contents.iter().find_map(|content| content.ice());
        let sections = contents
            .iter()
            .zip(&mids)
            .map(|(content, mid)| Section {
                senders: content.senders(),
                ..Section::new(mid.clone(), Name::of(content))
            })
            .collect();
        let mut remote = initiate.clone();
        remote.contents = contents.into_iter().cloned().collect();
        let session = Self {
            flavour: flavour.map_or_else(Flavour::default, |ice| ice.flavour),
            sections,
            remote: Some(remote),
            report,
            ..Self::new(initiate.sid.clone(), Role::Responder, dialect)
        };
        // What can not be said to a browser is refused now, not when it is needed. A caller that
        // has ICE but no DTLS has none at all: nothing else would come later.
        session.describe_offer(&mut Report::default())?;
        match session.missing() {
            Some(refusal @ Refusal::NoDtls(_)) => Err(refusal),
            _ => Ok(session),
        }
    }

    fn new(sid: Sid, role: Role, dialect: &'static Dialect) -> Self {
        Self {
            sid,
            role,
            dialect,
            policy: BundlePolicy::default(),
            sections: Vec::new(),
            local: None,
            remote: None,
            early: Vec::new(),
            flavour: Flavour::default(),
            report: Report::default(),
            peer: None,
            version: 1,
            pending: None,
            queue: VecDeque::new(),
            withdrawn: Vec::new(),
            parked: Vec::new(),
            retired: VecDeque::new(),
            receipts: 0,
            modifying: Vec::new(),
            generation: 0,
            unwanted: 0,
            stale: false,
            restarts: true,
            far_restarts: true,
        }
    }

    /// The offer for the browser that comes of [`Session::initiated`]; `None` while ICE credentials
    /// or the fingerprint have yet to come by transport-info.
    pub fn remote_offer(&self) -> Option<sdp::Session> {
        if self.role != Role::Responder || self.has_changed() || self.missing().is_some() {
            return None;
        }
        self.describe_offer(&mut Report::default()).ok()
    }

    /// The browser's answer to [`Session::remote_offer`], checked by [`super::browser::answer`],
    /// becomes session-accept, without `responder`.
    ///
    /// # Errors
    /// When it does not fit the offer, or rejects all of it.
    pub fn accept(&mut self, mut answer: sdp::Session) -> Result<Jingle, Refusal> {
        let mut report = Report::default();
        let offer = self.describe_offer(&mut Report::default())?;
        browser::fits(&answer, &offer)?;
        let names: Vec<_> = self
            .sections
            .iter()
            .map(|section| section.name.clone())
            .collect();
        let kind = Kind::Answer;
        let mut mapped = sections(&answer, &names, self.role, kind, self.dialect, &mut report)?;
        let Some((_, tag)) = mapped.contents.first().cloned() else {
            return Err(Refusal::NoCommonCodec("every section".to_owned()));
        };
        if self.dialect.same_contents {
            self.keep_rejected(&tag, &mut mapped.contents);
        }
        for (index, section) in self.sections.iter_mut().enumerate() {
            section.live = mapped.contents.iter().any(|(own, _)| *own == index);
        }
        let mut jingle = Jingle::new(Action::SessionAccept, self.sid.clone());
        jingle.contents = mapped
            .contents
            .into_iter()
            .map(|(_, content)| content)
            .collect();
        for transport in jingle.contents.iter_mut().filter_map(Content::ice_mut) {
            transport.flavour = self.flavour;
        }
        jingle.groups = mapped.groups;
        jingle.extra = mapped.extra;
        push_down(&mut answer);
        self.establish_responder(offer, &answer, &jingle);
        self.local = Some(answer);
        self.report.dropped.append(&mut report.dropped);
        Ok(jingle)
    }

    /// The peer's session-accept.
    ///
    /// # Errors
    /// When nothing of the offer is left, or it can not be said to a browser.
    pub fn accepted(&mut self, accept: &Jingle) -> Result<(), Refusal> {
        let mut report = Report::default();
        let mut remote = accept.clone();
        self.fill_in_data(&mut remote);
        remote.contents = usable(&remote, &mut report)?.into_iter().cloned().collect();
        // A peer that does not repeat the creator rightly still means the content of that name.
        remote.contents.retain(|content| {
            let known = self
                .sections
                .iter()
                .any(|own| own.live && own.name.name == content.name);
            if !known {
                report.note(Some(&content.name), "content", Why::NotOffered);
            }
            known
        });
        if remote.contents.is_empty() {
            return Err(Refusal::UnsupportedApplications);
        }
        for content in &mut remote.contents {
            if let Some(early) = self.early.iter().find(|early| early.name == content.name) {
                merge(content, early);
            }
        }
        let before = self.remote.replace(remote);
        match self.describe_answer(&mut report) {
            Ok(answer) => {
                self.early.clear();
                for (section, media) in self.sections.iter_mut().zip(&answer.media) {
                    section.live &= !media.is_rejected();
                }
                self.report.dropped.append(&mut report.dropped);
                self.establish_initiator();
                Ok(())
            }
            Err(refusal) => {
                self.remote = before;
                Err(refusal)
            }
        }
    }

    /// The answer for the browser that comes of [`Session::accepted`]; `None` before it, and while
    /// ICE credentials or the fingerprint have yet to come by transport-info.
    pub fn remote_answer(&self) -> Option<sdp::Session> {
        if self.role != Role::Initiator || self.has_changed() || self.missing().is_some() {
            return None;
        }
        self.describe_answer(&mut Report::default()).ok()
    }

    /// The stanza, or several when the peer takes only one content in each.
    pub fn split(&self, jingle: Jingle) -> Vec<Jingle> {
        super::relay::split(jingle, self.dialect)
    }

    /// Whose turn it is.
    pub fn phase(&self) -> Phase {
        match &self.pending {
            Some(Pending::Local(_)) => Phase::AwaitingPeer,
            Some(Pending::Remote(_)) => Phase::AwaitingBrowser,
            None if self.peer.is_some() => Phase::Stable,
            None => Phase::Establishing,
        }
    }

    /// Sets how the browser bundles; before [`Session::accepted`].
    pub fn set_bundle_policy(&mut self, policy: BundlePolicy) {
        self.policy = policy;
    }

    /// Sets whether the other side can be asked to restart ICE. If not, the peer is told at once
    /// and not when its turn comes, since once it was acknowledged nothing takes its restart back.
    pub fn set_far_restarts(&mut self, restarts: bool) {
        self.far_restarts = restarts;
    }

    /// Whether the peer can be asked to restart ICE.
    pub fn can_restart(&self) -> bool {
        self.restarts && agreed::can_restart(self.dialect, self.role)
    }

    /// What was dropped since the last time.
    pub fn take_report(&mut self) -> Report {
        std::mem::take(&mut self.report)
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

    /// Sets how the peer speaks, once it is known. What was said before stands.
    pub fn set_dialect(&mut self, dialect: &'static Dialect) {
        self.dialect = dialect;
    }

    /// The kinds of media of the session: `audio`, `video`, each once.
    pub fn media(&self) -> Vec<String> {
        let mut kinds: Vec<String> = Vec::new();
        let mut add = |kind: &str| {
            if !kind.is_empty() && !kinds.iter().any(|own| own == kind) {
                kinds.push(kind.to_owned());
            }
        };
        match (&self.local, &self.remote) {
            (Some(local), _) => {
                local
                    .media
                    .iter()
                    .filter(|own| !own.is_rejected())
                    .for_each(|own| add(&own.kind));
            }
            (None, Some(remote)) => remote
                .contents
                .iter()
                .for_each(|own| add(own.rtp().map_or("application", |rtp| &rtp.media))),
            (None, None) => {}
        }
        kinds
    }

    /// The content's creator and name that stand for a section of the browser, for a mute.
    pub fn content_of(&self, mid: &str) -> Option<(Role, &str)> {
        self.lines()
            .iter()
            .enumerate()
            .find(|(index, section)| section.is_called(*index, mid))
            .map(|(_, section)| (section.name.creator, section.name.name.as_str()))
    }

    /// The section that stands for a content, for a mute. Movim puts "mid" before the name.
    pub fn mid_of(&self, name: &str) -> Option<String> {
        let find = |name: &str| self.lines().iter().position(|own| own.name.name == name);
        let index = find(name).or_else(|| find(name.strip_prefix("mid")?))?;
        self.lines()
            .get(index)?
            .mid_text()
            .or_else(|| Some(index.to_string()))
    }

    /// An accept may leave out what it has nothing to add to: the `<sctpmap/>`, or the description
    /// that data channels have not got.
    fn fill_in_data(&self, accept: &mut Jingle) {
        let Some(local) = &self.local else { return };
        for content in &mut accept.contents {
            let offered = self
                .sections
                .iter()
                .zip(&local.media)
                .find(|(section, _)| section.name.name == content.name)
                .map(|(_, media)| media)
                .filter(|media| media.is_sctp());
            if let (Some(offered), None) = (offered, &content.description) {
                content.description = Some(Description::Data);
                if let Some(ice) = content.ice_mut() {
                    ice.sctp.get_or_insert_with(|| transport::sctp_of(offered));
                }
            }
        }
    }

    /// The section of a content: by creator and name, or by the name alone, since some peers call
    /// themselves the creator of everything.
    fn index_of(&self, creator: Role, name: &str) -> Option<usize> {
        let exact = |own: &Section| own.name.name == name && own.name.creator == creator;
        let near = |own: &Section| own.name.name == name;
        let sections = self.lines();
        sections
            .iter()
            .position(exact)
            .or_else(|| sections.iter().position(near))
    }

    /// The sections as the browser sees them now.
    fn lines(&self) -> &[Section] {
        match &self.pending {
            Some(Pending::Local(own)) => &own.sections,
            Some(Pending::Remote(own)) => &own.sections,
            None => &self.sections,
        }
    }

    /// Whether the first offer and answer are history.
    fn has_changed(&self) -> bool {
        self.version > 1 || self.pending.is_some()
    }

    fn by_name(&self, name: &str) -> Option<&Section> {
        self.sections
            .iter()
            .find(|section| section.name.name == name)
    }
}

impl Section {
    fn new(mid: Option<Token>, name: Name) -> Self {
        Self {
            mid,
            name,
            live: true,
            senders: Senders::Both,
            setup: None,
        }
    }

    /// Whether this is what the browser calls it: its mid, or its index when it has none.
    fn is_called(&self, index: usize, mid: &str) -> bool {
        match &self.mid {
            Some(own) => own.as_str() == mid,
            None => mid.parse() == Ok(index),
        }
    }

    fn mid_text(&self) -> Option<String> {
        self.mid.as_ref().map(|mid| mid.as_str().to_owned())
    }
}

/// Adds to a content what a transport-info knew of its transport.
fn merge(content: &mut Content, info: &Content) {
    let (Some(own), Some(info)) = (content.ice_mut(), info.ice()) else {
        return;
    };
    if own.ufrag.is_none() || own.pwd.is_none() {
        own.ufrag.clone_from(&info.ufrag);
        own.pwd.clone_from(&info.pwd);
    }
    if own.fingerprints.is_empty() {
        own.fingerprints.clone_from(&info.fingerprints);
    }
}

/// RFC 9143 §7.
const BUNDLE: &str = "BUNDLE";
