//! A caller's offer, taken apart. A peer of ours has one transport; a caller that does not bundle
//! (RFC 9143), as Dino does not, has one for each section. So each transport gets a peer of its own,
//! with an offer of its own, and what the peers answer is put together.

use crate::sdp::{Attribute, Direction, Error, Group, Limits, Media, Session, Token};

/// An offer.
#[derive(Debug)]
pub(super) struct Offer {
    session: Session,
    /// One for each transport; sections of none of them are rejected.
    pub(super) parts: Vec<Part>,
}

/// What an offer says of one transport.
#[derive(Debug)]
pub(super) struct Part {
    /// The sections that it carries, the first of which speaks for it (RFC 9143 §7.2.1).
    pub(super) mids: Vec<String>,
    /// Which of all sections the first one is.
    pub(super) index: u16,
    bundled: bool,
    session: Session,
}

impl Offer {
    /// Reads it.
    ///
    /// # Errors
    /// It is no description.
    pub(super) fn read(text: &str) -> Result<Self, Error> {
        let session = Session::parse(text, &Limits::default())?;
        let bundles: Vec<_> = session.groups().filter(|it| is_bundle(it)).collect();
        let mut transports: Vec<(Option<usize>, Vec<&Media>)> = Vec::new();
        for media in session.media.iter().filter(|media| !media.is_rejected()) {
            let Some(mid) = media.mid() else { continue };
            let bundle = bundles.iter().position(|group| group.mids.contains(mid));
            let known = transports
                .iter_mut()
                .find(|it| bundle.is_some() && it.0 == bundle);
            if let Some((_, sections)) = known {
                sections.push(media);
            } else if transports.len() < MAX_TRANSPORTS {
                transports.push((bundle, vec![media]));
            }
        }
        let is_whole = transports.len() == 1;
        let parts = transports.iter().map(|(bundle, sections)| {
            if is_whole && bundle.is_some() {
                Part::whole(&session, sections)
            } else {
                Part::new(&session, sections, bundle.is_some())
            }
        });
        let parts = parts.collect();
        Ok(Self { session, parts })
    }

    /// The answer, of those to the parts in their order.
    ///
    /// # Errors
    /// One of them is no description.
    pub(super) fn answer(&self, answers: &[String]) -> Result<String, Error> {
        let answers = answers
            .iter()
            .map(|answer| Session::parse(answer, &Limits::default()))
            .collect::<Result<Vec<_>, _>>()?;
        let of_each = |attribute: &Attribute| {
            matches!(attribute, Attribute::Group(_) | Attribute::Fingerprint(_))
        };
        let mut whole = answers.first().unwrap_or(&self.session).clone();
        whole.attributes.retain(|attribute| !of_each(attribute));
        let bundled = self.parts.iter().zip(&answers).filter(|it| it.0.bundled);
        let groups = bundled.flat_map(|(_, answer)| answer.groups());
        whole
            .attributes
            .extend(groups.cloned().map(Attribute::Group));
        let sections = self.session.media.iter().map(|offered| {
            let answered = answers.iter().find_map(|answer| {
                let media = answer.section(offered.mid()?)?;
                Some(on_its_own(media, answer))
            });
            answered.unwrap_or_else(|| rejected(offered))
        });
        whole.media = sections.collect();
        Ok(whole.to_string())
    }
}

impl Part {
    /// There is nothing else, but for what is rejected.
    fn whole(session: &Session, sections: &[&Media]) -> Self {
        Self {
            session: session.clone(),
            ..Self::new(session, sections, true)
        }
    }

    fn new(session: &Session, sections: &[&Media], bundled: bool) -> Self {
        let mids: Vec<_> = sections.iter().filter_map(|it| it.mid().cloned()).collect();
        let index = session
            .media
            .iter()
            .position(|media| media.mid() == mids.first());
        let mut session = session.clone();
        session.media = sections.iter().map(|&media| media.clone()).collect();
        session
            .attributes
            .retain(|attribute| !matches!(attribute, Attribute::Group(_)));
        // The peer answers nothing that is not bundled, be it alone.
        session.attributes.push(Attribute::Group(Group {
            semantics: Token::literal(BUNDLE),
            mids: mids.clone(),
        }));
        Self {
            mids: mids.iter().map(ToString::to_string).collect(),
            index: index.and_then(|it| it.try_into().ok()).unwrap_or_default(),
            bundled,
            session,
        }
    }

    /// Whether it carries media of this kind.
    pub(super) fn has(&self, kind: &str) -> bool {
        self.session.media.iter().any(|media| *media.kind == *kind)
    }

    /// The offer for its peer.
    pub(super) fn description(&self) -> String {
        self.session.to_string()
    }
}

/// A section of an answer that is true in another description, too.
fn on_its_own(media: &Media, answer: &Session) -> Media {
    let mut media = media.clone();
    if !media.is_rejected() {
        let fingerprints = answer.attributes.iter();
        let fingerprints = fingerprints.filter(|it| matches!(it, Attribute::Fingerprint(_)));
        media.attributes.extend(fingerprints.cloned());
    }
    media
}

/// RFC 3264 §6.
fn rejected(offered: &Media) -> Media {
    let Media {
        kind,
        protocol,
        formats,
        ..
    } = offered.clone();
    let mut media = Media::new(kind, 0, protocol, formats);
    media.connections.clone_from(&offered.connections);
    let mid = offered.mid().cloned().map(Attribute::Mid);
    media.attributes.extend(mid);
    media
        .attributes
        .push(Attribute::Direction(Direction::Inactive));
    media
}

fn is_bundle(group: &Group) -> bool {
    *group.semantics == *BUNDLE
}

const BUNDLE: &str = "BUNDLE";
/// Transports of one call: sound, pictures, a screen, messages.
const MAX_TRANSPORTS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// One section for each: mid, port.
    fn offer(groups: &str, sections: &[(&str, u16)]) -> String {
        let mut offer = format!("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n{groups}");
        for (mid, port) in sections {
            offer += &format!(
                "m=audio {port} UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n"
            );
        }
        offer
    }

    fn mids(offer: &Offer) -> Vec<Vec<&str>> {
        let parts = offer.parts.iter();
        parts
            .map(|part| part.mids.iter().map(String::as_str).collect())
            .collect()
    }

    /// As a peer does: every section is taken, the fingerprint stands above them.
    fn answer(part: &Part, fingerprint: &str) -> String {
        let fingerprint = format!("a=fingerprint:sha-256 {fingerprint}\r\nm=");
        part.description().replacen("m=", &fingerprint, 1)
    }

    #[test]
    fn what_is_bundled_stays_as_it_is() {
        let text = offer("a=group:BUNDLE 0 1\r\n", &[("0", 9), ("1", 9), ("2", 0)]);
        let offer = Offer::read(&text).unwrap();
        assert_eq!(mids(&offer), [["0", "1"]]);
        assert_eq!(offer.parts[0].description(), text);
    }

    #[test]
    fn each_section_that_stands_alone_is_a_transport() {
        let text = offer("", &[("audio", 9), ("gone", 0), ("video", 9)]);
        let offer = Offer::read(&text).unwrap();
        assert_eq!(mids(&offer), [["audio"], ["video"]]);
        assert_eq!(
            offer
                .parts
                .iter()
                .map(|part| part.index)
                .collect::<Vec<_>>(),
            [0, 2]
        );
        let video = offer.parts[1].description();
        assert!(video.contains("a=group:BUNDLE video\r\n"), "{video}");
        assert!(!video.contains("a=mid:audio"), "{video}");
    }

    #[test]
    fn the_answer_has_all_sections_in_their_order() {
        let groups = "a=group:LS 0 2\r\na=group:BUNDLE 2 0\r\n";
        let offer = Offer::read(&offer(groups, &[("0", 9), ("1", 9), ("2", 9)])).unwrap();
        assert_eq!(mids(&offer), [vec!["0", "2"], vec!["1"]]);
        let answers = [answer(&offer.parts[0], "AA"), answer(&offer.parts[1], "BB")];
        let answer = offer.answer(&answers).unwrap();
        let section = |mid, fingerprint| {
            format!(
                "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n\
                 a=fingerprint:sha-256 {fingerprint}\r\n"
            )
        };
        let sections = [section(0, "AA"), section(1, "BB"), section(2, "AA")].concat();
        assert!(answer.ends_with(&sections), "{answer}");
        let head = answer.trim_end_matches(&sections);
        assert!(head.ends_with("a=group:BUNDLE 0 2\r\n"), "{head}");
        assert!(!head.contains("a=fingerprint"), "{head}");
    }

    #[test]
    fn transports_beyond_the_bound_are_rejected() {
        let sections = [("0", 9), ("1", 9), ("2", 9), ("3", 9), ("4", 9)];
        let offer = Offer::read(&offer("", &sections)).unwrap();
        assert_eq!(mids(&offer), [["0"], ["1"], ["2"], ["3"]]);
        let answers: Vec<_> = offer.parts.iter().map(|it| answer(it, "AA")).collect();
        let answer = offer.answer(&answers).unwrap();
        let rejection =
            "m=audio 0 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:4\r\na=inactive\r\n";
        assert!(answer.ends_with(rejection), "{answer}");
        assert!(!answer.contains("a=group"), "{answer}");
    }
}
