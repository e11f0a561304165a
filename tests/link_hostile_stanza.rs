//! A bad stanza costs one stanza: the stream stays, and the next stanza is read.
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

use campana::io::link::Event;
use campana::xml::Error;
use fake_server::*;

/// Sends `stanza` and then a good one; returns what the first gave.
async fn one(stanza: String) -> Event {
    let (_server, mut link, mut peer) = connected().await;
    let send = async {
        peer.send(stanza).await;
        peer.send("<iq id='after'/>").await;
    };
    let receive = async {
        let event = next(&mut link).await;
        assert_eq!(expect_stanza(&mut link).await, "after");
        event
    };
    let ((), event) = tokio::join!(send, receive);
    event
}

async fn bad(stanza: String) -> Error {
    match one(stanza).await {
        Event::Bad(bad) => {
            assert_eq!(bad.header.from.as_deref(), Some("romeo@example.net/x"));
            assert_eq!(bad.header.id.as_deref(), Some("b1"));
            bad.error
        }
        event => panic!("{event:?}"),
    }
}

fn iq(payload: &str) -> String {
    format!("<iq type='set' id='b1' from='romeo@example.net/x' to='{SERVICE}'>{payload}</iq>")
}

#[tokio::test]
async fn a_long_attribute_is_no_fault() {
    let stanza = iq(&format!("<a xmlns='urn:a' v='{}'/>", "x".repeat(20_000)));
    let Event::Stanza(read) = one(stanza).await else {
        panic!("a stanza")
    };
    let a = read.root().child("a", "urn:a").unwrap();
    assert_eq!(a.attr("v").unwrap().len(), 20_000);
}

#[tokio::test]
async fn more_than_256_kib() {
    let error = bad(iq(&format!("<a>{}</a>", "x".repeat(256 * 1024)))).await;
    assert_eq!(error, Error::TooLarge(256 * 1024));
    let error = bad(iq(&format!("<a v='{}'/>", "x".repeat(300_000)))).await;
    assert_eq!(error, Error::TooLarge(256 * 1024));
}

#[tokio::test]
async fn deeper_than_32() {
    // The stanza itself is level one.
    let nested = |levels: usize| iq(&("<a>".repeat(levels - 1) + &"</a>".repeat(levels - 1)));
    assert!(matches!(one(nested(32)).await, Event::Stanza(_)));
    assert_eq!(bad(nested(33)).await, Error::TooDeep(32));
    assert_eq!(bad(nested(30_000)).await, Error::TooDeep(32));
}

#[tokio::test]
async fn more_than_64_attributes() {
    let wide = |count: usize| {
        let attributes: String = (0..count).map(|n| format!(" a{n}='1'")).collect();
        iq(&format!("<a{attributes}/>"))
    };
    assert!(matches!(one(wide(64)).await, Event::Stanza(_)));
    assert_eq!(bad(wide(65)).await, Error::TooManyAttributes(64));
    assert_eq!(bad(wide(5000)).await, Error::TooManyAttributes(64));
}

#[tokio::test]
async fn what_a_schema_forbids_is_for_the_engine_to_judge() {
    for stanza in [
        "<presence from='a@example.org/x' to='call.example.org'><priority>900</priority></presence>",
        "<message from='a@example.org/x' to='call.example.org' type='bogus'/>",
        "<iq from='@/x' to='call.example.org' type='get' id='1'><q xmlns='urn:q'/></iq>",
        "<iq from='a@example.org/x' to='call.example.org' type='get' id='1'/>",
        "<iq from='a@example.org/x' to='call.example.org' type='error'/>",
        "<unknown/>",
        "<handshake/>",
    ] {
        assert!(
            matches!(one(stanza.to_owned()).await, Event::Stanza(_)),
            "{stanza}"
        );
    }
}

#[tokio::test]
async fn a_thousand_bad_ones_cost_a_thousand_stanzas() {
    let (_server, mut link, mut peer) = connected().await;
    let deep = iq(&("<a>".repeat(100) + &"</a>".repeat(100)));
    let send = async {
        for n in 0..1000 {
            peer.send(format!("{deep}<iq id='{n}'/>")).await;
        }
    };
    let receive = async {
        for n in 0..1000 {
            assert!(matches!(next(&mut link).await, Event::Bad(_)));
            assert_eq!(expect_stanza(&mut link).await, n.to_string());
        }
    };
    tokio::join!(send, receive);
}
