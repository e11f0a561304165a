//! The tables, and how they came about.

use std::time::Duration;

use rusqlite::{Connection, Result};

/// What each version of the schema added to the one before. Entries are never changed, only added.
const STEPS: &[&str] = &["
    CREATE TABLE subscription (
        person TEXT NOT NULL,
        watcher TEXT NOT NULL,
        PRIMARY KEY (person, watcher)
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE device (
        jid TEXT NOT NULL PRIMARY KEY,
        announcement TEXT NOT NULL,
        watches INTEGER NOT NULL
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE caps (
        xep INTEGER NOT NULL,
        algorithm TEXT NOT NULL,
        hash TEXT NOT NULL,
        media TEXT NOT NULL,
        message_initiation INTEGER NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (xep, algorithm, hash)
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE opened (
        person TEXT NOT NULL PRIMARY KEY
    ) WITHOUT ROWID, STRICT;
"];

/// The version that is known here.
#[expect(clippy::cast_possible_wrap, reason = "a handful")]
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// Brings the database up to date. Returns the version that it has then; a later one than
/// [`VERSION`] is left as it is.
pub(super) fn prepare(database: &mut Connection) -> Result<i64> {
    // Another process may look into it.
    database.busy_timeout(Duration::from_secs(5))?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "FULL")?;
    let transaction =
        database.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > VERSION {
        return Ok(found);
    }
    let done = usize::try_from(found).unwrap_or(0);
    for step in STEPS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(VERSION)
}
