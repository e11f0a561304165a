//! What is wrong in a configuration, said so that it can be put right.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// Why there is no configuration.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error("{}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML. The text of the line is left out, since it may hold a secret.
    #[error("{}: line {line}: {message}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What the parser expected.
        message: String,
    },
    /// Keys or values are wrong.
    #[error("{}", lines(.0))]
    Problems(Vec<Problem>),
}

/// One wrong key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: a key such as `component.server`, or a variable such as `CAMPANA_LOG__LEVEL`.
    pub key: String,
    /// What is wrong, and what it should be.
    pub what: String,
}

impl Problem {
    pub(super) fn new(key: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            what: what.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}

/// serde's message for a wrong value, in words for an admin.
pub(super) fn in_words(message: &str) -> String {
    let message = message.lines().next().unwrap_or_default();
    let shape = ["invalid type: ", "invalid value: ", "invalid length "]
        .iter()
        .find_map(|prefix| message.strip_prefix(prefix));
    if let Some((found, expected)) = shape.and_then(|rest| rest.split_once(", expected ")) {
        return format!(
            "should be {}, not {}",
            kind(expected),
            found.replace('`', "")
        );
    }
    if let Some((found, expected)) = message
        .strip_prefix("unknown variant ")
        .and_then(|rest| rest.split_once(", expected "))
    {
        let expected = expected.trim_start_matches("one of ");
        return format!(
            "should be {}, not {}",
            expected.replace('`', "\""),
            found.replace('`', "\"")
        );
    }
    message.to_owned()
}

fn kind(expected: &str) -> &str {
    match expected {
        "a string" | "string" | "str" | "path string" => "a text in quotes",
        "a boolean" | "bool" => "true or false",
        "a sequence" | "a list" => "a list in brackets",
        "a map" => "a section",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "i64" | "i32" => "a whole number",
        "f64" | "f32" => "a number",
        _ if expected.starts_with("struct ") => "a section",
        other => other,
    }
}

/// Among `keys`, the one most like `wrong`.
pub(super) fn nearest<'a>(
    wrong: &str,
    keys: impl IntoIterator<Item = &'a str>,
) -> Option<(&'a str, f64)> {
    keys.into_iter()
        .map(|key| (key, strsim::jaro_winkler(wrong, key)))
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_it_should_be() {
        assert_eq!(
            in_words("invalid type: string \"x\", expected u64"),
            "should be a whole number, 0 or more, not string \"x\""
        );
        assert_eq!(
            in_words("unknown variant `xml`, expected `text` or `json`"),
            "should be \"text\" or \"json\", not \"xml\""
        );
        assert_eq!(in_words("\"x\" is not a domain"), "\"x\" is not a domain");
    }
}
