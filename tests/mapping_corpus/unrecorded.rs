//! What servers and clients write of which there is no recording, as far as it was ever lost.

use campana::jingle::{Role, Sid};
use campana::mapping::{self, Dialect, Kind, Limits, Refusal, Session, browser};
use campana::sdp;

use crate::mapping_harness::read;

#[test]
fn a_bandwidth_of_data_channels_comes_back() {
    // Chrome 30 to 75.
    let back = there_and_back(
        "m=application 9 DTLS/SCTP 5000\r\nb=AS:30\r\na=mid:data\r\na=sctpmap:5000 webrtc-datachannel 1024\r\n",
    );
    assert!(back.contains("b=AS:30\r\n"), "{back}");
}

#[test]
fn what_is_of_rtp_comes_back_in_data_channels() {
    // Firefox 38 names a source there, Kurento multiplexes.
    let back = there_and_back(
        "m=application 9 DTLS/SCTP 5000\r\na=ssrc:9 cname:{b4d7}\r\na=rtcp-mux\r\na=sctpmap:5000 webrtc-datachannel 256\r\n",
    );
    assert!(back.contains("a=ssrc:9 cname:{b4d7}\r\n"), "{back}");
    assert!(back.contains("a=rtcp-mux\r\n"), "{back}");
    // As the drafts of 2012 had it.
    let back = there_and_back(
        "m=application 9 DTLS/SCTP 5000\r\na=fmtp:5000 protocol=webrtc-datachannel;streams=10\r\n",
    );
    assert!(
        back.contains("a=fmtp:5000 protocol=webrtc-datachannel;streams=10\r\n"),
        "{back}"
    );
}

#[test]
fn setup_of_what_is_no_dtls_comes_back() {
    // Cisco's, RFC 8856 §5.
    let back = there_and_back(
        "m=application 5070 UDP/BFCP *\r\na=floorctrl:c-s\r\na=setup:actpass\r\na=connection:new\r\n",
    );
    assert!(back.contains("UDP/BFCP *\r\n"), "{back}");
    assert!(back.contains("a=setup:actpass\r\n"), "{back}");
    assert!(back.contains("a=connection:new\r\n"), "{back}");
}

#[test]
fn a_setup_that_is_not_the_fingerprint_s_is_not_taken() {
    let xml = "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='a'>\
        <content creator='initiator' name='0'>\
        <description xmlns='urn:x-campana:sdp-extra:0' media='application'/>\
        <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='abcd' pwd='0123456789012345678901'>\
        <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='actpass'>AA:BB</fingerprint>\
        <sctpmap xmlns='urn:xmpp:jingle:transports:dtls-sctp:1' number='5000' protocol='webrtc-datachannel'/>\
        </transport><sdp xmlns='urn:x-campana:sdp-extra:0'><attribute name='setup' value='active'/></sdp>\
        </content></jingle>";
    let sdp = to_sdp(xml, Role::Initiator, Kind::Offer);
    assert_eq!(sdp.matches("a=setup:").count(), 1, "{sdp}");
    assert!(sdp.contains("a=setup:actpass\r\n"), "{sdp}");
}

#[test]
fn candidates_of_one_port_are_two() {
    // FreeSWITCH gives both the same foundation, libdatachannel UDP and TCP the same port.
    let lines = "a=candidate:9404823531 1 udp 2130706431 192.0.2.7 29218 typ host\r\n\
        a=candidate:9404823531 1 udp 1694498815 192.0.2.7 29218 typ srflx raddr 10.0.0.1 rport 29218\r\n\
        a=candidate:9404823531 1 tcp 1015022079 192.0.2.7 29218 typ host tcptype passive\r\n";
    let section = format!("m=audio 29218 UDP/TLS/RTP/SAVPF 0\r\n{CREDENTIALS}{lines}");
    let back = there_and_back(&section);
    for line in lines.lines() {
        assert!(back.contains(line), "{line}: {back}");
    }
}

#[test]
fn a_candidate_that_jingle_has_no_place_for_comes_back() {
    // Blackened in a log; libjingle's own.
    for line in [
        "a=candidate:1 1 udp 0 xx.xx.xxx.xxx 27622 typ host",
        "a=candidate:7 1 ssltcp 2130706430 192.0.2.9 443 typ host",
        "a=candidate:2 1 udp 1 192.0.2.7 27622 typ local",
    ] {
        let section = format!("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n{CREDENTIALS}{line}\r\n");
        let back = there_and_back(&section);
        assert!(back.contains(line), "{back}");
    }
}

#[test]
fn blanks_at_the_ends_of_lines_are_layout() {
    // Linphone; the second is a fixture of a program's source.
    let back =
        there_and_back("m=audio 7078 UDP/TLS/RTP/SAVPF 0 \r\na=rtcp-mux \r\na=recvonly \r\n");
    assert!(
        back.contains("a=rtcp-mux\r\n") && back.contains("a=recvonly\r\n"),
        "{back}"
    );
    let back = there_and_back("  m=audio 7078 UDP/TLS/RTP/SAVPF 0\r\n    a=rtcp-mux\r\n");
    assert!(back.contains("a=rtcp-mux\r\n"), "{back}");
}

#[test]
fn what_stands_before_a_description_is_no_part_of_it() {
    let text = format!(
        "; a call of yesterday\r\n\r\n{}",
        description("m=audio 9 RTP/AVP 0\r\n")
    );
    let session = sdp::Session::parse(&text, &sdp::Limits::default()).unwrap();
    assert_eq!(session.media.len(), 1);
}

#[test]
fn an_attribute_out_of_shape_costs_itself() {
    for line in [
        "a=ssrc:5000",
        "a=fmtp:0",
        "a=rtcp-fb:0",
        "a=extmap:1",
        "a=rid:1",
        "a=msid:",
        "a=ssrc-group:",
        "a=max-message-size:many",
        "a=candidate:1 1 udp 21149780477 192.0.2.7 9 typ host",
        "a=rtpmap:101 telephone-event",
    ] {
        let back = there_and_back(&format!(
            "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n{CREDENTIALS}{line}\r\na=rtcp-mux\r\n"
        ));
        assert!(
            back.contains("a=rtcp-mux\r\n") && !back.contains(line),
            "{back}"
        );
    }
}

#[test]
fn a_bandwidth_that_is_no_whole_number_is_kept_from_browsers() {
    // libwebrtc refuses a whole description over each of them.
    for line in ["b=AS:100.5", "b=TIAS:18446744073709551615", "b=AS:-1"] {
        let section =
            format!("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n{line}\r\nb=AS:64\r\n{CREDENTIALS}");
        let back = there_and_back(&section);
        assert!(back.contains(&format!("{line}\r\n")), "{back}");
        let offer = offered(&format!("{section}{FINGERPRINT}"));
        assert!(!offer.contains(line), "{offer}");
        assert!(offer.contains("b=AS:64\r\n"), "{offer}");
    }
}

#[test]
fn blanks_between_the_words_of_a_crypto_are_layout() {
    let line = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4 KDR=1";
    let wide = line.replace(' ', "  ");
    let back = there_and_back(&format!("m=audio 9 RTP/SAVPF 0\r\n{wide} \r\n"));
    assert!(back.contains(&format!("{line}\r\n")), "{back}");
}

#[test]
fn an_answer_is_never_actpass() {
    // As bridges write it; Conversations ends the call over it.
    let section = format!("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n{CREDENTIALS}{FINGERPRINT}");
    let xml = to_jingle(&section, Kind::Answer);
    assert!(xml.contains("setup='active'"), "{xml}");
    let xml = to_jingle(&section, Kind::Offer);
    assert!(xml.contains("setup='actpass'"), "{xml}");
}

#[test]
fn credentials_that_browsers_take_are_taken() {
    // Base64 for URLs, with its padding: no ice-chars, but libwebrtc and Firefox begin with them.
    let section = format!(
        "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=ice-ufrag:a-_=\r\na=ice-pwd:0123456789-_abcdefg#h==\r\n{FINGERPRINT}"
    );
    let offer = offered(&section);
    assert!(offer.contains("a=ice-ufrag:a-_=\r\n"), "{offer}");
    assert!(browser::offer(&description(&section), &Limits::default()).is_ok());
}

#[test]
fn why_a_line_is_left_out_is_the_same_for_all() {
    let section = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\ni=microphone\r\na=rtcp:9 IN IP4 0.0.0.0\r\n";
    let session = sdp::Session::parse(&description(section), &sdp::Limits::default()).unwrap();
    for dialect in Dialect::ALL {
        let sid = Sid::new("a").unwrap();
        let mapped = mapping::to_jingle(&session, sid, Role::Initiator, Kind::Offer, dialect);
        let told: Vec<_> = mapped
            .unwrap()
            .1
            .dropped
            .iter()
            .map(ToString::to_string)
            .collect();
        let reasons = [
            "section 0: rtcp: means nothing to the other side",
            "section 0: title: means nothing to the other side",
        ];
        assert_eq!(told, reasons, "{}", dialect.name);
    }
}

#[test]
fn ice_options_are_one_line() {
    // libdatachannel and SIPSorcery separate them by commas; the last is nobody's.
    for line in ["a=ice-options:ice2,trickle", "a=ice-options:ice2 x,trickle"] {
        let section = format!("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n{CREDENTIALS}{line}\r\n");
        let xml = to_jingle(&section, Kind::Offer);
        assert!(xml.contains("<ice2 xmlns"), "{xml}");
        let back = to_sdp(&xml, Role::Initiator, Kind::Offer);
        let lines: Vec<_> = back
            .lines()
            .filter(|own| own.contains("ice-options"))
            .collect();
        let said = if line.contains('x') { " x" } else { "" };
        assert_eq!(lines, [format!("a=ice-options:trickle ice2{said}")]);
    }
}

#[test]
fn a_line_that_is_there_twice_is_said_once() {
    // Conversations throws on a nameless parameter beside another.
    let line = "a=fmtp:101 0-15\r\n";
    let section = "m=audio 9 UDP/TLS/RTP/SAVPF 101\r\na=rtpmap:101 telephone-event/8000\r\n";
    let xml = to_jingle(&format!("{section}{line}{line}"), Kind::Offer);
    assert_eq!(xml.matches("<parameter ").count(), 1, "{xml}");
    let back = to_sdp(&xml, Role::Initiator, Kind::Offer);
    assert_eq!(back.matches(line).count(), 1, "{back}");
    // So are candidates.
    let candidate = "<candidate foundation='1' component='1' protocol='udp' priority='5' ip='192.0.2.7' \
        port='5000' type='host' generation='0' id='";
    let xml = format!(
        "<jingle xmlns='urn:xmpp:jingle:1' action='transport-info' sid='a'>\
         <content creator='initiator' name='0'><transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' \
         ufrag='abcd' pwd='0123456789012345678901'>{candidate}a'/>{candidate}b' network='1'/>\
         </transport></content></jingle>"
    );
    let sdp = to_sdp(&xml, Role::Initiator, Kind::Offer);
    assert_eq!(sdp.matches("a=candidate:").count(), 1, "{sdp}");
}

#[test]
fn what_the_session_level_says_comes_back() {
    // Cisco's; and Chrome's, of data channels alone.
    let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nb=AS:4000\r\nt=0 0\r\na=extmap-allow-mixed\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=sctp-port:5000\r\n";
    let session = sdp::Session::parse(text, &sdp::Limits::default()).unwrap();
    let map = |dialect| {
        let sid = Sid::new("a").unwrap();
        mapping::to_jingle(&session, sid, Role::Initiator, Kind::Offer, dialect).unwrap()
    };
    let (jingle, report) = map(&Dialect::STRICT);
    assert!(report.is_empty(), "{report:?}");
    let back = to_sdp(&jingle.to_xml(), Role::Initiator, Kind::Offer);
    let (level, _) = back.split_once("m=").unwrap();
    assert!(level.contains("b=AS:4000\r\n"), "{back}");
    assert!(level.contains("a=extmap-allow-mixed\r\n"), "{back}");
    // Who has no place for it is told.
    let (_, report) = map(&Dialect::STANZA);
    let left_out: Vec<_> = report.dropped.iter().map(|own| own.what.as_str()).collect();
    assert_eq!(left_out, ["extmap-allow-mixed", "bandwidth"]);
}

#[test]
fn elements_that_cannot_be_read_are_told_of() {
    let xml = "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='a'>\
        <content creator='initiator' name='0'>\
        <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>\
        <payload-type id='0'/><payload-type id='300'/><payload-type name='opus'/>\
        <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' uri='urn:x'/>\
        <source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='-1'/></description>\
        <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'><candidate ip='192.0.2.7'/></transport>\
        </content></jingle>";
    let (_, report) =
        mapping::to_sdp(&read(xml), Role::Initiator, Kind::Offer, &Dialect::STRICT).unwrap();
    let told: Vec<_> = report.dropped.iter().map(|own| own.what.as_str()).collect();
    assert_eq!(told, ["payload-type", "rtp-hdrext", "source", "candidate"]);
}

#[test]
fn formats_without_rtpmap_keep_their_place() {
    let section = "m=audio 9 UDP/TLS/RTP/SAVPF 120 0 19\r\na=rtpmap:0 PCMU/8000\r\n";
    let back = there_and_back(&format!("{section}{CREDENTIALS}"));
    assert!(
        back.contains("m=audio 9 UDP/TLS/RTP/SAVPF 120 0 19\r\n"),
        "{back}"
    );
    // But a browser gets none that it knows nothing of.
    let offer = offered(&format!("{section}{CREDENTIALS}{FINGERPRINT}"));
    assert!(
        offer.contains("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"),
        "{offer}"
    );
}

#[test]
fn a_stream_without_sources_has_an_element_of_its_own() {
    // Janus, LiveKit and Chrome's simulcast name a stream and no source.
    let section =
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\na=msid:janus janusv0\r\n";
    let xml = to_jingle(section, Kind::Offer);
    let stream = "<stream xmlns='urn:xmpp:jingle:apps:rtp:msid:0' id='janus' track='janusv0'/>";
    assert!(xml.contains(stream), "{xml}");
    assert!(to_sdp(&xml, Role::Initiator, Kind::Offer).contains("a=msid:janus janusv0\r\n"));
}

#[test]
fn credentials_that_are_none_are_kept_from_browsers() {
    // Logs are published with them blackened.
    let section = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=ice-ufrag:XWdt\r\na=ice-pwd:fake\r\n";
    let back = there_and_back(section);
    assert!(back.contains("a=ice-pwd:fake\r\n"), "{back}");
    let text = description(&format!("{section}{FINGERPRINT}"));
    let refused = browser::offer(&text, &Limits::default());
    assert!(
        matches!(refused, Err(Refusal::Credentials(_))),
        "{refused:?}"
    );
    let xml = to_jingle(&format!("{section}{FINGERPRINT}"), Kind::Offer);
    let refused = Session::initiated(&read(&xml), &Dialect::STRICT);
    assert!(
        matches!(refused, Err(Refusal::Credentials(_))),
        "{refused:?}"
    );
}

#[test]
fn fingerprints_that_are_none_are_kept_from_browsers() {
    let section = format!(
        "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n{CREDENTIALS}a=fingerprint:sha-256 FAKE\r\na=setup:active\r\n"
    );
    let back = there_and_back(&section);
    assert!(back.contains("a=fingerprint:sha-256 FAKE\r\n"), "{back}");
    let refused = browser::offer(&description(&section), &Limits::default());
    assert!(matches!(refused, Err(Refusal::NoDtls(_))), "{refused:?}");
    let xml = to_jingle(&section, Kind::Offer);
    let refused = Session::initiated(&read(&xml), &Dialect::STRICT);
    assert!(matches!(refused, Err(Refusal::NoDtls(_))), "{refused:?}");
}

#[test]
fn a_packet_time_among_the_parameters_stays_there() {
    // FreeSWITCH.
    let line = "a=fmtp:102 useinbandfec=1; maxaveragebitrate=30000; ptime=20; minptime=10";
    let section =
        format!("m=audio 9 UDP/TLS/RTP/SAVPF 102\r\na=rtpmap:102 opus/48000/2\r\n{line}\r\n");
    let back = there_and_back(&section);
    assert!(back.contains(&format!("{line}\r\n")), "{back}");
    assert!(!back.contains("a=ptime"), "{back}");
    // One that the section says too stays another.
    let back = there_and_back(&format!("{section}a=ptime:60\r\n"));
    assert!(back.contains(&format!("{line}\r\n")), "{back}");
    assert!(back.contains("a=ptime:60\r\n"), "{back}");
    // But aTalk means the section's, and nobody slips parameters in by our element.
    let xml = "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='a'>\
        <content creator='initiator' name='0'>\
        <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>\
        <payload-type id='96' name='opus' clockrate='48000' channels='2'>\
        <parameter name='usedtx' value='1'/><parameter name='ptime' value='20'/></payload-type></description>\
        <sdp xmlns='urn:x-campana:sdp-extra:0'><attribute name='fmtp' value='96 stereo=1;ptime=20'/></sdp>\
        </content></jingle>";
    let sdp = to_sdp(xml, Role::Initiator, Kind::Offer);
    assert!(sdp.contains("a=fmtp:96 usedtx=1\r\n"), "{sdp}");
    assert!(sdp.contains("a=ptime:20\r\n"), "{sdp}");
    assert!(!sdp.contains("stereo"), "{sdp}");
}

#[test]
fn of_several_packet_times_the_attribute_holds() {
    let sdp = |attribute: &str, description: &str| {
        let xml = format!(
            "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='a'>\
             <content creator='initiator' name='0'>\
             <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio' {description}>\
             <payload-type id='96' name='opus' clockrate='48000' channels='2' {attribute}>\
             <parameter name='ptime' value='40'/></payload-type></description></content></jingle>"
        );
        to_sdp(&xml, Role::Initiator, Kind::Offer)
    };
    for (attribute, description, time) in [
        ("ptime='20'", "ptime='30'", "a=ptime:20\r\n"),
        ("ptime='20'", "", "a=ptime:20\r\n"),
        ("", "ptime='30'", "a=ptime:30\r\n"),
        ("", "", "a=ptime:40\r\n"),
    ] {
        let sdp = sdp(attribute, description);
        assert!(sdp.contains(time), "{sdp}");
        assert_eq!(sdp.matches("ptime").count(), 1, "{sdp}");
    }
}

#[test]
fn an_offer_of_nothing_comes_back() {
    let back = there_and_back("");
    assert!(!back.contains("m="), "{back}");
}

#[test]
fn a_repair_of_nothing_is_kept_from_browsers() {
    // Jicofo, in the session-initiates that gst-meet gets.
    let section = "m=video 9 UDP/TLS/RTP/SAVPF 100 96 99\r\na=rtpmap:100 VP8/90000\r\n\
        a=rtpmap:96 rtx/90000\r\na=fmtp:96 apt=100\r\na=rtpmap:99 rtx/90000\r\na=fmtp:99 apt=107\r\n";
    let back = there_and_back(section);
    assert!(
        back.contains("SAVPF 100 96 99\r\n") && back.contains("a=fmtp:99 apt=107\r\n"),
        "{back}"
    );
    let offer = offered(&format!("{section}{CREDENTIALS}{FINGERPRINT}"));
    assert!(
        offer.contains("SAVPF 100 96\r\n") && !offer.contains(":99 "),
        "{offer}"
    );
    let red = "m=audio 9 UDP/TLS/RTP/SAVPF 0 63\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:63 red/48000/2\r\n\
        a=fmtp:63 111/111\r\n";
    let offer = offered(&format!("{red}{CREDENTIALS}{FINGERPRINT}"));
    assert!(
        offer.contains("SAVPF 0\r\n") && !offer.contains(":63 "),
        "{offer}"
    );
}

#[test]
fn of_several_transports_ice_counts() {
    // Siskin's, whose parameters keep the blank behind a semicolon.
    let xml = "<jingle xmlns='urn:xmpp:jingle:1' action='session-accept' sid='s1'>\
        <content creator='responder' name='0'>\
        <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>\
        <payload-type id='111' name='opus' clockrate='48000' channels='2'>\
        <parameter name='minptime' value='10'/><parameter name=' useinbandfec' value='1'/></payload-type>\
        <payload-type id='63' name='red' clockrate='48000' channels='2'>\
        <parameter name='111/111' value=''/></payload-type></description>\
        <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='GpHv' pwd='nYn/sD8tq0d3lXiZn2Wl0Bgb'/>\
        <transport xmlns='urn:xmpp:jingle:transports:raw-udp:1'/></content></jingle>";
    let sdp = to_sdp(xml, Role::Responder, Kind::Answer);
    assert!(sdp.contains("a=ice-ufrag:GpHv\r\n"), "{sdp}");
    assert!(
        sdp.contains("a=fmtp:111 minptime=10;useinbandfec=1\r\n"),
        "{sdp}"
    );
    assert!(sdp.contains("a=fmtp:63 111/111\r\n"), "{sdp}");
}

#[test]
fn a_transport_info_is_a_fragment() {
    // Dino 0.4, with a candidate for RTCP.
    let xml = "<jingle xmlns='urn:xmpp:jingle:1' action='transport-info' sid='18f7e17a'>\
        <content creator='initiator' name='video'>\
        <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='iDP1' pwd='NmwqlS5rb0c/sjgVJ5qeec'>\
        <candidate component='2' foundation='7' generation='0' id='2939a95d' ip='203.0.113.74' network='0' \
        port='39404' priority='1679819518' protocol='udp' type='srflx' rel-addr='192.0.2.113' rel-port='39404'/>\
        </transport></content></jingle>";
    let sdp = to_sdp(xml, Role::Initiator, Kind::Offer);
    assert!(
        sdp.contains("a=mid:video\r\n") && sdp.contains("a=ice-ufrag:iDP1\r\n"),
        "{sdp}"
    );
    let line = "a=candidate:7 2 udp 1679819518 203.0.113.74 39404 typ srflx raddr 192.0.2.113 rport 39404\r\n";
    assert!(sdp.contains(line), "{sdp}");
}

#[test]
fn ice_inside_another_transport_is_found() {
    // Conversations sends files so.
    let xml = "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='s'>\
        <content creator='initiator' name='file' senders='initiator'>\
        <description xmlns='urn:xmpp:jingle:apps:file-transfer:5'/>\
        <transport xmlns='urn:xmpp:jingle:transports:webrtc-datachannel:1' sctp-port='5000' \
        max-message-size='262144'>\
        <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='abcd' pwd='0123456789012345678901'/>\
        </transport></content></jingle>";
    let sdp = to_sdp(xml, Role::Initiator, Kind::Offer);
    assert!(
        sdp.contains("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"),
        "{sdp}"
    );
    assert!(sdp.contains("a=sctp-port:5000\r\n"), "{sdp}");
    assert!(sdp.contains("a=max-message-size:262144\r\n"), "{sdp}");
    assert!(sdp.contains("a=ice-ufrag:abcd\r\n"), "{sdp}");
    // It is no call, all the same.
    let refused = Session::initiated(&read(xml), &Dialect::STRICT);
    assert!(
        matches!(refused, Err(Refusal::UnsupportedApplications)),
        "{refused:?}"
    );
}

fn there_and_back(sections: &str) -> String {
    to_sdp(
        &to_jingle(sections, Kind::Offer),
        Role::Initiator,
        Kind::Offer,
    )
}

fn to_jingle(sections: &str, kind: Kind) -> String {
    let text = description(sections);
    let session = sdp::Session::parse(&text, &sdp::Limits::default()).unwrap();
    let sid = Sid::new("a").unwrap();
    let mapped = mapping::to_jingle(&session, sid, Role::Initiator, kind, &Dialect::STRICT);
    mapped.unwrap().0.to_xml()
}

fn to_sdp(xml: &str, owner: Role, kind: Kind) -> String {
    let mapped = mapping::to_sdp(&read(xml), owner, kind, &Dialect::STRICT);
    mapped.unwrap().0.to_string()
}

/// What a browser gets of it.
fn offered(sections: &str) -> String {
    let xml = to_jingle(sections, Kind::Offer);
    let session = Session::initiated(&read(&xml), &Dialect::STRICT).unwrap();
    session.remote_offer().unwrap().to_string()
}

fn description(sections: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nt=0 0\r\n{sections}")
}

const CREDENTIALS: &str = "a=ice-ufrag:uQ7v\r\na=ice-pwd:YV/Pz6H3mwq8uWmHe0Bz4y\r\n";
const FINGERPRINT: &str = "a=fingerprint:sha-256 AA:BB\r\na=setup:actpass\r\n";

#[test]
fn who_bundles_multiplexes_said_or_not() {
    // Conversations in 2022; and the names of XEP-0176, which libwebrtc takes for no mid.
    let names = ["this-is-the-audio-content", "this-is-the-video-content"];
    let content = |name: &str, media: &str, payload: &str| {
        format!(
            "<content creator='initiator' name='{name}'>\
             <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='{media}'>{payload}</description>\
             <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='abcd' pwd='0123456789012345678901'>\
             <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='actpass'>AA:BB</fingerprint>\
             </transport></content>"
        )
    };
    let xml = format!(
        "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='a'>\
         <group xmlns='urn:xmpp:jingle:apps:grouping:0' semantics='BUNDLE'>\
         <content name='{0}'/><content name='{1}'/></group>{2}{3}</jingle>",
        names[0],
        names[1],
        content(
            names[0],
            "audio",
            "<payload-type id='111' name='opus' clockrate='48000' channels='2'/>"
        ),
        content(
            names[1],
            "video",
            "<payload-type id='96' name='VP8' clockrate='90000'/>"
        ),
    );
    let mut session = Session::initiated(&read(&xml), &Dialect::UNKNOWN).unwrap();
    let offer = session.remote_offer().unwrap();
    for media in &offer.media {
        assert!(
            media.attributes.contains(&sdp::Attribute::RtcpMux),
            "{offer}"
        );
        assert!(media.mid().unwrap().as_str().len() <= 16, "{offer}");
    }
    assert_ne!(offer.media[0].mid(), offer.media[1].mid());
    let group = offer.groups().next().unwrap();
    assert_eq!(group.mids.len(), 2);
    let answer = offer
        .to_string()
        .replace("a=setup:actpass", "a=setup:active");
    let answer = browser::answer(&answer, &offer, &Limits::default()).unwrap();
    let accept = session.accept(answer).unwrap();
    let said: Vec<_> = accept.contents.iter().map(|own| &own.name).collect();
    assert_eq!(said, names);
    assert_eq!(accept.groups[0].contents, names);
}

#[test]
fn blanks_of_unicode_are_no_layout() {
    let text = description(
        "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=rtpmap:0 PCMU/8000\r\na=fmtp:0 \u{2000}\r\n",
    );
    let session = sdp::Session::parse(&text, &sdp::Limits::default()).unwrap();
    assert!(session.to_string().ends_with("a=fmtp:0 \u{2000}\r\n"));
}
