//! XEP-0353 0.8: Jingle Message Initiation.

use super::session::{Reason, Sid};
use crate::web::Media;
