//! What a leg answers to everything that its device may say, in each of its states: brought there
//! through the gateway, asked, and written to `docs/call-states.md`. `UPDATE=1 cargo test --test
//! call_states` writes it anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "integration test"
)]

mod mapping_harness;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use campana::gateway::{Config, Gateway, Load, Output};
use campana::presence::Mode;
use campana::sdp::Direction;
use campana::xml::{Document, Element, Limits, NS_COMPONENT};
use mapping_harness::Browser;

#[test]
fn every_action_in_every_state_has_its_answer() {
    let mut text = HEAD.to_owned();
    text.push_str("\n## A Jingle client\n");
    for (state, about, reach) in JINGLE {
        write!(text, "\n### {state}\n\n{about}\n\n{COLUMNS}").unwrap();
        for action in ACTIONS {
            let mut scene = reach();
            let said = scene.jingle(action);
            text.push_str(&scene.probe(action, &said));
        }
    }
    text.push_str("\n## A browser app\n");
    for (state, about, reach) in WEB {
        write!(text, "\n### {state}\n\n{about}\n\n{COLUMNS}").unwrap();
        for event in EVENTS {
            let mut scene = reach();
            let said = scene.session(event);
            text.push_str(&scene.probe(event, &said));
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/call-states.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    let differ = kept.lines().zip(text.lines()).find(|(old, new)| old != new);
    assert!(
        kept == text,
        "docs/call-states.md is not what the gateway does, from {differ:?}; write it anew with UPDATE=1"
    );
}

type State = (&'static str, &'static str, fn() -> Scene);

const JINGLE: [State; 11] = [
    ("No session", "None began, or it is over.", Scene::new),
    (
        "Proposed",
        "It calls by XEP-0353, and nobody has picked up.",
        Scene::proposed,
    ),
    (
        "Proceeding",
        "It was told to proceed, and its session-initiate is to come.",
        Scene::proceeding,
    ),
    (
        "Called",
        "Its session-initiate waits for our session-accept.",
        Scene::called,
    ),
    (
        "Idle",
        "It has picked up, and there is no offer for it yet.",
        Scene::idle,
    ),
    (
        "Calling",
        "Our session-initiate waits for its session-accept.",
        Scene::calling,
    ),
    (
        "Completing",
        "It has accepted, and its ICE credentials are still to come.",
        Scene::completing,
    ),
    (
        "Active, it initiated",
        "Nothing is open.",
        Scene::active_responder,
    ),
    (
        "Active, it was called",
        "Nothing is open.",
        Scene::active_initiator,
    ),
    (
        "Active, awaiting the client",
        "Our content-add waits for its content-accept.",
        Scene::awaiting_client,
    ),
    (
        "Active, awaiting the other side",
        "Its content-add was offered to the other side.",
        Scene::awaiting_browser,
    ),
];

const WEB: [State; 7] = [
    ("No call", "None began, or it is over.", Scene::new_web),
    (
        "Rings",
        "Somebody calls, and it has not picked up.",
        Scene::web_rings,
    ),
    (
        "Picked up",
        "The caller's offer is to come.",
        Scene::web_picked_up,
    ),
    (
        "Calling",
        "Its first offer waits for an answer.",
        Scene::web_calling,
    ),
    (
        "Offered",
        "It has an offer, and is to answer.",
        Scene::web_offered,
    ),
    ("Stable", "Nothing is open.", Scene::web_stable),
    (
        "Offering",
        "A later offer of its own waits for an answer.",
        Scene::web_offering,
    ),
];

const ACTIONS: [&str; 15] = [
    "content-accept",
    "content-add",
    "content-modify",
    "content-reject",
    "content-remove",
    "description-info",
    "security-info",
    "session-accept",
    "session-info",
    "session-initiate",
    "session-terminate",
    "transport-accept",
    "transport-info",
    "transport-reject",
    "transport-replace",
];

const EVENTS: [&str; 8] = [
    "ringing",
    "proceed",
    "offer",
    "answer",
    "candidate",
    "end-of-candidates",
    "info",
    "end",
];

/// A gateway with a call in some state, and the device whose leg is asked.
struct Scene {
    gateway: Gateway,
    now: Instant,
    /// The app of the call, if one is in it.
    browser: Browser,
    own: &'static str,
    to: String,
    /// Creator and name of the first content.
    content: (&'static str, String),
    /// What is being added.
    added: Option<(&'static str, String)>,
}

impl Scene {
    fn new() -> Self {
        let now = Instant::now();
        let mut config = Config::new("call.example.org".parse().unwrap());
        config.access.mode = Mode::Anyone;
        let mut gateway = Gateway::new(config, now, 1_700_000_000, [7; 32]);
        gateway.handle_link_up(now);
        let mut scene = Self {
            gateway,
            now,
            browser: Browser::new('A'),
            own: PHONE,
            to: format!("{JULIET_THERE}/none"),
            content: ("initiator", "a".to_owned()),
            added: None,
        };
        scene.drain();
        scene
    }

    fn new_web() -> Self {
        let mut scene = Self::new();
        scene.own = WEB_APP;
        scene.to = format!("{ROMEO_THERE}/none");
        scene.announce();
        scene
    }

    /// The client says this on the way to the state.
    fn say(&mut self, action: &str) -> Vec<String> {
        let said = self.jingle(action).replace("id='probe'", "id='before'");
        self.send(&said)
    }

    fn announce(&mut self) {
        self.send(&format!(
            "<presence from='{WEB_APP}' to='call.example.org'><device xmlns='urn:x-campana:sdp:0' media='audio video'/></presence>"
        ));
    }

    fn proposed() -> Self {
        let mut scene = Self::new();
        scene.announce();
        scene.send(&message(PHONE, JULIET_THERE, PROPOSE));
        JULIET_THERE.clone_into(&mut scene.to);
        scene
    }

    fn proceeding() -> Self {
        let mut scene = Self::new();
        scene.announce();
        let rings = scene.send(&message(PHONE, JULIET_THERE, PROPOSE));
        let leg = from(&rings, WEB_APP);
        let told = scene.send(&session(WEB_APP, &leg, "<proceed/>"));
        scene.to = from(&told, PHONE);
        scene
    }

    fn called() -> Self {
        let mut scene = Self::proceeding();
        scene.say("session-initiate");
        scene
    }

    fn active_responder() -> Self {
        let mut scene = Self::proceeding();
        let offered = scene.say("session-initiate");
        scene.answer(&offered);
        scene
    }

    fn idle() -> Self {
        let mut scene = Self::new();
        let rings = scene.send(&message(PHONE, JULIET_THERE, PROPOSE));
        scene.own = JULIET_PHONE;
        scene.to = from(&rings, JULIET);
        scene.send(&message(JULIET_PHONE, &scene.to.clone(), PROCEED));
        scene
    }

    fn calling() -> Self {
        let mut scene = Self::new();
        scene.announce();
        scene.browser.add("audio", Direction::SendRecv);
        let offer = scene.browser.offer();
        let rings = scene.send(&session(WEB_APP, ROMEO_THERE, &described("offer", &offer)));
        scene.to = from(&rings, ROMEO);
        let initiate = scene.send(&message(PHONE, &scene.to.clone(), PROCEED));
        assert!(initiate.iter().any(|own| own.contains("session-initiate")));
        scene.content = ("initiator", "A1".to_owned());
        scene
    }

    fn completing() -> Self {
        let mut scene = Self::calling();
        let said = scene.jingle("session-accept").replace(CREDENTIALS, "");
        scene.send(&said.replace("id='probe'", "id='before'"));
        scene
    }

    fn active_initiator() -> Self {
        let mut scene = Self::calling();
        let answered = scene.say("session-accept");
        scene.browser.take_answer(&sdp(&answered));
        scene
    }

    fn awaiting_client() -> Self {
        let mut scene = Self::active_initiator();
        scene.browser.add("video", Direction::SendRecv);
        let offer = scene.browser.offer();
        let app = session(WEB_APP, &scene.app_leg(), &described("offer", &offer));
        let asked = scene.send(&app);
        assert!(asked.iter().any(|own| own.contains("content-add")));
        scene.added = Some(("initiator", "A2".to_owned()));
        scene
    }

    fn awaiting_browser() -> Self {
        let mut scene = Self::active_initiator();
        let offered = scene.say("content-add");
        scene.browser.take_offer(&sdp(&offered));
        scene.added = Some(("responder", "v".to_owned()));
        scene
    }

    fn web_rings() -> Self {
        let mut scene = Self::new_web();
        let rings = scene.send(&message(PHONE, JULIET_THERE, PROPOSE));
        scene.to = from(&rings, WEB_APP);
        scene
    }

    fn web_picked_up() -> Self {
        let mut scene = Self::web_rings();
        scene.send(&session(WEB_APP, &scene.to.clone(), "<proceed/>"));
        scene
    }

    fn web_calling() -> Self {
        let mut scene = Self::calling();
        scene.own = WEB_APP;
        scene.to = scene.app_leg();
        scene
    }

    fn web_stable() -> Self {
        let mut scene = Self::active_initiator();
        scene.own = WEB_APP;
        scene.to = scene.app_leg();
        scene
    }

    fn web_offered() -> Self {
        let mut scene = Self::called_web();
        scene.own = WEB_APP;
        scene.to = scene.app_leg();
        scene
    }

    /// The app has the caller's first offer.
    fn called_web() -> Self {
        let mut scene = Self::proceeding();
        let offered = scene.say("session-initiate");
        scene.browser.take_offer(&sdp(&offered));
        scene
    }

    fn web_offering() -> Self {
        let mut scene = Self::awaiting_client();
        scene.own = WEB_APP;
        scene.to = scene.app_leg();
        scene
    }

    /// Where the app's leg is: the call's key is the same at both addresses.
    fn app_leg(&self) -> String {
        let key = self.to.rsplit('/').next().unwrap();
        format!("{ROMEO_THERE}/{key}")
    }

    fn answer(&mut self, offered: &[String]) {
        let leg = from(offered, WEB_APP);
        self.browser.take_offer(&sdp(offered));
        for line in &mut self.browser.lines {
            line.direction = Direction::SendRecv;
        }
        let answer = self.browser.answer();
        self.send(&session(WEB_APP, &leg, &described("answer", &answer)));
    }

    /// A well-formed stanza of the client's for this action.
    fn jingle(&self, action: &str) -> String {
        let (creator, name) = &self.content;
        let bare = format!("<content creator='{creator}' name='{name}'/>");
        let content = |creator: &str, name: &str, kind: &str, setup: &str| {
            let payload = match kind {
                "audio" => "<payload-type id='111' name='opus' clockrate='48000' channels='2'/>",
                _ => "<payload-type id='96' name='VP8' clockrate='90000'/>",
            };
            format!(
                "<content creator='{creator}' name='{name}'>\
                 <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='{kind}'>{payload}<rtcp-mux/></description>\
                 <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'{CREDENTIALS}>\
                 <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='{setup}'>AA:BB</fingerprint>\
                 </transport></content>"
            )
        };
        let added = self.added.clone();
        let (adder, addition) = added.unwrap_or_else(|| (*creator, name.clone()));
        let own_role = if self.content.1 == "A1" {
            "responder"
        } else {
            "initiator"
        };
        let body = match action {
            "session-initiate" => content("initiator", name, "audio", "actpass"),
            "session-accept" => content(creator, name, "audio", "active"),
            "session-terminate" => "<reason><success/></reason>".to_owned(),
            "session-info" => "<mute xmlns='urn:xmpp:jingle:apps:rtp:info:1'/>".to_owned(),
            "transport-info" => format!(
                "<content creator='{creator}' name='{name}'><transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'{CREDENTIALS}>\
                 <candidate component='1' foundation='1' generation='0' id='c1' ip='192.0.2.9' network='0' port='4000' priority='2122194687' protocol='udp' type='host'/>\
                 </transport></content>"
            ),
            "content-add" => content(own_role, "v", "video", "actpass"),
            "content-accept" => content(adder, &addition, "video", "active"),
            "content-reject" => format!("<content creator='{adder}' name='{addition}'/>"),
            "content-modify" => {
                format!("<content creator='{creator}' name='{name}' senders='{own_role}'/>")
            }
            "description-info" => format!(
                "<content creator='{creator}' name='{name}'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>\
                 <payload-type id='111' name='opus' clockrate='48000' channels='2'><parameter name='stereo' value='1'/></payload-type>\
                 </description></content>"
            ),
            "transport-replace" | "transport-accept" | "transport-reject" => format!(
                "<content creator='{creator}' name='{name}'><transport xmlns='urn:xmpp:jingle:transports:raw-udp:1'/></content>"
            ),
            _ => bare,
        };
        format!(
            "<iq type='set' id='probe' from='{}' to='{}'><jingle xmlns='urn:xmpp:jingle:1' action='{action}' sid='s1'>{body}</jingle></iq>",
            self.own, self.to
        )
    }

    /// A well-formed stanza of the app's for this event.
    fn session(&self, event: &str) -> String {
        let mut browser = self.browser.clone();
        let said = match event {
            "offer" => {
                if !browser.is_stable() || browser.local.is_none() {
                    browser = Browser::new('A');
                    browser.add("audio", Direction::SendRecv);
                }
                browser.lines.iter_mut().for_each(|own| own.direction = Direction::SendOnly);
                described("offer", &browser.offer())
            }
            "answer" if browser.is_asked() => described("answer", &browser.answer()),
            "answer" => {
                let mut browser = Browser::new('A');
                browser.add("audio", Direction::SendRecv);
                described("answer", &browser.offer().replace("actpass", "active"))
            }
            "candidate" => {
                "<candidate mid='A1' index='0' ufrag='AAA0000'>candidate:1 1 udp 2122194687 192.0.2.7 44290 typ host</candidate>".to_owned()
            }
            "end-of-candidates" => "<end-of-candidates mid='A1'/>".to_owned(),
            "info" => "<info><hold/></info>".to_owned(),
            "end" => "<end reason='success'/>".to_owned(),
            other => format!("<{other}/>"),
        };
        session(self.own, &self.to, &said).replace("id='w'", "id='probe'")
    }

    /// Says it, and gives the row of the table; whatever came of it, all ends with the call.
    fn probe(&mut self, said: &str, stanza: &str) -> String {
        let out = self.send(stanza);
        let (mut answers, mut back, mut other) = (Vec::new(), Vec::new(), Vec::new());
        for text in &out {
            let document = parse(text);
            let root = document.root();
            let to = root.attr("to").unwrap();
            match (root.name(), root.attr("type"), root.attr("id")) {
                ("iq", Some("result"), Some("probe")) => answers.push("result".to_owned()),
                ("iq", Some("error"), Some("probe")) => answers.push(conditions(root)),
                ("presence", ..) | ("iq", Some("get"), _) => {}
                _ if to == self.own => back.push(words(root)),
                _ => other.push(words(root)),
            }
        }
        assert_eq!(answers.len(), 1, "{stanza}\n{out:#?}");
        self.end();
        let list = |mut all: Vec<String>| {
            all.dedup();
            all.join(", ")
        };
        format!(
            "| {said} | {} | {} | {} |\n",
            answers[0],
            list(back),
            list(other)
        )
    }

    fn end(&mut self) {
        for device in [PHONE, WEB_APP, JULIET_PHONE] {
            self.send(&format!(
                "<presence type='unavailable' from='{device}' to='call.example.org'/>"
            ));
        }
        self.now += Duration::from_secs(600);
        self.gateway.handle_timeout(self.now);
        self.drain();
        self.now += Duration::from_secs(600);
        self.gateway.handle_timeout(self.now);
        self.drain();
        assert_eq!(self.gateway.load(), Load::default());
    }

    /// What comes of a stanza; whatever the gateway asks of a device is taken.
    fn send(&mut self, text: &str) -> Vec<String> {
        let mut all = Vec::new();
        let mut said = vec![text.to_owned()];
        while !said.is_empty() {
            for text in std::mem::take(&mut said) {
                self.gateway.handle_stanza(self.now, parse(&text));
            }
            let out = self.drain();
            said.extend(out.iter().filter_map(|text| result_of(text)));
            all.extend(out);
        }
        all
    }

    fn drain(&mut self) -> Vec<String> {
        let mut out = Vec::new();
        loop {
            match self.gateway.poll_output() {
                Output::Timeout(_) => return out,
                Output::Stanza(text) => out.push(text),
                _ => {}
            }
        }
    }
}

fn parse(text: &str) -> Document {
    Document::parse(text.as_bytes(), NS_COMPONENT, &Limits::default())
        .unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The result of a request.
fn result_of(text: &str) -> Option<String> {
    let document = parse(text);
    let root = document.root();
    let (from, to, id) = (root.attr("to")?, root.attr("from")?, root.attr("id")?);
    (root.name() == "iq" && root.attr("type") == Some("set"))
        .then(|| format!("<iq type='result' from='{from}' to='{to}' id='{id}'/>"))
}

/// The sender of the first stanza to this address.
fn from(out: &[String], to: &str) -> String {
    let mut documents = out.iter().map(|text| parse(text));
    let document = documents
        .find(|own| {
            let root = own.root();
            root.attr("to") == Some(to)
                && root.name() != "presence"
                && root.attr("type") != Some("get")
        })
        .unwrap_or_else(|| panic!("nothing to {to} in {out:#?}"));
    document.root().attr("from").unwrap().to_owned()
}

/// The session description in one of the stanzas.
fn sdp(out: &[String]) -> String {
    for text in out {
        let document = parse(text);
        let session = document
            .root()
            .children()
            .find(|own| own.name() == "session");
        let described = session.and_then(|own| {
            own.children()
                .find(|own| matches!(own.name(), "offer" | "answer"))
        });
        if let Some(described) = described {
            return described.text().into_owned();
        }
    }
    panic!("no description in {out:#?}");
}

fn message(from: &str, to: &str, step: &str) -> String {
    format!("<message type='chat' from='{from}' to='{to}'>{step}</message>")
}

fn session(from: &str, to: &str, said: &str) -> String {
    format!(
        "<iq type='set' id='w' from='{from}' to='{to}'><session xmlns='urn:x-campana:sdp:0' sid='s1'>{said}</session></iq>"
    )
}

fn described(kind: &str, text: &str) -> String {
    format!("<{kind}>{}</{kind}>", text.replace('\r', "&#13;"))
}

fn conditions(stanza: Element<'_>) -> String {
    let error = stanza.children().find(|own| own.name() == "error").unwrap();
    let names = error.children().filter(|own| own.name() != "text");
    let names: Vec<_> = names.map(|own| format!("`{}`", own.name())).collect();
    names.join(" ")
}

/// What a stanza of the gateway's says, in short.
fn words(stanza: Element<'_>) -> String {
    let Some(payload) = stanza.children().next() else {
        return stanza.attr("type").unwrap_or_default().to_owned();
    };
    let reason = |of: Element<'_>| {
        let reason = of.children().find(|own| own.name() == "reason");
        let reason = reason.and_then(|own| own.children().next());
        reason.map_or_else(String::new, |own| format!(" ({})", own.name()))
    };
    match payload.name() {
        "jingle" => format!("{}{}", payload.attr("action").unwrap(), reason(payload)),
        "session" => {
            let names: Vec<_> = payload
                .children()
                .map(|own| match own.attr("reason") {
                    Some(reason) => format!("`{}` ({reason})", own.name()),
                    None => format!("`{}`", own.name()),
                })
                .collect();
            names.join(" ")
        }
        name => format!("`{name}`{}", reason(payload)),
    }
}

const HEAD: &str = "\
# What a leg answers

A call has a leg to each device. This is what the gateway does with a well-formed stanza of a device
in each state of its leg: the reply to the IQ, what it sends back to the device besides, and what it
says to the devices at the other side of the call.

Written by `tests/call_states.rs` from the gateway itself, which fails when this is not what it does.
What a device may not say here is answered with an error and changes nothing.
";
const COLUMNS: &str = "| said | answer | then, to it | to the other side |\n|---|---|---|---|\n";
const PHONE: &str = "romeo@example.net/phone";
const ROMEO: &str = "romeo@example.net";
const JULIET: &str = "juliet@example.org";
const WEB_APP: &str = "juliet@example.org/web";
const JULIET_PHONE: &str = "juliet@example.org/phone";
const JULIET_THERE: &str = r"juliet\40example.org@call.example.org";
const ROMEO_THERE: &str = r"romeo\40example.net@call.example.org";
const CREDENTIALS: &str = " ufrag='abcd' pwd='abcdefghijklmnopqrstuv'";
const PROPOSE: &str = "<propose xmlns='urn:xmpp:jingle-message:0' id='s1'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose>";
const PROCEED: &str = "<proceed xmlns='urn:xmpp:jingle-message:0' id='s1'/>";
