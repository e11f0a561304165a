//! Ad-hoc commands (XEP-0050) of the service, in the manner of XEP-0133: what an admin may do
//! without a shell, and what a person may do for herself.
//!
//! [`Request`] is what is asked, [`Reply`] what is said to it, [`Form`] what is to be filled in.
//! What a command does is the gateway's business.

mod command;
mod form;

pub use command::{Action, Command, Reply, Request};
pub use form::{Field, Form, Table};

/// XEP-0050 §7.
pub const NS: &str = "http://jabber.org/protocol/commands";
/// XEP-0004.
const NS_DATA: &str = "jabber:x:data";
