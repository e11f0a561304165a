//! Service discovery: our answers, and the caps of others.
