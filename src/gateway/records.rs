//! What is kept over a restart: the engine says what changes, the shell keeps it.

use std::sync::Arc;

use jid::{BareJid, FullJid};

use crate::disco::{Abilities, Caps};

/// Something to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// `watcher` sees the gateway address of `person`.
    Subscription {
        /// Who is seen.
        person: BareJid,
        /// Who sees her.
        watcher: BareJid,
    },
    /// A browser app announced itself.
    Device {
        /// Its address.
        jid: FullJid,
        /// `<device/>` as it was.
        announcement: String,
        /// It watches those whom it may call.
        watches: bool,
    },
    /// What stands behind caps, verified.
    Caps {
        /// The hash.
        caps: Arc<Caps>,
        /// What clients with this hash can do.
        abilities: Abilities,
    },
    /// Everybody may call this person, as she has said herself.
    Opened {
        /// The person.
        person: BareJid,
    },
}

/// What names a [`Record`] among its kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// Person and watcher.
    Subscription(BareJid, BareJid),
    /// The app's address.
    Device(FullJid),
    /// The hash.
    Caps(Arc<Caps>),
    /// The person.
    Opened(BareJid),
}

/// A change to what is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This, in the place of what had the same key.
    Keep(Record),
    /// No longer this.
    Forget(Key),
}

impl Record {
    /// What names it.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::Subscription { person, watcher } => {
                Key::Subscription(person.clone(), watcher.clone())
            }
            Self::Device { jid, .. } => Key::Device(jid.clone()),
            Self::Caps { caps, .. } => Key::Caps(Arc::clone(caps)),
            Self::Opened { person } => Key::Opened(person.clone()),
        }
    }
}
