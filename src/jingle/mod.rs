//! Jingle payloads, one file per XEP.
