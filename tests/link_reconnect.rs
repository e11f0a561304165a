//! The link comes back by itself, fast while calls wait, and loses no stanza it still holds.
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

use std::time::{Duration, Instant};

use campana::io::link::{Event, Link};
use fake_server::*;

#[tokio::test]
async fn a_restart_of_the_server_costs_less_than_a_second() {
    let (server, mut link, peer) = connected().await;
    let address = server.address();
    drop((server, peer));
    expect_down(&mut link).await;

    // The port stays shut while some attempts fail, as when a server restarts.
    let refused = tokio::time::timeout(Duration::from_secs(2), link.next(true)).await;
    assert!(refused.is_err(), "{refused:?}");
    let server = Server::bind_again(&address).await;
    let back = Instant::now();
    let (_peer, event) = tokio::join!(server.open(), link.next(true));
    assert!(matches!(event, Event::Up));
    assert!(
        back.elapsed() < Duration::from_secs(1),
        "{:?}",
        back.elapsed()
    );
}

#[tokio::test]
async fn what_was_given_without_a_stream_goes_out_on_the_next() {
    let (server, mut link, peer) = connected().await;
    drop(peer);
    expect_down(&mut link).await;
    link.send("<message id='held'/>".into());
    let (mut peer, ()) = tokio::join!(server.open(), expect_up(&mut link));
    link.send("<message id='new'/>".into());
    let (sent, ()) = tokio::join!(peer.read_until("'new'/>"), idle(&mut link));
    assert_eq!(sent, "<message id='held'/><message id='new'/>");
}

#[tokio::test]
async fn a_server_that_accepts_and_hangs_up_is_not_hammered() {
    let (server, mut link, peer) = connected().await;
    drop(peer);
    expect_down(&mut link).await;
    let start = Instant::now();
    for _ in 0..3 {
        let (peer, ()) = tokio::join!(server.open(), expect_up(&mut link));
        drop(peer);
        expect_down(&mut link).await;
    }
    // 100 ms, 200 ms and 400 ms at least: a handshake alone does not start the delays anew.
    assert!(
        start.elapsed() >= Duration::from_millis(700),
        "{:?}",
        start.elapsed()
    );
}

/// Lets the link write what waits.
async fn idle(link: &mut Link) {
    let event = tokio::time::timeout(Duration::from_millis(200), link.next(false)).await;
    assert!(event.is_err(), "{event:?}");
}
