//! What is told of a call: to the log, to the counters, to the journal.

use std::time::Instant;

use tracing::info;

use super::counters::{Counters, LINK};
use super::journal::Event;
use super::parties::Call;
use super::signal::Ending;
use super::{Context, Journal};
use crate::mapping::Dropped;

impl Call {
    /// It begins.
    pub(super) fn tell_begin(&self, counters: &Counters, cx: &mut Context<'_>) {
        let caller = self.legs.first().and_then(Option::as_ref);
        let kind = match caller.map(super::leg::Leg::dialect) {
            Some("web") => "web",
            _ => "jingle",
        };
        info!(kind, "Call started");
        counters.started.add(kind, 1u64);
        if let Some(journal) = cx.out.journal() {
            let event = Event::Began {
                sid: self.sid.as_str().to_owned(),
                caller: caller.map_or_else(String::new, |leg| leg.line.peer.to_string()),
                callee: self.callee().to_string(),
                media: self.media.names().collect::<Vec<_>>().join(" "),
            };
            journal.note(self.id, event);
        }
    }

    /// Something was done.
    pub(super) fn tell_progress(&mut self, counters: &Counters, cx: &mut Context<'_>) {
        for leg in self.legs.iter_mut().flatten() {
            let dialect = leg.dialect();
            // What a client is, is often learnt in mid-call.
            let before = leg.told.replace(dialect);
            if before.is_none() {
                counters.legs.add(dialect, 1u64);
            }
            if before != Some(dialect)
                && let Some(journal) = cx.out.journal()
            {
                let device = leg.line.peer.to_string();
                journal.note(self.id, Event::Leg { device, dialect });
            }
            let dropped = leg.take_report();
            dropped
                .iter()
                .for_each(|one| counters.dropped.add(one.why.name(), 1u64));
            tell_dropped(self.id, leg.line.peer.as_str(), dropped, cx);
        }
        if self.picked_up.is_none()
            && let (Some(taken), Some(kind)) = (self.taken, self.kind())
        {
            self.picked_up = Some(cx.now);
            counters.answered.add(kind, 1u64);
            counters
                .ring
                .observe(cx.now.saturating_duration_since(self.began));
            let device = self.legs.get(taken).and_then(Option::as_ref);
            if let (Some(leg), Some(journal)) = (device, cx.out.journal()) {
                let device = leg.line.peer.to_string();
                journal.note(self.id, Event::PickedUp { device });
            }
        }
        if self.established && self.answered.is_none() {
            self.answered = Some(cx.now);
            let since = self.picked_up.unwrap_or(self.began);
            counters
                .setup
                .observe(cx.now.saturating_duration_since(since));
            if let Some(journal) = cx.out.journal() {
                journal.note(self.id, Event::Answered);
            }
        }
    }

    /// It ends.
    pub(super) fn tell_end(&self, counters: &Counters, ending: &Ending, cx: &mut Context<'_>) {
        if let Some(refusal) = ending.cause {
            counters.refused.add(refusal, 1u64);
        }
        let text = ending.text.clone();
        self.over(
            counters,
            ending.reason.name(),
            text,
            cx.now,
            cx.out.journal(),
        );
    }

    /// It ends, and nobody can be told.
    pub(super) fn tell_loss(&self, counters: &Counters, cx: &mut Context<'_>) {
        let _entered = self.span.enter();
        self.over(counters, LINK, None, cx.now, cx.out.journal());
    }

    fn over(
        &self,
        counters: &Counters,
        reason: &'static str,
        text: Option<String>,
        now: Instant,
        journal: Option<&mut Journal>,
    ) {
        let seconds = now.saturating_duration_since(self.began).as_secs();
        let answered = self.answered.is_some();
        info!(reason, answered, seconds, "Call ended");
        if let Some(since) = self.answered {
            counters
                .duration
                .observe(now.saturating_duration_since(since));
            counters.succeeded.add(reason, 1u64);
        } else {
            counters.failed.add(reason, 1u64);
        }
        if let Some(journal) = journal {
            journal.note(self.id, Event::Ended { reason, text });
        }
    }
}

fn tell_dropped(id: super::CallId, device: &str, what: Vec<Dropped>, cx: &mut Context<'_>) {
    if !what.is_empty()
        && let Some(journal) = cx.out.journal()
    {
        let device = device.to_owned();
        journal.note(id, Event::Dropped { device, what });
    }
}
