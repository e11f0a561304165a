//! Bounded XML.
