//! The browser wants a change: the difference of its descriptions, and the answer to it.

use crate::jingle::grouping::Group;
use crate::jingle::{Action, Condition, Content, Jingle, Senders, Transport};
use crate::sdp::{self, Media};

use super::agreed::{bundle, credentials, restarted, ufrag};
use super::difference::Difference;
use super::{BUNDLE, Change, Name, Pending, Receipt, Section, Session, Stanza};
use super::{Phase, ToBrowser};
use crate::mapping::to_jingle::{Mapped, push_down, sections};
use crate::mapping::transport::{self, Ready};
use crate::mapping::{Kind, Refusal, Report, Trickle, answer, direction};

/// The browser's offer and what the peer has said to it so far.
#[derive(Clone, Debug)]
pub(super) struct LocalChange {
    pub(super) offer: sdp::Session,
    /// As they will be.
    pub(super) sections: Vec<Section>,
    pub(super) adds: Vec<Added>,
    pub(super) restart: Option<Restart>,
    /// Candidates for the peer that wait until it has taken the restart.
    pub(super) held: Vec<Trickle>,
    /// Candidates for the browser that wait for its answer.
    pub(super) trickle: Vec<Trickle>,
    /// The browser learns only from its answer what the peer's credentials are by now.
    pub(super) ahead: bool,
    /// Requests of the peer that will be in the answer.
    pub(super) folded: Vec<Jingle>,
    pub(super) sent: Vec<Sent>,
    /// The groups of content-accept.
    pub(super) groups: Vec<Group>,
}

/// A section that the browser adds.
#[derive(Clone, Debug)]
pub(super) struct Added {
    pub(super) index: usize,
    pub(super) reply: Reply,
}

#[derive(Clone, Debug)]
pub(super) enum Reply {
    Open,
    Accepted(Box<Content>),
    Rejected,
}

/// The browser's ICE restart.
#[derive(Clone, Debug)]
pub(super) struct Restart {
    /// The peer has acknowledged it.
    pub(super) taken: bool,
    /// How often the answer was looked for since.
    pub(super) reminded: u8,
    /// The peer's new credentials for each section that restarts.
    pub(super) transports: Vec<(usize, Option<Ready>)>,
}

/// A request that was sent for the change.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) receipt: Receipt,
    pub(super) asked: Asked,
    pub(super) jingle: Jingle,
    pub(super) acknowledged: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Asked {
    Restart,
    Describe,
    Add,
    /// With what was agreed on before.
    Modify(Senders),
    Remove,
}

impl Session {
    /// The browser offers again, checked by [`super::super::browser::offer`]. The answer comes in a
    /// later [`Change::browser`], or in this one when the peer has nothing to say to it.
    ///
    /// # Errors
    /// [`Refusal::OutOfOrder`] and [`Refusal::TieBreak`] when it is not the browser's turn; else
    /// when it is no continuation of the session, or more than the peer can do.
    pub fn offer_later(&mut self, mut offer: sdp::Session) -> Result<Change, Refusal> {
        let put_off = matches!(&self.pending, Some(Pending::Remote(own)) if own.put_off);
        match self.phase() {
            Phase::Stable => {}
            Phase::AwaitingBrowser if put_off => {}
            Phase::AwaitingBrowser => return Err(Refusal::TieBreak),
            Phase::Establishing | Phase::AwaitingPeer => return Err(Refusal::OutOfOrder),
        }
        push_down(&mut offer);
        let mut next = self.clone();
        let change = if put_off {
            next.offer_to_restart(offer)?
        } else {
            next.begin_local(offer)?
        };
        *self = next;
        Ok(change)
    }

    /// The browser has taken its offer back, which the peer has not answered yet: what was asked of
    /// the peer is taken back, too.
    pub fn roll_back(&mut self) -> Change {
        let mut change = Change::default();
        self.withdraw(&mut change);
        self.next_in_queue(&mut change);
        change
    }

    /// The peer has acknowledged the request.
    pub fn acknowledged(&mut self, receipt: Receipt) -> Change {
        let mut change = Change::default();
        self.modifying.retain(|(own, _)| *own != receipt);
        if self.withdrawn_was_taken(receipt, &mut change) {
            return change;
        }
        let Some(Pending::Local(own)) = &mut self.pending else {
            return change;
        };
        let mut held = Vec::new();
        if let Some(sent) = own.sent.iter_mut().find(|sent| sent.receipt == receipt) {
            sent.acknowledged = true;
            if let (Asked::Restart, Some(restart)) = (&sent.asked, &mut own.restart) {
                restart.taken = true;
                held = std::mem::take(&mut own.held);
            }
        }
        if let Ok(Some(info)) = self.local_candidates(&held) {
            self.say(info, &mut change);
        }
        self.finish_local(&mut change);
        change
    }

    /// The peer has answered the request with an error.
    pub fn declined(&mut self, receipt: Receipt, condition: Option<Condition>) -> Change {
        let mut change = Change::default();
        self.withdrawn_was_refused(receipt);
        self.modifying.retain(|(own, _)| *own != receipt);
        let Some(Pending::Local(own)) = &mut self.pending else {
            return change;
        };
        let Some(place) = own.sent.iter().position(|sent| sent.receipt == receipt) else {
            return change;
        };
        let sent = own.sent.swap_remove(place);
        let mut void = None;
        let crossed = condition == Some(Condition::TieBreak);
        if crossed && !matches!(sent.asked, Asked::Modify(_)) {
            void = Some(Refusal::TieBreak);
        }
        let names: Vec<Name> = sent.jingle.contents.iter().map(Name::of).collect();
        match sent.asked {
            Asked::Restart => {
                if !crossed {
                    self.restarts = false;
                }
                void.get_or_insert(Refusal::NotForPeer("restart ICE"));
            }
            Asked::Add => {
                let sections = own.sections.iter().enumerate();
                let asked: Vec<_> = sections
                    .filter(|(_, section)| names.contains(&section.name))
                    .map(|(index, _)| index)
                    .collect();
                for index in asked {
                    own.answered(index, Reply::Rejected);
                }
            }
            // What the peer wants instead came before this.
            Asked::Modify(_) if crossed => {}
            Asked::Modify(before) => {
                for section in &mut own.sections {
                    if names.contains(&section.name) {
                        section.senders = before;
                    }
                }
            }
            Asked::Describe | Asked::Remove => {}
        }
        if let Some(refusal) = void {
            change = Change::void(refusal);
            change.append(self.roll_back());
            self.restate(&mut change);
        } else {
            self.finish_local(&mut change);
        }
        change
    }

    pub(super) fn begin_local(&mut self, offer: sdp::Session) -> Result<Change, Refusal> {
        let (Some(before), Some(peer)) = (self.local.clone(), self.peer.clone()) else {
            return Err(Refusal::OutOfOrder);
        };
        let mut report = Report::default();
        let Difference {
            lines,
            added,
            removed,
        } = self.compare(&offer)?;
        for old in &self.sections {
            if !lines.iter().any(|own| own.name == old.name) {
                self.parked.push(old.name.clone());
            }
        }
        let mut own = LocalChange::new(offer, lines);
        let stays: Vec<_> = own.sections.iter().map(|section| section.live).collect();
        let kept =
            |index: &usize| !added.contains(index) && stays.get(*index).is_some_and(|live| *live);
        // What the browser takes away from a codec list may leave nothing.
        for (index, (offered, media)) in own.offer.media.iter().zip(&peer.media).enumerate() {
            if let Some(section) = own.sections.get(index).filter(|_| kept(&index)) {
                let mut again = self.section_again(section, media, None, Kind::Answer);
                let bundled = bundle(&peer).contains(&index);
                let name = &section.name.name;
                answer::fit(&mut again, offered, bundled, name, &mut Report::default())?;
            }
        }
        let mut now = self.map(&own.offer, &own.sections, Kind::Offer, &mut report)?;
        let restarts = if self.stale {
            (0..before.media.len()).collect()
        } else {
            restarted(&before, &own.offer)
        };
        let restarts: Vec<_> = restarts.into_iter().filter(kept).collect();
        let mut requests: Vec<(Asked, Jingle)> = Vec::new();
        if !restarts.is_empty() {
            self.generation = self.generation.saturating_add(1);
            self.stale = false;
            if !self.can_restart() {
                return Err(Refusal::NotForPeer("restart ICE"));
            }
            let info = self.restart(&before, &mut own, &restarts, &now)?;
            requests.push((Asked::Restart, info));
        }
        let described = self.descriptions(&before, &now);
        let (mut advice, mut modified) = (Vec::new(), Vec::new());
        for (index, _) in &now.contents {
            if kept(index) {
                advice.extend(described.get(*index).cloned().flatten());
            }
            let directions = (before.media.get(*index), own.offer.media.get(*index));
            let (Some(was), Some(is)) = directions else {
                continue;
            };
            if kept(index) && direction_of(was) != direction_of(is) {
                modified.push((*index, direction_of(is)));
            }
        }
        if !advice.is_empty() {
            let mut info = Jingle::new(Action::DescriptionInfo, self.sid.clone());
            info.contents = advice;
            requests.push((Asked::Describe, info));
        }
        let mut add = Jingle::new(Action::ContentAdd, self.sid.clone());
        for (index, mut content) in std::mem::take(&mut now.contents) {
            if added.contains(&index) {
                if let Some(ice) = content.ice_mut() {
                    ice.flavour = self.flavour;
                }
                let reply = Reply::Open;
                own.adds.push(Added { index, reply });
                add.contents.push(content);
            }
        }
        for index in added {
            // Nothing that the peer knows of, such as a data channel.
            if !own.adds.iter().any(|add| add.index == index)
                && let Some(section) = own.sections.get_mut(index)
            {
                section.live = false;
            }
        }
        if !add.contents.is_empty() {
            add.groups = now.groups;
            requests.push((Asked::Add, add));
        }
        for (index, said) in modified {
            let Some(section) = own.sections.get_mut(index) else {
                continue;
            };
            let wanted = direction::senders(said, self.role);
            let wanted = self.wanted_senders(wanted, section.senders);
            if wanted != section.senders {
                let before = std::mem::replace(&mut section.senders, wanted);
                let request = self.modification(&section.name, wanted);
                self.supersede(&section.name);
                requests.push((Asked::Modify(before), request));
            }
        }
        if !own.sections.iter().any(|section| section.live) {
            return Err(Refusal::NothingLeft);
        }
        for section in removed {
            requests.push((Asked::Remove, self.removal(&section.name, section.senders)));
            self.parked.push(section.name);
        }
        let mut change = Change::default();
        for (asked, request) in requests {
            for jingle in self.split(request) {
                let receipt = if jingle.action == Action::ContentModify {
                    self.modifying(&jingle)
                } else {
                    self.receipt()
                };
                own.sent.push(Sent {
                    receipt,
                    asked: asked.clone(),
                    jingle: jingle.clone(),
                    acknowledged: false,
                });
                let receipt = Some(receipt);
                change.stanzas.push(Stanza { jingle, receipt });
            }
        }
        self.report.dropped.append(&mut report.dropped);
        self.pending = Some(Pending::Local(Box::new(own)));
        self.finish_local(&mut change);
        Ok(change)
    }

    /// The live sections of a description of the browser in Jingle's words.
    pub(super) fn map(
        &self,
        description: &sdp::Session,
        lines: &[Section],
        kind: Kind,
        report: &mut Report,
    ) -> Result<Mapped, Refusal> {
        let names: Vec<_> = lines.iter().map(|section| section.name.clone()).collect();
        sections(description, &names, self.role, kind, self.dialect, report)
    }

    /// Gives the browser its answer, if all is there.
    pub(super) fn finish_local(&mut self, change: &mut Change) {
        let Some(Pending::Local(own)) = &self.pending else {
            return;
        };
        if !own.is_answered() {
            return;
        }
        let mut own = own.clone();
        let mut report = Report::default();
        let described = self.describe_local(&mut own, &mut report, change);
        self.report.dropped.append(&mut report.dropped);
        match described {
            Ok(None) => {}
            Ok(Some((answer, peer))) => {
                self.pending = None;
                self.version = self.version.saturating_add(1);
                for (index, _) in own.restart.iter().flat_map(|own| &own.transports) {
                    let old = self.peer.as_ref().and_then(|own| own.media.get(*index));
                    if let Some(old) = old.and_then(ufrag).map(str::to_owned) {
                        self.retire(&old);
                    }
                }
                for add in &own.adds {
                    let Reply::Accepted(content) = &add.reply else {
                        continue;
                    };
                    let unused = content.ice().and_then(|ice| ice.ufrag.clone());
                    let used = answer.media.get(add.index).and_then(ufrag);
                    if let Some(unused) = unused.filter(|own| used != Some(own)) {
                        self.retire(&unused);
                    }
                }
                self.object(&mut own, &answer, change);
                self.keep(peer);
                self.local = Some(own.offer);
                self.sections = own.sections;
                // A browser has no transport for a section that is rejected to it.
                own.trickle.retain(|candidate| {
                    let section = candidate.index.and_then(|own| answer.media.get(own));
                    !section.is_some_and(Media::is_rejected)
                });
                change.browser.push(ToBrowser::Answer(answer));
                change.trickle(std::mem::take(&mut own.trickle));
                self.next_in_queue(change);
            }
            Err(refusal) => {
                change.append(Change::void(refusal));
                self.withdraw(change);
                self.next_in_queue(change);
                self.restate(change);
            }
        }
    }

    /// What the peer asked for meanwhile may be more than the browser does.
    fn object(&mut self, own: &mut LocalChange, answer: &sdp::Session, change: &mut Change) {
        let asked = own.folded.iter().flat_map(|request| &request.contents);
        let asked: Vec<_> = asked.map(|content| content.name.clone()).collect();
        let lines = own.offer.media.iter().zip(&answer.media);
        for (section, (offered, answered)) in own.sections.iter_mut().zip(lines) {
            if !section.live || !asked.contains(&section.name.name) {
                continue;
            }
            let peer = self.role.other();
            let can = direction::senders(direction_of(offered), self.role);
            let does = direction::senders(direction_of(answered), peer);
            let wanted = self.wanted_senders(can.intersect(does), section.senders);
            if wanted != section.senders {
                section.senders = wanted;
                self.supersede(&section.name);
                let request = self.modification(&section.name, wanted);
                self.say(request, change);
            }
        }
    }

    pub(super) fn say(&mut self, jingle: Jingle, change: &mut Change) {
        for jingle in self.split(jingle) {
            let receipt = (jingle.action == Action::ContentModify).then(|| self.modifying(&jingle));
            change.stanzas.push(Stanza { jingle, receipt });
        }
    }

    /// Remembers a content-modify until it is answered.
    fn modifying(&mut self, jingle: &Jingle) -> Receipt {
        let receipt = self.receipt();
        let names = jingle.contents.iter().map(Name::of).collect();
        self.modifying.push((receipt, names));
        receipt
    }

    fn receipt(&mut self) -> Receipt {
        self.receipts = self.receipts.wrapping_add(1);
        Receipt(self.receipts)
    }
}

impl LocalChange {
    fn new(offer: sdp::Session, sections: Vec<Section>) -> Self {
        Self {
            offer,
            sections,
            adds: Vec::new(),
            restart: None,
            held: Vec::new(),
            trickle: Vec::new(),
            ahead: false,
            folded: Vec::new(),
            sent: Vec::new(),
            groups: Vec::new(),
        }
    }

    /// Whether the peer has something to decide, so that a request of its own crosses ours.
    pub(super) fn is_open(&self) -> bool {
        let is_open = |add: &Added| matches!(add.reply, Reply::Open);
        self.adds.iter().any(is_open) || self.restarts_open()
    }

    /// Whether the peer has yet to name its new credentials.
    pub(super) fn restarts_open(&self) -> bool {
        self.restart
            .iter()
            .flat_map(|restart| &restart.transports)
            .any(|(_, ready)| ready.is_none())
    }

    /// Whether the peer has said all.
    fn is_answered(&self) -> bool {
        let waits = |sent: &Sent| matches!(sent.asked, Asked::Modify(_)) && !sent.acknowledged;
        !self.is_open() && !self.sent.iter().any(waits)
    }

    /// Whether the peer has acknowledged who sends in a content.
    pub(super) fn has_modified(&self, name: &str) -> bool {
        self.sent.iter().any(|sent| {
            let mut contents = sent.jingle.contents.iter();
            matches!(sent.asked, Asked::Modify(_))
                && sent.acknowledged
                && contents.any(|content| content.name == name)
        })
    }

    /// Takes the answer to an added section.
    pub(super) fn answered(&mut self, index: usize, reply: Reply) {
        let add = self.adds.iter_mut().find(|add| add.index == index);
        if let Some(add) = add.filter(|add| matches!(add.reply, Reply::Open)) {
            add.reply = reply;
        }
    }

    /// The peer accepts an added section, and says who sends in it.
    pub(super) fn accepted(&mut self, index: usize, senders: Senders) {
        let open = |add: &Added| add.index == index && matches!(add.reply, Reply::Open);
        if let Some(section) = self.sections.get_mut(index)
            && self.adds.iter().any(open)
        {
            section.senders = senders;
        }
    }

    /// Takes the answer to all added sections that have none.
    pub(super) fn reject_all(&mut self) {
        let open = |add: &&mut Added| matches!(add.reply, Reply::Open);
        for add in self.adds.iter_mut().filter(open) {
            add.reply = Reply::Rejected;
        }
    }

    /// Takes a content-accept.
    pub(super) fn grouped(&mut self, groups: &[Group]) {
        self.groups
            .extend(groups.iter().filter(|own| own.semantics == BUNDLE).cloned());
    }
}

pub(super) fn direction_of(media: &Media) -> sdp::Direction {
    if media.is_rejected() {
        sdp::Direction::Inactive
    } else {
        media.direction().unwrap_or_default()
    }
}

/// A transport-info that only announces credentials.
pub(super) fn announcement(
    session: &Session,
    description: &sdp::Session,
    lines: &[Section],
    restarts: &[usize],
) -> Jingle {
    let mut info = Jingle::new(Action::TransportInfo, session.sid.clone());
    let credentials = credentials(description);
    for index in restarts {
        let (Some(section), Some(Some((ufrag, pwd)))) =
            (lines.get(*index), credentials.get(*index))
        else {
            continue;
        };
        let mut content = section.name.bare();
        let bare = transport::bare(ufrag, pwd, session.flavour);
        content.transport = Some(Transport::Ice(Box::new(bare)));
        info.contents.push(content);
    }
    info
}
