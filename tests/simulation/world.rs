//! People, their devices, the server between them and the gateway, and all that goes wrong.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use campana::gateway::{Config, Gateway, Load, Output};
use campana::presence::Mode;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::app::App;
use super::check;
use super::client::Client;
use super::device::{Cx, Device, Kind, Shell, Wake, parse, pause};
use super::habits::ALL;

pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) devices: Vec<Device>,
    pub(crate) faults: Faults,
    /// Who called whom, by sid: the caller's device, and the callee.
    pub(crate) placed: BTreeMap<String, (usize, usize)>,
    rng: StdRng,
    start: Instant,
    now: Instant,
    linked: bool,
    events: BinaryHeap<Reverse<Event>>,
    next: u64,
    /// When the last stanza of each way arrives.
    last: BTreeMap<(bool, usize), Instant>,
    trace: bool,
    pub(crate) calls: u32,
}

/// What may go wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// A stanza of a device arrives twice.
    duplicates: f64,
    /// The link is lost so often.
    link: u32,
    restart: bool,
    /// A device dies so often, and may return.
    deaths: u32,
    refuses: f64,
    mutes: f64,
}

impl Faults {
    /// Whether a request may stay without its reply, or a call without its end.
    pub(crate) fn any_loss(&self) -> bool {
        self.link > 0 || self.restart || self.deaths > 0 || self.refuses > 0.0 || self.mutes > 0.0
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    at: Instant,
    order: u64,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    ToDevice(usize, String),
    ToGateway(usize, String),
    /// A server answers for somebody who is not there.
    Bounce(String),
    Wake(usize, Alarm),
    Place(usize, usize),
    LinkDown,
    LinkUp,
    Restart,
    Die(usize),
    /// The server notices.
    Gone(usize),
    Return(usize),
    Settled,
    HangUp(usize),
    Over,
}

/// A [`Wake`] in a queue, which compares by order alone.
#[derive(Clone, Debug)]
struct Alarm(Wake);

impl PartialEq for Alarm {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for Alarm {}
impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Alarm {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

/// Plays one random call, or a few at once, and gives how many were placed.
pub(crate) fn play(seed: u64, trace: bool) -> u32 {
    let mut world = World::new(seed, trace);
    world.run();
    check::at_the_end(&world);
    world.calls
}

impl World {
    fn new(seed: u64, trace: bool) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let start = epoch();
        let faults = faults(&mut rng);
        let mut world = Self {
            gateway: gateway(start, &mut rng),
            devices: Vec::new(),
            faults,
            placed: BTreeMap::new(),
            rng,
            start,
            now: start,
            linked: true,
            events: BinaryHeap::new(),
            next: 0,
            last: BTreeMap::new(),
            trace,
            calls: 0,
        };
        world.people();
        world.plan();
        world
    }

    /// Two people with one to three devices each.
    fn people(&mut self) {
        let narrow = std::env::var("DEVICES").unwrap_or_default();
        for (person, name) in PEOPLE.iter().enumerate() {
            for _ in 0..[1, 1, 1, 2, 2, 3][self.rng.random_range(0..6)] {
                let index = self.devices.len();
                let jid = format!("{name}/d{index}");
                let video = if self.rng.random_bool(0.8) {
                    "audio video"
                } else {
                    "audio"
                };
                let is_app = match narrow.as_str() {
                    "apps" => true,
                    "clients" => false,
                    "strict" => person == 0,
                    _ => self.rng.random_bool(0.5),
                };
                let kind = if is_app {
                    Kind::App(App {
                        jid: jid.clone(),
                        name: char::from(b'A' + u8::try_from(index).unwrap()),
                        media: video,
                        calls: BTreeMap::new(),
                    })
                } else {
                    let mut habits = ALL[self.rng.random_range(0..ALL.len())];
                    if narrow == "strict" {
                        habits = ALL[0];
                    }
                    let initiation = self.rng.random_bool(0.7);
                    Kind::Client(Client::new(jid.clone(), habits, initiation, video))
                };
                let mut shell = Shell::new(format!("d{index}x"));
                shell.mutes = self.faults.mutes;
                shell.refuses = self.faults.refuses;
                let device = Device {
                    jid,
                    person,
                    online: true,
                    alive: true,
                    kind,
                    shell,
                };
                self.devices.push(device);
                self.announce(index);
            }
        }
    }

    fn plan(&mut self) {
        let callers = if self.rng.random_bool(0.1) { 2 } else { 1 };
        for caller in 0..callers {
            let of: Vec<usize> = (0..self.devices.len())
                .filter(|own| self.devices[*own].person == caller)
                .collect();
            let device = of[self.rng.random_range(0..of.len())];
            let calls = if self.rng.random_bool(0.1) { 2 } else { 1 };
            for _ in 0..calls {
                let at = pause(&mut self.rng, 3_000) + Duration::from_secs(2);
                self.push(at, What::Place(device, 1 - caller));
            }
        }
        let end = self.rng.random_range(5..90);
        for _ in 0..self.rng.random_range(0..30) {
            let device = self.rng.random_range(0..self.devices.len());
            let at = Duration::from_millis(self.rng.random_range(3_000..end * 1_000));
            self.push(at, What::Wake(device, Alarm(Wake::Act)));
            if self.rng.random_bool(0.3) {
                // Both at once.
                let other = self.rng.random_range(0..self.devices.len());
                self.push(at, What::Wake(other, Alarm(Wake::Act)));
            }
        }
        let moment = |rng: &mut StdRng| Duration::from_millis(rng.random_range(2_000..end * 1_000));
        for _ in 0..self.faults.link {
            let at = moment(&mut self.rng);
            let length = if self.rng.random_bool(0.8) {
                20_000
            } else {
                90_000
            };
            let length = pause(&mut self.rng, length);
            self.push(at, What::LinkDown);
            self.push(at + length, What::LinkUp);
        }
        if self.faults.restart {
            let at = moment(&mut self.rng);
            self.push(at, What::Restart);
        }
        for _ in 0..self.faults.deaths {
            let at = moment(&mut self.rng);
            let device = self.rng.random_range(0..self.devices.len());
            self.push(at, What::Die(device));
        }
        let settled = Duration::from_secs(end + 100);
        self.push(settled, What::Settled);
        let both = self.rng.random_bool(0.3);
        let first = self.rng.random_range(0..2);
        for (person, after) in [(first, 1), (1 - first, if both { 1 } else { 100 })] {
            for device in 0..self.devices.len() {
                if self.devices[device].person == person {
                    let at = settled + Duration::from_secs(after) + pause(&mut self.rng, 200);
                    self.push(at, What::HangUp(device));
                }
            }
        }
        self.push(settled + Duration::from_secs(99), What::Over);
    }

    fn run(&mut self) {
        for _ in 0..MOST_STEPS {
            let due = self.drain();
            let next = self.events.peek().map(|event| event.0.at);
            match (due, next) {
                (Some(due), next) if next.is_none_or(|next| due < next) => {
                    self.now = due.max(self.now);
                    self.gateway.handle_timeout(self.now);
                }
                (_, Some(_)) => {
                    let event = self.events.pop().unwrap().0;
                    self.now = event.at.max(self.now);
                    self.step(event.what);
                }
                (Some(_) | None, None) => return,
            }
        }
        panic!("it never ends");
    }

    fn step(&mut self, what: What) {
        match what {
            What::ToDevice(device, text) => {
                if self.devices[device].alive {
                    self.note(&format!("{} gets {text}", self.devices[device].jid));
                    self.with(device, |device, cx| device.receive(cx, &text));
                } else if self.devices[device].online {
                    // A dead device whose session the server still holds; see `Gone`.
                    self.devices[device].shell.mischief += 1;
                } else {
                    self.bounce(&text);
                }
            }
            What::ToGateway(device, text) => {
                if self.linked {
                    self.note(&format!("gateway gets {text}"));
                    self.gateway.handle_stanza(self.now, parse(&text));
                } else {
                    self.refuse(device, &text);
                }
            }
            What::Bounce(text) => {
                if self.linked {
                    self.note(&format!("gateway gets {text}"));
                    self.gateway.handle_stanza(self.now, parse(&text));
                }
            }
            What::Wake(device, Alarm(wake)) => {
                if self.devices[device].alive {
                    if matches!(wake, Wake::Act) {
                        self.note(&format!("{} acts", self.devices[device].jid));
                    }
                    self.with(device, |device, cx| device.wake(cx, wake));
                }
            }
            What::Place(device, callee) => self.place(device, callee),
            What::LinkDown => {
                if std::mem::replace(&mut self.linked, false) {
                    self.note("link down");
                    self.gateway.handle_link_down(self.now);
                    self.lose();
                }
            }
            What::LinkUp => {
                if !std::mem::replace(&mut self.linked, true) {
                    self.note("link up");
                    self.gateway.handle_link_up(self.now);
                }
            }
            What::Restart => {
                self.note("restart");
                let was_linked = std::mem::replace(&mut self.linked, true);
                self.gateway = gateway(self.now, &mut self.rng);
                if was_linked {
                    self.lose();
                }
            }
            What::Die(device) => {
                if std::mem::replace(&mut self.devices[device].alive, false) {
                    self.note(&format!("{} dies", self.devices[device].jid));
                    // With stream management the server waits for it.
                    let until = pause(&mut self.rng, 60_000);
                    let at = self.now - self.start + until;
                    if self.rng.random_bool(0.5) {
                        // The application as well.
                        self.devices[device].crash();
                        self.push(at, What::Gone(device));
                    }
                    let back = at + pause(&mut self.rng, 30_000);
                    self.push(back, What::Return(device));
                }
            }
            What::Gone(device) => {
                if !self.devices[device].alive {
                    self.devices[device].online = false;
                    let text = format!(
                        "<presence type='unavailable' from='{}' to='call.example.org'/>",
                        self.devices[device].jid
                    );
                    self.send(device, text);
                }
            }
            What::Return(device) => {
                if !std::mem::replace(&mut self.devices[device].alive, true) {
                    self.note(&format!("{} returns", self.devices[device].jid));
                    self.devices[device].online = true;
                    self.announce(device);
                }
            }
            What::Settled => check::when_settled(self),
            What::HangUp(device) => {
                if self.devices[device].alive {
                    self.with(device, |device, cx| device.wake(cx, Wake::HangUp));
                }
            }
            What::Over => check::when_over(self),
        }
    }

    fn place(&mut self, device: usize, callee: usize) {
        if !self.devices[device].alive {
            return;
        }
        self.calls += 1;
        let sid = format!("s{}", self.calls);
        self.placed.insert(sid.clone(), (device, callee));
        let address = PEOPLE[callee].replace('@', "\\40");
        let mut to = format!("{address}@call.example.org");
        if let Kind::Client(client) = &self.devices[device].kind
            && !client.initiation
            && self.rng.random_bool(0.5)
        {
            to.push_str("/campana");
        }
        self.with(device, |device, cx| match &mut device.kind {
            Kind::App(app) => app.place(cx, &mut device.shell, &to, &sid),
            Kind::Client(client) => client.place(cx, &mut device.shell, &to, &sid),
        });
    }

    fn announce(&mut self, device: usize) {
        self.with(device, |device, cx| match &device.kind {
            Kind::App(app) => app.announce(cx),
            Kind::Client(client) => client.announce(cx),
        });
    }

    /// Lets a device work, then sends what it says.
    fn with(&mut self, index: usize, work: impl FnOnce(&mut Device, &mut Cx<'_>)) {
        let mut cx = Cx {
            rng: &mut self.rng,
            out: Vec::new(),
            wakes: Vec::new(),
            faulty: self.faults.any_loss(),
        };
        work(&mut self.devices[index], &mut cx);
        let Cx { out, wakes, .. } = cx;
        let now = self.now - self.start;
        for (after, wake) in wakes {
            self.push(now + after, What::Wake(index, Alarm(wake)));
        }
        for text in out {
            self.carbon(index, &text);
            if self.rng.random_bool(self.faults.duplicates) {
                let stanza = parse(&text);
                if let Some(id) = stanza.root().attr("id")
                    && let Some(entry) = self.devices[index].shell.ledger.get_mut(id)
                {
                    entry.0 += 1;
                }
                self.send(index, text.clone());
            }
            self.send(index, text);
        }
    }

    /// Her other devices see what she sends (XEP-0280).
    fn carbon(&mut self, index: usize, text: &str) {
        if !text.starts_with("<message") {
            return;
        }
        let person = self.devices[index].person;
        for other in 0..self.devices.len() {
            if other != index && self.devices[other].person == person {
                self.deliver(other, text.to_owned());
            }
        }
    }

    fn send(&mut self, device: usize, text: String) {
        let at = self.arrival((true, device));
        self.events_push(at, What::ToGateway(device, text));
    }

    fn deliver(&mut self, device: usize, text: String) {
        let at = self.arrival((false, device));
        self.events_push(at, What::ToDevice(device, text));
    }

    /// Stanzas between two parties keep their order.
    fn arrival(&mut self, way: (bool, usize)) -> Instant {
        let slow = if self.rng.random_bool(0.05) {
            2_000
        } else {
            150
        };
        let at = self.now + pause(&mut self.rng, slow);
        let last = self.last.entry(way).or_insert(at);
        *last = at.max(*last);
        *last
    }

    /// Takes what the gateway says.
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
                Output::Stanza(text) => {
                    assert!(self.linked, "sent without a link: {text}");
                    self.route(text);
                }
            }
        }
    }

    /// What the server does with a stanza of the gateway's.
    fn route(&mut self, text: String) {
        self.note(&format!("gateway sends {text}"));
        let stanza = parse(&text);
        let to = stanza.root().attr("to").unwrap_or_default().to_owned();
        if let Some(device) = self.devices.iter().position(|own| own.jid == to) {
            if self.devices[device].online {
                self.deliver(device, text);
            } else {
                self.bounce(&text);
            }
        } else if stanza.root().name() == "message" {
            let Some(person) = PEOPLE.iter().position(|own| *own == to) else {
                panic!("to nobody: {text}");
            };
            for device in 0..self.devices.len() {
                let own = &self.devices[device];
                if own.person == person && own.online {
                    self.deliver(device, text.clone());
                }
            }
        }
    }

    /// The server answers an IQ for a device that is not there; a chat message goes to another
    /// device of the person's.
    fn bounce(&mut self, text: &str) {
        let stanza = parse(text);
        let root = stanza.root();
        let attr = |name: &str| root.attr(name).unwrap_or_default().to_owned();
        let (from, to, id) = (attr("from"), attr("to"), attr("id"));
        if root.name() == "iq" && matches!(root.attr("type"), Some("get" | "set")) {
            let text = format!(
                "<iq type='error' from='{to}' to='{from}' id='{id}'><error type='cancel'>\
                 <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
            );
            let at = self.now + pause(&mut self.rng, 100);
            self.events_push(at, What::Bounce(text));
        } else if root.name() == "message" {
            let bare = to.split('/').next().unwrap();
            let other = self
                .devices
                .iter()
                .position(|own| own.online && own.alive && own.jid.starts_with(bare));
            if let Some(other) = other {
                self.deliver(other, text.to_owned());
            }
        }
    }

    /// No component is attached.
    fn refuse(&mut self, device: usize, text: &str) {
        let stanza = parse(text);
        let root = stanza.root();
        let attr = |name: &str| root.attr(name).unwrap_or_default().to_owned();
        let (from, to, id) = (attr("from"), attr("to"), attr("id"));
        if root.name() == "iq" && matches!(root.attr("type"), Some("get" | "set")) {
            let condition = if self.rng.random_bool(0.5) {
                "forbidden"
            } else {
                "service-unavailable"
            };
            self.deliver(
                device,
                format!(
                    "<iq type='error' from='{to}' to='{from}' id='{id}'><error type='cancel'>\
                     <{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
                ),
            );
        }
    }

    /// The stream broke: what was in it is lost, the last of each way.
    fn lose(&mut self) {
        let near = self.now + Duration::from_millis(60);
        let far = self.now + Duration::from_millis(40);
        let events: Vec<_> = self.events.drain().collect();
        self.events
            .extend(events.into_iter().filter(|event| match &event.0.what {
                What::ToGateway(..) => event.0.at > near,
                What::ToDevice(..) => event.0.at < far,
                What::Bounce(_) => false,
                _ => true,
            }));
    }

    fn push(&mut self, after: Duration, what: What) {
        let at = self.start + after;
        self.events_push(at, what);
    }

    fn events_push(&mut self, at: Instant, what: What) {
        self.next += 1;
        let order = self.next;
        self.events.push(Reverse(Event { at, order, what }));
    }

    fn note(&self, text: &str) {
        if self.trace {
            let seconds = (self.now - self.start).as_secs_f64();
            println!("{seconds:8.3} {text}");
        }
    }

    pub(crate) fn load(&self) -> Load {
        self.gateway.load()
    }
}

fn gateway(now: Instant, rng: &mut StdRng) -> Gateway {
    let mut config = Config::new("call.example.org".parse().unwrap());
    config.access.mode = Mode::Anyone;
    let mut gateway = Gateway::new(config, now, 1_700_000_000, rng.random());
    gateway.handle_link_up(now);
    gateway
}

fn faults(rng: &mut StdRng) -> Faults {
    let mut faults = Faults::default();
    let level = std::env::var("FAULTS")
        .ok()
        .and_then(|own| own.parse::<u32>().ok());
    let level = level.unwrap_or(9);
    if level == 0 || rng.random_bool(0.4) {
        return faults;
    }
    if rng.random_bool(0.4) {
        faults.duplicates = 0.05;
    }
    if level > 1 && rng.random_bool(0.3) {
        faults.refuses = 0.02;
    }
    if level > 1 && rng.random_bool(0.3) {
        faults.mutes = 0.02;
    }
    if level > 2 && rng.random_bool(0.3) {
        faults.deaths = rng.random_range(1..3);
    }
    if level > 3 && rng.random_bool(0.3) {
        faults.link = rng.random_range(1..3);
    }
    if level > 3 && rng.random_bool(0.15) {
        faults.restart = true;
    }
    faults
}

/// A moment that is the same for all runs of this process.
fn epoch() -> Instant {
    static EPOCH: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

pub(crate) const PEOPLE: [&str; 2] = ["romeo@example.org", "juliet@example.org"];
const MOST_STEPS: usize = 20_000;
