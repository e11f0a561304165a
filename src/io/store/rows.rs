//! Records as rows.

use std::sync::Arc;

use jid::{BareJid, FullJid};
use rusqlite::{Connection, Result, Transaction, params};

use crate::disco::{Abilities, Caps, Scheme};
use crate::gateway::{Change, Key, Record};
use crate::web::Media;

/// All of them. A row that says nothing is passed over.
pub(super) fn load(database: &Connection) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    let mut rows = database.prepare("SELECT person, watcher FROM subscription")?;
    for row in rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))? {
        let (person, watcher): (String, String) = row?;
        if let (Ok(person), Ok(watcher)) = (BareJid::new(&person), BareJid::new(&watcher)) {
            records.push(Record::Subscription { person, watcher });
        }
    }
    let mut rows = database.prepare("SELECT jid, announcement, watches FROM device")?;
    for row in rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))? {
        let (jid, announcement, watches): (String, String, bool) = row?;
        if let Ok(jid) = FullJid::new(&jid) {
            records.push(Record::Device {
                jid,
                announcement,
                watches,
            });
        }
    }
    let mut rows = database
        .prepare("SELECT xep, algorithm, hash, media, message_initiation, name FROM caps")?;
    let caps = rows.query_map([], |row| {
        let (xep, algorithm, hash): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let media: String = row.get(3)?;
        let abilities = Abilities {
            media: Media::parse(&media),
            message_initiation: row.get(4)?,
            name: row.get(5)?,
        };
        let scheme = if xep == XEP_0390 {
            Scheme::V2
        } else {
            Scheme::V1
        };
        let caps = Arc::new(Caps::new(scheme, "", &algorithm, &hash));
        Ok(Record::Caps { caps, abilities })
    })?;
    for record in caps {
        records.push(record?);
    }
    let mut rows = database.prepare("SELECT person FROM opened")?;
    for row in rows.query_map([], |row| row.get::<_, String>(0))? {
        if let Ok(person) = BareJid::new(&row?) {
            records.push(Record::Opened { person });
        }
    }
    Ok(records)
}

/// Writes changes in one transaction: all of them, or none.
pub(super) fn save<'a>(
    database: &mut Connection,
    changes: impl Iterator<Item = &'a Change>,
) -> Result<()> {
    let transaction = database.transaction()?;
    for change in changes {
        match change {
            Change::Keep(record) => keep(&transaction, record)?,
            Change::Forget(key) => forget(&transaction, key)?,
        }
    }
    transaction.commit()
}

fn keep(database: &Transaction<'_>, record: &Record) -> Result<()> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        database.prepare_cached(sql)?.execute(values).map(|_| ())
    };
    match record {
        Record::Subscription { person, watcher } => run(
            "INSERT OR REPLACE INTO subscription VALUES (?, ?)",
            params![person.as_str(), watcher.as_str()],
        ),
        Record::Device {
            jid,
            announcement,
            watches,
        } => run(
            "INSERT OR REPLACE INTO device VALUES (?, ?, ?)",
            params![jid.as_str(), announcement, watches],
        ),
        Record::Caps { caps, abilities } => run(
            "INSERT OR REPLACE INTO caps VALUES (?, ?, ?, ?, ?, ?)",
            params![
                xep(caps),
                caps.algorithm(),
                caps.hash(),
                abilities.media.to_string(),
                abilities.message_initiation,
                abilities.name,
            ],
        ),
        Record::Opened { person } => run(
            "INSERT OR REPLACE INTO opened VALUES (?)",
            params![person.as_str()],
        ),
    }
}

fn forget(database: &Transaction<'_>, key: &Key) -> Result<()> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        database.prepare_cached(sql)?.execute(values).map(|_| ())
    };
    match key {
        Key::Subscription(person, watcher) => run(
            "DELETE FROM subscription WHERE person = ? AND watcher = ?",
            params![person.as_str(), watcher.as_str()],
        ),
        Key::Device(jid) => run("DELETE FROM device WHERE jid = ?", params![jid.as_str()]),
        Key::Caps(caps) => run(
            "DELETE FROM caps WHERE xep = ? AND algorithm = ? AND hash = ?",
            params![xep(caps), caps.algorithm(), caps.hash()],
        ),
        Key::Opened(person) => run(
            "DELETE FROM opened WHERE person = ?",
            params![person.as_str()],
        ),
    }
}

fn xep(caps: &Caps) -> i64 {
    match caps.scheme {
        Scheme::V1 => XEP_0115,
        Scheme::V2 => XEP_0390,
    }
}

const XEP_0115: i64 = 115;
const XEP_0390: i64 = 390;
