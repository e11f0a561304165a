use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use super::CallId;
use super::index::trim;

/// What a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Timer {
    /// Nobody picks up; or somebody did, and no answer comes.
    Ring,
    /// The device of this leg is offline, or does not reply.
    Offline(usize),
    /// It is time to ask the devices of a call whether it goes on.
    Ping,
    /// A call under way was worked on, and may be at rest by now.
    Rest,
}

/// All timers of all calls.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BTreeSet<(Instant, CallId, Timer)>,
    set: HashMap<(CallId, Timer), Instant>,
}

impl Timers {
    pub(super) fn set(&mut self, call: CallId, timer: Timer, at: Instant) {
        self.stop(call, timer);
        self.queue.insert((at, call, timer));
        self.set.insert((call, timer), at);
    }

    /// Sets a timer unless it is set already.
    pub(super) fn set_once(&mut self, call: CallId, timer: Timer, at: Instant) {
        if !self.set.contains_key(&(call, timer)) {
            self.set(call, timer, at);
        }
    }

    pub(super) fn stop(&mut self, call: CallId, timer: Timer) {
        if let Some(at) = self.set.remove(&(call, timer)) {
            self.queue.remove(&(at, call, timer));
            trim(&mut self.set);
        }
    }

    /// Stops all timers of a call that had at most this many legs.
    pub(super) fn stop_all(&mut self, call: CallId, legs: usize) {
        self.stop(call, Timer::Ring);
        self.stop(call, Timer::Ping);
        self.stop(call, Timer::Rest);
        (0..legs).for_each(|leg| self.stop(call, Timer::Offline(leg)));
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len().max(self.set.len())
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(at, ..)| *at)
    }

    /// The next timer that is due, no longer set.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(CallId, Timer)> {
        let (at, call, timer) = *self.queue.first()?;
        (at <= now).then(|| {
            self.stop(call, timer);
            (call, timer)
        })
    }

    /// No device counts as offline before `at`: while the link was down nobody could be heard.
    pub(super) fn postpone_offline(&mut self, at: Instant) {
        let early: Vec<_> = self
            .set
            .iter()
            .filter(|((_, timer), due)| matches!(timer, Timer::Offline(_)) && **due < at)
            .map(|(key, _)| *key)
            .collect();
        for (call, timer) in early {
            self.set(call, timer, at);
        }
    }
}
