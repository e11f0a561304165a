//! Wiring: one task owns the engine and everything it needs of the world.

mod drive;
mod engine;
mod ice;
mod state;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use ring::rand::{SecureRandom, SystemRandom};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

use self::drive::{Commands, Effects, drive, now, unix_millis};
use self::state::turn_secret;
use super::echo::{self, Echo};
use super::http::{self, Calls, Health, Metrics};
use super::link::{self, Link};
use super::store::{self, Store};
use super::turn;
use crate::credentials::{Secrets, Username, extdisco};
use crate::gateway::{self, Change, Gateway, Privileges, Record};
use crate::ladder::{self, Ladders, Relayed};
use crate::telemetry::LinkCounters;
use crate::turn::Ended;

pub use drive::unix;

/// What runs: the parts that were asked for, each with its own configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where secrets made at first start are kept.
    pub state_dir: PathBuf,
    /// How long calls may go on after SIGTERM.
    pub drain_timeout: Duration,
    /// The component, unless only STUN, TURN and HTTP are wanted.
    pub component: Option<Component>,
    /// STUN and TURN, unless they are served elsewhere.
    pub turn: Option<crate::turn::Config>,
    /// Health and the page.
    pub http: http::Config,
}

/// The component: its link, and what it does there.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// `[component]`.
    pub link: link::Config,
    /// Everything else about XMPP. The STUN and TURN server of this process is added to its `ice`
    /// when it has bound its ports.
    pub gateway: gateway::Config,
}

/// Why nothing runs.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The address of `[http]` cannot be bound.
    #[error("http.listen = \"{address}\": {source}")]
    Http {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// STUN and TURN cannot be served.
    #[error(transparent)]
    Turn(#[from] turn::Error),
    /// The TURN secret cannot be made or read.
    #[error("the TURN secret in state_dir = \"{}\": {source}; or set turn.secret", state_dir.display())]
    Secret {
        /// `state_dir`.
        state_dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is kept over a restart cannot be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The component's link cannot be set up.
    #[error(transparent)]
    Link(#[from] link::Error),
    /// The runtime, a signal handler or randomness cannot be had of the system.
    #[error("the system refuses: {0}")]
    System(#[from] io::Error),
}

/// Runs until SIGTERM or SIGINT, and then until the calls have ended or the drain has.
///
/// # Errors
/// Something cannot be bound or set up. Once it runs, nothing ends it but a signal.
pub fn run(config: Config) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(serve(config));
    // A name look-up of the system may block for long; nobody waits for its answer now.
    runtime.shutdown_background();
    done
}

async fn serve(config: Config) -> Result<(), Error> {
    // First, since TURN must know all listeners: none is to be reached through a relay.
    let listener = TcpListener::bind(config.http.listen)
        .await
        .map_err(|source| Error::Http {
            address: config.http.listen,
            source,
        })?;
    let turn = match &config.turn {
        None => None,
        Some(turn) => Some(Turn::start(
            turn,
            &config.state_dir,
            listener.local_addr()?,
        )?),
    };
    let signals = Signals::new(turn.as_ref().map(|turn| &turn.service))?;
    let mut metrics = Metrics {
        started: unix(),
        turn: turn.as_ref().map(|turn| turn.service.meter()),
        ..Metrics::default()
    };
    let mut component = None;
    if let Some(Component { link, mut gateway }) = config.component {
        let echo = echo::Config {
            calls: gateway.limits.echo_calls,
            addresses: config.turn.as_ref().map_or_else(
                || vec![Ipv4Addr::UNSPECIFIED.into()],
                crate::turn::Config::bound_addresses,
            ),
            servers: turn.iter().flat_map(|turn| turn.told.clone()).collect(),
            limits: gateway.limits.xml(),
        };
        gateway
            .ice
            .extend(turn.iter().flat_map(|turn| turn.told.clone()));
        let mut rng = StdRng::from_seed(seed()?);
        let counters = Arc::new(LinkCounters::default());
        metrics.link = Some(Arc::clone(&counters));
        let jid = link.jid.clone();
        let link = Link::new(link, gateway.limits.xml(), counters, &mut rng)?;
        let mut gateway = Gateway::new(gateway, now(), unix(), seed()?);
        metrics.gateway = Some(gateway.counters());
        let (store, kept) = open_store(&config.state_dir, &jid)?;
        gateway.restore(kept);
        component = Some((jid, link, gateway, store, echo));
    }
    let health = Health::new(component.as_ref().map(|(_, link, ..)| link.status()));
    let service = component.as_ref().map(|(jid, ..)| jid.as_str());
    let calls = config.http.token().map(|_| {
        let service = service.unwrap_or_default();
        Calls::new(Ladders::new(
            config.http.ladder(),
            service,
            now(),
            unix_millis(),
        ))
    });
    if let (Some(turn), Some(calls)) = (&turn, &calls) {
        let (tell, ended) = mpsc::channel(ENDED);
        turn.service.tell_ended(tell);
        tokio::spawn(tell_relayed(calls.clone(), ended));
    }
    let server = http::Server::new(
        listener,
        &config.http,
        service,
        health.clone(),
        metrics,
        calls.clone(),
    )?;
    let (stop, mut stopped) = watch::channel(());
    let http = tokio::spawn(server.serve(async move {
        // Ends when the sender is dropped.
        while stopped.changed().await.is_ok() {}
    }));

    // Relays outlive the calls that are known here: others may hold credentials of the same secret.
    let drain_until = Cell::new(now());
    match component {
        Some((_, link, mut gateway, store, echo)) => {
            let (echo, echoes) = Echo::start(echo);
            let world = World {
                turn: turn.as_ref(),
                store: &store,
                health: &health,
                echo: &echo,
                calls: calls.as_ref(),
                drain_until: &drain_until,
            };
            drive(
                &mut gateway,
                link,
                config.drain_timeout,
                signals,
                world,
                echoes,
            )
            .await;
            // Waits until everything is written.
            drop(store);
        }
        None => {
            info!("No [component] is configured: running without XMPP");
            let mut signals = signals;
            signals.stop().await;
            drain_until.set(now() + config.drain_timeout);
            health.drain();
        }
    }
    if let Some(turn) = turn {
        turn.service.drain(drain_until.get()).await;
        turn.service.stop().await;
    }
    drop(stop);
    if http.await.is_err() {
        warn!("The HTTP listener ended early");
    }
    info!("Stopped");
    Ok(())
}

/// Adds what TURN relayed to the calls that it was for.
async fn tell_relayed(calls: Calls, mut ended: mpsc::Receiver<Ended>) {
    while let Some(ended) = ended.recv().await {
        let Ok(name) = Username::parse(&ended.username) else {
            continue;
        };
        let relayed = Relayed {
            person: name.person.to_owned(),
            seconds: ended.lasted.as_secs(),
            up_bytes: ended.up.bytes,
            down_bytes: ended.down.bytes,
            transport: ended.client.transport.to_string(),
        };
        calls.relayed(now(), &relayed);
    }
}

/// Without a directory to write to calls work all the same, so that does not keep us from starting;
/// a store that is there and cannot be read does, since it would be lost.
fn open_store(state_dir: &Path, service: &str) -> Result<(Store, Vec<Record>), Error> {
    match Store::open(state_dir, service) {
        Err(error @ store::Error::Directory { .. }) => {
            error!(%error, "Subscriptions and devices are forgotten at the next restart");
            Ok((Store::none(), Vec::new()))
        }
        opened => Ok(opened?),
    }
}

/// What the engine's outputs reach beside the link.
struct World<'a> {
    turn: Option<&'a Turn>,
    store: &'a Store,
    health: &'a Health,
    echo: &'a Echo,
    calls: Option<&'a Calls>,
    /// Until when relays stay.
    drain_until: &'a Cell<Instant>,
}

impl Effects for World<'_> {
    fn drop_allocations(&mut self, username: &str) {
        if let Some(turn) = self.turn {
            turn.service.drop_allocations(username);
        }
    }

    fn reload(&mut self) {
        reload(self.turn.map(|turn| &turn.service));
    }

    fn store(&mut self, change: Change) {
        self.store.apply(change);
    }

    fn echo(&mut self, stanza: String) {
        self.echo.send(stanza);
    }

    fn privileges(&mut self, privileges: Privileges) {
        self.health.set_privileges(privileges);
    }

    fn record(&mut self, record: ladder::Record) {
        if let Some(calls) = self.calls {
            calls.record(record);
        }
    }

    fn draining(&mut self, until: Instant) {
        self.drain_until.set(until);
        self.health.drain();
    }
}

/// The STUN and TURN server of this process.
struct Turn {
    service: turn::Service,
    /// What people are told of it.
    told: Vec<extdisco::Service>,
}

impl Turn {
    fn start(
        config: &crate::turn::Config,
        state_dir: &Path,
        http: SocketAddr,
    ) -> Result<Self, Error> {
        let secrets = turn_secrets(config, state_dir)?;
        let secret = secrets.current.clone();
        let service = turn::start(config, secrets, &[http])?;
        for listen in service.listening() {
            info!(listen.addr = %listen, "turn listening");
        }
        let told = ice::told(service.listening(), config, &secret);
        let secure = |it: &extdisco::Service| it.kind == extdisco::Kind::Turns;
        if config.tls_name.is_none() && told.iter().any(secure) {
            warn!("Firefox makes no use of TURN over TLS unless turn.tls_name is set");
        }
        Ok(Self { service, told })
    }
}

/// The secrets of TURN credentials: as configured, or the one kept in `state_dir`.
///
/// # Errors
/// [`Error::Secret`].
pub fn turn_secrets(config: &crate::turn::Config, state_dir: &Path) -> Result<Secrets, Error> {
    let current = match &config.secret {
        Some(secret) => secret.clone(),
        None => turn_secret(state_dir)
            .map_err(|source| Error::Secret {
                state_dir: state_dir.to_owned(),
                source,
            })?
            .into(),
    };
    Ok(Secrets {
        current,
        previous: config.previous_secret.clone(),
    })
}

/// SIGTERM and SIGINT end the process, SIGHUP reads certificates again.
struct Signals<'a> {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    turn: Option<&'a turn::Service>,
}

impl Commands for Signals<'_> {
    async fn stop(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => self.reload(),
            }
        }
    }
}

impl<'a> Signals<'a> {
    fn new(turn: Option<&'a turn::Service>) -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            turn,
        })
    }

    fn reload(&self) {
        reload(self.turn);
    }
}

fn reload(turn: Option<&turn::Service>) {
    match turn.map_or(Ok(()), turn::Service::reload) {
        Ok(()) => info!("Certificates were read again"),
        Err(error) => warn!(%error, "The certificates before stay in use"),
    }
}

fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    SystemRandom::new()
        .fill(&mut seed)
        .map_err(|_| io::Error::other("no random numbers"))?;
    Ok(seed)
}

/// Allocations that wait to be added to their calls.
const ENDED: usize = 1024;

impl Default for Config {
    fn default() -> Self {
        Self {
            state_dir: "/var/lib/campana".into(),
            drain_timeout: Duration::from_secs(60),
            component: None,
            turn: None,
            http: http::Config::default(),
        }
    }
}
