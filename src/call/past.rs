use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::index::Parties;

/// Calls that ended a moment ago.
///
/// Servers hand out messages of XEP-0353 more than once and late: a copy of a `<propose/>` must not
/// ring for a call that is over, and a device that proceeds too late must be told.
#[derive(Debug, Default)]
pub(super) struct Past {
    ended: HashMap<Parties, Instant>,
    order: VecDeque<(Instant, Parties)>,
}

impl Past {
    pub(super) fn put(&mut self, now: Instant, call: Parties) {
        while let Some((at, oldest)) = self.order.front()
            && (self.order.len() >= MOST || now.saturating_duration_since(*at) > WINDOW)
        {
            if self.ended.get(oldest) == Some(at) {
                self.ended.remove(oldest);
            }
            self.order.pop_front();
        }
        self.order.push_back((now, call.clone()));
        self.ended.insert(call, now);
    }

    pub(super) fn holds(&self, now: Instant, call: &Parties) -> bool {
        self.ended
            .get(call)
            .is_some_and(|at| now.saturating_duration_since(*at) <= WINDOW)
    }
}

/// How long an ended call is remembered.
const WINDOW: Duration = Duration::from_secs(60);
/// How many are.
const MOST: usize = 2_048;
