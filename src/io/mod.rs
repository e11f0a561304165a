//! The I/O shell: the only place with tokio, sockets, files, clocks and entropy.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the I/O shell"
)]

pub mod doctor;
mod echo;
pub mod http;
pub mod link;
pub(crate) mod peer;
pub mod run;
mod samples;
pub mod store;
pub mod turn;
