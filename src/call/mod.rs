//! One call: two legs joined back to back.
