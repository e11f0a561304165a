//! The loop around the engine.

use std::future::Future;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval_at, sleep_until};
use tracing::{info, warn};

use super::engine::Engine;
use crate::gateway::{Change, Output, Privileges};
use crate::io::link::{Event, Link};
use crate::ladder::Record;
use crate::xml::Document;

/// What the outside asks of the loop.
pub(super) trait Commands {
    /// Waits until the process is to end. Dropping the future loses nothing.
    fn stop(&mut self) -> impl Future<Output = ()> + Send;
}

/// What the loop does beside the link.
pub(super) trait Effects {
    /// Closes the TURN allocations made with this user name.
    fn drop_allocations(&mut self, username: &str);
    /// Reads certificates again.
    fn reload(&mut self);
    /// Keeps something over a restart.
    fn store(&mut self, change: Change);
    /// Gives a stanza to the app that takes test calls.
    fn echo(&mut self, stanza: String);
    /// What servers let us do for their people has changed.
    fn privileges(&mut self, privileges: Privileges);
    /// Keeps a step of a call.
    fn record(&mut self, record: Record);
    /// The drain begins, and lasts until then at most.
    fn draining(&mut self, until: Instant);
}

/// Runs `engine` on `link` until it is told to stop and has no calls left.
///
/// The first command to stop begins the drain, a second one ends it. `echoes` are stanzas of the app
/// that takes test calls.
pub(super) async fn drive(
    engine: &mut impl Engine,
    mut link: Link,
    drain_timeout: Duration,
    mut commands: impl Commands,
    mut effects: impl Effects,
    mut echoes: mpsc::Receiver<Document>,
) {
    let mut minute = interval_at(tokio::time::Instant::now() + MINUTE, MINUTE);
    minute.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stop_at: Option<Instant> = None;
    loop {
        let Flushed { deadline, stop } = flush(engine, &mut link, &mut effects);
        if stop && stop_at.is_none() {
            stop_at = Some(drain(engine, &mut effects, drain_timeout));
            continue;
        }
        if stop_at.is_some() && !engine.has_calls() {
            break;
        }
        let due = [deadline, stop_at].into_iter().flatten().min();
        // Without a deadline the branch is off, so what it waits for does not matter.
        let wake = sleep_until(due.unwrap_or_else(now).into());
        let has_calls = engine.has_calls();
        tokio::select! {
            event = link.next(has_calls) => handle_event(engine, event),
            Some(stanza) = echoes.recv() => engine.handle_echo(now(), stanza),
            () = wake, if due.is_some() => {
                let now = now();
                if stop_at.is_some_and(|at| now >= at) {
                    warn!("Calls are left at the end of the drain");
                    break;
                }
                engine.handle_timeout(now);
            }
            _ = minute.tick() => engine.handle_wall_clock(now(), unix()),
            () = commands.stop() => {
                if stop_at.is_some() {
                    warn!("Told to stop a second time");
                    break;
                }
                stop_at = Some(drain(engine, &mut effects, drain_timeout));
            }
        }
    }
    flush(engine, &mut link, &mut effects);
    link.close().await;
}

/// Takes no new calls; returns when the process ends at the latest.
fn drain(engine: &mut impl Engine, effects: &mut impl Effects, timeout: Duration) -> Instant {
    let now = now();
    let until = now + timeout;
    info!(
        drain.seconds = timeout.as_secs(),
        "Draining: no new calls are taken"
    );
    effects.draining(until);
    engine.handle_drain(now, until);
    until + FAREWELL
}

fn handle_event(engine: &mut impl Engine, event: Event) {
    let now = now();
    match event {
        Event::Up => engine.handle_link_up(now),
        Event::Down => engine.handle_link_down(now),
        Event::Stanza(stanza) => engine.handle_stanza(now, stanza),
        Event::Bad(stanza) => engine.handle_bad_stanza(now, stanza),
    }
}

/// What the engine says when all is done that it asked for.
struct Flushed {
    /// When it wants to be called.
    deadline: Option<Instant>,
    /// An admin stops the service.
    stop: bool,
}

/// Does what the engine asks.
fn flush(engine: &mut impl Engine, link: &mut Link, effects: &mut impl Effects) -> Flushed {
    let mut stop = false;
    loop {
        match engine.poll_output() {
            Output::Stanza(stanza) => link.send(stanza),
            Output::DropAllocations { username } => effects.drop_allocations(&username),
            Output::Store(change) => effects.store(change),
            Output::Echo(stanza) => effects.echo(stanza),
            Output::Reload => effects.reload(),
            Output::Privileges(privileges) => effects.privileges(privileges),
            Output::Stop => stop = true,
            Output::Timeout(deadline) => {
                while let Some(record) = engine.poll_record() {
                    effects.record(record);
                }
                return Flushed { deadline, stop };
            }
        }
    }
}

/// The runtime's clock, which tests can stop.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Seconds since 1970.
#[must_use]
pub fn unix() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// The same, finer.
pub(super) fn unix_millis() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| since.as_millis().try_into().ok())
        .unwrap_or_default()
}

const MINUTE: Duration = Duration::from_mins(1);
/// For the answers to what ended the last calls.
const FAREWELL: Duration = Duration::from_secs(5);
