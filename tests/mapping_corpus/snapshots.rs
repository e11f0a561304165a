//! What browsers get from each client's Jingle, and clients from each browser's SDP, to be read.
//!
//! Beside each recording in `tests/corpus` lies a snapshot of the other side, and of what was left
//! out on the way. `INSTA_UPDATE=always cargo test --test mapping_corpus snapshots` writes them anew.

use std::fmt::Write as _;
use std::path::Path;

use campana::jingle::Sid;
use campana::mapping::{self, Dialect, Report};

use crate::recording::{Recording, recordings, root};

#[test]
fn of_each_clients_jingle() {
    let stanzas = recordings("xml");
    assert!(stanzas.len() > 100, "only {} stanzas", stanzas.len());
    for own in &stanzas {
        // Folders of clients are named as their dialects are.
        let dialect = Dialect::named(own.program()).unwrap_or(&Dialect::STRICT);
        let mapped = mapping::to_sdp(&own.jingle(), own.owner(), own.kind(), dialect);
        let (sdp, report) = mapped.unwrap_or_else(|error| panic!("{own}: {error}"));
        compare(own, &sdp.to_string().replace("\r\n", "\n"), &report);
    }
}

#[test]
fn of_each_browsers_sdp() {
    let descriptions = recordings("sdp");
    assert!(
        descriptions.len() > 70,
        "only {} descriptions",
        descriptions.len()
    );
    for own in &descriptions {
        let sid = Sid::new("a73sjjvkla37jfea").unwrap();
        let (owner, kind) = (own.owner(), own.kind());
        let mapped = mapping::to_jingle(&own.sdp(), sid, owner, kind, &Dialect::STRICT);
        let (jingle, report) = mapped.unwrap_or_else(|error| panic!("{own}: {error}"));
        compare(own, &indented(&jingle.to_xml()), &report);
    }
}

#[test]
fn none_is_left_over() {
    for own in recordings("snap") {
        let source = own.path.with_extension("");
        assert!(source.exists(), "{own} is of nothing");
    }
}

fn compare(own: &Recording, text: &str, report: &Report) {
    let mut text = text.to_owned();
    for dropped in &report.dropped {
        write!(text, "\n-- {dropped}").unwrap();
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(own.path.parent().unwrap());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let source = own.path.strip_prefix(root()).unwrap();
    settings.set_input_file(Path::new("tests/corpus").join(source));
    let name = own.path.file_name().unwrap().to_str().unwrap();
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// An element on each line.
fn indented(xml: &str) -> String {
    let mut text = String::new();
    let mut depth = 0_usize;
    for line in xml.replace("><", ">\n<").lines() {
        let closes = line.starts_with("</");
        depth -= usize::from(closes);
        writeln!(text, "{}{line}", "  ".repeat(depth)).unwrap();
        let opens = !closes && !line.ends_with("/>") && !line.contains("</");
        depth += usize::from(opens);
    }
    text
}
