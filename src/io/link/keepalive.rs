//! Whether the link is alive, and what to send so that it stays so.
//!
//! Three things keep an idle stream honest:
//!
//! - A space is written after [`WRITE_SILENCE`] without output, so that no firewall on the way
//!   forgets the connection.
//! - After [`READ_SILENCE`] without input a ping (XEP-0199) is sent, and if [`PING_BOUND`] passes
//!   without any input at all the link counts as dead. Whatever arrives is a sign of life, an error
//!   as much as a result.
//! - The kernel gives up on a peer that acknowledges nothing (`TCP_USER_TIMEOUT`, set where the
//!   socket is made), which catches a machine that is gone even when the server answers no pings.
//!
//! The ping goes from the component's own address to that same address. XEP-0114 tells a component
//! the name of no other address that is sure to exist, and the parent domain is only a habit: asking
//! a domain the server does not serve would make it look for another server. The server hands such
//! a ping back on this very stream, which proves that it reads, routes, and still knows the stream
//! as ours.
//!
//! A server that has never answered a ping may be one that does not route them; then silence proves
//! nothing and the link is kept, on the word of the kernel alone.

use std::time::{Duration, Instant};

/// The keepalive of one stream.
#[derive(Debug)]
pub(crate) struct Keepalive {
    last_read: Instant,
    last_write: Instant,
    ping: Ping,
    /// Whether this server is known to answer; kept from stream to stream.
    answers: Answers,
}

/// What the link must do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing yet.
    Wait,
    /// Write one space.
    Space,
    /// Send a ping.
    Ping,
    /// The server answers no pings at all, it seems; say so, and keep the link.
    Doubt,
    /// The server used to answer and does not any more: reconnect.
    Dead,
}

/// What is known about the server's answers to pings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Answers {
    /// Never asked.
    #[default]
    Unknown,
    /// It has answered before.
    Yes,
    /// It was asked and kept silent.
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ping {
    Idle,
    Sent(Instant),
}

impl Keepalive {
    /// A stream that came up at `now`.
    pub(crate) fn new(now: Instant, answers: Answers) -> Self {
        Self {
            last_read: now,
            last_write: now,
            ping: Ping::Idle,
            answers,
        }
    }

    /// Bytes arrived.
    pub(crate) fn handle_read(&mut self, now: Instant) {
        self.last_read = now;
        self.ping = Ping::Idle;
    }

    /// A ping of ours came back, or an answer to it.
    pub(crate) fn handle_pong(&mut self) {
        self.answers = Answers::Yes;
    }

    /// Bytes left.
    pub(crate) fn handle_write(&mut self, now: Instant) {
        self.last_write = now;
    }

    /// What is known about the server; give it to the next stream's [`Keepalive::new`].
    pub(crate) fn answers(&self) -> Answers {
        self.answers
    }

    /// When [`Keepalive::poll`] has something to say, unless something is read or written before.
    pub(crate) fn deadline(&self) -> Instant {
        let reading = match self.ping {
            Ping::Idle => self.last_read + READ_SILENCE,
            Ping::Sent(at) => at + PING_BOUND,
        };
        reading.min(self.last_write + WRITE_SILENCE)
    }

    /// What is due at `now`. Call until it says [`Action::Wait`].
    pub(crate) fn poll(&mut self, now: Instant) -> Action {
        match self.ping {
            Ping::Idle if now >= self.last_read + READ_SILENCE => {
                self.ping = Ping::Sent(now);
                // The ping itself will be the output that keeps the connection open.
                self.last_write = now;
                return Action::Ping;
            }
            Ping::Sent(at) if now >= at + PING_BOUND => {
                if self.answers == Answers::Yes {
                    return Action::Dead;
                }
                self.ping = Ping::Idle;
                self.last_read = now;
                if self.answers == Answers::Unknown {
                    self.answers = Answers::No;
                    return Action::Doubt;
                }
            }
            Ping::Idle | Ping::Sent(_) => {}
        }
        if now >= self.last_write + WRITE_SILENCE {
            self.last_write = now;
            return Action::Space;
        }
        Action::Wait
    }
}

/// Output silence after which a space is written.
const WRITE_SILENCE: Duration = Duration::from_secs(30);
/// Input silence after which a ping is sent.
const READ_SILENCE: Duration = Duration::from_secs(30);
/// How long the ping may stay unanswered. With [`READ_SILENCE`] it stays below the 60 s that calls
/// outlive a lost link.
const PING_BOUND: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Jumps from deadline to deadline; `serve` says whether the server answers the ping.
    fn run(
        keepalive: &mut Keepalive,
        start: Instant,
        length: Duration,
        mut serve: impl FnMut(Action) -> bool,
    ) -> Vec<(u64, Action)> {
        let mut seen = Vec::new();
        let mut now = start;
        while now <= start + length {
            loop {
                let action = keepalive.poll(now);
                if action == Action::Wait {
                    break;
                }
                seen.push(((now - start).as_secs(), action));
                if action == Action::Dead {
                    return seen;
                }
                if serve(action) {
                    keepalive.handle_read(now);
                    keepalive.handle_pong();
                }
            }
            let next = keepalive.deadline();
            assert!(next > now, "a deadline in the past would spin");
            now = next;
        }
        seen
    }

    #[test]
    fn ten_minutes_of_silence_with_a_server_that_answers() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(start, Answers::Unknown);
        let seen = run(&mut keepalive, start, Duration::from_mins(10), |action| {
            action == Action::Ping
        });
        assert_eq!(seen.len(), 20, "one ping every 30 s and no more: {seen:?}");
        assert!(seen.iter().all(|(_, action)| *action == Action::Ping));
    }

    #[test]
    fn a_server_that_stops_answering_is_dead_after_45_s() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(start, Answers::Yes);
        let seen = run(&mut keepalive, start, Duration::from_mins(10), |_| false);
        assert_eq!(seen, [(30, Action::Ping), (45, Action::Dead)]);
    }

    #[test]
    fn a_server_that_never_answers_is_kept_and_told_of_once() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(start, Answers::Unknown);
        let seen = run(&mut keepalive, start, Duration::from_mins(10), |_| false);
        assert!(!seen.iter().any(|(_, action)| *action == Action::Dead));
        let doubts = seen.iter().filter(|(_, action)| *action == Action::Doubt);
        assert_eq!(doubts.count(), 1);
        assert_eq!(keepalive.answers(), Answers::No);
    }

    #[test]
    fn other_traffic_is_an_answer_too() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(start, Answers::Yes);
        assert_eq!(
            keepalive.poll(start + Duration::from_secs(30)),
            Action::Ping
        );
        keepalive.handle_read(start + Duration::from_secs(44));
        assert_eq!(
            keepalive.poll(start + Duration::from_secs(45)),
            Action::Wait
        );
        assert_eq!(
            keepalive.poll(start + Duration::from_secs(74)),
            Action::Ping
        );
    }

    #[test]
    fn a_stream_that_only_receives_still_writes_every_30_s() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(start, Answers::Yes);
        let mut spaces = 0;
        for second in 0..=600 {
            let now = start + Duration::from_secs(second);
            keepalive.handle_read(now);
            while keepalive.poll(now) == Action::Space {
                spaces += 1;
            }
        }
        assert_eq!(spaces, 20);
    }

    proptest! {
        #[test]
        fn no_order_of_events_makes_it_spin_or_wait_longer_than_30_s(
            answers in prop_oneof![
                Just(Answers::Unknown), Just(Answers::Yes), Just(Answers::No)
            ],
            events in prop::collection::vec((0u64..40_000, 0u8..4), 1..200),
        ) {
            let mut now = Instant::now();
            let mut keepalive = Keepalive::new(now, answers);
            for (millis, event) in events {
                now += Duration::from_millis(millis);
                match event {
                    0 => keepalive.handle_read(now),
                    1 => keepalive.handle_write(now),
                    2 => keepalive.handle_pong(),
                    _ => {}
                }
                let mut polls = 0;
                loop {
                    match keepalive.poll(now) {
                        Action::Wait => break,
                        Action::Dead => return Ok(()),
                        Action::Space | Action::Ping | Action::Doubt => polls += 1,
                    }
                    prop_assert!(polls < 4);
                }
                prop_assert!(keepalive.deadline() > now);
                prop_assert!(keepalive.deadline() <= now + Duration::from_secs(30));
            }
        }
    }
}
