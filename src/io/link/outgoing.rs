//! What waits to be written to the XMPP server.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::{Duration, Instant};

/// Stanzas in order, each kept until its last byte was handed to the connection.
///
/// The queue outlives a stream: what was not written whole goes out on the next one, if that comes
/// within [`KEEP`].
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    queue: VecDeque<Item>,
    /// Bytes of all items, written ones of the first included.
    bytes: usize,
    /// How much of the first item is written.
    written: usize,
}

#[derive(Debug)]
struct Item {
    text: String,
    kind: Kind,
    queued: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Counts, and is kept for the next stream.
    Stanza,
    /// Belongs to this stream: keepalive, handshake, end.
    Stream,
}

impl Outgoing {
    /// Queues a stanza; `false` if the queue is full and it was dropped.
    pub(crate) fn push_stanza(&mut self, text: String, now: Instant) -> bool {
        if self.bytes.saturating_add(text.len()) > FULL {
            return false;
        }
        self.push(text, Kind::Stanza, now);
        true
    }

    /// Queues something that concerns only the present stream.
    pub(crate) fn push_stream(&mut self, text: impl Into<String>, now: Instant) {
        self.push(text.into(), Kind::Stream, now);
    }

    fn push(&mut self, text: String, kind: Kind, now: Instant) {
        self.bytes += text.len();
        self.queue.push_back(Item {
            text,
            kind,
            queued: now,
        });
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether so much waits that no more input should be taken.
    pub(crate) fn is_high(&self) -> bool {
        self.bytes >= HIGH
    }

    /// Fills `slices` with what comes next, for one vectored write; returns how many were filled.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut skip = self.written;
        let mut filled = 0;
        for (slot, item) in slices.iter_mut().zip(&self.queue) {
            *slot = IoSlice::new(item.text.as_bytes().get(skip..).unwrap_or_default());
            skip = 0;
            filled += 1;
        }
        filled
    }

    /// Notes that `n` bytes were written; returns how many stanzas that completed.
    pub(crate) fn advance(&mut self, n: usize) -> u64 {
        let mut stanzas = 0;
        self.written += n;
        while let Some(first) = self.queue.front()
            && self.written >= first.text.len()
        {
            self.written -= first.text.len();
            self.bytes -= first.text.len();
            stanzas += u64::from(first.kind == Kind::Stanza);
            self.queue.pop_front();
        }
        stanzas
    }

    /// Makes ready for a new stream: a stanza that was cut is written from its beginning, what
    /// belonged to the old stream and what is too old is left out. Returns how many stanzas were
    /// too old.
    pub(crate) fn restart(&mut self, now: Instant) -> u64 {
        let before = self.queue.len();
        self.queue.retain(|item| item.kind == Kind::Stanza);
        let stanzas = self.queue.len();
        self.queue
            .retain(|item| now.saturating_duration_since(item.queued) <= KEEP);
        self.written = 0;
        self.bytes = self.queue.iter().map(|item| item.text.len()).sum();
        debug_assert!(before >= stanzas, "retain only removes");
        u64::try_from(stanzas - self.queue.len()).unwrap_or(u64::MAX)
    }
}

/// From here on no input is taken: 4 MiB is more than all answers to one socket buffer of input.
pub(crate) const HIGH: usize = 4 * 1024 * 1024;
/// Beyond this, which only timers can reach, stanzas are dropped.
pub(crate) const FULL: usize = 16 * 1024 * 1024;
/// How long a stanza may wait for the next stream: as long as calls outlive a lost link.
const KEEP: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One vectored write that takes at most `take` bytes.
    fn write(queue: &mut Outgoing, take: usize) -> (Vec<u8>, u64) {
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = queue.slices(&mut slices);
        let mut taken: Vec<u8> = slices[..filled]
            .iter()
            .flat_map(|slice| slice.iter().copied())
            .collect();
        taken.truncate(take);
        let stanzas = queue.advance(taken.len());
        (taken, stanzas)
    }

    #[test]
    fn a_cut_stanza_is_written_again_from_its_beginning() {
        let now = Instant::now();
        let mut queue = Outgoing::default();
        queue.push_stanza("<one/>".into(), now);
        queue.push_stream(" ", now);
        queue.push_stanza("<two/>".into(), now);
        assert_eq!(write(&mut queue, 9), (b"<one/> <t".to_vec(), 1));
        assert_eq!(queue.restart(now), 0);
        assert_eq!(write(&mut queue, 99), (b"<two/>".to_vec(), 1));
        assert_eq!((queue.bytes(), queue.is_empty()), (0, true));
    }

    #[test]
    fn what_is_older_than_a_minute_is_left_out_and_counted() {
        let now = Instant::now();
        let mut queue = Outgoing::default();
        queue.push_stanza("<old/>".into(), now);
        queue.push_stanza("<new/>".into(), now + Duration::from_secs(2));
        assert_eq!(queue.restart(now + Duration::from_secs(61)), 1);
        assert_eq!(write(&mut queue, 99).0, b"<new/>");
    }

    #[test]
    fn it_is_high_before_it_is_full_and_never_holds_more() {
        let now = Instant::now();
        let mut queue = Outgoing::default();
        let stanza = "x".repeat(1024 * 1024);
        let taken = (0..32)
            .filter(|_| queue.push_stanza(stanza.clone(), now))
            .count();
        assert_eq!(taken, 16);
        assert!(queue.is_high());
        assert_eq!(queue.bytes(), FULL);
    }

    proptest! {
        #[test]
        fn bytes_leave_whole_and_in_order(
            texts in prop::collection::vec("[a-zé]{0,12}", 0..40),
            takes in prop::collection::vec(1usize..30, 1..200),
        ) {
            let now = Instant::now();
            let mut queue = Outgoing::default();
            for text in &texts {
                queue.push_stanza(text.clone(), now);
            }
            let mut seen = Vec::new();
            let mut stanzas = 0;
            for take in takes.into_iter().chain(std::iter::repeat(64)) {
                if queue.is_empty() {
                    break;
                }
                let (taken, completed) = write(&mut queue, take);
                seen.extend(taken);
                stanzas += completed;
            }
            prop_assert_eq!(seen, texts.concat().into_bytes());
            prop_assert_eq!(stanzas, texts.len() as u64);
            prop_assert_eq!(queue.bytes(), 0);
        }
    }
}
