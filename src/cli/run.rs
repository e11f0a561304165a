//! `campana run`: sets up logging and runs until told to stop.

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use super::{ConfigFile, fail};
use crate::telemetry::{self, LogConfig, LogFormat};

pub(super) fn run(config: &ConfigFile) -> ExitCode {
    let config = match config.load() {
        Ok(config) => config,
        Err(error) => return fail(format_args!("the configuration is wrong\n{error}")),
    };
    if let Err(error) = log(&config.log) {
        return fail(format_args!("log.level: {error}"));
    }
    match crate::io::run::run(config.run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error),
    }
}

fn log(config: &LogConfig) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    telemetry::log_pii(config.pii);
    let filter = EnvFilter::builder().parse(&config.level)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match config.format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    }
}
