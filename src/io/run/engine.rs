//! What the shell needs of an engine: told the time, polled for output.

use std::time::Instant;

use crate::xml::{BadStanza, Document};

/// The XMPP face of the process. [`crate::gateway::Gateway`] in production.
pub trait Engine {
    /// The component's handshake was accepted.
    fn handle_link_up(&mut self, now: Instant);
    /// The stream ended.
    fn handle_link_down(&mut self, now: Instant);
    /// A stanza arrived.
    fn handle_stanza(&mut self, now: Instant, stanza: Document);
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
    /// Whether a call lives.
    fn has_calls(&self) -> bool;
}

/// What an engine asks of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this stanza.
    Stanza(String),
    /// Close the TURN allocations made with this user name.
    DropAllocations {
        /// `expiry:person`.
        username: String,
    },
    /// Nothing more now; call [`Engine::handle_timeout`] at this time.
    Timeout(Option<Instant>),
}
