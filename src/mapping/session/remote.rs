//! The peer wants a change: the offer that the browser gets, and what its answer means.

use crate::jingle::{Action, Content, Description, Jingle, Reason, Role, Senders, Transport};
use crate::sdp::{self, Media};

use super::agreed::{bundle, other_setup, regroup, restarted, set_direction, setup, ufrag};
use super::local::{Reply, direction_of};
use super::{Change, Name, Pending, Section, Session, ToBrowser, merge};
use crate::mapping::to_jingle::push_down;
use crate::mapping::{Kind, Refusal, Report, Trickle, Why, answer, browser, direction};

/// The peer's request, on its way to the browser.
#[derive(Clone, Debug)]
pub(super) struct RemoteChange {
    /// As they will be.
    pub(super) sections: Vec<Section>,
    /// The peer's description as it will be.
    pub(super) peer: sdp::Session,
    /// Contents that the peer adds.
    pub(super) adds: Vec<(usize, Content)>,
    /// The stanza that adds them, for its groups.
    pub(super) request: Jingle,
    pub(super) restart: bool,
    /// The restart lost against a change of the other side's; see [`Session::postpone`].
    pub(super) put_off: bool,
    /// What the browser has.
    pub(super) offer: Option<sdp::Session>,
    /// Candidates that wait for the offer.
    pub(super) trickle: Vec<Trickle>,
    /// Candidates that came behind a restart's offer: who gets it anew needs them anew.
    pub(super) said: Vec<Trickle>,
}

impl RemoteChange {
    /// Nothing is different yet.
    pub(super) fn new(sections: &[Section], peer: sdp::Session, request: Jingle) -> Self {
        Self {
            sections: sections.to_vec(),
            peer,
            adds: Vec::new(),
            request,
            restart: false,
            put_off: false,
            offer: None,
            trickle: Vec::new(),
            said: Vec::new(),
        }
    }
}

impl Session {
    /// The peer asks for something: transport-info, description-info, and all actions that begin
    /// with `content-`; session-accept too, with which Movim answers content-add.
    ///
    /// # Errors
    /// When the stanza is answered with an error or ends the session, as [`Refusal`] says.
    pub fn requested(&mut self, request: &Jingle) -> Result<Change, Refusal> {
        if self.peer.is_none() {
            return match request.action {
                Action::TransportInfo => {
                    let mut change = Change::default();
                    change.trickle(self.remote_candidates(request)?);
                    Ok(change)
                }
                _ => Err(Refusal::OutOfOrder),
            };
        }
        if self.is_plain(request) {
            let mut change = Change::default();
            change.trickle(self.remote_candidates(request)?);
            return Ok(change);
        }
        // One that has waited was acknowledged, and crosses nothing of ours.
        if request.action == Action::ContentModify {
            self.check_crossing(request)?;
        }
        let mut next = self.clone();
        match next.request(request) {
            Ok(change) => {
                *self = next;
                Ok(change)
            }
            Err(refusal) => {
                // Candidates that follow a restart which lost are no restart either.
                if refusal == Refusal::TieBreak {
                    for ice in request.contents.iter().filter_map(Content::ice) {
                        ice.ufrag.iter().for_each(|own| self.retire(own));
                    }
                }
                Err(refusal)
            }
        }
    }

    /// The browser answers the offer of [`Change::browser`].
    ///
    /// # Errors
    /// When it has no such offer, or the answer does not fit.
    pub fn answer_later(&mut self, mut answer: sdp::Session) -> Result<Change, Refusal> {
        let Some(Pending::Remote(own)) = &self.pending else {
            return Err(Refusal::OutOfOrder);
        };
        let offer = own.offer.as_ref().ok_or(Refusal::OutOfOrder)?;
        browser::fits(&answer, offer)?;
        push_down(&mut answer);
        let mut next = self.clone();
        let mut change = next.finish_remote(answer)?;
        next.next_in_queue(&mut change);
        *self = next;
        Ok(change)
    }

    /// The other side cannot do what the peer asks for: nothing changes, and the peer is told.
    ///
    /// # Errors
    /// When the peer restarts ICE: but for an error to its request there is no word that refuses
    /// it. The transport stays what it was, and what waits has its turn in [`Self::resume`].
    pub fn refuse_later(&mut self) -> Result<Change, Refusal> {
        let mut change = Change::default();
        let Some(own) = self.take_remote() else {
            return Ok(change);
        };
        if own.restart {
            // Candidates that follow it are no restart either.
            self.retire_all(fresh(&own.peer, self.peer.as_ref()));
            return Err(Refusal::NotForPeer("restart ICE"));
        }
        let adds = own.adds.iter().map(|(_, content)| Name::of(content));
        let adds: Vec<_> = adds.collect();
        for name in &adds {
            self.parked.push(name.clone());
        }
        self.reject(adds, Reason::FailedApplication, &mut change);
        let asked = self.sections.iter().zip(&own.sections);
        let differ =
            asked.filter(|(is, asked)| is.live && asked.live && is.senders != asked.senders);
        let back: Vec<_> = differ
            .map(|(is, _)| self.modification(&is.name, is.senders))
            .collect();
        for request in back {
            self.say(request, &mut change);
        }
        self.next_in_queue(&mut change);
        Ok(change)
    }

    /// The other side changes something itself, and its offer comes next: what the peer asks for
    /// has its turn behind that.
    ///
    /// But the peer of a restart waits for credentials and can do nothing else before. Another
    /// restart has them; other offers are void until the peer has got some.
    pub fn postpone(&mut self) {
        match &mut self.pending {
            Some(Pending::Remote(own)) if own.restart => own.put_off = true,
            _ => {
                if let Some(own) = self.take_remote()
                    && !own.request.contents.is_empty()
                {
                    self.queue.push_front(own.request);
                }
            }
        }
    }

    /// What was postponed has its turn now, if nothing came before it.
    pub fn resume(&mut self) -> Change {
        let mut change = Change::default();
        match &mut self.pending {
            None => self.next_in_queue(&mut change),
            Some(Pending::Remote(own)) if own.put_off => self.insist(&mut change),
            Some(_) => {}
        }
        change
    }

    /// The other side's offer while the peer waits for the answer to its restart.
    pub(super) fn offer_to_restart(&mut self, offer: sdp::Session) -> Result<Change, Refusal> {
        let Some(Pending::Remote(own)) = &self.pending else {
            return Err(Refusal::OutOfOrder);
        };
        let same_lines = own.sections.len() == offer.media.len();
        let local = self.local.as_ref().filter(|_| same_lines);
        if local.is_none_or(|local| restarted(local, &offer).is_empty()) {
            let mut change = Change::void(Refusal::OutOfOrder);
            self.insist(&mut change);
            return Ok(change);
        }
        let said = own.said.clone();
        let mut answer = offer.clone();
        let ours = own.offer.iter().flat_map(|offer| &offer.media);
        for (media, ours) in answer.media.iter_mut().zip(ours) {
            if media.is_rtp() && !media.is_rejected() {
                let direction = direction::answered(direction_of(media), direction_of(ours));
                set_direction(media, direction);
            }
        }
        let mut change = self.finish_remote(answer)?;
        change.append(self.begin_local(offer)?);
        match &mut self.pending {
            Some(Pending::Local(own)) => {
                own.ahead = true;
                own.trickle.extend(said);
            }
            _ => change.trickle(said),
        }
        Ok(change)
    }

    /// Offers the peer's restart once more.
    fn insist(&mut self, change: &mut Change) {
        if let Some(Pending::Remote(own)) = &mut self.pending
            && let Some(offer) = &mut own.offer
        {
            self.version = self.version.saturating_add(1);
            own.put_off = false;
            offer.origin.version = sdp::Word::from(self.version);
            change.browser.push(ToBrowser::Offer(offer.clone()));
            change.trickle(own.said.clone());
        }
    }

    fn take_remote(&mut self) -> Option<RemoteChange> {
        match self.pending.take() {
            Some(Pending::Remote(own)) => Some(*own),
            other => {
                self.pending = other;
                None
            }
        }
    }

    /// What is agreed on becomes an offer, since the browser's own came to nothing: with it, the
    /// browser rolls back (RFC 9429 §4.1.10.2).
    pub(super) fn restate(&mut self, change: &mut Change) {
        let offers = |said: &ToBrowser| matches!(said, ToBrowser::Offer(_));
        let (None, Some(peer)) = (&self.pending, self.peer.clone()) else {
            return;
        };
        if change.browser.iter().any(offers) {
            return;
        }
        let request = Jingle::new(Action::ContentModify, self.sid.clone());
        let own = RemoteChange::new(&self.sections, peer, request);
        self.pending = Some(Pending::Remote(Box::new(own)));
        // It was said before.
        if self.give_offer(change).is_err() {
            self.pending = None;
        }
    }

    /// Candidates of the credentials in use, the most frequent stanza of all, change nothing.
    fn is_plain(&self, request: &Jingle) -> bool {
        let plain = |content: &Content| {
            let own = content.ice().and_then(|ice| ice.ufrag.as_ref());
            let index = self.known(content).ok().flatten();
            index.is_some_and(|index| own.is_none() || own == self.current_ufrag(index).as_ref())
        };
        request.action == Action::TransportInfo
            && self.pending.is_none()
            && request.contents.iter().all(plain)
    }

    fn request(&mut self, request: &Jingle) -> Result<Change, Refusal> {
        let known = request
            .contents
            .iter()
            .all(|content| self.is_parked(content));
        match request.action {
            Action::TransportInfo => self.transport_info(request),
            Action::ContentAdd => self.contend(request),
            Action::ContentModify | Action::ContentRemove | Action::DescriptionInfo => {
                match &self.pending {
                    None => self.begin_remote(request),
                    // Of what waits already, the later word comes behind the earlier.
                    Some(Pending::Local(_))
                        if !request.contents.iter().any(|own| self.waits(own)) =>
                    {
                        self.fold(request)
                    }
                    Some(_) => self.wait(request),
                }
            }
            Action::ContentAccept | Action::ContentReject | Action::SessionAccept => {
                match &self.pending {
                    Some(Pending::Local(_)) => self.replied(request),
                    // An answer to what was taken back, or Movim's to what needs none.
                    _ if known || request.action == Action::SessionAccept => Ok(Change::default()),
                    _ => Err(Refusal::OutOfOrder),
                }
            }
            Action::SecurityInfo
            | Action::SessionInfo
            | Action::SessionInitiate
            | Action::SessionTerminate
            | Action::TransportAccept
            | Action::TransportReject
            | Action::TransportReplace => Err(Refusal::OutOfOrder),
        }
    }

    /// Begins at once, waits, or crosses a request of ours: then the initiator's goes first
    /// (XEP-0166 §7.2.16).
    fn contend(&mut self, request: &Jingle) -> Result<Change, Refusal> {
        match &self.pending {
            None => self.begin_remote(request),
            Some(Pending::Local(own)) if own.is_open() => {
                if self.role == Role::Initiator {
                    return Err(Refusal::TieBreak);
                }
                let mut change = Change::void(Refusal::TieBreak);
                self.withdraw(&mut change);
                change.append(self.begin_remote(request)?);
                Ok(change)
            }
            Some(_) => self.wait(request),
        }
    }

    /// Both sides say who sends in the same content: the initiator's word holds.
    fn check_crossing(&self, request: &Jingle) -> Result<(), Refusal> {
        let ours = self.modifying.iter().flat_map(|(_, names)| names);
        let crossing = |name: &Name| request.contents.iter().any(|own| own.name == name.name);
        if self.role == Role::Initiator && ours.into_iter().any(crossing) {
            return Err(Refusal::TieBreak);
        }
        Ok(())
    }

    pub(super) fn wait(&mut self, request: &Jingle) -> Result<Change, Refusal> {
        if self.queue.len() >= QUEUE {
            return Err(Refusal::TooMany("requests at once"));
        }
        // What is wrong is said now.
        if request.action != Action::ContentAdd {
            for content in request.contents.iter().filter(|own| !self.waits(own)) {
                self.known(content)?;
            }
        }
        self.queue.push_back(request.clone());
        Ok(Change::default())
    }

    /// Whether a request about a content of this name waits.
    fn waits(&self, content: &Content) -> bool {
        let mut queued = self.queue.iter().flat_map(|own| &own.contents);
        queued.any(|own| own.name == content.name)
    }

    pub(super) fn next_in_queue(&mut self, change: &mut Change) {
        while self.pending.is_none() {
            let Some(request) = self.queue.pop_front() else {
                return;
            };
            let mut next = self.clone();
            match next.request(&request) {
                Ok(later) => {
                    *self = next;
                    change.append(later);
                }
                // It was acknowledged already.
                Err(refusal) => {
                    let names = request.contents.iter().map(Name::of).collect();
                    if request.action == Action::ContentAdd {
                        self.reject(names, refusal.reason(), change);
                    }
                    self.report
                        .note(None, request.action.name(), Why::Malformed);
                }
            }
        }
    }

    fn begin_remote(&mut self, request: &Jingle) -> Result<Change, Refusal> {
        let Some(peer) = self.peer.clone() else {
            return Err(Refusal::OutOfOrder);
        };
        let mut change = Change::default();
        let mut own = RemoteChange::new(&self.sections, peer, request.clone());
        let worth_an_offer = match request.action {
            Action::ContentAdd => self.peer_adds(request, &mut own, &mut change)?,
            Action::ContentRemove => self.peer_removes(request, &mut own.sections)?,
            Action::ContentModify => self.peer_modifies(request, &mut own.sections)?,
            Action::DescriptionInfo => self.peer_describes(request, &mut own.peer)?,
            _ => false,
        };
        if request.action == Action::ContentModify {
            self.contradict(request, &mut change);
        }
        if worth_an_offer {
            self.pending = Some(Pending::Remote(Box::new(own)));
            self.give_offer(&mut change)?;
        }
        Ok(change)
    }

    /// Takes over what the peer changes while the browser waits for an answer: it will be in it.
    fn fold(&mut self, request: &Jingle) -> Result<Change, Refusal> {
        let (Some(Pending::Local(mut own)), Some(mut peer)) =
            (self.pending.clone(), self.peer.clone())
        else {
            return Err(Refusal::OutOfOrder);
        };
        match request.action {
            Action::ContentRemove => {
                self.peer_removes(request, &mut own.sections)?;
                for index in 0..own.sections.len() {
                    if own.sections.get(index).is_some_and(|own| !own.live) {
                        own.answered(index, Reply::Rejected);
                    }
                }
                if let Some(restart) = &mut own.restart {
                    let lines = &own.sections;
                    let live = |index: usize| lines.get(index).is_some_and(|own| own.live);
                    restart.transports.retain(|(index, _)| live(*index));
                }
            }
            Action::ContentModify => {
                self.peer_modifies(request, &mut own.sections)?;
            }
            _ => {
                self.peer_describes(request, &mut peer)?;
            }
        }
        if own.folded.len() >= QUEUE {
            return Err(Refusal::TooMany("requests at once"));
        }
        own.folded.push(request.clone());
        self.peer = Some(peer);
        self.pending = Some(Pending::Local(own));
        let mut change = Change::default();
        if request.action == Action::ContentModify {
            self.contradict(request, &mut change);
        }
        self.finish_local(&mut change);
        Ok(change)
    }

    /// content-accept or content-reject; or Movim's session-accept, which may also repeat what is
    /// there already.
    fn replied(&mut self, reply: &Jingle) -> Result<Change, Refusal> {
        let mut known = Vec::with_capacity(reply.contents.len());
        for content in &reply.contents {
            known.push(self.known(content)?);
        }
        let mut report = Report::default();
        let mut modified = Vec::new();
        for (content, index) in reply.contents.iter().zip(&known) {
            let senders = content.senders.map(|own| self.read_senders(own));
            modified.push((*index, senders));
        }
        let Some(Pending::Local(own)) = &mut self.pending else {
            return Err(Refusal::OutOfOrder);
        };
        own.grouped(&reply.groups);
        // stanza.js does not say what it rejects: it takes none of it.
        if reply.action == Action::ContentReject && reply.contents.is_empty() {
            own.reject_all();
        }
        for (content, (index, senders)) in reply.contents.iter().zip(modified) {
            let Some(index) = index else { continue };
            let added = own.adds.iter().any(|add| add.index == index);
            match reply.action {
                Action::ContentReject => own.answered(index, Reply::Rejected),
                _ if added => {
                    let mut content = content.clone();
                    content
                        .transport
                        .get_or_insert_with(|| Transport::Ice(Box::default()));
                    // Credentials and candidates that came before.
                    if let Some(early) = self.early.iter().find(|own| own.name == content.name) {
                        merge(&mut content, early);
                    }
                    let data = own.offer.media.get(index).is_some_and(Media::is_sctp);
                    if content.description.is_none() && data {
                        content.description = Some(Description::Data);
                    }
                    let reply = if content.description.is_some() {
                        // Here, since what it says of them later holds.
                        own.accepted(index, senders.unwrap_or(Senders::Both));
                        Reply::Accepted(Box::new(content))
                    } else {
                        report.note(Some(&content.name), "description", Why::Malformed);
                        Reply::Rejected
                    };
                    own.answered(index, reply);
                }
                // Movim says so behind its result: what comes before that answers an earlier one.
                Action::SessionAccept if own.has_modified(&content.name) => {
                    if let (Some(section), Some(senders)) = (own.sections.get_mut(index), senders) {
                        section.senders = senders;
                    }
                }
                _ => {}
            }
        }
        self.report.dropped.append(&mut report.dropped);
        let mut change = Change::default();
        self.finish_local(&mut change);
        Ok(change)
    }

    fn finish_remote(&mut self, browser: sdp::Session) -> Result<Change, Refusal> {
        let own = match self.pending.take() {
            Some(Pending::Remote(own)) => *own,
            _ => return Err(Refusal::OutOfOrder),
        };
        let (Some(mut offer), Some(before)) = (own.offer, self.local.take()) else {
            return Err(Refusal::OutOfOrder);
        };
        let mut change = Change::default();
        let mut report = Report::default();
        let mut lines = own.sections;
        let adds = own.adds;
        let mapped = self.map(&browser, &lines, Kind::Answer, &mut report)?;
        if own.restart {
            let restarts = restarted(&before, &browser);
            if restarts.is_empty() {
                return Err(Refusal::Unfit(
                    "the answer to a restart has new credentials",
                ));
            }
            self.generation = self.generation.saturating_add(1);
            self.stale = false;
            self.answer_restart(&browser, &lines, &restarts, &mut change);
        }
        let mut advice = Jingle::new(Action::DescriptionInfo, self.sid.clone());
        let described = self.descriptions(&before, &mapped);
        advice.contents = described.into_iter().flatten().collect();
        advice.contents.retain(|own| {
            let added = |(_, content): &(usize, Content)| Name::of(content) == Name::of(own);
            !adds.iter().any(added)
        });
        if !advice.contents.is_empty() {
            self.say(advice, &mut change);
        }
        let mut accept = Jingle::new(Action::ContentAccept, self.sid.clone());
        let mut rejected = Vec::new();
        for (index, content) in adds {
            // Credentials of its own that the bundle has no use for are no restart later.
            let unused = content.ice().and_then(|ice| ice.ufrag.clone());
            let used = offer.media.get(index).and_then(ufrag).map(str::to_owned);
            unused
                .iter()
                .filter(|own| used.as_ref() != Some(*own))
                .for_each(|own| self.retire(own));
            let name = Name::of(&content);
            let live = browser
                .media
                .get(index)
                .is_some_and(|own| !own.is_rejected());
            let said = mapped.contents.iter().find(|(own, _)| *own == index);
            match said.filter(|_| live) {
                Some((_, content)) => {
                    let mut content = content.clone();
                    if let Some(ice) = content.ice_mut() {
                        ice.flavour = self.flavour;
                    }
                    accept.contents.push(content);
                }
                None => rejected.push(name),
            }
            let answered = browser.media.get(index);
            if let (Some(section), Some(answered)) = (lines.get_mut(index), answered) {
                section.live = live;
                section.senders = direction::senders(direction_of(answered), self.role);
                section.setup = setup(answered).map(other_setup);
            }
        }
        let added: Vec<_> = accept.contents.iter().map(Name::of).collect();
        if !accept.contents.is_empty() {
            accept.groups = mapped.groups;
            self.say(accept, &mut change);
        }
        self.reject(rejected, Reason::FailedApplication, &mut change);
        for (section, answered) in lines.iter_mut().zip(&browser.media) {
            if !section.live || added.contains(&section.name) {
                continue;
            }
            if answered.is_rejected() {
                section.live = false;
                self.parked.push(section.name.clone());
                self.say(self.removal(&section.name, section.senders), &mut change);
                continue;
            }
            let wanted = direction::senders(direction_of(answered), self.role);
            let wanted = self.wanted_senders(wanted, section.senders);
            // What the peer has taken away meanwhile is nothing to talk about.
            if wanted != section.senders && !self.is_leaving(&section.name) {
                section.senders = wanted;
                self.supersede(&section.name);
                let request = self.modification(&section.name, wanted);
                self.say(request, &mut change);
            }
        }
        if !lines.iter().any(|section| section.live) {
            return Err(Refusal::NothingLeft);
        }
        for (own, section) in offer.media.iter_mut().zip(&lines) {
            if !section.live && !own.is_rejected() {
                *own = answer::rejected(own);
            }
        }
        regroup(&mut offer, &bundle(&browser));
        if own.restart
            && let Some(before) = &self.peer
        {
            self.retire_all(fresh(before, Some(&offer)));
        }
        self.keep(offer);
        self.sections = lines;
        self.local = Some(browser);
        self.report.dropped.append(&mut report.dropped);
        Ok(change)
    }

    pub(super) fn reject(&mut self, names: Vec<Name>, reason: Reason, change: &mut Change) {
        if names.is_empty() {
            return;
        }
        let mut reject = Jingle::new(Action::ContentReject, self.sid.clone());
        reject.contents = names.iter().map(Name::bare).collect();
        reject.reason = Some(reason.into());
        self.say(reject, change);
    }

    /// The section of a content; `None` when it has none any more.
    ///
    /// # Errors
    /// When there never was one.
    pub(super) fn known(&self, content: &Content) -> Result<Option<usize>, Refusal> {
        let lines = self.lines();
        // The name alone may be that of another content, by the other side.
        for exactly in [true, false] {
            let is_it = |own: &Name| {
                own.name == content.name && (!exactly || own.creator == content.creator)
            };
            let live = lines.iter().position(|own| own.live && is_it(&own.name));
            let mut names = lines.iter().map(|own| &own.name).chain(&self.parked);
            if live.is_some() || names.any(is_it) {
                return Ok(live);
            }
        }
        Err(Refusal::UnknownContent(content.name.clone()))
    }

    fn is_parked(&self, content: &Content) -> bool {
        self.parked.iter().any(|own| own.name == content.name)
    }
}

/// The username fragments that only the first description has.
fn fresh(of: &sdp::Session, other: Option<&sdp::Session>) -> Vec<String> {
    let others = other.iter().flat_map(|own| &own.media);
    let others: Vec<_> = others.filter_map(ufrag).collect();
    let own = of.media.iter().filter_map(ufrag);
    own.filter(|own| !others.contains(own))
        .map(str::to_owned)
        .collect()
}

/// Requests that wait for the browser.
const QUEUE: usize = 16;
