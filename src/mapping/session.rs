//! One Jingle leg whose other side is SDP.

use crate::jingle::ice_udp::Flavour;
use crate::jingle::{self, Action, Content, Jingle, Role, Senders, Sid, extra};
use crate::sdp::{self, Attribute, Candidate, Direction, IcePwd, IceUfrag, Media, Token};

use super::to_jingle::{Name, names, sections, tags};
use super::to_sdp::{Part, empty, groups, mids, parts, session_level, usable};
use super::{
    Dialect, Kind, Refusal, Report, Trickle, Why, answer, browser, candidate, transport,
};

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
}

impl Session {
    /// The browser calls: its first offer, checked by [`super::browser::offer`], becomes
    /// session-initiate, without `initiator`.
    ///
    /// # Errors
    /// When there is nothing in it that Jingle can carry, or no DTLS.
    pub fn initiate(
        sid: Sid,
        offer: sdp::Session,
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
                mid: media.mid().cloned(),
                name,
                live: mapped.contents.iter().any(|(own, _)| *own == index),
            })
            .collect();
        let mut jingle = Jingle::new(Action::SessionInitiate, sid.clone());
        jingle.contents = mapped.contents.into_iter().map(|(_, content)| content).collect();
        jingle.groups = mapped.groups;
        jingle.extra = mapped.extra;
        let session = Self {
            sid,
            role,
            dialect,
            policy: BundlePolicy::default(),
            sections,
            local: Some(offer),
            remote: None,
            early: Vec::new(),
            flavour: Flavour::default(),
            report,
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
        let mids = mids(&contents);
        let flavour = contents.iter().find_map(|content| content.ice());
        let sections = contents
            .iter()
            .zip(&mids)
            .map(|(content, mid)| Section {
                mid: mid.clone(),
                name: Name { creator: content.creator, name: content.name.clone() },
                live: true,
            })
            .collect();
        let mut remote = initiate.clone();
        remote.contents = contents.into_iter().cloned().collect();
        let session = Self {
            sid: initiate.sid.clone(),
            role: Role::Responder,
            dialect,
            policy: BundlePolicy::default(),
            flavour: flavour.map_or_else(Flavour::default, |ice| ice.flavour),
            sections,
            local: None,
            remote: Some(remote),
            early: Vec::new(),
            report,
        };
        // What can not be said to a browser is refused now, not when it is needed. A caller that
        // has ICE but no DTLS has none at all: nothing else would come later.
        session.describe_offer(&mut Report::default())?;
        match session.missing() {
            Some(refusal @ Refusal::NoDtls(_)) => Err(refusal),
            _ => Ok(session),
        }
    }

    /// The offer for the browser that comes of [`Session::initiated`]; `None` while ICE credentials
    /// or the fingerprint have yet to come by transport-info.
    pub fn remote_offer(&self) -> Option<sdp::Session> {
        if self.role != Role::Responder || self.missing().is_some() {
            return None;
        }
        self.describe_offer(&mut Report::default()).ok()
    }

    /// The browser's answer to [`Session::remote_offer`], checked by [`super::browser::answer`],
    /// becomes session-accept, without `responder`.
    ///
    /// # Errors
    /// When it does not fit the offer, or rejects all of it.
    pub fn accept(&mut self, answer: sdp::Session) -> Result<Jingle, Refusal> {
        let mut report = Report::default();
        let offer = self.describe_offer(&mut Report::default())?;
        browser::fits(&answer, &offer)?;
        let names: Vec<_> = self.sections.iter().map(|section| section.name.clone()).collect();
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
        jingle.contents = mapped.contents.into_iter().map(|(_, content)| content).collect();
        for transport in jingle.contents.iter_mut().filter_map(Content::ice_mut) {
            transport.flavour = self.flavour;
        }
        jingle.groups = mapped.groups;
        jingle.extra = mapped.extra;
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
        remote.contents = usable(accept, &mut report)?.into_iter().cloned().collect();
        // A peer that does not repeat the creator rightly still means the content of that name.
        remote.contents.retain(|content| {
            let known = self.sections.iter().any(|own| own.live && own.name.name == content.name);
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
            Ok(_) => {
                self.early.clear();
                self.report.dropped.append(&mut report.dropped);
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
        if self.role != Role::Initiator || self.missing().is_some() {
            return None;
        }
        self.describe_answer(&mut Report::default()).ok()
    }

    /// What the peer's description still lacks before a browser can have it, as the refusal to end
    /// with if it never comes. `None` also while there is no description.
    pub fn missing(&self) -> Option<Refusal> {
        let remote = self.remote.as_ref()?;
        let contents: Vec<_> = remote.contents.iter().collect();
        let mids = vec![None; contents.len()];
        let parts = match parts(&contents, &mids, &remote.groups, &mut Report::default()) {
            Ok(parts) => parts,
            Err(refusal) => return Some(refusal),
        };
        parts.iter().find(|part| !part.ready.is_complete()).map(|part| {
            let name = part.content.name.clone();
            if part.ready.ufrag.is_some() && part.ready.pwd.is_some() {
                Refusal::NoDtls(name)
            } else {
                Refusal::Credentials(name)
            }
        })
    }

    /// The browser's candidates, as many as are at hand, become one transport-info; `None` when
    /// the peer needs none of them.
    ///
    /// # Errors
    /// When a candidate is malformed or belongs nowhere.
    pub fn local_candidates(&mut self, trickle: &[Trickle]) -> Result<Option<Jingle>, Refusal> {
        let mut contents: Vec<Content> = Vec::new();
        let mut report = Report::default();
        for own in trickle {
            let candidate = match own.candidate.as_deref().map(str::trim) {
                None | Some("") => None,
                Some(line) => Some(Candidate::parse(line).map_err(|_| Refusal::Candidate)?),
            };
            match self.section_of(own)? {
                Some(index) => {
                    self.local_candidate(index, own, candidate, &mut contents, &mut report);
                }
                None => {
                    for index in 0..self.sections.len() {
                        self.local_candidate(index, own, None, &mut contents, &mut report);
                    }
                }
            }
        }
        self.report.dropped.append(&mut report.dropped);
        contents.retain(|content| {
            content.extra.is_some()
                || content.ice().is_some_and(|ice| ice.gathering_complete || !ice.candidates.is_empty())
        });
        if contents.is_empty() {
            return Ok(None);
        }
        let mut jingle = Jingle::new(Action::TransportInfo, self.sid.clone());
        jingle.contents = contents;
        Ok(Some(jingle))
    }

    /// The peer's transport-info: candidates for the browser, to be kept until it has its
    /// description. Credentials and fingerprints in it complete [`Session::remote_offer`] and
    /// [`Session::remote_answer`].
    ///
    /// # Errors
    /// When it names an unknown content or holds malformed credentials.
    pub fn remote_candidates(&mut self, info: &Jingle) -> Result<Vec<Trickle>, Refusal> {
        let mut report = Report::default();
        let mut trickle = Vec::new();
        for content in &info.contents {
            let Some(index) = self.index_of(content.creator, &content.name) else {
                return Err(Refusal::UnknownContent(content.name.clone()));
            };
            let Some(ice) = content.ice() else {
                report.note(Some(&content.name), "transport", Why::NoPlace);
                continue;
            };
            transport::Ready::read(ice, &content.name, &mut report)?;
            let current = self.remote_ufrag(&content.name);
            if let (Some(current), Some(own)) = (&current, &ice.ufrag)
                && current != own
            {
                report.note(Some(&content.name), "candidates of other credentials", Why::Meaningless);
                continue;
            }
            let ufrag = ice.ufrag.clone().or(current);
            let muxed = self.is_muxed(index);
            let to_browser = |candidate| Trickle {
                mid: self.sections.get(index).and_then(Section::mid_text),
                index: Some(index),
                ufrag: ufrag.clone(),
                candidate,
            };
            for own in &ice.candidates {
                match candidate::to_sdp(own) {
                    Some(_) if muxed && own.component != 1 => {
                        report.note(Some(&content.name), "candidate for RTCP", Why::Meaningless);
                    }
                    Some(own) => trickle.push(to_browser(Some(own.to_string()))),
                    None => report.note(Some(&content.name), "candidate", Why::Malformed),
                }
            }
            let carried = content.extra.iter().flat_map(|extra| &extra.attributes);
            if ice.gathering_complete || carried.into_iter().any(|own| own.name == END) {
                trickle.push(to_browser(None));
            }
        }
        for content in &info.contents {
            self.complete(content);
        }
        self.report.dropped.append(&mut report.dropped);
        Ok(trickle)
    }

    /// Contents that the peer accepted and the browser can not have, as content-remove; to be sent
    /// after [`Session::remote_answer`] went to the browser.
    pub fn surplus(&self) -> Option<Jingle> {
        let answer = self.remote_answer()?;
        let remote = self.remote.as_ref()?;
        let mut jingle = Jingle::new(Action::ContentRemove, self.sid.clone());
        for (section, media) in self.sections.iter().zip(&answer.media) {
            let accepted = remote.contents.iter().any(|own| own.name == section.name.name);
            if media.is_rejected() && accepted {
                let Name { creator, name } = section.name.clone();
                jingle.contents.push(Content::new(creator, name));
            }
        }
        (!jingle.contents.is_empty()).then_some(jingle)
    }

    /// The stanza, or several when the peer takes only one content in each.
    pub fn split(&self, jingle: Jingle) -> Vec<Jingle> {
        super::relay::split(jingle, self.dialect)
    }

    /// Sets how the browser bundles; before [`Session::accepted`].
    pub fn set_bundle_policy(&mut self, policy: BundlePolicy) {
        self.policy = policy;
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
                local.media.iter().filter(|own| !own.is_rejected()).for_each(|own| add(&own.kind));
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
        self.sections
            .iter()
            .enumerate()
            .find(|(index, section)| section.is_called(*index, mid))
            .map(|(_, section)| (section.name.creator, section.name.name.as_str()))
    }

    /// The section that stands for a content, for a mute. Movim puts "mid" before the name.
    pub fn mid_of(&self, name: &str) -> Option<String> {
        let find = |name: &str| self.sections.iter().position(|own| own.name.name == name);
        let index = find(name).or_else(|| find(name.strip_prefix("mid")?))?;
        self.sections.get(index)?.mid_text().or_else(|| Some(index.to_string()))
    }

    fn describe_offer(&self, report: &mut Report) -> Result<sdp::Session, Refusal> {
        let remote = self.remote.as_ref().ok_or(Refusal::Unfit("there is no offer"))?;
        let contents: Vec<_> = remote.contents.iter().collect();
        let mids: Vec<_> = self.sections.iter().map(|section| section.mid.clone()).collect();
        let parts = parts(&contents, &mids, &remote.groups, report)?;
        let mut session = empty(&self.sid, 1);
        for part in &parts {
            let owner = self.role.other();
            session.media.push(part.media(owner, Kind::Offer, self.dialect, report)?);
        }
        session.attributes = groups(&remote.groups, &parts, report);
        session.attributes.extend(session_level(remote.extra.as_ref(), report));
        Ok(session)
    }

    fn describe_answer(&self, report: &mut Report) -> Result<sdp::Session, Refusal> {
        let none = Refusal::Unfit("there is no answer");
        let (Some(offer), Some(remote)) = (&self.local, &self.remote) else { return Err(none) };
        let contents: Vec<_> = remote.contents.iter().collect();
        let mids: Vec<_> = contents
            .iter()
            .map(|content| self.by_name(&content.name).and_then(|section| section.mid.clone()))
            .collect();
        let parts = parts(&contents, &mids, &remote.groups, report)?;
        let direction = offer.attributes.iter().find_map(|attribute| match attribute {
            Attribute::Direction(direction) => Some(*direction),
            _ => None,
        });
        let offered_groups = offer.groups().any(|group| group.semantics.as_str() == BUNDLE);
        let mut session = empty(&self.sid, 1);
        let mut last = Refusal::UnsupportedApplications;
        for (section, offered) in self.sections.iter().zip(&offer.media) {
            let part = parts.iter().find(|part| part.content.name == section.name.name);
            let kept = part.map(|part| self.answered(part, offered, direction, report));
            let media = match kept {
                Some(Ok(media)) => media,
                Some(Err(refusal @ Refusal::NoCommonCodec(_))) => {
                    last = refusal;
                    answer::rejected(offered)
                }
                Some(Err(refusal)) => return Err(refusal),
                None => answer::rejected(offered),
            };
            session.media.push(media);
        }
        if offered_groups {
            let bundle = self.answered_bundle(&parts, &mut session);
            session.attributes.extend(bundle);
        }
        if session.media.iter().all(Media::is_rejected) {
            return Err(last);
        }
        session.attributes.extend(session_level(remote.extra.as_ref(), report));
        Ok(session)
    }

    fn answered(
        &self,
        part: &Part<'_>,
        offered: &Media,
        direction: Option<Direction>,
        report: &mut Report,
    ) -> Result<Media, Refusal> {
        let mut media = part.media(self.role.other(), Kind::Answer, self.dialect, report)?;
        let name = &part.content.name;
        answer::fit(&mut media, offered, direction, part.tag.is_some(), name, report)?;
        Ok(media)
    }

    /// The BUNDLE group of the answer. A browser that offered one wants one back, be it of a single
    /// section; the peer's counts as far as it was offered and accepted (RFC 9143 §7.3).
    fn answered_bundle(&self, parts: &[Part<'_>], answer: &mut sdp::Session) -> Option<Attribute> {
        let mut members: Vec<usize> = Vec::new();
        for (index, section) in self.sections.iter().enumerate() {
            let bundled = parts
                .iter()
                .any(|part| part.content.name == section.name.name && part.tag.is_some());
            let live = answer.media.get(index).is_some_and(|media| !media.is_rejected());
            if live && (bundled || members.is_empty() && parts.iter().all(|p| p.tag.is_none())) {
                members.push(index);
            }
        }
        let peer = self.remote.iter().flat_map(|remote| &remote.groups);
        if let Some(group) = peer.into_iter().find(|group| group.semantics == BUNDLE) {
            let place = |index: &usize| {
                let name = self.sections.get(*index).map(|section| section.name.name.as_str());
                group.contents.iter().position(|own| Some(own.as_str()) == name)
            };
            members.sort_by_key(place);
        }
        if self.policy == BundlePolicy::Max {
            let offer = self.local.as_ref()?;
            for (index, (media, offered)) in
                answer.media.iter_mut().zip(&offer.media).enumerate()
            {
                if !members.contains(&index) {
                    *media = answer::rejected(offered);
                }
            }
        }
        let mids: Vec<_> = members
            .iter()
            .filter_map(|index| self.sections.get(*index)?.mid.clone())
            .collect();
        let semantics = Token::literal(BUNDLE);
        (!mids.is_empty()).then_some(Attribute::Group(sdp::Group { semantics, mids }))
    }

    /// Rejected sections for a peer that wants as many contents as it offered: nobody sends, and
    /// the transport is that of the bundle.
    fn keep_rejected(&self, tag: &Content, contents: &mut Vec<(usize, Content)>) {
        let Some(remote) = &self.remote else { return };
        for (index, own) in remote.contents.iter().enumerate() {
            if contents.iter().any(|(taken, _)| *taken == index) {
                continue;
            }
            let mut content = Content::new(own.creator, own.name.clone());
            content.senders = Some(Senders::None);
            content.description = own.rtp().map(|offered| {
                let description = jingle::rtp::Description {
                    media: offered.media.clone(),
                    payloads: offered.payloads.clone(),
                    rtcp_mux: offered.rtcp_mux,
                    ..jingle::rtp::Description::default()
                };
                jingle::Description::Rtp(Box::new(description))
            });
            content.transport = tag.transport.clone();
            if let Some(ice) = content.ice_mut() {
                ice.candidates.clear();
            }
            contents.push((index, content));
        }
        contents.sort_by_key(|(index, _)| *index);
    }

    fn local_candidate(
        &self,
        index: usize,
        own: &Trickle,
        candidate: Option<Candidate>,
        contents: &mut Vec<Content>,
        report: &mut Report,
    ) {
        let Some(section) = self.sections.get(index).filter(|section| section.live) else {
            return;
        };
        let name = &section.name.name;
        let Some((ufrag, pwd)) = self.local_credentials(index) else {
            report.note(Some(name), "candidate", Why::Malformed);
            return;
        };
        if own.ufrag.as_deref().is_some_and(|own| !own.is_empty() && own != ufrag.as_str()) {
            report.note(Some(name), "candidate of other credentials", Why::Meaningless);
            return;
        }
        let mapped = candidate.map(|own| candidate::to_jingle(&own, Some(ufrag), self.dialect));
        if !contents.iter().any(|content| content.name == *name) {
            let mut content = Content::new(section.name.creator, name.clone());
            let bare = transport::bare(ufrag, pwd, self.flavour);
            content.transport = Some(jingle::Transport::Ice(Box::new(bare)));
            contents.push(content);
        }
        let Some(content) = contents.iter_mut().find(|content| content.name == *name) else {
            return;
        };
        match mapped {
            Some(Ok(own)) => {
                if let Some(ice) = content.ice_mut() {
                    ice.candidates.push(own);
                }
            }
            Some(Err(why)) => report.note(Some(name), "candidate", why),
            None => self.end_of_candidates(content, report),
        }
    }

    fn end_of_candidates(&self, content: &mut Content, report: &mut Report) {
        if self.dialect.extension && self.flavour == Flavour::IceUdp {
            let attributes = vec![extra::Attribute { name: END.to_owned(), value: None }];
            content.extra = Some(extra::SectionExtra { attributes, ..Default::default() });
        } else if self.dialect.gathering_complete || self.flavour == Flavour::Ice {
            if let Some(ice) = content.ice_mut() {
                ice.gathering_complete = true;
            }
        } else {
            report.note(Some(&content.name), END, Why::NoPlace);
        }
    }

    /// The credentials of a section of the browser, which may be those of the session level or of
    /// the bundle.
    fn local_credentials(&self, index: usize) -> Option<(&IceUfrag, &IcePwd)> {
        let local = self.local.as_ref()?;
        let tag = tags(local).get(index).copied().flatten();
        let places = [Some(index), tag].into_iter().flatten();
        places
            .filter_map(|place| local.media.get(place).map(|media| &media.attributes))
            .chain([&local.attributes])
            .find_map(|attributes| {
                let ufrag = attributes.iter().find_map(|own| match own {
                    Attribute::IceUfrag(ufrag) => Some(ufrag),
                    _ => None,
                })?;
                let pwd = attributes.iter().find_map(|own| match own {
                    Attribute::IcePwd(pwd) => Some(pwd),
                    _ => None,
                })?;
                Some((ufrag, pwd))
            })
    }

    fn remote_ufrag(&self, name: &str) -> Option<String> {
        let remote = self.remote.as_ref()?;
        let of = |name: &str| {
            let content = remote.contents.iter().find(|content| content.name == name)?;
            content.ice()?.ufrag.clone()
        };
        of(name).or_else(|| {
            let bundle = remote.groups.iter().find(|group| {
                group.semantics == BUNDLE && group.contents.iter().any(|own| own == name)
            })?;
            of(bundle.contents.first()?)
        })
    }

    /// Whether RTCP goes with RTP: agreed on, or offered by a browser, which all get it.
    fn is_muxed(&self, index: usize) -> bool {
        let Some(section) = self.sections.get(index) else { return false };
        let remote = self
            .remote
            .as_ref()
            .and_then(|remote| remote.contents.iter().find(|own| own.name == section.name.name))
            .and_then(Content::rtp)
            .is_none_or(|rtp| rtp.rtcp_mux);
        let local = self
            .local
            .as_ref()
            .and_then(|local| local.media.get(index))
            .is_some_and(|media| media.attributes.contains(&Attribute::RtcpMux));
        remote && local
    }

    /// The section that a browser's candidate belongs to; `None` for all of them.
    fn section_of(&self, own: &Trickle) -> Result<Option<usize>, Refusal> {
        if let Some(mid) = own.mid.as_deref().filter(|mid| !mid.is_empty()) {
            return (0..)
                .zip(&self.sections)
                .find(|(index, section)| section.is_called(*index, mid))
                .map(|(index, _)| Some(index))
                .ok_or(Refusal::UnknownSection);
        }
        match own.index {
            Some(index) if index < self.sections.len() => Ok(Some(index)),
            Some(_) => Err(Refusal::UnknownSection),
            None if own.candidate.as_deref().is_none_or(str::is_empty) => Ok(None),
            None => Err(Refusal::UnknownSection),
        }
    }

    /// The section of a content: by creator and name, or by the name alone, since some peers call
    /// themselves the creator of everything.
    fn index_of(&self, creator: Role, name: &str) -> Option<usize> {
        let exact = |own: &Section| own.name.name == name && own.name.creator == creator;
        let near = |own: &Section| own.name.name == name;
        self.sections.iter().position(exact).or_else(|| self.sections.iter().position(near))
    }

    fn by_name(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name.name == name)
    }

    /// Takes over what a transport-info says beside candidates.
    fn complete(&mut self, info: &Content) {
        let Some(remote) = &mut self.remote else {
            // One for each content is enough: the last word counts.
            self.early.retain(|own| own.name != info.name);
            let mut early = info.clone();
            if let Some(ice) = early.ice_mut() {
                ice.candidates.clear();
            }
            self.early.push(early);
            return;
        };
        if let Some(own) = remote.contents.iter_mut().find(|own| own.name == info.name) {
            merge(own, info);
        }
    }
}

impl Section {
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
    let (Some(own), Some(info)) = (content.ice_mut(), info.ice()) else { return };
    if own.ufrag.is_none() || own.pwd.is_none() {
        own.ufrag.clone_from(&info.ufrag);
        own.pwd.clone_from(&info.pwd);
    }
    if own.fingerprints.is_empty() {
        own.fingerprints.clone_from(&info.fingerprints);
    }
}

/// RFC 8840 §8.2.
const END: &str = "end-of-candidates";

/// RFC 9143 §7.
const BUNDLE: &str = "BUNDLE";
