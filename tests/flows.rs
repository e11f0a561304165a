//! Runs `tests/flows/*.flow`: who sends what, and what arrives, in virtual time.
//!
//! `tests/flows/README.md` says how the scripts are written. Each is played against a gateway by
//! itself; at its end nothing may be left unread.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "integration test"
)]

#[path = "flows/courier.rs"]
mod courier;
mod schema;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use campana::credentials::{Secret, extdisco};
use campana::gateway::{Change, Config, Gateway, Key, Output, Record};
use campana::ladder::{self, Ladders};
use campana::presence::Mode;
use campana::xml::{
    BadStanza, Document, Element, Error, Limits, NS_CLIENT, NS_COMPONENT, StanzaHeader,
};
use courier::Couriers;
use tracing_subscriber::fmt::MakeWriter;

#[test]
fn flows() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    tracing::subscriber::with_default(subscriber, play_all);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("Call started") && log.contains("Call ended"),
        "{log}"
    );
    // No JID and no address above debug.
    for line in log.lines() {
        let secret = ["@", "\\40", "example", "192.0.2.", "sid"]
            .iter()
            .find(|s| line.contains(**s));
        assert_eq!(secret, None, "{line}");
    }
}

/// What is logged at the usual level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn play_all() {
    let only = std::env::var("FLOW").unwrap_or_default();
    let mut files: Vec<PathBuf> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "flow"))
        .filter(|path| path.to_string_lossy().contains(&only))
        .collect();
    files.sort();
    let mut failed = Vec::new();
    let mut emitted = schema::Emitted::default();
    for file in &files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let mut play = Play::new();
        if let Err(error) = play.run(&fs::read_to_string(file).unwrap()) {
            failed.push(format!("{name}: {error}"));
        }
        for stanza in &play.emitted {
            emitted.add(&name, stanza);
        }
        if let Some(told) = told_of_people(&play.ladders) {
            failed.push(format!("{name}: a ladder says {told}"));
        }
    }
    assert!(!files.is_empty(), "no flows");
    assert!(
        failed.is_empty(),
        "{} of {} failed\n{}",
        failed.len(),
        files.len(),
        failed.join("\n")
    );
    emitted.assert_valid();
}

fn ladders(now: Instant) -> Ladders {
    Ladders::new(
        ladder::Config::default(),
        "call.example.org",
        now,
        1_700_000_000_000,
    )
}

/// What a ladder must not show, if it does: people, addresses, passwords and keys.
fn told_of_people(ladders: &Ladders) -> Option<String> {
    let numbers = ladders.list(None).into_iter().map(|line| line.call);
    numbers
        .filter_map(|number| ladders.get(number))
        .find_map(|ladder| {
            let text = serde_json::to_string_pretty(&(ladder.parties(), ladder.steps())).unwrap();
            let mut lines = text.lines().flat_map(|line| line.split("\\n"));
            let told = lines.find(|line| {
                let people = [
                    "juliet",
                    "romeo",
                    "@example",
                    "\\40",
                    "192.0.2.",
                    "203.0.113.",
                    "198.51.100.",
                ];
                let secret = |lead: &str| {
                    let value = line.split_once(lead).map(|(_, behind)| behind);
                    value.is_some_and(|value| !value.is_empty() && !value.starts_with(['•', '\'']))
                };
                people.iter().any(|name| line.contains(name))
                    || [" pwd='", "a=ice-pwd:", "inline:"]
                        .iter()
                        .any(|lead| secret(lead))
            });
            told.map(str::to_owned)
        })
}

struct Play {
    gateway: Gateway,
    now: Instant,
    /// What arrived and was not read, by receiver.
    inbox: BTreeMap<String, VecDeque<Document>>,
    variables: HashMap<String, String>,
    next_id: u32,
    /// Receivers that do not acknowledge by themselves.
    silent: Vec<String>,
    linked: bool,
    /// TURN user names whose allocations were to be closed.
    dropped: Vec<String>,
    /// Everything that the gateway sent.
    emitted: Vec<String>,
    couriers: Couriers,
    /// What clients call themselves when they are asked.
    software: HashMap<String, String>,
    /// What is kept over a restart.
    kept: HashMap<Key, Record>,
    config: Config,
    restarts: u8,
    /// What admins asked of the process.
    orders: Vec<Output>,
    /// What an operator sees of the calls.
    ladders: Ladders,
}

impl Play {
    fn new() -> Self {
        let now = Instant::now();
        let mut config = Config::new("call.example.org".parse().unwrap());
        config.access.mode = Mode::Anyone;
        config.journal = true;
        config.ice = vec![
            extdisco::Service::parse("stun:192.0.2.1:3478", None).unwrap(),
            extdisco::Service::parse("turn:192.0.2.1:3478", Some(Secret::new("north"))).unwrap(),
        ];
        let mut play = Self {
            gateway: Self::gateway(&config, now),
            config,
            kept: HashMap::new(),
            restarts: 0,
            orders: Vec::new(),
            ladders: ladders(now),
            now,
            inbox: BTreeMap::new(),
            variables: HashMap::new(),
            next_id: 0,
            silent: Vec::new(),
            linked: true,
            dropped: Vec::new(),
            emitted: Vec::new(),
            couriers: Couriers::default(),
            software: HashMap::new(),
        };
        play.drain();
        play
    }

    fn gateway(config: &Config, now: Instant) -> Gateway {
        let mut gateway = Gateway::new(config.clone(), now, 1_700_000_000, [7; 32]);
        gateway.handle_link_up(now);
        gateway
    }

    fn run(&mut self, script: &str) -> Result<(), String> {
        for (line, block) in blocks(script) {
            self.step(&block)
                .map_err(|error| format!("line {line}: {error}"))?;
            self.drain();
        }
        self.skip_acknowledgements();
        let left: Vec<String> = self
            .inbox
            .iter()
            .flat_map(|(to, inbox)| inbox.iter().map(move |s| format!("{to}: {}", short(s))))
            .collect();
        if let Some(username) = self.dropped.pop() {
            return Err(format!("allocations of {username} were closed"));
        }
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("unread at the end:\n  {}", left.join("\n  ")))
        }
    }

    fn step(&mut self, block: &str) -> Result<(), String> {
        let (head, body) = block.split_once('\n').unwrap_or((block, ""));
        let body = self.expand(body);
        let words: Vec<&str> = head.split_whitespace().collect();
        match words.as_slice() {
            [who, "sends:"] => {
                let stanza = self.stamped(who, &body)?;
                for stanza in self.couriers.hand_in(stanza, false) {
                    self.hear(stanza);
                }
            }
            [who, "is", name] => {
                self.software.insert((*who).to_owned(), (*name).to_owned());
            }
            [who, "carries"] => self.couriers.devices.push((*who).to_owned()),
            [who, "hands", "in:"] => {
                let stanza = Document::parse(body.as_bytes(), NS_CLIENT, &Limits::default())
                    .map_err(|error| format!("{error}: {body}"))?;
                let stanza = self.couriers.wrap(who, &stanza);
                self.hear(stanza);
            }
            [who, "gets:"] => return self.expect(who, &body),
            [who, "gets", "nothing"] => {
                self.skip_acknowledgements();
                if let Some(stanza) = self.inbox.get(*who).and_then(VecDeque::front) {
                    return Err(format!("{who} got {}", short(stanza)));
                }
            }
            [who, "does", "not", "acknowledge"] => self.silent.push((*who).to_owned()),
            [who, "acknowledges"] => {
                self.silent.retain(|silent| silent != who);
            }
            ["after", seconds, "s"] => {
                let until =
                    self.now + Duration::from_secs_f64(seconds.parse().map_err(|_| "seconds")?);
                self.pass_time(until);
            }
            ["link", "down"] => {
                self.linked = false;
                self.gateway.handle_link_down(self.now);
            }
            ["link", "up"] => {
                self.linked = true;
                self.gateway.handle_link_up(self.now);
            }
            ["the", "service", "stops", "within", seconds, "s"] => {
                let until = self.now + Duration::from_secs(seconds.parse().map_err(|_| "seconds")?);
                self.gateway.handle_drain(self.now, until);
            }
            ["access", mode] => {
                let mut config = Config::new("call.example.org".parse().unwrap());
                config.access.mode = match *mode {
                    "contacts" => Mode::Contacts,
                    "domain" => Mode::Domain,
                    _ => return Err(format!("unknown mode {mode}")),
                };
                self.gateway = Self::gateway(&config, self.now);
                self.config = config;
            }
            ["the", "service", "restarts"] => {
                self.restarts += 1;
                let seed = [self.restarts; 32];
                let mut kept: Vec<_> = self.kept.values().cloned().collect();
                kept.sort_by_key(|record| format!("{record:?}"));
                self.gateway = Gateway::new(self.config.clone(), self.now, 1_700_000_000, seed);
                self.gateway.restore(kept);
                self.gateway.handle_link_up(self.now);
            }
            [who, "sends", "too", "much:"] => {
                let header = StanzaHeader::of(self.stamped(who, &body)?.root());
                let error = Error::TooLarge(262_144);
                self.gateway
                    .handle_bad_stanza(self.now, BadStanza { header, error });
            }
            ["allocations", "of", username, "are", "closed"] => {
                if self.dropped.pop().as_deref() != Some(*username) {
                    return Err("they are not".to_owned());
                }
            }
            ["it", "reads", "certificates", "again"] => {
                if self.orders.pop() != Some(Output::Reload) {
                    return Err("it does not".to_owned());
                }
            }
            ["it", "is", "to", "stop"] => {
                if self.orders.pop() != Some(Output::Stop) {
                    return Err("it is not".to_owned());
                }
            }
            ["guests", "come", "from", domain] => {
                self.config.access.guest_domains.push((*domain).to_owned());
                self.gateway = Self::gateway(&self.config, self.now);
            }
            [admin, "is", "an", "admin"] => {
                self.config.access.admins.push(admin.parse().unwrap());
                self.gateway = Self::gateway(&self.config, self.now);
            }
            ["no", "call", "is", "left"] if self.gateway.has_calls() => {
                return Err("a call is left".to_owned());
            }
            ["a", "call", "is", "left"] if !self.gateway.has_calls() => {
                return Err("no call is left".to_owned());
            }
            ["no" | "a", "call", "is", "left"] => {}
            _ => return Err(format!("unknown step {head:?}")),
        }
        Ok(())
    }

    /// The stanza with sender, and with an id where it needs one.
    fn stamped(&mut self, from: &str, body: &str) -> Result<Document, String> {
        let name_end = body.find([' ', '>', '/']).ok_or("no stanza")?;
        let (name, rest) = body.split_at(name_end);
        let tag_end = rest.find('>').unwrap_or(rest.len());
        self.next_id += 1;
        let id = if rest[..tag_end].contains(" id=") {
            String::new()
        } else {
            format!(" id='s{}'", self.next_id)
        };
        let stamped = format!("{name} from='{from}'{id}{rest}");
        Document::parse(stamped.as_bytes(), NS_COMPONENT, &Limits::default())
            .map_err(|error| format!("{error}: {stamped}"))
    }

    fn expect(&mut self, who: &str, pattern: &str) -> Result<(), String> {
        let pattern = Document::parse(pattern.as_bytes(), NS_COMPONENT, &Limits::default())
            .map_err(|error| format!("{error}: {pattern}"))?;
        let wants_result = pattern.root().attr("type") == Some("result");
        loop {
            let Some(stanza) = self.inbox.get_mut(who).and_then(VecDeque::pop_front) else {
                return Err(format!("{who} got nothing, not {}", short(&pattern)));
            };
            if !wants_result && is_acknowledgement(&stanza) {
                continue;
            }
            return matches(pattern.root(), stanza.root(), &mut self.variables).map_err(|error| {
                format!(
                    "{error}\n  got      {}\n  expected {}",
                    short(&stanza),
                    short(&pattern)
                )
            });
        }
    }

    /// Lets time pass, stopping where the gateway wants to.
    fn pass_time(&mut self, until: Instant) {
        while let Some(due) = self.drain().filter(|due| *due <= until) {
            self.now = due.max(self.now);
            self.gateway.handle_timeout(self.now);
        }
        self.now = until;
        self.gateway.handle_timeout(self.now);
    }

    /// Delivers what the gateway sends, and what its peers acknowledge.
    fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.gateway.poll_output() {
                Output::Timeout(due) => {
                    while let Some(record) = self.gateway.poll_record() {
                        self.ladders.record(record);
                    }
                    return due;
                }
                Output::DropAllocations { username } => self.dropped.push(username),
                order @ (Output::Reload | Output::Stop) => self.orders.push(order),
                Output::Privileges(_) => {}
                Output::Store(Change::Keep(record)) => {
                    self.kept.insert(record.key(), record);
                }
                Output::Store(Change::Forget(key)) => {
                    self.kept.remove(&key);
                }
                // The app that takes test calls is a device like any other.
                Output::Stanza(text) | Output::Echo(text) => {
                    assert!(self.linked, "sent without a link: {text}");
                    let stanza = Document::parse(text.as_bytes(), NS_COMPONENT, &Limits::default())
                        .unwrap_or_else(|error| panic!("{error}: {text}"));
                    self.emitted.push(text);
                    self.deliver(stanza);
                }
            }
        }
    }

    /// What a device says reaches the gateway.
    fn hear(&mut self, stanza: Document) {
        let from = stanza.root().attr("from").unwrap_or_default();
        if from.starts_with("echo@call.example.org/") {
            self.gateway.handle_echo(self.now, stanza);
        } else {
            self.gateway.handle_stanza(self.now, stanza);
        }
    }

    fn deliver(&mut self, stanza: Document) {
        let by_us = stanza.root().attr("from").unwrap_or_default().to_owned();
        let stanza = self.couriers.send_on(stanza);
        for sent in self.couriers.take_sent() {
            self.hear(sent);
        }
        let sent_on = stanza.root().attr("from") != Some(&by_us);
        if sent_on
            && self
                .couriers
                .carry_for(stanza.root().attr("to").unwrap_or_default())
        {
            // From one that carries to another.
            for stanza in self.couriers.hand_in(stanza, true) {
                self.hear(stanza);
            }
            return;
        }
        let root = stanza.root();
        let attr = |name: &str| root.attr(name).unwrap_or_default().to_owned();
        let (from, to, id) = (attr("from"), attr("to"), attr("id"));
        let domain = from.split('/').next().unwrap().rsplit('@').next().unwrap();
        assert!(
            domain == "call.example.org" || self.couriers.devices.contains(&from),
            "a foreign sender: {stanza:?}"
        );
        if asks_for_software(root) {
            let answer = match self.software.get(&to) {
                Some(name) => format!(
                    "type='result'><query xmlns='{NS_INFO}'><identity category='client' type='pc' \
                     name='{name}'/></query>"
                ),
                None => "type='error'><error type='cancel'><service-unavailable \
                         xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
                    .to_owned(),
            };
            let reply = format!("<iq from='{to}' to='{from}' id='{id}' {answer}</iq>");
            let reply = Document::parse(reply.as_bytes(), NS_COMPONENT, &Limits::default());
            return self.gateway.handle_stanza(self.now, reply.unwrap());
        }
        let is_request = root.name() == "iq" && attr("type") == "set";
        if is_request && !self.silent.contains(&to) {
            let reply = format!("<iq type='result' from='{to}' to='{from}' id='{id}'/>");
            let reply = Document::parse(reply.as_bytes(), NS_COMPONENT, &Limits::default());
            for reply in self.couriers.hand_in(reply.unwrap(), true) {
                self.hear(reply);
            }
        }
        self.inbox.entry(to).or_default().push_back(stanza);
    }

    fn skip_acknowledgements(&mut self) {
        for inbox in self.inbox.values_mut() {
            inbox.retain(|stanza| !is_acknowledgement(stanza));
        }
    }

    /// `$name` becomes a variable's value where it has one, `{file}` a file's text.
    fn expand(&self, body: &str) -> String {
        let mut text = body.trim().to_owned();
        while let Some((before, rest)) = text.split_once("{corpus/") {
            let (words, behind) = rest.split_once('}').expect("a closing brace");
            let (file, change) = words.split_once(" with ").unwrap_or((words, ""));
            let content = fs::read_to_string(folder().join("../corpus").join(file))
                .unwrap_or_else(|error| panic!("{file}: {error}"));
            let content = match change.split_once(" as ") {
                Some((old, new)) => content.replace(old, new),
                None => content,
            };
            let escaped = if Path::new(file).extension().is_some_and(|e| e == "xml") {
                content
            } else {
                content
                    .replace('&', "&amp;")
                    .replace('<', "&lt;")
                    .replace('\r', "&#13;")
            };
            text = format!("{before}{escaped}{behind}");
        }
        while let Some((before, rest)) = text.split_once("{jingle ") {
            let (words, behind) = rest.split_once('}').expect("a closing brace");
            let (file, sid) = words.split_once(' ').expect("a file and a sid");
            text = format!("{before}{}{behind}", jingle(file, sid));
        }
        let mut out = String::new();
        while let Some((before, rest)) = text.split_once('$') {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(rest.len());
            let (name, behind) = rest.split_at(end);
            out.push_str(before);
            match self.variables.get(name) {
                Some(value) => out.push_str(value),
                None => out.extend(["$", name]),
            }
            text = behind.to_owned();
        }
        out.push_str(&text);
        text = out;
        text
    }
}

/// The `<jingle/>` of a recorded stanza, with another sid and no addresses of its time.
fn jingle(file: &str, sid: &str) -> String {
    let text = fs::read_to_string(folder().join("../corpus").join(file))
        .unwrap_or_else(|error| panic!("{file}: {error}"));
    let start = text.find("<jingle").expect("a jingle element");
    let end = text.rfind("</jingle>").expect("its end") + "</jingle>".len();
    let tag_end = start + text[start..].find('>').unwrap();
    let tag: String = text[start..tag_end]
        .split_inclusive(['"', '\''])
        .collect::<Vec<_>>()
        .chunks(2)
        .map(|pair| pair.concat())
        .filter(|attribute| {
            !["sid=", "initiator=", "responder="]
                .iter()
                .any(|name| attribute.contains(name))
        })
        .collect();
    format!("{tag} sid='{sid}'{}", &text[tag_end..end])
}

/// Steps are separated by blank lines; `#` begins a comment.
fn blocks(script: &str) -> Vec<(usize, String)> {
    let mut blocks: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (number, line) in script.lines().enumerate() {
        if line.trim_start().starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            open = false;
        } else if open {
            let (_, block) = blocks.last_mut().unwrap();
            block.push('\n');
            block.push_str(line);
        } else {
            blocks.push((number + 1, line.trim().to_owned()));
            open = true;
        }
    }
    blocks
}

/// Whether everything the pattern names is there: attributes, children in this order, text.
fn matches(
    pattern: Element<'_>,
    found: Element<'_>,
    variables: &mut HashMap<String, String>,
) -> Result<(), String> {
    if (pattern.name(), pattern.ns()) != (found.name(), found.ns()) {
        return Err(format!("<{}/> is not <{}/>", found.name(), pattern.name()));
    }
    for (name, value) in pattern.attrs() {
        let actual = found.attr(name);
        let at = || format!("{name} of <{}/>", found.name());
        match (value, actual) {
            ("-", None) => {}
            ("-", Some(_)) => return Err(format!("there is {}", at())),
            (_, None) => return Err(format!("there is no {}", at())),
            (value, Some(actual)) => value_matches(value, actual, variables)
                .map_err(|error| format!("{}: {error}", at()))?,
        }
    }
    let wanted = pattern.text();
    if !wanted.trim().is_empty() {
        value_matches(wanted.trim(), found.text().trim(), variables)
            .map_err(|error| format!("text of <{}/>: {error}", found.name()))?;
    }
    let mut rest = found.children();
    for child in pattern.children() {
        let absent = child.attr("absent").is_some();
        if absent {
            if found.child(child.name(), child.ns()).is_some() {
                return Err(format!("there is a <{}/>", child.name()));
            }
            continue;
        }
        let mut why = format!("no <{}/> in <{}/>", child.name(), found.name());
        let hit = rest.any(|candidate| match matches(child, candidate, variables) {
            Ok(()) => true,
            Err(error) => {
                if candidate.name() == child.name() {
                    why = error;
                }
                false
            }
        });
        if !hit {
            return Err(why);
        }
    }
    Ok(())
}

/// `*` is anything; `$name` is what it was before, or is learned; `…x…` holds x.
fn value_matches(
    wanted: &str,
    actual: &str,
    variables: &mut HashMap<String, String>,
) -> Result<(), String> {
    if wanted == "*" {
        return Ok(());
    }
    if let Some(name) = wanted.strip_prefix('$') {
        let known = variables
            .entry(name.to_owned())
            .or_insert_with(|| actual.to_owned());
        return if known == actual {
            Ok(())
        } else {
            Err(format!("{actual:?} is not {known:?}"))
        };
    }
    if let Some(part) = wanted
        .strip_prefix('…')
        .and_then(|rest| rest.strip_suffix('…'))
    {
        return if actual.contains(part) {
            Ok(())
        } else {
            Err(format!("{actual:?} lacks {part:?}"))
        };
    }
    if wanted.replace("\r\n", "\n") == actual.replace("\r\n", "\n") {
        Ok(())
    } else {
        Err(format!("{actual:?} is not {wanted:?}"))
    }
}

/// Whether a client is asked what software it is, and not what stands behind its caps.
fn asks_for_software(stanza: Element<'_>) -> bool {
    stanza
        .child("query", NS_INFO)
        .is_some_and(|query| query.attr("node").is_none())
        && stanza.attr("type") == Some("get")
}

const NS_INFO: &str = "http://jabber.org/protocol/disco#info";

fn is_acknowledgement(stanza: &Document) -> bool {
    let root = stanza.root();
    root.name() == "iq" && root.attr("type") == Some("result") && root.children().next().is_none()
}

fn short(stanza: &Document) -> String {
    let text = format!("{stanza:?}");
    let cut: String = text.chars().take(600).collect();
    if cut.len() < text.len() {
        format!("{cut} …")
    } else {
        cut
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/flows")
}
