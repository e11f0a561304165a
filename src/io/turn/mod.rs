//! The sockets of the TURN server, in a thread of their own.
//!
//! Everything that is decided is decided by [`crate::turn::Server`]; here datagrams are carried to it
//! and what it says is done. Only UDP listeners are served so far.

mod addresses;
mod worker;

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use rand::RngExt;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::sync::mpsc;

use crate::{
    credentials::Secrets,
    turn::{Config, Counters, Listen, Problem, Transport},
};

/// Binds the listeners and starts serving.
///
/// # Errors
///
/// Says which key of `[turn]` keeps it from starting.
pub fn start(config: &Config, secrets: Secrets) -> Result<Service, Error> {
    if let Some(problem) = config.problems().into_iter().next() {
        return Err(Error::Config(problem));
    }
    if secrets.current.is_empty() || secrets.previous.as_ref().is_some_and(|it| it.is_empty()) {
        return Err(Error::Config(Problem::EmptySecret("secret")));
    }
    for told in config.relay_addresses() {
        let address = config.bind_address(told);
        // Any port will do: this only asks whether the address is ours.
        bind(SocketAddr::new(address, 0)).map_err(|source| Error::Relay { address, source })?;
    }
    let mut listening = Vec::new();
    let mut sockets = Vec::new();
    for listen in &config.listen {
        let failed = |source| Error::Listen {
            listen: *listen,
            source,
        };
        let socket = bind(listen.address).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        // All clients come in here; what the system does not grant is no reason to fail.
        let _ = SockRef::from(&socket).set_recv_buffer_size(LISTENER_BUFFER);
        listening.push(Listen {
            transport: Transport::Udp,
            address,
        });
        sockets.push((address, socket));
    }
    let (commands, inbox) = mpsc::channel(COMMANDS);
    let counters = Arc::new(Mutex::new(Counters::default()));
    let worker = worker::Start {
        config: config.clone(),
        secrets,
        seed: rand::rng().random(),
        sockets,
        inbox,
        counters: Arc::clone(&counters),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Thread)?;
    let thread = thread::Builder::new()
        .name("turn".into())
        .spawn(move || worker::run(&runtime, worker))
        .map_err(Error::Thread)?;
    Ok(Service {
        listening,
        commands,
        counters,
        thread,
    })
}

/// A running server. Dropping it stops it, too, without waiting.
#[derive(Debug)]
pub struct Service {
    listening: Vec<Listen>,
    commands: mpsc::Sender<Command>,
    counters: Arc<Mutex<Counters>>,
    thread: thread::JoinHandle<()>,
}

impl Service {
    /// Where it listens: the entries of `turn.listen` with the ports that were really bound.
    #[must_use]
    pub fn listening(&self) -> &[Listen] {
        &self.listening
    }

    /// Ends all allocations of a user name, as at hang-up.
    pub fn drop_allocations(&self, username: &str) {
        let command = Command::DropAllocations(username.into());
        if self.commands.try_send(command).is_err() {
            // They end by themselves when they are not refreshed any more.
            tracing::warn!("TURN allocations of a call that ended could not be dropped");
        }
    }

    /// What was counted, not older than a second.
    #[must_use]
    pub fn counters(&self) -> Counters {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the thread still runs, as it should until [`Service::stop`].
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Closes all sockets, waits until that is done, and answers what was counted to the end.
    pub async fn stop(self) -> Counters {
        let Self {
            commands,
            thread,
            counters,
            ..
        } = self;
        drop(commands);
        let joined = tokio::task::spawn_blocking(|| thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("The TURN thread ended with a panic");
        }
        *counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(Problem),
    /// A listener cannot be bound.
    #[error("turn.listen: \"{listen}\" cannot be bound: {source}")]
    Listen {
        /// Which.
        listen: Listen,
        /// Why.
        source: io::Error,
    },
    /// Relay sockets cannot be bound.
    #[error(
        "turn.relay_address: no socket can be bound to {address}: {source}; \
         if that is the address outside of a NAT, set turn.relay_bind to the one inside"
    )]
    Relay {
        /// Where.
        address: IpAddr,
        /// Why.
        source: io::Error,
    },
    /// No thread.
    #[error("the thread of the TURN server cannot be started: {0}")]
    Thread(io::Error),
}

#[derive(Debug)]
enum Command {
    DropAllocations(String),
}

/// A non-blocking UDP socket for one address family only.
fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        // Else IPv4 clients would show up in the mapped form, which is no address of theirs.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// More hang-ups than can come between two rounds of the thread.
const COMMANDS: usize = 4096;

/// What may wait in a listener while the thread is busy elsewhere.
const LISTENER_BUFFER: usize = 4 << 20;
