//! The loop around a scripted engine, linked to a scripted server.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::drive::{Commands, Effects, drive};
use super::engine::Engine;
use crate::gateway::{Change, Output, Privileges};
use crate::io::link::{Config, Link};
use crate::ladder::Record;
use crate::telemetry::LinkCounters;
use crate::xml::{BadStanza, Document, Limits};

/// Echoes ids, has a call while `busy`, and notes what it is told.
struct Scripted {
    notes: mpsc::UnboundedSender<String>,
    output: VecDeque<Output>,
    busy: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Scripted {
    fn note(&self, note: impl Into<String>) {
        // A test that has seen enough no longer listens.
        self.notes.send(note.into()).ok();
    }
}

impl Engine for Scripted {
    fn handle_link_up(&mut self, _: Instant) {
        self.note("up");
        self.output.push_back(Output::Stanza("<presence/>".into()));
    }

    fn handle_link_down(&mut self, _: Instant) {
        self.note("down");
    }

    fn handle_stanza(&mut self, now: Instant, stanza: Document) {
        let id = stanza.root().attr("id").unwrap_or_default();
        self.note(id);
        self.output
            .push_back(Output::Stanza(format!("<iq type='result' id='{id}'/>")));
        if id == "drop" {
            let username = "1:juliet".into();
            self.output.push_back(Output::DropAllocations { username });
        }
        if id == "wait" {
            self.deadline = Some(now + Duration::from_millis(20));
        }
    }

    fn handle_echo(&mut self, _: Instant, stanza: Document) {
        panic!("there are no test calls: {stanza:?}");
    }

    fn handle_bad_stanza(&mut self, _: Instant, stanza: BadStanza) {
        self.note(format!("bad {}", stanza.error));
    }

    fn handle_timeout(&mut self, now: Instant) {
        assert!(now >= self.deadline.expect("a deadline"));
        self.deadline = None;
        self.note("timeout");
    }

    fn handle_wall_clock(&mut self, _: Instant, _: u64) {}

    fn handle_drain(&mut self, now: Instant, until: Instant) {
        self.note(format!("drain {}", (until - now).as_secs()));
    }

    fn poll_output(&mut self) -> Output {
        self.output
            .pop_front()
            .unwrap_or(Output::Timeout(self.deadline))
    }

    fn poll_record(&mut self) -> Option<Record> {
        None
    }

    fn has_calls(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }
}

struct Stops(mpsc::UnboundedReceiver<()>);

impl Commands for Stops {
    async fn stop(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending().await
        }
    }
}

struct Dropped(mpsc::UnboundedSender<String>);

impl Effects for Dropped {
    fn drop_allocations(&mut self, username: &str) {
        self.0.send(username.to_owned()).unwrap();
    }

    fn reload(&mut self) {}

    fn store(&mut self, change: Change) {
        panic!("nothing is to be stored: {change:?}");
    }

    fn echo(&mut self, stanza: String) {
        panic!("there are no test calls: {stanza}");
    }

    fn privileges(&mut self, _: Privileges) {}

    fn record(&mut self, record: Record) {
        panic!("no journal is kept: {record:?}");
    }

    fn draining(&mut self, _: Instant) {}
}

struct Running {
    server: TcpStream,
    notes: mpsc::UnboundedReceiver<String>,
    dropped: mpsc::UnboundedReceiver<String>,
    stops: mpsc::UnboundedSender<()>,
    busy: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

/// The loop, its handshake made.
async fn start(drain: Duration) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = Config {
        jid: "call.example.org".into(),
        server: listener.local_addr().unwrap().to_string(),
        secret: "x".into(),
        ..Config::default()
    };
    let counters = Arc::new(LinkCounters::default());
    let mut rng = StdRng::seed_from_u64(1);
    let link = Link::new(config, Limits::default(), counters, &mut rng).unwrap();
    let (notes_in, notes) = mpsc::unbounded_channel();
    let (dropped_in, dropped) = mpsc::unbounded_channel();
    let (stops, stopped) = mpsc::unbounded_channel();
    let busy = Arc::new(AtomicBool::new(false));
    let mut engine = Scripted {
        notes: notes_in,
        output: VecDeque::new(),
        busy: Arc::clone(&busy),
        deadline: None,
    };
    let task = tokio::spawn(async move {
        drive(
            &mut engine,
            link,
            drain,
            Stops(stopped),
            Dropped(dropped_in),
            mpsc::channel(1).1,
        )
        .await;
    });
    let mut server = listener.accept().await.unwrap().0;
    read_until(&mut server, "'call.example.org'>").await;
    let header = "<stream:stream xmlns='jabber:component:accept' \
                  xmlns:stream='http://etherx.jabber.org/streams' id='1'>";
    server.write_all(header.as_bytes()).await.unwrap();
    read_until(&mut server, "</handshake>").await;
    server.write_all(b"<handshake/>").await.unwrap();
    let mut running = Running {
        server,
        notes,
        dropped,
        stops,
        busy,
        task,
    };
    running.expect("up").await;
    read_until(&mut running.server, "<presence/>").await;
    running
}

async fn read_until(server: &mut TcpStream, end: &str) -> String {
    let mut seen = String::new();
    let reading = async {
        while !seen.ends_with(end) {
            seen.push(char::from(server.read_u8().await.unwrap()));
        }
    };
    timeout(BOUND, reading).await.expect(end);
    seen
}

impl Running {
    async fn expect(&mut self, note: &str) {
        let noted = timeout(BOUND, self.notes.recv()).await.expect(note);
        assert_eq!(noted.as_deref(), Some(note));
    }

    async fn send(&mut self, id: &str) {
        let stanza = format!("<iq id='{id}'/>");
        self.server.write_all(stanza.as_bytes()).await.unwrap();
        self.expect(id).await;
    }

    /// The stream is ended from our side, then from the server's, and the loop is over.
    async fn expect_end(mut self) {
        let last = read_until(&mut self.server, "</stream:stream>").await;
        assert_eq!(last, "</stream:stream>");
        drop(self.server);
        timeout(BOUND, self.task)
            .await
            .expect("the loop ends")
            .unwrap();
    }
}

const BOUND: Duration = Duration::from_secs(10);

#[tokio::test]
async fn stanzas_go_in_and_out_and_effects_reach_their_place() {
    let mut running = start(Duration::from_secs(60)).await;
    running.send("a").await;
    assert_eq!(
        read_until(&mut running.server, "/>").await,
        "<iq type='result' id='a'/>"
    );
    running.send("drop").await;
    let dropped = timeout(BOUND, running.dropped.recv()).await.unwrap();
    assert_eq!(dropped.as_deref(), Some("1:juliet"));
    running.send("wait").await;
    running.expect("timeout").await;

    let wide = format!(
        "<iq{}/>",
        (0..65).map(|n| format!(" a{n}=''")).collect::<String>()
    );
    running.server.write_all(wide.as_bytes()).await.unwrap();
    running
        .expect("bad more than 64 attributes on one element")
        .await;
}

#[tokio::test]
async fn without_calls_a_stop_ends_at_once_and_closes_the_stream() {
    let mut running = start(Duration::from_secs(60)).await;
    running.stops.send(()).unwrap();
    running.expect("drain 60").await;
    running.expect_end().await;
}

#[tokio::test]
async fn with_calls_it_ends_when_they_have() {
    let mut running = start(Duration::from_secs(60)).await;
    running.busy.store(true, Ordering::Relaxed);
    running.stops.send(()).unwrap();
    running.expect("drain 60").await;
    // Stanzas still flow: calls have to be ended by somebody.
    running.send("during").await;
    read_until(&mut running.server, "'during'/>").await;
    running.busy.store(false, Ordering::Relaxed);
    running.server.write_all(b"<iq id='last'/>").await.unwrap();
    read_until(&mut running.server, "'last'/>").await;
    running.expect_end().await;
}

#[tokio::test]
async fn a_second_stop_ends_it_with_calls() {
    let mut running = start(Duration::from_secs(60)).await;
    running.busy.store(true, Ordering::Relaxed);
    running.stops.send(()).unwrap();
    running.expect("drain 60").await;
    running.stops.send(()).unwrap();
    running.expect_end().await;
}

#[tokio::test]
async fn a_lost_stream_is_told_and_made_again() {
    let mut running = start(Duration::from_secs(60)).await;
    running.server.shutdown().await.unwrap();
    running.expect("down").await;
    // Nobody accepts any more; the loop goes on and can be stopped.
    running.stops.send(()).unwrap();
    running.expect("drain 60").await;
    timeout(BOUND, running.task)
        .await
        .expect("the loop ends")
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn calls_that_never_end_do_not_keep_it_beyond_the_drain() {
    let (notes, mut noted) = mpsc::unbounded_channel();
    let (stops, stopped) = mpsc::unbounded_channel();
    let mut engine = Scripted {
        notes,
        output: VecDeque::new(),
        busy: Arc::new(AtomicBool::new(true)),
        deadline: None,
    };
    // Nothing listens there; the link keeps trying.
    let config = Config {
        server: "127.0.0.1:1".into(),
        ..Config::default()
    };
    let mut rng = StdRng::seed_from_u64(1);
    let link = Link::new(config, Limits::default(), Arc::default(), &mut rng).unwrap();
    let (dropped, _) = mpsc::unbounded_channel();
    let start = tokio::time::Instant::now();
    stops.send(()).unwrap();
    let drain = Duration::from_secs(60);
    let echoes = mpsc::channel(1).1;
    drive(
        &mut engine,
        link,
        drain,
        Stops(stopped),
        Dropped(dropped),
        echoes,
    )
    .await;
    assert_eq!(noted.recv().await.as_deref(), Some("drain 60"));
    assert_eq!(start.elapsed(), Duration::from_secs(65));
}
