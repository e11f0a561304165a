//! Candidates, one by one.

/// What a browser's `icecandidate` event says and its `addIceCandidate` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trickle {
    /// `sdpMid`.
    pub mid: Option<String>,
    /// `sdpMLineIndex`; used where `mid` is missing.
    pub index: Option<usize>,
    /// `usernameFragment`.
    pub ufrag: Option<String>,
    /// `candidate:…`; `None` is the end of candidates of this section.
    pub candidate: Option<String>,
}
