//! The whole process, killed in the middle of its work and started again.
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

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;

use fake_server::*;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// A directory of its own, removed at the end.
struct State(PathBuf);

impl Drop for State {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

async fn start(server: &Server, state: &State) -> (Child, Peer) {
    let process = Command::new(env!("CARGO_BIN_EXE_campana"))
        .arg("run")
        .env_clear()
        .env("CAMPANA_COMPONENT__JID", SERVICE)
        .env("CAMPANA_COMPONENT__SERVER", server.address())
        .env("CAMPANA_COMPONENT__SECRET", SECRET)
        .env("CAMPANA_HTTP__LISTEN", "127.0.0.1:0")
        .env("CAMPANA_DRAIN_TIMEOUT", "1")
        .env("CAMPANA_STATE_DIR", &state.0)
        .current_dir(std::env::temp_dir())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let peer = server.open().await;
    (process, peer)
}

/// `count` people let romeo see them, each of whom is answered.
async fn subscribe(peer: &mut Peer, count: usize) {
    for n in 0..count {
        let stanza = format!(
            "<presence type='subscribed' from='p{n}@example.org' to='romeo\\40example.net@{SERVICE}'/>"
        );
        peer.send(stanza).await;
    }
    peer.read_until(&format!(
        "'p{}\\40example.org@{SERVICE}/campana' to='romeo@example.net'/>",
        count - 1
    ))
    .await;
}

/// Those who are probed, until the answer to a ping comes.
async fn probed(peer: &mut Peer) -> BTreeSet<String> {
    let ping = format!(
        "<iq type='get' id='alive' from='x@example.org/x' to='{SERVICE}'><ping xmlns='urn:xmpp:ping'/></iq>"
    );
    let mut seen = BTreeSet::new();
    // Probes go out a few hundred at a time.
    for _ in 0..PINGS {
        peer.send(ping.clone()).await;
        let text = peer.read_until("id='alive'/>").await;
        let probes = text
            .split("<presence ")
            .filter(|p| p.contains("type='probe'"));
        seen.extend(probes.map(|p| {
            p.split(" to='")
                .nth(1)
                .unwrap()
                .split('\'')
                .next()
                .unwrap()
                .to_owned()
        }));
        if seen.len() == PEOPLE {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    seen
}

#[tokio::test]
async fn subscriptions_outlive_a_kill_and_a_restart() {
    let server = Server::bind().await;
    let dir = format!("campana-restart-{}", std::process::id());
    let state = State(std::env::temp_dir().join(dir));

    // Killed while it writes: what is there afterwards is whole, and it starts.
    let (mut process, mut peer) = start(&server, &state).await;
    subscribe(&mut peer, PEOPLE).await;
    process.kill().await.unwrap();
    let (mut process, mut peer) = start(&server, &state).await;
    let after_kill = probed(&mut peer).await;
    assert!(
        after_kill.iter().all(|p| p.starts_with('p')),
        "{after_kill:?}"
    );

    // Told to stop it writes everything.
    subscribe(&mut peer, PEOPLE).await;
    let pid = process.id().unwrap().to_string();
    let told = Command::new("kill")
        .args(["-TERM", &pid])
        .status()
        .await
        .unwrap();
    assert!(told.success());
    drop(peer);
    timeout(BOUND, process.wait())
        .await
        .expect("it stops")
        .unwrap();
    let (_process, mut peer) = start(&server, &state).await;
    let all = probed(&mut peer).await;
    assert_eq!(all.len(), PEOPLE);
    assert!(after_kill.is_subset(&all));
}

/// More than one transaction holds while the disk is busy.
const PEOPLE: usize = 3_000;
/// How often it is looked for more probes.
const PINGS: usize = 100;
