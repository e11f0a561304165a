//! The TURN server engine.
