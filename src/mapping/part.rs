//! Jingle to SDP: a content and its section.

use crate::jingle::grouping::Group;
use crate::jingle::sctp::SctpMap;
use crate::jingle::{Content, Description, Role, extra, ice_udp, rtp};
use crate::sdp::{Attribute, Bandwidth, ByteString, FeedbackTarget, Media, Token, Word};

use super::extra::Place;
use super::to_jingle::RTP;
use super::transport::Ready;
use super::{
    Dialect, Kind, Refusal, Report, Why, candidate, direction, extra as carried, hdrext, lawful,
    payload, source,
};

/// A content on its way to become a section.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) content: &'a Content,
    pub(super) mid: Option<Token>,
    /// The transport, completed from the BUNDLE tag.
    pub(super) ready: Ready,
    /// Which part is the tag of this one's BUNDLE group.
    pub(super) tag: Option<usize>,
}

/// Who bundles multiplexes RTCP, said or not (RFC 9143 §9.3); browsers take no offer without.
pub(super) fn multiplex(media: &mut Media) {
    if media.is_rtp() && !media.attributes.contains(&Attribute::RtcpMux) {
        media.attributes.push(Attribute::RtcpMux);
    }
}

/// Whether a content is about data channels. stanza gives them no description, Conversations and
/// Movim one of RTP that says nothing.
pub(super) fn is_data(content: &Content) -> bool {
    match &content.description {
        Some(Description::Data) => true,
        Some(Description::Rtp(rtp)) => rtp.media == "application" && rtp.payloads.is_empty(),
        Some(Description::Unknown(_)) => false,
        None => content.ice().is_some_and(|ice| ice.sctp.is_some()),
    }
}

/// [`parts`] that a browser can have.
///
/// # Errors
/// As for [`parts`], and when credentials are not what ICE begins with.
pub(super) fn lawful_parts<'a>(
    contents: &[&'a Content],
    mids: &[Option<Token>],
    groups: &[Group],
    report: &mut Report,
) -> Result<Vec<Part<'a>>, Refusal> {
    let mut parts = parts(contents, mids, groups, report)?;
    for part in &mut parts {
        part.ready.check(&part.content.name, report)?;
    }
    Ok(parts)
}

/// Reads the transports and completes those that are bundled.
///
/// # Errors
/// When credentials can not be written, or a fingerprint is for others' eyes only.
pub(super) fn parts<'a>(
    contents: &[&'a Content],
    mids: &[Option<Token>],
    groups: &[Group],
    report: &mut Report,
) -> Result<Vec<Part<'a>>, Refusal> {
    let mut parts = Vec::with_capacity(contents.len());
    for (content, mid) in contents.iter().zip(mids) {
        let ready = match content.ice() {
            Some(ice) => Ready::read(ice, &content.name, report)?,
            None => Ready::default(),
        };
        parts.push(Part {
            content,
            mid: mid.clone(),
            ready,
            tag: None,
        });
    }
    for group in groups.iter().filter(|group| group.semantics == "BUNDLE") {
        let members: Vec<_> = group
            .contents
            .iter()
            .filter_map(|name| contents.iter().position(|content| content.name == *name))
            .collect();
        let Some(first) = members.first().copied() else {
            continue;
        };
        let Some(tag) = parts.get(first).map(|part| part.ready.clone()) else {
            continue;
        };
        for member in members {
            if let Some(part) = parts.get_mut(member) {
                part.ready.complete(&tag);
                part.tag = Some(first);
            }
        }
    }
    Ok(parts)
}

impl Part<'_> {
    /// The section as a browser can have it.
    ///
    /// # Errors
    /// When it holds a value that SDP can not take, or no payload type.
    pub(super) fn for_browser(
        &self,
        owner: Role,
        kind: Kind,
        dialect: &Dialect,
        report: &mut Report,
    ) -> Result<Media, Refusal> {
        let section = self.content.name.as_str();
        let mut media = self.media(owner, kind, dialect, report)?;
        lawful::section(&mut media, kind, section, report);
        let described = |own: &Token| {
            let payloads = self.content.rtp().map_or(&[][..], |rtp| &rtp.payloads);
            payloads.iter().any(|payload| own.parse() == Ok(payload.id))
        };
        if media.is_rtp() {
            media.formats.retain(described);
            payload::drop_orphans(&mut media, section, report);
        }
        if kind == Kind::Offer && self.tag.is_some() {
            multiplex(&mut media);
        }
        if media.formats.is_empty() {
            return Err(Refusal::NoCommonCodec(section.to_owned()));
        }
        Ok(media)
    }

    /// The section.
    ///
    /// # Errors
    /// When it holds a value that SDP can not take.
    pub(super) fn media(
        &self,
        owner: Role,
        kind: Kind,
        dialect: &Dialect,
        report: &mut Report,
    ) -> Result<Media, Refusal> {
        let extra = self.content.extra.as_ref();
        let rtp = self.content.rtp().map_or(&[][..], |own| &own.skipped);
        let ice = self.content.ice().map_or(&[][..], |own| &own.skipped);
        for name in rtp.iter().chain(ice) {
            report.note(Some(&self.content.name), *name, Why::Malformed);
        }
        let mut own = Vec::new();
        let mut media = match self.content.rtp() {
            Some(description) if !is_data(self.content) => {
                self.rtp(description, owner, dialect, report, &mut own)?
            }
            _ if self.is_of_data() => self.data(extra, &mut own)?,
            _ => fragment(),
        };
        if let Some(extra) = extra {
            let taken = self.extra(extra, media.is_rtp(), report);
            if media.is_rtp() {
                self.add(taken, &mut own, report);
            } else {
                own.extend(taken);
                let section = Some(self.content.name.as_str());
                media.bandwidths = bandwidths(&extra.bandwidths, section, report);
            }
        }
        if own.contains(&Attribute::BundleOnly) && self.tag.is_some() {
            media.port = 0;
        }
        media
            .connections
            .push(ByteString::literal("IN IP4 0.0.0.0"));
        let out = &mut media.attributes;
        out.reserve(own.len() + 16);
        if let Some(ice) = self.content.ice() {
            self.transport(ice, kind, report, out);
        }
        out.extend(self.mid.clone().map(Attribute::Mid));
        for attribute in own {
            // The rest of them, that Jingle has no word for.
            if let Attribute::IceOptions(rest) = &attribute
                && let Some(options) = options(out)
            {
                options.extend_from_slice(rest);
            } else {
                out.push(attribute);
            }
        }
        Ok(media)
    }

    fn transport(
        &self,
        ice: &ice_udp::Transport,
        kind: Kind,
        report: &mut Report,
        out: &mut Vec<Attribute>,
    ) {
        let section = &self.content.name;
        for own in &ice.candidates {
            let own = candidate::to_sdp(own, section, report).map(Attribute::Candidate);
            // One that is there already adds nothing.
            out.extend(own.filter(|own| !out.contains(own)));
        }
        if ice.gathering_complete {
            out.push(Attribute::EndOfCandidates);
        }
        self.ready.to_sdp(ice, kind, out);
    }

    fn rtp(
        &self,
        description: &rtp::Description,
        owner: Role,
        dialect: &Dialect,
        report: &mut Report,
        out: &mut Vec<Attribute>,
    ) -> Result<Media, Refusal> {
        let section = self.content.name.as_str();
        let value = |what| Refusal::Value(section.to_owned(), what);
        let kind = Token::new(&description.media).map_err(|_| value("media"))?;
        let protocol = self.protocol(description)?;
        let extensions = &description.header_extensions;
        let sender = dialect.read_extensions_as(owner);
        hdrext::to_sdp(extensions, sender, section, report, out);
        let owner = dialect.read_as(owner);
        if description.extmap_allow_mixed {
            out.push(Attribute::ExtMapAllowMixed);
        }
        out.push(Attribute::Direction(direction::direction(
            self.content.senders(),
            owner,
        )));
        out.extend(source::msids(description).into_iter().map(Attribute::Msid));
        if description.rtcp_mux {
            out.push(Attribute::RtcpMux);
        }
        if description.rtcp_reduced_size {
            out.push(Attribute::RtcpRsize);
        }
        let formats = self.formats(payloads(description, section, report, out));
        let categories: Vec<_> = description
            .categories
            .iter()
            .filter_map(|name| Token::new(name).ok())
            .collect();
        if !categories.is_empty() {
            out.push(Attribute::Content(categories));
        }
        source::to_sdp(description, section, report, out);
        let mut media = Media::new(kind, PORT, protocol, formats);
        media.bandwidths = bandwidths(&description.bandwidths, Some(section), report);
        if self.ready.fingerprints.is_empty() {
            out.extend(cryptos(description, section, report));
        } else if description.encryption.is_some() {
            report.note(Some(section), "encryption", Why::Unsafe);
        }
        Ok(media)
    }

    /// The formats of the m-line, with those of which Jingle says nothing since SDP does not either.
    fn formats(&self, described: Vec<Token>) -> Vec<Token> {
        let extra = self.content.extra.as_ref();
        let all: Option<Vec<_>> = extra
            .and_then(|extra| extra.formats.as_deref())
            .filter(|formats| formats.len() <= carried::LONGEST)
            .and_then(|formats| {
                let words = formats.split_ascii_whitespace().map(Token::new);
                words.collect::<Result<_, _>>().ok()
            });
        all.filter(|all| {
            let known: Vec<_> = all.iter().filter(|own| described.contains(own)).collect();
            known.iter().copied().eq(&described)
        })
        .unwrap_or(described)
    }

    fn protocol(&self, description: &rtp::Description) -> Result<Word, Refusal> {
        if let Some(own) = self
            .content
            .extra
            .as_ref()
            .and_then(|extra| extra.protocol.as_deref())
        {
            return Word::new(own)
                .ok()
                .filter(|own| own.contains("RTP/"))
                .ok_or_else(|| Refusal::Value(self.content.name.clone(), "proto"));
        }
        let feedback = !description.feedback.is_empty()
            || description
                .payloads
                .iter()
                .any(|payload| !payload.feedback.is_empty());
        Ok(Word::literal(
            if !self.ready.fingerprints.is_empty() || self.ready.ufrag.is_none() {
                RTP
            } else if description.encryption.is_some() {
                "RTP/SAVPF"
            } else if feedback {
                "RTP/AVPF"
            } else {
                "RTP/AVP"
            },
        ))
    }

    /// Whether it is about data channels, or says so little that it can be about nothing else:
    /// sdp-jingle-json has no word for them.
    fn is_of_data(&self) -> bool {
        is_data(self.content)
            || self.sctp().is_some()
            || self.content.description.is_none() && !self.ready.fingerprints.is_empty()
    }

    fn sctp(&self) -> Option<&SctpMap> {
        self.content.ice()?.sctp.as_ref()
    }

    fn data(
        &self,
        extra: Option<&extra::SectionExtra>,
        out: &mut Vec<Attribute>,
    ) -> Result<Media, Refusal> {
        let value = |what| Refusal::Value(self.content.name.clone(), what);
        let sctp = self.sctp();
        if let (None, Some(extra)) = (sctp, extra)
            && let (Some(kind), Some(protocol), Some(formats)) =
                (&extra.media, &extra.protocol, &extra.formats)
        {
            return line(kind, PORT, protocol, formats).ok_or_else(|| value("m-line"));
        }
        out.push(Attribute::SctpPort(sctp.map_or(5000, |sctp| sctp.port)));
        Ok(Media::new(
            Token::literal("application"),
            PORT,
            Word::literal(DATA),
            vec![Token::literal("webrtc-datachannel")],
        ))
    }

    /// Adds them to those of RTP. A carried `a=fmtp` is one whose `ptime` was taken for the section's,
    /// which it is not.
    fn add(&self, taken: Vec<Attribute>, out: &mut Vec<Attribute>, report: &mut Report) {
        let said = self.content.rtp().is_some_and(|rtp| {
            rtp.ptime.is_some() || rtp.payloads.iter().any(|own| own.ptime.is_some())
        });
        for attribute in taken {
            let Attribute::Fmtp(whole) = &attribute else {
                out.push(attribute);
                continue;
            };
            let rest = || whole.parts().filter(|part| !part.starts_with("ptime="));
            let same = |own: &&mut Attribute| match own {
                Attribute::Fmtp(own) => own.format == whole.format && own.parts().eq(rest()),
                _ => false,
            };
            match out.iter_mut().find(same) {
                Some(own) => {
                    *own = attribute;
                    out.retain(|own| said || !matches!(own, Attribute::Ptime(_)));
                }
                None => report.note(Some(&self.content.name), "fmtp", Why::Unsafe),
            }
        }
    }

    /// The attributes out of our own element, those left out that are there already.
    fn extra(&self, extra: &extra::SectionExtra, rtp: bool, report: &mut Report) -> Vec<Attribute> {
        let section = Some(self.content.name.as_str());
        let mut taken = carried::take(&extra.attributes, Place::of(rtp), section, report);
        taken.retain(|attribute| match attribute {
            Attribute::BundleOnly => self.tag.is_some(),
            Attribute::Setup(_) => self.ready.fingerprints.is_empty(),
            _ => true,
        });
        taken
    }
}

pub(super) fn bandwidths(
    said: &[rtp::Bandwidth],
    section: Option<&str>,
    report: &mut Report,
) -> Vec<Bandwidth> {
    let mut bandwidths = Vec::with_capacity(said.len());
    for own in said {
        match (Token::new(&own.kind), Word::new(own.value.trim())) {
            (Ok(kind), Ok(value)) => bandwidths.push(Bandwidth { kind, value }),
            _ => report.note(section, "bandwidth", Why::Malformed),
        }
    }
    bandwidths
}

fn options(attributes: &mut [Attribute]) -> Option<&mut Vec<Word>> {
    attributes.iter_mut().find_map(|own| match own {
        Attribute::IceOptions(options) => Some(options),
        _ => None,
    })
}

/// The m-line of a section of which only the transport is known (RFC 8840 §9.2).
fn fragment() -> Media {
    let formats = vec![Token::literal("0")];
    Media::new(
        Token::literal("audio"),
        PORT,
        Word::literal("RTP/AVP"),
        formats,
    )
}

/// An m-line out of its parts.
pub(super) fn line(kind: &str, port: u16, protocol: &str, formats: &str) -> Option<Media> {
    let formats: Vec<_> = formats
        .split_ascii_whitespace()
        .map(Token::new)
        .collect::<Result<_, _>>()
        .ok()
        .filter(|formats: &Vec<_>| !formats.is_empty())?;
    Some(Media::new(
        Token::new(kind).ok()?,
        port,
        Word::new(protocol).ok()?,
        formats,
    ))
}

/// Writes the payload types and what belongs to them; gives the formats of the m-line.
fn payloads(
    description: &rtp::Description,
    section: &str,
    report: &mut Report,
    out: &mut Vec<Attribute>,
) -> Vec<Token> {
    let mut ids: Vec<u8> = Vec::with_capacity(description.payloads.len());
    let mut ptime = None;
    let mut max_ptime = None;
    let mut parameter = None;
    for own in &description.payloads {
        if ids.contains(&own.id) {
            report.note(Some(section), "payload-type", Why::Duplicate);
            continue;
        }
        if payload::payload_to_sdp(own, &description.media, &mut parameter, out).is_none() {
            report.note(Some(section), "payload-type", Why::Malformed);
            continue;
        }
        ids.push(own.id);
        ptime = ptime.or_else(|| own.ptime.clone());
        max_ptime = max_ptime.or_else(|| own.max_ptime.clone());
    }
    for feedback in &description.feedback {
        match payload::feedback_to_sdp(feedback, FeedbackTarget::Every) {
            Some(feedback) => out.push(Attribute::Feedback(feedback)),
            None => report.note(Some(section), "rtcp-fb", Why::Malformed),
        }
    }
    let time = |own: Option<String>, other: &Option<String>, last: Option<String>| {
        own.or_else(|| other.clone())
            .or(last)
            .and_then(|time| Word::new(time.trim()).ok())
    };
    // XEP-0167 §4 has an attribute for it, and clients other places.
    out.extend(time(ptime, &description.ptime, parameter).map(Attribute::Ptime));
    out.extend(time(max_ptime, &description.max_ptime, None).map(Attribute::MaxPtime));
    ids.into_iter().map(Token::from).collect()
}

fn cryptos(description: &rtp::Description, section: &str, report: &mut Report) -> Vec<Attribute> {
    let mut lines = Vec::new();
    for own in description
        .encryption
        .iter()
        .flat_map(|encryption| &encryption.cryptos)
    {
        let mut text = format!(
            "crypto:{} {} {}",
            own.tag.trim(),
            own.suite.trim(),
            own.key_params.trim()
        );
        if let Some(params) = &own.session_params {
            text.push(' ');
            text.push_str(params);
        }
        match Attribute::parse(&text) {
            Ok(crypto) => lines.push(crypto),
            Err(_) => report.note(Some(section), "crypto", Why::Malformed),
        }
    }
    lines
}

/// Says nothing; a real one comes with the candidates (RFC 8840 §4.1.1).
const PORT: u16 = 9;

/// RFC 8841 §4.
const DATA: &str = "UDP/DTLS/SCTP";
