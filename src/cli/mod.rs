//! The commands, one file each.

mod check;
mod completions;
mod credentials;
mod doctor;
mod man;
mod map;
mod run;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config};

/// Calls for any XMPP server: Jingle clients and browsers call each other, with STUN and TURN.
#[derive(Debug, Parser)]
#[command(name = "campana", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the component
    Run(ConfigFile),
    /// Validate the configuration and say what each wrong key should be
    Check(ConfigFile),
    /// Print a user name and password for TURN
    Credentials(credentials::Arguments),
    /// Try what people need, from login to a call, and say what to change where it fails
    Doctor(doctor::Arguments),
    /// Map SDP to Jingle or back, from stdin to stdout
    Map(map::Arguments),
    /// Print what a shell completes
    Completions(completions::Arguments),
    /// Write the manual pages
    Man(man::Arguments),
}

/// Where the configuration is.
#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration; campana.toml, if it exists, when not given
    #[arg(long = "config", value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Parses the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    // Before anything can use TLS: there is exactly one provider of cryptography.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        return fail("another TLS provider was installed first");
    }
    match Cli::parse().command {
        Command::Run(config) => run::run(&config),
        Command::Check(config) => check::run(&config, &mut io::stdout()),
        Command::Credentials(arguments) => credentials::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Map(arguments) => map::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
    }
}

impl ConfigFile {
    fn path(&self) -> &Path {
        self.file
            .as_deref()
            .unwrap_or_else(|| Path::new("campana.toml"))
    }

    fn load(&self) -> Result<Config, config::Error> {
        Config::load(self.path(), self.file.is_some())
    }
}

/// Says on stderr why it failed.
fn fail(why: impl std::fmt::Display) -> ExitCode {
    // Nobody is left to tell when stderr is closed.
    writeln!(io::stderr(), "campana: {why}").ok();
    ExitCode::FAILURE
}
