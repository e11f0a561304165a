//! How clients differ in what they say and understand.

use crate::jingle::{Reason, Role};

/// The rules for one client. A dialect changes how a thing is said, never what is meant.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dialect {
    /// What `--dialect` calls it.
    pub name: &'static str,
    /// Carry what no XEP has a place for in our own element.
    pub extension: bool,
    /// One content per transport-info, content-add, content-accept and description-info.
    pub one_content: bool,
    /// Reads only one candidate of a transport-info.
    pub one_candidate: bool,
    /// Say `a=group` as XEP-0338.
    pub groups: bool,
    /// Offer data channels.
    pub data: bool,
    /// Send TCP candidates.
    pub tcp: bool,
    /// Send candidates whose address is an mDNS name.
    pub mdns: bool,
    /// Send link-local addresses, which mean nothing without their zone.
    pub link_local: bool,
    /// Throws on a `<parameter/>` without value, also in XEP-0339.
    pub values_required: bool,
    /// Names of contents have at most 16 characters.
    pub short_names: bool,
    /// An accept has to hold a content for every one that was offered, else the call ends.
    pub same_contents: bool,
    /// One `setup` for all contents.
    pub one_setup: bool,
    /// Takes no other `setup` than `actpass` in session-initiate and content-add.
    pub offers_actpass: bool,
    /// Takes content-remove for what it is. Conversations ends the call over it, Dino does not know
    /// it: there nobody sends any more.
    pub removes: bool,
    /// Takes a content-modify only of what its sender sends itself.
    pub own_senders_only: bool,
    /// Restarts ICE when the credentials change. Others take a transport-info for its candidates
    /// alone.
    pub restarts: bool,
    /// Restarts ICE only as the initiator, and ends the call when it is then asked to by the
    /// responder.
    pub restarts_by_initiator: bool,
    /// Tells offer and answer of an ICE restart by whether there are candidates in it, and has one
    /// set of credentials for all contents.
    pub restarts_by_candidates: bool,
    /// Name stream and track in an element of stanza's own, too.
    pub streams: bool,
    /// Shows every reason of XEP-0166 §7.4 that it does not know as a lost connection.
    pub few_reasons: bool,
    /// As responder it writes `senders` as if it were the initiator.
    pub writes_unmirrored: bool,
    /// As initiator it writes who sends a header extension as if it were the responder, which it is
    /// with a bridge.
    pub extensions_of_responder: bool,
    /// As initiator it reads a responder's `senders` as if they were an initiator's.
    pub reads_unmirrored: bool,
}

impl Dialect {
    /// The XEPs to the letter, with everything kept; for Campana itself.
    pub const STRICT: Self = Self {
        name: "strict",
        extension: true,
        one_content: false,
        one_candidate: false,
        groups: true,
        data: true,
        tcp: true,
        mdns: true,
        link_local: true,
        values_required: false,
        short_names: false,
        same_contents: false,
        one_setup: false,
        offers_actpass: false,
        removes: true,
        own_senders_only: false,
        restarts: true,
        restarts_by_initiator: false,
        restarts_by_candidates: false,
        streams: false,
        few_reasons: false,
        writes_unmirrored: false,
        extensions_of_responder: false,
        reads_unmirrored: false,
    };

    /// A client of which nothing is known. It may be one that takes only one content at a time, and
    /// nobody minds that.
    pub const UNKNOWN: Self = Self {
        name: "unknown",
        one_content: true,
        ..Self::STRICT
    };

    /// What holds for every client that is known by name.
    const CLIENT: Self = Self {
        extension: false,
        data: false,
        mdns: false,
        link_local: false,
        values_required: true,
        short_names: true,
        ..Self::STRICT
    };

    /// Conversations and its forks.
    pub const CONVERSATIONS: Self = Self {
        name: "conversations",
        tcp: false,
        same_contents: true,
        one_setup: true,
        offers_actpass: true,
        removes: false,
        own_senders_only: true,
        restarts_by_candidates: true,
        few_reasons: true,
        ..Self::CLIENT
    };

    /// Dino.
    pub const DINO: Self = Self {
        name: "dino",
        one_content: true,
        groups: false,
        tcp: false,
        removes: false,
        restarts: false,
        ..Self::CLIENT
    };

    /// Movim.
    pub const MOVIM: Self = Self {
        name: "movim",
        one_candidate: true,
        restarts: false,
        writes_unmirrored: true,
        reads_unmirrored: true,
        ..Self::CLIENT
    };

    /// Monal.
    pub const MONAL: Self = Self {
        name: "monal",
        one_candidate: true,
        tcp: false,
        ..Self::CLIENT
    };

    /// Siskin and Beagle.
    pub const SISKIN: Self = Self {
        name: "siskin",
        restarts: false,
        ..Self::CLIENT
    };

    /// stanza.js.
    pub const STANZA: Self = Self {
        name: "stanza",
        data: true,
        mdns: true,
        restarts_by_initiator: true,
        streams: true,
        ..Self::CLIENT
    };

    /// Jitsi Meet.
    pub const JITSI: Self = Self {
        name: "jitsi",
        writes_unmirrored: true,
        extensions_of_responder: true,
        ..Self::CLIENT
    };

    /// All of them.
    pub const ALL: [&'static Self; 9] = [
        &Self::STRICT,
        &Self::UNKNOWN,
        &Self::CONVERSATIONS,
        &Self::DINO,
        &Self::MOVIM,
        &Self::MONAL,
        &Self::SISKIN,
        &Self::STANZA,
        &Self::JITSI,
    ];

    /// In whose role the `senders` of a description that the peer owns are to be read.
    pub(super) fn read_as(&self, owner: Role) -> Role {
        if self.writes_unmirrored {
            Role::Initiator
        } else {
            owner
        }
    }

    /// In whose role the `senders` of the header extensions of such a description are to be read.
    pub(super) fn read_extensions_as(&self, owner: Role) -> Role {
        if self.extensions_of_responder {
            Role::Responder
        } else {
            self.read_as(owner)
        }
    }

    /// In whose role the `senders` of a description that goes to the peer are to be written.
    pub(super) fn write_as(&self, owner: Role) -> Role {
        if self.reads_unmirrored {
            Role::Initiator
        } else {
            owner
        }
    }

    /// A reason in the words that the client understands, as near as they come.
    #[must_use]
    pub fn reason(&self, reason: Reason) -> Reason {
        if !self.few_reasons {
            return reason;
        }
        match reason {
            Reason::AlternativeSession => Reason::Success,
            Reason::Expired => Reason::Timeout,
            Reason::GeneralError | Reason::IncompatibleParameters | Reason::MediaError => {
                Reason::FailedApplication
            }
            // It is one.
            Reason::ConnectivityError
            | Reason::FailedTransport
            | Reason::Gone
            // These it knows.
            | Reason::Busy
            | Reason::Cancel
            | Reason::Decline
            | Reason::FailedApplication
            | Reason::SecurityError
            | Reason::Success
            | Reason::Timeout
            | Reason::UnsupportedApplications
            | Reason::UnsupportedTransports => reason,
        }
    }

    /// The dialect of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL
            .into_iter()
            .find(|dialect| dialect.name.eq_ignore_ascii_case(name))
    }

    /// The dialect of a client that calls itself so in disco#info or XEP-0092.
    pub fn of_client(software: &str) -> &'static Self {
        find(CLIENTS, &software.to_ascii_lowercase()).unwrap_or(&Self::UNKNOWN)
    }

    /// The dialect of a client that has this node in its caps (XEP-0115 §4) as well.
    pub fn of_client_at(software: &str, node: &str) -> &'static Self {
        let by_name = Self::of_client(software);
        if *by_name == Self::UNKNOWN {
            find(NODES, node).unwrap_or(by_name)
        } else {
            by_name
        }
    }
}

fn find(known: &[(&str, &'static Dialect)], name: &str) -> Option<&'static Dialect> {
    let mut known = known.iter();
    let found = known.find(|(prefix, _)| name.starts_with(prefix));
    found.map(|(_, dialect)| *dialect)
}

/// How the nodes in the caps of clients begin that are made of others, and have names of their own:
/// apps of a library, forks of a client.
const NODES: &[(&str, &Dialect)] = &[
    ("http://conversations.im", &Dialect::CONVERSATIONS),
    ("https://conversations.im", &Dialect::CONVERSATIONS),
    ("https://stanzajs.org", &Dialect::STANZA),
    ("https://stanza.io", &Dialect::STANZA),
];

/// How clients' names begin.
const CLIENTS: &[(&str, &Dialect)] = &[
    ("campana", &Dialect::STRICT),
    ("conversations", &Dialect::CONVERSATIONS),
    ("cheogram", &Dialect::CONVERSATIONS),
    ("quicksy", &Dialect::CONVERSATIONS),
    ("blabber", &Dialect::CONVERSATIONS),
    ("monocles", &Dialect::CONVERSATIONS),
    ("pix-art", &Dialect::CONVERSATIONS),
    ("dino", &Dialect::DINO),
    ("movim", &Dialect::MOVIM),
    ("monal", &Dialect::MONAL),
    ("siskin", &Dialect::SISKIN),
    ("beagle", &Dialect::SISKIN),
    ("stanza", &Dialect::STANZA),
    ("jitsi", &Dialect::JITSI),
    ("lib-jitsi-meet", &Dialect::JITSI),
];

#[cfg(test)]
mod tests {
    use super::Dialect;

    #[test]
    fn clients_are_known_by_their_names_and_what_they_are_made_of() {
        for (software, node, dialect) in [
            ("Conversations", "http://conversations.im", "conversations"),
            ("Snikket", "http://conversations.im", "conversations"),
            ("an app", "https://stanzajs.org", "stanza"),
            ("Siskin IM", "http://siskinim", "siskin"),
            ("Dino", "", "dino"),
            ("", "", "unknown"),
        ] {
            assert_eq!(Dialect::of_client_at(software, node).name, dialect);
        }
    }
}
