//! What is agreed on, and the pieces that later descriptions for the browser are built from.
//!
//! The peer's last description is kept as the browser knows it. A change is made to that, so that
//! all which nobody talks about stays as it was.

use crate::jingle::{Action, Content, Jingle, Role, Senders};
use crate::sdp::{self, Attribute, Direction, IcePwd, IceUfrag, Media, Setup, Token, Word};

use super::{BUNDLE, Name, Section, Session};
use crate::mapping::part::lawful_parts;
use crate::mapping::to_jingle::{SHORT, tags};
use crate::mapping::transport::Ready;
use crate::mapping::{Dialect, Kind, Refusal, Report, answer, direction, numbered};

impl Session {
    /// The browser has answered the peer's offer.
    pub(super) fn establish_responder(
        &mut self,
        mut offer: sdp::Session,
        answer: &sdp::Session,
        accept: &Jingle,
    ) {
        let bundle = bundle(answer);
        let agreed = offer.media.iter_mut().zip(&answer.media);
        for (section, (offered, answered)) in self.sections.iter_mut().zip(agreed) {
            section.senders =
                direction::senders(answered.direction().unwrap_or_default(), self.role);
            section.setup = setup(answered).map(other_setup);
            if answered.is_rejected() {
                section.live = false;
                *offered = answer::rejected(offered);
            }
        }
        for content in &accept.contents {
            let name = Name::of(content);
            let dead = |own: &&Section| !own.live && own.name == name;
            if let Some(section) = self.sections.iter().find(dead) {
                self.parked.push(section.name.clone());
            }
        }
        regroup(&mut offer, &bundle);
        self.keep(offer);
    }

    /// The browser can have the peer's answer.
    pub(super) fn establish_initiator(&mut self) {
        let Some(answer) = self.remote_answer().filter(|_| self.peer.is_none()) else {
            return;
        };
        if let Some(surplus) = self.surplus() {
            self.parked.extend(surplus.contents.iter().map(Name::of));
        }
        for (section, media) in self.sections.iter_mut().zip(&answer.media) {
            section.live = !media.is_rejected();
            section.setup = setup(media);
            section.senders =
                direction::senders(media.direction().unwrap_or_default(), self.role.other());
        }
        self.keep(answer);
    }

    /// Keeps the peer's description, without what belongs to one moment only.
    pub(super) fn keep(&mut self, mut description: sdp::Session) {
        description.media.iter_mut().for_each(strip_candidates);
        let surplus = self.parked.len().saturating_sub(PARKED);
        self.parked.drain(..surplus);
        self.peer = Some(description);
    }

    /// A section of the peer as it is now, for the next description.
    pub(super) fn section_again(
        &self,
        section: &Section,
        media: &Media,
        ready: Option<&Ready>,
        kind: Kind,
    ) -> Media {
        let mut media = media.clone();
        strip_candidates(&mut media);
        media.attributes.retain(|own| *own != Attribute::BundleOnly);
        media.port = 9;
        if media.is_rtp() {
            set_direction(
                &mut media,
                direction::direction(section.senders, self.role.other()),
            );
        }
        if let Some(ready) = ready {
            set_transport(&mut media, ready);
        }
        set_setup(&mut media, kind, section.setup);
        media
    }

    /// A section that the peer has just described. `tag`: where it takes its transport from, if it
    /// is bundled. `None` while something of its transport has yet to come.
    ///
    /// # Errors
    /// When a browser can not have it.
    pub(super) fn section_new(
        &self,
        content: &Content,
        mid: Option<Token>,
        tag: Option<&Media>,
        kind: Kind,
        report: &mut Report,
    ) -> Result<Option<Media>, Refusal> {
        let contents = [content];
        let mut parts = lawful_parts(&contents, &[mid], &[], report)?;
        let Some(part) = parts.first_mut() else {
            return Ok(None);
        };
        if let Some(tag) = tag {
            // Whatever it says of its own, it uses the tag's (RFC 9143 §7.1.3).
            part.ready = Ready::of(tag);
            part.tag = Some(0);
        }
        if !part.ready.is_complete() {
            return Ok(None);
        }
        let media = part.for_browser(self.role.other(), kind, self.dialect, report)?;
        Ok(Some(media))
    }

    /// Whether a content that is added shares the transport of the bundle: it says so, or it says
    /// nothing else.
    pub(super) fn joins(&self, content: &Content, jingle: &Jingle, tag: Option<&Media>) -> bool {
        let Some(tag) = tag else { return false };
        let named = jingle
            .groups
            .iter()
            .any(|group| group.semantics == BUNDLE && group.contents.contains(&content.name));
        let own = content.ice().and_then(|ice| ice.ufrag.as_deref());
        named || own.is_none_or(|own| ufrag(tag) == Some(own))
    }

    /// A name that neither side has used yet, short and without blanks.
    pub(super) fn fresh_name(&self, wanted: &str, sections: &[Section]) -> String {
        let taken = |name: &str| {
            sections
                .iter()
                .map(|own| &own.name)
                .chain(&self.parked)
                .any(|own| own.name == name)
        };
        let fits = !self.dialect.short_names || wanted.len() <= SHORT;
        if fits && !taken(wanted) {
            return wanted.to_owned();
        }
        numbered('c', sections.len(), taken)
    }

    /// Who sends, in the peer's words.
    pub(super) fn read_senders(&self, senders: Senders) -> Senders {
        let peer = self.role.other();
        direction::senders(
            direction::direction(senders, self.dialect.read_as(peer)),
            peer,
        )
    }

    /// Who sends, in the words that the peer expects of us.
    pub(super) fn write_senders(&self, senders: Senders) -> Senders {
        direction::senders(
            direction::direction(senders, self.role),
            self.dialect.write_as(self.role),
        )
    }

    /// What can be asked for: everything, or only what our side sends.
    pub(super) fn wanted_senders(&self, wanted: Senders, agreed: Senders) -> Senders {
        if self.dialect.own_senders_only {
            with(agreed, self.role, wanted.includes(self.role))
        } else {
            wanted
        }
    }

    /// The senders as the peer is told of them. Where only the peer may say what it sends, it is
    /// told its own last word, though that still waits for the browser.
    fn told_senders(&self, name: &Name, senders: Senders) -> Senders {
        let mut told = senders;
        let modifies = |request: &&Jingle| request.action == Action::ContentModify;
        let requests = self.queue.iter().filter(modifies);
        let contents = requests.flat_map(|request| &request.contents);
        for content in contents.filter(|own| own.name == name.name) {
            if let Some(said) = content.senders.filter(|_| self.dialect.own_senders_only) {
                let peer = self.role.other();
                told = with(told, peer, self.read_senders(said).includes(peer));
            }
        }
        told
    }

    /// The request to take a content away, however the peer understands it.
    pub(super) fn removal(&self, name: &Name, senders: Senders) -> Jingle {
        let mut content = name.bare();
        let action = if self.dialect.removes {
            Action::ContentRemove
        } else {
            let none = self.told_senders(name, self.no_senders(senders));
            content.senders = Some(self.write_senders(none));
            Action::ContentModify
        };
        let mut jingle = Jingle::new(action, self.sid.clone());
        jingle.contents.push(content);
        jingle
    }

    /// Nobody sends any more, as far as the peer can be told.
    pub(super) fn no_senders(&self, agreed: Senders) -> Senders {
        if self.dialect.own_senders_only {
            with(agreed, self.role, false)
        } else {
            Senders::None
        }
    }

    /// Whether the peer has removed a content, and the browser is still to be told.
    pub(super) fn is_leaving(&self, name: &Name) -> bool {
        let mut removals = self.queue.iter();
        removals.any(|request| {
            let mut contents = request.contents.iter();
            request.action == Action::ContentRemove
                && contents.any(|content| content.name == name.name)
        })
    }

    /// The request to change who sends.
    pub(super) fn modification(&self, name: &Name, senders: Senders) -> Jingle {
        let mut content = name.bare();
        let told = self.told_senders(name, senders);
        content.senders = Some(self.write_senders(told));
        let mut jingle = Jingle::new(Action::ContentModify, self.sid.clone());
        jingle.contents.push(content);
        jingle
    }

    pub(super) fn next_version(&self) -> Word {
        Word::from(self.version.saturating_add(1))
    }

    /// These username fragments of the peer's are out of use.
    pub(super) fn retire_all(&mut self, ufrags: Vec<String>) {
        ufrags.iter().for_each(|ufrag| self.retire(ufrag));
    }

    /// The peer's username fragment is out of use.
    pub(super) fn retire(&mut self, ufrag: &str) {
        if self.retired.iter().any(|old| old == ufrag) {
            return;
        }
        if self.retired.len() >= RETIRED {
            self.retired.pop_front();
        }
        self.retired.push_back(ufrag.to_owned());
    }
}

/// The senders with one party's part replaced.
pub(super) fn with(senders: Senders, party: Role, sends: bool) -> Senders {
    match party {
        Role::Initiator => Senders::of(sends, senders.includes(Role::Responder)),
        Role::Responder => Senders::of(senders.includes(Role::Initiator), sends),
    }
}

/// The indexes of the sections in the BUNDLE group, in its order.
pub(super) fn bundle(description: &sdp::Session) -> Vec<usize> {
    let groups = description.groups();
    groups
        .filter(|group| group.semantics.as_str() == BUNDLE)
        .flat_map(|group| &group.mids)
        .filter_map(|mid| {
            description
                .media
                .iter()
                .position(|media| media.mid() == Some(mid) && !media.is_rejected())
        })
        .collect()
}

/// Makes the BUNDLE group one of these sections, as far as they are not rejected; takes those that
/// are rejected out of the other groups. The first that is left becomes the tag (RFC 9143 §7.2.1).
pub(super) fn regroup(description: &mut sdp::Session, members: &[usize]) {
    let media = &description.media;
    let live = |mid: &Token| {
        media
            .iter()
            .any(|own| own.mid() == Some(mid) && !own.is_rejected())
    };
    let mids: Vec<Token> = members
        .iter()
        .filter_map(|index| media.get(*index))
        .filter(|media| !media.is_rejected())
        .filter_map(|media| media.mid().cloned())
        .collect();
    let mut attributes = Vec::with_capacity(description.attributes.len());
    if !mids.is_empty() {
        let semantics = Token::literal(BUNDLE);
        attributes.push(Attribute::Group(sdp::Group { semantics, mids }));
    }
    for attribute in std::mem::take(&mut description.attributes) {
        match attribute {
            Attribute::Group(group) if group.semantics.as_str() == BUNDLE => {}
            Attribute::Group(mut group) => {
                group.mids.retain(live);
                if !group.mids.is_empty() {
                    attributes.push(Attribute::Group(group));
                }
            }
            other => attributes.push(other),
        }
    }
    description.attributes = attributes;
}

/// The ICE credentials that hold for each section: its own, those of the session level or those of
/// its bundle.
pub(super) fn credentials(description: &sdp::Session) -> Vec<Option<(&IceUfrag, &IcePwd)>> {
    let tags = tags(description);
    let of = |attributes: &'_ [Attribute]| -> Option<(usize, usize)> {
        let ufrag = attributes
            .iter()
            .position(|own| matches!(own, Attribute::IceUfrag(_)))?;
        let pwd = attributes
            .iter()
            .position(|own| matches!(own, Attribute::IcePwd(_)))?;
        Some((ufrag, pwd))
    };
    (0..description.media.len())
        .map(|index| {
            let tag = tags.get(index).copied().flatten();
            let places = [Some(index), tag].into_iter().flatten();
            places
                .filter_map(|place| description.media.get(place))
                .map(|media| &media.attributes)
                .chain([&description.attributes])
                .find_map(|attributes| {
                    let (ufrag, pwd) = of(attributes)?;
                    match (attributes.get(ufrag)?, attributes.get(pwd)?) {
                        (Attribute::IceUfrag(ufrag), Attribute::IcePwd(pwd)) => Some((ufrag, pwd)),
                        _ => None,
                    }
                })
        })
        .collect()
}

/// The sections whose ICE credentials are not what they were.
pub(super) fn restarted(before: &sdp::Session, after: &sdp::Session) -> Vec<usize> {
    let (before, after) = (credentials(before), credentials(after));
    let changed = before.iter().zip(&after).enumerate();
    changed
        .filter(|(_, (before, after))| before.is_some() && after.is_some() && before != after)
        .map(|(index, _)| index)
        .collect()
}

pub(super) fn ufrag(media: &Media) -> Option<&str> {
    media.attributes.iter().find_map(|own| match own {
        Attribute::IceUfrag(ufrag) => Some(ufrag.as_str()),
        _ => None,
    })
}

pub(super) fn setup(media: &Media) -> Option<Setup> {
    media.attributes.iter().find_map(|own| match own {
        Attribute::Setup(setup) => Some(*setup),
        _ => None,
    })
}

/// What the other party does, if this one does that.
pub(super) fn other_setup(setup: Setup) -> Setup {
    match setup {
        Setup::Active => Setup::Passive,
        Setup::Passive | Setup::Actpass => Setup::Active,
        Setup::Holdconn => Setup::Holdconn,
    }
}

/// RFC 8842 §5.5: a later offer leaves the choice open; libwebrtc wants the part that was taken in
/// every later answer.
pub(super) fn set_setup(media: &mut Media, kind: Kind, current: Option<Setup>) {
    for attribute in &mut media.attributes {
        if let Attribute::Setup(setup) = attribute {
            *setup = match kind {
                Kind::Offer => Setup::Actpass,
                Kind::Answer => current.unwrap_or(*setup),
            };
        }
    }
}

pub(super) fn set_direction(media: &mut Media, direction: Direction) {
    let own = media.attributes.iter_mut().find_map(|own| match own {
        Attribute::Direction(direction) => Some(direction),
        _ => None,
    });
    match own {
        Some(own) => *own = direction,
        None => media.attributes.push(Attribute::Direction(direction)),
    }
}

/// New credentials in the place of the old ones, and new fingerprints if there are any.
pub(super) fn set_transport(media: &mut Media, ready: &Ready) {
    strip_candidates(media);
    for attribute in &mut media.attributes {
        match (attribute, &ready.ufrag, &ready.pwd) {
            (Attribute::IceUfrag(own), Some(ufrag), _) => *own = ufrag.clone(),
            (Attribute::IcePwd(own), _, Some(pwd)) => *own = pwd.clone(),
            _ => {}
        }
    }
    if ready.fingerprints.is_empty() {
        return;
    }
    let is_old = |own: &Attribute| matches!(own, Attribute::Fingerprint(_));
    let place = media.attributes.iter().position(is_old).unwrap_or_default();
    media.attributes.retain(|own| !is_old(own));
    let fingerprints = ready.fingerprints.iter().cloned();
    media
        .attributes
        .splice(place..place, fingerprints.map(Attribute::Fingerprint));
}

fn strip_candidates(media: &mut Media) {
    media
        .attributes
        .retain(|own| !matches!(own, Attribute::Candidate(_) | Attribute::EndOfCandidates));
}

/// Whether a peer of that dialect can be asked to restart ICE, by us in this role.
pub(super) fn can_restart(dialect: &Dialect, role: Role) -> bool {
    dialect.restarts && (role == Role::Initiator || !dialect.restarts_by_initiator)
}

/// Names of contents that are gone; a peer that adds and removes for ever is not followed.
const PARKED: usize = 64;

/// More generations than this are never in flight.
const RETIRED: usize = 8;
