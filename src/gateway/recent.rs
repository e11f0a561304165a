use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use crate::xml::Element;

/// Replies to requests of late, so that a request which arrives twice acts once (RFC 6120
/// §8.1.3). Ids are unique only within the sender's stream, so the whole stanza is compared.
#[derive(Debug)]
pub(super) struct Recent<R> {
    hasher: RandomState,
    replies: VecDeque<(Instant, u64, R)>,
}

impl<R> Default for Recent<R> {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            replies: VecDeque::new(),
        }
    }
}

impl<R> Recent<R> {
    /// Names a stanza.
    pub(super) fn key(&self, stanza: Element<'_>) -> u64 {
        self.hasher.hash_one(stanza.to_xml())
    }

    /// Names a stanza that somebody handed in.
    pub(super) fn key_of(&self, by: &str, stanza: Element<'_>) -> u64 {
        self.hasher.hash_one((by, stanza.to_xml()))
    }

    /// The reply that the same stanza got a moment ago.
    pub(super) fn get(&mut self, now: Instant, key: u64) -> Option<&R> {
        while let Some((at, ..)) = self.replies.front()
            && now.saturating_duration_since(*at) > WINDOW
        {
            self.replies.pop_front();
        }
        self.replies
            .iter()
            .find(|(_, known, _)| *known == key)
            .map(|(.., reply)| reply)
    }

    pub(super) fn put(&mut self, now: Instant, key: u64, reply: R) {
        if self.replies.len() >= MOST {
            self.replies.pop_front();
        }
        self.replies.push_back((now, key, reply));
    }
}

/// How long a reply is remembered.
const WINDOW: Duration = Duration::from_secs(30);
/// How many are.
const MOST: usize = 1_024;
