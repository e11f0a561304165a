//! Who sends, in the words of either side.
//!
//! SDP's words are seen from the owner of the description, Jingle's name a party. So the role of
//! the owner decides, and nothing else does.

use crate::jingle::hdrext::{SdpWord, Way};
use crate::jingle::{Role, Senders};
use crate::sdp::Direction;

/// What the owner's direction means for both parties.
pub(super) fn senders(direction: Direction, owner: Role) -> Senders {
    let (own, other) = match direction {
        Direction::SendRecv => (true, true),
        Direction::SendOnly => (true, false),
        Direction::RecvOnly => (false, true),
        Direction::Inactive => (false, false),
    };
    match owner {
        Role::Initiator => Senders::of(own, other),
        Role::Responder => Senders::of(other, own),
    }
}

/// How the owner says it.
pub(super) fn direction(senders: Senders, owner: Role) -> Direction {
    of(senders.includes(owner), senders.includes(owner.other()))
}

/// The direction of a header extension, however the peer spells it.
pub(super) fn of_extension(way: Way, owner: Role) -> Direction {
    match way {
        Way::Senders(senders) => direction(senders, owner),
        Way::Direction(SdpWord::SendRecv) => Direction::SendRecv,
        Way::Direction(SdpWord::SendOnly) => Direction::SendOnly,
        Way::Direction(SdpWord::RecvOnly) => Direction::RecvOnly,
        Way::Direction(SdpWord::Inactive) => Direction::Inactive,
    }
}

/// An answer's direction, cut down to what the offer allows (RFC 3264 §6.1).
pub(super) fn answered(answer: Direction, offer: Direction) -> Direction {
    of(
        sends(answer) && receives(offer),
        receives(answer) && sends(offer),
    )
}

fn of(sends: bool, receives: bool) -> Direction {
    match (sends, receives) {
        (true, true) => Direction::SendRecv,
        (true, false) => Direction::SendOnly,
        (false, true) => Direction::RecvOnly,
        (false, false) => Direction::Inactive,
    }
}

fn sends(direction: Direction) -> bool {
    matches!(direction, Direction::SendRecv | Direction::SendOnly)
}

fn receives(direction: Direction) -> bool {
    matches!(direction, Direction::SendRecv | Direction::RecvOnly)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_of_the_owner_decides() {
        assert_eq!(
            senders(Direction::SendOnly, Role::Initiator),
            Senders::Initiator
        );
        assert_eq!(
            senders(Direction::SendOnly, Role::Responder),
            Senders::Responder
        );
        assert_eq!(
            senders(Direction::RecvOnly, Role::Responder),
            Senders::Initiator
        );
        for owner in [Role::Initiator, Role::Responder] {
            for way in [
                Direction::SendRecv,
                Direction::SendOnly,
                Direction::RecvOnly,
                Direction::Inactive,
            ] {
                assert_eq!(direction(senders(way, owner), owner), way);
            }
        }
    }

    #[test]
    fn an_answer_can_not_widen_the_offer() {
        assert_eq!(
            answered(Direction::SendRecv, Direction::SendOnly),
            Direction::RecvOnly
        );
        assert_eq!(
            answered(Direction::SendRecv, Direction::Inactive),
            Direction::Inactive
        );
        assert_eq!(
            answered(Direction::SendOnly, Direction::SendRecv),
            Direction::SendOnly
        );
        assert_eq!(
            answered(Direction::SendOnly, Direction::SendOnly),
            Direction::Inactive
        );
    }
}
