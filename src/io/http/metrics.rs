//! `/metrics`: what Prometheus reads.

use std::fs;
use std::sync::Arc;

use tokio::sync::watch;

use super::Health;
use crate::gateway;
use crate::io::link::Status;
use crate::io::turn::Meter;
use crate::telemetry::{Exposition, LinkCounters, metric};

/// Who counts. What is not there has no series.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// When the process started, in seconds since 1970.
    pub started: u64,
    /// The link to the XMPP server.
    pub link: Option<Arc<LinkCounters>>,
    /// The gateway and its calls.
    pub gateway: Option<Arc<gateway::Counters>>,
    /// The STUN and TURN server of this process.
    pub turn: Option<Meter>,
}

impl Metrics {
    /// All of it, in Prometheus' text format.
    pub(super) fn text(&self, health: &Health) -> String {
        let mut out = Exposition::default();
        let version = concat!("version=\"", env!("CARGO_PKG_VERSION"), "\"");
        out.samples(&metric::BUILD, [(version, 1)]);
        out.one(&metric::STARTED, self.started);
        write_process(&mut out);
        out.one(&metric::DRAINING, health.is_draining().into());
        if let Some(link) = &self.link {
            out.one(
                &metric::LINK_UP,
                health.link.as_ref().is_some_and(is_up).into(),
            );
            link.write(&mut out);
        }
        if let Some(gateway) = &self.gateway {
            gateway.write(&mut out);
        }
        if let Some(turn) = &self.turn {
            turn.counters().write(&mut out);
        }
        out.finish()
    }
}

fn is_up(link: &watch::Receiver<Status>) -> bool {
    matches!(*link.borrow(), Status::Up)
}

/// What Linux tells of the process, by proc(5). Elsewhere these series are missing.
fn write_process(out: &mut Exposition) {
    if let Some(bytes) = fs::read_to_string("/proc/self/status")
        .ok()
        .as_deref()
        .and_then(resident_bytes)
    {
        out.one(&metric::MEMORY, bytes);
    }
    if let Some(seconds) = fs::read_to_string("/proc/self/stat")
        .ok()
        .as_deref()
        .and_then(cpu_seconds)
    {
        out.fraction(&metric::CPU, seconds);
    }
    if let Ok(descriptors) = fs::read_dir("/proc/self/fd") {
        // The one that reads the directory is among them.
        let held = descriptors.count().saturating_sub(1);
        out.one(&metric::DESCRIPTORS, held.try_into().unwrap_or(u64::MAX));
    }
}

/// `VmRSS:      1234 kB`.
fn resident_bytes(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Fields 14 and 15, utime and stime. Field 2, the name in parentheses, may hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, behind) = stat.rsplit_once(')')?;
    let mut fields = behind.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

/// Linux counts in these to every program (`USER_HZ`), whatever its own clock.
const TICKS: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_is_understood() {
        let stat = "7 (a) b) c) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 9 9 9";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds("7 (a) S"), None);
        let status = "VmPeak:\t  9 kB\nVmRSS:\t     12 kB\n";
        assert_eq!(resident_bytes(status), Some(12 * 1024));
        assert_eq!(resident_bytes("VmPeak: 9 kB"), None);
    }
}
