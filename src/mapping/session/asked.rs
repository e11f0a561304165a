//! What each request of the peer changes in the offer that the browser gets.

use crate::jingle::{Content, Description, Jingle, Reason, Transport};
use crate::sdp::{self, Attribute, Media, Token};

use super::agreed::{bundle, regroup, set_setup, ufrag};
use super::remote::RemoteChange;
use super::{BundlePolicy, Change, Name, Pending, Section, Session, ToBrowser};
use crate::mapping::part::multiplex;
use crate::mapping::to_sdp::usable;
use crate::mapping::{Kind, Refusal, Report, Why, answer, browser, numbered, source};

impl Session {
    /// Finds a place for each content that the browser can have, and rejects the others.
    pub(super) fn peer_adds(
        &mut self,
        request: &Jingle,
        own: &mut RemoteChange,
        change: &mut Change,
    ) -> Result<bool, Refusal> {
        let mut report = Report::default();
        let mut request = request.clone();
        for content in &mut request.contents {
            // Bundled, it may have nothing to say of it.
            content
                .transport
                .get_or_insert_with(|| Transport::Ice(Box::default()));
        }
        let names = request.contents.iter().map(Name::of);
        let names: Vec<_> = names.collect();
        let (contents, mut reason) = match usable(&request, &mut report) {
            Ok(contents) => (contents, Reason::UnsupportedApplications),
            Err(refusal) if refusal.is_stanza_error() => return Err(refusal),
            Err(refusal) => (Vec::new(), refusal.reason()),
        };
        let members = bundle(&own.peer);
        let tag = members
            .first()
            .and_then(|tag| own.peer.media.get(*tag))
            .cloned();
        for content in contents {
            let name = Name::of(content);
            let live = |section: &Section| section.live && section.name == name;
            if own.sections.iter().any(live) {
                return Err(Refusal::DuplicateContent(name.name));
            }
            let bundled = self.joins(content, &request, tag.as_ref());
            if !bundled && self.policy == BundlePolicy::Max {
                report.note(Some(&name.name), "content without bundle", Why::NoPlace);
                reason = Reason::UnsupportedTransports;
                continue;
            }
            // Both the syntax of the values and the keys.
            let mid = own.mid_for(&name.name);
            let place = tag.as_ref().filter(|_| bundled);
            match self.section_new(content, mid.clone(), place, Kind::Offer, &mut report) {
                Ok(_) => {}
                Err(refusal) if refusal.is_stanza_error() => return Err(refusal),
                Err(refusal) => {
                    reason = refusal.reason();
                    continue;
                }
            }
            let kind = content
                .rtp()
                .map_or("application", |own| own.media.as_str());
            let index = own.place_for(kind);
            if index >= SECTIONS {
                return Err(Refusal::TooMany("contents"));
            }
            let section = Section {
                senders: self.read_senders(content.senders()),
                ..Section::new(mid, name)
            };
            match own.sections.get_mut(index) {
                Some(slot) => {
                    let old = std::mem::replace(slot, section);
                    self.parked.push(old.name);
                }
                None => own.sections.push(section),
            }
            own.adds.push((index, content.clone()));
        }
        let is_added = |name: &Name| own.adds.iter().any(|(_, own)| Name::of(own) == *name);
        let rejected = names.into_iter().filter(|name| !is_added(name)).collect();
        self.reject(rejected, reason, change);
        own.request.contents.retain(|own_content| {
            let name = Name::of(own_content);
            own.adds
                .iter()
                .any(|(_, content)| Name::of(content) == name)
        });
        self.report.dropped.append(&mut report.dropped);
        Ok(!own.adds.is_empty())
    }

    pub(super) fn peer_removes(
        &self,
        request: &Jingle,
        lines: &mut [Section],
    ) -> Result<bool, Refusal> {
        let mut removed = false;
        for content in &request.contents {
            if let Some(section) = self.known(content)?.and_then(|index| lines.get_mut(index)) {
                removed |= section.live;
                section.live = false;
            }
        }
        if lines.iter().any(|section| section.live) {
            Ok(removed)
        } else {
            Err(Refusal::NothingLeft)
        }
    }

    pub(super) fn peer_modifies(
        &self,
        request: &Jingle,
        lines: &mut [Section],
    ) -> Result<bool, Refusal> {
        let mut modified = false;
        for content in &request.contents {
            let Some(senders) = content.senders else {
                // Movim puts all of a description there.
                if content.description.is_some() {
                    continue;
                }
                return Err(Refusal::Unfit("content-modify says who sends"));
            };
            if let Some(section) = self.known(content)?.and_then(|index| lines.get_mut(index)) {
                let senders = self.read_senders(senders);
                modified |= section.live && section.senders != senders;
                section.senders = senders;
            }
        }
        Ok(modified)
    }

    /// XEP-0166 §7.2.5: whoever does not take a content-modify may say the contrary. A content that
    /// the peer could not be told to remove has no media any more.
    pub(super) fn contradict(&mut self, request: &Jingle, change: &mut Change) {
        let removes = self.dialect.removes;
        for content in request.contents.iter().filter(|_| !removes) {
            let (Some(senders), Ok(None)) = (content.senders, self.known(content)) else {
                continue;
            };
            let senders = self.read_senders(senders);
            let none = self.no_senders(senders);
            if none != senders {
                let request = self.modification(&Name::of(content), none);
                self.say(request, change);
            }
        }
    }

    /// XEP-0167 §6.2: advice. What is understood of it is taken over.
    pub(super) fn peer_describes(
        &mut self,
        request: &Jingle,
        peer: &mut sdp::Session,
    ) -> Result<bool, Refusal> {
        let mut report = Report::default();
        let mut changed = false;
        for content in &request.contents {
            let Some(index) = self.known(content)? else {
                continue;
            };
            let Some(media) = peer.media.get_mut(index).filter(|own| !own.is_rejected()) else {
                continue;
            };
            let mut advice = content.clone();
            advice.transport = Some(Transport::Ice(Box::default()));
            if let Some(Description::Rtp(_)) = &advice.description
                && let Ok(Some(new)) =
                    self.section_new(&advice, None, Some(media), Kind::Offer, &mut report)
            {
                let before = media.clone();
                advise(media, &new, content);
                changed |= before != *media;
            }
        }
        self.report.dropped.append(&mut report.dropped);
        Ok(changed)
    }

    /// Gives the browser the offer, unless a transport has yet to come.
    pub(super) fn give_offer(&mut self, change: &mut Change) -> Result<(), Refusal> {
        let mut own = match self.pending.take() {
            Some(Pending::Remote(own)) => own,
            other => {
                self.pending = other;
                return Ok(());
            }
        };
        let mut report = Report::default();
        let offer = self.describe_remote(&own, &mut report)?;
        if let Some(offer) = offer {
            self.version = self.version.saturating_add(1);
            own.offer = Some(offer.clone());
            change.browser.push(ToBrowser::Offer(offer));
            change.trickle(std::mem::take(&mut own.trickle));
        }
        self.report.dropped.append(&mut report.dropped);
        self.pending = Some(Pending::Remote(own));
        Ok(())
    }

    fn describe_remote(
        &self,
        own: &RemoteChange,
        report: &mut Report,
    ) -> Result<Option<sdp::Session>, Refusal> {
        let mut offer = sdp::Session {
            media: Vec::with_capacity(own.sections.len()),
            ..own.peer.clone()
        };
        offer.origin.version = self.next_version();
        let mut members = bundle(&own.peer);
        members.retain(|index| own.adds.iter().all(|(added, _)| added != index));
        let tag = members.first().copied();
        for (index, section) in own.sections.iter().enumerate() {
            let place = tag.and_then(|tag| own.peer.media.get(tag));
            let media = if let Some((_, content)) = own.adds.iter().find(|(own, _)| *own == index) {
                let bundled = self.joins(content, &own.request, place);
                let place = place.filter(|_| bundled);
                let mid = section.mid.clone();
                let new = self.section_new(content, mid, place, Kind::Offer, report)?;
                let Some(mut media) = new else {
                    return Ok(None);
                };
                if bundled {
                    members.push(index);
                    set_setup(&mut media, Kind::Offer, None);
                    multiplex(&mut media);
                    if ufrag(&media) == place.and_then(ufrag) {
                        media
                            .attributes
                            .retain(|own| !matches!(own, Attribute::Candidate(_)));
                    }
                }
                media
            } else if let Some(media) = own.peer.media.get(index) {
                if section.live {
                    self.section_again(section, media, None, Kind::Offer)
                } else {
                    answer::rejected(media)
                }
            } else {
                return Err(Refusal::Unfit("an m-section is missing"));
            };
            offer.media.push(media);
        }
        regroup(&mut offer, &members);
        Ok(Some(offer))
    }
}

impl RemoteChange {
    /// Its name, unless that is no token, longer, or stands for another section (RFC 9143 §7.3.2 lets a mid
    /// be used once).
    fn mid_for(&self, name: &str) -> Option<Token> {
        let is_mid = |own: &Section, mid: &str| own.mid.as_deref() == Some(mid);
        let mut sections = self.sections.iter();
        if name.len() <= browser::MID
            && !sections.any(|own| is_mid(own, name))
            && let Ok(own) = Token::new(name)
        {
            return Some(own);
        }
        let taken = |mid: &str| {
            let mut sections = self.sections.iter();
            sections.any(|own| is_mid(own, mid) || own.name.name == mid)
        };
        Token::new(&numbered('m', self.sections.len(), taken)).ok()
    }

    /// The first section of the kind that is out of use, else a new one (RFC 9429 §5.2.2).
    fn place_for(&self, kind: &str) -> usize {
        let free = |(section, media): (&Section, &Media)| !section.live && *media.kind == *kind;
        let mut lines = self.sections.iter().zip(&self.peer.media);
        lines.position(free).unwrap_or(self.sections.len())
    }
}

/// Takes over the parameters of codecs that are known, the sources and the bandwidth.
fn advise(media: &mut Media, new: &Media, content: &Content) {
    let listed = media.formats.clone();
    let is_new = |own: &Attribute| match own {
        Attribute::Fmtp(own) => listed.contains(&own.format),
        Attribute::Ptime(_) | Attribute::MaxPtime(_) => true,
        _ => false,
    };
    for own in new.attributes.iter().filter(|own| is_new(own)) {
        let same = |old: &Attribute| match (old, own) {
            (Attribute::Fmtp(old), Attribute::Fmtp(own)) => old.format == own.format,
            _ => std::mem::discriminant(old) == std::mem::discriminant(own),
        };
        match media.attributes.iter_mut().find(|old| same(old)) {
            Some(old) => *old = own.clone(),
            None => media.attributes.push(own.clone()),
        }
    }
    if content
        .rtp()
        .is_some_and(|own| !own.sources.is_empty() || !source::msids(own).is_empty())
    {
        let of_sources = |own: &Attribute| {
            matches!(
                own,
                Attribute::Ssrc(_) | Attribute::SsrcGroup(_) | Attribute::Msid(_)
            )
        };
        media.attributes.retain(|own| !of_sources(own));
        let sources = new.attributes.iter().filter(|own| of_sources(own)).cloned();
        media.attributes.extend(sources);
    }
    if !new.bandwidths.is_empty() {
        media.bandwidths.clone_from(&new.bandwidths);
    }
}

/// As many as one stanza may hold.
const SECTIONS: usize = 64;
