//! Names of spans, fields and metrics, and the guard of personal data in logs.
//!
//! Messages are constant and in sentence case; what varies is a field. Fields are dotted and lower
//! case: `server.addr` and `listen.addr` are ours and printed as they are, `client.addr`,
//! `from.jid`, `to.jid` and `turn.user` belong to people and go through [`Pii`]. Secrets are never
//! fields.
//!
//! Levels: error, an admin must act; warn, we coped; info, one line when something begins and one
//! when it ends; debug, every transition; trace, bytes.

mod count;
mod exposition;
pub mod metric;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Deserialize;

pub use count::{ByLabel, Counter, Gauge, Histogram, OTHER};
pub use exposition::Exposition;

/// `[log]`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Level, or a filter such as `info,campana::call=debug`.
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
    /// Whether addresses and JIDs of people are printed.
    pub pii: bool,
}

/// `log.format`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: "info".into(),
            format: LogFormat::Text,
            pii: false,
        }
    }
}

/// Personal data: printed as `…` unless [`log_pii`] allowed it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pii<T>(
    /// What is guarded.
    pub T,
);

impl<T: fmt::Display> fmt::Display for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        guarded(f, |f| self.0.fmt(f))
    }
}

impl<T: fmt::Debug> fmt::Debug for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        guarded(f, |f| self.0.fmt(f))
    }
}

/// Sets once, at start, whether [`Pii`] prints what it holds (`log.pii`).
pub fn log_pii(allowed: bool) {
    PII.store(allowed, Ordering::Relaxed);
}

/// What happened on the link to the XMPP server.
#[derive(Debug)]
pub struct LinkCounters {
    /// Streams whose handshake was accepted.
    pub opened: Counter,
    /// Streams that were up and ended.
    pub lost: Counter,
    /// Stanzas handed to the engine.
    pub stanzas_in: Counter,
    /// Stanzas over a limit, answered but not read.
    pub bad_stanzas: Counter,
    /// Stanzas written.
    pub stanzas_out: Counter,
    /// Stanzas that never left: the queue was full, or no stream came in time.
    pub dropped: Counter,
    /// Bytes received.
    pub bytes_in: Counter,
    /// Bytes written.
    pub bytes_out: Counter,
    /// Writes; with `stanzas_out` it tells how many stanzas share one.
    pub writes: Counter,
    /// Pings sent because the server was silent.
    pub pings: Counter,
    /// Why streams ended or were not made.
    pub errors: ByLabel,
}

impl Default for LinkCounters {
    fn default() -> Self {
        Self {
            opened: Counter::default(),
            lost: Counter::default(),
            stanzas_in: Counter::default(),
            bad_stanzas: Counter::default(),
            stanzas_out: Counter::default(),
            dropped: Counter::default(),
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
            writes: Counter::default(),
            pings: Counter::default(),
            errors: ByLabel::new(LINK_ERRORS),
        }
    }
}

impl LinkCounters {
    /// Writes all of it, but for whether the link is up.
    pub fn write(&self, out: &mut Exposition) {
        for (family, counter) in [
            (&metric::LINK_OPENED, &self.opened),
            (&metric::LINK_LOST, &self.lost),
            (&metric::LINK_STANZAS_IN, &self.stanzas_in),
            (&metric::LINK_STANZAS_OUT, &self.stanzas_out),
            (&metric::LINK_STANZAS_BAD, &self.bad_stanzas),
            (&metric::LINK_STANZAS_DROPPED, &self.dropped),
            (&metric::LINK_BYTES_IN, &self.bytes_in),
            (&metric::LINK_BYTES_OUT, &self.bytes_out),
            (&metric::LINK_WRITES, &self.writes),
            (&metric::LINK_PINGS, &self.pings),
        ] {
            out.one(family, counter.value());
        }
        out.by_label(&metric::LINK_ERRORS, "error", &self.errors);
    }
}

fn guarded(
    f: &mut fmt::Formatter<'_>,
    print: impl FnOnce(&mut fmt::Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    if PII.load(Ordering::Relaxed) {
        print(f)
    } else {
        f.write_str("…")
    }
}

/// The kinds of error of the link, as `error` labels name them.
const LINK_ERRORS: [&str; 10] = [
    "connect",
    "timeout",
    "tls",
    "tls_roots",
    "io",
    "closed",
    "stream",
    "xml",
    "protocol",
    "silence",
];
static PII: AtomicBool = AtomicBool::new(false);

#[cfg(test)]
mod tests {
    use super::*;

    // One test, because the setting is one for the whole process.
    #[test]
    fn personal_data_shows_only_when_allowed() {
        assert_eq!(format!("{} {:?}", Pii("juliet"), Pii("juliet")), "… …");
        log_pii(true);
        assert_eq!(
            format!("{} {:?}", Pii("juliet"), Pii("juliet")),
            "juliet \"juliet\""
        );
        log_pii(false);
        assert_eq!(Pii("juliet").to_string(), "…");
    }
}
