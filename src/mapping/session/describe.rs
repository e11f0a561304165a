//! What the browser is told: the peer's words as an offer or an answer.

use crate::jingle::{self, Action, Content, Jingle, Senders};
use crate::sdp::{self, Attribute, Media, Token};

use super::{BUNDLE, BundlePolicy, Session};
use crate::mapping::part::{Part, lawful_parts};
use crate::mapping::to_jingle::Name;
use crate::mapping::to_sdp::{empty, groups, session_level};
use crate::mapping::{Kind, Refusal, Report, answer, lawful};

impl Session {
    /// What the peer's description still lacks before a browser can have it, as the refusal to end
    /// with if it never comes. `None` also while there is no description.
    pub fn missing(&self) -> Option<Refusal> {
        let remote = self.remote.as_ref()?;
        let contents: Vec<_> = remote.contents.iter().collect();
        let mids = vec![None; contents.len()];
        let parts = match lawful_parts(&contents, &mids, &remote.groups, &mut Report::default()) {
            Ok(parts) => parts,
            Err(refusal) => return Some(refusal),
        };
        parts
            .iter()
            .find(|part| !part.ready.is_complete())
            .map(|part| {
                let name = part.content.name.clone();
                if part.ready.ufrag.is_some() && part.ready.pwd.is_some() {
                    Refusal::NoDtls(name)
                } else {
                    Refusal::Credentials(name)
                }
            })
    }

    /// Contents that the peer accepted and the browser can not have, as content-remove; to be sent
    /// after [`Session::remote_answer`] went to the browser.
    pub fn surplus(&self) -> Option<Jingle> {
        let answer = self.remote_answer()?;
        let remote = self.remote.as_ref()?;
        let mut jingle = Jingle::new(Action::ContentRemove, self.sid.clone());
        for (section, media) in self.sections.iter().zip(&answer.media) {
            let accepted = remote
                .contents
                .iter()
                .any(|own| own.name == section.name.name);
            if media.is_rejected() && accepted {
                let Name { creator, name } = section.name.clone();
                jingle.contents.push(Content::new(creator, name));
            }
        }
        (!jingle.contents.is_empty()).then_some(jingle)
    }

    pub(super) fn describe_offer(&self, report: &mut Report) -> Result<sdp::Session, Refusal> {
        let remote = self
            .remote
            .as_ref()
            .ok_or(Refusal::Unfit("there is no offer"))?;
        let contents: Vec<_> = remote.contents.iter().collect();
        let mids: Vec<_> = self
            .sections
            .iter()
            .map(|section| section.mid.clone())
            .collect();
        let parts = lawful_parts(&contents, &mids, &remote.groups, report)?;
        let mut session = empty(&self.sid, 1);
        for part in &parts {
            let owner = self.role.other();
            session
                .media
                .push(part.for_browser(owner, Kind::Offer, self.dialect, report)?);
        }
        session.attributes = groups(&remote.groups, &parts, report);
        session_level(remote.extra.as_ref(), &mut session, report);
        lawful::session(&mut session, report);
        Ok(session)
    }

    pub(super) fn describe_answer(&self, report: &mut Report) -> Result<sdp::Session, Refusal> {
        let none = Refusal::Unfit("there is no answer");
        let (Some(offer), Some(remote)) = (&self.local, &self.remote) else {
            return Err(none);
        };
        let contents: Vec<_> = remote.contents.iter().collect();
        let mids: Vec<_> = contents
            .iter()
            .map(|content| {
                self.by_name(&content.name)
                    .and_then(|section| section.mid.clone())
            })
            .collect();
        let parts = lawful_parts(&contents, &mids, &remote.groups, report)?;
        let offered_groups = offer
            .groups()
            .any(|group| group.semantics.as_str() == BUNDLE);
        let mut session = empty(&self.sid, 1);
        let mut last = Refusal::UnsupportedApplications;
        for (section, offered) in self.sections.iter().zip(&offer.media) {
            let part = parts
                .iter()
                .find(|part| part.content.name == section.name.name);
            let kept = part.map(|part| self.answered(part, offered, report));
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
        session_level(remote.extra.as_ref(), &mut session, report);
        lawful::session(&mut session, report);
        Ok(session)
    }

    fn answered(
        &self,
        part: &Part<'_>,
        offered: &Media,
        report: &mut Report,
    ) -> Result<Media, Refusal> {
        let mut media = part.for_browser(self.role.other(), Kind::Answer, self.dialect, report)?;
        let name = &part.content.name;
        answer::fit(&mut media, offered, part.tag.is_some(), name, report)?;
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
            let live = answer
                .media
                .get(index)
                .is_some_and(|media| !media.is_rejected());
            if live && (bundled || members.is_empty() && parts.iter().all(|p| p.tag.is_none())) {
                members.push(index);
            }
        }
        let peer = self.remote.iter().flat_map(|remote| &remote.groups);
        if let Some(group) = peer.into_iter().find(|group| group.semantics == BUNDLE) {
            let place = |index: &usize| {
                let name = self
                    .sections
                    .get(*index)
                    .map(|section| section.name.name.as_str());
                group
                    .contents
                    .iter()
                    .position(|own| Some(own.as_str()) == name)
            };
            members.sort_by_key(place);
        }
        if self.policy == BundlePolicy::Max {
            let offer = self.local.as_ref()?;
            for (index, (media, offered)) in answer.media.iter_mut().zip(&offer.media).enumerate() {
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
    pub(super) fn keep_rejected(&self, tag: &Content, contents: &mut Vec<(usize, Content)>) {
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
}
