//! How much of a round one socket gets.

/// Lets no socket have more than [`ROUND`] datagrams before the others have their turn, and asks for
/// few where few come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// What is asked for next.
    most: u16,
    /// Never more than that.
    limit: u16,
    /// How many datagrams the kernel put together, lately.
    each: u16,
}

impl Share {
    /// At most `limit` per call.
    pub(super) fn new(limit: usize) -> Self {
        let limit = u16::try_from(limit.min(ROUND)).unwrap_or(1);
        Self {
            most: FIRST.min(limit),
            limit,
            each: 1,
        }
    }

    /// How many to ask for in a round that has brought so many datagrams; zero when it is over.
    pub(super) fn ask(&self, moved: usize) -> usize {
        let left = ROUND.saturating_sub(moved) / usize::from(self.each);
        // The first call of a round is made whatever it brings.
        usize::from(self.most)
            .min(left)
            .max(usize::from(moved == 0))
    }

    /// So many of those that were asked for came, which held so many datagrams. Answers whether there
    /// may be more that are worth another call.
    pub(super) fn was(&mut self, asked: usize, received: usize, datagrams: usize) -> bool {
        // Asking for more than there is costs a little, asking for less costs another call.
        let wanted = if received < asked {
            received + 1
        } else {
            asked * 2
        };
        let each = datagrams.div_ceil(received.max(1)).max(1);
        let most = wanted.min(ROUND / each).clamp(1, self.limit.into());
        self.most = u16::try_from(most).unwrap_or(1);
        self.each = u16::try_from(each).unwrap_or(u16::MAX);
        received == usize::from(self.limit)
    }
}

/// Datagrams per socket and round, once it is known how many the kernel puts together.
pub(super) const ROUND: usize = 256;

/// What a socket is asked for that nothing is known of.
const FIRST: u16 = 4;

#[cfg(test)]
mod tests {
    use std::{net::UdpSocket, os::fd::AsFd};

    use super::{super::batch::Receiver, *};

    /// One call after the other until the round is over; what each call asked for.
    fn round(share: &mut Share, mut call: impl FnMut(usize) -> (usize, usize)) -> Vec<usize> {
        let (mut moved, mut calls) = (0, Vec::new());
        loop {
            let asked = share.ask(moved);
            if asked == 0 {
                return calls;
            }
            calls.push(asked);
            let (received, datagrams) = call(asked);
            moved += datagrams;
            if !share.was(asked, received, datagrams) {
                return calls;
            }
        }
    }

    #[test]
    fn who_sends_much_is_asked_for_more_up_to_the_share() {
        let mut share = Share::new(64);
        for _ in 0..10 {
            round(&mut share, |asked| (asked, asked));
        }
        assert_eq!(round(&mut share, |asked| (asked, asked)), [64; 4]);
        // 45 segments each: once that is known, no more than fit into a round.
        round(&mut share, |asked| (asked, asked * 45));
        for _ in 0..10 {
            let calls = round(&mut share, |asked| (asked, asked * 45));
            assert!(calls.iter().sum::<usize>() * 45 <= ROUND, "{calls:?}");
        }
    }

    #[test]
    fn who_sends_little_is_asked_for_little_and_once() {
        let mut share = Share::new(64);
        for _ in 0..5 {
            assert_eq!(round(&mut share, |_| (1, 1)).len(), 1);
        }
        assert_eq!(share.ask(0), 2);
        round(&mut share, |_| (0, 0));
        assert_eq!(share.ask(0), 1);
    }

    /// With real sockets: one is full to the brim, and refilled whenever there is room; the other has a
    /// datagram now and then, and never waits for longer than a share.
    #[test]
    fn a_flow_at_line_rate_gets_no_more_than_its_share_of_a_round() {
        let pair = || {
            let to = UdpSocket::bind("127.0.0.1:0").unwrap();
            to.set_nonblocking(true).unwrap();
            let from = UdpSocket::bind("127.0.0.1:0").unwrap();
            from.connect(to.local_addr().unwrap()).unwrap();
            (from, to, Share::new(64))
        };
        let mut sockets = [pair(), pair()];
        let mut receiver = Receiver::new(64, 0, 0);
        let (mut flooded, mut quiet) = (0, 0);
        for number in 0..50 {
            // What does not fit is lost, as on a real line.
            for _ in 0..2 * ROUND {
                let _ = sockets[0].0.send(&[0; 160]);
            }
            sockets[1].0.send(&[0; 160]).unwrap();
            let counts = sockets.each_mut().map(|(_, socket, share)| {
                let mut moved = 0;
                round(share, |asked| {
                    let came = receiver.receive(socket.as_fd(), asked).unwrap_or(0);
                    moved += came;
                    (came, came)
                });
                moved
            });
            assert!(counts[0] <= ROUND, "round {number}: {counts:?}");
            assert_eq!(counts[1], 1, "round {number}");
            flooded += counts[0];
            quiet += counts[1];
        }
        assert_eq!(quiet, 50);
        assert!(flooded > 40 * 64, "{flooded}");
    }
}
