//! A browser app with its `RTCPeerConnection`, as `web/call.js` goes about it.

use std::collections::{BTreeMap, VecDeque};

use campana::mapping::Trickle;
use campana::sdp::Direction;
use campana::xml::Element;
use rand::RngExt;

use super::device::{Asked, Cx, NOT_FOUND, Shell, Wake, escape, pause};
use crate::mapping_harness::Browser;

#[derive(Debug)]
pub(crate) struct App {
    pub(crate) jid: String,
    pub(crate) name: char,
    pub(crate) media: &'static str,
    pub(crate) calls: BTreeMap<String, Call>,
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) peer: String,
    pub(crate) state: State,
    pub(crate) browser: Browser,
    pub(crate) negotiated: bool,
    pub(crate) outgoing: bool,
    /// The app wants something that the other side does not know.
    dirty: bool,
    tries: u32,
    /// Events that wait while the browser makes its answer.
    waiting: VecDeque<Event>,
    answering: bool,
    video: bool,
    /// The username fragment that candidates were gathered for.
    gathered: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Incoming,
    Calling,
    Connecting,
    Active,
}

#[derive(Clone, Debug)]
enum Event {
    Offer(String),
    Answer(String),
    Candidate(Trickle),
}

impl App {
    /// Announces itself.
    pub(crate) fn announce(&self, cx: &mut Cx<'_>) {
        cx.out.push(format!(
            "<presence from='{}' to='call.example.org'><device xmlns='urn:x-campana:sdp:0' media='{}'/></presence>",
            self.jid, self.media
        ));
    }

    /// Calls a gateway address.
    pub(crate) fn place(&mut self, cx: &mut Cx<'_>, shell: &mut Shell, to: &str, sid: &str) {
        let video = self.media.contains("video") && cx.rng.random_bool(0.5);
        let mut call = self.call(to, State::Calling, video);
        call.browser.add("audio", Direction::SendRecv);
        if video {
            call.browser.add("video", Direction::SendRecv);
        }
        let text = call.browser.offer();
        self.calls.insert(sid.to_owned(), call);
        self.describe(cx, shell, sid, "offer", &text, Asked::Begin);
        cx.wakes.push((RING, Wake::GiveUp(sid.to_owned())));
    }

    fn call(&self, peer: &str, state: State, video: bool) -> Call {
        let mut browser = Browser::new(self.name);
        browser.joined_to_browser = true;
        Call {
            peer: peer.to_owned(),
            state,
            browser,
            negotiated: false,
            outgoing: state == State::Calling,
            dirty: false,
            tries: 0,
            waiting: VecDeque::new(),
            answering: false,
            video,
            gathered: None,
        }
    }

    /// The service asks for something.
    pub(crate) fn asked(
        &mut self,
        cx: &mut Cx<'_>,
        shell: &mut Shell,
        from: &str,
        payload: Element<'_>,
    ) -> Result<String, String> {
        if payload.name() == "device" {
            return Ok(format!(
                "<device xmlns='urn:x-campana:sdp:0' media='{}'/>",
                self.media
            ));
        }
        assert_eq!(payload.name(), "session", "{payload:?}");
        let sid = payload.attr("sid").unwrap();
        // A session that says nothing asks whether the call is known.
        let first = payload.children().next();
        let Some(call) = self.calls.get_mut(sid) else {
            let Some(first) = first else {
                return Err(NOT_FOUND.to_owned());
            };
            return match first.name() {
                "end" => Ok(String::new()),
                "propose" => {
                    let video = first.attr("media").unwrap().contains("video");
                    let call = self.call(from, State::Incoming, video);
                    self.calls.insert(sid.to_owned(), call);
                    self.signal(cx, shell, sid, "<ringing/>", Asked::Inform);
                    cx.wakes
                        .push((pause(cx.rng, 20_000), Wake::Decide(sid.to_owned())));
                    cx.wakes.push((RING, Wake::GiveUp(sid.to_owned())));
                    Ok(String::new())
                }
                _ => Err(NOT_FOUND.to_owned()),
            };
        };
        let bare = |jid: &str| jid.split('/').next().unwrap().to_owned();
        if call.peer != from && (call.peer.contains('/') || bare(&call.peer) != bare(from)) {
            return Err(NOT_FOUND.to_owned());
        }
        from.clone_into(&mut call.peer);
        for event in payload.children() {
            let trickle = |candidate: Option<String>| {
                Event::Candidate(Trickle {
                    mid: event.attr("mid").map(str::to_owned),
                    index: event.attr("index").and_then(|own| own.parse().ok()),
                    ufrag: event.attr("ufrag").map(str::to_owned),
                    candidate,
                })
            };
            let event = match event.name() {
                "end" => {
                    let elsewhere = event
                        .children()
                        .any(|own| own.name() == "answered-elsewhere");
                    let reason = event.attr("reason").unwrap_or("success");
                    let reason = if elsewhere { "elsewhere" } else { reason };
                    self.finish(shell, sid, reason, false);
                    return Ok(String::new());
                }
                "offer" => Event::Offer(event.text().into_owned()),
                "answer" => Event::Answer(event.text().into_owned()),
                "candidate" => trickle(Some(event.text().into_owned())),
                "end-of-candidates" => trickle(None),
                "ringing" | "info" => continue,
                other => panic!("{other} for a call under way"),
            };
            call.waiting.push_back(event);
        }
        self.work(cx, shell, sid);
        Ok(String::new())
    }

    /// Remote events, one after the other.
    fn work(&mut self, cx: &mut Cx<'_>, shell: &mut Shell, sid: &str) {
        let Some(call) = self.calls.get_mut(sid) else {
            return;
        };
        while !call.answering {
            let Some(event) = call.waiting.pop_front() else {
                break;
            };
            match event {
                Event::Offer(text) => {
                    assert_ne!(call.state, State::Incoming, "an offer before the pick-up");
                    if call.outgoing && !call.negotiated {
                        // The answer to its own was lost, and it waits for that.
                        assert!(cx.faulty, "an offer before the answer");
                        continue;
                    }
                    if cx.faulty && !call.browser.fits(&text) {
                        // An answer was lost, so it has another idea of the sections.
                        return self.hang_up(cx, shell, sid, "failed-application");
                    }
                    call.browser.take_offer(&text);
                    call.answering = true;
                    cx.wakes
                        .push((pause(cx.rng, 300), Wake::Answer(sid.to_owned())));
                }
                Event::Answer(text) => {
                    if !call.browser.has_offer_out() {
                        assert!(cx.faulty, "an answer to nothing: {text}");
                        continue;
                    }
                    if cx.faulty && !call.browser.is_answered_by(&text) {
                        // To an offer that arrived though the server had given it back.
                        return self.hang_up(cx, shell, sid, "failed-application");
                    }
                    call.browser.take_answer(&text);
                    call.negotiated = true;
                    call.state = State::Active;
                    call.tries = 0;
                    if call.dirty {
                        cx.wakes
                            .push((pause(cx.rng, 50), Wake::Negotiate(sid.to_owned())));
                    }
                }
                // Where stanzas are lost, one bad candidate is one path less.
                Event::Candidate(_) if cx.faulty => {}
                // Apps here name no generation at the end of candidates.
                Event::Candidate(trickle)
                    if trickle.candidate.is_none() && trickle.ufrag.is_none() => {}
                Event::Candidate(trickle) => call.browser.take_candidate(&trickle),
            }
        }
    }

    /// A request of ours was answered.
    pub(crate) fn replied(
        &mut self,
        cx: &mut Cx<'_>,
        shell: &mut Shell,
        asked: Asked,
        sid: &str,
        error: Option<Vec<String>>,
    ) {
        let Some(error) = error else { return };
        let Some(call) = self.calls.get_mut(sid) else {
            return;
        };
        let is = |condition: &str| error.iter().any(|own| own == condition);
        if is("item-not-found") {
            return self.finish(shell, sid, "gone", false);
        }
        match asked {
            Asked::Begin => self.finish(shell, sid, "general-error", true),
            Asked::Describe => {
                assert!(cx.faulty, "a description is refused: {error:?}");
                self.hang_up(cx, shell, sid, "failed-application");
            }
            Asked::Renegotiate => {
                // A conflict means that an offer of the peer's is under way.
                call.dirty = true;
                if !is("tie-break") && call.browser.has_offer_out() {
                    call.browser.roll_back();
                    if is("feature-not-implemented") || is("not-acceptable") || call.tries > 5 {
                        // It is not to be had.
                        call.browser.give_in();
                        call.dirty = false;
                    } else {
                        call.tries += 1;
                        let wait = pause(cx.rng, 2_000);
                        cx.wakes.push((wait, Wake::Negotiate(sid.to_owned())));
                    }
                }
            }
            Asked::Inform | Asked::End | Asked::Add | Asked::Modify | Asked::Restart => {}
        }
    }

    pub(crate) fn wake(&mut self, cx: &mut Cx<'_>, shell: &mut Shell, wake: Wake) {
        match wake {
            Wake::Decide(sid) => self.decide(cx, shell, &sid),
            Wake::Answer(sid) => self.answer(cx, shell, &sid),
            Wake::Negotiate(sid) => self.negotiate(cx, shell, &sid),
            Wake::GiveUp(sid) => {
                if self
                    .calls
                    .get(&sid)
                    .is_some_and(|own| own.state != State::Active)
                {
                    self.hang_up(cx, shell, &sid, "timeout");
                }
            }
            Wake::Act => {
                let pick = cx.rng.random_range(0..self.calls.len().max(1));
                if let Some(sid) = self.calls.keys().nth(pick).cloned() {
                    self.act(cx, shell, &sid);
                }
            }
            Wake::HangUp => {
                for sid in self.calls.keys().cloned().collect::<Vec<_>>() {
                    self.hang_up(cx, shell, &sid, "success");
                }
            }
            Wake::Overdue(_) => {}
        }
    }

    fn decide(&mut self, cx: &mut Cx<'_>, shell: &mut Shell, sid: &str) {
        let Some(call) = self.calls.get_mut(sid) else {
            return;
        };
        if call.state != State::Incoming {
            return;
        }
        match cx.rng.random_range(0..10) {
            0 => self.hang_up(cx, shell, sid, "decline"),
            1 => self.hang_up(cx, shell, sid, "busy"),
            2 => {}
            _ => {
                call.state = State::Connecting;
                self.signal(cx, shell, sid, "<proceed/>", Asked::Describe);
                cx.wakes.push((CONNECT, Wake::GiveUp(sid.to_owned())));
            }
        }
    }

    fn answer(&mut self, cx: &mut Cx<'_>, shell: &mut Shell, sid: &str) {
        let Some(call) = self.calls.get_mut(sid) else {
            return;
        };
        call.answering = false;
        if !call.negotiated {
            let video = call.video;
            for line in &mut call.browser.lines {
                if line.kind == "audio" || video {
                    line.direction = Direction::SendRecv;
                }
            }
        }
        let text = call.browser.answer();
        call.negotiated = true;
        call.state = State::Active;
        self.describe(cx, shell, sid, "answer", &text, Asked::Describe);
        self.work(cx, shell, sid);
        if self.calls.get(sid).is_some_and(|call| call.dirty) {
            cx.wakes
                .push((pause(cx.rng, 50), Wake::Negotiate(sid.to_owned())));
        }
    }

    fn negotiate(&mut self, cx: &mut Cx<'_>, shell: &mut Shell, sid: &str) {
        let Some(call) = self.calls.get_mut(sid) else {
            return;
        };
        if !call.negotiated || !call.browser.is_stable() || !call.dirty {
            return;
        }
        call.dirty = false;
        let text = call.browser.offer();
        self.describe(cx, shell, sid, "offer", &text, Asked::Renegotiate);
    }

    /// Something that a person does in a call.
    fn act(&mut self, cx: &mut Cx<'_>, shell: &mut Shell, sid: &str) {
        let Some(call) = self.calls.get_mut(sid) else {
            return;
        };
        if cx.rng.random_bool(0.04) {
            let reason = REASONS[cx.rng.random_range(0..REASONS.len())];
            let reason = match call.state {
                State::Incoming => "decline",
                State::Calling => "cancel",
                State::Connecting | State::Active => reason,
            };
            return self.hang_up(cx, shell, sid, reason);
        }
        if call.state != State::Active {
            return;
        }
        let stable = call.browser.is_stable();
        let lines = call.browser.lines.len();
        match cx.rng.random_range(0..7) {
            0 if stable && lines < 4 => {
                let way = DIRECTIONS[cx.rng.random_range(0..2)];
                call.browser.add("video", way);
                call.dirty = true;
            }
            1 if lines > 1 => {
                let line = cx.rng.random_range(1..lines);
                call.browser.lines[line].stopped = true;
                call.dirty = true;
            }
            2 | 3 => {
                let line = cx.rng.random_range(0..lines);
                call.browser.lines[line].direction = DIRECTIONS[cx.rng.random_range(0..4)];
                call.dirty = true;
            }
            4 if stable => {
                call.browser.restart_ice();
                call.dirty = true;
            }
            5 => {
                let info = ["<hold/>", "<unhold/>", "<mute/>", "<unmute/>", "<active/>"];
                let info = info[cx.rng.random_range(0..info.len())];
                let info = format!("<info>{info}</info>");
                self.signal(cx, shell, sid, &info, Asked::Inform);
            }
            _ => self.trickle(cx, shell, sid),
        }
        self.negotiate(cx, shell, sid);
    }

    pub(crate) fn hang_up(&mut self, cx: &mut Cx<'_>, shell: &mut Shell, sid: &str, reason: &str) {
        if self.calls.contains_key(sid) {
            let end = format!("<end reason='{reason}'/>");
            self.signal(cx, shell, sid, &end, Asked::End);
            self.finish(shell, sid, reason, true);
        }
    }

    fn finish(&mut self, shell: &mut Shell, sid: &str, reason: &str, own: bool) {
        if let Some(call) = self.calls.remove(sid) {
            shell.over(sid, reason, own, call.state == State::Active);
        }
    }

    fn describe(
        &mut self,
        cx: &mut Cx<'_>,
        shell: &mut Shell,
        sid: &str,
        kind: &str,
        text: &str,
        asked: Asked,
    ) {
        let description = format!("<{kind}>{}</{kind}>", escape(text));
        self.signal(cx, shell, sid, &description, asked);
        // New credentials make the browser gather anew, and whoever has a network finds something.
        let call = self.calls.get_mut(sid).unwrap();
        let ufrag = call.browser.candidate().and_then(|own| own.ufrag);
        let is_new = ufrag != call.gathered;
        call.gathered = ufrag;
        for _ in 0..cx.rng.random_range(0..3).max(usize::from(is_new)) {
            self.trickle(cx, shell, sid);
        }
    }

    fn trickle(&self, cx: &mut Cx<'_>, shell: &mut Shell, sid: &str) {
        let Some(trickle) = self
            .calls
            .get(sid)
            .and_then(|call| call.browser.candidate())
        else {
            return;
        };
        let (mid, ufrag) = (trickle.mid.unwrap(), trickle.ufrag.unwrap_or_default());
        let line = trickle.candidate.unwrap();
        let end = if cx.rng.random_bool(0.2) {
            format!("<end-of-candidates mid='{mid}'/>")
        } else {
            String::new()
        };
        let said =
            format!("<candidate mid='{mid}' index='0' ufrag='{ufrag}'>{line}</candidate>{end}");
        self.signal(cx, shell, sid, &said, Asked::Inform);
    }

    fn signal(&self, cx: &mut Cx<'_>, shell: &mut Shell, sid: &str, said: &str, asked: Asked) {
        let peer = self.calls[sid].peer.clone();
        let session = format!("<session xmlns='urn:x-campana:sdp:0' sid='{sid}'>{said}</session>");
        shell.ask(cx, &self.jid, &peer, &session, asked, sid);
    }

    pub(crate) fn calls(&self) -> Vec<(String, bool)> {
        let calls = self.calls.iter();
        calls
            .map(|(sid, call)| (sid.clone(), call.state == State::Active))
            .collect()
    }
}

const DIRECTIONS: [Direction; 4] = [
    Direction::SendRecv,
    Direction::SendOnly,
    Direction::RecvOnly,
    Direction::Inactive,
];
const REASONS: [&str; 6] = [
    "success",
    "busy",
    "connectivity-error",
    "general-error",
    "media-error",
    "gone",
];
pub(crate) const RING: std::time::Duration = std::time::Duration::from_secs(180);
pub(crate) const CONNECT: std::time::Duration = std::time::Duration::from_secs(45);
