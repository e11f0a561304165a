//! The gateway as its peers see it, in virtual time.
