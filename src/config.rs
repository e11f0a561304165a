//! Configuration: one TOML file, each key overridable by environment.
//!
//! Every module owns the `Config` of its section, with its defaults and its checks; here they are
//! filled. The names of the keys are asked of those types, so nothing about a key is said twice.
//!
//! - `CAMPANA_COMPONENT__SERVER` overrides `component.server`; lists are separated by commas.
//! - `component.secret_file` and `CAMPANA_COMPONENT__SECRET_FILE` name a file that holds the secret,
//!   and so for every secret.
//! - An unknown key is an error that names the nearest one, and all errors are told at once.

mod fields;
mod problem;
mod source;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jid::BareJid;
use serde::Deserialize;
use toml::Table;

use self::source::Source;
use crate::credentials::{Secret, extdisco};
use crate::io::{http, link, run};
use crate::telemetry::LogConfig;
use crate::{gateway, turn};

pub use problem::{Error, Problem};

/// Everything the file and the environment say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// What the process runs.
    pub run: run::Config,
    /// What it logs.
    pub log: LogConfig,
}

impl Config {
    /// Reads `file` and the process's environment. A missing file is an error only if it `must_exist`:
    /// everything can be said by environment.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, or a key or value is wrong.
    pub fn load(file: &Path, must_exist: bool) -> Result<Self, Error> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => String::new(),
            Err(source) => {
                return Err(Error::Read {
                    file: file.to_owned(),
                    source,
                });
            }
        };
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self::parse(file, &text, environment)
    }

    /// Reads a file's text and variables.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(
        file: &Path,
        text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let table: Table =
            toml::from_str(text).map_err(|error: toml::de::Error| Error::Syntax {
                file: file.to_owned(),
                line: error.span().map_or(1, |span| line_of(text, span.start)),
                message: error.message().to_owned(),
            })?;
        let mut source = Source::new(table, environment);
        let config = Self::read(&mut source);
        let problems = source.finish();
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(Error::Problems(problems))
        }
    }

    fn read(source: &mut Source) -> Self {
        let top: Top = source.top(&SECTIONS);
        let link = source.has("component").then(|| read_component(source));
        let turn = source.has("turn").then(|| read_turn(source));
        let ice = read_ice(source);
        let call = source.section("call", &[]);
        let access = source.section("access", &[]);
        let limits = source.section("limits", &[]);
        let log: LogConfig = source.section("log", &[]);
        let http = http::Config {
            pii: log.pii,
            ..source.section("http", &["admin_token"])
        };
        let component = link.and_then(|link| {
            let defaults = turn::Config::default();
            let credentials = turn.as_ref().unwrap_or(&defaults);
            let gateway = gateway::Config {
                call,
                access,
                limits,
                ice,
                credential_ttl: credentials.credential_ttl,
                credential_domains: credentials.credential_domains.clone(),
                journal: http.token().is_some(),
                // Wrong names were told when the section was read.
                ..gateway::Config::new(BareJid::new(&link.jid).ok()?)
            };
            Some(run::Component { link, gateway })
        });
        Self {
            run: run::Config {
                state_dir: top.state_dir,
                drain_timeout: Duration::from_secs(top.drain_timeout),
                component,
                turn,
                http,
            },
            log,
        }
    }
}

fn read_component(source: &mut Source) -> link::Config {
    let link: link::Config = source.section("component", &["secret"]);
    if link.jid.is_empty() && !source.complained_of("component.jid") {
        source.problem(
            "component.jid",
            "is missing: the component's name as the XMPP server knows it, such as \
             \"call.example.org\"",
        );
    }
    if link.secret.is_empty() && !source.complained_of("component.secret") {
        source.problem(
            "component.secret",
            "is missing: what the XMPP server calls the component's password or secret; or \
             component.secret_file",
        );
    }
    link
}

fn read_turn(source: &mut Source) -> turn::Config {
    let turn: turn::Config = source.section("turn", &["secret", "previous_secret"]);
    for problem in turn.problems() {
        let text = problem.to_string();
        let (key, what) = text.split_once([' ', ':']).unwrap_or(("turn", &text));
        if !source.complained_of(key) {
            source.problem(key, what.trim());
        }
    }
    turn
}

fn read_ice(source: &mut Source) -> Vec<extdisco::Service> {
    let servers: Vec<extdisco::External> = source.list("ice", &["secret"]);
    let mut services = Vec::new();
    for server in servers {
        let url = &server.url;
        let Some(service) = server.service() else {
            source.problem(
                "ice.url",
                format!(
                    "{url:?} is not a STUN or TURN server, such as \
                     \"turn:turn.example.org:3478?transport=udp\""
                ),
            );
            continue;
        };
        if matches!(service.kind, extdisco::Kind::Turn | extdisco::Kind::Turns)
            && service.secret.as_ref().is_none_or(Secret::is_empty)
        {
            source.problem(
                "ice.secret",
                format!("is missing: the TURN REST secret of {url} (coturn: static-auth-secret)"),
            );
        }
        services.push(service);
    }
    services
}

/// The keys above all sections.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
struct Top {
    state_dir: PathBuf,
    drain_timeout: u64,
}

impl Default for Top {
    fn default() -> Self {
        let defaults = run::Config::default();
        Self {
            state_dir: defaults.state_dir,
            drain_timeout: defaults.drain_timeout.as_secs(),
        }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
        + 1
}

const SECTIONS: [&str; 8] = [
    "component",
    "turn",
    "ice",
    "http",
    "call",
    "access",
    "limits",
    "log",
];
