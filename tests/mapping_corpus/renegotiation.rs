//! Changes in mid-call, in the words of each client.

use campana::jingle::ice_udp::Transport as IceUdp;
use campana::jingle::{Action, Condition, Content, Jingle, Reason, Role, Senders, Sid, Transport};
use campana::mapping::{
    BundlePolicy, Change, Dialect, Limits, Phase, Refusal, Session, ToBrowser, Trickle, browser,
};
use campana::sdp::{self, Direction, Setup};

use crate::mapping_harness::{Leg, Wire, call, in_step, parse, read, settle, setup, ufrag};

#[test]
fn video_is_added_and_removed_and_its_place_taken_again() {
    let (mut caller, mut callee) = call(&Dialect::STRICT);
    caller.browser.add("video", Direction::SendRecv);
    caller.negotiate();
    assert_eq!(caller.phase(), Phase::AwaitingPeer);
    settle(&mut caller, &mut callee);
    in_step(&caller, &callee);
    assert_eq!(caller.sent, [Action::ContentAdd]);
    assert_eq!(callee.sent, [Action::ContentAccept]);
    caller.browser.lines[1].stopped = true;
    caller.negotiate();
    settle(&mut caller, &mut callee);
    assert_eq!(caller.sent[1..], [Action::ContentRemove]);
    assert!(callee.browser.remote.as_ref().unwrap().media[1].is_rejected());
    callee.browser.add("video", Direction::SendRecv);
    callee.negotiate();
    settle(&mut caller, &mut callee);
    in_step(&caller, &callee);
    let remote = caller.browser.remote.as_ref().unwrap();
    assert_eq!(remote.media.len(), 2, "the place of the old one");
    assert_eq!(remote.media[1].mid().unwrap().as_str(), "B1");
}

#[test]
fn an_added_video_is_rejected_where_the_browser_rejects_it() {
    let (mut caller, mut callee) = call(&Dialect::STRICT);
    caller.browser.add("video", Direction::SendRecv);
    caller.negotiate();
    let wire = caller.out.pop_front().unwrap();
    callee.receive(wire);
    callee.browser.lines[1].stopped = true;
    callee.answer();
    let reject = sent(&callee, Action::ContentReject);
    assert_eq!(reject.contents[0].creator, Role::Initiator);
    assert_eq!(reject.reason.unwrap().condition, Reason::FailedApplication);
    settle(&mut caller, &mut callee);
    assert!(caller.browser.remote.as_ref().unwrap().media[1].is_rejected());
}

#[test]
fn conversations_never_sees_a_content_go() {
    let (mut caller, mut callee) = call(&Dialect::CONVERSATIONS);
    caller.browser.add("video", Direction::SendRecv);
    caller.negotiate();
    let add = sent(&caller, Action::ContentAdd);
    let fingerprint = &add.contents[0].ice().unwrap().fingerprints[0];
    assert_eq!(fingerprint.setup.as_deref(), Some("actpass"));
    let wire = caller.out.pop_front().unwrap();
    callee.receive(wire);
    callee.browser.lines[1].direction = Direction::SendRecv;
    settle(&mut caller, &mut callee);
    caller.browser.lines[1].stopped = true;
    caller.negotiate();
    let modify = sent(&caller, Action::ContentModify);
    assert_eq!(
        modify.contents[0].senders,
        Some(Senders::Responder),
        "only what our side sends"
    );
    assert!(!caller.sent.contains(&Action::ContentRemove));
}

#[test]
fn conversations_restarts_step_by_step() {
    let (mut caller, mut callee) = call(&Dialect::CONVERSATIONS);
    caller.browser.restart_ice();
    caller.negotiate();
    let info = sent(&caller, Action::TransportInfo);
    let ice = info.contents[0].ice().unwrap();
    assert_eq!(ice.ufrag.as_deref(), Some("AAA0001"));
    assert!(ice.candidates.is_empty() && ice.fingerprints.is_empty());
    caller.trickle();
    assert_eq!(caller.out.len(), 1, "candidates wait for the result");
    let wire = caller.out.pop_front().unwrap();
    callee.receive(wire);
    let offer = callee.browser.is_asked();
    assert!(offer);
    callee.answer();
    assert!(
        matches!(callee.out.make_contiguous(), [Wire::Result(_)]),
        "without a candidate it would be a counter-offer"
    );
    let result = callee.out.pop_front().unwrap();
    caller.receive(result);
    let held = sent(&caller, Action::TransportInfo);
    assert_eq!(held.contents[0].ice().unwrap().candidates.len(), 1);
    assert_eq!(held.contents[0].ice().unwrap().candidates[0].generation, 1);
    callee.trickle();
    let answer = sent(&callee, Action::TransportInfo);
    let ice = answer.contents[0].ice().unwrap();
    assert_eq!(ice.ufrag.as_deref(), Some("BBB0001"));
    assert_eq!(ice.candidates.len(), 1);
    settle(&mut caller, &mut callee);
    in_step(&caller, &callee);
    let remote = caller.browser.remote.as_ref().unwrap();
    assert_eq!(ufrag(&remote.media[0]), Some("BBB0001"));
    assert_eq!(setup(&remote.media[0]), Some(Setup::Active), "it stays");
}

#[test]
fn the_initiator_wins_when_both_restart() {
    for dialect in [&Dialect::STRICT, &Dialect::CONVERSATIONS] {
        let (mut caller, mut callee) = call(dialect);
        caller.browser.restart_ice();
        caller.negotiate();
        callee.browser.restart_ice();
        callee.negotiate();
        let wire = callee.out.pop_front().unwrap();
        caller.receive(wire);
        let answer = caller.out.back().unwrap();
        assert!(matches!(answer, Wire::Error(_, Some(Condition::TieBreak))));
        let wire = caller.out.pop_front().unwrap();
        callee.receive(wire);
        assert!(callee.browser.is_asked(), "its own offer is void");
        callee.answer();
        callee.trickle();
        settle(&mut caller, &mut callee);
        in_step(&caller, &callee);
    }
}

#[test]
fn a_restart_that_is_refused_in_part_waits_for_no_answer() {
    let (mut caller, mut callee) = call(&Dialect::UNKNOWN);
    caller.browser.add("video", Direction::SendRecv);
    caller.negotiate();
    settle(&mut caller, &mut callee);
    callee.browser.restart_ice();
    callee.negotiate();
    let [Wire::Set(first, audio), Wire::Set(second, video)] = callee.out.make_contiguous() else {
        panic!("a content at a time: {:?}", callee.out);
    };
    let (first, second) = (*first, *second);
    let named = |action, xml: &str| {
        let name = read(xml).contents[0].name.clone();
        let mut jingle = Jingle::new(action, sid());
        jingle.contents = vec![Content::new(Role::Initiator, name)];
        jingle
    };
    let remove = named(Action::ContentRemove, video);
    let mut answer = named(Action::TransportInfo, audio);
    callee.receive(Wire::Set(0, remove.to_xml()));
    callee.receive(Wire::Error(first, Some(Condition::TieBreak)));
    // The other is about what it has removed.
    callee.receive(Wire::Result(second));
    while callee.browser.is_asked() {
        callee.answer();
    }
    callee.out.clear();
    callee.browser.restart_ice();
    callee.negotiate();
    for wire in std::mem::take(&mut callee.out) {
        if let Wire::Set(id, _) = wire {
            callee.receive(Wire::Result(id));
        }
    }
    assert_eq!(callee.phase(), Phase::AwaitingPeer);
    let ice = IceUdp {
        ufrag: Some("AAA0001".to_owned()),
        pwd: Some("abcdefghijklmnopqrstuv".to_owned()),
        ..IceUdp::default()
    };
    answer.contents[0].transport = Some(Transport::Ice(Box::new(ice)));
    callee.receive(Wire::Set(0, answer.to_xml()));
    assert_eq!(callee.phase(), Phase::Stable);
}

#[test]
fn dino_can_not_restart_and_takes_one_content_at_a_time() {
    let (mut caller, _) = call(&Dialect::DINO);
    caller.browser.restart_ice();
    let text = caller.browser.offer();
    let offer = browser::offer(&text, &Limits::default()).unwrap();
    let refusal = caller.session().offer_later(offer).unwrap_err();
    assert_eq!(refusal, Refusal::NotForPeer("restart ICE"));
    assert_eq!(
        refusal.stanza_error(),
        ("cancel", "feature-not-implemented")
    );
    caller.browser.roll_back();
    let (mut caller, _) = call(&Dialect::DINO);
    caller.browser.add("video", Direction::SendRecv);
    caller.browser.add("video", Direction::SendOnly);
    caller.negotiate();
    assert_eq!(caller.sent, [Action::ContentAdd, Action::ContentAdd]);
}

#[test]
fn what_dino_adds_has_a_transport_of_its_own() {
    let (mut caller, _) = call(&Dialect::DINO);
    let change = caller.session().requested(&dino_adds_video()).unwrap();
    let offer = offered(&change);
    assert_eq!(offer.media.len(), 2);
    assert_eq!(ufrag(&offer.media[1]), Some("dddd"));
    let group = offer.groups().next().unwrap();
    assert_eq!(group.mids.len(), 1, "it is not bundled");
    assert_eq!(offer.media[1].direction(), Some(Direction::SendOnly));
    let (mut caller, _) = call(&Dialect::DINO);
    caller.session().set_bundle_policy(BundlePolicy::Max);
    let change = caller.session().requested(&dino_adds_video()).unwrap();
    assert!(change.browser.is_empty());
    assert_eq!(change.stanzas[0].jingle.action, Action::ContentReject);
}

#[test]
fn who_cannot_be_told_of_a_removal_is_told_that_nobody_sends() {
    let (mut caller, mut callee) = call(&Dialect::DINO);
    caller.browser.add("video", Direction::SendRecv);
    caller.negotiate();
    settle(&mut caller, &mut callee);
    caller.browser.lines[1].stopped = true;
    caller.negotiate();
    let gone = sent(&caller, Action::ContentModify);
    assert_eq!(gone.contents[0].senders, Some(Senders::None));
    settle(&mut caller, &mut callee);
    assert!(caller.session().requested(&gone).unwrap().is_empty());
    let mut again = gone.clone();
    again.contents[0].senders = Some(Senders::Both);
    let change = caller.session().requested(&again).unwrap();
    assert!(change.browser.is_empty(), "it has no section any more");
    assert_eq!(change.stanzas[0].jingle, gone, "XEP-0166: the contrary");
}

#[test]
fn movim_accepts_a_content_with_session_accept() {
    let (mut caller, mut callee) = call(&Dialect::MOVIM);
    caller.browser.add("video", Direction::SendRecv);
    caller.negotiate();
    let wire = caller.out.pop_front().unwrap();
    callee.receive(wire);
    callee.answer();
    let mut accept = sent(&callee, Action::ContentAccept);
    accept.action = Action::SessionAccept;
    let change = caller.session().requested(&accept).unwrap();
    assert!(matches!(change.browser[0], ToBrowser::Answer(_)));
}

#[test]
fn movim_and_monal_are_told_of_one_candidate_at_a_time() {
    for dialect in [&Dialect::MOVIM, &Dialect::MONAL] {
        let (mut caller, _) = call(dialect);
        let one = caller.browser.candidate().unwrap();
        let other = Trickle {
            candidate: one
                .candidate
                .as_ref()
                .map(|own| own.replace("44290", "44291")),
            ..one.clone()
        };
        let info = caller.session().local_candidates(&[one, other]).unwrap();
        let parts = caller.session().split(info.unwrap());
        let candidates = |own: &Jingle| own.contents[0].ice().unwrap().candidates.clone();
        let ports: Vec<_> = parts.iter().map(|own| candidates(own)[0].port).collect();
        assert_eq!(parts.len(), 2, "{}", dialect.name);
        assert_ne!(ports[0], ports[1]);
        assert!(parts.iter().all(|own| candidates(own).len() == 1));
    }
}

#[test]
fn a_stanza_without_contents_stays_one() {
    let reject = Jingle::new(Action::ContentReject, sid());
    for dialect in Dialect::ALL {
        let (caller, _) = call(dialect);
        let session = caller.session.as_ref().unwrap();
        let parts = session.split(reject.clone());
        assert_eq!(parts, std::slice::from_ref(&reject), "{}", dialect.name);
    }
}

#[test]
fn movim_says_that_the_initiator_made_what_it_adds() {
    let (mut caller, _) = call(&Dialect::MOVIM);
    let mut add = dino_adds_video();
    add.contents[0].creator = Role::Initiator;
    let change = caller.session().requested(&add).unwrap();
    assert_eq!(offered(&change).media.len(), 2);
    caller.apply(change);
    caller.answer();
    let accept = sent(&caller, Action::ContentAccept);
    assert_eq!(
        accept.contents[0].creator,
        Role::Initiator,
        "as it knows it"
    );
    // But there is no second one of that name.
    let refused = caller.session().requested(&add);
    assert!(
        matches!(refused, Err(Refusal::DuplicateContent(_))),
        "{refused:?}"
    );
}

#[test]
fn the_later_word_on_who_sends_stays_the_later() {
    let (mut caller, _) = call(&Dialect::STRICT);
    let audio = caller.browser.local.as_ref().unwrap().media[0].clone();
    let mid = audio.mid().unwrap().as_str();
    let name = caller.session().content_of(mid).unwrap().1.to_owned();
    let modify = |senders| {
        let mut modify = Jingle::new(Action::ContentModify, sid());
        let mut content = Content::new(Role::Initiator, name.clone());
        content.senders = Some(senders);
        modify.contents = vec![content];
        modify
    };
    // The peer's video waits for the browser, and its word on the audio behind that. Then the browser
    // adds something itself, and never sees that first offer.
    caller.browser.joined_to_browser = true;
    let change = caller.session().requested(&dino_adds_video()).unwrap();
    offered(&change);
    let change = caller.session().requested(&modify(Senders::None)).unwrap();
    assert!(change.is_empty());
    caller.session().postpone();
    caller.browser.add("video", Direction::SendRecv);
    caller.negotiate();
    let mut accept = sent(&caller, Action::ContentAdd);
    accept.action = Action::ContentAccept;
    caller.receive(Wire::Set(0, modify(Senders::Initiator).to_xml()));
    caller.receive(Wire::Set(0, accept.to_xml()));
    while caller.browser.is_asked() {
        caller.answer();
    }
    let remote = caller.browser.remote.as_ref().unwrap();
    assert_eq!(remote.media[0].direction(), Some(Direction::RecvOnly));
}

#[test]
fn a_word_that_was_acknowledged_crosses_nothing() {
    let (mut caller, _) = call(&Dialect::CONVERSATIONS);
    let audio = caller.browser.local.as_ref().unwrap().media[0].clone();
    let mid = audio.mid().unwrap().as_str();
    let mut modify = Jingle::new(Action::ContentModify, sid());
    let name = caller.session().content_of(mid).unwrap().1.to_owned();
    modify.contents = vec![Content::new(Role::Initiator, name)];
    modify.contents[0].senders = Some(Senders::Initiator);
    let change = caller.session().requested(&dino_adds_video()).unwrap();
    caller.apply(change);
    // The peer sends no sound any more, which waits. Neither does the browser with its answer.
    assert!(caller.session().requested(&modify).unwrap().is_empty());
    caller.browser.lines[0].direction = Direction::RecvOnly;
    caller.answer();
    assert!(caller.browser.is_asked(), "what waited has its turn");
    caller.answer();
    let remote = caller.browser.remote.as_ref().unwrap();
    let way = remote.media[0].direction();
    assert!(
        matches!(way, Some(Direction::RecvOnly | Direction::Inactive)),
        "{way:?}"
    );
}

#[test]
fn a_hold_is_a_change_of_senders_and_comes_back() {
    let (mut caller, mut callee) = call(&Dialect::STRICT);
    for (direction, senders) in [
        (Direction::SendOnly, Senders::Initiator),
        (Direction::Inactive, Senders::None),
        (Direction::SendRecv, Senders::Both),
    ] {
        caller.browser.lines[0].direction = direction;
        caller.negotiate();
        let modify = sent(&caller, Action::ContentModify);
        assert_eq!(modify.contents[0].senders, Some(senders));
        settle(&mut caller, &mut callee);
        in_step(&caller, &callee);
    }
}

#[test]
fn a_refused_change_of_senders_stays_as_it_was() {
    let (mut caller, mut callee) = call(&Dialect::STRICT);
    caller.browser.lines[0].direction = Direction::Inactive;
    caller.negotiate();
    for wire in std::mem::take(&mut caller.out) {
        let Wire::Set(id, _) = wire else {
            panic!("only requests");
        };
        caller.receive(Wire::Error(id, None));
    }
    assert_eq!(caller.phase(), Phase::Stable);
    caller.browser.lines[0].direction = Direction::SendRecv;
    caller.negotiate();
    settle(&mut caller, &mut callee);
    in_step(&caller, &callee);
}

#[test]
fn the_tag_of_a_bundle_can_go() {
    let (mut caller, mut callee) = call(&Dialect::STRICT);
    caller.browser.add("video", Direction::SendRecv);
    caller.negotiate();
    settle(&mut caller, &mut callee);
    caller.browser.lines[0].stopped = true;
    caller.negotiate();
    settle(&mut caller, &mut callee);
    in_step(&caller, &callee);
    let remote = callee.browser.remote.as_ref().unwrap();
    assert_eq!(remote.groups().next().unwrap().mids.len(), 1);
    assert_eq!(ufrag(&remote.media[1]), Some("AAA0000"));
}

#[test]
fn nothing_left_ends_the_session() {
    let (mut caller, _) = call(&Dialect::STRICT);
    let mut remove = Jingle::new(Action::ContentRemove, sid());
    remove.contents = vec![Content::new(Role::Initiator, "A1".to_owned())];
    let refusal = caller.session().requested(&remove).unwrap_err();
    assert_eq!(refusal.reason(), Reason::Success);
    assert!(!refusal.is_stanza_error());
    remove.contents = vec![Content::new(Role::Initiator, "other".to_owned())];
    let refusal = caller.session().requested(&remove).unwrap_err();
    assert_eq!(refusal.stanza_error(), ("cancel", "item-not-found"));
}

#[test]
fn nothing_happens_out_of_turn() {
    let (mut caller, _) = call(&Dialect::STRICT);
    let answer = parse(&caller.browser.clone().offer());
    assert_eq!(
        caller.session().answer_later(answer.clone()),
        Err(Refusal::OutOfOrder)
    );
    let change = caller.session().requested(&dino_adds_video()).unwrap();
    offered(&change);
    assert_eq!(caller.phase(), Phase::AwaitingBrowser);
    assert_eq!(caller.session().offer_later(answer), Err(Refusal::TieBreak));
    let accept = Jingle::new(Action::ContentAccept, sid());
    assert_eq!(caller.phase(), Phase::AwaitingBrowser);
    assert!(caller.session().requested(&accept).unwrap().is_empty());
    let (session, _) =
        Session::initiate(sid(), parse(&caller.browser.offer()), &Dialect::STRICT).unwrap();
    assert_eq!(session.phase(), Phase::Establishing);
    let refused = session.clone().requested(&dino_adds_video());
    assert_eq!(refused, Err(Refusal::OutOfOrder));
}

#[test]
fn conversations_is_offered_actpass_only() {
    let text = Leg::new('A', &Dialect::CONVERSATIONS);
    let mut own = text.browser;
    own.add("audio", Direction::SendRecv);
    let text = own.offer();
    for (said, asked) in [
        ("actpass", Some("actpass")),
        ("passive", Some("actpass")),
        ("active", None),
    ] {
        let offer = parse(&text.replace("a=setup:actpass", &format!("a=setup:{said}")));
        let initiate = Session::initiate(sid(), offer, &Dialect::CONVERSATIONS);
        let setup = initiate.ok().map(|(_, own)| {
            let ice = own.contents[0].ice().unwrap();
            ice.fingerprints[0].setup.clone().unwrap()
        });
        assert_eq!(setup.as_deref(), asked, "{said}");
    }
}

fn dino_adds_video() -> Jingle {
    read(
        "<jingle xmlns='urn:xmpp:jingle:1' action='content-add' sid='a73sjjvkla37jfea'>\
         <content creator='responder' name='video' senders='responder'>\
         <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'>\
         <payload-type id='98' name='VP8' clockrate='90000'/><rtcp-mux/></description>\
         <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='dddd' \
         pwd='dddddddddddddddddddddddd'>\
         <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='actpass'>\
         DD:DD</fingerprint></transport></content></jingle>",
    )
}

fn offered(change: &Change) -> &sdp::Session {
    match change.browser.as_slice() {
        [ToBrowser::Offer(offer)] => offer,
        other => panic!("{other:?}"),
    }
}

/// The last request of this kind that is under way.
fn sent(leg: &Leg, action: Action) -> Jingle {
    let requests = leg.out.iter().rev().filter_map(|wire| match wire {
        Wire::Set(_, xml) => Some(read(xml)),
        _ => None,
    });
    let mut requests = requests.filter(|own| own.action == action);
    requests.next().expect("it was sent")
}

fn sid() -> Sid {
    Sid::new("a73sjjvkla37jfea").unwrap()
}
