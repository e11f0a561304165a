//! The transport in mid-call: candidates, and the two forms of an ICE restart.
//!
//! To XEP-0176 §5.9 new credentials are a restart, and so are those that come back. Conversations
//! takes new credentials without a candidate for an offer and those with one for an answer.

use crate::jingle::ice_udp::Transport;
use crate::jingle::{Action, Content, Jingle, Role};
use crate::sdp::{self, Media};

use super::agreed::{bundle, set_transport, ufrag};
use super::local::{Reply, announcement};
use super::remote::RemoteChange;
use super::{Change, Name, Pending, Section, Session, merge};
use crate::mapping::transport::Ready;
use crate::mapping::{Refusal, Report, Trickle, Why, candidate};

impl Session {
    /// Candidates, or other credentials: the peer's restart or its answer to ours.
    pub(super) fn transport_info(&mut self, info: &Jingle) -> Result<Change, Refusal> {
        let mut report = Report::default();
        let mut fresh: Vec<(usize, Ready)> = Vec::new();
        let mut candidates = Jingle {
            contents: Vec::new(),
            ..info.clone()
        };
        for content in &info.contents {
            let Some(index) = self.known(content)? else {
                continue;
            };
            let Some(ice) = content.ice() else { continue };
            let ready = Ready::lawful(ice, &content.name, &mut report)?;
            self.complete_added(index, content);
            let own = ready.ufrag.as_ref().map(|own| own.as_str().to_owned());
            let current = self.current_ufrag(index);
            match (own, current) {
                // Those who take a restart back may say so.
                (Some(own), _) if self.retired.contains(&own) && !is_bare(content) => {
                    let what = "candidates of old credentials";
                    report.note(Some(&content.name), what, Why::Meaningless);
                }
                (Some(own), Some(current)) if own != current => {
                    if ready.pwd.is_none() {
                        return Err(Refusal::Credentials(content.name.clone()));
                    }
                    fresh.push((index, ready));
                    candidates.contents.push(content.clone());
                }
                _ => candidates.contents.push(content.clone()),
            }
        }
        self.report.dropped.append(&mut report.dropped);
        let mut change = Change::default();
        if !fresh.is_empty() {
            match self.restarting(info, fresh)? {
                Restarting::Begun(begun) => change = *begun,
                Restarting::Later => return self.wait(info),
                Restarting::Dropped => return Ok(change),
            }
        }
        let trickle = self.remote_candidates(&candidates)?;
        match &mut self.pending {
            Some(Pending::Local(own)) => {
                // What belongs to the description that is to come, goes behind it.
                let current = |trickle: &Trickle| {
                    let peer = self.peer.as_ref()?;
                    let media = peer.media.get(trickle.index?)?;
                    Some(ufrag(media) == trickle.ufrag.as_deref() && !media.is_rejected())
                };
                for trickle in trickle {
                    if !own.ahead && current(&trickle).unwrap_or_default() {
                        change.trickle(vec![trickle]);
                    } else {
                        own.trickle.push(trickle);
                    }
                }
            }
            Some(Pending::Remote(own)) if own.offer.is_none() => own.trickle.extend(trickle),
            Some(Pending::Remote(own)) if own.restart => {
                let room = SAID.saturating_sub(own.said.len());
                own.said.extend(trickle.iter().take(room).cloned());
                change.trickle(trickle);
            }
            _ => change.trickle(trickle),
        }
        self.finish_local(&mut change);
        if matches!(&self.pending, Some(Pending::Remote(own)) if own.offer.is_none()) {
            self.give_offer(&mut change)?;
        }
        Ok(change)
    }

    /// A while has passed; to be told every ten seconds or so. A peer that has taken the browser's
    /// restart and does not answer takes a transport-info for its candidates alone: the restart is
    /// void, and it is asked for no other.
    pub fn remind(&mut self) -> Option<Change> {
        let Some(Pending::Local(own)) = &mut self.pending else {
            return None;
        };
        let open = own.restarts_open();
        let restart = own.restart.as_mut().filter(|own| own.taken && open)?;
        restart.reminded = restart.reminded.saturating_add(1);
        if restart.reminded < REMINDERS {
            return None;
        }
        self.restarts = false;
        let mut change = Change::void(Refusal::NotForPeer("restart ICE"));
        change.append(self.roll_back());
        // The credentials that it goes on with are those that the browser goes on with.
        self.stale = false;
        self.restate(&mut change);
        Some(change)
    }

    fn restarting(
        &mut self,
        info: &Jingle,
        fresh: Vec<(usize, Ready)>,
    ) -> Result<Restarting, Refusal> {
        let bare = info.contents.iter().all(is_bare);
        if self.unwanted > 0 && !(bare && self.dialect.restarts_by_candidates) {
            self.unwanted -= 1;
            for ufrag in fresh.iter().filter_map(|(_, ready)| ready.ufrag.as_ref()) {
                self.retire(ufrag);
            }
            return Ok(Restarting::Dropped);
        }
        let answers = matches!(&self.pending, Some(Pending::Local(own)) if own.restarts_open());
        if !self.far_restarts && !answers {
            return Err(Refusal::NotForPeer("restart ICE"));
        }
        match &mut self.pending {
            Some(Pending::Remote(_)) => Ok(Restarting::Later),
            Some(Pending::Local(own)) if own.restarts_open() => {
                let taken = own.restart.as_ref().is_some_and(|restart| restart.taken);
                match (self.dialect.restarts_by_candidates, bare) {
                    (true, true) => return self.cross(fresh),
                    // XEP-0371 §5.10: what was sent before our restart was seen is of no use.
                    (true, false) if !taken => return Ok(Restarting::Dropped),
                    (false, _) if !taken => return self.cross(fresh),
                    _ => {}
                }
                let members = self.peer.as_ref().map(bundle).unwrap_or_default();
                for (index, ready) in fresh {
                    let shared = members.contains(&index) || self.dialect.restarts_by_candidates;
                    let slots = own.restart.iter_mut().flat_map(|own| &mut own.transports);
                    for (place, slot) in slots {
                        let same = shared
                            && (members.contains(place) || self.dialect.restarts_by_candidates);
                        if *place == index || same {
                            slot.get_or_insert_with(|| ready.clone());
                        }
                    }
                }
                Ok(Restarting::Begun(Box::default()))
            }
            Some(Pending::Local(own)) if own.is_open() => self.cross(fresh),
            Some(Pending::Local(_)) => Ok(Restarting::Later),
            None => self.begin_restart(&fresh),
        }
    }

    /// Both sides restart, or one restarts while the other adds.
    fn cross(&mut self, fresh: Vec<(usize, Ready)>) -> Result<Restarting, Refusal> {
        if self.role == Role::Initiator {
            return Err(Refusal::TieBreak);
        }
        let mut change = Change::void(Refusal::TieBreak);
        self.withdraw(&mut change);
        if let Restarting::Begun(begun) = self.begin_restart(&fresh)? {
            change.append(*begun);
        }
        Ok(Restarting::Begun(Box::new(change)))
    }

    fn begin_restart(&mut self, fresh: &[(usize, Ready)]) -> Result<Restarting, Refusal> {
        let Some(mut peer) = self.peer.clone() else {
            return Err(Refusal::OutOfOrder);
        };
        let members = bundle(&peer);
        for (index, ready) in fresh {
            let shared = members.contains(index);
            for (place, media) in peer.media.iter_mut().enumerate() {
                let same = shared && members.contains(&place);
                if place == *index || same || self.dialect.restarts_by_candidates {
                    set_transport(media, ready);
                }
            }
        }
        let request = Jingle::new(Action::TransportInfo, self.sid.clone());
        let own = RemoteChange {
            restart: true,
            ..RemoteChange::new(&self.sections, peer, request)
        };
        self.pending = Some(Pending::Remote(Box::new(own)));
        let mut change = Change::default();
        self.give_offer(&mut change)?;
        Ok(Restarting::Begun(Box::new(change)))
    }

    /// The browser's new credentials. A peer that tells an answer by its candidates gets them with
    /// the first one.
    pub(super) fn answer_restart(
        &mut self,
        browser: &sdp::Session,
        lines: &[Section],
        restarts: &[usize],
        change: &mut Change,
    ) {
        let mut info = announcement(self, browser, lines, restarts);
        for content in &mut info.contents {
            let index = lines.iter().position(|own| own.name == Name::of(content));
            let media = index.and_then(|index| browser.media.get(index));
            let own = media.into_iter().flat_map(Media::candidates);
            let candidates: Vec<_> = own
                .filter_map(|own| candidate::to_jingle(own, None, self.dialect).ok())
                .collect();
            if let Some(ice) = content.ice_mut() {
                ice.candidates = candidates;
            }
        }
        let empty = |own: &Content| own.ice().is_none_or(|ice| ice.candidates.is_empty());
        if !self.dialect.restarts_by_candidates || !info.contents.iter().all(empty) {
            self.say(info, change);
        }
    }

    /// Adds to a content that waits for it what a transport-info knows of its transport.
    fn complete_added(&mut self, index: usize, info: &Content) {
        match &mut self.pending {
            Some(Pending::Local(own)) => {
                let add = own.adds.iter_mut().find(|add| add.index == index);
                match add.map(|add| &mut add.reply) {
                    Some(Reply::Accepted(content)) => merge(content, info),
                    Some(Reply::Open) => {
                        self.early.retain(|own| own.name != info.name);
                        self.early.push(info.clone());
                    }
                    _ => {}
                }
            }
            Some(Pending::Remote(own)) => {
                if let Some((_, content)) = own.adds.iter_mut().find(|(own, _)| *own == index) {
                    merge(content, info);
                }
            }
            None => {}
        }
    }

    /// The peer's username fragment in a section, as far as it is known.
    pub(super) fn current_ufrag(&self, index: usize) -> Option<String> {
        let of = |description: &sdp::Session| {
            let media = description.media.get(index)?;
            ufrag(media).map(str::to_owned)
        };
        match &self.pending {
            None => of(self.peer.as_ref()?),
            Some(Pending::Remote(own)) => match own.adds.iter().find(|(own, _)| *own == index) {
                Some((_, content)) => content
                    .ice()
                    .and_then(|ice| ice.ufrag.clone())
                    .or_else(|| own.offer.as_ref().and_then(of)),
                None => of(&own.peer),
            },
            Some(Pending::Local(own)) => {
                if let Some(add) = own.adds.iter().find(|add| add.index == index) {
                    return match &add.reply {
                        Reply::Accepted(content) => content.ice()?.ufrag.clone(),
                        _ => None,
                    };
                }
                let restarts = own.restart.iter().flat_map(|own| &own.transports);
                let ready = restarts.filter(|(own, _)| *own == index);
                ready
                    .filter_map(|(_, ready)| ready.as_ref()?.ufrag.as_ref())
                    .map(|own| own.as_str().to_owned())
                    .next()
                    .or_else(|| of(self.peer.as_ref()?))
            }
        }
    }
}

/// Whether a transport-info announces credentials only.
fn is_bare(content: &Content) -> bool {
    let nothing = |ice: &Transport| ice.candidates.is_empty() && !ice.gathering_complete;
    content.extra.is_none() && content.ice().is_none_or(nothing)
}

/// What a transport-info with other credentials is.
enum Restarting {
    /// A restart, or the answer to ours.
    Begun(Box<Change>),
    /// Its turn comes later.
    Later,
    /// Of no use.
    Dropped,
}

/// After so many the answer to a restart does not come any more.
const REMINDERS: u8 = 3;

/// Candidates of a restart that are kept while it is not answered.
const SAID: usize = 32;
