//! `campana credentials USER [--ttl S]`: prints one line, `USERNAME PASSWORD`, for TURN.

use std::io::{self, Write};

use crate::credentials::{Secret, mint};

/// Writes the credentials of `user`, good for `ttl` seconds from `unix`, to `out`.
///
/// # Errors
///
/// Whatever `out` says when it cannot be written to.
pub fn run(
    out: &mut impl Write,
    secret: &Secret,
    user: &str,
    ttl: u64,
    unix: u64,
) -> io::Result<()> {
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
        run(&mut out, &secret, "juliet@example.org", 60, 1000).unwrap();
        let password = secret.password("1060:juliet@example.org");
        let expected = format!("1060:juliet@example.org {password}\n");
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
