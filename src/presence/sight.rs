use std::hash::{BuildHasher, RandomState};

use jid::BareJid;

/// At which gateway addresses a client shows itself.
///
/// Presence is a matter between two (RFC 6121 §4.2.2, §4.4.2 and §4.5.2 send each to every contact of
/// its own): who withdraws it from one, because she no longer wants him to see her, or has blocked
/// him, is still there for the others.
///
/// One word for each address: with many watchers there are many.
#[derive(Debug, Default)]
pub(super) struct Sight(Box<[u32]>);

impl Sight {
    /// It is shown there.
    pub(super) fn insert(&mut self, at: u32) {
        if let Err(place) = self.0.binary_search(&at) {
            let mut all = std::mem::take(&mut self.0).into_vec();
            all.reserve_exact(1);
            all.insert(place, at);
            self.0 = all.into_boxed_slice();
        }
    }

    /// It is no longer shown there. True if that was the last place, as far as is known.
    pub(super) fn remove(&mut self, at: u32) -> bool {
        if let Ok(place) = self.0.binary_search(&at) {
            let mut all = std::mem::take(&mut self.0).into_vec();
            all.remove(place);
            self.0 = all.into_boxed_slice();
        }
        self.0.is_empty()
    }

    /// Whether it is shown nowhere.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Nothing is known of it any more.
    pub(super) fn clear(&mut self) {
        self.0 = Box::default();
    }
}

/// Gives each address its word.
#[derive(Debug, Default)]
pub(super) struct Words(RandomState);

impl Words {
    pub(super) fn of(&self, watcher: &BareJid) -> u32 {
        // Two of a person's watchers with one word are one in four thousand million.
        (self.0.hash_one(watcher) >> 32) as u32
    }
}
