//! What clients can do is believed of others only where its hash is right (XEP-0115 §5.4, XEP-0390
//! §8), and is remembered within bounds, whoever shows up with however many hashes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "integration test"
)]

use std::collections::HashSet;
use std::time::{Duration, Instant};

use campana::gateway::{Change, Config, Gateway, Key, Output, Record};
use campana::xml::{Document, Limits, NS_COMPONENT};
use data_encoding::BASE64;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

const SERVICE: &str = "call.example.org";

struct World {
    gateway: Gateway,
    now: Instant,
    /// Caps that are kept over a restart.
    kept: HashSet<String>,
}

impl World {
    fn new(caps: usize) -> Self {
        let now = Instant::now();
        let mut config = Config::new(SERVICE.parse().unwrap());
        config.limits.caps = caps;
        let mut gateway = Gateway::new(config, now, 1_700_000_000, [7; 32]);
        gateway.handle_link_up(now);
        Self {
            gateway,
            now,
            kept: HashSet::new(),
        }
    }

    /// What is sent for this stanza.
    fn hear(&mut self, stanza: &str) -> Vec<String> {
        let stanza = Document::parse(stanza.as_bytes(), NS_COMPONENT, &Limits::default()).unwrap();
        self.gateway.handle_stanza(self.now, stanza);
        self.drain()
    }

    fn drain(&mut self) -> Vec<String> {
        let mut sent = Vec::new();
        loop {
            match self.gateway.poll_output() {
                Output::Timeout(_) => return sent,
                Output::Stanza(stanza) => sent.push(stanza),
                Output::Store(Change::Keep(Record::Caps { caps, .. })) => {
                    self.kept.insert(caps.hash().to_owned());
                }
                Output::Store(Change::Forget(Key::Caps(caps))) => {
                    assert!(self.kept.remove(caps.hash()));
                }
                _ => {}
            }
        }
    }

    /// A client comes with this hash, to `to`. The id of the question what stands behind it, if it is
    /// asked.
    fn comes(&mut self, client: &str, hash: &str, to: &str) -> Option<String> {
        let sent = self.hear(&format!(
            "<presence from='{client}' to='{to}'><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='{hash}'/></presence>"
        ));
        let question = sent.iter().find(|stanza| stanza.contains("disco#info"))?;
        assert!(question.contains(&format!("to='{client}'")), "{question}");
        let (_, id) = question.split_once(" id='")?;
        Some(id.split_once('\'')?.0.to_owned())
    }

    fn answers(&mut self, client: &str, id: &str, query: &str) -> Vec<String> {
        self.hear(&format!(
            "<iq type='result' from='{client}' to='{SERVICE}' id='{id}'>{query}</iq>"
        ))
    }
}

/// An answer to disco#info with these features, and its hash.
fn answer(features: &[&str]) -> (String, String) {
    let mut sorted = features.to_vec();
    sorted.sort_unstable();
    let hashed: String = sorted.iter().map(|feature| format!("{feature}<")).collect();
    let input = format!("client/phone//Test<{hashed}");
    let hash = BASE64.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, input.as_bytes()).as_ref());
    let features: String = features
        .iter()
        .map(|feature| format!("<feature var='{feature}'/>"))
        .collect();
    let query = format!(
        "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='client' type='phone' name='Test'/>{features}</query>"
    );
    (query, hash)
}

const CALLS: [&str; 5] = [
    "urn:xmpp:jingle:1",
    "urn:xmpp:jingle:apps:rtp:1",
    "urn:xmpp:jingle:apps:rtp:audio",
    "urn:xmpp:jingle:apps:rtp:video",
    "urn:xmpp:jingle:transports:ice-udp:1",
];

#[test]
fn a_false_answer_is_believed_of_its_sender_alone() {
    let (honest, hash) = answer(&CALLS);
    let (other, _) = answer(&["urn:xmpp:ping"]);
    let more = honest.replace(
        "</query>",
        "<feature var='urn:xmpp:jingle:apps:rtp:audio'/></query>",
    );
    let shown = format!("romeo\\40example.net@{SERVICE}");
    for lie in [&other, &more] {
        let mut world = World::new(100);
        // Somebody is there first with the hash of a client that many have, and lies about it.
        let id = world
            .comes("mallory@example.net/x", &hash, SERVICE)
            .unwrap();
        // Meanwhile she comes, who has that client: she waits for the same answer.
        assert_eq!(world.comes("juliet@example.org/phone", &hash, &shown), None);
        let asked = world.answers("mallory@example.net/x", &id, lie).concat();
        assert!(world.kept.is_empty(), "{lie}");
        // It says nothing of her, so she is asked herself.
        assert!(asked.contains("to='juliet@example.org/phone'"), "{asked}");
        let (_, id) = asked.split_once(" id='").unwrap();
        let id = id.split_once('\'').unwrap().0;
        let told = world
            .answers("juliet@example.org/phone", id, &honest)
            .concat();
        assert!(told.contains("to='romeo@example.net'"), "{told}");
        assert!(!told.contains("type='unavailable'"), "{told}");
        assert_eq!(world.kept, HashSet::from([hash.clone()]));
        // From now on nobody is asked, and no lie is heard.
        assert_eq!(world.comes("nurse@example.org/phone", &hash, SERVICE), None);
        world.answers("mallory@example.net/x", id, lie);
        assert_eq!(world.comes("mallory@example.net/y", &hash, &shown), None);
    }
}

#[test]
fn ten_thousand_hashes_and_more_stay_within_the_bound() {
    const MOST: usize = 10_000;
    let mut world = World::new(MOST);
    let often = answer(&CALLS);
    for n in 0..MOST + 2_500 {
        let own = format!("urn:example:{n}");
        let (query, hash) = if n == 0 {
            often.clone()
        } else {
            answer(&[&own])
        };
        let client = format!("person{n}@example.org/phone");
        let id = world.comes(&client, &hash, SERVICE).unwrap();
        world.answers(&client, &id, &query);
        assert!(
            world.kept.contains(&hash) && world.kept.len() <= MOST,
            "{n}"
        );
        // A client that everybody has stays.
        let another = format!("person{n}@example.net/phone");
        assert_eq!(world.comes(&another, &often.1, SERVICE), None, "{n}");
    }
    assert!(world.kept.len() > MOST / 2);
}

#[test]
fn hashes_that_nobody_answers_for_leave_nothing_behind() {
    let mut world = World::new(1_000);
    for n in 0..10_000 {
        let client = format!("person{n}@example.org/phone");
        assert!(world.comes(&client, &format!("hash{n}"), SERVICE).is_some());
    }
    assert_eq!(world.gateway.load().requests, 10_000);
    world.now += Duration::from_secs(60);
    world.gateway.handle_timeout(world.now);
    world.drain();
    assert_eq!(world.gateway.load().requests, 0);
    assert!(world.kept.is_empty());
}
