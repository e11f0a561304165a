//! Payloads of session-info: XEP-0167 §8.

use crate::xml::{Element, Writer};

use super::session::Role;

/// What a session-info says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Info {
    /// Neither on hold nor muted any more (§8.1).
    Active,
    /// Off to another call (§8.2).
    Hold,
    /// Back from it.
    Unhold,
    /// Not sending, but listening (§8.3).
    Mute(Muted),
    /// Sending again.
    Unmute(Muted),
    /// The device rings (§8.4).
    Ringing,
    /// Something else, to be answered with `unsupported-info`.
    Unknown,
}

/// What a mute is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Muted {
    /// Required by the schema, missing in the wild.
    pub creator: Option<Role>,
    /// Without a name all contents are meant.
    pub name: Option<String>,
}

impl Info {
    /// Reads a child of `<jingle/>` that is no content, reason or group.
    pub fn from_xml(element: Element<'_>) -> Self {
        if element.ns() != NS {
            return Self::Unknown;
        }
        let muted = || Muted {
            creator: element.attr("creator").and_then(Role::from_name),
            name: element.attr("name").map(str::to_owned),
        };
        match element.name() {
            "active" => Self::Active,
            "hold" => Self::Hold,
            "unhold" => Self::Unhold,
            "mute" => Self::Mute(muted()),
            "unmute" => Self::Unmute(muted()),
            "ringing" => Self::Ringing,
            _ => Self::Unknown,
        }
    }

    /// Writes the payload; nothing for [`Info::Unknown`].
    pub fn write(&self, out: &mut Writer) {
        let (name, muted) = match self {
            Self::Active => ("active", None),
            Self::Hold => ("hold", None),
            Self::Unhold => ("unhold", None),
            Self::Mute(muted) => ("mute", Some(muted)),
            Self::Unmute(muted) => ("unmute", Some(muted)),
            Self::Ringing => ("ringing", None),
            Self::Unknown => return,
        };
        out.open(name, NS);
        if let Some(muted) = muted {
            out.attr("creator", muted.creator.unwrap_or(Role::Initiator).name());
            out.opt_attr("name", muted.name.as_ref());
        }
        out.close();
    }
}

/// The namespace of the payloads.
pub const NS: &str = "urn:xmpp:jingle:apps:rtp:info:1";
