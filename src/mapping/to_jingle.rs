//! SDP to Jingle: the session and its sections.

use crate::jingle::grouping::Group;
use crate::jingle::rtp::{Bandwidth, Crypto, Description, Encryption};
use crate::jingle::{Action, Content, Jingle, Role, Sid, Transport, extra};
use crate::sdp::{self, Attribute, Direction, Media};

use super::extra::Place;
use super::{
    Dialect, Kind, Refusal, Report, Why, browser, candidate, direction, extra as carried, hdrext,
    payload, source, transport,
};

/// Maps a description by itself: the contents of the action that goes with the role of its owner.
/// Names of contents are the mids of the sections.
///
/// Whether a browser or a client may have it is for [`super::Session`] to say: keys in the clear are
/// carried where there is no DTLS.
///
/// # Errors
/// When nothing is left to be said.
pub fn to_jingle(
    description: &sdp::Session,
    sid: Sid,
    owner: Role,
    kind: Kind,
    dialect: &Dialect,
) -> Result<(Jingle, Report), Refusal> {
    let (action, creator) = match (kind, owner) {
        (Kind::Offer, Role::Initiator) => (Action::SessionInitiate, owner),
        (Kind::Offer, Role::Responder) => (Action::ContentAdd, owner),
        (Kind::Answer, Role::Responder) => (Action::SessionAccept, owner.other()),
        (Kind::Answer, Role::Initiator) => (Action::ContentAccept, owner.other()),
    };
    let names = names(description, creator, dialect);
    let mut report = Report::default();
    let mapped = all_sections(description, &names, owner, kind, dialect, &mut report)?;
    let mut jingle = Jingle::new(action, sid);
    jingle.contents = mapped
        .contents
        .into_iter()
        .map(|(_, content)| content)
        .collect();
    jingle.groups = mapped.groups;
    jingle.extra = mapped.extra;
    Ok((jingle, report))
}

/// What a section is called on the Jingle side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) creator: Role,
    pub(super) name: String,
}

impl Name {
    pub(super) fn of(content: &Content) -> Self {
        Self {
            creator: content.creator,
            name: content.name.clone(),
        }
    }

    /// The content of that name, with nothing in it.
    pub(super) fn bare(&self) -> Content {
        Content::new(self.creator, self.name.clone())
    }
}

/// A description in Jingle's words.
#[derive(Debug)]
pub(super) struct Mapped {
    /// With the index of the section.
    pub(super) contents: Vec<(usize, Content)>,
    pub(super) groups: Vec<Group>,
    pub(super) extra: Option<extra::SessionExtra>,
}

/// Names for the sections: the mid, or the index where there is none.
pub(super) fn names(description: &sdp::Session, creator: Role, dialect: &Dialect) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::with_capacity(description.media.len());
    for (index, media) in description.media.iter().enumerate() {
        let mut name = media
            .mid()
            .map_or_else(|| index.to_string(), |mid| mid.as_str().to_owned());
        if dialect.short_names && name.len() > SHORT {
            name = format!("content{index}");
        }
        while names.iter().any(|own| own.name == name) {
            name.push('_');
        }
        names.push(Name { creator, name });
    }
    names
}

/// Maps every section that is not rejected, of a description that is to make a call.
///
/// # Errors
/// When a section has no DTLS or no ICE.
pub(super) fn sections(
    description: &sdp::Session,
    names: &[Name],
    owner: Role,
    kind: Kind,
    dialect: &Dialect,
    report: &mut Report,
) -> Result<Mapped, Refusal> {
    browser::check(description)?;
    all_sections(description, names, owner, kind, dialect, report)
}

fn all_sections(
    description: &sdp::Session,
    names: &[Name],
    owner: Role,
    kind: Kind,
    dialect: &Dialect,
    report: &mut Report,
) -> Result<Mapped, Refusal> {
    let gathered: Vec<Lines<'_>> = description
        .media
        .iter()
        .zip(names)
        .map(|(media, name)| Lines::of(description, media, dialect, &name.name, report))
        .collect();
    let tags = tags(description);
    let mut contents = Vec::with_capacity(description.media.len());
    let mut session = extra::SessionExtra::default();
    for (index, ((media, name), mut lines)) in description
        .media
        .iter()
        .zip(names)
        .zip(gathered.iter().cloned())
        .enumerate()
    {
        if media.is_rejected() {
            session.sections.push(rejected(index, media));
            continue;
        }
        if !media.is_rtp() && !dialect.data {
            report.note(Some(&name.name), "data channels", Why::Dialect);
            session.sections.push(rejected(index, media));
            continue;
        }
        if let Some(tag) = tags
            .get(index)
            .copied()
            .flatten()
            .and_then(|tag| gathered.get(tag))
        {
            lines.transport.ready.complete(&tag.transport.ready);
        }
        contents.push((
            index,
            lines.content(media, name, owner, kind, dialect, report)?,
        ));
    }
    if dialect.one_setup {
        unify_setup(&mut contents);
    }
    let groups = groups(description, names, &contents, dialect, report);
    for attribute in &description.attributes {
        if is_placed(attribute, description) {
            continue;
        }
        let into = &mut session.attributes;
        carried::push(attribute, Place::Session, dialect, into, None, report);
    }
    if dialect.extension {
        session.bandwidths = bandwidths(&description.bandwidths);
    } else {
        for _ in &description.bandwidths {
            report.note(None, "bandwidth", Why::NoPlace);
        }
    }
    let extra = Some(session).filter(|extra| dialect.extension && !extra.is_empty());
    Ok(Mapped {
        contents,
        groups,
        extra,
    })
}

/// The index of the BUNDLE tag for every section that is in a group (RFC 9143 §7.2.1).
pub(super) fn tags(description: &sdp::Session) -> Vec<Option<usize>> {
    let index = |mid: &str| {
        description
            .media
            .iter()
            .position(|m| m.mid().is_some_and(|own| **own == *mid))
    };
    let mut tags = vec![None; description.media.len()];
    for group in description
        .groups()
        .filter(|group| group.semantics.as_str() == "BUNDLE")
    {
        let Some(tag) = group.mids.iter().find_map(|mid| {
            index(mid).filter(|i| description.media.get(*i).is_some_and(|m| !m.is_rejected()))
        }) else {
            continue;
        };
        for member in group.mids.iter().filter_map(|mid| index(mid)) {
            if let Some(slot) = tags.get_mut(member) {
                *slot = Some(tag);
            }
        }
    }
    tags
}

/// Gives every section what the session level says for it.
pub(super) fn push_down(description: &mut sdp::Session) {
    for media in &mut description.media {
        let inherited: Vec<_> = inherited(&description.attributes, media).cloned().collect();
        media.attributes.extend(inherited);
    }
}

/// RFC 8866 §5.13: what the session level says holds for every section that does not say otherwise.
/// Firefox writes its fingerprints there.
fn inherited<'a>(session: &'a [Attribute], media: &Media) -> impl Iterator<Item = &'a Attribute> {
    session.iter().filter(|attribute| {
        let kind = std::mem::discriminant(*attribute);
        is_inherited(attribute, media.is_rtp())
            && !media
                .attributes
                .iter()
                .any(|own| std::mem::discriminant(own) == kind)
    })
}

/// What the attributes of one section say, those of the session level included.
#[derive(Clone, Debug, Default)]
struct Lines<'a> {
    rtp: bool,
    direction: Option<Direction>,
    payloads: payload::Lines<'a>,
    sources: source::Lines<'a>,
    transport: transport::Lines<'a>,
    extensions: Vec<&'a sdp::ExtMap>,
    allow_mixed: bool,
    rtcp_mux: bool,
    rtcp_rsize: bool,
    cryptos: Vec<&'a sdp::Crypto>,
    categories: Vec<String>,
    extra: Vec<extra::Attribute>,
}

impl<'a> Lines<'a> {
    fn of(
        session: &'a sdp::Session,
        media: &'a Media,
        dialect: &Dialect,
        section: &str,
        report: &mut Report,
    ) -> Self {
        let mut lines = Self {
            rtp: media.is_rtp(),
            ..Self::default()
        };
        for attribute in &media.attributes {
            lines.add(attribute, dialect, section, report);
        }
        for attribute in inherited(&session.attributes, media) {
            lines.add(attribute, dialect, section, report);
        }
        lines
    }

    fn add(
        &mut self,
        attribute: &'a Attribute,
        dialect: &Dialect,
        section: &str,
        report: &mut Report,
    ) {
        match attribute {
            own if !self.rtp && carried::is_of_rtp(own) => {
                self.carry(own, dialect, section, report);
            }
            Attribute::Candidate(own) if candidate::is_lawful(own) => {
                self.transport.candidates.push(own);
            }
            Attribute::Candidate(_) => self.carry(attribute, dialect, section, report),
            Attribute::Content(names) => {
                self.categories
                    .extend(names.iter().map(|name| name.as_str().to_owned()));
            }
            Attribute::Crypto(crypto) => self.cryptos.push(crypto),
            Attribute::Direction(direction) => self.direction = Some(*direction),
            // RFC 8285 §5: an id stands for one extension.
            Attribute::ExtMap(map) if self.extensions.iter().any(|own| own.id == map.id) => {
                report.note(Some(section), "extmap with an id twice", Why::Malformed);
            }
            Attribute::ExtMap(map) => self.extensions.push(map),
            Attribute::ExtMapAllowMixed => self.allow_mixed = true,
            Attribute::Feedback(feedback) => self.payloads.feedback.push(feedback),
            Attribute::Fingerprint(own) => self.transport.ready.fingerprints.push(own.clone()),
            Attribute::Fmtp(fmtp) => match fmtp.format.parse() {
                Ok(id) if self.payloads.fmtps.contains(&(id, fmtp)) => {
                    report.note(Some(section), "fmtp", Why::Duplicate);
                }
                Ok(id) => self.payloads.fmtps.push((id, fmtp)),
                Err(_) => report.note(Some(section), "fmtp", Why::Malformed),
            },
            Attribute::IceOptions(options) => {
                let rest = options.iter().filter(|own| !transport::is_placed(own));
                let rest: Vec<_> = rest.cloned().collect();
                self.transport.options.extend(options);
                if !rest.is_empty() {
                    self.carry(&Attribute::IceOptions(rest), dialect, section, report);
                }
            }
            Attribute::IcePwd(pwd) => self.transport.ready.pwd = Some(pwd.clone()),
            Attribute::IceUfrag(own) => self.transport.ready.ufrag = Some(own.clone()),
            Attribute::MaxPtime(time) => self.payloads.max_ptime = Some(time),
            Attribute::Msid(msid) => self.sources.msids.push(msid),
            Attribute::Ptime(time) => self.payloads.ptime = Some(time),
            Attribute::RtcpMux => self.rtcp_mux = true,
            Attribute::RtcpRsize => self.rtcp_rsize = true,
            Attribute::RtpMap(map) => self.payloads.maps.push(map),
            Attribute::SctpMap(map) => self.transport.sctp_map = Some(map),
            Attribute::SctpPort(port) => self.transport.sctp_port = Some(*port),
            Attribute::Setup(setup) => self.transport.ready.setup = Some(*setup),
            Attribute::Ssrc(ssrc) => self.sources.ssrcs.push(ssrc),
            Attribute::SsrcGroup(group) => self.sources.groups.push(group),
            // They have their place elsewhere.
            Attribute::Group(_) | Attribute::Mid(_) => {}
            Attribute::BundleOnly
            | Attribute::EndOfCandidates
            | Attribute::IceLite
            | Attribute::MaxMessageSize(_)
            | Attribute::Other { .. }
            | Attribute::Rid(_)
            | Attribute::Simulcast(_) => self.carry(attribute, dialect, section, report),
        }
    }

    fn carry(
        &mut self,
        attribute: &Attribute,
        dialect: &Dialect,
        section: &str,
        report: &mut Report,
    ) {
        let (place, into) = (Place::of(self.rtp), &mut self.extra);
        carried::push(attribute, place, dialect, into, Some(section), report);
    }

    fn content(
        mut self,
        media: &Media,
        name: &Name,
        owner: Role,
        kind: Kind,
        dialect: &Dialect,
        report: &mut Report,
    ) -> Result<Content, Refusal> {
        let section = name.name.as_str();
        let mut content = Content::new(name.creator, name.name.clone());
        let said = self.direction.unwrap_or(Direction::SendRecv);
        content.senders = Some(direction::senders(said, dialect.write_as(owner)));
        let mut ice = self.transport.to_jingle(kind, dialect, section, report)?;
        let mut extra = extra::SectionExtra::default();
        if media.title.is_some() {
            report.note(Some(section), "title", Why::Meaningless);
        }
        if media.is_rtp() {
            let description = self.description(media, section, owner, dialect, report);
            if dialect.extension {
                for (_, fmtp) in self
                    .payloads
                    .fmtps
                    .iter()
                    .filter(|(_, own)| own.has_ptime())
                {
                    let own = Attribute::Fmtp((*fmtp).clone());
                    let into = &mut self.extra;
                    carried::push(&own, Place::Rtp, dialect, into, Some(section), report);
                }
            }
            // Without rtpmap there is nothing to be said of a payload type.
            if description.payloads.len() != media.formats.len() {
                extra.formats = Some(formats(media));
            }
            content.description = Some(crate::jingle::Description::Rtp(Box::new(description)));
            // It follows from the fingerprint, where there is one.
            if media.protocol.as_str() != RTP || ice.fingerprints.is_empty() {
                extra.protocol = Some(media.protocol.as_str().to_owned());
            }
        } else {
            content.description = Some(crate::jingle::Description::Data);
            if media.is_sctp() {
                ice.sctp = Some(self.transport.sctp(&media.formats));
            } else {
                extra.media = Some(media.kind.as_str().to_owned());
                extra.protocol = Some(media.protocol.as_str().to_owned());
                extra.formats = Some(formats(media));
            }
            if dialect.extension {
                extra.bandwidths = bandwidths(&media.bandwidths);
            } else {
                for _ in &media.bandwidths {
                    report.note(Some(section), "bandwidth", Why::NoPlace);
                }
            }
            // Of those that have one (XEP-0320), the fingerprint says it.
            if let (true, Some(setup)) = (ice.fingerprints.is_empty(), self.transport.ready.setup) {
                self.carry(&Attribute::Setup(setup), dialect, section, report);
            }
        }
        content.transport = Some(Transport::Ice(Box::new(ice)));
        extra.attributes = self.extra;
        content.extra = Some(extra).filter(|extra| dialect.extension && !extra.is_empty());
        Ok(content)
    }

    fn description(
        &mut self,
        media: &Media,
        section: &str,
        owner: Role,
        dialect: &Dialect,
        report: &mut Report,
    ) -> Description {
        let (payloads, feedback) = self.payloads.to_jingle(&media.formats, section, report);
        let mut description = Description {
            media: media.kind.as_str().to_owned(),
            payloads,
            feedback,
            rtcp_mux: self.rtcp_mux,
            rtcp_reduced_size: self.rtcp_rsize,
            bandwidths: bandwidths(&media.bandwidths),
            header_extensions: self
                .extensions
                .iter()
                .map(|map| hdrext::to_jingle(map, dialect.write_as(owner)))
                .collect(),
            extmap_allow_mixed: self.allow_mixed,
            categories: std::mem::take(&mut self.categories),
            ..Description::default()
        };
        if self.transport.ready.fingerprints.is_empty() {
            description.encryption = encryption(&self.cryptos);
        } else if !self.cryptos.is_empty() {
            report.note(Some(section), "crypto", Why::Unsafe);
        }
        self.sources
            .to_jingle(&mut description, dialect, section, report);
        description
    }
}

fn bandwidths(said: &[sdp::Bandwidth]) -> Vec<Bandwidth> {
    let own = said.iter().map(|own| Bandwidth {
        kind: own.kind.as_str().to_owned(),
        value: own.value.to_string(),
    });
    own.collect()
}

/// The keys of SRTP in the clear (RFC 4568), where there are any.
fn encryption(cryptos: &[&sdp::Crypto]) -> Option<Encryption> {
    let cryptos: Vec<_> = cryptos
        .iter()
        .map(|own| Crypto {
            suite: own.suite.as_str().to_owned(),
            key_params: own.key_params.as_str().to_owned(),
            session_params: own
                .session_params
                .as_ref()
                .map(|own| own.as_str().to_owned()),
            tag: own.tag.to_string(),
        })
        .collect();
    (!cryptos.is_empty()).then_some(Encryption {
        required: false,
        cryptos,
    })
}

/// `<group/>` for every `a=group`, without the members that are not there any more.
fn groups(
    description: &sdp::Session,
    names: &[Name],
    contents: &[(usize, Content)],
    dialect: &Dialect,
    report: &mut Report,
) -> Vec<Group> {
    let mut groups = Vec::new();
    for group in description.groups() {
        if !dialect.groups {
            report.note(None, "group", Why::Dialect);
            continue;
        }
        let members: Vec<_> = group
            .mids
            .iter()
            .filter_map(|mid| {
                description
                    .media
                    .iter()
                    .position(|m| m.mid().is_some_and(|own| own == mid))
            })
            .filter(|index| contents.iter().any(|(own, _)| own == index))
            .filter_map(|index| names.get(index).map(|name| name.name.clone()))
            .collect();
        if members.is_empty() {
            report.note(None, "group", Why::Meaningless);
        } else {
            groups.push(Group {
                semantics: group.semantics.as_str().to_owned(),
                contents: members,
            });
        }
    }
    groups
}

/// Says the first content's `setup` for all.
fn unify_setup(contents: &mut [(usize, Content)]) {
    let fingerprints = |content: &Content| content.ice().map(|ice| ice.fingerprints.clone());
    let first = contents
        .first()
        .and_then(|(_, content)| fingerprints(content));
    let Some(setup) = first
        .and_then(|own| own.into_iter().next())
        .map(|own| own.setup)
    else {
        return;
    };
    for ice in contents
        .iter_mut()
        .filter_map(|(_, content)| content.ice_mut())
    {
        for fingerprint in &mut ice.fingerprints {
            fingerprint.setup.clone_from(&setup);
        }
    }
}

fn rejected(index: usize, media: &Media) -> extra::Section {
    extra::Section {
        index,
        mid: media.mid().map(|mid| mid.as_str().to_owned()),
        media: media.kind.as_str().to_owned(),
        protocol: media.protocol.as_str().to_owned(),
        formats: formats(media),
    }
}

fn formats(media: &Media) -> String {
    media
        .formats
        .iter()
        .map(sdp::Token::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Whether a section without such a line takes it from the session level.
fn is_inherited(attribute: &Attribute, rtp: bool) -> bool {
    match attribute {
        Attribute::Fingerprint(_)
        | Attribute::IceOptions(_)
        | Attribute::IcePwd(_)
        | Attribute::IceUfrag(_)
        | Attribute::Setup(_) => true,
        Attribute::Direction(_)
        | Attribute::ExtMap(_)
        | Attribute::ExtMapAllowMixed
        | Attribute::MaxPtime(_)
        | Attribute::Ptime(_)
        | Attribute::RtcpMux
        | Attribute::RtcpRsize => rtp,
        _ => false,
    }
}

/// Whether the session level's line has its place elsewhere: in groups, or in a section.
fn is_placed(attribute: &Attribute, description: &sdp::Session) -> bool {
    let mut sections = description.media.iter();
    matches!(attribute, Attribute::Group(_))
        || sections.any(|own| is_inherited(attribute, own.is_rtp()))
}

/// What a fingerprint implies (RFC 8827 §6.5).
pub(super) const RTP: &str = "UDP/TLS/RTP/SAVPF";

/// Longest name that Conversations takes.
pub(super) const SHORT: usize = 16;
