//! Service discovery (XEP-0030) and entity capabilities (XEP-0115, XEP-0390): what we answer, and
//! what others can do.
//!
//! [`Profile`] is what an address of ours answers. [`Caps`] is the hash that others show of theirs,
//! and [`Cache`] remembers what stands behind it; only an answer whose hash is right is believed of
//! anybody but its sender, so that nobody can poison it (XEP-0115 §5.4, XEP-0390 §8).

mod cache;
mod caps;
mod profile;

pub use cache::{Abilities, Cache};
pub use caps::{Caps, Scheme};
pub use profile::{ClientType, Profile, write_call_features};

/// XEP-0030 §3.
pub const NS_INFO: &str = "http://jabber.org/protocol/disco#info";
/// XEP-0030 §4.
pub const NS_ITEMS: &str = "http://jabber.org/protocol/disco#items";
