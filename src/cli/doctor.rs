//! `campana doctor`: tries what people need, and says what to change where it fails.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jid::{BareJid, Jid};

use super::{ConfigFile, fail};
use crate::address::{Addresses, Named};
use crate::config::Config;
use crate::io::doctor::{self, Finding, Local, Outcome, Sum};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The account to log in with
    #[arg(long, value_name = "JID")]
    user: BareJid,
    /// The file with its password
    #[arg(long, value_name = "FILE")]
    password_file: PathBuf,
    /// The XMPP server, instead of what DNS says of the account's domain
    #[arg(long, value_name = "HOST:PORT")]
    server: Option<String>,
    /// Certificate authorities, or the server's own certificate, to trust beside the system's (PEM)
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Campana's domain; component.jid of the configuration, or call. and the account's domain
    #[arg(long, value_name = "JID")]
    service: Option<BareJid>,
    /// Whom to call instead of echo@ the service: somebody who picks up
    #[arg(long, value_name = "JID")]
    call: Option<Jid>,
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let config = match arguments.config() {
        Ok(config) => config,
        Err(why) => return fail(why),
    };
    let mut out = io::stdout();
    let mut said = Ok(());
    let examined = doctor::run(&config, |finding| {
        if said.is_ok() {
            said = write(&mut out, finding);
        }
    });
    let Sum { failed, took } = match examined {
        Ok(sum) => sum,
        Err(error) => return fail(error),
    };
    let seconds = took.as_secs_f32();
    let last = match failed {
        0 => writeln!(out, "All is well, {seconds:.1} s"),
        1 => writeln!(out, "One of these failed, {seconds:.1} s"),
        failed => writeln!(out, "{failed} of these failed, {seconds:.1} s"),
    };
    if failed == 0 && said.and(last).is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

impl Arguments {
    fn config(&self) -> Result<doctor::Config, String> {
        let password = fs::read_to_string(&self.password_file)
            .map_err(|error| format!("{}: {error}", self.password_file.display()))?;
        // Editors and echo end the line.
        let password = password.strip_suffix('\n').unwrap_or(&password);
        let password = password.strip_suffix('\r').unwrap_or(password);
        if self.user.node().is_none() {
            return Err(format!(
                "--user {}: an account has a name before the @",
                self.user
            ));
        }
        let local = self.local()?;
        let link = local.as_ref().and_then(|local| local.link.as_ref());
        let service = match (&self.service, link) {
            (Some(service), _) => service.clone(),
            (None, Some(link)) => BareJid::new(&link.jid).map_err(|error| error.to_string())?,
            (None, None) => BareJid::new(&format!("call.{}", self.user.domain()))
                .map_err(|error| error.to_string())?,
        };
        let addresses = Addresses::with_echo(service.clone());
        let (callee, is_echo) = callee(&addresses, self.call.as_ref())?;
        Ok(doctor::Config {
            user: self.user.clone(),
            password: password.into(),
            server: self.server.clone(),
            authorities: self.ca.clone(),
            service,
            callee,
            is_echo,
            local,
        })
    }

    /// The configuration of this machine, if there is one.
    fn local(&self) -> Result<Option<Local>, String> {
        if self.config.file.is_none() && !self.config.path().exists() {
            return Ok(None);
        }
        let file = self.config.path().to_owned();
        let Config { run, .. } = self
            .config
            .load()
            .map_err(|error| format!("the configuration is wrong\n{error}"))?;
        let relay_ports = run.turn.as_ref().map(|turn| turn.relay_ports.to_string());
        let component = run.component;
        Ok(Some(Local {
            file,
            limits: component
                .as_ref()
                .map(|component| component.gateway.limits.xml())
                .unwrap_or_default(),
            link: component.map(|component| component.link),
            http: run.http.listen,
            websocket: run.http.websocket,
            relay_ports,
        }))
    }
}

/// The address to call, and whether it is the test call's.
fn callee(addresses: &Addresses, asked: Option<&Jid>) -> Result<(String, bool), String> {
    let echo = addresses
        .echo()
        .map(ToString::to_string)
        .unwrap_or_default();
    let Some(asked) = asked else {
        return Ok((echo, true));
    };
    match addresses.named(asked) {
        Some(Named::Person(person)) => {
            let address = addresses.of(&person).unwrap_or_default();
            let is_echo = address == echo;
            Ok((address, is_echo))
        }
        Some(Named::Service | Named::Reserved) => {
            Err(format!("--call {asked}: there is nobody at that address"))
        }
        None => addresses
            .of(&asked.to_bare())
            .map(|address| (address, false))
            .ok_or_else(|| format!("--call {asked}: the address is too long")),
    }
}

/// One line for each finding, and one for each thing to change.
fn write(out: &mut impl Write, finding: &Finding) -> io::Result<()> {
    let step = finding.step;
    match &finding.outcome {
        Outcome::Holds(seen) => writeln!(out, "ok    {step:<14} {seen}"),
        Outcome::NotTested(why) => writeln!(out, "--    {step:<14} {why}"),
        Outcome::Fails(what, advice) => {
            writeln!(out, "FAIL  {step:<14} {what}")?;
            advice.iter().try_for_each(|advice| {
                writeln!(out, "      {:<14} {}: {}", "", advice.place, advice.change)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::doctor::{Advice, Step};

    #[test]
    fn a_failure_is_followed_by_what_to_change() {
        let mut out = Vec::new();
        let finding = Finding {
            step: Step::RelayUdp,
            outcome: Outcome::Fails(
                "no answer".into(),
                vec![Advice {
                    place: "campana.toml",
                    change: "turn.listen".into(),
                }],
            ),
        };
        write(&mut out, &finding).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "FAIL  turn over udp  no answer\n                     campana.toml: turn.listen\n"
        );
    }

    #[test]
    fn whoever_is_named_is_called_at_a_gateway_address() {
        let addresses = Addresses::with_echo(BareJid::new("call.example.org").unwrap());
        let called = |asked: &str| callee(&addresses, Some(&Jid::new(asked).unwrap()));
        let echo = ("echo@call.example.org".to_owned(), true);
        assert_eq!(callee(&addresses, None), Ok(echo.clone()));
        assert_eq!(called("echo@call.example.org"), Ok(echo));
        let romeo = ("romeo\\40example.net@call.example.org".to_owned(), false);
        assert_eq!(called("romeo@example.net/phone"), Ok(romeo.clone()));
        assert_eq!(called(&romeo.0), Ok(romeo));
        assert!(called("call.example.org").is_err());
    }
}
