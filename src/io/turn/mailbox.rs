//! What one thread, or the rest of the process, has to say to another thread.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, mpsc},
};

use rustix::event::EventfdFlags;

use crate::turn::RelayId;

/// Leaves commands and datagrams for a thread, and wakes it.
#[derive(Clone, Debug)]
pub(super) struct Mailbox {
    commands: mpsc::Sender<Command>,
    forwarded: mpsc::SyncSender<Forwarded>,
    wake: Arc<OwnedFd>,
}

/// The thread's end.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) forwarded: mpsc::Receiver<Forwarded>,
    wake: Arc<OwnedFd>,
}

#[derive(Debug)]
pub(super) enum Command {
    /// An allocation is to end.
    Displace(RelayId),
    DropAllocations(String),
    /// No new allocations.
    Drain,
    Stop,
}

/// Data from a relay of another thread.
#[derive(Debug)]
pub(super) struct Forwarded {
    pub(super) relay: RelayId,
    pub(super) from: SocketAddr,
    pub(super) data: Vec<u8>,
}

pub(super) fn mailbox() -> io::Result<(Mailbox, Inbox)> {
    let flags = EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC;
    let wake = Arc::new(rustix::event::eventfd(0, flags)?);
    let (command, commands) = mpsc::channel();
    let (forward, forwarded) = mpsc::sync_channel(FORWARDED);
    let mailbox = Mailbox {
        commands: command,
        forwarded: forward,
        wake: Arc::clone(&wake),
    };
    let inbox = Inbox {
        commands,
        forwarded,
        wake,
    };
    Ok((mailbox, inbox))
}

impl Mailbox {
    pub(super) fn command(&self, command: Command) {
        // A thread that is gone has nothing left to do.
        if self.commands.send(command).is_ok() {
            self.wake();
        }
    }

    /// Leaves a datagram, to be seen after the next [`Self::wake`]. Answers whether there was room.
    pub(super) fn forward(&self, forwarded: Forwarded) -> bool {
        self.forwarded.try_send(forwarded).is_ok()
    }

    pub(super) fn wake(&self) {
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

impl Inbox {
    /// Until the next wake-up there is nothing new.
    pub(super) fn is_read(&self) {
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

/// Datagrams that may wait for a thread.
const FORWARDED: usize = 2048;
