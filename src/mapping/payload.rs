//! Payload types, their parameters and their feedback: XEP-0167 §6, XEP-0293.

use crate::jingle::rtcp_fb;
use crate::jingle::rtp::{Parameter, Payload};
use crate::sdp::{
    Attribute, ByteString, Feedback, FeedbackTarget, Fmtp, Media, RtpMap, Token, Word,
};

use super::{Report, Why};

/// What the lines of a section say about its payload types.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines<'a> {
    pub(super) maps: Vec<&'a RtpMap>,
    pub(super) fmtps: Vec<(u8, &'a Fmtp)>,
    pub(super) feedback: Vec<&'a Feedback>,
    pub(super) ptime: Option<&'a Word>,
    pub(super) max_ptime: Option<&'a Word>,
}

impl Lines<'_> {
    /// The payload types in the order of the m-line, and the feedback for all of them.
    pub(super) fn to_jingle(
        &self,
        formats: &[Token],
        section: &str,
        report: &mut Report,
    ) -> (Vec<Payload>, Vec<rtcp_fb::Feedback>) {
        let mut payloads: Vec<Payload> = Vec::with_capacity(formats.len());
        for format in formats {
            let Some(id) = format.parse().ok().filter(|id| *id <= 127) else {
                report.note(Some(section), "payload type", Why::Malformed);
                continue;
            };
            if payloads.iter().any(|payload| payload.id == id) {
                report.note(Some(section), "payload type", Why::Duplicate);
                continue;
            }
            match self.payload(id) {
                Some(payload) => payloads.push(payload),
                None => report.note(Some(section), "payload type without rtpmap", Why::Malformed),
            }
        }
        let mut all = Vec::new();
        for feedback in &self.feedback {
            let target = match feedback.target {
                FeedbackTarget::Every => &mut all,
                FeedbackTarget::Payload(id) => {
                    match payloads.iter_mut().find(|payload| payload.id == id) {
                        Some(payload) => &mut payload.feedback,
                        None => {
                            report.note(Some(section), "rtcp-fb", Why::Unlisted);
                            continue;
                        }
                    }
                }
            };
            target.push(feedback_to_jingle(feedback));
        }
        let unlisted = |id: u8| payloads.iter().all(|payload| payload.id != id);
        for _ in self.fmtps.iter().filter(|(id, _)| unlisted(*id)) {
            report.note(Some(section), "fmtp", Why::Unlisted);
        }
        for _ in self.maps.iter().filter(|map| unlisted(map.payload)) {
            report.note(Some(section), "rtpmap", Why::Unlisted);
        }
        (payloads, all)
    }

    fn payload(&self, id: u8) -> Option<Payload> {
        let (name, clock_rate, channels) = match self.maps.iter().find(|map| map.payload == id) {
            Some(map) => (map.encoding.as_str(), map.clock_rate, map.channels()),
            None => static_payload(id)?,
        };
        let mut parameters = Vec::new();
        for (_, fmtp) in self.fmtps.iter().filter(|(own, _)| *own == id) {
            parameters_to_jingle(&fmtp.parameters, &mut parameters);
        }
        Some(Payload {
            id,
            name: Some(name.to_owned()),
            clock_rate: Some(clock_rate),
            channels: Some(channels).filter(|channels| *channels != 1),
            ptime: self.ptime.map(|time| time.as_str().to_owned()),
            max_ptime: self.max_ptime.map(|time| time.as_str().to_owned()),
            parameters,
            feedback: Vec::new(),
        })
    }
}

/// Writes the lines of one payload type; `None` when it can not be said in SDP. `ptime` is set when
/// the parameters hold one, as those of aTalk do.
pub(super) fn payload_to_sdp(
    payload: &Payload,
    media: &str,
    ptime: &mut Option<String>,
    out: &mut Vec<Attribute>,
) -> Option<()> {
    let known = static_payload(payload.id);
    let encoding = payload.name.as_deref().or_else(|| Some(known?.0))?;
    let encoding = Word::new(encoding)
        .ok()
        .filter(|name| name.is_ascii() && !name.contains('/'))?;
    let clock_rate = payload
        .clock_rate
        .or_else(|| Some(known?.1))
        .unwrap_or(if media == "video" { 90_000 } else { 8_000 });
    let channels = payload.channels.or_else(|| Some(known?.2));
    let parameters = channels
        .filter(|channels| *channels != 1)
        .map(|n| Word::from(u64::from(n)));
    let is_h264 = encoding.eq_ignore_ascii_case("h264");
    out.push(Attribute::RtpMap(RtpMap {
        payload: payload.id,
        encoding,
        clock_rate,
        parameters,
    }));
    out.extend(payload.feedback.iter().filter_map(|feedback| {
        feedback_to_sdp(feedback, FeedbackTarget::Payload(payload.id)).map(Attribute::Feedback)
    }));
    let parameters = parameters_to_sdp(&payload.parameters, is_h264, ptime);
    if let Some(parameters) = ByteString::new(&parameters)
        .ok()
        .filter(|text| !text.is_empty())
    {
        out.push(Attribute::Fmtp(Fmtp {
            format: Token::from(payload.id),
            parameters,
        }));
    }
    Some(())
}

/// Takes away what repairs a payload type that is not listed: libwebrtc refuses the whole section
/// over such an `rtx`, and bridges do send it.
pub(super) fn drop_orphans(media: &mut Media, section: &str, report: &mut Report) {
    while let Some(id) = orphan(media) {
        report.note(
            Some(section),
            "payload-type without its primary",
            Why::Unlisted,
        );
        retain(media, |own| own != id);
    }
}

/// Takes away all payload types but these, and what is said of them.
pub(super) fn retain(media: &mut Media, keep: impl Fn(u8) -> bool) {
    let is_kept = |format: &Token| format.parse().is_ok_and(&keep);
    media.formats.retain(is_kept);
    media.attributes.retain(|attribute| match attribute {
        Attribute::RtpMap(map) => keep(map.payload),
        Attribute::Fmtp(fmtp) => is_kept(&fmtp.format),
        Attribute::Feedback(own) => match own.target {
            FeedbackTarget::Every => true,
            FeedbackTarget::Payload(id) => keep(id),
        },
        _ => true,
    });
}

/// RFC 4588 §8.1 calls the payload type that is sent again `apt`, RFC 2198 §5 writes those that RED
/// holds as `111/111`.
fn orphan(media: &Media) -> Option<u8> {
    let unlisted = |id: &str| {
        id.trim()
            .parse::<u8>()
            .is_ok_and(|id| media.formats.iter().all(|own| own.parse() != Ok(id)))
    };
    media.attributes.iter().find_map(|attribute| {
        let Attribute::RtpMap(map) = attribute else {
            return None;
        };
        let is = |name| map.encoding.eq_ignore_ascii_case(name);
        let (rtx, red) = (is("rtx"), is("red"));
        if !rtx && !red {
            return None;
        }
        let fmtp = media.attributes.iter().find_map(|own| match own {
            Attribute::Fmtp(fmtp) if fmtp.format.parse() == Ok(map.payload) => Some(fmtp),
            _ => None,
        })?;
        let alone = if rtx {
            let mut parts = fmtp.parts();
            parts.any(|own| own.strip_prefix("apt=").is_some_and(unlisted))
        } else {
            fmtp.parameters.split('/').any(unlisted)
        };
        alone.then_some(map.payload)
    })
}

/// The line for one kind of feedback; `None` when it would break the grammar.
pub(super) fn feedback_to_sdp(
    feedback: &rtcp_fb::Feedback,
    target: FeedbackTarget,
) -> Option<Feedback> {
    match feedback {
        rtcp_fb::Feedback::Kind {
            kind,
            subtype,
            parameters,
        } => Some(Feedback {
            target,
            kind: Word::new(kind).ok()?,
            subtype: subtype.as_deref().map(Word::new).transpose().ok()?,
            parameters: parameters
                .iter()
                .map(|parameter| Word::new(&parameter.joined()))
                .collect::<Result<_, _>>()
                .ok()?,
        }),
        rtcp_fb::Feedback::TrrInt(value) => Some(Feedback {
            target,
            kind: Word::literal("trr-int"),
            subtype: Some(Word::new(value).ok()?),
            parameters: Vec::new(),
        }),
    }
}

fn feedback_to_jingle(feedback: &Feedback) -> rtcp_fb::Feedback {
    if feedback.kind.as_str() == "trr-int"
        && let Some(value) = &feedback.subtype
    {
        return rtcp_fb::Feedback::TrrInt(value.as_str().to_owned());
    }
    rtcp_fb::Feedback::Kind {
        kind: feedback.kind.as_str().to_owned(),
        subtype: feedback
            .subtype
            .as_ref()
            .map(|subtype| subtype.as_str().to_owned()),
        parameters: feedback
            .parameters
            .iter()
            .map(|word| match word.split_once('=') {
                Some((name, value)) => Parameter::new(name, value),
                None => Parameter {
                    name: word.as_str().to_owned(),
                    value: None,
                },
            })
            .collect(),
    }
}

/// Opaque parameters (`0-15`, `111/111`) become the value of one nameless parameter: the only form
/// that no client chokes on. The others are split at `;` and at the first `=` only, since base64
/// holds more of them.
fn parameters_to_jingle(text: &str, out: &mut Vec<Parameter>) {
    if !text.contains('=') {
        if !text.trim().is_empty() {
            out.push(Parameter::new("", text.trim()));
        }
        return;
    }
    for part in text
        .split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        out.push(Parameter::new(name.trim(), value.trim()));
    }
}

fn parameters_to_sdp(
    parameters: &[Parameter],
    is_h264: bool,
    ptime: &mut Option<String>,
) -> String {
    let mut text = String::new();
    let encodings: Vec<_> = parameters
        .iter()
        .filter(|parameter| parameter.name == "encodings")
        .filter_map(|parameter| parameter.value.as_deref())
        .collect();
    if !encodings.is_empty() {
        // Monal takes RED's "111/111" apart.
        return encodings.join("/");
    }
    for (index, parameter) in parameters.iter().enumerate() {
        let value = parameter.value.as_deref().unwrap_or_default();
        if parameter.name == "ptime" {
            *ptime = Some(value.to_owned());
            continue;
        }
        // Siskin splits at `;` and leaves the blank behind it.
        let Some((name, value)) = repair(parameter.name.trim(), value, is_h264) else {
            continue;
        };
        let again = |own: &&Parameter| own.name == parameter.name && own.value == parameter.value;
        if parameters.iter().take(index).any(|own| again(&own)) {
            continue;
        }
        if !text.is_empty() {
            text.push(';');
        }
        text.push_str(name);
        if !name.is_empty() && !value.is_empty() {
            text.push('=');
        }
        text.push_str(&value);
    }
    text
}

/// Undoes what Monal's SDP library does to parameters: `_` for `-`, words for numbers, decimal for
/// hexadecimal, and defaults written out for codecs that have no such parameter. No codec has a
/// parameter that is really called so, nor one of Opus (RFC 7587 §6.1) that is really a word.
fn repair<'a>(
    name: &'a str,
    value: &'a str,
    is_h264: bool,
) -> Option<(&'a str, std::borrow::Cow<'a, str>)> {
    let number = |value: &'a str| match value {
        "true" => "1",
        "false" => "0",
        other => other,
    };
    Some(match name {
        "profile_level_id" if !is_h264 => return None,
        "profile_level_id" => match value.parse::<u32>() {
            Ok(decimal) => ("profile-level-id", format!("{decimal:06x}").into()),
            Err(_) => ("profile-level-id", value.into()),
        },
        "level_asymmetry_allowed" => ("level-asymmetry-allowed", number(value).into()),
        "packetization_mode" => ("packetization-mode", number(value).into()),
        "cbr" | "stereo" | "usedtx" | "useinbandfec" => (name, number(value).into()),
        "max_br" => ("max-br", value.into()),
        "max_cpb" => ("max-cpb", value.into()),
        "max_dpb" => ("max-dpb", value.into()),
        "max_fr" => ("max-fr", value.into()),
        "max_fs" => ("max-fs", value.into()),
        "max_mbps" => ("max-mbps", value.into()),
        "dtmp_tones" => ("", value.into()),
        _ => (name, value.into()),
    })
}

/// RFC 3551 §6: what an id below 96 means when nothing is said about it.
pub(super) fn static_payload(id: u8) -> Option<(&'static str, u32, u32)> {
    Some(match id {
        0 => ("PCMU", 8_000, 1),
        3 => ("GSM", 8_000, 1),
        4 => ("G723", 8_000, 1),
        5 => ("DVI4", 8_000, 1),
        6 => ("DVI4", 16_000, 1),
        7 => ("LPC", 8_000, 1),
        8 => ("PCMA", 8_000, 1),
        9 => ("G722", 8_000, 1),
        10 => ("L16", 44_100, 2),
        11 => ("L16", 44_100, 1),
        12 => ("QCELP", 8_000, 1),
        13 => ("CN", 8_000, 1),
        14 => ("MPA", 90_000, 1),
        15 => ("G728", 8_000, 1),
        16 => ("DVI4", 11_025, 1),
        17 => ("DVI4", 22_050, 1),
        18 => ("G729", 8_000, 1),
        25 => ("CelB", 90_000, 1),
        26 => ("JPEG", 90_000, 1),
        28 => ("nv", 90_000, 1),
        31 => ("H261", 90_000, 1),
        32 => ("MPV", 90_000, 1),
        33 => ("MP2T", 90_000, 1),
        34 => ("H263", 90_000, 1),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(parameters: &[Parameter], is_h264: bool) -> String {
        parameters_to_sdp(parameters, is_h264, &mut None)
    }

    #[test]
    fn parameters_come_back() {
        for text in [
            "minptime=10;useinbandfec=1",
            "0-15",
            "111/111",
            "0-16,66",
            "a=b==;c",
            "apt=96",
        ] {
            let mut parameters = Vec::new();
            parameters_to_jingle(text, &mut parameters);
            assert_eq!(back(&parameters, false), text);
        }
    }

    #[test]
    fn every_form_of_an_opaque_parameter_is_read() {
        let forms = [
            Parameter::new("", "111/111"),
            Parameter::new("111/111", ""),
            Parameter {
                name: "111/111".to_owned(),
                value: None,
            },
        ];
        for form in forms {
            assert_eq!(back(&[form], false), "111/111");
        }
    }

    #[test]
    fn what_monal_damages_is_repaired() {
        let h264 = [
            Parameter::new("level_asymmetry_allowed", "true"),
            Parameter::new("max_mbps", "245760"),
            Parameter::new("max_br", "20000"),
            Parameter::new("max_cpb", "4000"),
            Parameter::new("max_dpb", "891"),
            Parameter::new("packetization_mode", "1"),
            Parameter::new("profile_level_id", "4325407"),
        ];
        assert_eq!(
            back(&h264, true),
            "level-asymmetry-allowed=1;max-mbps=245760;max-br=20000;max-cpb=4000;max-dpb=891;\
             packetization-mode=1;profile-level-id=42001f"
        );
        assert_eq!(
            back(&[Parameter::new("profile_level_id", "4325392")], false),
            ""
        );
        assert_eq!(back(&[Parameter::new("dtmp_tones", "0-15")], false), "0-15");
        let opus = [
            Parameter::new("minptime", "10"),
            Parameter::new("useinbandfec", "true"),
        ];
        assert_eq!(back(&opus, false), "minptime=10;useinbandfec=1");
        let red = [
            Parameter::new("encodings", "111"),
            Parameter::new("encodings", "111"),
        ];
        assert_eq!(back(&red, false), "111/111");
    }
}
