//! Candidates, one by one, and what else a transport-info brings.

use crate::jingle::ice_udp::Flavour;
use crate::jingle::{self, Action, Content, Jingle, extra};
use crate::sdp::{self, Attribute, Candidate, IcePwd, IceUfrag};

use super::agreed::credentials;
use super::{BUNDLE, Pending, Section, Session, merge};
use crate::mapping::{Refusal, Report, Trickle, Why, candidate, transport};

impl Session {
    /// The browser's candidates, as many as are at hand, become one transport-info; `None` when
    /// the peer needs none of them.
    ///
    /// # Errors
    /// When a candidate is malformed or belongs nowhere.
    pub fn local_candidates(&mut self, trickle: &[Trickle]) -> Result<Option<Jingle>, Refusal> {
        if self.stale {
            // They would look like the answer to a restart.
            self.report.note(None, "candidates", Why::Meaningless);
            return Ok(None);
        }
        if self.holds_candidates() {
            for own in trickle {
                self.section_of(own)?;
            }
            if let Some(Pending::Local(own)) = &mut self.pending {
                own.held.extend_from_slice(trickle);
            }
            return Ok(None);
        }
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
                    for index in 0..self.lines().len() {
                        self.local_candidate(index, own, None, &mut contents, &mut report);
                    }
                }
            }
        }
        self.report.dropped.append(&mut report.dropped);
        contents.retain(|content| {
            content.extra.is_some()
                || content
                    .ice()
                    .is_some_and(|ice| ice.gathering_complete || !ice.candidates.is_empty())
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
            if self.lines().get(index).is_none_or(|section| !section.live) {
                report.note(
                    Some(&content.name),
                    "candidates of a rejected section",
                    Why::Meaningless,
                );
                continue;
            }
            transport::Ready::lawful(ice, &content.name, &mut report)?;
            let current = self.remote_ufrag(index, &content.name);
            if let (Some(current), Some(own)) = (&current, &ice.ufrag)
                && current != own
            {
                report.note(
                    Some(&content.name),
                    "candidates of other credentials",
                    Why::Meaningless,
                );
                continue;
            }
            let ufrag = ice.ufrag.clone().or(current);
            let muxed = self.is_muxed(index);
            let to_browser = |candidate| Trickle {
                mid: self.lines().get(index).and_then(Section::mid_text),
                index: Some(index),
                ufrag: ufrag.clone(),
                candidate,
            };
            for own in &ice.candidates {
                match candidate::to_sdp(own, &content.name, &mut report) {
                    Some(_) if muxed && own.component != 1 => {
                        report.note(Some(&content.name), "candidate for RTCP", Why::Meaningless);
                    }
                    Some(mut own) => {
                        candidate::complete(&mut own);
                        trickle.push(to_browser(Some(own.to_string())));
                    }
                    None => {}
                }
            }
            let carried = content.extra.iter().flat_map(|extra| &extra.attributes);
            if ice.gathering_complete || carried.into_iter().any(|own| own.name == END) {
                trickle.push(to_browser(None));
            }
        }
        if self.peer.is_none() {
            for content in &info.contents {
                self.complete(content);
            }
            self.establish_initiator();
        }
        self.report.dropped.append(&mut report.dropped);
        Ok(trickle)
    }

    fn local_candidate(
        &self,
        index: usize,
        own: &Trickle,
        candidate: Option<Candidate>,
        contents: &mut Vec<Content>,
        report: &mut Report,
    ) {
        let Some(section) = self.lines().get(index).filter(|section| section.live) else {
            return;
        };
        let name = &section.name.name;
        let Some((ufrag, pwd)) = self.local_credentials(index) else {
            report.note(Some(name), "candidate", Why::Malformed);
            return;
        };
        if own
            .ufrag
            .as_deref()
            .is_some_and(|own| !own.is_empty() && own != ufrag.as_str())
        {
            report.note(
                Some(name),
                "candidate of other credentials",
                Why::Meaningless,
            );
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
            Some(Ok(mut own)) => {
                // XEP-0176 §5.9; not every browser counts.
                own.generation = own.generation.max(self.generation);
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
            let attributes = vec![extra::Attribute {
                name: END.to_owned(),
                value: None,
            }];
            content.extra = Some(extra::SectionExtra {
                attributes,
                ..Default::default()
            });
        } else if self.flavour == Flavour::Ice {
            if let Some(ice) = content.ice_mut() {
                ice.gathering_complete = true;
            }
        } else {
            report.note(Some(&content.name), END, Why::NoPlace);
        }
    }

    /// Whether the peer has to take a restart before it can have candidates.
    fn holds_candidates(&self) -> bool {
        match &self.pending {
            Some(Pending::Local(own)) if self.dialect.restarts_by_candidates => {
                own.restart.as_ref().is_some_and(|restart| !restart.taken)
            }
            _ => false,
        }
    }

    /// What the browser says now.
    fn said(&self) -> Option<&sdp::Session> {
        match &self.pending {
            Some(Pending::Local(own)) => Some(&own.offer),
            _ => self.local.as_ref(),
        }
    }

    /// The credentials of a section of the browser, which may be those of the session level or of
    /// the bundle.
    fn local_credentials(&self, index: usize) -> Option<(&IceUfrag, &IcePwd)> {
        credentials(self.said()?).get(index).copied().flatten()
    }

    fn remote_ufrag(&self, index: usize, name: &str) -> Option<String> {
        if self.peer.is_some() {
            return self.current_ufrag(index);
        }
        let remote = self.remote.as_ref()?;
        let of = |name: &str| {
            let content = remote
                .contents
                .iter()
                .find(|content| content.name == name)?;
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
        let Some(section) = self.lines().get(index) else {
            return false;
        };
        let muxed = |own: &sdp::Session| {
            let media = own.media.get(index)?;
            Some(media.attributes.contains(&Attribute::RtcpMux))
        };
        if let Some(peer) = &self.peer {
            let local = self.said().and_then(muxed).unwrap_or(true);
            return local && muxed(peer).unwrap_or(true);
        }
        let remote = self
            .remote
            .as_ref()
            .and_then(|remote| {
                remote
                    .contents
                    .iter()
                    .find(|own| own.name == section.name.name)
            })
            .and_then(Content::rtp)
            .is_none_or(|rtp| rtp.rtcp_mux);
        // A bundled section is multiplexed, said or not (RFC 9143 §9.3).
        let bundled = self
            .remote
            .iter()
            .flat_map(|remote| &remote.groups)
            .any(|group| group.semantics == BUNDLE && group.contents.contains(&section.name.name));
        let local = self
            .local
            .as_ref()
            .and_then(|local| local.media.get(index))
            .is_some_and(|media| media.attributes.contains(&Attribute::RtcpMux));
        (remote || bundled) && local
    }

    /// The section that a browser's candidate belongs to; `None` for all of them.
    fn section_of(&self, own: &Trickle) -> Result<Option<usize>, Refusal> {
        if let Some(mid) = own.mid.as_deref().filter(|mid| !mid.is_empty()) {
            return (0..)
                .zip(self.lines())
                .find(|(index, section)| section.is_called(*index, mid))
                .map(|(index, _)| Some(index))
                .ok_or(Refusal::UnknownSection);
        }
        match own.index {
            Some(index) if index < self.lines().len() => Ok(Some(index)),
            Some(_) => Err(Refusal::UnknownSection),
            None if own.candidate.as_deref().is_none_or(str::is_empty) => Ok(None),
            None => Err(Refusal::UnknownSection),
        }
    }

    /// Takes over what a transport-info says beside candidates.
    fn complete(&mut self, info: &Content) {
        let Some(remote) = &mut self.remote else {
            if let Some(early) = self.early.iter_mut().find(|own| own.name == info.name) {
                merge(early, info);
                return;
            }
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

/// RFC 8840 §8.2.
const END: &str = "end-of-candidates";
