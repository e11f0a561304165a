//! Wiring: one task owns the engine and everything it needs of the world.

use std::path::PathBuf;
use std::time::Duration;

use super::{http, link};
use crate::xml;

/// What runs: the parts that were asked for, each with its own configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where secrets made at first start are kept.
    pub state_dir: PathBuf,
    /// How long calls may go on after SIGTERM.
    pub drain_timeout: Duration,
    /// The component, unless only STUN, TURN and HTTP are wanted.
    pub component: Option<link::Config>,
    /// Bounds of stanzas.
    pub limits: xml::Limits,
    /// Health and the page.
    pub http: http::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state_dir: "/var/lib/campana".into(),
            drain_timeout: Duration::from_secs(60),
            component: None,
            limits: xml::Limits::default(),
            http: http::Config::default(),
        }
    }
}
