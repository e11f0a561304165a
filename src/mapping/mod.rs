//! Pure functions between SDP and Jingle.
