//! Nothing that a peer writes breaks out of its place or stops the program.

use campana::jingle::hdrext::HeaderExtension;
use campana::jingle::rtcp_fb::Feedback;
use campana::jingle::rtp::{Bandwidth, Parameter, Payload, Stream};
use campana::jingle::ssma::{Source, SourceGroup};
use campana::jingle::{
    Action, Content, Description, Jingle, Role, Sid, Transport, dtls, extra, grouping, ice_udp, rtp,
};
use campana::mapping::{self, Dialect, Kind, Session};
use campana::sdp;
use campana::xml::{self, Document};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

proptest! {
    #[test]
    fn sdp_soup_does_not_panic(bytes in vec(any::<u8>(), 0..2000)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = sdp::Session::parse(&text, &sdp::Limits::default());
        let _ = sdp::Session::parse(&format!("v=0\r\n{text}"), &sdp::Limits::default());
        let _ = sdp::Candidate::parse(&text);
    }

    #[test]
    fn almost_sdp_does_not_panic_and_comes_back(
        lines in vec((line_start(), "[ -~]{0,40}"), 0..30),
    ) {
        let mut text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n".to_owned();
        for (start, rest) in lines {
            text.push_str(&start);
            text.push_str(&rest);
            text.push_str("\r\n");
        }
        if let Ok(session) = sdp::Session::parse(&text, &sdp::Limits::default()) {
            let written = session.to_string();
            let again = sdp::Session::parse(&written, &sdp::Limits::default()).unwrap();
            prop_assert_eq!(&again, &session);
            for owner in [Role::Initiator, Role::Responder] {
                for kind in [Kind::Offer, Kind::Answer] {
                    let sid = Sid::new("a").unwrap();
                    let _ = mapping::to_jingle(&session, sid, owner, kind, &Dialect::STRICT);
                }
            }
        }
    }

    #[test]
    fn jingle_soup_does_not_panic(bytes in vec(any::<u8>(), 0..500)) {
        let mut text = b"<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='a'>".to_vec();
        text.extend(bytes);
        text.extend(b"</jingle>");
        if let Ok(document) = Document::parse(&text, "", &xml::Limits::default()) {
            let _ = Jingle::from_xml(document.root(), &campana::jingle::Limits::default());
        }
    }

    #[test]
    fn no_field_of_jingle_can_add_a_line_to_sdp(jingle in hostile_jingle()) {
        for kind in [Kind::Offer, Kind::Answer] {
            if let Ok((session, _)) =
                mapping::to_sdp(&jingle, Role::Initiator, kind, &Dialect::STRICT)
            {
                let text = session.to_string();
                prop_assert!(!text.contains('\0'));
                for line in text.split("\r\n") {
                    prop_assert!(!line.contains(['\r', '\n']), "{line:?}");
                    prop_assert!(!line.starts_with("a=evil"), "{line:?}");
                    prop_assert!(!line.starts_with("m=evil"), "{line:?}");
                }
                let again = sdp::Session::parse(&text, &sdp::Limits::default());
                prop_assert_eq!(again.unwrap().to_string(), text);
            }
        }
        if let Ok(mut session) = Session::initiated(&jingle, &Dialect::STRICT) {
            if let Some(offer) = session.remote_offer() {
                prop_assert!(!offer.to_string().contains("\na=evil"));
            }
            for trickle in session.remote_candidates(&jingle).unwrap_or_default() {
                let line = trickle.candidate.unwrap_or_default();
                prop_assert!(!line.contains(['\r', '\n', '\0']));
            }
        }
        for dialect in Dialect::ALL {
            let _ = mapping::relay(&jingle, Role::Initiator, dialect);
        }
        // XML is none the worse for it either.
        let xml = jingle.to_xml();
        prop_assert!(Document::parse(xml.as_bytes(), "", &xml::Limits::default()).is_ok());
    }

    #[test]
    fn a_description_comes_back_as_it_was(
        text in sound_sdp(),
        owner in prop_oneof![Just(Role::Initiator), Just(Role::Responder)],
        kind in prop_oneof![Just(Kind::Offer), Just(Kind::Answer)],
    ) {
        let session = sdp::Session::parse(&text, &sdp::Limits::default()).unwrap();
        let sid = Sid::new("a").unwrap();
        let (jingle, _) =
            mapping::to_jingle(&session, sid, owner, kind, &Dialect::STRICT).unwrap();
        let xml = jingle.to_xml();
        crate::schema::assert_valid(&xml);
        let document = Document::parse(xml.as_bytes(), "", &xml::Limits::default()).unwrap();
        let read =
            Jingle::from_xml(document.root(), &campana::jingle::Limits::default()).unwrap();
        let (back, report) = mapping::to_sdp(&read, owner, kind, &Dialect::STRICT).unwrap();
        prop_assert!(report.is_empty(), "{report:?}");
        prop_assert_eq!(back.media.len(), session.media.len());
        for (own, original) in back.media.iter().zip(&session.media) {
            prop_assert_eq!(&own.formats, &original.formats);
            prop_assert_eq!(&own.bandwidths, &original.bandwidths);
            for attribute in &original.attributes {
                prop_assert!(own.attributes.contains(attribute), "lost {attribute}");
            }
        }
    }
}

#[test]
fn blanks_that_are_not_ascii_are_no_layout() {
    // Else what was written would be read as something else.
    for line in [
        "a=rtpmap:0 \u{2000}A/8000",
        "a=rtpmap:0 A/8000/\u{2000}2\u{2000}",
        "a=extmap:1 \u{a0}urn:x \u{a0}y",
        "a=ptime:\u{2000}",
        "a=simulcast:send 1\u{2000}",
        "b=AS:\u{2000}",
    ] {
        let text = format!("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n{line}\r\n");
        let session = sdp::Session::parse(&text, &sdp::Limits::default()).unwrap();
        assert!(
            session.to_string().ends_with(&format!("{line}\r\n")),
            "{line}"
        );
    }
}

#[test]
fn limits_hold() {
    let many = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n".repeat(65);
    let error = sdp::Session::parse(&format!("v=0\r\n{many}"), &sdp::Limits::default());
    assert_eq!(
        error,
        Err(sdp::Error {
            line: 66,
            fault: sdp::Fault::TooManySections(64)
        })
    );
    let long = "a=x\r\n".repeat(5000);
    let error = sdp::Session::parse(&format!("v=0\r\n{long}"), &sdp::Limits::default());
    assert_eq!(
        error,
        Err(sdp::Error {
            line: 4097,
            fault: sdp::Fault::TooManyLines(4096)
        })
    );
    let content = "<content name='a' creator='initiator'/>".repeat(65);
    let text = format!(
        "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='a'>{content}</jingle>"
    );
    let document = Document::parse(text.as_bytes(), "", &xml::Limits::default()).unwrap();
    assert_eq!(
        Jingle::from_xml(document.root(), &campana::jingle::Limits::default()),
        Err(campana::jingle::Error::TooManyContents(64))
    );
}

fn line_start() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "a=candidate:",
        "a=crypto:",
        "a=extmap:",
        "a=fingerprint:",
        "a=fmtp:",
        "a=group:",
        "a=ice-pwd:",
        "a=mid:",
        "a=msid:",
        "a=rid:",
        "a=rtcp-fb:",
        "a=rtpmap:",
        "a=setup:",
        "a=ssrc:1 ",
        "a=ssrc-group:",
        "a=sctpmap:",
        "a=",
        "b=",
        "c=",
        "i=",
        "m=",
        "m=audio 9 UDP/TLS/RTP/SAVPF ",
        "a=fmtp:96 ",
        "a=rtpmap:96 ",
        "a=rtcp-fb:* ",
        "a=extmap:1 ",
        "",
    ])
    .prop_map(str::to_owned)
}

/// What somebody with bad intentions puts into an attribute.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-zA-Z0-9+/-]{1,24}",
        1 => Just("x\r\na=evil:1".to_owned()),
        1 => Just("1\nm=evil 9 X 0".to_owned()),
        1 => Just("a\ra=evil".to_owned()),
        1 => Just("\0".to_owned()),
        1 => Just("0 \u{85}\u{2028}x".to_owned()),
        1 => Just(String::new()),
        1 => any::<String>(),
    ]
}

fn hostile_jingle() -> impl Strategy<Value = Jingle> {
    (
        vec(hostile_content(), 1..4),
        vec(hostile_group(), 0..2),
        session_extra(),
    )
        .prop_map(|(contents, groups, extra)| {
            let mut jingle = Jingle::new(Action::SessionInitiate, Sid::new("a").unwrap());
            jingle.contents = contents;
            jingle.groups = groups;
            jingle.extra = Some(extra);
            jingle
        })
}

fn hostile_group() -> impl Strategy<Value = grouping::Group> {
    (
        prop_oneof![Just("BUNDLE".to_owned()), hostile()],
        vec(hostile(), 1..3),
    )
        .prop_map(|(semantics, contents)| grouping::Group {
            semantics,
            contents,
        })
}

fn hostile_content() -> impl Strategy<Value = Content> {
    (hostile(), description(), transport(), section_extra()).prop_map(
        |(name, description, transport, extra)| {
            let mut content = Content::new(Role::Initiator, name);
            content.description = Some(Description::Rtp(Box::new(description)));
            content.transport = Some(Transport::Ice(Box::new(transport)));
            content.extra = Some(extra);
            content
        },
    )
}

fn description() -> impl Strategy<Value = rtp::Description> {
    let media = prop_oneof![Just("audio".to_owned()), hostile()];
    let hints = (
        vec((hostile(), hostile()), 0..2),
        vec((hostile(), of(hostile())), 0..2),
    );
    let times = (of(hostile()), vec(hostile(), 0..2));
    (
        media,
        vec(payload(), 1..4),
        vec(feedback(), 0..3),
        vec((1u16..300, hostile(), vec(parameter(), 0..2)), 0..3),
        vec((any::<u32>(), vec(parameter(), 0..3)), 0..3),
        vec((hostile(), vec(any::<u32>(), 1..3)), 0..2),
        hints,
        times,
    )
        .prop_map(
            |(media, payloads, feedback, maps, sources, groups, hints, times)| rtp::Description {
                media,
                payloads,
                feedback,
                header_extensions: maps
                    .into_iter()
                    .map(|(id, uri, parameters)| HeaderExtension {
                        id,
                        uri,
                        senders: None,
                        parameters,
                    })
                    .collect(),
                sources: sources
                    .into_iter()
                    .map(|(ssrc, parameters)| Source { ssrc, parameters })
                    .collect(),
                source_groups: groups
                    .into_iter()
                    .map(|(semantics, ssrcs)| SourceGroup { semantics, ssrcs })
                    .collect(),
                bandwidths: hints
                    .0
                    .into_iter()
                    .map(|(kind, value)| Bandwidth { kind, value })
                    .collect(),
                streams: hints
                    .1
                    .into_iter()
                    .map(|(id, track)| Stream { id, track })
                    .collect(),
                ptime: times.0,
                categories: times.1,
                ..rtp::Description::default()
            },
        )
}

fn payload() -> impl Strategy<Value = Payload> {
    (
        0u8..128,
        of(hostile()),
        vec(parameter(), 0..3),
        vec(feedback(), 0..2),
        of(hostile()),
    )
        .prop_map(|(id, name, parameters, feedback, ptime)| Payload {
            id,
            name,
            ptime,
            parameters,
            feedback,
            ..Payload::default()
        })
}

fn feedback() -> impl Strategy<Value = Feedback> {
    prop_oneof![
        (hostile(), of(hostile()), vec(parameter(), 0..2)).prop_map(
            |(kind, subtype, parameters)| Feedback::Kind {
                kind,
                subtype,
                parameters
            }
        ),
        hostile().prop_map(Feedback::TrrInt),
    ]
}

fn parameter() -> impl Strategy<Value = Parameter> {
    let name = prop_oneof![
        3 => hostile(),
        1 => Just("msid".to_owned()),
        1 => Just("cname".to_owned()),
        1 => Just("ptime".to_owned()),
        1 => Just("encodings".to_owned()),
    ];
    (name, of(hostile())).prop_map(|(name, value)| Parameter { name, value })
}

fn transport() -> impl Strategy<Value = ice_udp::Transport> {
    let credential = |sound: &'static str| prop_oneof![3 => Just(sound.to_owned()), 1 => hostile()];
    (
        of(credential("abcd")),
        of(credential("0123456789012345678901")),
        vec(hostile(), 0..2),
        vec(
            (
                hostile(),
                of(hostile()),
                prop_oneof![Just("AA:BB".to_owned()), hostile()],
            ),
            1..3,
        ),
        vec(candidate(), 0..3),
    )
        .prop_map(
            |(ufrag, pwd, options, fingerprints, candidates)| ice_udp::Transport {
                ufrag,
                pwd,
                options,
                fingerprints: fingerprints
                    .into_iter()
                    .map(|(hash, setup, value)| dtls::Fingerprint { hash, setup, value })
                    .collect(),
                candidates,
                ..ice_udp::Transport::default()
            },
        )
}

fn candidate() -> impl Strategy<Value = ice_udp::Candidate> {
    let kind = prop_oneof![Just("host".to_owned()), Just("srflx".to_owned()), hostile()];
    (
        hostile(),
        hostile(),
        hostile(),
        kind,
        of(hostile()),
        of(hostile()),
    )
        .prop_map(
            |(foundation, ip, protocol, kind, related_address, tcp_type)| ice_udp::Candidate {
                component: 1,
                foundation,
                generation: 0,
                id: None,
                ip,
                network: None,
                port: 9,
                priority: 1,
                protocol,
                related_address,
                related_port: None,
                tcp_type,
                kind,
            },
        )
}

fn attribute() -> impl Strategy<Value = extra::Attribute> {
    let name = prop_oneof![
        3 => hostile(),
        1 => Just("rid".to_owned()),
        1 => Just("simulcast".to_owned()),
        1 => Just("msid".to_owned()),
        1 => Just("max-message-size".to_owned()),
        1 => Just("ice-options".to_owned()),
        1 => Just("candidate:evil".to_owned()),
        1 => Just("fingerprint".to_owned()),
    ];
    (name, of(hostile())).prop_map(|(name, value)| extra::Attribute { name, value })
}

fn section_extra() -> impl Strategy<Value = extra::SectionExtra> {
    (of(hostile()), vec(attribute(), 0..4)).prop_map(|(protocol, attributes)| extra::SectionExtra {
        protocol: protocol.map(|own| format!("RTP/{own}")),
        attributes,
        ..extra::SectionExtra::default()
    })
}

fn session_extra() -> impl Strategy<Value = extra::SessionExtra> {
    let section = (0usize..5, of(hostile()), hostile(), hostile(), hostile()).prop_map(
        |(index, mid, media, protocol, formats)| extra::Section {
            index,
            mid,
            media,
            protocol,
            formats,
        },
    );
    (vec(attribute(), 0..3), vec(section, 0..3)).prop_map(|(attributes, sections)| {
        extra::SessionExtra {
            attributes,
            sections,
            ..Default::default()
        }
    })
}

/// SDP as an engine might write it, of the parts that have a place in Jingle.
fn sound_sdp() -> impl Strategy<Value = String> {
    let section = (
        prop_oneof![Just("audio"), Just("video")],
        prop::collection::btree_set(96u8..127, 1..6),
        prop_oneof![
            Just("sendrecv"),
            Just("sendonly"),
            Just("recvonly"),
            Just("inactive")
        ],
        of(prop_oneof![
            Just("sendonly"),
            Just("recvonly"),
            Just("inactive")
        ]),
        vec("[a-z-]{1,12}=[a-zA-Z0-9+/=,]{1,12}", 0..4),
        any::<bool>(),
        1u32..100_000,
        "[!-~]{1,20}",
    );
    vec(section, 1..5).prop_map(|sections| {
        let mut text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n".to_owned();
        let mut push = |line: String| {
            text.push_str(&line);
            text.push_str("\r\n");
        };
        for (index, own) in sections.into_iter().enumerate() {
            let (kind, ids, direction, extension, mut parameters, mux, rate, word) = own;
            parameters.sort();
            parameters.dedup_by_key(|own| own.split('=').next().unwrap().to_owned());
            let ids: Vec<_> = ids.iter().rev().map(u8::to_string).collect();
            push(format!("m={kind} 9 UDP/TLS/RTP/SAVPF {}", ids.join(" ")));
            push(format!("b=AS:{rate}"));
            push(format!("a=mid:m{index}"));
            push(format!("a=ice-ufrag:abc{index}"));
            push("a=ice-pwd:0123456789012345678901".to_owned());
            push("a=fingerprint:sha-256 AA:BB:CC".to_owned());
            push("a=setup:active".to_owned());
            push(format!("a={direction}"));
            let way = extension.map(|way| format!("/{way}")).unwrap_or_default();
            push(format!("a=extmap:1{way} urn:example:{index}"));
            if mux {
                push("a=rtcp-mux".to_owned());
            }
            for id in &ids {
                push(format!("a=rtpmap:{id} codec{id}/{rate}"));
                push(format!("a=rtcp-fb:{id} nack pli"));
                if !parameters.is_empty() {
                    push(format!("a=fmtp:{id} {}", parameters.join(";")));
                }
            }
            push(format!("a=x-unknown:{word}"));
            push(format!("a=ssrc:{rate} cname:{word}"));
            push(format!(
                "a=candidate:1 1 udp {rate} 192.0.2.1 {} typ host",
                1000 + index
            ));
        }
        text
    })
}
