//! Jingle to SDP: the session and its sections.

use crate::jingle::grouping::Group;
use crate::jingle::{Action, Content, Jingle, Role, Sid, Transport, extra};
use crate::sdp::{self, Attribute, ByteString, Line, Media, Origin, Token, Word};

use super::extra::Place;
use super::part::{Part, bandwidths, is_data, line, parts};
use super::{Dialect, Fnv, Kind, Refusal, Report, Why, extra as carried, numbered};

/// Maps the contents of a stanza by themselves: sections in the order of the contents, with the
/// names of contents as mids. What the stanza leaves open, such as ICE credentials that are to come
/// later, is left out; whether a browser may have the description is for [`super::Session`] to say.
///
/// A content without a description that is understood, as in a transport-info, becomes a section
/// whose m-line means nothing, as in a fragment of RFC 8840 §9.
///
/// # Errors
/// When the stanza is about something else, or holds a value that SDP can not take.
pub fn to_sdp(
    jingle: &Jingle,
    owner: Role,
    kind: Kind,
    dialect: &Dialect,
) -> Result<(sdp::Session, Report), Refusal> {
    let mut report = Report::default();
    if !is_description(jingle) {
        return Err(Refusal::Unfit("it holds no content of the session"));
    }
    let contents: Vec<_> = jingle.contents.iter().collect();
    if let Some(name) = duplicate(&contents) {
        return Err(Refusal::DuplicateContent(name.to_owned()));
    }
    let sections = jingle
        .extra
        .as_ref()
        .map_or(&[][..], |extra| &extra.sections);
    let mids = mids(&contents, usize::MAX);
    let parts = parts(&contents, &mids, &jingle.groups, &mut report)?;
    let mut media = Vec::with_capacity(parts.len());
    for part in &parts {
        let mut own = part.media(owner, kind, dialect, &mut report)?;
        if own.formats.is_empty() {
            own.formats.push(Token::literal("0"));
        }
        media.push(own);
    }
    insert_rejected(sections, kind, &mut media, &mut report);
    let mut session = empty(&jingle.sid, 1);
    session.attributes = groups(&jingle.groups, &parts, &mut report);
    session_level(jingle.extra.as_ref(), &mut session, &mut report);
    session.media = media;
    Ok((session, report))
}

/// Whether the stanza describes something. One that describes nothing at all says so.
fn is_description(jingle: &Jingle) -> bool {
    let whole = matches!(
        jingle.action,
        Action::ContentAccept
            | Action::ContentAdd
            | Action::SessionAccept
            | Action::SessionInitiate
    );
    whole || !jingle.contents.is_empty()
}

/// The name of two contents by one creator.
fn duplicate<'a>(contents: &[&'a Content]) -> Option<&'a str> {
    contents.iter().enumerate().find_map(|(index, content)| {
        let same = |own: &&Content| own.creator == content.creator && own.name == content.name;
        contents
            .iter()
            .take(index)
            .any(same)
            .then_some(content.name.as_str())
    })
}

/// The contents that can become sections.
///
/// # Errors
/// When none can, or two have the same name by the same creator.
pub(super) fn usable<'a>(
    jingle: &'a Jingle,
    report: &mut Report,
) -> Result<Vec<&'a Content>, Refusal> {
    if !jingle.contents.iter().any(Content::is_session) {
        return Err(Refusal::Unfit("it holds no content of the session"));
    }
    let session: Vec<_> = jingle
        .contents
        .iter()
        .filter(|own| own.is_session())
        .collect();
    if let Some(name) = duplicate(&session) {
        return Err(Refusal::DuplicateContent(name.to_owned()));
    }
    let mut refusal = Refusal::UnsupportedApplications;
    let mut contents: Vec<&Content> = Vec::with_capacity(jingle.contents.len());
    for content in session {
        if matches!(content.transport, Some(Transport::Unknown(_))) {
            refusal = Refusal::UnsupportedTransports;
            report.note(Some(&content.name), "transport", Why::NoPlace);
        } else if is_data(content) {
            contents.push(content);
        } else if let Some(description) = content.rtp() {
            if description.payloads.is_empty() {
                refusal = Refusal::NoCommonCodec(content.name.clone());
                report.note(Some(&content.name), "description", Why::Malformed);
            } else {
                contents.push(content);
            }
        } else {
            report.note(Some(&content.name), "description", Why::NoPlace);
        }
    }
    if contents.is_empty() {
        Err(refusal)
    } else {
        Ok(contents)
    }
}

/// Mids for the contents: their names, unless those are no tokens, longer or taken.
pub(super) fn mids(contents: &[&Content], longest: usize) -> Vec<Option<Token>> {
    let mut mids: Vec<Token> = Vec::with_capacity(contents.len());
    for (index, content) in contents.iter().enumerate() {
        let name = Token::new(&content.name)
            .ok()
            .filter(|name| name.as_str().len() <= longest && !mids.contains(name));
        let mid = name.or_else(|| {
            let taken = |mid: &str| {
                mids.iter().any(|own| own.as_str() == mid)
                    || contents.iter().any(|own| own.name == mid)
            };
            Token::new(&numbered('m', index, taken)).ok()
        });
        mids.extend(mid);
    }
    mids.into_iter().map(Some).collect()
}

/// A description without sections.
pub(super) fn empty(sid: &Sid, version: u64) -> sdp::Session {
    let mut hash = Fnv::default();
    hash.write(sid.as_str().as_bytes());
    sdp::Session {
        origin: Origin {
            username: Word::literal("-"),
            // RFC 9429 §5.2.1: at most 63 bits.
            session_id: Word::from(hash.finish() >> 1),
            version: Word::from(version),
            network: Token::literal("IN"),
            address_type: Token::literal("IP4"),
            address: Word::literal("127.0.0.1"),
        },
        name: ByteString::literal("-"),
        information: Vec::new(),
        bandwidths: Vec::new(),
        timing: vec![Line::unbounded()],
        attributes: Vec::new(),
        media: Vec::new(),
    }
}

/// `a=group` for every group, with the members that are there.
pub(super) fn groups(groups: &[Group], parts: &[Part<'_>], report: &mut Report) -> Vec<Attribute> {
    let mut lines = Vec::new();
    for group in groups {
        let mids: Vec<_> = group
            .contents
            .iter()
            .filter_map(|name| parts.iter().find(|part| part.content.name == *name))
            .filter_map(|part| part.mid.clone())
            .collect();
        match Token::new(&group.semantics) {
            Ok(semantics) if !mids.is_empty() => {
                lines.push(Attribute::Group(sdp::Group { semantics, mids }));
            }
            _ => report.note(None, "group", Why::Malformed),
        }
    }
    lines
}

/// The session level's lines out of our own element.
pub(super) fn session_level(
    extra: Option<&extra::SessionExtra>,
    session: &mut sdp::Session,
    report: &mut Report,
) {
    if let Some(extra) = extra {
        session.bandwidths = bandwidths(&extra.bandwidths, None, report);
        let taken = carried::take(&extra.attributes, Place::Session, None, report);
        session.attributes.extend(taken);
    }
    session.attributes.push(Attribute::Other {
        name: Token::literal("msid-semantic"),
        value: Some(ByteString::literal(" WMS *")),
    });
}

/// Puts the sections that have no content back to their places.
fn insert_rejected(
    sections: &[extra::Section],
    kind: Kind,
    media: &mut Vec<Media>,
    report: &mut Report,
) {
    let mut sections: Vec<_> = sections.iter().collect();
    sections.sort_by_key(|section| section.index);
    for section in sections {
        let Some(mut own) = line(&section.media, 0, &section.protocol, &section.formats) else {
            report.note(section.mid.as_deref(), "rejected section", Why::Malformed);
            continue;
        };
        own.connections.push(ByteString::literal("IN IP4 0.0.0.0"));
        own.attributes.extend(
            section
                .mid
                .as_deref()
                .and_then(|mid| Token::new(mid).ok())
                .map(Attribute::Mid),
        );
        own.attributes
            .push(Attribute::Direction(sdp::Direction::Inactive));
        if kind == Kind::Offer {
            complete_rejected(&mut own, media);
        }
        media.insert(section.index.min(media.len()), own);
    }
}

/// RFC 9429 §5.2.2 wants nothing in a section that was stopped, but aiortc reads codecs, credentials
/// and `a=rtcp-mux` there, too. Chrome says them; they are those of a section beside it.
fn complete_rejected(rejected: &mut Media, media: &[Media]) {
    let alike = |own: &&Media| !own.is_rejected() && own.kind == rejected.kind;
    let Some(beside) = media.iter().find(alike) else {
        return;
    };
    let listed = |payload| {
        let mut formats = rejected.formats.iter();
        formats.any(|format| format.as_str().parse() == Ok(payload))
    };
    let says = |own: &&Attribute| match own {
        Attribute::RtpMap(own) => listed(own.payload),
        Attribute::Fingerprint(_)
        | Attribute::IcePwd(_)
        | Attribute::IceUfrag(_)
        | Attribute::RtcpMux
        | Attribute::Setup(_) => true,
        _ => false,
    };
    let said: Vec<_> = beside.attributes.iter().filter(says).cloned().collect();
    rejected.attributes.extend(said);
}
