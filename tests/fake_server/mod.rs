//! An XMPP server that does exactly what a test tells it, on a real socket.
#![allow(dead_code, reason = "each test uses its part of it")]

use std::sync::Arc;
use std::time::Duration;

use campana::io::link::{Config, Event, Link};
use campana::telemetry::LinkCounters;
use campana::xml::Limits;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

pub(crate) const SECRET: &str = "s3cr3t";
pub(crate) const SERVICE: &str = "call.example.org";
/// No wait in these tests is longer; all of them end with the event they wait for.
pub(crate) const BOUND: Duration = Duration::from_secs(10);

pub(crate) struct Server {
    listener: TcpListener,
}

/// One connection, seen from the server.
pub(crate) struct Peer<S = TcpStream> {
    pub(crate) io: S,
    seen: Vec<u8>,
}

impl Server {
    pub(crate) async fn bind() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        }
    }

    pub(crate) async fn bind_again(address: &str) -> Self {
        Self {
            listener: TcpListener::bind(address).await.unwrap(),
        }
    }

    pub(crate) fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            jid: SERVICE.into(),
            server: self.address(),
            secret: SECRET.into(),
            ..Config::default()
        }
    }

    pub(crate) fn link(&self) -> (Link, Arc<LinkCounters>) {
        link(self.config())
    }

    /// The next connection, with nothing said yet.
    pub(crate) async fn accept(&self) -> Peer {
        let accepted = timeout(BOUND, self.listener.accept())
            .await
            .expect("a connection");
        Peer::new(accepted.unwrap().0)
    }

    /// The next connection, its handshake accepted.
    pub(crate) async fn open(&self) -> Peer {
        let mut peer = self.accept().await;
        peer.shake_hands().await;
        peer
    }
}

pub(crate) fn link(config: Config) -> (Link, Arc<LinkCounters>) {
    let counters = Arc::new(LinkCounters::default());
    let mut rng = StdRng::seed_from_u64(7);
    let link = Link::new(config, Limits::default(), Arc::clone(&counters), &mut rng).unwrap();
    (link, counters)
}

/// What happens next on the link.
pub(crate) async fn next(link: &mut Link) -> Event {
    timeout(BOUND, link.next(false))
        .await
        .expect("something happens on the link")
}

pub(crate) async fn expect_up(link: &mut Link) {
    let event = next(link).await;
    assert!(matches!(event, Event::Up), "{event:?}");
}

pub(crate) async fn expect_down(link: &mut Link) {
    let event = next(link).await;
    assert!(matches!(event, Event::Down), "{event:?}");
}

/// Waits for a stanza and returns its id.
pub(crate) async fn expect_stanza(link: &mut Link) -> String {
    match next(link).await {
        Event::Stanza(stanza) => stanza.root().attr("id").unwrap_or_default().to_owned(),
        event => panic!("{event:?}"),
    }
}

/// A link that is up, and the server's end of it.
pub(crate) async fn connected() -> (Server, Link, Peer) {
    let server = Server::bind().await;
    let (mut link, _) = server.link();
    let (peer, ()) = tokio::join!(server.open(), expect_up(&mut link));
    (server, link, peer)
}

pub(crate) fn header(id: &str) -> String {
    format!(
        "<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' \
         xmlns='jabber:component:accept' id='{id}' from='{SERVICE}'>"
    )
}

pub(crate) fn stream_error(condition: &str, text: &str) -> String {
    format!(
        "<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
         <text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>{text}</text></stream:error>\
         </stream:stream>"
    )
}

/// SHA-1 of stream id and secret, computed here and not by the code under test.
pub(crate) fn digest(id: &str) -> String {
    let digest = ring::digest::digest(
        &ring::digest::SHA1_FOR_LEGACY_USE_ONLY,
        format!("{id}{SECRET}").as_bytes(),
    );
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(crate) fn new(io: S) -> Self {
        Self {
            io,
            seen: Vec::new(),
        }
    }

    pub(crate) async fn shake_hands(&mut self) {
        self.read_until(&format!("to='{SERVICE}'>")).await;
        self.send(&header("abc")).await;
        let handshake = self.read_until("</handshake>").await;
        assert_eq!(
            handshake,
            format!("<handshake>{}</handshake>", digest("abc"))
        );
        self.send("<handshake/>").await;
    }

    pub(crate) async fn send(&mut self, text: impl AsRef<[u8]>) {
        let written = async {
            self.io.write_all(text.as_ref()).await?;
            self.io.flush().await
        };
        timeout(BOUND, written)
            .await
            .expect("the link reads")
            .unwrap();
    }

    /// What the link writes, up to and including `end`.
    pub(crate) async fn read_until(&mut self, end: &str) -> String {
        loop {
            let found = self
                .seen
                .windows(end.len())
                .position(|window| window == end.as_bytes());
            if let Some(at) = found {
                let rest = self.seen.split_off(at + end.len());
                return String::from_utf8(std::mem::replace(&mut self.seen, rest)).unwrap();
            }
            let read = timeout(BOUND, self.io.read_buf(&mut self.seen)).await;
            let seen = String::from_utf8_lossy(&self.seen);
            let n = read
                .unwrap_or_else(|_| panic!("no {end:?} in {seen:?}"))
                .unwrap();
            assert!(n > 0, "closed before {end:?} in {seen:?}");
        }
    }

    /// What the link writes until it closes the connection.
    pub(crate) async fn read_to_end(&mut self) -> String {
        // A reset is an end, too.
        timeout(BOUND, self.io.read_to_end(&mut self.seen))
            .await
            .expect("it closes")
            .ok();
        String::from_utf8(std::mem::take(&mut self.seen)).unwrap()
    }
}
