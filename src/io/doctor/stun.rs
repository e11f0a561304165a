//! A client of STUN and TURN servers (RFC 8489, RFC 8656), as far as trying them goes.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rand::RngExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};

use super::tls::Trust;
use crate::credentials::Secret;
use crate::credentials::extdisco::{Kind, Transport};
use crate::io::link;
use crate::stun::{
    Algorithm, Attribute, AttributeType, Class, Framer, Key, Message, Method, TransactionId, Writer,
};
use crate::xml::Element;

/// A server as XEP-0215 names it.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) kind: Kind,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) transport: Transport,
    pub(super) username: String,
    pub(super) password: Secret,
}

/// Why a server is of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Nothing accepts a connection, or ICMP says that nothing is there.
    #[error("{0}")]
    Unreachable(io::Error),
    #[error("no answer within {} ms", PATIENCE.as_millis())]
    Silent,
    #[error("TLS: {0}")]
    Tls(io::Error),
    #[error("what answers is no STUN server")]
    Foreign,
    /// An error response.
    #[error("it answers {0} {1}")]
    Refused(u16, String),
}

/// A connection to a server.
pub(super) struct Client {
    link: Link,
    /// Where this end is.
    pub(super) local: SocketAddr,
}

/// What carries the messages.
enum Link {
    Udp(UdpSocket),
    Stream {
        io: Box<dyn link::Transport>,
        framer: Framer,
    },
}

/// What is needed to speak as a person (RFC 8489 §9.2).
struct Session {
    username: String,
    realm: String,
    nonce: Vec<u8>,
    key: Key,
}

/// An allocation, which ends with [`Allocation::release`], or by itself.
pub(super) struct Allocation {
    client: Client,
    session: Session,
    /// The address that peers send to.
    pub(super) relayed: SocketAddr,
    /// The address that the server sees of us.
    pub(super) mapped: SocketAddr,
}

impl Server {
    /// Reads `<service/>` (XEP-0215 §3.1); `None` for what is neither STUN nor TURN.
    pub(super) fn read(service: Element<'_>) -> Option<Self> {
        let attr = |name| service.attr(name).unwrap_or_default();
        let kind = [Kind::Stun, Kind::Stuns, Kind::Turn, Kind::Turns]
            .into_iter()
            .find(|kind| kind.name() == attr("type"))?;
        let secure = matches!(kind, Kind::Stuns | Kind::Turns);
        let transport = match attr("transport") {
            "tcp" => Transport::Tcp,
            "" if secure => Transport::Tcp,
            _ => Transport::Udp,
        };
        let default = if secure { 5349 } else { 3478 };
        Some(Self {
            kind,
            host: attr("host").to_owned(),
            port: service
                .attr("port")
                .map_or(Some(default), |port| port.parse().ok())?,
            transport,
            username: attr("username").to_owned(),
            password: attr("password").into(),
        })
    }

    pub(super) fn is_turn(&self) -> bool {
        matches!(self.kind, Kind::Turn | Kind::Turns)
    }

    pub(super) fn is_secure(&self) -> bool {
        matches!(self.kind, Kind::Stuns | Kind::Turns)
    }
}

/// As a URI of RFC 7064 or RFC 7065.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, port) = (self.kind.name(), self.port);
        if self.host.contains(':') {
            write!(f, "{scheme}:[{}]:{port}", self.host)?;
        } else {
            write!(f, "{scheme}:{}:{port}", self.host)?;
        }
        match (self.kind, self.transport) {
            (Kind::Stuns, _) | (Kind::Stun, Transport::Udp) => Ok(()),
            (Kind::Turn | Kind::Turns, Transport::Udp) => f.write_str("?transport=udp"),
            // RFC 7064 has no words for STUN over TCP.
            (_, Transport::Tcp) => f.write_str("?transport=tcp"),
        }
    }
}

impl Client {
    pub(super) async fn connect(server: &Server, trust: &Trust) -> Result<Self, Error> {
        let connecting = async {
            let mut addresses = lookup_host((server.host.as_str(), server.port))
                .await
                .map_err(Error::Unreachable)?;
            let nowhere = || Error::Unreachable(io::ErrorKind::NotFound.into());
            let address = addresses.next().ok_or_else(nowhere)?;
            Self::open(server, address, trust).await
        };
        timeout(PATIENCE, connecting)
            .await
            .unwrap_or(Err(Error::Silent))
    }

    async fn open(server: &Server, address: SocketAddr, trust: &Trust) -> Result<Self, Error> {
        let unreachable = Error::Unreachable;
        if server.transport == Transport::Udp {
            let socket = UdpSocket::bind(any(address)).await.map_err(unreachable)?;
            socket.connect(address).await.map_err(unreachable)?;
            return Ok(Self {
                local: socket.local_addr().map_err(unreachable)?,
                link: Link::Udp(socket),
            });
        }
        let tcp = TcpStream::connect(address).await.map_err(unreachable)?;
        let local = tcp.local_addr().map_err(unreachable)?;
        let io: Box<dyn link::Transport> = if server.is_secure() {
            let tls = trust.connect(&server.host, tcp).await;
            Box::new(tls.map_err(Error::Tls)?)
        } else {
            Box::new(tcp)
        };
        Ok(Self {
            link: Link::Stream {
                io,
                framer: Framer::new(MAX_MESSAGE),
            },

            local,
        })
    }

    /// The address that the server sees (RFC 8489 §7.3.3).
    pub(super) async fn binding(&mut self) -> Result<SocketAddr, Error> {
        let answer = self.ask(Method::BINDING, None, |_| {}).await?;
        answer.address(AttributeType::XOR_MAPPED_ADDRESS)
    }

    /// An allocation, without credentials first, as every client does (RFC 8656 §7.1).
    pub(super) async fn allocate(mut self, server: &Server) -> Result<Allocation, Error> {
        const UDP: u8 = 17;
        let transport = |writer: &mut Writer<'_>| {
            writer.attribute(&Attribute::RequestedTransport(UDP));
        };
        let mut answer = self.exchange(Method::ALLOCATE, None, transport).await?;
        // A second time for a nonce that is stale at once (438).
        for _ in 0..2 {
            let session = Session::new(&answer, server)?;
            answer = self
                .exchange(Method::ALLOCATE, Some(&session), transport)
                .await?;
            match answer.accepted() {
                Err(Error::Refused(438, _)) => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    return Ok(Allocation {
                        relayed: answer.address(AttributeType::XOR_RELAYED_ADDRESS)?,
                        mapped: answer.address(AttributeType::XOR_MAPPED_ADDRESS)?,
                        client: self,
                        session,
                    });
                }
            }
        }
        Err(Error::Foreign)
    }

    /// A request that must succeed.
    async fn ask(
        &mut self,
        method: Method,
        session: Option<&Session>,
        write: impl Fn(&mut Writer<'_>),
    ) -> Result<Answer, Error> {
        let answer = self.exchange(method, session, write).await?;
        answer.accepted().map(|()| answer)
    }

    /// A request and its response. Over UDP it is sent again (RFC 8489 §6.2.1).
    async fn exchange(
        &mut self,
        method: Method,
        session: Option<&Session>,
        write: impl Fn(&mut Writer<'_>),
    ) -> Result<Answer, Error> {
        let transaction = transaction();
        let mut buffer = [0; MAX_MESSAGE];
        let mut writer = Writer::new(&mut buffer, Class::Request, method, transaction);
        write(&mut writer);
        if let Some(session) = session {
            session.sign(&mut writer);
        }
        let length = writer.fingerprint().finish().map_err(|_| Error::Foreign)?;
        let request = buffer.get(..length).unwrap_or_default();
        let mut again = FIRST_AGAIN;
        let until = Instant::now() + PATIENCE;
        loop {
            self.link.send(request).await?;
            let next = match self.link {
                Link::Udp(_) => until.min(Instant::now() + again),
                Link::Stream { .. } => until,
            };
            while let Ok(received) = timeout_at(next, self.link.receive()).await {
                let bytes = received?;
                if let Ok(message) = Message::decode(&bytes)
                    && message.transaction() == transaction
                {
                    return Ok(Answer(bytes));
                }
            }
            if Instant::now() >= until {
                return Err(Error::Silent);
            }
            again *= 2;
        }
    }
}

impl Link {
    async fn send(&mut self, message: &[u8]) -> Result<(), Error> {
        match self {
            Self::Udp(socket) => socket.send(message).await.map(drop),
            Self::Stream { io, .. } => match io.write_all(message).await {
                Ok(()) => io.flush().await,
                Err(error) => Err(error),
            },
        }
        .map_err(Error::Unreachable)
    }

    async fn receive(&mut self) -> Result<Vec<u8>, Error> {
        let mut buffer = [0; MAX_MESSAGE];
        match self {
            Self::Udp(socket) => {
                let length = socket.recv(&mut buffer).await;
                let length = length.map_err(Error::Unreachable)?;
                Ok(buffer.get(..length).unwrap_or_default().to_vec())
            }
            Self::Stream { io, framer } => loop {
                if let Some(frame) = framer.next_frame() {
                    return Ok(frame.map_err(|_| Error::Foreign)?.to_vec());
                }
                match io.read(&mut buffer).await.map_err(Error::Unreachable)? {
                    0 => return Err(Error::Unreachable(io::ErrorKind::UnexpectedEof.into())),
                    length => framer.push(buffer.get(..length).unwrap_or_default()),
                }
            },
        }
    }
}

/// A response, which has been decoded once.
struct Answer(Vec<u8>);

impl Answer {
    fn get<T>(
        &self,
        kind: AttributeType,
        take: impl FnOnce(Attribute<'_>) -> Option<T>,
    ) -> Option<T> {
        let message = Message::decode(&self.0).ok()?;
        let raw = message.attributes().find(|raw| raw.kind == kind)?;
        take(Attribute::decode(&raw, &message.transaction()).ok()?)
    }

    fn accepted(&self) -> Result<(), Error> {
        let class = Message::decode(&self.0).map_or(Class::Error, |message| message.class());
        if class == Class::Success {
            return Ok(());
        }
        let refused = self.get(AttributeType::ERROR_CODE, |attribute| match attribute {
            Attribute::ErrorCode { code, reason } => Some(Error::Refused(code, reason.to_owned())),
            _ => None,
        });
        Err(refused.unwrap_or(Error::Foreign))
    }

    fn address(&self, kind: AttributeType) -> Result<SocketAddr, Error> {
        self.get(kind, |attribute| match attribute {
            Attribute::XorMappedAddress(address)
            | Attribute::XorRelayedAddress(address)
            | Attribute::XorPeerAddress(address) => Some(address),
            _ => None,
        })
        .ok_or(Error::Foreign)
    }
}

impl Session {
    /// What the challenge says, with what the service handed out.
    fn new(challenge: &Answer, server: &Server) -> Result<Self, Error> {
        let realm = challenge.get(AttributeType::REALM, |attribute| match attribute {
            Attribute::Realm(realm) => Some(realm.to_owned()),
            _ => None,
        });
        let nonce = challenge.get(AttributeType::NONCE, |attribute| match attribute {
            Attribute::Nonce(nonce) => Some(nonce.to_vec()),
            _ => None,
        });
        let (Some(realm), Some(nonce)) = (realm, nonce) else {
            challenge.accepted()?;
            return Err(Error::Foreign);
        };
        let (username, password) = (&server.username, server.password.expose());
        Ok(Self {
            key: Key::long_term(
                Algorithm::Md5,
                username.as_bytes(),
                realm.as_bytes(),
                password.as_bytes(),
            ),
            username: username.clone(),
            realm,
            nonce,
        })
    }

    fn sign(&self, writer: &mut Writer<'_>) {
        writer
            .attribute(&Attribute::Username(&self.username))
            .attribute(&Attribute::Realm(&self.realm))
            .attribute(&Attribute::Nonce(&self.nonce))
            .integrity(&self.key);
    }
}

impl Allocation {
    /// Lets packets of this address in (RFC 8656 §9.1).
    pub(super) async fn permit(&mut self, peer: SocketAddr) -> Result<(), Error> {
        let peer = |writer: &mut Writer<'_>| {
            writer.attribute(&Attribute::XorPeerAddress(peer));
        };
        let session = Some(&self.session);
        self.client
            .ask(Method::CREATE_PERMISSION, session, peer)
            .await
            .map(drop)
    }

    /// Sends to a peer (RFC 8656 §11.1).
    pub(super) async fn send(&mut self, peer: SocketAddr, data: &[u8]) -> Result<(), Error> {
        let mut buffer = [0; MAX_MESSAGE];
        let mut writer = Writer::new(&mut buffer, Class::Indication, Method::SEND, transaction());
        writer
            .attribute(&Attribute::XorPeerAddress(peer))
            .attribute(&Attribute::Data(data));
        let length = writer.finish().map_err(|_| Error::Foreign)?;
        let indication = buffer.get(..length).unwrap_or_default();
        self.client.link.send(indication).await
    }

    /// Waits for a packet with this content; answers whose it was.
    pub(super) async fn receive(&mut self, data: &[u8]) -> Result<SocketAddr, Error> {
        loop {
            let answer = Answer(self.client.link.receive().await?);
            let is_it = answer.get(AttributeType::DATA, |attribute| {
                (attribute == Attribute::Data(data)).then_some(())
            });
            if is_it.is_some() {
                return answer.address(AttributeType::XOR_PEER_ADDRESS);
            }
        }
    }

    /// Ends it (RFC 8656 §8.1).
    pub(super) async fn release(mut self) {
        let session = Some(&self.session);
        let now = |writer: &mut Writer<'_>| {
            writer.attribute(&Attribute::Lifetime(0));
        };
        // It ends by itself otherwise.
        self.client.ask(Method::REFRESH, session, now).await.ok();
    }
}

fn transaction() -> TransactionId {
    TransactionId(rand::rng().random())
}

/// The unspecified address of the same family.
pub(super) fn any(address: SocketAddr) -> SocketAddr {
    if address.is_ipv4() {
        SocketAddr::from(([0, 0, 0, 0], 0))
    } else {
        SocketAddr::from(([0; 8], 0))
    }
}

/// For a connection, and again for each answer.
const PATIENCE: Duration = Duration::from_millis(2000);
/// RFC 8489 §6.2.1: RTO, which doubles.
const FIRST_AGAIN: Duration = Duration::from_millis(250);
const MAX_MESSAGE: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Document, Limits};

    #[test]
    fn servers_are_read_as_they_are_named() {
        let read = |xml: &str| {
            let document = Document::parse(xml.as_bytes(), "", &Limits::default()).unwrap();
            Server::read(document.root()).map(|server| server.to_string())
        };
        for (xml, uri) in [
            ("<service type='stun' host='h'/>", Some("stun:h:3478")),
            (
                "<service type='turn' host='2001:db8::1' port='9' transport='tcp'/>",
                Some("turn:[2001:db8::1]:9?transport=tcp"),
            ),
            (
                "<service type='turns' host='h'/>",
                Some("turns:h:5349?transport=tcp"),
            ),
            ("<service type='ftp' host='h'/>", None),
            ("<service type='turn' host='h' port='x'/>", None),
        ] {
            assert_eq!(read(xml).as_deref(), uri, "{xml}");
        }
    }
}
