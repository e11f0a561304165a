//! How much of a round one socket gets.

use std::os::fd::BorrowedFd;

use super::batch::Receiver;

/// Takes no more than [`ROUND`] datagrams from a socket before the others have their turn, and asks
/// for few where few come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// What is asked for next.
    most: u16,
    /// Never more than that.
    limit: u16,
}

impl Share {
    pub(super) fn new(limit: usize) -> Self {
        let limit = u16::try_from(limit.min(ROUND)).unwrap_or(1);
        Self {
            most: FIRST.min(limit),
            limit,
        }
    }

    /// Receives this round's share. An error of the socket, such as the ICMP error of an earlier
    /// datagram, is nobody's business here.
    pub(super) fn receive(&self, receiver: &mut Receiver, socket: BorrowedFd<'_>) -> usize {
        receiver.receive(socket, self.most.into()).unwrap_or(0)
    }

    /// So many came, which held so many datagrams.
    pub(super) fn was(&mut self, received: usize, datagrams: usize) {
        let asked = usize::from(self.most);
        // Asking for more than there is costs a little, asking for less costs another call.
        let wanted = if received < asked {
            received + 1
        } else {
            asked * 2
        };
        let each = datagrams.div_ceil(received.max(1)).max(1);
        let most = wanted.min(ROUND / each).clamp(1, self.limit.into());
        self.most = u16::try_from(most).unwrap_or(1);
    }
}

/// Datagrams per socket and round, once it is known how many the kernel puts together.
pub(super) const ROUND: usize = 256;

/// What a socket is asked for that nothing is known of.
const FIRST: u16 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sends_much_is_asked_for_more_up_to_the_share() {
        let mut share = Share::new(64);
        for _ in 0..10 {
            share.was(share.most.into(), share.most.into());
        }
        assert_eq!(share.most, 64);
        // 45 segments each: no more than fit into a round.
        share.was(64, 64 * 45);
        for _ in 0..10 {
            let most = usize::from(share.most);
            assert!(most * 45 <= ROUND, "{most}");
            share.was(most, most * 45);
        }
    }

    #[test]
    fn who_sends_little_is_asked_for_little() {
        let mut share = Share::new(64);
        for _ in 0..5 {
            share.was(1, 1);
        }
        assert_eq!(share.most, 2);
        share.was(0, 0);
        assert_eq!(share.most, 1);
    }
}
