//! `campana completions`: what a shell completes.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, fail};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Whose language to write
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match io::stdout().write_all(&script(arguments.shell)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error),
    }
}

fn script(shell: Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "campana", &mut out);
    out
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_learns_every_command() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(script(*shell)).unwrap();
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}");
            }
            assert!(
                script.contains("--password-file") || script.contains("password-file"),
                "{shell}"
            );
        }
    }
}
