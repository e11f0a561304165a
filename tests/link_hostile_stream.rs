//! A broken stream costs one reconnect: never the process, never more.
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

use fake_server::*;

/// What no XMPP stream may hold, and the condition we end it with (RFC 6120 §4.9.3).
const BROKEN: &[(&str, &[u8], &str)] = &[
    ("a document type", b"<!DOCTYPE x>", "restricted-xml"),
    (
        "a document type in a stanza",
        b"<iq><!DOCTYPE x></iq>",
        "restricted-xml",
    ),
    (
        "an entity bomb",
        b"<!DOCTYPE l [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;'>]><iq id='&b;'/>",
        "restricted-xml",
    ),
    (
        "an entity of nobody's",
        b"<message><body>&b;</body></message>",
        "restricted-xml",
    ),
    ("a processing instruction", b"<?php x ?>", "restricted-xml"),
    ("one in a stanza", b"<iq><?php x ?></iq>", "restricted-xml"),
    ("a comment", b"<!-- x -->", "restricted-xml"),
    ("one in a stanza", b"<iq><!-- x --></iq>", "restricted-xml"),
    (
        "bad UTF-8",
        b"<message><body>\xC3\x28</body></message>",
        "not-well-formed",
    ),
    (
        "bad UTF-8 in an attribute",
        b"<message id='\xFF'/>",
        "not-well-formed",
    ),
    (
        "a cut sequence",
        b"<message><body>\xF0\x9F\x94</body></message>",
        "not-well-formed",
    ),
    (
        "a NUL reference",
        b"<message><body>&#0;</body></message>",
        "not-well-formed",
    ),
    (
        "a NUL",
        b"<message><body>\0</body></message>",
        "not-well-formed",
    ),
    (
        "mismatched tags",
        b"<message><body></message></body>",
        "not-well-formed",
    ),
    ("an unbound prefix", b"<x:message/>", "not-well-formed"),
    (
        "an attribute twice",
        b"<message id='1' id='2'/>",
        "not-well-formed",
    ),
    ("text between stanzas", b"hello", "not-well-formed"),
    (
        "less-than in an attribute",
        b"<message id='<'/>",
        "not-well-formed",
    ),
];

#[tokio::test]
async fn each_costs_one_reconnect_and_the_next_stream_works() {
    // Not one link for all: after ten short streams the delays are long, and rightly so.
    for (name, bytes, condition) in BROKEN {
        let (server, mut link, mut peer) = connected().await;
        peer.send("<iq id='before'/>").await;
        assert_eq!(expect_stanza(&mut link).await, "before", "{name}");
        peer.send(bytes).await;
        let (ended, ()) = tokio::join!(peer.read_to_end(), expect_down_and_drop(&mut link, name));
        assert!(ended.contains(condition), "{name}: {ended:?}");
        assert!(
            ended.ends_with("</stream:error></stream:stream>"),
            "{name}: {ended:?}"
        );

        let (mut peer, ()) = tokio::join!(server.open(), expect_up(&mut link));
        peer.send("<iq id='after'/>").await;
        assert_eq!(expect_stanza(&mut link).await, "after", "{name}");
    }
}

async fn expect_down_and_drop(link: &mut campana::io::link::Link, name: &str) {
    let event = next(link).await;
    assert!(
        matches!(event, campana::io::link::Event::Down),
        "{name}: {event:?}"
    );
}

#[tokio::test]
async fn a_second_header_and_an_early_end_too() {
    for bytes in [
        header("again"),
        "</stream:stream>".to_owned(),
        stream_error("system-shutdown", ""),
    ] {
        let (server, mut link, mut peer) = connected().await;
        peer.send(&bytes).await;
        expect_down(&mut link).await;
        tokio::join!(server.open(), expect_up(&mut link));
    }
}

#[tokio::test]
async fn a_stanza_without_end_ends_the_stream_within_bounds() {
    let (server, mut link, mut peer) = connected().await;
    let flood = async {
        let chunk = "x".repeat(64 * 1024);
        peer.io.set_nodelay(true).unwrap();
        peer.send("<message><body>").await;
        let mut sent = 0_usize;
        // Until the link has had enough; 1 GiB would be far too late.
        while sent < 1 << 30 {
            if tokio::io::AsyncWriteExt::write_all(&mut peer.io, chunk.as_bytes())
                .await
                .is_err()
            {
                break;
            }
            sent += chunk.len();
        }
        sent
    };
    let (sent, ()) = tokio::join!(flood, expect_down(&mut link));
    assert!(sent < 1 << 30, "{sent} bytes were swallowed");
    tokio::join!(server.open(), expect_up(&mut link));
}
