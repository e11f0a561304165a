//! `campana man`: the manual pages, one for each command.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory};

use super::{Cli, fail};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where to write campana.1 and its like
    directory: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match write(&arguments.directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(format_args!("{}: {error}", arguments.directory.display())),
    }
}

fn write(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    clap_mangen::generate_to(Cli::command(), directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let directory = std::env::temp_dir().join(format!("campana-man-{}", std::process::id()));
        write(&directory).unwrap();
        for command in Cli::command().get_subcommands() {
            let page = directory.join(format!("campana-{}.1", command.get_name()));
            let page = fs::read_to_string(page).unwrap();
            assert!(page.contains(".SH NAME"), "{page}");
        }
        let page = fs::read_to_string(directory.join("campana.1")).unwrap();
        assert!(page.contains("campana\\-doctor(1)"), "{page}");
        fs::remove_dir_all(&directory).unwrap();
    }
}
