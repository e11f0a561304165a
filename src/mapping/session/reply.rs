//! The answer to the browser's later offer: the peer as it is, with what it has said to the change.

use crate::jingle::{Action, Jingle};
use crate::sdp::{self, Media};

use super::agreed::{bundle, regroup, set_direction, set_setup, setup};
use super::local::{LocalChange, Reply};
use super::{BundlePolicy, Change, Session};
use crate::mapping::{Kind, Refusal, Report, answer, direction};

impl Session {
    /// The answer, and the peer's description to keep.
    pub(super) fn describe_local(
        &self,
        own: &mut LocalChange,
        report: &mut Report,
        change: &mut Change,
    ) -> Result<Option<(sdp::Session, sdp::Session)>, Refusal> {
        let Some(peer) = &self.peer else {
            return Ok(None);
        };
        let mut kept = sdp::Session {
            media: Vec::with_capacity(own.offer.media.len()),
            ..peer.clone()
        };
        kept.origin.version = self.next_version();
        let offered = bundle(&own.offer);
        let mut members: Vec<usize> = bundle(peer);
        let is_live = |index: &usize| own.sections.get(*index).is_some_and(|own| own.live);
        members.retain(|index| own.adds.iter().all(|add| add.index != *index) && is_live(index));
        // What stays first: what is added may take its transport from there.
        for (index, offered) in own.offer.media.iter().enumerate() {
            let section = own.sections.get(index).filter(|own| own.live);
            let media = match (section, peer.media.get(index)) {
                (Some(section), Some(media)) if !own.adds.iter().any(|add| add.index == index) => {
                    let ready = own.restart.iter().flat_map(|restart| &restart.transports);
                    let ready = ready.filter(|(own, _)| *own == index);
                    let ready = ready.filter_map(|(_, ready)| ready.as_ref()).next();
                    self.section_again(section, media, ready, Kind::Answer)
                }
                _ => answer::rejected(offered),
            };
            kept.media.push(media);
        }
        let tag = members.first().copied();
        let mut surplus = Vec::new();
        for add in &mut own.adds {
            let index = add.index;
            let (Some(section), Reply::Accepted(content)) =
                (own.sections.get_mut(index), &add.reply)
            else {
                if let Some(section) = own.sections.get_mut(index) {
                    section.live = false;
                }
                continue;
            };
            let place = tag.and_then(|tag| kept.media.get(tag));
            let jingle = Jingle {
                groups: own.groups.clone(),
                ..Jingle::new(Action::ContentAccept, self.sid.clone())
            };
            let bundled = offered.contains(&index) && self.joins(content, &jingle, place);
            if !bundled && self.policy == BundlePolicy::Max && tag.is_some() {
                section.live = false;
                surplus.push((section.name.clone(), section.senders));
                continue;
            }
            let place = place.filter(|_| bundled);
            let mid = section.mid.clone();
            let new = self.section_new(content, mid, place, Kind::Answer, report)?;
            let Some(mut media) = new else {
                return Ok(None);
            };
            if media.is_rtp() {
                let theirs = direction::direction(section.senders, self.role.other());
                set_direction(&mut media, theirs);
            }
            if bundled {
                members.push(index);
                set_setup(
                    &mut media,
                    Kind::Answer,
                    tag.and_then(|tag| kept.media.get(tag).and_then(setup)),
                );
            }
            section.setup = setup(&media);
            if let Some(slot) = kept.media.get_mut(index) {
                *slot = media;
            }
        }
        for (name, senders) in surplus {
            change.say(self.removal(&name, senders));
        }
        let mut answer = kept.clone();
        let mut gone = Vec::new();
        let lines = answer.media.iter_mut().zip(&own.offer.media).enumerate();
        for (index, (media, offered)) in lines.filter(|(_, (own, _))| !own.is_rejected()) {
            let Some(section) = own.sections.get_mut(index) else {
                continue;
            };
            let name = &section.name.name;
            match answer::fit(media, offered, members.contains(&index), name, report) {
                Ok(()) => {}
                Err(Refusal::NoCommonCodec(_)) if own.adds.iter().any(|a| a.index == index) => {
                    section.live = false;
                    *media = answer::rejected(offered);
                    gone.push((index, section.name.clone(), section.senders));
                }
                Err(refusal) => return Err(refusal),
            }
        }
        for (index, name, senders) in gone {
            if let Some(slot) = kept.media.get_mut(index) {
                *slot = answer::rejected(slot);
            }
            change.say(self.removal(&name, senders));
        }
        if answer.media.iter().all(Media::is_rejected) {
            return Err(Refusal::NothingLeft);
        }
        // In the order of the offer, as far as accepted (RFC 9143 §7.3).
        let mut group: Vec<usize> = offered
            .iter()
            .copied()
            .filter(|index| members.contains(index))
            .collect();
        if !group.iter().any(|index| is_accepted(&answer, *index)) {
            group = offered
                .into_iter()
                .filter(|index| is_accepted(&answer, *index))
                .take(1)
                .collect();
        }
        regroup(&mut answer, &group);
        regroup(&mut kept, &group);
        Ok(Some((answer, kept)))
    }
}

fn is_accepted(answer: &sdp::Session, index: usize) -> bool {
    answer
        .media
        .get(index)
        .is_some_and(|media| !media.is_rejected())
}
