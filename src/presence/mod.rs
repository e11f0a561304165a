//! Who is online and what can be called.
