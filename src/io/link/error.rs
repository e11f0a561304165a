use std::io;
use std::mem;

use thiserror::Error;

use crate::xml;

/// Why there is no stream, or none any more. All but [`Error::TlsRoots`] are met by reconnecting.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The connection was not made.
    #[error("cannot connect to {server}: {source}")]
    Connect {
        /// `component.server`.
        server: String,
        /// What the system said.
        source: io::Error,
    },
    /// The server kept silent in the named step.
    #[error("timed out while {0}")]
    Timeout(&'static str),
    /// The TLS handshake failed.
    #[error("TLS with {name} failed: {source}")]
    Tls {
        /// The name that the certificate was checked against.
        name: String,
        /// What was wrong.
        source: io::Error,
    },
    /// The certificate authorities for TLS could not be read.
    #[error("{0}")]
    TlsRoots(String),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// The server closed the connection or the stream.
    #[error("the server closed the stream")]
    Closed,
    /// The server ended the stream with an error, RFC 6120 §4.9.
    #[error("the server ended the stream: {condition}{}", text.as_deref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Stream {
        /// The condition element's name.
        condition: String,
        /// What the server adds in words.
        text: Option<String>,
    },
    /// The server sent what is no XMPP stream.
    #[error("the server sent a broken stream: {0}")]
    Xml(#[from] xml::StreamError),
    /// The handshake of XEP-0114 §3 was not followed.
    #[error("the server does not speak the component protocol (XEP-0114): {0}")]
    Protocol(&'static str),
    /// No answer to a ping.
    #[error("the server is silent and answers no ping")]
    Dead,
    /// Output waits and the server takes none.
    #[error("the server has not read for {} s", super::stream::STALL.as_secs())]
    Stalled,
}

/// Errors that need to be told only once in a while.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Topic(mem::Discriminant<Error>, Option<String>);

impl Error {
    /// What the admin must change, for errors that trying again will not mend.
    pub(crate) fn advice(&self, config: &super::Config) -> Option<String> {
        let jid = &config.jid;
        match self {
            Self::Stream { condition, .. } => match condition.as_str() {
                "not-authorized" => Some(format!(
                    "the XMPP server refuses the secret. component.secret here (or \
                     component.secret_file, CAMPANA_COMPONENT__SECRET) and the password that the \
                     server has for {jid} must be the same: in ejabberd.yml listen: ejabberd_service \
                     hosts: {jid}: password; in prosody.cfg.lua Component \"{jid}\" \
                     component_secret; in Openfire Server Settings, External Components. ejabberd \
                     says the same when it has no component {jid} at all: then compare component.jid"
                )),
                "conflict" => Some(format!(
                    "the XMPP server already has a connection for {jid}: either another campana runs \
                     with this component.jid, or the server still holds a dead connection of ours. \
                     For the second, Prosody takes component_conflict_resolve = \"kick_old\" under \
                     Component \"{jid}\"; Openfire frees it after its idle timeout"
                )),
                "host-unknown" => Some(format!(
                    "the XMPP server has no component {jid}. component.jid here must be the name it \
                     is set up with: in ejabberd.yml a key under listen: ejabberd_service hosts; in \
                     prosody.cfg.lua a Component \"{jid}\"; in Openfire Server Settings, External \
                     Components, as subdomain"
                )),
                "invalid-namespace" => Some(format!(
                    "the port at component.server = {:?} is not one for components: take the port \
                     of ejabberd_service, of Prosody's component_ports, or of Openfire's external \
                     components (usually 5347 or 5275)",
                    config.server
                )),
                _ => None,
            },
            Self::Tls { .. } => Some(format!(
                "component.tls = true expects TLS from the first byte at {} and a certificate for \
                 component.tls_name (default: the host in component.server) signed by an authority \
                 the system knows or that component.tls_ca holds",
                config.server
            )),
            Self::Protocol(_) | Self::Xml(_) => Some(format!(
                "check that component.server = {:?} is the XMPP server's port for components \
                 (usually 5347 or 5275), and that component.tls is true exactly if that port \
                 speaks TLS",
                config.server
            )),
            _ => None,
        }
    }

    /// What metrics call it.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::Timeout(_) => "timeout",
            Self::Tls { .. } => "tls",
            Self::TlsRoots(_) => "tls_roots",
            Self::Io(_) => "io",
            Self::Closed => "closed",
            Self::Stream { .. } => "stream",
            Self::Xml(_) => "xml",
            Self::Protocol(_) => "protocol",
            Self::Dead | Self::Stalled => "silence",
        }
    }

    /// What it is about, however the system words it this time.
    pub(crate) fn topic(&self) -> Topic {
        let condition = match self {
            Self::Stream { condition, .. } => Some(condition.clone()),
            _ => None,
        };
        Topic(mem::discriminant(self), condition)
    }

    /// Whether an admin has to act before it can work.
    pub(crate) fn needs_the_admin(&self) -> bool {
        match self {
            Self::Stream { condition, .. } => matches!(
                condition.as_str(),
                "not-authorized" | "conflict" | "host-unknown" | "invalid-namespace"
            ),
            Self::Tls { .. } | Self::TlsRoots(_) | Self::Protocol(_) => true,
            Self::Connect { .. }
            | Self::Timeout(_)
            | Self::Io(_)
            | Self::Closed
            | Self::Xml(_)
            | Self::Dead
            | Self::Stalled => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::link::Config;

    #[test]
    fn refusals_name_the_key_to_change() {
        let config = Config {
            jid: "call.example.org".into(),
            ..Config::default()
        };
        for (condition, says) in [
            ("not-authorized", "component.secret"),
            ("conflict", "kick_old"),
            ("host-unknown", "component.jid"),
            ("invalid-namespace", "component.server"),
        ] {
            let error = Error::Stream {
                condition: condition.into(),
                text: None,
            };
            let advice = error.advice(&config).expect("advice");
            assert!(advice.contains(says), "{condition}: {advice}");
            assert!(error.needs_the_admin());
        }
        let error = Error::Stream {
            condition: "system-shutdown".into(),
            text: Some("bye".into()),
        };
        assert_eq!(error.advice(&config), None);
        assert!(!error.needs_the_admin());
        assert_eq!(
            error.to_string(),
            "the server ended the stream: system-shutdown (bye)"
        );
    }
}
