//! The test call: an app that takes every call, plays a greeting, and gives back what it hears and
//! sees.
//!
//! It speaks what a browser app speaks ([`crate::web`]), with the engine in place of an XMPP server,
//! and has a WebRTC peer for each call. Whatever a caller's description does to that peer, it does
//! to the task of that call.

mod call;
mod greeting;
mod offer;
mod reflect;
mod transports;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tracing::{debug, warn};
use webrtc::peer_connection::RTCIceServer;

use super::run::unix;
use crate::credentials::extdisco::{Kind, Service};
use crate::credentials::mint;
use crate::stanza;
use crate::web::{End, Message, Session};
use crate::xml::{Document, Limits, NS_COMPONENT};

/// What the test call is told at its start.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Calls at a time.
    pub(crate) calls: usize,
    /// Where peers bind their sockets.
    pub(crate) addresses: Vec<IpAddr>,
    /// STUN and TURN servers that peers use.
    pub(crate) servers: Vec<Service>,
    /// How a stanza of the engine is read.
    pub(crate) limits: Limits,
}

/// The app that takes test calls.
#[derive(Debug)]
pub(crate) struct Echo {
    stanzas: mpsc::Sender<String>,
}

impl Echo {
    /// Starts it; what it has to say comes by the receiver.
    pub(crate) fn start(config: Config) -> (Self, mpsc::Receiver<Document>) {
        let (stanzas, heard) = mpsc::channel(QUEUE);
        let (say, said) = mpsc::channel(QUEUE);
        tokio::spawn(App::new(config, say).run(heard));
        (Self { stanzas }, said)
    }

    /// The engine has a stanza for it.
    pub(crate) fn send(&self, stanza: String) {
        if self.stanzas.try_send(stanza).is_err() {
            warn!("The test call has too much to do; a stanza was dropped");
        }
    }
}

/// Its calls and who is in them.
struct App {
    config: Config,
    voice: Voice,
    calls: HashMap<String, Open>,
    tasks: JoinSet<()>,
}

/// A call as the app sees it.
struct Open {
    task: Id,
    abort: AbortHandle,
    messages: mpsc::Sender<Message>,
    line: Line,
}

impl App {
    fn new(config: Config, say: mpsc::Sender<Document>) -> Self {
        Self {
            voice: Voice {
                say,
                limits: config.limits,
                next: Arc::new(AtomicU64::new(0)),
            },
            config,
            calls: HashMap::new(),
            tasks: JoinSet::new(),
        }
    }

    async fn run(mut self, mut heard: mpsc::Receiver<String>) {
        loop {
            tokio::select! {
                stanza = heard.recv() => match stanza {
                    Some(stanza) => self.hear(&stanza).await,
                    None => return,
                },
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended).await,
            }
        }
    }

    async fn hear(&mut self, stanza: &str) {
        let Ok(document) = Document::parse(stanza.as_bytes(), NS_COMPONENT, &self.config.limits)
        else {
            return;
        };
        let root = document.root();
        let attr = |name| root.attr(name).unwrap_or_default();
        let (own, peer) = (attr("to"), attr("from"));
        if root.name() != "iq" || !matches!(attr("type"), "get" | "set") {
            return;
        }
        self.voice.say(&stanza::result(own, peer, attr("id"))).await;
        let Some(session) = root.children().find_map(|child| Session::read(child).ok()) else {
            return;
        };
        let line = Line {
            own: own.to_owned(),
            peer: peer.to_owned(),
            sid: session.sid,
        };
        match session.message {
            Message::Propose(_) => self.propose(line).await,
            message => {
                if let Some(open) = self.calls.get(&line.sid)
                    && open.messages.try_send(message).is_err()
                {
                    open.abort.abort();
                }
            }
        }
    }

    async fn propose(&mut self, line: Line) {
        if self.calls.contains_key(&line.sid) {
            return;
        }
        if self.calls.len() >= self.config.calls {
            let text = Some("too many test calls at once".to_owned());
            return self.voice.end(&line, "busy", text).await;
        }
        self.voice.tell(&line, Message::Proceed).await;
        let (messages, inbox) = mpsc::channel(QUEUE);
        let config = super::peer::Config {
            addresses: self.config.addresses.clone(),
            servers: self.config.servers.iter().filter_map(server).collect(),
            relay_only: false,
        };
        let call = call::run(config, line.clone(), self.voice.clone(), inbox);
        let abort = self.tasks.spawn(call);
        let sid = line.sid.clone();
        let task = abort.id();
        let open = Open {
            task,
            abort,
            messages,
            line,
        };
        self.calls.insert(sid, open);
    }

    /// The task of a call is done, or fell over what its caller sent.
    async fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let (task, failed) = match &ended {
            Ok((task, ())) => (*task, false),
            Err(error) => (error.id(), true),
        };
        let sid = self.calls.iter().find(|(_, open)| open.task == task);
        let Some(open) = sid
            .map(|(sid, _)| sid.clone())
            .and_then(|sid| self.calls.remove(&sid))
        else {
            return;
        };
        if failed {
            debug!("A test call fell over");
            self.voice.end(&open.line, "failed-application", None).await;
        }
    }
}

/// Between whom a call is.
#[derive(Clone, Debug)]
struct Line {
    own: String,
    peer: String,
    sid: String,
}

/// How the app speaks to the engine.
#[derive(Clone, Debug)]
struct Voice {
    say: mpsc::Sender<Document>,
    limits: Limits,
    next: Arc<AtomicU64>,
}

impl Voice {
    async fn tell(&self, line: &Line, message: Message) {
        let id = format!("echo-{}", self.next.fetch_add(1, Ordering::Relaxed));
        let mut writer = stanza::open("iq", Some("set"), &line.own, &line.peer, Some(&id));
        let session = Session {
            sid: line.sid.clone(),
            peer: None,
            message,
        };
        session.write(&mut writer);
        self.say(&writer.finish()).await;
    }

    async fn end(&self, line: &Line, reason: &str, text: Option<String>) {
        let end = End {
            reason: reason.to_owned(),
            text,
            answered_elsewhere: false,
        };
        self.tell(line, Message::End(end)).await;
    }

    async fn say(&self, stanza: &str) {
        match Document::parse(stanza.as_bytes(), NS_COMPONENT, &self.limits) {
            // The process is about to end when nobody listens.
            Ok(stanza) => drop(self.say.send(stanza).await),
            Err(error) => debug!(%error, "A description of a test call is too large"),
        }
    }
}

/// A server as a peer is told of it. Relaying over UDP is enough: we are no further from the
/// internet than the server is.
fn server(service: &Service) -> Option<RTCIceServer> {
    let Service { host, port, .. } = service;
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.clone()
    };
    let credentials = service
        .secret
        .as_ref()
        .map(|secret| mint(secret, PERSON, unix() + CREDENTIAL_TTL));
    match (service.kind, service.transport, credentials) {
        (Kind::Turn, crate::credentials::extdisco::Transport::Udp, Some(credentials)) => {
            Some(RTCIceServer {
                urls: vec![format!("turn:{host}:{port}?transport=udp")],
                username: credentials.username,
                credential: credentials.password,
            })
        }
        _ => None,
    }
}

/// Whose allocations these are.
const PERSON: &str = "echo";
/// Longer than any test call, in seconds.
const CREDENTIAL_TTL: u64 = 600;
/// Stanzas and messages that wait.
const QUEUE: usize = 256;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::sdp;
    use crate::web::Media;

    /// A caller of a test call, who proposes it and then offers this.
    struct Caller {
        echo: Echo,
        said: mpsc::Receiver<Document>,
    }

    impl Caller {
        fn new() -> Self {
            let (echo, said) = Echo::start(Config {
                calls: 1,
                addresses: vec![Ipv4Addr::LOCALHOST.into()],
                servers: Vec::new(),
                limits: Limits::default(),
            });
            Self { echo, said }
        }

        fn tell(&self, message: Message) {
            let (own, peer) = ("romeo@example.org/1", "echo@call.example.org/app");
            let mut writer = stanza::open("iq", Some("set"), own, peer, Some("1"));
            let sid = "sid".to_owned();
            let session = Session {
                sid,
                peer: None,
                message,
            };
            session.write(&mut writer);
            self.echo.send(writer.finish());
        }

        /// The first of what the test call says that fits.
        async fn hear<T>(&mut self, fits: impl Fn(Message) -> Option<T>) -> T {
            let heard = async {
                loop {
                    let stanza = self.said.recv().await.unwrap();
                    let mut children = stanza.root().children();
                    let session = children.find_map(|child| Session::read(child).ok());
                    if let Some(found) = session.and_then(|session| fits(session.message)) {
                        return found;
                    }
                }
            };
            timeout(Duration::from_secs(10), heard).await.unwrap()
        }

        async fn call(&mut self, offer: &str) -> sdp::Session {
            self.tell(Message::Propose(Media::BOTH));
            self.hear(|message| matches!(message, Message::Proceed).then_some(()))
                .await;
            self.tell(Message::Offer(offer.to_owned()));
            let answer = self
                .hear(|message| match message {
                    Message::Answer(answer) => Some(answer),
                    Message::End(end) => panic!("{end:?}"),
                    _ => None,
                })
                .await;
            sdp::Session::parse(&answer, &sdp::Limits::default()).unwrap()
        }
    }

    /// What a browser gets of a recorded stanza.
    fn recorded(snapshot: &str) -> &str {
        let (_, description) = snapshot.split_once("\n---\n").unwrap();
        description.split("\n-- ").next().unwrap()
    }

    #[tokio::test]
    async fn dino_is_answered_though_it_does_not_bundle() {
        let mut caller = Caller::new();
        let answer = caller
            .call(recorded(include_str!(
                "../../tests/corpus/dino/dino-calls-stanza-video.session-initiate.xml.snap"
            )))
            .await;
        assert!(
            !answer.media.iter().any(sdp::Media::is_rejected),
            "{answer}"
        );
        assert_eq!(answer.groups().count(), 0, "{answer}");
        let ufrags: Vec<_> = answer.ufrags().collect();
        assert_ne!(ufrags[0], ufrags[1], "{answer}");
        // Each transport tells its own candidates.
        for mid in ["audio", "video"] {
            caller
                .hear(|message| match message {
                    Message::Candidates(candidates, _) => candidates
                        .iter()
                        .any(|candidate| candidate.mid.as_deref() == Some(mid))
                        .then_some(()),
                    _ => None,
                })
                .await;
        }
    }

    #[tokio::test]
    async fn dino_is_answered_without_pictures() {
        let answer = Caller::new()
            .call(recorded(include_str!(
                "../../tests/corpus/dino/dino-to-component-session-initiate.xml.snap"
            )))
            .await;
        assert!(!answer.media[0].is_rejected(), "{answer}");
        assert_eq!(answer.groups().count(), 0, "{answer}");
    }

    #[tokio::test]
    async fn who_bundles_has_one_transport() {
        let answer = Caller::new()
            .call(include_str!(
                "../../tests/corpus/chrome156/audio-video-data.offer.sdp"
            ))
            .await;
        assert!(
            !answer.media.iter().any(sdp::Media::is_rejected),
            "{answer}"
        );
        assert_eq!(answer.groups().count(), 1, "{answer}");
        let mut ufrags: Vec<_> = answer.ufrags().collect();
        ufrags.dedup();
        assert_eq!(ufrags.len(), 1, "{answer}");
    }
}
