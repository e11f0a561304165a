//! One stream over a pipe in memory, with a stopped clock: silence, and servers that do not read.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, timeout};

use super::connect::Opened;
use super::keepalive::Answers;
use super::outgoing::{HIGH, Outgoing};
use super::stream::{Pings, Stream};
use super::{Error, Event};
use crate::telemetry::LinkCounters;
use crate::xml::{Framer, Limits};

struct Side {
    stream: Stream,
    outgoing: Outgoing,
    counters: Arc<LinkCounters>,
}

impl Side {
    async fn next(&mut self) -> Result<Event, Error> {
        std::future::poll_fn(|cx| self.stream.poll(cx, &mut self.outgoing)).await
    }

    fn send(&mut self, stanza: &str) {
        assert!(
            self.outgoing
                .push_stanza(stanza.to_owned(), super::stream::now())
        );
    }
}

/// A stream just opened over a pipe of `room` bytes, and the server's end of it.
fn pair(room: usize, answers: Answers) -> (Side, DuplexStream) {
    let (ours, theirs) = duplex(room);
    let mut framer = Framer::new(Limits::default());
    framer.push(
        b"<stream:stream xmlns='jabber:component:accept' \
          xmlns:stream='http://etherx.jabber.org/streams' id='1'>",
    );
    framer.next_frame().unwrap().unwrap();
    let opened = Opened {
        io: Box::new(ours),
        framer,
    };
    let counters = Arc::new(LinkCounters::default());
    let pings = Pings::new("call.example.org".into(), "unguessable-".into());
    let side = Side {
        stream: Stream::new(opened, answers, pings, Arc::clone(&counters)),
        outgoing: Outgoing::default(),
        counters,
    };
    (side, theirs)
}

/// A server that hands back what we send but dots, as a router does with our pings; returns all
/// it has read.
async fn bounce(mut server: DuplexStream) -> String {
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = server.read(&mut buffer).await {
        let text = std::str::from_utf8(&buffer[..n]).unwrap();
        seen.push_str(text);
        let stanzas = text.trim_start_matches('.');
        if server.write_all(stanzas.as_bytes()).await.is_err() {
            break;
        }
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_of_silence_leave_the_stream_up() {
    let (mut side, server) = pair(4096, Answers::Unknown);
    let server = tokio::spawn(bounce(server));
    let start = Instant::now();
    let silence = Duration::from_mins(10) + Duration::from_secs(5);
    let event = timeout(silence, side.next()).await;
    assert!(event.is_err(), "nothing happens in silence: {event:?}");
    assert_eq!(start.elapsed(), silence);
    assert_eq!(side.counters.pings.value(), 20);

    // And it still carries stanzas.
    side.send("<presence/>");
    let event = side.next().await;
    assert!(matches!(event, Ok(Event::Stanza(_))), "{event:?}");
    drop(side);
    let seen = server.await.unwrap();
    assert_eq!(seen.matches("urn:xmpp:ping").count(), 20);
    assert!(seen.ends_with("<presence/>"), "{seen}");
}

#[tokio::test(start_paused = true)]
async fn three_minutes_with_a_server_that_answers_no_ping_leave_it_up_too() {
    let (mut side, server) = pair(4096, Answers::Unknown);
    let event = timeout(Duration::from_mins(3), side.next()).await;
    assert!(event.is_err(), "{event:?}");
    drop(server);
    assert!(matches!(side.next().await, Err(Error::Closed)));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_answering_is_noticed_after_45_s() {
    let (mut side, server) = pair(4096, Answers::Yes);
    let start = Instant::now();
    assert!(matches!(side.next().await, Err(Error::Dead)));
    assert_eq!(start.elapsed(), Duration::from_secs(45));
    drop(server);
}

#[tokio::test(start_paused = true)]
async fn an_error_is_as_good_an_answer_as_any() {
    let (mut side, mut server) = pair(4096, Answers::Yes);
    let answering = tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = server.read(&mut buffer).await {
            let text = std::str::from_utf8(&buffer[..n]).unwrap();
            let id = text.split("id=").nth(1).unwrap();
            let id = id[1..].split(['\'', '"']).next().unwrap();
            let error = format!("<iq type='error' id='{id}' from='call.example.org'><error/></iq>");
            if server.write_all(error.as_bytes()).await.is_err() {
                break;
            }
        }
    });
    let event = timeout(Duration::from_mins(10), side.next()).await;
    assert!(
        event.is_err(),
        "the answers are not for the engine: {event:?}"
    );
    drop(side);
    answering.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn all_that_waits_leaves_in_one_write() {
    let (mut side, mut server) = pair(4096, Answers::Unknown);
    server
        .write_all(b"<iq id='1'/><iq id='2'/><iq id='3'/>")
        .await
        .unwrap();
    for _ in 0..3 {
        let Ok(Event::Stanza(stanza)) = side.next().await else {
            panic!("a stanza")
        };
        let reply = format!(
            "<iq type='result' id='{}'/>",
            stanza.root().attr("id").unwrap()
        );
        side.send(&reply);
    }
    assert!(timeout(Duration::from_secs(1), side.next()).await.is_err());
    assert_eq!(side.counters.writes.value(), 1);
    assert_eq!(side.counters.stanzas_out.value(), 3);
}

/// Answers every stanza with one of 1 kB until nothing more comes for 5 s.
async fn answer_all(side: &mut Side) -> (usize, Option<Error>) {
    let reply = format!("<message><body>{}</body></message>", "x".repeat(1000));
    let mut answered = 0;
    loop {
        match timeout(Duration::from_secs(5), side.next()).await {
            Ok(Ok(_)) => {
                side.send(&reply);
                answered += 1;
            }
            Ok(Err(error)) => return (answered, Some(error)),
            Err(_) => return (answered, None),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_is_not_read_either() {
    let (mut side, server) = pair(64 * 1024, Answers::Yes);
    let (mut reading, mut writing) = tokio::io::split(server);
    let sent = 20_000;
    let flood = tokio::spawn(async move {
        for n in 0..sent {
            writing
                .write_all(format!("<message id='{n}'/>").as_bytes())
                .await
                .unwrap();
        }
        writing
    });
    let (answered, error) = answer_all(&mut side).await;
    assert!(error.is_none(), "{error:?}");
    assert!(answered < sent, "input stops while output waits");
    let held = side.outgoing.bytes();
    assert!((HIGH..HIGH + 2048).contains(&held), "{held} bytes held");
    assert!(!flood.is_finished(), "the flood is held back");

    // Once the server reads, everything arrives and nothing is lost.
    let drain = tokio::spawn(async move {
        let mut bytes = 0;
        let mut buffer = vec![0; 65536];
        while let Ok(n @ 1..) = reading.read(&mut buffer).await {
            bytes += n;
        }
        bytes
    });
    let (more, error) = answer_all(&mut side).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(answered + more, sent);
    drop(side);
    drop(flood.await.unwrap());
    assert_eq!(drain.await.unwrap(), sent * 1032);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_reads_again_loses_the_link_after_30_s() {
    let (mut side, server) = pair(1024, Answers::Yes);
    side.send(&"x".repeat(2000));
    let start = Instant::now();
    assert!(matches!(side.next().await, Err(Error::Stalled)));
    assert_eq!(start.elapsed(), Duration::from_secs(30));
    drop(server);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_keeps_the_link() {
    let (mut side, mut server) = pair(1024, Answers::Yes);
    side.send(&".".repeat(20_000));
    let slow = tokio::spawn(async move {
        let mut buffer = [0; 1000];
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_secs(20)).await;
            server.read_exact(&mut buffer).await.unwrap();
        }
        bounce(server).await
    });
    let event = timeout(Duration::from_mins(10), side.next()).await;
    assert!(event.is_err(), "{event:?}");
    assert_eq!(side.outgoing.bytes(), 0);
    drop(side);
    slow.await.unwrap();
}
