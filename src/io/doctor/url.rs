//! `ws:`, `wss:`, `http:` and `https:` addresses, and the little of HTTP/1.1 (RFC 9112) that is needed.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::tls::Trust;
use crate::credentials::extdisco::host_and_port;
use crate::io::link::Transport;

/// Where something is served.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Url {
    secure: bool,
    host: String,
    port: u16,
    path: String,
}

/// What a server answered.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    /// Lower-case names.
    headers: Vec<(String, String)>,
    /// What came behind the head.
    pub(super) body: Vec<u8>,
}

impl Url {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let secure = match scheme {
            "ws" | "http" => false,
            "wss" | "https" => true,
            _ => return None,
        };
        let path_at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(path_at)?;
        let (host, port) = host_and_port(authority)?;
        let default = if secure { 443 } else { 80 };
        let port = port.map_or(Some(default), |port| port.parse().ok())?;
        let legal = |c: char| c.is_ascii_graphic();
        (!host.is_empty() && path.chars().all(legal) && host.chars().all(legal)).then(|| Self {
            secure,
            host: host.to_owned(),
            port,
            path: if path.starts_with('/') {
                path.to_owned()
            } else {
                format!("/{path}")
            },
        })
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Host and port, as `Host:` has them.
    pub(super) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Connects, with TLS where the scheme says so.
    pub(super) async fn connect(&self, trust: &Trust) -> io::Result<Box<dyn Transport>> {
        let connecting = async {
            let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
            tcp.set_nodelay(true)?;
            Ok(if self.secure {
                Box::new(trust.connect(&self.host, tcp).await?) as Box<dyn Transport>
            } else {
                Box::new(tcp)
            })
        };
        timeout(PATIENCE, connecting)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Asks with GET and these further lines, each with its end, and reads until `is_whole`, or the
    /// end of the connection.
    async fn ask(
        &self,
        io: &mut Box<dyn Transport>,
        headers: &str,
        is_whole: impl Fn(&Response) -> bool,
    ) -> io::Result<Response> {
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n",
            self.path,
            self.authority()
        );
        let asking = async {
            io.write_all(request.as_bytes()).await?;
            io.flush().await?;
            let mut bytes = Vec::new();
            loop {
                if let Some(response) = Response::read(&bytes)
                    && is_whole(&response)
                {
                    return Ok(response);
                }
                if bytes.len() > MAX_RESPONSE {
                    return Err(io::ErrorKind::FileTooLarge.into());
                }
                if io.read_buf(&mut bytes).await? == 0 {
                    return Response::read(&bytes)
                        .ok_or_else(|| io::Error::other("the answer is no HTTP"));
                }
            }
        };
        timeout(PATIENCE, asking)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Asks for another protocol (RFC 9110 §7.8); what the server sends in it may have come with the
    /// head.
    pub(super) async fn upgrade(
        &self,
        io: &mut Box<dyn Transport>,
        headers: &str,
    ) -> io::Result<Response> {
        self.ask(io, headers, |_| true).await
    }

    /// What GET gives.
    pub(super) async fn get(&self, trust: &Trust) -> io::Result<Response> {
        let mut io = self.connect(trust).await?;
        let is_whole = |response: &Response| {
            let length = response.header("content-length")?.parse().ok();
            length.map(|length: usize| response.body.len() >= length)
        };
        self.ask(&mut io, "Connection: close\r\n", |response| {
            is_whole(response).unwrap_or(false)
        })
        .await
    }
}

impl Response {
    /// The head, once it is complete, and what is behind it.
    fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let (head, rest) = bytes.split_at_checked(end)?;
        let head = str::from_utf8(head).ok()?;
        let mut lines = head.split("\r\n");
        let mut first = lines.next()?.splitn(3, ' ');
        first.next()?.strip_prefix("HTTP/1.")?;
        let status = first.next()?.parse().ok()?;
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Some(Self {
            status,
            headers,
            body: rest.get(4..)?.to_vec(),
        })
    }

    /// A header, by its lower-case name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    }
}

/// For a connection, and again for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
const MAX_RESPONSE: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused() {
        let read = |text| Url::parse(text).map(|url| (url.authority(), url.path, url.secure));
        assert_eq!(
            read("ws://127.0.0.1:5280/ws"),
            Some(("127.0.0.1:5280".into(), "/ws".into(), false))
        );
        assert_eq!(
            read("wss://xmpp.example.org"),
            Some(("xmpp.example.org:443".into(), "/".into(), true))
        );
        assert_eq!(
            read("https://[::1]?x"),
            Some(("[::1]:443".into(), "/?x".into(), true))
        );
        for wrong in [
            "ftp://a",
            "ws://",
            "ws://a:b/",
            "ws://a/ b",
            "/ws",
            "ws://a/\r\nX: y",
        ] {
            assert_eq!(Url::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        assert!(Response::read(b"HTTP/1.1 200 OK\r\nA: b\r\n").is_none());
        assert!(Response::read(b"SSH-2.0\r\n\r\n").is_none());
        let response =
            Response::read(b"HTTP/1.1 101 X\r\nSec-WebSocket-Protocol: xmpp\r\n\r\nmore").unwrap();
        assert_eq!(response.status, 101);
        assert_eq!(response.header("sec-websocket-protocol"), Some("xmpp"));
        assert_eq!(response.body, b"more");
    }
}
