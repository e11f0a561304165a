//! What calls cost: CPU time of a whole call and memory of open ones.
//!
//! `cargo bench --bench call` plays a server with two clients for each call, a browser app and a
//! Jingle client that speaks XEP-0353, with what Chrome describes of audio and video. The gateway
//! gets bytes of its XML stream and gives stanzas, in virtual time; sockets are not in it. `CALLS`
//! are open at once for the memory (100,000 if not given), which takes up to
//! 10 GB; `ROUNDS` of 500 calls are timed (20).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "bench"
)]

mod meter;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use campana::gateway::{Config, Gateway, Output};
use campana::jingle::{self, Jingle, Role, Sid};
use campana::mapping::{self, Dialect, Kind, Session};
use campana::presence::Mode;
use campana::sdp;
use campana::xml::{self, Document, Frame, Framer};
use meter::{held, processor_time};

/// Chrome 156's offer of audio and video, and its answer.
const OFFER: &str = include_str!("../corpus/chrome156/audio-video.offer.sdp");
const ANSWER: &str = include_str!("../corpus/chrome156/audio-video.answer.sdp");

/// Candidates of each side, each in a stanza of its own.
const CANDIDATES: usize = 4;

fn main() {
    // `cargo bench` and `cargo nextest` pass options; there is nothing to choose.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let number = |name: &str, otherwise: usize| {
        std::env::var(name).map_or(otherwise, |own| own.parse().unwrap())
    };
    let bodies = Bodies::new();
    for (name, direction) in [
        ("app calls client", Direction::AppCalls),
        ("client calls app", Direction::ClientCalls),
    ] {
        time(name, direction, &bodies, number("ROUNDS", 20));
    }
    weigh(&bodies, number("CALLS", 100_000));
}

/// CPU time of whole calls.
fn time(name: &str, direction: Direction, bodies: &Bodies, rounds: usize) {
    let mut world = World::new(bodies);
    let mut costs = Vec::new();
    let (mut stanzas, mut bytes) = (0, 0);
    for round in 0..=rounds {
        let (began, heard, said, read, written) = (
            processor_time(),
            world.heard,
            world.said,
            world.bytes_in,
            world.bytes_out,
        );
        for call in 0..CALLS_IN_ROUND {
            world.call(direction, call);
            // So long that the call is at rest.
            world.pass(UNTIL_REST);
            world.hang_up(call);
        }
        // What it keeps of ended calls for a while is let go within the round.
        world.pass(Duration::from_secs(120));
        let cost = (processor_time() - began).as_secs_f64() * 1e6 / CALLS_IN_ROUND as f64;
        if round > 0 {
            costs.push(cost);
        }
        stanzas = (world.heard - heard + world.said - said) / CALLS_IN_ROUND;
        bytes = (world.bytes_in - read + world.bytes_out - written) / CALLS_IN_ROUND;
    }
    assert!(!world.gateway.has_calls(), "a call is left");
    costs.sort_by(f64::total_cmp);
    println!(
        "{name}: {:.0} µs of CPU per call ({:.0} to {:.0}), {stanzas} stanzas, {bytes} bytes",
        costs.get(costs.len() / 2).unwrap(),
        costs.first().unwrap(),
        costs.last().unwrap()
    );
}

/// Memory of calls that ring, and of those that were answered.
fn weigh(bodies: &Bodies, calls: usize) {
    let mut world = World::new(bodies);
    let per_call = |bytes: usize| bytes as f64 / calls as f64;
    for call in 0..calls {
        world.announce(call);
    }
    world.settle();
    let before = held();
    for call in 0..calls {
        world.ring(Direction::AppCalls, call);
    }
    world.settle();
    let ringing = held() - before;
    for call in 0..calls {
        world.answer(Direction::AppCalls, call);
    }
    world.settle();
    let at_hand = held() - before;
    world.pass(UNTIL_REST);
    let answered = held() - before;
    let (offer, both) = bodies.weights();
    println!(
        "{calls} calls that ring: {:.0} bytes each, of them {offer} the offer; so {:.0} beside it",
        per_call(ringing),
        per_call(ringing) - offer as f64
    );
    println!(
        "{calls} answered calls: {:.0} bytes each, of them {both} both descriptions; so {:.0} beside them \
         ({:.0} bytes in their first seconds)",
        per_call(answered),
        per_call(answered) - both as f64,
        per_call(at_hand)
    );
    for call in 0..calls {
        world.hang_up(call);
    }
    world.settle();
    println!(
        "after their end: {:.0} bytes of each",
        per_call(held().saturating_sub(before))
    );
    assert!(!world.gateway.has_calls(), "a call is left");
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    AppCalls,
    ClientCalls,
}

/// What is said in every call.
struct Bodies {
    offer: String,
    answer: String,
    initiate: String,
    accept: String,
}

impl Bodies {
    fn new() -> Self {
        let jingle = |sdp: &str, role, kind| {
            let sdp = sdp::Session::parse(sdp, &sdp::Limits::default()).unwrap();
            let sid = Sid::new(SID).unwrap();
            let mapped = mapping::to_jingle(&sdp, sid, role, kind, &Dialect::STRICT);
            mapped.unwrap().0.to_xml()
        };
        Self {
            offer: escape(OFFER),
            answer: escape(ANSWER),
            initiate: jingle(OFFER, Role::Initiator, Kind::Offer),
            accept: jingle(ANSWER, Role::Responder, Kind::Answer),
        }
    }

    /// Bytes of the caller's offer, and of both descriptions as they are kept once agreed on.
    fn weights(&self) -> (usize, usize) {
        let offer = sdp::Session::parse(OFFER, &sdp::Limits::default()).unwrap();
        let (mut session, _) =
            Session::initiate(Sid::new(SID).unwrap(), offer, &Dialect::STRICT).unwrap();
        let limits = xml::Limits::default();
        let accept = Document::parse(self.accept.as_bytes(), "", &limits).unwrap();
        let accept = Jingle::from_xml(accept.root(), &jingle::Limits::default()).unwrap();
        session.accepted(&accept).unwrap();
        session.take_report();
        let resting = Box::new(session).rest().unwrap();
        let both = resting.descriptions().map(|own| own.text().len());
        (OFFER.len(), both.iter().sum())
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('\r', "&#13;")
}

/// The server, and everybody's devices.
struct World<'a> {
    bodies: &'a Bodies,
    gateway: Gateway,
    framer: Framer,
    now: Instant,
    inbox: VecDeque<String>,
    next_id: u64,
    heard: usize,
    said: usize,
    bytes_in: usize,
    bytes_out: usize,
    /// Where each call's app and client reach the gateway. Of one size, so that they weigh nothing
    /// more during a call.
    legs: Vec<[Address; 2]>,
}

/// A call's app and client.
const APP: usize = 0;
const CLIENT: usize = 1;

#[derive(Clone, Copy)]
struct Address([u8; 120], usize);

impl Address {
    fn new(text: &str) -> Self {
        let mut bytes = [0; 120];
        bytes
            .get_mut(..text.len())
            .unwrap()
            .copy_from_slice(text.as_bytes());
        Self(bytes, text.len())
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(self.0.get(..self.1).unwrap()).unwrap()
    }
}

const SID: &str = "a73sjjvkla37jfea";
/// More than a call under way is kept at hand when nothing is said in it.
const UNTIL_REST: Duration = Duration::from_secs(11);
const CALLS_IN_ROUND: usize = 500;

impl<'a> World<'a> {
    fn new(bodies: &'a Bodies) -> Self {
        let now = Instant::now();
        let mut config = Config::new("call.example.org".parse().unwrap());
        config.access.mode = Mode::Anyone;
        config.limits.calls = usize::MAX;
        config.limits.pending_iqs = usize::MAX;
        config.limits.queued_stanzas = usize::MAX;
        let mut gateway = Gateway::new(config, now, 1_700_000_000, [7; 32]);
        gateway.handle_link_up(now);
        let mut framer = Framer::new(xml::Limits::default());
        framer.push(
            b"<stream:stream xmlns='jabber:component:accept' \
              xmlns:stream='http://etherx.jabber.org/streams' from='call.example.org' id='1'>",
        );
        assert!(matches!(framer.next_frame(), Some(Ok(Frame::Open(_)))));
        let mut world = Self {
            bodies,
            gateway,
            framer,
            now,
            inbox: VecDeque::new(),
            next_id: 0,
            heard: 0,
            said: 0,
            bytes_in: 0,
            bytes_out: 0,
            legs: Vec::new(),
        };
        world.settle();
        world
    }

    /// From the first word to the last candidate.
    fn call(&mut self, direction: Direction, call: usize) {
        self.announce(call);
        self.ring(direction, call);
        self.answer(direction, call);
    }

    /// The app is there.
    fn announce(&mut self, call: usize) {
        if self.legs.len() > call {
            return;
        }
        self.legs.push([Address::new(""); 2]);
        self.hear(&format!(
            "<presence from='{}' to='call.example.org'>\
             <device xmlns='urn:x-campana:sdp:0' media='audio video'/></presence>",
            app(call)
        ));
        self.settle();
    }

    fn ring(&mut self, direction: Direction, call: usize) {
        match direction {
            Direction::AppCalls => {
                let person = format!("c{call}\\40example.net@call.example.org");
                self.set_leg(call, APP, &person);
                self.app_says(call, &format!("<offer>{}</offer>", self.bodies.offer));
                let leg = self.take(bare(&client(call)), "<propose");
                self.set_leg(call, CLIENT, &leg);
                self.client_says(call, "ringing", "");
                let leg = self.take(&app(call), "<ringing");
                self.set_leg(call, APP, &leg);
            }
            Direction::ClientCalls => {
                let person = format!("a{call}\\40example.org@call.example.org");
                self.set_leg(call, CLIENT, &person);
                let media = "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/>\
                             <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'/>";
                self.client_says(call, "propose", media);
                let leg = self.take(&app(call), "<propose");
                self.set_leg(call, APP, &leg);
                self.app_says(call, "<ringing/>");
                let leg = self.take(&client(call), "<ringing");
                self.set_leg(call, CLIENT, &leg);
            }
        }
    }

    fn answer(&mut self, direction: Direction, call: usize) {
        match direction {
            Direction::AppCalls => {
                self.client_says(call, "proceed", "");
                self.take(&client(call), "session-initiate");
                self.client_sends(call, &self.bodies.accept);
                self.take(&app(call), "<answer");
            }
            Direction::ClientCalls => {
                self.app_says(call, "<proceed/>");
                self.take(&client(call), "<proceed");
                self.client_sends(call, &self.bodies.initiate);
                self.take(&app(call), "<offer");
                self.app_says(call, &format!("<answer>{}</answer>", self.bodies.answer));
                self.take(&client(call), "session-accept");
            }
        }
        let creator = "initiator";
        for candidate in 0..CANDIDATES {
            let (port, priority) = (50_000 + candidate, 2_122_260_223 - candidate);
            self.app_says(call, &format!(
                "<candidate mid='0' index='0'>candidate:{candidate} 1 udp {priority} 192.0.2.9 {port} typ host \
                 generation 0 network-id 1</candidate>"
            ));
            self.take(&client(call), "transport-info");
            self.client_sends(call, &format!(
                "<jingle xmlns='urn:xmpp:jingle:1' action='transport-info' sid='{SID}'>\
                 <content creator='{creator}' name='0'><transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'>\
                 <candidate component='1' foundation='{candidate}' generation='0' id='c{candidate}' ip='192.0.2.7' \
                 network='0' port='{port}' priority='{priority}' protocol='udp' type='host'/>\
                 </transport></content></jingle>"
            ));
            self.take(&app(call), "<candidate");
        }
    }

    fn hang_up(&mut self, call: usize) {
        self.app_says(call, "<end reason='success'/>");
        self.take(&client(call), "session-terminate");
        self.set_leg(call, APP, "");
        self.set_leg(call, CLIENT, "");
    }

    fn app_says(&mut self, call: usize, event: &str) {
        let (from, to, id) = (app(call), self.leg(call, APP), self.id());
        self.hear(&format!(
            "<iq type='set' from='{from}' to='{to}' id='{id}'>\
             <session xmlns='urn:x-campana:sdp:0' sid='{SID}'>{event}</session></iq>"
        ));
    }

    fn client_says(&mut self, call: usize, step: &str, what: &str) {
        let (from, to, id) = (client(call), self.leg(call, CLIENT), self.id());
        self.hear(&format!(
            "<message type='chat' from='{from}' to='{to}' id='{id}'>\
             <{step} xmlns='urn:xmpp:jingle-message:0' id='{SID}'>{what}</{step}></message>"
        ));
    }

    fn client_sends(&mut self, call: usize, jingle: &str) {
        let (from, to, id) = (client(call), self.leg(call, CLIENT), self.id());
        self.hear(&format!(
            "<iq type='set' from='{from}' to='{to}' id='{id}'>{jingle}</iq>"
        ));
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn leg(&self, call: usize, side: usize) -> String {
        self.legs
            .get(call)
            .unwrap()
            .get(side)
            .unwrap()
            .as_str()
            .to_owned()
    }

    fn set_leg(&mut self, call: usize, side: usize, address: &str) {
        *self.legs.get_mut(call).unwrap().get_mut(side).unwrap() = Address::new(address);
    }

    /// The sender of the stanza to `to` with `what` in it, which must have arrived by now; what else
    /// arrived is forgotten.
    fn take(&mut self, to: &str, what: &str) -> String {
        let arrived = self.inbox.iter().find(|stanza| {
            attribute(stanza, "to").is_some_and(|own| own == to) && stanza.contains(what)
        });
        let from = arrived.and_then(|stanza| attribute(stanza, "from"));
        let Some(from) = from.map(str::to_owned) else {
            panic!("{to} did not get {what}: {:#?}", self.inbox)
        };
        self.inbox.clear();
        from
    }

    /// Bytes of the server's stream arrive.
    fn hear(&mut self, bytes: &str) {
        self.inbox.clear();
        self.read(bytes);
        self.settle();
    }

    fn read(&mut self, bytes: &str) {
        self.heard += 1;
        self.bytes_in += bytes.len();
        self.framer.push(bytes.as_bytes());
        let Some(Ok(Frame::Stanza(stanza))) = self.framer.next_frame() else {
            panic!("no stanza: {bytes}")
        };
        self.gateway.handle_stanza(self.now, stanza);
    }

    /// What the gateway sends arrives, and its requests are answered.
    fn settle(&mut self) {
        loop {
            match self.gateway.poll_output() {
                Output::Timeout(_) => return,
                Output::Stanza(stanza) => {
                    self.said += 1;
                    self.bytes_out += stanza.len();
                    if let Some(reply) = reply(&stanza) {
                        self.read(&reply);
                    }
                    self.inbox.push_back(stanza);
                }
                _ => {}
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.gateway.handle_timeout(self.now);
        self.inbox.clear();
        self.settle();
    }
}

fn app(call: usize) -> String {
    format!("a{call}@example.org/page")
}

fn client(call: usize) -> String {
    format!("c{call}@example.net/phone")
}

fn bare(address: &str) -> &str {
    address.split('/').next().unwrap()
}

/// Of the start tag of a stanza that the gateway wrote.
fn attribute<'a>(stanza: &'a str, name: &str) -> Option<&'a str> {
    let tag = stanza.split('>').next()?;
    let (_, rest) = tag.split_once(&format!(" {name}="))?;
    let quote = rest.chars().next()?;
    rest.get(1..)?.split(quote).next()
}

/// A request is acknowledged; a client that is asked says that it is one of the usual kind.
fn reply(stanza: &str) -> Option<String> {
    if !stanza.starts_with("<iq") {
        return None;
    }
    let payload = match attribute(stanza, "type")? {
        "set" => "",
        "get" => {
            "<query xmlns='http://jabber.org/protocol/disco#info'>\
             <identity category='client' type='phone' name='Phone'/>\
             <feature var='urn:xmpp:jingle:1'/><feature var='urn:xmpp:jingle:apps:rtp:1'/></query>"
        }
        _ => return None,
    };
    let [id, to, from] = ["id", "from", "to"].map(|name| attribute(stanza, name));
    Some(format!(
        "<iq type='result' id='{}' to='{}' from='{}'>{payload}</iq>",
        id?, to?, from?
    ))
}
