//! What XMPP servers hand us to answer in their stead (XEP-0355, Namespace Delegation), in both
//! namespaces of it.

mod delegation;

pub use delegation::{Request, is_disco_node, write_features};
