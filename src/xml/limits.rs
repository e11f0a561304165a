use serde::Deserialize;

/// How large one stanza may be. Each bound is a key of `[limits]` in the configuration.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of one stanza as they stand on the stream.
    #[serde(rename = "stanza_bytes")]
    pub stanza_bytes: usize,
    /// Levels of nesting; the stanza itself is level one.
    #[serde(rename = "xml_depth")]
    pub depth: usize,
    /// Attributes of one element, namespace declarations included.
    #[serde(rename = "xml_attributes")]
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
