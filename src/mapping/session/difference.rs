//! What is new in the browser's offer.

use crate::jingle::rtp::Description;
use crate::jingle::{Action, Content, Jingle};
use crate::sdp::{self, Media};

use super::local::{LocalChange, Restart, direction_of};
use super::{Name, Section, Session};
use crate::mapping::to_jingle::Mapped;
use crate::mapping::transport::Ready;
use crate::mapping::{Kind, Refusal, Report, Trickle, direction};

impl Session {
    /// Which sections are new, and which are gone.
    pub(super) fn compare(&self, offer: &sdp::Session) -> Result<Difference, Refusal> {
        if offer.media.len() < self.sections.len() {
            return Err(Refusal::Unfit(
                "a later offer keeps the m-sections there are",
            ));
        }
        let mut lines = self.sections.clone();
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for (index, media) in offer.media.iter().enumerate() {
            let mid = media.mid();
            let known = lines.get(index).cloned();
            let same = known
                .as_ref()
                .filter(|own| own.live && (own.mid.as_ref() == mid || mid.is_none()));
            match same {
                Some(section) if media.is_rejected() => {
                    removed.push(section.clone());
                    if let Some(line) = lines.get_mut(index) {
                        line.live = false;
                    }
                }
                Some(_) => {
                    let before = self.local.as_ref().and_then(|own| own.media.get(index));
                    if before.is_some_and(|own| own.kind != media.kind) {
                        return Err(Refusal::Unfit("an m-section changes its kind"));
                    }
                }
                None => {
                    removed.extend(known.filter(|section| section.live));
                    let wanted = mid.map_or_else(|| index.to_string(), |mid| mid.to_string());
                    let name = Name {
                        creator: self.role,
                        name: self.fresh_name(&wanted, &lines),
                    };
                    let live = !media.is_rejected();
                    let senders = direction::senders(direction_of(media), self.role);
                    let section = Section {
                        live,
                        senders,
                        ..Section::new(mid.cloned(), name)
                    };
                    if live {
                        added.push(index);
                    }
                    match lines.get_mut(index) {
                        // A section that stays rejected stays what it was.
                        Some(line) if live || line.live => *line = section,
                        Some(_) => {}
                        None => lines.push(section),
                    }
                }
            }
        }
        Ok(Difference {
            lines,
            added,
            removed,
        })
    }

    /// The request for a restart. Where its candidates would make an answer of it, they wait.
    pub(super) fn restart(
        &self,
        before: &sdp::Session,
        own: &mut LocalChange,
        restarts: &[usize],
        now: &Mapped,
    ) -> Result<Jingle, Refusal> {
        let mut info = Jingle::new(Action::TransportInfo, self.sid.clone());
        for (index, content) in now.contents.iter().filter(|(i, _)| restarts.contains(i)) {
            let mut content = Content {
                senders: None,
                description: None,
                extra: None,
                ..content.clone()
            };
            if let Some(ice) = content.ice_mut() {
                ice.flavour = self.flavour;
                let key = |description: &sdp::Session| {
                    let media = description.media.get(*index)?;
                    Some(Ready::of(media).fingerprints)
                };
                if key(before) == key(&own.offer) {
                    ice.fingerprints.clear();
                } else if self.dialect.restarts_by_candidates {
                    return Err(Refusal::NotForPeer("take another certificate"));
                }
                ice.options.clear();
                ice.sctp = None;
                if self.dialect.restarts_by_candidates {
                    ice.candidates.clear();
                    if let Some(media) = own.offer.media.get(*index) {
                        own.held.extend(gathered(*index, media));
                    }
                }
            }
            info.contents.push(content);
        }
        own.restart = Some(Restart {
            taken: false,
            reminded: 0,
            transports: restarts.iter().map(|index| (*index, None)).collect(),
        });
        Ok(info)
    }

    /// What is new in the descriptions of sections that both have.
    pub(super) fn descriptions(&self, before: &sdp::Session, now: &Mapped) -> Vec<Option<Content>> {
        let mut changed = vec![None; before.media.len()];
        let nothing = &mut Report::default();
        let Ok(before) = self.map(before, &self.sections, Kind::Answer, nothing) else {
            return changed;
        };
        for (index, was) in &before.contents {
            let is = now.contents.iter().find(|(own, _)| own == index);
            let Some((_, is)) = is else { continue };
            let (Some(old), Some(new)) = (was.rtp(), is.rtp()) else {
                continue;
            };
            let advice = advice(old, new);
            if let (Some(advice), Some(slot)) = (advice, changed.get_mut(*index)) {
                let mut content = Content::new(is.creator, is.name.clone());
                content.description = Some(crate::jingle::Description::Rtp(Box::new(advice)));
                *slot = Some(content);
            }
        }
        changed
    }
}

/// Which sections an offer has, in comparison with those there are.
pub(super) struct Difference {
    /// As the offer has them.
    pub(super) lines: Vec<Section>,
    /// The indexes of the new ones.
    pub(super) added: Vec<usize>,
    /// Those that are gone.
    pub(super) removed: Vec<Section>,
}

/// What of a description is worth telling: other parameters of codecs that are in use, other
/// sources, another bandwidth.
fn advice(old: &Description, new: &Description) -> Option<Description> {
    let payloads: Vec<_> = new
        .payloads
        .iter()
        .filter(|own| old.payloads.iter().any(|old| old.id == own.id))
        .cloned()
        .collect();
    let parameters = |of: &[crate::jingle::rtp::Payload]| -> Vec<_> {
        let mut all: Vec<_> = of
            .iter()
            .filter(|own| payloads.iter().any(|new| new.id == own.id))
            .map(|own| {
                let times = (own.ptime.clone(), own.max_ptime.clone());
                (own.id, own.parameters.clone(), times)
            })
            .collect();
        all.sort_by_key(|(id, ..)| *id);
        all
    };
    let same = parameters(&old.payloads) == parameters(&new.payloads)
        && old.bandwidths == new.bandwidths
        && old.sources == new.sources
        && old.source_groups == new.source_groups;
    (!same && !payloads.is_empty()).then(|| Description {
        media: new.media.clone(),
        payloads,
        bandwidths: new.bandwidths.clone(),
        sources: new.sources.clone(),
        source_groups: new.source_groups.clone(),
        streams: new.streams.clone(),
        ..Description::default()
    })
}

/// The candidates that stand in a section.
fn gathered(index: usize, media: &Media) -> impl Iterator<Item = Trickle> + '_ {
    media.candidates().map(move |own| Trickle {
        mid: media.mid().map(|mid| mid.as_str().to_owned()),
        index: Some(index),
        ufrag: None,
        candidate: Some(own.to_string()),
    })
}
