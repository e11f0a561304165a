//! What the shell needs of an engine: told the time, polled for output.

use std::time::Instant;

use crate::gateway::{Gateway, Output};
use crate::ladder::Record;
use crate::xml::{BadStanza, Document};

/// The XMPP face of the process: [`Gateway`], or a script in tests.
pub(super) trait Engine {
    /// The component's handshake was accepted.
    fn handle_link_up(&mut self, now: Instant);
    /// The stream ended.
    fn handle_link_down(&mut self, now: Instant);
    /// A stanza arrived.
    fn handle_stanza(&mut self, now: Instant, stanza: Document);
    /// The app that takes test calls sends a stanza.
    fn handle_echo(&mut self, now: Instant, stanza: Document);
    /// A stanza over a limit arrived and was not read.
    fn handle_bad_stanza(&mut self, now: Instant, stanza: BadStanza);
    /// The deadline of the last [`Output::Timeout`] has come.
    fn handle_timeout(&mut self, now: Instant);
    /// It is `unix` seconds since 1970; called once a minute.
    fn handle_wall_clock(&mut self, now: Instant, unix: u64);
    /// Take no new calls; end those that still live at `until`, with reason `gone`.
    fn handle_drain(&mut self, now: Instant, until: Instant);
    /// What is to be done; call until it says [`Output::Timeout`].
    fn poll_output(&mut self) -> Output;
    /// What has happened in calls; call until there is nothing, if anybody keeps it.
    fn poll_record(&mut self) -> Option<Record>;
    /// Whether a call lives.
    fn has_calls(&self) -> bool;
}

impl Engine for Gateway {
    fn handle_link_up(&mut self, now: Instant) {
        self.handle_link_up(now);
    }

    fn handle_link_down(&mut self, now: Instant) {
        self.handle_link_down(now);
    }

    fn handle_stanza(&mut self, now: Instant, stanza: Document) {
        self.handle_stanza(now, stanza);
    }

    fn handle_echo(&mut self, now: Instant, stanza: Document) {
        self.handle_echo(now, stanza);
    }

    fn handle_bad_stanza(&mut self, now: Instant, stanza: BadStanza) {
        self.handle_bad_stanza(now, stanza);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn handle_wall_clock(&mut self, now: Instant, unix: u64) {
        self.handle_wall_clock(now, unix);
    }

    fn handle_drain(&mut self, now: Instant, until: Instant) {
        self.handle_drain(now, until);
    }

    fn poll_output(&mut self) -> Output {
        self.poll_output()
    }

    fn poll_record(&mut self) -> Option<Record> {
        self.poll_record()
    }

    fn has_calls(&self) -> bool {
        self.has_calls()
    }
}
