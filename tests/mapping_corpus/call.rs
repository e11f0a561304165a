//! Whole calls through `mapping::Session`, with what clients and browsers really wrote.

use campana::jingle::{Action, Jingle, Reason, Role, Senders, Sid};
use campana::mapping::{BundlePolicy, Dialect, Limits, Refusal, Session, Trickle, browser, relay};
use campana::sdp::{self, Attribute, Direction, Media, Setup};

use crate::recording::Recording;

#[test]
fn chrome_calls_conversations() {
    let (mut session, initiate) = calls(
        "chrome156/audio-video-data.offer.sdp",
        &Dialect::CONVERSATIONS,
    );
    assert_eq!(initiate.action, Action::SessionInitiate);
    for content in &initiate.contents {
        let ice = content.ice().unwrap();
        assert_eq!(ice.fingerprints[0].setup.as_deref(), Some("actpass"));
        assert!(ice.ufrag.is_some() && ice.pwd.is_some());
        assert!(content.extra.is_none());
        let rtp = content.rtp().unwrap();
        assert!(
            rtp.payloads
                .iter()
                .flat_map(|p| &p.parameters)
                .all(|p| p.value.is_some())
        );
        assert!(
            rtp.sources
                .iter()
                .flat_map(|s| &s.parameters)
                .all(|p| p.value.is_some())
        );
    }
    assert!(session.remote_answer().is_none());
    let accept = jingle("conversations/chrome156-audio-video.answer.xml");
    session.accepted(&accept).unwrap();
    let answer = session.remote_answer().unwrap();
    let offer = parse("chrome156/audio-video-data.offer.sdp");
    assert_eq!(answer.media.len(), offer.media.len());
    for (index, media) in answer.media.iter().enumerate() {
        assert_eq!(media.mid(), offer.media[index].mid());
        assert_eq!(
            media.is_rejected(),
            index > 1,
            "only two contents were accepted"
        );
    }
    assert_eq!(bundle(&answer), ["0", "1"]);
    assert_eq!(setup(&answer.media[0]), Some(Setup::Active));
    assert!(!answer.media[0].formats.is_empty());
    browser::answer(&answer.to_string(), &offer, &Limits::default()).unwrap();
}

#[test]
fn dino_answers_without_bundle() {
    let (mut session, initiate) = calls("wrtc0.10/audio-video.offer.sdp", &Dialect::DINO);
    assert!(initiate.groups.is_empty());
    let accept = jingle("stanza/stanza-calls-dino-video.session-accept.xml");
    session.accepted(&accept).unwrap();
    let answer = session.remote_answer().unwrap();
    assert_eq!(
        bundle(&answer),
        ["0"],
        "a browser that offered a group wants one back"
    );
    assert!(answer.media.iter().all(|media| !media.is_rejected()));
    for media in &answer.media {
        assert!(media.attributes.contains(&Attribute::RtcpMux));
        assert!(media.candidates().all(|candidate| candidate.component == 1));
        assert!(
            !media
                .attributes
                .iter()
                .any(|own| matches!(own, Attribute::Crypto(_)))
        );
    }
    assert!(session.surplus().is_none());
}

#[test]
fn a_max_bundle_browser_gets_one_transport() {
    let (mut session, _) = calls("wrtc0.10/audio-video.offer.sdp", &Dialect::DINO);
    session.set_bundle_policy(BundlePolicy::Max);
    session
        .accepted(&jingle("stanza/stanza-calls-dino-video.session-accept.xml"))
        .unwrap();
    let answer = session.remote_answer().unwrap();
    assert_eq!(bundle(&answer), ["0"]);
    let rejected: Vec<_> = answer.media.iter().map(Media::is_rejected).collect();
    assert_eq!(rejected, [false, true]);
    let remove = session.surplus().unwrap();
    assert_eq!(remove.action, Action::ContentRemove);
    assert_eq!(remove.contents[0].name, "1");
}

#[test]
fn candidates_for_rtcp_stay_behind_where_rtcp_is_multiplexed() {
    let (mut session, _) = calls("chrome156/audio.offer.sdp", &Dialect::DINO);
    let accept = jingle("dino/dino042-session-accept-audio.xml");
    let said = accept.contents[0].ice().unwrap().candidates.len();
    session.accepted(&accept).unwrap();
    let answer = session.remote_answer().unwrap();
    assert_eq!(said, 4);
    assert_eq!(answer.media[0].candidates().count(), 2);
    assert!(!session.take_report().is_empty());
}

#[test]
fn an_answer_waits_for_what_transport_info_brings() {
    let (mut session, _) = calls("chrome156/audio.offer.sdp", &Dialect::STRICT);
    let mut accept = jingle("dino/dino042-session-accept-audio.xml");
    let mut info = Jingle::new(Action::TransportInfo, accept.sid.clone());
    info.contents = accept.contents.clone();
    info.contents[0].description = None;
    let ice = accept.contents[0].ice_mut().unwrap();
    ice.ufrag = None;
    ice.pwd = None;
    ice.candidates.clear();
    session.accepted(&accept).unwrap();
    assert!(session.remote_answer().is_none());
    assert_eq!(session.missing().unwrap().reason(), Reason::FailedTransport);
    let trickle = session.remote_candidates(&info).unwrap();
    assert_eq!(trickle.len(), 2);
    assert_eq!(trickle[0].mid.as_deref(), Some("0"));
    assert_eq!(trickle[0].ufrag.as_deref(), Some("s4uR"));
    assert!(session.missing().is_none());
    assert!(
        session
            .remote_answer()
            .unwrap()
            .to_string()
            .contains("a=ice-ufrag:s4uR\r\n")
    );
}

#[test]
fn a_fingerprint_may_come_before_the_accept() {
    let (mut session, _) = calls("chrome156/audio.offer.sdp", &Dialect::DINO);
    let mut accept = jingle("dino/dino042-session-accept-audio.xml");
    let mut info = Jingle::new(Action::TransportInfo, accept.sid.clone());
    info.contents = accept.contents.clone();
    info.contents[0].description = None;
    assert_eq!(session.remote_candidates(&info).unwrap().len(), 2);
    accept.contents[0].ice_mut().unwrap().fingerprints.clear();
    session.accepted(&accept).unwrap();
    let answer = session.remote_answer().unwrap();
    assert_eq!(setup(&answer.media[0]), Some(Setup::Active));
}

#[test]
fn a_bundled_content_may_leave_its_transport_to_the_tag() {
    let (mut session, _) = calls(
        "chrome156/audio-video-data.offer.sdp",
        &Dialect::CONVERSATIONS,
    );
    let mut accept = jingle("conversations/chrome156-audio-video.answer.xml");
    let ice = accept.contents[1].ice_mut().unwrap();
    ice.ufrag = None;
    ice.pwd = None;
    ice.fingerprints.clear();
    session.accepted(&accept).unwrap();
    let answer = session.remote_answer().unwrap();
    assert_eq!(setup(&answer.media[1]), setup(&answer.media[0]));
    // Without the group it has to have one of its own.
    let (mut session, _) = calls(
        "chrome156/audio-video-data.offer.sdp",
        &Dialect::CONVERSATIONS,
    );
    accept.groups.clear();
    session.accepted(&accept).unwrap();
    assert!(session.remote_answer().is_none());
}

#[test]
fn a_bundle_only_section_of_a_browser_gets_the_transport_of_its_tag() {
    let text = read("chrome156/audio-video-data.offer.sdp");
    let (head, video) = text.split_once("m=video 9").unwrap();
    let video: String = video
        .split_inclusive("\r\n")
        .filter(|line| !line.starts_with("a=ice-") && !line.starts_with("a=fingerprint"))
        .collect();
    let text =
        format!("{head}m=video 0{video}").replace("a=mid:1\r\n", "a=mid:1\r\na=bundle-only\r\n");
    let offer = browser::offer(&text, &Limits::default()).unwrap();
    let sid = Sid::new("a73sjjvkla37jfea").unwrap();
    let (_, initiate) = Session::initiate(sid, offer, &Dialect::CONVERSATIONS).unwrap();
    let ice = |index: usize| initiate.contents[index].ice().unwrap();
    assert_eq!(initiate.contents.len(), 2);
    assert_eq!(ice(1).ufrag, ice(0).ufrag);
    assert_eq!(ice(1).fingerprints, ice(0).fingerprints);
}

#[test]
fn an_accept_can_not_add_to_the_offer() {
    let (mut session, initiate) = calls("chrome156/audio.offer.sdp", &Dialect::STRICT);
    let mut accept = jingle("conversations/chrome156-audio-video.offer.xml");
    accept.action = Action::SessionAccept;
    // Not offered: a codec, feedback, a header extension, a content.
    let campana::jingle::Description::Rtp(rtp) = accept.contents[0].description.as_mut().unwrap()
    else {
        panic!("audio is RTP");
    };
    rtp.payloads[0].feedback.extend(
        initiate.contents[0].rtp().unwrap().payloads[0]
            .feedback
            .iter()
            .cloned(),
    );
    rtp.payloads.push(campana::jingle::rtp::Payload {
        id: 77,
        name: Some("speex".to_owned()),
        clock_rate: Some(16_000),
        ..Default::default()
    });
    let mut unknown = rtp.header_extensions[0].clone();
    unknown.uri = "urn:example:unknown".to_owned();
    rtp.header_extensions.push(unknown);
    session.accepted(&accept).unwrap();
    let answer = session.remote_answer().unwrap();
    let text = answer.to_string();
    assert_eq!(answer.media.len(), 1);
    assert!(!text.contains("speex") && !text.contains("urn:example:unknown"));
    assert!(
        text.contains("a=setup:active\r\n"),
        "actpass in an accept is repaired"
    );
}

#[test]
fn dino_calls_a_browser() {
    let initiate = jingle("dino/dino-to-component-session-initiate.xml");
    let mut session = Session::initiated(&initiate, &Dialect::DINO).unwrap();
    assert_eq!(session.media(), ["audio"]);
    let offer = session.remote_offer().unwrap();
    insta::assert_snapshot!("dino_offer", offer.to_string().replace("\r\n", "\n"));
    let answer = browser::answer(BROWSER_ANSWER, &offer, &Limits::default()).unwrap();
    let accept = valid(session.accept(answer).unwrap());
    assert_eq!(accept.action, Action::SessionAccept);
    assert_eq!(accept.contents[0].creator, Role::Initiator);
    insta::assert_snapshot!("dino_accept", accept.to_xml().replace("><", ">\n<"));
    let trickle = |mid: &str, line: &str| Trickle {
        mid: Some(mid.to_owned()),
        index: None,
        ufrag: Some("gKa0".to_owned()),
        candidate: Some(line.to_owned()),
    };
    let host = "candidate:1 1 udp 2122194687 192.0.2.7 44290 typ host generation 0 ufrag gKa0";
    let mdns = "candidate:2 1 udp 2122194687 6d3c9a8e-6d49-4bc6-9f5f-1d5dca09a9d7.local 4 typ host";
    let tcp = "candidate:3 1 tcp 1518214911 192.0.2.7 9 typ host tcptype active";
    let old = "candidate:4 1 udp 2122194687 192.0.2.7 44290 typ host ufrag oldold";
    let info = session
        .local_candidates(&[
            trickle("audio", host),
            trickle("audio", mdns),
            trickle("audio", tcp),
            trickle("audio", old),
        ])
        .unwrap()
        .unwrap();
    let info = valid(info);
    let ice = info.contents[0].ice().unwrap();
    assert_eq!(ice.candidates.len(), 1);
    assert_eq!(
        ice.ufrag.as_deref(),
        Some("gKa0"),
        "XEP-0176 §5.3: repeated with candidates"
    );
    assert!(ice.pwd.is_some());
    assert_eq!(
        session.local_candidates(&[trickle("video", host)]),
        Err(Refusal::UnknownSection)
    );
    assert_eq!(
        session.local_candidates(&[trickle("audio", mdns)]),
        Ok(None)
    );
}

#[test]
fn candidates_find_their_section_without_a_mid() {
    let (mut session, _) = calls("gst1.22/audio-video-nobundle.offer.sdp", &Dialect::STRICT);
    let own = Trickle {
        mid: None,
        index: Some(1),
        ufrag: None,
        candidate: Some("candidate:1 1 UDP 2015363583 192.0.2.7 4242 typ host".to_owned()),
    };
    let info = session.local_candidates(&[own]).unwrap().unwrap();
    assert_eq!(info.contents[0].name, "video1");
    assert_eq!(
        info.contents[0].ice().unwrap().candidates[0].protocol,
        "udp"
    );
    let end = Trickle {
        mid: None,
        index: None,
        ufrag: None,
        candidate: None,
    };
    let info = session.local_candidates(&[end]).unwrap().unwrap();
    assert_eq!(
        info.contents.len(),
        2,
        "an end without a section is the end of all"
    );
    let mut peer = calls("gst1.22/audio-video-nobundle.offer.sdp", &Dialect::STRICT).0;
    let ends = peer.remote_candidates(&info).unwrap();
    assert!(ends.iter().all(|end| end.candidate.is_none()) && ends.len() == 2);
}

#[test]
fn a_rejected_section_is_left_out_or_kept_as_the_peer_wants_it() {
    for (dialect, contents) in [(&Dialect::STRICT, 1), (&Dialect::CONVERSATIONS, 2)] {
        let initiate = jingle("conversations/chrome156-audio-video.offer.xml");
        let mut session = Session::initiated(&initiate, dialect).unwrap();
        let offer = session.remote_offer().unwrap();
        let answer = browser::answer(
            &read("chrome156/answer-rejects-video.answer.sdp").replace("m=video 9", "m=video 0"),
            &offer,
            &Limits::default(),
        )
        .unwrap();
        let accept = valid(session.accept(answer).unwrap());
        assert_eq!(accept.contents.len(), contents);
        if let Some(video) = accept.contents.get(1) {
            assert_eq!(video.senders(), Senders::None);
            assert_eq!(
                video.ice().unwrap().ufrag,
                accept.contents[0].ice().unwrap().ufrag
            );
        }
    }
}

#[test]
fn directions_are_mirrored_by_role() {
    let initiate = jingle("conversations/chrome156-audio-video.offer.xml");
    let mut session = Session::initiated(&initiate, &Dialect::STRICT).unwrap();
    let offer = session.remote_offer().unwrap();
    let mut answer = browser::answer(
        &read("chrome156/audio-video-data.answer.sdp"),
        &offer,
        &Limits::default(),
    );
    assert_eq!(
        answer,
        Err(Refusal::Unfit(
            "an answer has as many m-sections as its offer"
        ))
    );
    let text = read("chrome156/audio-video-data.answer.sdp").replace("a=sendrecv", "a=recvonly");
    let text = text.split("m=application").next().unwrap().to_owned();
    answer = browser::answer(&text, &offer, &Limits::default());
    let accept = valid(session.accept(answer.unwrap()).unwrap());
    assert_eq!(accept.contents[0].senders(), Senders::Initiator);
}

#[test]
fn names_that_are_no_mids_are_translated_both_ways() {
    let mut initiate = jingle("dino/dino-to-component-session-initiate.xml");
    initiate.contents[0].name = "Media call".to_owned();
    let mut session = Session::initiated(&initiate, &Dialect::STRICT).unwrap();
    let offer = session.remote_offer().unwrap();
    let mid = offer.media[0].mid().unwrap().as_str().to_owned();
    assert_eq!(
        session.content_of(&mid),
        Some((Role::Initiator, "Media call"))
    );
    assert_eq!(session.mid_of("Media call").as_deref(), Some(mid.as_str()));
    let text = BROWSER_ANSWER.replace("a=mid:audio", &format!("a=mid:{mid}"));
    let answer = browser::answer(&text, &offer, &Limits::default()).unwrap();
    assert_eq!(
        valid(session.accept(answer).unwrap()).contents[0].name,
        "Media call"
    );
}

#[test]
fn a_call_without_dtls_is_refused_with_the_reason() {
    let mut initiate = jingle("dino/dino-to-component-session-initiate.xml");
    let ice = initiate.contents[0].ice_mut().unwrap();
    let fingerprints = std::mem::take(&mut ice.fingerprints);
    let refusal = Session::initiated(&initiate, &Dialect::DINO).unwrap_err();
    assert_eq!(refusal, Refusal::NoDtls("audio".to_owned()));
    assert_eq!(refusal.reason(), Reason::SecurityError);
    assert!(refusal.is_crypto_required() && !refusal.is_stanza_error());
    let ice = initiate.contents[0].ice_mut().unwrap();
    ice.omemo = true;
    let refusal = Session::initiated(&initiate, &Dialect::DINO).unwrap_err();
    assert_eq!(refusal, Refusal::OmemoOnly("audio".to_owned()));
    let ice = initiate.contents[0].ice_mut().unwrap();
    ice.fingerprints = fingerprints;
    Session::initiated(&initiate, &Dialect::DINO).unwrap();
}

#[test]
fn other_refusals_say_what_is_wrong() {
    let mut initiate = jingle("dino/dino-to-component-session-initiate.xml");
    initiate.contents[0].transport = Some(campana::jingle::Transport::Unknown(
        "urn:xmpp:jingle:transports:raw-udp:1".to_owned(),
    ));
    let refusal = Session::initiated(&initiate, &Dialect::STRICT).unwrap_err();
    assert_eq!(refusal.reason(), Reason::UnsupportedTransports);
    initiate = jingle("dino/dino-to-component-session-initiate.xml");
    initiate.contents.push(initiate.contents[0].clone());
    let refusal = Session::initiated(&initiate, &Dialect::STRICT).unwrap_err();
    assert!(refusal.is_stanza_error());
    initiate.contents.truncate(1);
    initiate.contents[0].ice_mut().unwrap().ufrag = Some("abc\r\na=x".to_owned());
    let refusal = Session::initiated(&initiate, &Dialect::STRICT).unwrap_err();
    assert_eq!(refusal, Refusal::Credentials("audio".to_owned()));
    let limits = Limits::default();
    let refusal = browser::offer("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\na=setup:both\r\n", &limits);
    assert_eq!(
        refusal.unwrap_err().to_string(),
        "the SDP can not be read: line 3: malformed a=setup"
    );
    let naked = "v=0\r\nm=audio 9 RTP/AVP 0\r\na=ice-ufrag:abcd\r\n";
    assert_eq!(
        browser::offer(naked, &limits).unwrap_err(),
        Refusal::NoDtls("0".to_owned())
    );
}

#[test]
fn a_data_channel_stays_at_home_with_im_clients() {
    let (mut session, initiate) = calls(
        "chrome156/audio-video-data.offer.sdp",
        &Dialect::CONVERSATIONS,
    );
    assert_eq!(initiate.contents.len(), 2);
    assert_eq!(initiate.groups[0].contents, ["0", "1"]);
    session
        .accepted(&jingle("conversations/chrome156-audio-video.answer.xml"))
        .unwrap();
    let answer = session.remote_answer().unwrap();
    let rejected: Vec<_> = answer.media.iter().map(Media::is_rejected).collect();
    assert_eq!(rejected, [false, false, true]);
    assert_eq!(answer.media[2].direction(), Some(Direction::Inactive));
}

#[test]
fn jingle_is_cleaned_on_its_way_to_another_client() {
    let initiate = jingle("dino/dino-calls-stanza-video.session-initiate.xml");
    let (stanzas, report) = relay(&initiate, Role::Initiator, &Dialect::CONVERSATIONS).unwrap();
    assert_eq!(stanzas.len(), 1);
    assert_eq!(stanzas[0].initiator, None);
    assert!(
        stanzas[0]
            .contents
            .iter()
            .all(|own| own.rtp().unwrap().encryption.is_none())
    );
    assert!(!report.is_empty());
    let stanza = jingle("stanza/chrome156-audio-video.offer.xml");
    let (stanzas, _) = relay(&stanza, Role::Initiator, &Dialect::CONVERSATIONS).unwrap();
    let red = stanzas[0].contents[0]
        .rtp()
        .unwrap()
        .payloads
        .iter()
        .find(|own| own.id == 63);
    let parameter = &red.unwrap().parameters[0];
    assert_eq!(
        (parameter.name.as_str(), parameter.value.as_deref()),
        ("", Some("111/111"))
    );
    let mut info = Jingle::new(Action::TransportInfo, initiate.sid.clone());
    info.contents = initiate.contents.clone();
    let (stanzas, _) = relay(&info, Role::Initiator, &Dialect::DINO).unwrap();
    assert_eq!(
        stanzas.len(),
        2,
        "Dino takes one content in each transport-info"
    );
}

fn calls(path: &str, dialect: &'static Dialect) -> (Session, Jingle) {
    let offer = browser::offer(&read(path), &Limits::default()).unwrap();
    let sid = Sid::new("a73sjjvkla37jfea").unwrap();
    let (session, initiate) = Session::initiate(sid, offer, dialect).unwrap();
    (session, valid(initiate))
}

/// What is sent is what `schemas/` says.
fn valid(jingle: Jingle) -> Jingle {
    crate::schema::assert_valid(&jingle.to_xml());
    jingle
}

fn bundle(session: &sdp::Session) -> Vec<String> {
    session
        .groups()
        .flat_map(|group| &group.mids)
        .map(|mid| mid.as_str().to_owned())
        .collect()
}

fn setup(media: &Media) -> Option<Setup> {
    media
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            Attribute::Setup(setup) => Some(*setup),
            _ => None,
        })
}

fn parse(path: &str) -> sdp::Session {
    Recording::at(path).sdp()
}

fn jingle(path: &str) -> Jingle {
    Recording::at(path).jingle()
}

fn read(path: &str) -> String {
    Recording::at(path).text
}

const BROWSER_ANSWER: &str = "v=0\r
o=- 7676410612146049892 2 IN IP4 127.0.0.1\r
s=-\r
t=0 0\r
a=msid-semantic: WMS\r
m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r
c=IN IP4 0.0.0.0\r
a=rtcp:9 IN IP4 0.0.0.0\r
a=ice-ufrag:gKa0\r
a=ice-pwd:UNMNZYCPu1JVQCiP8jQ0ppbq\r
a=ice-options:trickle\r
a=fingerprint:sha-256 CC:92:66:4D:81:EE:62:15:D8:8F:A3:D4:B7:E7:30:B3:BD:71:93:8B:D6:9F:44:3E:58:1B:8F:27:23:AA:B1:77\r
a=setup:active\r
a=mid:audio\r
a=sendrecv\r
a=msid:- 2106d8d3-4ee1-499e-bd64-dc7e35508542\r
a=rtcp-mux\r
a=rtpmap:111 opus/48000/2\r
a=fmtp:111 minptime=10;useinbandfec=1\r
a=rtpmap:0 PCMU/8000\r
a=ssrc:917525703 cname:njHxjiKqCXj8r3kE\r
";
