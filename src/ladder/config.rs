/// How much is kept, and how open it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Calls that are kept.
    pub calls: usize,
    /// Bytes of one call.
    pub call_bytes: usize,
    /// Bytes of all of them.
    pub calls_bytes: usize,
    /// Whether addresses and names of people are kept as they are.
    pub pii: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            calls: 1000,
            call_bytes: 256 * 1024,
            calls_bytes: 64 * 1024 * 1024,
            pii: false,
        }
    }
}
