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
    open: usize,
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
        Err(StanzaError::new(ErrorKind::Wait, "resource-constraint")
            .with_text("too many calls, or too many attempts within a minute")
            .because(limit))
    }

    pub(super) fn opened(&mut self, caller: &BareJid) {
        if let Some(one) = self.people.get_mut(caller) {
            one.open += 1;
        }
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

const MINUTE: Duration = Duration::from_secs(60);
/// Callers remembered before those who are idle are forgotten.
const MAX_IDLE: usize = 10_000;
