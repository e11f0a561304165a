use std::fs;
use std::sync::Arc;

use jid::{BareJid, FullJid};

use super::*;
use crate::disco::{Abilities, Caps, Scheme};
use crate::web::Media;

const FILE: &str = "call.example.org.sqlite";

/// A directory of its own, removed at the end.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let name = format!("campana-store-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn open(&self) -> (Store, Vec<Record>) {
        Store::open(&self.0, "call.example.org").unwrap()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn what_belongs_to_one_domain_is_nothing_to_another() {
    let dir = Dir::new("domains");
    let (store, _) = dir.open();
    store.apply(Change::Keep(Record::Opened {
        person: bare("a@b"),
    }));
    drop(store);
    assert_eq!(Store::open(&dir.0, "other.example.org").unwrap().1, []);
    assert_eq!(dir.open().1.len(), 1);
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error() {
    let error = Store::open(Path::new("/dev/null/state"), "call.example.org").unwrap_err();
    assert!(matches!(error, Error::Directory { .. }), "{error}");
}

fn bare(jid: &str) -> BareJid {
    BareJid::new(jid).unwrap()
}

fn one_of_each() -> Vec<Record> {
    let caps = |scheme, algorithm| Arc::new(Caps::new(scheme, "n", algorithm, "hash"));
    let abilities = Abilities {
        media: Media::BOTH,
        message_initiation: true,
        name: "Dino".to_owned(),
    };
    vec![
        Record::Subscription {
            person: bare("juliet@example.org"),
            watcher: bare("romeo@example.net"),
        },
        Record::Device {
            jid: FullJid::new("juliet@example.org/page o'1").unwrap(),
            announcement: "<device xmlns='urn:x-campana:sdp:0' media='audio'/>".to_owned(),
            watches: true,
        },
        Record::Caps {
            caps: caps(Scheme::V1, "sha-1"),
            abilities: abilities.clone(),
        },
        Record::Caps {
            caps: caps(Scheme::V2, "sha-256"),
            abilities,
        },
        Record::Opened {
            person: bare("help@example.org"),
        },
    ]
}

#[test]
fn what_is_kept_is_there_after_a_restart_and_what_is_forgotten_is_not() {
    let dir = Dir::new("keeps");
    let (store, empty) = dir.open();
    assert_eq!(empty, []);
    for record in one_of_each() {
        store.apply(Change::Keep(record.clone()));
        store.apply(Change::Forget(record.key()));
        store.apply(Change::Keep(record));
    }
    drop(store);
    let (store, kept) = dir.open();
    assert_eq!(kept, one_of_each());
    for record in kept {
        store.apply(Change::Forget(record.key()));
    }
    drop(store);
    assert_eq!(dir.open().1, []);
}

#[test]
fn only_its_owner_may_read_it() {
    let dir = Dir::new("mode");
    drop(dir.open());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir.0), 0o700);
    assert_eq!(mode(&dir.0.join(FILE)), 0o600);
}

#[test]
fn a_file_that_is_no_database_is_refused_by_name() {
    let dir = Dir::new("garbage");
    fs::create_dir_all(&dir.0).unwrap();
    fs::write(
        dir.0.join(FILE),
        "not a database at all, but long enough to see".repeat(100),
    )
    .unwrap();
    let error = Store::open(&dir.0, "call.example.org")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(FILE) && error.contains("not a database"),
        "{error}"
    );
}

#[test]
fn a_later_version_is_refused_and_left_alone() {
    let dir = Dir::new("later");
    let (store, _) = dir.open();
    store.apply(Change::Keep(Record::Opened {
        person: bare("a@b"),
    }));
    drop(store);
    let version = |to: i64| {
        let database = Connection::open(dir.0.join(FILE)).unwrap();
        database.pragma_update(None, "user_version", to).unwrap();
    };
    version(99);
    let error = Store::open(&dir.0, "call.example.org")
        .unwrap_err()
        .to_string();
    assert!(error.contains("schema 99"), "{error}");
    version(schema::VERSION);
    assert_eq!(dir.open().1.len(), 1);
}
