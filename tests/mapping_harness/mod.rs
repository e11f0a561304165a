//! A browser as far as its descriptions go, and a leg that joins it to a `mapping::Session`.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "shared by integration tests, not all of which use all of it"
)]

use std::collections::VecDeque;
use std::fmt::Write as _;

use campana::jingle::{self, Action, Condition, Jingle, Role, Sid};
use campana::mapping::{
    Change, Dialect, Limits, Phase, Receipt, Refusal, Session, ToBrowser, Trickle, browser,
};
use campana::sdp::{self, Attribute, Direction, Media, Setup};
use campana::xml::{self, Document};

/// A browser: its transceivers, and the rules of RFC 9429 that a remote description must not break.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    pub(crate) name: char,
    pub(crate) lines: Vec<Line>,
    /// Transceivers that have no m-line yet.
    pub(crate) waiting: Vec<(String, Direction)>,
    pub(crate) local: Option<sdp::Session>,
    pub(crate) remote: Option<sdp::Session>,
    /// The offer that is out, and the lines before it.
    pending: Option<(sdp::Session, Vec<Line>, u32)>,
    /// The offer that came in.
    offered: Option<sdp::Session>,
    generation: u32,
    generations: u32,
    restarts: bool,
    role: Option<Setup>,
    mids: u32,
    ssrcs: u32,
    remote_version: Option<u64>,
    /// The other side is a browser itself, whose offers may cross ours: versions may be missed.
    pub(crate) joined_to_browser: bool,
}

/// An m-line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) mid: String,
    pub(crate) kind: String,
    /// What the app wants.
    pub(crate) direction: Direction,
    pub(crate) stopped: bool,
    /// Rejected by an answer: free for another.
    pub(crate) dead: bool,
    ssrc: u32,
}

impl Browser {
    pub(crate) fn new(name: char) -> Self {
        Self {
            name,
            lines: Vec::new(),
            waiting: Vec::new(),
            local: None,
            remote: None,
            pending: None,
            offered: None,
            generation: 0,
            generations: 0,
            restarts: false,
            role: None,
            mids: 0,
            ssrcs: 0,
            remote_version: None,
            joined_to_browser: false,
        }
    }

    pub(crate) fn add(&mut self, kind: &str, direction: Direction) {
        self.waiting.push((kind.to_owned(), direction));
    }

    pub(crate) fn restart_ice(&mut self) {
        self.restarts = true;
    }

    /// Wants only what was agreed on.
    pub(crate) fn give_in(&mut self) {
        self.waiting.clear();
        self.restarts = false;
        if let Some(local) = &self.local {
            for (line, media) in self.lines.iter_mut().zip(&local.media) {
                line.stopped = false;
                line.direction = direction(media);
            }
        }
    }

    pub(crate) fn is_stable(&self) -> bool {
        self.pending.is_none() && self.offered.is_none()
    }

    pub(crate) fn has_offer_out(&self) -> bool {
        self.pending.is_some()
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.offered.is_some()
    }

    /// setLocalDescription with a new offer.
    pub(crate) fn offer(&mut self) -> String {
        assert!(self.is_stable());
        let (before, generation) = (self.lines.clone(), self.generation);
        for (kind, direction) in self.waiting.clone() {
            self.mids += 1;
            self.ssrcs += 1;
            let line = Line {
                mid: format!("{}{}", self.name, self.mids),
                kind: kind.clone(),
                direction,
                stopped: false,
                dead: false,
                ssrc: u32::from(self.name) * 1000 + self.ssrcs,
            };
            match self
                .lines
                .iter_mut()
                .find(|own| own.dead && own.kind == kind)
            {
                Some(free) => *free = line,
                None => self.lines.push(line),
            }
        }
        if self.restarts {
            self.generations += 1;
            self.generation = self.generations;
        }
        let text = self.describe(None);
        self.pending = Some((parse(&text), before, generation));
        text
    }

    /// setLocalDescription with a rollback.
    pub(crate) fn roll_back(&mut self) {
        let (_, before, generation) = self.pending.take().expect("an offer is out");
        self.generation = generation;
        // Transceivers stay stopped, and want what they want.
        for (line, old) in self.lines.iter().zip(before.iter()) {
            if line.mid == old.mid {
                assert_eq!(line.kind, old.kind);
            }
        }
        let now = std::mem::replace(&mut self.lines, before);
        for line in &mut self.lines {
            if let Some(own) = now.iter().find(|own| own.mid == line.mid) {
                line.direction = own.direction;
                line.stopped = own.stopped;
            }
        }
    }

    /// Whether the sections of an offer are at their places.
    pub(crate) fn fits(&self, text: &str) -> bool {
        let lines = self.pending.as_ref().map_or(&self.lines, |own| &own.1);
        let offer = parse(text);
        let same = |(line, media): (&Line, &Media)| {
            line.dead || media.mid().is_some_and(|mid| mid.as_str() == line.mid)
        };
        offer.media.len() >= lines.len() && lines.iter().zip(&offer.media).all(same)
    }

    /// setRemoteDescription with an offer; rolls back its own.
    pub(crate) fn take_offer(&mut self, text: &str) {
        if self.pending.is_some() {
            self.roll_back();
        }
        assert!(self.offered.is_none(), "an offer at a time");
        let offer = parse(text);
        self.check(&offer);
        for (index, media) in offer.media.iter().enumerate() {
            let mid = media.mid().unwrap().as_str();
            assert!(
                media.is_rejected() || setup(media) == Some(Setup::Actpass) || self.role.is_none(),
                "an offer leaves the part in DTLS open: {text}"
            );
            match self.lines.get(index) {
                Some(line) if line.mid == mid => {}
                Some(line) => assert!(line.dead, "{mid} takes the place of {}", line.mid),
                None => assert_eq!(index, self.lines.len()),
            }
            if media.is_rejected() || self.lines.get(index).is_some_and(|own| own.mid == mid) {
                continue;
            }
            assert!(
                !self.lines.iter().any(|own| own.mid == mid),
                "{mid} is there twice"
            );
            self.ssrcs += 1;
            let line = Line {
                mid: mid.to_owned(),
                kind: media.kind.as_str().to_owned(),
                direction: Direction::RecvOnly,
                stopped: false,
                dead: false,
                ssrc: u32::from(self.name) * 1000 + self.ssrcs,
            };
            match self.lines.get_mut(index) {
                Some(own) => *own = line,
                None => self.lines.push(line),
            }
        }
        self.offered = Some(offer);
    }

    /// setLocalDescription with the answer.
    pub(crate) fn answer(&mut self) -> String {
        let offer = self.offered.take().expect("an offer came in");
        if self
            .remote
            .as_ref()
            .is_some_and(|own| ufrags(own) != ufrags(&offer))
        {
            self.generations += 1;
            self.generation = self.generations;
        }
        let text = self.describe(Some(&offer));
        let answer = parse(&text);
        for (line, media) in self.lines.iter_mut().zip(&answer.media) {
            line.dead = media.is_rejected();
        }
        self.role = self.role.or(Some(Setup::Active));
        self.local = Some(answer);
        self.remote = Some(offer);
        text
    }

    /// Whether this can be the answer to its offer.
    pub(crate) fn is_answered_by(&self, text: &str) -> bool {
        let offer = self.pending.as_ref().map(|(offer, ..)| offer);
        offer.is_some_and(|offer| browser::answer(text, offer, &Limits::default()).is_ok())
    }

    /// setRemoteDescription with the answer to its offer.
    pub(crate) fn take_answer(&mut self, text: &str) {
        let (offer, ..) = self.pending.take().expect("an offer is out");
        let answer = parse(text);
        self.check(&answer);
        browser::answer(text, &offer, &Limits::default()).expect("it fits the offer");
        for ((line, media), offered) in self.lines.iter_mut().zip(&answer.media).zip(&offer.media) {
            line.dead = media.is_rejected();
            if media.is_rejected() {
                continue;
            }
            let theirs = setup(media).expect("setup");
            let own = if theirs == Setup::Active {
                Setup::Passive
            } else {
                Setup::Active
            };
            assert_ne!(theirs, Setup::Actpass, "an answer chooses");
            assert_eq!(
                *self.role.get_or_insert(own),
                own,
                "parts in DTLS stay: {text}"
            );
            let (said, asked) = (direction(media), direction(offered));
            assert!(!sends(said) || receives(asked), "{said:?} to {asked:?}");
            assert!(!receives(said) || sends(asked), "{said:?} to {asked:?}");
        }
        self.waiting.clear();
        self.restarts = false;
        self.local = Some(offer);
        self.remote = Some(answer);
    }

    fn check(&mut self, description: &sdp::Session) {
        let version: u64 = description.origin.version.parse().unwrap();
        if let Some(before) = self.remote_version.filter(|_| !self.joined_to_browser) {
            assert_eq!(version, before + 1, "RFC 3264 §8");
        }
        self.remote_version = Some(version);
        if let Some(before) = &self.remote {
            assert_eq!(description.origin.session_id, before.origin.session_id);
            assert!(description.media.len() >= before.media.len());
        }
        for group in description.groups() {
            for mid in &group.mids {
                let media = description.section(mid).expect("a member is there");
                assert!(!media.is_rejected(), "a rejected section is in no group");
            }
            let tag = description.section(&group.mids[0]).unwrap();
            for mid in &group.mids {
                assert_eq!(ufrag(description.section(mid).unwrap()), ufrag(tag));
            }
        }
    }

    fn describe(&self, offer: Option<&sdp::Session>) -> String {
        let direction_of = |index: usize, line: &Line| match offer {
            None => line.direction,
            Some(offer) => {
                let asked = direction(&offer.media[index]);
                of(
                    sends(line.direction) && receives(asked),
                    receives(line.direction) && sends(asked),
                )
            }
        };
        let live = |index: usize, line: &Line| {
            !line.stopped && !line.dead && offer.is_none_or(|own| !own.media[index].is_rejected())
        };
        let mids: Vec<_> = self
            .lines
            .iter()
            .enumerate()
            .filter(|(index, line)| live(*index, line))
            .map(|(_, line)| line.mid.clone())
            .collect();
        let mids = match offer {
            // An answer bundles what was offered so.
            Some(offer) => {
                let groups = offer.groups().flat_map(|group| &group.mids);
                groups
                    .map(|mid| mid.as_str().to_owned())
                    .filter(|mid| mids.contains(mid))
                    .collect()
            }
            None => mids,
        };
        let mut text = format!(
            "v=0\r\no=- {} 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n",
            self.name as u32
        );
        if !mids.is_empty() {
            write!(text, "a=group:BUNDLE {}\r\n", mids.join(" ")).unwrap();
        }
        for (index, line) in self.lines.iter().enumerate() {
            let live = live(index, line);
            let (payload, codec) = match line.kind.as_str() {
                "audio" => (111, "opus/48000/2"),
                _ => (96, "VP8/90000"),
            };
            write!(
                text,
                "m={} {} UDP/TLS/RTP/SAVPF {payload}\r\nc=IN IP4 0.0.0.0\r\na=mid:{}\r\n",
                line.kind,
                if live { 9 } else { 0 },
                line.mid
            )
            .unwrap();
            if !live {
                text.push_str("a=inactive\r\n");
                continue;
            }
            let direction = direction_of(index, line);
            let setup = match offer {
                None => Setup::Actpass,
                Some(_) => self.role.unwrap_or(Setup::Active),
            };
            write!(
                text,
                "a=ice-ufrag:{name}{name}{name}{generation:04}\r\na=ice-pwd:{name}00000000000000000000000{generation:04}\r\n\
                 a=fingerprint:sha-256 AA:{finger:02X}\r\na=setup:{}\r\na={}\r\na=rtcp-mux\r\n\
                 a=rtpmap:{payload} {codec}\r\n",
                setup.as_str(),
                direction.as_str(),
                name = self.name,
                generation = self.generation,
                finger = self.name as u32,
            )
            .unwrap();
            if sends(direction) {
                write!(text, "a=ssrc:{} cname:{}\r\n", line.ssrc, self.name).unwrap();
            }
        }
        text
    }

    /// A candidate of the current generation, for the first live section.
    pub(crate) fn candidate(&self) -> Option<Trickle> {
        let said = self
            .pending
            .as_ref()
            .map(|(own, ..)| own)
            .or(self.local.as_ref())?;
        let media = said.media.iter().find(|media| !media.is_rejected())?;
        Some(Trickle {
            mid: Some(media.mid()?.as_str().to_owned()),
            index: None,
            ufrag: ufrag(media).map(str::to_owned),
            candidate: Some("candidate:1 1 udp 2122194687 192.0.2.7 44290 typ host".to_owned()),
        })
    }

    /// addIceCandidate.
    pub(crate) fn take_candidate(&self, trickle: &Trickle) {
        let remote = self
            .offered
            .as_ref()
            .or(self.remote.as_ref())
            .expect("a description");
        let mid = trickle.mid.as_deref().expect("a mid");
        let media = remote.section(mid).expect("a section");
        assert_eq!(
            trickle.ufrag.as_deref(),
            ufrag(media),
            "a candidate of this generation"
        );
    }
}

/// A browser, its session and what is on the wire.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) browser: Browser,
    pub(crate) session: Option<Session>,
    pub(crate) dialect: &'static Dialect,
    ids: u32,
    open: Vec<(u32, Option<Receipt>)>,
    pub(crate) out: VecDeque<Wire>,
    /// What was sent, in order.
    pub(crate) sent: Vec<Action>,
}

/// One stanza.
#[derive(Clone, Debug)]
pub(crate) enum Wire {
    Set(u32, String),
    Result(u32),
    Error(u32, Option<Condition>),
}

impl Leg {
    pub(crate) fn new(name: char, dialect: &'static Dialect) -> Self {
        Self {
            browser: Browser::new(name),
            session: None,
            dialect,
            ids: 0,
            open: Vec::new(),
            out: VecDeque::new(),
            sent: Vec::new(),
        }
    }

    pub(crate) fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("a session")
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.out.is_empty() && self.browser.is_stable() && self.open.is_empty()
    }

    /// The browser offers.
    pub(crate) fn negotiate(&mut self) {
        if !self.browser.is_stable() {
            return;
        }
        let text = self.browser.offer();
        let Ok(offer) = browser::offer(&text, &Limits::default()) else {
            self.browser.roll_back();
            return;
        };
        match self.session().offer_later(offer) {
            Ok(change) => self.apply(change),
            Err(Refusal::TieBreak | Refusal::OutOfOrder | Refusal::NothingLeft) => {
                self.browser.roll_back();
            }
            Err(refusal) => panic!("{refusal}: {text}"),
        }
    }

    /// The browser answers what it was asked.
    pub(crate) fn answer(&mut self) {
        if !self.browser.is_asked() {
            return;
        }
        let text = self.browser.answer();
        let answer = sdp::Session::parse(&text, &sdp::Limits::default()).unwrap();
        let change = self
            .session()
            .answer_later(answer)
            .expect("an answer that fits");
        self.apply(change);
    }

    pub(crate) fn roll_back(&mut self) {
        if self.browser.has_offer_out() {
            self.browser.roll_back();
            let change = self.session().roll_back();
            self.apply(change);
        }
    }

    /// Nothing happens for a while.
    pub(crate) fn rest(&mut self) {
        let mut session = Box::new(self.session.take().expect("a session"));
        session.take_report();
        self.session = Some(match session.rest() {
            Ok(resting) => *resting.wake().expect("what was written can be read"),
            Err(busy) => *busy,
        });
    }

    pub(crate) fn trickle(&mut self) {
        let Some(candidate) = self.browser.candidate() else {
            return;
        };
        if let Some(info) = self.session().local_candidates(&[candidate]).unwrap() {
            self.send(&info, None);
        }
    }

    pub(crate) fn apply(&mut self, change: Change) {
        for stanza in change.stanzas {
            self.send(&stanza.jingle, stanza.receipt);
        }
        for event in change.browser {
            match event {
                ToBrowser::Void(_) => self.browser.roll_back(),
                ToBrowser::Offer(offer) => self.browser.take_offer(&offer.to_string()),
                ToBrowser::Answer(answer) => self.browser.take_answer(&answer.to_string()),
                ToBrowser::Candidates(trickle) => {
                    trickle
                        .iter()
                        .for_each(|own| self.browser.take_candidate(own));
                }
            }
        }
    }

    pub(crate) fn send(&mut self, jingle: &Jingle, receipt: Option<Receipt>) {
        self.ids += 1;
        self.sent.push(jingle.action);
        self.open.push((self.ids, receipt));
        self.out.push_back(Wire::Set(self.ids, jingle.to_xml()));
    }

    /// Takes what the other side sent.
    pub(crate) fn receive(&mut self, wire: Wire) {
        match wire {
            Wire::Set(id, xml) => {
                let request = read(&xml);
                match self.session().requested(&request) {
                    Ok(change) => {
                        self.out.push_back(Wire::Result(id));
                        self.apply(change);
                    }
                    Err(refusal) => {
                        assert!(
                            refusal == Refusal::TieBreak,
                            "{refusal} in {:?}: {xml}",
                            self.session().phase()
                        );
                        self.out.push_back(Wire::Error(id, refusal.condition()));
                    }
                }
            }
            Wire::Result(id) => {
                if let Some(receipt) = self.close(id) {
                    let change = self.session().acknowledged(receipt);
                    self.apply(change);
                }
            }
            Wire::Error(id, condition) => {
                if let Some(receipt) = self.close(id) {
                    let change = self.session().declined(receipt, condition);
                    self.apply(change);
                }
            }
        }
    }

    fn close(&mut self, id: u32) -> Option<Receipt> {
        let place = self
            .open
            .iter()
            .position(|(own, _)| *own == id)
            .expect("a request");
        self.open.remove(place).1
    }

    pub(crate) fn phase(&mut self) -> Phase {
        self.session().phase()
    }
}

/// A call between two browsers, one audio section.
pub(crate) fn call(dialect: &'static Dialect) -> (Leg, Leg) {
    let (mut caller, mut callee) = (Leg::new('A', dialect), Leg::new('B', dialect));
    caller.browser.add("audio", Direction::SendRecv);
    let text = caller.browser.offer();
    let offer = browser::offer(&text, &Limits::default()).unwrap();
    let sid = Sid::new("a73sjjvkla37jfea").unwrap();
    let (session, initiate) = Session::initiate(sid, offer, dialect).unwrap();
    caller.session = Some(session);
    callee.session = Some(Session::initiated(&read(&initiate.to_xml()), dialect).unwrap());
    let offer = callee.session().remote_offer().unwrap();
    callee.browser.take_offer(&offer.to_string());
    callee.browser.lines[0].direction = Direction::SendRecv;
    let text = callee.browser.answer();
    let answer = browser::answer(&text, &offer, &Limits::default()).unwrap();
    let accept = callee.session().accept(answer).unwrap();
    caller.session().accepted(&read(&accept.to_xml())).unwrap();
    let answer = caller.session().remote_answer().unwrap();
    caller.browser.take_answer(&answer.to_string());
    assert_eq!(caller.phase(), Phase::Stable);
    assert_eq!(callee.phase(), Phase::Stable);
    (caller, callee)
}

/// Lets everything that is on the way arrive, and all questions be answered.
pub(crate) fn settle(one: &mut Leg, other: &mut Leg) {
    for _ in 0..10_000 {
        if let Some(wire) = one.out.pop_front() {
            other.receive(wire);
        } else if let Some(wire) = other.out.pop_front() {
            one.receive(wire);
        } else if one.browser.is_asked() {
            one.answer();
        } else if other.browser.is_asked() {
            other.answer();
        } else {
            assert!(one.is_quiet() && other.is_quiet(), "{one:?}\n{other:?}");
            assert_eq!((one.phase(), other.phase()), (Phase::Stable, Phase::Stable));
            return;
        }
    }
    panic!("they never come to an end");
}

/// Checks that both browsers have the same idea of the call.
pub(crate) fn in_step(one: &Leg, other: &Leg) {
    let contents = |leg: &Leg| -> Vec<((Role, String), Media, Media)> {
        let session = leg.session.as_ref().unwrap();
        let (local, remote) = (&leg.browser.local, &leg.browser.remote);
        let (local, remote) = (local.as_ref().unwrap(), remote.as_ref().unwrap());
        assert_eq!(local.media.len(), remote.media.len());
        let mut contents: Vec<_> = local
            .media
            .iter()
            .zip(&remote.media)
            .filter(|(local, remote)| {
                assert_eq!(local.is_rejected(), remote.is_rejected());
                assert_eq!(local.mid(), remote.mid());
                !local.is_rejected()
            })
            .map(|(local, remote)| {
                let (creator, name) = session.content_of(local.mid().unwrap()).unwrap();
                ((creator, name.to_owned()), local.clone(), remote.clone())
            })
            .collect();
        contents.sort_by_key(|((creator, name), ..)| (creator.name(), name.clone()));
        contents
    };
    let (ours, theirs) = (contents(one), contents(other));
    let names = |all: &[((Role, String), Media, Media)]| -> Vec<(Role, String)> {
        all.iter().map(|(name, ..)| name.clone()).collect()
    };
    assert_eq!(names(&ours), names(&theirs));
    for ((name, local, remote), (_, other_local, other_remote)) in ours.iter().zip(&theirs) {
        let agreed = |local: &Media, remote: &Media| {
            let (own, other) = (direction(local), direction(remote));
            (sends(own) && receives(other), receives(own) && sends(other))
        };
        let (here, there) = (agreed(local, remote), agreed(other_local, other_remote));
        assert_eq!(here, (there.1, there.0), "{name:?}");
        assert_eq!(ufrag(local), ufrag(other_remote), "{name:?}");
        assert_eq!(ufrag(remote), ufrag(other_local), "{name:?}");
        if here.0 {
            assert_eq!(sources(local), sources(other_remote), "{name:?}");
        }
        if here.1 {
            assert_eq!(sources(remote), sources(other_local), "{name:?}");
        }
    }
}

pub(crate) fn read(xml: &str) -> Jingle {
    let document = Document::parse(xml.as_bytes(), "", &xml::Limits::default()).unwrap();
    Jingle::from_xml(document.root(), &jingle::Limits::default()).unwrap()
}

pub(crate) fn parse(text: &str) -> sdp::Session {
    sdp::Session::parse(text, &sdp::Limits::default()).unwrap()
}

pub(crate) fn ufrag(media: &Media) -> Option<&str> {
    media.attributes.iter().find_map(|own| match own {
        Attribute::IceUfrag(ufrag) => Some(ufrag.as_str()),
        _ => None,
    })
}

pub(crate) fn setup(media: &Media) -> Option<Setup> {
    media.attributes.iter().find_map(|own| match own {
        Attribute::Setup(setup) => Some(*setup),
        _ => None,
    })
}

pub(crate) fn direction(media: &Media) -> Direction {
    media.direction().unwrap_or_default()
}

fn ufrags(description: &sdp::Session) -> Vec<&str> {
    description
        .media
        .iter()
        .filter(|media| !media.is_rejected())
        .filter_map(ufrag)
        .take(1)
        .collect()
}

fn sources(media: &Media) -> Vec<String> {
    let sources = media.attributes.iter().filter_map(|own| match own {
        Attribute::Ssrc(ssrc) => Some(format!("{} {}", ssrc.id, ssrc.name)),
        _ => None,
    });
    sources.collect()
}

fn sends(direction: Direction) -> bool {
    matches!(direction, Direction::SendRecv | Direction::SendOnly)
}

fn receives(direction: Direction) -> bool {
    matches!(direction, Direction::SendRecv | Direction::RecvOnly)
}

fn of(sends: bool, receives: bool) -> Direction {
    match (sends, receives) {
        (true, true) => Direction::SendRecv,
        (true, false) => Direction::SendOnly,
        (false, true) => Direction::RecvOnly,
        (false, false) => Direction::Inactive,
    }
}
