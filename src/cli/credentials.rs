//! `campana credentials USER [--ttl S]`: prints one line, `USERNAME PASSWORD`, for TURN.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;

use super::{ConfigFile, fail};
use crate::config::Config;
use crate::credentials::{Secret, mint};
use crate::io::run::{turn_secrets, unix};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Whom they are for: a JID, or any other name
    user: String,
    /// Seconds that they are good for; turn.credential_ttl when not given
    #[arg(long, value_name = "S")]
    ttl: Option<u64>,
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let config = match arguments.config.load() {
        Ok(config) => config,
        Err(error) => return fail(format_args!("the configuration is wrong\n{error}")),
    };
    let secret = match secret(&config) {
        Ok(secret) => secret,
        Err(error) => return fail(error),
    };
    let ttl = arguments
        .ttl
        .unwrap_or_else(|| config.run.turn.unwrap_or_default().credential_ttl);
    match print(&mut io::stdout(), &secret, &arguments.user, ttl, unix()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error),
    }
}

/// The secret that the running component mints with.
fn secret(config: &Config) -> Result<Secret, crate::io::run::Error> {
    let turn = config.run.turn.clone().unwrap_or_default();
    Ok(turn_secrets(&turn, &config.run.state_dir)?.current)
}

/// Writes the credentials of `user`, good for `ttl` seconds from `unix`, to `out`.
fn print(out: &mut impl Write, secret: &Secret, user: &str, ttl: u64, unix: u64) -> io::Result<()> {
    let credentials = mint(secret, user, unix.saturating_add(ttl));
    writeln!(out, "{} {}", credentials.username, credentials.password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_of_two_words() {
        let secret = Secret::new("north");
        let mut out = Vec::new();
        print(&mut out, &secret, "juliet@example.org", 60, 1000).unwrap();
        let password = secret.password("1060:juliet@example.org");
        let expected = format!("1060:juliet@example.org {password}\n");
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
