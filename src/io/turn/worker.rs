//! The thread: one engine, its sockets, and a task per socket that only waits.

use std::{
    cell::RefCell,
    collections::HashMap,
    future,
    io::{self, ErrorKind},
    net::{SocketAddr, UdpSocket as StdSocket},
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::{
    net::UdpSocket,
    runtime::Runtime,
    sync::{Notify, mpsc},
    task::{self, AbortHandle, LocalSet},
    time,
};

use super::{Command, addresses, bind};
use crate::{
    credentials::Secrets,
    turn::{
        Config, Counters, FiveTuple, HEADROOM, OpenError, Output, RelayId, Server, Site, TAILROOM,
        Transport, Verdict,
    },
};

/// What the thread needs to begin.
pub(super) struct Start {
    pub(super) config: Config,
    pub(super) secrets: Secrets,
    pub(super) seed: [u8; 32],
    pub(super) sockets: Vec<(SocketAddr, StdSocket)>,
    pub(super) inbox: mpsc::Receiver<Command>,
    pub(super) counters: Arc<Mutex<Counters>>,
}

/// Serves until nobody can send commands any more.
pub(super) fn run(runtime: &Runtime, start: Start) {
    let tasks = LocalSet::new();
    if let Err(error) = tasks.block_on(runtime, serve(start)) {
        tracing::error!(%error, "The TURN server stopped");
    }
}

async fn serve(start: Start) -> io::Result<()> {
    let Start {
        config,
        secrets,
        seed,
        sockets,
        mut inbox,
        counters,
    } = start;
    let site = Site {
        listening: sockets.iter().map(|(address, _)| *address).collect(),
        own: addresses::own(),
    };
    let server = Server::new(&config, secrets, site, Instant::now(), unix(), seed);
    let mut listeners = Vec::new();
    for (address, socket) in sockets {
        listeners.push((address, Rc::new(UdpSocket::from_std(socket)?)));
    }
    let worker = Rc::new(Worker {
        changed: Notify::new(),
        state: RefCell::new(State {
            server,
            listeners: listeners.clone(),
            relays: HashMap::new(),
            buffer: vec![0; HEADROOM + DATAGRAM + TAILROOM],
            deadline: None,
        }),
    });
    for (address, socket) in listeners {
        task::spawn_local(Rc::clone(&worker).listen(address, socket));
    }
    task::spawn_local(Rc::clone(&worker).keep_time());
    let mut second = time::interval(Duration::from_secs(1));
    let mut minute = time::interval(Duration::from_secs(60));
    loop {
        tokio::select! {
            command = inbox.recv() => match command {
                Some(Command::DropAllocations(username)) => worker.drop_allocations(&username),
                None => {
                    worker.publish(&counters);
                    return Ok(());
                }
            },
            _ = second.tick() => worker.publish(&counters),
            _ = minute.tick() => {
                let server = &mut worker.state.borrow_mut().server;
                server.handle_wall_clock(Instant::now(), unix());
                server.handle_own_addresses(&addresses::own());
            }
        }
    }
}

struct Worker {
    /// The deadline is another one now.
    changed: Notify,
    state: RefCell<State>,
}

struct State {
    server: Server,
    listeners: Vec<(SocketAddr, Rc<UdpSocket>)>,
    relays: HashMap<RelayId, Relay>,
    /// One for all sockets: nothing stays in it.
    buffer: Vec<u8>,
    deadline: Option<Instant>,
}

struct Relay {
    socket: Rc<UdpSocket>,
    task: AbortHandle,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Worker {
    async fn listen(self: Rc<Self>, address: SocketAddr, socket: Rc<UdpSocket>) {
        loop {
            let more = self.round(&socket, |state, now, client, length| {
                let five_tuple = FiveTuple {
                    client,
                    server: address,
                    transport: Transport::Udp,
                };
                let verdict =
                    state
                        .server
                        .handle_datagram(now, five_tuple, &mut state.buffer, length);
                state.act(verdict, Some((&socket, client)));
            });
            wait(more, &socket).await;
        }
    }

    async fn relay(self: Rc<Self>, id: RelayId, socket: Rc<UdpSocket>) {
        loop {
            let more = self.round(&socket, |state, now, from, length| {
                let verdict =
                    state
                        .server
                        .handle_peer_datagram(now, id, from, &mut state.buffer, length);
                state.act(verdict, None);
            });
            wait(more, &socket).await;
        }
    }

    /// Takes what a socket has, but no more than its share, so that one sender at line rate does
    /// not keep the others waiting. Answers whether there is more.
    fn round(
        self: &Rc<Self>,
        socket: &UdpSocket,
        mut handle: impl FnMut(&mut State, Instant, SocketAddr, usize),
    ) -> bool {
        let mut state = self.state.borrow_mut();
        let now = Instant::now();
        let mut more = true;
        for _ in 0..ROUND {
            let Some(space) = state.buffer.get_mut(HEADROOM..HEADROOM + DATAGRAM) else {
                break;
            };
            match socket.try_recv_from(space) {
                Ok((length, from)) => handle(&mut state, now, from, length),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    more = false;
                    break;
                }
                // An ICMP error of an earlier datagram: nobody's business here.
                Err(_) => {}
            }
        }
        self.drain(&mut state);
        more
    }

    fn publish(&self, counters: &Mutex<Counters>) {
        let now = self.state.borrow().server.counters();
        *counters.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    fn drop_allocations(self: &Rc<Self>, username: &str) {
        let mut state = self.state.borrow_mut();
        state.server.drop_allocations(Instant::now(), username);
        self.drain(&mut state);
    }

    /// Does what the engine wants done.
    fn drain(self: &Rc<Self>, state: &mut State) {
        loop {
            match state.server.poll_output() {
                Output::OpenRelay { relay, address } => {
                    let result = self.open(state, relay, address);
                    let now = Instant::now();
                    let buffer = &mut state.buffer;
                    let verdict = state.server.handle_relay_opened(now, relay, result, buffer);
                    state.act(verdict, None);
                }
                Output::CloseRelay { relay } => {
                    state.relays.remove(&relay);
                }
                Output::Timeout(deadline) => {
                    if state.deadline != deadline {
                        state.deadline = deadline;
                        self.changed.notify_one();
                    }
                    return;
                }
            }
        }
    }

    fn open(
        self: &Rc<Self>,
        state: &mut State,
        id: RelayId,
        address: SocketAddr,
    ) -> Result<(), OpenError> {
        let socket = bind(address).and_then(UdpSocket::from_std);
        let socket = Rc::new(socket.map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => OpenError::InUse,
            _ => {
                tracing::warn!(%error, "A relay socket could not be opened");
                OpenError::Exhausted
            }
        })?);
        let task = task::spawn_local(Rc::clone(self).relay(id, Rc::clone(&socket)));
        let task = task.abort_handle();
        state.relays.insert(id, Relay { socket, task });
        Ok(())
    }

    async fn keep_time(self: Rc<Self>) {
        loop {
            let deadline = self.state.borrow().deadline;
            tokio::select! {
                () = sleep_until(deadline) => {
                    let mut state = self.state.borrow_mut();
                    state.server.handle_timeout(Instant::now());
                    self.drain(&mut state);
                }
                () = self.changed.notified() => {}
            }
        }
    }
}

impl State {
    /// `origin` is where the datagram came from and in, for a reply.
    ///
    /// A socket that takes no more loses the datagram: that is UDP.
    fn act(&self, verdict: Verdict, origin: Option<(&UdpSocket, SocketAddr)>) {
        let (socket, to, range) = match verdict {
            Verdict::Drop => return,
            Verdict::Reply(range) => match origin {
                Some((socket, client)) => (socket, client, range),
                None => return,
            },
            Verdict::Relay { socket, to, range } => match self.relays.get(&socket) {
                Some(relay) => (&*relay.socket, to, range),
                None => return,
            },
            Verdict::Deliver { to, range } => {
                let listener = self.listeners.iter().find(|(it, _)| *it == to.server);
                match listener {
                    Some((_, socket)) => (&**socket, to.client, range),
                    None => return,
                }
            }
        };
        if let Some(datagram) = self.buffer.get(range) {
            let _ = socket.try_send_to(datagram, to);
        }
    }
}

async fn wait(more: bool, socket: &UdpSocket) {
    if more {
        task::yield_now().await;
    } else if socket.readable().await.is_err() {
        // The reactor is gone, and with it this thread, soon.
        future::pending::<()>().await;
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => time::sleep_until(deadline.into()).await,
        None => future::pending().await,
    }
}

fn unix() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Datagrams taken from one socket before the next has its turn.
const ROUND: usize = 32;

/// The largest UDP payload.
const DATAGRAM: usize = 65535;
