//! The whole XMPP face as one engine.
