//! A Jingle client in its dialect, after XEP-0166, 0167, 0176, 0353 and its own habits. It shares no
//! code with the gateway.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use campana::xml::Element;
use rand::RngExt;

use super::app::{CONNECT, RING};
use super::device::{
    Asked, Cx, NO_CONTENT, NOT_FOUND, NOT_IMPLEMENTED, NS_JMI, OUT_OF_ORDER, Shell, TIE_BREAK,
    Wake, pause,
};
use super::habits::{Habits, Senders};

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) jid: String,
    pub(crate) habits: Habits,
    /// Whether it speaks XEP-0353.
    pub(crate) initiation: bool,
    pub(crate) media: &'static str,
    pub(crate) sessions: BTreeMap<String, Session>,
    names: u32,
}

#[derive(Debug)]
pub(crate) struct Session {
    peer: String,
    pub(crate) initiator: bool,
    pub(crate) state: State,
    announced: bool,
    video: bool,
    pub(crate) contents: Vec<Content>,
    /// The content-add under way.
    adding: Option<Adding>,
    /// The content-modify under way: the content, and who sent before.
    modifying: Vec<(String, String, Senders)>,
    /// The restart under way.
    restarting: Option<Restart>,
    generation: u32,
    setup: &'static str,
    grouped: bool,
}

#[derive(Debug)]
struct Adding {
    id: String,
    acknowledged: bool,
    contents: Vec<Content>,
}

/// Its request, whether that was acknowledged, and the credentials of each content before.
type Restart = (String, bool, Vec<(String, String)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Our propose is out.
    Proposing,
    /// Somebody's propose rings.
    Ringing,
    /// We picked up and wait for session-initiate.
    Proceeding,
    /// Our session-initiate is out.
    Initiating,
    /// A session-initiate rings, or is about to be accepted.
    Alerting,
    Active,
}

#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) name: String,
    /// Made by the initiator.
    initiators: bool,
    pub(crate) kind: String,
    pub(crate) senders: Senders,
    pub(crate) own: String,
    pub(crate) theirs: String,
}

impl Client {
    pub(crate) fn new(jid: String, habits: Habits, initiation: bool, media: &'static str) -> Self {
        Self {
            jid,
            habits,
            initiation,
            media,
            sessions: BTreeMap::new(),
            names: 0,
        }
    }

    /// Shows itself, with caps that have to be asked for.
    pub(crate) fn announce(&self, cx: &mut Cx<'_>) {
        cx.out.push(format!(
            "<presence from='{jid}' to='call.example.org'><priority>1</priority>\
             <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:x' ver='{jid}'/></presence>",
            jid = self.jid
        ));
    }

    /// Calls a gateway address.
    pub(crate) fn place(&mut self, cx: &mut Cx<'_>, shell: &mut Shell, to: &str, sid: &str) {
        let video = self.media.contains("video") && cx.rng.random_bool(0.5);
        let announced = self.initiation;
        let session = Session {
            peer: to.to_owned(),
            initiator: true,
            state: State::Proposing,
            announced,
            video,
            contents: Vec::new(),
            adding: None,
            modifying: Vec::new(),
            restarting: None,
            generation: 0,
            setup: "active",
            grouped: false,
        };
        self.sessions.insert(sid.to_owned(), session);
        if announced {
            let video = if video {
                "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'/>"
            } else {
                ""
            };
            let media =
                format!("<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/>{video}");
            self.message(cx, sid, to, "propose", &media);
        } else {
            self.initiate(cx, shell, sid);
        }
        cx.wakes.push((RING, Wake::GiveUp(sid.to_owned())));
    }

    fn initiate(&mut self, cx: &mut Cx<'_>, shell: &mut Shell, sid: &str) {
        let kinds: &[&str] = if self.sessions[sid].video {
            &["audio", "video"]
        } else {
            &["audio"]
        };
        let contents: Vec<_> = kinds
            .iter()
            .map(|kind| self.content(kind, sid, true, (true, true)))
            .collect();
        let session = self.sessions.get_mut(sid).unwrap();
        session.state = State::Initiating;
        session.contents = contents;
        session.grouped = self.habits.groups;
        let contents = self.sessions[sid].contents.clone();
        let body = self.describe(sid, &contents, "actpass", false);
        let initiator = format!(" initiator='{}'", self.jid);
        self.jingle(
            cx,
            shell,
            sid,
            "session-initiate",
            &initiator,
            &body,
            Asked::Begin,
        );
        for _ in 0..cx.rng.random_range(0..3) {
            self.trickle(cx, shell, sid);
        }
    }

    fn content(&mut self, kind: &str, sid: &str, initiators: bool, senders: Senders) -> Content {
        self.names += 1;
        let own = if self.habits.groups {
            // One transport for all.
            match self.sessions[sid].contents.first() {
                Some(tag) => tag.own.clone(),
                None => self.credentials(sid, 0),
            }
        } else {
            self.credentials(sid, self.names)
        };
        // Real clients find contents by their names alone, so none uses one that it knows of.
        let session = &self.sessions[sid];
        let mut name = format!("{}{}", &kind[..1], self.names);
        while session.contents.iter().any(|own| own.name == name) {
            name.push('n');
        }
        Content {
            name,
            initiators,
            kind: kind.to_owned(),
            senders,
            own,
            theirs: String::new(),
        }
    }

    /// Username fragments name the device, so that nobody's are taken for another's.
    fn credentials(&self, sid: &str, content: u32) -> String {
        let device = self.jid.rsplit('/').next().unwrap();
        let generation = self.sessions[sid].generation;
        format!("{device}c{content}g{generation:04}")
    }

    /// A request of the gateway.
    pub(crate) fn asked(
        &mut self,
        cx: &mut Cx<'_>,
        shell: &mut Shell,
        from: &str,
        payload: Element<'_>,
    ) -> Result<String, String> {
        if payload.name() == "query" {
            return Ok(self.info(payload));
        }
        assert_eq!(payload.name(), "jingle", "{payload:?}");
        let sid = payload.attr("sid").unwrap();
        let action = payload.attr("action").unwrap();
        let contents: Vec<_> = payload
            .children()
            .filter(|own| own.name() == "content")
            .collect();
        if self.habits.one_content && !matches!(action, "session-initiate" | "session-accept") {
            assert!(
                contents.len() < 2,
                "{action} with {} contents",
                contents.len()
            );
        }
        if action == "session-initiate" {
            return self.initiated(cx, shell, from, payload, &contents);
        }
        let Some(session) = self.sessions.get_mut(sid).filter(|own| own.peer == from) else {
            return Err(NOT_FOUND.to_owned());
        };
        if action == "session-terminate" {
            let reason = payload.children().find(|own| own.name() == "reason");
            let reason = reason.and_then(|own| own.children().find(|own| own.name() != "text"));
            let reason = reason.map_or("success", Element::name).to_owned();
            self.finish(shell, sid, &reason, false);
            return Ok(String::new());
        }
        if matches!(
            session.state,
            State::Proposing | State::Ringing | State::Proceeding
        ) {
            return Err(NOT_FOUND.to_owned());
        }
        match action {
            "session-accept" => self.accepted(cx, shell, payload, &contents),
            "session-info" => Ok(String::new()),
            "transport-info" => self.transport(cx, shell, sid, &contents),
            "description-info" => Ok(String::new()),
            _ if session.state != State::Active => Err(OUT_OF_ORDER.to_owned()),
            "content-add" => self.adds(cx, shell, payload, &contents),
            "content-accept" | "content-reject" => {
                let Some(mut adding) = session.adding.take() else {
                    return Err(OUT_OF_ORDER.to_owned());
                };
                for content in &contents {
                    let key = key(*content);
                    let place = adding.contents.iter().position(|own| own.key() == key);
                    let mut own = adding
                        .contents
                        .remove(place.expect("a content that was added"));
                    if action == "content-accept" {
                        own.theirs = ufrag(*content).unwrap_or_default();
                        // The transport of the bundle, which may have restarted meanwhile.
                        if session.grouped {
                            own.own.clone_from(&session.contents[0].own);
                        }
                        if let Some(senders) = content.attr("senders") {
                            own.senders = self.habits.read(senders, session.initiator);
                        }
                        session.contents.push(own);
                    }
                }
                if !adding.contents.is_empty() {
                    session.adding = Some(adding);
                }
                Ok(String::new())
            }
            "content-modify" => self.modifies(cx, shell, sid, &contents),
            "content-remove" => {
                if !self.habits.removes {
                    // Where it could not say who it is, it gets what everybody gets.
                    assert!(cx.faulty, "{} ends the call over it", self.habits.name);
                    if self.habits.own_senders {
                        self.hang_up(cx, shell, sid, "failed-application");
                        return Ok(String::new());
                    }
                    return Err(NOT_IMPLEMENTED.to_owned());
                }
                session
                    .contents
                    .retain(|own| !contents.iter().any(|gone| key(*gone) == own.key()));
                if session.contents.is_empty() {
                    self.hang_up(cx, shell, sid, "success");
                }
                Ok(String::new())
            }
            other => panic!("{other} from the gateway"),
        }
    }

    fn initiated(
        &mut self,
        cx: &mut Cx<'_>,
        _shell: &mut Shell,
        from: &str,
        payload: Element<'_>,
        contents: &[Element<'_>],
    ) -> Result<String, String> {
        let sid = payload.attr("sid").unwrap();
        let state = self.sessions.get(sid).map(|own| own.state);
        let announced = match state {
            Some(State::Proceeding) => true,
            None if !self.initiation => false,
            None => return Err(NOT_FOUND.to_owned()),
            Some(_) => return Err(TIE_BREAK.to_owned()),
        };
        assert!(!contents.is_empty());
        let session = Session {
            peer: from.to_owned(),
            initiator: false,
            state: State::Alerting,
            announced,
            video: true,
            contents: Vec::new(),
            adding: None,
            modifying: Vec::new(),
            restarting: None,
            generation: 0,
            setup: "active",
            grouped: self.habits.groups && payload.children().any(|own| own.name() == "group"),
        };
        self.sessions.insert(sid.to_owned(), session);
        for content in contents {
            let content = self.theirs(sid, *content);
            self.sessions.get_mut(sid).unwrap().contents.push(content);
        }
        if announced {
            cx.wakes
                .push((pause(cx.rng, 500), Wake::Answer(sid.to_owned())));
        } else {
            let info = "<ringing xmlns='urn:xmpp:jingle:apps:rtp:info:1'/>";
            self.jingle(cx, _shell, sid, "session-info", "", info, Asked::Inform);
            cx.wakes
                .push((pause(cx.rng, 20_000), Wake::Decide(sid.to_owned())));
        }
        cx.wakes.push((RING, Wake::GiveUp(sid.to_owned())));
        Ok(String::new())
    }

    /// What a content of the gateway's is to us.
    fn theirs(&mut self, sid: &str, content: Element<'_>) -> Content {
        let session = &self.sessions[sid];
        let initiators = content.attr("creator") != Some("responder");
        let description = content.children().find(|own| own.name() == "description");
        let kind = description
            .and_then(|own| own.attr("media"))
            .unwrap_or("audio");
        let senders = self
            .habits
            .read(content.attr("senders").unwrap_or("both"), session.initiator);
        let mut own = self.content(kind, sid, initiators, senders);
        content.attr("name").unwrap().clone_into(&mut own.name);
        own.theirs = ufrag(content).unwrap_or_default();
        own
    }

    fn accept(&mut self, cx: &mut Cx<'_>, shell: &mut Shell, sid: &str) {
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        if session.state != State::Alerting {
            return;
        }
        session.state = State::Active;
        let contents = session.contents.clone();
        let body = self.describe(sid, &contents, "active", true);
        let responder = format!(" responder='{}'", self.jid);
        self.jingle(
            cx,
            shell,
            sid,
            "session-accept",
            &responder,
            &body,
            Asked::Describe,
        );
        for _ in 0..cx.rng.random_range(0..3) {
            self.trickle(cx, shell, sid);
        }
    }

    fn accepted(
        &mut self,
        _cx: &mut Cx<'_>,
        _shell: &mut Shell,
        payload: Element<'_>,
        contents: &[Element<'_>],
    ) -> Result<String, String> {
        let sid = payload.attr("sid").unwrap();
        let habits = self.habits;
        let session = self.sessions.get_mut(sid).unwrap();
        if session.state != State::Initiating {
            return Err(OUT_OF_ORDER.to_owned());
        }
        if habits.name == "Conversations" {
            assert_eq!(
                contents.len(),
                session.contents.len(),
                "all that was offered"
            );
        }
        session.grouped &= payload.children().any(|own| own.name() == "group");
        session.state = State::Active;
        let initiator = session.initiator;
        session.contents.retain_mut(|own| {
            let Some(answer) = contents
                .iter()
                .find(|it| it.attr("name") == Some(&own.name))
            else {
                return false;
            };
            own.theirs = ufrag(*answer).unwrap_or_default();
            if let Some(senders) = answer.attr("senders") {
                own.senders = habits.read(senders, initiator);
            }
            true
        });
        assert!(!session.contents.is_empty(), "an accept of nothing");
        if contents.iter().any(|own| setup(*own) == Some("active")) {
            session.setup = "passive";
        }
        Ok(String::new())
    }

    fn adds(
        &mut self,
        cx: &mut Cx<'_>,
        shell: &mut Shell,
        payload: Element<'_>,
        contents: &[Element<'_>],
    ) -> Result<String, String> {
        let sid = payload.attr("sid").unwrap();
        let session = self.sessions.get_mut(sid).unwrap();
        // XEP-0166 §7.2.16 is about requests that cross: one that was acknowledged did not.
        if session.crosses() && session.initiator {
            return Err(TIE_BREAK.to_owned());
        }
        session.yield_to_initiator();
        let reject = cx.rng.random_bool(0.1);
        let mut added = Vec::new();
        for content in contents {
            let own = self.theirs(sid, *content);
            let session = self.sessions.get_mut(sid).unwrap();
            assert!(
                !session.contents.iter().any(|it| it.key() == own.key()),
                "{} is there twice",
                own.name
            );
            if !reject {
                session.contents.push(own.clone());
            }
            added.push(own);
        }
        if reject {
            let mut body = String::new();
            for own in &added {
                write!(body, "<content {}/>", own.names()).unwrap();
            }
            body.push_str("<reason><decline/></reason>");
            self.jingle(cx, shell, sid, "content-reject", "", &body, Asked::Inform);
        } else {
            let setup = self.sessions[sid].setup;
            let body = self.describe(sid, &added, setup, true);
            let action = if self.habits.accepts_all {
                "session-accept"
            } else {
                "content-accept"
            };
            self.jingle(cx, shell, sid, action, "", &body, Asked::Inform);
        }
        Ok(String::new())
    }

    fn modifies(
        &mut self,
        cx: &mut Cx<'_>,
        shell: &mut Shell,
        sid: &str,
        contents: &[Element<'_>],
    ) -> Result<String, String> {
        let habits = self.habits;
        let session = self.sessions.get_mut(sid).unwrap();
        let initiator = session.initiator;
        let mut changed = Vec::new();
        for content in contents {
            let name = key(*content);
            let crossing = session.modifying.iter().any(|(_, own, _)| *own == name);
            if crossing && initiator {
                return Err(TIE_BREAK.to_owned());
            }
            let senders = habits.read(content.attr("senders").unwrap(), initiator);
            let Some(own) = session.contents.iter_mut().find(|own| own.key() == name) else {
                return Err(NO_CONTENT.to_owned());
            };
            if habits.own_senders && !crossing {
                let (before, after) = if initiator {
                    (own.senders.0, senders.0)
                } else {
                    (own.senders.1, senders.1)
                };
                assert!(cx.faulty || before == after, "only we say what we send");
            }
            own.senders = senders;
            session.modifying.retain(|(_, own, _)| *own != name);
            changed.push(own.clone());
        }
        if habits.accepts_all {
            let setup = session.setup;
            let body = self.describe(sid, &changed, setup, true);
            self.jingle(cx, shell, sid, "session-accept", "", &body, Asked::Inform);
        }
        Ok(String::new())
    }

    fn transport(
        &mut self,
        cx: &mut Cx<'_>,
        shell: &mut Shell,
        sid: &str,
        contents: &[Element<'_>],
    ) -> Result<String, String> {
        let habits = self.habits;
        let session = self.sessions.get_mut(sid).unwrap();
        let fresh: Vec<_> = contents
            .iter()
            .filter_map(|content| {
                let name = key(*content);
                let own = session.contents.iter().find(|own| own.key() == name)?;
                let new = ufrag(*content)?;
                (new != own.theirs && !own.theirs.is_empty()).then_some((name, new))
            })
            .collect();
        if fresh.is_empty() || session.state != State::Active {
            return Ok(String::new());
        }
        if !habits.restarts {
            // It could not say who it is. Credentials are set once, and others are passed over.
            assert!(cx.faulty, "{} can not restart", habits.name);
            return Ok(String::new());
        }
        let bare = !contents.iter().any(|own| has_candidates(*own));
        let offer = match (&session.restarting, habits.by_candidates) {
            (_, true) => bare,
            (Some((_, acknowledged, _)), false) => !acknowledged,
            (None, false) => true,
        };
        // Conversations goes by its signalling state, which the result does not change.
        let open = habits.by_candidates && session.restarting.is_some();
        if offer && session.initiator && (session.crosses() || open) {
            return Err(TIE_BREAK.to_owned());
        }
        if offer && session.initiator && habits.restarts_by_initiator {
            assert!(cx.faulty, "{} is asked for a restart", habits.name);
            self.hang_up(cx, shell, sid, "failed-transport");
            return Ok(String::new());
        }
        if !offer && !matches!(session.restarting, Some((_, true, _))) {
            // What was sent before our restart was seen, or after it was taken back.
            return Ok(String::new());
        }
        if offer {
            session.yield_to_initiator();
            session.take_back();
        }
        for own in &mut session.contents {
            let exact = fresh.iter().find(|(name, _)| *name == own.key());
            let shared = habits.by_candidates || session.grouped;
            if let Some((_, new)) = exact.or_else(|| fresh.first().filter(|_| shared)) {
                own.theirs.clone_from(new);
            }
        }
        if offer {
            let body = self.restart(sid, true);
            self.jingle(cx, shell, sid, "transport-info", "", &body, Asked::Inform);
        } else {
            session.restarting = None;
        }
        Ok(String::new())
    }

    /// New credentials of our own.
    fn restart(&mut self, sid: &str, candidates: bool) -> String {
        self.sessions.get_mut(sid).unwrap().generation += 1;
        let mut names = 0;
        let fresh = self.credentials(sid, 0);
        let generation = self.sessions[sid].generation;
        let grouped = self.habits.groups || self.habits.by_candidates;
        let session = self.sessions.get_mut(sid).unwrap();
        let mut body = String::new();
        for own in &mut session.contents {
            own.own.clone_from(&fresh);
            if !grouped {
                names += 1;
                write!(own.own, "n{names}").unwrap();
            }
            let candidate = if candidates {
                candidate(generation)
            } else {
                String::new()
            };
            write!(
                body,
                "<content {}><transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='{}' pwd='{PWD}'>{candidate}</transport></content>",
                own.names(),
                own.own
            )
            .unwrap();
        }
        body
    }

    /// A message of XEP-0353.
    pub(crate) fn told(
        &mut self,
        cx: &mut Cx<'_>,
        shell: &mut Shell,
        from: &str,
        step: Element<'_>,
        error: bool,
    ) {
        if !self.initiation {
            return;
        }
        let sid = step.attr("id").unwrap();
        if error {
            if step.name() == "propose" {
                self.finish(shell, sid, "bounced", false);
            }
            return;
        }
        let own_person = from.split('/').next() == self.jid.split('/').next();
        let reason = step.children().find(|own| own.name() == "reason");
        let reason = reason.and_then(|own| own.children().find(|own| own.name() != "text"));
        let reason = reason.map_or("none", Element::name).to_owned();
        let state = self.sessions.get(sid).map(|own| own.state);
        match (step.name(), state) {
            ("propose", None) if !own_person => {
                let session = Session {
                    peer: from.to_owned(),
                    initiator: false,
                    state: State::Ringing,
                    announced: true,
                    video: true,
                    contents: Vec::new(),
                    adding: None,
                    modifying: Vec::new(),
                    restarting: None,
                    generation: 0,
                    setup: "active",
                    grouped: false,
                };
                self.sessions.insert(sid.to_owned(), session);
                if self.habits.rings {
                    self.message(cx, sid, from, "ringing", "");
                }
                cx.wakes
                    .push((pause(cx.rng, 20_000), Wake::Decide(sid.to_owned())));
                cx.wakes.push((RING, Wake::GiveUp(sid.to_owned())));
            }
            // Another device of ours has taken it.
            ("proceed" | "reject" | "accept", Some(State::Ringing)) if own_person => {
                self.finish(shell, sid, "elsewhere", false);
            }
            ("proceed", Some(State::Proposing)) if !own_person => {
                from.clone_into(&mut self.sessions.get_mut(sid).unwrap().peer);
                self.initiate(cx, shell, sid);
            }
            ("reject", Some(State::Proposing)) => self.finish(shell, sid, &reason, false),
            ("retract", Some(State::Ringing | State::Proceeding)) if !own_person => {
                self.finish(shell, sid, &reason, false);
            }
            ("finish", Some(_)) if !own_person => self.finish(shell, sid, &reason, false),
            _ => {}
        }
    }

    /// A request of ours was answered.
    pub(crate) fn replied(
        &mut self,
        cx: &mut Cx<'_>,
        shell: &mut Shell,
        id: &str,
        asked: Asked,
        sid: &str,
        error: Option<Vec<String>>,
    ) {
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        let is = |condition: &str| {
            error
                .as_ref()
                .is_some_and(|error| error.iter().any(|own| own == condition))
        };
        if is("unknown-session") {
            return self.finish(shell, sid, "gone", false);
        }
        match asked {
            Asked::Begin if error.is_some() => self.finish(shell, sid, "refused", false),
            Asked::Describe if error.is_some() => {
                assert!(cx.faulty, "a session-accept is refused: {error:?}");
                self.hang_up(cx, shell, sid, "failed-application");
            }
            Asked::Add => {
                if let Some(own) = session.adding.as_mut().filter(|own| own.id == id) {
                    own.acknowledged = true;
                    if error.is_some() {
                        session.adding = None;
                    }
                }
            }
            Asked::Modify => {
                let place = session.modifying.iter().position(|(own, ..)| own == id);
                if let Some(place) = place {
                    let (_, name, before) = session.modifying.remove(place);
                    let content = session.contents.iter_mut().find(|own| own.key() == name);
                    if let (Some(content), true) = (content, error.is_some()) {
                        content.senders = before;
                    }
                }
            }
            Asked::Restart => {
                if let Some((own, acknowledged, _)) = &mut session.restarting
                    && own == id
                {
                    *acknowledged = true;
                    if error.is_some() {
                        session.take_back();
                    } else {
                        self.trickle(cx, shell, sid);
                    }
                }
            }
            Asked::Inform if is("remote-server-timeout") => {}
            Asked::Begin | Asked::Describe | Asked::Renegotiate | Asked::Inform | Asked::End => {}
        }
    }

    pub(crate) fn wake(&mut self, cx: &mut Cx<'_>, shell: &mut Shell, wake: Wake) {
        match wake {
            Wake::Decide(sid) => self.decide(cx, shell, &sid),
            Wake::Answer(sid) => self.accept(cx, shell, &sid),
            Wake::GiveUp(sid) => {
                if self
                    .sessions
                    .get(&sid)
                    .is_some_and(|own| own.state != State::Active)
                {
                    self.hang_up(cx, shell, &sid, "timeout");
                }
            }
            Wake::Act => {
                let pick = cx.rng.random_range(0..self.sessions.len().max(1));
                if let Some(sid) = self.sessions.keys().nth(pick).cloned() {
                    self.act(cx, shell, &sid);
                }
            }
            Wake::HangUp => {
                for sid in self.sessions.keys().cloned().collect::<Vec<_>>() {
                    self.hang_up(cx, shell, &sid, "success");
                }
            }
            Wake::Negotiate(_) | Wake::Overdue(_) => {}
        }
    }

    fn decide(&mut self, cx: &mut Cx<'_>, shell: &mut Shell, sid: &str) {
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        let peer = session.peer.clone();
        match (session.state, cx.rng.random_range(0..10)) {
            (State::Ringing | State::Alerting, 0) => self.hang_up(cx, shell, sid, "decline"),
            (State::Ringing | State::Alerting, 1) => self.hang_up(cx, shell, sid, "busy"),
            (State::Ringing | State::Alerting, 2) => {}
            (State::Ringing, _) => {
                session.state = State::Proceeding;
                self.message(cx, sid, &peer, "proceed", "");
                cx.wakes.push((CONNECT, Wake::GiveUp(sid.to_owned())));
            }
            (State::Alerting, _) => self.accept(cx, shell, sid),
            _ => {}
        }
    }

    fn act(&mut self, cx: &mut Cx<'_>, shell: &mut Shell, sid: &str) {
        let habits = self.habits;
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        if cx.rng.random_bool(0.04) {
            let reason = match session.state {
                State::Active => REASONS[cx.rng.random_range(0..REASONS.len())],
                State::Ringing | State::Alerting => "decline",
                _ => "cancel",
            };
            return self.hang_up(cx, shell, sid, reason);
        }
        if session.state != State::Active {
            return;
        }
        let initiator = session.initiator;
        let open = session.adding.is_some() || session.restarting.is_some();
        let pick = cx.rng.random_range(0..session.contents.len());
        match cx.rng.random_range(0..7) {
            0 if !open && session.contents.len() < 4 => {
                let both = cx.rng.random_bool(0.5) && !habits.one_content;
                let senders = (initiator || both, !initiator || both);
                let content = self.content(
                    "video",
                    sid,
                    initiator || habits.created_by_initiator,
                    senders,
                );
                let body = self.describe(sid, std::slice::from_ref(&content), "actpass", false);
                let id = self.jingle(cx, shell, sid, "content-add", "", &body, Asked::Add);
                self.sessions.get_mut(sid).unwrap().adding = Some(Adding {
                    id,
                    acknowledged: false,
                    contents: vec![content],
                });
            }
            1 if habits.removes && !open && session.contents.len() > 1 => {
                let own = session.contents.remove(pick.max(1));
                let body = format!("<content {}/>", own.names());
                self.jingle(cx, shell, sid, "content-remove", "", &body, Asked::Inform);
            }
            2 | 3 => {
                if session.modifying.len() > 1 {
                    return;
                }
                let own = &mut session.contents[pick];
                if session
                    .modifying
                    .iter()
                    .any(|(_, name, _)| *name == own.key())
                {
                    return;
                }
                let before = own.senders;
                let sends = cx.rng.random_bool(0.5);
                let receives = if habits.own_senders {
                    if initiator { before.1 } else { before.0 }
                } else {
                    cx.rng.random_bool(0.5)
                };
                own.senders = if initiator {
                    (sends, receives)
                } else {
                    (receives, sends)
                };
                let name = own.key();
                let senders = habits.write(own.senders, initiator);
                let body = format!("<content {} senders='{senders}'/>", own.names());
                let id = self.jingle(cx, shell, sid, "content-modify", "", &body, Asked::Modify);
                let session = self.sessions.get_mut(sid).unwrap();
                session.modifying.push((id, name, before));
            }
            4 if habits.restarts && !open && (initiator || !habits.restarts_by_initiator) => {
                let before = session.credentials();
                let body = self.restart(sid, !habits.by_candidates);
                let id = self.jingle(cx, shell, sid, "transport-info", "", &body, Asked::Restart);
                let session = self.sessions.get_mut(sid).unwrap();
                session.restarting = Some((id, false, before));
            }
            5 => {
                let info = ["hold", "unhold", "mute", "unmute", "active"];
                let info = info[cx.rng.random_range(0..info.len())];
                let info = format!("<{info} xmlns='urn:xmpp:jingle:apps:rtp:info:1'/>");
                self.jingle(cx, shell, sid, "session-info", "", &info, Asked::Inform);
            }
            _ => self.trickle(cx, shell, sid),
        }
    }

    pub(crate) fn hang_up(&mut self, cx: &mut Cx<'_>, shell: &mut Shell, sid: &str, reason: &str) {
        let Some(session) = self.sessions.get(sid) else {
            return;
        };
        let (state, peer, announced) = (session.state, session.peer.clone(), session.announced);
        let why = format!("<reason xmlns='urn:xmpp:jingle:1'><{reason}/></reason>");
        match state {
            State::Proposing => {
                let bare = peer.split('/').next().unwrap().to_owned();
                self.message(cx, sid, &bare, "retract", &why);
            }
            State::Ringing => self.message(cx, sid, &peer, "reject", &why),
            State::Proceeding => self.message(cx, sid, &peer, "finish", &why),
            State::Initiating | State::Alerting | State::Active => {
                let why = format!("<reason><{reason}/></reason>");
                self.jingle(cx, shell, sid, "session-terminate", "", &why, Asked::End);
                if announced && self.habits.finishes {
                    let why = format!("<reason xmlns='urn:xmpp:jingle:1'><{reason}/></reason>");
                    self.message(cx, sid, &peer, "finish", &why);
                }
            }
        }
        self.finish(shell, sid, reason, true);
    }

    fn finish(&mut self, shell: &mut Shell, sid: &str, reason: &str, own: bool) {
        if let Some(session) = self.sessions.remove(sid) {
            shell.over(sid, reason, own, session.state == State::Active);
        }
    }

    fn trickle(&self, cx: &mut Cx<'_>, shell: &mut Shell, sid: &str) {
        let session = &self.sessions[sid];
        // Between a restart and its result there is nothing that means anything to the peer.
        if matches!(session.restarting, Some((_, false, _))) {
            return;
        }
        let Some(own) = session.contents.first() else {
            return;
        };
        let mut said = candidate(session.generation);
        if self.habits.gathering_complete && cx.rng.random_bool(0.2) {
            said.push_str("<gathering-complete/>");
        }
        let body = format!(
            "<content {}><transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='{}' pwd='{PWD}'>{said}</transport></content>",
            own.names(),
            own.own
        );
        self.jingle(cx, shell, sid, "transport-info", "", &body, Asked::Inform);
    }

    /// Contents with all they have. `accepting`: they are the peer's, or were.
    fn describe(&self, sid: &str, contents: &[Content], setup: &str, accepting: bool) -> String {
        let session = &self.sessions[sid];
        let mut body = String::new();
        let mut group = String::new();
        for own in contents {
            let payload = match own.kind.as_str() {
                "audio" => "<payload-type id='111' name='opus' clockrate='48000' channels='2'/>",
                _ => "<payload-type id='96' name='VP8' clockrate='90000'/>",
            };
            let mut names = own.names();
            if accepting && self.habits.wrong_creator {
                names = names.replace("'initiator'", "'responder'");
            }
            let senders = self.habits.write(own.senders, session.initiator);
            write!(
                body,
                "<content {names} senders='{senders}'>\
                 <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='{}'>{payload}<rtcp-mux/></description>\
                 <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='{}' pwd='{PWD}'>\
                 <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='{setup}'>AA:BB</fingerprint>\
                 </transport></content>",
                own.kind, own.own
            )
            .unwrap();
        }
        if session.grouped {
            let all = session.contents.iter().chain(contents);
            let mut names: Vec<&str> = Vec::new();
            for own in all {
                if !names.contains(&own.name.as_str()) {
                    names.push(&own.name);
                    write!(group, "<content name='{}'/>", own.name).unwrap();
                }
            }
            write!(
                body,
                "<group xmlns='urn:xmpp:jingle:apps:grouping:0' semantics='BUNDLE'>{group}</group>"
            )
            .unwrap();
        }
        body
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one stanza")]
    fn jingle(
        &self,
        cx: &mut Cx<'_>,
        shell: &mut Shell,
        sid: &str,
        action: &str,
        attributes: &str,
        body: &str,
        asked: Asked,
    ) -> String {
        let peer = self.sessions[sid].peer.clone();
        let jingle = format!(
            "<jingle xmlns='urn:xmpp:jingle:1' action='{action}' sid='{sid}'{attributes}>{body}</jingle>"
        );
        shell.ask(cx, &self.jid, &peer, &jingle, asked, sid)
    }

    fn message(&self, cx: &mut Cx<'_>, sid: &str, to: &str, step: &str, body: &str) {
        cx.out.push(format!(
            "<message type='chat' from='{}' to='{to}'><{step} xmlns='{NS_JMI}' id='{sid}'>{body}</{step}></message>",
            self.jid
        ));
    }

    /// The answer to disco#info.
    fn info(&self, query: Element<'_>) -> String {
        let mut features = vec![
            "urn:xmpp:jingle:1",
            "urn:xmpp:jingle:apps:rtp:1",
            "urn:xmpp:jingle:transports:ice-udp:1",
            "urn:xmpp:jingle:apps:rtp:audio",
        ];
        if self.media.contains("video") {
            features.push("urn:xmpp:jingle:apps:rtp:video");
        }
        if self.initiation {
            features.push(NS_JMI);
        }
        let mut text = format!(
            "<query xmlns='http://jabber.org/protocol/disco#info' node='{}'><identity category='client' type='pc' name='{}'/>",
            query.attr("node").unwrap_or_default(),
            self.habits.name
        );
        for feature in features {
            write!(text, "<feature var='{feature}'/>").unwrap();
        }
        text + "</query>"
    }

    pub(crate) fn calls(&self) -> Vec<(String, bool)> {
        let sessions = self.sessions.iter();
        sessions
            .map(|(sid, own)| (sid.clone(), own.state == State::Active))
            .collect()
    }
}

impl Session {
    /// Whether nothing is under way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.adding.is_none() && self.modifying.is_empty() && self.restarting.is_none()
    }

    /// Whether a request is out of those that can not go on beside one of the peer's.
    fn crosses(&self) -> bool {
        self.adding.as_ref().is_some_and(|own| !own.acknowledged)
            || matches!(self.restarting, Some((_, false, _)))
    }

    /// What crosses the initiator's request is void.
    fn yield_to_initiator(&mut self) {
        if self.crosses() && !self.initiator {
            if self.adding.as_ref().is_some_and(|own| !own.acknowledged) {
                self.adding = None;
            }
            if matches!(self.restarting, Some((_, false, _))) {
                self.take_back();
            }
        }
    }

    fn credentials(&self) -> Vec<(String, String)> {
        let contents = self.contents.iter();
        contents.map(|own| (own.key(), own.own.clone())).collect()
    }

    /// Our restart is void.
    fn take_back(&mut self) {
        if let Some((_, _, before)) = self.restarting.take() {
            for own in &mut self.contents {
                if let Some((_, old)) = before.iter().find(|(name, _)| *name == own.key()) {
                    own.own.clone_from(old);
                }
            }
        }
    }
}

impl Content {
    /// What tells it from others (XEP-0166 §7.3: names are the creator's).
    fn key(&self) -> String {
        format!("{} {}", self.initiators, self.name)
    }

    fn names(&self) -> String {
        let creator = if self.initiators {
            "initiator"
        } else {
            "responder"
        };
        format!("creator='{creator}' name='{}'", self.name)
    }
}

/// [`Content::key`] of what the gateway says.
fn key(content: Element<'_>) -> String {
    let initiators = content.attr("creator") != Some("responder");
    format!("{initiators} {}", content.attr("name").unwrap())
}

fn transport(content: Element<'_>) -> Option<Element<'_>> {
    content.children().find(|own| own.name() == "transport")
}

fn ufrag(content: Element<'_>) -> Option<String> {
    transport(content)?.attr("ufrag").map(str::to_owned)
}

fn setup(content: Element<'_>) -> Option<&str> {
    let mut children = transport(content)?.children();
    children
        .find(|own| own.name() == "fingerprint")?
        .attr("setup")
}

fn has_candidates(content: Element<'_>) -> bool {
    transport(content).is_some_and(|own| {
        own.children()
            .any(|own| matches!(own.name(), "candidate" | "gathering-complete"))
    })
}

fn candidate(generation: u32) -> String {
    format!(
        "<candidate component='1' foundation='1' generation='{generation}' id='c1' ip='192.0.2.9' \
         network='0' port='4000' priority='2122194687' protocol='udp' type='host'/>"
    )
}

const REASONS: [&str; 5] = [
    "success",
    "busy",
    "connectivity-error",
    "general-error",
    "failed-application",
];
const PWD: &str = "0123456789abcdef01234567";
