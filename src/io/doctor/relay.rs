//! Each STUN and TURN server by itself, then the ports that are relayed.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rand::RngExt;
use tokio::net::UdpSocket;
use tokio::time::{Instant, interval, timeout, timeout_at};

use super::finding::{CAMPANA, COMMAND, FIREWALL};
use super::stun::{Allocation, Client, Error, Server};
use super::tls::Trust;
use super::{Config, Fault, Finding, Local, Report, Step};
use crate::credentials::extdisco::Transport;

/// What media can use from here.
#[derive(Debug, Default)]
pub(super) struct Reached {
    /// Addresses of this machine.
    pub(super) hosts: BTreeSet<IpAddr>,
    /// Servers over UDP that work.
    pub(super) servers: Vec<Server>,
}

/// What came of one server.
struct Tried {
    server: Server,
    local: Option<SocketAddr>,
    result: Result<Working, Error>,
    took: Duration,
}

enum Working {
    /// The address that it sees.
    Stun(SocketAddr),
    Turn(Box<Allocation>),
}

pub(super) async fn examine(
    config: &Config,
    trust: &Trust,
    servers: &[Server],
    report: &mut Report<impl FnMut(&Finding)>,
) -> Reached {
    let trying: Vec<_> = servers
        .iter()
        .map(|server| tokio::spawn(attempt(server.clone(), trust.clone())))
        .collect();
    let mut all = Vec::new();
    for one in trying {
        // It falls over nothing that a server sends; if it does, there is nothing to tell.
        all.extend(one.await);
    }
    let hosts = all.iter().filter_map(|tried| tried.local);
    let mut reached = Reached {
        hosts: hosts.map(|address| address.ip()).collect(),
        servers: Vec::new(),
    };
    tell_hosts(&reached, report);
    let mut allocations = Vec::new();
    for step in [Step::Stun, Step::RelayUdp, Step::RelayTcp, Step::RelayTls] {
        let mut offered = false;
        let (of_step, others) = all
            .into_iter()
            .partition(|tried: &Tried| step_of(&tried.server) == step);
        all = others;
        for tried in of_step {
            offered = true;
            let works = tried.result.is_ok() && tried.server.transport == Transport::Udp;
            if works {
                reached.servers.push(tried.server.clone());
            }
            allocations.extend(tell(step, tried, config, report));
        }
        if !offered {
            report.not_tested(step, missing(step));
        }
    }
    match allocations.first_mut() {
        None if servers.is_empty() => {}
        None => report.not_tested(Step::RelayRange, "there is no allocation to try it with"),
        Some(allocation) => examine_range(allocation, config, report).await,
    }
    for allocation in allocations {
        allocation.release().await;
    }
    reached
}

async fn attempt(server: Server, trust: Trust) -> Tried {
    let began = Instant::now();
    let mut local = None;
    let result = match Client::connect(&server, &trust).await {
        Err(error) => Err(error),
        Ok(mut client) => {
            local = Some(client.local);
            if server.is_turn() {
                client
                    .allocate(&server)
                    .await
                    .map(|allocation| Working::Turn(Box::new(allocation)))
            } else {
                client.binding().await.map(Working::Stun)
            }
        }
    };
    Tried {
        took: began.elapsed(),
        server,
        local,
        result,
    }
}

fn step_of(server: &Server) -> Step {
    match (server.is_turn(), server.is_secure(), server.transport) {
        (false, ..) => Step::Stun,
        (true, true, _) => Step::RelayTls,
        (true, false, Transport::Udp) => Step::RelayUdp,
        (true, false, Transport::Tcp) => Step::RelayTcp,
    }
}

fn missing(step: Step) -> &'static str {
    match step {
        Step::RelayUdp => "not offered: campana.toml: turn.listen \"udp:0.0.0.0:3478\"",
        Step::RelayTcp => {
            "not offered; for networks without UDP: campana.toml: turn.listen \"tcp:0.0.0.0:3478\""
        }
        Step::RelayTls => {
            "not offered; for networks with nothing but TLS: campana.toml: turn.listen \
             \"tls:0.0.0.0:5349\", turn.certificate, turn.key and turn.tls_name"
        }
        _ => "not offered",
    }
}

fn tell_hosts(reached: &Reached, report: &mut Report<impl FnMut(&Finding)>) {
    let hosts: Vec<_> = reached.hosts.iter().map(ToString::to_string).collect();
    if !hosts.is_empty() {
        report.holds(Step::Host, hosts.join(", "));
    }
}

/// Tells of one server; answers the allocation that is there now.
fn tell(
    step: Step,
    tried: Tried,
    config: &Config,
    report: &mut Report<impl FnMut(&Finding)>,
) -> Option<Allocation> {
    let Tried { server, took, .. } = tried;
    let took = took.as_millis();
    match tried.result {
        Ok(Working::Stun(seen)) => {
            report.holds(step, format!("{server} sees {seen}, {took} ms"));
            None
        }
        Ok(Working::Turn(allocation)) => {
            let (relayed, mapped) = (allocation.relayed, allocation.mapped);
            let reservation = if server.is_secure() && server.host.parse::<IpAddr>().is_ok() {
                "; Firefox takes no address there: turn.tls_name"
            } else {
                ""
            };
            report.holds(
                step,
                format!("{server} sees {mapped} and relays {relayed}, {took} ms{reservation}"),
            );
            Some(*allocation)
        }
        Err(error) => {
            report.fails(step, fault(&server, error, config));
            None
        }
    }
}

fn fault(server: &Server, error: Error, config: &Config) -> Fault {
    let (host, port) = (&server.host, server.port);
    let protocol = match (server.is_secure(), server.transport) {
        (true, _) => "tls",
        (false, Transport::Udp) => "udp",
        (false, Transport::Tcp) => "tcp",
    };
    let layer = if protocol == "udp" { "UDP" } else { "TCP" };
    match error {
        Error::Refused(401 | 441, _) => Fault::new(format!(
            "{server} rejects the credentials that {} hands out for it",
            config.service
        ))
        .advise(
            CAMPANA,
            format!(
                "[[ice]] secret of {host}: the TURN REST secret of that server (coturn: \
                 static-auth-secret); for our own, turn.secret or the one in state_dir was changed \
                 under it: restart"
            ),
        )
        .advise(
            "clock",
            "the clocks of both machines must agree: credentials hold their expiry",
        ),
        Error::Refused(code @ (486 | 508), reason) => {
            Fault::new(format!("{server} gives no allocation: {code} {reason}")).advise(
                CAMPANA,
                "turn.user_allocations, turn.address_allocations, turn.relay_ports: more of them",
            )
        }
        Error::Tls(error) => Fault::new(format!("{server}: TLS: {error}"))
            .advise(
                CAMPANA,
                format!(
                    "turn.certificate and turn.key: a certificate for {host}, with its chain; \
                     browsers know only public authorities"
                ),
            )
            .advise(COMMAND, "--ca FILE: the authority, if it is a private one"),
        error => Fault::new(format!(
            "{server} can not be reached by {protocol}: {error}"
        ))
        .advise(
            CAMPANA,
            format!(
                "turn.listen: \"{protocol}:0.0.0.0:{port}\", and turn.relay_address: what \
                     clients are told is {host}; if it is an [[ice]] server, its url"
            ),
        )
        .advise(FIREWALL, format!("let {layer} {port} in to {host}")),
    }
}

/// A packet from here to the relayed address and back: other clients' packets take the same way.
async fn examine_range(
    allocation: &mut Allocation,
    config: &Config,
    report: &mut Report<impl FnMut(&Finding)>,
) {
    let relayed = allocation.relayed;
    let ports = config
        .local
        .as_ref()
        .and_then(|local: &Local| local.relay_ports.as_deref())
        .unwrap_or("49152-65535");
    let blocked = |what: String| {
        Fault::new(format!("blocked: {what}"))
            .advise(
                CAMPANA,
                format!(
                    "turn.relay_address: clients send to {}, so it must lead to this machine; \
                     turn.relay_bind: the address behind NAT",
                    relayed.ip()
                ),
            )
            .advise(
                FIREWALL,
                format!(
                    "let UDP {ports} (turn.relay_ports) in to {}, and out",
                    relayed.ip()
                ),
            )
    };
    match timeout(RANGE, round(allocation)).await {
        Ok(Ok(Round::Whole)) => {
            report.holds(
                Step::RelayRange,
                format!("{relayed} takes packets, and sends them"),
            );
        }
        Ok(Ok(Round::NotPermitted(address))) => report.not_tested(
            Step::RelayRange,
            format!(
                "the relay reaches no {address}, which is private or its own (turn.allow_peers); \
                 run this on a machine elsewhere to try it"
            ),
        ),
        Ok(Ok(Round::NothingIn)) => {
            let what = format!("nothing that is sent to {relayed} comes through");
            report.fails(Step::RelayRange, blocked(what));
        }
        Ok(Ok(Round::NothingOut)) => {
            let what = format!("packets reach {relayed}, but none that it sends comes here");
            report.fails(Step::RelayRange, blocked(what));
        }
        Ok(Err(error)) => report.fails(Step::RelayRange, blocked(error.to_string())),
        Err(_) => report.fails(Step::RelayRange, blocked("no answer in time".to_owned())),
    }
}

/// How far packets came.
enum Round {
    Whole,
    NothingIn,
    NothingOut,
    /// The server does not let peers of our address in.
    NotPermitted(IpAddr),
}

async fn round(allocation: &mut Allocation) -> Result<Round, Error> {
    let (relayed, mapped) = (allocation.relayed, allocation.mapped);
    let unreachable = Error::Unreachable;
    let socket = UdpSocket::bind(super::stun::any(relayed))
        .await
        .map_err(unreachable)?;
    socket.connect(relayed).await.map_err(unreachable)?;
    match allocation.permit(mapped).await {
        Ok(()) => {}
        // RFC 8656 §9.2: this peer is denied.
        Err(Error::Refused(403, _)) => return Ok(denied(&socket, mapped.ip()).await),
        Err(error) => return Err(error),
    }
    let there: [u8; 24] = rand::rng().random();
    let Some(peer) = knock(&socket, allocation, &there).await else {
        // On the relay's own machine a port may pass for another relay's and be permitted; its data
        // is dropped all the same.
        return Ok(if mapped.ip() == relayed.ip() {
            denied(&socket, mapped.ip()).await
        } else {
            Round::NothingIn
        });
    };
    let back: [u8; 24] = rand::rng().random();
    let until = Instant::now() + ONE_WAY;
    let mut buffer = [0; 64];
    while Instant::now() < until {
        allocation.send(peer, &back).await?;
        let next = until.min(Instant::now() + AGAIN);
        while let Ok(Ok(length)) = timeout_at(next, socket.recv(&mut buffer)).await {
            if buffer.get(..length) == Some(&back) {
                return Ok(Round::Whole);
            }
        }
    }
    Ok(Round::NothingOut)
}

/// The relay lets nothing of this address in. An ICMP error says at least that nobody is there.
async fn denied(socket: &UdpSocket, address: IpAddr) -> Round {
    if is_refused(socket).await {
        Round::NothingIn
    } else {
        Round::NotPermitted(address)
    }
}

/// Sends until something comes through; answers whose it seems to be at the relay.
async fn knock(socket: &UdpSocket, allocation: &mut Allocation, data: &[u8]) -> Option<SocketAddr> {
    let mut pace = interval(AGAIN);
    let knocking = async {
        loop {
            tokio::select! {
                _ = pace.tick() => {
                    // An ICMP error of the packet before is reported here.
                    socket.send(data).await.ok();
                }
                received = allocation.receive(data) => return received.ok(),
            }
        }
    };
    timeout(ONE_WAY, knocking).await.ok().flatten()
}

/// Whether ICMP says that the port is closed (RFC 1122 §3.2.2.1).
async fn is_refused(socket: &UdpSocket) -> bool {
    let refused = |result: &io::Result<usize>| {
        result
            .as_ref()
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    };
    let sent = socket.send(b"anybody there?").await;
    let mut buffer = [0; 64];
    let received = timeout(AGAIN * 2, socket.recv(&mut buffer)).await;
    refused(&sent) || received.as_ref().is_ok_and(refused)
}

/// For all of it.
const RANGE: Duration = Duration::from_secs(5);
const ONE_WAY: Duration = Duration::from_millis(1500);
const AGAIN: Duration = Duration::from_millis(200);
