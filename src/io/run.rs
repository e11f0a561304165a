//! Wiring: one task owns the engine and everything it needs of the world.

mod drive;
mod engine;
mod state;
#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use ring::rand::{SecureRandom, SystemRandom};
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{info, warn};

use self::drive::{Commands, drive};
use self::state::turn_secret;
use super::http::{self, Health};
use super::link::{self, Link};
use super::turn;
use crate::credentials::{Secrets, extdisco};
use crate::gateway::{self, Gateway};
use crate::telemetry::LinkCounters;
use crate::{call, presence};

pub use drive::unix;
pub use engine::{Engine, Output};

/// What runs: the parts that were asked for, each with its own configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where secrets made at first start are kept.
    pub state_dir: PathBuf,
    /// How long calls may go on after SIGTERM.
    pub drain_timeout: Duration,
    /// The component, unless only STUN, TURN and HTTP are wanted.
    pub component: Option<link::Config>,
    /// STUN and TURN, unless they are served elsewhere.
    pub turn: Option<crate::turn::Config>,
    /// The times of a call.
    pub call: call::Config,
    /// Who may call whom.
    pub access: presence::Config,
    /// Bounds of what peers can make grow.
    pub limits: gateway::Limits,
    /// STUN and TURN servers beside our own.
    pub ice: Vec<extdisco::External>,
    /// Health and the page.
    pub http: http::Config,
}

/// Why nothing runs.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The address of `[http]` cannot be bound.
    #[error("http.listen = \"{address}\": {source}")]
    Http {
        /// The address.
        address: std::net::SocketAddr,
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
    let mut signals = Signals::new()?;
    let mut rng = StdRng::from_seed(seed()?);
    let counters = Arc::new(LinkCounters::default());
    let service = config
        .component
        .as_ref()
        .map(|component| component.jid.clone());
    let mut ice = Vec::new();
    let turn = match &config.turn {
        None => None,
        Some(turn) => {
            let secrets = turn_secrets(turn, &config.state_dir)?;
            let service = turn::start(turn, secrets.clone())?;
            ice.extend(own_ice(turn, service.listening(), &secrets.current));
            Some(service)
        }
    };
    ice.extend(config.ice.iter().filter_map(extdisco::External::service));
    for listen in turn.iter().flat_map(turn::Service::listening) {
        info!(listen.addr = %listen, "turn listening");
    }
    let gateway = gateway_config(&config, ice);
    let link = match config.component {
        None => None,
        Some(component) => Some(Link::new(
            component,
            config.limits.xml(),
            counters,
            &mut rng,
        )?),
    };
    let health = Health::new(link.as_ref().map(Link::status));
    let server = http::Server::bind(&config.http, service.as_deref(), health.clone())
        .await
        .map_err(|source| Error::Http {
            address: config.http.listen,
            source,
        })?;
    let (stop, mut stopped) = watch::channel(());
    let http = tokio::spawn(server.serve(async move {
        // Ends when the sender is dropped.
        while stopped.changed().await.is_ok() {}
    }));

    match link.zip(gateway) {
        None => {
            info!("No [component] is configured: running without XMPP");
            signals.stop().await;
            health.drain();
        }
        Some((link, gateway)) => {
            let mut engine = Gateway::new(gateway, Instant::now(), unix(), seed()?);
            drive(
                &mut engine,
                link,
                config.drain_timeout,
                signals,
                |username| {
                    if let Some(turn) = &turn {
                        turn.drop_allocations(username);
                    }
                },
                || health.drain(),
            )
            .await;
        }
    }
    if let Some(turn) = turn {
        turn.stop().await;
    }
    drop(stop);
    if http.await.is_err() {
        warn!("The HTTP listener ended early");
    }
    info!("Stopped");
    Ok(())
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

/// What the gateway is told; `None` without a component.
fn gateway_config(config: &Config, ice: Vec<extdisco::Service>) -> Option<gateway::Config> {
    let service = config.component.as_ref()?.jid.parse().ok()?;
    let turn = config.turn.clone().unwrap_or_default();
    Some(gateway::Config {
        service,
        call: config.call,
        access: config.access.clone(),
        limits: config.limits,
        ice,
        credential_ttl: turn.credential_ttl,
        credential_domains: turn.credential_domains,
    })
}

/// Our own listeners, as people are told of them.
fn own_ice(
    config: &crate::turn::Config,
    listening: &[crate::turn::Listen],
    secret: &crate::credentials::Secret,
) -> Vec<extdisco::Service> {
    let mut services = Vec::new();
    for listen in listening {
        let same_family = |ip: &IpAddr| ip.is_ipv4() == listen.address.is_ipv4();
        let Some(host) = config.relay_addresses().into_iter().find(same_family) else {
            continue;
        };
        let service = |kind, secret| extdisco::Service {
            kind,
            host: host.to_string(),
            port: listen.address.port(),
            transport: extdisco::Transport::Udp,
            secret,
        };
        services.push(service(extdisco::Kind::Stun, None));
        services.push(service(extdisco::Kind::Turn, Some(secret.clone())));
    }
    services
}

/// SIGTERM, SIGINT and SIGHUP.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Commands for Signals {
    async fn stop(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => info!("Nothing here is reloaded on SIGHUP yet"),
            }
        }
    }
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    SystemRandom::new()
        .fill(&mut seed)
        .map_err(|_| io::Error::other("no random numbers"))?;
    Ok(seed)
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state_dir: "/var/lib/campana".into(),
            drain_timeout: Duration::from_secs(60),
            component: None,
            turn: None,
            call: call::Config::default(),
            access: presence::Config::default(),
            limits: gateway::Limits::default(),
            ice: Vec::new(),
            http: http::Config::default(),
        }
    }
}
