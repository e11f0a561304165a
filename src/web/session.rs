use thiserror::Error;

use super::{Media, NS};
use crate::xml::{Element, Writer};

/// `<session sid=''/>` with what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Names the call between the two addresses of the IQ.
    pub sid: String,
    /// The other person, in a call that the device carries.
    pub peer: Option<String>,
    /// What is said.
    pub message: Message,
}

/// The one kind of child that a [`Session`] holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Someone calls with these media.
    Propose(Media),
    /// A device of the callee rings.
    Ringing,
    /// Picked up; an offer follows.
    Proceed,
    /// An SDP offer, the first or a later one.
    Offer(String),
    /// An SDP answer.
    Answer(String),
    /// Trickled candidates (RFC 8838), then the sections that have no more of them.
    Candidates(Vec<Candidate>, Vec<EndOfCandidates>),
    /// Session information as XEP-0167 §8 has it.
    Info(Info),
    /// Hang up, decline, cancel.
    End(End),
}

/// `RTCIceCandidateInit`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// `sdpMid`.
    pub mid: Option<String>,
    /// `sdpMLineIndex`.
    pub index: Option<u16>,
    /// `usernameFragment`.
    pub ufrag: Option<String>,
    /// `candidate`, with its `candidate:` prefix.
    pub candidate: String,
}

/// A section that has no more candidates (RFC 8838 §8.2, `a=end-of-candidates`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndOfCandidates {
    /// `sdpMid`; `None` for all sections.
    pub mid: Option<String>,
    /// `usernameFragment`.
    pub ufrag: Option<String>,
}

/// XEP-0167 §8 session information.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Info {
    /// Attends to the call again.
    Active,
    /// Put on hold.
    Hold,
    /// Taken from hold.
    Unhold,
    /// Sends nothing in this section, or in any.
    Mute(Option<String>),
    /// Sends again.
    Unmute(Option<String>),
}

/// `<end reason=''/>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// One of the names of XEP-0166 §7.4; empty where the app gave none.
    pub reason: String,
    /// In words, for people.
    pub text: Option<String>,
    /// Another device of the same person took, or refused, the call.
    pub answered_elsewhere: bool,
}

/// Why a `<session/>` says nothing that can be acted on.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseError {
    /// No `sid`, or one that no application would make.
    #[error("<session/> needs a sid of 1 to {MAX_SID} characters")]
    Sid,
    /// None of the children known here.
    #[error(
        "<session/> needs one of propose, ringing, proceed, offer, answer, candidate, info, end"
    )]
    NoMessage,
    /// Children of more than one kind.
    #[error("<session/> holds one kind of child")]
    SeveralMessages,
    /// More candidates than one stanza may bring.
    #[error("more than {MAX_CANDIDATES} candidates in one stanza")]
    TooManyCandidates,
    /// An `index` that is no number, or an empty `<info/>`.
    #[error("{0}")]
    Invalid(&'static str),
}

impl Session {
    /// Reads the element.
    ///
    /// # Errors
    /// When it cannot be acted on.
    pub fn read(element: Element<'_>) -> Result<Self, ParseError> {
        let sid = element.attr("sid").unwrap_or_default();
        if sid.is_empty() || sid.chars().count() > MAX_SID {
            return Err(ParseError::Sid);
        }
        Ok(Self {
            sid: sid.to_owned(),
            peer: element.attr("peer").map(str::to_owned),
            message: Message::read(element)?,
        })
    }

    /// Writes the element.
    pub fn write(&self, writer: &mut Writer) {
        writer.open("session", NS).attr("sid", &self.sid);
        writer.opt_attr("peer", self.peer.as_ref());
        self.message.write(writer);
        writer.close();
    }
}

impl Message {
    fn read(session: Element<'_>) -> Result<Self, ParseError> {
        let mut message: Option<Self> = None;
        for child in session.children().filter(|child| child.ns() == NS) {
            let next = match child.name() {
                "propose" => Self::Propose(child.attr("media").map_or(Media::AUDIO, Media::parse)),
                "ringing" => Self::Ringing,
                "proceed" => Self::Proceed,
                "offer" => Self::Offer(child.text().into_owned()),
                "answer" => Self::Answer(child.text().into_owned()),
                "candidate" => Self::Candidates(vec![Candidate::read(child)?], Vec::new()),
                "end-of-candidates" => {
                    Self::Candidates(Vec::new(), vec![EndOfCandidates::read(child)])
                }
                "info" => Self::Info(Info::read(child)?),
                "end" => Self::End(End::read(child)),
                _ => continue,
            };
            message = Some(match (message, next) {
                (None, next) => next,
                (Some(Self::Candidates(mut all, mut ends)), Self::Candidates(more, more_ends)) => {
                    all.extend(more);
                    ends.extend(more_ends);
                    if all.len() + ends.len() > MAX_CANDIDATES {
                        return Err(ParseError::TooManyCandidates);
                    }
                    Self::Candidates(all, ends)
                }
                (Some(_), _) => return Err(ParseError::SeveralMessages),
            });
        }
        message.ok_or(ParseError::NoMessage)
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Propose(media) => {
                writer
                    .open("propose", NS)
                    .attr("media", media.to_string())
                    .close();
            }
            Self::Ringing => {
                writer.leaf("ringing", NS, "");
            }
            Self::Proceed => {
                writer.leaf("proceed", NS, "");
            }
            Self::Offer(sdp) => {
                writer.leaf("offer", NS, sdp);
            }
            Self::Answer(sdp) => {
                writer.leaf("answer", NS, sdp);
            }
            Self::Candidates(candidates, ends) => {
                candidates
                    .iter()
                    .for_each(|candidate| candidate.write(writer));
                ends.iter().for_each(|end| end.write(writer));
            }
            Self::Info(info) => info.write(writer),
            Self::End(end) => end.write(writer),
        }
    }
}

impl Candidate {
    fn read(element: Element<'_>) -> Result<Self, ParseError> {
        let index = element
            .attr("index")
            .map(|index| {
                index
                    .parse()
                    .map_err(|_| ParseError::Invalid("index is no number"))
            })
            .transpose()?;
        Ok(Self {
            mid: filled(element, "mid"),
            index,
            ufrag: filled(element, "ufrag"),
            candidate: element.text().trim().to_owned(),
        })
    }

    fn write(&self, writer: &mut Writer) {
        writer
            .open("candidate", NS)
            .opt_attr("mid", self.mid.as_ref());
        writer.opt_attr("index", self.index.map(|index| index.to_string()));
        writer
            .opt_attr("ufrag", self.ufrag.as_ref())
            .text(&self.candidate)
            .close();
    }
}

/// The value of an attribute; some apps write an empty one where they have none.
fn filled(element: Element<'_>, name: &str) -> Option<String> {
    let value = element.attr(name).filter(|value| !value.is_empty());
    value.map(str::to_owned)
}

impl EndOfCandidates {
    fn read(element: Element<'_>) -> Self {
        Self {
            mid: filled(element, "mid"),
            ufrag: filled(element, "ufrag"),
        }
    }

    fn write(&self, writer: &mut Writer) {
        writer
            .open("end-of-candidates", NS)
            .opt_attr("mid", self.mid.as_ref());
        writer.opt_attr("ufrag", self.ufrag.as_ref()).close();
    }
}

impl Info {
    fn read(element: Element<'_>) -> Result<Self, ParseError> {
        element
            .children()
            .filter(|child| child.ns() == NS)
            .find_map(|child| {
                let mid = || {
                    child
                        .attr("mid")
                        .filter(|mid| !mid.is_empty())
                        .map(str::to_owned)
                };
                Some(match child.name() {
                    "active" => Self::Active,
                    "hold" => Self::Hold,
                    "unhold" => Self::Unhold,
                    "mute" => Self::Mute(mid()),
                    "unmute" => Self::Unmute(mid()),
                    _ => return None,
                })
            })
            .ok_or(ParseError::Invalid(
                "<info/> needs one of active, hold, unhold, mute, unmute",
            ))
    }

    fn write(&self, writer: &mut Writer) {
        let (name, mid) = match self {
            Self::Active => ("active", None),
            Self::Hold => ("hold", None),
            Self::Unhold => ("unhold", None),
            Self::Mute(mid) => ("mute", mid.as_ref()),
            Self::Unmute(mid) => ("unmute", mid.as_ref()),
        };
        writer
            .open("info", NS)
            .open(name, NS)
            .opt_attr("mid", mid)
            .close()
            .close();
    }
}

impl End {
    fn read(element: Element<'_>) -> Self {
        let text = element.text();
        let text = text.trim();
        Self {
            reason: element.attr("reason").unwrap_or_default().to_owned(),
            text: (!text.is_empty()).then(|| text.chars().take(MAX_TEXT).collect()),
            answered_elsewhere: element.child("answered-elsewhere", NS).is_some(),
        }
    }

    fn write(&self, writer: &mut Writer) {
        writer.open("end", NS).attr("reason", &self.reason);
        if self.answered_elsewhere {
            writer.leaf("answered-elsewhere", NS, "");
        }
        writer
            .text(self.text.as_deref().unwrap_or_default())
            .close();
    }
}

/// Characters of a session id: far more than any client makes.
const MAX_SID: usize = 128;
/// Candidates and ends of them in one stanza.
const MAX_CANDIDATES: usize = 64;
/// Characters of the text that explains an end.
const MAX_TEXT: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Document, Limits};

    fn read(xml: &str) -> Result<Session, ParseError> {
        let document = Document::parse(xml.as_bytes(), NS, &Limits::default()).unwrap();
        Session::read(document.root())
    }

    fn round_trip(message: Message) {
        let session = Session {
            sid: "s1".into(),
            peer: None,
            message,
        };
        let mut writer = Writer::new("");
        session.write(&mut writer);
        let xml = writer.finish();
        assert_eq!(read(&xml).as_ref(), Ok(&session), "{xml}");
    }

    #[test]
    fn every_message_is_read_as_written() {
        for message in [
            Message::Propose(Media::BOTH),
            Message::Ringing,
            Message::Proceed,
            Message::Offer("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n".into()),
            Message::Answer("v=0\r\n".into()),
            Message::Candidates(
                vec![Candidate {
                    mid: Some("0".into()),
                    index: Some(0),
                    ufrag: Some("abcd".into()),
                    candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host".into(),
                }],
                vec![EndOfCandidates {
                    mid: Some("0".into()),
                    ufrag: None,
                }],
            ),
            Message::Info(Info::Hold),
            Message::Info(Info::Mute(Some("1".into()))),
            Message::End(End {
                reason: "busy".into(),
                text: Some("later".into()),
                answered_elsewhere: true,
            }),
        ] {
            round_trip(message);
        }
    }

    #[test]
    fn what_says_nothing_is_refused() {
        assert_eq!(read("<session><ringing/></session>"), Err(ParseError::Sid));
        assert_eq!(read("<session sid='1'/>"), Err(ParseError::NoMessage));
        assert_eq!(
            read("<session sid='1'><ringing/><proceed/></session>"),
            Err(ParseError::SeveralMessages)
        );
        let many = "<candidate>candidate:1</candidate>".repeat(65);
        assert_eq!(
            read(&format!("<session sid='1'>{many}</session>")),
            Err(ParseError::TooManyCandidates)
        );
    }

    #[test]
    fn an_empty_name_is_none() {
        let session = read(
            "<session sid='1'><candidate mid='' ufrag=''>candidate:1</candidate>\
             <end-of-candidates mid='' ufrag=''/></session>",
        );
        let candidate = Candidate {
            candidate: "candidate:1".into(),
            ..Candidate::default()
        };
        assert_eq!(
            session.unwrap().message,
            Message::Candidates(vec![candidate], vec![EndOfCandidates::default()])
        );
    }

    #[test]
    fn unknown_children_are_passed_over() {
        let session =
            read("<session sid='1'><x xmlns='urn:x'/><new/><ringing/></session>").unwrap();
        assert_eq!(session.message, Message::Ringing);
    }
}
