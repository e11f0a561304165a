//! Health, readiness and the page, asked over a real socket.
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

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use campana::credentials::Secret;
use campana::gateway::{self, Gateway, Output, Privileges};
use campana::io::http::{Calls, Config, Health, Metrics, Server};
use campana::io::turn::Meter;
use campana::ladder::{self, Ladders, Relayed};
use campana::presence::Mode;
use campana::telemetry::{LinkCounters, metric};
use campana::xml::{Document, Limits, NS_COMPONENT};
use fake_server::{BOUND, connected, expect_down, expect_up};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

async fn serve(config: Config, service: Option<&str>, health: Health) -> Running {
    serve_all(config, service, health, Metrics::default()).await
}

async fn serve_all(
    config: Config,
    service: Option<&str>,
    health: Health,
    metrics: Metrics,
) -> Running {
    serve_calls(config, service, health, metrics, None).await
}

async fn serve_calls(
    config: Config,
    service: Option<&str>,
    health: Health,
    metrics: Metrics,
    calls: Option<Calls>,
) -> Running {
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        ..config
    };
    let listener = TcpListener::bind(config.listen).await.unwrap();
    let server = Server::new(listener, &config, service, health, metrics, calls).unwrap();
    let address = server.address();
    assert_ne!(address.port(), 0);
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(server.serve(async {
        stopped.await.ok();
    }));
    Running {
        address,
        stop,
        task,
    }
}

impl Running {
    /// One request by itself: status, head in lower case, body.
    async fn ask(&self, request: &str) -> (u16, String, String) {
        let mut tcp = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(BOUND, tcp.read_to_string(&mut answer))
            .await
            .unwrap()
            .unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_lowercase(), body.to_owned())
    }
}

#[tokio::test]
async fn ready_only_while_the_link_is_up_and_nothing_drains() {
    let (server, mut link, mut peer) = connected().await;
    let health = Health::new(Some(link.status()));
    let http = serve(Config::default(), None, health.clone()).await;
    let (status, head, body) = http.ask("GET /readyz").await;
    assert_eq!(
        (status, body.as_str()),
        (
            200,
            "{\"privileges\":{\"blocklists\":[],\"rosters\":[]},\"ready\":true,\"reasons\":[]}\n"
        )
    );
    health.set_privileges(Privileges {
        rosters: vec!["example.org".into()],
        ..Privileges::default()
    });
    let (_, _, body) = http.ask("GET /readyz").await;
    assert!(body.contains("\"rosters\":[\"example.org\"]"), "{body}");
    assert!(head.contains("content-type: application/json"), "{head}");

    peer.send(fake_server::stream_error("conflict", "Replaced"))
        .await;
    expect_down(&mut link).await;
    let (status, _, body) = http.ask("GET /readyz").await;
    assert_eq!(status, 503);
    assert!(
        body.contains("conflict") && body.contains("component.jid"),
        "{body}"
    );
    assert_eq!(http.ask("GET /healthz").await.0, 200);

    tokio::join!(server.open(), expect_up(&mut link));
    assert_eq!(http.ask("GET /readyz").await.0, 200);
    health.drain();
    let (status, _, body) = http.ask("GET /readyz").await;
    assert_eq!(status, 503);
    assert!(body.contains("draining"), "{body}");
}

#[tokio::test]
async fn metrics_are_as_prometheus_reads_them() {
    let (_server, link, _peer) = connected().await;
    let config = gateway::Config::new("call.example.org".parse().unwrap());
    let gateway = Gateway::new(config, Instant::now(), 1_700_000_000, [7; 32]);
    let counted = Arc::new(LinkCounters::default());
    counted.stanzas_in.add(3u64);
    let metrics = Metrics {
        started: 1_700_000_000,
        link: Some(counted),
        gateway: Some(gateway.counters()),
        turn: Some(Meter::default()),
    };
    let http = serve_all(
        Config::default(),
        None,
        Health::new(Some(link.status())),
        metrics,
    )
    .await;
    let (status, head, body) = http.ask("GET /metrics").await;
    assert_eq!(status, 200);
    assert!(
        head.contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    let series = read_metrics(&body);
    let families: BTreeSet<_> = metric::ALL.iter().map(|family| family.name).collect();
    let told: BTreeSet<_> = series.values().map(|(family, _)| family.as_str()).collect();
    assert_eq!(told, families, "what is named is told, and nothing else");
    let value = |series_of: &str| series[series_of].1;
    assert!((value("campana_link_up") - 1.0).abs() < 1e-9);
    assert!((value("campana_link_stanzas_received_total") - 3.0).abs() < 1e-9);
    assert!((value("campana_start_time_seconds") - 1_700_000_000.0).abs() < 1e-9);
    assert!(value("campana_resident_memory_bytes") > 100_000.0);

    // Without a component and TURN there is nothing to tell of them.
    let http = serve(Config::default(), None, Health::new(None)).await;
    let (_, _, body) = http.ask("GET /metrics").await;
    let series = read_metrics(&body);
    assert!(series.contains_key("campana_draining"), "{body}");
    assert!(
        !body.contains("campana_link") && !body.contains("campana_turn"),
        "{body}"
    );
}

/// Each series with its family and value. Strict: a family's lines stand together behind its HELP
/// and TYPE, and no series is there twice.
fn read_metrics(text: &str) -> BTreeMap<String, (String, f64)> {
    assert!(text.ends_with('\n'));
    let (mut series, mut seen, mut family, mut kind) =
        (BTreeMap::new(), BTreeSet::new(), String::new(), "");
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split_once(' ').unwrap().0.to_owned();
            assert!(seen.insert(family.clone()), "{family} stands twice");
            kind = "";
        } else if let Some(told) = line.strip_prefix("# TYPE ") {
            let (name, of_kind) = told.split_once(' ').unwrap();
            assert_eq!((name, kind), (family.as_str(), ""));
            assert!(matches!(of_kind, "counter" | "gauge" | "histogram"));
            kind = of_kind;
        } else {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let (base, labels) = name.split_once('{').unwrap_or((name, "}"));
            let suffixes: &[_] = if kind == "histogram" {
                &["_bucket", "_sum", "_count"]
            } else {
                &[""]
            };
            let suffix = base.strip_prefix(family.as_str());
            assert!(suffix.is_some_and(|own| suffixes.contains(&own)), "{line}");
            for label in labels.strip_suffix('}').unwrap().split(',') {
                let Some((key, value)) = label.split_once('=') else {
                    assert_eq!(label, "");
                    continue;
                };
                assert!(key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
                let value = value.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
                assert!(!value.contains(['"', '\\']), "{line}");
            }
            let value = (family.clone(), value.parse().unwrap());
            assert!(series.insert(name.to_owned(), value).is_none(), "{line}");
        }
    }
    series
}

/// A gateway whose calls are kept.
struct Journalled {
    gateway: Gateway,
    calls: Calls,
    now: Instant,
}

impl Journalled {
    fn new(config: ladder::Config) -> Self {
        let now = Instant::now();
        let mut gateway = gateway::Config::new("call.example.org".parse().unwrap());
        gateway.access.mode = Mode::Anyone;
        gateway.journal = true;
        let mut gateway = Gateway::new(gateway, now, 1_700_000_000, [7; 32]);
        gateway.handle_link_up(now);
        let ladders = Ladders::new(config, "call.example.org", now, 1_700_000_000_000);
        Self {
            gateway,
            calls: Calls::new(ladders),
            now,
        }
    }

    fn send(&mut self, stanza: &str) -> Vec<String> {
        self.now += Duration::from_millis(100);
        let limits = Limits::default();
        let stanza = Document::parse(stanza.as_bytes(), NS_COMPONENT, &limits).unwrap();
        self.gateway.handle_stanza(self.now, stanza);
        let mut sent = Vec::new();
        loop {
            match self.gateway.poll_output() {
                Output::Stanza(stanza) => sent.push(stanza),
                Output::Timeout(_) => break,
                _ => {}
            }
        }
        while let Some(record) = self.gateway.poll_record() {
            self.calls.record(record);
        }
        sent
    }

    /// Romeo's app calls Juliet's, which is there, and hangs up.
    fn call(&mut self, sid: &str, sdp: &str, end: &str) {
        self.send(
            "<presence from='juliet@example.org/page' to='call.example.org'>\
             <device xmlns='urn:x-campana:sdp:0' media='audio video'/></presence>",
        );
        let step = |step: &str, id: &str| {
            format!(
                "<iq type='set' id='{id}' from='romeo@example.net/web' \
                 to='juliet\\40example.org@call.example.org'>\
                 <session xmlns='urn:x-campana:sdp:0' sid='{sid}'>{step}</session></iq>"
            )
        };
        let sent = self.send(&step(&format!("<offer>{sdp}</offer>"), &format!("{sid}-1")));
        assert!(sent.iter().any(|it| it.contains("<propose")), "{sent:?}");
        let sent = self.send(&step(
            &format!("<end reason='cancel'>{end}</end>"),
            &format!("{sid}-2"),
        ));
        assert!(sent.iter().any(|it| it.contains("<end")), "{sent:?}");
    }

    async fn serve(&self, token: Option<&str>) -> Running {
        let config = Config {
            admin_token: token.map(Secret::new),
            ..Config::default()
        };
        let calls = Some(self.calls.clone());
        serve_calls(config, None, Health::new(None), Metrics::default(), calls).await
    }
}

const BEARER: &str = "HTTP/1.1\r\nauthorization: Bearer north\r\nx:";
const SDP: &str = include_str!("corpus/chrome156/audio-video-data.offer.sdp");

#[tokio::test]
async fn calls_are_for_whoever_has_the_token() {
    let mut gateway = Journalled::new(ladder::Config::default());
    gateway.call("s1", SDP, "bye");
    let paths = [
        "/calls",
        "/calls.json",
        "/calls/1",
        "/calls/1.json",
        "/calls/2",
    ];
    for none in [None, Some("")] {
        let http = gateway.serve(none).await;
        for path in paths {
            let (status, ..) = http.ask(&format!("GET {path} {BEARER}")).await;
            assert_eq!(status, 404, "{path}");
        }
    }
    let http = gateway.serve(Some("north")).await;
    for path in paths {
        for wrong in [
            "x: y",
            "authorization: Bearer nort",
            "authorization: Basic bm9ydGg=",
        ] {
            let request = format!("GET {path} HTTP/1.1\r\n{wrong}\r\nx:");
            let (status, head, body) = http.ask(&request).await;
            assert_eq!(status, 401, "{path} {wrong}");
            assert!(head.contains("www-authenticate: basic realm="), "{head}");
            assert!(!body.contains("juliet") && !body.contains("s1"), "{body}");
        }
        let (status, head, _) = http.ask(&format!("GET {path} {BEARER}")).await;
        assert_eq!(status, if path == "/calls/2" { 404 } else { 200 }, "{path}");
        if status == 200 {
            assert!(head.contains("cache-control: no-store"), "{head}");
        }
        assert_eq!(http.ask(&format!("POST {path} {BEARER}")).await.0, 405);
    }
    // ":north", as a browser says it.
    let basic = "GET /calls/1 HTTP/1.1\r\nauthorization: Basic Om5vcnRo\r\nx:";
    let (status, head, body) = http.ask(basic).await;
    assert_eq!(status, 200);
    assert!(head.contains("content-security-policy: default-src 'none'; style-src 'sha256-"));
    assert!(
        !head.contains("script-src") && !body.contains("<script"),
        "{body}"
    );
    assert!(body.contains("iq set session offer"), "{body}");
    for number in [
        "0",
        "-1",
        "x",
        "1.json.json",
        "99999999999999999999",
        "%3Cb%3E",
    ] {
        let (status, ..) = http.ask(&format!("GET /calls/{number} {BEARER}")).await;
        assert_eq!(status, 404, "{number}");
    }
}

/// Romeo's phone calls Juliet at her own address, and her app carries the call.
#[tokio::test]
async fn a_ladder_tells_who_said_what_of_a_call_that_a_device_carries() {
    let mut gateway = Journalled::new(ladder::Config::default());
    gateway.send(
        "<presence from='juliet@example.org/page' to='call.example.org'>\
         <device xmlns='urn:x-campana:sdp:0' media='audio' carry='true'/></presence>",
    );
    let offer = include_str!("corpus/conversations/chrome156-audio-ice.offer.xml");
    gateway.send(&format!(
        "<iq type='set' id='1' from='juliet@example.org/page' to='call.example.org'>\
         <carried xmlns='urn:x-campana:sdp:0'><forwarded xmlns='urn:xmpp:forward:0'>\
         <iq xmlns='jabber:client' type='set' id='init' from='romeo@example.net/phone' \
         to='juliet@example.org/page'>{offer}</iq></forwarded></carried></iq>"
    ));
    let answer = include_str!("corpus/chrome156/audio-ice.answer.sdp");
    for (id, step) in [
        ("2", "<proceed/>".to_owned()),
        ("3", format!("<answer>{answer}</answer>")),
        ("4", "<end reason='success'/>".to_owned()),
    ] {
        gateway.send(&format!(
            "<iq type='set' id='{id}' from='juliet@example.org/page' to='call.example.org'>\
             <session xmlns='urn:x-campana:sdp:0' sid='sid' peer='romeo@example.net/phone'>{step}\
             </session></iq>"
        ));
    }
    let http = gateway.serve(Some("north")).await;
    let (_, _, body) = http.ask(&format!("GET /calls/1.json {BEARER}")).await;
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(told["call"]["reason"], "success", "{body}");
    assert_eq!(
        told["call"]["dialects"],
        serde_json::json!(["unknown", "web"])
    );
    let parties = told["parties"].as_array().unwrap();
    let party = |name: &str| parties.iter().find(|it| it["name"] == name).unwrap();
    // What is in the two descriptions, each once.
    let [told, answered] =
        ["caller/device-1", "callee/device-1"].map(|name| &party(name)["candidates"]);
    assert_eq!(
        *told,
        serde_json::json!({"host": 6, "srflx": 2, "prflx": 0, "relay": 3})
    );
    assert_eq!(
        *answered,
        serde_json::json!({"host": 6, "srflx": 2, "prflx": 0, "relay": 3})
    );
    assert_eq!(parties.len(), 2);
}

#[tokio::test]
async fn a_ladder_tells_who_sent_what_and_names_nobody() {
    let mut gateway = Journalled::new(ladder::Config::default());
    let sdp =
        format!("{SDP}a=candidate:1 1 udp 9 192.0.2.77 5000 typ srflx raddr 10.1.2.3 rport 9\n");
    gateway.call("s1", &sdp, "romeo@example.net went home");
    gateway.calls.relayed(
        gateway.now,
        &Relayed {
            person: "romeo@example.net".into(),
            seconds: 1,
            up_bytes: 1000,
            down_bytes: 234,
            transport: "udp".into(),
        },
    );
    let http = gateway.serve(Some("north")).await;
    let (_, head, body) = http.ask(&format!("GET /calls/1.json {BEARER}")).await;
    assert!(head.contains("content-type: application/json"), "{head}");
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(told["call"]["reason"], "cancel");
    assert_eq!(told["call"]["began"], 1_700_000_000_200_u64);
    assert_eq!(told["call"]["ended"], 100);
    let caller = &told["parties"][0];
    assert_eq!(caller["name"], "caller/device-1");
    assert_eq!(caller["dialect"], "web");
    assert_eq!(caller["relayed_bytes"], 1234);
    assert_eq!(caller["candidates"]["srflx"], 1);
    let steps = told["steps"].as_array().unwrap();
    let titles: Vec<&str> = steps.iter().filter_map(|it| it["title"].as_str()).collect();
    for title in [
        "iq set session offer",
        "iq set session propose",
        "message propose",
        "iq set session end cancel",
    ] {
        assert!(titles.contains(&title), "{title} in {titles:?}");
    }
    let ended = steps.iter().find(|it| it["event"] == "ended").unwrap();
    assert_eq!(ended["text"], "… went home");
    let (_, _, page) = http.ask(&format!("GET /calls/1 {BEARER}")).await;
    let (_, _, list) = http.ask(&format!("GET /calls {BEARER}")).await;
    let password = SDP
        .split("a=ice-pwd:")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap();
    for shown in [&body, &page, &list] {
        for name in [
            "romeo",
            "juliet@",
            "juliet\\40",
            "192.0.2.77",
            "10.1.2.3",
            password,
        ] {
            // The field of the form has an example in it.
            let shown = shown.replace("placeholder='juliet@example.org'", "");
            assert!(!shown.contains(name), "{name} in {shown}");
        }
    }
    // Whoever knows a name may ask for it.
    for (query, found) in [
        ("person=romeo%40example.net", true),
        ("person=nurse%40example.org", false),
    ] {
        let (_, _, list) = http.ask(&format!("GET /calls?{query} {BEARER}")).await;
        assert_eq!(list.contains("calls/1"), found, "{list}");
    }

    let mut gateway = Journalled::new(ladder::Config {
        pii: true,
        ..ladder::Config::default()
    });
    gateway.call("s1", &sdp, "bye");
    let http = gateway.serve(Some("north")).await;
    let (_, _, page) = http.ask(&format!("GET /calls/1 {BEARER}")).await;
    assert!(
        page.contains("romeo@example.net/web") && page.contains("192.0.2.77"),
        "{page}"
    );
    assert!(!page.contains(password), "{page}");
}

#[tokio::test]
async fn what_peers_write_is_never_markup() {
    let mut gateway = Journalled::new(ladder::Config {
        pii: true,
        ..ladder::Config::default()
    });
    let evil = "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&apos;&lt;img src=x onerror=y&gt;";
    gateway.call("s1", &format!("{SDP}a=x-note:{evil}\n"), evil);
    let http = gateway.serve(Some("north")).await;
    for path in ["/calls", "/calls/1"] {
        let (_, _, page) = http.ask(&format!("GET {path} {BEARER}")).await;
        assert!(
            !page.contains("<script") && !page.contains("<img"),
            "{page}"
        );
    }
    let (_, _, page) = http.ask(&format!("GET /calls/1 {BEARER}")).await;
    assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
}

#[tokio::test]
async fn no_more_calls_and_bytes_are_kept_than_allowed() {
    let mut gateway = Journalled::new(ladder::Config {
        calls: 3,
        call_bytes: 16 * 1024,
        ..ladder::Config::default()
    });
    for n in 1..=5 {
        gateway.call(&format!("s{n}"), SDP, "bye");
    }
    let http = gateway.serve(Some("north")).await;
    let (_, _, list) = http.ask(&format!("GET /calls.json {BEARER}")).await;
    let told: serde_json::Value = serde_json::from_str(&list).unwrap();
    let calls = told["calls"].as_array().unwrap();
    let numbers: Vec<_> = calls
        .iter()
        .map(|it| it["call"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [5, 4, 3]);

    // Over its bound a call keeps only what it cannot be understood without.
    let mut gateway = Journalled::new(ladder::Config {
        call_bytes: 4096,
        ..ladder::Config::default()
    });
    gateway.call("s1", SDP, "bye");
    let http = gateway.serve(Some("north")).await;
    let (_, _, body) = http.ask(&format!("GET /calls/1.json {BEARER}")).await;
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert!(told["left_out"].as_u64().unwrap() > 0, "{body}");
    assert_eq!(told["call"]["reason"], "cancel");
    assert!(body.len() < 16 * 1024, "{}", body.len());

    let mut gateway = Journalled::new(ladder::Config {
        calls_bytes: 32 * 1024,
        ..ladder::Config::default()
    });
    for n in 1..=9 {
        gateway.call(&format!("s{n}"), SDP, "bye");
    }
    let http = gateway.serve(Some("north")).await;
    let (_, _, list) = http.ask(&format!("GET /calls.json {BEARER}")).await;
    let told: serde_json::Value = serde_json::from_str(&list).unwrap();
    let calls = told["calls"].as_array().unwrap();
    assert!((1..9).contains(&calls.len()), "{list}");
    assert_eq!(calls[0]["call"], 9);
}

#[tokio::test]
async fn without_a_component_there_is_nothing_to_wait_for() {
    let http = serve(Config::default(), None, Health::new(None)).await;
    assert_eq!(http.ask("GET /readyz").await.0, 200);
    assert_eq!(http.ask("GET /config.json").await.2, "{}\n");
}

#[tokio::test]
async fn the_page_is_told_where_to_log_in() {
    let config = Config {
        websocket: Some("wss://xmpp.example.org/ws".into()),
        ..Config::default()
    };
    let http = serve(config.clone(), Some("call.example.org"), Health::new(None)).await;
    let (status, head, body) = http.ask("GET /config.json").await;
    assert_eq!(status, 200);
    assert!(head.contains("content-type: application/json"), "{head}");
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(told["service"], "call.example.org");
    assert_eq!(told["domain"], "example.org");
    assert_eq!(told["websocket"], "wss://xmpp.example.org/ws");
    assert_eq!(told["guests"], "guest.example.org");
    assert_eq!(told.get("bosh"), None);

    let config = Config {
        domain: Some("people.example.net".into()),
        ..config
    };
    let http = serve(config, Some("call.example.org"), Health::new(None)).await;
    assert!(
        http.ask("GET /config.json")
            .await
            .2
            .contains("people.example.net")
    );
}

#[tokio::test]
async fn every_answer_is_guarded() {
    let http = serve(Config::default(), None, Health::new(None)).await;
    for request in [
        "GET /",
        "GET /nothing",
        "POST /healthz",
        "GET /config.json",
        "HEAD /",
    ] {
        let (_, head, _) = http.ask(request).await;
        for guard in [
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; \
             img-src 'self' data:; media-src 'self' blob:; connect-src 'self' https: wss:; \
             base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
            "x-content-type-options: nosniff",
        ] {
            assert!(head.contains(guard), "{request}: {head}");
        }
    }
}

#[tokio::test]
async fn the_page_talks_to_the_servers_that_are_configured_and_to_no_other() {
    for (websocket, bosh, sources) in [
        (
            Some("wss://xmpp.example.org/ws?a"),
            None,
            "wss://xmpp.example.org",
        ),
        (
            Some("ws://127.0.0.1:5280/ws"),
            Some("https://xmpp.example.org:5443/bosh"),
            "ws://127.0.0.1:5280 https://xmpp.example.org:5443",
        ),
        // No host-source of CSP can be an IPv6 address, and none may add a directive.
        (Some("ws://[::1]:5280/ws"), None, "ws:"),
        (Some("wss://x;script-src *"), None, "wss:"),
    ] {
        let config = Config {
            websocket: websocket.map(str::to_owned),
            bosh: bosh.map(str::to_owned),
            ..Config::default()
        };
        let http = serve(config, Some("call.example.org"), Health::new(None)).await;
        let (_, head, _) = http.ask("GET /").await;
        let expected = format!("connect-src 'self' {sources}; base-uri");
        assert!(head.contains(&expected), "{head}");
    }
}

#[tokio::test]
async fn any_client_is_told_where_browsers_connect() {
    let config = Config {
        websocket: Some("wss://xmpp.example.org/ws?a=1&b='".into()),
        bosh: Some("https://xmpp.example.org/bosh".into()),
        ..Config::default()
    };
    let http = serve(config, None, Health::new(None)).await;
    let (status, head, body) = http.ask("GET /.well-known/host-meta.json").await;
    assert_eq!(status, 200);
    assert!(head.contains("access-control-allow-origin: *"), "{head}");
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        told["links"][0]["rel"],
        "urn:xmpp:alt-connections:websocket"
    );
    assert_eq!(told["links"][1]["href"], "https://xmpp.example.org/bosh");
    let (_, head, body) = http.ask("GET /.well-known/host-meta").await;
    assert!(head.contains("content-type: application/xrd+xml"), "{head}");
    assert!(
        body.contains("href='wss://xmpp.example.org/ws?a=1&amp;b=&apos;'"),
        "{body}"
    );

    let plain = Config {
        websocket: Some("ws://127.0.0.1/ws".into()),
        ..Config::default()
    };
    let http = serve(plain, None, Health::new(None)).await;
    for path in ["host-meta", "host-meta.json"] {
        let (status, ..) = http.ask(&format!("GET /.well-known/{path}")).await;
        assert_eq!(status, 404);
    }
}

#[tokio::test]
async fn the_root_is_the_page_or_says_that_it_was_not_built() {
    let http = serve(Config::default(), None, Health::new(None)).await;
    let (status, head, body) = http.ask("GET /").await;
    assert_eq!(status, 200);
    if head.contains("content-type: text/html") {
        assert!(body.to_lowercase().contains("<!doctype html"), "{body}");
        let etag = head
            .lines()
            .find_map(|line| line.strip_prefix("etag: "))
            .unwrap();
        let again = format!("GET / HTTP/1.1\r\nif-none-match: {etag}\r\nx: ");
        assert_eq!(http.ask(&again).await.0, 304);
    } else {
        assert!(body.contains("without the web page"), "{body}");
    }
    assert_eq!(http.ask("GET /../Cargo.toml").await.0, 404);
    assert_eq!(http.ask("GET /%2e%2e/Cargo.toml").await.0, 404);
}

#[tokio::test]
async fn only_get_and_head_are_answered() {
    let http = serve(Config::default(), None, Health::new(None)).await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        for path in ["/", "/healthz", "/readyz", "/config.json", "/app.js"] {
            assert_eq!(
                http.ask(&format!("{method} {path}")).await.0,
                405,
                "{method} {path}"
            );
        }
    }
    let (status, _, body) = http.ask("HEAD /healthz").await;
    assert_eq!((status, body.as_str()), (200, ""));
}

#[tokio::test]
async fn an_endless_head_is_cut() {
    let http = serve(Config::default(), None, Health::new(None)).await;
    let mut tcp = TcpStream::connect(http.address).await.unwrap();
    let flood = async {
        tcp.write_all(b"GET / HTTP/1.1\r\n").await?;
        loop {
            tcp.write_all(b"x-filler: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n")
                .await?;
        }
    };
    let end: std::io::Result<()> = timeout(BOUND, flood).await.expect("it is cut");
    assert!(end.is_err());
}

#[tokio::test]
async fn stopping_lets_go_of_idle_connections() {
    let http = serve(Config::default(), None, Health::new(None)).await;
    let mut idle = TcpStream::connect(http.address).await.unwrap();
    http.ask("GET /healthz").await;
    let start = Instant::now();
    http.stop.send(()).unwrap();
    timeout(BOUND, http.task).await.unwrap().unwrap();
    let mut rest = Vec::new();
    timeout(BOUND, idle.read_to_end(&mut rest))
        .await
        .unwrap()
        .ok();
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(TcpStream::connect(http.address).await.is_err());
}
