//! What epoll is told to watch, and what it tells.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

use rustix::event::{
    Timespec,
    epoll::{self, Event, EventData, EventFlags},
};

/// What epoll tells us of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Token {
    Wake,
    Listener(usize),
    Relay(usize),
    Acceptor(usize),
    Stream(usize),
}

impl Token {
    pub(super) fn encode(self) -> u64 {
        let (kind, index) = match self {
            Self::Wake => (0, 0),
            Self::Listener(index) => (1, index),
            Self::Relay(index) => (2, index),
            Self::Acceptor(index) => (3, index),
            Self::Stream(index) => (4, index),
        };
        kind << 56 | index as u64
    }

    pub(super) fn decode(bits: u64) -> Self {
        let index = usize::try_from(bits & 0x00FF_FFFF_FFFF_FFFF).unwrap_or(usize::MAX);
        match bits >> 56 {
            1 => Self::Listener(index),
            2 => Self::Relay(index),
            3 => Self::Acceptor(index),
            4 => Self::Stream(index),
            _ => Self::Wake,
        }
    }
}

/// Has epoll tell when a socket can be read.
pub(super) fn watch(epoll: BorrowedFd<'_>, socket: impl AsFd, token: Token) -> io::Result<()> {
    let token = EventData::new_u64(token.encode());
    Ok(epoll::add(epoll, socket, token, EventFlags::IN)?)
}

/// Waits for events, until an instant at the latest.
pub(super) fn wait(
    epoll: BorrowedFd<'_>,
    events: &mut Vec<Event>,
    until: Instant,
) -> io::Result<()> {
    let left = until.saturating_duration_since(Instant::now());
    // Whole milliseconds, and not before the time.
    let left = left + Duration::from_millis(1);
    let timeout = Timespec {
        tv_sec: left.as_secs().try_into().unwrap_or(1),
        tv_nsec: left.subsec_nanos().into(),
    };
    events.clear();
    match epoll::wait(
        epoll,
        rustix::buffer::spare_capacity(events),
        Some(&timeout),
    ) {
        Ok(_) => Ok(()),
        Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
