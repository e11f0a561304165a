//! Hands over to [`campana::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    campana::cli::main()
}
