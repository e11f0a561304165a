//! Jingle Message Initiation: XEP-0353 0.8.
//!
//! Reading accepts what older versions of the XEP had (`accept`); writing follows 0.8, where every
//! message has the type `chat` and a `<store/>` hint (§3).

use crate::xml::{Element, Writer};

use super::{Reason, ReasonElement, Sid, rtp};

/// One message of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `id`: the sid of the Jingle session it is about.
    pub sid: Sid,
    /// What is said.
    pub step: Step,
}

/// What a [`Message`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A call is intended, with these kinds of media (§3.1).
    Propose(Vec<String>),
    /// A device rings (§3.2).
    Ringing,
    /// The intent is disavowed (§3.3).
    Retract(Ending),
    /// Taken on the sender's device (§3.4).
    Proceed,
    /// Not taken on any device (§3.5).
    Reject(Ending),
    /// A started session ended (§3.7).
    Finish(Ending),
    /// `accept` of versions before 0.4, sent to one's own devices.
    Accept,
}

/// Why something ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// The reason, if one is given.
    pub reason: Option<ReasonElement>,
    /// Part of a tie-break (§4.1).
    pub tie_break: bool,
    /// The session that it goes on as (§4.2).
    pub migrated: Option<Sid>,
}

impl Message {
    /// Reads the first child of a `<message/>` that belongs to the protocol. `None` if there is
    /// none, or none that can be understood.
    #[must_use]
    pub fn of(message: Element<'_>) -> Option<Self> {
        message
            .children()
            .filter(|child| child.ns() == NS)
            .find_map(Self::read)
    }

    fn read(element: Element<'_>) -> Option<Self> {
        let step = match element.name() {
            "propose" => Step::Propose(
                element
                    .children()
                    .filter(|child| child.is("description", rtp::NS))
                    .filter_map(|child| child.attr("media"))
                    .take(MAX_MEDIA)
                    .map(str::to_owned)
                    .collect(),
            ),
            "ringing" => Step::Ringing,
            "retract" => Step::Retract(Ending::read(element)),
            "proceed" => Step::Proceed,
            "reject" => Step::Reject(Ending::read(element)),
            "finish" => Step::Finish(Ending::read(element)),
            "accept" => Step::Accept,
            _ => return None,
        };
        Some(Self {
            sid: Sid::new(element.attr("id")?)?,
            step,
        })
    }

    /// Writes the element and its hint into a `<message type='chat'/>`.
    pub fn write(&self, writer: &mut Writer) {
        let name = match &self.step {
            Step::Propose(_) => "propose",
            Step::Ringing => "ringing",
            Step::Retract(_) => "retract",
            Step::Proceed => "proceed",
            Step::Reject(_) => "reject",
            Step::Finish(_) => "finish",
            Step::Accept => "accept",
        };
        writer.open(name, NS).attr("id", self.sid.as_str());
        match &self.step {
            Step::Propose(media) => {
                for kind in media {
                    writer
                        .open("description", rtp::NS)
                        .attr("media", kind)
                        .close();
                }
            }
            Step::Retract(ending) | Step::Reject(ending) | Step::Finish(ending) => {
                ending.write(writer);
            }
            Step::Ringing | Step::Proceed | Step::Accept => {}
        }
        writer.close().leaf("store", NS_HINTS, "");
    }
}

impl Ending {
    fn read(element: Element<'_>) -> Self {
        Self {
            reason: element
                .children()
                .find(|child| child.name() == "reason")
                .map(ReasonElement::from_xml),
            tie_break: element.child("tie-break", NS).is_some(),
            migrated: element
                .child("migrated", NS)
                .and_then(|migrated| Sid::new(migrated.attr("to")?)),
        }
    }

    fn write(&self, writer: &mut Writer) {
        if let Some(reason) = &self.reason {
            reason.write(writer);
        }
        if self.tie_break {
            writer.leaf("tie-break", NS, "");
        }
        if let Some(to) = &self.migrated {
            writer.open("migrated", NS).attr("to", to.as_str()).close();
        }
    }
}

impl From<Reason> for Ending {
    fn from(reason: Reason) -> Self {
        ReasonElement::from(reason).into()
    }
}

impl From<ReasonElement> for Ending {
    fn from(reason: ReasonElement) -> Self {
        Self {
            reason: Some(reason),
            tie_break: false,
            migrated: None,
        }
    }
}

/// The namespace.
pub const NS: &str = "urn:xmpp:jingle-message:0";
/// XEP-0334.
const NS_HINTS: &str = "urn:xmpp:hints";
/// Kinds of media in one propose.
const MAX_MEDIA: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Document, Limits};

    fn read(xml: &str) -> Option<Message> {
        let xml = format!("<message>{xml}</message>");
        let document =
            Document::parse(xml.as_bytes(), "jabber:client", &Limits::default()).unwrap();
        Message::of(document.root())
    }

    #[test]
    fn every_step_is_read_as_written() {
        let ending = Ending {
            reason: Some(Reason::Expired.into()),
            tie_break: true,
            migrated: Sid::new("s2"),
        };
        for step in [
            Step::Propose(vec!["audio".into(), "video".into()]),
            Step::Ringing,
            Step::Retract(ending.clone()),
            Step::Proceed,
            Step::Reject(Ending::default()),
            Step::Finish(ending),
        ] {
            let message = Message {
                sid: Sid::new("s1").unwrap(),
                step,
            };
            let mut writer = Writer::new("jabber:client");
            message.write(&mut writer);
            let xml = writer.finish();
            assert!(xml.ends_with("<store xmlns='urn:xmpp:hints'/>"), "{xml}");
            assert_eq!(read(&xml), Some(message), "{xml}");
        }
    }

    #[test]
    fn what_is_not_understood_is_nothing() {
        assert_eq!(read("<propose xmlns='urn:xmpp:jingle-message:0'/>"), None);
        assert_eq!(
            read("<dance xmlns='urn:xmpp:jingle-message:0' id='1'/>"),
            None
        );
        assert_eq!(read("<body>hi</body>"), None);
    }

    #[test]
    fn a_reason_without_namespace_does_no_harm() {
        let message = read("<reject xmlns='urn:xmpp:jingle-message:0' id='1'><reason/></reject>");
        let Step::Reject(ending) = message.unwrap().step else {
            panic!("a reject")
        };
        assert_eq!(ending.reason.unwrap().condition, Reason::GeneralError);
    }
}
