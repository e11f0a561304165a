//! Service discovery (XEP-0030) and entity capabilities (XEP-0115): what we answer, and what
//! others can do.
//!
//! [`Profile`] is what an address of ours answers. [`Cache`] remembers what stands behind the
//! caps of others; only an answer whose hash is right is believed of anybody but its sender, so
//! that nobody can poison it (XEP-0115 §5.4).

mod cache;
mod profile;

pub use cache::{Abilities, Cache};
pub use profile::{Profile, write_call_features};

/// XEP-0030 §3.
pub const NS_INFO: &str = "http://jabber.org/protocol/disco#info";
/// XEP-0030 §4.
pub const NS_ITEMS: &str = "http://jabber.org/protocol/disco#items";
