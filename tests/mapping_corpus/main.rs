//! SDP and Jingle, and what comes of either on the other side.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

mod browsers;
mod call;
mod conversations;
mod corpus;
mod facts;
mod hostile;
mod in_step;
#[path = "../mapping_harness/mod.rs"]
mod mapping_harness;
mod recording;
mod renegotiation;
#[path = "../schema/mod.rs"]
mod schema;
mod snapshots;
mod unrecorded;
