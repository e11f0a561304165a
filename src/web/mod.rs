//! The browser protocol, `urn:x-campana:sdp:0`.
