//! What must hold, whatever happened.

use std::collections::BTreeSet;

use campana::gateway::Load;
use campana::sdp::{self, Direction};

use super::client::{Client, Senders, Session};
use super::device::{Device, Kind};
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
        let ends = world.devices.iter().flat_map(|own| &own.shell.ended);
        let ends: Vec<_> = ends.filter(|(own, end)| own == sid && end.active).collect();
        if let [(_, one), (_, other)] = ends.as_slice() {
            let heard = one.own || other.own;
            assert!(heard, "{sid} ended by nobody: {one:?}, {other:?}");
            if one.own != other.own {
                assert_eq!(one.reason, other.reason, "{sid}");
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
    assert_eq!(one.sections, other.sections, "{sid}: sections and senders");
    assert_eq!(one.own, other.theirs, "{sid}: credentials");
    assert_eq!(one.theirs, other.own, "{sid}: credentials");
}

/// A call as one device sees it.
#[derive(Debug)]
struct View {
    /// Kind and who sends, without order.
    sections: Vec<(String, Senders)>,
    own: BTreeSet<String>,
    theirs: BTreeSet<String>,
}

impl View {
    fn of(sid: &str, device: &Device) -> Self {
        let mut view = match &device.kind {
            Kind::App(app) => Self::of_browser(&app.calls[sid].browser, app.calls[sid].outgoing),
            Kind::Client(client) => Self::of_session(sid, client, &client.sessions[sid]),
        };
        view.sections.sort();
        view
    }

    fn of_browser(browser: &Browser, outgoing: bool) -> Self {
        assert!(browser.is_stable(), "an offer is open: {browser:?}");
        let (local, remote) = (browser.local.as_ref(), browser.remote.as_ref());
        let (local, remote) = (local.unwrap(), remote.unwrap());
        let live = |own: &sdp::Session| -> Vec<_> {
            own.media
                .iter()
                .filter(|own| !own.is_rejected())
                .cloned()
                .collect()
        };
        let (local, remote) = (live(local), live(remote));
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
        assert_eq!(local.len(), remote.len());
        Self {
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
