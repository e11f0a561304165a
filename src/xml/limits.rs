/// How large one stanza may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one stanza as they stand on the stream.
    pub stanza_bytes: usize,
    /// Levels of nesting; the stanza itself is level one.
    pub depth: usize,
    /// Attributes of one element, namespace declarations included.
    pub attributes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stanza_bytes: 256 * 1024,
            depth: 32,
            attributes: 64,
        }
    }
}
