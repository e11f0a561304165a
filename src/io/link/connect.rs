//! From a server's name to an accepted component stream: TCP, TLS, and the handshake of XEP-0114 §3.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Config, Error};
use crate::xml::{Frame, Framer, Limits, NS_COMPONENT, NS_STREAM};

/// What the bytes go through.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// An accepted stream.
pub(crate) struct Opened {
    pub(crate) io: Box<dyn Transport>,
    /// Holds what the server sent behind its handshake.
    pub(crate) framer: Framer,
}

/// Connects and shakes hands. `connect_timeout` bounds the TCP connection, all addresses of the
/// server together.
pub(crate) async fn open(
    config: Arc<Config>,
    tls: Option<TlsConnector>,
    limits: Limits,
    connect_timeout: Duration,
) -> Result<Opened, Error> {
    let tcp = timeout(connect_timeout, connect(&config.server, connect_timeout))
        .await
        .map_err(|_| Error::Timeout("connecting"))?
        .map_err(|source| Error::Connect {
            server: config.server.clone(),
            source,
        })?;
    let io: Box<dyn Transport> = match tls {
        None => Box::new(tcp),
        Some(tls) => Box::new(encrypt(&config, tls, tcp).await?),
    };
    timeout(HANDSHAKE, shake_hands(&config, limits, io))
        .await
        .map_err(|_| Error::Timeout("waiting for the server's handshake"))?
}

/// The TLS settings, or why they cannot be had.
pub(crate) fn tls_connector(config: &Config) -> Result<Option<TlsConnector>, Error> {
    if !config.tls {
        return Ok(None);
    }
    let mut roots = rustls::RootCertStore::empty();
    match &config.tls_ca {
        Some(file) => add_roots(&mut roots, file)?,
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(Error::TlsRoots(
                    "the system has no certificate authorities: install ca-certificates or name a \
                     file in component.tls_ca"
                        .into(),
                ));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let settings = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::TlsRoots(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Some(TlsConnector::from(Arc::new(settings))))
}

fn add_roots(roots: &mut rustls::RootCertStore, file: &Path) -> Result<(), Error> {
    let bad =
        |what: String| Error::TlsRoots(format!("component.tls_ca: {}: {what}", file.display()));
    for certificate in
        CertificateDer::pem_file_iter(file).map_err(|error| bad(error.to_string()))?
    {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(bad("holds no certificate (PEM)".into()));
    }
    Ok(())
}

/// Tries each address of `server`, giving each a fair share of the time.
async fn connect(server: &str, within: Duration) -> io::Result<TcpStream> {
    let addresses: Vec<_> = tokio::net::lookup_host(server).await?.collect();
    let share = within / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                prepare(&tcp)?;
                return Ok(tcp);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

fn prepare(tcp: &TcpStream) -> io::Result<()> {
    // Small stanzas must not wait for the acknowledgement of the one before: with Nagle's
    // algorithm and delayed acknowledgements each would cost 25 to 40 ms.
    tcp.set_nodelay(true)?;
    let socket = socket2::SockRef::from(tcp);
    socket.set_keepalive(true)?;
    // A peer that acknowledges nothing for this long is gone, whatever it used to answer.
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok(())
}

async fn encrypt(
    config: &Config,
    tls: TlsConnector,
    tcp: TcpStream,
) -> Result<impl Transport + use<>, Error> {
    let name = config.tls_name.clone().unwrap_or_else(|| config.host());
    let failed = |source: io::Error| Error::Tls {
        name: name.clone(),
        source,
    };
    let server_name = ServerName::try_from(name.clone())
        .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    timeout(HANDSHAKE, tls.connect(server_name, tcp))
        .await
        .map_err(|_| Error::Timeout("negotiating TLS"))?
        .map_err(failed)
}

async fn shake_hands(
    config: &Config,
    limits: Limits,
    mut io: Box<dyn Transport>,
) -> Result<Opened, Error> {
    let mut framer = Framer::new(limits);
    // XEP-0114 §3: 'to' is the component's own name, not the server's.
    let header = format!(
        "<?xml version='1.0'?><stream:stream xmlns='{NS_COMPONENT}' xmlns:stream='{NS_STREAM}' \
         to='{}'>",
        config.jid
    );
    io.write_all(header.as_bytes()).await?;
    io.flush().await?;

    let Frame::Open(header) = next_frame(&mut io, &mut framer).await? else {
        return Err(Error::Protocol("it sent no stream header"));
    };
    if !header.root().is("stream", NS_STREAM) {
        return Err(Error::Protocol("what it opened is no XMPP stream"));
    }
    let id = match header.root().attr("id") {
        Some(id) => id.to_owned(),
        // A header that only introduces an error needs no id.
        None => return Err(expect_error(&mut io, &mut framer).await),
    };
    let handshake = format!(
        "<handshake>{}</handshake>",
        digest(&id, config.secret.expose())
    );
    io.write_all(handshake.as_bytes()).await?;
    io.flush().await?;

    match next_frame(&mut io, &mut framer).await? {
        Frame::Stanza(answer) if answer.root().is("handshake", NS_COMPONENT) => {
            Ok(Opened { io, framer })
        }
        Frame::Stanza(answer) => Err(super::stream::stream_error(answer.root())
            .unwrap_or(Error::Protocol("it answered the handshake with a stanza"))),
        Frame::Close => Err(Error::Closed),
        Frame::Open(_) | Frame::Bad(_) => Err(Error::Protocol(
            "it answered the handshake with something else",
        )),
    }
}

async fn expect_error(io: &mut Box<dyn Transport>, framer: &mut Framer) -> Error {
    match next_frame(io, framer).await {
        Ok(Frame::Stanza(stanza)) => super::stream::stream_error(stanza.root())
            .unwrap_or(Error::Protocol("its stream header has no id")),
        Ok(_) => Error::Protocol("its stream header has no id"),
        Err(error) => error,
    }
}

async fn next_frame(io: &mut Box<dyn Transport>, framer: &mut Framer) -> Result<Frame, Error> {
    loop {
        if let Some(frame) = framer.next_frame() {
            return Ok(frame?);
        }
        let mut buffer = [0; 4096];
        match io.read(&mut buffer).await? {
            0 => return Err(Error::Closed),
            n => framer.push(buffer.get(..n).unwrap_or_default()),
        }
    }
}

/// XEP-0114 §3: the stream id, then the secret, through SHA-1, in lower-case hexadecimal.
fn digest(id: &str, secret: &str) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(id.as_bytes());
    context.update(secret.as_bytes());
    HEXLOWER.encode(context.finish().as_ref())
}

/// For TLS, and again for the XMPP handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// RFC 5482: how long sent bytes may stay unacknowledged.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_lower_case_sha_1_of_id_and_secret() {
        // printf %s 3BF96D32test | sha1sum
        assert_eq!(
            digest("3BF96D32", "test"),
            "aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e"
        );
    }
}
