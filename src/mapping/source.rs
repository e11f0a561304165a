//! Sources and the streams they belong to: XEP-0339; `a=msid` (RFC 8830) has no XEP.

use crate::jingle::rtp::{Description, Parameter, Stream};
use crate::jingle::ssma::{Source, SourceGroup};
use crate::sdp::{Attribute, ByteString, Msid, Ssrc, SsrcGroup, Token, Word};

use super::{Dialect, Report, Why};

/// What the lines of a section say about its sources.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines<'a> {
    pub(super) ssrcs: Vec<&'a Ssrc>,
    pub(super) groups: Vec<&'a SsrcGroup>,
    pub(super) msids: Vec<&'a Msid>,
}

impl Lines<'_> {
    /// Fills in the sources. An `a=msid` goes into every source, which is where all clients look
    /// for it; where there is none, into stanza's element, which hurts nobody.
    pub(super) fn to_jingle(
        &self,
        description: &mut Description,
        dialect: &Dialect,
        section: &str,
        report: &mut Report,
    ) {
        let sources = &mut description.sources;
        for line in &self.ssrcs {
            if !sources.iter().any(|source| source.ssrc == line.id) {
                sources.push(Source {
                    ssrc: line.id,
                    parameters: Vec::new(),
                });
            }
            let Some(source) = sources.iter_mut().find(|source| source.ssrc == line.id) else {
                continue;
            };
            let value = line.value.as_ref().map(|value| value.trim().to_owned());
            match line.name.as_str() {
                "msid" if !self.msids.is_empty() => {}
                "mslabel" | "label" => {
                    report.note(
                        Some(section),
                        format!("ssrc {}", line.name),
                        Why::Meaningless,
                    );
                }
                _ if dialect.values_required && value.as_deref().is_none_or(str::is_empty) => {
                    report.note(Some(section), format!("ssrc {}", line.name), Why::Dialect);
                }
                name => source.parameters.push(Parameter {
                    name: name.to_owned(),
                    value,
                }),
            }
        }
        for source in sources.iter_mut() {
            source.parameters.extend(
                self.msids
                    .iter()
                    .map(|msid| Parameter::new("msid", msid.to_string())),
            );
        }
        for group in &self.groups {
            // RFC 5576 §4.2 allows a group of none, XEP-0339's schema does not.
            if group.ssrcs.is_empty() {
                report.note(Some(section), "ssrc-group", Why::Meaningless);
                continue;
            }
            description.source_groups.push(SourceGroup {
                semantics: group.semantics.as_str().to_owned(),
                ssrcs: group.ssrcs.clone(),
            });
        }
        let unsaid = description.sources.is_empty();
        if dialect.streams || unsaid && dialect.extension {
            description
                .streams
                .extend(self.msids.iter().map(|msid| Stream {
                    id: msid.stream.as_str().to_owned(),
                    track: msid.track.as_ref().map(|track| track.as_str().to_owned()),
                }));
        } else if unsaid {
            for _ in &self.msids {
                report.note(Some(section), "msid", Why::NoPlace);
            }
        }
    }
}

/// The streams that a description names, in the order of first mention.
pub(super) fn msids(description: &Description) -> Vec<Msid> {
    let mut msids: Vec<Msid> = Vec::new();
    let streams = description.streams.iter().filter_map(|stream| {
        Some(Msid {
            stream: Word::new(&stream.id).ok()?,
            track: stream
                .track
                .as_deref()
                .and_then(|track| Word::new(track).ok()),
        })
    });
    let parameters = description
        .sources
        .iter()
        .flat_map(|source| &source.parameters)
        .filter(|parameter| parameter.name == "msid")
        .filter_map(|parameter| msid(parameter.value.as_deref()?));
    for msid in streams.chain(parameters) {
        if !msids.contains(&msid) {
            msids.push(msid);
        }
    }
    let whole: Vec<_> = msids
        .iter()
        .filter(|own| own.track.is_some())
        .cloned()
        .collect();
    msids.retain(|own| own.track.is_some() || !is_repeated(own, &whole));
    msids
}

/// Movim says a stream once with its track and once without, which libwebrtc of old refuses.
fn is_repeated(msid: &Msid, whole: &[Msid]) -> bool {
    whole.iter().any(|own| own.stream == msid.stream)
}

/// Writes `a=ssrc-group` and `a=ssrc`.
pub(super) fn to_sdp(
    description: &Description,
    section: &str,
    report: &mut Report,
    out: &mut Vec<Attribute>,
) {
    for group in &description.source_groups {
        match Token::new(&group.semantics) {
            Ok(semantics) => out.push(Attribute::SsrcGroup(SsrcGroup {
                semantics,
                ssrcs: group.ssrcs.clone(),
            })),
            Err(_) => report.note(Some(section), "ssrc-group", Why::Malformed),
        }
    }
    let whole: Vec<_> = msids(description)
        .into_iter()
        .filter(|own| own.track.is_some())
        .collect();
    let repeats = |parameter: &Parameter| {
        let own = parameter.value.as_deref().and_then(msid);
        parameter.name == "msid"
            && own.is_some_and(|own| own.track.is_none() && is_repeated(&own, &whole))
    };
    for source in &description.sources {
        for parameter in source.parameters.iter().filter(|own| !repeats(own)) {
            match line(source.ssrc, parameter) {
                Some(line) => out.push(Attribute::Ssrc(line)),
                None => report.note(Some(section), "ssrc", Why::Malformed),
            }
        }
    }
    name_group_members(description, out);
    let is_said = |id: u32| {
        let mut lines = out.iter();
        lines.any(|own| matches!(own, Attribute::Ssrc(own) if own.id == id))
    };
    // RFC 5576 §4.1 has no line without an attribute.
    let bare = description.sources.iter();
    for _ in bare.filter(|own| own.parameters.is_empty() && !is_said(own.ssrc)) {
        report.note(Some(section), "source without parameters", Why::NoPlace);
    }
}

/// Clients that keep one source of each content (stanza.js) name the others in groups only, or
/// without a word about them (Jitsi Meet), which libwebrtc refuses. The sources of a group have one
/// `cname` (RFC 5576 §4.2), so it is known.
fn name_group_members(description: &Description, out: &mut Vec<Attribute>) {
    for group in &description.source_groups {
        let source = |ssrc: &u32| {
            description
                .sources
                .iter()
                .find(|source| source.ssrc == *ssrc && !source.parameters.is_empty())
        };
        let cname = group.ssrcs.iter().filter_map(source).find_map(|source| {
            let cname = source
                .parameters
                .iter()
                .find(|parameter| parameter.name == "cname")?;
            line(source.ssrc, cname)
        });
        let Some(cname) = cname else { continue };
        let unnamed = group.ssrcs.iter().filter(|ssrc| source(ssrc).is_none());
        out.extend(unnamed.map(|&id| {
            Attribute::Ssrc(Ssrc {
                id,
                ..cname.clone()
            })
        }));
    }
}

fn line(id: u32, parameter: &Parameter) -> Option<Ssrc> {
    let value = match parameter.value.as_deref() {
        // A blank at the end of an msid breaks clients.
        Some(value) if parameter.name == "msid" => Some(msid(value)?.to_string()),
        Some("") | None => None,
        Some(value) => Some(value.trim().to_owned()),
    };
    Some(Ssrc {
        id,
        name: Token::new(&parameter.name).ok()?,
        value: value
            .map(|value| ByteString::new(&value))
            .transpose()
            .ok()?,
    })
}

fn msid(text: &str) -> Option<Msid> {
    let mut words = text.split_ascii_whitespace();
    Some(Msid {
        stream: Word::new(words.next()?).ok()?,
        track: words.next().map(Word::new).transpose().ok()?,
    })
}
