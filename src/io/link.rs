//! The link to the XMPP server: a component stream (XEP-0114) that is kept up.
//!
//! [`Link`] connects, shakes hands, frames what arrives, writes what it is given, and begins again
//! when the stream ends. Its owner calls [`Link::next`] in a loop and answers with [`Link::send`];
//! both may be mixed with other work, because `next` loses nothing when it is dropped.
//!
//! # What it promises
//!
//! - A bad stanza costs one stanza ([`Event::Bad`]); a bad stream costs a reconnect.
//! - All output that waits leaves in one write, at once (`TCP_NODELAY`).
//! - An idle link is kept alive and a dead one noticed: within 45 s if the server answers pings,
//!   within 30 s of the first unacknowledged byte if the machine is gone.
//! - It reconnects after 100 ms or more, never later than 400 ms while a call lives and 30 s
//!   otherwise, jittered; the delays start anew after a stream of 10 s.
//!
//! # When the server does not read
//!
//! From 4 MiB of waiting output on, no more input is taken: the server's own output then waits in
//! the socket, and with it whoever floods us. Timers can still add output, up to 16 MiB; beyond
//! that stanzas are dropped and counted. If not one byte is taken for 30 s the link is given up
//! and made anew.
//!
//! # What survives a reconnect
//!
//! Stanzas that were not written whole, or were given while there was no stream, go out first on
//! the next one unless they are a minute old. What was written but perhaps never processed is for
//! the engine to repeat: XEP-0114 has no acknowledgements.

mod backoff;
mod config;
mod connect;
mod error;
mod keepalive;
mod outgoing;
mod stream;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use rand::Rng;
use tokio::sync::watch;
use tokio::time::Sleep;
use tokio_rustls::TlsConnector;
use tracing::{debug, error, info, warn};

use self::backoff::Backoff;
use self::connect::Opened;
pub(crate) use self::connect::Transport;
use self::keepalive::Answers;
use self::outgoing::Outgoing;
use self::stream::{Pings, Stream, now};
use crate::telemetry::LinkCounters;
use crate::xml::{BadStanza, Document, Limits};

pub use config::Config;
pub use error::Error;

/// The component's connection to its XMPP server, made again whenever it ends.
pub struct Link {
    config: Arc<Config>,
    limits: Limits,
    tls: Option<TlsConnector>,
    counters: Arc<LinkCounters>,
    status: watch::Sender<Status>,
    state: State,
    outgoing: Outgoing,
    backoff: Backoff,
    /// What is carried from stream to stream.
    memory: (Answers, Pings),
    /// What was last complained of, and when.
    complaint: Option<(error::Topic, Instant)>,
}

/// What [`Link::next`] tells.
#[derive(Debug)]
pub enum Event {
    /// The handshake was accepted. The server has forgotten all presence we sent before.
    Up,
    /// A stream that was up has ended; the next one is already being made.
    Down,
    /// A whole stanza, or something else at stanza level.
    Stanza(Document),
    /// A stanza over a limit, not read; the stream goes on.
    Bad(BadStanza),
}

/// How the link stands, for people and health checks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// No attempt has ended yet.
    Connecting,
    /// The handshake was accepted and the stream lives.
    Up,
    /// There is no stream, for this reason.
    Down(String),
}

enum State {
    Connecting(Pin<Box<dyn Future<Output = Result<Opened, Error>> + Send>>),
    Up(Box<Stream>),
    Waiting(Pin<Box<Sleep>>),
}

/// Shakes hands once and hangs up: whether the XMPP server would take the component now.
///
/// # Errors
/// Why not.
pub(crate) async fn probe(config: &Config, limits: Limits, within: Duration) -> Result<(), Error> {
    let tls = connect::tls_connector(config)?;
    let opening = connect::open(Arc::new(config.clone()), tls, limits, within);
    tokio::time::timeout(within, opening)
        .await
        .map_err(|_| Error::Timeout("waiting for the server's handshake"))?
        .map(drop)
}

impl Link {
    /// A link that will connect at the first [`Link::next`].
    ///
    /// # Errors
    /// [`Error::TlsRoots`] if TLS is asked for and its certificate authorities cannot be read.
    pub fn new(
        config: Config,
        limits: Limits,
        counters: Arc<LinkCounters>,
        rng: &mut impl Rng,
    ) -> Result<Self, Error> {
        let tls = connect::tls_connector(&config)?;
        let pings = Pings::new(
            config.jid.clone(),
            format!("{}-", HEXLOWER.encode(&rng.next_u64().to_be_bytes())),
        );
        Ok(Self {
            config: Arc::new(config),
            limits,
            tls,
            counters,
            status: watch::Sender::new(Status::Connecting),
            state: State::Waiting(Box::pin(tokio::time::sleep(Duration::ZERO))),
            outgoing: Outgoing::default(),
            backoff: Backoff::new(rng.next_u64()),
            memory: (Answers::default(), pings),
            complaint: None,
        })
    }

    /// How the link stands, now and later.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// The next thing that happens. Dropping the future loses nothing.
    ///
    /// `has_calls` says whether a call lives, which decides how fast the link is made anew.
    pub async fn next(&mut self, has_calls: bool) -> Event {
        std::future::poll_fn(|cx| self.poll(cx, has_calls)).await
    }

    /// Queues a stanza. It is written by [`Link::next`] or [`Link::close`].
    pub fn send(&mut self, stanza: String) {
        if !self.outgoing.push_stanza(stanza, now()) {
            self.counters.dropped.add(1);
            debug!("The queue to the XMPP server is full; a stanza was dropped");
        }
    }

    /// Bytes that wait to be written.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.outgoing.bytes()
    }

    /// Writes what waits and ends the stream, in three seconds at most.
    pub async fn close(mut self) {
        if let State::Up(stream) = &mut self.state {
            match tokio::time::timeout(CLOSING, stream.close(&mut self.outgoing)).await {
                Ok(Ok(())) => info!("Link to the XMPP server closed"),
                Ok(Err(error)) => debug!(%error, "The stream broke while it was closed"),
                Err(_) => debug!("The XMPP server did not end its side of the stream"),
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, has_calls: bool) -> Poll<Event> {
        loop {
            match &mut self.state {
                State::Waiting(sleep) => {
                    std::task::ready!(sleep.as_mut().poll(cx));
                    debug!(server.addr = %self.config.server, "Connecting to the XMPP server");
                    self.state = State::Connecting(Box::pin(connect::open(
                        Arc::clone(&self.config),
                        self.tls.clone(),
                        self.limits,
                        backoff::connect_timeout(has_calls),
                    )));
                }
                State::Connecting(attempt) => match std::task::ready!(attempt.as_mut().poll(cx)) {
                    Ok(opened) => {
                        self.handle_up(opened);
                        return Poll::Ready(Event::Up);
                    }
                    Err(error) => self.handle_down(&error, has_calls),
                },
                State::Up(stream) => match std::task::ready!(stream.poll(cx, &mut self.outgoing)) {
                    Ok(event) => return Poll::Ready(event),
                    Err(error) => {
                        self.counters.lost.add(1);
                        self.handle_down(&error, has_calls);
                        return Poll::Ready(Event::Down);
                    }
                },
            }
        }
    }

    fn handle_up(&mut self, opened: Opened) {
        let now = now();
        self.backoff.handle_up(now);
        let too_old = self.outgoing.restart(now);
        self.counters.dropped.add(too_old);
        self.counters.opened.add(1);
        self.complaint = None;
        info!(server.addr = %self.config.server, "Link to the XMPP server is up");
        let (answers, pings) = self.memory.clone();
        let counters = Arc::clone(&self.counters);
        let stream = Stream::new(opened, answers, pings, counters);
        self.state = State::Up(Box::new(stream));
        self.status.send_replace(Status::Up);
    }

    fn handle_down(&mut self, error: &Error, has_calls: bool) {
        self.counters.errors.add(error.label(), 1u64);
        self.backoff.handle_down(now());
        let delay = self.backoff.delay(has_calls);
        self.complain(error, delay);
        let waiting = State::Waiting(Box::pin(tokio::time::sleep(delay)));
        if let State::Up(stream) = std::mem::replace(&mut self.state, waiting) {
            self.memory = stream.into_memory();
        }
        let reason = match error.advice(&self.config) {
            Some(advice) => format!("{error}: {advice}"),
            None => error.to_string(),
        };
        self.status.send_replace(Status::Down(reason));
    }

    /// Says what went wrong: once at full voice, then once a minute while it stays the same.
    fn complain(&mut self, error: &Error, delay: Duration) {
        let topic = error.topic();
        let now = now();
        let known = self.complaint.as_ref().is_some_and(|(last, at)| {
            *last == topic && now.saturating_duration_since(*at) < COMPLAIN_EVERY
        });
        let server = &self.config.server;
        let retry = delay.as_millis();
        if known {
            debug!(server.addr = %server, %error, retry.ms = retry, "No link to the XMPP server");
            return;
        }
        self.complaint = Some((topic, now));
        let advice = error.advice(&self.config).unwrap_or_default();
        if error.needs_the_admin() {
            error!(server.addr = %server, %error, advice, retry.ms = retry, "No link to the XMPP server; trying again");
        } else {
            warn!(server.addr = %server, %error, advice, retry.ms = retry, "No link to the XMPP server; trying again");
        }
    }
}

/// Checks what a configuration names without connecting: the certificate authorities.
///
/// # Errors
/// [`Error::TlsRoots`].
pub fn check(config: &Config) -> Result<(), Error> {
    connect::tls_connector(config).map(drop)
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("server", &self.config.server)
            .field("status", &*self.status.borrow())
            .field("queued", &self.queued())
            .finish_non_exhaustive()
    }
}

const CLOSING: Duration = Duration::from_secs(3);
const COMPLAIN_EVERY: Duration = Duration::from_mins(1);
