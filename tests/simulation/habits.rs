//! What tells one client from another.

/// How a client differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Habits {
    pub(crate) name: &'static str,
    /// One content in each stanza.
    pub(crate) one_content: bool,
    pub(crate) groups: bool,
    /// Takes content-remove for what it is.
    pub(crate) removes: bool,
    /// May not be told what itself sends.
    pub(crate) own_senders: bool,
    pub(crate) restarts: bool,
    /// As the initiator alone, and it ends the call when it is asked to then.
    pub(crate) restarts_by_initiator: bool,
    /// Tells offer and answer of a restart by the candidates in it.
    pub(crate) by_candidates: bool,
    /// Answers content-add and content-modify with session-accept.
    pub(crate) accepts_all: bool,
    pub(crate) writes_unmirrored: bool,
    pub(crate) reads_unmirrored: bool,
    /// Says that the responder created what it accepts.
    pub(crate) wrong_creator: bool,
    /// Says that the initiator created what it adds as the responder.
    pub(crate) created_by_initiator: bool,
    pub(crate) gathering_complete: bool,
    /// Says `<finish/>` at the end.
    pub(crate) finishes: bool,
    /// Shows other reasons than a few as a lost connection, so that it is told the next best.
    pub(crate) few_reasons: bool,
    pub(crate) rings: bool,
}

const STRICT: Habits = Habits {
    name: "strict",
    one_content: false,
    groups: true,
    removes: true,
    own_senders: false,
    restarts: true,
    restarts_by_initiator: false,
    by_candidates: false,
    accepts_all: false,
    writes_unmirrored: false,
    reads_unmirrored: false,
    wrong_creator: false,
    created_by_initiator: false,
    gathering_complete: false,
    finishes: true,
    few_reasons: false,
    rings: true,
};

pub(crate) const ALL: [Habits; 7] = [
    STRICT,
    Habits {
        name: "Conversations",
        removes: false,
        own_senders: true,
        by_candidates: true,
        few_reasons: true,
        rings: false,
        ..STRICT
    },
    Habits {
        name: "Dino",
        one_content: true,
        groups: false,
        removes: false,
        restarts: false,
        finishes: false,
        rings: false,
        ..STRICT
    },
    Habits {
        name: "Movim",
        restarts: false,
        created_by_initiator: true,
        accepts_all: true,
        writes_unmirrored: true,
        reads_unmirrored: true,
        ..STRICT
    },
    Habits {
        name: "Monal",
        ..STRICT
    },
    Habits {
        name: "stanza.js",
        restarts_by_initiator: true,
        gathering_complete: true,
        ..STRICT
    },
    Habits {
        name: "Jitsi Meet",
        writes_unmirrored: true,
        wrong_creator: true,
        ..STRICT
    },
];

/// Whether the initiator sends, and the responder.
pub(crate) type Senders = (bool, bool);

impl Habits {
    /// What it is told when the other side ends the call for this reason.
    pub(crate) fn reason(self, reason: &str) -> &str {
        match reason {
            "general-error" | "incompatible-parameters" | "media-error" if self.few_reasons => {
                "failed-application"
            }
            "alternative-session" if self.few_reasons => "success",
            "expired" if self.few_reasons => "timeout",
            other => other,
        }
    }

    /// Whether `senders` that were written by the peer mean what they say.
    pub(crate) fn read(self, senders: &str, initiator: bool) -> Senders {
        let (one, other) = match senders {
            "both" => (true, true),
            "initiator" => (true, false),
            "responder" => (false, true),
            "none" => (false, false),
            other => panic!("senders='{other}'"),
        };
        if self.reads_unmirrored && initiator {
            (other, one)
        } else {
            (one, other)
        }
    }

    pub(crate) fn write(self, senders: Senders, initiator: bool) -> &'static str {
        let (one, other) = if self.writes_unmirrored && !initiator {
            (senders.1, senders.0)
        } else {
            senders
        };
        match (one, other) {
            (true, true) => "both",
            (true, false) => "initiator",
            (false, true) => "responder",
            (false, false) => "none",
        }
    }
}
