//! The test call: a person of our own, `echo@` the service, with one app, which lives in this process.
//!
//! To the engines it is an app like any other: it is announced, rung, and speaks
//! [`web`](crate::web). Only the way of its stanzas differs: they do not leave the process.

use jid::{FullJid, Jid};

use super::clients::Clients;
use super::outbox::receiver;
use crate::address::Addresses;
use crate::web::{Device, Media};

/// The app that takes test calls.
#[derive(Debug)]
pub(super) struct Echo {
    app: FullJid,
}

impl Echo {
    pub(super) fn new(addresses: &Addresses) -> Option<Self> {
        let app = addresses.echo()?.with_resource_str(APP).ok()?;
        Some(Self { app })
    }

    /// It is always there.
    pub(super) fn announce(&self, clients: &mut Clients) {
        let device = Device {
            media: Media::BOTH,
            ..Device::default()
        };
        // It is the first of all; a limit of none leaves it out.
        let _ = clients.registry.announce(&self.app, device);
        clients.echo = Some(self.app.to_bare());
    }

    pub(super) fn is_at(&self, jid: &Jid) -> bool {
        jid.as_str() == self.app.as_str()
    }

    /// Whether a stanza that we wrote is for it.
    pub(super) fn receives(&self, stanza: &str) -> bool {
        receiver(stanza) == self.app.as_str()
    }
}

/// The resource of the app.
const APP: &str = "app";
