//! What is kept over a restart: an SQLite database in `state_dir`, written by a thread of its own.
//!
//! Changes are taken at once and written many in one transaction, so nobody waits for the disk. The
//! write-ahead log is synchronous: a transaction is there whole or not at all, also after a loss of
//! power. A database of another version is brought up to date, one of a later version refused.

mod rows;
mod schema;

use std::collections::HashMap;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use thiserror::Error;
use tracing::warn;

use crate::gateway::{Change, Key, Record};

/// Keeps [`Record`]s. Dropping it waits until everything is written, or cannot be.
#[derive(Debug)]
pub struct Store {
    changes: Option<Sender<Change>>,
    writer: Option<JoinHandle<()>>,
}

/// Why the store cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The directory or the file cannot be made.
    #[error("the store in state_dir = \"{}\": {source}", state_dir.display())]
    Directory {
        /// `state_dir`.
        state_dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It was written by a later version of Campana.
    #[error(
        "{} was written by a later version of Campana (schema {found}, {known} is known here)",
        file.display()
    )]
    Later {
        /// The database.
        file: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// It cannot be read.
    #[error(
        "{}: {source}; without the file Campana starts with nothing remembered",
        file.display()
    )]
    Database {
        /// The database.
        file: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

impl Store {
    /// Opens the store of a component's domain in `state_dir`, which is made if need be, and reads
    /// what is in it.
    ///
    /// # Errors
    /// It cannot be made or read.
    pub fn open(state_dir: &Path, service: &str) -> Result<(Self, Vec<Record>), Error> {
        let file = state_dir.join(format!("{service}.sqlite"));
        make(state_dir, &file).map_err(|source| Error::Directory {
            state_dir: state_dir.to_owned(),
            source,
        })?;
        let failed = |source| Error::Database {
            file: file.clone(),
            source,
        };
        let mut database = Connection::open(&file).map_err(failed)?;
        let found = schema::prepare(&mut database).map_err(failed)?;
        if found > schema::VERSION {
            return Err(Error::Later {
                file,
                found,
                known: schema::VERSION,
            });
        }
        let records = rows::load(&database).map_err(failed)?;
        let (changes, received) = channel();
        let writer = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || write(&mut database, &received))
            .map_err(|source| Error::Directory {
                state_dir: state_dir.to_owned(),
                source,
            })?;
        let store = Self {
            changes: Some(changes),
            writer: Some(writer),
        };
        Ok((store, records))
    }

    /// One that keeps nothing.
    #[must_use]
    pub fn none() -> Self {
        Self {
            changes: None,
            writer: None,
        }
    }

    /// Keeps a change; it is written soon.
    pub fn apply(&self, change: Change) {
        if let Some(changes) = &self.changes
            && changes.send(change).is_err()
        {
            warn!("The store has ended: nothing more is kept over a restart");
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        drop(self.changes.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            warn!("The store ended early");
        }
    }
}

/// Makes the directory, and the file so that only its owner may read it.
fn make(state_dir: &Path, file: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state_dir)?;
    let made = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file)?;
    made.set_permissions(Permissions::from_mode(0o600))
}

/// Writes what comes until nobody sends more.
fn write(database: &mut Connection, changes: &Receiver<Change>) {
    // The last change of each key; what could not be written stays.
    let mut pending: HashMap<Key, Change> = HashMap::new();
    let mut failed_at: Option<Instant> = None;
    loop {
        let next = match failed_at {
            Some(_) => changes.recv_timeout(RETRY),
            None => changes.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let is_over = matches!(next, Err(RecvTimeoutError::Disconnected));
        for change in next.into_iter().chain(changes.try_iter()) {
            let key = match &change {
                Change::Keep(record) => record.key(),
                Change::Forget(key) => key.clone(),
            };
            if pending.len() < MAX_PENDING || pending.contains_key(&key) {
                pending.insert(key, change);
            }
        }
        let may_try = is_over || failed_at.is_none_or(|at| at.elapsed() >= RETRY);
        if may_try && !pending.is_empty() {
            match rows::save(database, pending.values()) {
                Ok(()) => {
                    pending.clear();
                    failed_at = None;
                }
                Err(error) => {
                    warn!(%error, "The store cannot be written; it is tried again");
                    failed_at = Some(Instant::now());
                }
            }
        }
        if is_over {
            return;
        }
    }
}

/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// Changes that wait while the disk is full.
const MAX_PENDING: usize = 1_000_000;

#[cfg(test)]
mod tests;
