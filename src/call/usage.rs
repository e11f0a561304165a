use std::collections::HashMap;
use std::time::{Duration, Instant};

use jid::BareJid;

use super::Limits;
use crate::stanza::{ErrorKind, StanzaError};

/// Open calls, and the attempts of the minute under way, of each caller.
#[derive(Debug, Default)]
pub(super) struct Usage {
    people: HashMap<BareJid, OfOne>,
}

#[derive(Debug)]
struct OfOne {
    open: u32,
    attempts: u32,
    minute: Instant,
}

impl Usage {
    /// Counts an attempt; an error if it is one too many.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        caller: &BareJid,
        open_in_all: usize,
        limits: &Limits,
    ) -> Result<(), StanzaError> {
        let new = || OfOne {
            open: 0,
            attempts: 0,
            minute: now,
        };
        let one = self.people.entry(caller.clone()).or_insert_with(new);
        if now.saturating_duration_since(one.minute) >= MINUTE {
            one.minute = now;
            one.attempts = 0;
        }
        one.attempts = one.attempts.saturating_add(1);
        let limit = if one.attempts > limits.attempts_per_minute {
            "attempts_per_minute"
        } else if one.open >= limits.calls_per_person {
            "calls_per_person"
        } else if open_in_all >= limits.calls {
            "calls"
        } else {
            return Ok(());
        };
        Err(too_many(limit))
    }

    /// Whether a person who is called through her own device has room for one more of this
    /// caller. No caller gets more than half of it.
    pub(super) fn admit_called(
        &self,
        caller: &BareJid,
        called: &BareJid,
        limits: &Limits,
    ) -> Result<(), StanzaError> {
        let open = |of| self.people.get(of).map_or(0, |one| one.open);
        let most = limits.calls_per_person;
        if open(called) >= most || open(caller) >= most.div_ceil(2) {
            return Err(too_many("calls_per_person"));
        }
        Ok(())
    }

    pub(super) fn opened(&mut self, person: &BareJid, now: Instant) {
        self.people
            .entry(person.clone())
            .or_insert(OfOne {
                open: 0,
                attempts: 0,
                minute: now,
            })
            .open += 1;
    }

    pub(super) fn closed(&mut self, caller: &BareJid) {
        if let Some(one) = self.people.get_mut(caller) {
            one.open = one.open.saturating_sub(1);
        }
    }

    /// Callers who have an open call.
    pub(super) fn open(&self) -> usize {
        self.people.values().filter(|one| one.open > 0).count()
    }

    /// Forgets those who have no call and made no attempt of late.
    pub(super) fn sweep(&mut self, now: Instant) {
        if self.people.len() > MAX_IDLE {
            let recent = |one: &OfOne| now.saturating_duration_since(one.minute) < MINUTE;
            self.people.retain(|_, one| one.open > 0 || recent(one));
        }
    }
}

fn too_many(limit: &'static str) -> StanzaError {
    StanzaError::new(ErrorKind::Wait, "resource-constraint")
        .with_text("too many calls, or too many attempts within a minute")
        .because(limit)
}

const MINUTE: Duration = Duration::from_secs(60);
/// Callers remembered before those who are idle are forgotten.
const MAX_IDLE: usize = 10_000;
