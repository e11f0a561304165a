//! What all devices have in common: an address, requests under way, and a memory of what was
//! answered.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use campana::xml::{Document, Element, Limits, NS_COMPONENT};
use rand::RngExt;
use rand::rngs::StdRng;

use super::app::App;
use super::client::Client;

/// What a device wants of the world.
#[derive(Debug)]
pub(crate) struct Cx<'a> {
    pub(crate) rng: &'a mut StdRng,
    pub(crate) out: Vec<String>,
    pub(crate) wakes: Vec<(Duration, Wake)>,
    pub(crate) faulty: bool,
}

/// What a device wakes up for.
#[derive(Clone, Debug)]
pub(crate) enum Wake {
    /// A person decides on a call that rings.
    Decide(String),
    /// The browser has made its answer; or the client accepts.
    Answer(String),
    /// The app tries once more to have its way.
    Negotiate(String),
    /// A request was not answered for long.
    Overdue(String),
    /// A call did not get any further.
    GiveUp(String),
    /// The person does something.
    Act,
    /// The person hangs up all she has.
    HangUp,
}

/// Who spoke the last word of a call on one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) reason: String,
    pub(crate) own: bool,
    pub(crate) active: bool,
}

#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) jid: String,
    pub(crate) person: usize,
    /// As the server sees it.
    pub(crate) online: bool,
    /// Whether anything happens there.
    pub(crate) alive: bool,
    pub(crate) kind: Kind,
    pub(crate) shell: Shell,
}

#[derive(Debug)]
pub(crate) enum Kind {
    App(App),
    Client(Client),
}

/// Requests and replies.
#[derive(Debug)]
pub(crate) struct Shell {
    prefix: String,
    next: u32,
    /// What was asked, by id.
    pub(crate) open: BTreeMap<String, (Asked, String)>,
    /// Copies of each request on the wire, and the replies to them.
    pub(crate) ledger: BTreeMap<String, (u32, u32)>,
    /// Replies given, by sender and id.
    answered: HashMap<(String, String), String>,
    pub(crate) ended: Vec<(String, End)>,
    /// Requests that get no reply, or an error, because the scenario says so.
    pub(crate) mutes: f64,
    pub(crate) refuses: f64,
    /// How often that happened.
    pub(crate) mischief: u32,
}

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Begin,
    Describe,
    Renegotiate,
    Add,
    Modify,
    Restart,
    Inform,
    End,
}

impl Shell {
    pub(crate) fn new(prefix: String) -> Self {
        Self {
            prefix,
            next: 0,
            open: BTreeMap::new(),
            ledger: BTreeMap::new(),
            answered: HashMap::new(),
            ended: Vec::new(),
            mutes: 0.0,
            refuses: 0.0,
            mischief: 0,
        }
    }

    pub(crate) fn id(&mut self) -> String {
        self.next += 1;
        format!("{}{}", self.prefix, self.next)
    }

    /// Sends an IQ and gives its id.
    pub(crate) fn ask(
        &mut self,
        cx: &mut Cx<'_>,
        own: &str,
        to: &str,
        payload: &str,
        asked: Asked,
        sid: &str,
    ) -> String {
        let id = self.id();
        cx.out.push(format!(
            "<iq type='set' from='{own}' to='{to}' id='{id}'>{payload}</iq>"
        ));
        self.open.insert(id.clone(), (asked, sid.to_owned()));
        self.ledger.insert(id.clone(), (1, 0));
        cx.wakes.push((PATIENCE, Wake::Overdue(id.clone())));
        id
    }

    pub(crate) fn over(&mut self, sid: &str, reason: &str, own: bool, active: bool) {
        let end = End {
            reason: reason.to_owned(),
            own,
            active,
        };
        self.ended.push((sid.to_owned(), end));
    }
}

impl Device {
    /// A stanza arrives.
    pub(crate) fn receive(&mut self, cx: &mut Cx<'_>, text: &str) {
        let stanza = parse(text);
        let root = stanza.root();
        let attr = |name: &str| root.attr(name).unwrap_or_default();
        let (from, id) = (attr("from"), attr("id"));
        match (root.name(), attr("type")) {
            ("iq", "set" | "get") => {
                let key = (from.to_owned(), id.to_owned());
                if let Some(reply) = self.shell.answered.get(&key) {
                    cx.out.push(reply.clone());
                    return;
                }
                if cx.rng.random_bool(self.shell.mutes) {
                    self.shell.mischief += 1;
                    return;
                }
                let mark = cx.out.len();
                let answer = if cx.rng.random_bool(self.shell.refuses) {
                    self.shell.mischief += 1;
                    Err(ERRORS[cx.rng.random_range(0..ERRORS.len())].to_owned())
                } else {
                    let payload = root.children().next().expect("a payload");
                    match &mut self.kind {
                        Kind::App(app) => app.asked(cx, &mut self.shell, from, payload),
                        Kind::Client(client) => client.asked(cx, &mut self.shell, from, payload),
                    }
                };
                let own = &self.jid;
                let reply = match answer {
                    Ok(payload) => {
                        format!(
                            "<iq type='result' from='{own}' to='{from}' id='{id}'>{payload}</iq>"
                        )
                    }
                    Err(error) => format!(
                        "<iq type='error' from='{own}' to='{from}' id='{id}'><error type='cancel'>{error}</error></iq>"
                    ),
                };
                self.shell.answered.insert(key, reply.clone());
                cx.out.insert(mark, reply);
            }
            ("iq", kind @ ("result" | "error")) => {
                let Some(entry) = self.shell.ledger.get_mut(id) else {
                    panic!("{} never asked: {text}", self.jid);
                };
                entry.1 += 1;
                assert!(entry.1 <= entry.0, "answered too often: {text}");
                let Some((asked, sid)) = self.shell.open.remove(id) else {
                    return;
                };
                let error = (kind == "error").then(|| conditions(root));
                match &mut self.kind {
                    Kind::App(app) => app.replied(cx, &mut self.shell, asked, &sid, error),
                    Kind::Client(client) => {
                        client.replied(cx, &mut self.shell, id, asked, &sid, error);
                    }
                }
            }
            ("message", kind) => {
                if let Kind::Client(client) = &mut self.kind
                    && let Some(step) = root.children().find(|own| own.ns() == NS_JMI)
                {
                    client.told(cx, &mut self.shell, from, step, kind == "error");
                }
            }
            _ => {}
        }
    }

    /// Time for something.
    pub(crate) fn wake(&mut self, cx: &mut Cx<'_>, wake: Wake) {
        let overdue = match &wake {
            Wake::Overdue(id) => match self.shell.open.remove(id) {
                Some(open) => Some((id.clone(), open)),
                None => return,
            },
            _ => None,
        };
        if let Some((id, (asked, sid))) = overdue {
            assert!(cx.faulty, "{id} ({asked:?}) was not answered");
            let error = Some(vec!["remote-server-timeout".to_owned()]);
            match &mut self.kind {
                Kind::App(app) => app.replied(cx, &mut self.shell, asked, &sid, error),
                Kind::Client(client) => {
                    client.replied(cx, &mut self.shell, &id, asked, &sid, error);
                }
            }
            return;
        }
        match &mut self.kind {
            Kind::App(app) => app.wake(cx, &mut self.shell, wake),
            Kind::Client(client) => client.wake(cx, &mut self.shell, wake),
        }
    }

    /// What it is told when the other side ends a call for this reason.
    pub(crate) fn reason<'a>(&self, reason: &'a str) -> &'a str {
        match &self.kind {
            Kind::App(_) => reason,
            Kind::Client(client) => client.habits.reason(reason),
        }
    }

    /// The sids of its calls, and whether each is under way.
    pub(crate) fn calls(&self) -> Vec<(String, bool)> {
        match &self.kind {
            Kind::App(app) => app.calls(),
            Kind::Client(client) => client.calls(),
        }
    }

    /// It crashed: nothing is remembered.
    pub(crate) fn crash(&mut self) {
        for (sid, active) in self.calls() {
            self.shell.over(&sid, "crashed", true, active);
        }
        self.shell.open.clear();
        match &mut self.kind {
            Kind::App(app) => app.calls.clear(),
            Kind::Client(client) => client.sessions.clear(),
        }
    }
}

/// The defined condition and what stands beside it.
fn conditions(stanza: Element<'_>) -> Vec<String> {
    let error = stanza.children().find(|own| own.name() == "error");
    error
        .into_iter()
        .flat_map(Element::children)
        .map(|own| own.name().to_owned())
        .collect()
}

pub(crate) fn parse(text: &str) -> Document {
    Document::parse(text.as_bytes(), NS_COMPONENT, &Limits::default())
        .unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A random pause of up to so many milliseconds.
pub(crate) fn pause(rng: &mut StdRng, most: u64) -> Duration {
    Duration::from_millis(rng.random_range(1..=most))
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('\r', "&#13;")
}

pub(crate) const NOT_FOUND: &str = "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
     <unknown-session xmlns='urn:xmpp:jingle:errors:1'/>";
pub(crate) const NOT_IMPLEMENTED: &str =
    "<feature-not-implemented xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>";
pub(crate) const NO_CONTENT: &str = "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>";
pub(crate) const TIE_BREAK: &str = "<conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
     <tie-break xmlns='urn:xmpp:jingle:errors:1'/>";
pub(crate) const OUT_OF_ORDER: &str = "<unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
     <out-of-order xmlns='urn:xmpp:jingle:errors:1'/>";
pub(crate) const NS_JMI: &str = "urn:xmpp:jingle-message:0";
/// Errors that a client gives for no reason that we know.
const ERRORS: [&str; 5] = [
    "<bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>",
    "<feature-not-implemented xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>",
    "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>",
    "<internal-server-error xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>",
    OUT_OF_ORDER,
];
/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(30);
