//! `campana doctor`: what a person with a client needs, tried one after the other.
//!
//! It is a client of its own, so that it sees what clients see; what only this machine knows, it
//! asks of the process that runs here (`/readyz`) and of its configuration. Each step says what it
//! found as a [`Finding`]; how that is worded for the terminal is not known here.

mod call;
mod client;
mod finding;
mod media;
mod process;
mod relay;
mod service;
mod stun;
mod tls;
mod url;
mod websocket;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jid::BareJid;

use self::client::Client;
use self::tls::Trust;
use super::link;
use crate::credentials::Secret;
use crate::xml::Limits;

pub use finding::{Advice, Finding, Outcome, Step};

/// What is examined, and as whom.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who logs in.
    pub user: BareJid,
    /// Her password.
    pub password: Secret,
    /// Host and port of her XMPP server, instead of what DNS says.
    pub server: Option<String>,
    /// Certificate authorities to trust beside those of the system, PEM.
    pub authorities: Option<PathBuf>,
    /// Campana's domain.
    pub service: BareJid,
    /// Whom to call: `echo@` the service, or the gateway address of a person.
    pub callee: String,
    /// Whether the callee gives back what is sent, as `echo@` does.
    pub is_echo: bool,
    /// What the configuration of this machine says, if there is one.
    pub local: Option<Local>,
}

/// What is told by `campana.toml`.
#[derive(Clone, Debug)]
pub struct Local {
    /// The file.
    pub file: PathBuf,
    /// `[component]`.
    pub link: Option<link::Config>,
    /// How stanzas are read there.
    pub limits: Limits,
    /// `http.listen`.
    pub http: SocketAddr,
    /// `http.websocket`.
    pub websocket: Option<String>,
    /// `turn.relay_ports`, if there is a `[turn]`.
    pub relay_ports: Option<String>,
}

/// What came of all of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sum {
    /// Steps that fail.
    pub failed: usize,
    /// How long it took.
    pub took: Duration,
}

/// Examines everything, and tells each finding as soon as it is there.
///
/// # Errors
/// Files or the system refuse: nothing was examined.
pub fn run(config: &Config, tell: impl FnMut(&Finding)) -> io::Result<Sum> {
    let began = Instant::now();
    let trust = Trust::new(config.authorities.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut report = Report { tell, failed: 0 };
    runtime.block_on(examine(config, &trust, &mut report));
    // A name look-up of the system may block for long; nobody waits for its answer now.
    runtime.shutdown_background();
    Ok(Sum {
        failed: report.failed,
        took: began.elapsed(),
    })
}

async fn examine(config: &Config, trust: &Trust, report: &mut Report<impl FnMut(&Finding)>) {
    let privileges = match &config.local {
        None => {
            report.not_tested(Step::Process, NO_CONFIGURATION);
            None
        }
        Some(local) => process::examine(local, trust, report).await,
    };
    let login = Client::login(config, trust).await;
    let Some(mut client) = report.note(Step::Login, login) else {
        return;
    };
    let answers = service::examine(&mut client, config, privileges.as_ref(), report).await;
    websocket::examine(config, trust, report).await;
    if !answers {
        for step in [Step::IceServers, Step::Call] {
            report.not_tested(step, "the service does not answer");
        }
        return client.close().await;
    }
    let servers = service::ice_servers(&mut client, &config.service).await;
    let servers = report.note(Step::IceServers, servers).unwrap_or_default();
    let reached = relay::examine(config, trust, &servers, report).await;
    call::examine(&mut client, config, &reached, report).await;
    client.close().await;
}

/// Where findings go.
struct Report<T> {
    tell: T,
    failed: usize,
}

impl<T: FnMut(&Finding)> Report<T> {
    fn tell(&mut self, step: Step, outcome: Outcome) {
        self.failed += usize::from(matches!(outcome, Outcome::Fails(..)));
        (self.tell)(&Finding { step, outcome });
    }

    fn holds(&mut self, step: Step, seen: impl Into<String>) {
        self.tell(step, Outcome::Holds(seen.into()));
    }

    fn not_tested(&mut self, step: Step, why: impl Into<String>) {
        self.tell(step, Outcome::NotTested(why.into()));
    }

    fn fails(&mut self, step: Step, fault: Fault) {
        self.tell(step, Outcome::Fails(fault.what, fault.advice));
    }

    /// Tells what came of a step, and hands on what later steps need.
    fn note<V>(&mut self, step: Step, result: Result<(V, String), Fault>) -> Option<V> {
        match result {
            Ok((value, seen)) => {
                self.holds(step, seen);
                Some(value)
            }
            Err(fault) => {
                self.fails(step, fault);
                None
            }
        }
    }
}

/// Why a step fails.
#[derive(Debug)]
struct Fault {
    what: String,
    advice: Vec<Advice>,
}

impl Fault {
    fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            advice: Vec::new(),
        }
    }

    /// What to change, and in which file.
    fn advise(mut self, place: &'static str, change: impl Into<String>) -> Self {
        self.advice.push(Advice {
            place,
            change: change.into(),
        });
        self
    }
}

const NO_CONFIGURATION: &str = "no campana.toml here; --config FILE tells what the process on this \
                                machine says of itself";
