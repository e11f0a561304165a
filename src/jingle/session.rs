//! `<jingle/>` and `<content/>`: XEP-0166 §7.

use crate::xml::{Element, Writer};

use super::{Error, Info, ReasonElement, extra, grouping, ice_udp, rtp, sctp};

/// One Jingle stanza's payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jingle {
    /// What is asked.
    pub action: Action,
    /// Which session.
    pub sid: Sid,
    /// Meant for session-initiate only.
    pub initiator: Option<String>,
    /// Meant for session-accept only.
    pub responder: Option<String>,
    /// In order.
    pub contents: Vec<Content>,
    /// `<group/>` (XEP-0338).
    pub groups: Vec<grouping::Group>,
    /// Why, in terminate, remove and reject.
    pub reason: Option<ReasonElement>,
    /// The payloads of a session-info; none at all is a ping (§6.8).
    pub info: Vec<Info>,
    /// What SDP says at session level and Jingle has no place for.
    pub extra: Option<extra::SessionExtra>,
}

/// `action` (XEP-0166 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the XEP's own words")]
pub enum Action {
    ContentAccept,
    ContentAdd,
    ContentModify,
    ContentReject,
    ContentRemove,
    DescriptionInfo,
    SecurityInfo,
    SessionAccept,
    SessionInfo,
    SessionInitiate,
    SessionTerminate,
    TransportAccept,
    TransportInfo,
    TransportReject,
    TransportReplace,
}

/// The name of a session: not empty, at most 255 bytes, no blanks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid(Box<str>);

/// A party of the session, fixed for its life, whoever offers later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Who sent session-initiate.
    Initiator,
    /// The other.
    Responder,
}

/// Who sends media.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Senders {
    /// Both parties.
    Both,
    /// Only the initiator of the session.
    Initiator,
    /// Only the responder.
    Responder,
    /// Nobody.
    None,
}

/// `<content/>` (XEP-0166 §7.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Who added it; the same in every later stanza.
    pub creator: Role,
    /// Free text, unique per creator.
    pub name: String,
    /// `both` when it is not said; see [`Content::senders`].
    pub senders: Option<Senders>,
    /// `session` when it is not said.
    pub disposition: Option<String>,
    /// What is exchanged.
    pub description: Option<Description>,
    /// How.
    pub transport: Option<Transport>,
    /// What SDP says of this section and Jingle has no place for.
    pub extra: Option<extra::SectionExtra>,
}

/// The application of a content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Description {
    /// Media over RTP (XEP-0167).
    Rtp(Box<rtp::Description>),
    /// WebRTC data channels, which no XEP gives a description of their own.
    Data,
    /// Anything else, by its namespace.
    Unknown(String),
}

/// The transport of a content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// ICE (XEP-0176, XEP-0371).
    Ice(Box<ice_udp::Transport>),
    /// Anything else, by its namespace.
    Unknown(String),
}

/// What a stanza may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Contents of one stanza.
    pub contents: usize,
    /// Payload types of one content.
    pub payloads: usize,
    /// Candidates of one content.
    pub candidates: usize,
}

impl Jingle {
    /// A payload without content.
    pub fn new(action: Action, sid: Sid) -> Self {
        Self {
            action,
            sid,
            initiator: None,
            responder: None,
            contents: Vec::new(),
            groups: Vec::new(),
            reason: None,
            info: Vec::new(),
            extra: None,
        }
    }

    /// Reads `<jingle/>`.
    ///
    /// # Errors
    /// When the element can not be understood as a whole; unknown parts are skipped.
    pub fn from_xml(element: Element<'_>, limits: &Limits) -> Result<Self, Error> {
        if !element.is("jingle", NS) {
            return Err(Error::NotJingle);
        }
        let action = element
            .attr("action")
            .and_then(Action::from_name)
            .ok_or(Error::Action)?;
        let sid = element.attr("sid").and_then(Sid::new).ok_or(Error::Sid)?;
        let mut jingle = Self {
            initiator: element.attr("initiator").map(str::to_owned),
            responder: element.attr("responder").map(str::to_owned),
            ..Self::new(action, sid)
        };
        for child in element.children() {
            match (child.name(), child.ns()) {
                ("content", NS) => {
                    if jingle.contents.len() >= limits.contents {
                        return Err(Error::TooManyContents(limits.contents));
                    }
                    jingle.contents.push(Content::from_xml(child, limits)?);
                }
                ("reason", NS) => jingle.reason = Some(ReasonElement::from_xml(child)),
                ("group", grouping::NS) => {
                    jingle.groups.extend(grouping::Group::from_xml(child));
                }
                ("sdp", extra::NS) => {
                    jingle.extra = Some(extra::SessionExtra::from_xml(child));
                }
                _ if action == Action::SessionInfo => jingle.info.push(Info::from_xml(child)),
                _ => {}
            }
        }
        Ok(jingle)
    }

    /// Writes `<jingle/>`.
    pub fn write(&self, out: &mut Writer) {
        out.open("jingle", NS).attr("action", self.action.name());
        out.opt_attr("initiator", self.initiator.as_ref());
        out.opt_attr("responder", self.responder.as_ref());
        out.attr("sid", self.sid.as_str());
        for content in &self.contents {
            content.write(out);
        }
        if let Some(reason) = &self.reason {
            reason.write(out);
        }
        for group in &self.groups {
            group.write(out);
        }
        for info in &self.info {
            info.write(out);
        }
        if let Some(extra) = &self.extra {
            extra.write(out);
        }
        out.close();
    }

    /// The payload as it stands by itself.
    pub fn to_xml(&self) -> String {
        let mut out = Writer::new("");
        self.write(&mut out);
        out.finish()
    }
}

impl Content {
    /// A content that only names another.
    pub fn new(creator: Role, name: String) -> Self {
        Self {
            creator,
            name,
            senders: None,
            disposition: None,
            description: None,
            transport: None,
            extra: None,
        }
    }

    /// Who sends; `both` by default.
    pub fn senders(&self) -> Senders {
        self.senders.unwrap_or(Senders::Both)
    }

    /// Whether the content belongs to the session proper, not to early media or the like.
    pub fn is_session(&self) -> bool {
        self.disposition
            .as_deref()
            .is_none_or(|disposition| disposition == "session")
    }

    /// The description, when it is one of RTP.
    pub fn rtp(&self) -> Option<&rtp::Description> {
        match &self.description {
            Some(Description::Rtp(description)) => Some(description),
            _ => None,
        }
    }

    /// The transport, when it is ICE.
    pub fn ice(&self) -> Option<&ice_udp::Transport> {
        match &self.transport {
            Some(Transport::Ice(transport)) => Some(transport),
            _ => None,
        }
    }

    /// The transport to change, when it is ICE.
    pub fn ice_mut(&mut self) -> Option<&mut ice_udp::Transport> {
        match &mut self.transport {
            Some(Transport::Ice(transport)) => Some(transport),
            _ => None,
        }
    }

    fn from_xml(element: Element<'_>, limits: &Limits) -> Result<Self, Error> {
        let name = element
            .attr("name")
            .filter(|name| !name.is_empty())
            .ok_or(Error::Name)?;
        let senders = match element.attr("senders") {
            None | Some("") => None,
            Some(word) => {
                Some(Senders::from_name(word).ok_or_else(|| Error::Senders(name.to_owned()))?)
            }
        };
        let mut content = Self {
            senders,
            disposition: element.attr("disposition").map(str::to_owned),
            ..Self::new(
                element
                    .attr("creator")
                    .and_then(Role::from_name)
                    .unwrap_or(Role::Initiator),
                name.to_owned(),
            )
        };
        for child in element.children() {
            match (child.name(), child.ns()) {
                ("description", rtp::NS) => {
                    let description = rtp::Description::from_xml(child, limits)?;
                    content.description = Some(Description::Rtp(Box::new(description)));
                }
                ("description", extra::NS) => content.description = Some(Description::Data),
                // Of several, one that is understood counts: Siskin may offer raw UDP beside ICE.
                ("description", ns) => {
                    content
                        .description
                        .get_or_insert_with(|| Description::Unknown(ns.to_owned()));
                }
                ("transport", ice_udp::NS | ice_udp::NS_ICE) => {
                    let transport = ice_udp::Transport::from_xml(child, limits)?;
                    content.transport = Some(Transport::Ice(Box::new(transport)));
                }
                ("transport", sctp::NS_NESTED) => content.nested(child, limits)?,
                ("transport", ns) => {
                    content
                        .transport
                        .get_or_insert_with(|| Transport::Unknown(ns.to_owned()));
                }
                ("sdp", extra::NS) => content.extra = Some(extra::SectionExtra::from_xml(child)),
                _ => {}
            }
        }
        Ok(content)
    }

    /// Conversations wraps the ICE of its file transfers in a transport of data channels.
    fn nested(&mut self, outer: Element<'_>, limits: &Limits) -> Result<(), Error> {
        let Some(inner) = outer.child("transport", ice_udp::NS) else {
            return Ok(());
        };
        let mut transport = ice_udp::Transport::from_xml(inner, limits)?;
        transport.sctp = Some(sctp::SctpMap::from_nested(outer));
        self.transport = Some(Transport::Ice(Box::new(transport)));
        if let Some(size) = outer.attr("max-message-size") {
            let attribute = extra::Attribute {
                name: "max-message-size".to_owned(),
                value: Some(size.to_owned()),
            };
            let extra = self.extra.get_or_insert_default();
            extra.attributes.push(attribute);
        }
        Ok(())
    }

    fn write(&self, out: &mut Writer) {
        out.open("content", NS).attr("creator", self.creator.name());
        out.opt_attr("disposition", self.disposition.as_ref());
        out.attr("name", &self.name);
        out.opt_attr("senders", self.senders.map(Senders::name));
        match &self.description {
            Some(Description::Rtp(description)) => description.write(out),
            Some(Description::Data) => {
                out.open("description", extra::NS)
                    .attr("media", "application")
                    .close();
            }
            // What was not understood can not be said again.
            Some(Description::Unknown(_)) | None => {}
        }
        if let Some(Transport::Ice(transport)) = &self.transport {
            transport.write(out);
        }
        if let Some(extra) = &self.extra {
            extra.write(out);
        }
        out.close();
    }
}

impl Sid {
    /// Checks and keeps the name.
    pub fn new(sid: &str) -> Option<Self> {
        let fits = !sid.is_empty()
            && sid.len() <= 255
            && !sid.contains(|c: char| c.is_whitespace() || c.is_control());
        fits.then(|| Self(sid.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Sid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Role {
    /// `initiator` or `responder`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Initiator => "initiator",
            Self::Responder => "responder",
        }
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "initiator" => Some(Self::Initiator),
            "responder" => Some(Self::Responder),
            _ => None,
        }
    }

    /// The other party.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }
}

impl Senders {
    /// The value of the attribute.
    pub fn name(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Initiator => "initiator",
            Self::Responder => "responder",
            Self::None => "none",
        }
    }

    /// Reads the value. `rejected`, which lib-jitsi-meet writes, means that nobody sends.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "both" => Self::Both,
            "initiator" => Self::Initiator,
            "responder" => Self::Responder,
            "none" | "rejected" => Self::None,
            _ => return None,
        })
    }

    /// Whether this party sends.
    pub fn includes(self, role: Role) -> bool {
        match self {
            Self::Both => true,
            Self::Initiator => role == Role::Initiator,
            Self::Responder => role == Role::Responder,
            Self::None => false,
        }
    }

    /// Those who are in both.
    #[must_use]
    pub fn intersect(self, other: Self) -> Self {
        Self::of(
            self.includes(Role::Initiator) && other.includes(Role::Initiator),
            self.includes(Role::Responder) && other.includes(Role::Responder),
        )
    }

    /// From whether each party sends.
    pub fn of(initiator: bool, responder: bool) -> Self {
        match (initiator, responder) {
            (true, true) => Self::Both,
            (true, false) => Self::Initiator,
            (false, true) => Self::Responder,
            (false, false) => Self::None,
        }
    }
}

impl Action {
    /// All of them, in the order of the XEP.
    pub const ALL: [Self; 15] = [
        Self::ContentAccept,
        Self::ContentAdd,
        Self::ContentModify,
        Self::ContentReject,
        Self::ContentRemove,
        Self::DescriptionInfo,
        Self::SecurityInfo,
        Self::SessionAccept,
        Self::SessionInfo,
        Self::SessionInitiate,
        Self::SessionTerminate,
        Self::TransportAccept,
        Self::TransportInfo,
        Self::TransportReject,
        Self::TransportReplace,
    ];

    /// The value of the attribute.
    pub fn name(self) -> &'static str {
        match self {
            Self::ContentAccept => "content-accept",
            Self::ContentAdd => "content-add",
            Self::ContentModify => "content-modify",
            Self::ContentReject => "content-reject",
            Self::ContentRemove => "content-remove",
            Self::DescriptionInfo => "description-info",
            Self::SecurityInfo => "security-info",
            Self::SessionAccept => "session-accept",
            Self::SessionInfo => "session-info",
            Self::SessionInitiate => "session-initiate",
            Self::SessionTerminate => "session-terminate",
            Self::TransportAccept => "transport-accept",
            Self::TransportInfo => "transport-info",
            Self::TransportReject => "transport-reject",
            Self::TransportReplace => "transport-replace",
        }
    }

    /// Reads the value.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            contents: 64,
            payloads: 128,
            candidates: 128,
        }
    }
}

/// The namespace of XEP-0166.
pub const NS: &str = "urn:xmpp:jingle:1";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jingle::info::Muted;
    use crate::jingle::{Condition, Reason};
    use crate::xml::{self, Document};

    fn read(xml: &str) -> Result<Jingle, Error> {
        let document = Document::parse(xml.as_bytes(), "", &xml::Limits::default()).unwrap();
        Jingle::from_xml(document.root(), &Limits::default())
    }

    fn jingle(action: Action) -> Jingle {
        Jingle::new(action, Sid::new("a73sjjvkla37jfea").unwrap())
    }

    #[test]
    fn every_action_and_reason_comes_back() {
        for action in Action::ALL {
            for condition in Reason::ALL {
                let mut own = jingle(action);
                own.initiator = Some("romeo@montague.example/orchard".to_owned());
                let text = Some("a < b".to_owned());
                let alternative = (condition == Reason::AlternativeSession)
                    .then(|| Sid::new("b84tkkwlmb48kgfb").unwrap());
                own.reason = Some(ReasonElement {
                    condition,
                    text,
                    alternative,
                });
                assert_eq!(read(&own.to_xml()).unwrap(), own);
            }
        }
    }

    #[test]
    fn session_info_comes_back() {
        let muted = Muted {
            creator: Some(Role::Responder),
            name: Some("voice".to_owned()),
        };
        for info in [
            Info::Active,
            Info::Hold,
            Info::Unhold,
            Info::Mute(muted.clone()),
            Info::Unmute(muted),
            Info::Ringing,
        ] {
            let mut own = jingle(Action::SessionInfo);
            own.info.push(info);
            assert_eq!(read(&own.to_xml()).unwrap(), own);
        }
        let ping = jingle(Action::SessionInfo);
        assert!(read(&ping.to_xml()).unwrap().info.is_empty());
        let unknown =
            "<jingle xmlns='urn:xmpp:jingle:1' action='session-info' sid='a'><x/></jingle>";
        assert_eq!(read(unknown).unwrap().info, [Info::Unknown]);
    }

    #[test]
    fn what_can_not_be_understood_is_an_error() {
        let content = |attributes: &str| {
            format!(
                "<jingle xmlns='urn:xmpp:jingle:1' action='content-modify' sid='a'>\
                 <content {attributes}/></jingle>"
            )
        };
        assert_eq!(read("<jingle xmlns='x'/>"), Err(Error::NotJingle));
        assert_eq!(
            read("<jingle xmlns='urn:xmpp:jingle:1' sid='a'/>"),
            Err(Error::Action)
        );
        let no_sid = "<jingle xmlns='urn:xmpp:jingle:1' action='session-info' sid=''/>";
        assert_eq!(read(no_sid), Err(Error::Sid));
        assert_eq!(read(&content("creator='initiator'")), Err(Error::Name));
        assert_eq!(
            read(&content("name='a' senders='all'")),
            Err(Error::Senders("a".to_owned()))
        );
        // What lib-jitsi-meet writes means that nobody sends.
        let rejected = read(&content("name='a' senders='rejected'")).unwrap();
        assert_eq!(rejected.contents[0].senders, Some(Senders::None));
    }

    #[test]
    fn prefixes_order_and_the_unknown_do_not_matter() {
        let stanza = "<j:jingle xmlns:j='urn:xmpp:jingle:1' action='session-initiate' sid='a' x='y'>\
            <z/><j:content name='v' creator='initiator'>\
            <t:transport xmlns:t='urn:xmpp:jingle:transports:ice-udp:1' ufrag='abcd' pwd='p'/>\
            <r:description xmlns:r='urn:xmpp:jingle:apps:rtp:1' media='audio'>\
            <r:rtcp-mux/><r:payload-type id='0'><f:rtcp-fb xmlns:f='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' \
            type='nack'/></r:payload-type><r:payload-type id='300'/></r:description>\
            </j:content></j:jingle>";
        let own = read(stanza).unwrap();
        let rtp = own.contents[0].rtp().unwrap();
        assert!(rtp.rtcp_mux);
        assert_eq!(rtp.payloads.len(), 1, "an id that is none is skipped");
        assert_eq!(rtp.payloads[0].feedback.len(), 1);
        assert_eq!(
            own.contents[0].ice().unwrap().ufrag.as_deref(),
            Some("abcd")
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let stanza = "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='a'>\
            <content name='v' creator='initiator'>\
            <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'><encryption>\
            <crypto crypto-suite='S' key-params='inline:KEYKEY' tag='1'/></encryption></description>\
            <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='abcd' pwd='PWDPWD'/>\
            </content></jingle>";
        let shown = format!("{:?}", read(stanza).unwrap());
        assert!(shown.contains("abcd"));
        assert!(!shown.contains("KEYKEY") && !shown.contains("PWDPWD"));
    }

    #[test]
    fn conditions_are_those_of_the_xep() {
        for condition in [
            Condition::OutOfOrder,
            Condition::SecurityRequired,
            Condition::TieBreak,
            Condition::UnknownSession,
            Condition::UnsupportedInfo,
        ] {
            assert_eq!(Condition::from_name(condition.name()), Some(condition));
        }
        assert_eq!(Condition::TieBreak.stanza_error(), ("cancel", "conflict"));
        assert_eq!(
            Condition::UnknownSession.stanza_error(),
            ("cancel", "item-not-found")
        );
    }
}
