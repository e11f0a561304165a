//! What browsers refuse a whole description over is kept from them: tried with Chromium 156 and
//! Firefox 153.

use campana::jingle::Role;
use campana::mapping::{self, Dialect, Kind, Session};

use crate::mapping_harness::read;

#[test]
fn a_candidate_that_is_none_costs_itself() {
    // Chromium refuses all of them but ssltcp, which nobody makes; Firefox the last.
    let bad = [
        "protocol='sctp' ip='192.0.2.7' type='host'",
        "protocol='ssltcp' ip='192.0.2.7' type='host'",
        "protocol='tcp' ip='192.0.2.7' type='host' tcptype='bogus'",
        "protocol='udp' ip='192.0.2.7' type='local'",
        "protocol='udp' ip='h\u{e4}.local' type='host'",
    ];
    let all: Vec<_> = bad.into_iter().chain([GOOD]).collect();
    let offer = offer_of(&audio(&all));
    assert_eq!(candidates(&offer), ["1 1 udp 5 192.0.2.7 5000 typ host"]);
    let owner = Role::Initiator;
    let mapped = mapping::to_sdp(&read(&audio(&all)), owner, Kind::Offer, &Dialect::STRICT);
    let (_, report) = mapped.unwrap();
    assert_eq!(report.dropped.len(), bad.len(), "{report:?}");
    // Neither do they come one by one.
    assert_eq!(trickled(&bad), Vec::<String>::new());
    // Nor in our own element.
    let carried = audio(&[GOOD]).replace(
        "</content>",
        "<sdp xmlns='urn:x-campana:sdp-extra:0'>\
         <attribute name='candidate' value='1 1 udp 5 192.0.2.8 9 typ local'/></sdp></content>",
    );
    assert_eq!(candidates(&offer_of(&carried)).len(), 1);
}

#[test]
fn a_tcptype_of_udp_is_left_out() {
    let udp = "protocol='udp' ip='192.0.2.7' type='host' tcptype='passive'";
    let line = "1 1 udp 5 192.0.2.7 5000 typ host";
    assert_eq!(candidates(&offer_of(&audio(&[udp]))), [line]);
    assert_eq!(trickled(&[udp]), [line]);
}

#[test]
fn a_tcp_candidate_says_who_calls() {
    // Conversations writes no tcptype. libwebrtc would call port 9.
    let tcp = [
        "protocol='tcp' ip='192.0.2.7' port='9' type='host'",
        "protocol='tcp' ip='192.0.2.7' port='5001' type='host'",
        "protocol='tcp' ip='192.0.2.7' port='5002' type='host' tcptype='so'",
    ];
    let lines = [
        "1 1 tcp 5 192.0.2.7 9 typ host tcptype active",
        "1 1 tcp 5 192.0.2.7 5001 typ host tcptype passive",
        "1 1 tcp 5 192.0.2.7 5002 typ host tcptype so",
    ];
    assert_eq!(candidates(&offer_of(&audio(&tcp))), lines);
    assert_eq!(trickled(&tcp), lines);
}

#[test]
fn a_priority_is_one_of_ice() {
    // The first is of an example in XEP-0176.
    let any = [
        "protocol='udp' ip='192.0.2.7' type='host' priority='21149780477'",
        "protocol='udp' ip='192.0.2.8' type='host' priority='0'",
        "protocol='udp' ip='192.0.2.9' type='relay' priority=''",
    ];
    let lines = [
        "1 1 udp 2147483647 192.0.2.7 5000 typ host",
        "1 1 udp 2130706431 192.0.2.8 5000 typ host",
        "1 1 udp 16777215 192.0.2.9 5000 typ relay raddr 0.0.0.0 rport 0",
    ];
    assert_eq!(candidates(&offer_of(&audio(&any))), lines);
    assert_eq!(trickled(&any), lines);
}

#[test]
fn what_is_not_ascii_is_left_out() {
    // Firefox.
    let description = audio_description(
        "<payload-type id='96' name='\u{f6}pus' clockrate='48000'/>\
         <payload-type id='97' name='opus' clockrate='48000'><parameter name='x' value='\u{f6}'/></payload-type>\
         <source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='1'><parameter name='cname' value='J\u{f6}rg'/></source>",
    );
    let xml = offer_with(&description, "").replace(
        "</jingle>",
        "<sdp xmlns='urn:x-campana:sdp-extra:0'><attribute name='x-y' value='\u{f6}'/></sdp></jingle>",
    );
    let offer = offer_of(&xml);
    assert!(offer.is_ascii(), "{offer}");
    assert!(offer.contains("SAVPF 0 97\r\n"), "{offer}");
    assert!(!offer.contains("a=ssrc:"), "{offer}");
}

#[test]
fn our_own_element_does_no_harm() {
    let names = [
        "fingerprint",
        "ice-options",
        "msid",
        "rid",
        "simulcast",
        "max-message-size",
    ];
    let empty =
        names.map(|own| format!("<attribute name='{own}'/><attribute name='{own}' value=''/>"));
    let mut attributes: Vec<_> = empty.into();
    attributes.push("<attribute name='simulcast' value='send'/>".to_owned());
    attributes.push("<attribute name='simulcast' value='1;2 send'/>".to_owned());
    let element = format!(
        "<sdp xmlns='urn:x-campana:sdp-extra:0' proto='RTP/\u{f6}'>{}</sdp>",
        attributes.concat()
    );
    let offer = offer_of(&audio(&[]).replace("</content>", &format!("{element}</content>")));
    for own in names {
        assert!(!offer.contains(&format!("a={own}\r\n")), "{offer}");
        assert!(!offer.contains(&format!("a={own}:\r\n")), "{offer}");
    }
    assert!(
        offer.contains("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"),
        "{offer}"
    );
    assert!(!offer.contains("simulcast"), "{offer}");
}

#[test]
fn payload_types_of_another_name_are_left_out() {
    // G.729A is what gateways of telephones call it; the second is reserved, and Firefox's alone.
    let payloads = "<payload-type id='18' name='G729A' clockrate='8000'/>\
        <payload-type id='19' name='CN' clockrate='8000'/>\
        <payload-type id='9' name='g722' clockrate='8000'/>\
        <payload-type id='8' name='PCMA' clockrate='16000'/>";
    let offer = offer_of(&offer_with(&audio_description(payloads), ""));
    assert!(offer.contains("SAVPF 0 9 8\r\n"), "{offer}");
}

#[test]
fn only_known_fingerprints_and_parts_in_dtls_are_said() {
    let other = "<fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-777' setup='holdconn'>AA:BB</fingerprint>";
    let offer = offer_of(&audio(&[]).replace("<fingerprint", &format!("{other}<fingerprint")));
    assert!(!offer.contains("sha-777"), "{offer}");
    assert!(offer.contains("a=fingerprint:sha-256 AA:BB\r\n"), "{offer}");
    assert!(offer.contains("a=setup:actpass\r\n"), "{offer}");
}

#[test]
fn header_extensions_have_short_ids() {
    let of = |id| {
        format!(
            "<rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='{id}' uri='urn:x:{id}'/>"
        )
    };
    let all: Vec<_> = [14, 15, 255].map(of).into();
    let offer = offer_of(&offer_with(&audio_description(&all.concat()), ""));
    let said: Vec<_> = offer
        .lines()
        .filter(|own| own.contains("extmap:"))
        .collect();
    assert_eq!(said, ["a=extmap:14 urn:x:14"]);
}

#[test]
fn a_section_has_one_track() {
    // As in Plan B, of two cameras or microphones.
    let source = |id: u32, msid: &str| {
        format!(
            "<source ssrc='{id}'><parameter name='cname' value='x'/><parameter name='msid' value='{msid}'/></source>"
        )
    };
    let of = |sources: &[(u32, &str)]| {
        let sources: Vec<_> = sources.iter().map(|(id, msid)| source(*id, msid)).collect();
        with_sources(&sources.concat(), "FID 1 2")
    };
    let said = |xml: &str| -> Vec<String> {
        let offer = offer_of(xml);
        let lines = offer
            .lines()
            .filter(|own| own.contains("msid:") || own.contains("ssrc-group:"));
        lines.map(str::to_owned).collect()
    };
    let video = |xml: String| xml.replace("media='audio'", "media='video'");
    let one = [
        "a=msid:a b",
        "a=ssrc-group:FID 1 2",
        "a=ssrc:1 msid:a b",
        "a=ssrc:2 msid:a b",
    ];
    assert_eq!(said(&video(of(&[(1, "a b"), (2, "a b")]))), one);
    assert_eq!(said(&video(of(&[(1, "a b"), (2, "a b"), (3, "c d")]))), one);
    // libwebrtc has no second source of audio.
    assert_eq!(
        said(&of(&[(1, "a b"), (2, "a b")])),
        ["a=msid:a b", "a=ssrc:1 msid:a b"]
    );
    // One track may be in two streams.
    let two =
        source(1, "a b").replace("</source>", "<parameter name='msid' value='c b'/></source>");
    let lines = [
        "a=msid:a b",
        "a=msid:c b",
        "a=ssrc:1 msid:a b",
        "a=ssrc:1 msid:c b",
    ];
    assert_eq!(said(&with_sources(&two, "FID 1 2")), lines);
}

#[test]
fn payload_types_of_rtcp_are_left_out() {
    let payload = "<payload-type id='72' name='opus' clockrate='48000' channels='2'>\
        <parameter name='usedtx' value='1'/></payload-type>";
    for mux in ["<rtcp-mux/>", ""] {
        let xml = offer_with(&audio_description(&format!("{payload}{mux}")), "");
        let offer = offer_of(&xml);
        assert!(offer.contains("SAVPF 0\r\n"), "{offer}");
        assert!(!offer.contains(":72 "), "{offer}");
    }
}

#[test]
fn groups_of_sources_are_those_that_libwebrtc_takes() {
    let described = "<source ssrc='1'><parameter name='cname' value='x'/></source>\
        <source ssrc='2'><parameter name='cname' value='x'/></source>\
        <source ssrc='3'><parameter name='cname' value='x'/></source>";
    for (sources, groups, kept) in [
        // lib-jitsi-meet answers so.
        ("<source ssrc='1'/><source ssrc='2'/>", "FID 1 2", ""),
        (described, "FID 1 2", "FID 1 2"),
        (described, "FID 1 2 3", ""),
        (described, "FID 1", ""),
        (described, "FEC-FR 1 1", ""),
        (described, "FID 1 2;FID 1 3", "FID 1 2"),
        (described, "SIM 1 2 3", "SIM 1 2 3"),
        (described, "SIM 1 4", "SIM 1 4"),
        // stanza.js and lib-jitsi-meet: the cname is that of the group.
        (
            "<source ssrc='1'><parameter name='cname' value='x'/></source>",
            "FID 1 2",
            "FID 1 2",
        ),
        (
            "<source ssrc='1'><parameter name='cname' value='x'/></source><source ssrc='2'/>",
            "FID 1 2",
            "FID 1 2",
        ),
        // Said of it is nothing that libwebrtc could read.
        (
            "<source ssrc='1'><parameter name='cname'/></source>",
            "SIM 1",
            "",
        ),
        (
            "<source ssrc='1'><parameter name='msid' value='a b'/></source><source ssrc='2'/>",
            "FID 1 2",
            "",
        ),
    ] {
        let xml = with_sources(sources, groups).replace("media='audio'", "media='video'");
        let offer = offer_of(&xml);
        let said: Vec<_> = offer
            .lines()
            .filter_map(|own| own.strip_prefix("a=ssrc-group:"))
            .collect();
        assert_eq!(said.join(";"), kept, "{sources} {groups}");
        for line in offer.lines().filter(|own| own.starts_with("a=ssrc:")) {
            assert!(line.split_once(' ').unwrap().1.contains(':'), "{line}");
        }
        // What is mapped by itself names them all the same.
        let mapped = mapping::to_sdp(&read(&xml), Role::Initiator, Kind::Offer, &Dialect::STRICT);
        let back = mapped.unwrap().0.to_string();
        assert_eq!(
            back.matches("a=ssrc-group:").count(),
            groups.split(';').count()
        );
    }
}

/// A session-initiate with those sources and groups.
fn with_sources(sources: &str, groups: &str) -> String {
    let ns = "xmlns='urn:xmpp:jingle:apps:rtp:ssma:0'";
    let mut text = sources.replace("<source ", &format!("<source {ns} "));
    for group in groups.split(';') {
        let mut words = group.split(' ');
        let semantics = words.next().unwrap();
        let members: Vec<_> = words.map(|own| format!("<source ssrc='{own}'/>")).collect();
        text += &format!(
            "<ssrc-group {ns} semantics='{semantics}'>{}</ssrc-group>",
            members.concat()
        );
    }
    offer_with(&audio_description(&text), "")
}

/// A session-initiate with those candidates; of each, what it does not say in common with all.
fn audio(candidates: &[&str]) -> String {
    let candidates: Vec<_> = candidates
        .iter()
        .map(|own| {
            let port = if own.contains("port=") {
                ""
            } else {
                "port='5000'"
            };
            let priority = if own.contains("priority=") {
                ""
            } else {
                "priority='5'"
            };
            format!("<candidate foundation='1' component='1' {port} {priority} generation='0' id='a' {own}/>")
        })
        .collect();
    offer_with(&audio_description(""), &candidates.concat())
}

fn audio_description(more: &str) -> String {
    format!(
        "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>\
         <payload-type id='0' name='PCMU' clockrate='8000'/>{more}</description>"
    )
}

fn offer_with(description: &str, candidates: &str) -> String {
    format!(
        "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='a'>\
         <content creator='initiator' name='0'>{description}\
         <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='abcd' pwd='0123456789012345678901'>\
         <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='actpass'>AA:BB</fingerprint>\
         {candidates}</transport></content></jingle>"
    )
}

/// What a browser gets of a session-initiate.
fn offer_of(xml: &str) -> String {
    let session = Session::initiated(&read(xml), &Dialect::STRICT).unwrap();
    session.remote_offer().unwrap().to_string()
}

fn candidates(sdp: &str) -> Vec<&str> {
    let lines = sdp.lines();
    lines
        .filter_map(|line| line.strip_prefix("a=candidate:"))
        .collect()
}

/// What a browser gets of them by transport-info.
fn trickled(candidates: &[&str]) -> Vec<String> {
    let info = audio(candidates).replace("session-initiate", "transport-info");
    let mut session = Session::initiated(&read(&audio(&[])), &Dialect::STRICT).unwrap();
    let trickle = session.remote_candidates(&read(&info)).unwrap();
    trickle
        .into_iter()
        .filter_map(|own| {
            let line = own.candidate?;
            Some(line.strip_prefix("candidate:").unwrap().to_owned())
        })
        .collect()
}

const GOOD: &str = "protocol='udp' ip='192.0.2.7' type='host'";
