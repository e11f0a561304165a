//! The whole XMPP face as one engine: routes each stanza to the engine it belongs to.
