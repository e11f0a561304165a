//! ICE, DTLS and SCTP of one section: XEP-0176, XEP-0320, XEP-0343.

use crate::jingle::ice_udp::{Flavour, Transport};
use crate::jingle::{dtls, sctp};
use crate::sdp::{
    Attribute, Candidate, Fingerprint, IcePwd, IceUfrag, Media, SctpMap, Setup, Token, Word,
};

use super::{Dialect, Kind, Refusal, Report, Why, candidate};

/// What the lines of a section say about its transport.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines<'a> {
    pub(super) ready: Ready,
    pub(super) options: Vec<&'a Word>,
    pub(super) candidates: Vec<&'a Candidate>,
    pub(super) sctp_port: Option<u16>,
    pub(super) sctp_map: Option<&'a SctpMap>,
}

impl Lines<'_> {
    /// What is missing here, another stanza may bring.
    ///
    /// # Errors
    /// When the peer has no use for the DTLS role.
    pub(super) fn to_jingle(
        &self,
        kind: Kind,
        dialect: &Dialect,
        section: &str,
        report: &mut Report,
    ) -> Result<Transport, Refusal> {
        // XEP-0176 §5.3: both, and with any candidate.
        let credentials = self.ready.ufrag.as_ref().zip(self.ready.pwd.as_ref());
        let setup = self.setup(kind, dialect)?;
        let mut transport = Transport {
            ufrag: credentials.map(|(ufrag, _)| ufrag.as_str().to_owned()),
            pwd: credentials.map(|(_, pwd)| pwd.as_str().to_owned()),
            fingerprints: self.fingerprints(setup),
            ..Transport::default()
        };
        let placed = self.options.iter().filter(|own| is_placed(own));
        transport
            .options
            .extend(placed.map(|own| own.as_str().to_owned()));
        for own in &self.candidates {
            if credentials.is_none() {
                report.note(Some(section), "candidate", Why::Meaningless);
                continue;
            }
            match candidate::to_jingle(own, self.ready.ufrag.as_deref(), dialect) {
                // One that is there already adds nothing.
                Ok(own) if transport.candidates.iter().any(|other| other.id == own.id) => {}
                Ok(own) => transport.candidates.push(own),
                Err(why) => report.note(Some(section), "candidate", why),
            }
        }
        Ok(transport)
    }

    /// What is said of DTLS. A peer that wants to be asked for `actpass` answers `active`, which
    /// suits a browser that offers `passive` and no other.
    ///
    /// # Errors
    /// When it does not suit.
    fn setup(&self, kind: Kind, dialect: &Dialect) -> Result<Setup, Refusal> {
        match (kind, self.ready.setup) {
            (Kind::Offer, None) => Ok(Setup::Actpass),
            // RFC 8842 §5.3 forbids actpass in an answer, and Conversations ends the call over it.
            (Kind::Answer, None | Some(Setup::Actpass)) => Ok(Setup::Active),
            (Kind::Offer, Some(setup)) if dialect.offers_actpass => match setup {
                Setup::Actpass | Setup::Passive => Ok(Setup::Actpass),
                Setup::Active | Setup::Holdconn => Err(Refusal::NotForPeer("wait for DTLS")),
            },
            (_, Some(setup)) => Ok(setup),
        }
    }

    /// Every fingerprint with the same setup; SHA-256 first, since clients read only the first.
    fn fingerprints(&self, setup: Setup) -> Vec<dtls::Fingerprint> {
        let mut fingerprints: Vec<_> = self
            .ready
            .fingerprints
            .iter()
            .map(|own| dtls::Fingerprint {
                hash: own.hash.to_ascii_lowercase(),
                setup: Some(setup.as_str().to_owned()),
                value: own.value.to_ascii_uppercase(),
            })
            .collect();
        fingerprints.sort_by_key(|own| own.hash != "sha-256");
        fingerprints
    }

    pub(super) fn sctp(&self, formats: &[Token]) -> sctp::SctpMap {
        sctp::SctpMap {
            port: self
                .sctp_port
                .or_else(|| Some(self.sctp_map?.port))
                .or_else(|| formats.iter().find_map(|format| format.parse().ok()))
                .unwrap_or(5000),
            protocol: "webrtc-datachannel".to_owned(),
            streams: Some(self.sctp_map.and_then(|map| map.streams).unwrap_or(1024)),
        }
    }
}

/// The SCTP of a section that says it.
pub(super) fn sctp_of(media: &Media) -> sctp::SctpMap {
    let mut lines = Lines::default();
    for attribute in &media.attributes {
        match attribute {
            Attribute::SctpPort(port) => lines.sctp_port = Some(*port),
            Attribute::SctpMap(map) => lines.sctp_map = Some(map),
            _ => {}
        }
    }
    lines.sctp(&media.formats)
}

/// What ICE and DTLS begin with.
#[derive(Clone, Debug, Default)]
pub(super) struct Ready {
    pub(super) ufrag: Option<IceUfrag>,
    pub(super) pwd: Option<IcePwd>,
    pub(super) fingerprints: Vec<Fingerprint>,
    pub(super) setup: Option<Setup>,
}

impl Ready {
    /// Reads what the peer says; it may be incomplete, and is to be [checked](Self::check) before a
    /// browser has it.
    ///
    /// # Errors
    /// When credentials can not be written, or the only fingerprint is for others' eyes.
    pub(super) fn read(
        transport: &Transport,
        section: &str,
        report: &mut Report,
    ) -> Result<Self, Refusal> {
        let bad = |_| Refusal::Credentials(section.to_owned());
        let mut ready = Self {
            ufrag: transport
                .ufrag
                .as_deref()
                .map(IceUfrag::new)
                .transpose()
                .map_err(bad)?,
            pwd: transport
                .pwd
                .as_deref()
                .map(IcePwd::new)
                .transpose()
                .map_err(bad)?,
            ..Self::default()
        };
        for own in &transport.fingerprints {
            ready.setup = ready
                .setup
                .or_else(|| own.setup.as_deref().and_then(|s| Setup::parse(s.trim())));
            match fingerprint(own) {
                Some(own) => ready.fingerprints.push(own),
                None => report.note(Some(section), "fingerprint", Why::Malformed),
            }
        }
        if transport.omemo && ready.fingerprints.is_empty() {
            return Err(Refusal::OmemoOnly(section.to_owned()));
        }
        Ok(ready)
    }

    /// Reads what the peer says, for a browser.
    ///
    /// # Errors
    /// As for [`Self::read`] and [`Self::check`].
    pub(super) fn lawful(
        transport: &Transport,
        section: &str,
        report: &mut Report,
    ) -> Result<Self, Refusal> {
        let mut ready = Self::read(transport, section, report)?;
        ready.check(section, report)?;
        Ok(ready)
    }

    /// Leaves out fingerprints that are none.
    ///
    /// # Errors
    /// When credentials are not what ICE begins with.
    pub(super) fn check(&mut self, section: &str, report: &mut Report) -> Result<(), Refusal> {
        self.fingerprints.retain(|own| {
            let digest = is_digest(&own.value) && HASHES.contains(&own.hash.as_str());
            if !digest {
                report.note(Some(section), "fingerprint", Why::Malformed);
            }
            digest
        });
        let ufrag = self.ufrag.as_ref().is_none_or(IceUfrag::is_lawful);
        if ufrag && self.pwd.as_ref().is_none_or(IcePwd::is_lawful) {
            Ok(())
        } else {
            Err(Refusal::Credentials(section.to_owned()))
        }
    }

    /// What a section for a browser says.
    pub(super) fn of(media: &Media) -> Self {
        let mut ready = Self::default();
        for attribute in &media.attributes {
            match attribute {
                Attribute::IceUfrag(ufrag) => ready.ufrag = Some(ufrag.clone()),
                Attribute::IcePwd(pwd) => ready.pwd = Some(pwd.clone()),
                Attribute::Fingerprint(own) => ready.fingerprints.push(own.clone()),
                Attribute::Setup(setup) => ready.setup = Some(*setup),
                _ => {}
            }
        }
        ready
    }

    /// Whether a browser could begin with it.
    pub(super) fn is_complete(&self) -> bool {
        self.ufrag.is_some()
            && self.pwd.is_some()
            && !self.fingerprints.iter().all(Fingerprint::is_broken)
    }

    /// Takes over from the tag of the BUNDLE group what this section leaves to it
    /// (RFC 9143 §7.1.3).
    pub(super) fn complete(&mut self, tag: &Self) {
        if self.ufrag.is_none() || self.pwd.is_none() {
            self.ufrag = tag.ufrag.clone();
            self.pwd = tag.pwd.clone();
        }
        if self.fingerprints.is_empty() {
            self.fingerprints = tag.fingerprints.clone();
            self.setup = self.setup.or(tag.setup);
        }
    }

    /// Writes the lines, except candidates.
    pub(super) fn to_sdp(&self, transport: &Transport, kind: Kind, out: &mut Vec<Attribute>) {
        out.extend(self.ufrag.clone().map(Attribute::IceUfrag));
        out.extend(self.pwd.clone().map(Attribute::IcePwd));
        // Jingle trickles by nature.
        let mut options = vec![Word::literal("trickle")];
        options.extend(
            transport
                .options
                .iter()
                // A comma would make two of it.
                .filter(|option| *option != "trickle" && !option.contains(','))
                .filter_map(|option| Word::new(option).ok()),
        );
        out.push(Attribute::IceOptions(options));
        out.extend(
            self.fingerprints
                .iter()
                .cloned()
                .map(Attribute::Fingerprint),
        );
        if !self.fingerprints.is_empty() {
            let setup = match (kind, self.setup) {
                (Kind::Offer, None) => Setup::Actpass,
                // RFC 8842 §5.3 forbids actpass in an answer, yet bridges write it.
                (Kind::Answer, None | Some(Setup::Actpass)) => Setup::Active,
                (_, Some(setup)) => setup,
            };
            out.push(Attribute::Setup(setup));
        }
    }
}

/// A transport that only repeats the credentials, for candidates to come with (XEP-0176 §5.3).
pub(super) fn bare(ufrag: &IceUfrag, pwd: &IcePwd, flavour: Flavour) -> Transport {
    Transport {
        flavour,
        ufrag: Some(ufrag.as_str().to_owned()),
        pwd: Some(pwd.as_str().to_owned()),
        ..Transport::default()
    }
}

fn fingerprint(own: &dtls::Fingerprint) -> Option<Fingerprint> {
    Some(Fingerprint {
        hash: Token::new(&own.hash).ok()?,
        value: Word::new(&own.value).ok()?,
    })
}

/// Whether it is pairs of hex digits with colons (RFC 8122 §5).
pub(super) fn is_digest(text: &str) -> bool {
    text.len() > 2
        && text
            .split(':')
            .all(|pair| pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

/// RFC 8122 §5, those that all browsers know: libwebrtc refuses a whole description over another.
const HASHES: [&str; 5] = ["sha-1", "sha-224", "sha-256", "sha-384", "sha-512"];

/// Whether it is an option that Jingle has a word for.
pub(super) fn is_placed(option: &str) -> bool {
    PLACED.contains(&option)
}

const PLACED: [&str; 3] = ["trickle", "renomination", "ice2"];
