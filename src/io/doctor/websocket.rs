//! The way of browsers into the XMPP server (RFC 7395).

use std::io;
use std::time::Duration;

use data_encoding::BASE64;
use rand::RngExt;
use ring::digest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::finding::{CAMPANA, EJABBERD, PROSODY};
use super::tls::Trust;
use super::url::Url;
use super::{Config, Fault, Finding, Report, Step};
use crate::io::link::Transport;
use crate::xml::{Document, Limits, Writer};

pub(super) async fn examine(
    config: &Config,
    trust: &Trust,
    report: &mut Report<impl FnMut(&Finding)>,
) {
    let domain = config.user.domain().as_str();
    let local = config.local.as_ref();
    let url = match local.and_then(|local| local.websocket.clone()) {
        Some(url) => url,
        None => match discover(domain, trust).await {
            Ok(url) => url,
            // The page may know it all the same, by its own configuration.
            Err(fault) if local.is_none() => {
                return report.not_tested(Step::WebSocket, fault.what);
            }
            Err(fault) => return report.fails(Step::WebSocket, fault),
        },
    };
    match open(domain, &url, trust).await {
        Ok(()) => report.holds(Step::WebSocket, format!("{url} speaks XMPP")),
        Err(fault) => report.fails(Step::WebSocket, fault),
    }
}

async fn open(domain: &str, text: &str, trust: &Trust) -> Result<(), Fault> {
    let missing = |why: &str| {
        let path = Url::parse(text).map_or_else(|| "/ws".to_owned(), |url| url.path().to_owned());
        Fault::new(format!("no WebSocket at {text}: {why}"))
            .advise(
                EJABBERD,
                format!("listen: ejabberd_http: request_handlers: {path}: ejabberd_http_ws"),
            )
            .advise(
                PROSODY,
                format!(
                    "modules_enabled \"websocket\", http_paths = {{ websocket = \"{path}\" }}, \
                     http_default_host, or http_host under VirtualHost \"{domain}\""
                ),
            )
            .advise(
                CAMPANA,
                "http.websocket: the address as browsers reach it, past a proxy if there is one",
            )
    };
    let url = Url::parse(text).ok_or_else(|| missing("that is no address"))?;
    let connected = url.connect(trust).await;
    let mut io = connected.map_err(|error| missing(&error.to_string()))?;
    let key = BASE64.encode(&rand::rng().random::<[u8; 16]>());
    let headers = format!(
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp\r\n"
    );
    let answer = url.upgrade(&mut io, &headers).await;
    let response = answer.map_err(|error| missing(&error.to_string()))?;
    if response.status != 101 {
        return Err(missing(&format!("HTTP status {}", response.status)));
    }
    if response.header("sec-websocket-accept") != Some(&accepted(&key)) {
        return Err(missing("what answers is no WebSocket"));
    }
    // RFC 7395 §3.1: the server must agree to the subprotocol.
    if response.header("sec-websocket-protocol") != Some("xmpp") {
        return Err(missing("it does not speak XMPP"));
    }
    match timeout(PATIENCE, greet(domain, &mut io, response.body)).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err(missing(&format!("it does not serve {domain}"))),
        Ok(Err(error)) => Err(missing(&error.to_string())),
        Err(_) => Err(missing("it keeps silent")),
    }
}

/// XEP-0156 §3.2: what any client of the domain would find.
async fn discover(domain: &str, trust: &Trust) -> Result<String, Fault> {
    let place = format!("https://{domain}/.well-known/host-meta.json");
    let unknown = |why: String| {
        Fault::new(format!(
            "where browsers log in is not known: {place}: {why}"
        ))
        .advise(
            CAMPANA,
            format!("http.websocket = \"wss://{domain}:5443/ws\" or wherever it is"),
        )
        .advise(
            "web server",
            format!("let {place} lead to Campana's own, or say it there"),
        )
    };
    let url = Url::parse(&place).ok_or_else(|| unknown("no address".into()))?;
    let response = url
        .get(trust)
        .await
        .map_err(|error| unknown(error.to_string()))?;
    let found: Option<serde_json::Value> = serde_json::from_slice(&response.body).ok();
    let links = found
        .as_ref()
        .and_then(|found| found.get("links")?.as_array());
    links
        .into_iter()
        .flatten()
        .find(|link| link.get("rel").and_then(|rel| rel.as_str()) == Some(REL))
        .and_then(|link| Some(link.get("href")?.as_str()?.to_owned()))
        .ok_or_else(|| unknown(format!("HTTP status {}, no {REL} in it", response.status)))
}

/// RFC 7395 §3.4: `<open/>`, and whether the server opens, too. `bytes` came with the handshake.
async fn greet(domain: &str, io: &mut Box<dyn Transport>, mut bytes: Vec<u8>) -> io::Result<bool> {
    let mut writer = Writer::new("");
    writer
        .open("open", NS_FRAMING)
        .attr("to", domain)
        .attr("version", "1.0");
    let text = writer.finish();
    io.write_all(&frame(text.as_bytes(), rand::rng().random()))
        .await?;
    io.flush().await?;
    loop {
        if let Some(payload) = payload(&bytes) {
            return Ok(Document::parse(payload, "", &Limits::default())
                .is_ok_and(|answer| answer.root().is("open", NS_FRAMING)));
        }
        if bytes.len() > MAX_FRAME {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if io.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// RFC 6455 §5.2: one short text frame, masked as a client must.
fn frame(text: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u8::try_from(text.len()) {
        Ok(length @ 0..=125) => frame.push(0x80 | length),
        _ => {
            let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(
        text.iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

/// The payload of the first frame of a server, once it is whole.
fn payload(bytes: &[u8]) -> Option<&[u8]> {
    let ([_, length], rest) = bytes.split_first_chunk::<2>()?;
    match length {
        0..=125 => rest.get(..usize::from(*length)),
        126 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            rest.get(..usize::from(u16::from_be_bytes(*length)))
        }
        // Longer than MAX_FRAME.
        _ => None,
    }
}

/// RFC 6455 §4.2.2: proof that the key was read by a WebSocket server.
fn accepted(key: &str) -> String {
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref())
}

const NS_FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";
const REL: &str = "urn:xmpp:alt-connections:websocket";
const PATIENCE: Duration = Duration::from_secs(2);
const MAX_FRAME: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_that_of_the_standard() {
        // RFC 6455 §1.3.
        assert_eq!(
            accepted("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    #[test]
    fn frames_are_those_of_the_standard() {
        // RFC 6455 §5.7.
        let masked = [
            0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
        ];
        assert_eq!(frame(b"Hello", [0x37, 0xfa, 0x21, 0x3d]), masked);
        assert_eq!(
            payload(&[0x81, 5, b'H', b'e', b'l', b'l', b'o']),
            Some(&b"Hello"[..])
        );
        assert_eq!(payload(&[0x81, 5, b'H']), None);
        assert_eq!(payload(&[0x81, 126, 0, 1, b'x', b'y']), Some(&b"x"[..]));
        assert_eq!(frame(&[0; 126], [0; 4])[..4], [0x81, 0xfe, 0, 126]);
    }
}
