//! Hands over to [`campana::cli`].

fn main() {}
