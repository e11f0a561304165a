//! `campana check`: validates the configuration.

use std::io::Write;
use std::process::ExitCode;

use super::ConfigFile;
use crate::config::Error;
use crate::io::link;

pub(super) fn run(config: &ConfigFile, out: &mut impl Write) -> ExitCode {
    let file = config.path().display().to_string();
    let problems: Vec<String> = match config.load() {
        Err(Error::Problems(problems)) => problems.iter().map(ToString::to_string).collect(),
        Err(error) => vec![error.to_string()],
        // What the values name must be there, too.
        Ok(config) => config
            .run
            .component
            .iter()
            .filter_map(|component| link::check(&component.link).err())
            .map(|error| error.to_string())
            .collect(),
    };
    let code = if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    };
    let said = if problems.is_empty() {
        writeln!(out, "{file}: ok")
    } else {
        problems
            .iter()
            .try_for_each(|problem| writeln!(out, "{problem}"))
    };
    match said {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}
