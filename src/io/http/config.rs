use std::net::{Ipv4Addr, SocketAddr};

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::credentials::Secret;
use crate::ladder;

/// `[http]`: health, readiness and the web page.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port; port 0 takes any free one and logs it.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// The token that opens `/calls`; without one `/calls` does not exist.
    pub admin_token: Option<Secret>,
    /// Calls that are kept for `/calls`.
    pub calls: usize,
    /// Bytes that are kept of one call.
    pub call_bytes: usize,
    /// Bytes that are kept of all of them.
    pub calls_bytes: usize,
    /// Whether `/calls` shows addresses and names of people: `log.pii`.
    #[serde(skip)]
    pub pii: bool,
    /// The XMPP server's WebSocket (RFC 7395), as the page must call it.
    #[serde(deserialize_with = "websocket")]
    pub websocket: Option<String>,
    /// The XMPP server's BOSH (XEP-0206), for networks that let no WebSocket through.
    #[serde(deserialize_with = "bosh")]
    pub bosh: Option<String>,
    /// The XMPP domain of the people who log in at the page; otherwise the parent of
    /// `component.jid`.
    pub domain: Option<String>,
    /// The anonymous host where guests log in, otherwise `guest.` and the domain; empty for none.
    pub guests: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        let ladder::Config {
            calls,
            call_bytes,
            calls_bytes,
            pii,
        } = ladder::Config::default();
        Self {
            calls,
            call_bytes,
            calls_bytes,
            pii,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            admin_token: None,
            websocket: None,
            bosh: None,
            domain: None,
            guests: None,
        }
    }
}

impl Config {
    /// The token that opens `/calls`; an empty one opens nothing.
    #[must_use]
    pub fn token(&self) -> Option<&Secret> {
        self.admin_token.as_ref().filter(|token| !token.is_empty())
    }

    /// How much is kept for `/calls`.
    #[must_use]
    pub fn ladder(&self) -> ladder::Config {
        ladder::Config {
            calls: self.calls,
            call_bytes: self.call_bytes,
            calls_bytes: self.calls_bytes,
            pii: self.pii,
        }
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        D::Error::custom(format!(
            "{text:?} is not an address and port, such as \"127.0.0.1:8080\" or \"[::]:8080\""
        ))
    })
}

fn websocket<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.starts_with("wss://") || text.starts_with("ws://") {
        return Ok(Some(text));
    }
    Err(D::Error::custom(format!(
        "{text:?} is not a WebSocket address, such as \"wss://xmpp.example.org:5443/ws\""
    )))
}

fn bosh<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.starts_with("https://") || text.starts_with("http://") {
        return Ok(Some(text));
    }
    Err(D::Error::custom(format!(
        "{text:?} is not a BOSH address, such as \"https://xmpp.example.org:5443/bosh\""
    )))
}
