//! What must hold, whatever happened.

use std::collections::BTreeSet;

use campana::gateway::Load;
use campana::sdp::{self, Direction};

use super::client::{Client, Session};
use super::device::{Device, Kind};
use super::habits::Senders;
use super::world::World;
use crate::mapping_harness::{Browser, direction, ufrag};

/// Nobody did anything for longer than any timer: who is in a call is so with somebody, and both
/// have the same idea of it.
pub(crate) fn when_settled(world: &World) {
    if world.faults.any_loss() {
        return;
    }
    for sid in world.placed.keys() {
        let parties: Vec<_> = world
            .devices
            .iter()
            .filter(|own| own.calls().iter().any(|(own, _)| own == sid))
            .collect();
        match parties.as_slice() {
            [] => {}
            [one, other] => {
                assert_ne!(one.person, other.person, "{sid}: with herself");
                for own in [one, other] {
                    let active = own
                        .calls()
                        .iter()
                        .any(|(own, active)| own == sid && *active);
                    assert!(active, "{sid}: {} is not in it", own.jid);
                }
                in_step(sid, one, other);
            }
            more => {
                let jids: Vec<_> = more.iter().map(|own| &own.jid).collect();
                panic!("{sid}: {jids:?} are in it");
            }
        }
    }
}

/// One side has hung up a while ago: so has the other.
pub(crate) fn when_over(world: &World) {
    if world.faults.any_loss() {
        return;
    }
    for own in &world.devices {
        assert_eq!(own.calls(), [], "{} is still in a call", own.jid);
    }
    // Where only one side ended an active call, the other knows why.
    for sid in world.placed.keys() {
        let ends = world.devices.iter().flat_map(|own| {
            let ends = own.shell.ended.iter();
            ends.filter(|(own, end)| own == sid && end.active)
                .map(move |(_, end)| (own, end))
        });
        let ends: Vec<_> = ends.collect();
        // Two of one person's devices took it at the same time: one of them was never in it.
        if let [(first, one), (second, other)] = ends.as_slice()
            && first.person != second.person
        {
            // Another call between the two took its place, as far as they have a word for it.
            let replaced = world.placed.len() > 1
                && ends
                    .iter()
                    .any(|(own, end)| end.reason == own.reason("alternative-session"));
            let heard = one.own || other.own || replaced;
            assert!(heard, "{sid} ended by nobody: {one:?}, {other:?}");
            // Who hung up in that moment heard nothing of it.
            if replaced {
                continue;
            }
            if one.own && !other.own {
                assert_eq!(second.reason(&one.reason), other.reason, "{sid}");
            }
            if other.own && !one.own {
                assert_eq!(first.reason(&other.reason), one.reason, "{sid}");
            }
        }
    }
}

/// Everybody is gone: nothing is left, and every question has its answer.
pub(crate) fn at_the_end(world: &World) {
    for own in &world.devices {
        assert_eq!(own.calls(), [], "{} is in a call at the end", own.jid);
        if world.faults.any_loss() {
            continue;
        }
        for (id, (copies, replies)) in &own.shell.ledger {
            assert_eq!(copies, replies, "{} asked {id}", own.jid);
        }
    }
    assert_eq!(world.load(), Load::default(), "the gateway keeps something");
}

fn in_step(sid: &str, one: &Device, other: &Device) {
    let (one, other) = (View::of(sid, one), View::of(sid, other));
    assert!(
        one.matches(&other, &one.sections, &other.sections),
        "{sid}: sections and senders:\n  {:?}\n  {:?}",
        one.sections,
        other.sections
    );
    for (own, theirs) in [(&one.own, &other.theirs), (&one.theirs, &other.own)] {
        // Sections that a device may keep have credentials, too.
        assert!(
            (!one.removes || own.is_subset(theirs)) && (!other.removes || theirs.is_subset(own)),
            "{sid}: credentials {own:?} and {theirs:?}"
        );
    }
}

/// Kind and who sends.
type Section = (String, Senders);

/// A call as one device sees it.
#[derive(Debug)]
struct View {
    initiator: bool,
    /// Only the device itself says what it sends.
    own_senders: bool,
    /// It gives up sections.
    removes: bool,
    /// In no order.
    sections: Vec<Section>,
    own: BTreeSet<String>,
    theirs: BTreeSet<String>,
}

impl View {
    fn of(sid: &str, device: &Device) -> Self {
        match &device.kind {
            Kind::App(app) => Self::of_browser(&app.calls[sid].browser, app.calls[sid].outgoing),
            Kind::Client(client) => Self::of_session(sid, client, &client.sessions[sid]),
        }
    }

    /// Whether the sections of both can be paired, as far as each can be told of the other's.
    fn matches(&self, other: &Self, own: &[Section], theirs: &[Section]) -> bool {
        let Some((first, rest)) = own.split_first() else {
            return theirs.iter().all(|left| other.may_keep(left));
        };
        let paired = theirs.iter().enumerate().any(|(at, section)| {
            let mut left = theirs.to_vec();
            left.remove(at);
            self.agrees(first, other, section) && self.matches(other, rest, &left)
        });
        paired || (self.may_keep(first) && self.matches(other, rest, theirs))
    }

    /// Whether one section is the same to both. A device that alone says what it sends cannot be
    /// told that the other takes no more.
    fn agrees(&self, own: &Section, other: &Self, theirs: &Section) -> bool {
        let more = |view: &Self, one: &Section, two: &Section| {
            view.own_senders && view.sends(one) && !view.sends(two)
        };
        own.0 == theirs.0
            && (self.sends(own) == self.sends(theirs) || more(self, own, theirs))
            && (other.sends(own) == other.sends(theirs) || more(other, theirs, own))
    }

    /// Whether a section may be left that the other side has given up: nothing is sent to it.
    fn may_keep(&self, own: &Section) -> bool {
        let (initiator, responder) = own.1;
        !self.removes && !if self.initiator { responder } else { initiator }
    }

    fn sends(&self, section: &Section) -> bool {
        let (initiator, responder) = section.1;
        if self.initiator { initiator } else { responder }
    }

    fn of_browser(browser: &Browser, outgoing: bool) -> Self {
        assert!(browser.is_stable(), "an offer is open: {browser:?}");
        let (local, remote) = (browser.local.as_ref(), browser.remote.as_ref());
        let (local, remote) = (local.unwrap(), remote.unwrap());
        assert_eq!(local.media.len(), remote.media.len());
        // What either side rejected is over, though its offer still stands there.
        let (local, remote): (Vec<_>, Vec<_>) = local
            .media
            .iter()
            .zip(&remote.media)
            .filter(|(own, theirs)| !own.is_rejected() && !theirs.is_rejected())
            .map(|(own, theirs)| (own.clone(), theirs.clone()))
            .unzip();
        let sections = local.iter().zip(&remote).map(|(own, theirs)| {
            let (own_way, their_way) = (direction(own), direction(theirs));
            let sends = sends(own_way) && receives(their_way);
            let receives = receives(own_way) && self::sends(their_way);
            let senders = if outgoing {
                (sends, receives)
            } else {
                (receives, sends)
            };
            (own.kind.as_str().to_owned(), senders)
        });
        let ufrags = |own: &[sdp::Media]| -> BTreeSet<String> {
            own.iter().filter_map(ufrag).map(str::to_owned).collect()
        };
        Self {
            initiator: outgoing,
            own_senders: false,
            removes: true,
            sections: sections.collect(),
            own: ufrags(&local),
            theirs: ufrags(&remote),
        }
    }

    fn of_session(sid: &str, client: &Client, session: &Session) -> Self {
        assert!(
            session.is_quiet(),
            "{sid} {}: {session:?}",
            client.habits.name
        );
        let contents = session.contents.iter();
        Self {
            initiator: session.initiator,
            own_senders: client.habits.own_senders,
            removes: client.habits.removes,
            sections: contents
                .clone()
                .map(|own| (own.kind.clone(), own.senders))
                .collect(),
            own: contents.clone().map(|own| own.own.clone()).collect(),
            theirs: contents.map(|own| own.theirs.clone()).collect(),
        }
    }
}

fn sends(direction: Direction) -> bool {
    matches!(direction, Direction::SendRecv | Direction::SendOnly)
}

fn receives(direction: Direction) -> bool {
    matches!(direction, Direction::SendRecv | Direction::RecvOnly)
}
