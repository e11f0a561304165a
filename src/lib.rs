//! Campana: an XMPP external component that gives any XMPP server calls that work.
//!
//! It maps Jingle (XEP-0166) to SDP offers, answers and trickle candidates and back, so that IM
//! clients and browsers call each other, serves STUN and TURN, and knows from presence who can be
//! called.
//!
//! # Layers
//!
//! Values ← mapping ← engines ← io. A module uses only what stands above it in this list;
//! `tests/architecture.rs` holds the exact table.
//!
//! ```text
//!  values    xml  sdp  jingle  web  stun           what is on the wire: parse, write, compare
//!            address  stanza
//!  mapping   mapping                              pure functions between values
//!  engines   call  presence  disco  credentials   sans-IO state machines: told the time,
//!            privilege  admin  gateway  ladder    given their randomness, polled for output
//!            turn
//!  shell     io  config  cli                      tokio, sockets, files, clocks, entropy
//! ```
//!
//! # Where to start
//!
//! | You want to | Read |
//! |---|---|
//! | follow one stanza | [`io::link`] → [`gateway`] → [`call`] → `poll_output` |
//! | see how SDP becomes Jingle | [`mapping`] |
//! | follow one TURN packet | `io::turn` → [`turn`] |
//! | know what a browser sends | [`web`] |
//! | add a configuration key | the `Config` of the module it belongs to |
//!
//! # Invariants
//!
//! - Nothing outside [`io`] reads a clock, opens a socket or spawns a task.
//! - [`gateway`] and [`turn`] never import each other: they share [`credentials`].
//! - A bad stanza costs one stanza, a bad stream one reconnect.
//! - No media passes through Campana except what TURN relays.

pub mod telemetry;

pub mod xml;

pub mod sdp;

pub mod jingle;

pub mod web;

pub mod address;

pub mod stanza;

pub mod stun;

pub mod mapping;

pub mod credentials;

pub mod disco;

pub mod admin;

pub mod presence;

pub mod privilege;

pub mod call;

pub mod ladder;

pub mod turn;

pub mod gateway;

pub mod io;

pub mod config;

pub mod cli;
