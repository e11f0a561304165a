//! What stands in docs/, packaging/ and campana.doap agrees with the code.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "integration test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use campana::telemetry::metric::{self, Kind};

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

#[test]
fn the_dashboard_shows_what_there_is() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("packaging/grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let expressions: Vec<&str> = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
        .flatten()
        .map(|target| target["expr"].as_str().unwrap())
        .collect();
    assert!(expressions.len() > 20, "{expressions:?}");
    let mut shown = BTreeSet::new();
    for expression in expressions {
        for name in names(expression) {
            let base = metric::ALL.iter().find(|family| {
                let bucket = family.kind == Kind::Histogram;
                name == family.name || bucket && name.strip_suffix("_bucket") == Some(family.name)
            });
            let base = base.unwrap_or_else(|| panic!("{name} of {expression}"));
            if base.kind == Kind::Counter {
                let grows = ["rate(", "increase("]
                    .iter()
                    .any(|f| expression.contains(f));
                assert!(grows, "{expression} shows how much there ever was");
            }
            shown.insert(base.name);
        }
    }
    // One that nobody looks at need not be counted.
    for family in metric::ALL {
        let elsewhere = [
            "build_info",
            "start_time_seconds",
            "link_opened",
            "writes_total",
            "pings_total",
        ];
        let other = ["legs_total", "_packets_total", "made_total", "icmp_errors"];
        let left_out = elsewhere
            .iter()
            .chain(&other)
            .any(|part| family.name.contains(part));
        assert!(
            left_out || shown.contains(family.name),
            "{} is not shown",
            family.name
        );
    }
}

fn names(expression: &str) -> impl Iterator<Item = &str> {
    expression
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("campana_"))
}

#[test]
fn the_protocol_s_text_and_its_grammar_name_the_same() {
    let (text, grammar) = (
        read("docs/browser-protocol.md"),
        read("schemas/campana-sdp.xsd"),
    );
    for declared in grammar.split("<xs:element name=\"").skip(1) {
        let name = declared.split('"').next().unwrap();
        assert!(
            text.contains(&format!("<{name}")),
            "<{name}/> is not in the text"
        );
    }
    for declared in grammar.split("<xs:attribute name=\"").skip(1) {
        let name = declared.split('"').next().unwrap();
        assert!(
            text.contains(&format!("{name}='")),
            "{name} is not in the text"
        );
    }
    let ns = campana::web::NS;
    assert!(text.contains(ns) && grammar.contains(ns));
}

#[test]
fn table_and_doap_list_the_same_extensions() {
    let (table, doap) = (read("docs/standards.md"), read("campana.doap"));
    let rows: BTreeSet<String> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ["))
        .map(|row| {
            let cells: Vec<&str> = row.split(" | ").collect();
            format!("{} {} {}", &cells[0][..4], cells[2], cells[3])
        })
        .collect();
    let value = |text: &str, tag: &str| {
        let behind = text.split_once(&format!("<xmpp:{tag}>")).unwrap().1;
        behind.split('<').next().unwrap().to_owned()
    };
    let entries: BTreeSet<String> = doap
        .split("extensions/xep-")
        .skip(1)
        .map(|entry| {
            format!(
                "{} {} {}",
                &entry[..4],
                value(entry, "version"),
                value(entry, "status")
            )
        })
        .collect();
    assert!(rows.len() > 30);
    assert_eq!(rows, entries);
    // What the code cites is in the table; these it only mentions.
    let mentioned = ["0068"];
    let mut cited = BTreeSet::new();
    cite(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut cited,
    );
    let missing: Vec<_> = cited
        .iter()
        .filter(|xep| !table.contains(&format!("| [{xep}]")) && !mentioned.contains(&xep.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/standards.md says nothing of {missing:?}"
    );
}

fn cite(folder: &Path, cited: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            cite(&path, cited);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(path).unwrap();
            let numbers = text
                .split("XEP-")
                .skip(1)
                .filter_map(|behind| behind.get(..4));
            let numbers = numbers.filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
            cited.extend(numbers.map(str::to_owned));
        }
    }
}

#[test]
fn keys_in_the_operator_s_guide_exist() {
    let (guide, example) = (read("docs/operating.md"), read("campana.example.toml"));
    let mut section = "";
    let mut keys = BTreeSet::new();
    for line in example.lines() {
        let line = line.strip_prefix('#').unwrap_or(line);
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_start_matches('[').split(']').next().unwrap();
            keys.insert(section.to_owned());
        } else if let Some((key, _)) = line.split_once(" = ") {
            keys.insert(format!("{section}.{key}"));
        }
    }
    let sections = [
        "component",
        "turn",
        "http",
        "call",
        "access",
        "limits",
        "log",
    ];
    let mut seen = 0;
    for word in guide.split('`').skip(1).step_by(2) {
        let word = word.split(' ').next().unwrap();
        let of_ours = word
            .split_once('.')
            .is_some_and(|(section, _)| sections.contains(&section));
        if of_ours && !word.contains(['/', '@']) && !word.ends_with(".key") {
            assert!(keys.contains(word), "{word}");
            seen += 1;
        }
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn the_unit_runs_what_there_is() {
    let unit = read("packaging/campana.service");
    for start in ["ExecStartPre=", "ExecStart="] {
        let line = unit
            .lines()
            .find_map(|line| line.strip_prefix(start))
            .unwrap();
        let command = line.split(' ').nth(1).unwrap();
        let help = Command::new(env!("CARGO_BIN_EXE_campana"))
            .args([command, "--help"])
            .output();
        assert!(help.unwrap().status.success(), "{line}");
    }
    for guard in [
        "DynamicUser=yes",
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
    ] {
        assert!(unit.contains(guard));
    }
}
