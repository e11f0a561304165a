//! The whole process behind the link: what each bad stanza of a user is answered.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "integration test"
)]

mod fake_server;

use std::process::Stdio;

use fake_server::*;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// The binary, linked to a server of the test.
struct Running {
    process: Child,
    server: Server,
    peer: Peer,
}

impl Running {
    async fn start() -> Self {
        let server = Server::bind().await;
        let process = Command::new(env!("CARGO_BIN_EXE_campana"))
            .arg("run")
            .env_clear()
            .env("CAMPANA_COMPONENT__JID", SERVICE)
            .env("CAMPANA_COMPONENT__SERVER", server.address())
            .env("CAMPANA_COMPONENT__SECRET", SECRET)
            .env("CAMPANA_HTTP__LISTEN", "127.0.0.1:0")
            .env("CAMPANA_DRAIN_TIMEOUT", "1")
            .env(
                "CAMPANA_STATE_DIR",
                std::env::temp_dir().join(format!("campana-answers-{}", std::process::id())),
            )
            .current_dir(std::env::temp_dir())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let peer = server.open().await;
        Self {
            process,
            server,
            peer,
        }
    }

    /// Sends `stanza` and then a ping; returns what was answered before the ping's result, which
    /// also shows that the stream and the process have outlived the stanza.
    async fn answers(&mut self, stanza: &str) -> String {
        let ping = format!(
            "<iq type='get' id='alive' from='juliet@example.org/x' to='{SERVICE}'>\
             <ping xmlns='urn:xmpp:ping'/></iq>"
        );
        self.peer.send(format!("{stanza}{ping}")).await;
        let mut answers = String::new();
        loop {
            let answer = self.peer.read_until(">").await;
            // Any answer to the ping will do.
            let last = answer.contains("'alive'") || answer.contains("\"alive\"");
            if last {
                if !answer.ends_with("/>") {
                    self.peer.read_until("</iq>").await;
                }
                return answers;
            }
            answers.push_str(&answer);
        }
    }
}

fn iq(payload: &str) -> String {
    format!("<iq type='set' id='b1' from='romeo@example.net/x' to='{SERVICE}'>{payload}</iq>")
}

#[tokio::test]
async fn a_stanza_over_a_bound_is_answered_to_its_sender() {
    let mut running = Running::start().await;
    let wide: String = (0..65).map(|n| format!(" a{n}='1'")).collect();
    let cases = [
        ("256 KiB", iq(&"x".repeat(256 * 1024)), "policy-violation"),
        (
            "65 attributes",
            iq(&format!("<a{wide}/>")),
            "policy-violation",
        ),
        (
            "33 levels",
            iq(&("<a>".repeat(32) + &"</a>".repeat(32))),
            "bad-request",
        ),
        (
            "30,000 levels",
            iq(&("<a>".repeat(30_000) + &"</a>".repeat(30_000))),
            "bad-request",
        ),
    ];
    for (name, stanza, condition) in cases {
        let answer = running.answers(&stanza).await;
        for part in ["error", "b1", "romeo@example.net/x", condition] {
            assert!(answer.contains(part), "{name}: no {part} in {answer}");
        }
        assert_eq!(answer.matches("<iq").count(), 1, "{name}: {answer}");
    }
}

#[tokio::test]
async fn no_error_is_answered_with_an_error() {
    let mut running = Running::start().await;
    let wide: String = (0..65).map(|n| format!(" a{n}='1'")).collect();
    for kind in ["error", "result"] {
        let stanza = iq(&format!("<a{wide}/>")).replace("'set'", &format!("'{kind}'"));
        assert_eq!(running.answers(&stanza).await, "", "{kind}");
        let odd =
            format!("<iq type='{kind}' id='zz' from='a@example.net/x' to='{SERVICE}'><x/></iq>");
        assert_eq!(running.answers(&odd).await, "", "{kind}");
    }
    let message =
        format!("<message type='error' from='a@example.net/x' to='{SERVICE}'><a{wide}/></message>");
    assert_eq!(running.answers(&message).await, "");
}

#[tokio::test]
async fn what_a_schema_forbids_is_answered_or_dropped() {
    let mut running = Running::start().await;
    for dropped in [
        "<presence from='a@example.net/x' to='call.example.org'><priority>900</priority></presence>",
        "<message from='a@example.net/x' to='call.example.org' type='bogus'/>",
        "<message from='@/x' to='call.example.org'/>",
        "<presence from='@/x' to='call.example.org'/>",
        "<iq from='@/x' to='call.example.org' type='get' id='1'><q xmlns='urn:q'/></iq>",
        "<unknown from='a@example.net/x' to='call.example.org'/>",
        "<iq/>",
        "<message/>",
        "<presence/>",
    ] {
        let answer = running.answers(dropped).await;
        assert!(!answer.contains("error"), "{dropped}: {answer}");
    }
    for refused in [
        "<iq from='a@example.net/x' to='call.example.org' type='get' id='b1'/>",
        "<iq from='a@example.net/x' to='call.example.org' type='set' id='b1'><a/><b/></iq>",
        "<iq from='a@example.net/x' to='call.example.org' type='bogus' id='b1'><a/></iq>",
    ] {
        let answer = running.answers(refused).await;
        assert!(
            answer.contains("bad-request") && answer.contains("b1"),
            "{refused}: {answer}"
        );
    }
}

#[tokio::test]
async fn every_answer_comes_from_our_domain_in_the_streams_namespace() {
    let mut running = Running::start().await;
    for to in [
        "call.example.org",
        "juliet\\40example.org@call.example.org",
        "x@call.example.org/y",
    ] {
        let stanza = iq("<q xmlns='urn:nothing'/>").replace(SERVICE, to);
        let answer = running.answers(&stanza).await;
        assert!(answer.contains("service-unavailable"), "{to}: {answer}");
        assert!(
            answer.contains(&format!("from='{to}'")) || answer.contains(&format!("from=\"{to}\"")),
            "{to}: {answer}"
        );
        assert!(!answer.contains("jabber:client"), "{to}: {answer}");
    }
}

#[tokio::test]
async fn a_broken_stream_is_made_anew_and_sigterm_ends_it_in_order() {
    let mut running = Running::start().await;
    running.peer.send("<iq><!-- x --></iq>").await;
    running.peer.read_to_end().await;
    running.peer = running.server.open().await;
    running.answers("").await;

    let pid = running.process.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .arg(pid)
            .status()
            .await
            .unwrap()
            .success()
    );
    running.peer.read_until("</stream:stream>").await;
    running.peer.send("</stream:stream>").await;
    let mut log = String::new();
    let mut lines = BufReader::new(running.process.stderr.take().unwrap()).lines();
    while let Some(line) = timeout(BOUND, lines.next_line()).await.unwrap().unwrap() {
        log.push_str(&line);
        log.push('\n');
    }
    let status = timeout(BOUND, running.process.wait())
        .await
        .unwrap()
        .unwrap();
    assert!(status.success(), "{log}");
    for line in [
        "http listening listen.addr=127.0.0.1:",
        "restricted-xml",
        "Draining",
        "Stopped",
    ] {
        assert!(log.contains(line), "{line:?} in\n{log}");
    }
    assert!(
        !log.contains("romeo") && !log.contains("juliet") && !log.contains(SECRET),
        "{log}"
    );
}
