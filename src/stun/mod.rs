//! STUN and TURN messages (RFC 8489, RFC 8656).
