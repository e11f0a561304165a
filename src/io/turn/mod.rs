//! The sockets of the STUN and TURN server, in threads of their own.
//!
//! Everything that is decided is decided by [`crate::turn::Server`]; here messages are carried to it
//! and what it says is done: datagrams in batches, and TCP and TLS clients beside them, all in the
//! rounds of one epoll loop per thread.

mod accept;
mod addresses;
mod batch;
mod exits;
mod filter;
mod listener;
mod mailbox;
mod meter;
mod outbox;
mod pace;
mod policer;
mod poll;
mod segments;
mod share;
mod stream;
mod streams;
mod tls;
mod worker;

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    os::fd::{AsFd, RawFd},
    sync::{Arc, OnceLock},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use mailbox::{Command, Mailbox};
use rand::RngExt;
use rustix::{
    io::fcntl_dupfd_cloexec,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::mpsc::Sender;

pub use meter::Meter;
pub use tls::CertificateError;

use crate::{
    credentials::Secrets,
    turn::{Config, Counters, Ended, Listen, Problem, Server, Shared, Site, Transport},
};

/// Binds the listeners and starts serving. `beside` is where else this process listens, which is no
/// peer either, whatever the configuration lifts.
///
/// # Errors
///
/// Says which key of `[turn]` keeps it from starting.
pub fn start(config: &Config, secrets: Secrets, beside: &[SocketAddr]) -> Result<Service, Error> {
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
    let addresses = config.bound_addresses();
    let descriptors = addresses.len() * config.relay_ports.count() + config.connections;
    for address in addresses {
        // Any port will do: this only asks whether the address is ours.
        let socket = bind(SocketAddr::new(address, 0));
        let socket = socket.map_err(|source| Error::Relay { address, source })?;
        make_room(&socket, descriptors);
    }
    let count = match config.workers {
        0 => thread::available_parallelism().map_or(1, Into::into),
        count => count,
    };
    let mut listening = Vec::new();
    let mut sockets: Vec<Sockets> = (0..count).map(|_| Sockets::default()).collect();
    for listen in &config.listen {
        let address = sockets_for(*listen, &mut sockets).map_err(|source| Error::Listen {
            listen: *listen,
            source,
        })?;
        listening.push(Listen {
            transport: listen.transport,
            address,
        });
    }
    let site = Site {
        listening: (listening.iter().map(|it| it.address))
            .chain(beside.iter().copied())
            .collect(),
        own: addresses::own(),
    };
    let shared = Shared::new(config, count, Instant::now(), rand::rng().random());
    let shared = Arc::new(shared);
    let boxes: io::Result<Vec<_>> = (0..count).map(|_| mailbox::mailbox()).collect();
    let (mailboxes, inboxes): (Vec<_>, Vec<_>) = boxes.map_err(Error::Thread)?.into_iter().unzip();
    let mut service = Service {
        listening,
        certificates,
        threads: Vec::new(),
        meter: Meter::default(),
        ended: Arc::default(),
    };
    let workers = sockets.into_iter().zip(inboxes).zip(&mailboxes);
    for (number, ((sockets, inbox), mailbox)) in workers.enumerate() {
        let counters = service.meter.add();
        let worker = worker::Start {
            server: Server::one_of_many(
                config,
                secrets.clone(),
                site.clone(),
                Instant::now(),
                unix(),
                rand::rng().random(),
                Arc::clone(&shared),
                number,
            ),
            listeners: sockets.listeners,
            acceptors: sockets.acceptors,
            certificates: service.certificates.clone(),
            limits: streams::Limits {
                connections: config.connections.div_ceil(count),
                handshakes: config.handshakes.div_ceil(count),
            },
            inbox,
            mailboxes: mailboxes.clone(),
            counters,
            ended: Arc::clone(&service.ended),
        };
        let handle = thread::Builder::new()
            .name(format!("turn-{number}"))
            .spawn(move || worker::run(worker))
            .map_err(Error::Thread)?;
        service.threads.push(Thread {
            mailbox: mailbox.clone(),
            handle: Some(handle),
        });
    }
    Ok(service)
}

/// What one thread listens on.
#[derive(Default)]
struct Sockets {
    listeners: Vec<listener::Listener>,
    acceptors: Vec<accept::Acceptor>,
}

/// Binds one listener for each thread; the kernel spreads the clients over them, each always to the
/// same. Answers the address, with the port if that was any.
fn sockets_for(listen: Listen, threads: &mut [Sockets]) -> io::Result<SocketAddr> {
    let Listen {
        transport,
        mut address,
    } = listen;
    let together = threads.len() > 1;
    let (kind, protocol) = match transport {
        Transport::Udp => (Type::DGRAM, Protocol::UDP),
        Transport::Tcp | Transport::Tls => (Type::STREAM, Protocol::TCP),
    };
    if together {
        // Alone first: sockets that share a port would share it with another process, too.
        let alone = open(address, kind, protocol)?;
        // Else connections of the last run would keep the next one from listening.
        alone.set_reuse_address(transport != Transport::Udp)?;
        alone.bind(&address.into())?;
        if transport != Transport::Udp {
            alone.listen(1)?;
        }
    }
    for thread in threads {
        let socket = open(address, kind, protocol)?;
        socket.set_reuse_port(together)?;
        if transport == Transport::Udp {
            // All clients come in here; what the system does not grant is no reason to fail.
            let _ = socket.set_recv_buffer_size(LISTENER_BUFFER);
            socket.bind(&address.into())?;
            let listener = listener::Listener::new(socket.into())?;
            address = listener.address();
            thread.listeners.push(listener);
        } else {
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            let socket = TcpListener::from(socket);
            address = socket.local_addr()?;
            thread
                .acceptors
                .push(accept::Acceptor { socket, transport });
        }
    }
    Ok(address)
}

/// A running server. Dropping it stops it, too, without waiting.
#[derive(Debug)]
pub struct Service {
    listening: Vec<Listen>,
    certificates: Option<Arc<tls::Certificates>>,
    threads: Vec<Thread>,
    meter: Meter,
    ended: Arc<OnceLock<Sender<Ended>>>,
}

#[derive(Debug)]
struct Thread {
    mailbox: Mailbox,
    /// Until it is waited for.
    handle: Option<thread::JoinHandle<()>>,
}

impl Service {
    /// Where it listens: the entries of `turn.listen` with the ports that were really bound.
    #[must_use]
    pub fn listening(&self) -> &[Listen] {
        &self.listening
    }

    /// Has it told what is left of allocations that end from now on. What finds no room is not
    /// told; only the first call of this has an effect.
    pub fn tell_ended(&self, ended: Sender<Ended>) {
        self.ended.get_or_init(|| ended);
    }

    /// Ends all allocations of a user name, as at hang-up.
    pub fn drop_allocations(&self, username: &str) {
        for thread in &self.threads {
            let command = Command::DropAllocations(username.into());
            thread.mailbox.command(command);
        }
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
        self.meter.counters()
    }

    /// A handle on what is counted, for a listener of metrics.
    #[must_use]
    pub fn meter(&self) -> Meter {
        self.meter.clone()
    }

    /// Whether the threads still run, as they should until [`Service::stop`].
    #[must_use]
    pub fn is_running(&self) -> bool {
        let runs = |it: &thread::JoinHandle<()>| !it.is_finished();
        self.threads
            .iter()
            .all(|thread| thread.handle.as_ref().is_some_and(runs))
    }

    /// Makes no more allocations, and waits until those that exist have ended, or until a deadline.
    pub async fn drain(&self, until: Instant) {
        for thread in &self.threads {
            thread.mailbox.command(Command::Drain);
        }
        // The threads leave their numbers when they are told, and then every second.
        let mut pause = Duration::from_millis(20);
        loop {
            tokio::time::sleep(pause).await;
            if self.counters().allocations == 0 || !self.is_running() || Instant::now() >= until {
                return;
            }
            pause = Duration::from_millis(100);
        }
    }

    /// Closes all sockets, waits until that is done, and answers what was counted to the end.
    pub async fn stop(mut self) -> Counters {
        self.tell_to_stop();
        let handles: Vec<_> = self
            .threads
            .iter_mut()
            .filter_map(|it| it.handle.take())
            .collect();
        let joined = tokio::task::spawn_blocking(|| {
            let ends = handles.into_iter().map(thread::JoinHandle::join);
            ends.filter(Result::is_err).count()
        });
        if !matches!(joined.await, Ok(0)) {
            tracing::error!("A TURN thread ended with a panic");
        }
        self.counters()
    }

    fn tell_to_stop(&self) {
        for thread in &self.threads {
            thread.mailbox.command(Command::Stop);
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.tell_to_stop();
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

/// A non-blocking UDP socket for one address family only.
fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = open(address, Type::DGRAM, Protocol::UDP)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// A non-blocking socket for one address family only.
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

/// Has the kernel make room for so many descriptors now.
///
/// Its table of them doubles when it is full, and where there are threads it waits each time until
/// none looks at the old one: some ten milliseconds in which nothing is relayed.
fn make_room(descriptor: impl AsFd, count: usize) {
    let limit = getrlimit(Resource::Nofile).current;
    let limit = limit.and_then(|it| usize::try_from(it).ok());
    let last = count.min(ROOM).min(limit.unwrap_or(ROOM)).saturating_sub(1);
    if let Ok(last) = RawFd::try_from(last) {
        // Closed at once; the room stays.
        let _ = fcntl_dupfd_cloexec(descriptor, last);
    }
}

fn unix() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Descriptors that room is made for at most: half a megabyte of the kernel's memory.
const ROOM: usize = 65_536;

/// What may wait in a listener while the thread is busy elsewhere: milliseconds of a line's rate.
/// With more, a flood would make everybody wait longer, and be served no better.
const LISTENER_BUFFER: usize = 512 << 10;

/// TCP connections that wait to be accepted.
const BACKLOG: i32 = 1024;
