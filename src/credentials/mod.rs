//! Time-limited TURN credentials in the TURN REST form (draft-uberti-behave-turn-rest-00):
//! who mints them and who checks them share this module and one secret.

pub mod extdisco;
mod rest;

pub use rest::{Credentials, Refusal, Secret, Secrets, Username, mint, username};
