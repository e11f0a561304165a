//! One stream that is up: reading, writing, and keeping it alive, in one `poll`.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tracing::{debug, warn};

use super::connect::{Opened, Transport};
use super::keepalive::{Action, Answers, Keepalive};
use super::outgoing::Outgoing;
use super::{Error, Event};
use crate::telemetry::LinkCounters;
use crate::xml::{Element, Frame, Framer, NS_COMPONENT, NS_STREAM, StreamError, Writer};

/// A stream between its handshake and its end.
pub(crate) struct Stream {
    io: Box<dyn Transport>,
    framer: Framer,
    keepalive: Keepalive,
    pings: Pings,
    counters: Arc<LinkCounters>,
    input: Box<[u8]>,
    /// Something was written that the transport may still hold (TLS).
    unflushed: bool,
    /// Since when output waits without a byte being taken.
    stalled: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    /// When `timer` fires; it is moved only when something is due earlier.
    armed: Instant,
}

/// The pings of one process: their ids repeat neither between streams nor between instances.
#[derive(Clone, Debug)]
pub(crate) struct Pings {
    jid: String,
    prefix: String,
    count: u64,
}

impl Stream {
    pub(crate) fn new(
        opened: Opened,
        answers: Answers,
        pings: Pings,
        counters: Arc<LinkCounters>,
    ) -> Self {
        let now = now();
        let keepalive = Keepalive::new(now, answers);
        let armed = keepalive.deadline();
        Self {
            io: opened.io,
            framer: opened.framer,
            keepalive,
            pings,
            counters,
            input: vec![0; READ_BYTES].into(),
            unflushed: false,
            stalled: None,
            timer: Box::pin(tokio::time::sleep_until(armed.into())),
            armed,
        }
    }

    /// What outlives the stream.
    pub(crate) fn into_memory(self) -> (Answers, Pings) {
        (self.keepalive.answers(), self.pings)
    }

    /// Drives everything until the server says something for the engine, or the stream ends.
    ///
    /// Input that was already read is handed out before anything is written, so that the answers
    /// to one read leave in one write.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        outgoing: &mut Outgoing,
    ) -> Poll<Result<Event, Error>> {
        loop {
            if !outgoing.is_high()
                && let Some(frame) = self.framer.next_frame()
            {
                match self.handle_frame(frame, outgoing) {
                    Ok(Some(event)) => return Poll::Ready(Ok(event)),
                    Ok(None) => continue,
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            self.poll_write(cx, outgoing)?;
            if !outgoing.is_empty() {
                // A ping would wait behind it: the sign of life is now that the server reads.
                self.keepalive.handle_read(now());
            }
            if self.poll_timer(cx, outgoing)? {
                continue;
            }
            if outgoing.is_high() {
                // Taking more input would only make more output. The server's own output waits in
                // the socket until it reads.
                return Poll::Pending;
            }
            ready!(self.poll_read(cx))?;
        }
    }

    /// Writes what is queued and the stream's end tag, RFC 6120 §4.4.
    pub(crate) async fn close(&mut self, outgoing: &mut Outgoing) -> Result<(), Error> {
        outgoing.push_stream("</stream:stream>", now());
        std::future::poll_fn(|cx| {
            self.poll_write(cx, outgoing)?;
            if outgoing.is_empty() && !self.unflushed {
                Poll::Ready(Ok::<_, Error>(()))
            } else {
                Poll::Pending
            }
        })
        .await?;
        // RFC 6120 §4.4: wait for the other side's end tag before the connection is closed.
        loop {
            match self.framer.next_frame() {
                Some(Ok(Frame::Close) | Err(_)) => break,
                Some(Ok(_)) => {}
                None => {
                    if std::future::poll_fn(|cx| self.poll_read(cx)).await.is_err() {
                        break;
                    }
                }
            }
        }
        std::future::poll_fn(|cx| Pin::new(&mut self.io).poll_shutdown(cx)).await?;
        Ok(())
    }

    fn handle_frame(
        &mut self,
        frame: Result<Frame, StreamError>,
        outgoing: &mut Outgoing,
    ) -> Result<Option<Event>, Error> {
        match frame {
            Ok(Frame::Stanza(stanza)) => {
                if let Some(error) = stream_error(stanza.root()) {
                    return Err(error);
                }
                if self.pings.is_ours(stanza.root()) {
                    self.keepalive.handle_pong();
                    return Ok(None);
                }
                self.counters.stanzas_in.add(1);
                Ok(Some(Event::Stanza(stanza)))
            }
            Ok(Frame::Bad(stanza)) => {
                self.counters.bad_stanzas.add(1);
                debug!(error = %stanza.error, "Stanza over a limit");
                Ok(Some(Event::Bad(stanza)))
            }
            Ok(Frame::Close) => Err(Error::Closed),
            Ok(Frame::Open(_)) => Err(Error::Protocol("a second stream header")),
            Err(error) => {
                // RFC 6120 §4.9.1.1: say what was wrong and end the stream. Only what fits into
                // the socket now is written; the connection is closed in any case.
                outgoing.push_stream(
                    format!(
                        "<stream:error><{} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
                         </stream:error></stream:stream>",
                        error.condition()
                    ),
                    now(),
                );
                let mut cx = Context::from_waker(std::task::Waker::noop());
                if let Err(error) = self.poll_write(&mut cx, outgoing) {
                    debug!(%error, "The stream error could not be written");
                }
                Err(error.into())
            }
        }
    }

    /// Writes until nothing waits or the connection takes no more.
    fn poll_write(&mut self, cx: &mut Context<'_>, outgoing: &mut Outgoing) -> Result<(), Error> {
        while !outgoing.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = outgoing.slices(&mut slices);
            let slices = slices.get(..filled).unwrap_or_default();
            match Pin::new(&mut self.io).poll_write_vectored(cx, slices) {
                Poll::Ready(Ok(0)) => return Err(Error::Closed),
                Poll::Ready(Ok(n)) => {
                    let now = now();
                    self.counters.stanzas_out.add(outgoing.advance(n));
                    self.counters.bytes_out.add(n);
                    self.counters.writes.add(1);
                    self.keepalive.handle_write(now);
                    self.unflushed = true;
                    self.stalled = None;
                }
                Poll::Ready(Err(error)) => return Err(error.into()),
                Poll::Pending => {
                    self.stalled.get_or_insert_with(now);
                    return Ok(());
                }
            }
        }
        if self.unflushed {
            match Pin::new(&mut self.io).poll_flush(cx) {
                Poll::Ready(Ok(())) => {
                    self.unflushed = false;
                    self.stalled = None;
                }
                Poll::Ready(Err(error)) => return Err(error.into()),
                Poll::Pending => {
                    self.stalled.get_or_insert_with(now);
                }
            }
        }
        Ok(())
    }

    /// Does what is due; true if that left something to write.
    fn poll_timer(&mut self, cx: &mut Context<'_>, outgoing: &mut Outgoing) -> Result<bool, Error> {
        loop {
            let now = now();
            if self.stalled.is_some_and(|since| now >= since + STALL) {
                return Err(Error::Stalled);
            }
            let mut wrote = false;
            loop {
                match self.keepalive.poll(now) {
                    Action::Wait => break,
                    // What already waits keeps the connection as open as a space would.
                    Action::Space if !outgoing.is_empty() => {}
                    Action::Space => {
                        outgoing.push_stream(" ", now);
                        wrote = true;
                    }
                    Action::Ping => {
                        self.counters.pings.add(1);
                        outgoing.push_stream(self.pings.next(), now);
                        wrote = true;
                    }
                    Action::Doubt => warn!(
                        "The XMPP server answers no ping; a dead link will be noticed by TCP alone"
                    ),
                    Action::Dead => return Err(Error::Dead),
                }
            }
            if wrote {
                return Ok(true);
            }
            let due = self.stalled.map_or_else(
                || self.keepalive.deadline(),
                |since| self.keepalive.deadline().min(since + STALL),
            );
            if due < self.armed {
                self.arm(due);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Ok(false);
            }
            self.arm(due);
        }
    }

    fn arm(&mut self, at: Instant) {
        self.armed = at;
        self.timer.as_mut().reset(at.into());
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut buffer = ReadBuf::new(&mut self.input);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
        let bytes = buffer.filled();
        if bytes.is_empty() {
            return Poll::Ready(Err(Error::Closed));
        }
        self.framer.push(bytes);
        self.counters.bytes_in.add(bytes.len());
        self.keepalive.handle_read(now());
        Poll::Ready(Ok(()))
    }
}

/// The stream error that `element` is, if it is one (RFC 6120 §4.9.2).
pub(crate) fn stream_error(element: Element<'_>) -> Option<Error> {
    if !element.is("error", NS_STREAM) {
        return None;
    }
    let conditions = || {
        element
            .children()
            .filter(|child| child.ns() == NS_STREAM_ERROR)
    };
    Some(Error::Stream {
        condition: conditions()
            .map(Element::name)
            .find(|name| *name != "text")
            .unwrap_or("undefined-condition")
            .to_owned(),
        text: conditions()
            .find(|child| child.name() == "text")
            .map(|text| text.text().into_owned()),
    })
}

impl Pings {
    /// `prefix` must be one that no peer can guess.
    pub(crate) fn new(jid: String, prefix: String) -> Self {
        Self {
            jid,
            prefix,
            count: 0,
        }
    }

    /// XEP-0199 §4, from our address to our address.
    fn next(&mut self) -> String {
        self.count += 1;
        let mut writer = Writer::new(NS_COMPONENT);
        writer.open("iq", NS_COMPONENT);
        writer.attr("type", "get");
        writer.attr("from", &self.jid);
        writer.attr("to", &self.jid);
        writer.attr("id", format!("{}{}", self.prefix, self.count));
        writer.open("ping", "urn:xmpp:ping");
        writer.close();
        writer.close();
        writer.finish()
    }

    /// Whether it is a ping of ours that came back, or any answer to one.
    fn is_ours(&self, stanza: Element<'_>) -> bool {
        stanza.is("iq", NS_COMPONENT)
            && stanza
                .attr("id")
                .is_some_and(|id| id.starts_with(&self.prefix))
    }
}

/// The runtime's clock, which tests can stop.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// How long output may wait without a byte being taken before the link is given up.
pub(crate) const STALL: Duration = Duration::from_secs(30);
const READ_BYTES: usize = 32 * 1024;
/// Stanzas in one vectored write.
const SLICES: usize = 64;
const NS_STREAM_ERROR: &str = "urn:ietf:params:xml:ns:xmpp-streams";
