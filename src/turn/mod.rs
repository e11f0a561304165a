//! The STUN and TURN server as an engine without I/O: RFC 8489 (Binding, long-term credentials) and
//! RFC 8656 over UDP relays, IPv4, IPv6 and dual allocations.
//!
//! ```text
//!             handle_datagram ─┐                       ┌─ Verdict: what becomes of this datagram,
//!        handle_peer_datagram ─┤        Server         ├─   in the caller's own buffer, no queue
//!         handle_relay_opened ─┤  allocations, ports,  │
//!  handle_timeout, _wall_clock ┤  permissions, quotas  ├─ poll_output: rare effects, the next deadline
//!            drop_allocations ─┘                       ┘
//! ```
//!
//! The hot path, ChannelData and Send and what peers send, is answered with a [`Verdict`] that names
//! a range of the buffer the datagram was received into: nothing is copied, queued or allocated. What
//! is rare, opening and closing relay sockets, comes out of [`Server::poll_output`].
//!
//! With several threads there is an engine in each, and [`Shared`] between them: each client stays with
//! one, and [`Verdict::Forward`] carries data between two.
//!
//! Deviations and decisions:
//! - RFC 8656 §7.2 item 4: DONT-FRAGMENT is treated as unknown, since DF is not set per packet.
//! - RFC 8656 §5 wants SOFTWARE in replies; it is left out, as it only helps attackers.
//! - RFC 8489 §9.2: USERHASH is refused, since TURN REST passwords are derived from the name.
//! - A user name that expires can do nothing any more, not even refresh: its allocation ends with the
//!   lifetime that it has left, since RFC 8656 §5 lets no other name renew it.
//! - RFC 8656 §7.2 has a server refuse who has enough (486). Clients that never delete would be
//!   refused for minutes, so one of theirs that has long been silent ends instead; see `quota`.

mod allocate;
mod allocation;
mod answer;
mod auth;
mod config;
mod counters;
mod icmp;
mod limiter;
mod policy;
mod ports;
mod quota;
mod relay;
mod requests;
mod server;
mod shared;
mod table;

pub use allocation::{End, Ended, FiveTuple, RelayId, Transport};
pub use config::{Config, Listen, ParseError, PortRange, Problem};
pub use counters::{AuthFailures, ByTransport, Counters, Drops, Ends, Refusals, Sample, Traffic};
pub use icmp::IcmpError;
pub(crate) use limiter::network;
pub use server::{HEADROOM, OpenError, Output, Server, Site, TAILROOM, Verdict};
pub use shared::Shared;
