//! A server that does not want us is explained to the admin, and asked again.
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

use campana::io::link::{Link, Status};
use fake_server::*;

/// Lets the link run until its status changes, and returns why it is down.
async fn reason(link: &mut Link) -> String {
    let mut status = link.status();
    status.borrow_and_update();
    tokio::select! {
        event = next(link) => panic!("{event:?}"),
        changed = status.changed() => changed.unwrap(),
    }
    match status.borrow().clone() {
        Status::Down(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_wrong_secret_is_explained_and_tried_again() {
    let server = Server::bind().await;
    let (mut link, counters) = server.link();
    for _ in 0..2 {
        let refuse = async {
            let mut peer = server.accept().await;
            peer.read_until(">").await;
            peer.send(header("abc")).await;
            peer.read_until("</handshake>").await;
            peer.send(stream_error("not-authorized", "Invalid Handshake"))
                .await;
            peer.read_to_end().await
        };
        let (reason, _) = tokio::join!(reason(&mut link), refuse);
        for word in [
            "not-authorized",
            "Invalid Handshake",
            "component.secret",
            "ejabberd.yml",
        ] {
            assert!(reason.contains(word), "{word} in {reason}");
        }
        assert!(!reason.contains(SECRET), "{reason}");
    }
    assert_eq!((counters.opened.value(), counters.lost.value()), (0, 0));

    // The admin mends it at the server.
    let (_peer, ()) = tokio::join!(server.open(), expect_up(&mut link));
}

#[tokio::test]
async fn an_unknown_component_is_refused_at_the_header() {
    let server = Server::bind().await;
    let (mut link, _) = server.link();
    // Prosody sends its header without an id and the error at once; ejabberd with one.
    for head in [header("abc"), header("abc").replace(" id='abc'", "")] {
        let refuse = async {
            let mut peer = server.accept().await;
            peer.read_until(">").await;
            peer.send(head + &stream_error("host-unknown", "")).await;
            peer.read_to_end().await
        };
        let (reason, _) = tokio::join!(reason(&mut link), refuse);
        assert!(reason.contains("component.jid"), "{reason}");
    }
}

#[tokio::test]
async fn a_conflict_is_explained_whether_at_once_or_later() {
    let server = Server::bind().await;
    let (mut link, _) = server.link();
    let refuse = async {
        let mut peer = server.accept().await;
        peer.read_until(">").await;
        peer.send(header("abc")).await;
        peer.read_until("</handshake>").await;
        peer.send(stream_error("conflict", "Component already connected"))
            .await;
    };
    let (why, ()) = tokio::join!(reason(&mut link), refuse);
    assert!(why.contains("component_conflict_resolve"), "{why}");

    let (mut peer, ()) = tokio::join!(server.open(), expect_up(&mut link));
    peer.send(stream_error("conflict", "Replaced by new connection"))
        .await;
    expect_down(&mut link).await;
    assert!(matches!(&*link.status().borrow(), Status::Down(why) if why.contains("Replaced")));
}

#[tokio::test]
async fn a_port_that_speaks_something_else_is_named() {
    let server = Server::bind().await;
    let (mut link, _) = server.link();
    for answer in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "<html><body/></html>",
        "\u{15}\u{3}\u{1}",
        "<stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:client' id='1'>\
         <stream:error><invalid-namespace xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
    ] {
        let refuse = async {
            let mut peer = server.accept().await;
            peer.read_until(">").await;
            peer.send(answer).await;
            peer.read_to_end().await
        };
        let (reason, _) = tokio::join!(reason(&mut link), refuse);
        assert!(reason.contains("component.server"), "{answer:?}: {reason}");
    }
}

#[tokio::test]
async fn no_server_at_all_is_tried_again_until_there_is_one() {
    let server = Server::bind().await;
    let address = server.address();
    let (mut link, _) = server.link();
    drop(server);
    let why = reason(&mut link).await;
    assert!(why.contains(&address), "{why}");
    let server = Server::bind_again(&address).await;
    let (_peer, ()) = tokio::join!(server.open(), expect_up(&mut link));
}

#[tokio::test]
async fn a_stanza_instead_of_the_handshake_is_no_handshake() {
    let server = Server::bind().await;
    let (mut link, _) = server.link();
    for answer in [
        "<iq id='1'/>",
        "</stream:stream>",
        "<handshake xmlns='urn:other'/>",
    ] {
        let refuse = async {
            let mut peer = server.accept().await;
            peer.read_until(">").await;
            peer.send(header("abc")).await;
            peer.read_until("</handshake>").await;
            peer.send(answer).await;
            peer.read_to_end().await
        };
        tokio::join!(reason(&mut link), refuse);
    }
}
