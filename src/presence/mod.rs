//! Who is online, what can be called, and who may know.
//!
//! [`Registry`] learns of people from directed presence to the service (browser apps), from
//! presence sent to gateway addresses under subscription (RFC 6121 §3), and from privileged
//! presence where the server grants it (XEP-0356). [`Access`] says who may see and call whom,
//! [`Blocks`] who may not whatever else is said, and [`Watches`] which apps are told when somebody whom they may call comes or leaves.

mod access;
mod blocks;
mod limits;
mod photo;
mod registry;
mod resources;
mod sight;
mod watches;

pub use access::{Access, Config, Decision, Mode, RosterEntry, roster_entries};
pub use blocks::{Blocks, NS_BLOCKING};
pub use limits::Limits;
pub use photo::Photo;
pub use registry::{Client, Reach, Registry, Show, Withdrawn};
pub use watches::{Contact, Contacts, Vouched, Watches};
