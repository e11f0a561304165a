//! What XMPP servers let us do for their people (XEP-0356, Privileged Entity), and what they hand us to
//! answer in their stead (XEP-0355, Namespace Delegation), in both namespaces of each.

mod delegation;
mod grants;
mod request;

pub use delegation::{Request, is_disco_node, write_features};
pub use grants::{Announced, Grants, Privileges};
pub use request::{answer, write};
