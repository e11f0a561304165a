//! The link opens and ends streams as XEP-0114 has it, over TCP and TLS.
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

use std::sync::Arc;
use std::time::Duration;

use campana::io::link::{Config, Event, Status};
use fake_server::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

#[tokio::test]
async fn the_handshake_is_made_and_the_status_tells_it() {
    let server = Server::bind().await;
    let (mut link, counters) = server.link();
    let status = link.status();
    assert_eq!(*status.borrow(), Status::Connecting);
    let (mut peer, ()) = tokio::join!(server.open(), expect_up(&mut link));
    assert_eq!(*status.borrow(), Status::Up);
    assert_eq!(counters.opened.value(), 1);

    link.send("<presence from='call.example.org' to='juliet@example.org'/>".into());
    peer.send("<message id='1'/>").await;
    assert_eq!(expect_stanza(&mut link).await, "1");
    let (sent, _) = tokio::join!(
        peer.read_until("/>"),
        tokio::time::timeout(Duration::from_millis(100), link.next(false))
    );
    assert!(sent.starts_with("<presence"), "{sent}");
}

#[tokio::test]
async fn what_comes_in_one_segment_with_the_handshake_is_not_lost() {
    let server = Server::bind().await;
    let (mut link, _) = server.link();
    let serve = async {
        let mut peer = server.accept().await;
        peer.read_until(">").await;
        peer.send(header("abc")).await;
        peer.read_until("</handshake>").await;
        peer.send("<handshake/><iq id='first'/><iq id='sec").await;
        peer.send("ond'/>").await;
        peer
    };
    let (_peer, ()) = tokio::join!(serve, expect_up(&mut link));
    assert_eq!(expect_stanza(&mut link).await, "first");
    assert_eq!(expect_stanza(&mut link).await, "second");
}

#[tokio::test]
async fn the_stream_may_be_cut_into_segments_anywhere() {
    let server = Server::bind().await;
    let (mut link, _) = server.link();
    let serve = async {
        let mut peer = server.accept().await;
        peer.io.set_nodelay(true).unwrap();
        peer.read_until(&format!("to='{SERVICE}'>")).await;
        for byte in header("é☺").as_bytes() {
            peer.send([*byte]).await;
        }
        let handshake = peer.read_until("</handshake>").await;
        assert_eq!(
            handshake,
            format!("<handshake>{}</handshake>", digest("é☺"))
        );
        let rest = "<handshake></handshake> \n<iq id='1'><a xmlns='urn:é' b='\u{1F514}'>☺&amp;</a></iq>\
                    <message id='2'/>";
        for byte in rest.as_bytes() {
            peer.send([*byte]).await;
        }
        peer
    };
    let receive = async {
        expect_up(&mut link).await;
        let Event::Stanza(stanza) = next(&mut link).await else {
            panic!("a stanza")
        };
        let a = stanza.root().child("a", "urn:é").unwrap();
        assert_eq!(a.attr("b"), Some("\u{1F514}"));
        assert_eq!(a.text(), "☺&");
        assert_eq!(expect_stanza(&mut link).await, "2");
    };
    tokio::join!(serve, receive);
}

#[tokio::test]
async fn every_single_cut_of_a_stanza_gives_the_same_stanza() {
    let (_server, mut link, mut peer) = connected().await;
    peer.io.set_nodelay(true).unwrap();
    let stanza =
        "<iq id='x' from='é@example.org/☺'><q xmlns='urn:q'>a&lt;b<![CDATA[]]&gt;]]></q></iq>";
    for cut in 1..stanza.len() {
        let (left, right) = stanza.as_bytes().split_at(cut);
        let send = async {
            peer.send(left).await;
            peer.send(right).await;
        };
        let ((), event) = tokio::join!(send, next(&mut link));
        let Event::Stanza(read) = event else {
            panic!("cut at {cut}: {event:?}")
        };
        assert_eq!(read.root().attr("from"), Some("é@example.org/☺"));
        assert_eq!(read.root().child("q", "urn:q").unwrap().text(), "a<b]]&gt;");
    }
}

#[tokio::test]
async fn closing_writes_what_waits_and_the_end_of_the_stream() {
    let (_server, mut link, mut peer) = connected().await;
    link.send("<presence type='unavailable'/>".into());
    let serve = async {
        let last = peer.read_until("</stream:stream>").await;
        peer.send("</stream:stream>").await;
        (last, peer.read_to_end().await)
    };
    let ((last, rest), ()) = tokio::join!(serve, link.close());
    assert_eq!(last, "<presence type='unavailable'/></stream:stream>");
    assert_eq!(rest, "");
}

struct Pki {
    ca_file: std::path::PathBuf,
    acceptor: TlsAcceptor,
}

/// A private authority and a server certificate for `xmpp.example.org`.
fn pki(name: &str) -> Pki {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["xmpp.example.org".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ca).unwrap();
    let ca_file = std::env::temp_dir().join(format!("campana-{name}-{}.pem", std::process::id()));
    std::fs::write(&ca_file, ca.pem()).unwrap();
    let settings = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    Pki {
        ca_file,
        acceptor: TlsAcceptor::from(Arc::new(settings)),
    }
}

fn tls_config(listener: &TcpListener, pki: &Pki) -> Config {
    Config {
        jid: SERVICE.into(),
        server: listener.local_addr().unwrap().to_string(),
        tls: true,
        tls_name: Some("xmpp.example.org".into()),
        tls_ca: Some(pki.ca_file.clone()),
        secret: SECRET.into(),
    }
}

#[tokio::test]
async fn tls_with_a_private_authority() {
    let pki = pki("right");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (mut link, _) = link(tls_config(&listener, &pki));
    let serve = async {
        let tcp = listener.accept().await.unwrap().0;
        let mut peer = Peer::new(pki.acceptor.accept(tcp).await.unwrap());
        peer.shake_hands().await;
        // More than one record, and more than the socket takes at once.
        let long = format!(
            "<message id='long'><body>{}</body></message>",
            "é".repeat(100_000)
        );
        peer.send(&long).await;
        peer.read_until("<message id='last'/>").await
    };
    let talk = async {
        expect_up(&mut link).await;
        assert_eq!(expect_stanza(&mut link).await, "long");
        for n in 0..500 {
            link.send(format!(
                "<message id='{n}'><body>{}</body></message>",
                "x".repeat(2000)
            ));
        }
        link.send("<message id='last'/>".into());
        // Drives the writing until the server has what it waits for and goes away.
        expect_down(&mut link).await;
    };
    let (all, ()) = tokio::join!(serve, talk);
    assert_eq!(all.matches("<message").count(), 501);
    std::fs::remove_file(pki.ca_file).unwrap();
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused_in_words() {
    let (right, wrong) = (pki("trusted"), pki("other"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (mut link, _) = link(tls_config(&listener, &right));
    let mut status = link.status();
    let serve = async {
        let tcp = listener.accept().await.unwrap().0;
        assert!(wrong.acceptor.accept(tcp).await.is_err());
    };
    tokio::select! {
        event = next(&mut link) => panic!("{event:?}"),
        ((), changed) = async { tokio::join!(serve, status.changed()) } => changed.unwrap(),
    }
    let Status::Down(reason) = status.borrow().clone() else {
        panic!("down")
    };
    assert!(reason.contains("component.tls_ca"), "{reason}");
    std::fs::remove_file(right.ca_file).unwrap();
    std::fs::remove_file(wrong.ca_file).unwrap();
}

#[tokio::test]
async fn a_file_without_certificates_is_named() {
    let config = Config {
        tls: true,
        tls_ca: Some("/dev/null".into()),
        ..Config::default()
    };
    let error = campana::io::link::check(&config).unwrap_err().to_string();
    assert!(error.contains("component.tls_ca: /dev/null"), "{error}");
}
