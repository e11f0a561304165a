//! Whoever may not call learns nothing: every question about somebody who is there, about nobody
//! and about one who has blocked the asker gets the same bytes at the same moment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "integration test"
)]

use std::time::{Duration, Instant};

use campana::gateway::{Config, Gateway, Output};
use campana::xml::{BadStanza, Document, Error, Limits, NS_COMPONENT, StanzaHeader};

/// What the asked person is to the asker, and to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// At her browser and at her phone, with contacts, the asker not among them.
    IsThere,
    /// The same, and the asker is among them, but she has blocked him.
    Blocks,
    /// The same, but what she has blocked is his gateway address.
    BlocksGatewayAddress,
    /// The same, and she has blocked his whole domain.
    BlocksDomain,
    /// There is no such account.
    IsNobody,
}

/// What the server lets the service do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Granted {
    Nothing,
    Rosters,
    RostersAndBlocks,
}

struct World {
    gateway: Gateway,
    asked: Asked,
    granted: Granted,
    now: Instant,
    began: Instant,
    /// What the asker got, and when.
    got: Vec<(Duration, String)>,
    asking: bool,
}

impl World {
    fn new(asked: Asked, granted: Granted) -> Self {
        let now = Instant::now();
        let config = Config::new(SERVICE.parse().unwrap());
        let mut gateway = Gateway::new(config, now, 1_700_000_000, [7; 32]);
        gateway.handle_link_up(now);
        let mut world = Self {
            gateway,
            asked,
            granted,
            now,
            began: now,
            got: Vec::new(),
            asking: false,
        };
        let blocks = "<perm access='iq'><namespace ns='urn:xmpp:blocking' type='get'/></perm>";
        let perms = match granted {
            Granted::Nothing => String::new(),
            Granted::Rosters => "<perm access='roster' type='both'/>".to_owned(),
            Granted::RostersAndBlocks => format!("<perm access='roster' type='get'/>{blocks}"),
        };
        world.hear(&format!(
            "<message from='example.org' to='{SERVICE}'><privilege xmlns='urn:xmpp:privilege:2'>{perms}</privilege></message>"
        ));
        if asked != Asked::IsNobody {
            world.hear(&format!(
                "<presence from='{PERSON}/page' to='{SERVICE}'><device xmlns='urn:x-campana:sdp:0' media='audio video'/></presence>"
            ));
            world.hear(&format!(
                "<presence from='{PERSON}/phone' to='nurse\\40example.org@{SERVICE}'><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/></presence>"
            ));
        }
        world.asking = true;
        world
    }

    fn hear(&mut self, stanza: &str) {
        let stanza = Document::parse(stanza.as_bytes(), NS_COMPONENT, &Limits::default())
            .unwrap_or_else(|error| panic!("{error}: {stanza}"));
        self.gateway.handle_stanza(self.now, stanza);
        self.drain();
    }

    fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.gateway.poll_output() {
                Output::Timeout(due) => return due,
                Output::DropAllocations { .. }
                | Output::Store(_)
                | Output::Echo(_)
                | Output::Reload
                | Output::Stop
                | Output::Privileges(_) => {}
                Output::Stanza(text) => self.server(&text),
            }
        }
    }

    /// The XMPP server, and everybody behind it but the asker.
    fn server(&mut self, text: &str) {
        let stanza = Document::parse(text.as_bytes(), NS_COMPONENT, &Limits::default()).unwrap();
        let root = stanza.root();
        let attr = |name: &str| root.attr(name).unwrap_or_default();
        let (to, from, id) = (attr("to"), attr("from"), attr("id"));
        if to.starts_with(ASKER_BARE) {
            if self.asking {
                self.got.push((self.now - self.began, without_ids(text)));
            }
            return;
        }
        let error = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
        let exists = self.asked != Asked::IsNobody;
        let to_person = to == PERSON;
        let bounce = |name: &str| {
            format!("<{name} type='error' from='{to}' to='{from}' id='{id}'>{error}</{name}>")
        };
        let reply = match root.name() {
            // What RFC 6121 §8.5.1 says of accounts that do not exist.
            "message" if to_person && !exists => bounce("message"),
            "presence" if to_person && !exists => return,
            "iq" if !exists || matches!(attr("type"), "result" | "error") => bounce("iq"),
            "iq" if text.contains("jabber:iq:roster") => {
                assert_ne!(self.granted, Granted::Nothing);
                let item = match self.asked {
                    Asked::IsThere => "",
                    _ => "<item jid='mallory@example.net' subscription='both'/>",
                };
                format!(
                    "<iq type='result' from='{to}' to='{from}' id='{id}'><query xmlns='jabber:iq:roster'><item jid='nurse@example.org' subscription='both'/>{item}</query></iq>"
                )
            }
            "iq" if text.contains("urn:xmpp:blocking") => {
                assert_eq!(self.granted, Granted::RostersAndBlocks);
                let item = match self.asked {
                    Asked::Blocks => format!("<item jid='{ASKER_BARE}'/>"),
                    Asked::BlocksGatewayAddress => {
                        format!("<item jid='mallory\\40example.net@{SERVICE}'/>")
                    }
                    Asked::BlocksDomain => "<item jid='example.net'/>".to_owned(),
                    Asked::IsThere | Asked::IsNobody => String::new(),
                };
                format!(
                    "<iq type='result' from='{to}' to='{from}' id='{id}'><privilege xmlns='urn:xmpp:privilege:2'><forwarded xmlns='urn:xmpp:forward:0'><iq xmlns='jabber:client' type='result' from='{to}' to='{to}' id='blocks'><blocklist xmlns='urn:xmpp:blocking'>{item}</blocklist></iq></forwarded></privilege></iq>"
                )
            }
            _ => return,
        };
        let reply = Document::parse(reply.as_bytes(), NS_COMPONENT, &Limits::default()).unwrap();
        self.gateway.handle_stanza(self.now, reply);
    }

    /// What the asker gets within two minutes.
    fn ask(mut self, question: &str) -> Vec<(Duration, String)> {
        if let Some(big) = question.strip_prefix("too big:") {
            let stanza = Document::parse(big.as_bytes(), NS_COMPONENT, &Limits::default()).unwrap();
            let header = StanzaHeader::of(stanza.root());
            let error = Error::TooLarge(262_144);
            self.gateway
                .handle_bad_stanza(self.now, BadStanza { header, error });
            self.drain();
        } else {
            self.hear(question);
        }
        let end = self.now + Duration::from_secs(120);
        while let Some(due) = self.drain().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.gateway.handle_timeout(self.now);
        }
        self.got
    }
}

/// The ids of requests are random.
fn without_ids(text: &str) -> String {
    match text.split_once(" id='") {
        Some((before, rest)) if !rest.starts_with('q') => {
            format!("{before} id=''{}", rest.split_once('\'').unwrap().1)
        }
        _ => text.to_owned(),
    }
}

/// Everything that a stranger may think of.
fn questions() -> Vec<String> {
    let from = format!("from='{ASKER}' to='{ADDRESS}'");
    let leg = format!("from='{ASKER}' to='{ADDRESS}/abc'");
    let iq = |kind: &str, payload: &str| format!("<iq type='{kind}' id='q1' {from}>{payload}</iq>");
    let leg_iq =
        |kind: &str, payload: &str| format!("<iq type='{kind}' id='q1' {leg}>{payload}</iq>");
    let presence = |kind: &str| format!("<presence type='{kind}' {from}/>");
    let bare = |kind: &str| format!("<presence type='{kind}' from='{ASKER_BARE}' to='{ADDRESS}'/>");
    let jmi = |step: &str| {
        format!(
            "<message type='chat' id='q1' {from}><{step} xmlns='urn:xmpp:jingle-message:0' id='s1'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></{step}></message>"
        )
    };
    let web =
        |step: &str| format!("<session xmlns='urn:x-campana:sdp:0' sid='s1'>{step}</session>");
    let sdp = std::fs::read_to_string("tests/corpus/chrome156/audio.offer.sdp").unwrap();
    let sdp = sdp.replace('\r', "&#13;");
    let jingle = |action: &str, inner: &str| {
        format!(
            "<jingle xmlns='urn:xmpp:jingle:1' action='{action}' sid='s1' initiator='{ASKER}'>{inner}</jingle>"
        )
    };
    let content = "<content creator='initiator' name='0'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'><payload-type id='111' name='opus' clockrate='48000' channels='2'/></description><transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='abcd' pwd='abcdefghijklmnopqrstuv'><fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='actpass'>02:1A:CC:54:27:AB:EB:9C:53:3F:3E:4B:65:2E:7D:46:3F:54:42:CD:54:F1:7A:03:A2:7D:F9:B0:7F:46:19:B2</fingerprint></transport></content>";
    let mut all = vec![
        bare("probe"),
        presence("probe"),
        bare("subscribe"),
        presence("subscribe"),
        bare("unsubscribe"),
        bare("subscribed"),
        bare("unsubscribed"),
        presence("unavailable"),
        format!("<presence {from}/>"),
        format!(
            "<presence {from}><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='other'/></presence>"
        ),
        format!("<presence type='error' {from}/>"),
        format!(
            "<presence {from}><x xmlns='vcard-temp:x:update'><photo>01b87fcd030b72895ff8e88db57ec525450f000d</photo></x></presence>"
        ),
        format!(
            "<presence type='subscribe' {from}><nick xmlns='http://jabber.org/protocol/nick'>Mallory</nick></presence>"
        ),
        format!(
            "<message type='headline' from='{ASKER_BARE}' to='{ADDRESS}'><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='urn:xmpp:avatar:metadata'/></event></message>"
        ),
        format!("<message type='chat' id='q1' {from}><body>there?</body></message>"),
        format!(
            "<message type='chat' id='q1' {from}><request xmlns='urn:xmpp:receipts'/></message>"
        ),
        format!("<message type='headline' id='q1' {from}><body>there?</body></message>"),
        format!("<iq type='get' id='q1' {from}/>"),
        format!("<iq type='get' id='q1' {from}><a xmlns='a'/><b xmlns='b'/></iq>"),
        format!("<iq type='other' id='q1' {from}><a xmlns='a'/></iq>"),
        format!("<iq type='get' {from}><a xmlns='a'/></iq>"),
        format!("<iq type='result' id='q1' {from}/>"),
        format!("<iq type='error' id='q1' {from}/>"),
        format!("too big:<iq type='get' id='q1' {from}/>"),
        format!("too big:<message type='chat' id='q1' {from}/>"),
        format!("too big:<presence {from}/>"),
    ];
    for step in [
        "propose", "retract", "proceed", "reject", "ringing", "finish", "accept",
    ] {
        all.push(jmi(step));
        all.push(jmi(step).replace("type='chat'", "type='error'"));
    }
    let get = [
        "<query xmlns='http://jabber.org/protocol/disco#info'/>",
        "<query xmlns='http://jabber.org/protocol/disco#info' node='urn:x-campana:caps#x'/>",
        "<query xmlns='http://jabber.org/protocol/disco#items'/>",
        "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>",
        "<ping xmlns='urn:xmpp:ping'/>",
        "<peers xmlns='urn:x-campana:sdp:0' watch='true'/>",
        "<device xmlns='urn:x-campana:sdp:0'/>",
        "<features xmlns='urn:x-campana:sdp:0'/>",
        "<services xmlns='urn:xmpp:extdisco:2'/>",
        "<services xmlns='urn:xmpp:extdisco:1'/>",
        "<credentials xmlns='urn:xmpp:extdisco:2'><service type='turn' host='example.org'/></credentials>",
        "<credentials xmlns='urn:xmpp:extdisco:1'><service type='turn' host='example.org'/></credentials>",
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:avatar:data'><item id='x'/></items></pubsub>",
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:vcard4'/></pubsub>",
        "<vCard xmlns='vcard-temp'/>",
        "<query xmlns='jabber:iq:version'/>",
        "<query xmlns='jabber:iq:last'/>",
        "<query xmlns='jabber:iq:roster'/>",
        "<query xmlns='jabber:iq:register'/>",
        "<query xmlns='jabber:iq:gateway'/>",
        "<time xmlns='urn:xmpp:time'/>",
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:avatar:metadata'/></pubsub>",
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='http://jabber.org/protocol/nick'/></pubsub>",
        "<command xmlns='http://jabber.org/protocol/commands' node='x' action='execute'/>",
        "<blocklist xmlns='urn:xmpp:blocking'/>",
    ];
    for payload in get {
        all.extend([
            iq("get", payload),
            iq("set", payload),
            leg_iq("get", payload),
        ]);
    }
    let set = [
        web(&format!("<offer>{sdp}</offer>")),
        web("<offer>no sdp</offer>"),
        web(&format!("<answer>{sdp}</answer>")),
        web("<candidate mid='0'>candidate:1 1 udp 1 192.0.2.1 9 typ host</candidate>"),
        web("<proceed/>"),
        web("<ringing/>"),
        web("<end reason='success'/>"),
        web(""),
        jingle("session-initiate", content),
        jingle("session-initiate", ""),
        jingle("session-accept", content),
        jingle(
            "session-info",
            "<ringing xmlns='urn:xmpp:jingle:apps:rtp:info:1'/>",
        ),
        jingle("session-terminate", "<reason><success/></reason>"),
        jingle("transport-info", content),
        jingle("content-add", content),
        jingle("nonsense", ""),
        "<jingle xmlns='urn:xmpp:jingle:1'/>".to_owned(),
        "<carried xmlns='urn:x-campana:sdp:0'/>".to_owned(),
    ];
    for payload in &set {
        all.extend([
            iq("set", payload),
            leg_iq("set", payload),
            iq("get", payload),
        ]);
    }
    all
}

#[test]
fn a_stranger_learns_nothing() {
    let mut answered = 0;
    for granted in [
        Granted::Nothing,
        Granted::Rosters,
        Granted::RostersAndBlocks,
    ] {
        for question in questions() {
            let nobody = World::new(Asked::IsNobody, granted).ask(&question);
            let mut others = vec![Asked::IsThere];
            if granted == Granted::RostersAndBlocks {
                others.extend([
                    Asked::Blocks,
                    Asked::BlocksGatewayAddress,
                    Asked::BlocksDomain,
                ]);
            }
            for asked in others {
                let somebody = World::new(asked, granted).ask(&question);
                assert_eq!(somebody, nobody, "{asked:?}, {granted:?}: {question}");
            }
            answered += nobody.len();
        }
    }
    assert!(answered > 300, "only {answered} answers");
}

#[test]
fn a_contact_is_answered() {
    // What the test above compares is no silence of the harness.
    let question = format!(
        "<iq type='get' id='q1' from='nurse@example.org/x' to='{ADDRESS}'><ping xmlns='urn:xmpp:ping'/></iq>"
    );
    let mut world = World::new(Asked::IsThere, Granted::RostersAndBlocks);
    world.hear(&question);
    let info = question.replace(
        "<ping xmlns='urn:xmpp:ping'/>",
        "<query xmlns='http://jabber.org/protocol/disco#info'/>",
    );
    let stranger = info.replace("nurse@example.org/x", ASKER);
    assert_eq!(world.ask(&stranger).len(), 1);
    let blocked = World::new(Asked::Blocks, Granted::Rosters).ask(&stranger);
    assert!(
        blocked[0].1.contains("type='result'"),
        "a contact whose block is not readable: {blocked:?}"
    );
}

const SERVICE: &str = "call.example.org";
const PERSON: &str = "juliet@example.org";
const ADDRESS: &str = "juliet\\40example.org@call.example.org";
const ASKER: &str = "mallory@example.net/x";
const ASKER_BARE: &str = "mallory@example.net";
