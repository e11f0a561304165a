//! SDP (RFC 8866) as typed values.
