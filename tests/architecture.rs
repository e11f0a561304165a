//! Who may use whom: the module table of the crate, enforced.
//!
//! It reads `src/` and compares every `crate::…` path, every `super::` path that leaves its module,
//! and every mention of tokio with the table. Modules that come are to be added here first.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Module, and what it may use besides itself.
const TABLE: &[(&str, &[&str])] = &[
    ("telemetry", &[]),
    ("xml", &[]),
    ("sdp", &[]),
    ("stun", &[]),
    ("jingle", &["xml"]),
    ("web", &["xml"]),
    ("address", &[]),
    ("stanza", &["xml"]),
    ("mapping", &["sdp", "jingle"]),
    ("credentials", SERVICES),
    ("disco", SERVICES),
    ("admin", SERVICES),
    (
        "presence",
        &["xml", "web", "address", "stanza", "telemetry", "disco"],
    ),
    (
        "call",
        &[
            "mapping",
            "sdp",
            "jingle",
            "web",
            "address",
            "stanza",
            "xml",
            "telemetry",
        ],
    ),
    (
        "privilege",
        &["xml", "stanza", "credentials", "disco", "presence"],
    ),
    ("ladder", &["xml", "address", "call"]),
    ("turn", &["stun", "credentials", "telemetry"]),
    (
        "gateway",
        &[
            "telemetry",
            "address",
            "stanza",
            "xml",
            "sdp",
            "jingle",
            "web",
            "mapping",
            "credentials",
            "presence",
            "privilege",
            "disco",
            "admin",
            "call",
        ],
    ),
    (
        "io",
        &[
            "stanza",
            "gateway",
            "ladder",
            "turn",
            "credentials",
            "disco",
            "xml",
            "sdp",
            "stun",
            "web",
            "telemetry",
        ],
    ),
    // The `Config` types of every module, and what those are made of.
    ("config", EVERY_CONFIG),
    ("cli", ANYTHING),
];
const SERVICES: &[&str] = &["xml", "web", "address", "stanza", "telemetry"];
const EVERY_CONFIG: &[&str] = &[
    "telemetry",
    "xml",
    "credentials",
    "presence",
    "disco",
    "call",
    "ladder",
    "turn",
    "gateway",
    "io",
];
const ANYTHING: &[&str] = &[
    "telemetry",
    "address",
    "stanza",
    "xml",
    "sdp",
    "stun",
    "jingle",
    "web",
    "mapping",
    "credentials",
    "presence",
    "privilege",
    "disco",
    "call",
    "ladder",
    "turn",
    "gateway",
    "io",
    "config",
];
/// The only modules that may know of tokio.
const ASYNC: &[&str] = &["io"];

#[test]
fn every_module_has_a_row() {
    let written: BTreeSet<&str> = TABLE.iter().map(|(module, _)| *module).collect();
    let found: BTreeSet<String> = sources()
        .into_iter()
        .filter_map(|file| module(&file))
        .collect();
    assert_eq!(
        found.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        written,
        "left: modules in src/, right: rows of the table"
    );
}

#[test]
fn nobody_uses_what_stands_above_it() {
    let wrong: Vec<String> = sources().iter().flat_map(|file| forbidden(file)).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_table_has_no_cycles() {
    // Rows stand in order: each uses only rows above its own.
    for (at, (module, uses)) in TABLE.iter().enumerate() {
        for used in *uses {
            let row = TABLE.iter().position(|(name, _)| name == used).expect(used);
            assert!(row < at, "{module} uses {used}, which stands below it");
        }
    }
}

#[test]
fn the_reader_of_this_test_sees_paths_in_every_form() {
    let source = "use crate::{io::link, xml};\nuse crate::call::Call;\nuse crate::{\n    web::{A, B},\n    \
                  turn,\n};\nlet x = crate::sdp::parse();\n/// [`crate::config`] is no use.\nuse crate as c;";
    let used: Vec<(usize, String)> = crate_paths(source);
    let names: Vec<&str> = used.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["io", "xml", "call", "web", "turn", "sdp", "as"]);
    assert_eq!(used[5].0, 7);
}

/// What `file` uses and may not, one line each.
fn forbidden(file: &Path) -> Vec<String> {
    let Some(module) = module(file) else {
        return Vec::new();
    };
    let source = fs::read_to_string(file).unwrap();
    let shown = file.strip_prefix(root()).unwrap().display();
    let allowed = TABLE
        .iter()
        .find(|(name, _)| *name == module)
        .map_or(&[][..], |(_, uses)| uses);
    let mut wrong: Vec<String> = crate_paths(&source)
        .into_iter()
        .filter(|(_, used)| *used != module && !allowed.contains(&used.as_str()))
        .map(|(line, used)| format!("{shown}:{line}: {module} may not use {used}"))
        .collect();
    let tests = code_lines(&source)
        .find(|(_, line)| line.starts_with("mod tests {"))
        .map_or(usize::MAX, |(number, _)| number);
    for (number, line) in code_lines(&source) {
        if line.contains("tokio") && !ASYNC.contains(&module.as_str()) {
            wrong.push(format!("{shown}:{number}: only {ASYNC:?} may use tokio"));
        }
        // Inside `mod tests { … }` one more level stands between us and the crate.
        let levels = depth(file) + usize::from(number > tests);
        if line.contains("super::super") && levels <= line.matches("super").count() {
            wrong.push(format!(
                "{shown}:{number}: write crate:: for what is outside {module}"
            ));
        }
    }
    wrong
}

/// The first name behind each `crate::`, groups taken apart, with its line.
fn crate_paths(source: &str) -> Vec<(usize, String)> {
    let code: Vec<(usize, &str)> = code_lines(source).collect();
    let text: String = code.iter().map(|(_, line)| format!("{line}\n")).collect();
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find("crate") {
        let start = from + at;
        from = start + "crate".len();
        let before = text[..start].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let line = code[text[..start].matches('\n').count()].0;
        let rest = &text[from..];
        if let Some(group) = rest.strip_prefix("::{") {
            found.extend(heads(group).into_iter().map(|name| (line, name)));
        } else if let Some(path) = rest.strip_prefix("::") {
            found.push((line, word(path)));
        } else if rest.trim_start().starts_with("as ") {
            // A second name for the crate would hide what is used.
            found.push((line, "as".to_owned()));
        }
    }
    found
}

/// The first name of each item of `{a::b, c}`, nested groups skipped.
fn heads(group: &str) -> Vec<String> {
    let mut depth = 0;
    let mut names = Vec::new();
    let mut fresh = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if depth == 0 && fresh && (c.is_alphabetic() || c == '_') => {
                names.push(word(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

fn word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// Lines that are not comments, counted from 1.
fn code_lines(source: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..)
        .zip(source.lines())
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The top-level module a file belongs to; none for lib.rs and main.rs.
fn module(file: &Path) -> Option<String> {
    let first = file.strip_prefix(root()).unwrap().iter().next().unwrap();
    let name = Path::new(first).file_stem().unwrap().to_str().unwrap();
    (!matches!(name, "lib" | "main")).then(|| name.to_owned())
}

/// Modules between the crate and what stands in `file`.
fn depth(file: &Path) -> usize {
    let parts = file.strip_prefix(root()).unwrap().iter().count();
    if file.ends_with("mod.rs") {
        parts - 1
    } else {
        parts
    }
}

fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 10, "src/ was not found");
    files.sort();
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}
