//! A client of the person's own server: STARTTLS, SASL, a resource, and then stanzas as they come.
//!
//! `tokio-xmpp` does the stream. Its `Client` tries again where it fails and keeps the reason for
//! itself, so its parts are used here one by one.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use sasl::common::{ChannelBinding, Credentials};
use tokio::io::BufStream;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::client::TlsStream;
use tokio_xmpp::connect::DnsConfig;
use tokio_xmpp::error::AuthError;
use tokio_xmpp::minidom::Element;
use tokio_xmpp::xmlstream::{
    ReadError, StreamHeader, Timeouts, XmlStream, XmppStream, XmppStreamElement, initiate_stream,
};
use tokio_xmpp::{Error, client_login};
use xmpp_parsers::starttls::{self, Request};

use super::finding::{COMMAND, EJABBERD, PROSODY};
use super::tls::Trust;
use super::{Config, Fault};
use crate::stanza::error_condition;
use crate::xml::{Document, Limits, NS_CLIENT, Writer};

/// A stream after login.
pub(super) struct Client {
    stream: XmlStream<BufStream<TlsStream<TcpStream>>, Element>,
    /// Her full JID.
    pub(super) jid: String,
    /// What came while something else was waited for.
    waiting: VecDeque<Document>,
    ids: u64,
}

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{0}")]
    Error(String),
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Silence,
    #[error("the server closed the stream")]
    Closed,
}

impl Client {
    /// Logs in; answers what was seen, too.
    pub(super) async fn login(config: &Config, trust: &Trust) -> Result<(Self, String), Fault> {
        let began = Instant::now();
        let domain = config.user.domain().as_str();
        let place = config.server.clone().unwrap_or_else(|| domain.to_owned());
        match timeout(LOGIN, log_in(config, trust)).await {
            Ok(Ok(client)) => {
                let (_, tls) = client.stream.get_stream().get_ref().get_ref();
                let version = tls.protocol_version().map(|version| match version {
                    rustls::ProtocolVersion::TLSv1_2 => "TLS 1.2",
                    _ => "TLS 1.3",
                });
                let seen = format!(
                    "{} at {place}, {}, {} ms",
                    config.user,
                    version.unwrap_or_default(),
                    began.elapsed().as_millis()
                );
                Ok((client, seen))
            }
            Ok(Err(error)) => Err(fault(&error, &place, config)),
            Err(_) => Err(unreachable(
                &place,
                &format!("no answer within {} s", LOGIN.as_secs()),
            )),
        }
    }

    /// Sends an IQ with what `payload` writes, and waits for its result. Without an address it is for
    /// the server itself.
    pub(super) async fn ask(
        &mut self,
        kind: &str,
        to: &str,
        payload: impl FnOnce(&mut Writer),
    ) -> Result<Document, Refusal> {
        let id = self.tell(kind, to, payload).await?;
        let until = Instant::now() + PATIENCE;
        loop {
            let stanza = timeout_at(until, self.receive())
                .await
                .map_err(|_| Refusal::Silence)??;
            let root = stanza.root();
            if root.name() == "iq" && root.attr("id") == Some(&id) {
                match root.attr("type") {
                    Some("result") => return Ok(stanza),
                    Some("error") => return Err(Refusal::Error(error_condition(root).to_owned())),
                    _ => {}
                }
            }
            if self.waiting.len() < MAX_WAITING {
                self.waiting.push_back(stanza);
            }
        }
    }

    /// Sends an IQ and answers its id; whatever is replied comes as a stanza.
    pub(super) async fn tell(
        &mut self,
        kind: &str,
        to: &str,
        payload: impl FnOnce(&mut Writer),
    ) -> Result<String, Refusal> {
        self.ids += 1;
        let id = format!("doctor-{}", self.ids);
        let mut writer = Writer::new("");
        writer
            .open("iq", NS_CLIENT)
            .attr("type", kind)
            .opt_attr("to", Some(to).filter(|to| !to.is_empty()))
            .attr("id", &id);
        payload(&mut writer);
        self.send(&writer.finish()).await?;
        Ok(id)
    }

    /// The next stanza; dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Document, Refusal> {
        match self.waiting.pop_front() {
            Some(stanza) => Ok(stanza),
            None => self.receive().await,
        }
    }

    /// Answers a request with an empty result.
    pub(super) async fn acknowledge(&mut self, request: &Document) -> Result<(), Refusal> {
        let root = request.root();
        let mut writer = Writer::new("");
        writer
            .open("iq", NS_CLIENT)
            .attr("type", "result")
            .opt_attr("to", root.attr("from"))
            .opt_attr("id", root.attr("id"));
        self.send(&writer.finish()).await
    }

    pub(super) async fn close(mut self) {
        // Nobody waits for the server's farewell longer than that.
        let closing = <_ as SinkExt<&Element>>::close(&mut self.stream);
        timeout(FAREWELL, closing).await.ok();
    }

    async fn send(&mut self, stanza: &str) -> Result<(), Refusal> {
        let element: Element = stanza
            .parse()
            .map_err(|error| Refusal::Error(format!("not sent: {error}")))?;
        self.stream
            .send(&element)
            .await
            .map_err(|_| Refusal::Closed)
    }

    async fn receive(&mut self) -> Result<Document, Refusal> {
        loop {
            match self.stream.next().await {
                Some(Ok(element)) => {
                    let text = String::from(&element);
                    // Whatever is too large is not for us.
                    if let Ok(stanza) = Document::parse(text.as_bytes(), "", &Limits::default()) {
                        return Ok(stanza);
                    }
                }
                Some(Err(ReadError::SoftTimeout | ReadError::ParseError(_))) => {}
                Some(Err(ReadError::HardError(_) | ReadError::StreamFooterReceived)) | None => {
                    return Err(Refusal::Closed);
                }
            }
        }
    }
}

async fn log_in(config: &Config, trust: &Trust) -> Result<Client, Error> {
    let domain = config.user.domain().as_str();
    let header = || StreamHeader {
        to: Some(Cow::Borrowed(domain)),
        from: None,
        id: None,
    };
    let tcp = match &config.server {
        Some(server) => TcpStream::connect(server.as_str()).await?,
        None => DnsConfig::srv_default_client(domain).resolve().await?,
    };
    let plain = initiate_stream(BufStream::new(tcp), NS_CLIENT, header(), timeouts()).await?;
    let (features, mut plain): (_, XmppStream<_>) = plain.recv_features().await?;
    if !features.can_starttls() {
        return Err(tokio_xmpp::error::ProtocolError::NoTls.into());
    }
    let request = XmppStreamElement::Starttls(starttls::Nonza::Request(Request));
    plain.send(&request).await?;
    loop {
        let element = plain.next().await.ok_or(Error::Disconnected)?;
        match element.map(|element| element.into_read_error()) {
            Ok(Ok(XmppStreamElement::Starttls(starttls::Nonza::Proceed(_)))) => break,
            Ok(Ok(_)) | Err(ReadError::SoftTimeout) => {}
            Ok(Err(ReadError::HardError(error))) | Err(ReadError::HardError(error)) => {
                return Err(error.into());
            }
            _ => return Err(Error::Disconnected),
        }
    }
    let tls = trust
        .connect(domain, plain.into_inner().into_inner())
        .await?;
    let stream = initiate_stream(BufStream::new(tls), NS_CLIENT, header(), timeouts()).await?;
    let (features, stream): (_, XmppStream<_>) = stream.recv_features().await?;
    let credentials = Credentials::default()
        .with_username(config.user.node().map_or("", |node| node.as_str()))
        .with_password(config.password.expose())
        .with_channel_binding(ChannelBinding::None);
    let stream = client_login(stream, features.sasl_mechanisms, credentials).await?;
    let (_, stream) = stream.send_header(header()).await?.recv_features().await?;
    let mut client = Client {
        stream,
        jid: String::new(),
        waiting: VecDeque::new(),
        ids: 0,
    };
    let bound = client
        .ask("set", "", |writer| {
            writer.leaf("bind", NS_BIND, "");
        })
        .await
        .map_err(|refusal| io::Error::other(format!("no resource: {refusal}")))?;
    client.jid = bound
        .root()
        .child("bind", NS_BIND)
        .and_then(|bind| bind.child("jid", NS_BIND))
        .map(|jid| jid.text().into_owned())
        .unwrap_or_default();
    Ok(client)
}

fn fault(error: &Error, place: &str, config: &Config) -> Fault {
    let domain = config.user.domain();
    match error {
        Error::Auth(AuthError::Fail(condition)) => {
            Fault::new(format!("the server refuses {}: {condition:?}", config.user))
                .advise(
                    COMMAND,
                    "--user and --password-file: an account of this server and its password",
                )
                .advise(
                    "ejabberdctl",
                    format!("check_account / register on {domain}"),
                )
                .advise("prosodyctl", format!("adduser {}", config.user))
        }
        Error::Auth(error) => Fault::new(format!("no way to log in: {error}"))
            .advise(
                EJABBERD,
                "auth_password_format and disable_sasl_mechanisms: SCRAM-SHA-1 or -256",
            )
            .advise(PROSODY, "authentication = \"internal_hashed\""),
        Error::Protocol(tokio_xmpp::error::ProtocolError::NoTls) => {
            Fault::new(format!("{place} offers no TLS"))
                .advise(
                    EJABBERD,
                    "listen: ejabberd_c2s: starttls: true, and certfiles",
                )
                .advise(PROSODY, "modules_enabled: \"tls\", and ssl")
        }
        // Certificates are judged in the middle of reading.
        Error::Io(error) if is_tls(error) => Fault::new(format!("TLS with {place}: {error}"))
            .advise(
                COMMAND,
                "--ca FILE: the authority that signed the server's certificate",
            )
            .advise(EJABBERD, format!("certfiles: a certificate for {domain}"))
            .advise(PROSODY, format!("ssl: a certificate for {domain}")),
        error => unreachable(place, &error.to_string()),
    }
}

fn is_tls(error: &io::Error) -> bool {
    let inner = error.get_ref();
    inner.is_some_and(|inner| inner.is::<rustls::Error>())
        || error.kind() == io::ErrorKind::InvalidInput
}

fn unreachable(place: &str, why: &str) -> Fault {
    Fault::new(format!("{place} can not be reached: {why}"))
        .advise(COMMAND, "--server HOST:PORT, where DNS does not tell it")
        .advise(EJABBERD, "listen: - port: 5222, module: ejabberd_c2s")
        .advise(PROSODY, "c2s_ports = { 5222 }")
}

fn timeouts() -> Timeouts {
    Timeouts {
        read_timeout: Duration::from_mins(1),
        response_timeout: Duration::from_mins(1),
    }
}

/// RFC 6120 §7.
const NS_BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
const LOGIN: Duration = Duration::from_secs(4);
/// For the answer to one request.
const PATIENCE: Duration = Duration::from_secs(2);
const FAREWELL: Duration = Duration::from_millis(300);
/// Stanzas of others that are kept while an answer is waited for.
const MAX_WAITING: usize = 256;
