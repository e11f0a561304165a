use std::time::Duration;

use serde::Deserialize;

/// `[call]`: the times of a call, in seconds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long devices ring.
    pub ring_timeout: u64,
    /// How long a device may be offline in mid-call.
    pub offline_grace: u64,
    /// How long calls outlive the link to the XMPP server.
    pub link_grace: u64,
    /// How often the devices of a call are asked whether they still know of it: both may have ended it
    /// while nothing came through.
    pub ping_interval: u64,
    /// How long a reply to one of our requests may take.
    pub iq_timeout: u64,
}

/// How much one person, and all together, may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open calls of one person.
    pub calls_per_person: u32,
    /// Open calls in all.
    pub calls: usize,
    /// Calls that one person may begin within a minute.
    pub attempts_per_minute: u32,
    /// Candidates of one leg.
    pub candidates: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ring_timeout: 60,
            offline_grace: 30,
            link_grace: 60,
            ping_interval: 300,
            iq_timeout: 20,
        }
    }
}

impl Config {
    pub(crate) fn ring_timeout(&self) -> Duration {
        Duration::from_secs(self.ring_timeout)
    }

    pub(crate) fn offline_grace(&self) -> Duration {
        Duration::from_secs(self.offline_grace)
    }

    pub(crate) fn link_grace(&self) -> Duration {
        Duration::from_secs(self.link_grace)
    }

    pub(crate) fn ping_interval(&self) -> Duration {
        Duration::from_secs(self.ping_interval)
    }

    /// The bound on a reply to one of our requests.
    #[must_use]
    pub fn iq_timeout(&self) -> Duration {
        Duration::from_secs(self.iq_timeout)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_per_person: 10,
            calls: 100_000,
            attempts_per_minute: 30,
            candidates: 200,
        }
    }
}
