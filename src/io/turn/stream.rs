//! One client over TCP, or TLS over TCP.

use std::{
    io::{self, ErrorKind, IoSlice, Read, Write},
    net::TcpStream,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{ServerConfig, ServerConnection};

use crate::{stun::Framer, turn::FiveTuple};

/// A connection: bytes in, frames out, and the other way.
///
/// Who has no allocation gets little: small messages only, and seconds to send one. Bytes that do
/// not complete a message buy no time.
pub(super) struct Stream {
    socket: TcpStream,
    session: Option<Box<ServerConnection>>,
    five_tuple: FiveTuple,
    framer: Framer,
    /// What the socket has not taken yet; with TLS the session holds it.
    unsent: Vec<u8>,
    /// How much the session holds at most.
    in_session: usize,
    has_allocation: bool,
    /// Until then a message has to come, unless there is an allocation.
    deadline: Instant,
    /// Since when a message has been incomplete.
    amid_since: Option<Instant>,
    /// Since when the client has taken nothing of what waits for it.
    stuck_since: Option<Instant>,
}

/// The connection is over, or deserves no better.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Over;

impl Stream {
    pub(super) fn new(
        now: Instant,
        socket: TcpStream,
        five_tuple: FiveTuple,
        tls: Option<Arc<ServerConfig>>,
    ) -> Result<Self, Over> {
        let session = match tls {
            None => None,
            Some(config) => {
                let mut session = ServerConnection::new(config).map_err(|_| Over)?;
                // We count, so that messages are taken whole.
                session.set_buffer_limit(None);
                Some(Box::new(session))
            }
        };
        Ok(Self {
            socket,
            session,
            five_tuple,
            framer: Framer::new(STRANGERS_FRAME),
            unsent: Vec::new(),
            in_session: 0,
            has_allocation: false,
            deadline: now + OPENING,
            amid_since: None,
            stuck_since: None,
        })
    }

    pub(super) fn five_tuple(&self) -> FiveTuple {
        self.five_tuple
    }

    pub(super) fn has_allocation(&self) -> bool {
        self.has_allocation
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.session.as_ref().is_some_and(|it| it.is_handshaking())
    }

    /// Whether something waits for the socket to take it.
    pub(super) fn is_waiting(&self) -> bool {
        !self.unsent.is_empty() || self.session.as_ref().is_some_and(|it| it.wants_write())
    }

    /// Takes some of what came in. `space` is anybody's.
    pub(super) fn read(&mut self, space: &mut [u8]) -> Result<(), Over> {
        let Some(session) = &mut self.session else {
            let length = match self.socket.read(space) {
                Ok(0) => return Err(Over),
                Ok(length) => length,
                Err(error) => return passing(&error),
            };
            self.framer.push(space.get(..length).unwrap_or_default());
            return Ok(());
        };
        match session.read_tls(&mut self.socket) {
            Ok(0) => return Err(Over),
            Ok(_) => {}
            Err(error) => return passing(&error),
        }
        let processed = session.process_new_packets();
        loop {
            match session.reader().read(space) {
                Ok(0) => return Err(Over),
                Ok(length) => self.framer.push(space.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return Err(Over),
            }
        }
        // The alert that says why goes out with the rest.
        if processed.is_err() {
            let _ = session.write_tls(&mut self.socket);
            return Err(Over);
        }
        Ok(())
    }

    /// The next message is copied to the front of `space`; its length.
    pub(super) fn next_frame(
        &mut self,
        now: Instant,
        space: &mut [u8],
    ) -> Result<Option<usize>, Over> {
        let Some(frame) = self.framer.next_frame() else {
            let amid = self.framer.is_amid_message();
            self.amid_since = amid.then(|| self.amid_since.unwrap_or(now));
            return Ok(None);
        };
        let frame = frame.map_err(|_| Over)?;
        space
            .get_mut(..frame.len())
            .ok_or(Over)?
            .copy_from_slice(frame);
        self.deadline = now + IDLE;
        self.amid_since = None;
        Ok(Some(frame.len()))
    }

    /// What the engine says of the client.
    pub(super) fn set_has_allocation(&mut self, now: Instant, has: bool) {
        if self.has_allocation && !has {
            self.deadline = now + IDLE;
        }
        self.has_allocation = has;
        let limit = if has { ANY_FRAME } else { STRANGERS_FRAME };
        self.framer.set_limit(limit);
    }

    /// Queues a message, or drops it whole when too much waits already: it is data that its sender
    /// put into a datagram. Answers whether it was queued.
    pub(super) fn push(&mut self, message: &[u8]) -> bool {
        // RFC 8656 §12.5: over TCP, ChannelData is padded to a multiple of four bytes; STUN is one.
        let padded = message.len().next_multiple_of(4);
        let padding = [0; 3].get(..padded - message.len()).unwrap_or_default();
        if self.unsent.len() + self.in_session + padded > UNSENT {
            return false;
        }
        let Some(session) = &mut self.session else {
            self.unsent.extend_from_slice(message);
            self.unsent.extend_from_slice(padding);
            return true;
        };
        self.in_session += padded;
        // In a record of its own: some clients, coturn's among them, take a record for a message.
        let parts = [IoSlice::new(message), IoSlice::new(padding)];
        let written = session.writer().write_vectored(&parts);
        written.is_ok_and(|length| length == padded)
    }

    /// Writes what the socket takes.
    pub(super) fn flush(&mut self, now: Instant) -> Result<(), Over> {
        let mut moved = false;
        let result = self.write(&mut moved);
        if self.unsent.is_empty() {
            self.unsent.shrink_to(KEPT);
        }
        self.stuck_since = match (self.is_waiting(), moved, self.stuck_since) {
            (false, ..) => None,
            (true, false, Some(since)) => Some(since),
            (true, ..) => Some(now),
        };
        result
    }

    fn write(&mut self, moved: &mut bool) -> Result<(), Over> {
        loop {
            let Some(session) = &mut self.session else {
                if self.unsent.is_empty() {
                    return Ok(());
                }
                match self.socket.write(&self.unsent) {
                    Ok(length) => self.unsent.drain(..length),
                    Err(error) => return passing(&error),
                };
                *moved = true;
                continue;
            };
            if !session.wants_write() {
                self.in_session = 0;
                return Ok(());
            }
            match session.write_tls(&mut self.socket) {
                Ok(_) => *moved = true,
                Err(error) => return passing(&error),
            }
        }
    }

    /// Whether the client has used up its time.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        let since = |since: Option<Instant>| since.is_some_and(|it| it + STUCK <= now);
        (!self.has_allocation && self.deadline <= now)
            || since(self.amid_since)
            || since(self.stuck_since)
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn passing(error: &io::Error) -> Result<(), Over> {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(()),
        _ => Err(Over),
    }
}

/// For the handshake and the first message.
const OPENING: Duration = Duration::from_secs(10);

/// From message to message, while there is no allocation.
const IDLE: Duration = Duration::from_secs(30);

/// For the rest of a message that has begun, and for taking what waits.
const STUCK: Duration = Duration::from_secs(30);

/// The longest message of a client without an allocation.
const STRANGERS_FRAME: usize = 2048;

/// The longest message there can be: ChannelData, padded.
const ANY_FRAME: usize = 4 + 65536;

/// What may wait for a client that is slow to take it.
const UNSENT: usize = 256 * 1024;

/// Capacity that is kept between messages.
const KEPT: usize = 1024;

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::turn::Transport;

    /// A stream of a client that has just come, and the client's end.
    fn stream(now: Instant) -> (Stream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, from) = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        let five_tuple = FiveTuple {
            client: from,
            server: listener.local_addr().unwrap(),
            transport: Transport::Tcp,
        };
        (Stream::new(now, socket, five_tuple, None).unwrap(), client)
    }

    /// What the client sends is read; the number of messages in it.
    fn sends(stream: &mut Stream, client: &mut TcpStream, now: Instant, bytes: &[u8]) -> usize {
        client.write_all(bytes).unwrap();
        let mut space = [0; 1000];
        stream.socket.set_nonblocking(false).unwrap();
        stream.read(&mut space).unwrap();
        stream.socket.set_nonblocking(true).unwrap();
        std::iter::from_fn(|| stream.next_frame(now, &mut space).unwrap()).count()
    }

    const MESSAGE: &[u8] = &[0x40, 0, 0, 1, 7, 0, 0, 0];

    #[test]
    fn who_sends_nothing_is_overdue_soon() {
        let now = Instant::now();
        let (stream, _client) = stream(now);
        assert!(!stream.is_overdue(now + OPENING - Duration::from_secs(1)));
        assert!(stream.is_overdue(now + OPENING));
    }

    #[test]
    fn bytes_that_complete_no_message_buy_no_time() {
        let now = Instant::now();
        let (mut stream, mut client) = stream(now);
        for (second, byte) in (1..).zip(&MESSAGE[..5]) {
            let now = now + Duration::from_secs(second);
            assert_eq!(sends(&mut stream, &mut client, now, &[*byte]), 0);
        }
        assert!(stream.is_overdue(now + OPENING));
    }

    #[test]
    fn messages_buy_time_until_there_is_an_allocation() {
        let now = Instant::now();
        let (mut stream, mut client) = stream(now);
        assert_eq!(sends(&mut stream, &mut client, now, MESSAGE), 1);
        assert!(!stream.is_overdue(now + OPENING));
        assert!(stream.is_overdue(now + IDLE));
        stream.set_has_allocation(now, true);
        let later = now + IDLE * 100;
        assert!(!stream.is_overdue(later));
        stream.set_has_allocation(later, false);
        assert!(!stream.is_overdue(later));
        assert!(stream.is_overdue(later + IDLE));
    }

    #[test]
    fn a_message_left_incomplete_ends_even_who_has_an_allocation() {
        let now = Instant::now();
        let (mut stream, mut client) = stream(now);
        stream.set_has_allocation(now, true);
        assert_eq!(sends(&mut stream, &mut client, now, &MESSAGE[..5]), 0);
        let later = now + STUCK - Duration::from_secs(1);
        assert_eq!(sends(&mut stream, &mut client, later, &MESSAGE[5..6]), 0);
        assert!(!stream.is_overdue(later));
        assert!(stream.is_overdue(now + STUCK));
        let rest = &MESSAGE[6..];
        assert_eq!(sends(&mut stream, &mut client, now + STUCK, rest), 1);
        assert_eq!(sends(&mut stream, &mut client, now + STUCK, MESSAGE), 1);
        assert!(!stream.is_overdue(now + STUCK * 2));
    }

    #[test]
    fn who_takes_nothing_loses_whole_messages_and_then_the_connection() {
        let now = Instant::now();
        let (mut stream, mut client) = stream(now);
        stream.set_has_allocation(now, true);
        let message = [&[0x40, 0, 0x75, 0x30][..], &[5; 30_000]].concat();
        let mut queued = 0;
        while stream.push(&message) {
            queued += 1;
            stream.flush(now).unwrap();
        }
        assert!(stream.is_waiting());
        let later = now + STUCK;
        stream.flush(later).unwrap();
        assert!(stream.is_overdue(later));
        // Taking some of it is a sign of life, and what comes is whole.
        client.set_nonblocking(true).unwrap();
        let mut taken = Vec::new();
        while taken.len() < queued * message.len() {
            let mut space = vec![0; 1 << 16];
            if let Ok(length) = client.read(&mut space) {
                taken.extend_from_slice(&space[..length]);
            }
            stream.flush(later).unwrap();
        }
        assert!(!stream.is_overdue(later + STUCK));
        assert!(taken.chunks(message.len()).all(|it| it == message));
    }
}
