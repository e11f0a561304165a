//! The sockets of the STUN and TURN server, in threads of their own.
//!
//! Everything that is decided is decided by [`crate::turn::Server`]; here messages are carried to it
//! and what it says is done: datagrams in batches, and TCP and TLS clients beside them, all in the
//! rounds of one epoll loop per thread.

mod addresses;
mod batch;
mod outbox;
mod pace;
mod share;
mod stream;
mod streams;
mod tls;
mod worker;

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use rand::RngExt;
use rustix::{
    event::EventfdFlags,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

pub use tls::CertificateError;

use crate::{
    credentials::Secrets,
    turn::{Config, Counters, Listen, Problem, Server, Site, Transport},
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
    let certificates = match (&config.certificate, &config.key) {
        (Some(certificate), Some(key)) => {
            let certificates = tls::Certificates::load(certificate.clone(), key.clone());
            Some(Arc::new(certificates.map_err(Error::Certificate)?))
        }
        _ => None,
    };
    raise_descriptors();
    for told in config.relay_addresses() {
        let address = config.bind_address(told);
        // Any port will do: this only asks whether the address is ours.
        bind(SocketAddr::new(address, 0)).map_err(|source| Error::Relay { address, source })?;
    }
    let mut listening = Vec::new();
    let mut listeners = Vec::new();
    let mut acceptors = Vec::new();
    for listen in &config.listen {
        let failed = |source| Error::Listen {
            listen: *listen,
            source,
        };
        let address = match listen.transport {
            Transport::Udp => {
                let socket = bind(listen.address).map_err(failed)?;
                // All clients come in here; what the system does not grant is no reason to fail.
                let _ = SockRef::from(&socket).set_recv_buffer_size(LISTENER_BUFFER);
                let address = socket.local_addr().map_err(failed)?;
                listeners.push(worker::Listener::new(socket).map_err(failed)?);
                address
            }
            transport @ (Transport::Tcp | Transport::Tls) => {
                let socket = bind_tcp(listen.address).map_err(failed)?;
                let address = socket.local_addr().map_err(failed)?;
                acceptors.push(worker::Acceptor { socket, transport });
                address
            }
        };
        listening.push(Listen {
            transport: listen.transport,
            address,
        });
    }
    let site = Site {
        listening: listening.iter().map(|it| it.address).collect(),
        own: addresses::own(),
    };
    let seed = rand::rng().random();
    let server = Server::new(config, secrets, site, Instant::now(), unix(), seed);
    let wake = rustix::event::eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC);
    let wake = Arc::new(wake.map_err(|error| Error::Thread(error.into()))?);
    let (commands, inbox) = mpsc::channel();
    let counters = Arc::new(Mutex::new(Counters::default()));
    let worker = worker::Start {
        server,
        listeners,
        acceptors,
        certificates: certificates.clone(),
        limits: streams::Limits {
            connections: config.connections,
            handshakes: config.handshakes,
        },
        inbox,
        wake: Arc::clone(&wake),
        counters: Arc::clone(&counters),
    };
    let thread = thread::Builder::new()
        .name("turn".into())
        .spawn(move || worker::run(worker))
        .map_err(Error::Thread)?;
    Ok(Service {
        listening,
        certificates,
        commands,
        wake,
        counters,
        thread: Some(thread),
    })
}

/// A running server. Dropping it stops it, too, without waiting.
#[derive(Debug)]
pub struct Service {
    listening: Vec<Listen>,
    certificates: Option<Arc<tls::Certificates>>,
    commands: mpsc::Sender<Command>,
    /// Written to when there is a command.
    wake: Arc<OwnedFd>,
    counters: Arc<Mutex<Counters>>,
    /// Until it is waited for.
    thread: Option<thread::JoinHandle<()>>,
}

impl Service {
    /// Where it listens: the entries of `turn.listen` with the ports that were really bound.
    #[must_use]
    pub fn listening(&self) -> &[Listen] {
        &self.listening
    }

    /// Ends all allocations of a user name, as at hang-up.
    pub fn drop_allocations(&self, username: &str) {
        self.command(Command::DropAllocations(username.into()));
    }

    /// Reads `turn.certificate` and `turn.key` again, for TLS connections that come from now on.
    ///
    /// # Errors
    ///
    /// When the files are no good; those that were read before stay in use.
    pub fn reload(&self) -> Result<(), CertificateError> {
        self.certificates.as_ref().map_or(Ok(()), |it| it.reload())
    }

    /// What was counted, not older than a second.
    #[must_use]
    pub fn counters(&self) -> Counters {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the thread still runs, as it should until [`Service::stop`].
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|it| !it.is_finished())
    }

    /// Closes all sockets, waits until that is done, and answers what was counted to the end.
    pub async fn stop(mut self) -> Counters {
        self.command(Command::Stop);
        if let Some(thread) = self.thread.take() {
            let joined = tokio::task::spawn_blocking(|| thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("The TURN thread ended with a panic");
            }
        }
        self.counters()
    }

    fn command(&self, command: Command) {
        // A thread that is gone has nothing left to do.
        if self.commands.send(command).is_ok() {
            let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.command(Command::Stop);
    }
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No TLS.
    #[error(transparent)]
    Certificate(CertificateError),
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
    Stop,
}

/// A non-blocking UDP socket for one address family only.
fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = open(address, Type::DGRAM, Protocol::UDP)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// A non-blocking TCP listener for one address family only.
fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = open(address, Type::STREAM, Protocol::TCP)?;
    // Else connections of the last run would keep the next one from listening.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn open(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let kind = kind.nonblocking();
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        // Else IPv4 clients would show up in the mapped form, which is no address of theirs.
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// Each allocation is a file descriptor, and the usual soft limit is for programs that use select.
fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        tracing::warn!(%error, "The limit of file descriptors could not be raised");
    }
}

fn unix() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// What may wait in a listener while the thread is busy elsewhere.
const LISTENER_BUFFER: usize = 4 << 20;

/// TCP connections that wait to be accepted.
const BACKLOG: i32 = 1024;
