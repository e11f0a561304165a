//! What a step found.

use std::fmt;

/// What is tried, in this order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// The process on this machine.
    Process,
    /// Its link to the XMPP server (XEP-0114).
    Component,
    /// Logging in with an account.
    Login,
    /// The service, as people see it.
    Service,
    /// What the server lets it do (XEP-0356).
    Privileges,
    /// What the server asks it in place of others (XEP-0355).
    Delegation,
    /// The way of browsers into the server (RFC 7395).
    WebSocket,
    /// What is handed out (XEP-0215).
    IceServers,
    /// The address of this machine that media uses.
    Host,
    /// The address that a STUN server sees.
    Stun,
    /// An allocation over UDP.
    RelayUdp,
    /// An allocation over TCP.
    RelayTcp,
    /// An allocation over TLS.
    RelayTls,
    /// Whether packets reach relay addresses, and come from there.
    RelayRange,
    /// A call, until it is connected.
    Call,
    /// What comes back of what is sent in that call.
    Media,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Process => "process",
            Self::Component => "component",
            Self::Login => "login",
            Self::Service => "service",
            Self::Privileges => "privileges",
            Self::Delegation => "delegation",
            Self::WebSocket => "websocket",
            Self::IceServers => "ice servers",
            Self::Host => "host",
            Self::Stun => "stun",
            Self::RelayUdp => "turn over udp",
            Self::RelayTcp => "turn over tcp",
            Self::RelayTls => "turn over tls",
            Self::RelayRange => "relay range",
            Self::Call => "call",
            Self::Media => "media",
        })
    }
}

/// What came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It works; what was seen.
    Holds(String),
    /// It does not: what was seen, and what to change.
    Fails(String, Vec<Advice>),
    /// Why it could not be tried, or needs not be there.
    NotTested(String),
}

/// What to change, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Advice {
    /// A file, or what else has to be changed.
    pub place: &'static str,
    /// Which key or line, and how.
    pub change: String,
}

/// One line of the report.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// What was tried.
    pub step: Step,
    /// What came of it.
    pub outcome: Outcome,
}

pub(super) const CAMPANA: &str = "campana.toml";
pub(super) const EJABBERD: &str = "ejabberd.yml";
pub(super) const PROSODY: &str = "prosody.cfg.lua";
pub(super) const FIREWALL: &str = "firewall";
pub(super) const COMMAND: &str = "command line";
