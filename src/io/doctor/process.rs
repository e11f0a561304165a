//! The process on this machine, and whether the XMPP server takes it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;

use super::finding::{CAMPANA, EJABBERD, PROSODY};
use super::tls::Trust;
use super::url::Url;
use super::{Fault, Finding, Local, Report, Step};
use crate::io::link::{self, Error};

/// What `/readyz` says.
#[derive(Debug, Deserialize)]
struct Readiness {
    ready: bool,
    #[serde(default)]
    reasons: Vec<String>,
    privileges: Option<Privileges>,
}

/// What servers let the process do.
#[derive(Debug, Deserialize)]
pub(super) struct Privileges {
    pub(super) rosters: Vec<String>,
    pub(super) blocklists: Vec<String>,
}

/// Tells whether it runs and is ready; answers what the XMPP servers let it do, if it says so.
pub(super) async fn examine(
    local: &Local,
    trust: &Trust,
    report: &mut Report<impl FnMut(&Finding)>,
) -> Option<Privileges> {
    match ask(local, trust).await {
        Err(fault) => {
            report.fails(Step::Process, fault);
            // It would be good to know that it could.
            probe(local, None, report).await;
            None
        }
        Ok(readiness) if readiness.ready => {
            report.holds(Step::Process, format!("ready, at http://{}", local.http));
            if let Some(link) = &local.link {
                let seen = format!("{} is attached to {}", link.jid, link.server);
                report.holds(Step::Component, seen);
            }
            readiness.privileges
        }
        Ok(readiness) => {
            let reasons = readiness.reasons.join("; ");
            report.holds(
                Step::Process,
                format!("runs, at http://{}, but is not ready", local.http),
            );
            probe(local, Some(&reasons), report).await;
            None
        }
    }
}

async fn ask(local: &Local, trust: &Trust) -> Result<Readiness, Fault> {
    let mut address = local.http;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let response = match get(address, trust).await {
        Ok(response) => response,
        Err(error) => {
            let file = local.file.display();
            return Err(
                Fault::new(format!("nothing answers at http://{address}: {error}"))
                    .advise(
                        "campana run",
                        format!("start it: campana run --config {file}"),
                    )
                    .advise(
                        CAMPANA,
                        "http.listen: the address and port to ask; with port 0 the doctor can not \
                         know which was taken",
                    ),
            );
        }
    };
    serde_json::from_slice(&response).map_err(|_| {
        Fault::new(format!("what answers at http://{address} is not Campana"))
            .advise(CAMPANA, "http.listen: take a port that nothing else uses")
    })
}

async fn get(address: SocketAddr, trust: &Trust) -> io::Result<Vec<u8>> {
    let url = Url::parse(&format!("http://{address}/readyz"))
        .ok_or_else(|| io::Error::other("no address"))?;
    Ok(url.get(trust).await?.body)
}

/// Shakes hands as the component would. `reasons`: why the process is not attached, by its own
/// words.
async fn probe(local: &Local, reasons: Option<&str>, report: &mut Report<impl FnMut(&Finding)>) {
    let Some(config) = &local.link else {
        let fault = Fault::new("there is no [component]")
            .advise(CAMPANA, "[component]: jid, server and secret");
        return report.fails(Step::Component, fault);
    };
    match (link::probe(config, local.limits, PATIENCE).await, reasons) {
        (Ok(()), None) => {
            let seen = format!("{} would take {}", config.server, config.jid);
            report.holds(Step::Component, seen);
        }
        (Ok(()), Some(reasons)) => {
            let fault = Fault::new(format!("not attached: {reasons}")).advise(
                "campana run",
                format!(
                    "{} takes what campana.toml says now: restart the process if the file was \
                     changed, else wait for its next attempt",
                    config.server
                ),
            );
            report.fails(Step::Component, fault);
        }
        (Err(error), _) => report.fails(Step::Component, refused(&error, config)),
    }
}

fn refused(error: &Error, config: &link::Config) -> Fault {
    let jid = &config.jid;
    let port = config
        .server
        .rsplit_once(':')
        .map_or("5347", |(_, port)| port);
    match error {
        Error::Stream { condition, .. } if condition == "not-authorized" => {
            Fault::new("wrong secret: the XMPP server does not authorize the component")
                .advise(
                    CAMPANA,
                    "component.secret (or component.secret_file): as the server has it",
                )
                .advise(
                    EJABBERD,
                    format!(
                        "listen: ejabberd_service: hosts: \"{jid}\": password: the same; ejabberd \
                         says so too when it knows no {jid}"
                    ),
                )
                .advise(
                    PROSODY,
                    format!("Component \"{jid}\": component_secret: the same"),
                )
        }
        Error::Stream { condition, .. } if condition == "host-unknown" => Fault::new(format!(
            "component refused: the XMPP server has no component {jid}"
        ))
        .advise(CAMPANA, "component.jid: as the server has it")
        .advise(
            EJABBERD,
            format!("listen: ejabberd_service: hosts: \"{jid}\": password"),
        )
        .advise(
            PROSODY,
            format!("Component \"{jid}\" with component_secret"),
        ),
        Error::Stream { condition, .. } if condition == "conflict" => Fault::new(format!(
            "component refused: the XMPP server has another connection of {jid}"
        ))
        .advise(
            CAMPANA,
            "component.jid: only one process may have it on this server",
        )
        .advise(
            PROSODY,
            format!("Component \"{jid}\": component_conflict_resolve = \"kick_old\""),
        ),
        Error::Connect { source, .. } => Fault::new(format!(
            "component refused: nothing listens at {}: {source}",
            config.server
        ))
        .advise(
            CAMPANA,
            "component.server: host and port of the server's listener for components",
        )
        .advise(
            EJABBERD,
            format!("listen: - port: {port}, module: ejabberd_service, hosts: \"{jid}\""),
        )
        .advise(
            PROSODY,
            format!("component_ports = {{ {port} }} and Component \"{jid}\""),
        ),
        error => {
            let fault = Fault::new(format!("component refused: {error}"));
            match error.advice(config) {
                Some(advice) => fault.advise(CAMPANA, advice),
                None => fault.advise(CAMPANA, "component.server, component.tls"),
            }
        }
    }
}

/// For the handshake.
const PATIENCE: Duration = Duration::from_secs(2);
